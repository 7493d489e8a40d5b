// The scalar reference: what every kernel means, and the choice of the path.

#include "block_kernels.hpp"

#include <bit>
#include <cmath>
#include <cstdlib>

namespace consilium::sealing {
namespace {

void inverse(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
             const Factor* key) {
  const std::size_t degree = field.degree;
  const std::uint32_t two_q = field.two_q;
  if (key != nullptr) {
    std::uint32_t* row = block;
    for (std::size_t k = 0; k < degree; ++k, row += lanes) {
      for (std::uint32_t lane = 0; lane < lanes; ++lane) {
        row[lane] = field.times_factor(row[lane], key[k]);
      }
    }
  }
  for (std::size_t groups = degree / 2, half = 1; groups >= 1; groups /= 2, half *= 2) {
    for (std::size_t group = 0; group < groups; ++group) {
      const Factor w = field.inverse[groups + group];
      std::uint32_t* const low = block + 2 * group * half * lanes;
      std::uint32_t* const high = low + half * lanes;
      for (std::size_t at = 0; at < half * lanes; ++at) {
        const std::uint32_t u = low[at];
        const std::uint32_t v = high[at];
        const std::uint32_t sum = u + v;
        low[at] = std::min(sum, sum - two_q);
        high[at] = field.times_factor(u + two_q - v, w);
      }
    }
  }
}

auto load_word(const std::uint8_t* from) -> std::uint32_t {
  return std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8U | std::uint32_t{from[2]} << 16U |
         std::uint32_t{from[3]} << 24U;
}

auto accept(const PrimeField& field, const std::uint8_t* raw, std::size_t words, std::uint32_t* out,
            std::size_t room) -> Accepted {
  Accepted done;
  for (; done.read < words && done.written < room; ++done.read) {
    const std::uint32_t word = load_word(raw + 4 * done.read) & field.word_mask;
    out[done.written] = word;
    done.written += word < field.q ? 1U : 0U;
  }
  return done;
}

/// Bit sums by arithmetic: std::popcount may become a table look-up, whose index would be the
/// secret.
auto ones(std::uint32_t bits) -> std::int32_t {
  bits = bits - ((bits >> 1U) & 0x5555U);
  bits = (bits & 0x3333U) + ((bits >> 2U) & 0x3333U);
  bits = (bits + (bits >> 4U)) & 0x0f0fU;
  return static_cast<std::int32_t>((bits + (bits >> 8U)) & 0x1fU);
}

auto error_at(const Addend& addend, std::size_t at) -> std::int32_t {
  if (addend.eta == 8) {
    const std::uint8_t* const from = addend.errors + 2 * at;
    return ones(from[0]) - ones(from[1]);
  }
  const std::uint32_t bits = load_word(addend.errors + 4 * at);
  return ones(bits & 0xffffU) - ones(bits >> 16U);
}

/// Residues go out as `bits` each through a 64-bit window.
class Packer {
 public:
  Packer(int bits, std::uint8_t* out) : bits_(bits), out_(out) {}
  void put(std::uint32_t residue) {
    held_ |= std::uint64_t{residue} << held_bits_;
    held_bits_ += bits_;
    while (held_bits_ >= 8) {
      *out_++ = static_cast<std::uint8_t>(held_);
      held_ >>= 8U;
      held_bits_ -= 8;
    }
  }

 private:
  int bits_;
  std::uint8_t* out_;
  std::uint64_t held_ = 0;
  int held_bits_ = 0;
};

class Unpacker {
 public:
  Unpacker(const PrimeField& field, const std::uint8_t* packed) : field_(field), from_(packed) {}
  auto take() -> std::uint32_t {
    while (held_bits_ < field_.bits) {
      held_ |= std::uint64_t{*from_++} << held_bits_;
      held_bits_ += 8;
    }
    const std::uint32_t residue = static_cast<std::uint32_t>(held_) & field_.word_mask;
    held_ >>= field_.bits;
    held_bits_ -= field_.bits;
    // The sign bit of q − 1 − residue: one for residue ≥ q. One decision for the whole, made at the
    // end.
    too_large_ |= (field_.q - 1U - residue) >> 31U;
    return residue;
  }
  [[nodiscard]] auto too_large() const -> std::uint32_t { return too_large_; }

