// The kernels once more, over a register of 8 or 16 words. Included by block_kernels_avx2.cpp and
// block_kernels_avx512.cpp after each has told the compiler which instructions it may use and has
// defined the register type `Wide` (width, load, store, …); no include guard, no includes of its
// own: code that this header pulled in would be compiled for the wide machine and could be linked
// into the scalar path.

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

/// The stages that reach from half0 to half0·2^(S−1) rows, on 2^S rows held in registers. With
/// `whole`, rows are 16 lanes; else registers are filled in part.
template <int S, bool with_key, bool whole, typename Put, typename Register = Wide>
inline void pass(const PrimeField& field, std::uint32_t* block, std::size_t lanes,
                 std::size_t half0, const Factor* key, const Put& put) {
  constexpr std::size_t rows = std::size_t{1} << S;
  const std::size_t row_size = whole ? std::size_t{lanes_max} : lanes;
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
      for (std::size_t lane = 0; lane < row_size; lane += Wide::width) {
        std::uint32_t* const at = block + first_row * row_size + lane;
        Wide::Word x[rows];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < rows; ++i) {
          const std::uint32_t* const from = at + i * half0 * row_size;
          if constexpr (whole) {
            x[i] = Wide::load(from);
          } else {
            x[i] = Register::load_part(from, row_size);
          }
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
        for (std::size_t i = 0; i < rows; ++i) {
          const std::size_t word = (first_row + i * half0) * row_size + lane;
          if constexpr (whole) {
            put(block, word, x[i]);
          } else {
            Register::store_part(block + word, x[i], row_size);
          }
        }
      }
    }
  }
}

/// A pass' results go back to where they came from …
struct ToBlock {
  void operator()(std::uint32_t* block, std::size_t word, Wide::Word value) const {
    Wide::store(block + word, value);
  }
};

/// … or, when a sum is opened, are taken off it.
struct FromSum {
  const PrimeField& field;
  std::uint32_t* sum;
  void operator()(const std::uint32_t*, std::size_t word, Wide::Word value) const {
    const auto q = Wide::all(field.q);
    const auto taken = Wide::sub(q, canonical(value, q));
    Wide::store(sum + word, canonical(Wide::add(Wide::load(sum + word), taken), q));
  }
};

/// Plus Δ·x + e, and packed onto the wire. `ends` the block, whose last store must not touch what
/// follows. (In the transform's last pass instead, with eight rows at once, this took longer.)
template <bool small>
struct ToWire {
  const PrimeField& field;
  const Addend& addend;
  Factor delta;
  std::uint8_t* out;
  ToWire(const PrimeField& of, const Addend& added, std::uint8_t* to)
      : field(of),
        addend(added),
        delta(of.factor(static_cast<std::uint32_t>(added.delta % of.q))),
        out(to) {}
  /// Single-prime suites: Δ·x + e from one multiply-add of halves, as both are below 2¹⁵.
  static auto is_enough(const Addend& addend) -> bool {
    return addend.eta == 8 && addend.delta < (std::int64_t{1} << 15U);
  }
  void put(std::size_t word, Wide::Word value, bool ends) const {
    const auto q = Wide::all(field.q);
    const auto x = Wide::load(reinterpret_cast<const std::uint32_t*>(addend.values) + word);
    auto sum = canonical(value, q);
    if constexpr (small) {
      const auto e = Wide::errors_of_8_shifted(addend.errors + 2 * word);
      const auto factors = Wide::all((1U << 16U) | static_cast<std::uint32_t>(addend.delta));
      sum = Wide::add(sum, Wide::multiply_add_halves(Wide::take_low_half(x, e), factors));
    } else {
      const auto message = canonical(times_uniform(Wide::add(x, q), delta, q), q);
      const auto e = addend.eta == 8 ? Wide::errors_of_8(addend.errors + 2 * word)
                                     : Wide::errors_of_16(addend.errors + 4 * word);
      sum = Wide::add(canonical(Wide::add(sum, message), q), e);
    }
    sum = Wide::min(sum, Wide::add(sum, q));
    Wide::pack(field.bits, canonical(sum, q), out + packed_size(field, word), ends);
  }
};

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

