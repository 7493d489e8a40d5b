#include "consilium/sealing/keys.hpp"

#include <algorithm>

#include <sodium.h>

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

auto verify(const VerifyKey& key, BytesView message, const Signature& signature) -> Result<void> {
  start_sodium();
  if (crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                  key.bytes.data()) == 0) {
    return {};
  }
  return fail("bad_signature", "signed message",
              "The signature does not belong to this message and key; the message is refused.");
}

auto BoxKey::make(Random& random) -> BoxKey {
  const SecretBytes seed = random_seed(random);
  return *from_seed(seed.expose());
}

auto BoxKey::from_seed(BytesView seed) -> Result<BoxKey> {
  CONSILIUM_CHECK(checked_seed(seed));
  start_sodium();
  SecretBytes kept(seed_size);
  std::copy(seed.begin(), seed.end(), kept.expose().begin());
  SecretBytes secret(crypto_box_SECRETKEYBYTES);
  BoxPublicKey key;
  CONSILIUM_ENSURE(crypto_box_seed_keypair(key.bytes.data(), secret.expose().data(), seed.data()) ==
                   0);
  return BoxKey(std::move(kept), std::move(secret), key);
}

auto BoxKey::seed() const -> SecretBytes {
  SecretBytes copy(seed_.size());
  std::copy(seed_.expose().begin(), seed_.expose().end(), copy.expose().begin());
  return copy;
}

auto BoxKey::open(BytesView box) const -> Result<SecretBytes> {
  const auto refuse = [] { return fail("bad_box", "box", "The box does not open with this key."); };
  if (box.size() < crypto_box_SEALBYTES) return refuse();
  SecretBytes plaintext(box.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(plaintext.expose().data(), box.data(), box.size(), public_.bytes.data(),
                           secret_.expose().data()) != 0) {
    return refuse();
  }
  return plaintext;
}

auto BoxKey::agree(const BoxPublicKey& other) const -> Result<SecretBytes> {
  SecretBytes shared(crypto_scalarmult_BYTES);
  if (crypto_scalarmult(shared.expose().data(), secret_.expose().data(), other.bytes.data()) == 0)
    return shared;
  return fail("bad_key", "box key", "This is no usable X25519 key; its owner must make a new one.");
}

auto check_box_key(const BoxPublicKey& key) -> Result<void> {
  start_sodium();
  // Any scalar will do: it is clamped to a multiple of eight, which sends every point of small
  // order to zero.
  constexpr std::array<std::uint8_t, crypto_scalarmult_SCALARBYTES> scalar{1};
  std::array<std::uint8_t, crypto_scalarmult_BYTES> point{};
  if (crypto_scalarmult(point.data(), scalar.data(), key.bytes.data()) == 0) return {};
  return fail("bad_key", "box key", "This is no usable X25519 key; its owner must make a new one.");
}

auto close_box(const BoxPublicKey& to, BytesView plaintext) -> Bytes {
  start_sodium();
  Bytes box(plaintext.size() + crypto_box_SEALBYTES);
  CONSILIUM_ENSURE(
      crypto_box_seal(box.data(), plaintext.data(), plaintext.size(), to.bytes.data()) == 0);
  return box;
}

}  // namespace consilium::sealing
