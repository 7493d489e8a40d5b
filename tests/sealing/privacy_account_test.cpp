#include "consilium/sealing/privacy_account.hpp"

#include <cmath>
#include <iomanip>
#include <sstream>

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

auto printed(double value, const std::string& like) -> std::string {
  std::ostringstream out;
  out << std::fixed << std::setprecision(static_cast<int>(like.size() - like.find('.') - 1))
      << value;
  return out.str();
}

auto opening_in(const Json& row) -> Opening {
  return {.square_max = row.at("square_max").get<std::uint64_t>(),
          .length = row.at("length").get<std::uint64_t>(),
          .honest_min = row.at("honest_min").get<std::uint32_t>(),
          .variance = {row.at("numerator").get<std::uint64_t>(),
                       row.at("denominator").get<std::uint64_t>()}};
}

TEST(PrivacyAccount, converts_as_the_specification_prints) {
  std::size_t compared = 0;
  for (const Json& row : vectors().at("conversion")) {
    const double rho = row.at("rho").get<double>();
    SCOPED_TRACE(rho);
    const double at_5 = must(epsilon_of(rho, 1e-5));
    const double at_6 = must(epsilon_of(rho, 1e-6));
    EXPECT_NEAR(at_5, row.at("epsilon_5").get<double>(), 1e-8);
    EXPECT_NEAR(at_6, row.at("epsilon_6").get<double>(), 1e-8);
    if (!row.contains("printed_5")) continue;
    const auto like_5 = row.at("printed_5").get<std::string>();
    const auto like_6 = row.at("printed_6").get<std::string>();
    EXPECT_EQ(printed(at_5, like_5), like_5);
    EXPECT_EQ(printed(at_6, like_6), like_6);
    ++compared;
  }
  EXPECT_EQ(compared, 6U);
}

TEST(PrivacyAccount, epsilon_grows_with_rho_and_with_a_smaller_delta) {
  EXPECT_EQ(must(epsilon_of(0, 1e-5)), 0);
  double before = 0;
  for (int power = 0; power < 48; ++power) {
    const double rho = 1e-6 * std::pow(1.7, power);
    const double epsilon = must(epsilon_of(rho, 1e-6));
    EXPECT_GT(epsilon, before);
    EXPECT_GE(epsilon, must(epsilon_of(rho, 1e-5)));
    // Never better than ρ itself, never worse than the simple bound ρ + 2√(ρ ln 1/δ).
    EXPECT_GT(epsilon, rho);
    EXPECT_LT(epsilon, rho + 2 * std::sqrt(rho * std::log(1e6)));
    before = epsilon;
  }
  for (const double bad : {-1.0, std::nan(""), 2e6})
    EXPECT_EQ(code_of(epsilon_of(bad, 1e-5)), "bad_noise");
  for (const double bad : {0.0, 1.0, -0.1, std::nan("")})
    EXPECT_EQ(code_of(epsilon_of(1, bad)), "bad_noise");
}

TEST(PrivacyAccount, counts_sensitivity_and_rho_as_the_formulas_do) {
  for (const Json& row : vectors().at("account")) {
    SCOPED_TRACE(row.dump());
    const auto square = must(sensitivity_squared(row.at("clip_l2").get<std::uint64_t>(),
                                                 row.at("length").get<std::uint64_t>()));
    EXPECT_EQ(square, row.at("square_max").get<std::uint64_t>());
    EXPECT_GE(static_cast<double>(square) * (1 + 1e-12), row.at("square_real").get<double>());
    EXPECT_EQ(must(rho_micro(opening_in(row))), row.at("rho_micro").get<std::uint64_t>());
  }
}

TEST(PrivacyAccount, never_rounds_rho_down) {
  SeededRandom random(12, "account");
  for (int times = 0; times < 20'000; ++times) {
    const std::uint64_t d = 1 + random.below(1000);
    const Opening opening{.square_max = 1 + random.below(1ULL << 40U),
                          .length = 1 + random.below(1ULL << 28U),
                          .honest_min = static_cast<std::uint32_t>(1 + random.below(1024)),
                          .variance = {16 * d + random.below(1ULL << 40U), d}};
    const long double exact = static_cast<long double>(opening.square_max) *
                              static_cast<long double>(opening.variance.denominator) /
                              (2.0L * static_cast<long double>(opening.honest_min) *
                               static_cast<long double>(opening.variance.numerator)) *
                              1e6L;
    const auto whole = static_cast<long double>(must(rho_micro(opening)));
    ASSERT_GE(whole, exact * (1 - 1e-15L));
    ASSERT_LE(whole, exact * (1 + 1e-15L) + 1);
  }
  // A whole number is rounded up too: room for the gap between a sum of draws and one Gaussian.
  EXPECT_EQ(must(rho_micro({.square_max = 32, .length = 1, .honest_min = 1, .variance = {16, 1}})),
            1'000'001U);
}

