#pragma once
// ML-KEM-768 (FIPS 203), from a library that may be missing: the inner wall behind which it could
// be exchanged for another one without a byte changing.

#include <array>
#include <span>

#include "consilium/foundation/secret.hpp"

namespace consilium::sealing::ml_kem {

inline constexpr std::size_t public_key_size = 1184;
inline constexpr std::size_t secret_key_size = 2400;
inline constexpr std::size_t ciphertext_size = 1088;
inline constexpr std::size_t shared_size = 32;
inline constexpr std::size_t seed_size = 64;     ///< d ‖ z of key generation
inline constexpr std::size_t message_size = 32;  ///< m of encapsulation

/// Was the library there when the program was built? Everything below but `is_public_key` needs it.
[[nodiscard]] auto is_available() -> bool;

/// The check of FIPS 203 §7.2 on 1184 bytes: every coefficient is below q. Needs no library, so
/// that every member of a consortium judges a key alike. Public data.
[[nodiscard]] auto is_public_key(BytesView key) -> bool;

/// ML-KEM.KeyGen_internal(d, z). `public_key` has 1184 bytes, `secret_key` 2400.
void make_keys(BytesView seed, std::span<std::uint8_t> public_key,
               std::span<std::uint8_t> secret_key);
/// ML-KEM.Encaps_internal(ek, m). `ciphertext` has 1088 bytes, `shared` 32.
void encapsulate(BytesView public_key, BytesView message, std::span<std::uint8_t> ciphertext,
                 std::span<std::uint8_t> shared);
/// ML-KEM.Decaps: a ciphertext that was not made for this key gives a key that nobody else knows.
void decapsulate(BytesView secret_key, BytesView ciphertext, std::span<std::uint8_t> shared);

}  // namespace consilium::sealing::ml_kem
