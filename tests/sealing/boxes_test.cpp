// Hybrid boxes. tests/vectors/boxes.json was made by a program that shares no code with this room.

#include <nlohmann/json.hpp>

#include "consilium/foundation/files.hpp"

#include "sealing_round.hpp"
#include "xwing.hpp"

namespace consilium::sealing {
namespace {

using Json = nlohmann::json;

auto vectors() -> const Json& {
  static const Json all = Json::parse(
      must(read_text_file(std::string(CONSILIUM_SOURCE_DIR) + "/tests/vectors/boxes.json")));
  return all;
}
auto text(const Json& from, const char* name) -> std::string {
  return from.at(name).get<std::string>();
}
auto bytes(const Json& from, const char* name) -> Bytes {
  return must(from_hex(text(from, name)));
}
auto joined(const Bytes& first, const Bytes& second) -> Bytes {
  Bytes out = first;
  out.insert(out.end(), second.begin(), second.end());
  return out;
}

/// What needs the library is left out, loudly, where the library is not.
class HybridBoxes : public testing::Test {
 protected:
  void SetUp() override {
    if (!hybrid_boxes_available()) {
      GTEST_SKIP() << "THIS BUILD HAS NO ML-KEM-768: hybrid boxes are not tested. ./dev setup "
                      "fetches the library.";
    }
  }
  auto hybrid_key() -> BoxKey { return must(BoxKey::make(random, BoxKind::hybrid)); }
  SystemRandom random;
};

TEST_F(HybridBoxes, ml_kem_gives_the_keys_ciphertexts_and_secrets_of_fips_203) {
  for (const Json& v : vectors().at("ml_kem")) {
    Bytes public_key(ml_kem::public_key_size);
    Bytes secret_key(ml_kem::secret_key_size);
    ml_kem::make_keys(joined(bytes(v, "d"), bytes(v, "z")), public_key, secret_key);
    EXPECT_EQ(sha256(public_key).hex(), text(v, "encapsulation_key"));
    EXPECT_EQ(sha256(secret_key).hex(), text(v, "decapsulation_key"));
    EXPECT_TRUE(ml_kem::is_public_key(public_key));
    Bytes ciphertext(ml_kem::ciphertext_size);
    Bytes shared(ml_kem::shared_size);
    ml_kem::encapsulate(public_key, bytes(v, "m"), ciphertext, shared);
    EXPECT_EQ(sha256(ciphertext).hex(), text(v, "ciphertext"));
    EXPECT_EQ(to_hex(shared), text(v, "shared"));
    ml_kem::decapsulate(secret_key, ciphertext, shared);
    EXPECT_EQ(to_hex(shared), text(v, "shared"));
    ciphertext[0] ^= 1;
    ml_kem::decapsulate(secret_key, ciphertext, shared);
    EXPECT_EQ(to_hex(shared), text(v, "implicit"));
  }
}

TEST_F(HybridBoxes, x_wing_follows_the_vectors_of_its_draft) {
  for (const Json& v : vectors().at("xwing")) {
    Bytes public_key(xwing::public_key_size);
    const xwing::SecretKey key = xwing::expand(bytes(v, "seed"), public_key);
    EXPECT_EQ(sha256(public_key).hex(), text(v, "public_key"));
    Bytes ciphertext(xwing::ciphertext_size);
    const SecretBytes shared = xwing::encapsulate(public_key, bytes(v, "eseed"), ciphertext);
    EXPECT_EQ(sha256(ciphertext).hex(), text(v, "ciphertext"));
    EXPECT_EQ(to_hex(shared.expose()), text(v, "shared"));
    EXPECT_EQ(to_hex(xwing::decapsulate(key, ciphertext).expose()), text(v, "shared"));
  }
}

TEST_F(HybridBoxes, have_the_bytes_of_an_independent_program) {
  for (const Json& v : vectors().at("boxes")) {
    const BoxKey key = must(BoxKey::from_seed(bytes(v, "seed"), BoxKind::hybrid));
    Bytes plaintext(v.at("plaintext_size").get<std::size_t>());
    for (std::size_t at = 0; at < plaintext.size(); ++at) {
      plaintext[at] = static_cast<std::uint8_t>(7 * at);
    }
    const Bytes context = bytes(v, "context");
    const Bytes box = close_hybrid_box(key.public_key(), plaintext, context, bytes(v, "eseed"));
    EXPECT_EQ(box.size(), v.at("box_size"));
    EXPECT_EQ(sha256(box).hex(), text(v, "box"));
    EXPECT_EQ(to_hex(must(key.open(box, context)).expose()), to_hex(plaintext));
  }
}

TEST_F(HybridBoxes, open_for_their_key_and_context_and_for_nothing_else) {
  const BoxKey key = hybrid_key();
  const Bytes plaintext{1, 2, 3, 4, 5};
  const Bytes context(40, 7);
  const Bytes box = close_box(key.public_key(), plaintext, context);
  EXPECT_EQ(box.size(), plaintext.size() + 1136);
  EXPECT_EQ(to_hex(must(key.open(box, context)).expose()), to_hex(plaintext));
  EXPECT_NE(close_box(key.public_key(), plaintext, context), box) << "fresh chance every time";
  EXPECT_EQ(code_of(hybrid_key().open(box, context)), "bad_box");
  EXPECT_EQ(code_of(key.open(box)), "bad_box") << "the context belongs to the box";
  Bytes other = context;
  other[39] ^= 1;
  EXPECT_EQ(code_of(key.open(box, other)), "bad_box");
  for (const std::size_t at : {0U, 500U, 1087U, 1088U, 1119U, 1120U, 1125U, 1140U}) {
    Bytes flipped = box;
    flipped[at] ^= 1;
    EXPECT_EQ(code_of(key.open(flipped, context)), "bad_box") << at;
  }
  for (const std::size_t size : {0U, 31U, 1119U, 1120U, 1135U, 1140U}) {
    EXPECT_EQ(code_of(key.open(BytesView(box).first(size), context)), "bad_box") << size;
  }
  Bytes small_order = box;
  std::fill_n(small_order.begin() + 1088, 32, std::uint8_t{0});
  EXPECT_EQ(code_of(key.open(small_order, context)), "bad_box");
  const BoxKey again = must(BoxKey::from_seed(key.seed().expose(), BoxKind::hybrid));
  EXPECT_EQ(again.public_key(), key.public_key());
  must(again.open(box, context));
}

TEST_F(HybridBoxes, do_not_open_with_the_classical_key_of_the_same_seed) {
  const BoxKey hybrid = hybrid_key();
  const BoxKey classical = must(BoxKey::from_seed(hybrid.seed().expose()));
  EXPECT_NE(classical.public_key().bytes, hybrid.public_key().bytes);
  EXPECT_EQ(code_of(classical.open(close_box(hybrid.public_key(), Bytes(9)))), "bad_box");
  EXPECT_EQ(code_of(hybrid.open(close_box(classical.public_key(), Bytes(9)))), "bad_box");
}

TEST_F(HybridBoxes, keys_out_of_range_are_refused_at_admission) {
  const BoxPublicKey good = hybrid_key().public_key();
  must(check_box_key(good));
  EXPECT_EQ(must(BoxPublicKey::decode(good.encode())), good);
  BoxPublicKey bad = good;
  bad.lattice[0] = 0xff;
  bad.lattice[1] |= 0x0f;  // the first coefficient is 4095, above q
  EXPECT_EQ(code_of(check_box_key(bad)), "bad_key");
  bad = good;
  bad.lattice[1150] |= 0xf0;
  bad.lattice[1151] = 0xff;  // the last one
  EXPECT_EQ(code_of(check_box_key(bad)), "bad_key");
  bad = good;
  bad.lattice.pop_back();
  EXPECT_EQ(code_of(check_box_key(bad)), "bad_key");
  bad = good;
  bad.bytes.fill(0);
  EXPECT_EQ(code_of(check_box_key(bad)), "bad_key");
}

TEST_F(HybridBoxes, carry_a_whole_round_and_only_the_boxes_differ) {
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    TestRound round = make_round(with_hybrid_boxes(suite), 3, 4, 100);
    round.keys.clear();
    round.parameters.box_keys.clear();
    for (int miner = 0; miner < 4; ++miner) {
      round.keys.push_back(hybrid_key());
      round.parameters.box_keys.push_back(round.keys.back().public_key());
    }
    std::vector<std::vector<std::int64_t>> values;
    for (int hospital = 0; hospital < 3; ++hospital) {
      values.push_back(random_values(random, 100, 1000));
    }
    const auto sealed = seal_all(round, values, random);
    EXPECT_EQ(sealed[0].manifest.suite, static_cast<std::uint8_t>(suite) | 0x40);
    for (const Sealed& one : sealed) must(check_body(round.parameters, one.manifest, one.body));
    const auto sums = publish(round, sealed, {1, 2, 4});
    EXPECT_EQ(must(open_sum(round.parameters, bodies_of(sealed), sums)).values, sum_of(values));

    TestRound classical = make_round(suite, 3, 4, 100);
    EXPECT_NE(classical.parameters.seed, round.parameters.seed);
    classical.parameters.seed = round.parameters.seed;  // even then the suite's id tells them apart
    EXPECT_EQ(code_of(check_manifest(classical.parameters, sealed[0].manifest, sealed[0].lists)),
              "stale_context");
    EXPECT_EQ(code_of(check_body(classical.parameters, sealed[0].manifest, sealed[0].body)),
              "stale_context");
  }
}

TEST_F(HybridBoxes, and_classical_keys_are_not_mixed_in_a_committee) {
  TestRound round = make_round(with_hybrid_boxes(Suite::s30), 3, 4, 5);
  const std::vector<std::int64_t> values(5);
  EXPECT_EQ(code_of(seal(round.parameters, HospitalId{1}, values, random)), "wrong_box_kind");
  for (BoxPublicKey& key : round.parameters.box_keys) key = hybrid_key().public_key();
  must(seal(round.parameters, HospitalId{1}, values, random));
  round.parameters.suite = Suite::s30;
  EXPECT_EQ(code_of(seal(round.parameters, HospitalId{1}, values, random)), "wrong_box_kind");
}

TEST(BoxKinds, have_sizes_of_their_own) {
  EXPECT_EQ(code_of(BoxPublicKey::decode(Bytes(31))), "bad_key");
  EXPECT_EQ(code_of(BoxPublicKey::decode(Bytes(1215))), "bad_key");
  EXPECT_EQ(must(BoxPublicKey::decode(Bytes(32))).kind(), BoxKind::classical);
  EXPECT_EQ(must(BoxPublicKey::decode(Bytes(1216))).kind(), BoxKind::hybrid);
  EXPECT_EQ(must(BoxPublicKey::decode(Bytes(32))).encode().size(), 32U);
}

TEST(BoxKinds, a_build_without_ml_kem_says_so_by_name) {
  SystemRandom random;
  must(check_available(BoxKind::classical));
  const auto code = hybrid_boxes_available() ? "" : "suite_unavailable";
  EXPECT_EQ(code_of(check_available(BoxKind::hybrid)), code);
  EXPECT_EQ(code_of(BoxKey::make(random, BoxKind::hybrid)), code);
  // A hybrid round can be read everywhere; sealing for it needs the library.
  TestRound round = make_round(with_hybrid_boxes(Suite::s30), 3, 4, 5);
  for (BoxPublicKey& key : round.parameters.box_keys) key.lattice = Bytes(lattice_key_size);
  must(check_box_key(round.parameters.box_keys[0]));
  EXPECT_EQ(code_of(seal(round.parameters, HospitalId{1}, std::vector<std::int64_t>(5), random)),
            code);
}

TEST(Suites, with_hybrid_boxes_seal_the_same_body) {
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    const Suite hybrid = with_hybrid_boxes(suite);
    EXPECT_EQ(static_cast<int>(hybrid), static_cast<int>(suite) + 0x40);
    EXPECT_EQ(must(suite_from_id(static_cast<std::uint8_t>(hybrid))), hybrid);
    EXPECT_TRUE(has_hybrid_boxes(hybrid) && !has_hybrid_boxes(suite));
    EXPECT_EQ(body_suite(hybrid), suite);
    EXPECT_EQ(&parameters_of(hybrid), &parameters_of(suite));
  }
  EXPECT_EQ(code_of(suite_from_id(0x40)), "bad_suite");
}

}  // namespace
}  // namespace consilium::sealing
