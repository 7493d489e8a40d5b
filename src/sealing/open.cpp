// Anyone's side: add the bodies, put the sum of the keys together, open, and trust nothing until it
// is tested.

#include <algorithm>
#include <cmath>
#include <set>

#include "consilium/foundation/codec.hpp"

#include "body_layout.hpp"
#include "key_sharing.hpp"

namespace consilium::sealing {
namespace {

/// Up to this committee size a mismatch is resolved by trying every t of the share sums (§7.2),
/// which always finds the right one; the largest case is 11 of 16, 4 368 trials.
constexpr std::uint16_t subsets_up_to_miners = 16;
/// Far above every T, and its square times N far below 2⁶⁴.
constexpr std::int64_t residual_counted_max = std::int64_t{1} << 20U;

auto round_place(const RoundParameters& round) -> std::string {
  return "round " + std::to_string(round.round.value);
}

/// Residuals of many polynomials against the bounds of §7.3. In integers: every machine judges
/// alike.
class ResidualTest {
 public:
  ResidualTest(const BodyLayout& layout, std::size_t members, int eta, const Scale& scale)
      : bound_(scale.error_bound),
        spread_(static_cast<std::uint64_t>(layout.degree()) * members *
                static_cast<std::uint64_t>(eta)) {}
  /// One polynomial: its largest |r| and its Σ r². Rms ≤ 1.10·√(|U|η/2), so Σ r² ≤ 1.21·N·|U|·η/2.
  auto polynomial(std::int64_t largest, std::uint64_t squares) -> bool {
    ++polynomials_;
    total_ += squares;
    return largest <= bound_ && squares * 200 <= spread_ * 121;
  }
  /// All of them: 1.02 where there are enough that chance cannot reach it.
  [[nodiscard]] auto all() const -> bool {
    return polynomials_ < 100 || total_ * 20'000 <= spread_ * polynomials_ * 10'404;
  }
  [[nodiscard]] auto rms(std::uint32_t degree) const -> double {
    return std::sqrt(static_cast<double>(total_) /
                     (static_cast<double>(polynomials_) * static_cast<double>(degree)));
  }

 private:
  std::int64_t bound_;
  std::uint64_t spread_;  ///< N·|U|·η
  std::uint64_t polynomials_ = 0;
  std::uint64_t total_ = 0;
};

/// The bodies of the set and what is needed to open them. Public values only: it may branch and
/// divide.
class Opener {
 public:
  [[nodiscard]] static auto make(const RoundParameters& round, std::span<const BytesView> bodies)
      -> Result<Opener> {
    CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
    CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
    if (bodies.empty() || bodies.size() > round.hospitals_max) {
      return fail("length_mismatch", round_place(round),
                  "The set must have 1 to " + std::to_string(round.hospitals_max) + " members.");
    }
    Opener opener(round, layout, scale, bodies);
    CONSILIUM_CHECK(opener.check_headers());
    return opener;
  }

  [[nodiscard]] auto layout() const -> const BodyLayout& { return layout_; }

  /// Does S open the first polynomial to something like the sum of |U| errors? A wrong S leaves
  /// uniform residues.
  [[nodiscard]] auto fits_first_polynomial(std::span<const std::uint32_t> key) -> Result<bool> {
    CONSILIUM_CHECK(load_first_polynomial());
    auto values = first_sealed_;
    for (std::size_t prime = 0; prime < values.size(); ++prime) {
      open_prime(prime, key, first_public_[prime], values[prime], 1);
    }
    ResidualTest test(layout_, bodies_.size(), eta_, scale_);
    const OpenedBlock seen = round_block(values, 1);
    return test.polynomial(seen.largest[0], seen.squares[0]);
  }

