#include "consilium/sealing/quantise.hpp"

#include <cmath>
#include <limits>

#include "consilium/sealing/privacy_account.hpp"

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

const Quantisation rule{.clip = 0.5, .value_max = 32767, .weight_cap = 1000};

auto stream(std::uint64_t seed) -> SeededRandom {
  return {seed, "rounding"};
}

TEST(Quantise, gives_the_same_integers_from_the_same_stream) {
  std::vector<float> update(5000);
  SeededRandom values(1, "values");
  for (float& value : update) value = static_cast<float>(values.normal() * 0.2);
  SeededRandom first = stream(7);
  SeededRandom again = stream(7);
  SeededRandom other = stream(8);
  const auto a = must(quantise(update, 300, rule, first));
  EXPECT_EQ(a, must(quantise(update, 300, rule, again)));
  EXPECT_NE(a, must(quantise(update, 300, rule, other)));
  // One more value changes none of those before it.
  update.push_back(0.25F);
  SeededRandom longer = stream(7);
  const auto b = must(quantise(update, 300, rule, longer));
  EXPECT_TRUE(std::equal(a.begin() + 2, a.end(), b.begin() + 2));
}

TEST(Quantise, is_unbiased_and_never_off_by_a_whole_step) {
  // One value many times: the mean of its integers is the value itself.
  constexpr std::size_t times = 200'000;
  for (const float value : {0.1234567F, -0.4F, 0.00001F, -0.00001F, 0.0F}) {
    const std::vector<float> update(times, value);
    SeededRandom rounding = stream(21);
    const auto x = must(quantise(update, 1000, rule, rounding));
    ASSERT_EQ(x[0], 32767);
    const double exact = static_cast<double>(value) / rule.clip * 32767;
    double sum = 0;
    for (const std::int64_t integer : std::span(x).subspan(2)) {
      ASSERT_LT(std::abs(static_cast<double>(integer) - exact), 1.0);
      sum += static_cast<double>(integer);
    }
    // The deviation of one rounding is at most 1/2: five of them on the mean.
    EXPECT_NEAR(sum / times, exact, 5 * 0.5 / std::sqrt(times)) << value;
  }
}

TEST(Quantise, clips_and_counts) {
  const std::vector<float> update{0.5F, -0.5F, 0.6F, -7.0F, 0.0F, 3e38F};
  SeededRandom rounding = stream(3);
  const auto x = must(quantise(update, 5000, rule, rounding));
  EXPECT_EQ(x, (std::vector<std::int64_t>{32767, 3, 32767, -32767, 32767, -32767, 0, 32767}));
  // Half the weight halves everything, whoever has more samples than the cap counts as the cap.
  SeededRandom half = stream(3);
  const auto y = must(quantise(update, 500, rule, half));
  EXPECT_EQ(y[0], 16384);
  EXPECT_EQ(y[2], 16384);
  EXPECT_EQ(y[5], -16384);
}

TEST(Quantise, counts_no_more_clips_than_a_coordinate_holds) {
  const Quantisation small{.clip = 1, .value_max = 10, .weight_cap = 1};
  SeededRandom rounding = stream(4);
  EXPECT_EQ(must(quantise(std::vector<float>(50, 2.0F), 1, small, rounding))[1], 10);
}

