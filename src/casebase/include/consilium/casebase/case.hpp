#pragma once
// One sample: pathology features and outcome (glossary). Types here hold patient data: none has a
// formatter, none has operator<<, and a compile-fail test keeps it so.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consilium/foundation/identity.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::casebase {

/// A number as it was written: mantissa × 10^exponent, so that units and buckets never pass through
/// binary floating point. |mantissa| < 2^53, −18 ≤ exponent ≤ 18; the mantissa of a non-zero value
/// does not end in 0.
struct Decimal {
  std::int64_t mantissa = 0;
  std::int32_t exponent = 0;
  auto operator==(const Decimal&) const -> bool = default;
  /// "63.0", "-1.50", ".7", "1e3". Errors: `bad_number` (also for NaN, Inf, more than 15 digits,
  /// text after it).
  [[nodiscard]] static auto parse(std::string_view text) -> Result<Decimal>;
  [[nodiscard]] auto to_double() const -> double;
  [[nodiscard]] auto to_text() const -> std::string;  ///< canonical: parse(to_text(x)) == x
  /// Exact comparison: negative, zero or positive.
  [[nodiscard]] static auto compare(const Decimal& a, const Decimal& b) -> int;
};

/// A measured or coded value. Exactly one of `number` and `code` is set; `unit` (UCUM) only beside
/// a number.
struct Value {
  std::optional<Decimal> number;
  std::string code;
  std::string unit;
  auto operator==(const Value&) const -> bool = default;
};

/// One exam result or measurement, part of a finding's severity: ("resting_blood_pressure", 145
/// mm[Hg]).
struct Exam {
  std::string code;
  Value value;
  auto operator==(const Exam&) const -> bool = default;
};

/// One pathology feature: symptom name, how long, under what condition it occurs, how severe.
struct Finding {
  std::string symptom;                   ///< code of the symptom; empty when only exams are known
  std::optional<Decimal> duration_days;  ///< absent: not recorded
  std::string occurrence_condition;      ///< code; empty: not recorded
  std::string severity;                  ///< grade code; empty: not recorded
  std::vector<Exam> exams;               ///< severity as measured
  auto operator==(const Finding&) const -> bool = default;
};

/// One treatment line. Empty text: not recorded.
struct Treatment {
  std::string drug, route;
  std::optional<Decimal> dose;
  std::string dose_unit, frequency, time;
  auto operator==(const Treatment&) const -> bool = default;
};

/// What was found and done: diagnosis and treatment.
struct Outcome {
  std::string disease;  ///< code; empty: not recorded
  std::vector<std::string> complications;
  std::vector<Treatment> treatments;
  auto operator==(const Outcome&) const -> bool = default;
};

/// Where the case stands in its life (ARCHITECTURE.md). Only `sample` cases train, align and are
/// searched.
enum class Status : std::uint8_t {
  recorded = 1,      ///< a patient in care: may be asked about
  confirmed = 2,     ///< the doctor confirmed the proposed answer
  adjusted = 3,      ///< the doctor changed it
  rejected = 4,      ///< the doctor refused it
  sample = 5,        ///< plan applied, result recorded as reasonable: a new sample
  unreasonable = 6,  ///< plan applied, result recorded as not reasonable: never trains
  held_back = 7,     ///< kept for evaluation: never aligned, trained on or in the index
};
[[nodiscard]] auto status_name(Status status) -> std::string_view;

struct Case {
  CaseId id;
  Status status = Status::recorded;
  std::string source;  ///< provenance: "processed.va.data:12" – never a person
  Value age_years;     ///< number in a; absent: neither number nor code
  std::string sex;     ///< "male", "female" or empty
  std::vector<Finding> findings;
  Outcome outcome;
  auto operator==(const Case&) const -> bool = default;
};

}  // namespace consilium::casebase
