#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "reference.hpp"

namespace consilium::diagnosis {
namespace {

using casebase::Attribute;
using casebase::Case;
using casebase::Kind;
using casebase::Schema;
using casebase::Similarity;
using casebase::Value;
using reference::chance;

/// Everything one random question needs.
struct Question {
  Schema schema;
  std::vector<Case> cases;
  Case target;
  Options options;
  std::vector<double> weights;  ///< those in force
  bool answerable = false;
};

auto random_question(std::uint64_t seed) -> Question {
  SeededRandom random(seed, "question");
  Question q;
  q.schema = reference::random_schema(random);
  const auto count = 1 + random.below(60);
  const auto missing = random.below(70);
  for (std::uint64_t i = 0; i < count; ++i)
    q.cases.push_back(
        reference::random_case(random, q.schema, "C-" + std::to_string(100 + i), missing));
  // Twins make ties that only the id can break.
  for (std::uint64_t i = 0; i < count; ++i)
    if (chance(random, 30)) {
      q.cases.push_back(q.cases[i]);
      q.cases.back().id.value = "B-" + std::to_string(100 + i);
    }
  random.shuffle(std::span(q.cases));
  q.target = reference::random_case(random, q.schema, "T-1", random.below(50));
  q.target.status = casebase::Status::recorded;
  q.options.top_k = 1 + random.below(80);
  q.options.threshold = static_cast<double>(random.below(5)) / 5;
  q.options.denominator = chance(random, 50) ? Denominator::target : Denominator::both_present;
  for (const auto& a : q.schema.attributes)
    if (a.role == casebase::Role::v1) q.weights.push_back(a.weight);
  if (chance(random, 50)) {
    for (auto& w : q.weights) w = chance(random, 30) ? 0 : random.unit() * 5;
    q.weights[random.below(q.weights.size())] = 1;
    q.options.weights = q.weights;
  }
  std::size_t p = 0;
  for (const auto& a : q.schema.attributes)
    if (a.role == casebase::Role::v1 && q.weights[p++] > 0 && reference::value(q.target, a))
      q.answerable = true;
  return q;
}

TEST(Similarity, answer_equals_the_plain_formula_over_every_case) {
  std::size_t answered = 0;
  std::size_t cut = 0;
  std::size_t ties = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto q = random_question(seed);
    const Index index(q.cases, q.schema);
    const auto got = consult(q.target, index, nullptr, {}, q.options);
    if (!q.answerable) {
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().code, "no_usable_attribute");
      continue;
    }
    ASSERT_TRUE(got) << got.error().message();
    ++answered;

    // Everything sorted, then cut. The formula written another way differs in the last bits, so
    // values are compared with a tolerance, and the order with the answer's own values: similarity
    // descending, then id.
    std::map<CaseId, std::pair<const Case*, reference::Judged>> by_id;
    std::vector<double> sorted;
    std::size_t surely = 0;
    std::size_t perhaps = 0;
    for (const auto& c : q.cases) {
      const auto judged =
          reference::similarity(q.target, c, q.schema, q.weights, q.options.denominator);
      by_id[c.id] = {&c, judged};
      sorted.push_back(judged.similarity);
      if (judged.similarity >= q.options.threshold + 1e-12) ++surely;
      if (judged.similarity >= q.options.threshold - 1e-12) ++perhaps;
    }
    std::sort(sorted.rbegin(), sorted.rend());
    EXPECT_EQ(got->searched, q.cases.size());
    EXPECT_NEAR(got->nearest, sorted.front(), 1e-12);
    ASSERT_GE(got->similar_count, surely);
    ASSERT_LE(got->similar_count, perhaps);
    EXPECT_EQ(got->nothing_similar, got->similar_count == 0);
    ASSERT_EQ(got->similar.size(), std::min(q.options.top_k, got->similar_count));
    if (got->similar.size() < got->similar_count) ++cut;
    for (std::size_t i = 0; i < got->similar.size(); ++i) {
      const auto& similar = got->similar[i];
      const auto& [c, judged] = by_id.at(similar.id);
      EXPECT_NEAR(similar.similarity, judged.similarity, 1e-12);
      EXPECT_NEAR(similar.similarity, sorted[i], 1e-12);
      EXPECT_NEAR(similar.coverage, judged.coverage, 1e-12);
      EXPECT_EQ(similar.disease, c->outcome.disease);
      if (i == 0) continue;
      const auto& above = got->similar[i - 1];
      EXPECT_TRUE(above.similarity > similar.similarity ||
                  (above.similarity == similar.similarity && above.id < similar.id));
      if (above.similarity == similar.similarity) ++ties;
    }
  }
  EXPECT_GT(answered, 200U);
  EXPECT_GT(cut, 50U);
  EXPECT_GT(ties, 100U);
}

