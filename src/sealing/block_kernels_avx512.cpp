// 16 words a register: one row of a full block. AVX-512 with BW, DQ, VL, VBMI and BITALG, as on
// servers since Ice Lake and Zen 4.

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string_view>
#include <vector>

#include "block_kernels.hpp"

#if defined(__x86_64__)
// g++ 12 takes what its own intrinsics leave undefined on purpose for a mistake (its bug 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(                                                            \
    __attribute__((                                                                      \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bitalg,avx2,bmi"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bitalg,avx2,bmi")
#endif

namespace consilium::sealing {
namespace {

/// Bytes of a 60- or 48-byte group and where each comes from.
struct ByteOrder {
  alignas(64) std::array<std::uint8_t, 64> at{};
};
constexpr auto make_order(int kind) -> ByteOrder {
  ByteOrder order;
  for (std::size_t j = 0; j < 64; ++j) {
    std::size_t from = 0;
    switch (kind) {
      case 0:  // pack 30: group j/15; its bytes 0..7 of the low word, then 1..7 of the high one
        from = j < 60 ? j / 15 * 16 + j % 15 + (j % 15 >= 8 ? 1U : 0U) : 0;
        break;
      case 1:  // pack 30: byte 7 of each group also has the high word's first byte
        from = j < 60 && j % 15 == 7 ? j / 15 * 16 + 8 : 0;
        break;
      case 2:  // pack 24
        from = j < 48 ? j / 3 * 4 + j % 3 : 0;
        break;
      case 3:  // unpack 30: bytes 0..7 and 7..14 of each group of 15
        from = j / 16 * 15 + (j % 16 < 8 ? j % 16 : j % 16 - 1);
        break;
      default:  // unpack 24
        from = j % 4 == 3 ? 0 : j / 4 * 3 + j % 4;
        break;
    }
    order.at[j] = static_cast<std::uint8_t>(from);
  }
  return order;
}
constexpr ByteOrder pack_30 = make_order(0);
constexpr ByteOrder pack_30_seam = make_order(1);
constexpr ByteOrder pack_24 = make_order(2);
constexpr ByteOrder unpack_30 = make_order(3);
constexpr ByteOrder unpack_24 = make_order(4);
constexpr std::uint64_t seam_bytes = (std::uint64_t{1} << 7U) | (std::uint64_t{1} << 22U) |
                                     (std::uint64_t{1} << 37U) | (std::uint64_t{1} << 52U);
constexpr std::uint64_t bytes_60 = (std::uint64_t{1} << 60U) - 1U;
constexpr std::uint64_t bytes_48 = (std::uint64_t{1} << 48U) - 1U;
constexpr std::uint64_t three_of_four = 0x7777777777777777U;

struct Wide {
  using Word = __m512i;
  static constexpr std::size_t width = 16;
  static constexpr int stages_a_pass = 4;
  /// From so many lanes on, rows that fill a register in part are done like whole ones.
  static constexpr std::uint32_t lanes_in_part = 4;

  static auto all(std::uint32_t value) -> Word {
    return _mm512_set1_epi32(static_cast<int>(value));
  }
  static auto load(const std::uint32_t* from) -> Word { return _mm512_loadu_si512(from); }
  static void store(std::uint32_t* to, Word value) { _mm512_storeu_si512(to, value); }
  /// The first words of a register, and nothing beyond them.
  static auto first(std::size_t count) -> __mmask16 {
    return static_cast<__mmask16>((1U << count) - 1U);
  }
  static auto load_part(const std::uint32_t* from, std::size_t count) -> Word {
    return _mm512_maskz_loadu_epi32(first(count), from);
  }
  static void store_part(std::uint32_t* to, Word value, std::size_t count) {
    _mm512_mask_storeu_epi32(to, first(count), value);
  }
  /// 16 signed words as 64 bits each.
  static void store_signed(std::int64_t* to, Word value) {
    _mm512_storeu_si512(to, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(value)));
    _mm512_storeu_si512(to + 8, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(value, 1)));
  }
  static auto add(Word a, Word b) -> Word { return _mm512_add_epi32(a, b); }
  static auto sub(Word a, Word b) -> Word { return _mm512_sub_epi32(a, b); }
  static auto min(Word a, Word b) -> Word { return _mm512_min_epu32(a, b); }
  static auto either(Word a, Word b) -> Word { return _mm512_or_si512(a, b); }
  static auto low_product(Word a, Word b) -> Word { return _mm512_mullo_epi32(a, b); }
  static auto product_even(Word a, Word b) -> Word { return _mm512_mul_epu32(a, b); }
  static auto odd_down(Word a) -> Word { return _mm512_srli_epi64(a, 32); }
  static auto high_of_products(Word even, Word odd) -> Word {
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_CDAB);
  }
  static auto any_sign(Word a) -> std::uint32_t { return _mm512_movepi32_mask(a); }

  static auto load_bytes(const std::uint8_t* from) -> Word { return _mm512_loadu_si512(from); }
  static auto order(const ByteOrder& bytes) -> Word { return _mm512_load_si512(bytes.at.data()); }

  /// Groups overlap by the bytes that do not belong to them; the next group writes these again.
  static void pack(int bits, Word value, std::uint8_t* out, bool last) {
    if (bits == 30) {
      const Word low_30 = _mm512_set1_epi64(0x3fffffff);
      // Two residues in 60 bits: the low one from the word, the high one moved down by two.
      const Word pair = _mm512_ternarylogic_epi64(low_30, value, _mm512_srli_epi64(value, 2), 0xca);
      const Word moved = _mm512_sllv_epi64(pair, _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0));
      const Word bytes =
          _mm512_or_si512(_mm512_permutexvar_epi8(order(pack_30), moved),
                          _mm512_maskz_permutexvar_epi8(seam_bytes, order(pack_30_seam), moved));
      if (last) {
        _mm512_mask_storeu_epi8(out, bytes_60, bytes);
      } else {
        _mm512_storeu_si512(out, bytes);
      }
    } else {
      const Word bytes = _mm512_permutexvar_epi8(order(pack_24), value);
      if (last) {
        _mm512_mask_storeu_epi8(out, bytes_48, bytes);
      } else {
        _mm512_storeu_si512(out, bytes);
      }
    }
  }
  static auto unpack(int bits, const std::uint8_t* from, bool last) -> Word {
    if (bits == 30) {
      const Word raw = last ? _mm512_maskz_loadu_epi8(bytes_60, from) : load_bytes(from);
      const Word pair = _mm512_srlv_epi64(_mm512_permutexvar_epi8(order(unpack_30), raw),
                                          _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0));
      return _mm512_or_si512(
          _mm512_and_si512(pair, _mm512_set1_epi64(0x3fffffff)),
          _mm512_and_si512(_mm512_slli_epi64(pair, 2),
                           _mm512_set1_epi64(static_cast<long long>(0x3fffffff00000000U))));
    }
    const Word raw = last ? _mm512_maskz_loadu_epi8(bytes_48, from) : load_bytes(from);
    return _mm512_maskz_permutexvar_epi8(three_of_four, order(unpack_24), raw);
  }

  /// popcount(low 8) − popcount(high 8) of 16 bits each, as 16 numbers of 16 bits.
  static auto errors_16_bit(const std::uint8_t* errors) -> __m256i {
    const __m256i counts =
        _mm256_popcnt_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(errors)));
    return _mm256_maddubs_epi16(counts, _mm256_set1_epi16(static_cast<short>(0xff01)));
  }
  static auto errors_of_8(const std::uint8_t* errors) -> Word {
    return _mm512_cvtepi16_epi32(errors_16_bit(errors));
  }
  static auto errors_of_8_shifted(const std::uint8_t* errors) -> Word {
    return _mm512_slli_epi32(_mm512_cvtepu16_epi32(errors_16_bit(errors)), 16);
  }
  static auto errors_of_16(const std::uint8_t* errors) -> Word {
    const Word counts = _mm512_popcnt_epi16(load_bytes(errors));
    return _mm512_madd_epi16(counts, _mm512_set1_epi32(static_cast<int>(0xffff0001U)));
  }
  /// The low 16 bits of a word of x beside the high 16 of e.
  static auto take_low_half(Word x, Word e) -> Word {
    return _mm512_mask_blend_epi16(0x55555555U, e, x);
  }
  static auto multiply_add_halves(Word a, Word b) -> Word { return _mm512_madd_epi16(a, b); }

  /// Words below q, packed together.
  static auto accept(const PrimeField& field, const std::uint8_t* raw, std::size_t words,
                     std::uint32_t* out, std::size_t room) -> Accepted {
    const Word q = all(field.q);
    const Word mask = all(field.word_mask);
    Accepted done;
    while (done.read + width <= words && done.written + width <= room) {
      const Word word = _mm512_and_si512(load_bytes(raw + 4 * done.read), mask);
      const __mmask16 good = _mm512_cmplt_epu32_mask(word, q);
      if (good == 0xffff) {
        store(out + done.written, word);
        done.written += width;
      } else {
        store(out + done.written, _mm512_maskz_compress_epi32(good, word));
        done.written += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(good)));
      }
      done.read += width;
    }
    const Accepted rest = kernels_scalar.accept(field, raw + 4 * done.read, words - done.read,
                                                out + done.written, room - done.written);
    return {done.read + rest.read, done.written + rest.written};
  }

  /// Rounds public residues and keeps the size of what is left, lane by lane.
  struct Residuals {
    Word value_max, largest, squares_even, squares_odd;
    Residuals() { value_max = largest = squares_even = squares_odd = all(0); }
    auto round(Word residue, std::uint32_t q, std::int32_t delta, float reciprocal) -> Word {
      const Word half = all((q - 1U) / 2U);
      const Word centred =
          _mm512_mask_sub_epi32(residue, _mm512_cmpgt_epi32_mask(residue, half), residue, all(q));
      const Word scale = _mm512_set1_epi32(delta);
      Word value = _mm512_cvttps_epi32(
          _mm512_mul_ps(_mm512_cvtepi32_ps(centred), _mm512_set1_ps(reciprocal)));
      Word rest = sub(centred, low_product(value, scale));
      const Word one = all(1);
      const __mmask16 above = _mm512_cmpge_epi32_mask(add(rest, rest), scale);
      value = _mm512_mask_add_epi32(value, above, value, one);
      rest = _mm512_mask_sub_epi32(rest, above, rest, scale);
      const __mmask16 below = _mm512_cmplt_epi32_mask(add(rest, rest), sub(all(0), scale));
      value = _mm512_mask_sub_epi32(value, below, value, one);
      rest = _mm512_mask_add_epi32(rest, below, rest, scale);
      const Word size = _mm512_abs_epi32(rest);
      largest = _mm512_max_epi32(largest, size);
      value_max = _mm512_max_epi32(value_max, _mm512_abs_epi32(value));
      squares_even = _mm512_add_epi64(squares_even, product_even(size, size));
      const Word odd = odd_down(size);
      squares_odd = _mm512_add_epi64(squares_odd, product_even(odd, odd));
      return value;
    }
    void finish(OpenedBlock& opened, std::size_t lane) const {
      alignas(64) std::uint32_t sizes[width];
      alignas(64) std::uint64_t even[width / 2];
      alignas(64) std::uint64_t odd[width / 2];
      store(sizes, largest);
      _mm512_store_si512(even, squares_even);
      _mm512_store_si512(odd, squares_odd);
      for (std::size_t at = 0; at < width; ++at) {
        const std::int64_t size = sizes[at];
        if (size > opened.largest[lane + at]) opened.largest[lane + at] = size;
        opened.squares[lane + at] += at % 2 == 0 ? even[at / 2] : odd[at / 2];
      }
      const std::int64_t size = _mm512_reduce_max_epi32(value_max);
      if (size > opened.value_max) opened.value_max = size;
    }
  };

  /// Σ a·b with the halves of the products apart.
  struct ProductSum {
    Word lows, highs;
    ProductSum() { lows = highs = all(0); }
    void add(Word a, Word b) {
      const Word mask = _mm512_set1_epi64(0xffffffff);
      const Word even = product_even(a, b);
      const Word odd = product_even(odd_down(a), odd_down(b));
      lows = _mm512_add_epi64(lows, _mm512_and_si512(even, mask));
      lows = _mm512_add_epi64(lows, _mm512_and_si512(odd, mask));
      highs = _mm512_add_epi64(highs, odd_down(even));
      highs = _mm512_add_epi64(highs, odd_down(odd));
    }
    [[nodiscard]] auto low() const -> std::uint64_t {
      return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(lows));
    }
    [[nodiscard]] auto high() const -> std::uint64_t {
      return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(highs));
    }
  };

  static auto round_half(__m256 in, __m256i chance, const Rounding& rounding) -> __m256i {
    const __m512d clip = _mm512_set1_pd(rounding.clip);
    const __m512d negative = _mm512_set1_pd(-rounding.clip);
    const __m512d kept = _mm512_max_pd(negative, _mm512_min_pd(clip, _mm512_cvtps_pd(in)));
    const __m512d scaled = _mm512_mul_pd(kept, _mm512_set1_pd(rounding.units * 0x1p32));
    const __m512i fixed =
        _mm512_cvt_roundpd_epi64(scaled, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return _mm512_cvtepi64_epi32(
        _mm512_srai_epi64(_mm512_add_epi64(fixed, _mm512_cvtepu32_epi64(chance)), 32));
  }
  static void round_floats(const float* in, const std::uint8_t* chance, const Rounding& rounding,
                           std::int32_t* out) {
    const auto* const words = reinterpret_cast<const __m256i*>(chance);
    const __m256i low = round_half(_mm256_loadu_ps(in), _mm256_loadu_si256(words), rounding);
    const __m256i high =
        round_half(_mm256_loadu_ps(in + 8), _mm256_loadu_si256(words + 1), rounding);
    Word both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    both = _mm512_max_epi32(_mm512_set1_epi32(-rounding.value_max),
                            _mm512_min_epi32(_mm512_set1_epi32(rounding.value_max), both));
    _mm512_storeu_si512(out, both);
  }
  static auto count_above(const float* in, float limit, std::uint32_t& not_finite)
      -> std::uint64_t {
    const Word bits = _mm512_and_si512(_mm512_loadu_si512(in), all(0x7fffffffU));
    not_finite |= std::uint32_t{_mm512_cmpge_epu32_mask(bits, all(0x7f800000U))};
    // Sizes of floats order like their bits.
    const __mmask16 above = _mm512_cmpgt_epu32_mask(bits, all(std::bit_cast<std::uint32_t>(limit)));
    return static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>(above)));
  }
};

