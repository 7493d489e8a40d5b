// A round up to its frozen set: open, submit, attest, complain and answer, freeze, ready, abort
// (sealing-spec §7).

#include <algorithm>

#include "consilium/foundation/hash.hpp"

#include "rules.hpp"

namespace consilium::ledger {
namespace {

constexpr std::uint64_t length_max = 200'000'000;
/// sealing-spec §3.2: the numbers of hospitals for which the suites' formulas were checked.
constexpr std::uint32_t hospitals_max_s30 = 64;
constexpr std::uint32_t hospitals_max_l48 = 1024;
constexpr std::uint64_t claim_bucket = 64;

auto place_of(std::string_view what, RoundId id) -> std::string {
  return std::string(what) + ", round " + std::to_string(id.value);
}

/// 0 or 64·2^j: alignment-spec §3.5.
auto is_bucketed(std::uint64_t claimed) -> bool {
  if (claimed == 0) return true;
  return claimed >= claim_bucket && (claimed & (claimed - 1)) == 0;
}

auto bucket_above(std::uint64_t count) -> std::uint64_t {
  std::uint64_t bucket = claim_bucket;
  while (bucket < count && bucket < (std::uint64_t{1} << 62U)) bucket *= 2;
  return bucket;
}

auto judge_base(const Book& book, const OpenRound& body, const Digest& stream) -> Result<void> {
  if (body.purpose != sealing::Purpose::update) {
    if (body.base != sealing::no_model_base(stream))
      return fail("stale_context", "open_round", "A stream without a model has no_model_base.");
    return {};
  }
  for (const auto& [id, round] : book.rounds()) {
    const bool pending = round.state == RoundState::accepted &&
                         round.open.purpose == sealing::Purpose::update &&
                         (book.models().empty() || book.models().back().round < id);
    if (pending)
      return fail("model_pending", place_of("open_round after", id),
                  "The accepted model is not fixed: more than two thirds must post its digest.");
  }
  const bool known = !book.models().empty() || book.initial_model().has_value();
  if (!known) return {};
  const Digest& base = book.models().empty() ? *book.initial_model() : book.models().back().model;
  if (body.base != base)
    return fail("stale_context", "open_round", "The base is not the current model's digest.");
  return {};
}

/// Whose shape a round of the family keeps: the first whose set was frozen. An asker's own
/// questions neither give nor keep one; each is paid for by itself.
auto shape_keeper(const Book& book, const OpenRound& body, const Digest& family)
    -> const RoundRecord* {
  if (is_own_question(body) || !book.families().contains(family)) return nullptr;
  for (const auto& [id, round] : book.rounds()) {
    const bool keeps = round.open.purpose == body.purpose && family_of(round) == family &&
                       !round.set.empty() && !is_own_question(round.open);
    if (keeps) return &round;
  }
  return nullptr;
}

/// §8.1: whoever seals again on a base keeps the shape, clips and cap of the first round whose set
/// was frozen on it. A sum under another clip or cap would be a step of a staircase whose steps are
/// single hospitals. What is counted without a model keeps its menu too.
auto judge_shape(const Book& book, const OpenRound& body, const Digest& stream) -> Result<void> {
  const bool has_model = body.purpose == sealing::Purpose::update;
  if (const auto* first = shape_keeper(book, body, has_model ? body.base : stream)) {
    const OpenRound& kept = first->open;
    if (body.suite != kept.suite || body.length != kept.length ||
        body.hospitals_max != kept.hospitals_max || body.clip_micro != kept.clip_micro ||
        body.clips_micro != kept.clips_micro || body.weight_cap != kept.weight_cap ||
        body.noise_sigma2 != kept.noise_sigma2 || body.clip_l2 != kept.clip_l2 ||
        (!has_model && body.plan != kept.plan) || book.schema() != first->schema)
      return fail("set_forbidden", place_of("open_round in the family of", first->id),
                  "Suite, length, clips, cap, noise, menu and schema stay as when the family's "
                  "first set froze.");
    return {};
  }
  CONSILIUM_CHECK(judge_clips(book, body));
  const std::uint32_t clip = has_model ? book.policy().clip_micro : 0;
  const std::uint64_t cap = has_model ? book.policy().weight_cap : 0;
  if (body.clip_micro != clip || body.weight_cap != cap)
    return fail("stale_context", "open_round",
                "Clip and weight cap are the policy's for updates and 0 for everything else.");
  return {};
}

auto judge_running(const Book& book, const OpenRound& body, const Digest& stream) -> Result<void> {
  const bool update = body.purpose == sealing::Purpose::update;
  for (const auto& [id, round] : book.rounds()) {
    if (round.open.purpose != body.purpose) continue;
    const std::string place = place_of("open_round beside", id);
    // All updates start from one base, so they are one family whatever their data epoch.
    if (!is_closed(round.state) && (update || round.stream == stream))
      return fail("round_running", place, "One round of a stream at a time: wait until it ends.");
    if (!update && round.stream == stream && round.state == RoundState::accepted &&
        !is_own_question(round.open) && !is_own_question(body))
      return fail("epoch_used", place,
                  "This was opened in this data epoch: the next alignment starts a new one.");
  }
  return {};
}

/// Suite, policy and the committee's keys ask for boxes of one kind.
auto judge_boxes(const Book& book, sealing::Suite suite) -> Result<void> {
  if (sealing::has_hybrid_boxes(suite) != book.policy().hybrid_boxes)
    return fail("wrong_box_kind", "open_round",
                "The suite's boxes are not of the kind that the policy asks for.");
  for (const HospitalId miner : book.committee()) {
    const MemberInfo& info = book.members().at(miner).info;
    if (info.box_key.kind() != box_kind_of(book.policy()))
      return fail(
          "wrong_box_kind", "open_round",
          "The box key of " + info.name + " is of the other kind: it must rotate it first.");
  }
  return {};
}

}  // namespace

auto place_of(const RoundRecord& round) -> std::string {
  return "round " + std::to_string(round.id.value);
}

auto cell_minimum(const Policy& policy) -> std::size_t {
  return std::size_t{policy.honest_min} + policy.colluders;
}

auto contains(const std::vector<HospitalId>& sorted, HospitalId id) -> bool {
  return std::binary_search(sorted.begin(), sorted.end(), id);
}

void insert_sorted(std::vector<HospitalId>& sorted, HospitalId id) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), id);
  if (at == sorted.end() || *at != id) sorted.insert(at, id);
}

