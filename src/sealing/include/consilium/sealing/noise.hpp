#pragma once
// Discrete Gaussian noise, drawn exactly, and how it is added before a vector is sealed
// (sealing-spec §10).

#include <cstdint>
#include <span>
#include <vector>

#include "consilium/foundation/random.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::sealing {

/// σ² as a fraction: noise has no rounding error anywhere, so its width has none either.
struct NoiseVariance {
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 1;
};
/// In lowest terms the denominator is at most this, and σ² at most variance_max: the sampler's
/// products then fit 128 bits. X_max never exceeds 2²³, so no noise that leaves headroom is wider.
inline constexpr std::uint64_t variance_denominator_max = std::uint64_t{1} << 16U;
inline constexpr std::uint64_t variance_max = std::uint64_t{1} << 40U;

/// `count` independent draws of N_Z(0, σ²): P(x) ∝ exp(−x²/2σ²) on the integers.
///
/// Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), algorithms 1
/// to 3: integers and coins with rational chances, no floating point, so that the law is the one
/// the proofs speak of. The one departure: a candidate beyond 64·(⌊σ⌋+1) counts as refused; it
/// comes and would be taken with a chance below 2⁻²⁹⁰⁰.
///
/// Range: 0 < σ² ≤ variance_max. Error: `bad_noise`. Cost: 0.2 to 0.4 µs a draw, whatever σ.
/// **Not constant time**: how long a draw takes depends on its value (every exact sampler of this
/// kind does). Draw in a batch, before and apart from whatever an outsider could time. Chance is
/// taken from `random` in pieces of 4 KiB, and the rest of the last piece is thrown away. The same
/// stream gives the same draws; noise that is to protect somebody needs a SystemRandom.
[[nodiscard]] auto discrete_gaussian(const NoiseVariance& variance, std::size_t count,
                                     Random& random) -> Result<std::vector<std::int64_t>>;

/// ⌈9σ⌉: the room that noise needs between the largest honest value and X_max. Error: `bad_noise`.
[[nodiscard]] auto headroom_of(const NoiseVariance& variance) -> Result<std::int64_t>;

/// What a round fixes before anybody adds noise. Public.
struct NoiseRule {
  NoiseVariance variance;       ///< σ_z² of one hospital; h of them add up to h·σ_z²
  std::int64_t value_clip = 0;  ///< largest |value| before noise
  std::int64_t value_max = 0;   ///< X_max
  /// Δ₂²: the largest Σ x² before noise, as the accountant counts it (sensitivity_squared).
  std::uint64_t square_max = 0;
};
/// Errors: `bad_noise` (σ_z < 4, σ² out of range, or a bound not in 1 … 2⁴⁰), `no_headroom`
/// (value_max < value_clip + 9σ_z: lower the clip or the noise, or take a wider suite).
[[nodiscard]] auto check_noise_rule(const NoiseRule& rule) -> Result<void>;

/// Counts whose norm is at most clip_l2 and whose size is at most value_clip: all of them shrunk
/// alike, and cut towards zero so that rounding never brings the norm back above the clip. Counts
/// within both stay as they are. Range: clip_l2 ≤ 2³⁰, value_clip ≥ 1. Error: `bad_value` (a value
/// beyond ±2⁴⁰).
[[nodiscard]] auto clip_counts(std::span<const std::int64_t> values, std::uint64_t clip_l2,
                               std::int64_t value_clip) -> Result<std::vector<std::int64_t>>;

/// The values with one draw of N_Z(0, σ_z²) on each, clamped to ±X_max: what a hospital seals.
/// Clamping costs clamp_delta() of δ. Errors: those of check_noise_rule; `over_clip` (a value
/// beyond value_clip, or Σ x² > square_max: round again with other chance, or clip harder; nothing
/// was noised, and sealing these values would break the promise that the accountant counts on).
[[nodiscard]] auto add_noise(std::span<const std::int64_t> values, const NoiseRule& rule,
                             Random& random) -> Result<std::vector<std::int64_t>>;

}  // namespace consilium::sealing
