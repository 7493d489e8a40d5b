// Every path gives the scalar reference's bytes.

#include <bit>
#include <cmath>
#include <limits>

#include "block_kernels.hpp"
#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

using Words = std::vector<std::uint32_t>;

auto wide_paths() -> std::vector<const Kernels*> {
  std::vector<const Kernels*> out;
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (kernels_of(isa) != nullptr) {
      out.push_back(kernels_of(isa));
    } else {
      std::cerr << "SKIPPED PATH: this machine has no " << isa_name(isa) << "\n";
    }
  }
  return out;
}

auto all_fields() -> std::vector<const PrimeField*> {
  std::vector<const PrimeField*> out;
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    for (const PrimeField& field : fields_of(suite)) out.push_back(&field);
  }
  return out;
}

/// Below `bound`; every fourth word is one of the ends.
auto edgy_words(std::size_t count, std::uint32_t bound, Random& random) -> Words {
  Words out(count);
  for (std::uint32_t& word : out) {
    const std::uint64_t kind = random.below(8);
    word = kind == 0 ? 0 : kind == 1 ? bound - 1 : static_cast<std::uint32_t>(random.below(bound));
  }
  return out;
}

auto random_bytes(std::size_t count, Random& random) -> Bytes {
  Bytes out(count);
  random.fill(out);
  return out;
}

TEST(Kernels, invert_and_unmask_the_same_in_every_number_of_lanes) {
  SeededRandom random(1, "kernels");
  for (const Kernels* path : wide_paths()) {
    for (const PrimeField* field : all_fields()) {
      Words secret = edgy_words(field->degree, field->q, random);
      std::vector<Factor> key(field->degree);
      prepare_key(*field, secret, key);
      for (std::uint32_t lanes = 1; lanes <= lanes_max; ++lanes) {
        const Words start = edgy_words(std::size_t{field->degree} * lanes, field->two_q, random);
        for (const Factor* factors :
             {static_cast<const Factor*>(key.data()), static_cast<const Factor*>(nullptr)}) {
          Words expected = start;
          kernels_scalar.inverse(*field, expected.data(), lanes, factors);
          Words got = start;
          path->inverse(*field, got.data(), lanes, factors);
          ASSERT_EQ(got, expected)
              << isa_name(path->isa) << " q " << field->q << " lanes " << lanes;
        }
        Words sum = edgy_words(start.size(), field->q, random);
        Words wide_sum = sum;
        Words block_a = start;
        Words block_b = start;
        kernels_scalar.unmask(*field, block_a.data(), lanes, key.data(), sum.data());
        path->unmask(*field, block_b.data(), lanes, key.data(), wide_sum.data());
        ASSERT_EQ(wide_sum, sum) << isa_name(path->isa) << " q " << field->q << " lanes " << lanes;
      }
    }
  }
}

TEST(Kernels, a_prepared_key_has_the_quotient_that_a_division_would_give) {
  SeededRandom random(2, "kernels");
  for (const PrimeField* field : all_fields()) {
    const Words key = edgy_words(field->degree, field->q, random);
    std::vector<Factor> prepared(field->degree);
    prepare_key(*field, key, prepared);
    for (std::size_t k = 0; k < key.size(); ++k) {
      const Factor divided = field->factor(prepared[k].value);
      ASSERT_EQ(prepared[k].quotient, divided.quotient);
      ASSERT_EQ(std::uint64_t{prepared[k].value} * field->degree % field->q, key[k]);
    }
  }
}

TEST(Kernels, accept_the_same_words_whatever_is_refused) {
  SeededRandom random(3, "kernels");
  for (const Kernels* path : wide_paths()) {
    for (const PrimeField* field : all_fields()) {
      for (std::size_t count = 0; count <= 257; ++count) {
        Bytes raw = random_bytes(4 * count, random);
        // Words of ones and words at the modulus are more common here than by chance.
        for (std::size_t at = 0; at < count; ++at) {
          const std::uint64_t kind = random.below(6);
          if (kind > 1) continue;
          const std::uint32_t word = kind == 0 ? 0xffffffffU : field->q;
          for (std::size_t byte = 0; byte < 4; ++byte) {
            raw[4 * at + byte] = static_cast<std::uint8_t>(word >> (8 * byte));
          }
        }
        const std::size_t room = random.below(count + 2);
        Words expected(room + 1, 7);
        Words got = expected;
        const Accepted a = kernels_scalar.accept(*field, raw.data(), count, expected.data(), room);
        const Accepted b = path->accept(*field, raw.data(), count, got.data(), room);
        ASSERT_EQ(a.written, b.written) << isa_name(path->isa) << " count " << count;
        ASSERT_EQ(a.read, b.read) << isa_name(path->isa) << " count " << count;
        ASSERT_TRUE(std::equal(expected.begin(),
                               expected.begin() + static_cast<std::ptrdiff_t>(a.written),
                               got.begin()));
        ASSERT_EQ(got[room], 7U) << "wrote beyond its room";
      }
    }
  }
}

