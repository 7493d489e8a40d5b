#include "consilium/sealing/keys.hpp"

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
