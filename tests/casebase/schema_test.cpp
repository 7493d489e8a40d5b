#include "consilium/casebase/schema.hpp"

#include <algorithm>
#include <limits>

#include <gtest/gtest.h>

#include "example.hpp"

namespace consilium::casebase {
namespace {

auto replaced(std::string_view text, std::string_view from, std::string_view to) -> std::string {
  std::string out(text);
  const auto at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? out : out.replace(at, from.size(), to);
}

TEST(Schema, reads_every_field) {
  const auto schema = example::schema();
  EXPECT_EQ(schema.name, "example");
  EXPECT_EQ(schema.version, 3U);
  ASSERT_EQ(schema.attributes.size(), 5U);
  const auto* age = schema.find("age");
  ASSERT_NE(age, nullptr);
  EXPECT_EQ(age->unit, "a");
  EXPECT_EQ(age->align_bounds.size(), 3U);
  EXPECT_TRUE(age->align);
  const auto* cough = schema.find("cough");
  ASSERT_NE(cough, nullptr);
  EXPECT_EQ(cough->id, 4);
  EXPECT_EQ(cough->title, "Cough");
  EXPECT_EQ(cough->kind, Kind::ordinal);
  EXPECT_EQ(cough->similarity, Similarity::ordinal);
  EXPECT_EQ(cough->weight, 2.5);
  EXPECT_EQ(cough->labels.back(), "Severe");
  const auto* temperature = schema.find("temperature");
  ASSERT_NE(temperature, nullptr);
  EXPECT_EQ(temperature->low->to_text(), "30.5");
  EXPECT_EQ(temperature->similarity_scale, 0.5);
  EXPECT_EQ(schema.find("disease")->labels.front(), "none");
  EXPECT_EQ(schema.find("weight"), nullptr);
}

TEST(Schema, written_and_read_again_is_the_same_schema) {
  auto schema = example::schema();
  schema.name = "quotes \" back\\slash \n newline \x01 ü";
  schema.attributes[0].weight = 0.1 + 0.2;
  schema.attributes[0].similarity_scale = std::numeric_limits<double>::min();
  schema.attributes[0].high = Decimal::parse("123456789012345e18").value();
  schema.attributes[0].low = Decimal::parse("-1e-18").value();
  schema.attributes[1].drop_first = true;
  const auto again = parse_schema(to_toml(schema), "again.toml");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->digest(), schema.digest());
  EXPECT_EQ(to_toml(*again), to_toml(schema));
}

TEST(Schema, another_field_is_another_digest) {
  const auto schema = example::schema();
  std::vector<Schema> others(22, schema);
  std::size_t i = 0;
  others[i++].name = "other";
  others[i++].version = 4;
  others[i++].attributes.pop_back();
  others[i++].attributes[0].id = 77;
  others[i++].attributes[0].name = "years";
  others[i++].attributes[0].title = "Years";
  others[i++].attributes[0].role = Role::v2;
  others[i++].attributes[0].kind = Kind::duration;
  others[i++].attributes[0].source = "exam:age";
  others[i++].attributes[0].unit = "mo";
  others[i++].attributes[1].codes = {"male", "female"};
  others[i++].attributes[1].labels = {"F", "M"};
  others[i++].attributes[0].low = example::number("1");
  others[i++].attributes[0].low.reset();
  others[i++].attributes[0].high = example::number("119");
  others[i++].attributes[0].similarity = Similarity::gaussian;
  others[i++].attributes[0].similarity_scale = 30.000000000000004;
  others[i++].attributes[0].weight = 1.5;
  others[i++].attributes[1].drop_first = true;
  others[i++].attributes[1].align = true;
  others[i++].attributes[0].align_bounds.pop_back();
  others[i++].attributes[0].align_bounds[1] = example::number("41");
  ASSERT_EQ(i, others.size());
  std::vector<Digest> digests{schema.digest()};
  for (const auto& other : others) digests.push_back(other.digest());
  std::ranges::sort(digests);
  EXPECT_EQ(std::ranges::adjacent_find(digests), digests.end());
}

// Made by tests/vectors/make_schema_digest.py, an encoder written from the codec's description
// alone.
TEST(Schema, digest_is_what_another_encoder_computes) {
  EXPECT_EQ(example::schema().digest().hex(),
            "1dc908e7d1846931eddac5152785c73414433c8a2b3448e7cda46eab2ee73623");
}

TEST(Schema, refuses_a_bad_file_and_names_line_and_key) {
  struct Bad {
    std::string_view from, to, key;
    std::string_view where;  ///< the last place where this stands is the line to be named
  };
  for (const auto& [from, to, key, where] : std::initializer_list<Bad>{
           {"name = \"example\"", "nme = \"example\"", "name", ""},
           {"version = 3", "version = 0", "version", "version = 0"},
           {"version = 3", "version = \"3\"", "version", "version = \"3\""},
           {"id = 1\n", "id = 0\n", "id", "id = 0\n"},
           {"id = 2\n", "id = 1\n", "id", "id = 1\n"},
           {"name = \"sex\"", "name = \"age\"", "name", "name = \"age\""},
           {"name = \"sex\"", "name = \"Sex!\"", "name", "name = \"Sex!\""},
           {"source = \"sex\"", "source = \"age\"", "kind", "kind = \"code\"\nsource = \"age\""},
           {"source = \"sex\"", "source = \"gender\"", "source", "source = \"gender\""},
           {"source = \"sex\"", "source = \"exam:\"", "source", "source = \"exam:\""},
           {"source = \"sex\"", "source = \"severity\"", "source", "source = \"severity\""},
           {"codes = [\"female\", \"male\"]", "codes = [\"f\", \"m\"]", "codes",
            "codes = [\"f\", \"m\"]"},
           {"codes = [\"female\", \"male\"]", "codes = [\"male\", \"male\"]", "codes",
            "codes = [\"male\", \"male\"]"},
           {"codes = [\"female\", \"male\"]", "codes = []", "codes", "codes = []"},
           {"codes = [\"female\", \"male\"]", "codes = \"male\"", "codes", "codes = \"male\""},
           {"labels = [\"None\", \"Mild\", \"Severe\"]", "labels = [\"None\"]", "labels",
            "labels = [\"None\"]"},
           {"role = \"v1\"", "role = \"v2\"", "role", "role = \"v2\"\nkind = \"number\""},
           {"kind = \"number\"", "kind = \"code\"", "kind", "kind = \"code\"\nsource = \"age\""},
           {"kind = \"number\"", "kind = \"numbers\"", "kind", "kind = \"numbers\""},
           {"unit = \"a\"", "unit = \"mo\"", "unit", "unit = \"mo\""},
           {"high = 120", "high = -1", "high", "high = -1"},
           {"high = 120", "high = [1]", "high", "high = [1]"},
           {"high = 120", "hihg = 120", "hihg", "hihg = 120"},
           {"similarity = \"range\"", "similarity = \"ordinal\"", "similarity",
            "similarity = \"ordinal\"\nsimilarity_scale = 30"},
           {"similarity_scale = 30", "similarity_scale = 0", "similarity_scale",
            "similarity_scale = 0\n"},
           {"similarity_scale = 30", "similarity_scale = nan", "similarity_scale",
            "similarity_scale = nan"},
           {"weight = 2.5", "weight = -1", "weight", "weight = -1"},
           {"align = true", "align = false", "align_bounds", "align_bounds"},
           {"align = true", "align = 1", "align", "align = 1"},
           {"align_bounds = [20, 40, 60]", "align_bounds = [20, 60, 40]", "align_bounds",
            "align_bounds = [20, 60, 40]"},
           {"align_bounds = [20, 40, 60]", "align_bounds = [20]", "align_bounds",
            "align_bounds = [20]"},
           {"align_bounds = [20, 40, 60]", "drop_first = true", "drop_first", "drop_first"},
           {"codes = [\"none\"", "align = true\ncodes = [\"none\"", "align",
            "align = true\ncodes = [\"none\""}}) {
    const auto text = replaced(example::schema_toml, from, to);
    const auto schema = parse_schema(text, "x.toml");
    ASSERT_FALSE(schema) << to;
    EXPECT_EQ(schema.error().code, "bad_schema");
    EXPECT_NE(schema.error().sentence.find("'" + std::string(key) + "'"), std::string::npos)
        << to << ": " << schema.error().sentence;
    if (where.empty()) continue;
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.rfind(where)),
                       '\n');
    EXPECT_EQ(schema.error().place, "x.toml, line " + std::to_string(line)) << to;
  }
}

