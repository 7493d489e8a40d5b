// tests/vectors/sealing.json was made by a program that shares no code with this room.

#include <nlohmann/json.hpp>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

#include "block_kernels.hpp"
#include "body_layout.hpp"
#include "key_sharing.hpp"
#include "sealing_round.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

using Json = nlohmann::json;

auto vectors() -> const Json& {
  static const Json all = Json::parse(
      must(read_text_file(std::string(CONSILIUM_SOURCE_DIR) + "/tests/vectors/sealing.json")));
  return all;
}

auto text(const Json& from, const char* name) -> std::string {
  return from.at(name).get<std::string>();
}
auto digest(const Json& from, const char* name) -> Digest {
  return must(Digest::from_hex(text(from, name)));
}
auto words(const Json& from, const char* name) -> std::vector<std::uint32_t> {
  return from.at(name).get<std::vector<std::uint32_t>>();
}
auto hash_of_words(std::span<const std::uint32_t> values) -> std::string {
  Writer writer;
  for (const std::uint32_t value : values) writer.u32(value);
  return sha256(writer.view()).hex();
}

auto seed_of_the_specification() -> Digest {
  return round_seed(Digest{}, RoundId{1}, digest_of(0x11), digest_of(0x22), Suite::s30);
}

auto expanded(std::uint32_t block, std::uint32_t lanes) -> std::vector<std::uint32_t> {
  std::vector<std::uint32_t> out(std::size_t{2048} * lanes);
  expand(seed_of_the_specification(), block, 0, fields_of(Suite::s30)[0], out);
  return out;
}

TEST(SealingVectors, names_of_streams_rounds_and_sets) {
  const Json& s = vectors().at("s30").at("specification");
  EXPECT_EQ(seed_of_the_specification().hex(), text(s, "round_seed"));
  Digest consortium;
  for (std::size_t at = 0; at < 32; ++at) consortium.bytes[at] = static_cast<std::uint8_t>(at);
  const Digest stream = stream_id(consortium, Purpose::update, 1);
  EXPECT_EQ(stream.hex(), text(s, "stream"));
  EXPECT_EQ(no_model_base(stream).hex(), text(s, "no_model_base"));
  // Handed in out of order: the digest is of the set.
  const std::vector<SetMember> set{{HospitalId{3}, digest_of(0x33)},
                                   {HospitalId{1}, digest_of(0x31)},
                                   {HospitalId{2}, digest_of(0x32)}};
  EXPECT_EQ(set_digest(seed_of_the_specification(), set).hex(), text(s, "set"));
}

TEST(SealingVectors, public_words_with_and_without_rejection) {
  const Json& s = vectors().at("s30").at("specification");
  const Digest seed = seed_of_the_specification();
  EXPECT_EQ(expansion_key(seed, 0, 0).hex(), text(s, "key_0"));
  EXPECT_EQ(expansion_key(seed, 1, 0).hex(), text(s, "block_1_key"));
  EXPECT_EQ(expansion_key(seed, witness_block, 0).hex(), text(s, "witness_key"));

  const auto block_0 = expanded(0, 16);
  const auto first = words(s, "block_0_words");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), block_0.begin()));
  EXPECT_EQ(block_0.back(), s.at("block_0_last"));

  const auto block_1 = expanded(1, 16);
  const auto around = words(s, "block_1_words_16486");
  EXPECT_TRUE(std::equal(around.begin(), around.end(), block_1.begin() + 16486));
  EXPECT_EQ(block_1.back(), s.at("block_1_last"));

  const auto block_3 = expanded(3, 16);
  EXPECT_EQ(block_3.back(), s.at("block_3_last"));
  EXPECT_EQ(hash_of_words(block_3), text(s, "block_3_words"));

  const auto witness = expanded(witness_block, 1);
  const auto witness_first = words(s, "witness_words");
  EXPECT_TRUE(std::equal(witness_first.begin(), witness_first.end(), witness.begin()));
}

