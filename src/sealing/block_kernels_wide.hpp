// The kernels once more, over a register of 8 or 16 words. Included by block_kernels_avx2.cpp and
// block_kernels_avx512.cpp after each has told the compiler which instructions it may use and has
// defined the register type `Wide` (width, load, store, …); no include guard, no includes of its
// own: code that this header pulled in would be compiled for the wide machine and could be linked
// into the scalar path.

/// Words per row that one register holds; a row of a full block is 16 words.
constexpr std::size_t parts = lanes_max / Wide::width;

/// a·f mod q in [0, 2q), one factor for all words (PrimeField::times_factor).
inline auto times_uniform(Wide::Word a, Factor f, Wide::Word q) -> Wide::Word {
  const auto quotient = Wide::all(f.quotient);
  const auto estimate = Wide::high_of_products(Wide::product_even(a, quotient),
                                               Wide::product_even(Wide::odd_down(a), quotient));
  return Wide::sub(Wide::low_product(a, Wide::all(f.value)), Wide::low_product(estimate, q));
}

inline auto canonical(Wide::Word a, Wide::Word q) -> Wide::Word {
  return Wide::min(a, Wide::sub(a, q));
}

/// The stages that reach from half0 to half0·2^(S−1) rows, on 2^S rows held in registers.
template <int S, bool with_key>
inline void pass(const PrimeField& field, std::uint32_t* block, std::size_t half0,
                 const Factor* key) {
  constexpr std::size_t rows = std::size_t{1} << S;
  const auto q = Wide::all(field.q);
  const auto two_q = Wide::all(field.two_q);
  const std::size_t pieces = field.degree / (half0 * rows);
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const Factor* twiddles[S];
    for (int s = 0; s < S; ++s) {
      const std::size_t groups = field.degree / ((half0 << static_cast<unsigned>(s)) * 2);
      twiddles[s] = field.inverse.data() + groups + (piece << static_cast<unsigned>(S - 1 - s));
    }
    for (std::size_t j = 0; j < half0; ++j) {
      const std::size_t first_row = piece * half0 * rows + j;
      for (std::size_t part = 0; part < parts; ++part) {
        std::uint32_t* const at = block + first_row * lanes_max + part * Wide::width;
        Wide::Word x[rows];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < rows; ++i) {
          x[i] = Wide::load(at + i * half0 * lanes_max);
          if constexpr (with_key) x[i] = times_uniform(x[i], key[first_row + i * half0], q);
        }
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) {
#pragma GCC unroll 16
          for (std::size_t i = 0; i < rows; ++i) {
            if ((i >> static_cast<unsigned>(s) & 1U) != 0) continue;
            const std::size_t other = i + (std::size_t{1} << static_cast<unsigned>(s));
            const auto u = x[i];
            const auto v = x[other];
            const auto sum = Wide::add(u, v);
            x[i] = Wide::min(sum, Wide::sub(sum, two_q));
            x[other] = times_uniform(Wide::sub(Wide::add(u, two_q), v),
                                     twiddles[s][i >> static_cast<unsigned>(s + 1)], q);
          }
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < rows; ++i) Wide::store(at + i * half0 * lanes_max, x[i]);
      }
    }
  }
}

/// Fewer lanes than a register holds: where a stage's neighbours are far enough apart, whole
/// registers share a factor all the same.
inline void inverse_of_few_lanes(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
                                 const Factor* key) {
  const std::size_t degree = field.degree;
  const std::uint32_t two_q_word = field.two_q;
  const auto q = Wide::all(field.q);
  const auto two_q = Wide::all(field.two_q);
  if (key != nullptr) {
    std::uint32_t* row = block;
    for (std::size_t k = 0; k < degree; ++k, row += lanes) {
      for (std::uint32_t lane = 0; lane < lanes; ++lane) {
        row[lane] = field.times_factor(row[lane], key[k]);
      }
    }
  }
  for (std::size_t groups = degree / 2, half = 1; groups >= 1; groups /= 2, half *= 2) {
    const std::size_t count = half * lanes;
    for (std::size_t group = 0; group < groups; ++group) {
      const Factor w = field.inverse[groups + group];
      std::uint32_t* const low = block + 2 * group * count;
      std::uint32_t* const high = low + count;
      std::size_t at = 0;
      for (; at + Wide::width <= count; at += Wide::width) {
        const auto u = Wide::load(low + at);
        const auto v = Wide::load(high + at);
        const auto sum = Wide::add(u, v);
        Wide::store(low + at, Wide::min(sum, Wide::sub(sum, two_q)));
        Wide::store(high + at, times_uniform(Wide::sub(Wide::add(u, two_q), v), w, q));
      }
      for (; at < count; ++at) {
        const std::uint32_t u = low[at];
        const std::uint32_t v = high[at];
        const std::uint32_t sum = u + v;
        low[at] = sum < sum - two_q_word ? sum : sum - two_q_word;
        high[at] = field.times_factor(u + two_q_word - v, w);
      }
    }
  }
}

