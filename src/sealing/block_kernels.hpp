#pragma once
// The inner boundary of sealing: everything that costs time, on one block of one prime.
//
// A block is up to 16 polynomials interleaved: coefficient k of the polynomial in lane l stands at
// k·lanes + l, the order of the wire. Each function has one meaning on canonical values, so that
// paths for wider machines can stand beside these and must give the same bytes. All may be called
// on secrets.

#include "consilium/foundation/bytes.hpp"

#include "prime_field.hpp"

namespace consilium::sealing {

/// Polynomials side by side in a full block.
inline constexpr std::uint32_t lanes_max = 16;

/// Negacyclic Cooley–Tukey: natural order in, bit-reversed order out; canonical in and out. In
/// place.
void transform(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes);

/// block ← N·INTT(block): bit-reversed order in, natural order out; [0, 2q) in and out, so that a
/// caller who has N⁻¹ in another factor already pays nothing for it.
void inverse_transform_unscaled(const PrimeField& field, std::span<std::uint32_t> block,
                                std::uint32_t lanes);

/// INTT(block), canonical in and out. In place.
void inverse_transform(const PrimeField& field, std::span<std::uint32_t> block,
                       std::uint32_t lanes);

/// key[k] ← key[k]·N⁻¹ in Montgomery form: what `multiply_by_key` takes.
void prepare_key(const PrimeField& field, std::span<const std::uint32_t> key,
                 std::span<std::uint32_t> prepared);

/// block ← INTT(block ⊙ key) for every lane, in [0, 2q).
void multiply_by_key(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes,
                     std::span<const std::uint32_t> prepared_key);

/// block ← block + addend, where block is in [0, 2q) and addend any integer |v| < 2⁵⁰; canonical
/// out.
void add_signed(const PrimeField& field, std::span<std::uint32_t> block,
                std::span<const std::int64_t> addend);

/// sum ← sum + other, canonical.
void accumulate(const PrimeField& field, std::span<std::uint32_t> sum,
                std::span<const std::uint32_t> other);

/// Bytes of `count` residues (count·bits is a multiple of 8 wherever this is used).
[[nodiscard]] constexpr auto packed_size(const PrimeField& field, std::size_t count)
    -> std::size_t {
  return count * static_cast<std::size_t>(field.bits) / 8;
}
/// Residues as `bits` each, little-endian bit order.
void pack(const PrimeField& field, std::span<const std::uint32_t> residues,
          std::span<std::uint8_t> out);
/// Errors: `non_canonical` (a residue ≥ q), with all of `out` written nevertheless.
[[nodiscard]] auto unpack(const PrimeField& field, BytesView packed, std::span<std::uint32_t> out)
    -> Result<void>;

/// χ_η for η = 8 or 16 from a key stream: popcount of the first η bits minus popcount of the
/// second, 2·η bits each.
void errors_from_bytes(int eta, BytesView stream, std::span<std::int64_t> errors);

}  // namespace consilium::sealing
