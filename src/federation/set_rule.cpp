// A node's own judgement of a frozen set, against its own log: the only guard that a forked ledger
// cannot talk away (sealing-spec §8.2, §8.3).

#include <algorithm>

#include "participant_steps.hpp"

namespace consilium::federation {
namespace {

using ledger::RoundRecord;
using sealing::SetLogKind;

auto members_of(const RoundRecord& round) -> std::vector<HospitalId> {
  std::vector<HospitalId> members;
  for (const auto& member : round.set) members.push_back(member.hospital);
  return members;
}

/// Π as this node knows it: from its own log; without a set of the family there, from the set that
/// the ledger says froze first, so that who was away then can take part. Either way the partition
/// is made here, never taken over.
auto known_partition(const RoundContext& context, const sealing::SetLogEntry& entry,
                     std::size_t cell_min) -> sealing::Partition {
  if (const auto first = context.set_log.first_of_family(entry))
    return sealing::make_partition(first->seed, first->members, cell_min);
  const auto& families = context.state.families();
  const auto family = families.find(ledger::family_of(context.round));
  const RoundRecord* first =
      family == families.end() ? nullptr : context.state.find_round(family->second.first);
  const RoundRecord& from = first == nullptr ? context.round : *first;
  return sealing::make_partition(from.seed, members_of(from), cell_min);
}

}  // namespace

auto contains(const std::vector<HospitalId>& list, HospitalId id) -> bool {
  return std::find(list.begin(), list.end(), id) != list.end();
}

auto miner_of(const RoundRecord& round, HospitalId member) -> std::optional<MinerId> {
  const auto at = std::find(round.miners.begin(), round.miners.end(), member);
  if (at == round.miners.end()) return std::nullopt;
  return MinerId{static_cast<std::uint16_t>(at - round.miners.begin() + 1)};
}

void RoundContext::remark(std::string_view what) const {
  remarks.push_back(place() + ": " + std::string(what));
}

auto RoundContext::place() const -> std::string {
  return "round " + std::to_string(round.id.value);
}

auto RoundContext::miner() const -> std::optional<MinerId> {
  return miner_of(round, identity.self);
}

auto RoundContext::is_in_set() const -> bool {
  return contains(members_of(round), identity.self);
}

auto log_entry(const RoundContext& context, SetLogKind kind, const Digest& detail)
    -> sealing::SetLogEntry {
  const RoundRecord& round = context.round;
  return {round.stream,     round.id, round.seed,        round.open.base,        round.open.purpose,
          round.set_digest, detail,   members_of(round), context.state.height(), kind};
}

auto ends_the_node(const Error& error) -> bool {
  return error.code == "log_lost" || error.code == "disk_full" || error.code == "file_unwritable";
}

auto log_the_set(const RoundContext& context) -> Result<void> {
  const RoundRecord& round = context.round;
  const auto& policy = context.state.policy();
  const auto entry = log_entry(context, SetLogKind::set, round.partition_digest);
  const std::size_t cell_min = std::size_t{policy.honest_min} + policy.colluders;
  if (entry.members.size() < cell_min) {
    return fail("set_too_small", context.place(),
                "the set has fewer members than the policy allows to open");
  }
  if (sealing::set_digest(round.seed, round.set) != round.set_digest) {
    return fail("not_the_rule", context.place(),
                "the frozen set does not have the digest it names");
  }
  const auto fits = [&](const sealing::Partition& partition) {
    return sealing::partition_digest(partition) == round.partition_digest &&
           sealing::is_union_of_cells(partition, entry.members);
  };
  const bool in_cells = fits(known_partition(context, entry, cell_min));
  const bool afresh = fits(sealing::make_partition(round.seed, entry.members, cell_min));
  if (in_cells && !context.is_masked()) return context.set_log.record(entry);
  if (context.is_masked() && (in_cells || afresh)) {
    return context.set_log.record_remainder(
        entry, [&](RoundId id, const Digest& set, HospitalId member) {
          const RoundRecord* earlier = context.state.find_round(id);
          return earlier != nullptr && earlier->set_digest == set &&
                 contains(earlier->not_sent, member);
        });
  }
  return fail("set_forbidden", context.place(),
              "the set is not a union of the cells this node has logged for the family");
}

auto after_abort(const RoundContext& context, bool& settled) -> Next {
  const RoundRecord& round = context.round;
  const bool concerned = context.is_masked() ? context.is_in_set() : context.miner().has_value();
  if (round.set.empty() || !concerned) {
    settled = true;
    return std::nullopt;
  }
  const bool known = context.set_log.find(round.stream, round.id).has_value();
  const bool final = context.identity.finality == Finality::quorum;
  const auto strike = log_entry(context, SetLogKind::strike, round.partition_digest);
  if (final && known && !context.is_masked()) CONSILIUM_CHECK(context.set_log.record(strike));

  const auto& promised = context.is_masked() ? round.not_sent : round.stood_down;
  if (!contains(promised, context.identity.self)) {
    if (round.masked_keys.contains(context.identity.self)) {
      settled = true;  // sent, and on record as sent
      return std::nullopt;
    }
    // Logged before it is said: from here this node refuses the round, whatever ledger asks.
    auto logged =
        context.set_log.record(log_entry(context, SetLogKind::stand_down, round.partition_digest));
    if (!logged) {
      if (ends_the_node(logged.error())) return tl::unexpected(logged.error());
      context.remark(logged.error().message());
      settled = true;
      return std::nullopt;
    }
    if (context.is_masked()) return ledger::NotSent{round.id, round.set_digest};
    return ledger::StandDown{round.id, round.set_digest};
  }
  if (context.is_masked()) {
    settled = true;
  } else if (ledger::is_struck(round)) {
    if (known) CONSILIUM_CHECK(context.set_log.record(strike));
    settled = true;
  }
  return std::nullopt;
}

}  // namespace consilium::federation