TEST(SealingVectors, packing) {
  const Json& s = vectors().at("s30").at("specification");
  const PrimeField& field = fields_of(Suite::s30)[0];
  const auto block = expanded(0, 16);
  Bytes packed(packed_size(field, block.size()));
  pack(field, block, packed);
  EXPECT_EQ(to_hex(BytesView(packed).first(60)), text(s, "block_0_packed_16"));
  EXPECT_EQ(packed.size(), 122'880U);
  EXPECT_EQ(sha256(packed).hex(), text(s, "block_0_packed"));
}

TEST(SealingVectors, one_sealed_polynomial) {
  const Json& s = vectors().at("s30").at("specification");
  const PrimeField& field = fields_of(Suite::s30)[0];
  const auto block = expanded(0, 16);
  std::vector<std::uint32_t> polynomial, key;
  std::vector<Factor> prepared(2048);
  std::vector<std::int32_t> values;
  Bytes errors;
  for (std::uint64_t k = 0; k < 2048; ++k) {
    polynomial.push_back(block[16 * k]);
    key.push_back(static_cast<std::uint32_t>(524287 * (k + 1) % field.q));
    values.push_back(static_cast<std::int32_t>(31 * k % 65535) - 32767);
    // e = (k mod 17) − 8 as bit counts: so many ones less so many.
    const int e = static_cast<int>(k % 17) - 8;
    errors.push_back(static_cast<std::uint8_t>((1U << std::max(e, 0)) - 1U));
    errors.push_back(static_cast<std::uint8_t>((1U << std::max(-e, 0)) - 1U));
  }
  prepare_key(field, key, prepared);
  multiply_by_key(field, polynomial, 1, prepared);
  Bytes packed(7680);
  kernels().add_and_pack(field, polynomial.data(), 2048, {values.data(), errors.data(), 8, 1638},
                         packed.data());
  must(unpack(field, packed, polynomial));
  const auto first = words(s, "lane_0_first");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), polynomial.begin()));
  EXPECT_EQ(sha256(packed).hex(), text(s, "lane_0_packed"));
}

auto opening_of(std::uint8_t byte) -> ShareOpening {
  ShareOpening opening{
      .share = SecretBytes(7680), .masks = SecretBytes(24), .salt = SecretBytes(32)};
  for (SecretBytes* part : {&opening.share, &opening.masks, &opening.salt}) {
    std::fill(part->expose().begin(), part->expose().end(), byte);
  }
  return opening;
}

TEST(SealingVectors, share_digest_and_challenge_rows) {
  const Json& s = vectors().at("s30").at("specification");
  RoundParameters round;
  round.seed = seed_of_the_specification();
  round.committee_epoch = 1;
  std::vector<Digest> digests;
  for (std::uint8_t miner = 1; miner <= 4; ++miner) {
    digests.push_back(
        share_digest(box_context(round, HospitalId{1}, MinerId{miner}), opening_of(miner)));
  }
  EXPECT_EQ(digests[0].hex(), text(s, "share_digest"));
  const Digest key =
      degree_key(round.seed, HospitalId{1}, digest_of(0x44), digest_of(0x55), digests);
  EXPECT_EQ(key.hex(), text(s, "degree_key"));
  WordStream stream(key);
  std::vector<std::uint32_t> rows(6 * 2048);
  stream.residues(fields_of(Suite::s30)[0], rows);
  const auto first = words(s, "row_1");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), rows.begin()));
  EXPECT_EQ(rows[2048], s.at("row_2_first"));
  EXPECT_EQ(rows.back(), s.at("row_6_last"));
}

