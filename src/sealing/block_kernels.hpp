#pragma once
// The inner boundary of sealing: everything that costs time, on one block of one prime.
//
// A block is up to 16 polynomials interleaved: coefficient k of the polynomial in lane l stands at
// k·lanes + l, the order of the wire. Each kernel has one meaning, written down by the scalar
// reference (block_kernels.cpp); the paths for wider machines (block_kernels_avx2.cpp,
// block_kernels_avx512.cpp) give the same bytes for the same input. The widest path that this
// machine has is chosen once, when the program starts to seal; the environment variable
// CONSILIUM_ISA (scalar, avx2, avx512) can only narrow it.
//
// All may be called on secrets: no branch, index or division depends on a value, but for the
// rejection of words (`accept`), whose kept words do not depend on the rejected ones.

#include <array>
#include <string_view>

#include "consilium/foundation/bytes.hpp"

#include "prime_field.hpp"

namespace consilium::sealing {

/// Polynomials side by side in a full block.
inline constexpr std::uint32_t lanes_max = 16;

enum class Isa : std::uint8_t { scalar, avx2, avx512 };
[[nodiscard]] auto isa_name(Isa isa) -> std::string_view;

/// What is added to a masked coefficient: Δ·x + e.
struct Addend {
  const std::int32_t* values = nullptr;  ///< x, |x| < 2²³ (below 2¹⁵ where Δ < 2¹⁵ is used)
  const std::uint8_t* errors = nullptr;  ///< raw stream, 2·η bits a coefficient
  int eta = 8;                           ///< χ_η, 8 or 16
  std::int64_t delta = 0;                ///< Δ
};

/// Accepted words of a piece of key stream.
struct Accepted {
  std::size_t read = 0;     ///< words taken from the stream
  std::size_t written = 0;  ///< words put out
};

/// One opened block: sums and how far each polynomial is from an exact one.
struct OpenedBlock {
  std::int64_t value_max = 0;                      ///< largest |X|
  std::array<std::int64_t, lanes_max> largest{};   ///< max |r| of each lane
  std::array<std::uint64_t, lanes_max> squares{};  ///< Σ r² of each lane
};

/// Σ r² counts no |r| above this: far above every T, so such a block fails by its largest r, and
/// its square times N stays far below 2⁶⁴.
inline constexpr std::int64_t residual_counted_max = std::int64_t{1} << 20U;

/// What lifting from two primes to their product needs; q₂ < q₁ < 2·q₂, as in both suites. A suite
/// with one prime has no second, and that prime for the product.
struct PrimePair {
  const PrimeField* first = nullptr;
  const PrimeField* second = nullptr;
  Factor first_inverse;      ///< q₁⁻¹ mod q₂
  std::int64_t product = 0;  ///< q₁·q₂
  /// The number with these residues (Chinese remainder theorem), centred; `high` counts only where
  /// there is a second prime. Public values.
  [[nodiscard]] auto lift(std::uint32_t low, std::uint32_t high) const -> std::int64_t {
    std::int64_t value = low;
    if (second != nullptr) {
      const std::uint32_t difference = second->subtract(high, second->canonical(low));
      value += std::int64_t{first->q} *
               second->canonical(second->times_factor(difference, first_inverse));
    }
    return 2 * value > product ? value - product : value;
  }
};
[[nodiscard]] auto pair_of(std::span<const PrimeField> fields) -> PrimePair;

/// Rounding of floats (quantise.hpp): x = clamp(⌊clip(v)·units + ρ⌋, ±value_max).
struct Rounding {
  double clip = 1;
  double units = 1;  ///< integers a unit of v
  std::int32_t value_max = 0;
};

struct Kernels {
  Isa isa;