TEST(Similarity, shares_add_up_and_say_what_was_compared) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto q = random_question(seed);
    if (!q.answerable) continue;
    q.options.threshold = 0;
    q.options.top_k = 1000;
    const Index index(q.cases, q.schema);
    const auto got = consult(q.target, index, nullptr, {}, q.options);
    ASSERT_TRUE(got);
    ASSERT_EQ(got->similar.size(), q.cases.size());
    for (const auto& similar : got->similar) {
      const auto& other = *std::find_if(q.cases.begin(), q.cases.end(),
                                        [&](const Case& c) { return c.id == similar.id; });
      double sum = 0;
      std::size_t next = 0;
      std::size_t p = 0;
      for (const auto& a : q.schema.attributes) {
        if (a.role != casebase::Role::v1) continue;
        const double weight = q.weights[p++];
        const auto x = reference::value(q.target, a);
        if (!x) continue;
        ASSERT_LT(next, similar.contributions.size());
        const auto& c = similar.contributions[next++];
        EXPECT_EQ(c.attribute_id, a.id);
        EXPECT_EQ(c.name, a.name);
        EXPECT_EQ(c.title, a.title);
        EXPECT_EQ(c.weight, weight);
        EXPECT_EQ(c.target_text, display_text(*x, a));
        const auto y = reference::value(other, a);
        if (y) {
          const double local = reference::local(a, *x, *y);
          EXPECT_NEAR(c.similarity, local, 1e-12);
          EXPECT_EQ(c.other_text, display_text(*y, a));
          EXPECT_EQ(c.stance, local >= 0.5 ? Stance::supports : Stance::contradicts);
        } else {
          EXPECT_EQ(c.similarity, 0);
          EXPECT_EQ(c.share, 0);
          EXPECT_EQ(c.other_text, "");
          EXPECT_EQ(c.stance, Stance::not_recorded);
        }
        sum += c.share;
      }
      EXPECT_EQ(next, similar.contributions.size());
      EXPECT_NEAR(sum, similar.similarity, 1e-12);
    }
  }
}

auto similarity_of(const Case& a, const Case& b, const Schema& schema, Denominator denominator)
    -> std::optional<double> {
  auto other = b;
  other.id.value = "other";
  Options options;
  options.threshold = 0;
  options.denominator = denominator;
  const auto got = consult(a, Index({other}, schema), nullptr, {}, options);
  if (!got) return std::nullopt;
  return got->similar.at(0).similarity;
}

TEST(Similarity, is_symmetric_where_both_are_asked_the_same_and_one_for_itself) {
  int asymmetric = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto q = random_question(seed);
    if (!q.answerable) continue;
    const auto& other = q.cases.front();
    const auto forth = similarity_of(q.target, other, q.schema, Denominator::both_present);
    auto turned = q.target;
    turned.status = casebase::Status::sample;
    const auto back = similarity_of(other, turned, q.schema, Denominator::both_present);
    if (forth && back) {
      EXPECT_NEAR(*forth, *back, 1e-12);
    }
    for (const auto denominator : {Denominator::target, Denominator::both_present})
      if (const auto itself = similarity_of(q.target, turned, q.schema, denominator)) {
        EXPECT_EQ(*itself, 1.0);
      }
    const auto there = similarity_of(q.target, other, q.schema, Denominator::target);
    const auto here = similarity_of(other, turned, q.schema, Denominator::target);
    if (there && here && std::abs(*there - *here) > 1e-9) ++asymmetric;
    if (there && forth) {
      EXPECT_LE(*there, *forth + 1e-12);
    }
  }
  EXPECT_GT(asymmetric, 20);  // the target's denominator is not symmetric, by design
}

TEST(Similarity, multiplying_all_weights_changes_nothing) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    auto q = random_question(seed);
    if (!q.answerable) continue;
    q.options.weights = q.weights;
    q.options.threshold = 0;
    const Index index(q.cases, q.schema);
    const auto one = consult(q.target, index, nullptr, {}, q.options);
    for (auto& w : q.options.weights) w *= 1024;  // a power of two: exact
    const auto two = consult(q.target, index, nullptr, {}, q.options);
    ASSERT_TRUE(one && two);
    ASSERT_EQ(one->similar.size(), two->similar.size());
    for (std::size_t i = 0; i < one->similar.size(); ++i) {
      EXPECT_EQ(one->similar[i].id, two->similar[i].id);
      EXPECT_EQ(one->similar[i].similarity, two->similar[i].similarity);
    }
  }
}

