#include "consilium/sealing/keys.hpp"

#include <algorithm>
#include <optional>

#include <sodium.h>

#include "xwing.hpp"

namespace consilium::sealing {
namespace {

/// libsodium picks its code for this processor once; later calls cost nothing.
void start_sodium() {
  CONSILIUM_ENSURE(sodium_init() >= 0);
}

constexpr std::size_t seed_size = 32;
static_assert(crypto_sign_SEEDBYTES == seed_size && crypto_box_SEEDBYTES == seed_size);
static_assert(crypto_sign_BYTES == 64 && crypto_sign_PUBLICKEYBYTES == 32);
static_assert(crypto_box_PUBLICKEYBYTES == 32 && crypto_box_SEALBYTES == 48);

auto random_seed(Random& random) -> SecretBytes {
  SecretBytes seed(seed_size);
  random.fill(seed.expose());
  return seed;
}

auto checked_seed(BytesView seed) -> Result<void> {
  if (seed.size() == seed_size) return {};
  return fail("bad_key", "key seed", "A key's seed has 32 bytes; restore the key file.");
}

}  // namespace

auto SigningKey::make(Random& random) -> SigningKey {
  const SecretBytes seed = random_seed(random);
  return *from_seed(seed.expose());
}

auto SigningKey::from_seed(BytesView seed) -> Result<SigningKey> {
  CONSILIUM_CHECK(checked_seed(seed));
  start_sodium();
  SecretBytes secret(crypto_sign_SECRETKEYBYTES);
  VerifyKey key;
  CONSILIUM_ENSURE(
      crypto_sign_seed_keypair(key.bytes.data(), secret.expose().data(), seed.data()) == 0);
  return SigningKey(std::move(secret), key);
}

auto SigningKey::seed() const -> SecretBytes {
  SecretBytes seed(seed_size);
  CONSILIUM_ENSURE(crypto_sign_ed25519_sk_to_seed(seed.expose().data(), secret_.expose().data()) ==
                   0);
  return seed;
}

auto SigningKey::sign(BytesView message) const -> Signature {
  Signature signature;
  CONSILIUM_ENSURE(crypto_sign_detached(signature.bytes.data(), nullptr, message.data(),
                                        message.size(), secret_.expose().data()) == 0);
  return signature;
}

static auto bad_signature() -> tl::unexpected<Error> {
  return fail("bad_signature", "signed message",
              "The signature does not belong to this message and key; the message is refused.");
}

auto verify(const VerifyKey& key, BytesView message, const Signature& signature) -> Result<void> {
  start_sodium();
  if (crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                  key.bytes.data()) == 0) {
    return {};
  }
  return bad_signature();
}

namespace {

using Point = std::array<std::uint8_t, crypto_core_ed25519_BYTES>;
using Scalar = std::array<std::uint8_t, crypto_core_ed25519_SCALARBYTES>;

/// 8·p, which has no small-order part any more; nothing when p is no point of the curve.
auto eightfold(const std::uint8_t* point) -> std::optional<Point> {
  Point out{};
  std::copy_n(point, out.size(), out.begin());
  for (int i = 0; i < 3; ++i) {
    if (crypto_core_ed25519_add(out.data(), out.data(), out.data()) != 0) return std::nullopt;
  }
  return out;
}

/// scalar·point, for a point without a small-order part. libsodium refuses what gives the neutral
/// element: that is what it is then.
auto times(const Scalar& scalar, const Point& point) -> Point {
  Point out{};
  if (crypto_scalarmult_ed25519_noclamp(out.data(), scalar.data(), point.data()) == 0) return out;
  out.fill(0);
  out[0] = 1;
  return out;
}

}  // namespace

