// Attacks on opened sums themselves: each subtracts two of them. Every one wins where its guard is
// taken away and loses where it stands (sealing-spec §4, §8.1, §11).

#include <cmath>

#include <gtest/gtest.h>

#include "consilium/federation/opened_counts.hpp"
#include "consilium/sealing/privacy_account.hpp"

#include "consortium.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;
using sealing::Purpose;
using Values = std::vector<std::int64_t>;

auto minus(const Values& a, const Values& b) -> Values {
  Values out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(a[i] - b[i]);
  return out;
}

/// The sum of what the hospitals would seal of all their present cases: what a ledger and nodes
/// without any of the guards below would open.
template <typename Part>
auto unguarded_sum(Consortium& c, std::span<const std::size_t> members, Part part) -> Values {
  Values sum;
  for (const std::size_t m : members) {
    const Values own = part(c.members[m]);
    sum.resize(own.size());
    for (std::size_t i = 0; i < own.size(); ++i) sum[i] += own[i];
  }
  return sum;
}

auto statistics_of(Consortium::Member& m) -> Values {
  return *m.cases->statistics({}, *m.cases->marks(CaseUse::training), 0);
}

constexpr std::array<std::size_t, 4> everybody{0, 1, 2, 3};

/// Ends the epoch for the ledger: a released alignment of nobody's patterns.
void new_epoch(Consortium& c) {
  ledger::AlignmentRecord record;
  record.epoch = c.state().data_epoch() + 1;
  record.session.fill(static_cast<std::uint8_t>(record.epoch));
  record.schema = c.state().schema();
  record.cells = 1U << 24U;
  record.threshold = 3;
  record.cap = 64;
  record.members = c.state().hospitals();
  record.slots = {c.members[0].id, c.members[1].id, c.members[2].id};
  if (!c.state().alignments().empty())
    record.previous = c.state().alignments().back().record.digest();
  ASSERT_TRUE(c.post(0, ledger::OpenAlignment{record}));
  const auto publish = [&](std::size_t who, auto kind) {
    const auto verdict = c.post(who, ledger::PublishAlignment{record.session, 1, kind});
    ASSERT_TRUE(verdict) << verdict.error().message();
  };
  for (std::size_t slot = 0; slot < 3; ++slot) {
    ledger::AlignKeys keys;
    keys.key.fill(static_cast<std::uint8_t>(slot + 1));
    publish(slot, keys);
  }
  for (std::size_t h = 0; h < c.members.size(); ++h) publish(h, ledger::AlignCommit{});
  for (std::size_t slot = 0; slot < 3; ++slot) publish(slot, ledger::AlignAck{record.members});
  publish(0, ledger::AlignFix{});
  for (std::size_t slot = 0; slot < 3; ++slot) publish(slot, ledger::AlignReceipt{});
  c.end_block();
  ASSERT_EQ(c.state().data_epoch(), record.epoch);
}

auto opened(Consortium& c, const ledger::OpenRound& open) -> Values {
  const auto verdict = c.open(open);
  EXPECT_TRUE(verdict) << verdict.error().message();
  if (!verdict) return {};
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_EQ(round.state, RoundState::accepted) << round.reason;
  const auto sum = opened_counts(*c.members[0].storage, round.id);
  EXPECT_TRUE(sum && *sum);
  return sum && *sum ? **sum : Values{};
}

TEST(Attack6, the_same_data_under_two_purposes_gives_one_hospital) {
  Consortium c(4);
  const std::array<std::size_t, 3> without_last{0, 1, 2};
  // Guard off: a name of its own is a family of its own, so the second sum may be over U∖{4}.
  const Values first = unguarded_sum(c, everybody, statistics_of);
  const Values second = unguarded_sum(c, without_last, statistics_of);
  EXPECT_EQ(minus(first, second), statistics_of(c.members[3]));

  // Guard on: other names do not exist, and what is counted under a known one is a voted menu.
  const Values exact = opened(c, statistics_round(c.state(), c.state().schema(), 1));
  EXPECT_EQ(exact, first);
  c.members[3].away = true;
  auto again = statistics_round(c.state(), c.state().schema(), 1);
  for (const int name : {5, 6, 99}) {
    again.purpose = static_cast<Purpose>(name);
    const auto verdict = c.open(again);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, "bad_purpose");
  }
  for (const Purpose purpose : {Purpose::metrics, Purpose::council}) {
    again.purpose = purpose;
    again.base = sealing::no_model_base(
        sealing::stream_id(c.state().consortium(), purpose, c.state().data_epoch()));
    const auto verdict = c.open(again);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, "not_the_menu");
  }
  const auto verdict = c.open(statistics_round(c.state(), c.state().schema(), 1));
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, "epoch_used");
}