TEST(Kernels, seal_pack_unpack_and_add_the_same_bytes) {
  SeededRandom random(4, "kernels");
  for (const Kernels* path : wide_paths()) {
    for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
      const SuiteParameters& parameters = parameters_of(suite);
      for (const PrimeField& field : fields_of(suite)) {
        for (std::size_t count = 0; count <= 264; count += 8) {
          for (const std::uint32_t hospitals : {1U, 3U, 64U}) {
            const Scale scale = must(scale_of(suite, hospitals));
            const Words block = edgy_words(count, field.two_q, random);
            std::vector<std::int32_t> values(count);
            for (std::int32_t& value : values) {
              const auto span = static_cast<std::uint64_t>(2 * scale.value_max + 1);
              value = static_cast<std::int32_t>(static_cast<std::int64_t>(random.below(span)) -
                                                scale.value_max);
            }
            if (count > 0) values[0] = static_cast<std::int32_t>(scale.value_max);
            if (count > 0) values[count - 1] = static_cast<std::int32_t>(-scale.value_max);
            const Bytes errors = random_bytes(error_bytes(parameters.error_eta, count), random);
            const Addend addend{values.data(), errors.data(), parameters.error_eta, scale.delta};
            Bytes expected(packed_size(field, count) + 1, 0xa5);
            Bytes got = expected;
            kernels_scalar.add_and_pack(field, block.data(), count, addend, expected.data());
            path->add_and_pack(field, block.data(), count, addend, got.data());
            ASSERT_EQ(got, expected) << isa_name(path->isa) << " count " << count;

            Words a(count), b(count);
            ASSERT_EQ(kernels_scalar.unpack(field, expected.data(), count, a.data()), 0U);
            ASSERT_EQ(path->unpack(field, expected.data(), count, b.data()), 0U);
            ASSERT_EQ(a, b);
            Bytes again(packed_size(field, count) + 1, 0xa5);
            path->pack(field, b.data(), count, again.data());
            ASSERT_EQ(again, expected);

            Words sum = edgy_words(count, field.q, random);
            Words wide_sum = sum;
            ASSERT_EQ(kernels_scalar.add_packed(field, expected.data(), count, sum.data()), 0U);
            ASSERT_EQ(path->add_packed(field, expected.data(), count, wide_sum.data()), 0U);
            ASSERT_EQ(sum, wide_sum);
            kernels_scalar.subtract(field, block.data(), count, sum.data());
            path->subtract(field, block.data(), count, wide_sum.data());
            ASSERT_EQ(sum, wide_sum);
          }
        }
      }
    }
  }
}

TEST(Kernels, every_path_finds_a_residue_that_is_not_canonical_wherever_it_stands) {
  SeededRandom random(5, "kernels");
  std::vector<const Kernels*> paths = wide_paths();
  paths.push_back(&kernels_scalar);
  for (const Kernels* path : paths) {
    for (const PrimeField* field : all_fields()) {
      constexpr std::size_t count = 72;
      for (std::size_t at = 0; at < count; ++at) {
        Words words = edgy_words(count, field->q, random);
        words[at] = at % 2 == 0 ? field->q : field->word_mask;
        Bytes packed(packed_size(*field, count));
        kernels_scalar.pack(*field, words.data(), count, packed.data());
        Words out(count, 0);
        EXPECT_NE(path->unpack(*field, packed.data(), count, out.data()), 0U);
        EXPECT_EQ(out, words);
        EXPECT_NE(path->add_packed(*field, packed.data(), count, out.data()), 0U);
      }
    }
  }
}

