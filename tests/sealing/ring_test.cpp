// The kernels against the plainest arithmetic there is.

#include <bit>
#include <cmath>

#include "block_kernels.hpp"
#include "sealing_round.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

using Words = std::vector<std::uint32_t>;

auto all_fields() -> std::vector<const PrimeField*> {
  std::vector<const PrimeField*> out;
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    for (const PrimeField& field : fields_of(suite)) out.push_back(&field);
  }
  return out;
}

auto random_words(const PrimeField& field, std::size_t count, Random& random) -> Words {
  Words out(count);
  for (std::uint32_t& word : out) word = static_cast<std::uint32_t>(random.below(field.q));
  return out;
}

/// a·b mod (X^N + 1, q), coefficient by coefficient.
auto schoolbook(const PrimeField& field, const Words& a, const Words& b) -> Words {
  const std::size_t degree = field.degree;
  std::vector<std::uint64_t> out(degree, 0);
  for (std::size_t i = 0; i < degree; ++i) {
    for (std::size_t j = 0; j < degree; ++j) {
      const std::uint64_t product = std::uint64_t{a[i]} * b[j] % field.q;
      const std::size_t at = (i + j) % degree;
      out[at] = (out[at] + (i + j < degree ? product : field.q - product)) % field.q;
    }
  }
  return {out.begin(), out.end()};
}

TEST(Ring, multiplies_like_the_schoolbook) {
  SeededRandom random(11, "ring");
  for (const PrimeField* field : all_fields()) {
    const Words a = random_words(*field, field->degree, random);
    const Words b = random_words(*field, field->degree, random);
    Words a_transformed = a;
    Words b_transformed = b;
    transform(*field, a_transformed, 1);
    transform(*field, b_transformed, 1);
    std::vector<Factor> prepared(field->degree);
    prepare_key(*field, b_transformed, prepared);
    Words product = a_transformed;
    multiply_by_key(*field, product, 1, prepared);
    for (std::uint32_t& value : product) value = field->canonical(value);
    EXPECT_EQ(product, schoolbook(*field, a, b)) << "q = " << field->q;
  }
}

TEST(Ring, transform_is_evaluation_at_the_odd_powers_of_the_root) {
  const PrimeField& field = fields_of(Suite::s30)[0];
  SeededRandom random(12, "ring");
  const Words a = random_words(field, field.degree, random);
  Words transformed = a;
  transform(field, transformed, 1);
  for (const std::uint32_t index : {0U, 1U, 2U, 1023U, 2047U}) {
    std::uint32_t reversed = 0;
    for (int bit = 0; bit < 11; ++bit) reversed |= ((index >> bit) & 1U) << (10 - bit);
    const std::uint32_t point = field.power(42341, 2 * reversed + 1);
    std::uint64_t value = 0;
    for (std::size_t k = field.degree; k-- > 0;) value = (value * point + a[k]) % field.q;
    EXPECT_EQ(transformed[index], value) << "index " << index;
  }
}

TEST(Ring, transform_and_inverse_cancel_in_every_number_of_lanes) {
  SeededRandom random(13, "ring");
  for (const PrimeField* field : all_fields()) {
    for (std::uint32_t lanes = 1; lanes <= lanes_max; ++lanes) {
      const Words start = random_words(*field, std::size_t{field->degree} * lanes, random);
      Words block = start;
      transform(*field, block, lanes);
      EXPECT_NE(block, start);
      inverse_transform(*field, block, lanes);
      EXPECT_EQ(block, start) << "q = " << field->q << ", lanes " << lanes;
    }
  }
}

TEST(Ring, lanes_do_not_touch_each_other) {
  SeededRandom random(14, "ring");
  for (const PrimeField* field : all_fields()) {
    Words key = random_words(*field, field->degree, random);
    std::vector<Factor> prepared(field->degree);
    prepare_key(*field, key, prepared);
    const std::uint32_t lanes = 5;
    const Words start = random_words(*field, std::size_t{field->degree} * lanes, random);
    Words together = start;
    multiply_by_key(*field, together, lanes, prepared);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      Words alone;
      for (std::size_t k = 0; k < field->degree; ++k) alone.push_back(start[k * lanes + lane]);
      multiply_by_key(*field, alone, 1, prepared);
      for (std::size_t k = 0; k < field->degree; ++k) {
        ASSERT_EQ(field->canonical(alone[k]), field->canonical(together[k * lanes + lane]));
      }
    }
  }
}

