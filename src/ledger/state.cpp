// What follows from the records and is asked by rules, hospitals and people alike.

#include <algorithm>
#include <numeric>

#include "consilium/foundation/hash.hpp"
#include "consilium/ledger/ledger.hpp"

#include "rules.hpp"

namespace consilium::ledger {
namespace {

constexpr std::size_t score_rounds = 8;
constexpr std::uint64_t score_max = 1000;

/// Joiners and leavers against every set this purpose has opened: each 0 or ≥ cell_min
/// (sealing-spec §11), or the difference of two exact sums would be the statistic of one hospital.
auto differs_safely(const State& state, const RoundRecord& round,
                    const std::vector<HospitalId>& set, std::size_t cell_min) -> bool {
  for (const auto& [id, earlier] : state.rounds()) {
    // A difference in which one of the two carries noise is noisy itself, and paid for.
    const bool counts = earlier.open.purpose == round.open.purpose && id != round.id &&
                        earlier.state >= RoundState::opening &&
                        earlier.state != RoundState::aborted && earlier.open.noise_sigma2 == 0;
    if (!counts) continue;
    std::size_t stayed = 0;
    for (const auto& member : earlier.set)
      stayed += std::binary_search(set.begin(), set.end(), member.hospital) ? 1U : 0U;
    const std::size_t joiners = set.size() - stayed;
    const std::size_t leavers = earlier.set.size() - stayed;
    if ((joiners != 0 && joiners < cell_min) || (leavers != 0 && leavers < cell_min)) return false;
  }
  return true;
}

/// Members of every whole cell that stands in `verified`; ascending.
auto whole_cells(const sealing::Partition& partition, const std::vector<HospitalId>& verified)
    -> std::vector<HospitalId> {
  std::vector<HospitalId> set;
  for (const auto& cell : partition) {
    const bool whole = std::all_of(cell.begin(), cell.end(), [&verified](HospitalId id) {
      return std::binary_search(verified.begin(), verified.end(), id);
    });
    if (whole) set.insert(set.end(), cell.begin(), cell.end());
  }
  std::sort(set.begin(), set.end());
  return set;
}

/// Delivery C: may `verified` be opened outside the cells? Only if of every set that froze in the
/// family it is what is left, without members that all signed that they never sent (§6.3): a set
/// that somebody honest never sent for cannot be opened behind their backs.
auto is_remainder(const State& state, const RoundRecord& round,
                  const std::vector<HospitalId>& verified) -> bool {
  if (round.policy.delivery != sealing::Delivery::masked_keys) return false;
  for (const auto& [id, earlier] : state.rounds()) {
    const bool counts =
        id != round.id && !earlier.set.empty() && family_of(earlier) == family_of(round);
    if (!counts) continue;
    std::size_t kept = 0;
    for (const auto& member : earlier.set) {
      const bool stays = std::binary_search(verified.begin(), verified.end(), member.hospital);
      kept += stays ? 1 : 0;
      if (!stays && !contains(earlier.not_sent, member.hospital)) return false;
    }
    if (kept != verified.size()) return false;
  }
  return true;
}

auto draw(const Digest& opening_block, RoundId round, std::uint32_t counter) -> std::uint64_t {
  std::array<std::uint8_t, 8> id{};
  for (std::size_t i = 0; i < id.size(); ++i)
    id[i] = static_cast<std::uint8_t>((round.value >> (8 * i)) & 0xffU);
  std::array<std::uint8_t, 4> count{};
  for (std::size_t i = 0; i < count.size(); ++i)
    count[i] = static_cast<std::uint8_t>((counter >> (8 * i)) & 0xffU);
  const Digest digest = tagged_hash("consilium/ledger/1/packer", {opening_block.view(), id, count});
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{digest.bytes[i]} << (8 * i);
  return value;
}

/// Σ of the data rewards of the last eight paid rounds before this one opened, halved with every
/// round of age.
auto score_of(const State& state, const RoundRecord& round, HospitalId miner) -> std::uint64_t {
  std::uint64_t sum = 0;
  std::size_t age = 0;
  const auto& rounds = state.rounds();
  for (auto at = rounds.rbegin(); at != rounds.rend() && age < score_rounds; ++at) {
    const RoundRecord& earlier = at->second;
    const bool counts = earlier.id < round.id && earlier.state == RoundState::accepted &&
                        earlier.open.purpose == sealing::Purpose::update &&
                        earlier.closed_at < round.opened_at;
    if (!counts) continue;
    const auto reward = earlier.rewards_data.find(miner);
    if (reward != earlier.rewards_data.end()) sum += reward->second >> age;
    ++age;
  }
  return 1 + std::min(score_max, sum);
}

}  // namespace

auto state_name(RoundState state) -> std::string_view {
  switch (state) {
    case RoundState::sealing:
      return "sealing";
    case RoundState::attesting:
      return "attesting";
    case RoundState::frozen:
      return "frozen";
    case RoundState::opening:
      return "opening";
    case RoundState::opened:
      return "opened";
    case RoundState::judging:
      return "judging";
    case RoundState::accepted:
      return "accepted";
    case RoundState::rolled_back:
      return "rolled_back";
    case RoundState::aborted:
      return "aborted";
    case RoundState::auditing:
      return "auditing";
  }
  return "unknown";
}

auto state_name(AlignmentState state) -> std::string_view {
  switch (state) {
    case AlignmentState::opened:
      return "opened";
    case AlignmentState::keyed:
      return "keyed";
    case AlignmentState::committed:
      return "committed";
    case AlignmentState::fixed:
      return "fixed";
    case AlignmentState::released:
      return "released";
    case AlignmentState::closed:
      return "closed";
    case AlignmentState::failed:
      return "failed";
  }
  return "unknown";
}

auto is_closed(RoundState state) -> bool {
  return state == RoundState::accepted || state == RoundState::rolled_back ||
         state == RoundState::aborted;
}

auto family_of(const RoundRecord& round) -> const Digest& {
  return round.open.purpose == sealing::Purpose::update ? round.open.base : round.stream;
}

auto strikes_at(const sealing::Committee& committee) -> std::size_t {
  return std::size_t{committee.miners} - committee.threshold + committee.faulty_max + 1;
}

auto is_struck(const RoundRecord& round) -> bool {
  const auto committee = sealing::committee_of(static_cast<std::uint16_t>(round.miners.size()));
  return round.state == RoundState::aborted && !round.set.empty() &&
         round.stood_down.size() >= strikes_at(committee);
}

auto State::next_app_version() const -> std::uint32_t {
  const auto& upgrade = pending_upgrade();
  return upgrade && upgrade->height.value <= height().value + 1 ? upgrade->app_version
                                                                : app_version();
}

auto State::find_round(RoundId id) const -> const RoundRecord* {
  const auto found = rounds().find(id);
  return found == rounds().end() ? nullptr : &found->second;
}

auto State::member_by_name(std::string_view name) const -> const Member* {
  // A name may be given again after its first bearer has left: the one that is active is meant.
  const Member* gone = nullptr;
  for (const auto& [id, member] : members()) {
    if (member.info.name != name) continue;
    if (member.active) return &member;
    gone = &member;
  }
  return gone;
}

auto State::hospitals() const -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const auto& [id, member] : members()) {
    if (member.active && member.info.role == MemberRole::hospital) out.push_back(id);
  }
  return out;
}

