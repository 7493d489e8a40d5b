// What must be uniform is: key words, t − 1 shares beside the key, masks, and the body. And what
// t − 1 miners see, together with everything public, fixes no linear combination of a key.
//
// Chance is seeded, so nothing here fails by luck; the thresholds would raise a false alarm less
// than once in 10⁹ runs all the same, and every statistic is shown to go off on a biased source.

#include <array>
#include <cmath>

#include "consilium/foundation/codec.hpp"

#include "block_kernels.hpp"
#include "body_layout.hpp"
#include "key_sharing.hpp"
#include "sealing_round.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

/// Deviations above the mean of a χ² with this many degrees of freedom (Wilson and Hilferty): the
/// result is close to a standard normal, also far out.
auto deviations(double chi_square, double freedom) -> double {
  const double spread = 2.0 / (9.0 * freedom);
  return (std::cbrt(chi_square / freedom) - (1.0 - spread)) / std::sqrt(spread);
}
/// A standard normal is above it less than once in 10⁹ tries.
constexpr double alarm = 6.2;

/// Counts residues in cells of known probability: those below 2^bits − q, where a `min(a, a − q)`
/// in place of rejection would put twice as many; 32 even cells of the rest; and the low five bits.
class ResidueCells {
 public:
  explicit ResidueCells(const PrimeField& field)
      : q_(field.q),
        folded_(static_cast<std::uint32_t>((std::uint64_t{1} << field.bits) - field.q)) {}

  void add(std::uint32_t word) {
    ++total_;
    if (word < folded_) {
      ++below_;
    } else {
      ++high_[std::uint64_t{word - folded_} * high_.size() / (q_ - folded_)];
    }
    ++low_[word % low_.size()];
  }
  void add(std::span<const std::uint32_t> words) {
    for (const std::uint32_t word : words) add(word);
  }

  /// The worst of the three, in deviations.
  [[nodiscard]] auto worst() const -> double {
    const auto all = static_cast<double>(total_);
    const double folded = all * folded_ / q_;
    const double below =
        std::abs(static_cast<double>(below_) - folded) / std::sqrt(folded * (1 - folded / all));
    return std::max(
        {below, spread_of(high_, all - static_cast<double>(below_)), spread_of(low_, all)});
  }

 private:
  /// Cells differ in probability by less than 32/q, far below what any count here can show.
  static auto spread_of(std::span<const std::uint64_t> cells, double all) -> double {
    const double expected = all / static_cast<double>(cells.size());
    double chi = 0;
    for (const std::uint64_t count : cells) {
      const double off = static_cast<double>(count) - expected;
      chi += off * off / expected;
    }
    return deviations(chi, static_cast<double>(cells.size() - 1));
  }
  std::uint32_t q_, folded_;
  std::uint64_t total_ = 0, below_ = 0;
  std::array<std::uint64_t, 32> high_{}, low_{};
};

/// The same places seen in many runs: χ² of each place over four even cells, the worst place with
/// the odds of having looked at all of them, and all places together.
class PlaceCells {
 public:
  PlaceCells(const PrimeField& field, std::size_t places) : q_(field.q), counts_(places) {}
  void add(std::span<const std::uint32_t> words) {
    ++runs_;
    for (std::size_t at = 0; at < words.size(); ++at) {
      ++counts_[at][std::uint64_t{words[at]} * 4 / q_];
    }
  }
  [[nodiscard]] auto worst() const -> double {
    const double expected = static_cast<double>(runs_) / 4;
    double together = 0;
    double largest = 0;
    for (const auto& cells : counts_) {
      double chi = 0;
      for (const std::uint32_t count : cells) {
        const double off = static_cast<double>(count) - expected;
        chi += off * off / expected;
      }
      together += chi;
      largest = std::max(largest, chi);
    }
    const auto places = static_cast<double>(counts_.size());
    // A place may be further out the more of them there are: by √(2 ln places) deviations.
    return std::max(deviations(together, 3 * places),
                    deviations(largest, 3) - std::sqrt(2 * std::log(places)));
  }