TEST(Ring, reduces_signed_values_of_fifty_bits) {
  SeededRandom random(15, "ring");
  for (const PrimeField* field : all_fields()) {
    const auto q = static_cast<std::int64_t>(field->q);
    std::vector<std::int64_t> values{0,
                                     1,
                                     -1,
                                     q - 1,
                                     q,
                                     q + 1,
                                     -q,
                                     -q - 1,
                                     1 - q,
                                     (std::int64_t{1} << 50U) - 1,
                                     1 - (std::int64_t{1} << 50U)};
    for (int i = 0; i < 2000; ++i) {
      values.push_back(static_cast<std::int64_t>(random.below(std::uint64_t{1} << 51U)) -
                       (std::int64_t{1} << 50U));
    }
    for (const std::int64_t value : values) {
      ASSERT_EQ(field->residue_of_signed(value), ((value % q) + q) % q) << value;
    }
  }
}

TEST(Ring, multiplies_the_largest_values_without_overflow) {
  for (const PrimeField* field : all_fields()) {
    const std::uint32_t top = field->q - 1;
    EXPECT_EQ(field->product(top, top), 1U);
    EXPECT_EQ(field->product(top, 0), 0U);
    EXPECT_EQ(field->add(top, top), field->q - 2);
    EXPECT_EQ(field->subtract(0, top), 1U);
    EXPECT_EQ(field->product(field->inverse_of(12345), 12345), 1U);
    for (const std::uint32_t any : {0U, 1U, field->q, 2 * field->q, 0xffffffffU}) {
      EXPECT_EQ(field->canonical(field->times_factor(any, field->factor(top))),
                std::uint64_t{any} % field->q * top % field->q);
    }
  }
}

TEST(Packing, round_trips_and_refuses_what_is_not_below_the_modulus) {
  SeededRandom random(16, "packing");
  for (const PrimeField* field : all_fields()) {
    Words residues = random_words(*field, 2048, random);
    residues[0] = 0;
    residues[2047] = field->q - 1;
    Bytes packed(packed_size(*field, residues.size()));
    pack(*field, residues, packed);
    Words back(residues.size());
    must(unpack(*field, packed, back));
    EXPECT_EQ(back, residues);
    for (const std::uint32_t bad : {field->q, field->q + 1, field->word_mask}) {
      for (const std::size_t at : {std::size_t{0}, std::size_t{1000}, std::size_t{2047}}) {
        Words wrong = residues;
        wrong[at] = bad;
        pack(*field, wrong, packed);
        EXPECT_EQ(code_of(unpack(*field, packed, back)), "non_canonical");
      }
    }
  }
}

TEST(Errors, are_differences_of_bit_counts) {
  SeededRandom random(17, "errors");
  for (const int eta : {8, 16}) {
    constexpr std::size_t count = 50'000;
    const auto width = static_cast<std::size_t>(eta) / 4;
    Bytes stream(count * width);
    random.fill(stream);
    std::fill_n(stream.begin(), width, std::uint8_t{0xff});
    // Added to nothing, an error is all there is.
    const PrimeField& field = fields_of(Suite::s30)[0];
    const Words nothing(count, 0);
    const std::vector<std::int32_t> zeros(count, 0);
    Bytes packed(packed_size(field, count));
    kernels().add_and_pack(field, nothing.data(), count, {zeros.data(), stream.data(), eta, 1638},
                           packed.data());
    Words residues(count);
    must(unpack(field, packed, residues));
    std::vector<std::int64_t> errors;
    for (const std::uint32_t residue : residues) {
      errors.push_back(residue > field.q / 2 ? std::int64_t{residue} - field.q : residue);
    }
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::int64_t expected = 0;
      for (std::size_t byte = 0; byte < width; ++byte) {
        const int ones = std::popcount(stream[i * width + byte]);
        expected += byte < width / 2 ? ones : -ones;
      }
      ASSERT_EQ(errors[i], expected);
      ASSERT_LE(std::abs(errors[i]), eta);
      sum += static_cast<double>(errors[i]);
      squares += static_cast<double>(errors[i] * errors[i]);
    }
    // Mean 0 and variance η/2, each within five standard deviations.
    const double variance = eta / 2.0;
    EXPECT_LT(std::abs(sum / count), 5 * std::sqrt(variance / count));
    EXPECT_NEAR(squares / count, variance, 5 * variance * std::sqrt(2.0 / count));
  }
}