inline void inverse(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
                    const Factor* key) {
  if (lanes != lanes_max) {
    inverse_of_few_lanes(field, block, lanes, key);
    return;
  }
  // Stages a pass: as many rows as registers hold. The first pass takes the key along.
  constexpr int stages = Wide::stages_a_pass;
  std::size_t half = 1;
  if (key != nullptr) {
    pass<stages, true>(field, block, half, key);
  } else {
    pass<stages, false>(field, block, half, nullptr);
  }
  half <<= static_cast<unsigned>(stages);
  while (half < field.degree) {
    const std::size_t left = field.degree / half;
    if (left >= (std::size_t{1} << static_cast<unsigned>(stages))) {
      pass<stages, false>(field, block, half, nullptr);
      half <<= static_cast<unsigned>(stages);
    } else if (left == 8) {
      pass<3, false>(field, block, half, nullptr);
      half *= 8;
    } else if (left == 4) {
      pass<2, false>(field, block, half, nullptr);
      half *= 4;
    } else {
      pass<1, false>(field, block, half, nullptr);
      half *= 2;
    }
  }
}

/// Δ·x + e is below 2¹⁵·2¹⁵ in every single-prime suite: one multiply-add of halves makes it.
inline void add_and_pack_small(const PrimeField& field, const std::uint32_t* block,
                               std::size_t count, const Addend& addend, std::uint8_t* out) {
  const auto q = Wide::all(field.q);
  const auto factors = Wide::all((1U << 16U) | static_cast<std::uint32_t>(addend.delta));
  for (std::size_t at = 0; at < count; at += Wide::width) {
    const auto x = Wide::load(reinterpret_cast<const std::uint32_t*>(addend.values) + at);
    const auto e = Wide::errors_of_8_shifted(addend.errors + 2 * at);
    const auto added = Wide::multiply_add_halves(Wide::take_low_half(x, e), factors);
    auto sum = Wide::add(canonical(Wide::load(block + at), q), added);
    sum = Wide::min(sum, Wide::add(sum, q));
    Wide::pack(field.bits, canonical(sum, q), out, at + Wide::width == count);
    out += Wide::width * static_cast<std::size_t>(field.bits) / 8;
  }
}

inline void add_and_pack(const PrimeField& field, const std::uint32_t* block, std::size_t count,
                         const Addend& addend, std::uint8_t* out) {
  const std::size_t whole = count - count % Wide::width;
  if (addend.eta == 8 && addend.delta < (std::int64_t{1} << 15U)) {
    add_and_pack_small(field, block, whole, addend, out);
  } else {
    const auto q = Wide::all(field.q);
    const Factor delta = field.factor(static_cast<std::uint32_t>(addend.delta % field.q));
    std::uint8_t* to = out;
    for (std::size_t at = 0; at < whole; at += Wide::width) {
      const auto x = Wide::load(reinterpret_cast<const std::uint32_t*>(addend.values) + at);
      const auto message = canonical(times_uniform(Wide::add(x, q), delta, q), q);
      const auto e = addend.eta == 8 ? Wide::errors_of_8(addend.errors + 2 * at)
                                     : Wide::errors_of_16(addend.errors + 4 * at);
      auto sum = canonical(Wide::add(canonical(Wide::load(block + at), q), message), q);
      sum = Wide::add(sum, e);
      sum = Wide::min(sum, Wide::add(sum, q));
      Wide::pack(field.bits, canonical(sum, q), to, at + Wide::width == whole);
      to += Wide::width * static_cast<std::size_t>(field.bits) / 8;
    }
  }
  if (whole == count) return;
  Addend rest = addend;
  rest.values += whole;
  rest.errors += whole * static_cast<std::size_t>(addend.eta) / 4;
  kernels_scalar.add_and_pack(field, block + whole, count - whole, rest,
                              out + packed_size(field, whole));
}

inline void pack_residues(const PrimeField& field, const std::uint32_t* residues, std::size_t count,
                          std::uint8_t* out) {
  const std::size_t whole = count - count % Wide::width;
  for (std::size_t at = 0; at < whole; at += Wide::width) {
    Wide::pack(field.bits, Wide::load(residues + at), out + packed_size(field, at),
               at + Wide::width == whole);
  }
  if (whole == count) return;
  kernels_scalar.pack(field, residues + whole, count - whole, out + packed_size(field, whole));
}

template <bool adds>
inline auto unpack_or_add(const PrimeField& field, const std::uint8_t* packed, std::size_t count,
                          std::uint32_t* out) -> std::uint32_t {
  const std::size_t whole = count - count % Wide::width;
  const auto q = Wide::all(field.q);
  const auto last = Wide::all(field.q - 1U);
  auto too_large = Wide::all(0);
  for (std::size_t at = 0; at < whole; at += Wide::width) {
    const auto residue =
        Wide::unpack(field.bits, packed + packed_size(field, at), at + Wide::width == whole);
    too_large = Wide::either(too_large, Wide::sub(last, residue));
    if constexpr (adds) {
      Wide::store(out + at, canonical(Wide::add(Wide::load(out + at), residue), q));
    } else {
      Wide::store(out + at, residue);
    }
  }
  std::uint32_t wrong = Wide::any_sign(too_large);
  if (whole != count) {
    const auto* const rest = packed + packed_size(field, whole);
    wrong |= adds ? kernels_scalar.add_packed(field, rest, count - whole, out + whole)
                  : kernels_scalar.unpack(field, rest, count - whole, out + whole);
  }
  return wrong;
}