auto verify_as_engine(const VerifyKey& key, BytesView message, const Signature& signature)
    -> Result<void> {
  start_sodium();
  Scalar s{};
  std::copy_n(signature.bytes.begin() + 32, s.size(), s.begin());
  // s below the group's order: only then does reducing change nothing.
  std::array<std::uint8_t, crypto_core_ed25519_NONREDUCEDSCALARBYTES> wide{};
  std::copy(s.begin(), s.end(), wide.begin());
  Scalar reduced{};
  crypto_core_ed25519_scalar_reduce(reduced.data(), wide.data());
  const auto commitment = eightfold(signature.bytes.data());
  const auto owner = eightfold(key.bytes.data());
  if (reduced != s || !commitment || !owner) return bad_signature();

  std::array<std::uint8_t, crypto_hash_sha512_BYTES> hash{};
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, signature.bytes.data(), 32);
  crypto_hash_sha512_update(&state, key.bytes.data(), key.bytes.size());
  crypto_hash_sha512_update(&state, message.data(), message.size());
  crypto_hash_sha512_final(&state, hash.data());
  Scalar challenge{};
  crypto_core_ed25519_scalar_reduce(challenge.data(), hash.data());

  Point base{};
  Scalar one{1};
  CONSILIUM_ENSURE(crypto_scalarmult_ed25519_base_noclamp(base.data(), one.data()) == 0);
  const auto eight_bases = eightfold(base.data());
  CONSILIUM_ENSURE(eight_bases.has_value());
  Point right{};
  const Point part = times(challenge, *owner);
  if (crypto_core_ed25519_add(right.data(), commitment->data(), part.data()) != 0)
    return bad_signature();
  if (times(s, *eight_bases) != right) return bad_signature();
  return {};
}

auto hybrid_boxes_available() -> bool {
  return ml_kem::is_available();
}

auto check_available(BoxKind kind) -> Result<void> {
  if (kind == BoxKind::classical || hybrid_boxes_available()) return {};
  return fail("suite_unavailable", "hybrid boxes",
              "This program was built without ML-KEM-768; run ./dev setup and build it again.");
}

auto BoxPublicKey::encode() const -> Bytes {
  Bytes out = lattice;
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

auto BoxPublicKey::decode(BytesView bytes) -> Result<BoxPublicKey> {
  if (bytes.size() != classical_box_key_size && bytes.size() != hybrid_box_key_size) {
    return fail("bad_key", "box key", "A box key has 32 bytes, a hybrid one 1216.");
  }
  const BytesView lattice = bytes.first(bytes.size() - classical_box_key_size);
  BoxPublicKey key;
  key.lattice.assign(lattice.begin(), lattice.end());
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(lattice.size()), bytes.end(),
            key.bytes.begin());
  return key;
}

struct BoxKey::Opener {
  SecretBytes classical;    ///< X25519
  xwing::SecretKey hybrid;  ///< one of the two is empty
};

BoxKey::BoxKey(SecretBytes seed, std::unique_ptr<Opener> opener, BoxPublicKey key)
    : seed_(std::move(seed)), opener_(std::move(opener)), public_(std::move(key)) {}
BoxKey::~BoxKey() = default;
BoxKey::BoxKey(BoxKey&&) noexcept = default;
auto BoxKey::operator=(BoxKey&& other) noexcept -> BoxKey& {
  // Moving secret memory swaps it: what was here must not live on in `other`.
  seed_.erase();
  seed_ = std::move(other.seed_);
  opener_ = std::move(other.opener_);
  public_ = std::move(other.public_);
  return *this;
}

auto BoxKey::make(Random& random) -> BoxKey {
  const SecretBytes seed = random_seed(random);
  return std::move(*from_seed(seed.expose()));
}

auto BoxKey::make(Random& random, BoxKind kind) -> Result<BoxKey> {
  const SecretBytes seed = random_seed(random);
  return from_seed(seed.expose(), kind);
}

auto BoxKey::from_seed(BytesView seed, BoxKind kind) -> Result<BoxKey> {
  CONSILIUM_CHECK(checked_seed(seed));
  CONSILIUM_CHECK(check_available(kind));
  start_sodium();
  SecretBytes kept(seed_size);
  std::copy(seed.begin(), seed.end(), kept.expose().begin());
  auto opener = std::make_unique<Opener>();
  BoxPublicKey key;
  if (kind == BoxKind::classical) {
    opener->classical = SecretBytes(crypto_box_SECRETKEYBYTES);
    CONSILIUM_ENSURE(crypto_box_seed_keypair(key.bytes.data(), opener->classical.expose().data(),
                                             seed.data()) == 0);
  } else {
    Bytes both(xwing::public_key_size);
    opener->hybrid = xwing::expand(seed, both);
    CONSILIUM_TRY(key, BoxPublicKey::decode(both));
  }
  return BoxKey(std::move(kept), std::move(opener), std::move(key));
}

auto BoxKey::seed() const -> SecretBytes {
  SecretBytes copy(seed_.size());
  std::copy(seed_.expose().begin(), seed_.expose().end(), copy.expose().begin());
  return copy;
}

