// Coefficients instead of sums: what failed, where to look, and who it was. Public values but for
// the shares in audit_answer, so the rest may branch and divide.

#include "consilium/sealing/audit.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include "consilium/foundation/codec.hpp"

#include "opener.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

auto stalled(const RoundParameters& round) -> tl::unexpected<Error> {
  return fail("opening_stalled", round_place(round),
              "Fewer than t miners have published something usable; wait for the others.");
}

/// Where a place of the vector is in the body.
struct Spot {
  std::uint32_t block = 0;
  std::size_t at = 0;  ///< in the block, in the order of the wire
  std::uint32_t lane = 0;
  std::uint32_t coefficient = 0;
};
auto places_of(const BodyLayout& layout) -> std::uint64_t {
  return layout.polynomials() * layout.degree();
}
auto spot_of(const BodyLayout& layout, std::uint64_t place) -> Spot {
  const std::uint64_t block_places = std::uint64_t{lanes_max} * layout.degree();
  Spot spot;
  spot.block = static_cast<std::uint32_t>(place / block_places);
  spot.at = static_cast<std::size_t>(place % block_places);
  const std::uint32_t lanes = layout.lanes(spot.block);
  spot.lane = static_cast<std::uint32_t>(spot.at % lanes);
  spot.coefficient = static_cast<std::uint32_t>(spot.at / lanes);
  return spot;
}
auto place_in_polynomial(const BodyLayout& layout, std::uint64_t polynomial, std::uint64_t k)
    -> std::uint64_t {
  const auto block = static_cast<std::uint32_t>(polynomial / lanes_max);
  return std::uint64_t{block} * lanes_max * layout.degree() + k * layout.lanes(block) +
         polynomial % lanes_max;
}

/// v = Δx + r with the smallest |r|: x = ⌊(2v + Δ)/(2Δ)⌋.
struct Rounded {
  std::int64_t value = 0;
  std::int64_t residual = 0;
};
auto rounded(std::int64_t centred, std::int64_t delta) -> Rounded {
  const std::int64_t numerator = 2 * centred + delta;
  std::int64_t value = numerator / (2 * delta);
  if (numerator % (2 * delta) < 0) --value;
  return {value, centred - delta * value};
}

/// Every t of the points that may be the right ones.
auto candidate_subsets(const BodyLayout& layout, const Committee& committee,
                       std::span<const PublishedPoint> points)
    -> std::vector<std::vector<const PublishedPoint*>> {
  std::vector<std::vector<const PublishedPoint*>> out;
  if (committee.miners > subsets_up_to_miners) {
    auto agreeing = agreeing_points(layout, points, committee.threshold);
    if (agreeing.empty()) {
      for (std::size_t at = 0; at < committee.threshold; ++at) agreeing.push_back(&points[at]);
    }
    out.push_back(std::move(agreeing));
    return out;
  }
  std::vector<std::size_t> chosen(committee.threshold);
  for (std::size_t at = 0; at < chosen.size(); ++at) chosen[at] = at;
  do {
    std::vector<const PublishedPoint*> subset;
    for (const std::size_t at : chosen) subset.push_back(&points[at]);
    out.push_back(std::move(subset));
  } while (next_subset(chosen, points.size()));
  return out;
}

auto all_on_one_polynomial(const BodyLayout& layout, std::size_t threshold,
                           std::span<const PublishedPoint> points) -> bool {
  std::vector<const PublishedPoint*> through;
  for (std::size_t at = 0; at < threshold; ++at) through.push_back(&points[at]);
  return std::all_of(
      points.begin() + static_cast<std::ptrdiff_t>(threshold), points.end(),
      [&](const PublishedPoint& p) { return interpolate(layout, through, p.alpha) == p.words; });
}