 private:
  std::uint32_t q_;
  std::size_t runs_ = 0;
  std::vector<std::array<std::uint32_t, 4>> counts_;
};

/// What rejection stands against: words folded into range, small ones twice as likely.
void folded_residues(const PrimeField& field, Random& random, std::span<std::uint32_t> out) {
  for (std::uint32_t& word : out) {
    const std::uint32_t raw = random.u32() & field.word_mask;
    word = std::min(raw, raw - field.q);
  }
}

constexpr std::size_t words_a_test = std::size_t{1} << 22U;

class Uniform : public testing::TestWithParam<Suite> {};

TEST_P(Uniform, are_the_words_of_a_key_stream_and_folded_words_are_not) {
  for (const PrimeField& field : fields_of(GetParam())) {
    ResidueCells sampled(field);
    ResidueCells folded(field);
    std::vector<std::uint32_t> words(words_a_test / 16);
    WordStream stream(digest_of(0x31));
    SeededRandom random(0x31, "folded");
    for (int part = 0; part < 16; ++part) {
      stream.residues(field, words);
      sampled.add(words);
      folded_residues(field, random, words);
      folded.add(words);
    }
    EXPECT_LT(sampled.worst(), alarm);
    EXPECT_GT(folded.worst(), alarm) << "the statistic would not see a biased sampler";
  }
}

/// Given the key, t − 1 shares and the t − 1 coefficients above the key determine each other: the
/// shares are uniform, jointly, exactly when the coefficients are. These are the coefficients.
auto coefficients_behind(const PrimeField& field, std::span<const std::uint16_t> alphas,
                         std::span<const std::vector<std::uint32_t>> shares,
                         std::span<const std::uint32_t> key)
    -> std::vector<std::vector<std::uint32_t>> {
  // (f(α) − f(0))/α is a polynomial of degree t − 2 with those coefficients: Newton's divided
  // differences give them, in Horner's form.
  const std::size_t count = alphas.size();
  std::vector<std::vector<std::uint32_t>> out(count, std::vector<std::uint32_t>(key.size()));
  for (std::size_t k = 0; k < key.size(); ++k) {
    std::vector<std::uint32_t> divided;
    for (std::size_t i = 0; i < count; ++i) {
      divided.push_back(
          field.product(field.subtract(shares[i][k], key[k]), field.inverse_of(alphas[i])));
    }
    for (std::size_t level = 1; level < count; ++level) {
      for (std::size_t i = count - 1; i >= level; --i) {
        divided[i] = field.product(field.subtract(divided[i], divided[i - 1]),
                                   field.inverse_of(field.subtract(alphas[i], alphas[i - level])));
      }
    }
    std::vector<std::uint32_t> power(count, 0);
    for (std::size_t i = count; i-- > 0;) {
      for (std::size_t d = count - 1; d > 0; --d) {
        power[d] = field.subtract(power[d - 1], field.product(power[d], alphas[i]));
      }
      power[0] = field.subtract(0, field.product(power[0], alphas[i]));
      power[0] = field.add(power[0], divided[i]);
    }
    for (std::size_t d = 0; d < count; ++d) out[d][k] = power[d];
  }
  return out;
}

struct SharesSeen {
  double coefficients = 0, places = 0, masks = 0;
};

