#pragma once
// One block after the other, from integers to packed residues: the work that grows with the vector.

#include "body_layout.hpp"
#include "key_sharing.hpp"

namespace consilium::sealing {

/// Seals the blocks of one vector; owns the secret work space of one block (0.5 MiB in S30).
class BodySealer {
 public:
  /// `key` is ŝ, prime after prime; `error_key` starts the stream of all errors.
  BodySealer(const RoundParameters& round, const BodyLayout& layout, HospitalId hospital,
             std::int64_t delta, const KeyWords& key, const SecretBytes& error_key);

  /// Where the block's used slots go before it is sealed, |x| ≤ X_max; the rest counts as 0.
  [[nodiscard]] auto values(std::uint32_t block) -> std::span<std::int32_t>;
  [[nodiscard]] auto chunk_size(std::uint32_t block) const -> std::size_t {
    return chunk_header_size + layout_.payload_size(block);
  }
  /// Writes the block's chunk. Blocks must come in order, the witness last: the errors are one
  /// stream.
  void seal_block(std::uint32_t block, std::span<std::uint8_t> chunk);

 private:
  const RoundParameters& round_;
  const BodyLayout& layout_;
  HospitalId hospital_;
  std::int64_t delta_;
  int eta_;
  Secret<Factor> prepared_key_;
  WordStream errors_;
  SecretBytes error_bytes_;
  Secret<std::int32_t> values_;
  Secret<std::uint32_t> block_;
};

}  // namespace consilium::sealing
