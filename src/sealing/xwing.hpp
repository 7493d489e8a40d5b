#pragma once
// X-Wing (draft-connolly-cfrg-xwing-kem-10): X25519 and ML-KEM-768 in one key encapsulation, safe
// while either of them is.

#include <array>
#include <span>

#include "ml_kem.hpp"

namespace consilium::sealing::xwing {

inline constexpr std::size_t seed_size = 32;
inline constexpr std::size_t public_key_size = ml_kem::public_key_size + 32;  ///< pk_M ‖ pk_X
inline constexpr std::size_t ciphertext_size = ml_kem::ciphertext_size + 32;  ///< ct_M ‖ ct_X
inline constexpr std::size_t shared_size = 32;
inline constexpr std::size_t chance_size = 64;  ///< eseed of EncapsulateDerand

/// expandDecapsulationKey(seed), kept so that opening many boxes expands it once.
struct SecretKey {
  SecretBytes lattice;  ///< sk_M
  SecretBytes curve;    ///< sk_X
  std::array<std::uint8_t, 32> curve_public{};
};
/// The draft's GenerateKeyPairDerand; `public_key` has 1216 bytes. Needs ml_kem::is_available().
[[nodiscard]] auto expand(BytesView seed, std::span<std::uint8_t> public_key) -> SecretKey;
/// EncapsulateDerand: the shared secret; `ciphertext` has 1120 bytes. The key was checked
/// (check_box_key).
[[nodiscard]] auto encapsulate(BytesView public_key, BytesView chance,
                               std::span<std::uint8_t> ciphertext) -> SecretBytes;
/// The shared secret. Stricter than the draft in one point: a point of small order for ct_X, which
/// no honest sender makes, gives nothing (an empty secret).
[[nodiscard]] auto decapsulate(const SecretKey& key, BytesView ciphertext) -> SecretBytes;

}  // namespace consilium::sealing::xwing

namespace consilium::sealing {
struct BoxPublicKey;
/// close_box to a hybrid key with given chance (64 bytes), for vectors.
[[nodiscard]] auto close_hybrid_box(const BoxPublicKey& to, BytesView plaintext, BytesView context,
                                    BytesView chance) -> Bytes;
}  // namespace consilium::sealing