TEST(PrivacyAccount, rho_falls_with_more_noise_and_more_honest_members) {
  const Opening opening{
      .square_max = 1'000'000, .length = 1000, .honest_min = 3, .variance = {250'000, 1}};
  const std::uint64_t cost = must(rho_micro(opening));
  Opening other = opening;
  other.variance.numerator *= 2;
  EXPECT_LT(must(rho_micro(other)), cost);
  other = opening;
  other.honest_min = 4;
  EXPECT_LT(must(rho_micro(other)), cost);
  other = opening;
  other.square_max *= 2;
  EXPECT_GT(must(rho_micro(other)), cost);
}

TEST(PrivacyAccount, adds_up_and_stops_hard_at_the_budget) {
  SeededRandom random(13, "account");
  for (int times = 0; times < 200; ++times) {
    const std::uint64_t budget = 1 + random.below(1'000'000);
    std::uint64_t spent = 0;
    std::uint64_t added = 0;
    for (int round = 0; round < 50; ++round) {
      const std::uint64_t cost = 1 + random.below(100'000);
      const auto after = spend(spent, cost, budget);
      if (!after) {
        ASSERT_EQ(after.error().code, "budget_spent");
        ASSERT_GT(spent + cost, budget);
        continue;
      }
      added += cost;
      ASSERT_GT(*after, spent);
      ASSERT_LE(*after, budget);
      spent = *after;
    }
    ASSERT_EQ(spent, added);
  }
  EXPECT_EQ(must(spend(3, 7, 10)), 10U);
  EXPECT_EQ(code_of(spend(3, 8, 10)), "budget_spent");
  EXPECT_EQ(code_of(spend(11, 0, 10)),
            "budget_spent");  // the policy was voted down below the spent
  const std::uint64_t most = ~std::uint64_t{0};
  EXPECT_EQ(code_of(spend(most, most, most)), "budget_spent");
}

TEST(PrivacyAccount, knows_how_far_a_sum_of_draws_is_from_one_gaussian) {
  for (const Json& row : vectors().at("sums")) {
    const auto sigma = row.at("sigma").get<std::uint64_t>();
    const double tau = must(sum_gap({sigma * sigma, 1}, 6));
    EXPECT_NEAR(tau / row.at("tau").get<double>(), 1, 1e-9);
    if (sigma < 4) continue;
    EXPECT_GE(tau, 0);
    EXPECT_LT(must(sum_gap({16, 1}, 1024)), 1e-64);
  }
  EXPECT_EQ(must(sum_gap({16, 1}, 1)), 0);
  EXPECT_LT(must(sum_gap({4, 1}, 6)), 1e-15);
}

TEST(PrivacyAccount, clamping_costs_what_the_specification_says) {
  EXPECT_EQ(clamp_delta(1'000'000, 3), 1e6 * 0x1p-61);
  EXPECT_EQ(clamp_delta(1'000'000, 8), 1e6 * 0x1p-60);
}

TEST(PrivacyAccount, works_out_a_whole_round_from_its_opening) {
  const auto round = must(noisy_round(3400 * 3400, 3000, 40, 32767, 3));
  EXPECT_EQ(round.rule.value_clip, 32767 - 9 * 3400);
  EXPECT_EQ(round.rule.square_max, must(sensitivity_squared(3000, 40)));
  EXPECT_EQ(round.rho_micro, must(rho_micro({.square_max = round.rule.square_max,
                                             .length = 40,
                                             .honest_min = 3,
                                             .variance = {3400 * 3400, 1}})));
  EXPECT_EQ(code_of(noisy_round(3641 * 3641, 3000, 40, 32767, 3)), "no_headroom");
  EXPECT_EQ(code_of(noisy_round(15, 40'000, 40, 32767, 3)), "bad_noise");
  EXPECT_EQ(code_of(noisy_round(3400 * 3400, 2167, 40, 32767, 3)), "bad_noise");
  EXPECT_TRUE(noisy_round(3400 * 3400, 2168, 40, 32767, 3));
}

TEST(PrivacyAccount, refuses_what_lies_outside_its_proofs) {
  const Opening good{.square_max = 100, .length = 10, .honest_min = 3, .variance = {16, 1}};
  EXPECT_TRUE(rho_micro(good));
  Opening bad = good;
  bad.variance = {15'999, 1000};
  EXPECT_EQ(code_of(rho_micro(bad)), "bad_noise");
  bad = good;
  bad.honest_min = 0;
  EXPECT_EQ(code_of(rho_micro(bad)), "bad_noise");
  bad.honest_min = 1025;
  EXPECT_EQ(code_of(rho_micro(bad)), "bad_noise");
  bad = good;
  bad.square_max = 0;
  EXPECT_EQ(code_of(rho_micro(bad)), "bad_noise");
  bad.square_max = ~std::uint64_t{0};
  bad.honest_min = 1;
  EXPECT_EQ(code_of(rho_micro(bad)), "bad_noise");
  bad = good;
  bad.length = (1ULL << 28U) + 1;
  EXPECT_EQ(code_of(rho_micro(bad)), "bad_noise");
  EXPECT_EQ(code_of(sensitivity_squared(0, 10)), "bad_noise");
  EXPECT_EQ(code_of(sensitivity_squared(10, 0)), "bad_noise");
  EXPECT_EQ(code_of(sensitivity_squared((1ULL << 30U) + 1, 10)), "bad_noise");
  EXPECT_EQ(code_of(sensitivity_squared(10, (1ULL << 28U) + 1)), "bad_noise");
  EXPECT_EQ(code_of(sum_gap({16, 1}, 0)), "bad_noise");
}

}  // namespace
}  // namespace consilium::sealing