inline auto unpack_residues(const PrimeField& field, const std::uint8_t* packed, std::size_t count,
                            std::uint32_t* out) -> std::uint32_t {
  return unpack_or_add<false>(field, packed, count, out);
}

inline auto add_packed_residues(const PrimeField& field, const std::uint8_t* packed,
                                std::size_t count, std::uint32_t* sum) -> std::uint32_t {
  return unpack_or_add<true>(field, packed, count, sum);
}

inline void subtract(const PrimeField& field, const std::uint32_t* masked, std::size_t count,
                     std::uint32_t* sum) {
  const auto q = Wide::all(field.q);
  std::size_t at = 0;
  for (; at + Wide::width <= count; at += Wide::width) {
    const auto taken = Wide::sub(q, canonical(Wide::load(masked + at), q));
    Wide::store(sum + at, canonical(Wide::add(Wide::load(sum + at), taken), q));
  }
  kernels_scalar.subtract(field, masked + at, count - at, sum + at);
}

inline void open_centred(const PrimeField& field, const std::uint32_t* residues, std::size_t degree,
                         std::uint32_t lanes, std::int32_t delta, std::int32_t* values,
                         OpenedBlock& opened) {
  if (lanes != lanes_max) {
    kernels_scalar.open_centred(field, residues, degree, lanes, delta, values, opened);
    return;
  }
  const float reciprocal = 1.0F / static_cast<float>(delta);
  for (std::size_t part = 0; part < parts; ++part) {
    typename Wide::Residuals seen;
    for (std::size_t k = 0; k < degree; ++k) {
      const std::size_t at = k * lanes_max + part * Wide::width;
      const auto value = seen.round(Wide::load(residues + at), field.q, delta, reciprocal);
      Wide::store(reinterpret_cast<std::uint32_t*>(values) + at, value);
    }
    seen.finish(opened, part * Wide::width);
  }
}

inline void horner(const PrimeField& field, const std::uint32_t* coefficients, std::size_t terms,
                   std::size_t stride, Factor x, std::size_t count, std::uint32_t* words) {
  const auto q = Wide::all(field.q);
  std::size_t k = 0;
  for (; k + Wide::width <= count; k += Wide::width) {
    auto value = Wide::all(0);
    for (std::size_t d = terms; d-- > 0;) {
      value = canonical(times_uniform(value, x, q), q);
      value = canonical(Wide::add(value, Wide::load(coefficients + d * stride + k)), q);
    }
    Wide::store(words + k, value);
  }
  kernels_scalar.horner(field, coefficients + k, terms, stride, x, count - k, words + k);
}

inline auto inner_product(const PrimeField& field, const std::uint32_t* row,
                          const std::uint32_t* words, std::size_t count) -> std::uint32_t {
  typename Wide::ProductSum sum;
  std::size_t k = 0;
  for (; k + Wide::width <= count; k += Wide::width) {
    sum.add(Wide::load(row + k), Wide::load(words + k));
  }
  std::uint64_t low = sum.low();
  std::uint64_t high = sum.high();
  for (; k < count; ++k) {
    const std::uint64_t product = std::uint64_t{row[k]} * words[k];
    low += product & 0xffffffffU;
    high += product >> 32U;
  }
  return field.join_halves(low, high);
}

inline void round_floats(const float* in, std::size_t count, const std::uint8_t* chance,
                         const Rounding& rounding, std::int32_t* out) {
  std::size_t at = 0;
  for (; at + Wide::width <= count; at += Wide::width) {
    Wide::round_floats(in + at, chance + 4 * at, rounding, out + at);
  }
  kernels_scalar.round_floats(in + at, count - at, chance + 4 * at, rounding, out + at);
}

inline auto scan_floats(const float* in, std::size_t count, double clip, bool& finite)
    -> std::uint64_t {
  // |v| > clip exactly when |v| exceeds the largest float that is not above the clip.
  auto limit = static_cast<float>(clip < 3.4e38 ? clip : 3.4028234663852886e38);
  if (static_cast<double>(limit) > clip) {
    limit = std::bit_cast<float>(std::bit_cast<std::uint32_t>(limit) - 1U);  // clip > 0
  }
  std::uint64_t above = 0;
  std::size_t at = 0;
  bool all_finite = true;
  for (; at + Wide::width <= count; at += Wide::width) {
    above += Wide::count_above(in + at, limit, all_finite);
  }
  finite = finite && all_finite;
  return above + kernels_scalar.scan_floats(in + at, count - at, clip, finite);
}
