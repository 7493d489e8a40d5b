#pragma once
// Where in a case the value of a `source` stands. One table for reading, writing and for what a
// schema may say.

#include <optional>
#include <string_view>

#include "consilium/casebase/schema.hpp"

namespace consilium::casebase {

/// True for every `source` of schema.hpp, "exam:CODE" included.
[[nodiscard]] auto is_source(std::string_view source) -> bool;
/// The role an attribute of this source has.
[[nodiscard]] auto role_of(std::string_view source) -> Role;
/// True when an attribute of this source may have this kind.
[[nodiscard]] auto fits(std::string_view source, Kind kind) -> bool;
/// The unit the source always has ("age": a, "duration": d), or empty where the schema chooses.
[[nodiscard]] auto fixed_unit(std::string_view source) -> std::string_view;
[[nodiscard]] auto is_numeric(Kind kind) -> bool;

/// What the case records, whatever the schema thinks of it.
[[nodiscard]] auto recorded_value(const Case& c, std::string_view source) -> std::optional<Value>;
/// Records a value in a case built row by row: the case has one finding and at most one treatment.
void record_value(Case& c, std::string_view source, Value value);

/// True when the value is in the attribute's unit and range, or one of its codes.
[[nodiscard]] auto is_possible(const Value& value, const Attribute& attribute) -> bool;

}  // namespace consilium::casebase
