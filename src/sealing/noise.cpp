#include "consilium/sealing/noise.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "consilium/foundation/secret.hpp"

#include "wide_integer.hpp"

namespace consilium::sealing {
namespace {

constexpr std::size_t chance_at_once = 4096;
constexpr std::uint64_t candidate_widths = 64;
constexpr std::uint64_t variance_min = 16;  // σ_z ≥ 4
constexpr std::uint64_t headroom_squared = 81;
constexpr std::int64_t value_most = std::int64_t{1} << 40U;
constexpr std::uint64_t clip_most = std::uint64_t{1} << 30U;

/// ⌈√value⌉ of up to 110 bits, bit by bit from the top.
auto wide_root_above(Wide value) -> Wide {
  Wide root = 0;
  for (Wide bit = Wide{1} << 55U; bit > 0; bit >>= 1U) {
    const Wide tried = root | bit;
    if (tried * tried <= value) root = tried;
  }
  return root * root == value ? root : root + 1;
}

/// Uniform numbers and coins out of larger pieces of the stream, wiped at the end.
class Coins {
 public:
  explicit Coins(Random& random) : random_(random) {}
  Coins(const Coins&) = delete;
  auto operator=(const Coins&) -> Coins& = delete;
  ~Coins() { wipe(piece_); }

  auto word() -> std::uint64_t {
    if (at_ == piece_.size()) {
      random_.fill(piece_);
      at_ = 0;
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 8) value |= std::uint64_t{piece_[at_++]} << shift;
    return value;
  }

  /// Uniform in [0, bound), bound ≥ 1: the smallest power of two above it, and again when outside.
  auto below(Wide bound) -> Wide {
    const Wide last = bound - 1;
    const auto high = static_cast<std::uint64_t>(last >> 64U);
    if (high == 0) {
      const auto low = static_cast<std::uint64_t>(last);
      if (low == 0) return 0;
      const std::uint64_t mask = ~std::uint64_t{0} >> static_cast<unsigned>(std::countl_zero(low));
      std::uint64_t value = word() & mask;
      while (value > low) value = word() & mask;
      return value;
    }
    const std::uint64_t mask = ~std::uint64_t{0} >> static_cast<unsigned>(std::countl_zero(high));
    const auto draw = [&] {
      const Wide top = Wide{word() & mask} << 64U;
      return top | word();
    };
    Wide value = draw();
    while (value > last) value = draw();
    return value;
  }

  /// True with chance numerator/denominator.
  auto coin(Wide numerator, Wide denominator) -> bool {
    return numerator >= denominator || below(denominator) < numerator;
  }

  /// True with chance exp(−numerator/denominator): algorithm 1.
  auto exponential_coin(Wide numerator, Wide denominator) -> bool {
    for (; numerator > denominator; numerator -= denominator) {
      if (!exponential_coin_small(1, 1)) return false;
    }
    return exponential_coin_small(numerator, denominator);
  }

 private:
  /// For a fraction γ ≤ 1. A coin of γ/k is one of γ and one of 1/k, which keeps numbers small.
  auto exponential_coin_small(Wide numerator, Wide denominator) -> bool {
    std::uint64_t k = 1;
    while (coin(numerator, denominator) && coin(1, k)) ++k;
    return k % 2 == 1;
  }

  Random& random_;
  std::array<std::uint8_t, chance_at_once> piece_{};
  std::size_t at_ = chance_at_once;
};

/// |Y| and the sign of a discrete Laplace with scale t: algorithm 2 with s = 1.
auto discrete_laplace(Coins& coins, std::uint64_t t) -> std::int64_t {
  for (;;) {
    const auto low = static_cast<std::uint64_t>(coins.below(t));
    if (!coins.exponential_coin(low, t)) continue;
    std::uint64_t high = 0;
    while (high <= candidate_widths && coins.exponential_coin(1, 1)) ++high;
    const auto size = static_cast<std::int64_t>(low + t * high);
    const bool negative = coins.coin(1, 2);
    if (negative && size == 0) continue;  // zero has one sign only
    return negative ? -size : size;
  }
}

/// Algorithm 3.
auto draw_one(Coins& coins, const NoiseVariance& variance, std::uint64_t t) -> std::int64_t {
  const Wide n = variance.numerator;
  const Wide d = variance.denominator;
  for (;;) {
    const std::int64_t candidate = discrete_laplace(coins, t);
    const auto size = static_cast<std::uint64_t>(candidate < 0 ? -candidate : candidate);
    if (size > candidate_widths * t) continue;
    // (|Y| − σ²/t)² / 2σ² over one denominator: below 2¹²⁵ and 2¹¹⁴ within the ranges.
    const Wide reached = Wide{size} * d * t;
    const Wide apart = reached > n ? reached - n : n - reached;
    if (coins.exponential_coin(apart * apart, 2 * n * d * t * t)) return candidate;
  }
}

auto in_lowest_terms(const NoiseVariance& variance) -> Result<NoiseVariance> {
  const auto refuse = [] {
    return fail("bad_noise", "noise",
                "The variance is a fraction above 0 and at most 2^40, with a denominator of at "
                "most 2^16; correct the round's opening.");
  };
  if (variance.numerator == 0 || variance.denominator == 0) return refuse();
  const std::uint64_t common = std::gcd(variance.numerator, variance.denominator);
  const NoiseVariance lowest{variance.numerator / common, variance.denominator / common};
  if (lowest.denominator > variance_denominator_max ||
      lowest.numerator > variance_max * lowest.denominator)
    return refuse();
  return lowest;
}

}  // namespace

auto discrete_gaussian(const NoiseVariance& variance, std::size_t count, Random& random)
    -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(const NoiseVariance lowest, in_lowest_terms(variance));
  const std::uint64_t t = root_below(lowest.numerator / lowest.denominator) + 1;
  Coins coins(random);
  std::vector<std::int64_t> draws(count);
  for (std::int64_t& draw : draws) draw = draw_one(coins, lowest, t);
  return draws;
}

