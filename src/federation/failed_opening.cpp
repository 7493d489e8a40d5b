// From the published sums to the opening, and what a miner does when the set does not open
// (sealing-spec §9.4).

#include <algorithm>

#include "consilium/sealing/audit.hpp"
#include "consilium/sealing/masked_key.hpp"

#include "participant_steps.hpp"

namespace consilium::federation {
namespace {

using ledger::RoundRecord;
using sealing::AuditStep;

/// Blobs of miners, by their place in the committee, without those that nobody hands out.
auto blobs_of(const RoundContext& context, const std::map<HospitalId, Digest>& named)
    -> std::map<MinerId, Bytes> {
  std::map<MinerId, Bytes> out;
  for (const auto& [owner, digest] : named) {
    auto bytes = context.storage.get_blob(digest);
    if (!bytes) {
      context.remark("member " + std::to_string(owner.value) + ": " + bytes.error().code);
      continue;
    }
    out.emplace(miner_of(context.round, owner).value(), std::move(*bytes));
  }
  return out;
}

/// Looks for itself, once for so many share sums. Nothing seen: they open the set after all.
auto look(const RoundContext& context, SeenFailure& seen) -> Result<void> {
  const std::size_t published = context.round.share_sums.size();
  if (seen.failure && seen.share_sums == published) return {};
  CONSILIUM_TRY(const auto bodies, bodies_of_set(context));
  CONSILIUM_TRY(const auto sums, published_sums(context));
  const std::vector<BytesView> views(bodies.begin(), bodies.end());
  CONSILIUM_TRY(seen.failure,
                sealing::examine_failure(context.state.parameters_of(context.round), views, sums,
                                         context.round.open.purpose == sealing::Purpose::update));
  seen.share_sums = published;
  return {};
}

auto is_to_try_again(const Error& error) -> bool {
  return error.code == "blob_unavailable" || error.code == "unavailable" ||
         error.code == "opening_stalled";
}

auto answer(const RoundContext& context,
            const std::function<Result<const std::vector<sealing::ShareOpening>*>()>& shares)
    -> Next {
  const ledger::AuditRecord& audit = *context.round.audit;
  const auto parameters = context.state.parameters_of(context.round);
  // The positions are what the block's hash gives, or they are somebody's choice.
  CONSILIUM_TRY(const auto positions,
                sealing::audit_positions(parameters, context.state.block_hash(audit.fixed_at),
                                         audit.failure));
  const Digest digest = positions.digest();
  if (digest != audit.positions.digest()) {
    context.remark("audit_refused: the positions are not what the block's hash gives");
    return std::nullopt;
  }
  CONSILIUM_TRY(const auto* held, shares());
  if (held == nullptr) return std::nullopt;
  const auto kind = audit.step == AuditStep::witness ? sealing::SetLogKind::witness_audit
                                                     : sealing::SetLogKind::data_audit;
  if (auto logged = context.set_log.record(log_entry(context, kind, digest)); !logged) {
    if (ends_the_node(logged.error())) return tl::unexpected(logged.error());
    context.remark(logged.error().message());
    return std::nullopt;
  }
  CONSILIUM_TRY(const Bytes words, sealing::audit_answer(parameters, audit.step, positions, *held));
  const BytesView blob = words;
  CONSILIUM_TRY(const auto digests, context.storage.put_blobs(std::span(&blob, 1)));
  return ledger::AuditAnswer{context.round.id, audit.step, digest, digests.front()};
}

auto finding(const RoundContext& context) -> Next {
  const ledger::AuditRecord& audit = *context.round.audit;
  CONSILIUM_TRY(const auto bodies, bodies_of_set(context));
  CONSILIUM_TRY(const auto sums, published_sums(context));
  const std::vector<BytesView> views(bodies.begin(), bodies.end());
  CONSILIUM_TRY(auto blamed, sealing::audit_findings(context.state.parameters_of(context.round),
                                                     audit.step, audit.positions, views, sums,
                                                     blobs_of(context, audit.now().answers)));
  return ledger::AuditFinding{context.round.id, audit.step, std::move(blamed)};
}

}  // namespace

auto bodies_of_set(const RoundContext& context) -> Result<std::vector<Bytes>> {
  std::vector<Bytes> bodies;
  for (const auto& member : context.round.set) {
    CONSILIUM_TRY(auto body, context.storage.get_blob(
                                 context.round.manifests.at(member.hospital).manifest.body_blob));
    bodies.push_back(std::move(body));
  }
  return bodies;
}

auto published_sums(const RoundContext& context) -> Result<std::map<MinerId, Bytes>> {
  if (!context.is_masked()) {
    auto sums = blobs_of(context, context.round.share_sums);
    const auto committee =
        sealing::committee_of(static_cast<std::uint16_t>(context.round.miners.size()));
    if (sums.size() < committee.threshold && context.round.share_sums.size() >= committee.threshold)
      return fail("blob_unavailable", context.place(),
                  "Share sums stand on the ledger and cannot be had now; asked for again.");
    return sums;
  }
  std::vector<Bytes> keys;
  for (const auto& [member, digest] : context.round.masked_keys) {
    CONSILIUM_TRY(auto key, context.storage.get_blob(digest));
    keys.push_back(std::move(key));
  }
  const std::vector<BytesView> views(keys.begin(), keys.end());
  CONSILIUM_TRY(auto sum,
                sealing::sum_masked_keys(context.state.parameters_of(context.round), views));
  std::map<MinerId, Bytes> sums;
  sums.emplace(MinerId{1}, std::move(sum));
  return sums;
}

auto failure_call(const RoundContext& context, SeenFailure& seen) -> Next {
  const RoundRecord& round = context.round;
  if (!context.miner() || context.state.height() < round.deadline) return std::nullopt;
  const auto said = round.failure_words.find(context.identity.self);
  if (said != round.failure_words.end() && said->second.share_sums == round.share_sums.size())
    return std::nullopt;
  if (auto looked = look(context, seen); !looked) {
    context.remark(looked.error().message());
    return std::nullopt;
  }
  if (!seen.failure) return std::nullopt;
  return ledger::AuditCall{round.id, *seen.failure};
}

auto audit_step(const RoundContext& context, SeenFailure& seen, bool my_turn,
                const std::function<Result<const std::vector<sealing::ShareOpening>*>()>& shares)
    -> Next {
  const RoundRecord& round = context.round;
  const ledger::AuditRecord& audit = *round.audit;
  const Height height = context.state.height();
  const HospitalId self = context.identity.self;
  const std::uint64_t ends =
      round.deadline.value + (audit.waits_for_consent ? 0 : round.policy.publish_heights);
  if (height.value >= ends) {
    if (!my_turn) return std::nullopt;
    return ledger::Decide{round.id};
  }
  if (!context.miner() || audit.waits_for_consent) return std::nullopt;
  const auto& step = audit.now();
  const bool may_answer = height < round.deadline && round.share_sums.contains(self);
  if (may_answer && !step.answers.contains(self)) {
    // Others' word is not enough: a set that opens is not audited (attack 5).
    if (auto looked = look(context, seen); !looked) {
      context.remark(looked.error().message());
      return std::nullopt;
    }
    if (seen.failure != audit.failure) {
      context.remark("audit_refused: this miner has not seen this failure itself");
      return std::nullopt;
    }
    return answer(context, shares);
  }
  const auto committee = sealing::committee_of(static_cast<std::uint16_t>(round.miners.size()));
  const bool stand = height >= round.deadline || step.answers.size() == round.share_sums.size();
  if (!stand || step.answers.size() < committee.threshold || step.findings.contains(self))
    return std::nullopt;
  auto found = finding(context);
  if (!found && is_to_try_again(found.error())) {
    context.remark(found.error().message());
    return std::nullopt;
  }
  return found;
}

}  // namespace consilium::federation
