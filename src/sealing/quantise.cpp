#include "consilium/sealing/quantise.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace consilium::sealing {
namespace {

constexpr std::size_t draws_at_once = 1024;

auto bad_rule(const Quantisation& q) -> bool {
  const bool no_room_for_weight =
      q.clip_l2 != 0 &&
      q.clip_l2 <= static_cast<std::uint64_t>(std::max<std::int64_t>(q.value_max, 0));
  return !(q.clip > 0) || !std::isfinite(q.clip) || q.value_max < 1 || q.weight_cap < 1 ||
         q.headroom < 0 || no_room_for_weight;
}

auto refuse_rule() -> tl::unexpected<Error> {
  return fail("bad_value", "quantisation",
              "Clip, largest value and weight cap must be positive, and an L2 clip above the "
              "largest value; correct the round's opening.");
}

/// ⌊scaled + ρ⌋ without rounding the sum: the whole part and the fraction are treated apart, both
/// exactly.
auto rounded(double scaled, double rho) -> std::int64_t {
  auto whole = static_cast<std::int64_t>(scaled);
  whole -= static_cast<std::int64_t>(static_cast<double>(whole) > scaled);
  const double fraction = scaled - static_cast<double>(whole);
  return whole + static_cast<std::int64_t>(fraction + rho >= 1.0);
}

/// How much the update must shrink so that weight and values together stay within the L2 clip.
auto shrinking(std::span<const float> update, std::int64_t weight, double units,
               const Quantisation& q) -> double {
  if (q.clip_l2 == 0) return 1;
  double squares = 0;
  for (const float value : update) {
    const double kept = std::max(-q.clip, std::min(q.clip, static_cast<double>(value)));
    squares += kept * kept;
  }
  const auto whole = static_cast<double>(q.clip_l2);
  const auto weighed = static_cast<double>(weight);
  const double room = std::sqrt(whole * whole - weighed * weighed);
  const double norm = std::sqrt(squares) * units;
  // A hair below, so that the sum's own rounding never carries the norm above the clip.
  return norm > room ? room / norm * (1 - 1e-9) : 1;
}

}  // namespace

auto quantise(std::span<const float> update, std::uint64_t samples, const Quantisation& q,
              Random& rounding) -> Result<std::vector<std::int64_t>> {
  if (bad_rule(q)) return refuse_rule();
  if (samples == 0) {
    return fail("empty_weight", "update", "A hospital without samples has nothing to seal.");
  }
  bool finite = true;
  for (const float value : update) finite = std::isfinite(value) && finite;
  if (!finite) {
    return fail("bad_value", "update",
                "The update holds a value that is not a number or infinite; train again, nothing "
                "was sealed.");
  }
  // The weight is the whole number that travels, and the values are weighted with that same number:
  // the mean has no error from rounding the weight.
  const double share =
      static_cast<double>(std::min(samples, q.weight_cap)) / static_cast<double>(q.weight_cap);
  const auto value_max = static_cast<double>(q.value_max);
  const auto weight = std::max<std::int64_t>(1, std::llround(share * value_max));
  double units = static_cast<double>(weight) / q.clip;
  units *= shrinking(update, weight, units, q);

  std::vector<std::int64_t> out;
  out.reserve(update_header + update.size());
  out.push_back(weight);
  out.push_back(0);
  std::int64_t clipped = 0;
  std::array<std::uint8_t, 4 * draws_at_once> draws{};
  for (std::size_t start = 0; start < update.size(); start += draws_at_once) {
    const auto part = update.subspan(start, std::min(draws_at_once, update.size() - start));
    rounding.fill(std::span(draws).first(4 * part.size()));
    for (std::size_t at = 0; at < part.size(); ++at) {
      const auto value = static_cast<double>(part[at]);
      clipped += static_cast<std::int64_t>(std::abs(value) > q.clip);
      const double kept = std::max(-q.clip, std::min(q.clip, value));
      const std::uint32_t draw =
          std::uint32_t{draws[4 * at]} | std::uint32_t{draws[4 * at + 1]} << 8U |
          std::uint32_t{draws[4 * at + 2]} << 16U | std::uint32_t{draws[4 * at + 3]} << 24U;
      const std::int64_t whole = rounded(kept * units, static_cast<double>(draw) * 0x1p-32);
      // A value at the clip itself may round one step past it.
      out.push_back(std::max(-q.value_max, std::min(q.value_max, whole)));
    }
  }
  out[1] = q.clip_l2 == 0 ? std::min(clipped, q.value_max) : 0;
  return out;
}

auto mean_of(std::span<const std::int64_t> sum, std::size_t hospitals, const Quantisation& q)
    -> Result<Mean> {
  if (bad_rule(q)) return refuse_rule();
  const auto refuse = [] {
    return fail("sum_out_of_range", "opened sum",
                "No honest weights and values add up to this; the candidate is refused.");
  };
  if (sum.size() < update_header || hospitals == 0) {
    return fail("length_mismatch", "opened sum",
                "An opened update begins with its weight and its clip count.");
  }
  const std::int64_t weight = sum[0];
  const auto members = static_cast<std::int64_t>(hospitals);
  if (weight <= 0) {
    return fail("empty_weight", "opened sum", "The weights add up to nothing; the base stays.");
  }
  const std::int64_t noise = members * q.headroom;
  if (weight > members * q.value_max + noise || sum[1] < -noise ||
      sum[1] > members * q.value_max + noise) {
    return refuse();
  }
  Mean mean;
  mean.clipped = q.headroom == 0 ? sum[1] : 0;  // only noise stands there then
  mean.mean_weight = static_cast<double>(weight) / static_cast<double>(q.value_max) /
                     static_cast<double>(hospitals);
  const double unit = q.clip / static_cast<double>(weight);
  const std::int64_t limit = weight + 2 * members + noise;
  mean.update.reserve(sum.size() - update_header);
  for (const std::int64_t value : sum.subspan(update_header)) {
    if (value > limit || value < -limit) return refuse();
    mean.update.push_back(static_cast<float>(static_cast<double>(value) * unit));
  }
  return mean;
}

}  // namespace consilium::sealing
