// A round from its opening to its end: shares of the key's sum, results, votes, the decision, the
// model's digest.

#include <algorithm>

#include "credits.hpp"
#include "rules.hpp"

namespace consilium::ledger {
namespace {

auto after_opening(const RoundRecord& round) -> bool {
  return round.state == RoundState::opening || round.state == RoundState::opened ||
         round.state == RoundState::judging;
}

auto threshold_of(const RoundRecord& round) -> std::size_t {
  return sealing::committee_of(static_cast<std::uint16_t>(round.miners.size())).threshold;
}

/// sealing-spec §9.5 for n hospitals: valid with ⌈2n/3⌉ revealed, rejected by ⌊n/3⌋+1.
auto revealed_min(std::size_t hospitals) -> std::size_t {
  return (2 * hospitals + 2) / 3;
}
auto rejecting_min(std::size_t hospitals) -> std::size_t {
  return hospitals / 3 + 1;
}

struct Decision {
  RoundState state = RoundState::accepted;
  std::string reason;
};

auto decide(const Book& book, const RoundRecord& round) -> Result<Decision> {
  const std::string place = place_of(round);
  if (has_open_challenge(round))
    return fail("too_early", place, "A challenged leaf may still be shown before its deadline.");
  if (round.state == RoundState::opened && round.open.purpose != sealing::Purpose::update)
    return Decision{};
  if (round.state != RoundState::judging)
    return fail("wrong_state", place, "There is nothing to decide in this state.");
  const std::size_t hospitals = book.hospitals().size();
  const bool over = book.height() >= round.deadline;
  if (round.votes.size() < hospitals && !over)
    return fail("too_early", place, "Votes may still be revealed before the deadline.");
  if (round.votes.size() < revealed_min(hospitals))
    return Decision{RoundState::rolled_back, "too_few_votes"};
  const auto rejecting = std::count_if(round.votes.begin(), round.votes.end(),
                                       [](const auto& vote) { return !vote.second; });
  if (static_cast<std::size_t>(rejecting) >= rejecting_min(hospitals))
    return Decision{RoundState::rolled_back, "rolled_back"};
  return Decision{};
}

void pay(Book& book, RoundRecord& round) {
  const Rewards rewards = rewards_of(round);
  const auto give = [&](const std::map<HospitalId, std::uint64_t>& parts,
                        std::uint64_t Member::* account, std::uint64_t Offence::* withheld) {
    for (const auto& [id, part] : parts) {
      round.rewards[id] += part;
      if (is_withheld(book, id)) {
        book.offence(id).*withheld += part;
        continue;
      }
      Member& member = book.member(id);
      member.*account += part;
      member.credits += part;
    }
  };
  give(rewards.data, &Member::credits_data, &Offence::withheld_data);
  give(rewards.verify, &Member::credits_verify, &Offence::withheld_verify);
  give(rewards.pack, &Member::credits_pack, &Offence::withheld_pack);
  round.rewards_data = rewards.data;
  round.rewards_verify = rewards.verify;
  round.rewards_pack = rewards.pack;
  book.head().pools_paid += round.policy.round_pool;
}

/// The digest more than two thirds of the hospitals posted, if there is one.
auto agreed_model(const Book& book, const RoundRecord& round) -> std::optional<Digest> {
  std::map<Digest, std::size_t> counts;
  for (const auto& [hospital, model] : round.models) ++counts[model];
  for (const auto& [model, count] : counts) {
    if (3 * count > 2 * book.hospitals().size()) return model;
  }
  return std::nullopt;
}

auto fixed_model(const Book& book, RoundId round) -> const ModelRecord* {
  for (const auto& model : book.models()) {
    if (model.round == round) return &model;
  }
  return nullptr;
}

}  // namespace

auto judge(const Context& context, const PublishShare& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  if (!after_opening(*round))
    return fail("wrong_state", place, "Shares are published while the round is opening.");
  if (round->policy.delivery != sealing::Delivery::shares)
    return fail("wrong_state", place, "In delivery C the members of the set publish their keys.");
  if (!contains(round->ready, context.sender.id))
    return fail("not_permitted", place, "Say ready first: the set must stand in the set log.");
  if (body.set_digest != round->set_digest)
    return fail("stale_context", place, "This is not the frozen set.");
  const auto known = round->share_sums.find(context.sender.id);
  if (known != round->share_sums.end()) {
    if (known->second == body.share_sum)
      return fail("duplicate", place, "This share sum is published.");
    return fail("equivocation", place, "A miner publishes one share sum a round, ever.");
  }
  return [id = round->id, sender = context.sender.id, sum = body.share_sum](Book& changed) {
    changed.round(id).share_sums[sender] = sum;
  };
}

auto judge(const Context& context, const PublishKey& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  if (round->policy.delivery != sealing::Delivery::masked_keys)
    return fail("wrong_state", place, "Only in delivery C do hospitals publish their keys.");
  const HospitalId sender = context.sender.id;
  if (!in_set(*round, sender))
    return fail("not_permitted", place, "Only members of the frozen set publish a key for it.");
  if (body.set_digest != round->set_digest)
    return fail("stale_context", place, "This is not the frozen set.");
  const auto known = round->masked_keys.find(sender);
  if (known != round->masked_keys.end()) {
    if (known->second == body.masked_key) return fail("duplicate", place, "This key is published.");
    return fail("equivocation", place, "A hospital publishes one masked key a round, ever.");
  }
  if (round->state != RoundState::frozen)
    return fail("wrong_state", place, "Keys are published for a frozen set.");
  if (context.height > round->deadline)
    return fail("late", place, "The time to publish keys is over.");
  return [id = round->id, sender, key = body.masked_key, height = context.height](Book& changed) {
    RoundRecord& now = changed.round(id);
    now.masked_keys[sender] = key;
    if (now.masked_keys.size() < now.set.size()) return;
    // The last key: whoever has them all can open, so the set counts as opened.
    now.state = RoundState::opening;
    now.deadline = Height{height.value + now.policy.publish_heights};
    changed.family(family_of(now)).opened.push_back(now.set_digest);
  };
}

auto judge(const Context& context, const ResultAttest& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  if (!after_opening(*round)) return fail("wrong_state", place, "Results follow the opening.");
  const bool shared = round->policy.delivery == sealing::Delivery::shares;
  if (shared && round->share_sums.size() < threshold_of(*round))
    return fail("too_early", place, "Fewer share sums are published than an opening needs.");
  const auto said = round->failure_words.find(context.sender.id);
  if (said != round->failure_words.end() && said->second.share_sums == round->share_sums.size())
    return fail("conflicting_message", place,
                "This miner has said that these do not open the set.");
  const auto known = round->results.find(context.sender.id);
  if (known != round->results.end()) {
    if (known->second.result == body.result)
      return fail("duplicate", place, "This result is posted.");
    return fail("equivocation", place, "A miner attests one result a round.");
  }
  return
      [id = round->id, body, sender = context.sender.id, height = context.height](Book& changed) {
        RoundRecord& now = changed.round(id);
        now.results[sender] = body;
        if (now.opened_sum) return;
        const auto equal =
            std::count_if(now.results.begin(), now.results.end(),
                          [&](const auto& posted) { return posted.second.result == body.result; });
        if (static_cast<std::size_t>(equal) < threshold_of(now)) return;
        now.opened_sum = body;
        now.state =
            now.open.purpose == sealing::Purpose::update ? RoundState::judging : RoundState::opened;
        now.deadline = Height{height.value + now.policy.judge_heights};
      };
}

auto judge(const Context& context, const VoteCommit& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_hospital(context));
  if (round->state != RoundState::judging)
    return fail("wrong_state", place, "Votes are committed while the round is judged.");
  const auto known = round->vote_commits.find(context.sender.id);
  if (known != round->vote_commits.end()) {
    if (known->second == body.commitment)
      return fail("duplicate", place, "This vote is committed.");
    return fail("equivocation", place, "A hospital commits one vote a round.");
  }
  // Who commits after others have shown their votes would vote with them in view.
  if (book.reveals_open(*round)) return fail("late", place, "Votes are being revealed already.");
  return [id = round->id, sender = context.sender.id, commitment = body.commitment](Book& changed) {
    changed.round(id).vote_commits[sender] = commitment;
  };
}

