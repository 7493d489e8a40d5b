// The one property that everything else serves: what opens is the sum, and nothing else opens.

#include <cmath>
#include <limits>

#include "consilium/foundation/codec.hpp"

#include "block_kernels.hpp"
#include "sealing_round.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

TEST(SealedSum, opens_to_the_sum_for_every_length) {
  for (const Suite suite : {Suite::s30, Suite::l48}) {
    for (const std::uint64_t length : {1, 2, 2047, 2048, 2049, 32768, 32769, 70000}) {
      const TestRound round = make_round(suite, 5, 4, length, length);
      SeededRandom random(length, "every length");
      const std::int64_t top = must(scale_of(suite, 5)).value_max;
      std::vector<std::vector<std::int64_t>> values;
      for (int hospital = 0; hospital < 3; ++hospital) {
        values.push_back(random_values(random, length, top));
      }
      const auto sealed = seal_all(round, values, random);
      for (const Sealed& one : sealed) {
        must(check_body(round.parameters, one.manifest, one.body));
      }
      const auto opened =
          must(open_sum(round.parameters, bodies_of(sealed), publish(round, sealed, {1, 2, 4})));
      EXPECT_EQ(opened.values, sum_of(values)) << parameters_of(suite).name << " " << length;
      EXPECT_TRUE(opened.bad_share_sums.empty());
    }
  }
}

TEST(SealedSum, opens_for_any_subset_of_those_who_sealed) {
  const TestRound round = make_round(Suite::s30, 6, 4, 300);
  SeededRandom random(21, "subsets");
  std::vector<std::vector<std::int64_t>> values;
  for (int hospital = 0; hospital < 6; ++hospital)
    values.push_back(random_values(random, 300, 32767));
  auto sealed = seal_all(round, values, random);
  for (int trial = 0; trial < 12; ++trial) {
    // Order is free, too: the set is shuffled together with what was sealed.
    std::vector<std::size_t> order{0, 1, 2, 3, 4, 5};
    random.shuffle(std::span(order));
    order.resize(1 + random.below(6));
    std::vector<Sealed> chosen;
    std::vector<std::vector<std::int64_t>> chosen_values;
    for (const std::size_t at : order) {
      Sealed copy;
      copy.manifest = sealed[at].manifest;
      copy.lists = sealed[at].lists;
      copy.body = sealed[at].body;
      copy.boxes = sealed[at].boxes;
      chosen.push_back(std::move(copy));
      chosen_values.push_back(values[at]);
    }
    const auto opened =
        must(open_sum(round.parameters, bodies_of(chosen), publish(round, chosen, {2, 3, 4})));
    EXPECT_EQ(opened.values, sum_of(chosen_values));
  }
}

TEST(SealedSum, holds_the_largest_values_of_a_full_round) {
  for (const Suite suite : {Suite::s30, Suite::l48}) {
    for (const std::uint32_t hospitals : {3U, 10U, 64U}) {
      const TestRound round = make_round(suite, hospitals, 1, 2048, hospitals);
      SeededRandom random(hospitals, "largest values");
      const std::int64_t top = must(scale_of(suite, hospitals)).value_max;
      // All at +X_max, all at −X_max, all signs mixed.
      std::vector<std::vector<std::int64_t>> values(hospitals, std::vector<std::int64_t>(2048));
      for (auto& one : values) {
        for (std::size_t at = 0; at < one.size(); ++at) {
          const bool positive = at % 3 == 0 || (at % 3 == 1 && random.below(2) == 0);
          one[at] = positive ? top : -top;
        }
      }
      const auto sealed = seal_all(round, values, random);
      const auto opened =
          must(open_sum(round.parameters, bodies_of(sealed), publish(round, sealed, {1})));
      EXPECT_EQ(opened.values, sum_of(values)) << parameters_of(suite).name << " " << hospitals;
      const double expected = std::sqrt(hospitals * parameters_of(suite).error_eta / 2.0);
      EXPECT_NEAR(opened.residual_rms, expected, 0.08 * expected);
    }
  }
}