/// Two hospitals seal with known keys, four miners answer, the sum opens: every digest on the way.
void whole_round(Suite suite, const Json& v) {
  const auto length = v.at("length").get<std::size_t>();
  TestRound round = make_round(suite, v.at("hospitals_max"), v.at("miners"), length);
  RoundParameters& p = round.parameters;
  p.consortium = digest(v, "consortium");
  p.stream = stream_id(p.consortium, Purpose::statistics, 3);
  EXPECT_EQ(p.stream.hex(), text(v, "stream"));
  p.base = no_model_base(p.stream);
  EXPECT_EQ(p.base.hex(), text(v, "base"));
  p.round = RoundId{v.at("round").get<std::uint64_t>()};
  p.seed = round_seed(p.stream, p.round, p.base, digest_of(0x22), suite);
  EXPECT_EQ(p.seed.hex(), text(v, "seed"));
  p.committee_epoch = v.at("committee_epoch");
  EXPECT_EQ(p.committee.threshold, v.at("threshold"));
  const Scale scale = must(scale_of(suite, p.hospitals_max));
  EXPECT_EQ(scale.delta, v.at("delta"));
  EXPECT_EQ(scale.value_max, v.at("value_max"));
  EXPECT_EQ(scale.error_bound, v.at("error_bound"));

  std::vector<std::vector<std::int64_t>> values;
  std::vector<Sealed> sealed;
  for (std::uint16_t hospital = 1; hospital <= 2; ++hospital) {
    auto& mine = values.emplace_back(length);
    for (std::size_t at = 0; at < length; ++at) {
      mine[at] = static_cast<std::int64_t>(31 * at + 7U * hospital) % (2 * scale.value_max + 1) -
                 scale.value_max;
    }
    Bytes chance;
    for (const int first : {1, 2, 3}) {
      chance.insert(chance.end(), 32, static_cast<std::uint8_t>(first + 16 * (hospital - 1)));
    }
    FixedRandom secrets(chance);
    sealed.push_back(must(seal(p, HospitalId{hospital}, mine, secrets)));

    const Json& expected = v.at("hospitals").at(hospital - 1U);
    const Sealed& one = sealed.back();
    EXPECT_EQ(one.manifest.body_root.hex(), text(expected, "body_root"));
    EXPECT_EQ(one.manifest.witness.hex(), text(expected, "witness"));
    EXPECT_EQ(one.manifest.body_blob.hex(), text(expected, "body_blob"));
    EXPECT_EQ(sha256(one.openings[0].share.expose()).hex(), text(expected, "share_1"));
    EXPECT_EQ(to_hex(one.openings[0].masks.expose()), text(expected, "masks_1"));
    const auto lists = must(check_manifest(p, one.manifest, one.lists));
    for (std::size_t at = 0; at < lists.share_digests.size(); ++at) {
      EXPECT_EQ(lists.share_digests[at].hex(),
                expected.at("share_digests").at(at).get<std::string>());
    }
    EXPECT_EQ(hash_of_words(lists.response), text(expected, "response"));
    must(check_body(p, one.manifest, one.body));
    const SecretBytes boxed = must(round.keys[0].open(one.boxes[0]));
    EXPECT_EQ(boxed.size(), expected.at("boxed_size"));
    EXPECT_EQ(sha256(boxed.expose()).hex(), text(expected, "boxed_1"));
    const Digest rows_key = degree_key(p.seed, HospitalId{hospital}, one.manifest.body_root,
                                       one.manifest.witness, lists.share_digests);
    EXPECT_EQ(rows_key.hex(), text(expected, "degree_key"));
    WordStream rows(rows_key);
    const auto fields = fields_of(suite);
    for (std::size_t prime = 0; prime < fields.size(); ++prime) {
      std::vector<std::uint32_t> of_prime(
          fields[prime].degree * static_cast<std::size_t>(parameters_of(suite).degree_rows));
      rows.residues(fields[prime], of_prime);
      of_prime.resize(4);
      EXPECT_EQ(of_prime, expected.at("rows_first").at(prime).get<std::vector<std::uint32_t>>());
    }
  }
  const auto sums = publish(round, sealed, {1, 3, 4});
  EXPECT_EQ(sha256(sums.at(MinerId{1})).hex(), text(v, "share_sum_1"));
  const OpenedSum opened = must(open_sum(p, bodies_of(sealed), sums));
  EXPECT_EQ(opened.values, sum_of(values));
  EXPECT_EQ(opened.values_digest.hex(), text(v, "values_digest"));
  EXPECT_EQ(opened.key_digest.hex(), text(v, "key_digest"));
  EXPECT_EQ(opened.body_sum_root.hex(), text(v, "body_sum_root"));
}

/// One suite of the file, by the name it has there.
class SealingSuites : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static auto of_suite() -> const Json& { return vectors().at(GetParam()); }
  [[nodiscard]] static auto suite() -> Suite {
    return must(suite_from_id(of_suite().at("parts").at("suite")));
  }
};

TEST_P(SealingSuites, seal_and_open_a_whole_round) {
  whole_round(suite(), of_suite().at("seal"));
}

