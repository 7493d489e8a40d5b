#pragma once
// What opened sums have cost in privacy, as zero-concentrated differential privacy (zCDP,
// sealing-spec §10). A ledger carries whole micro-ρ, worked out in integers and always rounded up;
// ε is for people to read.

#include <cstdint>

#include "consilium/foundation/result.hpp"
#include "consilium/sealing/noise.hpp"

namespace consilium::sealing {

/// √(2 ln(1/β)) of the rounding bound: β = e⁻⁵⁰ < 2⁻⁷² is the chance that honest stochastic
/// rounding exceeds it and must be done again (conditional rounding).
inline constexpr std::uint64_t rounding_deviations = 10;

/// Δ₂²: how large Σ x² of a vector of `length` integers can be, when before rounding its L2 norm
/// was at most `clip_l2` (in units of the integers): the smaller of c² + m/4 + 10·(c + √m/2)
/// (Kairouz, Liu, Steinke 2021) and (c + √m)² (every coordinate moves by less than 1), each rounded
/// up. add_noise refuses a vector above it, so the bound holds and is not only likely.
/// Range: 1 ≤ length ≤ 2²⁸, 1 ≤ clip_l2 ≤ 2³⁰. Error: `bad_noise`.
[[nodiscard]] auto sensitivity_squared(std::uint64_t clip_l2, std::uint64_t length)
    -> Result<std::uint64_t>;

/// One opened sum, as its privacy sees it.
struct Opening {
  std::uint64_t square_max = 0;  ///< Δ₂²
  std::uint64_t length = 0;      ///< m
  std::uint32_t honest_min = 0;  ///< h: fewest honest hospitals whose noise is in the sum
  NoiseVariance variance;        ///< σ_z² of one hospital
};
/// ρ = Δ₂²/(2hσ_z²) + τ·m/4 in millionths, rounded up: at least 1, never too small. Integers only,
/// so every machine has the same number. Σ over rounds is the ρ of all rounds together.
/// Range: σ_z ≥ 4, 1 ≤ h ≤ 1024, 1 ≤ length ≤ 2²⁸. Error: `bad_noise` (also when ρ ≥ 2⁴³).
[[nodiscard]] auto rho_micro(const Opening& opening) -> Result<std::uint64_t>;

/// What a round's opening says of its noise, and everything that follows from it.
struct NoisyRound {
  NoiseRule rule;  ///< value_clip = X_max − 9σ_z; for counts the L2 clip where that is smaller
  std::uint64_t rho_micro = 0;
};
/// What the integers are. An update carries its hidden weight, as large as value_clip at most,
/// beside the values: the L2 clip lies above it. Counts are clipped by their L2 norm alone
/// (clip_counts), which bounds each of them too.
enum class Contents : std::uint8_t { weighted_update = 1, counts = 2 };
/// σ_z² and the L2 clip (both in units of the integers) of a round of vectors of `length` integers
/// up to value_max, of whose members honest_min are honest. Errors: `bad_noise` (a figure outside
/// its range, or for updates a clip that is not above value_clip), `no_headroom`.
[[nodiscard]] auto noisy_round(std::uint64_t sigma2, std::uint64_t clip_l2, std::uint64_t length,
                               std::int64_t value_max, std::uint32_t honest_min,
                               Contents contents = Contents::weighted_update) -> Result<NoisyRound>;

/// spent + cost, when that is within the budget. Error: `budget_spent` (nothing may be sealed; a
/// budget comes back only by a vote on the policy).
[[nodiscard]] auto spend(std::uint64_t spent_micro, std::uint64_t cost_micro,
                         std::uint64_t budget_micro) -> Result<std::uint64_t>;

/// τ = 10·Σ_{k=1}^{h−1} exp(−2π²σ²k/(k+1)): how far a sum of h discrete Gaussians is from one
/// (Kairouz, Liu, Steinke 2021). Range: h ≥ 1; below 10⁻⁶⁵ for σ_z ≥ 4. Error: `bad_noise`.
[[nodiscard]] auto sum_gap(const NoiseVariance& variance, std::uint32_t honest_min)
    -> Result<double>;

/// The smallest ε for which ρ-zCDP gives (ε, δ), by the conversion of Canonne, Kamath, Steinke
/// 2020: min over α > 1 of αρ + (ln(1/δ) + α·ln(1−1/α) − ln(α−1))/(α−1), never below 0. Every α
/// gives a true bound; the search is good to 10⁻⁹. For people, not for the ledger. Range: 0 ≤ ρ ≤
/// 10⁶, 0 < δ < 1. Error: `bad_noise`.
[[nodiscard]] auto epsilon_of(double rho, double delta) -> Result<double>;

/// What clamping at ±X_max adds to δ in one round: m·max(4, h)·2⁻⁶³ (for h ≤ 4 the m·2⁻⁶¹ of the
/// specification), as noise leaves its 9σ_z of headroom with a chance below 2⁻⁶³.
[[nodiscard]] auto clamp_delta(std::uint64_t length, std::uint32_t honest_min) -> double;

}  // namespace consilium::sealing
