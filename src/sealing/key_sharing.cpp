#include "key_sharing.hpp"

#include "consilium/foundation/codec.hpp"

namespace consilium::sealing {
namespace {

void store_u32(std::uint32_t value, std::span<std::uint8_t> out) {
  for (std::size_t byte = 0; byte < 4; ++byte) {
    out[byte] = static_cast<std::uint8_t>(value >> (8 * byte));
  }
}
auto load_u32(BytesView in) -> std::uint32_t {
  std::uint32_t value = 0;
  for (std::size_t byte = 0; byte < 4; ++byte) value |= std::uint32_t{in[byte]} << (8 * byte);
  return value;
}

/// Σ coefficients[d]·x^d, canonical; `stride` lies between neighbouring degrees.
auto evaluate(const PrimeField& field, const std::uint32_t* coefficients, std::size_t count,
              std::size_t stride, Factor x) -> std::uint32_t {
  std::uint32_t value = 0;
  for (std::size_t degree = count; degree-- > 0;) {
    value = field.add(field.canonical(field.times_factor(value, x)), coefficients[degree * stride]);
  }
  return value;
}

auto bad_sharing() -> tl::unexpected<Error> {
  return fail("bad_sharing", "share",
              "The share does not fit what the hospital published; complain, or leave it out.");
}

}  // namespace

SharingPolynomials::SharingPolynomials(const BodyLayout& layout, std::uint16_t threshold,
                                       const KeyWords& key, WordStream& stream)
    : layout_(layout),
      threshold_(threshold),
      coefficients_(layout.fields().size() * threshold * layout.degree()),
      masks_(layout.fields().size() * layout.rows() * threshold) {
  const std::size_t degree = layout.degree();
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    const PrimeField& field = layout.fields()[prime];
    const auto mine =
        coefficients_.expose().subspan(prime * threshold_ * degree, threshold_ * degree);
    const auto constant = key.expose().subspan(prime * degree, degree);
    std::copy(constant.begin(), constant.end(), mine.begin());
    stream.residues(field, mine.subspan(degree));
    const std::size_t masks = layout.rows() * threshold_;
    stream.residues(field, masks_.expose().subspan(prime * masks, masks));
  }
}

auto SharingPolynomials::share_at(std::uint16_t alpha) const -> ShareOpening {
  const std::size_t degree = layout_.degree();
  ShareOpening opening{.share = SecretBytes(layout_.polynomial_size()),
                       .masks = SecretBytes(layout_.masks_size()),
                       .salt = SecretBytes(salt_size)};
  Secret<std::uint32_t> words(degree);
  auto packed = opening.share.expose();
  auto masks = opening.masks.expose();
  for (std::size_t prime = 0; prime < layout_.fields().size(); ++prime) {
    const PrimeField& field = layout_.fields()[prime];
    const Factor x = field.factor(alpha);
    const std::uint32_t* const from = coefficients_.expose().data() + prime * threshold_ * degree;
    kernels().horner(field, from, threshold_, degree, x, degree, words.expose().data());
    const std::size_t size = packed_size(field, degree);
    pack(field, words.expose(), packed.first(size));
    packed = packed.subspan(size);
    const std::uint32_t* mask = masks_.expose().data() + prime * layout_.rows() * threshold_;
    for (std::size_t row = 0; row < layout_.rows(); ++row, mask += threshold_) {
      store_u32(evaluate(field, mask, threshold_, 1, x), masks.first(4));
      masks = masks.subspan(4);
    }
  }
  return opening;
}

auto SharingPolynomials::response(const Digest& key) const -> std::vector<std::uint32_t> {
  const std::size_t degree = layout_.degree();
  std::vector<std::uint32_t> out;
  out.reserve(masks_.size());
  std::vector<std::uint32_t> row(degree);
  WordStream rows(key);
  for (std::size_t prime = 0; prime < layout_.fields().size(); ++prime) {
    const PrimeField& field = layout_.fields()[prime];
    for (std::size_t r = 0; r < layout_.rows(); ++r) {
      rows.residues(field, row);
      for (std::size_t d = 0; d < threshold_; ++d) {
        const auto f = coefficients_.expose().subspan((prime * threshold_ + d) * degree, degree);
        const std::uint32_t mask = masks_.expose()[(prime * layout_.rows() + r) * threshold_ + d];
        out.push_back(field.add(inner_product(field, row, f), mask));
      }
    }
  }
  return out;
}

auto share_digest(BytesView context, const ShareOpening& opening) -> Digest {
  return tagged_hash("consilium/seal/1/share", {context, opening.share.expose(),
                                                opening.masks.expose(), opening.salt.expose()});
}