TEST_P(SealingSuites, hash_and_name_their_rounds) {
  const Json& v = of_suite().at("parts");
  const Bytes a{'a'};
  const Bytes bc{'b', 'c'};
  EXPECT_EQ(tagged_hash("consilium/seal/1/test", {a, {}, bc}).hex(), text(v, "hash"));
  EXPECT_EQ(round_seed(Digest{}, RoundId{1}, digest_of(0x11), digest_of(0x22), suite()).hex(),
            text(v, "round_seed"));
}

TEST_P(SealingSuites, have_these_primes_roots_and_tables) {
  const Json& v = of_suite().at("parts");
  ASSERT_EQ(v.at("primes").size(), fields_of(suite()).size());
  for (std::size_t prime = 0; prime < fields_of(suite()).size(); ++prime) {
    const PrimeField& field = fields_of(suite())[prime];
    const Json& p = v.at("primes").at(prime);
    EXPECT_EQ(field.degree, v.at("degree"));
    EXPECT_EQ(field.q, p.at("q"));
    EXPECT_EQ(parameters_of(suite()).roots[prime], p.at("root"));
    std::vector<std::uint32_t> tables;
    for (const auto* table : {&field.forward, &field.inverse}) {
      for (const Factor& factor : *table) tables.push_back(factor.value);
    }
    EXPECT_EQ(hash_of_words(tables), text(p, "tables"));
  }
}

TEST_P(SealingSuites, expand_to_these_words_and_pack_to_these_bytes) {
  const Json& v = of_suite().at("parts");
  const Digest seed = digest(v, "round_seed");
  for (std::size_t prime = 0; prime < fields_of(suite()).size(); ++prime) {
    const PrimeField& field = fields_of(suite())[prime];
    const Json& p = v.at("primes").at(prime);
    const auto index = static_cast<std::uint8_t>(prime);
    EXPECT_EQ(expansion_key(seed, 0, index).hex(), text(p, "key_0"));
    std::vector<std::uint32_t> block(std::size_t{field.degree} * lanes_max);
    expand(seed, 0, index, field, block);
    const auto first = words(p, "block_0_first");
    EXPECT_TRUE(std::equal(first.begin(), first.end(), block.begin()));
    EXPECT_EQ(block.back(), p.at("block_0_last"));
    Bytes packed(packed_size(field, block.size()));
    pack(field, block, packed);
    EXPECT_EQ(sha256(packed).hex(), text(p, "block_0_packed"));
    std::vector<std::uint32_t> unpacked(block.size());
    must(unpack(field, packed, unpacked));
    EXPECT_EQ(unpacked, block);
    std::vector<std::uint32_t> witness(field.degree);
    expand(seed, witness_block, index, field, witness);
    const auto witness_first = words(p, "witness_first");
    EXPECT_TRUE(std::equal(witness_first.begin(), witness_first.end(), witness.begin()));
  }
}

TEST_P(SealingSuites, leave_out_the_words_that_are_refused) {
  const Json& v = of_suite().at("parts");
  const Json& r = v.at("rejecting");
  const std::size_t prime = r.at("prime");
  const PrimeField& field = fields_of(suite())[prime];
  const std::uint32_t number = r.at("block");
  std::vector<std::uint32_t> block(std::size_t{field.degree} * lanes_max);
  expand(digest(v, "round_seed"), number, static_cast<std::uint8_t>(prime), field, block);
  EXPECT_EQ(hash_of_words(block), text(r, "words"));
  // The raw words at the places named are those that had to go, and no others.
  WordStream raw(expansion_key(digest(v, "round_seed"), number, static_cast<std::uint8_t>(prime)));
  Bytes bytes(4 * (block.size() + r.at("rejected").size()));
  raw.bytes(bytes);
  std::vector<std::uint32_t> refused;
  for (std::uint32_t at = 0; at < bytes.size() / 4; ++at) {
    std::uint32_t word = 0;
    for (std::size_t byte = 4; byte-- > 0;) word = word << 8U | bytes[4 * std::size_t{at} + byte];
    if ((word & field.word_mask) >= field.q) refused.push_back(at);
  }
  EXPECT_FALSE(refused.empty());
  EXPECT_EQ(refused, words(r, "rejected"));
}

