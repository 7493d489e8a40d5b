// What becomes of credits after they were paid: claims that the council refuses, and the decay at
// the end of an epoch. Pools are paid in rules_opening.cpp.

#include <algorithm>

#include "rules.hpp"

namespace consilium::ledger {
namespace {

/// A claim can be refused until so many more updates were accepted; as far back as the packing
/// right looks.
constexpr std::size_t claim_rounds = 8;

auto pays(const RoundRecord& round) -> bool {
  return round.state == RoundState::accepted && round.open.purpose == sealing::Purpose::update;
}

/// What a member has, paid and withheld: withheld credits decay like others, or double signing
/// would keep them fresh.
auto holdings(const Book& book, HospitalId id) -> std::uint64_t {
  const auto offence = book.offences().find(id);
  return book.members().at(id).credits +
         (offence == book.offences().end() ? 0 : offence->second.withheld());
}

/// Of what was paid first, then of what is withheld: that counts as paid and lost.
void take(Book& book, HospitalId id, std::uint64_t credits) {
  if (credits == 0) return;
  Member& member = book.member(id);
  member.credits_lost += credits;
  const std::uint64_t paid = std::min(credits, member.credits);
  member.credits -= paid;
  std::uint64_t left = credits - paid;
  if (left == 0) return;
  Offence& offence = book.offence(id);
  const auto move = [&left](std::uint64_t& withheld, std::uint64_t& account) {
    const std::uint64_t moved = std::min(left, withheld);
    withheld -= moved;
    account += moved;
    left -= moved;
  };
  move(offence.withheld_data, member.credits_data);
  move(offence.withheld_verify, member.credits_verify);
  move(offence.withheld_pack, member.credits_pack);
  CONSILIUM_ENSURE(left == 0);
}

}  // namespace

auto judge_claim_refusal(const Book& book, const ProposeClaimRefusal& refusal) -> Result<void> {
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, refusal.round));
  const std::string place = place_of(*round);
  const auto reward = round->rewards_data.find(refusal.hospital);
  const auto manifest = round->manifests.find(refusal.hospital);
  if (reward == round->rewards_data.end() || reward->second == 0 ||
      manifest->second.claimed_patterns == 0)
    return fail("bad_claim", place, "No credits were paid for a claim of this hospital.");
  if (round->claims_refused.contains(refusal.hospital))
    return fail("duplicate", place, "This claim was refused already.");
  const auto later = std::count_if(book.rounds().begin(), book.rounds().end(), [&](const auto& at) {
    return pays(at.second) && at.second.closed_at > round->closed_at;
  });
  if (static_cast<std::size_t>(later) >= claim_rounds)
    return fail("late", place, "Eight updates were accepted since: the claim stands.");
  return {};
}

void end_credits(Book& book) {
  const Height height = book.height();
  std::vector<std::pair<HospitalId, std::uint64_t>> refused;
  const RoundRecord* paid = nullptr;
  std::uint64_t rounds_paid = 0;
  for (const auto& [id, round] : book.rounds()) {
    for (const auto& [hospital, at] : round.claims_refused) {
      if (at == height) refused.emplace_back(hospital, round.rewards_data.at(hospital));
    }
    if (!pays(round)) continue;
    ++rounds_paid;
    if (round.closed_at == height) paid = &round;
  }
  // What is lost goes to nobody: who votes on a claim must not gain by it.
  for (const auto& [hospital, reward] : refused)
    take(book, hospital, std::min(reward, holdings(book, hospital)));
  if (paid == nullptr || paid->policy.credit_epoch_rounds == 0 ||
      rounds_paid % paid->policy.credit_epoch_rounds != 0)
    return;
  // Pools are below 2³² and rounds below 2²⁴: a hundred times all credits stays below 2⁶⁴.
  std::vector<std::pair<HospitalId, std::uint64_t>> decayed;
  for (const auto& [id, member] : book.members())
    decayed.emplace_back(id, holdings(book, id) * paid->policy.decay_percent / 100);
  for (const auto& [id, credits] : decayed) take(book, id, credits);
}

}  // namespace consilium::ledger
