#include "block_kernels.hpp"

namespace consilium::sealing {

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

void inverse_transform_unscaled(const PrimeField& field, std::span<std::uint32_t> block,
                                std::uint32_t lanes) {
  const std::size_t degree = field.degree;
  CONSILIUM_ENSURE(block.size() == degree * lanes);
  const std::uint32_t two_q = field.two_q;
  for (std::size_t groups = degree / 2, half = 1; groups >= 1; groups /= 2, half *= 2) {
    for (std::size_t group = 0; group < groups; ++group) {
      const Factor w = field.inverse[groups + group];
      std::uint32_t* const low = block.data() + 2 * group * half * lanes;
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

void inverse_transform(const PrimeField& field, std::span<std::uint32_t> block,
                       std::uint32_t lanes) {
  inverse_transform_unscaled(field, block, lanes);
  const Factor scale = field.factor(field.degree_inverse);
  for (std::uint32_t& value : block) value = field.canonical(field.times_factor(value, scale));
}

void prepare_key(const PrimeField& field, std::span<const std::uint32_t> key,
                 std::span<std::uint32_t> prepared) {
  CONSILIUM_ENSURE(key.size() == prepared.size());
  const Factor scale = field.factor(field.degree_inverse);
  for (std::size_t k = 0; k < key.size(); ++k) {
    prepared[k] = field.to_montgomery(field.canonical(field.times_factor(key[k], scale)));
  }
}

void multiply_by_key(const PrimeField& field, std::span<std::uint32_t> block, std::uint32_t lanes,
                     std::span<const std::uint32_t> prepared_key) {
  CONSILIUM_ENSURE(block.size() == prepared_key.size() * lanes);
  std::uint32_t* row = block.data();
  for (const std::uint32_t factor : prepared_key) {
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      row[lane] = field.times_lazy(row[lane], factor);
    }
    row += lanes;
  }
  inverse_transform_unscaled(field, block, lanes);
}

void add_signed(const PrimeField& field, std::span<std::uint32_t> block,
                std::span<const std::int64_t> addend) {
  CONSILIUM_ENSURE(block.size() == addend.size());
  for (std::size_t at = 0; at < block.size(); ++at) {
    block[at] = field.add(field.canonical(block[at]), field.residue_of_signed(addend[at]));
  }
}

void accumulate(const PrimeField& field, std::span<std::uint32_t> sum,
                std::span<const std::uint32_t> other) {
  CONSILIUM_ENSURE(sum.size() == other.size());
  for (std::size_t at = 0; at < sum.size(); ++at) sum[at] = field.add(sum[at], other[at]);
}

void pack(const PrimeField& field, std::span<const std::uint32_t> residues,
          std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(out.size() == packed_size(field, residues.size()));
  std::uint64_t held = 0;
  int held_bits = 0;
  std::size_t at = 0;
  for (const std::uint32_t residue : residues) {
    held |= std::uint64_t{residue} << held_bits;
    held_bits += field.bits;
    while (held_bits >= 8) {
      out[at++] = static_cast<std::uint8_t>(held);
      held >>= 8U;
      held_bits -= 8;
    }
  }
  CONSILIUM_ENSURE(held_bits == 0);
}

auto unpack(const PrimeField& field, BytesView packed, std::span<std::uint32_t> out)
    -> Result<void> {
  CONSILIUM_ENSURE(packed.size() == packed_size(field, out.size()));
  std::uint64_t held = 0;
  int held_bits = 0;
  std::size_t at = 0;
  std::uint32_t too_large = 0;
  for (std::uint32_t& residue : out) {
    while (held_bits < field.bits) {
      held |= std::uint64_t{packed[at++]} << held_bits;
      held_bits += 8;
    }
    residue = static_cast<std::uint32_t>(held) & field.word_mask;
    held >>= field.bits;
    held_bits -= field.bits;
    // The sign bit of q − 1 − residue: one for residue ≥ q. One decision for the whole, made at the
    // end.
    too_large |= (field.q - 1U - residue) >> 31U;
  }
  if (too_large != 0) {
    return fail("non_canonical", "packed residues",
                "A residue is not below the modulus; ask for these bytes again.");
  }
  return {};
}

void errors_from_bytes(int eta, BytesView stream, std::span<std::int64_t> errors) {
  CONSILIUM_ENSURE(eta == 8 || eta == 16);
  const auto half = static_cast<std::size_t>(eta) / 8;
  CONSILIUM_ENSURE(stream.size() == errors.size() * half * 2);
  // Bit sums by arithmetic: std::popcount may become a table look-up, whose index would be the
  // secret.
  const auto ones = [](std::uint32_t bits) {
    bits = bits - ((bits >> 1U) & 0x5555U);
    bits = (bits & 0x3333U) + ((bits >> 2U) & 0x3333U);
    bits = (bits + (bits >> 4U)) & 0x0f0fU;
    return static_cast<std::int64_t>((bits + (bits >> 8U)) & 0x1fU);
  };
  const std::uint8_t* from = stream.data();
  for (std::int64_t& error : errors) {
    std::uint32_t plus = 0;
    std::uint32_t minus = 0;
    for (std::size_t byte = 0; byte < half; ++byte) {
      plus |= std::uint32_t{from[byte]} << (8 * byte);
      minus |= std::uint32_t{from[half + byte]} << (8 * byte);
    }
    error = ones(plus) - ones(minus);
    from += 2 * half;
  }
}

}  // namespace consilium::sealing