auto State::is_waiting() const -> bool {
  const auto runs = [](const auto& item) { return !is_closed(item.second.state); };
  const auto meets = [](const AlignmentSession& session) {
    return session.state != AlignmentState::closed && session.state != AlignmentState::failed;
  };
  return !proposals().empty() || std::any_of(rounds().begin(), rounds().end(), runs) ||
         std::any_of(alignments().begin(), alignments().end(), meets);
}

auto State::validators() const -> std::map<HospitalId, sealing::VerifyKey> {
  std::map<HospitalId, sealing::VerifyKey> out;
  for (const auto& [id, member] : members()) {
    if (member.active && member.info.validator_key) out[id] = *member.info.validator_key;
  }
  return out;
}

auto State::committee() const -> std::vector<HospitalId> {
  if (policy().topology == Topology::committee) return hospitals();
  for (const auto& [id, member] : members()) {
    if (member.active && member.info.role == MemberRole::server) return {id};
  }
  return {};
}

auto State::parameters_of(const RoundRecord& round) const -> sealing::RoundParameters {
  const auto suite = sealing::suite_from_id(round.open.suite);
  CONSILIUM_ENSURE(suite.has_value());
  sealing::RoundParameters out;
  out.consortium = consortium();
  out.stream = round.stream;
  out.round = round.id;
  out.base = round.open.base;
  out.seed = round.seed;
  out.suite = *suite;
  out.hospitals_max = round.open.hospitals_max;
  out.length = round.open.length;
  out.committee_epoch = round.committee_epoch;
  out.delivery = round.policy.delivery;
  out.committee = sealing::committee_of(static_cast<std::uint16_t>(round.miners.size()));
  for (const HospitalId miner : round.miners)
    out.box_keys.push_back(members().at(miner).info.box_key);
  return out;
}