TEST_P(SealingSuites, transform_back_to_these_coefficients) {
  const Json& v = of_suite().at("parts");
  for (std::size_t prime = 0; prime < fields_of(suite()).size(); ++prime) {
    const PrimeField& field = fields_of(suite())[prime];
    const Json& p = v.at("primes").at(prime);
    std::vector<std::uint32_t> polynomial;
    for (std::uint64_t k = 0; k < field.degree; ++k) {
      polynomial.push_back(static_cast<std::uint32_t>(524287 * (k + 1) % field.q));
    }
    Bytes packed(packed_size(field, polynomial.size()));
    pack(field, polynomial, packed);
    EXPECT_EQ(sha256(packed).hex(), text(p, "polynomial_packed"));
    inverse_transform(field, polynomial, 1);
    const auto first = words(p, "inverse_transform_first");
    EXPECT_TRUE(std::equal(first.begin(), first.end(), polynomial.begin()));
    EXPECT_EQ(hash_of_words(polynomial), text(p, "inverse_transform"));
  }
}

TEST_P(SealingSuites, have_this_scale_for_every_number_of_hospitals) {
  for (const Json& v : of_suite().at("scales")) {
    const Scale scale = must(scale_of(suite(), v.at("hospitals_max")));
    EXPECT_EQ(scale.error_bound, v.at("error_bound"));
    EXPECT_EQ(scale.value_max, v.at("value_max"));
    EXPECT_EQ(scale.delta, v.at("delta"));
  }
}

TEST_P(SealingSuites, draw_these_errors) {
  const Json& v = of_suite().at("parts");
  const int eta = parameters_of(suite()).error_eta;
  const auto expected = v.at("errors").get<std::vector<std::int64_t>>();
  WordStream stream(digest_of(0x07));
  Bytes bytes(error_bytes(eta, expected.size()));
  stream.bytes(bytes);
  for (const PrimeField& field : fields_of(suite())) {
    // Added to nothing, an error is all there is.
    const std::vector<std::uint32_t> nothing(expected.size(), 0);
    const std::vector<std::int32_t> zeros(expected.size(), 0);
    Bytes packed(packed_size(field, expected.size()));
    kernels().add_and_pack(field, nothing.data(), nothing.size(),
                           {zeros.data(), bytes.data(), eta, 2}, packed.data());
    std::vector<std::uint32_t> residues(expected.size());
    must(unpack(field, packed, residues));
    std::vector<std::int64_t> errors;
    for (const std::uint32_t residue : residues) {
      errors.push_back(residue > field.q / 2 ? std::int64_t{residue} - field.q : residue);
    }
    EXPECT_EQ(errors, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(OfTheFile, SealingSuites, testing::Values("s30", "l48", "l60"),
                         [](const auto& suite) { return suite.param; });

TEST(SealingVectors, a_box_closed_by_the_definition_opens) {
  const Json& v = vectors().at("sealed_box");
  const BoxKey key = must(BoxKey::from_seed(must(from_hex(text(v, "seed")))));
  EXPECT_EQ(to_hex(key.public_key().bytes), text(v, "public"));
  Bytes box = must(from_hex(text(v, "box")));
  EXPECT_EQ(to_hex(must(key.open(box)).expose()), text(v, "message"));
  box.back() ^= 1U;
  EXPECT_EQ(code_of(key.open(box)), "bad_box");
}

TEST(SealingVectors, partition) {
  const Json& v = vectors().at("partition");
  std::vector<HospitalId> members;
  for (std::uint16_t at = 1; at <= v.at("members"); ++at) members.push_back(HospitalId{at});
  const Partition partition = make_partition(digest(v, "seed"), members, v.at("cell_min"));
  ASSERT_EQ(partition.size(), v.at("cells").size());
  for (std::size_t cell = 0; cell < partition.size(); ++cell) {
    std::vector<std::uint16_t> numbers;
    for (const HospitalId hospital : partition[cell]) numbers.push_back(hospital.value);
    EXPECT_EQ(numbers, v.at("cells").at(cell).get<std::vector<std::uint16_t>>());
  }
  EXPECT_EQ(partition_digest(partition).hex(), text(v, "digest"));
}

}  // namespace
}  // namespace consilium::sealing
