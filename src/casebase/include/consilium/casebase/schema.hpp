#pragma once
// What the consortium agreed to look at. The schema file (TOML) is read once; its digest is on the
// ledger.

#include <optional>
#include <string>
#include <vector>

#include "consilium/casebase/case.hpp"
#include "consilium/foundation/bytes.hpp"

namespace consilium::casebase {

enum class Role : std::uint8_t { v1 = 1, v2 = 2 };  ///< pathology feature or outcome
enum class Kind : std::uint8_t { number = 1, ordinal = 2, code = 3, duration = 4 };
/// How two values of the attribute are compared by `diagnosis`.
enum class Similarity : std::uint8_t {
  exact = 1,
  ordinal = 2,
  range = 3,
  gaussian = 4,
  log_duration = 5
};

struct Attribute {
  std::uint16_t id = 0;  ///< unique, ascending in the schema, never reused
  std::string name;      ///< "chest_pain_type"
  std::string title;     ///< what a doctor reads: "Chest pain"
  Role role = Role::v1;
  Kind kind = Kind::number;
  /// Where in a case the value stands: "age", "sex", "symptom", "duration", "occurrence_condition",
  /// "severity", "exam:CODE", "disease", "complications", "drug", "route", "dose", "frequency",
  /// "time".
  std::string source;
  std::string unit;  ///< UCUM; numbers only
  std::vector<std::string>
      codes;  ///< code and ordinal: the allowed codes in order; index 0.. is the value
  std::vector<std::string> labels;  ///< what a doctor reads for each code
  /// number, duration: what is possible; outside it a value is missing with a warning.
  std::optional<Decimal> low, high;
  Similarity similarity = Similarity::exact;
  double similarity_scale =
      1;              ///< range: the distance at which similarity is 0; gaussian: σ; in `unit`
  double weight = 1;  ///< expert weight ≥ 0 in Sim(i,j)
  bool drop_first = false;  ///< one-hot without the first code (FLamby's rule)
  bool align = false;       ///< part of the alignment key
  /// Alignment's own coarse buckets: lower bounds, half-open, lower included, ascending; the last
  /// is the end. number and duration only. Codes are their own buckets.
  std::vector<Decimal> align_bounds;
};

/// version + digest name a schema for ever. Attributes ascend by id.
struct Schema {
  std::string name;
  std::uint32_t version = 1;
  std::vector<Attribute> attributes;

  /// H over the canonical encoding of every field above: any change is another schema.
  [[nodiscard]] auto digest() const -> Digest;
  [[nodiscard]] auto find(std::string_view name) const -> const Attribute*;
  /// The schema with only the attributes of V1 that pass `keep` (`--align attributes`); V2 stays.
  template <typename Keep>
  [[nodiscard]] auto filtered(Keep keep) const -> Schema {
    Schema out{name, version, {}};
    for (const auto& a : attributes)
      if (a.role == Role::v2 || keep(a)) out.attributes.push_back(a);
    return out;
  }
};

/// Reads a schema. Errors: `bad_schema` with `place` naming line and key.
[[nodiscard]] auto parse_schema(std::string_view toml, std::string_view place) -> Result<Schema>;
/// The other way, for `consilium schema show`. parse_schema(to_toml(s)).digest() == s.digest().
[[nodiscard]] auto to_toml(const Schema& schema) -> std::string;

/// The case's value of one attribute, or nothing when it is not recorded.
/// number/duration: Value::number in the schema's unit, within low..high; code/ordinal:
/// Value::code, one of `codes`. A value in another unit, outside the range or with another code
/// counts as not recorded. Where a case has several findings or treatments, the first that records
/// the attribute speaks.
[[nodiscard]] auto value_of(const Case& c, const Attribute& attribute) -> std::optional<Value>;

}  // namespace consilium::casebase