/// Whole bodies of different hospitals, ascending.
auto check_bodies(const RoundParameters& round, const BodyLayout& layout,
                  std::span<const BytesView> bodies) -> Result<void> {
  HospitalId last;
  for (const BytesView body : bodies) {
    if (body.size() != layout.body_size() || hospital_of(body) <= last) {
      return fail("length_mismatch", round_place(round),
                  "The bodies are not the whole ones of a set, in its order; fetch them again.");
    }
    last = hospital_of(body);
  }
  if (bodies.empty() || bodies.size() > round.hospitals_max) {
    return fail("length_mismatch", round_place(round),
                "The set must have 1 to " + std::to_string(round.hospitals_max) + " members.");
  }
  return {};
}

/// Opens a set with a key that may be wrong, and looks at every residual.
class Examiner {
 public:
  Examiner(Opener& opener, const Scale& scale, std::size_t members, int eta)
      : opener_(opener),
        scale_(scale),
        members_(members),
        eta_(eta),
        value_limit_(static_cast<std::int64_t>(members) * scale.value_max) {}

  struct Verdict {
    bool opens = true;
    OpeningFailure failure;
    std::uint64_t first_squares = 0;  ///< Σ r² of the first polynomial
  };
  /// The first so many blocks; all of them for a whole verdict.
  auto examine(std::span<const std::uint32_t> key, std::uint32_t blocks) -> Result<Verdict> {
    const BodyLayout& layout = opener_.layout();
    Verdict verdict;
    ResidualTest test(layout, members_, eta_, scale_);
    std::uint64_t worst = 0;
    opener_.use_key(key);
    for (std::uint32_t block = 0; block < blocks; ++block) {
      CONSILIUM_CHECK(opener_.add_block(block));
      const OpenedBlock seen = opener_.open_block(block);
      if (block == 0) verdict.first_squares = seen.squares[0];
      look_at_places(block, verdict);
      for (std::uint32_t lane = 0; lane < layout.lanes(block); ++lane) {
        const std::uint64_t squares = seen.squares.at(lane);
        verdict.opens = test.polynomial(seen.largest.at(lane), squares) && verdict.opens;
        if (squares <= worst) continue;
        worst = squares;
        verdict.failure.worst_polynomial = std::uint64_t{block} * lanes_max + lane;
      }
    }
    // Asked only of polynomials that passed one by one, whose squares are small.
    verdict.opens = verdict.opens && test.all();
    return verdict;
  }

 private:
  void look_at_places(std::uint32_t block, Verdict& verdict) const {
    const auto values = opener_.opened_values();
    const std::size_t used = opener_.layout().used_slots(block);
    const std::uint64_t first = std::uint64_t{block} * lanes_max * opener_.layout().degree();
    for (std::size_t at = 0; at < values.size(); ++at) {
      const bool good = std::abs(opener_.residual_at(at)) <= scale_.error_bound &&
                        std::abs(values[at]) <= (at < used ? value_limit_ : 0);
      if (good) continue;
      verdict.opens = false;
      // One more than is told, so that leaving the weight out does not shorten the list.
      if (verdict.failure.failing.size() <= audit_failing_max)
        verdict.failure.failing.push_back(first + at);
    }
  }
  Opener& opener_;
  Scale scale_;
  std::size_t members_;
  int eta_;
  std::int64_t value_limit_;
};

/// One coefficient of an expanded polynomial times a key, as a row over the key's words:
/// ⟨row, ŝ⟩ = INTT(â ⊙ ŝ)[k].
struct Row {
  Spot spot;
  bool padding = false;                        ///< nothing but 0 may stand there
  std::vector<std::vector<std::uint32_t>> of;  ///< by prime
};

/// The k-th row of the inverse transform is the transform of X^−k over N, in whatever order the
/// transform has: INTT(v)[k] = N⁻¹ Σ v[i]·ζ_i^−k, and transform(p)[i] = p(ζ_i).
auto inverse_row(const PrimeField& field, std::uint32_t k) -> std::vector<std::uint32_t> {
  std::vector<std::uint32_t> row(field.degree, 0);
  if (k == 0) {
    row[0] = 1;
  } else {
    row[field.degree - k] = field.q - 1;  // X^−k = −X^(N−k)
  }
  transform(field, row, 1);
  const Factor scale = field.factor(field.degree_inverse);
  for (std::uint32_t& value : row) value = field.canonical(field.times_factor(value, scale));
  return row;
}