  /// block ← N·INTT(block ⊙ key) for every lane: bit-reversed order in, natural order out; values
  /// in [0, 2q) in and out. `key` has N factors, or is null (no product). A caller who wants the
  /// inverse itself has N⁻¹ in the key.
  void (*inverse)(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
                  const Factor* key);
  /// Words of `bits` low bits that are below q, in order: at most `room` of them.
  Accepted (*accept)(const PrimeField& field, const std::uint8_t* raw, std::size_t words,
                     std::uint32_t* out, std::size_t room);
  /// out ← packed (block + Δ·x + e mod q), block in [0, 2q). `count` is a multiple of 8.
  void (*add_and_pack)(const PrimeField& field, const std::uint32_t* block, std::size_t count,
                       const Addend& addend, std::uint8_t* out);
  /// `bits` a residue, little-endian bit order. `count` is a multiple of 8.
  void (*pack)(const PrimeField& field, const std::uint32_t* residues, std::size_t count,
               std::uint8_t* out);
  /// Anything but 0: some residue was ≥ q.
  std::uint32_t (*unpack)(const PrimeField& field, const std::uint8_t* packed, std::size_t count,
                          std::uint32_t* out);
  /// sum ← sum + unpacked mod q; returns as unpack does.
  std::uint32_t (*add_packed)(const PrimeField& field, const std::uint8_t* packed,
                              std::size_t count, std::uint32_t* sum);
  /// inverse and subtract in one: sum ← sum − N·INTT(block ⊙ key). The block is used up.
  void (*unmask)(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
                 const Factor* key, std::uint32_t* sum);
  /// sum ← sum − masked mod q, canonical; masked in [0, 2q).
  void (*subtract)(const PrimeField& field, const std::uint32_t* masked, std::size_t count,
                   std::uint32_t* sum);
  /// Single-prime suites: X = ⌊(2V + Δ)/2Δ⌋ and r = V − ΔX of V = centred residues. Public values.
  /// Δ ≥ 2, |X| < 2²³.
  void (*open_centred)(const PrimeField& field, const std::uint32_t* residues, std::size_t degree,
                       std::uint32_t lanes, std::int32_t delta, std::int64_t* values,
                       OpenedBlock& opened);
  /// Two-prime suites: V by the Chinese remainder theorem, then X and r as above. Public values.
  void (*open_two_primes)(const PrimePair& primes, const std::uint32_t* first,
                          const std::uint32_t* second, std::size_t degree, std::uint32_t lanes,
                          std::int64_t delta, std::int64_t* values, OpenedBlock& opened);
  /// words[k] ← Σ_d coefficients[d·stride + k]·x^d (Horner), canonical.
  void (*horner)(const PrimeField& field, const std::uint32_t* coefficients, std::size_t terms,
                 std::size_t stride, Factor x, std::size_t count, std::uint32_t* words);
  /// Σ row[k]·words[k] mod q, canonical; count ≤ 2¹⁶.
  std::uint32_t (*inner_product)(const PrimeField& field, const std::uint32_t* row,
                                 const std::uint32_t* words, std::size_t count);
  /// See Rounding; `chance` holds 32 bits a value, ρ = draw·2⁻³². The floats must be finite.
  void (*round_floats)(const float* in, std::size_t count, const std::uint8_t* chance,
                       const Rounding& rounding, std::int32_t* out);
  /// How many |v| > clip; sets `finite` to false when any is not. Sums nothing else.
  std::uint64_t (*scan_floats)(const float* in, std::size_t count, double clip, bool& finite);
};

/// The path in use, and each path alone (null where this machine has no such instructions).
[[nodiscard]] auto kernels() -> const Kernels&;
[[nodiscard]] auto kernels_of(Isa isa) -> const Kernels*;
extern const Kernels kernels_scalar, kernels_avx2, kernels_avx512;

// --- the same with sizes checked, on the path in use

/// Negacyclic Cooley–Tukey: natural order in, bit-reversed order out; canonical in and out. In
/// place. Slow: nothing that is sealed or opened needs it.
void transform(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes);
/// INTT(block), canonical in and out. In place.
void inverse_transform(const PrimeField& field, std::span<std::uint32_t> block,
                       std::uint32_t lanes);
/// key·N⁻¹ as factors: what `multiply_by_key` takes. Constant time: the quotient of a factor comes
/// from its Montgomery form, without a division.
void prepare_key(const PrimeField& field, std::span<const std::uint32_t> key,
                 std::span<Factor> prepared);
/// block ← INTT(block ⊙ key) for every lane, in [0, 2q).
void multiply_by_key(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes,
                     std::span<const Factor> prepared_key);

/// Bytes of `count` residues (a multiple of 8 wherever this is used).
[[nodiscard]] constexpr auto packed_size(const PrimeField& field, std::size_t count)
    -> std::size_t {
  return count * static_cast<std::size_t>(field.bits) / 8;
}
void pack(const PrimeField& field, std::span<const std::uint32_t> residues,
          std::span<std::uint8_t> out);
/// Error: `non_canonical` (a residue ≥ q), with all of `out` written nevertheless.
[[nodiscard]] auto unpack(const PrimeField& field, BytesView packed, std::span<std::uint32_t> out)
    -> Result<void>;
/// sum ← sum + packed, canonical. Error: `non_canonical`; `sum` is of no use then.
[[nodiscard]] auto add_packed(const PrimeField& field, BytesView packed,
                              std::span<std::uint32_t> sum) -> Result<void>;
/// Bytes of error stream that `count` coefficients take.
[[nodiscard]] constexpr auto error_bytes(int eta, std::size_t count) -> std::size_t {
  return count * static_cast<std::size_t>(eta) / 4;
}

}  // namespace consilium::sealing
