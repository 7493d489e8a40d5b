#pragma once
// What the three nodes compute on one cell of n hospitals (alignment-spec §3.3): count, compare
// with k, and give back to each hospital its own bit. Both sides make the circuit from (n, k,
// output, cap); its digest is in the record.

#include <cstdint>
#include <optional>
#include <vector>

#include "consilium/foundation/bytes.hpp"

namespace consilium::alignment {

enum class GateKind : std::uint8_t { exclusive_or = 1, conjunction = 2 };
struct Gate {
  GateKind kind = GateKind::exclusive_or;
  std::uint32_t a = 0, b = 0, out = 0;
};

/// individual: hospital h gets [count ≥ k] ∧ its own bit. collective: everybody gets [count ≥ k].
enum class Output : std::uint8_t { individual = 1, collective = 2 };

struct Circuit {
  std::uint32_t inputs = 0;            ///< wires 0..inputs−1; every gate makes the next wire
  std::vector<Gate> gates;             ///< in order of creation
  std::vector<std::uint32_t> outputs;  ///< wire of z_h per hospital, or of t alone
  std::optional<std::uint64_t> cap;    ///< C: most cells a hospital may claim, checked besides
  /// H over the gates; with a cap, u8 3 ‖ u64 C follow the last gate.
  [[nodiscard]] auto digest() const -> Digest;
  [[nodiscard]] auto conjunctions() const -> std::size_t;
  /// AND levels: rounds of messages.
  [[nodiscard]] auto levels() const -> std::size_t;
};

/// Errors: `bad_members` (n outside 2..64), `bad_threshold` (k < 2 or k > n).
[[nodiscard]] auto make_circuit(std::uint32_t hospitals, std::uint32_t threshold, Output output,
                                std::optional<std::uint64_t> cap) -> Result<Circuit>;

}  // namespace consilium::alignment
