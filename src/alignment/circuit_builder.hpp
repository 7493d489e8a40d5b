#pragma once
// The adder tree and the comparator of alignment-spec §3.3, used for the counting of hospitals in a
// cell and for the counting of a hospital's cells against its cap.

#include <optional>
#include <vector>

#include "consilium/alignment/circuit.hpp"

namespace consilium::alignment {

class CircuitBuilder {
 public:
  explicit CircuitBuilder(std::uint32_t inputs) : depth_(inputs, 0) { circuit_.inputs = inputs; }
  auto exclusive_or(std::uint32_t a, std::uint32_t b) -> std::uint32_t;
  auto conjunction(std::uint32_t a, std::uint32_t b) -> std::uint32_t;
  /// Adds wires of equal weight: column c holds wires worth 2^c. Gives one wire per column, lowest
  /// first; carries past `width` columns are dropped, so the sum must be below 2^width. Nothing for
  /// a column that is always 0.
  auto sum(std::vector<std::vector<std::uint32_t>> columns, std::size_t width)
      -> std::vector<std::optional<std::uint32_t>>;
  /// The wire of [number ≥ threshold], or what it always is.
  struct Comparison {
    std::optional<std::uint32_t> wire;
    bool constant = false;
  };
  auto at_least(const std::vector<std::optional<std::uint32_t>>& number, std::uint64_t threshold)
      -> Comparison;
  [[nodiscard]] auto circuit() -> Circuit& { return circuit_; }

 private:
  struct Adder {
    std::uint32_t sum = 0;
    std::optional<std::uint32_t> carry;
  };
  auto full_adder(std::uint32_t a, std::uint32_t b, std::uint32_t e, bool with_carry) -> Adder;
  auto half_adder(std::uint32_t a, std::uint32_t b, bool with_carry) -> Adder;
  auto gate(GateKind kind, std::uint32_t a, std::uint32_t b) -> std::uint32_t;
  /// Takes the wire of least AND depth, ties by number, out of a column.
  auto take_shallowest(std::vector<std::uint32_t>& column) const -> std::uint32_t;
  Circuit circuit_;
  std::vector<std::uint32_t> depth_;
};

}  // namespace consilium::alignment
