// The auditor's way: everything again from the blocks, and every credit by a computation that
// shares no line with the one that paid.

#include <algorithm>
#include <vector>

#include "consilium/ledger/store.hpp"
#include "consilium/sealing/privacy_account.hpp"

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

using Account = std::map<HospitalId, std::uint64_t>;

void book_all(const std::vector<Claim>& claims, Account& account) {
  for (const Claim& claim : claims) account[claim.id] += claim.paid;
}

auto credits_of(const RoundRecord& round) -> Account {
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
    const std::uint64_t claimed = round.manifests.at(hospital).claimed_patterns;
    Claim claim{hospital, 1, 0};
    if (anybody_claims) claim.weight = root_by_bits(std::min(claimed, round.policy.align_cap));
    if (round.equivocations.count(hospital) != 0) claim.weight = 0;
    data.push_back(claim);
  }
  if (std::all_of(data.begin(), data.end(), [](const Claim& c) { return c.weight == 0; })) {
    for (Claim& claim : data) claim.weight = 1;
  }
  divide(pools[0].paid, data);

  std::vector<Claim> verify;
  for (const HospitalId miner : round.miners) {
    const auto attested = round.attests.find(miner);
    if (attested == round.attests.end()) continue;
    Claim claim{miner, 0, 0};
    for (const HospitalId hospital : attested->second) {
      for (const auto& member : round.set) claim.weight += member.hospital == hospital ? 1U : 0U;
    }
    verify.push_back(claim);
  }
  divide(pools[1].paid, verify);

  Account account;
  book_all(data, account);
  book_all(verify, account);
  account[round.packer] += pools[2].paid;
  std::erase_if(account, [](const auto& entry) { return entry.second == 0; });
  return account;
}

auto without_zeros(Account account) -> Account {
  std::erase_if(account, [](const auto& entry) { return entry.second == 0; });
  return account;
}

__extension__ using Wide = unsigned __int128;

/// Is `rho` the smallest whole number of micro-ρ above 10⁶·Δ₂²/2hσ²? By products, where the rule
/// divides.
auto is_cost(std::uint64_t rho, const RoundRecord& round, std::uint64_t square) -> bool {
  const Wide below = Wide{2} * round.policy.honest_min * round.open.noise_sigma2;
  const Wide above = Wide{square} * 1'000'000;
  return rho != 0 && (rho - 1) * below <= above && above < rho * below;
}

/// Every hospital's spent ρ again, round by round, from what the openings say.
auto verify_privacy(const Ledger& ledger, const std::string& file) -> Result<void> {
  const auto differs = [&file](const std::string& where) {
    return fail("privacy_differs", file + ", " + where,
                "The privacy spent is not what the rounds' openings give.");
  };
  std::map<HospitalId, std::array<std::uint64_t, 4>> spent;
  std::map<HospitalId, std::array<std::uint64_t, 2>> asked;
  for (const auto& [id, round] : ledger.rounds()) {
    const std::string place = "round " + std::to_string(id.value);
    const std::size_t purpose = static_cast<std::size_t>(round.open.purpose) - 1;
    const std::uint64_t budget = round.policy.rho_budget_micro.at(purpose);
    const bool asks = round.open.purpose == sealing::Purpose::metrics ||
                      round.open.purpose == sealing::Purpose::council;
    if (round.open.noise_sigma2 == 0) {
      if (round.rho_micro != 0 || !round.charged.empty() || budget != 0) return differs(place);
      if (asks &&
          round.policy.menus.at(purpose - 2) != menu_digest(round.open.purpose, round.open.plan))
        return differs(place);
      continue;
    }
    if (asks) {
      std::uint64_t& sum = asked[round.opener].at(purpose - 2);
      sum += round.rho_micro;
      if (sum > round.policy.rho_asker_micro.at(purpose - 2)) return differs(place);
    }
    CONSILIUM_TRY(const auto square,
                  sealing::sensitivity_squared(round.open.clip_l2, round.open.length));
    if (!is_cost(round.rho_micro, round, square)) return differs(place);
    for (const auto& member : round.set) {
      if (!std::binary_search(round.charged.begin(), round.charged.end(), member.hospital))
        return differs(place);
    }
    for (const HospitalId hospital : round.charged) {
      std::uint64_t& sum = spent[hospital].at(purpose);
      sum += round.rho_micro;
      if (budget != 0 && sum > budget) return differs(place);
    }
  }
  for (const auto& [id, member] : ledger.members()) {
    if (spent[id] != member.rho_spent_micro || asked[id] != member.rho_asked_micro)
      return differs("member " + member.info.name);
  }
  return {};
}

