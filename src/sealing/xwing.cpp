#include "xwing.hpp"

#include <algorithm>
#include <memory>

#include <openssl/evp.h>
#include <sodium.h>

namespace consilium::sealing::xwing {
namespace {

constexpr std::array<std::uint8_t, 6> label{0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};

/// SHA-3 of secrets; OpenSSL clears its state when it frees it.
void hash(const EVP_MD* kind, std::initializer_list<BytesView> parts, std::span<std::uint8_t> out) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  CONSILIUM_ENSURE(context != nullptr && EVP_DigestInit_ex(context.get(), kind, nullptr) == 1);
  for (const BytesView part : parts) {
    CONSILIUM_ENSURE(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  const bool extendable = (EVP_MD_get_flags(kind) & EVP_MD_FLAG_XOF) != 0;
  CONSILIUM_ENSURE(extendable ? EVP_DigestFinalXOF(context.get(), out.data(), out.size()) == 1
                              : EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
}

auto combine(BytesView lattice_shared, BytesView curve_shared, BytesView curve_ciphertext,
             BytesView curve_public) -> SecretBytes {
  SecretBytes shared(shared_size);
  hash(EVP_sha3_256(), {lattice_shared, curve_shared, curve_ciphertext, curve_public, label},
       shared.expose());
  return shared;
}

}  // namespace

auto expand(BytesView seed, std::span<std::uint8_t> public_key) -> SecretKey {
  CONSILIUM_ENSURE(seed.size() == seed_size && public_key.size() == public_key_size);
  SecretBytes expanded(ml_kem::seed_size + 32);
  hash(EVP_shake256(), {seed}, expanded.expose());
  SecretKey key{SecretBytes(ml_kem::secret_key_size), SecretBytes(32), {}};
  ml_kem::make_keys(BytesView(expanded.expose()).first(ml_kem::seed_size),
                    public_key.first(ml_kem::public_key_size), key.lattice.expose());
  const BytesView curve = BytesView(expanded.expose()).subspan(ml_kem::seed_size);
  std::copy(curve.begin(), curve.end(), key.curve.expose().begin());
  CONSILIUM_ENSURE(crypto_scalarmult_base(key.curve_public.data(), curve.data()) == 0);
  std::copy(key.curve_public.begin(), key.curve_public.end(),
            public_key.subspan(ml_kem::public_key_size).begin());
  return key;
}

auto encapsulate(BytesView public_key, BytesView chance, std::span<std::uint8_t> ciphertext)
    -> SecretBytes {
  CONSILIUM_ENSURE(public_key.size() == public_key_size && chance.size() == chance_size &&
                   ciphertext.size() == ciphertext_size);
  const BytesView curve_public = public_key.subspan(ml_kem::public_key_size);
  const BytesView curve_secret = chance.subspan(ml_kem::message_size);
  const auto curve_ciphertext = ciphertext.subspan(ml_kem::ciphertext_size);
  SecretBytes curve_shared(32);
  SecretBytes lattice_shared(ml_kem::shared_size);
  CONSILIUM_ENSURE(crypto_scalarmult_base(curve_ciphertext.data(), curve_secret.data()) == 0);
  CONSILIUM_ENSURE(crypto_scalarmult(curve_shared.expose().data(), curve_secret.data(),
                                     curve_public.data()) == 0);
  ml_kem::encapsulate(public_key.first(ml_kem::public_key_size), chance.first(ml_kem::message_size),
                      ciphertext.first(ml_kem::ciphertext_size), lattice_shared.expose());
  return combine(lattice_shared.expose(), curve_shared.expose(), curve_ciphertext, curve_public);
}

auto decapsulate(const SecretKey& key, BytesView ciphertext) -> SecretBytes {
  CONSILIUM_ENSURE(ciphertext.size() == ciphertext_size);
  const BytesView curve_ciphertext = ciphertext.subspan(ml_kem::ciphertext_size);
  SecretBytes curve_shared(32);
  SecretBytes lattice_shared(ml_kem::shared_size);
  if (crypto_scalarmult(curve_shared.expose().data(), key.curve.expose().data(),
                        curve_ciphertext.data()) != 0) {
    return {};
  }
  ml_kem::decapsulate(key.lattice.expose(), ciphertext.first(ml_kem::ciphertext_size),
                      lattice_shared.expose());
  return combine(lattice_shared.expose(), curve_shared.expose(), curve_ciphertext,
                 key.curve_public);
}

}  // namespace consilium::sealing::xwing
