#pragma once
// The bodies of a set and what is needed to open them. Public values only: it may branch and
// divide.

#include <cmath>

#include "body_layout.hpp"
#include "key_sharing.hpp"

namespace consilium::sealing {

/// Residuals of many polynomials against the bounds of §7.3. In integers: every machine judges
/// alike.
class ResidualTest {
 public:
  ResidualTest(const BodyLayout& layout, std::size_t members, int eta, const Scale& scale)
      : bound_(scale.error_bound),
        spread_(static_cast<std::uint64_t>(layout.degree()) * members *
                static_cast<std::uint64_t>(eta)) {}
  /// One polynomial: its largest |r| and its Σ r². Rms ≤ 1.10·√(|U|η/2), so Σ r² ≤ 1.21·N·|U|·η/2.
  auto polynomial(std::int64_t largest, std::uint64_t squares) -> bool {
    ++polynomials_;
    total_ += squares;
    return largest <= bound_ && squares * 200 <= spread_ * 121;
  }
  /// All of them: 1.02 where there are enough that chance cannot reach it.
  [[nodiscard]] auto all() const -> bool {
    return polynomials_ < 100 || total_ * 20'000 <= spread_ * polynomials_ * 10'404;
  }
  [[nodiscard]] auto rms(std::uint32_t degree) const -> double {
    return std::sqrt(static_cast<double>(total_) /
                     (static_cast<double>(polynomials_) * static_cast<double>(degree)));
  }

 private:
  std::int64_t bound_;
  std::uint64_t spread_;  ///< N·|U|·η
  std::uint64_t polynomials_ = 0;
  std::uint64_t total_ = 0;
};

class Opener {
 public:
  /// The bodies must be whole, of this round, and of different hospitals. Errors: those of
  /// check_round, `length_mismatch`, `stale_context`, `too_many_hospitals`.
  [[nodiscard]] static auto make(const RoundParameters& round, std::span<const BytesView> bodies)
      -> Result<Opener>;

  [[nodiscard]] auto layout() const -> const BodyLayout& { return layout_; }

  /// Does S open the first polynomial to something like the sum of |U| errors? A wrong S leaves
  /// uniform residues. Error: `non_canonical`.
  [[nodiscard]] auto fits_first_polynomial(std::span<const std::uint32_t> key) -> Result<bool>;

  /// Opens everything with S and applies §7.3. Errors: `non_canonical`, `residual_out_of_range`,
  /// `sum_out_of_range`.
  [[nodiscard]] auto open(std::span<const std::uint32_t> key) -> Result<OpenedSum>;

  // --- the same in steps, one block at a time

  /// S, prime after prime, for open_block.
  void use_key(std::span<const std::uint32_t> key);
  /// C of one block. Error: `non_canonical`.
  [[nodiscard]] auto add_block(std::uint32_t block) -> Result<void>;
  /// The packed C of the block added last.
  [[nodiscard]] auto packed_sum(std::uint32_t block) -> BytesView;
  /// X of the block added last into `values`, padding and all; C is used up.
  [[nodiscard]] auto open_block(std::uint32_t block, std::span<std::int64_t> values) -> OpenedBlock;
  /// The same into `opened_values`.
  [[nodiscard]] auto open_block(std::uint32_t block) -> OpenedBlock;
  [[nodiscard]] auto opened_values() const -> std::span<const std::int64_t> { return rounded_; }
  /// r = V − ΔX of one place of the block opened last.
  [[nodiscard]] auto residual_at(std::size_t at) const -> std::int64_t;

 private:
  Opener(const RoundParameters& round, const BodyLayout& layout, const Scale& scale,
         std::span<const BytesView> bodies);
  [[nodiscard]] auto check_headers() const -> Result<void>;
  [[nodiscard]] auto load_first_polynomial() -> Result<void>;
  void open_prime(std::size_t prime, std::span<std::uint32_t> expanded,
                  std::span<std::uint32_t> sealed, std::uint32_t lanes) const;
  [[nodiscard]] auto round_values(std::span<const std::vector<std::uint32_t>> residues,
                                  std::uint32_t lanes, std::span<std::int64_t> values) const
      -> OpenedBlock;
  [[nodiscard]] auto key_digest(std::span<const std::uint32_t> key) const -> Digest;

  const RoundParameters& round_;
  BodyLayout layout_;
  Scale scale_;
  std::span<const BytesView> bodies_;
  int eta_;
  PrimePair pair_;
  std::vector<Factor> prepared_;                  ///< S, prime after prime
  std::vector<std::vector<std::uint32_t>> sums_;  ///< C of one block, one prime each
  std::vector<std::uint32_t> expanded_;
  std::vector<std::int64_t> rounded_;
  Bytes packed_;
  std::vector<std::vector<std::uint32_t>> first_sealed_, first_public_;
};

}  // namespace consilium::sealing
