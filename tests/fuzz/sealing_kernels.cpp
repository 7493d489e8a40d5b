// Every kernel on every path this machine has, against the scalar reference: the same bytes for
// whatever input the contract allows. The input's first bytes choose kernel, prime, lanes and
// sizes; the rest are the words, repeated with a twist where more are needed.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/random.hpp"

#include "block_kernels.hpp"
#include "fuzz.hpp"

namespace consilium::fuzz {
namespace {

using sealing::Accepted;
using sealing::Factor;
using sealing::Isa;
using sealing::Kernels;
using sealing::kernels_of;
using sealing::kernels_scalar;
using sealing::lanes_max;
using sealing::OpenedBlock;
using sealing::packed_size;
using sealing::PrimeField;
using sealing::PrimePair;
using sealing::Scale;
using sealing::Suite;
using Words = std::vector<std::uint32_t>;

constexpr std::size_t kernels_in_all = 13;

struct Choice {
  Suite suite;
  const PrimeField* field;
  std::uint32_t lanes;
  std::size_t count;  ///< of what is not a whole block; a multiple of 8
  std::uint32_t hospitals;
};

/// The input's own words first, then a stream that follows from it.
class Source {
 public:
  explicit Source(BytesView input) : rest_(input), more_(sha256(input).view(), "kernels") {}
  auto word() -> std::uint32_t {
    if (rest_.size() < 4) return more_.u32();
    std::uint32_t word = 0;
    std::memcpy(&word, rest_.data(), 4);
    rest_ = rest_.subspan(4);
    return word;
  }
  /// Below `bound`; the ends are common.
  auto below(std::uint32_t bound) -> std::uint32_t {
    const std::uint32_t raw = word();
    switch (raw >> 29U) {
      case 0:
        return 0;
      case 1:
        return bound - 1;
      case 2:
        return raw % std::min(bound, 4U);
      default:
        return raw % bound;
    }
  }
  auto words(std::size_t count, std::uint32_t bound) -> Words {
    Words out(count);
    for (std::uint32_t& each : out) each = below(bound);
    return out;
  }
  auto bytes(std::size_t count) -> Bytes {
    Bytes out(count);
    for (std::uint8_t& each : out) {
      const std::uint32_t raw = word();
      each = static_cast<std::uint8_t>((raw >> 30U) == 0 ? 0U : (raw >> 30U) == 1 ? 255U : raw);
    }
    return out;
  }
  /// Any float but infinities and NaN, small and denormal ones too.
  auto floats(std::size_t count) -> std::vector<float> {
    std::vector<float> out(count);
    for (float& each : out) {
      std::uint32_t bits = word();
      if ((bits & 0x7f800000U) == 0x7f800000U) bits &= 0xbfffffffU;
      if (bits % 4 != 0) bits = (bits & 0x80ffffffU) | 0x3f000000U;  // about the clip
      std::memcpy(&each, &bits, 4);
    }
    return out;
  }

