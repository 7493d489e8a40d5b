#pragma once
// A weighted update as fixed-point integers (sealing-spec §5), and the mean back from the opened
// sum.

#include <memory>
#include <span>
#include <vector>

#include "consilium/foundation/random.hpp"
#include "consilium/sealing/body_stream.hpp"

namespace consilium::sealing {

/// The next `count` values of an update share one clip: a layer's weights, or its biases.
struct ClipGroup {
  std::uint64_t count = 0;
  double clip = 1;  ///< C_g: |v| above it is clipped; step_g = C_g / value_max
  auto operator==(const ClipGroup&) const -> bool = default;
};

/// Public and fixed before the round: clips, X_max, and the cap of the hidden weight.
struct Quantisation {
  double clip = 1;               ///< C of every value when there are no groups
  std::int64_t value_max = 0;    ///< X_max
  std::uint64_t weight_cap = 1;  ///< W: u = min(samples, W) / W
  /// With noise (noise.hpp), else 0: the largest L2 norm of everything that is sealed, in units of
  /// the integers and before rounding. Above value_max, as the weight counts too; the clip count is
  /// then sealed as 0.
  std::uint64_t clip_l2 = 0;
  std::int64_t headroom = 0;        ///< 9σ_z rounded up: how far noise may carry a value, 0 without
  std::vector<ClipGroup> groups{};  ///< in the order of the update, covering all of it; or none
};

/// Layout of a sealed update: [0] weight u·X_max, [1] clipped coordinates (count, at most X_max),
/// [2..] values u·clip(v).
inline constexpr std::size_t update_header = 2;

/// A weighted update as the integers that are sealed, block by block.
///
/// Stochastic rounding ⌊v/step + ρ⌋, ρ uniform in [0,1) with 32 bits from `rounding`: unbiased,
/// error < one step. The same values and the same stream give the same integers on every machine,
/// sealed or clear, in whatever pieces they are taken. The weight is the nearest whole number, at
/// least 1, and the values are weighted with that whole number: the mean carries no error from it.
class Quantiser final : public ValueSource {
 public:
  /// Looks at every float once before anything is sealed. `update` and `rounding` must outlive the
  /// quantiser. Errors: `bad_value` (NaN or infinity, or a rule without sense, as a clip_l2 that is
  /// not above value_max), `empty_weight` (samples = 0), `length_mismatch` (groups that do not
  /// cover the update).
  [[nodiscard]] static auto make(std::span<const float> update, std::uint64_t samples,
                                 const Quantisation& q, Random& rounding) -> Result<Quantiser>;
  Quantiser(Quantiser&&) noexcept;
  ~Quantiser() override;

  /// update_header + update.size()
  [[nodiscard]] auto length() const -> std::size_t;
  /// Error: `length_mismatch` (more than there is).
  [[nodiscard]] auto next(std::span<std::int32_t> out) -> Result<void> override;

 private:
  struct State;
  explicit Quantiser(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// All of a Quantiser's integers at once.
[[nodiscard]] auto quantise(std::span<const float> update, std::uint64_t samples,
                            const Quantisation& q, Random& rounding)
    -> Result<std::vector<std::int64_t>>;

struct Mean {
  std::vector<float> update;  ///< Σ u_i v_i / Σ u_i
  std::int64_t clipped = 0;   ///< opened count of clipped coordinates, all hospitals together
  double mean_weight = 0;     ///< Σ u / n
};
/// Errors: `empty_weight` (Σ u ≤ 0), `sum_out_of_range` (Σu > n·X_max, or |X[p]| > Σu + 2n: §7.3,
/// attack 14; or a clip count outside 0 … n·X_max; with noise n·headroom more each way),
/// `length_mismatch` (shorter than update_header, no hospitals, or groups that do not cover the
/// update).
[[nodiscard]] auto mean_of(std::span<const std::int64_t> sum, std::size_t hospitals,
                           const Quantisation& q) -> Result<Mean>;

}  // namespace consilium::sealing