auto rows_of(const RoundParameters& round, const BodyLayout& layout, AuditStep step,
             const AuditPositions& positions) -> Result<std::vector<Row>> {
  std::vector<Row> rows;
  const auto refuse = [&] {
    return fail("length_mismatch", round_place(round),
                "The audit's positions are none of this round; they are not answered.");
  };
  if (step == AuditStep::witness) {
    for (const std::uint32_t k : positions.witness) {
      if (k >= layout.degree()) return refuse();
      rows.push_back({{witness_block, k, 0, k}, true, {}});
    }
  } else {
    for (const std::uint64_t place : positions.data) {
      if (place >= places_of(layout)) return refuse();
      rows.push_back({spot_of(layout, place), place >= layout.length(), {}});
    }
  }
  if (rows.empty() || rows.size() > audit_data_places) return refuse();
  for (Row& row : rows) {
    const std::uint32_t lanes = layout.lanes(row.spot.block);
    std::vector<std::uint32_t> expanded(std::size_t{layout.degree()} * lanes);
    for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
      const PrimeField& field = layout.fields()[prime];
      expand(round.seed, row.spot.block, static_cast<std::uint8_t>(prime), field, expanded);
      auto words = inverse_row(field, row.spot.coefficient);
      for (std::size_t at = 0; at < words.size(); ++at)
        words[at] = field.product(words[at], expanded[at * lanes + row.spot.lane]);
      row.of.push_back(std::move(words));
    }
  }
  return rows;
}

void put_u32(Bytes& out, std::uint32_t word) {
  for (unsigned byte = 0; byte < 4; ++byte)
    out.push_back(static_cast<std::uint8_t>(word >> (8 * byte)));
}

/// The answers that are well-formed and add up to what their miners published, each padded to the
/// size of a key so that it decodes as a share sum does.
auto usable_answers(const RoundParameters& round, const BodyLayout& layout,
                    std::span<const Row> rows, std::size_t members,
                    const std::map<MinerId, Bytes>& share_sums,
                    const std::map<MinerId, Bytes>& answers) -> std::vector<PublishedPoint> {
  const std::size_t a_prime = members * rows.size();
  std::vector<PublishedPoint> usable;
  for (PublishedPoint& sum : points_of(round, layout, share_sums)) {
    const auto answer = answers.find(MinerId{sum.alpha});
    if (answer == answers.end() || answer->second.size() != layout.fields().size() * a_prime * 4)
      continue;
    PublishedPoint point{.alpha = sum.alpha, .words = {}};
    point.words.resize(sum.words.size());
    Reader in(answer->second, "audit answer");
    bool good = true;
    for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
      const PrimeField& field = layout.fields()[prime];
      const auto words = std::span(point.words).subspan(prime * layout.degree(), a_prime);
      for (std::uint32_t& word : words) {
        word = in.u32();
        good = good && word < field.q;
      }
      const auto whole = std::span(sum.words).subspan(prime * layout.degree(), layout.degree());
      for (std::size_t r = 0; good && r < rows.size(); ++r) {
        std::uint32_t added = 0;
        for (std::size_t member = 0; member < members; ++member)
          added = field.add(added, words[member * rows.size() + r]);
        good = added == inner_product(field, rows[r].of[prime], whole);
      }
    }
    if (good) usable.push_back(std::move(point));
  }
  return usable;
}

/// The coefficients of one body at the rows' spots: by row, then prime.
auto sealed_coefficients(const BodyLayout& layout, std::span<const Row> rows, BytesView body)
    -> Result<std::vector<std::array<std::uint32_t, 2>>> {
  std::vector<std::array<std::uint32_t, 2>> out;
  for (const Row& row : rows) {
    const BytesView payload = layout.chunk(body, row.spot.block).subspan(chunk_header_size);
    std::vector<std::uint32_t> words(std::size_t{layout.degree()} * layout.lanes(row.spot.block));
    auto& coefficient = out.emplace_back();
    for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
      CONSILIUM_CHECK(unpack_prime(layout, prime, payload, words));
      coefficient.at(prime) = words[row.spot.at];
    }
  }
  return out;
}

}  // namespace

