#include "consilium/federation/participant.hpp"

#include <algorithm>

#include "consilium/foundation/codec.hpp"

#include "kept_update.hpp"
#include "participant_steps.hpp"
#include "sealed_values.hpp"

namespace consilium::federation {

namespace {

using ledger::RoundRecord;
using ledger::RoundState;
using ledger::State;
using sealing::Purpose;

/// Heights that the next in line waits before it does what the first one should have done.
constexpr std::uint64_t stand_in_heights = 4;
/// A committee member opens with what is there when this few heights are left of the deadline.
constexpr std::uint64_t opening_slack_heights = 10;

auto record_name(RoundId round, std::string_view what) -> std::string {
  return "rounds/" + std::to_string(round.value) + "/" + std::string(what);
}

/// What may be different at the next block, without anybody being to blame.
auto is_to_try_again(std::string_view code) -> bool {
  return code == "blob_unavailable" || code == "unavailable" || code == "bad_key";
}

auto result_of(const sealing::OpenedSum& opened) -> Digest {
  return ledger::result_digest(opened.values_digest, opened.body_sum_root, opened.key_digest);
}

auto encode_submission(const sealing::Manifest& manifest, std::uint64_t claim) -> Bytes {
  Writer w;
  w.bytes(manifest.encode()).u64(claim);
  return w.take();
}

auto decode_submission(RoundId round, BytesView bytes) -> Result<ledger::SubmitManifest> {
  Reader r(bytes, "saved manifest");
  const Bytes manifest = r.bytes(4096);
  const std::uint64_t claim = r.u64();
  CONSILIUM_CHECK(r.finish());
  CONSILIUM_TRY(auto decoded, sealing::Manifest::decode(manifest));
  return ledger::SubmitManifest{round, decoded, claim};
}

/// What this process knows of a round. All of it can be had again from the ledger and the blobs,
/// but for `openings`: a hospital that crashed cannot answer complaints and is left out
/// (sealing-spec §6.2).
struct Work {
  std::vector<sealing::ShareOpening> openings;
  Secret<std::uint32_t> key;  ///< delivery C: of the own seal, gone with the process
  std::map<HospitalId, sealing::ShareOpening> shares;
  std::map<HospitalId, std::string> refused;
  std::map<HospitalId, Bytes> lists;
  std::optional<sealing::OpenedSum> opened;
  std::optional<Candidate> candidate;
  std::optional<std::uint64_t> freezable_since;
  std::optional<std::size_t> unopened_with;  ///< so many share sums did not open the set
  SeenFailure seen;
  std::vector<sealing::ShareOpening> audited;  ///< `shares` in the set's order, while audited
  bool abstains = false;
  bool finished = false;
};

}  // namespace

struct Participant::Parts {
  Identity identity;
  LocalCases* cases;
  NodeStorage& storage;
  sealing::SetLog& set_log;
  Random& secrets;
  std::map<RoundId, Work> work;
  std::optional<learning::Model> model;
  std::vector<std::string> remarks;

  [[nodiscard]] auto context_of(const State& state, const RoundRecord& round) -> RoundContext {
    return {identity, storage, set_log, state, round, remarks};
  }

  void remark(RoundId round, std::string_view what) {
    remarks.push_back("round " + std::to_string(round.value) + ": " + std::string(what));
  }

  [[nodiscard]] auto is_hospital() const -> bool { return cases != nullptr; }

  /// One member acts at once, the others stand in later, in the order of their ids.
  [[nodiscard]] auto is_my_turn(const State& state, Height since) const -> bool {
    const auto hospitals = state.hospitals();
    const auto at = std::find(hospitals.begin(), hospitals.end(), identity.self);
    if (at == hospitals.end()) return false;
    const auto rank = static_cast<std::uint64_t>(at - hospitals.begin());
    return state.height().value >= since.value + rank * stand_in_heights;
  }

  // --- sealing
  // ----------------------------------------------------------------------------------------------

