#include "consilium/casebase/vectors.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "consilium/foundation/random.hpp"

#include "example.hpp"

namespace consilium::casebase {
namespace {

TEST(Vectors, lay_out_numbers_and_codes_in_schema_order) {
  auto schema = example::schema();
  auto layout = layout_of(schema);
  std::vector<std::string> names;
  for (const auto& column : layout.v1) names.push_back(column.name);
  EXPECT_EQ(names, (std::vector<std::string>{"age", "sex=female", "sex=male", "cough=absent",
                                             "cough=mild", "cough=severe", "temperature"}));
  EXPECT_EQ(layout.v1[4].attribute_id, 4);
  EXPECT_EQ(layout.v1[4].code_index, 1);
  EXPECT_EQ(layout.v1[6].code_index, -1);
  EXPECT_EQ(layout.number_ids, (std::vector<std::uint16_t>{1, 7}));
  EXPECT_EQ(layout.disease_id, 9);
  EXPECT_EQ(layout.disease_codes, 3U);
  schema.attributes[2].drop_first = true;
  EXPECT_EQ(layout_of(schema).v1.size(), 6U);
  EXPECT_EQ(layout_of(schema).v1[3].name, "cough=mild");
}

TEST(Vectors, hold_standardised_values_and_masks) {
  const auto schema = example::schema();
  Standardisation standardisation{{50, 37}, {10, 0.5}, {5, 5}};
  auto silent = example::full_case("E-2", "50", "37", "none");
  silent.age_years = {};
  silent.sex.clear();
  silent.findings.clear();
  silent.outcome.disease.clear();
  const std::vector<Case> cases{example::full_case("E-1", "65", "38", "pneumonia"), silent};
  auto vectors = vectorise(cases, schema, standardisation);
  EXPECT_EQ(vectors.rows, 2U);
  EXPECT_EQ(vectors.columns, 7U);
  EXPECT_EQ(vectors.values, (std::vector<float>{1.5F, 0, 1, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(vectors.mask, (std::vector<std::uint8_t>{1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(vectors.disease, (std::vector<std::int32_t>{2, -1}));
  EXPECT_EQ(vectors.row(0)[6], 2.0F);

  standardisation.count[1] = 0;  // nobody knows temperatures: the attribute is not used
  vectors = vectorise(cases, schema, standardisation);
  EXPECT_EQ(vectors.row(0)[6], 0.0F);
  EXPECT_EQ(vectors.mask[6], 0);
}

TEST(Vectors, one_hot_without_the_first_code_has_one_column_less) {
  auto schema = example::schema();
  schema.attributes[2].drop_first = true;
  auto first = example::full_case("E-1", "50", "37", "none");
  first.sex = "female";
  first.findings[0].severity = "absent";
  const std::vector<Case> cases{first, example::full_case("E-2", "50", "37", "none")};
  const auto vectors = vectorise(cases, schema, {{50, 37}, {1, 1}, {1, 1}});
  EXPECT_EQ(vectors.values, (std::vector<float>{0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(vectors.mask, std::vector<std::uint8_t>(12, 1));
}

auto drawn_cases(Random& random, std::size_t count, std::string_view prefix) -> std::vector<Case> {
  std::vector<Case> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto c = example::full_case(std::string(prefix) + std::to_string(i),
                                std::to_string(random.below(121)),
                                std::to_string(365 + random.below(40)) + "e-1", "none");
    if (random.below(3) == 0) c.findings.clear();
    if (random.below(9) == 0) c.age_years = {};
    out.push_back(std::move(c));
  }
  return out;
}

TEST(Statistics, sealed_sums_give_the_pooled_mean_and_deviation_within_the_stated_bound) {
  const auto schema = example::schema();
  const std::vector<double> widths{120, 14.5};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SeededRandom random(seed, "statistics");
    const std::int64_t cases_max = 400;
    const std::int64_t value_max = std::int64_t{1} << (18U + random.below(30));
    const auto hospitals = 1 + random.below(8);
    std::vector<Case> pooled;
    std::vector<std::int64_t> sum(6, 0);
    for (std::uint64_t h = 0; h < hospitals; ++h) {
      const auto own = drawn_cases(random, 20 + random.below(200), "h" + std::to_string(h) + "-");
      const auto part = statistics_vector(own, schema, value_max, cases_max, 0);
      ASSERT_TRUE(part) << part.error().message();
      ASSERT_EQ(part->size(), sum.size());
      for (std::size_t i = 0; i < sum.size(); ++i) {
        ASSERT_LE(std::abs((*part)[i]), value_max);
        sum[i] += (*part)[i];
      }
      pooled.insert(pooled.end(), own.begin(), own.end());
    }
    const auto opened = standardisation_of(sum, schema, value_max, cases_max);
    ASSERT_TRUE(opened) << opened.error().message();
    const auto exact = own_standardisation(pooled, schema);
    const std::int64_t whole_scale = value_max / cases_max;
    const auto scale = static_cast<double>(whole_scale);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(opened->count[i], exact.count[i]) << "seed " << seed;
      const double unit = static_cast<double>(hospitals) / (2 * scale * exact.count[i]);
      const double width = widths[i];
      EXPECT_NEAR(opened->mean[i], exact.mean[i], width * (unit + 1e-12)) << "seed " << seed;
      EXPECT_NEAR(opened->deviation[i] * opened->deviation[i],
                  exact.deviation[i] * exact.deviation[i], width * width * (3 * unit + 1e-12))
          << "seed " << seed;
    }
  }
}

TEST(Statistics, do_not_depend_on_the_order_of_the_cases) {
  const auto schema = example::schema();
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SeededRandom random(seed, "order");
    auto cases = drawn_cases(random, 150, "x");
    const auto before = statistics_vector(cases, schema, std::int64_t{1} << 52U, 150, 0).value();
    const auto own_before = own_standardisation(cases, schema);
    random.shuffle(std::span(cases));
    EXPECT_EQ(statistics_vector(cases, schema, std::int64_t{1} << 52U, 150, 0).value(), before);
    EXPECT_EQ(own_standardisation(cases, schema), own_before);
  }
}

TEST(Statistics, small_cells_are_sealed_as_zeros) {
  const auto schema = example::schema();
  std::vector<Case> cases;
  for (int i = 0; i < 10; ++i)
    cases.push_back(example::full_case("E-" + std::to_string(i), "60", "37", "none"));
  cases[0].findings.clear();
  const auto sums = statistics_vector(cases, schema, 1000000, 1000, 10).value();
  EXPECT_EQ(sums, (std::vector<std::int64_t>{10, 5000, 2500, 0, 0, 0}));
  const auto opened = standardisation_of(sums, schema, 1000000, 1000).value();
  EXPECT_EQ(opened.count, (std::vector<double>{10, 0}));
  EXPECT_EQ(opened.mean[0], 60);
  EXPECT_EQ(opened.deviation, (std::vector<double>{1, 1}));  // nothing varies; nobody knows
}

TEST(Statistics, with_noise_are_brought_to_possible_ones_and_honest_ones_stay) {
  const auto schema = example::schema();
  std::vector<Case> cases;
  for (int i = 0; i < 40; ++i)
    cases.push_back(example::full_case("E-" + std::to_string(100 + i), std::to_string(20 + i),
                                       std::to_string(36 + i % 5), "none"));
  const auto honest = statistics_vector(cases, schema, 1 << 23, 4096, 0).value();
  EXPECT_EQ(nearest_statistics(honest, 1 << 23, 4096), honest);
  SeededRandom random(5, "noisy statistics");
  for (int times = 0; times < 500; ++times) {
    auto noisy = honest;
    const std::uint64_t size = std::uint64_t{1} << random.below(24);
    for (std::int64_t& value : noisy)
      value += static_cast<std::int64_t>(random.below(2 * size)) - static_cast<std::int64_t>(size);
    const auto nearest = nearest_statistics(noisy, 1 << 23, 4096);
    const auto read = standardisation_of(nearest, schema, 1 << 23, 4096);
    ASSERT_TRUE(read) << read.error().message();
    for (const double deviation : read->deviation) ASSERT_GT(deviation, 0);
  }
}

TEST(Statistics, refuse_what_they_cannot_bound) {
  auto schema = example::schema();
  const std::vector<Case> cases(3, example::full_case("E-1", "60", "37", "none"));
  EXPECT_EQ(statistics_vector(cases, schema, 1000, 2, 0).error().code, "too_many_cases");
  EXPECT_TRUE(statistics_vector(cases, schema, 1000, 3, 0));
  schema.attributes[0].high.reset();
  EXPECT_EQ(statistics_vector(cases, schema, 1000, 3, 0).error().code, "bad_schema");
}

TEST(Statistics, refuse_sums_no_cases_can_have) {
  const auto schema = example::schema();
  constexpr std::int64_t value_max = std::int64_t{1} << 40U;
  constexpr std::int64_t cases_max = 1024;
  constexpr std::int64_t scale = value_max / cases_max;
  const auto code = [&](std::int64_t n, std::int64_t first, std::int64_t second) {
    const std::vector<std::int64_t> sum{n, first, second, 0, 0, 0};
    const auto opened = standardisation_of(sum, schema, value_max, cases_max);
    return opened ? std::string() : opened.error().code;
  };
  EXPECT_EQ(code(10, 5 * scale, 3 * scale), "");
  EXPECT_EQ(code(-1, 0, 0), "bad_statistics");
  EXPECT_EQ(code(0, 1, 0), "bad_statistics");
  EXPECT_EQ(code(10, 11 * scale, 9 * scale), "bad_statistics");
  EXPECT_EQ(code(10, -scale, scale), "bad_statistics");
  EXPECT_EQ(code(10, 5 * scale, 6 * scale), "bad_statistics");
  EXPECT_EQ(code(10, 5 * scale, 2 * scale), "bad_statistics");  // Σu² below (Σu)²/n
  EXPECT_EQ(code(10, 5 * scale, -scale), "bad_statistics");
  const std::vector<std::int64_t> cut{1, 2, 3};
  EXPECT_EQ(standardisation_of(cut, schema, value_max, cases_max).error().code, "bad_statistics");
}

TEST(Statistics, own_deviation_counts_degrees_of_freedom) {
  const auto schema = example::schema();
  std::vector<Case> cases;
  for (const std::string_view age : {"40", "50", "60", "70"})
    cases.push_back(example::full_case("E-" + std::string(age), age, "37.1", "none"));
  const auto population = own_standardisation(cases, schema, 0);
  const auto sample = own_standardisation(cases, schema, 1);
  EXPECT_DOUBLE_EQ(population.mean[0], 55);
  EXPECT_DOUBLE_EQ(population.deviation[0], std::sqrt(125.0));
  EXPECT_DOUBLE_EQ(sample.deviation[0], std::sqrt(500.0 / 3));
  EXPECT_EQ(population.deviation[1], 1);
  EXPECT_EQ(own_standardisation({}, schema).count, (std::vector<double>{0, 0}));
  EXPECT_NE(population.digest(), sample.digest());
  EXPECT_EQ(population.digest(), own_standardisation(cases, schema, 0).digest());
}

TEST(Vectors, rescaled_columns_have_mean_zero_and_deviation_one) {
  const auto schema = example::schema();
  SeededRandom random(5, "rescale");
  auto cases = drawn_cases(random, 80, "x");
  for (auto& c : cases) c.sex = random.below(3) == 0 ? "female" : "male";
  auto vectors = vectorise(cases, schema, own_standardisation(cases, schema, 1));
  rescale(vectors, column_scale_of(vectors, 1));
  const auto after = column_scale_of(vectors, 1);
  for (std::size_t i = 0; i < vectors.columns; ++i) {
    EXPECT_NEAR(after.mean[i], 0, 1e-6) << i;
    EXPECT_NEAR(after.deviation[i], 1, 1e-6) << i;
  }
  for (std::size_t i = 0; i < vectors.values.size(); ++i)
    if (vectors.mask[i] == 0) {
      EXPECT_EQ(vectors.values[i], 0.0F);
    }
}

}  // namespace
}  // namespace consilium::casebase
