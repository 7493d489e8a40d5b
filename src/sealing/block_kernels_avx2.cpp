// 8 words a register: half a row of a full block. AVX2, as on servers since Haswell and Zen.

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string_view>
#include <vector>

#include "block_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

namespace consilium::sealing {
namespace {

struct Wide {
  using Word = __m256i;
  static constexpr std::size_t width = 8;
  static constexpr int stages_a_pass = 3;
  /// Never: stores of part of a register take longer than the stage-by-stage way.
  static constexpr std::uint32_t lanes_in_part = lanes_max;

  static auto all(std::uint32_t value) -> Word {
    return _mm256_set1_epi32(static_cast<int>(value));
  }
  static auto load_bytes(const void* from) -> Word {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  static auto load(const std::uint32_t* from) -> Word { return load_bytes(from); }
  static void store(void* to, Word value) { _mm256_storeu_si256(static_cast<__m256i*>(to), value); }
  /// 8 signed words as 64 bits each.
  static void store_signed(std::int64_t* to, Word value) {
    store(to, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(value)));
    store(to + 4, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(value, 1)));
  }
  static auto add(Word a, Word b) -> Word { return _mm256_add_epi32(a, b); }
  static auto sub(Word a, Word b) -> Word { return _mm256_sub_epi32(a, b); }
  static auto min(Word a, Word b) -> Word { return _mm256_min_epu32(a, b); }
  static auto either(Word a, Word b) -> Word { return _mm256_or_si256(a, b); }
  static auto low_product(Word a, Word b) -> Word { return _mm256_mullo_epi32(a, b); }
  static auto product_even(Word a, Word b) -> Word { return _mm256_mul_epu32(a, b); }
  static auto odd_down(Word a) -> Word { return _mm256_srli_epi64(a, 32); }
  static auto high_of_products(Word even, Word odd) -> Word {
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  }
  static auto any_sign(Word a) -> std::uint32_t {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(a)));
  }

  /// Each half of the register gives 15 (30 bits) or 12 bytes; a store writes 16, and the next one
  /// overwrites the surplus.
  static void pack(int bits, Word value, std::uint8_t* out, bool last) {
    Word bytes;
    std::size_t half_size = 15;
    if (bits == 30) {
      const Word low_30 = _mm256_set1_epi64x(0x3fffffff);
      const Word pair = _mm256_or_si256(_mm256_and_si256(low_30, value),
                                        _mm256_andnot_si256(low_30, _mm256_srli_epi64(value, 2)));
      const Word moved = _mm256_sllv_epi64(pair, _mm256_set_epi64x(4, 0, 4, 0));
      const Word body = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, -1, 0,
                                         1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, -1);
      const Word seam =
          _mm256_setr_epi8(-1, -1, -1, -1, -1, -1, -1, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                           -1, -1, -1, -1, -1, 8, -1, -1, -1, -1, -1, -1, -1, -1);
      bytes = _mm256_or_si256(_mm256_shuffle_epi8(moved, body), _mm256_shuffle_epi8(moved, seam));
    } else {
      half_size = 12;
      bytes = _mm256_shuffle_epi8(
          value, _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2,
                                  4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    }
    const __m128i low = _mm256_castsi256_si128(bytes);
    const __m128i high = _mm256_extracti128_si256(bytes, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), low);
    if (!last) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + half_size), high);
      return;
    }
    alignas(16) std::uint8_t end[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(end), high);
    for (std::size_t at = 0; at < half_size; ++at) out[half_size + at] = end[at];
  }
  static auto unpack(int bits, const std::uint8_t* from, bool last) -> Word {
    const std::size_t half_size = bits == 30 ? 15 : 12;
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    __m128i high;
    if (last) {
      alignas(16) std::uint8_t end[16] = {};
      for (std::size_t at = 0; at < half_size; ++at) end[at] = from[half_size + at];
      high = _mm_load_si128(reinterpret_cast<const __m128i*>(end));
    } else {
      high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + half_size));
    }
    const Word raw = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    if (bits == 30) {
      const Word spread = _mm256_shuffle_epi8(
          raw, _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 0, 1, 2, 3, 4,
                                5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14));
      const Word pair = _mm256_srlv_epi64(spread, _mm256_set_epi64x(4, 0, 4, 0));
      return _mm256_or_si256(
          _mm256_and_si256(pair, _mm256_set1_epi64x(0x3fffffff)),
          _mm256_and_si256(_mm256_slli_epi64(pair, 2),
                           _mm256_set1_epi64x(static_cast<long long>(0x3fffffff00000000U))));
    }
    return _mm256_shuffle_epi8(
        raw, _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1, 3,
                              4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  }

  /// Bit sums of bytes: the shuffle looks both halves of a byte up inside a register, in the same
  /// time whatever they are.
  static auto ones_of_bytes(Word bytes) -> Word {
    const Word counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2,
                                         1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const Word nibble = _mm256_set1_epi8(15);
    return _mm256_add_epi8(
        _mm256_shuffle_epi8(counts, _mm256_and_si256(bytes, nibble)),
        _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
  }
  static auto errors_16_bit(const std::uint8_t* errors) -> __m128i {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(errors));
    const __m128i counts = _mm256_castsi256_si128(ones_of_bytes(_mm256_castsi128_si256(raw)));
    return _mm_maddubs_epi16(counts, _mm_set1_epi16(static_cast<short>(0xff01)));
  }
  static auto errors_of_8(const std::uint8_t* errors) -> Word {
    return _mm256_cvtepi16_epi32(errors_16_bit(errors));
  }
  static auto errors_of_8_shifted(const std::uint8_t* errors) -> Word {
    return _mm256_slli_epi32(_mm256_cvtepu16_epi32(errors_16_bit(errors)), 16);
  }
  static auto errors_of_16(const std::uint8_t* errors) -> Word {
    const Word counts =
        _mm256_maddubs_epi16(ones_of_bytes(load_bytes(errors)), _mm256_set1_epi8(1));
    return _mm256_madd_epi16(counts, all(0xffff0001U));
  }
  static auto take_low_half(Word x, Word e) -> Word { return _mm256_blend_epi16(e, x, 0x55); }
  static auto multiply_add_halves(Word a, Word b) -> Word { return _mm256_madd_epi16(a, b); }

  static auto accept(const PrimeField& field, const std::uint8_t* raw, std::size_t words,
                     std::uint32_t* out, std::size_t room) -> Accepted {
    const Word q = all(field.q);
    const Word mask = all(field.word_mask);
    Accepted done;
    while (done.read + width <= words && done.written + width <= room) {
      const Word word = _mm256_and_si256(load_bytes(raw + 4 * done.read), mask);
      if (any_sign(_mm256_cmpgt_epi32(q, word)) == 0xff) {
        store(out + done.written, word);
        done.read += width;
        done.written += width;
        continue;
      }
      const Accepted some = kernels_scalar.accept(field, raw + 4 * done.read, width,
                                                  out + done.written, room - done.written);
      done.read += some.read;
      done.written += some.written;
    }
    const Accepted rest = kernels_scalar.accept(field, raw + 4 * done.read, words - done.read,
                                                out + done.written, room - done.written);
    return {done.read + rest.read, done.written + rest.written};
  }

  struct Residuals {
    Word value_max, largest, squares_even, squares_odd;
    Residuals() { value_max = largest = squares_even = squares_odd = all(0); }
    auto round(Word residue, std::uint32_t q, std::int32_t delta, float reciprocal) -> Word {
      const Word above_half = _mm256_cmpgt_epi32(residue, all((q - 1U) / 2U));
      const Word centred = sub(residue, _mm256_and_si256(above_half, all(q)));
      const Word scale = _mm256_set1_epi32(delta);
      Word value = _mm256_cvttps_epi32(
          _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(reciprocal)));
      Word rest = sub(centred, low_product(value, scale));
      // Comparisons give −1 where they hold.
      const Word above = _mm256_cmpgt_epi32(add(rest, rest), sub(scale, all(1)));
      value = sub(value, above);
      rest = sub(rest, _mm256_and_si256(above, scale));
      const Word below = _mm256_cmpgt_epi32(sub(all(0), scale), add(rest, rest));
      value = add(value, below);
      rest = add(rest, _mm256_and_si256(below, scale));
      const Word size = _mm256_abs_epi32(rest);
      largest = _mm256_max_epi32(largest, size);
      value_max = _mm256_max_epi32(value_max, _mm256_abs_epi32(value));
      squares_even = _mm256_add_epi64(squares_even, product_even(size, size));
      const Word odd = odd_down(size);
      squares_odd = _mm256_add_epi64(squares_odd, product_even(odd, odd));
      return value;
    }
    void finish(OpenedBlock& opened, std::size_t lane) const {
      alignas(32) std::uint32_t sizes[width];
      alignas(32) std::uint32_t values[width];
      alignas(32) std::uint64_t even[width / 2];
      alignas(32) std::uint64_t odd[width / 2];
      store(sizes, largest);
      store(values, value_max);
      store(even, squares_even);
      store(odd, squares_odd);
      for (std::size_t at = 0; at < width; ++at) {
        const std::int64_t size = sizes[at];
        if (size > opened.largest[lane + at]) opened.largest[lane + at] = size;
        opened.squares[lane + at] += at % 2 == 0 ? even[at / 2] : odd[at / 2];
        const std::int64_t value = values[at];
        if (value > opened.value_max) opened.value_max = value;
      }
    }
  };

  struct ProductSum {
    Word lows, highs;
    ProductSum() { lows = highs = all(0); }
    void add(Word a, Word b) {
      const Word mask = _mm256_set1_epi64x(0xffffffff);
      const Word even = product_even(a, b);
      const Word odd = product_even(odd_down(a), odd_down(b));
      lows = _mm256_add_epi64(lows, _mm256_and_si256(even, mask));
      lows = _mm256_add_epi64(lows, _mm256_and_si256(odd, mask));
      highs = _mm256_add_epi64(highs, odd_down(even));
      highs = _mm256_add_epi64(highs, odd_down(odd));
    }
    static auto total(Word words) -> std::uint64_t {
      alignas(32) std::uint64_t out[4];
      store(out, words);
      return out[0] + out[1] + out[2] + out[3];
    }
    [[nodiscard]] auto low() const -> std::uint64_t { return total(lows); }
    [[nodiscard]] auto high() const -> std::uint64_t { return total(highs); }
  };

  static auto round_half(__m128 in, __m128i chance, const Rounding& rounding) -> __m128i {
    const __m256d clip = _mm256_set1_pd(rounding.clip);
    const __m256d negative = _mm256_set1_pd(-rounding.clip);
    const __m256d kept = _mm256_max_pd(negative, _mm256_min_pd(clip, _mm256_cvtps_pd(in)));
    // The fixed-point number of the reference in two parts, each exact: its whole part, and its
    // fraction in units of 2⁻³², which added to 2⁵² is the low half of a double.
    const __m256d fixed =
        _mm256_floor_pd(_mm256_mul_pd(kept, _mm256_set1_pd(rounding.units * 0x1p32)));
    const __m256d whole = _mm256_floor_pd(_mm256_mul_pd(fixed, _mm256_set1_pd(0x1p-32)));
    const __m256d fraction = _mm256_sub_pd(fixed, _mm256_mul_pd(whole, _mm256_set1_pd(0x1p32)));
    const __m256i low = _mm256_castpd_si256(_mm256_add_pd(fraction, _mm256_set1_pd(0x1p52)));
    const __m256i sum = _mm256_add_epi64(_mm256_and_si256(low, _mm256_set1_epi64x(0xffffffff)),
                                         _mm256_cvtepu32_epi64(chance));
    // The carries, four words of 64 bits, to four of 32.
    const __m256i carries = _mm256_permutevar8x32_epi32(_mm256_srli_epi64(sum, 32),
                                                        _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    return _mm_add_epi32(_mm256_cvtpd_epi32(whole), _mm256_castsi256_si128(carries));
  }
  static void round_floats(const float* in, const std::uint8_t* chance, const Rounding& rounding,
                           std::int32_t* out) {
    const auto* const words = reinterpret_cast<const __m128i*>(chance);
    const __m128i low = round_half(_mm_loadu_ps(in), _mm_loadu_si128(words), rounding);
    const __m128i high = round_half(_mm_loadu_ps(in + 4), _mm_loadu_si128(words + 1), rounding);
    Word both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    both = _mm256_max_epi32(_mm256_set1_epi32(-rounding.value_max),
                            _mm256_min_epi32(_mm256_set1_epi32(rounding.value_max), both));
    store(out, both);
  }
  static auto count_above(const float* in, float limit, std::uint32_t& not_finite)
      -> std::uint64_t {
    const Word bits = _mm256_and_si256(load_bytes(in), all(0x7fffffffU));
    not_finite |= static_cast<std::uint32_t>(any_sign(_mm256_cmpgt_epi32(bits, all(0x7f7fffffU))));
    const Word above = _mm256_cmpgt_epi32(bits, all(std::bit_cast<std::uint32_t>(limit)));
    return static_cast<std::uint64_t>(std::popcount(any_sign(above)));
  }
};

#include "block_kernels_wide.hpp"

}  // namespace

const Kernels kernels_avx2{.isa = Isa::avx2,
                           .inverse = inverse,
                           .accept = Wide::accept,
                           .add_and_pack = add_and_pack,
                           .pack = pack_residues,
                           .unpack = unpack_residues,
                           .add_packed = add_packed_residues,
                           .unmask = unmask,
                           .subtract = subtract,
                           .open_centred = open_centred,
                           // AVX2 has no conversion between doubles and 64-bit integers.
                           .open_two_primes = kernels_scalar.open_two_primes,
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