  auto base_model(const RoundRecord& round, const UpdatePlan& plan) -> Result<learning::Model> {
    if (model && model->digest() == round.open.base) return *model;
    auto initial = initial_model(plan.shape, plan.model_seed);
    if (initial.digest() == round.open.base) {
      model = initial;
      return initial;
    }
    CONSILIUM_TRY(auto kept, kept_model(storage, round.open.base));
    model = kept;
    return kept;
  }

  /// What sealed_values needs to answer a round; only for hospitals.
  auto answering(const State& state, const RoundRecord& round) -> Answering {
    return {state, round, *cases, storage, identity.training_seed, secrets};
  }

  auto own_values(const State& state, const RoundRecord& round)
      -> Result<std::vector<std::int64_t>> {
    std::optional<learning::Model> base;
    if (round.open.purpose == Purpose::update) {
      CONSILIUM_TRY(const auto plan, UpdatePlan::decode(round.open.plan));
      CONSILIUM_TRY(base, base_model(round, plan));
    }
    return values_to_seal(answering(state, round), base);
  }

  /// Counted and remembered durably before they are used; nothing when they were used before.
  auto draw_one_time_keys(const RoundRecord& round) -> Result<std::optional<sealing::OneTimeKeys>> {
    constexpr std::string_view name = "rounds/one-time-keys";
    CONSILIUM_TRY(const auto saved, storage.load(name));
    auto history = sealing::KeyHistory::begin(secrets);
    if (saved) {
      CONSILIUM_TRY(history, sealing::KeyHistory::decode(*saved));
    }
    std::optional<sealing::OneTimeKeys> keys = sealing::one_time_keys(
        secrets, {round.seed, identity.self, history.next_attempt(), identity.hedge_secret});
    if (auto fresh = history.remember(*keys); !fresh) {
      remark(round.id, fresh.error().message());
      keys.reset();
    }
    CONSILIUM_CHECK(storage.save(name, history.encode()));
    return keys;
  }

  auto submission(const State& state, const RoundRecord& round) -> Next {
    Work& w = work[round.id];
    if (w.abstains || !is_hospital()) return std::nullopt;
    if (round.manifests.contains(identity.self)) return std::nullopt;
    const auto name = record_name(round.id, "manifest");
    CONSILIUM_TRY(const auto saved, storage.load(name));
    if (saved) {
      CONSILIUM_TRY(auto submission, decode_submission(round.id, *saved));
      if (submission.manifest.seed != round.seed) {
        // Another opening block for a round already sealed: a forked ledger. Never a second
        // manifest.
        w.abstains = true;
        remark(round.id, "another seed than the one sealed for; nothing is sealed again");
        return std::nullopt;
      }
      return submission;
    }
    const auto parameters = state.parameters_of(round);
    CONSILIUM_TRY(auto values, kept_update(storage, round.id, round.seed));
    if (!values) {
      auto made = own_values(state, round);
      if (!made) {
        w.abstains = true;  // this hospital's failure leaves the round to the others
        remark(round.id, made.error().message());
        return std::nullopt;
      }
      values = std::move(*made);
      CONSILIUM_CHECK(keep_update(storage, round.id, round.seed, *values));
    }
    CONSILIUM_TRY(const auto keys, draw_one_time_keys(round));
    if (!keys) {
      w.abstains = true;
      return std::nullopt;
    }
    auto sealed = sealing::seal(parameters, identity.self, *values, *keys);
    if (!sealed) {
      w.abstains = true;
      remark(round.id, sealed.error().message());
      return std::nullopt;
    }
    // Blocks, witness and boxes are durable before the manifest, the manifest before it is posted
    // (§6.1, §8.1).
    std::vector<BytesView> blobs{sealed->body, sealed->lists};
    for (const auto& box : sealed->boxes) blobs.emplace_back(box);
    CONSILIUM_CHECK(storage.put_blobs(blobs));
    const std::uint64_t claim =
        round.open.purpose == Purpose::update ? cases->claimed_patterns() : 0;
    CONSILIUM_CHECK(storage.save(name, encode_submission(sealed->manifest, claim)));
    w.openings = std::move(sealed->openings);
    w.key = std::move(sealed->key);
    return ledger::SubmitManifest{round.id, sealed->manifest, claim};
  }