TEST(Suites, table_holds_primes_with_their_least_roots) {
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    const SuiteParameters& p = parameters_of(suite);
    EXPECT_EQ(must(suite_from_id(static_cast<std::uint8_t>(suite))), suite);
    for (std::size_t prime = 0; prime < p.moduli.size(); ++prime) {
      const PrimeField& field = fields_of(suite)[prime];
      for (std::uint32_t d = 2; d * d <= field.q; ++d) ASSERT_NE(field.q % d, 0U);
      EXPECT_EQ(field.q % (2 * p.ring_degree), 1U);
      EXPECT_EQ(std::bit_width(field.q), p.residue_bits);
      for (std::uint32_t root = 2; root < p.roots[prime]; ++root) {
        ASSERT_NE(field.power(root, p.ring_degree), field.q - 1) << "a smaller root: " << root;
      }
      EXPECT_EQ(field.power(p.roots[prime], p.ring_degree), field.q - 1);
    }
  }
  EXPECT_EQ(code_of(suite_from_id(0)), "bad_suite");
  EXPECT_EQ(code_of(suite_from_id(0x81)), "bad_suite");
  EXPECT_EQ(code_of(scale_of(Suite::s30, 0)), "too_many_hospitals");
  EXPECT_EQ(code_of(scale_of(Suite::s30, 65)), "too_many_hospitals");
  EXPECT_EQ(code_of(scale_of(Suite::l48, 1025)), "too_many_hospitals");
  EXPECT_EQ(code_of(scale_of(Suite::l60, 1025)), "too_many_hospitals");
}

TEST(Suites, scale_of_the_specification_table) {
  struct Row {
    Suite suite;
    std::uint32_t hospitals;
    Scale scale;
  };
  for (const Row& row :
       {Row{Suite::s30, 3, {33, 32767, 5461}}, Row{Suite::s30, 10, {61, 32767, 1638}},
        Row{Suite::s30, 16, {76, 32767, 1023}}, Row{Suite::s30, 32, {108, 32767, 511}},
        Row{Suite::s30, 53, {139, 32767, 309}}, Row{Suite::s30, 64, {152, 27502, 305}},
        Row{Suite::l48, 64, {215, 8388607, 261248}},
        Row{Suite::l60, 64, {215, 8388607, 1073619076}},
        Row{Suite::l48, 1024, {860, 8388607, 16328}}}) {
    const Scale scale = must(scale_of(row.suite, row.hospitals));
    EXPECT_EQ(scale.error_bound, row.scale.error_bound);
    EXPECT_EQ(scale.value_max, row.scale.value_max);
    EXPECT_EQ(scale.delta, row.scale.delta);
  }
}

TEST(Suites, committee_of_the_specification_table) {
  struct Row {
    std::uint16_t miners, faulty, threshold;
  };
  for (const Row& row : {Row{1, 0, 1}, Row{2, 0, 2}, Row{3, 0, 2}, Row{4, 1, 3}, Row{7, 2, 5},
                         Row{10, 3, 7}, Row{13, 4, 9}, Row{64, 21, 43}}) {
    const Committee committee = committee_of(row.miners);
    EXPECT_EQ(committee.faulty_max, row.faulty);
    EXPECT_EQ(committee.threshold, row.threshold);
  }
  for (std::uint16_t miners = 1; miners <= 200; ++miners) {
    const Committee c = committee_of(miners);
    EXPECT_GT(2 * c.threshold, miners + c.faulty_max) << "two sets could both gather a quorum";
    EXPECT_LE(c.threshold, miners - c.faulty_max) << "liars could stop every round";
  }
}

}  // namespace
}  // namespace consilium::sealing