auto has_open_complaint(const RoundRecord& round, HospitalId hospital) -> bool {
  return std::any_of(round.complaints.begin(), round.complaints.end(),
                     [hospital](const auto& c) { return c.first.first == hospital && !c.second; });
}

auto is_verified(const RoundRecord& round, HospitalId hospital) -> bool {
  if (!round.manifests.contains(hospital) || contains(round.excluded, hospital)) return false;
  if (has_open_complaint(round, hospital)) return false;
  const auto attested =
      std::count_if(round.attests.begin(), round.attests.end(),
                    [hospital](const auto& attest) { return contains(attest.second, hospital); });
  return attested >=
         sealing::committee_of(static_cast<std::uint16_t>(round.miners.size())).threshold;
}

auto round_named(const Book& book, RoundId id) -> Result<const RoundRecord*> {
  const RoundRecord* round = book.find_round(id);
  if (round == nullptr)
    return fail("unknown_round", "round " + std::to_string(id.value), "No such round was opened.");
  return round;
}

auto need_hospital(const Context& context) -> Result<void> {
  if (context.sender.info.role != MemberRole::hospital)
    return fail("not_permitted", "member " + context.sender.info.name,
                "Only hospitals may do this.");
  return {};
}

auto need_miner(const Context& context, const RoundRecord& round) -> Result<void> {
  if (!contains(round.miners, context.sender.id))
    return fail("not_permitted", place_of(round), "Only the round's committee may do this.");
  return {};
}