  // --- cross-verification
  // -------------------------------------------------------------------------------------

  /// A box that does not open is only the hospital's fault when this miner's own key works (§6.2).
  [[nodiscard]] auto own_key_works() const -> bool {
    const std::array<std::uint8_t, 4> probe{1, 2, 3, 4};
    return identity.box_key->open(sealing::close_box(identity.box_key->public_key(), probe))
        .has_value();
  }

  /// Not attested, and why: the manifest, signed and on the ledger, and the bytes it names are the
  /// evidence.
  void refuse(const RoundRecord& round, HospitalId hospital, const std::string& code) {
    work[round.id].refused[hospital] = code;
    remark(round.id, "hospital " + std::to_string(hospital.value) + ": " + code);
  }

  /// Judges one manifest; the outcome is remembered. Bytes that are missing are asked for again
  /// next time.
  auto judge_manifest(const RoundRecord& round, const sealing::RoundParameters& parameters,
                      MinerId miner, HospitalId hospital) -> Result<void> {
    Work& w = work[round.id];
    const auto& manifest = round.manifests.at(hospital).manifest;
    CONSILIUM_TRY(auto lists_bytes, storage.get_blob(manifest.lists));
    auto lists = sealing::check_manifest(parameters, manifest, lists_bytes);
    if (!lists) {
      refuse(round, hospital, lists.error().code);
      return {};
    }
    CONSILIUM_TRY(const auto body, storage.get_blob(manifest.body_blob));
    if (auto checked = sealing::check_body(parameters, manifest, body); !checked) {
      refuse(round, hospital, checked.error().code);
      return {};
    }
    if (parameters.delivery == sealing::Delivery::masked_keys) {
      w.shares.emplace(hospital, sealing::ShareOpening{});  // nothing to hold: the bytes are all
      return {};
    }
    CONSILIUM_TRY(const auto box, storage.get_blob(lists->box_digests.at(miner.value - 1U)));
    auto share = sealing::open_share(parameters, manifest, *lists, miner, box, *identity.box_key);
    w.lists[hospital] = std::move(lists_bytes);
    if (!share) {
      // Bytes that are not the promised ones are fetched again; a key of ours that does not fit
      // says nothing about the hospital. Neither is a reason to complain (§6.2, attack 2).
      if (is_to_try_again(share.error().code)) return tl::unexpected(share.error());
      w.refused[hospital] = share.error().code;
      return {};
    }
    w.shares.emplace(hospital, std::move(*share));
    return {};
  }

  /// A share that the hospital had to publish because this miner complained; the ledger has judged
  /// it.
  void take_published_share(const RoundRecord& round, HospitalId hospital) {
    const auto at = round.answers.find({hospital, identity.self});
    if (at == round.answers.end()) return;
    const auto secret = [](const Bytes& bytes) {
      SecretBytes out(bytes.size());
      std::copy(bytes.begin(), bytes.end(), out.expose().begin());
      return out;
    };
    work[round.id].shares.emplace(
        hospital, sealing::ShareOpening{secret(at->second.share), secret(at->second.masks),
                                        secret(at->second.salt)});
  }

  /// This miner's share of every member of the set, in `work`; false while bytes are still missing.
  auto holds_all_shares(const RoundRecord& round, const sealing::RoundParameters& parameters,
                        MinerId miner) -> Result<bool> {
    Work& w = work[round.id];
    bool all = true;
    for (const auto& member : round.set) {
      if (!w.shares.contains(member.hospital)) take_published_share(round, member.hospital);
      if (!w.shares.contains(member.hospital) && !w.refused.contains(member.hospital)) {
        if (auto judged = judge_manifest(round, parameters, miner, member.hospital); !judged) {
          if (!is_to_try_again(judged.error().code)) return tl::unexpected(judged.error());
          remark(round.id, judged.error().message());
        }
      }
      all = all && w.shares.contains(member.hospital);
    }
    return all;
  }