/// All stages, as many a pass as registers hold. The first pass takes the key along, the last one
/// hands its results to `put`.
template <bool whole, typename Put>
inline void passes(const PrimeField& field, std::uint32_t* block, std::size_t lanes,
                   const Factor* key, const Put& put) {
  constexpr int stages = Wide::stages_a_pass;
  constexpr std::size_t reach = std::size_t{1} << static_cast<unsigned>(stages);
  if (key != nullptr) {
    pass<stages, true, whole>(field, block, lanes, 1, key, ToBlock{});
  } else {
    pass<stages, false, whole>(field, block, lanes, 1, nullptr, ToBlock{});
  }
  std::size_t half = reach;
  for (; field.degree / half > reach; half *= reach) {
    pass<stages, false, whole>(field, block, lanes, half, nullptr, ToBlock{});
  }
  switch (field.degree / half) {
    case 2:
      pass<1, false, whole>(field, block, lanes, half, nullptr, put);
      break;
    case 4:
      pass<2, false, whole>(field, block, lanes, half, nullptr, put);
      break;
    case 8:
      pass<3, false, whole>(field, block, lanes, half, nullptr, put);
      break;
    default:
      pass<stages, false, whole>(field, block, lanes, half, nullptr, put);
      break;
  }
}

inline void inverse(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
                    const Factor* key) {
  if (lanes == lanes_max) {
    passes<true>(field, block, lanes, key, ToBlock{});
    return;
  }
  if constexpr (Wide::lanes_in_part < lanes_max) {
    if (lanes >= Wide::lanes_in_part) {
      passes<false>(field, block, lanes, key, ToBlock{});
      return;
    }
  }
  inverse_of_few_lanes(field, block, lanes, key);
}

template <bool small>
inline void add_and_pack_whole(const PrimeField& field, const std::uint32_t* block,
                               std::size_t count, const Addend& addend, std::uint8_t* out) {
  const ToWire<small> wire(field, addend, out);
  for (std::size_t at = 0; at < count; at += Wide::width) {
    wire.put(at, Wide::load(block + at), at + Wide::width == count);
  }
}

inline void add_and_pack(const PrimeField& field, const std::uint32_t* block, std::size_t count,
                         const Addend& addend, std::uint8_t* out) {
  const std::size_t whole = count - count % Wide::width;
  if (ToWire<true>::is_enough(addend)) {
    add_and_pack_whole<true>(field, block, whole, addend, out);
  } else {
    add_and_pack_whole<false>(field, block, whole, addend, out);
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
  const FromSum from_sum{field, sum};
  std::size_t at = 0;
  for (; at + Wide::width <= count; at += Wide::width) {
    from_sum(masked, at, Wide::load(masked + at));
  }
  kernels_scalar.subtract(field, masked + at, count - at, sum + at);
}

inline void unmask(const PrimeField& field, std::uint32_t* block, std::uint32_t lanes,
                   const Factor* key, std::uint32_t* sum) {
  if (lanes == lanes_max) {
    passes<true>(field, block, lanes, key, FromSum{field, sum});
    return;
  }
  inverse(field, block, lanes, key);
  subtract(field, block, std::size_t{field.degree} * lanes, sum);
}

inline void open_centred(const PrimeField& field, const std::uint32_t* residues, std::size_t degree,
                         std::uint32_t lanes, std::int32_t delta, std::int64_t* values,
                         OpenedBlock& opened) {
  if (lanes != lanes_max) {
    kernels_scalar.open_centred(field, residues, degree, lanes, delta, values, opened);
    return;
  }
  const float reciprocal = 1.0F / static_cast<float>(delta);
  for (std::size_t lane = 0; lane < lanes_max; lane += Wide::width) {
    typename Wide::Residuals seen;
    for (std::size_t k = 0; k < degree; ++k) {
      const std::size_t at = k * lanes_max + lane;
      Wide::store_signed(values + at,
                         seen.round(Wide::load(residues + at), field.q, delta, reciprocal));
    }
    seen.finish(opened, lane);
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
  std::uint32_t not_finite = 0;  // one decision at the end: none shows where a bad value stands
  for (; at + Wide::width <= count; at += Wide::width) {
    above += Wide::count_above(in + at, limit, not_finite);
  }
  finite = finite && not_finite == 0;
  return above + kernels_scalar.scan_floats(in + at, count - at, clip, finite);
}
