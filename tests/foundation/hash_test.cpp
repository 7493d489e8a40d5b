#include "consilium/foundation/hash.hpp"

#include <gtest/gtest.h>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium {
namespace {

auto range(std::uint8_t first, std::size_t count) -> Bytes {
  Bytes bytes;
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(first + i));
  return bytes;
}

TEST(Sha256, gives_the_published_digests) {
  // FIPS 180-4 examples, NIST's example values.
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const Bytes million(1000000, 'a');
  EXPECT_EQ(sha256(million).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hasher, gives_the_same_digest_in_any_pieces) {
  SeededRandom random(1, "pieces");
  for (int round = 0; round < 50; ++round) {
    Bytes bytes(random.below(500));
    random.fill(bytes);
    Hasher hasher;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t piece = 1 + random.below(bytes.size() - at);
      hasher.add(BytesView(bytes).subspan(at, piece));
      at += piece;
    }
    EXPECT_EQ(hasher.finish(), sha256(bytes)) << "round " << round;
  }
}

TEST(Hasher, is_empty_again_after_finish) {
  Hasher hasher;
  hasher.add_text("something else");
  (void)hasher.finish();
  EXPECT_EQ(hasher.add_text("abc").finish(), sha256(as_bytes("abc")));
  EXPECT_EQ(hasher.finish(), sha256({}));
}

TEST(Hasher, adds_integers_as_the_codec_writes_them) {
  Hasher hasher;
  hasher.add_u8(0x01).add_u16(0x2345).add_u32(0x6789ABCD).add_u64(0x0123456789ABCDEF);
  Writer writer;
  writer.u8(0x01).u16(0x2345).u32(0x6789ABCD).u64(0x0123456789ABCDEF);
  EXPECT_EQ(hasher.finish(), sha256(writer.view()));
}

TEST(TaggedHash, gives_the_round_seed_of_the_sealing_specification) {
  const Bytes stream(32, 0x00);
  const Bytes base(32, 0x11);
  const Bytes block(32, 0x22);
  const Bytes suite{0x01};
  const Bytes round = Writer().u64(1).take();
  EXPECT_EQ(tagged_hash("consilium/seal/1/round-seed", {stream, round, base, block, suite}).hex(),
            "1455d595de67fa86b2454c1ca7389fd51051b8746bb6c1b85d4b70fc3a0ddeaf");
}

TEST(TaggedHash, tells_apart_what_plain_concatenation_would_not) {
  const auto with = [](std::string_view tag, std::initializer_list<BytesView> parts) {
    return tagged_hash(tag, parts);
  };
  EXPECT_NE(with("tag", {as_bytes("ab"), as_bytes("c")}),
            with("tag", {as_bytes("a"), as_bytes("bc")}));
  EXPECT_NE(with("tag", {as_bytes("a")}), with("taga", {}));
  EXPECT_NE(with("tag", {}), with("tag", {BytesView{}}));
}

TEST(Hmac, gives_the_digests_of_rfc_4231) {
  EXPECT_EQ(hmac_sha256(Bytes(20, 0x0b), as_bytes("Hi There")).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(Bytes(131, 0xaa),
                        as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))
                .hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, takes_an_empty_key_and_message) {
  EXPECT_EQ(hmac_sha256({}, {}).hex(),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hkdf, gives_the_keys_of_rfc_5869) {
  EXPECT_EQ(to_hex(hkdf_sha256(Bytes(22, 0x0b), range(0x00, 13), range(0xf0, 10), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(to_hex(hkdf_sha256(range(0x00, 80), range(0x60, 80), range(0xb0, 80), 82)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(to_hex(hkdf_sha256(Bytes(22, 0x0b), {}, {}, 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, gives_a_longer_key_that_begins_with_the_shorter) {
  const Bytes longest = hkdf_sha256(as_bytes("key"), as_bytes("salt"), as_bytes("info"), 8160);
  ASSERT_EQ(longest.size(), 8160U);
  for (const std::size_t size : {0U, 1U, 31U, 32U, 33U, 64U, 8159U}) {
    const Bytes shorter = hkdf_sha256(as_bytes("key"), as_bytes("salt"), as_bytes("info"), size);
    EXPECT_EQ(shorter, Bytes(longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  EXPECT_DEATH((void)hkdf_sha256(as_bytes("key"), {}, {}, 8161), "invariant");
}

}  // namespace
}  // namespace consilium
