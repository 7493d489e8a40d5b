// One way in and out for every purpose: whole rounds with real sealing (sealing-spec §11).

#include <cmath>

#include <gtest/gtest.h>

#include "consilium/federation/clips.hpp"
#include "consilium/federation/opened_counts.hpp"
#include "consilium/sealing/privacy_account.hpp"

#include "consortium.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;
using sealing::Purpose;

auto metrics_plan(const ledger::Policy& policy) -> MetricsPlan {
  return {2, 5, 10, policy.cases_max, policy.small_cell};
}

auto council_plan(const ledger::Policy& policy, Bytes question = {}) -> CouncilPlan {
  return {Digest{{9}}, 2, 2, std::move(question), policy.cases_max, policy.small_cell};
}

auto policy_with_menus() -> ledger::Policy {
  ledger::Policy policy;
  policy.menus = {ledger::menu_digest(Purpose::metrics, metrics_plan(policy).encode()),
                  ledger::menu_digest(Purpose::council, council_plan(policy).encode())};
  policy.rho_asker_micro = {1'000'000'000, 1'000'000'000};
  return policy;
}

auto sum_at(Consortium& c, std::size_t member, RoundId round) -> std::vector<std::int64_t> {
  const auto sum = opened_counts(*c.members[member].storage, round);
  EXPECT_TRUE(sum && *sum);
  return sum && *sum ? **sum : std::vector<std::int64_t>{};
}

/// Opens, runs to its end, and gives the sum that all members read alike.
auto asked(Consortium& c, const ledger::OpenRound& open) -> std::vector<std::int64_t> {
  const auto verdict = c.open(open);
  EXPECT_TRUE(verdict) << verdict.error().message();
  if (!verdict) return {};
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_EQ(round.state, RoundState::accepted) << round.reason;
  for (const auto& remark : c.remarks) ADD_FAILURE() << remark;
  EXPECT_FALSE(c.stopped) << c.stopped->message();
  const auto sum = sum_at(c, 0, round.id);
  for (std::size_t m = 1; m < c.members.size(); ++m) EXPECT_EQ(sum_at(c, m, round.id), sum);
  return sum;
}

TEST(Primitive, metrics_open_as_the_sum_of_the_figures_in_the_clear) {
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  const auto plan = metrics_plan(c.state().policy());
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  const auto sum = asked(c, metrics_round(c.state(), plan));

  const auto value_max = count_bounds_of(c.last_round())->value_max;
  std::vector<std::int64_t> clear(plan.length(), 0);
  const auto& model = *c.members[0].participant->model();
  for (auto& m : c.members) {
    const auto* examples = *held_back_now(*m.cases, c.plan());
    const auto part = metrics_vector(plan, model.predict(learning::batch_of(*examples)),
                                     examples->disease, value_max, plan.small_cell);
    for (std::size_t i = 0; i < clear.size(); ++i) clear[i] += (*part)[i];
  }
  EXPECT_EQ(sum, clear);
  EXPECT_EQ(read_metrics(plan, sum, 4, value_max, false)->cases, 160);
}

TEST(Primitive, a_metrics_round_before_any_model_is_left_unanswered) {
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  ASSERT_TRUE(c.open(metrics_round(c.state(), metrics_plan(c.state().policy()))));
  EXPECT_EQ(c.run_round(c.last_round().id).state, RoundState::aborted);
  EXPECT_FALSE(c.stopped);
  ASSERT_FALSE(c.remarks.empty());
  EXPECT_NE(c.remarks.front().find("stale_context"), std::string::npos) << c.remarks.front();
}

TEST(Primitive, council_counts_open_as_sums_without_small_cells) {
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  // At the first hospital seven ill patients are left: they may not show.
  auto& train = c.members[0].cases->train;
  std::size_t ill = 0;
  std::erase_if(train, [&](const auto& one) { return one.disease == 1 && ++ill > 7; });
  const auto plan = council_plan(c.state().policy());
  const auto sum = asked(c, council_round(c.state(), plan));
  std::vector<std::int64_t> clear(4, 0);
  for (auto& m : c.members) {
    const auto counts = *m.cases->council(plan, *m.cases->marks(CaseUse::council));
    for (std::size_t i = 0; i < 4; ++i) clear[i] += counts[i] < 10 ? 0 : counts[i];
  }
  EXPECT_EQ(sum, clear);
}