  auto attestation(const State& state, const RoundRecord& round) -> Next {
    const auto miner = miner_of(round, identity.self);
    if (!miner) return std::nullopt;
    const auto parameters = state.parameters_of(round);
    Work& w = work[round.id];
    for (const auto& [hospital, submission] : round.manifests) {
      if (w.shares.contains(hospital) || w.refused.contains(hospital)) continue;
      if (auto judged = judge_manifest(round, parameters, *miner, hospital); !judged) {
        if (!is_to_try_again(judged.error().code)) return tl::unexpected(judged.error());
        remark(round.id, "hospital " + std::to_string(hospital.value) + ": " + judged.error().code);
      }
    }
    std::vector<HospitalId> valid;
    for (const auto& [hospital, share] : w.shares) valid.push_back(hospital);
    const auto posted = round.attests.find(identity.self);
    if (!valid.empty() && (posted == round.attests.end() || posted->second.size() < valid.size())) {
      return ledger::Attest{round.id, valid};
    }
    for (const auto& [hospital, code] : w.refused) {
      const bool sharing = code == "bad_sharing" || code == "bad_box";
      if (!sharing || round.complaints.contains({hospital, identity.self})) continue;
      if (contains(round.excluded, hospital) || !own_key_works()) continue;
      remark(round.id, "hospital " + std::to_string(hospital.value) + ": " + code);
      return ledger::Complaint{round.id, hospital, w.lists.at(hospital)};
    }
    return std::nullopt;
  }

  auto answer(const RoundRecord& round) -> Next {
    Work& w = work[round.id];
    const auto committee = sealing::committee_of(static_cast<std::uint16_t>(round.miners.size()));
    if (w.openings.empty() || committee.miners == 1) return std::nullopt;
    std::size_t answered = 0;
    for (const auto& [who, well] : round.complaints) {
      if (who.first == identity.self && well) ++answered;
    }
    for (const auto& [who, well] : round.complaints) {
      if (who.first != identity.self || well || answered >= committee.faulty_max) continue;
      const auto at = std::find(round.miners.begin(), round.miners.end(), who.second);
      const auto index = static_cast<std::size_t>(at - round.miners.begin());
      const auto& opening = w.openings.at(index);
      const auto copy = [](const SecretBytes& secret) {
        return Bytes(secret.expose().begin(), secret.expose().end());
      };
      return ledger::Answer{round.id, MinerId{static_cast<std::uint16_t>(index + 1)},
                            copy(opening.share), copy(opening.masks), copy(opening.salt)};
    }
    return std::nullopt;
  }

  auto packing(const State& state, const RoundRecord& round) -> Next {
    Work& w = work[round.id];
    auto candidate = state.freeze_rule(round);
    if (!candidate) {
      w.freezable_since.reset();
      return std::nullopt;
    }
    if (!w.freezable_since) w.freezable_since = state.height().value;
    const auto ranks = state.packer_ranks(round);
    const auto at = std::find(ranks.begin(), ranks.end(), identity.self);
    if (at == ranks.end()) return std::nullopt;
    const auto rank = static_cast<std::uint64_t>(at - ranks.begin());
    if (state.height().value < *w.freezable_since + rank * stand_in_heights) return std::nullopt;
    return *candidate;
  }

  // --- opening
  // --------------------------------------------------------------------------------------------------

  auto readiness(const State& state, const RoundRecord& round) -> Next {
    const auto miner = miner_of(round, identity.self);
    if (!miner || contains(round.ready, identity.self)) return std::nullopt;
    const auto parameters = state.parameters_of(round);
    CONSILIUM_TRY(const bool all, holds_all_shares(round, parameters, *miner));
    if (!all) return std::nullopt;
    if (auto logged = log_the_set(context_of(state, round)); !logged) {
      if (ends_the_node(logged.error())) return tl::unexpected(logged.error());
      remark(round.id, logged.error().message());
      return std::nullopt;
    }
    return ledger::Ready{round.id, round.set_digest, round.partition_digest};
  }