TEST(Kernels, open_to_the_same_sums_and_residuals) {
  SeededRandom random(6, "kernels");
  const PrimeField& field = fields_of(Suite::s30)[0];
  std::vector<const Kernels*> paths = wide_paths();
  paths.push_back(&kernels_scalar);
  for (const std::uint32_t hospitals : {1U, 3U, 10U, 64U}) {
    const auto delta = static_cast<std::int32_t>(must(scale_of(Suite::s30, hospitals)).delta);
    for (std::uint32_t lanes = 1; lanes <= lanes_max; ++lanes) {
      Words residues = edgy_words(std::size_t{field.degree} * lanes, field.q, random);
      residues[0] = (field.q - 1) / 2;  // the largest and the smallest centred value
      residues[1] = (field.q - 1) / 2 + 1;
      for (std::uint32_t k = 2; k < 400; ++k) {  // about the borders between two sums
        residues[k] = field.residue_of_signed((std::int64_t{k} - 200) * delta +
                                              static_cast<std::int64_t>(k % 5) - 2 + delta / 2);
      }
      // X and r as the specification writes them, in 64 bits.
      OpenedBlock expected;
      std::vector<std::int64_t> sums;
      for (std::size_t at = 0; at < residues.size(); ++at) {
        std::int64_t v = residues[at];
        if (2 * v > field.q) v -= field.q;
        const auto x = static_cast<std::int64_t>(
            std::floor(static_cast<long double>(2 * v + delta) / (2.0L * delta)));
        const std::int64_t r = v - delta * x;
        sums.push_back(x);
        const std::size_t lane = at % lanes;
        expected.value_max = std::max(expected.value_max, std::abs(x));
        expected.largest.at(lane) = std::max(expected.largest.at(lane), std::abs(r));
        expected.squares.at(lane) += static_cast<std::uint64_t>(r * r);
      }
      for (const Kernels* path : paths) {
        OpenedBlock seen;
        std::vector<std::int64_t> got(residues.size());
        path->open_centred(field, residues.data(), field.degree, lanes, delta, got.data(), seen);
        ASSERT_EQ(got, sums) << isa_name(path->isa) << " lanes " << lanes;
        EXPECT_EQ(seen.value_max, expected.value_max);
        EXPECT_EQ(seen.largest, expected.largest);
        EXPECT_EQ(seen.squares, expected.squares);
      }
    }
  }
}

TEST(Kernels, lift_from_two_primes_to_the_same_sums_and_residuals) {
  SeededRandom random(10, "kernels");
  std::vector<const Kernels*> paths = wide_paths();
  paths.push_back(&kernels_scalar);
  for (const Suite suite : {Suite::l48, Suite::l60}) {
    const PrimeField& first = fields_of(suite)[0];
    const PrimeField& second = fields_of(suite)[1];
    const PrimePair pair{&first, &second, second.factor(second.inverse_of(first.q % second.q)),
                         std::int64_t{first.q} * second.q};
    for (const std::uint32_t hospitals : {1U, 3U, 64U, 1024U}) {
      const std::int64_t delta = must(scale_of(suite, hospitals)).delta;
      for (const std::uint32_t lanes : {1U, 5U, 16U}) {
        // V chosen first, so that the lift has an answer known beforehand.
        OpenedBlock expected;
        Words a, b;
        std::vector<std::int64_t> sums;
        for (std::size_t at = 0; at < std::size_t{first.degree} * lanes; ++at) {
          std::int64_t v =
              static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(pair.product))) -
              (pair.product - 1) / 2;
          if (at == 0) v = (pair.product - 1) / 2;
          if (at == 1) v = -(pair.product - 1) / 2;
          if (at > 1 && at < 400) {  // about the borders between two sums
            v = (static_cast<std::int64_t>(at) - 200) * delta + static_cast<std::int64_t>(at % 5) -
                2 + delta / 2;
          }
          const auto residue = [v](std::int64_t q) {
            return static_cast<std::uint32_t>(((v % q) + q) % q);
          };
          a.push_back(residue(first.q));
          b.push_back(residue(second.q));
          std::int64_t x = v / delta;
          while (2 * (v - x * delta) >= delta) ++x;
          while (2 * (v - x * delta) < -delta) --x;
          const std::int64_t r = v - x * delta;
          sums.push_back(x);
          const std::size_t lane = at % lanes;
          expected.value_max = std::max(expected.value_max, std::abs(x));
          expected.largest.at(lane) = std::max(expected.largest.at(lane), std::abs(r));
          const std::int64_t counted = std::min(std::abs(r), residual_counted_max);
          expected.squares.at(lane) += static_cast<std::uint64_t>(counted * counted);
        }
        for (const Kernels* path : paths) {
          OpenedBlock seen;
          std::vector<std::int64_t> got(a.size());
          path->open_two_primes(pair, a.data(), b.data(), first.degree, lanes, delta, got.data(),
                                seen);
          ASSERT_EQ(got, sums) << isa_name(path->isa) << " lanes " << lanes;
          EXPECT_EQ(seen.value_max, expected.value_max);
          EXPECT_EQ(seen.largest, expected.largest);
          EXPECT_EQ(seen.squares, expected.squares);
        }
      }
    }
  }
}

