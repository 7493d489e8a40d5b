#include <algorithm>
#include <set>

#include "consilium/casebase/schema.hpp"

#include "attribute_access.hpp"
#include "schema_words.hpp"
#include "toml_document.hpp"

namespace consilium::casebase {
namespace {

// Vectors give every code a column, and the alignment key a cell: a longer list is a mistake.
constexpr std::size_t codes_max = 4096;

template <typename Enum, std::size_t Count>
auto read_word(TableReader& in, std::string_view key, const Words<Enum, Count>& words,
               std::optional<Enum> otherwise = {}) -> Enum {
  const auto text = otherwise ? in.text(key, word_of(words, *otherwise)) : in.required_text(key);
  if (auto meaning = meaning_of(words, text)) return *meaning;
  std::string known;
  for (const auto& [word, value] : words) known += (known.empty() ? "" : ", ") + std::string(word);
  in.reject(key, "must be one of " + known);
  return words.front().second;
}

auto is_name(std::string_view text) -> bool {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void check_codes(TableReader& in, const Attribute& a) {
  if (is_numeric(a.kind)) {
    if (!a.codes.empty()) in.reject("codes", "a number or duration has no codes; remove them");
    if (!a.labels.empty()) in.reject("labels", "a number or duration has no labels; remove them");
    if (a.drop_first) in.reject("drop_first", "belongs to codes and ordinals; remove it");
    return;
  }
  if (!a.unit.empty()) in.reject("unit", "belongs to numbers; remove it");
  if (a.low || a.high) in.reject(a.low ? "low" : "high", "belongs to numbers; remove it");
  if (a.codes.empty() || a.codes.size() > codes_max)
    in.reject("codes", "list 1 to " + std::to_string(codes_max) + " codes");
  const std::set<std::string> distinct(a.codes.begin(), a.codes.end());
  if (distinct.size() != a.codes.size()) in.reject("codes", "a code stands twice; remove one");
  if (distinct.contains("")) in.reject("codes", "a code is empty; name it");
  if (a.labels.size() != a.codes.size()) in.reject("labels", "give one label for each code");
  if (a.source == "sex")
    for (const auto& code : a.codes)
      if (code != "female" && code != "male")
        in.reject("codes", "the codes of sex are \"female\" and \"male\"");
}

void check_numbers(TableReader& in, const Attribute& a) {
  if (!is_numeric(a.kind)) return;
  if (a.low && a.high && Decimal::compare(*a.low, *a.high) >= 0)
    in.reject("high", "must be above low");
  const auto unit = fixed_unit(a.source);
  if (!unit.empty() && a.unit != unit)
    in.reject("unit", "a value from '" + a.source + "' is always in \"" + std::string(unit) + "\"");
}

void check_similarity(TableReader& in, const Attribute& a) {
  const bool fits_kind =
      a.similarity == Similarity::exact ||
      (a.similarity == Similarity::ordinal && a.kind == Kind::ordinal) ||
      (a.similarity == Similarity::log_duration && a.kind == Kind::duration) ||
      ((a.similarity == Similarity::range || a.similarity == Similarity::gaussian) &&
       is_numeric(a.kind));
  if (!fits_kind)
    in.reject("similarity",
              "codes: exact; ordinals: exact or ordinal; numbers: exact, range or gaussian; "
              "durations: log_duration as well");
  if (!(a.similarity_scale > 0)) in.reject("similarity_scale", "must be above 0");
  if (!(a.weight >= 0)) in.reject("weight", "must not be below 0");
}

void check_alignment(TableReader& in, const Attribute& a) {
  if (a.align && a.role == Role::v2)
    in.reject("align", "an outcome is never part of the alignment key; remove it");
  if (!a.align_bounds.empty() && !(a.align && is_numeric(a.kind)))
    in.reject("align_bounds", "belongs to aligned numbers and durations; remove it");
  if (a.align && is_numeric(a.kind) && a.align_bounds.size() < 2)
    in.reject("align_bounds", "give two or more bounds, lowest first; the last is the end");
  for (std::size_t i = 1; i < a.align_bounds.size(); ++i)
    if (Decimal::compare(a.align_bounds[i - 1], a.align_bounds[i]) >= 0)
      in.reject("align_bounds", "must ascend");
}

auto read_attribute(TableReader& in) -> Attribute {
  Attribute a;
  a.id = static_cast<std::uint16_t>(in.integer("id", 1, 65535));
  a.name = in.required_text("name");
  if (!is_name(a.name)) in.reject("name", "use 1 to 64 of a-z, 0-9 and _");
  a.title = in.text("title", a.name);
  a.role = read_word(in, "role", role_words);
  a.kind = read_word(in, "kind", kind_words);
  a.source = in.required_text("source");
  a.unit = in.text("unit");
  a.codes = in.texts("codes");
  a.labels = in.texts("labels");
  if (a.labels.empty()) a.labels = a.codes;
  a.low = in.decimal("low");
  a.high = in.decimal("high");
  a.similarity = read_word(in, "similarity", similarity_words, std::optional(Similarity::exact));
  a.similarity_scale = in.real("similarity_scale", 1);
  a.weight = in.real("weight", 1);
  a.drop_first = in.boolean("drop_first", false);
  a.align = in.boolean("align", false);
  a.align_bounds = in.decimals("align_bounds");

  if (!is_source(a.source)) {
    in.reject("source",
              "must be age, sex, symptom, duration, occurrence_condition, severity, exam:CODE, "
              "disease, complications, drug, route, dose, frequency or time");
    return a;
  }
  if (role_of(a.source) != a.role)
    in.reject("role", "a value from '" + a.source + "' is " +
                          std::string(word_of(role_words, role_of(a.source))));
  if (!fits(a.source, a.kind)) in.reject("kind", "does not fit the source '" + a.source + "'");
  check_codes(in, a);
  check_numbers(in, a);
  check_similarity(in, a);
  check_alignment(in, a);
  return a;
}

}  // namespace

auto parse_schema(std::string_view toml, std::string_view place) -> Result<Schema> {
  constexpr std::string_view code = "bad_schema";
  CONSILIUM_TRY(const auto document, parse_toml(toml, place, code));
  TableReader top(document, place, code);
  Schema schema;
  schema.name = top.required_text("name");
  schema.version = static_cast<std::uint32_t>(top.integer("version", 1, 0xffffffffLL));
  const auto tables = top.tables("attribute");
  if (tables.empty()) top.reject("attribute", "list at least one [[attribute]]");
  CONSILIUM_CHECK(top.finish());

  std::set<std::string> names;
  std::set<std::string> sources;
  for (const auto* table : tables) {
    TableReader in(*table, place, code);
    auto attribute = read_attribute(in);
    if (!schema.attributes.empty() && attribute.id <= schema.attributes.back().id)
      in.reject("id", "ids ascend and none stands twice");
    if (!names.insert(attribute.name).second) in.reject("name", "stands twice; rename one");
    if (!sources.insert(attribute.source).second) in.reject("source", "stands twice; remove one");
    CONSILIUM_CHECK(in.finish());
    schema.attributes.push_back(std::move(attribute));
  }
  return schema;
}

}  // namespace consilium::casebase
