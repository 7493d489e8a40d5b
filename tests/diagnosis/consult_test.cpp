#include <array>
#include <limits>

#include <gtest/gtest.h>

#include "reference.hpp"

namespace consilium::diagnosis {
namespace {

using casebase::Case;
using casebase::Kind;
using casebase::Schema;
using casebase::Standardisation;
using casebase::Treatment;
using reference::decimal;

/// Two V1 attributes (a code and a number), three diseases, drug and route.
auto small_schema() -> Schema {
  Schema schema;
  schema.name = "small";
  casebase::Attribute pain;
  pain.id = 1;
  pain.name = "pain";
  pain.title = "Chest pain";
  pain.kind = Kind::code;
  pain.source = "symptom";
  pain.codes = {"typical", "none"};
  pain.labels = {"typical angina", "no pain"};
  pain.weight = 3;
  casebase::Attribute age;
  age.id = 2;
  age.name = "age";
  age.title = "Age";
  age.source = "age";
  age.unit = "a";
  age.low = decimal(0);
  age.high = decimal(120);
  age.similarity = casebase::Similarity::range;
  age.similarity_scale = 20;
  casebase::Attribute disease;
  disease.id = 3;
  disease.name = disease.source = "disease";
  disease.title = "Heart disease";
  disease.role = casebase::Role::v2;
  disease.kind = Kind::code;
  disease.codes = {"none", "mild", "grave"};
  disease.labels = {"no heart disease", "mild heart disease", "grave heart disease"};
  casebase::Attribute drug = disease;
  drug.id = 4;
  drug.name = drug.source = "drug";
  drug.codes = drug.labels = {"aspirin", "atenolol"};
  casebase::Attribute route = disease;
  route.id = 5;
  route.name = route.source = "route";
  route.codes = route.labels = {"oral", "intravenous"};
  schema.attributes = {pain, age, disease, drug, route};
  return schema;
}

auto patient(std::string id, std::string pain, std::int64_t age, std::string disease = "") -> Case {
  Case c;
  c.id.value = std::move(id);
  c.status = casebase::Status::sample;
  if (age > 0) c.age_years = {decimal(age), {}, "a"};
  if (!pain.empty()) {
    c.findings.emplace_back();
    c.findings.back().symptom = std::move(pain);
  }
  c.outcome.disease = std::move(disease);
  return c;
}

auto line(std::string drug, std::string route = "") -> Treatment {
  Treatment t;
  t.drug = std::move(drug);
  t.route = std::move(route);
  return t;
}

auto code_of(const Result<Answer>& got) -> std::string {
  return got ? "answered" : got.error().code;
}

auto has_note(const Answer& answer, std::string_view part) -> bool {
  return std::any_of(answer.notes.begin(), answer.notes.end(),
                     [&](const auto& note) { return note.find(part) != std::string::npos; });
}

TEST(Consult, refuses_by_name) {
  const auto schema = small_schema();
  const auto target = patient("T", "typical", 50);
  const Index index({patient("C-1", "typical", 50, "mild")}, schema);
  Options options;
  EXPECT_EQ(code_of(consult(target, index, nullptr, {}, options)), "answered");

  EXPECT_EQ(code_of(consult(target, Index({}, schema), nullptr, {}, options)), "empty_base");
  EXPECT_EQ(code_of(consult(patient("T", "", 0), index, nullptr, {}, options)),
            "no_usable_attribute");
  // A value the schema does not know counts as not recorded.
  EXPECT_EQ(code_of(consult(patient("T", "cough", 150), index, nullptr, {}, options)),
            "no_usable_attribute");
  for (const std::size_t k : {std::size_t{0}, std::size_t{1001}}) {
    options.top_k = k;
    EXPECT_EQ(code_of(consult(target, index, nullptr, {}, options)), "bad_top_k");
  }
  options = {};
  for (const double threshold : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    options.threshold = threshold;
    EXPECT_EQ(code_of(consult(target, index, nullptr, {}, options)), "bad_threshold");
  }
  options = {};
  for (const auto& weights :
       std::vector<std::vector<double>>{{1},
                                        {1, 1, 1},
                                        {0, 0},
                                        {-1, 2},
                                        {1, std::numeric_limits<double>::quiet_NaN()},
                                        {1, std::numeric_limits<double>::infinity()},
                                        {1, 1e300}}) {
    options.weights = weights;
    EXPECT_EQ(code_of(consult(target, index, nullptr, {}, options)), "bad_weights");
  }
  // The only attribute this target records has lost its weight.
  options.weights = {1, 0};
  EXPECT_EQ(code_of(consult(patient("T", "", 50), index, nullptr, {}, options)),
            "no_usable_attribute");
}

TEST(Consult, a_case_is_never_its_own_evidence) {
  const auto schema = small_schema();
  const auto own = patient("C-1", "typical", 50, "grave");
  EXPECT_EQ(code_of(consult(own, Index({own}, schema), nullptr, {}, {})), "empty_base");
  const auto got =
      consult(own, Index({own, patient("C-2", "typical", 51, "mild")}, schema), nullptr, {}, {});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->searched, 1U);
  ASSERT_EQ(got->similar.size(), 1U);
  EXPECT_EQ(got->similar[0].id.value, "C-2");
}

TEST(ConsultDeathTest, a_case_that_is_no_sample_never_enters_the_index) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto held = patient("C-1", "typical", 50, "mild");
  held.status = casebase::Status::held_back;
  EXPECT_DEATH(Index({held}, small_schema()), "sample");
}