auto degree_key(const Digest& round_seed, HospitalId hospital, const Digest& root,
                const Digest& witness, std::span<const Digest> share_digests) -> Digest {
  Writer number;
  number.u16(hospital.value);
  Writer digests;
  for (const Digest& digest : share_digests) digests.digest(digest);
  return tagged_hash("consilium/seal/1/degree", {round_seed.view(), number.view(), root.view(),
                                                 witness.view(), digests.view()});
}

auto degree_test(const BodyLayout& layout, std::uint16_t threshold, std::uint16_t alpha,
                 const Digest& key, const ShareOpening& opening,
                 std::span<const std::uint32_t> response) -> Result<void> {
  const std::size_t degree = layout.degree();
  if (opening.share.size() != layout.polynomial_size() ||
      opening.masks.size() != layout.masks_size() ||
      response.size() != layout.fields().size() * layout.rows() * threshold) {
    return bad_sharing();
  }
  Secret<std::uint32_t> words(degree);
  std::vector<std::uint32_t> row(degree);
  WordStream rows(key);
  BytesView packed = opening.share.expose();
  BytesView masks = opening.masks.expose();
  std::uint32_t wrong = 0;
  for (const PrimeField& field : layout.fields()) {
    const std::size_t size = packed_size(field, degree);
    if (!unpack(field, packed.first(size), words.expose())) return bad_sharing();
    packed = packed.subspan(size);
    const Factor x = field.factor(alpha);
    for (std::size_t r = 0; r < layout.rows(); ++r) {
      rows.residues(field, row);
      const std::uint32_t mask = load_u32(masks);
      masks = masks.subspan(4);
      // The sign of q − 1 − mask in 64 bits: a mask on the wire may be any word.
      wrong |= static_cast<std::uint32_t>((std::uint64_t{field.q} - 1U - mask) >> 63U);
      const std::uint32_t expected = evaluate(field, response.data(), threshold, 1, x);
      response = response.subspan(threshold);
      // A mask ≥ q is refused above; its sum may wrap, which no longer matters then.
      wrong |= field.add(inner_product(field, row, words.expose()), mask) ^ expected;
    }
  }
  if (wrong != 0) return bad_sharing();
  return {};
}

auto inner_product(const PrimeField& field, std::span<const std::uint32_t> row,
                   std::span<const std::uint32_t> words) -> std::uint32_t {
  CONSILIUM_ENSURE(row.size() == words.size());
  return kernels().inner_product(field, row.data(), words.data(), row.size());
}

auto lagrange_weights(const PrimeField& field, std::span<const std::uint16_t> points,
                      std::uint16_t at) -> std::vector<std::uint32_t> {
  std::vector<std::uint32_t> weights;
  for (const std::uint16_t own : points) {
    std::uint32_t numerator = 1;
    std::uint32_t denominator = 1;
    for (const std::uint16_t other : points) {
      if (other == own) continue;
      numerator = field.product(numerator, field.subtract(at, other));
      denominator = field.product(denominator, field.subtract(own, other));
    }
    weights.push_back(field.product(numerator, field.inverse_of(denominator)));
  }
  return weights;
}

auto points_of(const RoundParameters& round, const BodyLayout& layout,
               const std::map<MinerId, Bytes>& share_sums) -> std::vector<PublishedPoint> {
  std::vector<PublishedPoint> points;
  for (const auto& [miner, bytes] : share_sums) {
    if (miner.value < 1 || miner.value > round.committee.miners ||
        bytes.size() != layout.polynomial_size()) {
      continue;
    }
    PublishedPoint point{.alpha = miner.value, .words = {}};
    point.words.resize(layout.fields().size() * layout.degree());
    bool good = true;
    for (std::size_t prime = 0; good && prime < layout.fields().size(); ++prime) {
      const auto words = std::span(point.words).subspan(prime * layout.degree(), layout.degree());
      good = unpack_prime(layout, prime, bytes, words).has_value();
    }
    if (good) points.push_back(std::move(point));
  }
  return points;
}

auto next_subset(std::vector<std::size_t>& chosen, std::size_t count) -> bool {
  std::size_t moving = chosen.size();
  while (moving > 0 && chosen[moving - 1] == count - chosen.size() + moving - 1) --moving;
  if (moving == 0) return false;
  ++chosen[moving - 1];
  for (std::size_t at = moving; at < chosen.size(); ++at) chosen[at] = chosen[at - 1] + 1;
  return true;
}