/// Every audit again: its positions from the hash of its block, and nobody blamed but by t equal
/// findings of miners who were answered by t.
auto verify_audits(const Ledger& ledger, const std::string& file) -> Result<void> {
  for (const auto& [id, round] : ledger.rounds()) {
    const auto differs = [&] {
      return fail("audit_differs", file + ", round " + std::to_string(id.value),
                  "The round's audit or blame is not what its records give.");
    };
    if (!round.audit) {
      if (!round.blamed.empty()) return differs();
      continue;
    }
    const std::size_t needed =
        sealing::committee_of(static_cast<std::uint16_t>(round.miners.size())).threshold;
    CONSILIUM_TRY(
        const auto positions,
        sealing::audit_positions(ledger.parameters_of(round),
                                 ledger.block_hash(round.audit->fixed_at), round.audit->failure));
    const bool picked = positions.digest() == round.audit->positions.digest();
    std::size_t words = 0;
    for (const auto& [miner, word] : round.failure_words)
      words += word.failure == round.audit->failure ? 1U : 0U;
    std::size_t findings = 0;
    for (const auto& [miner, blamed] : round.audit->now().findings)
      findings += blamed == round.blamed ? 1U : 0U;
    const bool named = round.blamed.empty() ||
                       (findings >= needed && round.audit->now().answers.size() >= needed &&
                        round.rewards.empty());
    if (!picked || words < needed || !named) return differs();
  }
  return {};
}

}  // namespace

auto verify_ledger(const std::filesystem::path& file) -> Result<VerifyReport> {
  CONSILIUM_TRY(LedgerStore store, LedgerStore::open_read_only(file, Replay::everything));
  const Ledger& ledger = store.ledger();
  if (ledger.recomputed_digest() != ledger.digest())
    return fail("database_damaged", file.string(), "The state's records do not give its digest.");

  VerifyReport report;
  report.height = ledger.height();
  report.state_digest = ledger.digest();
  CONSILIUM_TRY(const Height first, store.first_height());
  report.blocks = ledger.height().value + 1 - first.value;
  for (Height at = first; at <= ledger.height(); ++at.value) {
    CONSILIUM_TRY(const Block block, store.block_at(at));
    report.transactions += block.transactions.size();
  }

  Account recomputed;
  for (const auto& [id, round] : ledger.rounds()) {
    const bool pays =
        round.state == RoundState::accepted && round.open.purpose == sealing::Purpose::update;
    const Account credits = pays ? credits_of(round) : Account{};
    if (credits != without_zeros(round.rewards))
      return fail("credits_differ", file.string() + ", round " + std::to_string(id.value),
                  "The round's rewards are not what its records give.");
    for (const auto& [member, amount] : credits) recomputed[member] += amount;
  }
  for (const auto& [id, member] : ledger.members()) {
    const auto found = recomputed.find(id);
    const std::uint64_t credits = found == recomputed.end() ? 0 : found->second;
    if (credits != member.credits)
      return fail("credits_differ", file.string() + ", member " + member.info.name,
                  "The member's credits are not the sum of its rewards.");
    report.credits += credits;
    report.credits_by_member[member.info.name] += credits;
  }
  CONSILIUM_CHECK(verify_privacy(ledger, file.string()));
  CONSILIUM_CHECK(verify_audits(ledger, file.string()));
  CONSILIUM_CHECK(store.close());
  return report;
}

}  // namespace consilium::ledger