  /// Opens everything with S and applies §7.3.
  [[nodiscard]] auto open(std::span<const std::uint32_t> key) -> Result<OpenedSum> {
    OpenedSum opened;
    opened.values.reserve(layout_.length());
    ResidualTest test(layout_, bodies_.size(), eta_, scale_);
    std::vector<Digest> leaves;
    std::vector<std::vector<std::uint32_t>> sealed(layout_.fields().size());
    std::vector<std::uint32_t> expanded;
    const std::int64_t value_limit = static_cast<std::int64_t>(bodies_.size()) * scale_.value_max;
    bool residuals_good = true;
    bool values_good = true;
    Bytes packed;
    for (std::uint32_t block = 0; block < layout_.blocks(); ++block) {
      const std::uint32_t lanes = layout_.lanes(block);
      const std::size_t words = std::size_t{layout_.degree()} * lanes;
      CONSILIUM_CHECK(add_block(block, sealed));
      packed.resize(layout_.payload_size(block));
      pack_primes(layout_, sealed, packed);
      leaves.push_back(chunk_leaf(chunk_header(round_, HospitalId{0}, block), packed));
      expanded.resize(words);
      for (std::size_t prime = 0; prime < sealed.size(); ++prime) {
        expand(round_.seed, block, static_cast<std::uint8_t>(prime), layout_.fields()[prime],
               expanded);
        open_prime(prime, key, expanded, sealed[prime], lanes);
      }
      const OpenedBlock seen = round_block(sealed, lanes);
      const std::size_t used = layout_.used_slots(block);
      values_good = values_good && seen.value_max <= value_limit;
      const auto rounded = std::span(rounded_).first(words);
      opened.values.insert(opened.values.end(), rounded.begin(),
                           rounded.begin() + static_cast<std::ptrdiff_t>(used));
      for (const std::int64_t padding : rounded.subspan(used)) {
        values_good = values_good && padding == 0;
      }
      for (std::uint32_t lane = 0; lane < lanes; ++lane) {
        residuals_good =
            test.polynomial(seen.largest.at(lane), seen.squares.at(lane)) && residuals_good;
      }
      if (!residuals_good) break;
    }
    if (!residuals_good || !test.all()) {
      return fail("residual_out_of_range", round_place(round_),
                  "The opened sum is not the sum of what was sealed; wait for another share sum, "
                  "then audit the set.");
    }
    if (!values_good) {
      return fail(
          "sum_out_of_range", round_place(round_),
          "The opened sum is larger than honest values can make it; the candidate is refused.");
    }
    opened.residual_rms = test.rms(layout_.degree());
    opened.body_sum_root = body_root(layout_, std::move(leaves));
    Writer values;
    for (const std::int64_t value : opened.values) values.i64(value);
    opened.values_digest = tagged_hash("consilium/seal/1/sum", {values.view()});
    opened.key_digest = key_digest(key);
    return opened;
  }

 private:
  Opener(const RoundParameters& round, const BodyLayout& layout, const Scale& scale,
         std::span<const BytesView> bodies)
      : round_(round),
        layout_(layout),
        scale_(scale),
        bodies_(bodies),
        eta_(parameters_of(round.suite).error_eta),
        reciprocal_(1.0 / (2.0 * static_cast<double>(scale.delta))) {
    for (const PrimeField& field : layout_.fields()) modulus_ *= field.q;
    if (layout_.fields().size() == 2) {
      const PrimeField& second = layout_.fields()[1];
      const std::uint32_t first_inverse = second.inverse_of(layout_.fields()[0].q % second.q);
      first_inverse_montgomery_ = second.to_montgomery(first_inverse);
    }
  }

  /// Each body is whole, of this round, and of another hospital than the others.
  [[nodiscard]] auto check_headers() const -> Result<void> {
    std::set<std::uint16_t> seen;
    for (const BytesView body : bodies_) {
      if (body.size() != layout_.body_size()) {
        return fail("length_mismatch", round_place(round_),
                    "A body of the set is not of the round's size; fetch it again.");
      }
      const HospitalId hospital{static_cast<std::uint16_t>(body[10] | body[11] << 8)};
      if (!seen.insert(hospital.value).second) {
        return fail("length_mismatch", round_place(round_),
                    "The set holds one hospital's body twice; it is a set of hospitals.");
      }
      for (std::uint32_t block = 0; block < layout_.blocks(); ++block) {
        const ChunkHeader header = chunk_header(round_, hospital, block);
        if (!std::equal(header.begin(), header.end(), layout_.chunk(body, block).begin())) {
          return fail(
              "stale_context", round_place(round_),
              "A body of the set belongs to another round; fetch the one the ledger names.");
        }
      }
    }
    return {};
  }

  /// C of one block, prime by prime.
  [[nodiscard]] auto add_block(std::uint32_t block, std::vector<std::vector<std::uint32_t>>& sum)
      -> Result<void> {
    const std::size_t words = std::size_t{layout_.lanes(block)} * layout_.degree();
    for (std::size_t prime = 0; prime < sum.size(); ++prime) {
      sum[prime].resize(words);
      bool first = true;
      for (const BytesView body : bodies_) {
        const BytesView payload = layout_.chunk(body, block).subspan(chunk_header_size);
        if (std::exchange(first, false)) {
          CONSILIUM_CHECK(unpack_prime(layout_, prime, payload, sum[prime]));
        } else {
          CONSILIUM_CHECK(add_packed_prime(layout_, prime, payload, sum[prime]));
        }
      }
    }
    return {};
  }