TEST(Similarity, does_not_depend_on_the_order_of_the_cases) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto q = random_question(seed);
    if (!q.answerable) continue;
    const auto one = consult(q.target, Index(q.cases, q.schema), nullptr, {}, q.options);
    std::reverse(q.cases.begin(), q.cases.end());
    const auto two = consult(q.target, Index(q.cases, q.schema), nullptr, {}, q.options);
    ASSERT_TRUE(one && two);
    ASSERT_EQ(one->similar.size(), two->similar.size());
    for (std::size_t i = 0; i < one->similar.size(); ++i)
      EXPECT_EQ(one->similar[i].id, two->similar[i].id);
  }
}

auto number_attribute(Similarity similarity, double scale) -> Attribute {
  Attribute a;
  a.kind = similarity == Similarity::log_duration ? Kind::duration : Kind::number;
  a.similarity = similarity;
  a.similarity_scale = scale;
  a.unit = "mg/dL";
  return a;
}
auto number(std::string_view text) -> Value {
  return {*casebase::Decimal::parse(text), {}, "mg/dL"};
}

TEST(LocalSimilarity, follows_the_schema) {
  const auto range = number_attribute(Similarity::range, 40);
  EXPECT_DOUBLE_EQ(local_similarity(range, number("100"), number("110")), 0.75);
  EXPECT_DOUBLE_EQ(local_similarity(range, number("100"), number("60")), 0);
  EXPECT_DOUBLE_EQ(local_similarity(range, number("100"), number("500")), 0);
  const auto gaussian = number_attribute(Similarity::gaussian, 10);
  EXPECT_DOUBLE_EQ(local_similarity(gaussian, number("100"), number("110")), std::exp(-0.5));
  const auto exact = number_attribute(Similarity::exact, 1);
  EXPECT_EQ(local_similarity(exact, number("1.0"), number("1")), 1);
  EXPECT_EQ(local_similarity(exact, number("1.0"), number("1.1")), 0);
  const auto duration = number_attribute(Similarity::log_duration, 365);
  EXPECT_DOUBLE_EQ(local_similarity(duration, number("0"), number("365")), 0);
  EXPECT_DOUBLE_EQ(local_similarity(duration, number("7"), number("7")), 1);
  // The same ratio is the same distance: three days against a week weighs more than 300 against
  // 304.
  EXPECT_LT(local_similarity(duration, number("3"), number("7")),
            local_similarity(duration, number("300"), number("304")));
  Attribute grade;
  grade.kind = Kind::ordinal;
  grade.similarity = Similarity::ordinal;
  grade.codes = {"none", "mild", "grave"};
  const auto code = [](std::string text) { return Value{std::nullopt, std::move(text), {}}; };
  EXPECT_DOUBLE_EQ(local_similarity(grade, code("none"), code("mild")), 0.5);
  EXPECT_DOUBLE_EQ(local_similarity(grade, code("grave"), code("none")), 0);
  grade.codes = {"none"};
  EXPECT_DOUBLE_EQ(local_similarity(grade, code("none"), code("none")), 1);
}

TEST(DisplayText, says_what_a_doctor_reads) {
  Attribute chest_pain;
  chest_pain.kind = Kind::code;
  chest_pain.codes = {"typical_angina", "asymptomatic"};
  chest_pain.labels = {"typical angina", "asymptomatic"};
  EXPECT_EQ(display_text({std::nullopt, "typical_angina", {}}, chest_pain), "typical angina");
  EXPECT_EQ(display_text({std::nullopt, "new_code", {}}, chest_pain), "new_code");
  auto measured = number_attribute(Similarity::range, 1);
  EXPECT_EQ(display_text(number("294.0"), measured), "294 mg/dL");
  measured.unit = "mm[Hg]";
  EXPECT_EQ(display_text({*casebase::Decimal::parse("145"), {}, "mm[Hg]"}, measured), "145 mmHg");
  measured.unit = "a";
  EXPECT_EQ(display_text({*casebase::Decimal::parse("54"), {}, "a"}, measured), "54 years");
  measured.unit = "{vessels}";
  EXPECT_EQ(display_text({*casebase::Decimal::parse("2"), {}, "{vessels}"}, measured), "2 vessels");
  measured.unit = "";
  EXPECT_EQ(display_text({*casebase::Decimal::parse("0.70"), {}, ""}, measured), "0.7");
}

}  // namespace
}  // namespace consilium::diagnosis
