#pragma once
// The circuit spread over whole chunks of cells: every wire is a vector of bits, XOR and the moving
// of bits are local, and all ANDs of one level travel in one frame (alignment-spec §3.2, §3.3).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "consilium/alignment/circuit.hpp"
#include "consilium/foundation/secret.hpp"

#include "streams.hpp"

namespace consilium::alignment {

using Wire = std::uint32_t;

enum class StepKind : std::uint8_t {
  input,         ///< handed in
  zero,          ///< all bits 0
  part,          ///< bits from..from+bits of a, zeros beyond its end
  join,          ///< a, then b
  exclusive_or,  ///< a ⊕ b
  conjunction,   ///< a ∧ b: one bit a cell goes to the neighbour
};
/// Step number = number of the wire it makes.
struct Step {
  StepKind kind = StepKind::zero;
  Wire a = 0, b = 0;
  std::uint32_t from = 0;
  std::uint32_t bits = 0;   ///< length of the wire it makes
  std::uint32_t gate = 0;   ///< XOR and AND are numbered in order of creation: the stream of an AND
  std::uint32_t depth = 0;  ///< ANDs between inputs and this wire
  std::size_t offset = 0;   ///< of the wire's words in the arena; every wire starts at a new word
  [[nodiscard]] auto words() const -> std::size_t { return (bits + std::size_t{63}) / 64; }
};

/// What one level does: local steps that became possible, then its ANDs, both in order of creation.
struct Level {
  std::vector<Wire> local;
  std::vector<Wire> conjunctions;
  std::size_t words = 0;  ///< of its frame
};

class Plan {
 public:
  auto input(std::uint32_t bits) -> Wire;
  auto zero(std::uint32_t bits) -> Wire;
  auto part(Wire a, std::uint32_t from, std::uint32_t bits) -> Wire;
  auto join(Wire a, Wire b) -> Wire;
  auto exclusive_or(Wire a, Wire b) -> Wire;
  auto conjunction(Wire a, Wire b) -> Wire;
  /// A circuit on whole vectors; gives its wires, inputs first.
  auto spread(const Circuit& circuit, std::span<const Wire> inputs) -> std::vector<Wire>;
  /// How many bits of a wire are set, as single-bit wires, lowest first (the spec's cap tree).
  auto count_bits(Wire a) -> std::vector<Wire>;
  /// Sorts the steps into levels. Nothing may be added afterwards.
  void finish();

  [[nodiscard]] auto steps() const -> const std::vector<Step>& { return steps_; }
  [[nodiscard]] auto inputs() const -> const std::vector<Wire>& { return inputs_; }
  /// One entry a level with ANDs; the last holds only local steps.
  [[nodiscard]] auto levels() const -> const std::vector<Level>& { return levels_; }
  [[nodiscard]] auto rounds() const -> std::size_t { return levels_.size() - 1; }
  [[nodiscard]] auto words() const -> std::size_t { return words_; }
  [[nodiscard]] auto conjunction_bits() const -> std::uint64_t;
  [[nodiscard]] auto frame_words() const -> std::uint64_t;  ///< sent by one node, all levels

 private:
  auto add(Step step) -> Wire;
  auto full_adder_sum(Wire a, Wire b, Wire e) -> Wire;
  auto full_adder_carry(Wire a, Wire b, Wire e) -> Wire;
  std::vector<Step> steps_;
  std::vector<Wire> inputs_;
  std::vector<Level> levels_;
  std::size_t words_ = 0;
  std::uint32_t gates_ = 0;
};

/// A chunk: inputs are the hospitals' vectors; z per hospital; with `count`, the bits of each
/// hospital's count.
struct ChunkPlan {
  Plan plan;
  std::vector<Wire> outputs;
  std::vector<std::vector<Wire>> counts;  ///< per hospital; empty without `count`
};
[[nodiscard]] auto plan_chunk(const Circuit& circuit, std::uint32_t bits, bool count) -> ChunkPlan;

/// The last pseudo-chunk: adds up the counts and compares with the cap. Inputs are vectors with one
/// bit a hospital: per chunk and column one. Nothing when no hospital can be over its cap.
struct CapPlan {
  Plan plan;
  Wire over = 0;  ///< one bit a hospital
};
[[nodiscard]] auto plan_cap(std::uint32_t hospitals, std::span<const std::uint32_t> chunk_bits,
                            std::uint64_t cap) -> std::optional<CapPlan>;

/// One node's work on one plan, level by level. Holds P_i's two shares of every wire, in locked
/// memory.
class Evaluation {
 public:
  /// `own` is the stream of k_i, `next` that of k_{i+1}; both outlive the evaluation, and so does
  /// the plan.
  Evaluation(const Plan& plan, std::uint32_t chunk, WordStreams& own, WordStreams& next);
  /// The two shares of input number `index`, for the caller to fill.
  struct Shares {
    std::span<std::uint64_t> first, second;
  };
  auto input(std::size_t index) -> Shares;
  [[nodiscard]] auto finished() const -> bool { return level_ == plan_->rounds() && settled_; }
  [[nodiscard]] auto level() const -> std::uint32_t { return static_cast<std::uint32_t>(level_); }
  /// z_i of the present level, to be sent to P_{i−1}. Once a level.
  [[nodiscard]] auto open_level() -> Bytes;
  [[nodiscard]] auto level_is_open() const -> bool { return open_; }
  [[nodiscard]] auto level_bytes() const -> std::size_t {
    return plan_->levels()[level_].words * sizeof(std::uint64_t);
  }
  /// z_{i+1}, as P_{i+1} sent it; its size is level_bytes().
  void close_level(BytesView from_next);
  /// When there is no level left: the last local steps. Idempotent.
  void settle();
  [[nodiscard]] auto share(Wire wire) -> Shares;

 private:
  void run(const Step& step, Wire wire);
  const Plan* plan_;
  std::uint32_t chunk_;
  WordStreams* own_;
  WordStreams* next_;
  Secret<std::uint64_t> first_, second_;
  std::size_t level_ = 0;
  bool open_ = false;
  bool settled_ = false;
};

}  // namespace consilium::alignment