auto judge(const Context& context, const OpenRound& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_CHECK(need_hospital(context));
  CONSILIUM_CHECK(sealing::purpose_from_id(static_cast<std::uint8_t>(body.purpose)));
  CONSILIUM_TRY(const sealing::Suite suite, sealing::suite_from_id(body.suite));
  if (body.length < 1 || body.length > length_max)
    return fail("length_mismatch", "open_round", "A vector has 1 to 200 000 000 entries.");
  if (body.data_epoch != book.data_epoch())
    return fail("stale_context", "open_round", "The data epoch is the last released alignment's.");
  const Digest stream = sealing::stream_id(book.consortium(), body.purpose, body.data_epoch);
  CONSILIUM_CHECK(judge_running(book, body, stream));
  CONSILIUM_CHECK(judge_base(book, body, stream));
  CONSILIUM_CHECK(judge_shape(book, body, stream));
  const std::vector<HospitalId> active = book.hospitals();
  const std::size_t hospitals = active.size();
  const std::uint32_t room =
      sealing::body_suite(suite) == sealing::Suite::s30 ? hospitals_max_s30 : hospitals_max_l48;
  if (body.hospitals_max < hospitals || body.hospitals_max > room)
    return fail("too_many_hospitals", "open_round",
                "hospitals_max holds every active hospital and stays within the suite's room.");
  if (hospitals < cell_minimum(book.policy()))
    return fail("set_too_small", "open_round",
                "Fewer hospitals are active than honest_min + colluders: admit more first.");

  CONSILIUM_CHECK(judge_boxes(book, suite));
  CONSILIUM_CHECK(judge_menu(book, body));
  CONSILIUM_TRY(const std::uint64_t rho_micro, judge_noise(context, body, suite));

  RoundRecord round;
  round.id = RoundId{book.head().last_round.value + 1};
  round.open = body;
  round.opener = context.sender.id;
  round.opened_at = context.height;
  round.policy = book.policy();
  round.schema = book.schema();
  round.deadline = Height{context.height.value + round.policy.seal_heights};
  round.stream = stream;
  round.committee_epoch = book.committee_epoch();
  round.miners = book.committee();
  const auto family = book.families().find(family_of(round));
  if (family != book.families().end() && family->second.committee_epoch != round.committee_epoch)
    return fail("set_forbidden", "open_round",
                "An earlier committee served this base: it is closed for sealing.");
  if (rho_micro != 0) {
    round.rho_micro = rho_micro;
    round.charged = active;
  }
  return [round](Book& changed) {
    changed.head().last_round = round.id;
    for (const HospitalId id : round.charged)
      changed.member(id).rho_spent_micro[purpose_index(round.open)] += round.rho_micro;
    if (is_own_question(round.open))
      changed.member(round.opener).rho_asked_micro[asked_index(round.open)] += round.rho_micro;
    if (round.open.purpose == sealing::Purpose::update && !changed.head().initial_model)
      changed.head().initial_model = round.open.base;
    changed.add_round(round);
  };
}

auto judge(const Context& context, const SubmitManifest& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_CHECK(need_hospital(context));
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  if (round->opened_at == context.height)
    return fail("too_early", place, "Its seed is known when the block that opened it has ended.");
  const sealing::RoundParameters parameters = book.parameters_of(*round);
  const sealing::Manifest& manifest = body.manifest;
  const HospitalId sender = context.sender.id;
  if (manifest.consortium != parameters.consortium || manifest.stream != parameters.stream ||
      manifest.seed != parameters.seed || manifest.base != parameters.base ||
      manifest.round != parameters.round || manifest.suite != round->open.suite ||
      manifest.committee_epoch != parameters.committee_epoch || manifest.hospital != sender)
    return fail("stale_context", place, "The manifest was made for another round: seal again.");
  if (manifest.length != parameters.length)
    return fail("length_mismatch", place, "The sealed vector has another length than the round.");

  if (const auto first = round->manifests.find(sender); first != round->manifests.end()) {
    const bool same = first->second.manifest == manifest &&
                      first->second.claimed_patterns == body.claimed_patterns;
    if (same) return fail("duplicate", place, "This manifest stands on the ledger already.");
    if (round->equivocations.contains(sender))
      return fail("equivocation", place, "The first manifest counts; a second one is on record.");
    if (is_closed(round->state)) return fail("wrong_state", place, "The round is closed.");
    // §13: the first counts, both are kept. Signed by the hospital itself, so taken as evidence.
    return [id = round->id, sender, second = manifest.digest()](Book& changed) {
      changed.round(id).equivocations[sender] = second;
    };
  }
  if (round->state != RoundState::sealing)
    return fail("late", place, "The round takes no more manifests: join the next one.");
  const bool allowed = is_bucketed(body.claimed_patterns) &&
                       body.claimed_patterns <= bucket_above(round->policy.align_cap);
  if (!allowed)
    return fail("bad_claim", place,
                "Claimed patterns are 0 or 64·2^j, and at most the policy's cap so rounded.");
  const AlignmentSession* session = last_released(book, AlignmentSubject::pattern);
  if (body.claimed_patterns > 0 && session != nullptr && !contains(session->participants, sender))
    return fail("bad_claim", place, "This hospital took no part in the last alignment.");

  return [id = round->id, sender, body, height = context.height](Book& changed) {
    RoundRecord& open = changed.round(id);
    open.manifests.emplace(sender, body);
    open.submitted_at.emplace(sender, height);
    if (open.manifests.size() < changed.hospitals().size()) return;
    open.state = RoundState::attesting;
    open.deadline = Height{height.value + open.policy.attest_heights};
  };
}

