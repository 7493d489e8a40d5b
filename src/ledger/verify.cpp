// The auditor's way: everything again from the blocks, and every credit and every audit by
// computations of their own.

#include <algorithm>
#include <vector>

#include "consilium/ledger/statement.hpp"
#include "consilium/ledger/store.hpp"
#include "consilium/sealing/privacy_account.hpp"

namespace consilium::ledger {
namespace {

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

  auto accounts = credit_statements(ledger);
  if (!accounts) {
    Error error = std::move(accounts.error());
    error.place = file.string() + ", " + error.place;
    return tl::unexpected(std::move(error));
  }
  for (const auto& [id, account] : *accounts) {
    report.credits += account.balance;
    report.credits_withheld += account.withheld;
    report.credits_by_member[ledger.members().at(id).info.name] +=
        account.balance - account.withheld;
  }
  CONSILIUM_CHECK(verify_privacy(ledger, file.string()));
  CONSILIUM_CHECK(verify_audits(ledger, file.string()));
  CONSILIUM_CHECK(store.close());
  return report;
}

}  // namespace consilium::ledger