 private:
  BytesView rest_;
  SeededRandom more_;
};

auto other_paths() -> const std::vector<const Kernels*>& {
  static const auto paths = [] {
    std::vector<const Kernels*> out;
    for (const Isa isa : {Isa::avx2, Isa::avx512}) {
      if (kernels_of(isa) != nullptr) out.push_back(kernels_of(isa));
    }
    return out;
  }();
  return paths;
}

/// Runs `call(path)` on the reference and on each other path; all results must be equal.
template <typename Call>
void compare(Call&& call) {
  const auto expected = call(kernels_scalar);
  for (const Kernels* path : other_paths()) CONSILIUM_ENSURE(call(*path) == expected);
}

void try_inverse(const Choice& c, Source& source, bool with_key) {
  const Words block = source.words(std::size_t{c.field->degree} * c.lanes, c.field->two_q);
  std::vector<Factor> key(c.field->degree);
  sealing::prepare_key(*c.field, source.words(c.field->degree, c.field->q), key);
  compare([&](const Kernels& path) {
    Words out = block;
    path.inverse(*c.field, out.data(), c.lanes, with_key ? key.data() : nullptr);
    for (const std::uint32_t word : out) CONSILIUM_ENSURE(word < c.field->two_q);
    return out;
  });
}

void try_accept(const Choice& c, Source& source) {
  Bytes raw;
  for (std::size_t at = 0; at < c.count; ++at) {
    // About the modulus, so that refusals are common.
    const std::uint32_t word = source.word();
    const std::uint32_t put = word % 3 == 0   ? c.field->q + (word >> 28U) - 8U
                              : word % 3 == 1 ? word
                                              : 0xffffffffU;
    for (unsigned byte = 0; byte < 4; ++byte) {
      raw.push_back(static_cast<std::uint8_t>(put >> (8 * byte)));
    }
  }
  const std::size_t room = source.below(static_cast<std::uint32_t>(c.count) + 2);
  compare([&](const Kernels& path) {
    Words out(room + 1, 7);
    const Accepted done = path.accept(*c.field, raw.data(), c.count, out.data(), room);
    CONSILIUM_ENSURE(out[room] == 7 && done.written <= room && done.read <= c.count);
    out.resize(done.written);
    for (const std::uint32_t word : out) CONSILIUM_ENSURE(word < c.field->q);
    return std::pair(done.read, out);
  });
}

void try_add_and_pack(const Choice& c, Source& source) {
  const Scale scale = *sealing::scale_of(c.suite, c.hospitals);
  const int eta = sealing::parameters_of(c.suite).error_eta;
  const Words block = source.words(c.count, c.field->two_q);
  std::vector<std::int32_t> values(c.count);
  for (std::int32_t& value : values) {
    value = static_cast<std::int32_t>(
                source.below(static_cast<std::uint32_t>(2 * scale.value_max + 1))) -
            static_cast<std::int32_t>(scale.value_max);
  }
  const Bytes errors = source.bytes(sealing::error_bytes(eta, c.count));
  compare([&](const Kernels& path) {
    Bytes out(packed_size(*c.field, c.count) + 1, 0xa5);
    path.add_and_pack(*c.field, block.data(), c.count,
                      {values.data(), errors.data(), eta, scale.delta}, out.data());
    CONSILIUM_ENSURE(out.back() == 0xa5);
    return out;
  });
}

void try_pack(const Choice& c, Source& source) {
  const Words residues = source.words(c.count, c.field->q);
  compare([&](const Kernels& path) {
    Bytes out(packed_size(*c.field, c.count) + 1, 0xa5);
    path.pack(*c.field, residues.data(), c.count, out.data());
    CONSILIUM_ENSURE(out.back() == 0xa5);
    return out;
  });
}

void try_unpack(const Choice& c, Source& source, bool adding) {
  const Bytes packed = source.bytes(packed_size(*c.field, c.count));
  const Words sum = source.words(c.count, c.field->q);
  compare([&](const Kernels& path) {
    Words out = adding ? sum : Words(c.count);
    const std::uint32_t refused =
        adding ? path.add_packed(*c.field, packed.data(), c.count, out.data())
               : path.unpack(*c.field, packed.data(), c.count, out.data());
    // What a refused piece was added to is of no use, and need not be equal.
    if (adding && refused != 0) out.clear();
    return std::pair(refused != 0, out);
  });
}

void try_subtract(const Choice& c, Source& source) {
  const Words masked = source.words(c.count, c.field->two_q);
  const Words sum = source.words(c.count, c.field->q);
  compare([&](const Kernels& path) {
    Words out = sum;
    path.subtract(*c.field, masked.data(), c.count, out.data());
    return out;
  });
}

void try_open_centred(const Choice& c, Source& source) {
  const PrimeField& field = sealing::fields_of(Suite::s30)[0];
  const auto delta =
      static_cast<std::int32_t>(sealing::scale_of(Suite::s30, 1 + c.hospitals % 64)->delta);
  const Words residues = source.words(std::size_t{field.degree} * c.lanes, field.q);
  compare([&](const Kernels& path) {
    std::vector<std::int64_t> values(residues.size());
    OpenedBlock opened;
    path.open_centred(field, residues.data(), field.degree, c.lanes, delta, values.data(), opened);
    return std::tuple(values, opened.value_max, opened.largest, opened.squares);
  });
}

void try_open_two_primes(const Choice& c, Source& source) {
  const Suite suite = c.suite == Suite::s30 ? Suite::l60 : c.suite;
  const PrimeField& first = sealing::fields_of(suite)[0];
  const PrimeField& second = sealing::fields_of(suite)[1];
  const PrimePair pair{&first, &second, second.factor(second.inverse_of(first.q % second.q)),
                       std::int64_t{first.q} * second.q};
  const std::int64_t delta = sealing::scale_of(suite, c.hospitals)->delta;
  const Words low = source.words(std::size_t{first.degree} * c.lanes, first.q);
  const Words high = source.words(low.size(), second.q);
  compare([&](const Kernels& path) {
    std::vector<std::int64_t> values(low.size());
    OpenedBlock opened;
    path.open_two_primes(pair, low.data(), high.data(), first.degree, c.lanes, delta, values.data(),
                         opened);
    return std::tuple(values, opened.value_max, opened.largest, opened.squares);
  });
}

void try_horner(const Choice& c, Source& source) {
  const std::size_t terms = 1 + source.below(9);
  const std::size_t stride = c.count + source.below(4);
  const Words coefficients = source.words(terms * stride, c.field->q);
  const Factor x = c.field->factor(source.below(65));
  compare([&](const Kernels& path) {
    Words out(c.count);
    path.horner(*c.field, coefficients.data(), terms, stride, x, c.count, out.data());
    return out;
  });
}

void try_inner_product(const Choice& c, Source& source) {
  const std::size_t count = c.count + c.lanes;  // of any length
  const Words row = source.words(count, c.field->q);
  const Words words = source.words(count, c.field->q);
  compare([&](const Kernels& path) {
    return path.inner_product(*c.field, row.data(), words.data(), count);
  });
}

void try_floats(const Choice& c, Source& source, bool rounding) {
  const std::size_t count = c.count + c.lanes;
  const std::vector<float> values = source.floats(count);
  const Bytes chance = source.bytes(4 * count);
  const double clip =
      std::ldexp(1.0 + source.below(1000) / 1000.0, -static_cast<int>(source.below(12)));
  const auto value_max = static_cast<std::int32_t>(1 + source.below((1U << 23U) - 1U));
  compare([&](const Kernels& path) {
    std::vector<std::int32_t> out(count);
    bool finite = true;
    std::uint64_t above = 0;
    if (rounding) {
      path.round_floats(values.data(), count, chance.data(), {clip, value_max / clip, value_max},
                        out.data());
    } else {
      above = path.scan_floats(values.data(), count, clip, finite);
    }
    return std::tuple(out, above, finite);
  });
}

}  // namespace

auto try_input(BytesView input) -> bool {
  if (input.size() < 8) return false;
  constexpr std::array suites{Suite::s30, Suite::l48, Suite::l60};
  Choice c{};
  c.suite = suites[input[1] % suites.size()];
  const auto fields = sealing::fields_of(c.suite);
  c.field = &fields[input[2] % fields.size()];
  c.lanes = 1 + input[3] % lanes_max;
  c.count = std::size_t{8} * (input[4] % 40);
  c.hospitals = 1 + input[5] % 64U;
  Source source(input.subspan(6));
  switch (input[0] % kernels_in_all) {
    case 0:
      try_inverse(c, source, input[5] % 2 == 0);
      break;
    case 1:
      try_accept(c, source);
      break;
    case 2:
      try_add_and_pack(c, source);
      break;
    case 3:
      try_pack(c, source);
      break;
    case 4:
      try_unpack(c, source, false);
      break;
    case 5:
      try_unpack(c, source, true);
      break;
    case 6:
      try_subtract(c, source);
      break;
    case 7:
      try_open_centred(c, source);
      break;
    case 8:
      try_horner(c, source);
      break;
    case 9:
      try_inner_product(c, source);
      break;
    case 10:
      try_floats(c, source, true);
      break;
    case 11:
      try_open_two_primes(c, source);
      break;
    default:
      try_floats(c, source, false);
      break;
  }
  return true;
}

auto seeds() -> std::vector<Bytes> {
  std::vector<Bytes> out;
  for (std::uint8_t kernel = 0; kernel < kernels_in_all; ++kernel) {
    // 16 lanes of the first suite; mutations go to the others.
    Bytes input{kernel, 0, 0, 15, 33, 3};
    for (std::uint32_t at = 0; at < 96; ++at)
      input.push_back(static_cast<std::uint8_t>(at * at * 7U + kernel));
    out.push_back(std::move(input));
  }
  return out;
}

}  // namespace consilium::fuzz
