// Every credit again, by a computation that shares no line with the one that paid.

#include "consilium/ledger/statement.hpp"

#include <algorithm>
#include <array>

namespace consilium::ledger {
namespace {

struct Claim {
  HospitalId id;
  std::uint64_t weight = 0;
  std::uint64_t paid = 0;
};

/// One credit after another to whoever is furthest below its due, d·total(w) − paid·total: with
/// whole parts given first this is the method of largest remainders, worked out by comparing
/// fractions instead of sorting remainders.
void divide(std::uint64_t pool, std::vector<Claim>& claims) {
  std::uint64_t total = 0;
  for (const Claim& claim : claims) total += claim.weight;
  if (total == 0) return;
  std::uint64_t left = pool;
  for (Claim& claim : claims) {
    // pool·weight/total without the product: quotient and remainder of the pool first.
    claim.paid = pool / total * claim.weight + pool % total * claim.weight / total;
    left -= claim.paid;
  }
  std::vector<bool> served(claims.size(), false);
  for (; left > 0; --left) {
    std::size_t best = claims.size();
    std::uint64_t best_due = 0;
    for (std::size_t i = 0; i < claims.size(); ++i) {
      if (served[i] || claims[i].weight == 0) continue;
      const std::uint64_t due = pool * claims[i].weight - claims[i].paid * total;
      const bool better = best == claims.size() || due > best_due ||
                          (due == best_due && claims[i].id < claims[best].id);
      if (!better) continue;
      best = i;
      best_due = due;
    }
    if (best == claims.size()) return;
    served[best] = true;
    ++claims[best].paid;
  }
}

/// ⌊√value⌋ bit by bit from the top.
auto root_by_bits(std::uint64_t value) -> std::uint64_t {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31U; bit > 0; bit >>= 1U) {
    const std::uint64_t tried = root | bit;
    if (tried <= value / tried) root = tried;
  }
  return root;
}

/// ⌊log2 value⌋ + 1 by halving.
auto digits_by_halving(std::uint64_t value) -> std::uint64_t {
  std::uint64_t digits = 0;
  for (; value > 0; value /= 2) ++digits;
  return digits;
}

auto weight_of(const RoundRecord& round, std::uint64_t claimed) -> std::uint64_t {
  const std::uint64_t capped = std::min(claimed, round.policy.align_cap);
  return round.policy.credit_scale == CreditScale::digits ? digits_by_halving(capped)
                                                          : root_by_bits(capped);
}

/// What a round paid: by member, data, verification, packing.
using Paid = std::map<HospitalId, std::array<std::uint64_t, 3>>;

void book_all(const std::vector<Claim>& claims, std::size_t part, Paid& paid) {
  for (const Claim& claim : claims) paid[claim.id].at(part) += claim.paid;
}

auto attested_by(const RoundRecord& round, HospitalId miner) -> std::uint64_t {
  const auto attested = round.attests.find(miner);
  if (attested == round.attests.end()) return 0;
  std::uint64_t count = 0;
  for (const HospitalId hospital : attested->second) {
    for (const auto& member : round.set) count += member.hospital == hospital ? 1U : 0U;
  }
  return count;
}

auto paid_by(const RoundRecord& round) -> Paid {
  std::vector<Claim> pools{{HospitalId{1}, round.policy.data_percent},
                           {HospitalId{2}, round.policy.verify_percent},
                           {HospitalId{3}, round.policy.pack_percent}};
  divide(round.policy.round_pool, pools);

  std::vector<Claim> data;
  bool anybody_claims = false;
  for (const auto& [hospital, digest] : round.set) {
    if (round.manifests.at(hospital).claimed_patterns != 0) anybody_claims = true;
  }
  for (const auto& [hospital, digest] : round.set) {
    Claim claim{hospital, 1, 0};
    if (anybody_claims)
      claim.weight = weight_of(round, round.manifests.at(hospital).claimed_patterns);
    if (round.equivocations.count(hospital) != 0 ||
        std::count(round.not_shown.begin(), round.not_shown.end(), hospital) != 0)
      claim.weight = 0;
    data.push_back(claim);
  }
  if (std::all_of(data.begin(), data.end(), [](const Claim& c) { return c.weight == 0; })) {
    for (Claim& claim : data) claim.weight = 1;
  }
  divide(pools[0].paid, data);

  std::vector<Claim> verify;
  for (const HospitalId miner : round.miners) {
    if (round.attests.count(miner) != 0) verify.push_back({miner, attested_by(round, miner), 0});
  }
  divide(pools[1].paid, verify);

  Paid paid;
  book_all(data, 0, paid);
  book_all(verify, 1, paid);
  paid[round.packer][2] += pools[2].paid;
  std::erase_if(paid,
                [](const auto& entry) { return entry.second == std::array<std::uint64_t, 3>{}; });
  return paid;
}

/// What the round's record says that it paid.
auto recorded(const RoundRecord& round) -> Paid {
  Paid paid;
  for (const auto& [id, reward] : round.rewards_data) paid[id][0] += reward;
  for (const auto& [id, reward] : round.rewards_verify) paid[id][1] += reward;
  for (const auto& [id, reward] : round.rewards_pack) paid[id][2] += reward;
  std::erase_if(paid,
                [](const auto& entry) { return entry.second == std::array<std::uint64_t, 3>{}; });
  return paid;
}

auto differs(std::string_view where, std::string_view sentence) -> tl::unexpected<Error> {
  return fail("credits_differ", where, sentence);
}

/// What happened to credits at one height, in the order in which it counts.
struct Events {
  std::vector<const RoundRecord*> paid;
  std::vector<std::pair<const RoundRecord*, HospitalId>> refused;
};

auto events_of(const State& state) -> Result<std::map<Height, Events>> {
  std::map<Height, Events> events;
  for (const auto& [id, round] : state.rounds()) {
    const bool pays =
        round.state == RoundState::accepted && round.open.purpose == sealing::Purpose::update;
    if (pays) events[round.closed_at].paid.push_back(&round);
    for (const auto& [hospital, height] : round.claims_refused)
      events[height].refused.emplace_back(&round, hospital);
    const Paid paid = pays ? paid_by(round) : Paid{};
    std::map<HospitalId, std::uint64_t> sums;
    for (const auto& [member, parts] : paid) sums[member] = parts[0] + parts[1] + parts[2];
    auto rewards = round.rewards;
    std::erase_if(rewards, [](const auto& entry) { return entry.second == 0; });
    if (paid != recorded(round) || sums != rewards)
      return differs("round " + std::to_string(id.value),
                     "The round's rewards are not what its records give.");
  }
  return events;
}

void add_line(CreditStatement& account, CreditLine line) {
  account.data += line.data;
  account.verify += line.verify;
  account.pack += line.pack;
  account.lost += line.lost;
  account.balance += line.data + line.verify + line.pack;
  account.balance -= line.lost;
  line.balance = account.balance;
  account.lines.push_back(line);
}

}  // namespace