TEST(Kernels, share_and_test_the_same_words) {
  SeededRandom random(7, "kernels");
  for (const Kernels* path : wide_paths()) {
    for (const PrimeField* field : all_fields()) {
      for (std::size_t count = 0; count <= 257; count += count < 40 ? 1 : 31) {
        const std::size_t terms = 1 + random.below(9);
        const std::size_t stride = count + 3;
        const Words coefficients = edgy_words(terms * stride, field->q, random);
        const Factor x = field->factor(static_cast<std::uint32_t>(random.below(65)));
        Words a(count), b(count);
        kernels_scalar.horner(*field, coefficients.data(), terms, stride, x, count, a.data());
        path->horner(*field, coefficients.data(), terms, stride, x, count, b.data());
        ASSERT_EQ(a, b);
        const Words row = edgy_words(count, field->q, random);
        ASSERT_EQ(path->inner_product(*field, row.data(), a.data(), count),
                  kernels_scalar.inner_product(*field, row.data(), a.data(), count));
      }
    }
    // All words as large as they get, as many as are allowed.
    const PrimeField& field = fields_of(Suite::s30)[0];
    const Words top(std::size_t{1} << 16U, field.q - 1);
    EXPECT_EQ(path->inner_product(field, top.data(), top.data(), top.size()), 1U << 16U);
  }
}

TEST(Kernels, round_floats_to_the_same_integers) {
  SeededRandom random(8, "kernels");
  const std::vector<float> special{0.0F,
                                   -0.0F,
                                   1.0F,
                                   -1.0F,
                                   0.5F,
                                   -0.5F,
                                   1e-30F,
                                   -1e-30F,
                                   3.0e38F,
                                   -3.0e38F,
                                   std::numeric_limits<float>::denorm_min(),
                                   0.99999994F,
                                   -0.99999994F,
                                   1.0000001F};
  for (const Kernels* path : wide_paths()) {
    for (std::size_t count = 0; count <= 257; ++count) {
      std::vector<float> values(count);
      for (float& value : values) {
        value = random.below(3) == 0 ? special[random.below(special.size())]
                                     : static_cast<float>(random.normal());
      }
      Bytes chance = random_bytes(4 * count, random);
      for (std::size_t at = 0; at < count; at += 5) {
        std::fill_n(chance.begin() + static_cast<std::ptrdiff_t>(4 * at), 4,
                    at % 2 == 0 ? std::uint8_t{0} : std::uint8_t{255});
      }
      for (const std::int32_t value_max : {1, 32767, 8388607}) {
        for (const double clip : {1.0, 0.3, 2.5e-5}) {
          const Rounding rounding{clip, value_max / clip, value_max};
          std::vector<std::int32_t> a(count), b(count);
          kernels_scalar.round_floats(values.data(), count, chance.data(), rounding, a.data());
          path->round_floats(values.data(), count, chance.data(), rounding, b.data());
          ASSERT_EQ(a, b) << isa_name(path->isa) << " count " << count;
        }
      }
      for (const double clip : {1.0, 0.3, 1e39, 1e-44, 1.0000000001}) {
        bool finite_a = true;
        bool finite_b = true;
        ASSERT_EQ(kernels_scalar.scan_floats(values.data(), count, clip, finite_a),
                  path->scan_floats(values.data(), count, clip, finite_b))
            << clip;
        EXPECT_TRUE(finite_a && finite_b);
        if (count == 0) continue;
        for (const float bad :
             {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
              std::numeric_limits<float>::quiet_NaN()}) {
          auto spoiled = values;
          spoiled[random.below(count)] = bad;
          bool finite = true;
          (void)path->scan_floats(spoiled.data(), count, clip, finite);
          EXPECT_FALSE(finite);
        }
      }
    }
  }
}

TEST(Kernels, rounding_rounds_up_as_often_as_it_should) {
  // 0.3 of a step: 30 % of a hundred thousand, within six deviations.
  SeededRandom random(9, "kernels");
  constexpr std::size_t count = 100'000;
  const std::vector<float> values(count, 0.25F);
  const Bytes chance = random_bytes(4 * count, random);
  std::vector<std::int32_t> out(count);
  kernels().round_floats(values.data(), count, chance.data(), {1.0, 41.2, 100}, out.data());
  std::size_t up = 0;
  for (const std::int32_t value : out) {
    ASSERT_TRUE(value == 10 || value == 11);
    up += value == 11 ? 1U : 0U;
  }
  EXPECT_NEAR(static_cast<double>(up) / count, 0.3, 6 * std::sqrt(0.21 / count));
}

TEST(Kernels, the_widest_path_of_the_machine_is_in_use) {
  const char* const wish = std::getenv("CONSILIUM_ISA");
  if (wish != nullptr) GTEST_SKIP() << "CONSILIUM_ISA narrows the path";
  const bool has_512 = kernels_of(Isa::avx512) != nullptr;
  const bool has_2 = kernels_of(Isa::avx2) != nullptr;
  EXPECT_EQ(kernels().isa, has_512 ? Isa::avx512 : has_2 ? Isa::avx2 : Isa::scalar);
}

}  // namespace
}  // namespace consilium::sealing
