// The account on the ledger: what a noisy round costs, and where it ends (sealing-spec §10).

#include "consilium/sealing/privacy_account.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

using sealing::Purpose;

constexpr std::uint64_t sigma2 = 3400 * 3400;
constexpr std::uint64_t norm = 3000;

auto policy_with(std::uint64_t budget_micro) -> Policy {
  Policy policy = short_policy();
  policy.rho_budget_micro[0] = budget_micro;
  return policy;
}

auto cost_of_a_round() -> std::uint64_t {
  return sealing::noisy_round(sigma2, norm, 40, 32767, 3)->rho_micro;
}

TEST(Privacy, a_budget_is_charged_to_every_hospital_and_stops_the_rounds_hard) {
  const std::uint64_t cost = cost_of_a_round();
  EXPECT_EQ(cost, 130'191U);
  Consortium c({4, policy_with(3 * cost + cost / 2)});
  c.noise_sigma2 = sigma2;
  c.clip_l2 = norm;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    // A round that is rolled back has cost as much as one that is accepted.
    c.run_to_opened();
    EXPECT_EQ(c.round().rho_micro, cost);
    EXPECT_EQ(c.round().charged, c.hospitals);
    c.vote(round == 2 ? 4 : 0);
    if (round != 2) c.post_models(digest_of("model " + std::to_string(round)));
    for (const auto& [member, record] : c.ledger.members())
      EXPECT_EQ(record.rho_spent_micro, (std::array<std::uint64_t, 4>{round * cost, 0, 0, 0}));
  }
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "budget_spent");
  // Another purpose has its own budget: none here, so no noise and no limit.
  c.noise_sigma2 = c.clip_l2 = 0;
  EXPECT_EQ(c.send_as(id(1), c.open_body(Purpose::statistics)), "ok");
}

TEST(Privacy, a_round_that_is_aborted_is_paid_for_too) {
  Consortium c({4, policy_with(2 * cost_of_a_round())});
  c.noise_sigma2 = sigma2;
  c.clip_l2 = norm;
  for (int times = 0; times < 2; ++times) {
    c.open();
    while (c.state() == "sealing" || c.state() == "attesting") {
      c.pass_deadline();
      c.block();
      if (c.ledger.check(c.make(id(2), Abort{c.round().id}))) {
        ASSERT_EQ(c.send_as(id(2), Abort{c.round().id}), "ok");
      }
    }
    EXPECT_EQ(c.state(), "aborted");
  }
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "budget_spent");
}

TEST(Privacy, a_purpose_with_a_budget_opens_no_round_without_noise) {
  Consortium c({4, policy_with(1'000'000)});
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "noise_missing");
  c.clip_l2 = norm;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "bad_noise");
  c.noise_sigma2 = 15;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "bad_noise");
  c.noise_sigma2 = std::uint64_t{3641} * 3641;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "no_headroom");
  c.noise_sigma2 = sigma2;
  c.clip_l2 = 32767 - 9 * 3400;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "bad_noise");
  c.clip_l2 = norm;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "ok");
}

TEST(Privacy, noise_stays_as_it_was_when_the_first_set_of_a_base_froze) {
  Consortium c;
  c.noise_sigma2 = sigma2;
  c.clip_l2 = norm;
  c.run_to_opened();
  c.vote(4);
  ASSERT_EQ(c.state(), "rolled_back");
  c.clip_l2 = norm + 1;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "set_forbidden");
  c.clip_l2 = norm;
  c.noise_sigma2 = sigma2 - 1;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "set_forbidden");
  c.noise_sigma2 = sigma2;
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "ok");
}

TEST(Privacy, noise_without_a_budget_is_counted_and_not_limited) {
  Consortium c;
  c.noise_sigma2 = 16;
  c.clip_l2 = 40'000;
  c.open();
  const std::uint64_t cost = c.round().rho_micro;
  EXPECT_GT(cost, 1'000'000'000'000U);
  EXPECT_EQ(c.ledger.members().at(id(3)).rho_spent_micro[0], cost);
}

TEST(Privacy, figures_travel_only_when_there_are_some) {
  Consortium c;
  const auto bytes_of = [&c](const OpenRound& open) { return c.make(id(1), open).encode(); };
  OpenRound open = c.open_body();
  const std::size_t plain = bytes_of(open).size();
  open.noise_sigma2 = sigma2;
  open.clip_l2 = norm;
  const Bytes noisy = bytes_of(open);
  // The marker makes hospitals_max five bytes; then come σ², the norm and the unit.
  EXPECT_EQ(noisy.size(), plain + 4 + 4 + 2 + 1);
  const auto back = Transaction::decode(noisy);
  ASSERT_TRUE(back);
  const auto& body = std::get<OpenRound>(back->body);
  EXPECT_EQ(body.noise_sigma2, sigma2);
  EXPECT_EQ(body.clip_l2, norm);
  EXPECT_EQ(body.unit, PrivacyUnit::hospital);
  EXPECT_EQ(body.hospitals_max, open.hospitals_max);
  EXPECT_EQ(back->encode(), noisy);

  Genesis genesis = c.ledger.genesis();
  const std::size_t before = genesis.encode().size();
  const Digest name = genesis.consortium();
  genesis.policy.rho_budget_micro = {5, 0, 0, 7};
  EXPECT_EQ(genesis.encode().size(), before + 32);
  EXPECT_NE(genesis.consortium(), name);
  const auto again = Genesis::decode(genesis.encode());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->policy, genesis.policy);
  // Marked as following, and then all zero: a second spelling of the same value.
  Bytes spelled = genesis.encode();
  const Bytes figures{5, 0, 0, 0, 0, 0, 0, 0};
  const auto at = std::search(spelled.begin(), spelled.end(), figures.begin(), figures.end());
  ASSERT_NE(at, spelled.end());
  *at = 0;
  *(at + 24) = 0;
  EXPECT_EQ(code(Genesis::decode(spelled)), "bad_encoding");
  genesis.policy.rho_budget_micro = {1'000'000'001, 0, 0, 0};
  EXPECT_EQ(code(check_genesis(genesis)), "bad_policy");
}

}  // namespace
}  // namespace consilium::ledger::test