auto judge(const Context& context, const VoteReveal& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_hospital(context));
  if (round->state != RoundState::judging)
    return fail("wrong_state", place, "Votes are revealed while the round is judged.");
  if (context.height > round->deadline) return fail("late", place, "The time to reveal is over.");
  if (!book.reveals_open(*round))
    return fail("too_early", place, "Others may still commit: reveal when all have.");
  const HospitalId sender = context.sender.id;
  if (round->votes.contains(sender)) return fail("duplicate", place, "This vote is revealed.");
  const auto commitment = round->vote_commits.find(sender);
  if (commitment == round->vote_commits.end())
    return fail("commitment_mismatch", place, "This hospital has committed no vote.");
  if (vote_commitment(round->seed, sender, body.accept, body.salt) != commitment->second)
    return fail("commitment_mismatch", place, "Vote and salt are not what was committed.");
  return [id = round->id, sender, accept = body.accept](Book& changed) {
    changed.round(id).votes[sender] = accept;
  };
}

auto judge(const Context& context, const Decide& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  if (round->state == RoundState::auditing) return judge_end_of_audit(book, *round);
  CONSILIUM_TRY(const Decision decision, decide(book, *round));
  return [id = round->id, decision, height = context.height](Book& changed) {
    RoundRecord& now = changed.round(id);
    now.state = decision.state;
    now.reason = decision.reason;
    now.closed_at = height;
    const bool pays =
        decision.state == RoundState::accepted && now.open.purpose == sealing::Purpose::update;
    if (pays) pay(changed, now);
  };
}

auto judge(const Context& context, const ModelDigest& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_hospital(context));
  if (round->state != RoundState::accepted || round->open.purpose != sealing::Purpose::update)
    return fail("wrong_state", place, "A model's digest follows an accepted update.");
  const HospitalId sender = context.sender.id;
  const auto known = round->models.find(sender);
  if (known != round->models.end()) {
    if (known->second == body.model) return fail("duplicate", place, "This digest is posted.");
    return fail("equivocation", place, "A hospital posts one model a round.");
  }
  return [id = round->id, sender, model = body.model, height = context.height](Book& changed) {
    changed.round(id).models[sender] = model;
    settle_model(changed, id, height);
  };
}

void settle_model(Book& book, RoundId id, Height height) {
  const RoundRecord& now = book.rounds().at(id);
  const ModelRecord* fixed = fixed_model(book, id);
  std::optional<Digest> model;
  if (fixed != nullptr) {
    model = fixed->model;
  } else {
    model = agreed_model(book, now);
    if (!model) return;
    book.add_model({*model, now.open.base, id, height});
  }
  std::vector<HospitalId> different;
  for (const auto& [hospital, posted] : now.models) {
    if (posted != *model) different.push_back(hospital);
  }
  if (different == now.different_model) return;
  RoundRecord& round = book.round(id);
  round.different_model = different;
  round.reason = "different_model";
}

}  // namespace consilium::ledger