auto examine_failure(const RoundParameters& round, std::span<const BytesView> bodies,
                     const std::map<MinerId, Bytes>& share_sums, bool first_is_weight)
    -> Result<std::optional<OpeningFailure>> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
  CONSILIUM_CHECK(check_bodies(round, layout, bodies));
  const auto points = points_of(round, layout, share_sums);
  const std::size_t threshold = round.committee.threshold;
  if (points.size() < threshold) return stalled(round);
  auto subsets = candidate_subsets(layout, round.committee, points);
  if (all_on_one_polynomial(layout, threshold, points)) subsets.resize(1);
  CONSILIUM_TRY(Opener opener, Opener::make(round, bodies));
  Examiner examiner(opener, scale, bodies.size(), parameters_of(round.suite).error_eta);
  std::optional<Examiner::Verdict> best;
  std::vector<std::uint32_t> best_key;
  for (const auto& subset : subsets) {
    const auto key = interpolate(layout, subset, 0);
    CONSILIUM_TRY(const auto first, examiner.examine(key, 1));
    if (first.opens) {
      CONSILIUM_TRY(const auto whole, examiner.examine(key, layout.blocks()));
      if (whole.opens) return std::optional<OpeningFailure>{};
    }
    if (best && best->first_squares <= first.first_squares) continue;
    best = first;
    best_key = key;
  }
  CONSILIUM_TRY(const auto whole, examiner.examine(best_key, layout.blocks()));
  OpeningFailure failure = whole.failure;
  if (first_is_weight && failure.failing.size() > 1 && failure.failing.front() == 0)
    failure.failing.erase(failure.failing.begin());
  if (failure.failing.size() > audit_failing_max) failure.failing.resize(audit_failing_max);
  return std::optional<OpeningFailure>{std::move(failure)};
}

auto check_failure(const RoundParameters& round, const OpeningFailure& failure) -> Result<void> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  const auto& failing = failure.failing;
  const bool ascending =
      std::adjacent_find(failing.begin(), failing.end(), std::greater_equal<>{}) == failing.end();
  if (ascending && failing.size() <= audit_failing_max &&
      (failing.empty() || failing.back() < places_of(layout)) &&
      failure.worst_polynomial < layout.polynomials()) {
    return {};
  }
  return fail("length_mismatch", round_place(round),
              "A place that failed is none of this round's, or they do not ascend.");
}

auto AuditPositions::digest() const -> Digest {
  Writer out;
  out.list(witness, [](Writer& w, std::uint32_t k) { w.u32(k); });
  out.list(data, [](Writer& w, std::uint64_t place) { w.u64(place); });
  return tagged_hash("consilium/seal/1/audit-positions", {out.view()});
}

auto audit_positions(const RoundParameters& round, const Digest& block_hash,
                     const OpeningFailure& failure) -> Result<AuditPositions> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  CONSILIUM_CHECK(check_failure(round, failure));
  std::uint32_t counter = 0;
  // At most 2⁴⁰ places: the remainder of 64 random bits is even to 2⁻²⁴, and decides nothing
  // secret.
  const auto below = [&](std::uint64_t bound) {
    Writer number;
    number.u32(counter++);
    const Digest drawn = tagged_hash("consilium/seal/1/audit",
                                     {round.seed.view(), block_hash.view(), number.view()});
    return Reader(drawn.view(), "draw").u64() % bound;
  };
  std::set<std::uint32_t> witness;
  while (witness.size() < audit_witness_places)
    witness.insert(static_cast<std::uint32_t>(below(layout.degree())));

  std::set<std::uint64_t> data;
  const std::size_t failing_wanted =
      std::min<std::size_t>(audit_data_places / 2, failure.failing.size());
  while (data.size() < failing_wanted) data.insert(failure.failing[below(failure.failing.size())]);
  if (failure.failing.empty()) {
    while (data.size() < audit_data_places)
      data.insert(place_in_polynomial(layout, failure.worst_polynomial, below(layout.degree())));
  } else {
    // Of few values all may be taken already; padding that failed is none of them.
    const auto values_in = static_cast<std::uint64_t>(std::count_if(
        data.begin(), data.end(), [&](std::uint64_t place) { return place < layout.length(); }));
    const std::uint64_t room =
        std::min<std::uint64_t>(audit_data_places, data.size() + layout.length() - values_in);
    while (data.size() < room) data.insert(below(layout.length()));
  }
  return AuditPositions{{witness.begin(), witness.end()}, {data.begin(), data.end()}};
}