TEST(Consult, says_when_nothing_is_similar_enough) {
  const Index index({patient("C-1", "none", 80, "mild"), patient("C-2", "none", 60, "grave")},
                    small_schema());
  const auto got = consult(patient("T", "typical", 50), index, nullptr, {}, {});
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->nothing_similar);
  EXPECT_TRUE(got->similar.empty());
  EXPECT_EQ(got->similar_count, 0U);
  EXPECT_DOUBLE_EQ(got->nearest, 0.125);  // age only: 1·½ of 4
  EXPECT_EQ(got->basis, Basis::nothing);
  EXPECT_EQ(got->proposed_disease, "");
  EXPECT_FALSE(got->recommended);
  EXPECT_TRUE(has_note(*got, "Nothing similar enough"));
  ASSERT_EQ(got->counts.size(), 3U);
  for (const auto& count : got->counts) {
    EXPECT_EQ(count.cases, 0U);
    EXPECT_EQ(count.interval.low, 0);
    EXPECT_EQ(count.interval.high, 1);
  }
}

TEST(Consult, counts_diagnoses_over_every_similar_case_not_only_the_shown) {
  std::vector<Case> cases;
  for (int i = 0; i < 12; ++i)
    cases.push_back(patient("C-" + std::to_string(i), "typical", 50,
                            i < 7    ? "grave"
                            : i < 10 ? "none"
                                     : ""));
  cases.push_back(patient("far", "none", 90, "mild"));
  Options options;
  options.top_k = 2;
  const auto got =
      consult(patient("T", "typical", 50), Index(cases, small_schema()), nullptr, {}, options);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->similar.size(), 2U);
  EXPECT_EQ(got->similar_count, 12U);
  EXPECT_EQ(got->without_disease, 2U);
  ASSERT_EQ(got->counts.size(), 3U);
  EXPECT_EQ(got->counts[0].code, "none");
  EXPECT_EQ(got->counts[0].title, "no heart disease");
  EXPECT_EQ(got->counts[0].cases, 3U);
  EXPECT_EQ(got->counts[1].cases, 0U);
  EXPECT_EQ(got->counts[2].cases, 7U);
  EXPECT_DOUBLE_EQ(got->counts[2].share, 0.7);
  EXPECT_NEAR(got->counts[2].interval.low, 0.3968, 5e-5);
  EXPECT_NEAR(got->counts[2].interval.high, 0.8922, 5e-5);
  EXPECT_EQ(got->basis, Basis::similar_cases);
  EXPECT_EQ(got->proposed_disease, "grave");
  EXPECT_TRUE(has_note(*got, "this case base records none"));
}

TEST(Consult, wilson_interval_agrees_with_published_values) {
  // Newcombe 1998, table I, method 3 (score without continuity correction).
  const auto near = [](std::size_t count, std::size_t total, double low, double high) {
    const auto got = wilson_interval(count, total);
    EXPECT_NEAR(got.low, low, 5e-5);
    EXPECT_NEAR(got.high, high, 5e-5);
  };
  near(81, 263, 0.2553, 0.3662);
  near(15, 148, 0.0624, 0.1605);
  near(0, 20, 0, 0.1611);
  near(1, 29, 0.0061, 0.1718);
  near(29, 29, 0.8830, 1);
}

