#pragma once
// Uniform residues out of a 32-byte key (sealing-spec §4): AES-256-CTR, 32-bit little-endian words,
// the low bits of the modulus' length, accepted when below it.

#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/random.hpp"
#include "consilium/foundation/secret.hpp"

#include "prime_field.hpp"

namespace consilium::sealing {

/// A rejected word leaves no trace in the kept ones, so rejection may branch even where the words
/// are secret. One stream may serve several primes one after the other: the next prime goes on at
/// the next raw word.
class WordStream {
 public:
  /// A secret stream: what it holds lies in locked memory, which takes 30 µs to get.
  explicit WordStream(BytesView key);
  /// A public stream, under a hash that everybody can compute.
  explicit WordStream(const Digest& key);
  /// The next out.size() accepted words.
  void residues(const PrimeField& field, std::span<std::uint32_t> out);
  /// The next raw bytes; a multiple of four, so that words stay whole.
  void bytes(std::span<std::uint8_t> out);

 private:
  void refill();
  AesCtr cipher_;
  SecretBytes secret_;  ///< one of the two is empty
  Bytes open_;
  std::span<std::uint8_t> buffer_;
  std::size_t at_;
};

/// â of one block and prime: the accepted words under key(b, r) in the order of the wire.
void expand(const Digest& round_seed, std::uint32_t block, std::uint8_t prime_index,
            const PrimeField& field, std::span<std::uint32_t> out);
[[nodiscard]] auto expansion_key(const Digest& round_seed, std::uint32_t block,
                                 std::uint8_t prime_index) -> Digest;

}  // namespace consilium::sealing