TEST(Primitive, a_plan_below_the_policy_is_answered_by_nobody) {
  // The opener's own word on small cells and bounds does not count.
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  const auto unanswered = [&c](ledger::OpenRound open) {
    c.remarks.clear();
    ASSERT_TRUE(c.open(open));
    EXPECT_EQ(c.run_round(c.last_round().id).state, RoundState::aborted);
    EXPECT_TRUE(c.last_round().manifests.empty());
    ASSERT_FALSE(c.remarks.empty());
    EXPECT_NE(c.remarks.front().find("stale_context"), std::string::npos) << c.remarks.front();
  };
  auto open = statistics_round(c.state(), c.state().schema(), 1);
  const auto& policy = c.state().policy();
  open.plan = StatisticsPlan{c.state().schema(), policy.cases_max, 1}.encode();
  unanswered(open);
  open.plan = StatisticsPlan{c.state().schema(), policy.cases_max + 1, 10}.encode();
  unanswered(open);
}

TEST(Primitive, every_purpose_carries_noise_and_pays_for_it) {
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  const RoundNoise of_sums{.sigma2 = 30'000 * 30'000, .clip_l2 = 500'000};
  const RoundNoise of_counts{.sigma2 = 1600, .clip_l2 = 300};
  const std::vector<ledger::OpenRound> rounds{
      statistics_round(c.state(), c.state().schema(), 1, of_sums),
      metrics_round(c.state(), metrics_plan(c.state().policy()), of_sums),
      council_round(c.state(), council_plan(c.state().policy()), of_counts)};
  for (const auto& open : rounds) {
    const auto sum = asked(c, open);
    ASSERT_EQ(sum.size(), open.length);
    EXPECT_GT(c.last_round().rho_micro, 0U);
    const auto purpose = static_cast<std::size_t>(open.purpose) - 1;
    EXPECT_EQ(c.state().members().at(c.members[2].id).rho_spent_micro.at(purpose),
              c.last_round().rho_micro);
  }
  // Four hospitals' noise of deviation 40 each, on counts that nobody suppressed: near the counts
  // in the clear, and not they themselves.
  std::vector<std::int64_t> clear(4, 0);
  for (auto& m : c.members) {
    const auto counts = *m.cases->council(council_plan({}), *m.cases->marks(CaseUse::council));
    for (std::size_t i = 0; i < 4; ++i) clear[i] += counts[i];
  }
  const auto noisy = sum_at(c, 0, c.last_round().id);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_LT(std::abs(noisy[i] - clear[i]), 9 * 80);
  EXPECT_NE(noisy, clear);
}

TEST(Primitive, counts_above_the_clip_are_shrunk_before_noise_and_not_refused) {
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  const RoundNoise noise{.sigma2 = 16, .clip_l2 = 20};
  const auto sum = asked(c, council_round(c.state(), council_plan(c.state().policy()), noise));
  double squares = 0;
  for (const std::int64_t n : sum) squares += static_cast<double>(n) * static_cast<double>(n);
  // Four vectors of norm 20 at most, with noise of deviation 8 in all on four coordinates.
  EXPECT_LT(std::sqrt(squares), 4 * 20 + 9 * 8 * 2);
  EXPECT_GT(std::sqrt(squares), 20);
}

TEST(Primitive, is_killed_after_every_block_and_opens_the_same_sum) {
  Consortium undisturbed(4, ledger::Topology::committee, policy_with_menus());
  const auto sum = asked(
      undisturbed, council_round(undisturbed.state(), council_plan(undisturbed.state().policy())));
  Consortium c(4, ledger::Topology::committee, policy_with_menus());
  ASSERT_TRUE(c.open(council_round(c.state(), council_plan(c.state().policy()))));
  const auto id = c.last_round().id;
  for (int i = 0; i < 200 && c.last_round().state != RoundState::accepted; ++i) {
    c.tick();
    for (std::size_t m = 0; m < c.members.size(); ++m) c.restart(m);
  }
  c.tick();
  EXPECT_EQ(sum_at(c, 3, id), sum);
}

// --- clips by tensor group
// ----------------------------------------------------------------------------------------------

TEST(ClipGroups, are_the_weights_and_biases_of_each_layer) {
  const learning::ModelShape shape{5, {4, 3}, 2};
  EXPECT_EQ(tensor_groups(shape), (std::vector<std::size_t>{20, 4, 12, 3, 6, 2}));
  std::size_t all = 0;
  for (const std::size_t count : tensor_groups(shape)) all += count;
  EXPECT_EQ(all, shape.parameter_count());
}

TEST(ClipGroups, are_halved_while_they_hold_twice_the_largest_change) {
  ledger::Policy policy;
  policy.clip_micro = 2'000'000;
  policy.clip_floor_micro = 1000;
  const learning::ModelShape shape{2, {}, 2};
  const learning::Model before(shape);
  const auto clips = [&](float weight, float bias) {
    learning::Model after = before;
    after.parameters()[1] = weight;
    after.parameters()[4] = bias;
    return clips_after(policy, before, after);
  };
  EXPECT_EQ(clips(0, 0), (std::vector<std::uint32_t>{1953, 1953}));  // 2·10⁶/2¹⁰: a half is below
  EXPECT_EQ(clips(0.25F, -0.25F), (std::vector<std::uint32_t>{500'000, 500'000}));
  EXPECT_EQ(clips(0.2501F, 0.1F), (std::vector<std::uint32_t>{1'000'000, 250'000}));
  EXPECT_EQ(clips(9, -9), (std::vector<std::uint32_t>{2'000'000, 2'000'000}));
  policy.clip_floor_micro = policy.clip_micro;
  EXPECT_EQ(clips(0, 0), (std::vector<std::uint32_t>{2'000'000, 2'000'000}));
}

TEST(ClipGroups, sealed_equals_clear_to_the_last_bit_and_clips_follow_the_sums) {
  ledger::Policy policy;
  policy.clip_floor_micro = 1000;
  Consortium c(4, ledger::Topology::committee, policy);
  std::vector<std::vector<std::uint32_t>> used;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(c.open_update(c.plan()));
    used.push_back(c.last_round().open.clips_micro);
    ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  }
  EXPECT_EQ(used[0], std::vector<std::uint32_t>(4, policy.clip_micro));
  EXPECT_NE(used[1], used[0]);
  EXPECT_TRUE(c.remarks.empty()) << c.remarks.front();
  std::vector<ClearHospital> hospitals;
  for (auto& m : c.members) hospitals.push_back({m.cases.get(), m.training_seed});
  const sealing::Quantisation q{static_cast<double>(policy.clip_micro) / 1e6,
                                sealing::scale_of(sealing::Suite::s30, 4)->value_max,
                                policy.weight_cap};
  const auto clear = clear_rounds(hospitals, c.plan(), q, 3, policy);
  ASSERT_TRUE(clear);
  EXPECT_EQ(c.state().models().back().model, clear->back().model.digest());
  const auto fixed = clear_rounds(hospitals, c.plan(), q, 3);
  EXPECT_NE(fixed->back().model.digest(), clear->back().model.digest());
}

TEST(ClipGroups, chosen_by_the_opener_are_sealed_by_nobody) {
  ledger::Policy policy;
  policy.clip_floor_micro = 1000;
  Consortium c(4, ledger::Topology::committee, policy);
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  auto clips = *clips_for(c.state(), c.state().policy(), c.plan(), c.state().models().back().model,
                          *c.members[0].storage);
  clips[0] = clips[0] == policy.clip_micro ? clips[0] / 2 : clips[0] * 2;
  ASSERT_TRUE(c.open(update_round(c.state(), c.plan(), {}, clips)));
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_EQ(round.state, RoundState::aborted);
  EXPECT_TRUE(round.manifests.empty());
  ASSERT_FALSE(c.remarks.empty());
  EXPECT_NE(c.remarks.front().find("stale_context"), std::string::npos) << c.remarks.front();
}

}  // namespace
}  // namespace consilium::federation::testing