auto headroom_of(const NoiseVariance& variance) -> Result<std::int64_t> {
  CONSILIUM_TRY(const NoiseVariance lowest, in_lowest_terms(variance));
  // The smallest whole number whose square times d is at least 81·n.
  const std::uint64_t square =
      (headroom_squared * lowest.numerator + lowest.denominator - 1) / lowest.denominator;
  return static_cast<std::int64_t>(root_above(square));
}

auto check_noise_rule(const NoiseRule& rule) -> Result<void> {
  CONSILIUM_TRY(const std::int64_t headroom, headroom_of(rule.variance));
  if (rule.variance.numerator / variance_min < rule.variance.denominator || rule.value_clip < 1 ||
      rule.value_max < 1 || rule.value_max > value_most || rule.square_max < 1)
    return fail(
        "bad_noise", "noise",
        "Noise needs a deviation of at least 4 and bounds of 1 to 2^40; correct the round's "
        "opening.");
  if (rule.value_clip > rule.value_max || rule.value_max - rule.value_clip < headroom)
    return fail("no_headroom", "noise",
                "Nine deviations of noise must fit between the clip and the largest value: lower "
                "the clip or the noise, or take a suite with more bits.");
  return {};
}

auto clip_counts(std::span<const std::int64_t> values, std::uint64_t clip_l2,
                 std::int64_t value_clip) -> Result<std::vector<std::int64_t>> {
  CONSILIUM_ENSURE(clip_l2 >= 1 && clip_l2 <= clip_most && value_clip >= 1);
  Wide squares = 0;
  std::uint64_t largest = 0;
  for (const std::int64_t value : values) {
    if (value > value_most || value < -value_most)
      return fail("bad_value", "counts", "No count or sum of a hospital is beyond 2^40.");
    const auto size = static_cast<std::uint64_t>(value < 0 ? -value : value);
    squares += Wide{size} * size;
    largest = std::max(largest, size);
  }
  std::vector<std::int64_t> clipped(values.begin(), values.end());
  // Two bounds, two fractions: the smaller one shrinks everything, so that the counts keep their
  // proportions to each other.
  Wide to = 1;
  Wide from = 1;
  if (squares > Wide{clip_l2} * clip_l2) {
    to = clip_l2;
    from = wide_root_above(squares);
  }
  const auto cell_clip = static_cast<std::uint64_t>(value_clip);
  if (largest * to > cell_clip * from) {
    to = cell_clip;
    from = largest;
  }
  if (from == 1) return clipped;
  for (std::int64_t& value : clipped) {
    const auto size = static_cast<std::uint64_t>(value < 0 ? -value : value);
    const auto kept = static_cast<std::int64_t>(static_cast<std::uint64_t>(size * to / from));
    value = value < 0 ? -kept : kept;
  }
  return clipped;
}

auto add_noise(std::span<const std::int64_t> values, const NoiseRule& rule, Random& random)
    -> Result<std::vector<std::int64_t>> {
  CONSILIUM_CHECK(check_noise_rule(rule));
  const auto refuse = [] {
    return fail("over_clip", "noise",
                "The values exceed the round's clip; clip them and round again. Nothing was "
                "noised or sealed.");
  };
  Wide squares = 0;
  for (const std::int64_t value : values) {
    if (value > rule.value_clip || value < -rule.value_clip) return refuse();
    const auto size = static_cast<std::uint64_t>(value < 0 ? -value : value);
    squares += Wide{size} * size;
    if (squares > rule.square_max) return refuse();
  }
  CONSILIUM_TRY(std::vector<std::int64_t> noised,
                discrete_gaussian(rule.variance, values.size(), random));
  for (std::size_t at = 0; at < noised.size(); ++at)
    noised[at] = std::clamp(values[at] + noised[at], -rule.value_max, rule.value_max);
  return noised;
}

}  // namespace consilium::sealing
