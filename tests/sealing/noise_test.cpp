// Draws against the exact law, worked out in tests/vectors/privacy.json by a program that shares no
// code with this room. Seeds are fixed: what passes once passes always.

#include "consilium/sealing/noise.hpp"

#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "consilium/foundation/files.hpp"

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

using Json = nlohmann::json;

auto vectors() -> const Json& {
  static const Json all = Json::parse(
      must(read_text_file(std::string(CONSILIUM_SOURCE_DIR) + "/tests/vectors/privacy.json")));
  return all;
}

auto variance_in(const Json& row) -> NoiseVariance {
  return {row.at("numerator").get<std::uint64_t>(), row.at("denominator").get<std::uint64_t>()};
}

auto draws(const NoiseVariance& variance, std::size_t count, std::uint64_t seed)
    -> std::vector<std::int64_t> {
  SeededRandom random(seed, "noise");
  return must(discrete_gaussian(variance, count, random));
}

/// Where χ² of honest draws lies but for one seed in 10⁵ (Wilson, Hilferty).
auto chi_square_limit(double freedom) -> double {
  const double part = 2 / (9 * freedom);
  return freedom * std::pow(1 - part + 4.265 * std::sqrt(part), 3);
}

/// χ² of the draws over the bins, neighbours joined until at least ten are expected in each.
void expect_law(const Json& bins, const std::vector<std::int64_t>& values) {
  std::map<std::int64_t, std::size_t> counted;
  for (const std::int64_t value : values) ++counted[value];
  double chi_square = 0;
  double freedom = -1;
  double expected = 0;
  double seen = 0;
  double total = 0;
  for (std::size_t at = 0; at < bins.size(); ++at) {
    const Json& bin = bins[at];
    const double chance = bin.at("chance").get<double>();
    total += chance;
    expected += chance * static_cast<double>(values.size());
    for (const auto& [value, times] : counted) {
      const bool above = bin.at("low").is_null() || value >= bin.at("low").get<std::int64_t>();
      const bool below = bin.at("high").is_null() || value < bin.at("high").get<std::int64_t>();
      if (above && below) seen += static_cast<double>(times);
    }
    if (expected < 10 && at + 1 < bins.size()) continue;
    if (expected < 1) {
      EXPECT_LT(seen, 12);  // the last bin alone, where next to nothing is expected
      continue;
    }
    chi_square += (seen - expected) * (seen - expected) / expected;
    freedom += 1;
    expected = seen = 0;
  }
  ASSERT_NEAR(total, 1, 1e-9);
  if (freedom >= 1) {
    EXPECT_LT(chi_square, chi_square_limit(freedom)) << "degrees of freedom " << freedom;
  }
}

TEST(Noise, follows_the_exact_law) {
  constexpr std::size_t count = 200'000;
  std::uint64_t seed = 40;
  for (const Json& row : vectors().at("gaussian")) {
    SCOPED_TRACE(row.at("numerator").dump() + "/" + row.at("denominator").dump());
    const auto values = draws(variance_in(row), count, ++seed);
    expect_law(row.at("bins"), values);
    double first = 0;
    double second = 0;
    double fourth = 0;
    for (const std::int64_t value : values) {
      const auto x = static_cast<double>(value);
      first += x / count;
      second += x * x / count;
      fourth += x * x * x * x / count;
    }
    const double variance = row.at("second").get<double>();
    const double moment = row.at("fourth").get<double>();
    // Five deviations of each estimate; a Gaussian's eighth moment is 105 σ⁸.
    EXPECT_NEAR(first, 0, 5 * std::sqrt(variance / count) + 1e-12);
    EXPECT_NEAR(second, variance, 5 * std::sqrt((moment - variance * variance) / count) + 1e-12);
    if (variance > 0.9) {
      EXPECT_NEAR(fourth, moment, 5 * std::sqrt(105.0 / count) * variance * variance);
    }
  }
}