TEST(Schema, refuses_what_is_not_toml_with_its_line) {
  const auto schema = parse_schema("name = \"x\"\nversion = = 1\n", "x.toml");
  ASSERT_FALSE(schema);
  EXPECT_EQ(schema.error().code, "bad_schema");
  EXPECT_EQ(schema.error().place, "x.toml, line 2");
  EXPECT_FALSE(parse_schema("", "x.toml"));
  EXPECT_FALSE(parse_schema(std::string(100'000, '['), "x.toml"));
}

TEST(Schema, filters_features_and_keeps_outcomes) {
  const auto filtered =
      example::schema().filtered([](const Attribute& a) { return a.name == "sex"; });
  ASSERT_EQ(filtered.attributes.size(), 2U);
  EXPECT_EQ(filtered.attributes[0].name, "sex");
  EXPECT_EQ(filtered.attributes[1].name, "disease");
}

TEST(Schema, reads_each_attribute_from_its_place_in_a_case) {
  const auto toml = R"(
name = "all"
version = 1
[[attribute]]
id = 1
name = "pain"
role = "v1"
kind = "code"
source = "symptom"
codes = ["chest", "belly"]
[[attribute]]
id = 2
name = "pain_days"
role = "v1"
kind = "duration"
source = "duration"
unit = "d"
similarity = "log_duration"
[[attribute]]
id = 3
name = "pain_when"
role = "v1"
kind = "code"
source = "occurrence_condition"
codes = ["walking"]
[[attribute]]
id = 4
name = "complication"
role = "v2"
kind = "code"
source = "complications"
codes = ["shock"]
[[attribute]]
id = 5
name = "drug"
role = "v2"
kind = "code"
source = "drug"
codes = ["aspirin"]
[[attribute]]
id = 6
name = "route"
role = "v2"
kind = "code"
source = "route"
codes = ["oral"]
[[attribute]]
id = 7
name = "dose"
role = "v2"
kind = "number"
source = "dose"
unit = "mg"
[[attribute]]
id = 8
name = "frequency"
role = "v2"
kind = "code"
source = "frequency"
codes = ["daily"]
[[attribute]]
id = 9
name = "time"
role = "v2"
kind = "code"
source = "time"
codes = ["morning"]
)";
  const auto read = parse_schema(toml, "all.toml");
  ASSERT_TRUE(read) << read.error().message();
  Case c;
  for (const auto& a : read->attributes) EXPECT_FALSE(value_of(c, a)) << a.name;
  c.findings.resize(2);  // the first finding is silent, the second speaks
  c.findings[1] = {"chest", example::number("2.5"), "walking", "", {}};
  c.outcome.complications = {"shock"};
  c.outcome.treatments = {{"aspirin", "oral", example::number("100"), "mg", "daily", "morning"}};
  const std::vector<std::string> expected{"chest", "2.5", "walking", "shock",  "aspirin",
                                          "oral",  "100", "daily",   "morning"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto value = value_of(c, read->attributes[i]);
    ASSERT_TRUE(value) << read->attributes[i].name;
    EXPECT_EQ(value->number ? value->number->to_text() : value->code, expected[i]);
  }
}

TEST(Schema, takes_what_it_does_not_allow_as_not_recorded) {
  const auto schema = example::schema();
  const auto& age = *schema.find("age");
  const auto& temperature = *schema.find("temperature");
  auto c = example::full_case("E-0001", "50", "38.5", "none");
  EXPECT_TRUE(value_of(c, age));
  EXPECT_TRUE(value_of(c, temperature));
  c.age_years.unit = "mo";
  EXPECT_FALSE(value_of(c, age));
  c.findings[0].exams[0].value.number = example::number("45.0001");
  EXPECT_FALSE(value_of(c, temperature));
  c.findings[0].exams[0].value.number = example::number("45");
  EXPECT_TRUE(value_of(c, temperature));
  c.outcome.disease = "gout";
  EXPECT_FALSE(value_of(c, *schema.find("disease")));
}

}  // namespace
}  // namespace consilium::casebase