auto interpolate(const BodyLayout& layout, std::span<const PublishedPoint* const> points,
                 std::uint16_t at) -> std::vector<std::uint32_t> {
  const std::size_t degree = layout.degree();
  std::vector<std::uint16_t> alphas;
  for (const PublishedPoint* point : points) alphas.push_back(point->alpha);
  std::vector<std::uint32_t> out(layout.fields().size() * degree);
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    const PrimeField& field = layout.fields()[prime];
    const auto weights = lagrange_weights(field, alphas, at);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Factor weight = field.factor(weights[i]);
      const std::uint32_t* const from = points[i]->words.data() + prime * degree;
      std::uint32_t* const to = out.data() + prime * degree;
      for (std::size_t k = 0; k < degree; ++k) {
        to[k] = field.add(to[k], field.canonical(field.times_factor(from[k], weight)));
      }
    }
  }
  return out;
}

namespace {

/// One solution of the linear system (rows of coefficients, the right-hand side last), free
/// unknowns zero.
auto solve(const PrimeField& field, std::vector<std::vector<std::uint32_t>> rows)
    -> std::vector<std::uint32_t> {
  const std::size_t unknowns = rows.front().size() - 1;
  std::vector<std::size_t> pivot_row(unknowns, rows.size());
  std::size_t next = 0;
  for (std::size_t column = 0; column < unknowns && next < rows.size(); ++column) {
    std::size_t found = next;
    while (found < rows.size() && rows[found][column] == 0) ++found;
    if (found == rows.size()) continue;
    std::swap(rows[found], rows[next]);
    const std::uint32_t inverse = field.inverse_of(rows[next][column]);
    for (std::uint32_t& value : rows[next]) value = field.product(value, inverse);
    for (std::size_t other = 0; other < rows.size(); ++other) {
      const std::uint32_t factor = rows[other][column];
      if (other == next || factor == 0) continue;
      for (std::size_t at = column; at <= unknowns; ++at) {
        rows[other][at] = field.subtract(rows[other][at], field.product(factor, rows[next][at]));
      }
    }
    pivot_row[column] = next++;
  }
  for (std::size_t row = next; row < rows.size(); ++row) {
    if (rows[row][unknowns] != 0) return {};
  }
  std::vector<std::uint32_t> solution(unknowns, 0);
  for (std::size_t column = 0; column < unknowns; ++column) {
    if (pivot_row[column] < rows.size()) solution[column] = rows[pivot_row[column]][unknowns];
  }
  return solution;
}

}  // namespace

auto agreeing_points(const BodyLayout& layout, std::span<const PublishedPoint> points,
                     std::size_t threshold) -> std::vector<const PublishedPoint*> {
  if (points.size() < threshold) return {};
  // The combination is fixed only once every point is: nobody can choose an error that vanishes in
  // it.
  Hasher all;
  for (const PublishedPoint& point : points) {
    all.add_u16(point.alpha);
    for (const std::uint32_t word : point.words) all.add_u32(word);
  }
  const std::size_t degree = layout.degree();
  const std::size_t errors = (points.size() - threshold) / 2;
  WordStream stream(tagged_hash("consilium/seal/1/decode", {all.finish().view()}));
  std::vector<bool> right(points.size(), true);
  std::vector<std::uint32_t> row(degree);
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    const PrimeField& field = layout.fields()[prime];
    stream.residues(field, row);
    // Q(α) − y·(e_0 + … + e_{E−1} α^{E−1}) = y·α^E, with E the number of errors that can be
    // corrected.
    std::vector<std::vector<std::uint32_t>> system;
    for (const PublishedPoint& point : points) {
      const std::uint32_t y =
          inner_product(field, row, std::span(point.words).subspan(prime * degree, degree));
      std::vector<std::uint32_t> equation;
      std::uint32_t power = 1;
      for (std::size_t d = 0; d < threshold + errors; ++d) {
        equation.push_back(power);
        power = field.product(power, point.alpha);
      }
      power = y;
      for (std::size_t d = 0; d < errors; ++d) {
        equation.push_back(field.subtract(0, power));
        power = field.product(power, point.alpha);
      }
      equation.push_back(power);
      system.push_back(std::move(equation));
    }
    std::vector<std::uint32_t> solution = solve(field, std::move(system));
    if (solution.empty()) return {};
    // The locator is zero at every wrong point (and perhaps at some right ones, which we can
    // spare).
    std::vector<std::uint32_t> locator(
        solution.begin() + static_cast<std::ptrdiff_t>(threshold + errors), solution.end());
    locator.push_back(1);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Factor x = field.factor(points[i].alpha);
      if (evaluate(field, locator.data(), locator.size(), 1, x) == 0) right[i] = false;
    }
  }
  std::vector<const PublishedPoint*> agreeing;
  for (std::size_t i = 0; i < points.size() && agreeing.size() < threshold; ++i) {
    if (right[i]) agreeing.push_back(&points[i]);
  }
  if (agreeing.size() < threshold) return {};
  return agreeing;
}

}  // namespace consilium::sealing