auto State::freeze_rule(const RoundRecord& round) const -> Result<Freeze> {
  const std::string place = place_of(round);
  if (round.state == RoundState::sealing)
    return fail("too_early", place, "The round is still sealing: wait until it attests.");
  if (round.state != RoundState::attesting)
    return fail("wrong_state", place, "Only a round that attests can be frozen.");

  std::vector<HospitalId> verified;
  std::size_t undecided = 0;
  for (const auto& [hospital, manifest] : round.manifests) {
    if (std::binary_search(round.excluded.begin(), round.excluded.end(), hospital)) continue;
    if (is_verified(round, hospital)) {
      verified.push_back(hospital);
    } else {
      ++undecided;
    }
  }
  const std::size_t cell_min = cell_minimum(round.policy);
  const bool over = height() >= round.deadline;
  if (verified.size() + (over ? 0 : undecided) < cell_min)
    return fail("set_too_small", place,
                "Too few hospitals have a verified update: end the round with abort.");
  if (!over && undecided > 0)
    return fail("too_early", place, "An update may still be verified before the deadline.");

  const auto known = families().find(family_of(round));
  Freeze freeze;
  freeze.round = round.id;
  if (known == families().end()) {
    freeze.partition_digest =
        sealing::partition_digest(sealing::make_partition(round.seed, verified, cell_min));
  } else {
    const Family& family = known->second;
    if (family.committee_epoch != round.committee_epoch)
      return fail("set_forbidden", place,
                  "Another committee served this base: it is closed, start from a new one.");
    auto whole = whole_cells(family.partition, verified);
    freeze.partition_digest = family.partition_digest;
    if (whole.size() < cell_min && verified.size() >= cell_min &&
        is_remainder(*this, round, verified)) {
      freeze.partition_digest =
          sealing::partition_digest(sealing::make_partition(round.seed, verified, cell_min));
    } else {
      verified = std::move(whole);
    }
    if (verified.size() < cell_min)
      return fail("set_forbidden", place,
                  "No whole cell of the family's partition is verified: wait for the next base.");
  }
  if (round.open.purpose != sealing::Purpose::update && round.open.noise_sigma2 == 0 &&
      !differs_safely(*this, round, verified, cell_min))
    return fail("set_forbidden", place,
                "Against an earlier statistic too few hospitals join or leave: keep the same set.");
  for (const HospitalId hospital : verified)
    freeze.set.push_back({hospital, round.manifests.at(hospital).manifest.digest()});
  freeze.set_digest = sealing::set_digest(round.seed, freeze.set);
  return freeze;
}