/// Shares one fixed key `sharings` times and looks at what the last t − 1 miners hold.
auto look_at_shares(Suite suite, std::uint16_t miners, int sharings) -> SharesSeen {
  const TestRound round = make_round(suite, 4, miners, 5);
  const BodyLayout layout = must(BodyLayout::of(round.parameters));
  const PrimeField& field = layout.fields()[0];
  const std::uint16_t threshold = round.parameters.committee.threshold;
  std::vector<std::uint16_t> alphas;
  for (std::uint16_t m = 0; m + 1 < threshold; ++m) {
    alphas.push_back(static_cast<std::uint16_t>(miners - m));
  }
  KeyWords key(layout.fields().size() * field.degree);
  std::fill(key.expose().begin(), key.expose().end(), 1234567U);
  ResidueCells coefficients(field);
  ResidueCells masks(field);
  PlaceCells places(field, field.degree);
  for (int run = 0; run < sharings; ++run) {
    WordStream stream(sha256(Writer().u64(static_cast<std::uint64_t>(run)).u16(miners).view()));
    const SharingPolynomials sharing(layout, threshold, key, stream);
    std::vector<std::vector<std::uint32_t>> shares;
    for (const std::uint16_t alpha : alphas) {
      const ShareOpening opening = sharing.share_at(alpha);
      auto& words = shares.emplace_back(field.degree);
      const std::size_t size = packed_size(field, field.degree);
      must(unpack(field, BytesView(opening.share.expose()).first(size), words));
      Reader reader(opening.masks.expose());
      for (std::size_t row = 0; row < layout.rows(); ++row) masks.add(reader.u32());
    }
    places.add(shares.front());
    const auto key_of_prime = key.expose().first(field.degree);
    for (const auto& of_degree : coefficients_behind(field, alphas, shares, key_of_prime)) {
      coefficients.add(of_degree);
    }
  }
  return {coefficients.worst(), places.worst(), masks.worst()};
}

TEST_P(Uniform, are_t_minus_1_shares_and_masks_beside_the_key) {
  for (const auto& [miners, sharings] :
       {std::pair<std::uint16_t, int>{2, 400}, {4, 250}, {7, 120}}) {
    const SharesSeen seen = look_at_shares(GetParam(), miners, sharings);
    EXPECT_LT(seen.coefficients, alarm) << miners;
    EXPECT_LT(seen.places, alarm) << miners;
    EXPECT_LT(seen.masks, alarm) << miners;
  }
}

TEST(UniformShares, would_show_coefficients_that_were_folded_into_range) {
  // The control of the test above: f_k drawn with the fold, shared by hand, seen by the same eyes.
  const PrimeField& field = fields_of(Suite::s30)[0];
  const std::array<std::uint16_t, 2> alphas{4, 3};
  SeededRandom random(5, "folded shares");
  ResidueCells cells(field);
  const std::vector<std::uint32_t> key(field.degree, 1234567U);
  std::vector<std::uint32_t> first(field.degree), second(field.degree);
  std::vector<std::vector<std::uint32_t>> shares(2, std::vector<std::uint32_t>(field.degree));
  for (int run = 0; run < 600; ++run) {
    folded_residues(field, random, first);
    folded_residues(field, random, second);
    for (std::size_t i = 0; i < alphas.size(); ++i) {
      for (std::size_t k = 0; k < key.size(); ++k) {
        const std::uint32_t above = field.add(first[k], field.product(second[k], alphas[i]));
        shares[i][k] = field.add(key[k], field.product(above, alphas[i]));
      }
    }
    const auto found = coefficients_behind(field, alphas, shares, key);
    ASSERT_EQ(found[0], first);
    ASSERT_EQ(found[1], second);
    cells.add(found[0]);
    cells.add(found[1]);
  }
  EXPECT_GT(cells.worst(), alarm);
}

TEST_P(Uniform, is_the_body_whatever_was_sealed) {
  // One round, hence one public polynomial; keys and errors are fresh each time, the vector is
  // always the same: all zeros, or all as large as may be.
  for (const bool large : {false, true}) {
    TestRound round = make_round(GetParam(), 4, 1, 1);
    const std::uint32_t degree = parameters_of(GetParam()).ring_degree;
    round.parameters.length = std::uint64_t{degree} * lanes_max;
    const std::int64_t x = large ? must(scale_of(GetParam(), 4)).value_max : 0;
    const std::vector<std::int64_t> values(round.parameters.length, x);
    const BodyLayout layout = must(BodyLayout::of(round.parameters));
    SeededRandom secrets(large ? 2 : 1, "uniform bodies");
    std::vector<ResidueCells> cells;
    std::vector<PlaceCells> places;
    for (const PrimeField& field : layout.fields()) {
      cells.emplace_back(field);
      places.emplace_back(field, values.size());
    }
    std::vector<std::uint32_t> words(values.size());
    for (int run = 0; run < 64; ++run) {
      const Sealed sealed = must(seal(round.parameters, HospitalId{1}, values, secrets));
      const BytesView payload = layout.chunk(sealed.body, 0).subspan(chunk_header_size);
      for (std::size_t prime = 0; prime < cells.size(); ++prime) {
        must(unpack_prime(layout, prime, payload, words));
        cells[prime].add(words);
        places[prime].add(words);
      }
    }
    for (std::size_t prime = 0; prime < cells.size(); ++prime) {
      EXPECT_LT(cells[prime].worst(), alarm) << large << prime;
      EXPECT_LT(places[prime].worst(), alarm) << large << prime;
    }
  }
}

