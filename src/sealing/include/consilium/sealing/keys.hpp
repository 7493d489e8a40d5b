#pragma once
// Who may sign and who may open a box. Ed25519 (RFC 8032) and X25519 sealed boxes, both from
// libsodium.

#include <array>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/random.hpp"
#include "consilium/foundation/secret.hpp"

namespace consilium::sealing {

struct VerifyKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const VerifyKey&) const = default;
};
struct Signature {
  std::array<std::uint8_t, 64> bytes{};
  auto operator==(const Signature&) const -> bool = default;
};

/// A member's signing key. Made from 32 random bytes, kept in locked memory.
class SigningKey {
 public:
  [[nodiscard]] static auto make(Random& random) -> SigningKey;
  /// The 32-byte seed, for the node's key file. Error: `bad_key`.
  [[nodiscard]] static auto from_seed(BytesView seed) -> Result<SigningKey>;
  [[nodiscard]] auto seed() const -> SecretBytes;
  [[nodiscard]] auto verify_key() const -> const VerifyKey& { return public_; }
  [[nodiscard]] auto sign(BytesView message) const -> Signature;

 private:
  SigningKey(SecretBytes secret, VerifyKey key) : secret_(std::move(secret)), public_(key) {}
  SecretBytes secret_;
  VerifyKey public_;
};
/// Error: `bad_signature`.
[[nodiscard]] auto verify(const VerifyKey& key, BytesView message, const Signature& signature)
    -> Result<void>;

struct BoxPublicKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const BoxPublicKey&) const = default;
};
/// A miner's box key of one committee epoch.
class BoxKey {
 public:
  [[nodiscard]] static auto make(Random& random) -> BoxKey;
  [[nodiscard]] static auto from_seed(BytesView seed) -> Result<BoxKey>;  ///< Error: `bad_key`
  [[nodiscard]] auto seed() const -> SecretBytes;
  [[nodiscard]] auto public_key() const -> const BoxPublicKey& { return public_; }
  /// Error: `bad_box` – and nothing about why.
  [[nodiscard]] auto open(BytesView box) const -> Result<SecretBytes>;
  /// What this key and another's have in common (X25519, RFC 7748): 32 bytes to be hashed with
  /// names and purpose before any use. Error: `bad_key` (the other is of small order).
  [[nodiscard]] auto agree(const BoxPublicKey& other) const -> Result<SecretBytes>;

 private:
  BoxKey(SecretBytes seed, SecretBytes secret, BoxPublicKey key)
      : seed_(std::move(seed)), secret_(std::move(secret)), public_(key) {}
  SecretBytes seed_, secret_;
  BoxPublicKey public_;
};
/// A key to which a box can be closed. Error: `bad_key` (a point of small order: its box would be
/// open to all, and libsodium refuses it). Whoever admits a box key must ask first.
[[nodiscard]] auto check_box_key(const BoxPublicKey& key) -> Result<void>;
/// crypto_box_seal: 48 bytes longer than the plaintext. The key must have passed `check_box_key`.
[[nodiscard]] auto close_box(const BoxPublicKey& to, BytesView plaintext) -> Bytes;

}  // namespace consilium::sealing
