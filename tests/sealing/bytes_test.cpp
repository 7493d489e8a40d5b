// One flipped bit anywhere is a named error.

#include <set>

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

class FlippedBits : public testing::TestWithParam<Suite> {
 protected:
  FlippedBits() : round_(make_round(GetParam(), 4, 4, 40'000)) {
    SeededRandom random(61, "flipped bits");
    std::vector<std::vector<std::int64_t>> values;
    for (int hospital = 0; hospital < 2; ++hospital) {
      values.push_back(random_values(random, 40'000, 100));
    }
    sealed_ = seal_all(round_, values, random);
    sum_ = sum_of(values);
  }
  /// Everything a miner checks before it attests, and its share.
  [[nodiscard]] auto verdict(const Manifest& manifest, BytesView lists_bytes, BytesView body,
                             BytesView box) const -> std::string {
    const auto lists = check_manifest(round_.parameters, manifest, lists_bytes);
    if (!lists) return lists.error().code;
    if (const auto checked = check_body(round_.parameters, manifest, body); !checked) {
      return checked.error().code;
    }
    return code_of(
        open_share(round_.parameters, manifest, *lists, MinerId{2}, box, round_.keys[1]));
  }
  TestRound round_;
  std::vector<Sealed> sealed_;
  std::vector<std::int64_t> sum_;
};

TEST_P(FlippedBits, in_the_body) {
  const Sealed& one = sealed_[0];
  ASSERT_EQ(verdict(one.manifest, one.lists, one.body, one.boxes[1]), "");
  SeededRandom random(62, "positions");
  std::vector<std::size_t> positions;
  for (std::size_t at = 0; at < 16; ++at) positions.push_back(at);  // the first header
  for (std::size_t at = 1; at <= 20; ++at) positions.push_back(one.body.size() - at);
  for (int i = 0; i < 40; ++i) positions.push_back(random.below(one.body.size()));
  const std::set<std::string> names{"non_canonical", "bad_chunk", "stale_context"};
  for (const std::size_t at : positions) {
    Bytes body = one.body;
    body[at] ^= static_cast<std::uint8_t>(1U << random.below(8));
    const auto checked = check_body(round_.parameters, one.manifest, body);
    ASSERT_FALSE(checked) << "byte " << at;
    EXPECT_TRUE(names.contains(checked.error().code)) << checked.error().code;
  }
  EXPECT_EQ(code_of(check_body(round_.parameters, one.manifest,
                               BytesView(one.body).first(one.body.size() - 1))),
            "length_mismatch");
  Bytes all_ones = one.body;
  std::fill_n(all_ones.begin() + 16, 15, std::uint8_t{0xff});
  EXPECT_EQ(code_of(check_body(round_.parameters, one.manifest, all_ones)), "non_canonical");
}

TEST_P(FlippedBits, in_the_lists) {
  const Sealed& one = sealed_[0];
  for (std::size_t at = 0; at < one.lists.size(); ++at) {
    Bytes lists = one.lists;
    lists[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    EXPECT_EQ(verdict(one.manifest, lists, one.body, one.boxes[1]), "bad_encoding");
    // A hospital that names the spoiled lists itself is found by what they say.
    Manifest manifest = one.manifest;
    manifest.lists = blob_name(lists);
    const std::string code = verdict(manifest, lists, one.body, one.boxes[1]);
    // The digests of other miners' boxes are theirs to check.
    const std::size_t boxes_at = 4 + 4 * 32 + 4;
    const bool other_box = at >= boxes_at && at < boxes_at + 4 * 32 && (at - boxes_at) / 32 != 1;
    EXPECT_EQ(code.empty(), other_box) << "byte " << at << " " << code;
  }
}

TEST_P(FlippedBits, in_the_manifest) {
  const Sealed& one = sealed_[0];
  const Bytes encoded = one.manifest.encode();
  EXPECT_EQ(must(Manifest::decode(encoded)), one.manifest);
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    Bytes bytes = encoded;
    bytes[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    const Manifest manifest = must(Manifest::decode(bytes));
    EXPECT_NE(manifest.digest(), one.manifest.digest());
    EXPECT_NE(verdict(manifest, one.lists, one.body, one.boxes[1]), "") << "byte " << at;
    // Consortium, stream, seed, base, round and suite are the context.
    if (at < 4 * 32 + 8 + 1) {
      EXPECT_EQ(code_of(check_manifest(round_.parameters, manifest, one.lists)), "stale_context");
    }
  }
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_EQ(code_of(Manifest::decode(BytesView(encoded).first(size))), "bad_encoding");
  }
  Bytes longer = encoded;
  longer.push_back(0);
  EXPECT_EQ(code_of(Manifest::decode(longer)), "bad_encoding");
}

TEST_P(FlippedBits, in_a_box) {
  const Sealed& one = sealed_[0];
  SeededRandom random(63, "box positions");
  auto lists = must(check_manifest(round_.parameters, one.manifest, one.lists));
  for (int i = 0; i < 60; ++i) {
    Bytes box = one.boxes[1];
    box[random.below(box.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
    EXPECT_EQ(verdict(one.manifest, one.lists, one.body, box), "unavailable");
    auto naming_it = lists;
    naming_it.box_digests[1] = blob_name(box);
    EXPECT_EQ(code_of(open_share(round_.parameters, one.manifest, naming_it, MinerId{2}, box,
                                 round_.keys[1])),
              "bad_box");
  }
}

TEST_P(FlippedBits, in_a_share_sum) {
  const auto good = publish(round_, sealed_, {1, 2, 3, 4});
  SeededRandom random(64, "share sums");
  for (int i = 0; i < 10; ++i) {
    auto sums = good;
    Bytes& spoiled = sums[MinerId{3}];
    spoiled[random.below(spoiled.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
    const auto opened = must(open_sum(round_.parameters, bodies_of(sealed_), sums));
    EXPECT_EQ(opened.values, sum_);
    EXPECT_EQ(opened.bad_share_sums, std::vector{MinerId{3}});
    sums.erase(MinerId{1});
    const std::string code = code_of(open_sum(round_.parameters, bodies_of(sealed_), sums));
    EXPECT_TRUE(code == "residual_out_of_range" || code == "bad_share_sum") << code;
  }
}

INSTANTIATE_TEST_SUITE_P(Sealing, FlippedBits, testing::Values(Suite::s30, Suite::l48),
                         [](const auto& suite) {
                           return std::string(parameters_of(suite.param).name);
                         });

TEST(ManifestLists, of_another_committee_are_refused) {
  const TestRound four = make_round(Suite::s30, 4, 4, 5);
  const TestRound seven = make_round(Suite::s30, 4, 7, 5);
  SystemRandom random;
  const Sealed sealed =
      must(seal(four.parameters, HospitalId{1}, std::vector<std::int64_t>{1, 2, 3, 4, 5}, random));
  EXPECT_EQ(code_of(ManifestLists::decode(sealed.lists, seven.parameters)), "length_mismatch");
  EXPECT_EQ(code_of(ManifestLists::decode(BytesView(sealed.lists).first(100), four.parameters)),
            "bad_encoding");
  EXPECT_EQ(code_of(ManifestLists::decode({}, four.parameters)), "bad_encoding");
  auto lists = must(ManifestLists::decode(sealed.lists, four.parameters));
  EXPECT_EQ(lists.encode(), sealed.lists);
  lists.response[3] = parameters_of(Suite::s30).moduli[0];
  EXPECT_EQ(code_of(ManifestLists::decode(lists.encode(), four.parameters)), "bad_encoding");
}

TEST(Manifests, of_a_hospital_without_a_number_are_refused) {
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  SystemRandom random;
  Sealed sealed =
      must(seal(round.parameters, HospitalId{1}, std::vector<std::int64_t>{1, 2, 3, 4, 5}, random));
  sealed.manifest.hospital = HospitalId{0};
  EXPECT_EQ(code_of(check_manifest(round.parameters, sealed.manifest, sealed.lists)),
            "bad_encoding");
  sealed.manifest.hospital = HospitalId{1};
  sealed.manifest.length = 6;
  EXPECT_EQ(code_of(check_manifest(round.parameters, sealed.manifest, sealed.lists)),
            "length_mismatch");
}

}  // namespace
}  // namespace consilium::sealing
