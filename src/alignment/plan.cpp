#include "plan.hpp"

#include <algorithm>
#include <bit>

#include "circuit_builder.hpp"
#include "wire.hpp"

namespace consilium::alignment {
namespace {

/// Copies `bits` bits of `from`, starting at bit `at`, to the beginning of `to`; zeros beyond
/// from's end. Works on whole words: positions and lengths are public, contents are not.
void copy_bits(std::span<const std::uint64_t> from, std::uint32_t from_bits, std::uint32_t at,
               std::span<std::uint64_t> to, std::uint32_t bits) {
  const std::uint32_t have = at < from_bits ? std::min(bits, from_bits - at) : 0;
  const std::size_t first = at / 64;
  const unsigned shift = at % 64;
  for (std::size_t w = 0; w < to.size(); ++w) {
    std::uint64_t word = first + w < from.size() ? from[first + w] >> shift : 0;
    if (shift != 0 && first + w + 1 < from.size()) word |= from[first + w + 1] << (64 - shift);
    const std::size_t begin = w * 64;
    if (begin + 64 > have) {
      const std::size_t keep = begin < have ? have - begin : 0;
      word &= (std::uint64_t{1} << keep) - 1;
    }
    to[w] = word;
  }
}

/// ORs `from` into `to` at bit `at`; `to` is zero there.
void append_bits(std::span<const std::uint64_t> from, std::span<std::uint64_t> to,
                 std::uint32_t at) {
  const std::size_t first = at / 64;
  const unsigned shift = at % 64;
  for (std::size_t w = 0; w < from.size(); ++w) {
    if (first + w < to.size()) to[first + w] |= from[w] << shift;
    if (shift != 0 && first + w + 1 < to.size()) to[first + w + 1] |= from[w] >> (64 - shift);
  }
}

/// Clears what lies beyond a vector's last bit, so that unused bits of a word are zero in every
/// share.
void trim(std::span<std::uint64_t> words, std::uint32_t bits) {
  if (bits % 64 != 0) words.back() &= (std::uint64_t{1} << (bits % 64)) - 1;
}

}  // namespace

auto Plan::add(Step step) -> Wire {
  CONSILIUM_ENSURE(levels_.empty() && step.bits > 0);
  const bool gate = step.kind == StepKind::exclusive_or || step.kind == StepKind::conjunction;
  if (gate) step.gate = gates_++;
  step.offset = words_;
  words_ += step.words();
  steps_.push_back(step);
  return static_cast<Wire>(steps_.size() - 1);
}

auto Plan::input(std::uint32_t bits) -> Wire {
  Step step;
  step.kind = StepKind::input;
  step.bits = bits;
  inputs_.push_back(add(step));
  return inputs_.back();
}

auto Plan::zero(std::uint32_t bits) -> Wire {
  Step step;
  step.bits = bits;
  return add(step);
}

auto Plan::part(Wire a, std::uint32_t from, std::uint32_t bits) -> Wire {
  Step step;
  step.kind = StepKind::part;
  step.a = step.b = a;
  step.from = from;
  step.bits = bits;
  step.depth = steps_[a].depth;
  return add(step);
}

auto Plan::join(Wire a, Wire b) -> Wire {
  Step step;
  step.kind = StepKind::join;
  step.a = a;
  step.b = b;
  step.bits = steps_[a].bits + steps_[b].bits;
  step.depth = std::max(steps_[a].depth, steps_[b].depth);
  return add(step);
}

auto Plan::exclusive_or(Wire a, Wire b) -> Wire {
  CONSILIUM_ENSURE(steps_[a].bits == steps_[b].bits);
  Step step;
  step.kind = StepKind::exclusive_or;
  step.a = a;
  step.b = b;
  step.bits = steps_[a].bits;
  step.depth = std::max(steps_[a].depth, steps_[b].depth);
  return add(step);
}

auto Plan::conjunction(Wire a, Wire b) -> Wire {
  CONSILIUM_ENSURE(steps_[a].bits == steps_[b].bits);
  Step step;
  step.kind = StepKind::conjunction;
  step.a = a;
  step.b = b;
  step.bits = steps_[a].bits;
  step.depth = std::max(steps_[a].depth, steps_[b].depth) + 1;
  return add(step);
}

auto Plan::spread(const Circuit& circuit, std::span<const Wire> inputs) -> std::vector<Wire> {
  CONSILIUM_ENSURE(inputs.size() == circuit.inputs);
  std::vector<Wire> wires(inputs.begin(), inputs.end());
  for (const auto& gate : circuit.gates) {
    CONSILIUM_ENSURE(gate.out == wires.size());
    wires.push_back(gate.kind == GateKind::conjunction
                        ? conjunction(wires[gate.a], wires[gate.b])
                        : exclusive_or(wires[gate.a], wires[gate.b]));
  }
  return wires;
}

auto Plan::full_adder_sum(Wire a, Wire b, Wire e) -> Wire {
  return exclusive_or(exclusive_or(a, b), e);
}

auto Plan::full_adder_carry(Wire a, Wire b, Wire e) -> Wire {
  const auto left = exclusive_or(a, e);
  const auto right = exclusive_or(b, e);
  return exclusive_or(conjunction(left, right), e);
}

auto Plan::count_bits(Wire a) -> std::vector<Wire> {
  // Columns from 2^width on cannot hold anything: the count is at most the number of bits.
  const auto width = static_cast<std::size_t>(std::bit_width(steps_[a].bits));
  std::vector<std::optional<Wire>> columns(width);
  columns[0] = a;
  const auto longer_than_two = [&](const std::optional<Wire>& column) {
    return column && steps_[*column].bits > 2;
  };
  while (std::ranges::any_of(columns, longer_than_two)) {
    std::vector<std::optional<Wire>> kept(width), carried(width);
    for (std::size_t c = 0; c < width; ++c) {
      kept[c] = columns[c];
      if (!longer_than_two(columns[c])) continue;
      const auto third = (steps_[*columns[c]].bits + 2) / 3;
      const auto x = part(*columns[c], 0, third);
      const auto y = part(*columns[c], third, third);
      const auto e = part(*columns[c], 2 * third, third);
      kept[c] = full_adder_sum(x, y, e);
      if (c + 1 < width) carried[c + 1] = full_adder_carry(x, y, e);
    }
    for (std::size_t c = 0; c < width; ++c) {
      const bool both = kept[c] && carried[c];
      columns[c] = both ? join(*kept[c], *carried[c]) : (kept[c] ? kept[c] : carried[c]);
    }
  }
  std::vector<Wire> out;
  std::vector<Wire> carry;  // none or one
  for (std::size_t c = 0; c < width; ++c) {
    std::vector<Wire> bits;
    if (columns[c])
      for (std::uint32_t i = 0; i < steps_[*columns[c]].bits; ++i)
        bits.push_back(part(*columns[c], i, 1));
    bits.insert(bits.end(), carry.begin(), carry.end());
    carry.clear();
    const bool with_carry = c + 1 < width;
    if (bits.empty()) {
      out.push_back(zero(1));
    } else if (bits.size() == 1) {
      out.push_back(bits[0]);
    } else if (bits.size() == 2) {
      out.push_back(exclusive_or(bits[0], bits[1]));
      if (with_carry) carry.push_back(conjunction(bits[0], bits[1]));
    } else {
      out.push_back(full_adder_sum(bits[0], bits[1], bits[2]));
      if (with_carry) carry.push_back(full_adder_carry(bits[0], bits[1], bits[2]));
    }
  }
  return out;
}

void Plan::finish() {
  CONSILIUM_ENSURE(levels_.empty());
  std::uint32_t depth_max = 0;
  for (const auto& step : steps_) depth_max = std::max(depth_max, step.depth);
  levels_.resize(depth_max + std::size_t{1});
  for (Wire wire = 0; wire < steps_.size(); ++wire) {
    const auto& step = steps_[wire];
    if (step.kind == StepKind::conjunction) {
      // A wire of depth d comes out of level d−1, even if its inputs were ready before.
      auto& level = levels_[step.depth - 1];
      level.conjunctions.push_back(wire);
      level.words += step.words();
    } else if (step.kind != StepKind::input) {
      levels_[step.depth].local.push_back(wire);
    }
  }
}

auto Plan::conjunction_bits() const -> std::uint64_t {
  std::uint64_t bits = 0;
  for (const auto& step : steps_)
    if (step.kind == StepKind::conjunction) bits += step.bits;
  return bits;
}

auto Plan::frame_words() const -> std::uint64_t {
  std::uint64_t words = 0;
  for (const auto& level : levels_) words += level.words;
  return words;
}

auto plan_chunk(const Circuit& circuit, std::uint32_t bits, bool count) -> ChunkPlan {
  ChunkPlan out;
  std::vector<Wire> inputs;
  for (std::uint32_t h = 0; h < circuit.inputs; ++h) inputs.push_back(out.plan.input(bits));
  const auto wires = out.plan.spread(circuit, inputs);
  for (const auto wire : circuit.outputs) out.outputs.push_back(wires[wire]);
  if (count)
    for (const auto wire : inputs) out.counts.push_back(out.plan.count_bits(wire));
  out.plan.finish();
  return out;
}

auto plan_cap(std::uint32_t hospitals, std::span<const std::uint32_t> chunk_bits, std::uint64_t cap)
    -> std::optional<CapPlan> {
  std::uint64_t bits = 0;
  std::uint32_t inputs = 0;
  for (const auto chunk : chunk_bits) {
    bits += chunk;
    inputs += static_cast<std::uint32_t>(std::bit_width(chunk));
  }
  CircuitBuilder builder(inputs);
  std::vector<std::vector<std::uint32_t>> columns;
  std::uint32_t wire = 0;
  for (const auto chunk : chunk_bits) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(std::bit_width(chunk)); ++c) {
      if (columns.size() <= c) columns.resize(c + 1);
      columns[c].push_back(wire++);
    }
  }
  const auto total =
      builder.sum(std::move(columns), static_cast<std::size_t>(std::bit_width(bits)));
  const auto over = builder.at_least(total, cap + 1);
  if (!over.wire) {
    CONSILIUM_ENSURE(!over.constant);
    return std::nullopt;
  }
  CapPlan out;
  std::vector<Wire> wires;
  for (std::uint32_t i = 0; i < inputs; ++i) wires.push_back(out.plan.input(hospitals));
  out.over = out.plan.spread(builder.circuit(), wires)[*over.wire];
  out.plan.finish();
  return out;
}