 private:
  const PrimeField& field_;
  const std::uint8_t* from_;
  std::uint64_t held_ = 0;
  int held_bits_ = 0;
  std::uint32_t too_large_ = 0;
};

void add_and_pack(const PrimeField& field, const std::uint32_t* block, std::size_t count,
                  const Addend& addend, std::uint8_t* out) {
  // x + q is positive and below 2³², whatever the sign of x: any 32-bit word may be multiplied.
  const Factor delta = field.factor(static_cast<std::uint32_t>(addend.delta % field.q));
  Packer packer(field.bits, out);
  for (std::size_t at = 0; at < count; ++at) {
    const auto shifted = field.q + static_cast<std::uint32_t>(addend.values[at]);
    const std::uint32_t message = field.canonical(field.times_factor(shifted, delta));
    std::uint32_t sum = field.canonical(field.canonical(block[at]) + message) +
                        static_cast<std::uint32_t>(error_at(addend, at));
    sum = std::min(sum, sum + field.q);  // a negative sum wraps to something large
    packer.put(field.canonical(sum));
  }
}

void pack_residues(const PrimeField& field, const std::uint32_t* residues, std::size_t count,
                   std::uint8_t* out) {
  Packer packer(field.bits, out);
  for (std::size_t at = 0; at < count; ++at) packer.put(residues[at]);
}

auto unpack_residues(const PrimeField& field, const std::uint8_t* packed, std::size_t count,
                     std::uint32_t* out) -> std::uint32_t {
  Unpacker unpacker(field, packed);
  for (std::size_t at = 0; at < count; ++at) out[at] = unpacker.take();
  return unpacker.too_large();
}

auto add_packed_residues(const PrimeField& field, const std::uint8_t* packed, std::size_t count,
                         std::uint32_t* sum) -> std::uint32_t {
  Unpacker unpacker(field, packed);
  for (std::size_t at = 0; at < count; ++at) {
    sum[at] = field.canonical(sum[at] + unpacker.take());
  }
  return unpacker.too_large();
}

void subtract(const PrimeField& field, const std::uint32_t* masked, std::size_t count,
              std::uint32_t* sum) {
  for (std::size_t at = 0; at < count; ++at) {
    sum[at] = field.subtract(sum[at], field.canonical(masked[at]));
  }
}

void unmask(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes, const Factor* key,
            std::uint32_t* sum) {
  inverse(field, block, lanes, key);
  subtract(field, block, std::size_t{field.degree} * lanes, sum);
}

void open_centred(const PrimeField& field, const std::uint32_t* residues, std::size_t degree,
                  std::uint32_t lanes, std::int32_t delta, std::int64_t* values,
                  OpenedBlock& opened) {
  const auto q = static_cast<std::int32_t>(field.q);
  const float reciprocal = 1.0F / static_cast<float>(delta);
  std::size_t at = 0;
  for (std::size_t k = 0; k < degree; ++k) {
    for (std::uint32_t lane = 0; lane < lanes; ++lane, ++at) {
      const auto residue = static_cast<std::int32_t>(residues[at]);
      const std::int32_t centred = 2 * std::int64_t{residue} > q ? residue - q : residue;
      // The estimate is off by one at most, and is put right: −Δ ≤ 2r < Δ.
      auto value = static_cast<std::int32_t>(static_cast<float>(centred) * reciprocal);
      std::int32_t rest = centred - value * delta;
      if (2 * rest >= delta) {
        ++value;
        rest -= delta;
      }
      if (2 * rest < -delta) {
        --value;
        rest += delta;
      }
      values[at] = value;
      opened.value_max = std::max<std::int64_t>(opened.value_max, std::abs(value));
      opened.largest[lane] = std::max<std::int64_t>(opened.largest[lane], std::abs(rest));
      opened.squares[lane] += static_cast<std::uint64_t>(std::int64_t{rest} * rest);
    }
  }
}

void open_two_primes(const PrimePair& primes, const std::uint32_t* first,
                     const std::uint32_t* second, std::size_t degree, std::uint32_t lanes,
                     std::int64_t delta, std::int64_t* values, OpenedBlock& opened) {
  const double reciprocal = 1.0 / static_cast<double>(delta);
  std::size_t at = 0;
  for (std::size_t k = 0; k < degree; ++k) {
    for (std::uint32_t lane = 0; lane < lanes; ++lane, ++at) {
      const std::int64_t centred = primes.lift(first[at], second[at]);
      // The estimate is off by one at most, and is put right: −Δ ≤ 2r < Δ.
      auto value = static_cast<std::int64_t>(static_cast<double>(centred) * reciprocal);
      std::int64_t rest = centred - value * delta;
      if (2 * rest >= delta) {
        ++value;
        rest -= delta;
      }
      if (2 * rest < -delta) {
        --value;
        rest += delta;
      }
      values[at] = value;
      opened.value_max = std::max(opened.value_max, std::abs(value));
      opened.largest[lane] = std::max(opened.largest[lane], std::abs(rest));
      const std::int64_t counted = std::min(std::abs(rest), residual_counted_max);
      opened.squares[lane] += static_cast<std::uint64_t>(counted * counted);
    }
  }
}

void horner(const PrimeField& field, const std::uint32_t* coefficients, std::size_t terms,
            std::size_t stride, Factor x, std::size_t count, std::uint32_t* words) {
  for (std::size_t k = 0; k < count; ++k) {
    std::uint32_t value = 0;
    for (std::size_t d = terms; d-- > 0;) {
      value =
          field.add(field.canonical(field.times_factor(value, x)), coefficients[d * stride + k]);
    }
    words[k] = value;
  }
}

auto inner_product(const PrimeField& field, const std::uint32_t* row, const std::uint32_t* words,
                   std::size_t count) -> std::uint32_t {
  // Products have 60 bits: their halves are summed apart, far from any overflow for N ≤ 2¹⁶.
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const std::uint64_t product = std::uint64_t{row[k]} * words[k];
    low += product & 0xffffffffU;
    high += product >> 32U;
  }
  return field.join_halves(low, high);
}

void round_floats(const float* in, std::size_t count, const std::uint8_t* chance,
                  const Rounding& rounding, std::int32_t* out) {
  for (std::size_t at = 0; at < count; ++at) {
    const double value = in[at];
    const double scaled = std::max(-rounding.clip, std::min(rounding.clip, value)) * rounding.units;
    // ⌊scaled + ρ⌋ in integers, without rounding the sum: ρ is a whole number of 2⁻³², so what
    // lies below that in `scaled` never carries.
    const auto fixed = static_cast<std::int64_t>(std::floor(scaled * 0x1p32));
    const auto whole =
        static_cast<std::int32_t>((fixed + std::int64_t{load_word(chance + 4 * at)}) >> 32U);
    // A value at the clip itself may round one step past it.
    out[at] = std::max(-rounding.value_max, std::min(rounding.value_max, whole));
  }
}

auto scan_floats(const float* in, std::size_t count, double clip, bool& finite) -> std::uint64_t {
  std::uint64_t above = 0;
  std::uint32_t not_finite = 0;
  for (std::size_t at = 0; at < count; ++at) {
    const auto bits = std::bit_cast<std::uint32_t>(in[at]);
    not_finite |= static_cast<std::uint32_t>((bits & 0x7f800000U) == 0x7f800000U);
    above += static_cast<std::uint64_t>(std::abs(static_cast<double>(in[at])) > clip);
  }
  finite = finite && not_finite == 0;
  return above;
}

auto widest() -> Isa {
  Isa isa = Isa::scalar;
  if (kernels_of(Isa::avx2) != nullptr) isa = Isa::avx2;
  if (kernels_of(Isa::avx512) != nullptr) isa = Isa::avx512;
  const char* const wish = std::getenv("CONSILIUM_ISA");
  if (wish == nullptr) return isa;
  for (const Isa narrower : {Isa::scalar, Isa::avx2}) {
    if (wish == isa_name(narrower)) isa = std::min(isa, narrower);
  }
  return isa;
}

}  // namespace