auto audit_answer(const RoundParameters& round, AuditStep step, const AuditPositions& positions,
                  std::span<const ShareOpening> shares) -> Result<Bytes> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  CONSILIUM_TRY(const auto rows, rows_of(round, layout, step, positions));
  Bytes out;
  Secret<std::uint32_t> words(layout.degree());
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    for (const ShareOpening& share : shares) {
      if (share.share.size() != layout.polynomial_size()) {
        return fail("length_mismatch", round_place(round),
                    "Every member of the set needs one checked share of this round's suite.");
      }
      CONSILIUM_CHECK(unpack_prime(layout, prime, share.share.expose(), words.expose()));
      for (const Row& row : rows)
        put_u32(out, inner_product(layout.fields()[prime], row.of[prime], words.expose()));
    }
  }
  return out;
}

auto audit_findings(const RoundParameters& round, AuditStep step, const AuditPositions& positions,
                    std::span<const BytesView> bodies, const std::map<MinerId, Bytes>& share_sums,
                    const std::map<MinerId, Bytes>& answers) -> Result<std::vector<HospitalId>> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
  CONSILIUM_CHECK(check_bodies(round, layout, bodies));
  CONSILIUM_TRY(const auto rows, rows_of(round, layout, step, positions));
  if (bodies.size() * rows.size() > layout.degree()) {
    return fail("length_mismatch", round_place(round),
                "So many members cannot be audited at once; the round ends without.");
  }
  const auto usable = usable_answers(round, layout, rows, bodies.size(), share_sums, answers);
  if (usable.size() < round.committee.threshold) return stalled(round);
  const std::int64_t eta = parameters_of(round.suite).error_eta;
  std::vector<std::vector<std::array<std::uint32_t, 2>>> sealed;
  for (const BytesView body : bodies) {
    CONSILIUM_TRY(auto coefficients, sealed_coefficients(layout, rows, body));
    sealed.push_back(std::move(coefficients));
  }
  const PrimePair pair = pair_of(layout.fields());
  std::vector<bool> cleared(bodies.size(), false);
  for (const auto& subset : candidate_subsets(layout, round.committee, usable)) {
    const auto decoded = interpolate(layout, subset, 0);
    for (std::size_t member = 0; member < bodies.size(); ++member) {
      bool honest = true;
      for (std::size_t r = 0; honest && r < rows.size(); ++r) {
        std::array<std::uint32_t, 2> residues{};
        for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
          residues.at(prime) = layout.fields()[prime].subtract(
              sealed[member][r].at(prime),
              decoded[prime * layout.degree() + member * rows.size() + r]);
        }
        const auto [value, residual] = rounded(pair.lift(residues[0], residues[1]), scale.delta);
        honest =
            std::abs(residual) <= eta && std::abs(value) <= (rows[r].padding ? 0 : scale.value_max);
      }
      if (honest) cleared[member] = true;
    }
  }
  std::vector<HospitalId> blamed;
  for (std::size_t member = 0; member < bodies.size(); ++member) {
    if (!cleared[member]) blamed.push_back(hospital_of(bodies[member]));
  }
  return blamed;
}

}  // namespace consilium::sealing
