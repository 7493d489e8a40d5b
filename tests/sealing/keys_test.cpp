#include "consilium/sealing/keys.hpp"

#include <algorithm>

#include <sodium.h>

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

TEST(SigningKeys, follow_the_first_vector_of_rfc_8032) {
  const Bytes seed =
      must(from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  const SigningKey key = must(SigningKey::from_seed(seed));
  EXPECT_EQ(to_hex(key.verify_key().bytes),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const Signature signature = key.sign({});
  EXPECT_EQ(
      to_hex(signature.bytes),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e397"
      "01cf9b46bd25bf5f0595bbe24655141438e7a100b");
  must(verify(key.verify_key(), {}, signature));
  EXPECT_EQ(to_hex(key.seed().expose()), to_hex(seed));
}

TEST(SigningKeys, refuse_every_flipped_bit) {
  SystemRandom random;
  const SigningKey key = SigningKey::make(random);
  Bytes message(50);
  random.fill(message);
  const Signature signature = key.sign(message);
  must(verify(key.verify_key(), message, signature));
  for (std::size_t at = 0; at < message.size(); ++at) {
    Bytes other = message;
    other[at] ^= 1;
    EXPECT_EQ(code_of(verify(key.verify_key(), other, signature)), "bad_signature");
  }
  for (std::size_t at = 0; at < 64; ++at) {
    Signature other = signature;
    other.bytes[at] ^= 0x20;
    EXPECT_EQ(code_of(verify(key.verify_key(), message, other)), "bad_signature");
  }
  EXPECT_EQ(code_of(verify(SigningKey::make(random).verify_key(), message, signature)),
            "bad_signature");
  EXPECT_EQ(code_of(SigningKey::from_seed(Bytes(31))), "bad_key");
}

TEST(BoxKeys, open_what_was_closed_for_them_and_nothing_else) {
  SystemRandom random;
  const BoxKey key = BoxKey::make(random);
  const Bytes plaintext{1, 2, 3, 4, 5};
  Bytes box = close_box(key.public_key(), plaintext);
  EXPECT_EQ(box.size(), plaintext.size() + 48);
  const SecretBytes opened = must(key.open(box));
  EXPECT_EQ(to_hex(opened.expose()), to_hex(plaintext));
  const BoxKey again = must(BoxKey::from_seed(key.seed().expose()));
  EXPECT_EQ(again.public_key(), key.public_key());
  must(again.open(box));
  EXPECT_EQ(code_of(BoxKey::make(random).open(box)), "bad_box");
  box[10] ^= 1;
  EXPECT_EQ(code_of(key.open(box)), "bad_box");
  EXPECT_EQ(code_of(key.open(Bytes(47))), "bad_box");
  EXPECT_EQ(code_of(key.open({})), "bad_box");
  EXPECT_EQ(code_of(BoxKey::from_seed(Bytes(33))), "bad_key");
  EXPECT_EQ(must(key.open(close_box(key.public_key(), {}))).size(), 0U);
}

TEST(BoxKeys, of_small_order_are_refused_at_admission) {
  BoxPublicKey zero;
  EXPECT_EQ(code_of(check_box_key(zero)), "bad_key");
  BoxPublicKey one;
  one.bytes[0] = 1;
  EXPECT_EQ(code_of(check_box_key(one)), "bad_key");
  SystemRandom random;
  must(check_box_key(BoxKey::make(random).public_key()));
}

/// Signs like the key of this seed, with a point of order 8 added to the first half: the engine's
/// rule does not see the difference, the strict one does.
auto signed_with_small_order_part(BytesView seed, const VerifyKey& key, BytesView message)
    -> Signature {
  const Bytes torsion =
      must(from_hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"));
  std::array<std::uint8_t, 64> hash{};
  std::array<std::uint8_t, 64> wide{};
  std::array<std::uint8_t, 32> secret{};
  std::array<std::uint8_t, 32> nonce{9, 8, 7};
  std::array<std::uint8_t, 32> challenge{};
  std::array<std::uint8_t, 32> response{};
  crypto_hash_sha512(hash.data(), seed.data(), seed.size());
  std::copy_n(hash.begin(), 32, wide.begin());
  wide[0] &= 248U;
  wide[31] = static_cast<std::uint8_t>((wide[31] & 127U) | 64U);
  crypto_core_ed25519_scalar_reduce(secret.data(), wide.data());
  Signature out;
  EXPECT_EQ(crypto_scalarmult_ed25519_base_noclamp(out.bytes.data(), nonce.data()), 0);
  EXPECT_EQ(crypto_core_ed25519_add(out.bytes.data(), out.bytes.data(), torsion.data()), 0);
  Bytes hashed(out.bytes.begin(), out.bytes.begin() + 32);
  hashed.insert(hashed.end(), key.bytes.begin(), key.bytes.end());
  hashed.insert(hashed.end(), message.begin(), message.end());
  crypto_hash_sha512(hash.data(), hashed.data(), hashed.size());
  crypto_core_ed25519_scalar_reduce(challenge.data(), hash.data());
  crypto_core_ed25519_scalar_mul(response.data(), challenge.data(), secret.data());
  crypto_core_ed25519_scalar_add(response.data(), response.data(), nonce.data());
  std::copy(response.begin(), response.end(), out.bytes.begin() + 32);
  return out;
}

TEST(EnginesRule, takes_a_signature_that_was_made_to_hide_from_the_strict_one) {
  SystemRandom random;
  const SigningKey key = SigningKey::make(random);
  const SecretBytes seed = key.seed();
  const Bytes message{1, 2, 3};
  const Signature hidden = signed_with_small_order_part(seed.expose(), key.verify_key(), message);
  EXPECT_EQ(code_of(verify(key.verify_key(), message, hidden)), "bad_signature");
  must(verify_as_engine(key.verify_key(), message, hidden));
  EXPECT_EQ(code_of(verify_as_engine(key.verify_key(), Bytes{1, 2, 4}, hidden)), "bad_signature");
}

TEST(EnginesRule, is_the_strict_one_for_everything_that_was_signed_plainly) {
  SystemRandom random;
  for (int i = 0; i < 20; ++i) {
    const SigningKey key = SigningKey::make(random);
    const Bytes message(static_cast<std::size_t>(i) * 7, static_cast<std::uint8_t>(i));
    const Signature good = key.sign(message);
    must(verify_as_engine(key.verify_key(), message, good));
    for (const std::size_t at : std::vector<std::size_t>{0, 13, 31, 32, 50, 63}) {
      Signature damaged = good;
      damaged.bytes.at(at) ^= 0x20U;
      EXPECT_EQ(code_of(verify_as_engine(key.verify_key(), message, damaged)), "bad_signature");
    }
    EXPECT_EQ(code_of(verify_as_engine(SigningKey::make(random).verify_key(), message, good)),
              "bad_signature");
    // The same number above the group's order is another signature of the same message: none.
    constexpr std::array<std::uint8_t, 32> order{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                                 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                                 0,    0,    0,    0,    0,    0,    0,    0,
                                                 0,    0,    0,    0,    0,    0,    0,    0x10};
    Signature above = good;
    unsigned carry = 0;
    for (std::size_t j = 0; j < order.size(); ++j) {
      carry += unsigned{above.bytes.at(32 + j)} + order.at(j);
      above.bytes.at(32 + j) = static_cast<std::uint8_t>(carry & 0xffU);
      carry >>= 8U;
    }
    EXPECT_EQ(code_of(verify_as_engine(key.verify_key(), message, above)), "bad_signature");
  }
}

TEST(Purposes, are_a_closed_list) {
  for (const std::uint8_t id : std::vector<std::uint8_t>{1, 2, 3, 4}) {
    EXPECT_EQ(static_cast<std::uint8_t>(must(purpose_from_id(id))), id);
  }
  EXPECT_EQ(purpose_name(Purpose::council), "council");
  EXPECT_EQ(code_of(purpose_from_id(0)), "bad_purpose");
  EXPECT_EQ(code_of(purpose_from_id(5)), "bad_purpose");
}

}  // namespace
}  // namespace consilium::sealing
