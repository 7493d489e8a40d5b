#include "consilium/sealing/privacy_account.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "wide_integer.hpp"

namespace consilium::sealing {
namespace {

constexpr std::uint64_t length_most = std::uint64_t{1} << 28U;
constexpr std::uint64_t clip_most = std::uint64_t{1} << 30U;
constexpr std::uint32_t honest_most = 1024;
constexpr std::uint64_t variance_least = 16;
constexpr std::uint64_t micro = 1'000'000;
constexpr std::uint64_t rho_most_micro = (std::uint64_t{1} << 43U) * micro;
constexpr double rho_readable_max = 1e6;

auto refuse(std::string_view sentence) -> tl::unexpected<Error> {
  return fail("bad_noise", "privacy account", sentence);
}

/// ε for one α: a true bound for every α > 1, written with a = α − 1.
auto epsilon_at(double rho, double log_delta, double a) -> double {
  const double alpha = 1 + a;
  // ln(1 − 1/α) = ln(a/α) = −ln(1 + 1/a)
  return alpha * rho + (-log_delta - alpha * std::log1p(1 / a) - std::log(a)) / a;
}

}  // namespace

auto sensitivity_squared(std::uint64_t clip_l2, std::uint64_t length) -> Result<std::uint64_t> {
  if (clip_l2 < 1 || clip_l2 > clip_most || length < 1 || length > length_most)
    return refuse("The L2 clip is 1 to 2^30 units and the length 1 to 2^28.");
  const std::uint64_t root = root_above(length);
  const std::uint64_t likely = clip_l2 * clip_l2 + (length + 3) / 4 +
                               rounding_deviations * clip_l2 + (rounding_deviations * root + 1) / 2;
  const std::uint64_t certain = (clip_l2 + root) * (clip_l2 + root);
  return std::min(likely, certain);
}

auto rho_micro(const Opening& opening) -> Result<std::uint64_t> {
  if (opening.honest_min < 1 || opening.honest_min > honest_most || opening.length < 1 ||
      opening.length > length_most || opening.square_max < 1)
    return refuse("An opened sum has 1 to 1024 honest members and 1 to 2^28 values.");
  CONSILIUM_CHECK(headroom_of(opening.variance));
  if (opening.variance.numerator / variance_least < opening.variance.denominator)
    return refuse("The account holds for noise with a deviation of at least 4.");
  // 10⁶·Δ₂²·d / 2hn. The factors stay below 2²⁰·2⁶⁴·2¹⁶ and 2¹¹·2⁵⁶ once the fraction is in lowest
  // terms; before that the denominator may be larger, hence the division by its parts.
  const std::uint64_t common = std::gcd(opening.variance.numerator, opening.variance.denominator);
  const Wide above = Wide{opening.square_max} * micro * (opening.variance.denominator / common);
  const Wide below = Wide{2} * opening.honest_min * (opening.variance.numerator / common);
  // ⌊ ⌋ + 1 lies above the exact value by at least 1/below > 2⁻⁶⁸, and τ·m/4·10⁶ is below 10⁻⁵⁰ for
  // σ_z ≥ 4: one step up covers both the fraction and τ.
  const Wide rho = above / below + 1;
  if (rho >= rho_most_micro) return refuse("So little noise protects nobody: add more.");
  return static_cast<std::uint64_t>(rho);
}

auto noisy_round(std::uint64_t sigma2, std::uint64_t clip_l2, std::uint64_t length,
                 std::int64_t value_max, std::uint32_t honest_min, Contents contents)
    -> Result<NoisyRound> {
  NoisyRound round;
  round.rule.variance = {sigma2, 1};
  round.rule.value_max = value_max;
  CONSILIUM_TRY(const std::int64_t headroom, headroom_of(round.rule.variance));
  CONSILIUM_TRY(round.rule.square_max, sensitivity_squared(clip_l2, length));
  // Without any room left the rule below answers no_headroom.
  round.rule.value_clip = std::max<std::int64_t>(1, value_max - headroom);
  if (contents == Contents::counts)
    round.rule.value_clip = std::min(round.rule.value_clip, static_cast<std::int64_t>(clip_l2));
  CONSILIUM_CHECK(check_noise_rule(round.rule));
  if (contents == Contents::weighted_update &&
      clip_l2 <= static_cast<std::uint64_t>(round.rule.value_clip))
    return refuse("The L2 clip must lie above the largest value before noise, X_max - 9 sigma.");
  CONSILIUM_TRY(round.rho_micro, rho_micro({.square_max = round.rule.square_max,
                                            .length = length,
                                            .honest_min = honest_min,
                                            .variance = round.rule.variance}));
  return round;
}

auto spend(std::uint64_t spent_micro, std::uint64_t cost_micro, std::uint64_t budget_micro)
    -> Result<std::uint64_t> {
  if (spent_micro > budget_micro || cost_micro > budget_micro - spent_micro)
    return fail("budget_spent", "privacy account",
                "The agreed privacy budget does not cover another opening; nothing is sealed. The "
                "consortium may vote on a larger one.");
  return spent_micro + cost_micro;
}

auto sum_gap(const NoiseVariance& variance, std::uint32_t honest_min) -> Result<double> {
  CONSILIUM_CHECK(headroom_of(variance));
  if (honest_min < 1 || honest_min > honest_most)
    return refuse("A sum has 1 to 1024 honest members.");
  const double square =
      static_cast<double>(variance.numerator) / static_cast<double>(variance.denominator);
  double sum = 0;
  for (std::uint32_t k = 1; k < honest_min; ++k)
    sum += std::exp(-2 * std::numbers::pi * std::numbers::pi * square * k / (k + 1.0));
  return 10 * sum;
}

auto epsilon_of(double rho, double delta) -> Result<double> {
  if (!(rho >= 0) || rho > rho_readable_max || !(delta > 0) || !(delta < 1))
    return refuse("Rho is 0 to 10^6 and delta between 0 and 1.");
  if (rho == 0) return 0.0;
  const double log_delta = std::log(delta);
  const auto at = [&](double log_a) { return epsilon_at(rho, log_delta, std::exp(log_a)); };
  // A coarse search over α − 1 from e⁻²⁰ to e⁶⁰, then halving around the best.
  double best = -20;
  for (int quarter = -80; quarter <= 240; ++quarter) {
    const double log_a = 0.25 * quarter;
    if (at(log_a) < at(best)) best = log_a;
  }
  double step = 0.25;
  for (int halving = 0; halving < 28; ++halving, step /= 2) {
    for (const double side : {best - step, best + step}) {
      if (at(side) < at(best)) best = side;
    }
  }
  return std::max(0.0, at(best));
}

auto clamp_delta(std::uint64_t length, std::uint32_t honest_min) -> double {
  return static_cast<double>(length) * std::max(4.0, static_cast<double>(honest_min)) * 0x1p-63;
}

}  // namespace consilium::sealing