TEST(Consult, recommends_the_commonest_whole_line_of_the_proposed_disease) {
  auto cases = std::vector<Case>{
      patient("C-1", "typical", 52, "grave"), patient("C-2", "typical", 50, "grave"),
      patient("C-3", "typical", 51, "grave"), patient("C-4", "typical", 50, "none"),
      patient("C-5", "typical", 50, "none"),  patient("C-6", "typical", 50, "grave")};
  cases[0].outcome.treatments = {line("aspirin", "oral")};
  cases[1].outcome.treatments = {line("aspirin", "oral"), line("aspirin", "oral"),
                                 line("atenolol", "oral")};
  // Commoner, but incomplete: the schema asks for a route.
  cases[2].outcome.treatments = {line("atenolol")};
  cases[5].outcome.treatments = {line("atenolol")};
  cases[1].outcome.treatments.push_back(line("atenolol"));
  // Of another disease.
  for (const std::size_t other : {std::size_t{3}, std::size_t{4}})
    cases[other].outcome.treatments = {line("atenolol", "intravenous")};
  const auto target = patient("T", "typical", 50);
  const auto schema = small_schema();
  const auto got = consult(target, Index(cases, schema), nullptr, {}, {});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->proposed_disease, "grave");
  ASSERT_TRUE(got->recommended);
  EXPECT_EQ(got->recommended->treatment, line("aspirin", "oral"));
  EXPECT_TRUE(got->recommended->complete);
  EXPECT_EQ(got->recommended->treated, 4U);
  ASSERT_EQ(got->recommended->cases.size(), 2U);
  EXPECT_EQ(got->recommended->cases[0].value, "C-2");  // most similar first
  EXPECT_EQ(got->recommended->cases[1].value, "C-1");

  // Only incomplete lines: recommended, and said so.
  for (auto& c : cases)
    for (auto& t : c.outcome.treatments) t.route.clear();
  const auto open = consult(target, Index(cases, schema), nullptr, {}, {});
  ASSERT_TRUE(open && open->recommended);
  EXPECT_EQ(open->recommended->treatment, line("atenolol"));
  EXPECT_FALSE(open->recommended->complete);
  EXPECT_EQ(open->recommended->cases.size(), 3U);
  EXPECT_TRUE(has_note(*open, "whole treatment"));

  // Treatments of other diseases only.
  for (auto& c : cases)
    if (c.outcome.disease == "grave") c.outcome.treatments.clear();
  const auto none = consult(target, Index(cases, schema), nullptr, {}, {});
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->recommended);
  EXPECT_TRUE(has_note(*none, "no similar case with the proposed diagnosis"));
}

struct Network {
  learning::Model model;
  Standardisation standardisation{{50}, {10}, {100}};
};
auto network() -> Network {
  Network out{learning::Model({3, {4}, 3}), {{50}, {10}, {100}}};
  SeededRandom random(7, "network");
  out.model.initialise(random);
  return out;
}

TEST(Consult, posterior_is_the_networks_and_proposes_before_the_cases) {
  const auto schema = small_schema();
  const auto target = patient("T", "typical", 70);
  std::vector<Case> cases;
  auto [model, standardisation] = network();
  const auto vectors = casebase::vectorise(std::span(&target, 1), schema, standardisation);
  const auto want = model.predict(learning::Batch{1, 3, vectors.values, vectors.disease});
  const auto best =
      static_cast<std::size_t>(std::max_element(want.begin(), want.end()) - want.begin());
  const auto other = (best + 1) % 3;
  const std::array<std::string, 3> codes{"none", "mild", "grave"};
  for (int i = 0; i < 8; ++i)
    cases.push_back(patient("C-" + std::to_string(i), "typical", 70, codes[other]));
  const auto got = consult(target, Index(cases, schema), &model, standardisation, {});
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_EQ(got->posterior.size(), 3U);
  double sum = 0;
  for (std::size_t d = 0; d < 3; ++d) {
    EXPECT_EQ(got->posterior[d].code, codes[d]);
    EXPECT_DOUBLE_EQ(got->posterior[d].probability, static_cast<double>(want[d]));
    sum += got->posterior[d].probability;
  }
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_EQ(got->basis, Basis::network);
  EXPECT_EQ(got->proposed_disease, codes[best]);
  EXPECT_EQ(got->proposed_title, schema.attributes[2].labels[best]);
  EXPECT_EQ(got->counts[other].cases, 8U);  // and the cases say otherwise, visibly
}

TEST(Consult, refuses_a_model_of_another_schema) {
  const auto schema = small_schema();
  const Index index({patient("C-1", "typical", 50, "mild")}, schema);
  const auto target = patient("T", "typical", 50);
  const auto [model, standardisation] = network();
  const learning::Model wide({4, {}, 3});
  const learning::Model two({3, {}, 2});
  EXPECT_EQ(code_of(consult(target, index, &model, standardisation, {})), "answered");
  EXPECT_EQ(code_of(consult(target, index, &wide, standardisation, {})), "stale_model");
  EXPECT_EQ(code_of(consult(target, index, &two, standardisation, {})), "stale_model");
  EXPECT_EQ(code_of(consult(target, index, &model, {}, {})), "stale_model");
  auto broken = model;
  broken.parameters()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code_of(consult(target, index, &broken, standardisation, {})), "stale_model");
}

}  // namespace
}  // namespace consilium::diagnosis