  /// The shares of the set in its order, out of `work` and back.
  static auto take_shares(Work& w, const RoundRecord& round) -> std::vector<sealing::ShareOpening> {
    std::vector<sealing::ShareOpening> shares;
    for (const auto& member : round.set)
      shares.push_back(std::move(w.shares.extract(member.hospital).mapped()));
    return shares;
  }
  static void give_shares_back(Work& w, const RoundRecord& round,
                               std::vector<sealing::ShareOpening>& shares) {
    for (std::size_t i = 0; i < shares.size(); ++i)
      w.shares.emplace(round.set[i].hospital, std::move(shares[i]));
    shares.clear();
  }

  auto share_publication(const State& state, const RoundRecord& round) -> Next {
    const auto miner = miner_of(round, identity.self);
    if (!miner || !contains(round.ready, identity.self) ||
        round.share_sums.contains(identity.self)) {
      return std::nullopt;
    }
    const auto logged = set_log.find(round.stream, round.id);
    if (!logged || logged->set != round.set_digest || logged->seed != round.seed) {
      remark(round.id, "the set to open is not the one this miner has logged");
      return std::nullopt;
    }
    Work& w = work[round.id];
    const auto parameters = state.parameters_of(round);
    CONSILIUM_TRY(const bool all, holds_all_shares(round, parameters, *miner));
    if (!all) return std::nullopt;
    auto shares = take_shares(w, round);
    auto sum = sealing::sum_shares(parameters, shares);
    give_shares_back(w, round, shares);
    if (!sum) return tl::unexpected(sum.error());
    // In the log before the bytes can be fetched: from here this miner cannot stand down.
    if (auto noted = set_log.record(log_entry(
            context_of(state, round), sealing::SetLogKind::published, round.partition_digest));
        !noted) {
      if (ends_the_node(noted.error())) return tl::unexpected(noted.error());
      remark(round.id, noted.error().message());
      return std::nullopt;
    }
    const BytesView blob = *sum;
    CONSILIUM_TRY(const auto digests, storage.put_blobs(std::span(&blob, 1)));
    return ledger::PublishShare{round.id, round.set_digest, digests.front()};
  }

  /// Opens the sum from the block's bodies and the published share sums; every member does so by
  /// itself.
  auto open(const State& state, const RoundRecord& round) -> Result<const sealing::OpenedSum*> {
    Work& w = work[round.id];
    if (w.opened) return &*w.opened;
    const RoundContext context = context_of(state, round);
    CONSILIUM_TRY(const auto bodies, bodies_of_set(context));
    CONSILIUM_TRY(const auto share_sums, published_sums(context));
    const std::vector<BytesView> views(bodies.begin(), bodies.end());
    CONSILIUM_TRY(auto opened, sealing::open_sum(state.parameters_of(round), views, share_sums));
    for (const auto& miner : opened.bad_share_sums) {
      remark(round.id, "miner " + std::to_string(miner.value) + ": bad_share_sum");
    }
    if (round.opened_sum && round.opened_sum->result != result_of(opened)) {
      return fail(
          "different_model", "round " + std::to_string(round.id.value),
          "this node opens another sum than the committee; it stops here and keeps its data");
    }
    w.opened = std::move(opened);
    return &*w.opened;
  }

  auto result(const State& state, const RoundRecord& round) -> Next {
    const auto miner = miner_of(round, identity.self);
    if (!miner || round.results.contains(identity.self)) return std::nullopt;
    const RoundContext context = context_of(state, round);
    Work& w = work[round.id];
    if (!context.is_masked()) {
      const auto committee = sealing::committee_of(static_cast<std::uint16_t>(round.miners.size()));
      if (round.share_sums.size() < committee.threshold) return std::nullopt;
      const bool all_published = round.share_sums.size() == round.miners.size();
      if (!all_published && state.height().value + opening_slack_heights < round.deadline.value) {
        return std::nullopt;  // a further share sum turns a wrong one from a failure into evidence
                              // (§7.2)
      }
    }
    if (w.unopened_with == round.share_sums.size()) return failure_call(context, w.seen);
    auto opened = open(state, round);
    if (!opened) {
      const auto& error = opened.error();
      if (error.code == "disk_full") return tl::unexpected(error);
      remark(round.id, error.message());
      if (error.code == "residual_out_of_range" || error.code == "sum_out_of_range" ||
          error.code == "bad_share_sum")
        w.unopened_with = round.share_sums.size();
      return std::nullopt;
    }
    return ledger::ResultAttest{round.id, result_of(**opened)};
  }