const Kernels kernels_scalar{.isa = Isa::scalar,
                             .inverse = inverse,
                             .accept = accept,
                             .add_and_pack = add_and_pack,
                             .pack = pack_residues,
                             .unpack = unpack_residues,
                             .add_packed = add_packed_residues,
                             .unmask = unmask,
                             .subtract = subtract,
                             .open_centred = open_centred,
                             .open_two_primes = open_two_primes,
                             .horner = horner,
                             .inner_product = inner_product,
                             .round_floats = round_floats,
                             .scan_floats = scan_floats};

auto pair_of(std::span<const PrimeField> fields) -> PrimePair {
  const PrimeField& first = fields[0];
  if (fields.size() == 1)
    return {.first = &first, .second = nullptr, .first_inverse = {}, .product = first.q};
  const PrimeField& second = fields[1];
  return {.first = &first,
          .second = &second,
          .first_inverse = second.factor(second.inverse_of(first.q % second.q)),
          .product = std::int64_t{first.q} * second.q};
}

auto isa_name(Isa isa) -> std::string_view {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  CONSILIUM_ENSURE(false && "a path outside the list");
}

auto kernels_of(Isa isa) -> const Kernels* {
  if (isa == Isa::scalar) return &kernels_scalar;
#if defined(__x86_64__)
  if (isa == Isa::avx2 && __builtin_cpu_supports("avx2") != 0) return &kernels_avx2;
  const bool wide =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
      __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512bitalg") != 0;
  if (isa == Isa::avx512 && wide) return &kernels_avx512;
#endif
  return nullptr;
}

