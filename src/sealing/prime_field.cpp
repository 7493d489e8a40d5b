#include "prime_field.hpp"

#include <bit>

namespace consilium::sealing {
namespace {

auto bit_reversed(std::uint32_t index, int bits) -> std::uint32_t {
  std::uint32_t out = 0;
  for (int bit = 0; bit < bits; ++bit) out |= ((index >> bit) & 1U) << (bits - 1 - bit);
  return out;
}

auto make_field(std::uint32_t q, std::uint32_t root, int bits, std::uint32_t degree) -> PrimeField {
  PrimeField field;
  field.q = q;
  field.two_q = 2 * q;
  field.bits = bits;
  field.word_mask = (1U << bits) - 1U;
  // Newton's iteration doubles the correct low bits: 3 → 6 → 12 → 24 → 48.
  std::uint32_t inverse = q;
  for (int step = 0; step < 4; ++step) inverse *= 2U - q * inverse;
  field.negative_inverse = 0U - inverse;
  const std::uint64_t r = (std::uint64_t{1} << 32U) % q;
  field.r_squared = static_cast<std::uint32_t>(r * r % q);
  field.degree = degree;
  field.degree_inverse = field.inverse_of(degree);

  const int levels = std::countr_zero(degree);
  const std::uint32_t root_inverse = field.inverse_of(root);
  field.forward.resize(degree);
  field.inverse.resize(degree);
  std::uint32_t power = 1;
  std::uint32_t power_inverse = 1;
  for (std::uint32_t exponent = 0; exponent < degree; ++exponent) {
    const std::uint32_t index = bit_reversed(exponent, levels);
    field.forward[index] = field.factor(power);
    field.inverse[index] = field.factor(power_inverse);
    power = field.product(power, root);
    power_inverse = field.product(power_inverse, root_inverse);
  }
  // ψ is a primitive 2N-th root: ψ^N = −1. A wrong table would seal what nobody can open.
  CONSILIUM_ENSURE(power == q - 1 && power_inverse == q - 1);
  return field;
}

auto make_fields(Suite suite) -> std::vector<PrimeField> {
  const SuiteParameters& parameters = parameters_of(suite);
  std::vector<PrimeField> out;
  for (std::size_t prime = 0; prime < parameters.moduli.size(); ++prime) {
    out.push_back(make_field(parameters.moduli[prime], parameters.roots[prime],
                             parameters.residue_bits, parameters.ring_degree));
  }
  return out;
}

}  // namespace

auto PrimeField::power(std::uint32_t base, std::uint32_t exponent) const -> std::uint32_t {
  std::uint32_t out = 1;
  std::uint32_t square = base;
  for (; exponent != 0; exponent >>= 1U) {
    if ((exponent & 1U) != 0) out = product(out, square);
    square = product(square, square);
  }
  return out;
}

auto fields_of(Suite suite) -> std::span<const PrimeField> {
  static const std::vector<PrimeField> s30 = make_fields(Suite::s30);
  static const std::vector<PrimeField> l48 = make_fields(Suite::l48);
  static const std::vector<PrimeField> l60 = make_fields(Suite::l60);
  switch (suite) {
    case Suite::s30:
      return s30;
    case Suite::l48:
      return l48;
    case Suite::l60:
      return l60;
  }
  CONSILIUM_ENSURE(false && "a suite outside the list");
}

}  // namespace consilium::sealing