TEST(Quantise, keeps_weight_and_values_together_within_the_l2_clip) {
  SeededRandom values(31, "values");
  for (int times = 0; times < 50; ++times) {
    std::vector<float> update(1 + values.below(3000));
    for (float& value : update) value = static_cast<float>(values.normal());
    const Quantisation q{
        .clip = 0.5, .value_max = 2000, .weight_cap = 1000, .clip_l2 = 2001 + values.below(40'000)};
    SeededRandom rounding = stream(values.u64());
    const auto x = must(quantise(update, 1 + values.below(2000), q, rounding));
    EXPECT_EQ(x[1], 0);  // a count of clips would be norm without use
    std::uint64_t squares = 0;
    for (const std::int64_t value : x) squares += static_cast<std::uint64_t>(value * value);
    ASSERT_LE(squares, must(sensitivity_squared(q.clip_l2, x.size())));
  }
  // Nothing shrinks that is within it, and a clip that the weight alone would break is refused.
  const std::vector<float> small(10, 0.01F);
  Quantisation loose{.clip = 0.5, .value_max = 2000, .weight_cap = 1000, .clip_l2 = 1'000'000};
  const Quantisation none{.clip = 0.5, .value_max = 2000, .weight_cap = 1000};
  SeededRandom a = stream(1);
  SeededRandom b = stream(1);
  EXPECT_EQ(must(quantise(small, 500, loose, a)), must(quantise(small, 500, none, b)));
  loose.clip_l2 = 2000;
  EXPECT_EQ(code_of(quantise(small, 500, loose, a)), "bad_value");
}

TEST(Mean, leaves_room_for_noise_where_the_rule_has_headroom) {
  const Quantisation q{
      .clip = 1, .value_max = 100, .weight_cap = 1, .clip_l2 = 200, .headroom = 40};
  const auto judge = [&q](std::vector<std::int64_t> sum) { return code_of(mean_of(sum, 3, q)); };
  EXPECT_EQ(judge({420, -120, 546}), "");
  EXPECT_EQ(judge({420, -120, 547}), "sum_out_of_range");
  EXPECT_EQ(judge({421, 0, 0}), "sum_out_of_range");
  EXPECT_EQ(judge({300, -121, 0}), "sum_out_of_range");
  EXPECT_EQ(judge({300, 421, 0}), "sum_out_of_range");
  EXPECT_EQ(judge({0, 0, 0}), "empty_weight");
  EXPECT_EQ(must(mean_of(std::vector<std::int64_t>{300, 33, 0}, 3, q)).clipped, 0);
}

TEST(Quantise, refuses_what_is_not_a_number) {
  SeededRandom rounding = stream(5);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    std::vector<float> update(100, 0.1F);
    update[99] = bad;
    EXPECT_EQ(code_of(quantise(update, 10, rule, rounding)), "bad_value");
  }
  const std::vector<float> good(3, 0.1F);
  EXPECT_EQ(code_of(quantise(good, 0, rule, rounding)), "empty_weight");
  for (const Quantisation& bad :
       {Quantisation{0, 10, 1}, Quantisation{-1, 10, 1}, Quantisation{1, 0, 1},
        Quantisation{1, 10, 0}, Quantisation{std::nan(""), 10, 1}}) {
    EXPECT_EQ(code_of(quantise(good, 1, bad, rounding)), "bad_value");
  }
}

TEST(Quantise, a_hospital_with_one_case_still_counts) {
  SeededRandom rounding = stream(6);
  const Quantisation wide{.clip = 1, .value_max = 100, .weight_cap = 1'000'000};
  EXPECT_EQ(must(quantise(std::vector<float>{0.5F}, 1, wide, rounding))[0], 1);
}

TEST(Mean, is_the_weighted_mean_of_the_updates) {
  SeededRandom random(9, "mean");
  const std::size_t length = 3000;
  const std::vector<std::uint64_t> samples{120, 900, 333, 1000};
  std::vector<double> exact(length, 0);
  double weight = 0;
  std::vector<std::vector<std::int64_t>> all;
  for (const std::uint64_t count : samples) {
    std::vector<float> update(length);
    for (float& value : update) value = static_cast<float>(random.normal() * 0.1);
    for (std::size_t at = 0; at < length; ++at) {
      const double kept = std::clamp(static_cast<double>(update[at]), -rule.clip, rule.clip);
      exact[at] += kept * static_cast<double>(count);
    }
    weight += static_cast<double>(count);
    all.push_back(must(quantise(update, count, rule, random)));
  }
  const Mean mean = must(mean_of(sum_of(all), samples.size(), rule));
  // Each hospital is off by less than one step, the weights by half a unit each.
  const double step = rule.clip / 32767;
  const double bound = step * 4 / (weight / 1000) + rule.clip * 4 * 0.5 / 32767;
  for (std::size_t at = 0; at < length; ++at) {
    ASSERT_NEAR(mean.update[at], exact[at] / weight, bound);
  }
  EXPECT_NEAR(mean.mean_weight, weight / 4000, 1e-4);
}

TEST(Mean, cannot_be_scaled_by_a_negative_weight) {
  // Attack 14: u = −4.4 beside nine honest u = 0.5 makes Σu = 0.1; the mean grows 45-fold.
  const Quantisation q{.clip = 1, .value_max = 32767, .weight_cap = 100};
  SeededRandom random(10, "attack 14");
  std::vector<std::vector<std::int64_t>> all;
  for (int hospital = 0; hospital < 9; ++hospital) {
    std::vector<float> update(100);
    for (std::size_t at = 0; at < update.size(); ++at) {
      update[at] = 0.3F + static_cast<float>(random.normal() * 0.01);
    }
    all.push_back(must(quantise(update, 50, q, random)));
  }
  const Mean honest = must(mean_of(sum_of(all), 9, q));
  EXPECT_NEAR(honest.update[0], 0.3F, 0.05F);

  std::vector<std::int64_t> attacker(102, 0);
  attacker[0] = std::llround(-4.4 * 32767);
  all.push_back(attacker);
  const auto sum = sum_of(all);
  // It passes every other test of the opened sum: the range of each coordinate, and 0 < Σu ≤
  // n·X_max …
  for (const std::int64_t value : sum) EXPECT_LE(std::abs(value), 10 * q.value_max);
  EXPECT_GT(sum[0], 0);
  EXPECT_LE(sum[0], 10 * q.value_max);
  // … and would win: this is the mean without the check.
  const double scaled = static_cast<double>(sum[2]) / static_cast<double>(sum[0]) * q.clip;
  EXPECT_GT(scaled, 40 * 0.3);
  EXPECT_EQ(code_of(mean_of(sum, 10, q)), "sum_out_of_range");
}

TEST(Mean, judges_weights_and_values) {
  const Quantisation q{.clip = 1, .value_max = 100, .weight_cap = 100};
  const auto judge = [&](std::vector<std::int64_t> sum) { return code_of(mean_of(sum, 3, q)); };
  EXPECT_EQ(judge({150, 0, 156, -156}), "");
  EXPECT_EQ(judge({150, 0, 157}), "sum_out_of_range");
  EXPECT_EQ(judge({150, 0, -157}), "sum_out_of_range");
  EXPECT_EQ(judge({300, 0, 1}), "");
  EXPECT_EQ(judge({301, 0, 1}), "sum_out_of_range");
  EXPECT_EQ(judge({0, 0, 0}), "empty_weight");
  EXPECT_EQ(judge({-5, 0, 0}), "empty_weight");
  EXPECT_EQ(judge({150, -1, 0}), "sum_out_of_range");
  EXPECT_EQ(judge({150, 301, 0}), "sum_out_of_range");
  EXPECT_EQ(judge({150}), "length_mismatch");
}

TEST(Mean, is_the_same_sealed_or_clear) {
  const TestRound round = make_round(Suite::s30, 3, 4, 1002);
  Quantisation q = rule;
  q.value_max = must(scale_of(Suite::s30, 3)).value_max;
  SeededRandom random(12, "sealed or clear");
  std::vector<std::vector<std::int64_t>> all;
  for (int hospital = 0; hospital < 3; ++hospital) {
    std::vector<float> update(1000);
    for (float& value : update) value = static_cast<float>(random.normal());
    all.push_back(must(quantise(update, 700, q, random)));
  }
  const auto sealed = seal_all(round, all, random);
  const auto opened =
      must(open_sum(round.parameters, bodies_of(sealed), publish(round, sealed, {1, 2, 3})));
  EXPECT_EQ(must(mean_of(opened.values, 3, q)).update, must(mean_of(sum_of(all), 3, q)).update);
}

}  // namespace
}  // namespace consilium::sealing
