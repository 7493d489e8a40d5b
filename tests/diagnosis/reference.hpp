#pragma once
// Random schemas and cases, and Sim(i,j) once more straight from its formula: slow, simple, and
// written apart.

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "consilium/diagnosis/diagnosis.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium::diagnosis::reference {

using casebase::Attribute;
using casebase::Case;
using casebase::Decimal;
using casebase::Kind;
using casebase::Role;
using casebase::Schema;
using casebase::Similarity;

inline auto decimal(std::int64_t value) -> Decimal {
  return *Decimal::parse(std::to_string(value));
}

inline auto chance(Random& random, std::uint64_t percent) -> bool {
  return random.below(100) < percent;
}

/// 1..9 exams of every kind and similarity, and the outcome's attributes.
inline auto random_schema(Random& random) -> Schema {
  Schema schema;
  schema.name = "random";
  const auto count = 1 + random.below(9);
  for (std::uint64_t i = 0; i < count; ++i) {
    Attribute a;
    a.id = static_cast<std::uint16_t>(10 + 3 * i);
    a.name = "exam_" + std::to_string(i);
    a.title = "Exam " + std::to_string(i);
    a.source = "exam:" + a.name;
    a.kind = static_cast<Kind>(1 + random.below(4));
    const bool numeric = a.kind == Kind::number || a.kind == Kind::duration;
    if (numeric) {
      a.unit = a.kind == Kind::duration ? "d" : "mg/dL";
      a.low = decimal(0);
      a.high = decimal(40);
      a.similarity_scale = 1 + static_cast<double>(random.below(20));
      const std::vector<Similarity> of_number{Similarity::exact, Similarity::range,
                                              Similarity::gaussian, Similarity::log_duration};
      a.similarity = of_number[random.below(a.kind == Kind::duration ? 4 : 3)];
    } else {
      const auto codes = 1 + random.below(5);
      for (std::uint64_t c = 0; c < codes; ++c) {
        a.codes.push_back("code_" + std::to_string(c));
        a.labels.push_back("Code " + std::to_string(c));
      }
      a.similarity =
          a.kind == Kind::ordinal && chance(random, 60) ? Similarity::ordinal : Similarity::exact;
    }
    a.weight = chance(random, 20) ? 0 : static_cast<double>(1 + random.below(8)) / 2;
    schema.attributes.push_back(a);
  }
  schema.attributes[random.below(count)].weight = 1;
  const auto outcome = [&](std::string source, std::uint16_t id, Kind kind) {
    Attribute a;
    a.id = id;
    a.name = a.source = std::move(source);
    a.title = a.name;
    a.role = Role::v2;
    a.kind = kind;
    return a;
  };
  auto disease = outcome("disease", 100, Kind::code);
  disease.codes = {"none", "mild", "grave"};
  disease.labels = {"No disease", "Mild disease", "Grave disease"};
  schema.attributes.push_back(disease);
  auto drug = outcome("drug", 101, Kind::code);
  drug.codes = {"aspirin", "atenolol", "ramipril"};
  drug.labels = {"Aspirin", "Atenolol", "Ramipril"};
  schema.attributes.push_back(drug);
  auto route = outcome("route", 102, Kind::code);
  route.codes = {"oral", "intravenous"};
  route.labels = {"by mouth", "into a vein"};
  schema.attributes.push_back(route);
  return schema;
}

inline auto random_case(Random& random, const Schema& schema, std::string id,
                        std::uint64_t missing_percent) -> Case {
  Case c;
  c.id.value = std::move(id);
  c.status = casebase::Status::sample;
  casebase::Finding finding;
  for (const auto& a : schema.attributes) {
    if (a.role != Role::v1 || chance(random, missing_percent)) continue;
    casebase::Exam exam;
    exam.code = a.name;
    if (a.codes.empty())
      exam.value = {decimal(static_cast<std::int64_t>(random.below(12)) * 3), {}, a.unit};
    else
      exam.value = {std::nullopt, a.codes[random.below(a.codes.size())], {}};
    finding.exams.push_back(exam);
  }
  c.findings.push_back(finding);
  const std::vector<std::string> diseases{"none", "mild", "grave", ""};
  c.outcome.disease = diseases[random.below(4)];
  return c;
}

/// What the case records of an attribute, looked up by hand.
inline auto value(const Case& c, const Attribute& a) -> std::optional<casebase::Value> {
  for (const auto& exam : c.findings.front().exams)
    if (exam.code == a.name) return exam.value;
  return std::nullopt;
}

inline auto local(const Attribute& a, const casebase::Value& x, const casebase::Value& y)
    -> double {
  if (a.codes.empty()) {
    const double u = x.number->to_double(), v = y.number->to_double();
    if (a.similarity == Similarity::exact) return u == v ? 1 : 0;
    if (a.similarity == Similarity::gaussian)
      return std::exp(-(u - v) * (u - v) / (2 * a.similarity_scale * a.similarity_scale));
    const double s =
        a.similarity == Similarity::range
            ? 1 - std::fabs(u - v) / a.similarity_scale
            : 1 - std::fabs(std::log((1 + u) / (1 + v))) / std::log(1 + a.similarity_scale);
    return s < 0 ? 0 : s;
  }
  if (a.similarity == Similarity::exact) return x.code == y.code ? 1 : 0;
  if (a.codes.size() == 1) return 1;
  // Codes end in their rank.
  const double i = x.code.back(), j = y.code.back();
  return 1 - std::fabs(i - j) / static_cast<double>(a.codes.size() - 1);
}

struct Judged {
  double similarity = 0, coverage = 0;
};
inline auto similarity(const Case& target, const Case& other, const Schema& schema,
                       const std::vector<double>& weights, Denominator denominator) -> Judged {
  double agreement = 0, of_target = 0, of_both = 0;
  std::size_t p = 0;
  for (const auto& a : schema.attributes) {
    if (a.role != Role::v1) continue;
    const double w = weights[p++];
    const auto x = value(target, a);
    const auto y = value(other, a);
    if (x) of_target += w;
    if (x && y) of_both += w;
    if (x && y) agreement += w * local(a, *x, *y);
  }
  const double below = denominator == Denominator::target ? of_target : of_both;
  return {below > 0 ? agreement / below : 0, of_both / of_target};
}

}  // namespace consilium::diagnosis::reference