auto judge(const Context& context, const Attest& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  if (round->state != RoundState::sealing && round->state != RoundState::attesting)
    return fail("wrong_state", place, "The round takes no more attestations.");
  if (round->state == RoundState::attesting && context.height > round->deadline)
    return fail("late", place, "The time to attest is over.");
  if (body.valid.empty())
    return fail("unknown_manifest", place, "An attestation names at least one hospital.");
  for (const HospitalId hospital : body.valid) {
    if (!round->manifests.contains(hospital))
      return fail("unknown_manifest", place, "Only hospitals that submitted can be attested.");
    const auto complaint = round->complaints.find({hospital, context.sender.id});
    if (complaint != round->complaints.end() && !complaint->second)
      return fail("conflicting_message", place,
                  "A miner does not attest what it complains about before it is answered.");
  }
  const auto known = round->attests.find(context.sender.id);
  if (known != round->attests.end()) {
    if (known->second == body.valid)
      return fail("duplicate", place, "This miner has attested just these.");
    if (!std::includes(body.valid.begin(), body.valid.end(), known->second.begin(),
                       known->second.end()))
      return fail("conflicting_message", place, "A later attestation may only add hospitals.");
  }
  return [id = round->id, sender = context.sender.id, valid = body.valid](Book& changed) {
    changed.round(id).attests[sender] = valid;
  };
}

auto judge(const Context& context, const Complaint& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  const bool before_freeze =
      round->state == RoundState::sealing || round->state == RoundState::attesting;
  if (!before_freeze && round->state != RoundState::frozen)
    return fail("wrong_state", place, "Complaints come before the opening.");
  if (context.height > round->deadline && round->state != RoundState::sealing)
    return fail("late", place, "The time to complain is over.");
  const auto manifest = round->manifests.find(body.hospital);
  if (manifest == round->manifests.end())
    return fail("unknown_manifest", place, "There is no manifest to complain about.");
  if (contains(round->excluded, body.hospital))
    return fail("duplicate", place, "This hospital is left out already.");
  if (round->complaints.contains({body.hospital, context.sender.id}))
    return fail("duplicate", place, "This miner has complained about this hospital.");
  const auto attested = round->attests.find(context.sender.id);
  if (attested != round->attests.end() && contains(attested->second, body.hospital))
    return fail("conflicting_message", place, "This miner has attested what it complains about.");
  if (round->state == RoundState::frozen) {
    if (!in_set(*round, body.hospital))
      return fail("unknown_manifest", place, "The frozen set is without this hospital.");
    if (contains(round->ready, context.sender.id))
      return fail("conflicting_message", place, "This miner has said that it holds every share.");
  }
  if (blob_name(body.lists) != manifest->second.manifest.lists)
    return fail("stale_context", place, "These are not the lists that the manifest names.");
  const sealing::RoundParameters parameters = book.parameters_of(*round);
  CONSILIUM_CHECK(sealing::ManifestLists::decode(body.lists, parameters));

  return [id = round->id, body, sender = context.sender.id,
          height = context.height](Book& changed) {
    RoundRecord& open = changed.round(id);
    open.complaints[{body.hospital, sender}] = false;
    open.complaint_lists[body.hospital] = body.lists;
    const auto against = std::count_if(
        open.complaints.begin(), open.complaints.end(),
        [&](const auto& complaint) { return complaint.first.first == body.hospital; });
    const auto committee = sealing::committee_of(static_cast<std::uint16_t>(open.miners.size()));
    // More than f complaints, each from another miner: one of them is honest. With f = 0 (a
    // committee of one among them) nothing is ever answered, since an answer would show a share;
    // the hospital is left out.
    if (against > committee.faulty_max) {
      insert_sorted(open.excluded, body.hospital);
      return;
    }
    if (open.state == RoundState::sealing) return;
    // Time to answer is left even when the complaint comes at the last height, or one lying miner
    // could leave anybody out. Bounded: a miner complains about a hospital once.
    const std::uint64_t answer_by = height.value + (open.policy.attest_heights + 1) / 2;
    open.deadline = Height{std::max(open.deadline.value, answer_by)};
  };
}