auto credit_statements(const State& state) -> Result<std::map<HospitalId, CreditStatement>> {
  CONSILIUM_TRY(const auto events, events_of(state));
  std::map<HospitalId, CreditStatement> accounts;
  for (const auto& [id, member] : state.members()) accounts[id];
  std::uint64_t rounds_paid = 0;
  for (const auto& [height, at] : events) {
    for (const RoundRecord* round : at.paid) {
      ++rounds_paid;
      for (const auto& [id, parts] : paid_by(*round)) {
        const auto manifest = round->manifests.find(id);
        const std::uint64_t claimed =
            manifest == round->manifests.end() ? 0 : manifest->second.claimed_patterns;
        add_line(accounts[id],
                 {CreditLineKind::round, height, round->id, claimed, attested_by(*round, id),
                  round->set.size(), parts[0], parts[1], parts[2], 0, 0});
      }
    }
    for (const auto& [round, hospital] : at.refused) {
      const auto reward = round->rewards_data.find(hospital);
      if (reward == round->rewards_data.end())
        return differs("round " + std::to_string(round->id.value),
                       "A claim was refused for which nothing was paid.");
      CreditLine line{CreditLineKind::claim_refused, height, round->id};
      line.claimed = round->manifests.at(hospital).claimed_patterns;
      line.lost = std::min(reward->second, accounts[hospital].balance);
      add_line(accounts[hospital], line);
    }
    for (const RoundRecord* round : at.paid) {
      const Policy& policy = round->policy;
      if (policy.credit_epoch_rounds == 0 || rounds_paid % policy.credit_epoch_rounds != 0)
        continue;
      for (auto& [id, account] : accounts) {
        CreditLine line{CreditLineKind::decay, height, round->id};
        line.lost = account.balance / 100 * policy.decay_percent +
                    account.balance % 100 * policy.decay_percent / 100;
        if (line.lost > 0) add_line(account, line);
      }
    }
  }
  for (const auto& [id, member] : state.members()) {
    CreditStatement& account = accounts.at(id);
    const auto found = state.offences().find(id);
    const Offence none{};
    const Offence& offence = found == state.offences().end() ? none : found->second;
    account.withheld = offence.withheld();
    if (account.balance != member.credits + account.withheld ||
        account.data != member.credits_data + offence.withheld_data ||
        account.verify != member.credits_verify + offence.withheld_verify ||
        account.pack != member.credits_pack + offence.withheld_pack ||
        account.lost != member.credits_lost)
      return differs("member " + member.info.name,
                     "The member's credits are not what the rounds' records give.");
  }
  return accounts;
}

}  // namespace consilium::ledger