TEST(Attack7, statistics_before_and_after_one_case_changed_give_that_case) {
  Consortium c(4);
  const Values clear_before = unguarded_sum(c, everybody, statistics_of);
  const Values before = opened(c, statistics_round(c.state(), c.state().schema(), 1));
  ASSERT_EQ(before, clear_before);
  auto& cases = c.members[2].cases->train;
  const std::int64_t old_age = cases[4].age;
  cases[4].age = 77;
  new_epoch(c);

  // Guard off: the patient's new age stands in the difference of two sums over four hospitals.
  const Values difference = minus(unguarded_sum(c, everybody, statistics_of), before);
  EXPECT_EQ(difference, (Values{0, 77 - old_age, 77 * 77 - old_age * old_age}));

  // Guard on: the same integers until ten of the hospital's cases changed.
  EXPECT_EQ(opened(c, statistics_round(c.state(), c.state().schema(), 1)), before);
  for (std::size_t i = 5; i < 13; ++i) cases[i].age = 78;
  new_epoch(c);
  EXPECT_EQ(opened(c, statistics_round(c.state(), c.state().schema(), 1)), before);
  cases[13].age = 78;
  new_epoch(c);
  EXPECT_EQ(opened(c, statistics_round(c.state(), c.state().schema(), 1)),
            unguarded_sum(c, everybody, statistics_of));
}

TEST(Attack7, the_rule_outlives_a_crash_and_the_old_version_of_the_case) {
  Consortium c(4);
  const Values before = opened(c, statistics_round(c.state(), c.state().schema(), 1));
  for (auto& m : c.members) {
    m.cases->train[1].age += 3;
    m.cases->forget();
  }
  for (std::size_t m = 0; m < c.members.size(); ++m) c.restart(m);
  new_epoch(c);
  EXPECT_EQ(opened(c, statistics_round(c.state(), c.state().schema(), 1)), before);
}

/// Both updates that hospital `m` seals on the base of the last round: before and after one of its
/// cases changed. With `guarded` as its node does it, else by training on what is there.
struct TwoUpdates {
  Values first, second;
};
auto rerun(bool guarded) -> TwoUpdates {
  Consortium c(4);
  auto& m = c.members[1];
  const auto plan = c.plan();
  const auto base = initial_model(plan.shape, plan.model_seed);
  const sealing::Quantisation q{2, 32767, 1024};
  const auto seal_of = [&]() -> Values {
    auto marks = *m.cases->marks(CaseUse::training);
    if (guarded)
      marks = freeze_cases(*m.storage, Purpose::update, base.digest(), std::move(marks), 10)->cases;
    return *local_update(base, plan, **m.cases->training(plan, marks), q, m.training_seed);
  };
  TwoUpdates out;
  out.first = seal_of();
  m.cases->train[3].at = {5, 5, 5};
  out.second = seal_of();
  return out;
}

TEST(Attack8, a_rerun_on_the_same_base_shows_what_one_changed_case_does) {
  // Same seed, same bytes: whatever differs is the changed case, all other hospitals cancel out.
  const auto off = rerun(false);
  EXPECT_NE(minus(off.first, off.second), Values(off.first.size(), 0));
  const auto on = rerun(true);
  EXPECT_EQ(on.first, on.second);
  EXPECT_EQ(on.first, off.first);
}

TEST(Attack8, whole_rounds_seal_from_the_same_cases_until_ten_of_them_changed) {
  // The round is rolled back every time by votes, so that the base stays and is sealed on again.
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  for (std::size_t i = 1; i < 4; ++i) c.members[i].cases->poison();
  auto plan = c.plan();
  plan.training.local_steps = 400;
  const auto roll_back_another = [&c, &plan] {
    ASSERT_TRUE(c.open_update(plan));
    ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::rolled_back);
  };
  const auto sealed_from = [&c] {
    return FrozenCases::decode(c.members[0].storage->records.at("frozen/update"))->cases;
  };
  roll_back_another();
  const auto first = sealed_from();
  auto& train = c.members[0].cases->train;
  for (std::size_t i = 0; i < 9; ++i) train[i].at = {9, 9, 9};
  c.restart(0);
  roll_back_another();
  EXPECT_EQ(sealed_from(), first);
  // A raised run renews the training seed of everybody, and no hospital's cases.
  ++plan.run;
  roll_back_another();
  EXPECT_EQ(sealed_from(), first);
  train[9].at = {9, 9, 9};
  roll_back_another();
  EXPECT_NE(sealed_from(), first);
}

TEST(Attack8, a_hospital_that_lost_the_old_version_leaves_the_round_to_the_others) {
  Consortium c(4);
  c.members[1].away = c.members[2].away = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::aborted);
  c.members[1].away = c.members[2].away = false;
  c.members[0].cases->train[0].at = {9, 9, 9};
  c.members[0].cases->forget();
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 3U);
  EXPECT_FALSE(round.manifests.contains(c.members[0].id));
}