/// Every way to choose `count` of 1..miners.
auto choices(std::uint16_t miners, std::uint16_t count) -> std::vector<std::vector<std::uint16_t>> {
  std::vector<std::vector<std::uint16_t>> out;
  for (std::uint32_t mask = 0; mask < (1U << miners); ++mask) {
    std::vector<std::uint16_t> chosen;
    for (std::uint16_t miner = 1; miner <= miners; ++miner) {
      if (((mask >> (miner - 1U)) & 1U) != 0) chosen.push_back(miner);
    }
    if (chosen.size() == count) out.push_back(std::move(chosen));
  }
  return out;
}

TEST(SealedSum, any_threshold_of_miners_opens_the_same) {
  for (const Suite suite : {Suite::s30, Suite::l48}) {
    for (const std::uint16_t miners : std::vector<std::uint16_t>{1, 4, 7}) {
      const TestRound round = make_round(suite, 3, miners, 10, miners);
      SeededRandom random(miners, "any threshold");
      const std::vector<std::vector<std::int64_t>> values{random_values(random, 10, 1000),
                                                          random_values(random, 10, 1000),
                                                          random_values(random, 10, 1000)};
      const auto sealed = seal_all(round, values, random);
      std::vector<std::uint16_t> everyone;
      for (std::uint16_t miner = 1; miner <= miners; ++miner) everyone.push_back(miner);
      const auto all = publish(round, sealed, everyone);
      const auto reference = must(open_sum(round.parameters, bodies_of(sealed), all));
      EXPECT_EQ(reference.values, sum_of(values));
      for (const auto& chosen : choices(miners, round.parameters.committee.threshold)) {
        std::map<MinerId, Bytes> some;
        for (const std::uint16_t miner : chosen) some[MinerId{miner}] = all.at(MinerId{miner});
        const auto opened = must(open_sum(round.parameters, bodies_of(sealed), some));
        EXPECT_EQ(opened.values, reference.values);
        EXPECT_EQ(opened.key_digest, reference.key_digest);
        some.erase(some.begin());
        EXPECT_EQ(code_of(open_sum(round.parameters, bodies_of(sealed), some)), "opening_stalled");
      }
    }
  }
}

/// A share sum with one residue moved: canonical, but off the polynomial.
auto spoiled(Bytes sum) -> Bytes {
  sum[100] ^= 1U;
  return sum;
}

TEST(SealedSum, one_wrong_share_sum_of_four_is_found_and_named) {
  for (const Suite suite : {Suite::s30, Suite::l48}) {
    const TestRound round = make_round(suite, 3, 4, 50);
    SeededRandom random(31, "wrong share sum");
    const std::vector<std::vector<std::int64_t>> values{
        random_values(random, 50, 9), random_values(random, 50, 9), random_values(random, 50, 9)};
    const auto sealed = seal_all(round, values, random);
    const auto good = publish(round, sealed, {1, 2, 3, 4});
    for (std::uint16_t liar = 1; liar <= 4; ++liar) {
      auto sums = good;
      sums[MinerId{liar}] = spoiled(sums[MinerId{liar}]);
      const auto opened = must(open_sum(round.parameters, bodies_of(sealed), sums));
      EXPECT_EQ(opened.values, sum_of(values));
      EXPECT_EQ(opened.bad_share_sums, std::vector{MinerId{liar}});
      // With exactly t there is nothing to compare with: the residual speaks.
      sums.erase(MinerId{static_cast<std::uint16_t>(liar % 4 + 1)});
      EXPECT_EQ(code_of(open_sum(round.parameters, bodies_of(sealed), sums)),
                "residual_out_of_range");
    }
  }
}

TEST(SealedSum, a_malformed_share_sum_is_a_wrong_one_and_stops_nobody) {
  const TestRound round = make_round(Suite::s30, 3, 4, 50);
  SeededRandom random(32, "malformed");
  const std::vector<std::vector<std::int64_t>> values{random_values(random, 50, 9)};
  const auto sealed = seal_all(round, values, random);
  const auto good = publish(round, sealed, {1, 2, 3, 4});
  for (const Bytes& garbage : {Bytes(), Bytes(7679), Bytes(7680, 0xff), Bytes(7681)}) {
    auto sums = good;
    sums[MinerId{2}] = garbage;
    const auto opened = must(open_sum(round.parameters, bodies_of(sealed), sums));
    EXPECT_EQ(opened.values, values[0]);
    EXPECT_EQ(opened.bad_share_sums, std::vector{MinerId{2}});
    sums[MinerId{3}] = garbage;
    EXPECT_EQ(code_of(open_sum(round.parameters, bodies_of(sealed), sums)), "bad_share_sum");
  }
  auto stranger = good;
  stranger[MinerId{5}] = good.at(MinerId{1});
  EXPECT_EQ(must(open_sum(round.parameters, bodies_of(sealed), stranger)).bad_share_sums,
            std::vector{MinerId{5}});
}

