// Bodies that must be there, and blobs that need not be any more. What a miner cannot fetch it may
// ask for in public, one leaf of it; who has the body shows the leaf, and who has not is found out.

#include <algorithm>

#include "consilium/foundation/blob_name.hpp"

#include "rules.hpp"

namespace consilium::ledger {
namespace {

auto body_bytes_of(const Book& book, const RoundRecord& round) -> std::uint64_t {
  const auto size = sealing::body_bytes(book.parameters_of(round));
  CONSILIUM_ENSURE(size.has_value());
  return *size;
}

}  // namespace

auto has_open_challenge(const RoundRecord& round) -> bool {
  return std::any_of(round.challenges.begin(), round.challenges.end(), [&round](const auto& item) {
    return !item.second.answered && !contains(round.not_shown, item.first.first);
  });
}

auto judge(const Context& context, const Challenge& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  if (round->policy.challenge_heights == 0)
    return fail("not_permitted", place, "The policy of this round has no challenges.");
  if (round->state >= RoundState::opening)
    return fail("wrong_state", place, "A body is challenged before its set enters its opening.");
  if (!round->manifests.contains(body.hospital))
    return fail("unknown_manifest", place, "This hospital has sent nothing for the round.");
  if (contains(round->excluded, body.hospital))
    return fail("wrong_state", place, "This hospital is left out already.");
  const HospitalId sender = context.sender.id;
  if (round->challenges.contains({body.hospital, sender}))
    return fail("duplicate", place, "A miner challenges a hospital once a round.");
  if (body.leaf >= blob_leaf_count(body_bytes_of(context.book, *round)))
    return fail("no_such_leaf", place, "The bodies of this round have fewer leaves.");
  const Height deadline{context.height.value + round->policy.challenge_heights};
  return [body, sender, deadline](Book& changed) {
    changed.round(body.round).challenges[{body.hospital, sender}] =
        OpenChallenge{body.leaf, deadline, false};
  };
}

auto judge(const Context& context, const Respond& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  if (is_closed(round->state))
    return fail("wrong_state", place, "The round is closed: nobody needs the leaf any more.");
  std::vector<HospitalId> askers;
  for (const auto& [who, challenge] : round->challenges) {
    const bool open = !challenge.answered && context.height <= challenge.deadline;
    if (who.first == body.hospital && challenge.leaf == body.leaf && open)
      askers.push_back(who.second);
  }
  if (askers.empty())
    return fail("unknown_challenge", place,
                "Nobody waits for this leaf: it was shown, is late, or was never asked for.");
  CONSILIUM_CHECK(check_blob_leaf(round->manifests.at(body.hospital).manifest.body_blob,
                                  body_bytes_of(context.book, *round), body.leaf, body.bytes,
                                  body.path));
  return [id = body.round, hospital = body.hospital, askers](Book& changed) {
    for (const HospitalId miner : askers)
      changed.round(id).challenges.at({hospital, miner}).answered = true;
  };
}

void end_challenges(Book& book, RoundId id, Height height) {
  const RoundRecord& now = book.rounds().at(id);
  std::vector<HospitalId> silent;
  for (const auto& [who, challenge] : now.challenges) {
    if (!challenge.answered && height >= challenge.deadline && !contains(now.not_shown, who.first))
      silent.push_back(who.first);
  }
  for (const HospitalId hospital : silent) {
    RoundRecord& round = book.round(id);
    insert_sorted(round.not_shown, hospital);
    // A frozen set stays as it is: its bytes were attested by t miners.
    if (round.state <= RoundState::attesting) insert_sorted(round.excluded, hospital);
  }
}

auto judge(const Context& context, const Tombstone& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  const HospitalId sender = context.sender.id;
  if (!round->manifests.contains(sender))
    return fail("unknown_manifest", place, "This hospital has sent nothing for the round.");
  if (!is_closed(round->state))
    return fail("wrong_state", place, "The round still needs it: wait until it is closed.");
  if (contains(round->withdrawn, sender))
    return fail("duplicate", place, "This hospital has taken it back.");
  return [id = round->id, sender](Book& changed) {
    insert_sorted(changed.round(id).withdrawn, sender);
  };
}

auto State::is_released(const RoundRecord& round) const -> bool {
  return is_closed(round.state) && round.policy.retention_heights != 0 &&
         height().value - round.closed_at.value >= round.policy.retention_heights;
}

auto State::released_blobs() const -> std::vector<Digest> {
  std::vector<Digest> released;
  std::vector<Digest> needed;
  for (const auto& [id, round] : rounds()) {
    const bool old = is_released(round);
    auto& common = old ? released : needed;
    for (const auto& [hospital, submission] : round.manifests) {
      auto& own = old || contains(round.withdrawn, hospital) ? released : needed;
      own.push_back(submission.manifest.body_blob);
      own.push_back(submission.manifest.lists);
    }
    for (const auto& [miner, sum] : round.share_sums) common.push_back(sum);
    for (const auto& [hospital, key] : round.masked_keys) common.push_back(key);
    if (!round.audit) continue;
    for (const auto& step : round.audit->steps) {
      for (const auto& [miner, words] : step.answers) common.push_back(words);
    }
  }
  for (const ModelRecord& model : models()) needed.push_back(model.model);
  const auto settle = [](std::vector<Digest>& names) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  };
  settle(released);
  settle(needed);
  std::vector<Digest> out;
  std::set_difference(released.begin(), released.end(), needed.begin(), needed.end(),
                      std::back_inserter(out));
  return out;
}

}  // namespace consilium::ledger