  /// The audit of a set that did not open. Its shares must outlast it: erased sooner, one lying
  /// miner could leave any hospital without an answer (attack 3).
  auto audit(const State& state, const RoundRecord& round) -> Next {
    const auto miner = miner_of(round, identity.self);
    Work& w = work[round.id];
    const auto shares = [&]() -> Result<const std::vector<sealing::ShareOpening>*> {
      CONSILIUM_TRY(const bool all, holds_all_shares(round, state.parameters_of(round), *miner));
      if (!all) return nullptr;
      w.audited = take_shares(w, round);
      return &w.audited;
    };
    auto next =
        audit_step(context_of(state, round), w.seen, is_my_turn(state, round.deadline), shares);
    if (!w.audited.empty()) give_shares_back(w, round, w.audited);
    return next;
  }

  // --- judging
  // ----------------------------------------------------------------------------------------------------

  auto candidate(const State& state, const RoundRecord& round) -> Result<const Candidate*> {
    Work& w = work[round.id];
    if (w.candidate) return &*w.candidate;
    CONSILIUM_TRY(const auto plan, UpdatePlan::decode(round.open.plan));
    CONSILIUM_TRY(const auto base, base_model(round, plan));
    CONSILIUM_TRY(const auto* opened, open(state, round));
    CONSILIUM_TRY(const auto quantisation, quantisation_of(round));
    CONSILIUM_TRY(auto made, candidate_of(base, opened->values, round.set.size(), quantisation));
    w.candidate = std::move(made);
    return &*w.candidate;
  }

  struct OwnVote {
    bool accept = false;
    Digest salt;
  };

  /// Chosen once, durable before the commitment is posted. None while bytes are still missing: a
  /// silent peer is no reason to vote against anybody.
  auto own_vote(const State& state, const RoundRecord& round) -> Result<std::optional<OwnVote>> {
    const auto name = record_name(round.id, "vote");
    CONSILIUM_TRY(const auto saved, storage.load(name));
    if (saved) {
      Reader r(*saved, "saved vote");
      const OwnVote vote{r.boolean(), r.digest()};
      CONSILIUM_CHECK(r.finish());
      return std::optional(vote);
    }
    OwnVote vote;
    secrets.fill(vote.salt.bytes);
    auto proposed = candidate(state, round);
    if (!proposed && is_to_try_again(proposed.error().code)) {
      remark(round.id, proposed.error().message());
      return std::optional<OwnVote>{};
    }
    if (proposed) {
      CONSILIUM_TRY(const auto plan, UpdatePlan::decode(round.open.plan));
      CONSILIUM_TRY(const auto base, base_model(round, plan));
      CONSILIUM_TRY(const auto* held_back, held_back_now(*cases, plan));
      vote.accept = accepts(base, (*proposed)->model, *held_back);
    } else {
      remark(round.id, proposed.error().message());  // a sum no honest set can have: the vote is no
    }
    Writer w;
    w.boolean(vote.accept).digest(vote.salt);
    CONSILIUM_CHECK(storage.save(name, w.view()));
    return std::optional(vote);
  }

  auto judgement(const State& state, const RoundRecord& round) -> Next {
    if (!is_hospital()) return std::nullopt;
    const bool in_time = state.height().value < round.deadline.value;
    const bool committed = round.vote_commits.contains(identity.self);
    const bool revealing = state.reveals_open(round);
    if (in_time && !committed && !revealing) {
      CONSILIUM_TRY(const auto vote, own_vote(state, round));
      if (!vote) return std::nullopt;
      return ledger::VoteCommit{
          round.id, ledger::vote_commitment(round.seed, identity.self, vote->accept, vote->salt)};
    }
    if (in_time && committed && revealing && !round.votes.contains(identity.self)) {
      CONSILIUM_TRY(const auto vote, own_vote(state, round));
      if (!vote) return std::nullopt;
      return ledger::VoteReveal{round.id, vote->accept, vote->salt};
    }
    // Who missed the vote may still write down what the others decided.
    const bool all_revealed = round.votes.size() == state.hospitals().size();
    if ((all_revealed || !in_time) && decide_turn(state, round)) return ledger::Decide{round.id};
    return std::nullopt;
  }