auto judge(const Context& context, const Answer& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_hospital(context));
  const HospitalId sender = context.sender.id;
  if (round->state >= RoundState::opening)
    return fail("wrong_state", place, "Complaints are answered before the opening.");
  if (round->state != RoundState::sealing && context.height > round->deadline)
    return fail("late", place, "The time to answer is over.");
  if (body.miner.value < 1 || body.miner.value > round->miners.size())
    return fail("unknown_complaint", place, "The committee has no such miner.");
  const HospitalId miner = round->miners[body.miner.value - 1U];
  const auto complaint = round->complaints.find({sender, miner});
  if (complaint == round->complaints.end())
    return fail("unknown_complaint", place,
                "This miner has not complained: never publish a share that nobody asked for.");
  if (complaint->second) return fail("duplicate", place, "This complaint is answered.");
  if (contains(round->excluded, sender))
    return fail("wrong_state", place,
                "This hospital is left out: an answer would only show a share.");
  const auto lists =
      sealing::ManifestLists::decode(round->complaint_lists.at(sender), book.parameters_of(*round));
  CONSILIUM_ENSURE(lists.has_value());
  sealing::ShareOpening opening;
  const auto fill = [](SecretBytes& to, const Bytes& from) {
    to = SecretBytes(from.size());
    std::copy(from.begin(), from.end(), to.expose().begin());
  };
  fill(opening.share, body.share);
  fill(opening.masks, body.masks);
  fill(opening.salt, body.salt);
  const bool good = sealing::check_published_share(book.parameters_of(*round),
                                                   round->manifests.at(sender).manifest, *lists,
                                                   body.miner, opening)
                        .has_value();
  return [id = round->id, sender, miner, good, body, height = context.height](Book& changed) {
    RoundRecord& open = changed.round(id);
    if (!good) {
      insert_sorted(open.excluded, sender);
      return;
    }
    open.complaints[{sender, miner}] = true;
    open.answers[{sender, miner}] = body;
    start_opening_if_ready(changed, id, height);
  };
}

auto judge(const Context& context, const Freeze& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  CONSILIUM_TRY(const Freeze rule, book.freeze_rule(*round));
  const std::vector<HospitalId> turn = book.packers_now(*round);
  if (std::find(turn.begin(), turn.end(), context.sender.id) == turn.end())
    return fail("not_your_turn", place, "Packers before this one have their turn first.");
  if (body.set != rule.set || body.set_digest != rule.set_digest ||
      body.partition_digest != rule.partition_digest)
    return fail("not_the_rule", place, "The block is not exactly the list that the rule gives.");
  return
      [id = round->id, rule, sender = context.sender.id, height = context.height](Book& changed) {
        RoundRecord& open = changed.round(id);
        open.state = RoundState::frozen;
        open.deadline = Height{height.value + open.policy.ready_heights};
        open.set = rule.set;
        open.set_digest = rule.set_digest;
        open.partition_digest = rule.partition_digest;
        open.packer = sender;
        const auto known = changed.families().find(family_of(open));
        const bool kept = known != changed.families().end() &&
                          known->second.partition_digest == rule.partition_digest;
        if (kept) return;
        // Delivery C: what is left of every set before, without those that never sent.
        if (known != changed.families().end()) {
          CONSILIUM_ENSURE(known->second.opened.empty());
          changed.erase_family(family_of(open));
        }
        std::vector<HospitalId> members;
        for (const auto& member : rule.set) members.push_back(member.hospital);
        Family family;
        family.partition = sealing::make_partition(open.seed, members, cell_minimum(open.policy));
        family.partition_digest = sealing::partition_digest(family.partition);
        family.first = id;
        family.committee_epoch = open.committee_epoch;
        CONSILIUM_ENSURE(family.partition_digest == rule.partition_digest);
        changed.add_family(family_of(open), std::move(family));
      };
}

void start_opening_if_ready(Book& book, RoundId id, Height height) {
  const RoundRecord& now = book.rounds().at(id);
  if (now.state != RoundState::frozen) return;
  const auto committee = sealing::committee_of(static_cast<std::uint16_t>(now.miners.size()));
  if (now.ready.size() < committee.threshold) return;
  const bool clean = std::all_of(now.set.begin(), now.set.end(), [&now](const auto& member) {
    return !contains(now.excluded, member.hospital) && !has_open_complaint(now, member.hospital);
  });
  if (!clean) return;
  RoundRecord& round = book.round(id);
  round.state = RoundState::opening;
  round.deadline = Height{height.value + round.policy.publish_heights};
  // §8.2: from here the set counts as opened, whether or not shares follow.
  book.family(family_of(round)).opened.push_back(round.set_digest);
}