TEST(SealedSum, two_liars_of_four_open_nothing) {
  const TestRound round = make_round(Suite::s30, 3, 4, 50);
  SeededRandom random(33, "two liars");
  const std::vector<std::vector<std::int64_t>> values{random_values(random, 50, 9)};
  const auto sealed = seal_all(round, values, random);
  auto sums = publish(round, sealed, {1, 2, 3, 4});
  sums[MinerId{1}] = spoiled(sums[MinerId{1}]);
  sums[MinerId{4}] = spoiled(sums[MinerId{4}]);
  EXPECT_EQ(code_of(open_sum(round.parameters, bodies_of(sealed), sums)), "bad_share_sum");
}

TEST(SealedSum, a_large_committee_corrects_by_decoding) {
  // 17 miners, t = 12: beyond the sizes where subsets are tried, (17 − 12)/2 = 2 liars are
  // corrected.
  for (const Suite suite : {Suite::s30, Suite::l48}) {
    const TestRound round = make_round(suite, 3, 17, 20);
    SeededRandom random(34, "large committee");
    const std::vector<std::vector<std::int64_t>> values{random_values(random, 20, 9)};
    const auto sealed = seal_all(round, values, random);
    std::vector<std::uint16_t> everyone;
    for (std::uint16_t miner = 1; miner <= 17; ++miner) everyone.push_back(miner);
    auto sums = publish(round, sealed, everyone);
    sums[MinerId{3}] = spoiled(sums[MinerId{3}]);
    auto opened = must(open_sum(round.parameters, bodies_of(sealed), sums));
    EXPECT_EQ(opened.values, values[0]);
    EXPECT_EQ(opened.bad_share_sums, std::vector{MinerId{3}});
    sums[MinerId{9}] = spoiled(sums[MinerId{9}]);
    opened = must(open_sum(round.parameters, bodies_of(sealed), sums));
    EXPECT_EQ(opened.values, values[0]);
    EXPECT_EQ(opened.bad_share_sums, (std::vector{MinerId{3}, MinerId{9}}));
    sums[MinerId{17}] = spoiled(sums[MinerId{17}]);
    EXPECT_EQ(code_of(open_sum(round.parameters, bodies_of(sealed), sums)), "bad_share_sum");
  }
}

TEST(SealedSum, the_share_sums_of_another_set_open_nothing) {
  const TestRound round = make_round(Suite::s30, 3, 4, 50);
  SeededRandom random(35, "another set");
  const std::vector<std::vector<std::int64_t>> values{
      random_values(random, 50, 9), random_values(random, 50, 9), random_values(random, 50, 9)};
  const auto sealed = seal_all(round, values, random);
  const auto sums = publish(round, sealed, {1, 2, 3, 4});
  const auto bodies = bodies_of(sealed);
  EXPECT_EQ(code_of(open_sum(round.parameters, std::span(bodies).first(2), sums)),
            "residual_out_of_range");
}

/// One body made by hand for a key of the tester's choice (all zeros): C = e + addend.
auto body_of(const TestRound& round, HospitalId hospital, const std::vector<std::int64_t>& addend)
    -> Bytes {
  const PrimeField& field = fields_of(Suite::s30)[0];
  Bytes body;
  for (const std::uint32_t block : {0U, 0xffffffffU}) {
    Writer header;
    header.u8(1).u8(1).u64(round.parameters.round.value).u16(hospital.value).u32(block);
    body.insert(body.end(), header.view().begin(), header.view().end());
    std::vector<std::uint32_t> words;
    for (std::size_t k = 0; k < 2048; ++k) words.push_back(field.residue_of_signed(addend[k]));
    Bytes packed(7680);
    pack(field, words, packed);
    body.insert(body.end(), packed.begin(), packed.end());
  }
  return body;
}