TEST(UniformBodies, would_show_a_key_that_never_changes) {
  // The control: with one key for all runs every place stays where it was but for the errors.
  const PrimeField& field = fields_of(Suite::s30)[0];
  const std::size_t count = std::size_t{field.degree} * lanes_max;
  std::vector<std::uint32_t> key(field.degree), block(count);
  std::vector<Factor> prepared(field.degree);
  WordStream(digest_of(0x44)).residues(field, key);
  prepare_key(field, key, prepared);
  PlaceCells places(field, count);
  SeededRandom random(6, "one key");
  const std::vector<std::int32_t> values(count, 0);
  for (int run = 0; run < 64; ++run) {
    expand(digest_of(0x45), 0, 0, field, block);
    multiply_by_key(field, block, lanes_max, prepared);
    Bytes errors(error_bytes(8, count));
    random.fill(errors);
    Bytes packed(packed_size(field, count));
    kernels().add_and_pack(field, block.data(), count, {values.data(), errors.data(), 8, 1638},
                           packed.data());
    must(unpack(field, packed, block));
    places.add(block);
  }
  EXPECT_GT(places.worst(), alarm);
}

INSTANTIATE_TEST_SUITE_P(EverySuite, Uniform, testing::Values(Suite::s30, Suite::l48, Suite::l60),
                         [](const auto& suite) {
                           return std::string(parameters_of(suite.param).name);
                         });

/// The rank of a matrix over the field, by elimination.
auto rank_of(const PrimeField& field, std::vector<std::vector<std::uint32_t>> rows) -> std::size_t {
  std::size_t rank = 0;
  const std::size_t columns = rows.front().size();
  for (std::size_t column = 0; column < columns && rank < rows.size(); ++column) {
    std::size_t found = rank;
    while (found < rows.size() && rows[found][column] == 0) ++found;
    if (found == rows.size()) continue;
    std::swap(rows[found], rows[rank]);
    const std::uint32_t inverse = field.inverse_of(rows[rank][column]);
    for (std::size_t other = rank + 1; other < rows.size(); ++other) {
      const std::uint32_t factor = field.product(rows[other][column], inverse);
      if (factor == 0) continue;
      for (std::size_t at = column; at < columns; ++at) {
        rows[other][at] = field.subtract(rows[other][at], field.product(factor, rows[rank][at]));
      }
    }
    ++rank;
  }
  return rank;
}

/// A whole small round as linear algebra: hospitals share keys of `key_size` words with R masks to
/// M miners. Unknown are all coefficients of all honest hospitals.
class JointView {
 public:
  JointView(std::uint16_t miners, std::size_t hospitals, std::size_t key_size, std::size_t rows)
      : committee_(committee_of(miners)),
        hospitals_(hospitals),
        key_size_(key_size),
        rows_(rows),
        random_(miners * 1000U + hospitals, "joint view") {}