TEST(Noise, is_symmetric) {
  const auto values = draws({16, 1}, 400'000, 7);
  std::map<std::int64_t, double> counted;
  for (const std::int64_t value : values) counted[value] += 1;
  double chi_square = 0;
  double freedom = 0;
  for (std::int64_t size = 1; size <= 12; ++size) {
    const double both = counted[size] + counted[-size];
    ASSERT_GT(both, 100);
    chi_square += std::pow(counted[size] - counted[-size], 2) / both;
    freedom += 1;
  }
  EXPECT_LT(chi_square, chi_square_limit(freedom));
}

TEST(Noise, that_is_tiny_is_mostly_zero) {
  // σ² = 1/100: P(≠ 0) = 2e⁻⁵⁰, which nobody sees.
  for (const std::int64_t value : draws({1, 100}, 10'000, 8)) ASSERT_EQ(value, 0);
  const auto quarter = draws({1, 4}, 100'000, 9);
  const auto zeros = static_cast<double>(std::count(quarter.begin(), quarter.end(), 0));
  EXPECT_NEAR(zeros / 100'000, vectors().at("gaussian")[1].at("zero").get<double>(), 0.007);
}

TEST(Noise, of_six_hospitals_adds_up_to_one_gaussian) {
  for (const Json& row : vectors().at("sums")) {
    const auto sigma = row.at("sigma").get<std::uint64_t>();
    SCOPED_TRACE(sigma);
    constexpr std::size_t count = 60'000;
    std::vector<std::int64_t> sums(count);
    for (std::uint64_t hospital = 0; hospital < 6; ++hospital) {
      const auto values = draws({sigma * sigma, 1}, count, 100 * sigma + hospital);
      for (std::size_t at = 0; at < count; ++at) sums[at] += values[at];
    }
    expect_law(row.at("bins"), sums);
  }
  // The law itself: what the specification's section 10 says of it.
  EXPECT_LT(vectors().at("sums")[0].at("log_ratio").get<double>(), 9e-7);
  EXPECT_GT(vectors().at("sums")[0].at("log_ratio").get<double>(), 1e-8);
  EXPECT_LT(vectors().at("sums")[2].at("log_ratio").get<double>(), 1e-12);
}

TEST(Noise, leaves_nine_deviations_less_often_than_the_account_says) {
  for (const Json& row : vectors().at("tails")) {
    EXPECT_EQ(must(headroom_of(variance_in(row))), row.at("headroom").get<std::int64_t>());
    EXPECT_LT(row.at("beyond").get<double>(), 0x1p-63);
  }
}

TEST(Noise, is_repeated_by_the_same_stream_only) {
  const auto first = draws({16, 1}, 5000, 1);
  EXPECT_EQ(first, draws({16, 1}, 5000, 1));
  EXPECT_NE(first, draws({16, 1}, 5000, 2));
  // The same fraction, written otherwise; a longer batch begins alike.
  EXPECT_EQ(first, draws({160, 10}, 5000, 1));
  const auto longer = draws({16, 1}, 6000, 1);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), longer.begin()));
}

TEST(Noise, holds_at_the_ends_of_its_range) {
  const std::uint64_t wide = std::uint64_t{1} << 40U;
  const std::uint64_t fine = std::uint64_t{1} << 16U;
  for (const NoiseVariance& variance :
       {NoiseVariance{wide, 1}, NoiseVariance{wide * fine - 1, fine}, NoiseVariance{1, fine}}) {
    const double sigma = std::sqrt(static_cast<double>(variance.numerator) /
                                   static_cast<double>(variance.denominator));
    double second = 0;
    for (const std::int64_t value : draws(variance, 20'000, 11)) {
      ASSERT_LE(std::abs(static_cast<double>(value)), 7 * sigma + 1);
      second += static_cast<double>(value) * static_cast<double>(value) / 20'000;
    }
    if (sigma > 1) {
      EXPECT_NEAR(second / (sigma * sigma), 1, 0.05);
    }
  }
  SeededRandom random(1, "noise");
  for (const NoiseVariance& bad :
       {NoiseVariance{0, 1}, NoiseVariance{1, 0}, NoiseVariance{wide + 1, 1},
        NoiseVariance{1, fine + 1}, NoiseVariance{~std::uint64_t{0}, 1}}) {
    EXPECT_EQ(code_of(discrete_gaussian(bad, 1, random)), "bad_noise");
    EXPECT_EQ(code_of(headroom_of(bad)), "bad_noise");
  }
  EXPECT_TRUE(must(discrete_gaussian({16, 1}, 0, random)).empty());
}

const NoiseRule rule{
    .variance = {100 * 100, 1}, .value_clip = 1000, .value_max = 1900, .square_max = 20'000'000};

TEST(AddNoise, adds_one_draw_to_each_value) {
  std::vector<std::int64_t> values(2000);
  for (std::size_t at = 0; at < values.size(); ++at)
    values[at] = static_cast<std::int64_t>(at % 201) - 100;
  SeededRandom random(3, "noise");
  const auto noised = must(add_noise(values, rule, random));
  const auto noise = draws({100 * 100, 1}, values.size(), 3);
  ASSERT_EQ(noised.size(), values.size());
  for (std::size_t at = 0; at < values.size(); ++at) ASSERT_EQ(noised[at], values[at] + noise[at]);
}

TEST(AddNoise, demands_headroom_of_nine_deviations) {
  EXPECT_TRUE(check_noise_rule(rule));
  NoiseRule tight = rule;
  tight.value_max = 1899;
  EXPECT_EQ(check_noise_rule(tight).error().code, "no_headroom");
  SeededRandom random(4, "noise");
  EXPECT_EQ(code_of(add_noise(std::vector<std::int64_t>{1}, tight, random)), "no_headroom");
  // A deviation that is no whole number is rounded up: 9·√17 = 37.1.
  const NoiseRule odd{.variance = {17, 1}, .value_clip = 10, .value_max = 47, .square_max = 100};
  EXPECT_EQ(check_noise_rule(odd).error().code, "no_headroom");
  NoiseRule enough = odd;
  enough.value_max = 48;
  EXPECT_TRUE(check_noise_rule(enough));
}

TEST(AddNoise, refuses_too_little_noise_and_bounds_without_sense) {
  NoiseRule weak = rule;
  weak.variance = {15'999, 1000};
  EXPECT_EQ(check_noise_rule(weak).error().code, "bad_noise");
  weak.variance = {16, 1};
  EXPECT_TRUE(check_noise_rule(weak));
  for (std::int64_t NoiseRule::* bound : {&NoiseRule::value_clip, &NoiseRule::value_max}) {
    NoiseRule bad = rule;
    bad.*bound = 0;
    EXPECT_EQ(check_noise_rule(bad).error().code, "bad_noise");
  }
  NoiseRule unbounded = rule;
  unbounded.square_max = 0;
  EXPECT_EQ(check_noise_rule(unbounded).error().code, "bad_noise");
  unbounded = rule;
  unbounded.value_max = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(check_noise_rule(unbounded).error().code, "bad_noise");
}

TEST(AddNoise, refuses_values_beyond_what_the_account_counts) {
  SeededRandom random(5, "noise");
  const auto code = [&random](std::vector<std::int64_t> values) {
    return code_of(add_noise(values, rule, random));
  };
  EXPECT_EQ(code({1000, -1000}), "");
  EXPECT_EQ(code({1001}), "over_clip");
  EXPECT_EQ(code({-1001}), "over_clip");
  EXPECT_EQ(code({std::numeric_limits<std::int64_t>::min()}), "over_clip");
  EXPECT_EQ(code(std::vector<std::int64_t>(20, 1000)), "");
  std::vector<std::int64_t> one_more(20, 1000);
  one_more.push_back(1);
  EXPECT_EQ(code(one_more), "over_clip");
}

TEST(AddNoise, clamps_at_the_largest_value) {
  // Nobody meets ten deviations by chance, so the words of one are written down: with σ = 100 and
  // t = 101 the candidate is 0 + 101·10, and exp(−41.5) says yes.
  for (const bool negative : {false, true}) {
    std::vector<std::uint64_t> words{0, 0};
    const auto yes = [&words] {
      words.insert(words.end(), {0, 2});
    };  // an e⁻¹ coin that stops at 3
    for (int times = 0; times < 10; ++times) yes();
    words.push_back(1);  // no further
    words.push_back(negative ? 0 : 1);
    for (int times = 0; times < 41; ++times) yes();
    words.push_back(204'020'000 - 1);  // the fraction's coin stops at once: taken
    Bytes stream;
    for (const std::uint64_t word : words) {
      for (unsigned shift = 0; shift < 64; shift += 8)
        stream.push_back(static_cast<std::uint8_t>(word >> shift));
    }
    stream.resize(4096);
    const std::int64_t sign = negative ? -1 : 1;
    FixedRandom drawn(stream);
    EXPECT_EQ(must(discrete_gaussian(rule.variance, 1, drawn)),
              std::vector<std::int64_t>{sign * 1010});
    FixedRandom outward(stream);
    EXPECT_EQ(must(add_noise(std::vector<std::int64_t>{sign * 1000}, rule, outward)),
              std::vector<std::int64_t>{sign * 1900});
    FixedRandom inward(stream);
    EXPECT_EQ(must(add_noise(std::vector<std::int64_t>{-sign * 1000}, rule, inward)),
              std::vector<std::int64_t>{sign * 10});
  }
}

}  // namespace
}  // namespace consilium::sealing
