#pragma once
// Arithmetic modulo the primes of the suites: canonical values, Montgomery products, transform
// tables.
//
// Everything here may be called on secrets: no branch, index or division depends on a value. Lazy
// values lie in [0, 2q) and canonical ones in [0, q); q < 2³⁰, so 4q still fits 32 bits.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "consilium/sealing/suite.hpp"

namespace consilium::sealing {

/// A constant factor with ⌊value·2³²/q⌋ beside it (Shoup): one product by it costs three
/// multiplications.
struct Factor {
  std::uint32_t value = 0;
  std::uint32_t quotient = 0;
};

struct PrimeField {
  std::uint32_t q = 0;
  std::uint32_t two_q = 0;
  int bits = 0;                        ///< of a residue, on the wire and in the key stream
  std::uint32_t word_mask = 0;         ///< the low `bits` of a word
  std::uint32_t negative_inverse = 0;  ///< −q⁻¹ mod 2³²
  std::uint32_t r_squared = 0;         ///< 2⁶⁴ mod q
  std::uint32_t degree = 0;            ///< N
  std::uint32_t degree_inverse = 0;    ///< N⁻¹ mod q
  std::vector<Factor> forward;         ///< W[i] = ψ^bitrev(i)
  std::vector<Factor> inverse;         ///< W[i]⁻¹

  /// z / 2³² mod q in [0, 2q), for z < q·2³² (Montgomery's reduction).
  [[nodiscard]] auto reduce(std::uint64_t z) const -> std::uint32_t {
    const auto m = static_cast<std::uint32_t>(z) * negative_inverse;
    return static_cast<std::uint32_t>((z + std::uint64_t{m} * q) >> 32U);
  }
  /// [0, 2q) → [0, q). The smaller of a and a − q, which wraps to something large when a < q.
  [[nodiscard]] auto canonical(std::uint32_t a) const -> std::uint32_t {
    return std::min(a, a - q);
  }
  [[nodiscard]] auto add(std::uint32_t a, std::uint32_t b) const -> std::uint32_t {
    return canonical(a + b);
  }
  [[nodiscard]] auto subtract(std::uint32_t a, std::uint32_t b) const -> std::uint32_t {
    return canonical(a + (q - b));
  }
  /// a·2³² mod q, canonical: the form in which `times` wants its second argument.
  [[nodiscard]] auto to_montgomery(std::uint32_t a) const -> std::uint32_t {
    return canonical(reduce(std::uint64_t{a} * r_squared));
  }
  /// a·b mod q, lazy, where b is in Montgomery form; a·b < q·2³².
  [[nodiscard]] auto times_lazy(std::uint32_t a, std::uint32_t b_montgomery) const
      -> std::uint32_t {
    return reduce(std::uint64_t{a} * b_montgomery);
  }
  [[nodiscard]] auto times(std::uint32_t a, std::uint32_t b_montgomery) const -> std::uint32_t {
    return canonical(times_lazy(a, b_montgomery));
  }
  /// a·b mod q of two canonical values.
  [[nodiscard]] auto product(std::uint32_t a, std::uint32_t b) const -> std::uint32_t {
    return times(a, to_montgomery(b));
  }
  /// z mod q, canonical, for z < q·2³².
  [[nodiscard]] auto residue(std::uint64_t z) const -> std::uint32_t {
    return times(canonical(reduce(z)), r_squared);
  }
  /// v mod q, canonical, for |v| < 2⁵⁰.
  [[nodiscard]] auto residue_of_signed(std::int64_t v) const -> std::uint32_t {
    // q·2³¹ is 2⁵⁴ at least: the sum is positive, and below the q·2³² that the reduction takes.
    return residue((std::uint64_t{q} << 31U) + static_cast<std::uint64_t>(v));
  }
  /// a·f mod q in [0, 2q), for any 32-bit a (Harvey's form of Shoup's product).
  [[nodiscard]] auto times_factor(std::uint32_t a, Factor f) const -> std::uint32_t {
    const auto estimate = static_cast<std::uint32_t>((std::uint64_t{a} * f.quotient) >> 32U);
    return a * f.value - estimate * q;
  }
  /// low + high·2³² mod q, canonical: two sums of the halves of 64-bit products (low < q·2³² and
  /// high likewise).
  [[nodiscard]] auto join_halves(std::uint64_t low, std::uint64_t high) const -> std::uint32_t {
    // A residue times r_squared, reduced by 2³² once, is that residue times 2³².
    return add(residue(low), to_montgomery(residue(high)));
  }
  /// A factor from a canonical secret. With r = value·2³² mod q, the quotient is (value·2³² − r)/q,
  /// an exact division, hence −r·q⁻¹ mod 2³².
  [[nodiscard]] auto secret_factor(std::uint32_t value) const -> Factor {
    return {value, to_montgomery(value) * negative_inverse};
  }
  /// Divides: for public values only.
  [[nodiscard]] auto factor(std::uint32_t value) const -> Factor {
    return {value, static_cast<std::uint32_t>((std::uint64_t{value} << 32U) / q)};
  }
  /// base^exponent mod q, for public exponents.
  [[nodiscard]] auto power(std::uint32_t base, std::uint32_t exponent) const -> std::uint32_t;
  /// a⁻¹ mod q, for a ≠ 0 (Fermat).
  [[nodiscard]] auto inverse_of(std::uint32_t a) const -> std::uint32_t { return power(a, q - 2); }
};

/// The field of each prime of a suite, with its tables; made once.
[[nodiscard]] auto fields_of(Suite suite) -> std::span<const PrimeField>;

}  // namespace consilium::sealing