#include "block_kernels_wide.hpp"

/// Every second word of a row as 64 bits: the sums and residuals of its lanes.
struct HalfRow {
  Wide::Word value_max, largest, squares;
  HalfRow() { value_max = largest = squares = _mm512_setzero_si512(); }
  static auto all(std::int64_t value) -> Wide::Word { return _mm512_set1_epi64(value); }
  auto round(Wide::Word lifted, std::int64_t product, std::int64_t delta, double reciprocal)
      -> Wide::Word {
    const Wide::Word centred = _mm512_mask_sub_epi64(
        lifted, _mm512_cmpgt_epi64_mask(lifted, all((product - 1) / 2)), lifted, all(product));
    const Wide::Word scale = all(delta);
    const Wide::Word one = all(1);
    Wide::Word value =
        _mm512_cvttpd_epi64(_mm512_mul_pd(_mm512_cvtepi64_pd(centred), _mm512_set1_pd(reciprocal)));
    Wide::Word rest = _mm512_sub_epi64(centred, _mm512_mullo_epi64(value, scale));
    const __mmask8 above = _mm512_cmpge_epi64_mask(_mm512_add_epi64(rest, rest), scale);
    value = _mm512_mask_add_epi64(value, above, value, one);
    rest = _mm512_mask_sub_epi64(rest, above, rest, scale);
    const __mmask8 below =
        _mm512_cmplt_epi64_mask(_mm512_add_epi64(rest, rest), _mm512_sub_epi64(all(0), scale));
    value = _mm512_mask_sub_epi64(value, below, value, one);
    rest = _mm512_mask_add_epi64(rest, below, rest, scale);
    const Wide::Word size = _mm512_abs_epi64(rest);
    const Wide::Word counted = _mm512_min_epi64(size, all(residual_counted_max));
    largest = _mm512_max_epi64(largest, size);
    squares = _mm512_add_epi64(squares, _mm512_mul_epu32(counted, counted));
    value_max = _mm512_max_epi64(value_max, _mm512_abs_epi64(value));
    return value;
  }
  void finish(OpenedBlock& opened, std::size_t first_lane) const {
    alignas(64) std::int64_t sizes[8];
    alignas(64) std::uint64_t sums[8];
    _mm512_store_si512(sizes, largest);
    _mm512_store_si512(sums, squares);
    for (std::size_t at = 0; at < 8; ++at) {
      const std::size_t lane = first_lane + 2 * at;
      if (sizes[at] > opened.largest[lane]) opened.largest[lane] = sizes[at];
      opened.squares[lane] += sums[at];
    }
    const std::int64_t size = _mm512_reduce_max_epi64(value_max);
    if (size > opened.value_max) opened.value_max = size;
  }
};

