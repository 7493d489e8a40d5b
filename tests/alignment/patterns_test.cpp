#include "consilium/alignment/patterns.hpp"

#include <gtest/gtest.h>

#include "consortium.hpp"

namespace consilium::alignment::test {
namespace {

auto specification_pattern() -> Pattern {
  Pattern pattern;
  pattern.fields.push_back({1, PatternCode{7}});
  pattern.fields.push_back({2, PatternBucket{3}});
  pattern.fields.push_back({3, std::vector<PatternFinding>{{5, 1, 4, 1}, {12, 2, 0, 3}}});
  pattern.fields.push_back({4, std::monostate{}});
  return pattern;
}

TEST(Patterns, have_the_bytes_and_digest_of_the_specification) {
  const auto bytes = encode_pattern(specification_pattern());
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), 79U);
  EXPECT_EQ(to_hex(*bytes), "43534c5001" + std::string(64, '0') +
                                "0004"
                                "00010100000007"
                                "0002020003"
                                "0003030002"
                                "00000005000100040001"
                                "0000000c000200000003"
                                "000400");
  EXPECT_EQ(pattern_digest(*bytes).hex(),
            "e4bd8037cfd139636aad10b429238286d034769adce5b53d2edbfe9b88959632");
}

TEST(Patterns, are_read_back_as_they_were_written) {
  SeededRandom random(5, "patterns");
  for (int i = 0; i < 200; ++i) {
    Pattern pattern;
    random.fill(pattern.schema.bytes);
    std::uint16_t id = 0;
    for (std::size_t f = random.below(6); f > 0; --f) {
      id = static_cast<std::uint16_t>(id + 1 + random.below(4));
      PatternField field{id, {}};
      const auto kind = random.below(4);
      if (kind == 1) field.value = PatternCode{random.u32()};
      if (kind == 2) field.value = PatternBucket{static_cast<std::uint16_t>(random.u32())};
      if (kind == 3) {
        std::vector<PatternFinding> findings;
        for (std::uint32_t s = 0; s < random.below(4); ++s)
          findings.push_back({s, static_cast<std::uint16_t>(random.u32()), 1, 2});
        field.value = findings;
      }
      pattern.fields.push_back(field);
    }
    const auto bytes = encode_pattern(pattern);
    ASSERT_TRUE(bytes);
    const auto back = decode_pattern(*bytes);
    ASSERT_TRUE(back);
    EXPECT_TRUE(*back == pattern);
    EXPECT_EQ(*encode_pattern(*back), *bytes);
  }
}

TEST(Patterns, other_bytes_than_canonical_ones_are_refused) {
  const auto good = *encode_pattern(specification_pattern());
  const auto refused = [](const Bytes& bytes) {
    const auto decoded = decode_pattern(bytes);
    return !decoded && decoded.error().code == "bad_pattern_bytes";
  };
  EXPECT_FALSE(refused(good));
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_TRUE(refused(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut))));
  Bytes trailing = good;
  trailing.push_back(0);
  EXPECT_TRUE(refused(trailing));
  Bytes version = good;
  version[4] = 2;
  EXPECT_TRUE(refused(version));
  Bytes kind = good;
  kind[41] = 4;
  EXPECT_TRUE(refused(kind));

  auto unsorted = specification_pattern();
  std::swap(unsorted.fields[0], unsorted.fields[1]);
  EXPECT_FALSE(encode_pattern(unsorted));
  auto repeated = specification_pattern();
  repeated.fields[2].value = std::vector<PatternFinding>{{5, 1, 4, 1}, {5, 1, 4, 1}};
  EXPECT_FALSE(encode_pattern(repeated));
  Bytes swapped = good;  // the two findings in the wrong order
  std::swap_ranges(swapped.begin() + 56, swapped.begin() + 66, swapped.begin() + 66);
  EXPECT_TRUE(refused(swapped));
}