TEST(Attack14, a_negative_weight_scales_the_mean_and_is_refused_by_everybody) {
  // Ten hospitals, u = −4.4 against nine of 0.5: Σu = 0.1. Without the range test the mean is what
  // the nine say, 45-fold.
  const learning::ModelShape shape{1, {}, 2};
  const learning::Model base(shape);
  const sealing::Quantisation q{2, 32767, 1024};
  const double unit = 32767;
  Values sum(base.parameters().size() + sealing::update_header, 0);
  sum[0] = std::llround(0.1 * unit);
  for (std::size_t i = sealing::update_header; i < sum.size(); ++i)
    sum[i] = std::llround(9 * 0.5 * 0.5 * unit);  // each says 0.5 of the clip
  const double without_guard = 2.0 * static_cast<double>(sum[2]) / static_cast<double>(sum[0]);
  EXPECT_GT(without_guard / (2.0 * 0.5), 44);
  const auto candidate = candidate_of(base, sum, 10, q);
  ASSERT_FALSE(candidate);
  EXPECT_EQ(candidate.error().code, "sum_out_of_range");
  // The same values under honest weights pass.
  sum[0] = std::llround(9 * 0.5 * unit);
  EXPECT_TRUE(candidate_of(base, sum, 10, q));
}

// --- attack 18
// ----------------------------------------------------------------------------------------------

auto question(std::uint8_t age, const ledger::Policy& policy) -> CouncilPlan {
  return {Digest{{9}}, 2, 2, {age}, policy.cases_max, policy.small_cell};
}

/// One patient of 97 at hospital 3, and nobody else above 79.
void add_one_old_patient(Consortium& c) {
  c.members[2].cases->train[0].age = 97;
  c.members[2].cases->train[0].disease = 1;
}

auto council_of(std::uint8_t age) {
  return [age](Consortium::Member& m) -> Values {
    return *m.cases->council(question(age, {}), *m.cases->marks(CaseUse::council));
  };
}

TEST(Attack18, two_near_equal_questions_differ_by_one_patient) {
  Consortium c(4);
  add_one_old_patient(c);
  // Guard off, exact answers: whoever knows of a patient of 97 reads the diagnosis.
  const Values all = unguarded_sum(c, everybody, council_of(97));
  const Values older = unguarded_sum(c, everybody, council_of(98));
  EXPECT_EQ(minus(all, older), (Values{0, 0, 0, 1}));

  // Guard on: neither is the menu, so neither is answered without noise.
  for (const std::uint8_t age : {std::uint8_t{97}, std::uint8_t{98}}) {
    const auto verdict = c.open(council_round(c.state(), question(age, c.state().policy())));
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, "not_the_menu");
  }
}

TEST(Attack18, with_noise_the_difference_says_nothing_and_the_budget_ends) {
  const RoundNoise noise{.sigma2 = 400 * 400, .clip_l2 = 300};
  const auto cost =
      sealing::noisy_round(noise.sigma2, noise.clip_l2, 4, 8'388'607, 3, sealing::Contents::counts)
          ->rho_micro;
  ledger::Policy policy;
  policy.rho_asker_micro[1] = 4 * cost;
  Consortium c(4, ledger::Topology::committee, policy);
  add_one_old_patient(c);
  std::vector<std::int64_t> seen;
  for (int times = 0; times < 2; ++times) {
    const Values all = opened(c, council_round(c.state(), question(97, c.state().policy()), noise));
    const Values older =
        opened(c, council_round(c.state(), question(98, c.state().policy()), noise));
    for (const std::int64_t d : minus(all, older)) seen.push_back(std::abs(d));
  }
  // Eight differences of two sums with deviation 800 each: the one patient is lost in them. All of
  // them below 30 has a chance under 10⁻¹².
  EXPECT_GT(*std::max_element(seen.begin(), seen.end()), 30);
  const auto verdict = c.open(council_round(c.state(), question(97, c.state().policy()), noise));
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, "budget_spent");
}

TEST(Attack18, the_menu_itself_is_answered_from_the_same_cases_in_every_epoch) {
  ledger::Policy policy;
  const CouncilPlan menu{Digest{{9}}, 2, 2, {}, policy.cases_max, policy.small_cell};
  policy.menus[1] = ledger::menu_digest(Purpose::council, menu.encode());
  Consortium c(4, ledger::Topology::committee, policy);
  const Values before = opened(c, council_round(c.state(), menu));
  EXPECT_FALSE(c.open(council_round(c.state(), menu)));
  // One patient dies of what was a suspicion; the next epoch's answer does not tell.
  auto& patient = c.members[1].cases->train[7];
  patient.disease = 1 - patient.disease;
  new_epoch(c);
  EXPECT_EQ(opened(c, council_round(c.state(), menu)), before);
  EXPECT_NE(unguarded_sum(c, everybody,
                          [&](Consortium::Member& m) {
                            return *m.cases->council(menu, *m.cases->marks(CaseUse::council));
                          }),
            before);
}

}  // namespace
}  // namespace consilium::federation::testing