TEST(SealedSum, judges_residuals_and_ranges) {
  const TestRound round = make_round(Suite::s30, 3, 1, 2000);
  const Scale scale = must(scale_of(Suite::s30, 3));
  const std::map<MinerId, Bytes> zero_key{{MinerId{1}, Bytes(7680, 0)}};
  SeededRandom random(36, "judge");
  std::vector<std::int64_t> addend(2048);
  Bytes stream(2048 * 2);
  random.fill(stream);
  for (std::size_t k = 0; k < addend.size(); ++k) {
    addend[k] = std::popcount(stream[2 * k]) - std::popcount(stream[2 * k + 1]);
  }
  const auto judge = [&](const std::vector<std::int64_t>& c) {
    const Bytes body = body_of(round, HospitalId{1}, c);
    const std::vector<BytesView> bodies{body};
    return code_of(open_sum(round.parameters, bodies, zero_key));
  };
  EXPECT_EQ(judge(addend), "");

  auto wild = addend;
  wild[7] = scale.error_bound;
  EXPECT_EQ(judge(wild), "");
  wild[7] = scale.error_bound + 1;
  EXPECT_EQ(judge(wild), "residual_out_of_range");
  wild[7] = -scale.error_bound - 1;
  EXPECT_EQ(judge(wild), "residual_out_of_range");

  // No coefficient is out of bounds, but together they are 1.3 times too wide.
  auto wide = addend;
  for (std::size_t k = 0; k < wide.size(); ++k) wide[k] += k % 3 == 0 ? 3 : 0;
  EXPECT_EQ(judge(wide), "residual_out_of_range");

  auto large = addend;
  large[5] += scale.delta * scale.value_max;
  EXPECT_EQ(judge(large), "");
  large[5] += scale.delta;
  EXPECT_EQ(judge(large), "sum_out_of_range");
  large[5] -= 2 * scale.delta * (scale.value_max + 1);
  EXPECT_EQ(judge(large), "sum_out_of_range");

  auto padded = addend;
  padded[2000] += scale.delta;
  EXPECT_EQ(judge(padded), "sum_out_of_range");
}

TEST(SealedSum, three_percent_too_much_noise_shows_over_a_hundred_polynomials) {
  // An honest round of 100 polynomials passes 1.02. With a 2 added at every seventh place (all
  // lanes alike) it does not: the mean square grows by 4/7 on 8, the rms by 3.5 %. Each polynomial
  // alone is far below 1.10.
  const std::uint64_t length = 100 * 2048;
  const TestRound round = make_round(Suite::s30, 3, 1, length);
  SeededRandom random(37, "hundred");
  const std::vector<std::vector<std::int64_t>> values{std::vector<std::int64_t>(length, 1),
                                                      std::vector<std::int64_t>(length, -2)};
  auto sealed = seal_all(round, values, random);
  const auto sums = publish(round, sealed, {1});
  EXPECT_EQ(must(open_sum(round.parameters, bodies_of(sealed), sums)).values, sum_of(values));

  const PrimeField& field = fields_of(Suite::s30)[0];
  std::size_t at = 0;
  for (std::uint32_t block = 0; block < 7; ++block) {
    const std::size_t words = block < 6 ? 16 * 2048 : 4 * 2048;
    const auto payload = std::span(sealed[0].body).subspan(at + 16, words * 30 / 8);
    std::vector<std::uint32_t> residues(words);
    must(unpack(field, payload, residues));
    for (std::size_t k = 0; k < words; k += 7) residues[k] = field.add(residues[k], 2);
    pack(field, residues, payload);
    at += 16 + payload.size();
  }
  EXPECT_EQ(code_of(open_sum(round.parameters, bodies_of(sealed), sums)), "residual_out_of_range");
}