/// age in decades 20..60, sex, an ordinal.
auto small_schema() -> casebase::Schema {
  casebase::Attribute age;
  age.id = 1;
  age.name = "age";
  age.kind = casebase::Kind::number;
  age.source = "age";
  age.unit = "a";
  age.align = true;
  for (const auto* bound : {"20", "30", "40", "60"})
    age.align_bounds.push_back(*casebase::Decimal::parse(bound));
  casebase::Attribute sex;
  sex.id = 2;
  sex.name = "sex";
  sex.kind = casebase::Kind::code;
  sex.source = "sex";
  sex.codes = sex.labels = {"female", "male"};
  sex.align = true;
  casebase::Attribute severity;
  severity.id = 4;
  severity.name = "severity";
  severity.kind = casebase::Kind::ordinal;
  severity.source = "severity";
  severity.codes = severity.labels = {"mild", "severe"};
  severity.align = true;
  casebase::Attribute disease;
  disease.id = 9;
  disease.name = "disease";
  disease.role = casebase::Role::v2;
  disease.kind = casebase::Kind::code;
  disease.source = "disease";
  disease.codes = disease.labels = {"none", "some"};
  return {"small", 1, {age, sex, severity, disease}};
}

auto person(const char* age, const char* sex, const char* severity) -> casebase::Case {
  casebase::Case c;
  c.id = CaseId{"T-1"};
  c.status = casebase::Status::sample;
  if (*age != 0) {
    c.age_years.number = *casebase::Decimal::parse(age);
    c.age_years.unit = "a";
  }
  c.sex = sex;
  c.findings.emplace_back();
  c.findings[0].severity = severity;
  return c;
}

TEST(Patterns, buckets_are_half_open_with_the_lower_bound_inside) {
  const auto schema = small_schema();
  const auto bucket = [&](const char* age) {
    const auto pattern = pattern_of(person(age, "male", "mild"), schema);
    return pattern ? std::to_string(std::get<PatternBucket>(pattern->fields[0].value).index)
                   : pattern.error().code;
  };
  EXPECT_EQ(bucket("20"), "0");
  EXPECT_EQ(bucket("29.999"), "0");
  EXPECT_EQ(bucket("30"), "1");
  EXPECT_EQ(bucket("59.9"), "2");
  EXPECT_EQ(bucket("60"), "unalignable");
  EXPECT_EQ(bucket("19.99"), "unalignable");
}

TEST(Patterns, what_is_missing_is_a_value_of_its_own_and_outcomes_are_left_out) {
  const auto schema = small_schema();
  const auto pattern = *pattern_of(person("", "", "severe"), schema);
  ASSERT_EQ(pattern.fields.size(), 3U);
  EXPECT_EQ(pattern.fields[0].value.index(), 0U);
  EXPECT_EQ(pattern.fields[1].value.index(), 0U);
  EXPECT_EQ(std::get<PatternBucket>(pattern.fields[2].value).index, 1);
  const auto bytes = *canonical_pattern(person("", "", "severe"), schema);
  EXPECT_TRUE(*decode_pattern(bytes) == pattern);
  auto with_outcome = person("", "", "severe");
  with_outcome.outcome.disease = "some";
  EXPECT_EQ(*canonical_pattern(with_outcome, schema), bytes);
}

TEST(Dictionary, numbers_every_combination_once_with_missing_first) {
  const auto schema = small_schema();
  const auto dictionary = *Dictionary::make(schema, ledger::AlignmentSubject::pattern);
  EXPECT_EQ(dictionary.sizes(), (std::vector<std::uint64_t>{4, 3, 3}));
  EXPECT_EQ(dictionary.cells(), 36U);
  std::vector<bool> used(36, false);
  for (const auto* age : {"", "25", "35", "45"})
    for (const auto* sex : {"", "female", "male"})
      for (const auto* severity : {"", "mild", "severe"}) {
        const auto cells = dictionary.cells_of(person(age, sex, severity));
        ASSERT_TRUE(cells);
        ASSERT_EQ(cells->size(), 1U);
        ASSERT_LT(cells->front(), 36U);
        EXPECT_FALSE(used[cells->front()]);
        used[cells->front()] = true;
      }
  EXPECT_EQ(dictionary.cells_of(person("", "", ""))->front(), 0U);
  EXPECT_EQ(dictionary.cells_of(person("35", "male", "mild"))->front(), (2 * 3 + 2) * 3 + 1U);
}