  std::map<RoundId, std::uint64_t> decidable_since;
  auto decide_turn(const State& state, const RoundRecord& round) -> bool {
    const auto since = decidable_since.try_emplace(round.id, state.height().value).first->second;
    return is_my_turn(state, Height{since});
  }

  // --- after the round
  // ----------------------------------------------------------------------------------------------

  /// The round's own integers and those of earlier rounds that came to nothing: their base is left
  /// behind.
  auto drop_updates_up_to(const State& state, const RoundRecord& round) -> Result<void> {
    const auto& rounds = state.rounds();
    for (auto at = std::make_reverse_iterator(rounds.upper_bound(round.id)); at != rounds.rend();
         ++at) {
      const auto& [id, earlier] = *at;
      if (earlier.open.purpose != round.open.purpose) continue;
      if (id != round.id && earlier.state == RoundState::accepted)
        break;  // it dropped what was before
      CONSILIUM_CHECK(drop_update(storage, id));
    }
    return {};
  }

  /// Bytes that nobody serves just now are asked for at the next block; any other error is the end.
  auto next_time(const RoundRecord& round, const Error& error) -> Next {
    if (!is_to_try_again(error.code)) return tl::unexpected(error);
    remark(round.id, error.message());
    return std::nullopt;
  }

  auto after_acceptance(const State& state, const RoundRecord& round) -> Next {
    Work& w = work[round.id];
    if (w.finished) return std::nullopt;
    if (is_hospital()) CONSILIUM_CHECK(drop_updates_up_to(state, round));
    if (round.open.purpose != Purpose::update) {
      if (is_hospital()) {
        const auto opened = open(state, round);
        if (!opened) return next_time(round, opened.error());
        CONSILIUM_CHECK(take_opened_counts(answering(state, round), (*opened)->values));
      }
      finish(w);
      return std::nullopt;
    }
    if (!is_hospital()) {
      finish(w);
      return std::nullopt;
    }
    if (round.models.contains(identity.self)) {
      const auto& posted = round.models.at(identity.self);
      if (!model || model->digest() != posted) {
        if (const auto saved = storage.load("models/" + posted.hex()); saved && *saved) {
          CONSILIUM_TRY(auto decoded, learning::Model::decode(**saved));
          model = std::move(decoded);
        }
      }
      finish(w);
      return std::nullopt;
    }
    const auto accepted = candidate(state, round);
    if (!accepted) return next_time(round, accepted.error());
    const Digest digest = (*accepted)->model.digest();
    CONSILIUM_CHECK(storage.save("models/" + digest.hex(), (*accepted)->model.encode()));
    model = (*accepted)->model;
    return ledger::ModelDigest{round.id, digest};
  }

  /// Secrets of a round live as long as somebody may ask for them (sealing-spec §12): openings
  /// until Opening or the end, a miner's shares until the opened sum has passed its tests.
  void erase_secrets(const RoundRecord& round) {
    const auto known = work.find(round.id);
    if (known == work.end()) return;
    if (round.state >= RoundState::opening) {
      known->second.openings.clear();
      known->second.key.erase();
    }
    // An audit may still ask for the shares of a set that did not open (attack 3).
    if (round.state >= RoundState::opened && round.state != RoundState::auditing) {
      known->second.shares.clear();
    }
  }

  static void erase(Work& w) {
    w.openings.clear();
    w.key.erase();
    w.shares.clear();
    w.lists.clear();
    w.opened.reset();
    w.candidate.reset();
  }
  static void finish(Work& w) {
    erase(w);
    w.finished = true;
  }