TEST(SealedSum, refuses_what_does_not_belong_to_the_round) {
  const TestRound round = make_round(Suite::s30, 2, 1, 100);
  SeededRandom random(38, "refuses");
  const std::vector<std::vector<std::int64_t>> values{random_values(random, 100, 9),
                                                      random_values(random, 100, 9)};
  const auto sealed = seal_all(round, values, random);
  const auto sums = publish(round, sealed, {1});
  const auto bodies = bodies_of(sealed);

  const std::vector<BytesView> twice{bodies[0], bodies[0]};
  EXPECT_EQ(code_of(open_sum(round.parameters, twice, sums)), "length_mismatch");
  const std::vector<BytesView> three{bodies[0], bodies[1], bodies[0]};
  EXPECT_EQ(code_of(open_sum(round.parameters, three, sums)), "length_mismatch");
  EXPECT_EQ(code_of(open_sum(round.parameters, {}, sums)), "length_mismatch");
  const std::vector<BytesView> cut{bodies[0], bodies[1].first(bodies[1].size() - 1)};
  EXPECT_EQ(code_of(open_sum(round.parameters, cut, sums)), "length_mismatch");

  const TestRound next = make_round(Suite::s30, 2, 1, 100, 2);
  EXPECT_EQ(code_of(open_sum(next.parameters, bodies, sums)), "stale_context");
}

TEST(Sealing, refuses_bad_input_and_seals_nothing) {
  const TestRound round = make_round(Suite::s30, 4, 4, 3);
  SystemRandom random;
  const HospitalId hospital{1};
  const std::int64_t top = must(scale_of(Suite::s30, 4)).value_max;
  const auto try_values = [&](const std::vector<std::int64_t>& values) {
    return code_of(seal(round.parameters, hospital, values, random));
  };
  EXPECT_EQ(try_values({top, -top, 0}), "");
  EXPECT_EQ(try_values({top + 1, 0, 0}), "bad_value");
  EXPECT_EQ(try_values({0, 0, -top - 1}), "bad_value");
  EXPECT_EQ(try_values({0, std::numeric_limits<std::int64_t>::min(), 0}), "bad_value");
  EXPECT_EQ(try_values({0, std::numeric_limits<std::int64_t>::max(), 0}), "bad_value");
  EXPECT_EQ(try_values({1, 2}), "length_mismatch");
  EXPECT_EQ(try_values({1, 2, 3, 4}), "length_mismatch");

  const std::vector<std::int64_t> values{1, 2, 3};
  auto other = round.parameters;
  other.suite = static_cast<Suite>(0x77);
  EXPECT_EQ(code_of(seal(other, hospital, values, random)), "bad_suite");
  other = round.parameters;
  other.box_keys.pop_back();
  EXPECT_EQ(code_of(seal(other, hospital, values, random)), "length_mismatch");
  other = round.parameters;
  other.box_keys[2] = BoxPublicKey{};
  EXPECT_EQ(code_of(seal(other, hospital, values, random)), "bad_key");
  other = round.parameters;
  other.length = 0;
  EXPECT_EQ(code_of(seal(other, hospital, {}, random)), "length_mismatch");
  other = round.parameters;
  other.length = 200'000'001;
  EXPECT_EQ(code_of(check_body(other, Manifest{}, {})), "length_mismatch");
}

TEST(Sealing, two_seals_of_the_same_vector_have_nothing_in_common) {
  const TestRound round = make_round(Suite::s30, 4, 4, 2048);
  SystemRandom random;
  const std::vector<std::int64_t> values(2048, 5);
  const Sealed a = must(seal(round.parameters, HospitalId{1}, values, random));
  const Sealed b = must(seal(round.parameters, HospitalId{1}, values, random));
  std::size_t equal = 0;
  for (std::size_t at = 16; at < 16 + 7680; ++at) equal += a.body[at] == b.body[at] ? 1U : 0U;
  EXPECT_LT(equal, 100U) << "30 of 7680 bytes agree by chance";
}

TEST(Sealing, a_sealed_vector_looks_uniform) {
  // Top five bits of every residue of a constant vector, against uniform: χ² with 31 degrees of
  // freedom.
  const TestRound round = make_round(Suite::s30, 4, 1, 32768);
  SystemRandom random;
  const Sealed sealed =
      must(seal(round.parameters, HospitalId{1}, std::vector<std::int64_t>(32768, 32767), random));
  const PrimeField& field = fields_of(Suite::s30)[0];
  std::vector<std::uint32_t> words(32768);
  must(unpack(field, std::span(sealed.body).subspan(16, 122'880), words));
  std::array<double, 32> counts{};
  for (const std::uint32_t word : words) counts[word >> 25U] += 1;
  double chi = 0;
  for (const double count : counts) chi += (count - 1024) * (count - 1024) / 1024;
  EXPECT_LT(chi, 31 + 6 * std::sqrt(62.0));
}

}  // namespace
}  // namespace consilium::sealing