  [[nodiscard]] auto load_first_polynomial() -> Result<void> {
    if (!first_sealed_.empty()) return {};
    const std::uint32_t lanes = layout_.lanes(0);
    std::vector<std::vector<std::uint32_t>> sealed(layout_.fields().size());
    CONSILIUM_CHECK(add_block(0, sealed));
    std::vector<std::uint32_t> expanded(std::size_t{layout_.degree()} * lanes);
    for (std::size_t prime = 0; prime < sealed.size(); ++prime) {
      expand(round_.seed, 0, static_cast<std::uint8_t>(prime), layout_.fields()[prime], expanded);
      auto& kept_sealed = first_sealed_.emplace_back();
      auto& kept_public = first_public_.emplace_back();
      for (std::size_t at = 0; at < expanded.size(); at += lanes) {
        kept_sealed.push_back(sealed[prime][at]);
        kept_public.push_back(expanded[at]);
      }
    }
    return {};
  }

  /// sealed ← sealed − INTT(expanded ⊙ Ŝ), canonical.
  void open_prime(std::size_t prime, std::span<const std::uint32_t> key,
                  std::span<const std::uint32_t> expanded, std::span<std::uint32_t> sealed,
                  std::uint32_t lanes) {
    const PrimeField& field = layout_.fields()[prime];
    const std::size_t degree = layout_.degree();
    prepared_.resize(degree);
    prepare_key(field, key.subspan(prime * degree, degree), prepared_);
    masked_.assign(expanded.begin(), expanded.end());
    multiply_by_key(field, masked_, lanes, prepared_);
    kernels().subtract(field, masked_.data(), sealed.size(), sealed.data());
  }

  /// Rounds one block into rounded_.
  auto round_block(std::span<const std::vector<std::uint32_t>> residues, std::uint32_t lanes)
      -> OpenedBlock {
    OpenedBlock seen;
    const std::size_t words = residues[0].size();
    rounded_.resize(words);
    if (residues.size() == 1) {
      narrow_.resize(words);
      kernels().open_centred(layout_.fields()[0], residues[0].data(), layout_.degree(), lanes,
                             static_cast<std::int32_t>(scale_.delta), narrow_.data(), seen);
      std::copy(narrow_.begin(), narrow_.end(), rounded_.begin());
      return seen;
    }
    for (std::size_t at = 0; at < words; ++at) {
      const std::int64_t centred = lift(residues, at);
      const std::int64_t value = rounded(centred);
      const std::int64_t residual = centred - scale_.delta * value;
      const std::size_t lane = at % lanes;
      rounded_[at] = value;
      seen.value_max = std::max(seen.value_max, std::abs(value));
      seen.largest.at(lane) = std::max(seen.largest.at(lane), std::abs(residual));
      // What exceeds T fails by its size; its square must not run over the sum.
      const std::int64_t counted = std::min(std::abs(residual), residual_counted_max);
      seen.squares.at(lane) += static_cast<std::uint64_t>(counted * counted);
    }
    return seen;
  }

  /// V: the residues of one place lifted by the Chinese remainder theorem and centred.
  [[nodiscard]] auto lift(std::span<const std::vector<std::uint32_t>> residues,
                          std::size_t at) const -> std::int64_t {
    std::int64_t value = residues[0][at];
    if (residues.size() == 2) {
      const PrimeField& first = layout_.fields()[0];
      const PrimeField& second = layout_.fields()[1];
      const std::uint32_t difference = second.subtract(residues[1][at], residues[0][at] % second.q);
      value += std::int64_t{first.q} * second.times(difference, first_inverse_montgomery_);
    }
    return 2 * value > modulus_ ? value - modulus_ : value;
  }

  /// X = ⌊(2V + Δ)/(2Δ)⌋. The floating product is off by one at most, and is put right.
  [[nodiscard]] auto rounded(std::int64_t centred) const -> std::int64_t {
    const std::int64_t numerator = 2 * centred + scale_.delta;
    const std::int64_t denominator = 2 * scale_.delta;
    auto value = static_cast<std::int64_t>(static_cast<double>(numerator) * reciprocal_);
    while (value * denominator > numerator) --value;
    while ((value + 1) * denominator <= numerator) ++value;
    return value;
  }

  [[nodiscard]] auto key_digest(std::span<const std::uint32_t> key) const -> Digest {
    std::vector<std::vector<std::uint32_t>> words;
    for (std::size_t prime = 0; prime < layout_.fields().size(); ++prime) {
      const auto mine = key.subspan(prime * layout_.degree(), layout_.degree());
      words.emplace_back(mine.begin(), mine.end());
    }
    Bytes packed(layout_.polynomial_size());
    pack_primes(layout_, words, packed);
    return tagged_hash("consilium/seal/1/key-sum", {packed});
  }

