#pragma once
// Who may sign and who may open a box. Ed25519 (RFC 8032) and X25519 sealed boxes, both from
// libsodium; hybrid boxes (X-Wing: X25519 and ML-KEM-768), where the library for the latter is.

#include <array>
#include <compare>
#include <memory>

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

/// The same by the consensus engine's rule (ZIP-215): eight times the equation, so that a signature
/// with a point of small order mixed in counts as it counts for the engine. For evidence, where
/// whoever signed would rather be believed by the engine alone. Some 0.3 ms. Error:
/// `bad_signature`.
[[nodiscard]] auto verify_as_engine(const VerifyKey& key, BytesView message,
                                    const Signature& signature) -> Result<void>;

enum class BoxKind : std::uint8_t {
  classical = 1,  ///< X25519: libsodium's sealed box, 48 bytes longer than the plaintext
  hybrid = 2      ///< X-Wing and XChaCha20-Poly1305: 1136 bytes longer
};
/// Was ML-KEM-768 there when this program was built? Hybrid boxes need it to be made, closed and
/// opened.
[[nodiscard]] auto hybrid_boxes_available() -> bool;
/// Error: `suite_unavailable` (hybrid, and this program was built without it).
[[nodiscard]] auto check_available(BoxKind kind) -> Result<void>;

inline constexpr std::size_t lattice_key_size = 1184;
inline constexpr std::size_t classical_box_key_size = 32;
inline constexpr std::size_t hybrid_box_key_size = lattice_key_size + 32;

struct BoxPublicKey {
  std::array<std::uint8_t, 32> bytes{};  ///< X25519
  Bytes lattice{};                       ///< ML-KEM-768: 1184 bytes, or none in a classical key
  [[nodiscard]] auto kind() const -> BoxKind {
    return lattice.empty() ? BoxKind::classical : BoxKind::hybrid;
  }
  /// 32 bytes, or the 1216 of X-Wing: ML-KEM-768 ‖ X25519.
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_key` (another size). Says nothing about the content: check_box_key.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<BoxPublicKey>;
  auto operator<=>(const BoxPublicKey&) const = default;
};
/// A miner's box key of one committee epoch. 32 secret bytes, whatever its kind.
class BoxKey {
 public:
  [[nodiscard]] static auto make(Random& random) -> BoxKey;  ///< a classical one
  /// Error: `suite_unavailable`.
  [[nodiscard]] static auto make(Random& random, BoxKind kind) -> Result<BoxKey>;
  /// Errors: `bad_key`, `suite_unavailable`.
  [[nodiscard]] static auto from_seed(BytesView seed, BoxKind kind = BoxKind::classical)
      -> Result<BoxKey>;
  ~BoxKey();
  BoxKey(BoxKey&&) noexcept;
  auto operator=(BoxKey&&) noexcept -> BoxKey&;
  [[nodiscard]] auto seed() const -> SecretBytes;
  [[nodiscard]] auto public_key() const -> const BoxPublicKey& { return public_; }
  /// `context` is what the box was closed for; a classical box carries none, and whoever opens it
  /// compares the one inside. Error: `bad_box` – and nothing about why.
  [[nodiscard]] auto open(BytesView box, BytesView context = {}) const -> Result<SecretBytes>;
  /// What this key and another's have in common (X25519, RFC 7748): 32 bytes to be hashed with
  /// names and purpose before any use. Errors: `bad_key` (the other is of small order),
  /// `suite_unavailable` (one of the two is hybrid: masks are agreed under X25519 alone, and would
  /// take away what a hybrid key promises).
  [[nodiscard]] auto agree(const BoxPublicKey& other) const -> Result<SecretBytes>;

 private:
  struct Opener;  ///< the expanded secret key
  BoxKey(SecretBytes seed, std::unique_ptr<Opener> opener, BoxPublicKey key);
  SecretBytes seed_;
  std::unique_ptr<Opener> opener_;
  BoxPublicKey public_;
};
/// A key to which a box can be closed. The same answer on every machine, whether or not hybrid
/// boxes are available there. Error: `bad_key` (a point of small order: its box would be open to
/// all; a coefficient out of range: FIPS 203 §7.2). Whoever admits a box key must ask first.
[[nodiscard]] auto check_box_key(const BoxPublicKey& key) -> Result<void>;
/// The key must have passed `check_box_key` and its kind `check_available`. `context` is bound to a
/// hybrid box as associated data; crypto_box_seal has no place for it.
[[nodiscard]] auto close_box(const BoxPublicKey& to, BytesView plaintext, BytesView context = {})
    -> Bytes;

}  // namespace consilium::sealing