namespace {

constexpr std::size_t hybrid_overhead =
    xwing::ciphertext_size + crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(hybrid_box_key_size == xwing::public_key_size);
static_assert(xwing::shared_size == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
/// A box's key is used once, so its nonce may be the same for all.
constexpr std::array<std::uint8_t, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES> nonce{};

auto refuse_box() {
  return fail("bad_box", "box", "The box does not open with this key.");
}

auto open_hybrid(const xwing::SecretKey& key, BytesView box, BytesView context)
    -> Result<SecretBytes> {
  if (box.size() < hybrid_overhead) return refuse_box();
  const SecretBytes shared = xwing::decapsulate(key, box.first(xwing::ciphertext_size));
  if (shared.size() == 0) return refuse_box();
  const BytesView sealed = box.subspan(xwing::ciphertext_size);
  SecretBytes plaintext(box.size() - hybrid_overhead);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          plaintext.expose().data(), nullptr, nullptr, sealed.data(), sealed.size(), context.data(),
          context.size(), nonce.data(), shared.expose().data()) != 0) {
    return refuse_box();
  }
  return plaintext;
}

}  // namespace

auto BoxKey::open(BytesView box, BytesView context) const -> Result<SecretBytes> {
  if (public_.kind() == BoxKind::hybrid) return open_hybrid(opener_->hybrid, box, context);
  if (box.size() < crypto_box_SEALBYTES) return refuse_box();
  SecretBytes plaintext(box.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(plaintext.expose().data(), box.data(), box.size(), public_.bytes.data(),
                           opener_->classical.expose().data()) != 0) {
    return refuse_box();
  }
  return plaintext;
}

auto BoxKey::agree(const BoxPublicKey& other) const -> Result<SecretBytes> {
  if (public_.kind() != BoxKind::classical || other.kind() != BoxKind::classical) {
    return fail("suite_unavailable", "box key",
                "Masks are agreed with classical box keys; ask for classical boxes or delivery A.");
  }
  SecretBytes shared(crypto_scalarmult_BYTES);
  if (crypto_scalarmult(shared.expose().data(), opener_->classical.expose().data(),
                        other.bytes.data()) == 0)
    return shared;
  return fail("bad_key", "box key", "This is no usable X25519 key; its owner must make a new one.");
}

auto check_box_key(const BoxPublicKey& key) -> Result<void> {
  start_sodium();
  // Any scalar will do: it is clamped to a multiple of eight, which sends every point of small
  // order to zero.
  constexpr std::array<std::uint8_t, crypto_scalarmult_SCALARBYTES> scalar{1};
  std::array<std::uint8_t, crypto_scalarmult_BYTES> point{};
  if (crypto_scalarmult(point.data(), scalar.data(), key.bytes.data()) != 0) {
    return fail("bad_key", "box key",
                "This is no usable X25519 key; its owner must make a new one.");
  }
  if (key.kind() == BoxKind::hybrid && !ml_kem::is_public_key(key.lattice)) {
    return fail("bad_key", "box key",
                "This is no usable ML-KEM-768 key; its owner must make a new one.");
  }
  return {};
}

auto close_box(const BoxPublicKey& to, BytesView plaintext, BytesView context) -> Bytes {
  start_sodium();
  if (to.kind() == BoxKind::classical) {
    Bytes box(plaintext.size() + crypto_box_SEALBYTES);
    CONSILIUM_ENSURE(
        crypto_box_seal(box.data(), plaintext.data(), plaintext.size(), to.bytes.data()) == 0);
    return box;
  }
  SecretBytes chance(xwing::chance_size);
  randombytes_buf(chance.expose().data(), chance.size());
  return close_hybrid_box(to, plaintext, context, chance.expose());
}

auto close_hybrid_box(const BoxPublicKey& to, BytesView plaintext, BytesView context,
                      BytesView chance) -> Bytes {
  Bytes box(plaintext.size() + hybrid_overhead);
  const std::span<std::uint8_t> out(box);
  const SecretBytes shared =
      xwing::encapsulate(to.encode(), chance, out.first(xwing::ciphertext_size));
  CONSILIUM_ENSURE(crypto_aead_xchacha20poly1305_ietf_encrypt(
                       out.subspan(xwing::ciphertext_size).data(), nullptr, plaintext.data(),
                       plaintext.size(), context.data(), context.size(), nullptr, nonce.data(),
                       shared.expose().data()) == 0);
  return box;
}

}  // namespace consilium::sealing