  auto step_round(const State& state, const RoundRecord& round) -> Next {
    const auto first_of = [](auto&&... steps) -> Next {
      Next out = std::optional<ledger::Body>{};
      ((out = steps(), !out || out->has_value()) || ...);
      return out;
    };
    const bool late = state.height().value > round.deadline.value;
    // The next block is above the deadline: what it would refuse as late must not stand in the way
    // of ending the round.
    const bool in_time = state.height().value < round.deadline.value;
    const auto while_in_time = [&](auto&& step) -> Next {
      if (!in_time) return std::nullopt;
      return step();
    };
    const auto give_up = [&]() -> Next {
      if (!late || !is_my_turn(state, round.deadline)) return std::nullopt;
      return ledger::Abort{round.id};
    };
    switch (round.state) {
      case RoundState::sealing:
        return submission(state, round);
      case RoundState::attesting:
        return first_of([&] { return while_in_time([&] { return answer(round); }); },
                        [&] { return while_in_time([&] { return attestation(state, round); }); },
                        [&] { return packing(state, round); }, give_up);
      case RoundState::frozen:
        if (round.policy.delivery == sealing::Delivery::masked_keys) {
          return first_of(
              [&] {
                return while_in_time(
                    [&] { return send_masked_key(context_of(state, round), work[round.id].key); });
              },
              give_up);
        }
        return first_of([&] { return while_in_time([&] { return answer(round); }); },
                        [&] { return while_in_time([&] { return readiness(state, round); }); },
                        give_up);
      case RoundState::opening:
        if (round.policy.delivery == sealing::Delivery::masked_keys) return result(state, round);
        return first_of([&] { return readiness(state, round); },
                        [&] { return share_publication(state, round); },
                        [&] { return result(state, round); });
      case RoundState::opened:
        if (decide_turn(state, round)) return ledger::Decide{round.id};
        return std::nullopt;
      case RoundState::judging:
        return judgement(state, round);
      case RoundState::accepted:
        return after_acceptance(state, round);
      case RoundState::auditing:
        return audit(state, round);
      case RoundState::rolled_back:
        finish(work[round.id]);
        return std::nullopt;
      case RoundState::aborted: {
        Work& w = work[round.id];
        erase(w);
        return after_abort(context_of(state, round), w.finished);
      }
    }
    return std::nullopt;
  }
};

auto answers_on_ledger(const State& state, HospitalId self) -> std::size_t {
  std::size_t answers = 0;
  for (const auto& [id, round] : state.rounds()) {
    for (const auto* list : {&round.ready, &round.stood_down, &round.not_sent})
      answers += contains(*list, self) ? 1 : 0;
    answers += round.masked_keys.count(self);
    if (!round.audit) continue;
    for (const auto& step : round.audit->steps) answers += step.answers.count(self);
  }
  return answers;
}

Participant::Participant(Identity identity, LocalCases* cases, NodeStorage& storage,
                         sealing::SetLog& set_log, Random& secrets)
    : parts_(new Parts{identity, cases, storage, set_log, secrets, {}, {}, {}, {}}) {}
Participant::~Participant() = default;
Participant::Participant(Participant&&) noexcept = default;

auto Participant::step(const ledger::State& state) -> Result<std::optional<ledger::Body>> {
  // Of all rounds first: a round that has something to post must not keep another one's secrets.
  for (const auto& [id, round] : state.rounds()) parts_->erase_secrets(round);
  for (const auto& [id, round] : state.rounds()) {
    if (const auto known = parts_->work.find(id);
        known != parts_->work.end() && known->second.finished) {
      continue;
    }
    CONSILIUM_TRY(auto body, parts_->step_round(state, round));
    if (body) return body;
  }
  return std::nullopt;
}

auto Participant::model() const -> const learning::Model* {
  return parts_->model ? &*parts_->model : nullptr;
}

auto Participant::secrets_held(RoundId round) const -> SecretsHeld {
  const auto known = parts_->work.find(round);
  if (known == parts_->work.end()) return {};
  return {known->second.openings.size(), known->second.shares.size(), known->second.key.size()};
}

auto Participant::take_remarks() -> std::vector<std::string> {
  return std::exchange(parts_->remarks, {});
}

}  // namespace consilium::federation