void open_two_primes(const PrimePair& primes, const std::uint32_t* first,
                     const std::uint32_t* second, std::size_t degree, std::uint32_t lanes,
                     std::int64_t delta, std::int64_t* values, OpenedBlock& opened) {
  if (lanes != lanes_max) {
    kernels_scalar.open_two_primes(primes, first, second, degree, lanes, delta, values, opened);
    return;
  }
  const auto q_1 = Wide::all(primes.first->q);
  const auto q_2 = Wide::all(primes.second->q);
  const double reciprocal = 1.0 / static_cast<double>(delta);
  const __m512i low_half = _mm512_set1_epi64(0xffffffff);
  const __m512i first_eight = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i last_eight = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  HalfRow even;
  HalfRow odd;
  for (std::size_t at = 0; at < degree * lanes_max; at += lanes_max) {
    const auto low = Wide::load(first + at);
    const auto difference =
        canonical(Wide::sub(Wide::add(Wide::load(second + at), q_2), canonical(low, q_2)), q_2);
    const auto high = canonical(times_uniform(difference, primes.first_inverse, q_2), q_2);
    const auto even_values =
        even.round(_mm512_add_epi64(_mm512_and_si512(low, low_half), Wide::product_even(high, q_1)),
                   primes.product, delta, reciprocal);
    const auto odd_values = odd.round(
        _mm512_add_epi64(Wide::odd_down(low), Wide::product_even(Wide::odd_down(high), q_1)),
        primes.product, delta, reciprocal);
    _mm512_storeu_si512(values + at,
                        _mm512_permutex2var_epi64(even_values, first_eight, odd_values));
    _mm512_storeu_si512(values + at + 8,
                        _mm512_permutex2var_epi64(even_values, last_eight, odd_values));
  }
  even.finish(opened, 0);
  odd.finish(opened, 1);
}

}  // namespace

const Kernels kernels_avx512{.isa = Isa::avx512,
                             .inverse = inverse,
                             .accept = Wide::accept,
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

}  // namespace consilium::sealing

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