Evaluation::Evaluation(const Plan& plan, std::uint32_t chunk, WordStreams& own, WordStreams& next)
    : plan_(&plan),
      chunk_(chunk),
      own_(&own),
      next_(&next),
      first_(plan.words()),
      second_(plan.words()) {}

auto Evaluation::share(Wire wire) -> Shares {
  const auto& step = plan_->steps()[wire];
  return {first_.expose().subspan(step.offset, step.words()),
          second_.expose().subspan(step.offset, step.words())};
}

auto Evaluation::input(std::size_t index) -> Shares {
  return share(plan_->inputs()[index]);
}

void Evaluation::run(const Step& step, Wire wire) {
  const auto out = share(wire);
  const auto a = share(step.a);
  const auto b = share(step.b);
  const auto& steps = plan_->steps();
  const auto both = [&](auto work) {
    work(out.first, a.first, b.first);
    work(out.second, a.second, b.second);
  };
  using Words = std::span<std::uint64_t>;
  switch (step.kind) {
    case StepKind::part:
      both([&](Words to, Words from, Words) {
        copy_bits(from, steps[step.a].bits, step.from, to, step.bits);
      });
      break;
    case StepKind::join:
      both([&](Words to, Words left, Words right) {
        copy_bits(left, steps[step.a].bits, 0, to, step.bits);
        append_bits(right, to, steps[step.a].bits);
      });
      break;
    case StepKind::exclusive_or:
      both([](Words to, Words left, Words right) {
        for (std::size_t w = 0; w < to.size(); ++w) to[w] = left[w] ^ right[w];
      });
      break;
    case StepKind::zero:
    case StepKind::input:
    case StepKind::conjunction:
      break;  // memory comes zeroed; inputs are filled from outside; ANDs are open_level's work
  }
}

