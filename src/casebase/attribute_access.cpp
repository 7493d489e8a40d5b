#include "attribute_access.hpp"

#include <algorithm>
#include <array>

namespace consilium::casebase {
namespace {

constexpr std::string_view exam_prefix = "exam:";

struct SourceRule {
  std::string_view source;
  Role role;
  bool number, duration, code;  ///< kinds it may have; code means code or ordinal
  std::string_view unit;        ///< fixed, or empty
};
constexpr std::array<SourceRule, 13> source_rules{{
    {"age", Role::v1, true, false, false, "a"},
    {"sex", Role::v1, false, false, true, ""},
    {"symptom", Role::v1, false, false, true, ""},
    {"duration", Role::v1, true, true, false, "d"},
    {"occurrence_condition", Role::v1, false, false, true, ""},
    {"severity", Role::v1, false, false, true, ""},
    {"disease", Role::v2, false, false, true, ""},
    {"complications", Role::v2, false, false, true, ""},
    {"drug", Role::v2, false, false, true, ""},
    {"route", Role::v2, false, false, true, ""},
    {"dose", Role::v2, true, false, false, ""},
    {"frequency", Role::v2, false, false, true, ""},
    {"time", Role::v2, false, false, true, ""},
}};
constexpr SourceRule exam_rule{"exam:", Role::v1, true, true, true, ""};

auto rule_of(std::string_view source) -> const SourceRule* {
  if (source.starts_with(exam_prefix))
    return source.size() > exam_prefix.size() ? &exam_rule : nullptr;
  const auto* found = std::ranges::find(source_rules, source, &SourceRule::source);
  return found == source_rules.end() ? nullptr : found;
}

auto code_value(const std::string& code) -> std::optional<Value> {
  if (code.empty()) return std::nullopt;
  return Value{std::nullopt, code, {}};
}

template <typename Items, typename Field>
auto first_code(const Items& items, Field field) -> std::optional<Value> {
  for (const auto& item : items)
    if (!(item.*field).empty()) return code_value(item.*field);
  return std::nullopt;
}

auto exam_value(const Case& c, std::string_view code) -> std::optional<Value> {
  for (const auto& finding : c.findings)
    for (const auto& exam : finding.exams)
      if (exam.code == code && (exam.value.number || !exam.value.code.empty())) return exam.value;
  return std::nullopt;
}

auto duration_value(const Case& c) -> std::optional<Value> {
  for (const auto& finding : c.findings)
    if (finding.duration_days) return Value{finding.duration_days, {}, "d"};
  return std::nullopt;
}

auto dose_value(const Case& c) -> std::optional<Value> {
  for (const auto& treatment : c.outcome.treatments)
    if (treatment.dose) return Value{treatment.dose, {}, treatment.dose_unit};
  return std::nullopt;
}

auto finding_of(Case& c) -> Finding& {
  if (c.findings.empty()) c.findings.emplace_back();
  return c.findings.front();
}

auto treatment_of(Case& c) -> Treatment& {
  if (c.outcome.treatments.empty()) c.outcome.treatments.emplace_back();
  return c.outcome.treatments.front();
}

}  // namespace

auto is_source(std::string_view source) -> bool {
  return rule_of(source) != nullptr;
}

auto role_of(std::string_view source) -> Role {
  const auto* rule = rule_of(source);
  CONSILIUM_ENSURE(rule != nullptr);
  return rule->role;
}

auto fits(std::string_view source, Kind kind) -> bool {
  const auto* rule = rule_of(source);
  if (rule == nullptr) return false;
  switch (kind) {
    case Kind::number:
      return rule->number;
    case Kind::duration:
      return rule->duration;
    case Kind::ordinal:
    case Kind::code:
      return rule->code;
  }
  return false;
}

auto fixed_unit(std::string_view source) -> std::string_view {
  const auto* rule = rule_of(source);
  return rule == nullptr ? std::string_view() : rule->unit;
}

auto is_numeric(Kind kind) -> bool {
  return kind == Kind::number || kind == Kind::duration;
}

auto recorded_value(const Case& c, std::string_view source) -> std::optional<Value> {
  if (source.starts_with(exam_prefix)) return exam_value(c, source.substr(exam_prefix.size()));
  if (source == "age") return c.age_years.number ? std::optional(c.age_years) : std::nullopt;
  if (source == "sex") return code_value(c.sex);
  if (source == "symptom") return first_code(c.findings, &Finding::symptom);
  if (source == "duration") return duration_value(c);
  if (source == "occurrence_condition")
    return first_code(c.findings, &Finding::occurrence_condition);
  if (source == "severity") return first_code(c.findings, &Finding::severity);
  if (source == "disease") return code_value(c.outcome.disease);
  if (source == "complications")
    return c.outcome.complications.empty() ? std::nullopt
                                           : code_value(c.outcome.complications.front());
  const auto& treatments = c.outcome.treatments;
  if (source == "drug") return first_code(treatments, &Treatment::drug);
  if (source == "route") return first_code(treatments, &Treatment::route);
  if (source == "dose") return dose_value(c);
  if (source == "frequency") return first_code(treatments, &Treatment::frequency);
  if (source == "time") return first_code(treatments, &Treatment::time);
  return std::nullopt;
}

void record_value(Case& c, std::string_view source, Value value) {
  if (source.starts_with(exam_prefix)) {
    finding_of(c).exams.push_back(
        {std::string(source.substr(exam_prefix.size())), std::move(value)});
  } else if (source == "age") {
    c.age_years = std::move(value);
  } else if (source == "sex") {
    c.sex = value.code;
  } else if (source == "symptom") {
    finding_of(c).symptom = value.code;
  } else if (source == "duration") {
    finding_of(c).duration_days = value.number;
  } else if (source == "occurrence_condition") {
    finding_of(c).occurrence_condition = value.code;
  } else if (source == "severity") {
    finding_of(c).severity = value.code;
  } else if (source == "disease") {
    c.outcome.disease = value.code;
  } else if (source == "complications") {
    c.outcome.complications.push_back(value.code);
  } else if (source == "drug") {
    treatment_of(c).drug = value.code;
  } else if (source == "route") {
    treatment_of(c).route = value.code;
  } else if (source == "dose") {
    treatment_of(c).dose = value.number;
    treatment_of(c).dose_unit = value.unit;
  } else if (source == "frequency") {
    treatment_of(c).frequency = value.code;
  } else if (source == "time") {
    treatment_of(c).time = value.code;
  } else {
    CONSILIUM_ENSURE(is_source(source));
  }
}

auto is_possible(const Value& value, const Attribute& attribute) -> bool {
  if (!is_numeric(attribute.kind))
    return std::ranges::find(attribute.codes, value.code) != attribute.codes.end();
  if (!value.number || value.unit != attribute.unit) return false;
  if (attribute.low && Decimal::compare(*value.number, *attribute.low) < 0) return false;
  return !attribute.high || Decimal::compare(*value.number, *attribute.high) <= 0;
}

}  // namespace consilium::casebase