  /// All that one miner holds of one hospital.
  void miner_sees(std::uint16_t alpha, std::size_t hospital) {
    for (std::size_t k = 0; k < key_size_ + rows_; ++k) {
      auto& row = new_row();
      put_evaluation(row, hospital, k, alpha);
    }
  }
  /// F of one hospital: t coefficients a challenge row.
  void everybody_sees_the_response_of(std::size_t hospital) {
    for (std::size_t r = 0; r < rows_; ++r) {
      std::vector<std::uint32_t> challenge(key_size_);
      for (std::uint32_t& word : challenge) {
        word = static_cast<std::uint32_t>(random_.below(field_.q));
      }
      for (std::size_t d = 0; d < committee_.threshold; ++d) {
        auto& row = new_row();
        for (std::size_t k = 0; k < key_size_; ++k) row[unknown(hospital, k, d)] = challenge[k];
        row[unknown(hospital, key_size_ + r, d)] = 1;
      }
    }
  }
  /// The share sums of all miners over all hospitals.
  void everybody_sees_the_share_sums() {
    for (std::uint16_t alpha = 1; alpha <= committee_.miners; ++alpha) {
      for (std::size_t k = 0; k < key_size_; ++k) {
        auto& row = new_row();
        for (std::size_t hospital = 0; hospital < hospitals_; ++hospital) {
          put_evaluation(row, hospital, k, alpha);
        }
      }
    }
  }
  /// How many independent linear combinations of one hospital's key the view determines.
  [[nodiscard]] auto known_of(std::size_t hospital) const -> std::size_t {
    auto with_key = view_;
    for (std::size_t k = 0; k < key_size_; ++k) {
      with_key.emplace_back(unknowns())[unknown(hospital, k, 0)] = 1;
    }
    return rank_of(field_, view_) + key_size_ - rank_of(field_, with_key);
  }

 private:
  [[nodiscard]] auto unknowns() const -> std::size_t {
    return hospitals_ * (key_size_ + rows_) * committee_.threshold;
  }
  [[nodiscard]] auto unknown(std::size_t hospital, std::size_t k, std::size_t degree) const
      -> std::size_t {
    return (hospital * (key_size_ + rows_) + k) * committee_.threshold + degree;
  }
  auto new_row() -> std::vector<std::uint32_t>& { return view_.emplace_back(unknowns()); }
  void put_evaluation(std::vector<std::uint32_t>& row, std::size_t hospital, std::size_t k,
                      std::uint16_t alpha) const {
    std::uint32_t power = 1;
    for (std::size_t d = 0; d < committee_.threshold; ++d) {
      row[unknown(hospital, k, d)] = power;
      power = field_.product(power, alpha);
    }
  }
  const PrimeField& field_ = fields_of(Suite::s30)[0];
  Committee committee_;
  std::size_t hospitals_, key_size_, rows_;
  SeededRandom random_;
  std::vector<std::vector<std::uint32_t>> view_;
};

TEST(JointViews, of_t_minus_1_miners_fix_no_combination_of_a_key) {
  for (const std::uint16_t miners : std::initializer_list<std::uint16_t>{2, 3, 4, 7}) {
    const std::uint16_t threshold = committee_of(miners).threshold;
    for (const std::size_t honest : {2U, 3U}) {
      JointView view(miners, honest, 4, 2);
      for (std::size_t hospital = 0; hospital < honest; ++hospital) {
        // The last t − 1 miners and everything public, the opened sum of the keys among it.
        for (std::uint16_t m = 0; m + 1 < threshold; ++m) {
          view.miner_sees(static_cast<std::uint16_t>(miners - m), hospital);
        }
        view.everybody_sees_the_response_of(hospital);
      }
      view.everybody_sees_the_share_sums();
      for (std::size_t hospital = 0; hospital < honest; ++hospital) {
        EXPECT_EQ(view.known_of(hospital), 0U) << miners << " miners, " << honest << " honest";
      }
      // One share more of one hospital, as after a complaint of an honest miner (attack 2), is its
      // whole key; with two honest hospitals the sum then gives the other's as well.
      view.miner_sees(1, 0);
      EXPECT_EQ(view.known_of(0), 4U);
      EXPECT_EQ(view.known_of(1), honest == 2 ? 4U : 0U);
    }
    // A single honest hospital in the set is what is left when all others subtract themselves.
    JointView alone(miners, 1, 4, 2);
    alone.everybody_sees_the_share_sums();
    EXPECT_EQ(alone.known_of(0), 4U);
  }
}

}  // namespace
}  // namespace consilium::sealing