auto Evaluation::open_level() -> Bytes {
  CONSILIUM_ENSURE(!open_ && level_ < plan_->rounds());
  const auto& level = plan_->levels()[level_];
  const auto& steps = plan_->steps();
  for (const auto wire : level.local) run(steps[wire], wire);
  Bytes frame;
  frame.reserve(level_bytes());
  for (const auto wire : level.conjunctions) {
    const auto& step = steps[wire];
    const auto z = share(wire);
    const auto x = share(step.a);
    const auto y = share(step.b);
    // The received half is scratch until close_level: F_{i+1} first, z_{i+1} then.
    own_->read(chunk_, step.gate, z.first);
    next_->read(chunk_, step.gate, z.second);
    for (std::size_t w = 0; w < z.first.size(); ++w) {
      z.first[w] ^= z.second[w] ^ (x.first[w] & y.first[w]) ^ (x.first[w] & y.second[w]) ^
                    (x.second[w] & y.first[w]);
    }
    trim(z.first, step.bits);
    const auto bytes = bytes_of(z.first);
    frame.insert(frame.end(), bytes.begin(), bytes.end());
  }
  open_ = true;
  return frame;
}

void Evaluation::close_level(BytesView from_next) {
  CONSILIUM_ENSURE(open_ && from_next.size() == level_bytes());
  const auto& steps = plan_->steps();
  for (const auto wire : plan_->levels()[level_].conjunctions) {
    const auto z = share(wire).second;
    std::ranges::copy(from_next.first(z.size_bytes()), writable_bytes_of(z).begin());
    // A peer's stray bits beyond the vector's end must not reach a neighbour in a later `join`.
    trim(z, steps[wire].bits);
    from_next = from_next.subspan(z.size_bytes());
  }
  open_ = false;
  ++level_;
}

void Evaluation::settle() {
  CONSILIUM_ENSURE(level_ == plan_->rounds());
  if (settled_) return;
  for (const auto wire : plan_->levels().back().local) run(plan_->steps()[wire], wire);
  settled_ = true;
}

}  // namespace consilium::alignment