auto kernels() -> const Kernels& {
  static const Kernels& chosen = *kernels_of(widest());
  return chosen;
}

void transform(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes) {
  const std::size_t degree = field.degree;
  CONSILIUM_ENSURE(block.size() == degree * lanes);
  const std::uint32_t two_q = field.two_q;
  for (std::size_t groups = 1, half = degree / 2; groups < degree; groups *= 2, half /= 2) {
    for (std::size_t group = 0; group < groups; ++group) {
      const Factor w = field.forward[groups + group];
      std::uint32_t* const low = block.data() + 2 * group * half * lanes;
      std::uint32_t* const high = low + half * lanes;
      for (std::size_t at = 0; at < half * lanes; ++at) {
        const std::uint32_t u = std::min(low[at], low[at] - two_q);
        const std::uint32_t v = field.times_factor(high[at], w);
        low[at] = u + v;
        high[at] = u + two_q - v;
      }
    }
  }
  for (std::uint32_t& value : block) {
    value = field.canonical(std::min(value, value - two_q));
  }
}

void inverse_transform(const PrimeField& field, std::span<std::uint32_t> block,
                       std::uint32_t lanes) {
  CONSILIUM_ENSURE(block.size() == std::size_t{field.degree} * lanes);
  kernels().inverse(field, block.data(), lanes, nullptr);
  const Factor scale = field.factor(field.degree_inverse);
  for (std::uint32_t& value : block) value = field.canonical(field.times_factor(value, scale));
}

void prepare_key(const PrimeField& field, std::span<const std::uint32_t> key,
                 std::span<Factor> prepared) {
  CONSILIUM_ENSURE(key.size() == prepared.size());
  const Factor scale = field.factor(field.degree_inverse);
  for (std::size_t k = 0; k < key.size(); ++k) {
    const std::uint32_t scaled = field.canonical(field.times_factor(key[k], scale));
    prepared[k] = field.secret_factor(scaled);
  }
}

void multiply_by_key(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes,
                     std::span<const Factor> prepared_key) {
  CONSILIUM_ENSURE(prepared_key.size() == field.degree &&
                   block.size() == prepared_key.size() * lanes);
  kernels().inverse(field, block.data(), lanes, prepared_key.data());
}

void pack(const PrimeField& field, std::span<const std::uint32_t> residues,
          std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(residues.size() % 8 == 0 && out.size() == packed_size(field, residues.size()));
  kernels().pack(field, residues.data(), residues.size(), out.data());
}

namespace {
auto refuse_if(std::uint32_t too_large) -> Result<void> {
  if (too_large == 0) return {};
  return fail("non_canonical", "packed residues",
              "A residue is not below the modulus; ask for these bytes again.");
}
}  // namespace

auto unpack(const PrimeField& field, BytesView packed, std::span<std::uint32_t> out)
    -> Result<void> {
  CONSILIUM_ENSURE(out.size() % 8 == 0 && packed.size() == packed_size(field, out.size()));
  return refuse_if(kernels().unpack(field, packed.data(), out.size(), out.data()));
}

auto add_packed(const PrimeField& field, BytesView packed, std::span<std::uint32_t> sum)
    -> Result<void> {
  CONSILIUM_ENSURE(sum.size() % 8 == 0 && packed.size() == packed_size(field, sum.size()));
  return refuse_if(kernels().add_packed(field, packed.data(), sum.size(), sum.data()));
}

}  // namespace consilium::sealing