  const RoundParameters& round_;
  BodyLayout layout_;
  Scale scale_;
  std::span<const BytesView> bodies_;
  int eta_;
  double reciprocal_;
  std::int64_t modulus_ = 1;
  std::uint32_t first_inverse_montgomery_ = 0;
  std::vector<Factor> prepared_;
  std::vector<std::uint32_t> masked_;
  std::vector<std::int32_t> narrow_;   ///< of one block
  std::vector<std::int64_t> rounded_;  ///< of one block
  std::vector<std::vector<std::uint32_t>> first_sealed_, first_public_;
};

struct AgreedKey {
  std::vector<std::uint32_t> words;  ///< S
  std::vector<MinerId> bad;
};

/// Everyone in `published` against the polynomial through `through`.
auto off_polynomial(const BodyLayout& layout, std::span<const PublishedPoint> published,
                    std::span<const PublishedPoint* const> through) -> std::vector<MinerId> {
  std::vector<MinerId> off;
  for (const PublishedPoint& point : published) {
    const bool used = std::find(through.begin(), through.end(), &point) != through.end();
    if (!used && interpolate(layout, through, point.alpha) != point.words) {
      off.push_back(MinerId{point.alpha});
    }
  }
  return off;
}

/// The first t of the published points, in lexicographic order of subsets, that pass the residual
/// test.
auto subset_that_opens(Opener& opener, std::span<const PublishedPoint> published,
                       std::size_t threshold) -> Result<std::vector<const PublishedPoint*>> {
  std::vector<std::size_t> chosen(threshold);
  for (std::size_t at = 0; at < threshold; ++at) chosen[at] = at;
  for (;;) {
    std::vector<const PublishedPoint*> through;
    for (const std::size_t at : chosen) through.push_back(&published[at]);
    CONSILIUM_TRY(const bool fits,
                  opener.fits_first_polynomial(interpolate(opener.layout(), through, 0)));
    if (fits) return through;
    // Next subset: the rightmost index that can still move, and all behind it close up.
    std::size_t moving = threshold;
    while (moving > 0 && chosen[moving - 1] == published.size() - threshold + moving - 1) --moving;
    if (moving == 0) return std::vector<const PublishedPoint*>{};
    ++chosen[moving - 1];
    for (std::size_t at = moving; at < threshold; ++at) chosen[at] = chosen[at - 1] + 1;
  }
}

/// S from the share sums (§7.2). A malformed share sum counts as a wrong one.
auto agree_on_key(Opener& opener, const RoundParameters& round,
                  const std::map<MinerId, Bytes>& share_sums) -> Result<AgreedKey> {
  const BodyLayout& layout = opener.layout();
  const std::size_t threshold = round.committee.threshold;
  const auto none_agree = [&] {
    return fail("bad_share_sum", round_place(round),
                "No t of the share sums open this set; wait for another miner's, and keep these as "
                "evidence.");
  };
  if (share_sums.size() < threshold) {
    return fail("opening_stalled", round_place(round),
                std::to_string(share_sums.size()) + " share sums are published and " +
                    std::to_string(threshold) + " are needed; wait for the other miners.");
  }
  AgreedKey agreed;
  std::vector<PublishedPoint> published;
  for (const auto& [miner, bytes] : share_sums) {
    PublishedPoint point{.alpha = miner.value, .words = {}};
    point.words.resize(layout.fields().size() * layout.degree());
    bool good = miner.value >= 1 && miner.value <= round.committee.miners &&
                bytes.size() == layout.polynomial_size();
    for (std::size_t prime = 0; good && prime < layout.fields().size(); ++prime) {
      const auto words = std::span(point.words).subspan(prime * layout.degree(), layout.degree());
      good = unpack_prime(layout, prime, bytes, words).has_value();
    }
    if (good) {
      published.push_back(std::move(point));
    } else {
      agreed.bad.push_back(miner);
    }
  }
  if (published.size() < threshold) return none_agree();

  std::vector<const PublishedPoint*> through;
  for (std::size_t at = 0; at < threshold; ++at) through.push_back(&published[at]);
  std::vector<MinerId> off = off_polynomial(layout, published, through);
  if (!off.empty()) {
    if (round.committee.miners <= subsets_up_to_miners) {
      CONSILIUM_TRY(through, subset_that_opens(opener, published, threshold));
    } else {
      through = agreeing_points(layout, published, threshold);
    }
    if (through.empty()) return none_agree();
    off = off_polynomial(layout, published, through);
  }
  agreed.words = interpolate(layout, through, 0);
  agreed.bad.insert(agreed.bad.end(), off.begin(), off.end());
  std::sort(agreed.bad.begin(), agreed.bad.end());
  return agreed;
}

}  // namespace

auto open_sum(const RoundParameters& round, std::span<const BytesView> bodies,
              const std::map<MinerId, Bytes>& share_sums) -> Result<OpenedSum> {
  CONSILIUM_TRY(Opener opener, Opener::make(round, bodies));
  CONSILIUM_TRY(AgreedKey key, agree_on_key(opener, round, share_sums));
  CONSILIUM_TRY(OpenedSum opened, opener.open(key.words));
  opened.bad_share_sums = std::move(key.bad);
  return opened;
}

}  // namespace consilium::sealing