auto judge(const Context& context, const Ready& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  if (round->policy.delivery != sealing::Delivery::shares)
    return fail("wrong_state", place, "In delivery C nobody is ready: members publish their keys.");
  const bool open = round->state == RoundState::frozen || round->state == RoundState::opening ||
                    round->state == RoundState::opened || round->state == RoundState::judging;
  if (!open) return fail("wrong_state", place, "Ready is said of a frozen set.");
  if (round->state == RoundState::frozen && context.height > round->deadline)
    return fail("late", place, "The time to be ready is over.");
  if (body.set_digest != round->set_digest || body.partition_digest != round->partition_digest)
    return fail("stale_context", place, "This is not the frozen set or its partition.");
  if (contains(round->ready, context.sender.id))
    return fail("duplicate", place, "This miner has said so.");
  for (const auto& member : round->set) {
    const auto complaint = round->complaints.find({member.hospital, context.sender.id});
    if (complaint != round->complaints.end() && !complaint->second)
      return fail("conflicting_message", place, "This miner's own complaint is not answered.");
  }
  return [id = round->id, sender = context.sender.id, height = context.height](Book& changed) {
    insert_sorted(changed.round(id).ready, sender);
    start_opening_if_ready(changed, id, height);
  };
}

auto judge(const Context& context, const Abort& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  if (round->state >= RoundState::opening)
    return fail("wrong_state", place, "A set that entered its opening is not aborted.");
  std::string reason;
  if (round->state == RoundState::attesting) {
    const auto rule = book.freeze_rule(*round);
    if (!rule && rule.error().code != "too_early") reason = rule.error().code;
  } else if (round->state == RoundState::frozen) {
    const bool over = book.height() >= round->deadline;
    for (const auto& member : round->set) {
      if (contains(round->excluded, member.hospital) ||
          (over && has_open_complaint(*round, member.hospital)))
        reason = "bad_sharing";
    }
    const bool shared = round->policy.delivery == sealing::Delivery::shares;
    if (reason.empty() && over) reason = shared ? "committee_short" : "member_silent";
  }
  if (reason.empty())
    return fail("too_early", place, "The rule can still go on: no deadline has passed in vain.");
  return [id = round->id, reason, height = context.height](Book& changed) {
    RoundRecord& open = changed.round(id);
    open.state = RoundState::aborted;
    open.reason = reason;
    open.closed_at = height;
  };
}

void end_rounds(Book& book) {
  const Height height = book.height();
  const Digest hash = book.block_hash(height);
  std::vector<RoundId> running;
  std::vector<RoundId> unsettled;
  for (const auto& [id, round] : book.rounds()) {
    if (!is_closed(round.state)) running.push_back(id);
    const bool waits = round.state == RoundState::accepted && !round.models.empty() &&
                       (book.models().empty() || book.models().back().round < id);
    if (waits) unsettled.push_back(id);
  }
  // A member that left may have been the one whose digest was waited for.
  for (const RoundId id : unsettled) settle_model(book, id, height);
  for (const RoundId id : running) {
    if (book.rounds().at(id).opened_at == height) {
      RoundRecord& round = book.round(id);
      const auto suite = sealing::suite_from_id(round.open.suite);
      CONSILIUM_ENSURE(suite.has_value());
      round.seed = sealing::round_seed(round.stream, id, round.open.base, hash, *suite);
    }
    const auto& audit = book.rounds().at(id).audit;
    if (audit && audit->fixed_at == height) pick_audit_positions(book, id, hash);
    if (book.rounds().at(id).state == RoundState::sealing &&
        height >= book.rounds().at(id).deadline) {
      RoundRecord& round = book.round(id);
      round.state = RoundState::attesting;
      round.deadline = Height{height.value + round.policy.attest_heights};
    }
    end_challenges(book, id, height);
    const RoundRecord& now = book.rounds().at(id);
    if (now.state != RoundState::attesting) continue;
    if (height >= now.deadline) {
      std::vector<HospitalId> silent;
      for (const auto& [hospital, manifest] : now.manifests) {
        if (!contains(now.excluded, hospital) && has_open_complaint(now, hospital))
          silent.push_back(hospital);
      }
      for (const HospitalId hospital : silent) insert_sorted(book.round(id).excluded, hospital);
    }
    const bool freezable = book.freeze_rule(now).has_value();
    if (freezable != (now.freezable_at.value != 0))
      book.round(id).freezable_at = freezable ? height : Height{0};
  }
}

}  // namespace consilium::ledger
