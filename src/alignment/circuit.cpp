#include "consilium/alignment/circuit.hpp"

#include <algorithm>
#include <bit>

#include "circuit_builder.hpp"
#include "wire.hpp"

namespace consilium::alignment {
namespace {

constexpr std::uint32_t hospitals_max = 64;
/// Stands in the digest where a gate's kind would: the cap follows.
constexpr std::uint8_t cap_marker = 3;

}  // namespace

auto CircuitBuilder::gate(GateKind kind, std::uint32_t a, std::uint32_t b) -> std::uint32_t {
  const auto out = static_cast<std::uint32_t>(depth_.size());
  const std::uint32_t own = kind == GateKind::conjunction ? 1 : 0;
  depth_.push_back(std::max(depth_[a], depth_[b]) + own);
  circuit_.gates.push_back({kind, a, b, out});
  return out;
}

auto CircuitBuilder::exclusive_or(std::uint32_t a, std::uint32_t b) -> std::uint32_t {
  return gate(GateKind::exclusive_or, a, b);
}

auto CircuitBuilder::conjunction(std::uint32_t a, std::uint32_t b) -> std::uint32_t {
  return gate(GateKind::conjunction, a, b);
}

auto CircuitBuilder::full_adder(std::uint32_t a, std::uint32_t b, std::uint32_t e, bool with_carry)
    -> Adder {
  Adder out;
  out.sum = exclusive_or(exclusive_or(a, b), e);
  if (with_carry) {
    const auto left = exclusive_or(a, e);
    const auto right = exclusive_or(b, e);
    out.carry = exclusive_or(conjunction(left, right), e);
  }
  return out;
}

auto CircuitBuilder::half_adder(std::uint32_t a, std::uint32_t b, bool with_carry) -> Adder {
  Adder out;
  out.sum = exclusive_or(a, b);
  if (with_carry) out.carry = conjunction(a, b);
  return out;
}

auto CircuitBuilder::take_shallowest(std::vector<std::uint32_t>& column) const -> std::uint32_t {
  const auto least = std::ranges::min_element(column, [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(depth_[a], a) < std::pair(depth_[b], b);
  });
  const auto wire = *least;
  column.erase(least);
  return wire;
}

auto CircuitBuilder::sum(std::vector<std::vector<std::uint32_t>> columns, std::size_t width)
    -> std::vector<std::optional<std::uint32_t>> {
  columns.resize(width);
  std::vector<std::optional<std::uint32_t>> out;
  for (std::size_t c = 0; c < width; ++c) {
    auto& column = columns[c];
    const bool with_carry = c + 1 < width;
    while (column.size() > 1) {
      const bool three = column.size() > 2;
      const auto a = take_shallowest(column);
      const auto b = take_shallowest(column);
      const auto added = three ? full_adder(a, b, take_shallowest(column), with_carry)
                               : half_adder(a, b, with_carry);
      column.push_back(added.sum);
      if (added.carry) columns[c + 1].push_back(*added.carry);
    }
    out.push_back(column.empty() ? std::nullopt : std::optional(column.front()));
  }
  return out;
}

auto CircuitBuilder::at_least(const std::vector<std::optional<std::uint32_t>>& number,
                              std::uint64_t threshold) -> Comparison {
  if (number.size() < 64 && threshold >> number.size() != 0) return {std::nullopt, false};
  Comparison ge{std::nullopt, true};
  for (std::size_t b = 0; b < number.size(); ++b) {
    const auto bit = number[b];
    const bool wanted = (threshold >> b & 1U) != 0;
    if (!bit) {  // this bit of the number is always 0
      if (wanted) ge = {std::nullopt, false};
      continue;
    }
    if (!ge.wire) {
      // 1 ∧ c = c and 0 ∨ c = c; 0 ∧ c and 1 ∨ c stay what they are.
      if (ge.constant == wanted) ge = {bit, false};
      continue;
    }
    if (wanted) {
      ge.wire = conjunction(*bit, *ge.wire);
    } else {
      const auto either = exclusive_or(*bit, *ge.wire);
      ge.wire = exclusive_or(either, conjunction(*bit, *ge.wire));
    }
  }
  return ge;
}

auto Circuit::digest() const -> Digest {
  WireHash hash("consilium.circuit.v1");
  for (const auto& gate : gates)
    hash.u8(static_cast<std::uint8_t>(gate.kind)).u32(gate.a).u32(gate.b).u32(gate.out);
  if (cap) hash.u8(cap_marker).u64(*cap);
  return hash.finish();
}

auto Circuit::conjunctions() const -> std::size_t {
  return static_cast<std::size_t>(std::ranges::count_if(
      gates, [](const Gate& gate) { return gate.kind == GateKind::conjunction; }));
}

auto Circuit::levels() const -> std::size_t {
  std::vector<std::size_t> depth(inputs + gates.size(), 0);
  for (const auto& gate : gates)
    depth[gate.out] =
        std::max(depth[gate.a], depth[gate.b]) + (gate.kind == GateKind::conjunction ? 1 : 0);
  return depth.empty() ? 0 : *std::ranges::max_element(depth);
}

auto make_circuit(std::uint32_t hospitals, std::uint32_t threshold, Output output,
                  std::optional<std::uint64_t> cap) -> Result<Circuit> {
  if (hospitals < 2 || hospitals > hospitals_max)
    return fail("bad_members", "circuit", "an alignment has 2 to 64 hospitals");
  if (threshold < 2 || threshold > hospitals)
    return fail("bad_threshold", "circuit", "the threshold k is 2 to the number of hospitals");
  CircuitBuilder builder(hospitals);
  std::vector<std::vector<std::uint32_t>> columns(1);
  for (std::uint32_t h = 0; h < hospitals; ++h) columns[0].push_back(h);
  const auto count =
      builder.sum(std::move(columns), static_cast<std::size_t>(std::bit_width(hospitals)));
  const auto reached = builder.at_least(count, threshold);
  CONSILIUM_ENSURE(reached.wire.has_value());
  auto& circuit = builder.circuit();
  circuit.cap = cap;
  if (output == Output::collective) {
    circuit.outputs.push_back(*reached.wire);
  } else {
    for (std::uint32_t h = 0; h < hospitals; ++h)
      circuit.outputs.push_back(builder.conjunction(*reached.wire, h));
  }
  return std::move(circuit);
}

}  // namespace consilium::alignment
