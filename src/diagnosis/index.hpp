#pragma once
// The cases as cells: what a scan reads, attribute by attribute, without touching a case.

#include <optional>
#include <vector>

#include "consilium/diagnosis/diagnosis.hpp"

namespace consilium::diagnosis {

/// A value made ready to compare: the number itself, or the index of its code.
using Cell = std::optional<double>;

struct Index::State {
  casebase::Schema schema;
  std::vector<casebase::Attribute> attributes;  ///< V1, in schema order
  std::vector<casebase::Case> cases;            ///< ascending by id
  std::vector<Cell> cells;                      ///< cases × attributes, row-major
  [[nodiscard]] auto row(std::size_t i) const -> std::span<const Cell> {
    return {cells.data() + i * attributes.size(), attributes.size()};
  }
};

/// The case's value of an attribute as a cell; empty when not recorded.
[[nodiscard]] auto cell_of(const casebase::Case& c, const casebase::Attribute& attribute) -> Cell;
[[nodiscard]] auto cell_of(const casebase::Value& value, const casebase::Attribute& attribute)
    -> double;
/// sim_p of two cells of the attribute.
[[nodiscard]] auto cell_similarity(const casebase::Attribute& attribute, double a, double b)
    -> double;

}  // namespace consilium::diagnosis