auto State::packer_ranks(const RoundRecord& round) const -> std::vector<HospitalId> {
  std::vector<std::pair<HospitalId, std::uint64_t>> left;
  std::uint64_t total = 0;
  for (const HospitalId miner : round.miners) {
    left.emplace_back(miner, score_of(*this, round, miner));
    total += left.back().second;
  }
  const Digest opening_block = block_hash(round.opened_at);
  std::vector<HospitalId> ranks;
  for (std::uint32_t counter = 0; !left.empty(); ++counter) {
    // At most 64 · 1001 tickets: the remainder of 64 random bits is even to 2⁻⁴⁸.
    std::uint64_t ticket = draw(opening_block, round.id, counter) % total;
    auto at = left.begin();
    while (ticket >= at->second) {
      ticket -= at->second;
      ++at;
    }
    total -= at->second;
    ranks.push_back(at->first);
    left.erase(at);
  }
  return ranks;
}

auto State::packers_now(const RoundRecord& round) const -> std::vector<HospitalId> {
  if (!freeze_rule(round)) return {};
  std::vector<HospitalId> ranks = packer_ranks(round);
  // The block being built is one above the present height; unknown means that it became freezable
  // just now.
  const std::uint64_t next = height().value + 1;
  const std::uint64_t waited =
      round.freezable_at.value == 0 ? 0 : next - std::min(next, round.freezable_at.value);
  const std::uint64_t turns = std::min<std::uint64_t>(ranks.size(), waited / pack_step + 1);
  ranks.resize(static_cast<std::size_t>(turns));
  return ranks;
}

auto need_no_running_round(const State& state, std::string_view place) -> Result<void> {
  for (const auto& [id, round] : state.rounds()) {
    if (!is_closed(round.state))
      return fail("round_running", place, "A round is running: try again when it is closed.");
  }
  return {};
}

auto need_fresh_base(const State& state, std::string_view place) -> Result<void> {
  const auto& models = state.models();
  if (models.empty() && !state.initial_model()) return {};
  const Digest& base = models.empty() ? *state.initial_model() : models.back().model;
  if (state.families().contains(base))
    return fail("base_served", place,
                "A set of the present base was frozen: the committee changes with the next model.");
  return {};
}

auto State::committee_may_change() const -> Result<void> {
  CONSILIUM_CHECK(need_no_running_round(*this, "committee"));
  return need_fresh_base(*this, "committee");
}

auto State::box_key_is_due(HospitalId id) const -> bool {
  const std::vector<HospitalId> miners = committee();
  if (std::find(miners.begin(), miners.end(), id) == miners.end()) return false;
  const Member& member = members().at(id);
  bool due = member.info.box_key.kind() != box_kind_of(policy());
  if (policy().box_epoch_rounds != 0) {
    const Height since = std::max(member.since, member.box_since);
    const auto served = std::count_if(rounds().begin(), rounds().end(), [since](const auto& item) {
      const RoundRecord& round = item.second;
      return round.open.purpose == sealing::Purpose::update &&
             round.state == RoundState::accepted && round.closed_at > since;
    });
    due = due || static_cast<std::uint64_t>(served) >= policy().box_epoch_rounds;
  }
  return due && committee_may_change().has_value();
}

auto State::data_epoch() const -> std::uint64_t {
  const AlignmentSession* session = last_released(*this, AlignmentSubject::pattern);
  return session == nullptr ? 0 : session->record.epoch;
}

auto State::reveals_open(const RoundRecord& round) const -> bool {
  if (round.state != RoundState::judging) return false;
  const std::uint64_t half = round.deadline.value - round.policy.judge_heights / 2;
  return round.vote_commits.size() >= hospitals().size() || height().value >= half;
}

}  // namespace consilium::ledger