TEST(Dictionary, of_attributes_has_a_cell_for_each_of_v1) {
  const auto dictionary = *Dictionary::make(small_schema(), ledger::AlignmentSubject::attribute);
  EXPECT_EQ(dictionary.cells(), 3U);
  EXPECT_EQ(*dictionary.cells_of(person("25", "", "mild")), (std::vector<std::uint64_t>{0, 2}));
  // An age outside the buckets is recorded all the same.
  EXPECT_EQ(*dictionary.cells_of(person("80", "male", "")), (std::vector<std::uint64_t>{0, 1}));
}

TEST(Dictionary, has_another_digest_for_another_key_subject_or_schema) {
  const auto schema = small_schema();
  const auto digest = [](const casebase::Schema& s, ledger::AlignmentSubject subject) {
    return Dictionary::make(s, subject)->digest();
  };
  const auto own = digest(schema, ledger::AlignmentSubject::pattern);
  EXPECT_EQ(own, digest(schema, ledger::AlignmentSubject::pattern));
  EXPECT_NE(own, digest(schema, ledger::AlignmentSubject::attribute));
  auto other = schema;
  other.attributes[2].align = false;
  EXPECT_NE(own, digest(other, ledger::AlignmentSubject::pattern));
}

TEST(Dictionary, that_makes_no_sense_is_refused) {
  const auto refusal = [](const casebase::Schema& s) {
    const auto made = Dictionary::make(s, ledger::AlignmentSubject::pattern);
    return made ? std::string("ok") : made.error().code;
  };
  auto none = small_schema();
  for (auto& attribute : none.attributes) attribute.align = false;
  EXPECT_EQ(refusal(none), "bad_dictionary");
  auto boundless = small_schema();
  boundless.attributes[0].align_bounds.clear();
  EXPECT_EQ(refusal(boundless), "bad_dictionary");
  auto outcome = small_schema();
  outcome.attributes[3].align = true;
  EXPECT_EQ(refusal(outcome), "bad_dictionary");
  EXPECT_EQ(refusal(schema_of(60000)), "ok");
  auto large = schema_of(60000);
  auto second = large.attributes[0];
  second.id = 2;
  second.source = "occurrence_condition";
  large.attributes.push_back(second);
  EXPECT_EQ(refusal(large), "domain_too_large");
  EXPECT_EQ(Dictionary::make(none, ledger::AlignmentSubject::code).error().code,
            "mode_unsupported");
}

TEST(Bitmaps, have_a_bit_where_enough_cases_are_and_count_who_cannot_be_placed) {
  const auto schema = small_schema();
  const auto dictionary = *Dictionary::make(schema, ledger::AlignmentSubject::pattern);
  const std::vector<casebase::Case> cases{
      person("25", "male", "mild"), person("26", "male", "mild"), person("35", "male", "mild"),
      person("61", "male", "mild")};
  const auto holdings = holdings_of(cases, dictionary);
  EXPECT_EQ(holdings.unalignable, 1U);
  const auto young = dictionary.cells_of(cases[0])->front();
  const auto older = dictionary.cells_of(cases[2])->front();
  const auto one = bitmap_of(holdings, dictionary, 1);
  const auto two = bitmap_of(holdings, dictionary, 2);
  EXPECT_EQ(one.size(), 8U);  // 36 cells, padded to 512
  const auto words = [](const auto& secret) {
    return Bitmap(secret.expose().begin(), secret.expose().end());
  };
  EXPECT_TRUE(bit(words(one), young));
  EXPECT_TRUE(bit(words(one), older));
  EXPECT_TRUE(bit(words(two), young));
  EXPECT_FALSE(bit(words(two), older));
}

TEST(Bitmaps, tell_the_ledger_only_a_rounded_count) {
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> pairs{
      {0, 0}, {1, 64}, {64, 64}, {65, 128}, {128, 128}, {129, 256}, {5000, 8192}};
  for (const auto& [count, bucket] : pairs) EXPECT_EQ(bucketed_count(count), bucket);
}

}  // namespace
}  // namespace consilium::alignment::test
