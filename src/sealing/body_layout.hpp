#pragma once
// Where every byte of a sealed body is (sealing-spec §4, §6.1): blocks, chunks, leaves and the
// root.

#include <array>

#include "consilium/sealing/sealed_sum.hpp"

#include "block_kernels.hpp"

namespace consilium::sealing {

inline constexpr std::uint8_t chunk_version = 1;
inline constexpr std::size_t chunk_header_size = 16;
inline constexpr std::uint32_t witness_block = 0xffffffff;
/// round_seed ‖ hospital ‖ miner ‖ committee_epoch
inline constexpr std::size_t context_size = 40;
inline constexpr std::size_t salt_size = 32;

/// The sizes of one round, from its length and suite.
class BodyLayout {
 public:
  /// Errors: `bad_suite`, `length_mismatch` (no parameters, or more than a key may seal).
  [[nodiscard]] static auto of(const RoundParameters& round) -> Result<BodyLayout>;

  [[nodiscard]] auto fields() const -> std::span<const PrimeField> { return fields_; }
  [[nodiscard]] auto degree() const -> std::uint32_t { return degree_; }
  [[nodiscard]] auto length() const -> std::uint64_t { return length_; }
  [[nodiscard]] auto polynomials() const -> std::uint64_t { return polynomials_; }
  [[nodiscard]] auto blocks() const -> std::uint32_t { return blocks_; }
  /// L: 16, fewer in the last block; 1 for the witness.
  [[nodiscard]] auto lanes(std::uint32_t block) const -> std::uint32_t;
  /// Slots of a block that hold parameters; the rest is padding.
  [[nodiscard]] auto used_slots(std::uint32_t block) const -> std::size_t;
  /// Bytes of one polynomial: a share of the key, or a lane.
  [[nodiscard]] auto polynomial_size() const -> std::size_t { return polynomial_size_; }
  [[nodiscard]] auto payload_size(std::uint32_t block) const -> std::size_t {
    return lanes(block) * polynomial_size_;
  }
  /// Where a block's chunk starts in the body; the witness chunk comes last.
  [[nodiscard]] auto chunk_offset(std::uint32_t block) const -> std::size_t;
  [[nodiscard]] auto body_size() const -> std::size_t;
  [[nodiscard]] auto chunk(BytesView body, std::uint32_t block) const -> BytesView {
    return body.subspan(chunk_offset(block), chunk_header_size + payload_size(block));
  }
  /// Masks a miner holds, in bytes: R u32le for the first prime, then R for the second.
  [[nodiscard]] auto masks_size() const -> std::size_t { return fields_.size() * rows_ * 4; }
  /// R, per prime
  [[nodiscard]] auto rows() const -> std::size_t { return rows_; }

 private:
  BodyLayout() = default;
  std::span<const PrimeField> fields_;
  std::uint32_t degree_ = 0;
  std::uint64_t length_ = 0;
  std::uint64_t polynomials_ = 0;
  std::uint32_t blocks_ = 0;
  std::size_t polynomial_size_ = 0;
  std::size_t rows_ = 0;
};

/// Where an error of this round happened, for people.
[[nodiscard]] auto round_place(const RoundParameters& round) -> std::string;

/// A round as handed in is complete: suite, length, committee, and (where asked) a box key for
/// every miner, of the suite's kind. Errors: those of BodyLayout::of, `length_mismatch`,
/// `wrong_box_kind`.
[[nodiscard]] auto check_round(const RoundParameters& round, bool needs_box_keys)
    -> Result<BodyLayout>;

using ChunkHeader = std::array<std::uint8_t, chunk_header_size>;
[[nodiscard]] auto chunk_header(const RoundParameters& round, HospitalId hospital,
                                std::uint32_t block) -> ChunkHeader;
/// Whose body it is, says its first chunk's header. At least a header long.
[[nodiscard]] auto hospital_of(BytesView body) -> HospitalId;
[[nodiscard]] auto chunk_leaf(BytesView header, BytesView payload) -> Digest;
/// Merkle root over the leaves, an odd node promoted, bound to m and the number of blocks: ct_root.
[[nodiscard]] auto body_root(const BodyLayout& layout, std::vector<Digest> leaves) -> Digest;

/// All primes of a block, packed one after the other. Each of `residues` holds one prime's block.
void pack_primes(const BodyLayout& layout, std::span<const std::vector<std::uint32_t>> residues,
                 std::span<std::uint8_t> out);
/// A key, or anything shaped like it (N words a prime, primes one after the other), packed.
void pack_words(const BodyLayout& layout, std::span<const std::uint32_t> words,
                std::span<std::uint8_t> out);
/// Error: `non_canonical`.
[[nodiscard]] auto unpack_prime(const BodyLayout& layout, std::size_t prime, BytesView payload,
                                std::span<std::uint32_t> out) -> Result<void>;
/// Adds instead of writing. Error: `non_canonical`.
[[nodiscard]] auto add_packed_prime(const BodyLayout& layout, std::size_t prime, BytesView payload,
                                    std::span<std::uint32_t> sum) -> Result<void>;

[[nodiscard]] auto box_context(const RoundParameters& round, HospitalId hospital, MinerId miner)
    -> std::array<std::uint8_t, context_size>;

}  // namespace consilium::sealing
