#pragma once
/// Diagnosis answers one question: what is probably wrong with this patient, who looked like this
/// before, why do they look alike, and what helped them.
///
/// Sim(i,j) = Σ w_p·sim_p(i_p,j_p) / Σ w_p over the V1 attributes p that the target i records.
///
/// Always true:
///   - the answer is exact: every case of the index is compared, and ties are ordered by case id;
///   - a similar case's shares add up to its similarity: the reasons shown are the whole reason;
///   - a case is never its own evidence, and only cases of status `sample` are;
///   - what a case does not record never counts as agreement.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consilium/casebase/vectors.hpp"
#include "consilium/learning/model.hpp"

namespace consilium::diagnosis {

/// What an attribute that the other case does not record does to Sim(i,j).
enum class Denominator : std::uint8_t {
  /// Σ w_p over what the target records; a silent attribute of the other case counts as 0. Thin
  /// records cannot win.
  target = 1,
  /// Σ w_p over what both record: kinder to thin records, so read it beside `coverage`. Sim(i,j) =
  /// Sim(j,i).
  both_present = 2,
};

struct Options {
  std::size_t top_k =
      5;  ///< 1..1000: similar cases shown; counts always use every case over the threshold
  double threshold = 0.7;  ///< 0..1: a case below it is not similar
  Denominator denominator = Denominator::target;
  /// One weight ≥ 0 for each V1 attribute of the schema, in its order. Empty: the schema's own
  /// weights.
  std::vector<double> weights;
};

/// sim_p of two values that `value_of` gave for this attribute, in [0, 1], symmetric, 1 for equal
/// values:
///   exact         1 when equal, else 0
///   ordinal       1 − |rank difference| / (codes − 1)
///   range         1 − |a − b| / scale, not below 0
///   gaussian      exp(−(a − b)² / (2·scale²))
///   log_duration  1 − |ln(1 + a) − ln(1 + b)| / ln(1 + scale), not below 0, in days: "just now"
///   against `scale`
///                 days gives 0
[[nodiscard]] auto local_similarity(const casebase::Attribute& attribute, const casebase::Value& a,
                                    const casebase::Value& b) -> double;

/// What a doctor reads: "asymptomatic", "294 mg/dL", "54 a". A case has no formatter on purpose;
/// this is the one door through which a single value becomes text, and it is called only for a
/// screen or a report of its own hospital.
[[nodiscard]] auto display_text(const casebase::Value& value, const casebase::Attribute& attribute)
    -> std::string;

/// The cases that answers come from.
class Index {
 public:
  /// Every case has status `sample`. Time: linear in cases × attributes.
  Index(std::vector<casebase::Case> samples, casebase::Schema schema);
  Index(Index&&) noexcept;
  auto operator=(Index&&) noexcept -> Index&;
  ~Index();

  [[nodiscard]] auto size() const -> std::size_t;
  [[nodiscard]] auto schema() const -> const casebase::Schema&;

  struct State;  ///< index.hpp, inside the room
  [[nodiscard]] auto state() const -> const State& { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

/// Whether an attribute speaks for the other case, against it, or not at all.
enum class Stance : std::uint8_t { supports = 1, contradicts = 2, not_recorded = 3 };
/// From this local similarity on an attribute supports.
inline constexpr double supports_from = 0.5;

/// One attribute that the target records, beside the same attribute of a similar case.
struct Contribution {
  std::uint16_t attribute_id = 0;
  std::string name, title;  ///< of the attribute: "chest_pain_type", "Chest pain"
  std::string target_text;
  std::string other_text;  ///< empty when not recorded
  double similarity = 0;   ///< sim_p; 0 when not recorded
  double weight = 0;       ///< w_p
  double share = 0;        ///< w_p·sim_p / Σ w_p: these add up to the case's similarity
  Stance stance = Stance::not_recorded;
};

struct SimilarCase {
  CaseId id;
  double similarity = 0;
  double coverage = 0;        ///< part of the target's weight that this case records, 0..1
  std::string disease;        ///< code; empty: not recorded
  std::string disease_title;  ///< what a doctor reads
  std::vector<Contribution>
      contributions;  ///< in schema order, one per attribute that the target records
};

struct Interval {
  double low = 0, high = 1;
};
/// Wilson's score interval for `count` of `total` at 95 % (Wilson 1927). total = 0: [0, 1].
[[nodiscard]] auto wilson_interval(std::size_t count, std::size_t total) -> Interval;

/// How many similar cases had a disease.
struct DiseaseCount {
  std::string code, title;
  std::size_t cases = 0;
  double share = 0;   ///< of the similar cases whose disease is recorded
  Interval interval;  ///< of that share, 95 %
};
struct DiseaseProbability {
  std::string code, title;
  double probability = 0;
};

enum class Basis : std::uint8_t { nothing = 0, network = 1, similar_cases = 2 };

/// A whole treatment line that similar cases of the proposed disease really had.
struct Recommendation {
  casebase::Treatment treatment;
  /// Every part that the schema asks for (drug, route, dose, frequency, time) is recorded. A line
  /// that is not is recommended only when no similar case has a complete one.
  bool complete = false;
  std::vector<CaseId> cases;  ///< whose line it is, most similar first
  std::size_t treated = 0;    ///< similar cases of that disease with any treatment line
};

struct Answer {
  /// By the network, in the schema's order of diseases; empty without a model.
  std::vector<DiseaseProbability> posterior;
  /// The likeliest by the network; without one, the commonest among the similar cases (first by the
  /// schema on a tie).
  std::string proposed_disease, proposed_title;
  Basis basis = Basis::nothing;

  std::vector<SimilarCase>
      similar;               ///< over the threshold, at most top_k, similarity descending, then id
  std::size_t searched = 0;  ///< cases compared
  std::size_t similar_count = 0;  ///< all over the threshold
  /// Every disease of the schema, in its order, among all cases over the threshold.
  std::vector<DiseaseCount> counts;
  std::size_t without_disease = 0;  ///< similar cases that record none
  /// No case reached the threshold: nothing similar enough. `nearest` then says how close the
  /// closest came.
  bool nothing_similar = false;
  double nearest = 0;

  /// Nothing when no similar case of the proposed disease records a treatment; `notes` says so.
  std::optional<Recommendation> recommended;
  /// Plain sentences a doctor must see: nothing similar, no treatment recorded, thin evidence.
  std::vector<std::string> notes;
};

/// Answers about one case. `model` may be null (no round has been accepted yet); otherwise it was
/// trained on vectors of this schema under `standardisation`. A case with the target's own id is
/// left out. Time: linear in cases × attributes the target records. Errors: `no_usable_attribute`
/// (the target records no V1 attribute of weight > 0), `bad_weights` (wrong number, negative, not
/// finite, all 0), `empty_base` (no case but the target itself), `bad_top_k`, `bad_threshold`,
/// `stale_model` (model or statistics do not fit the schema).
[[nodiscard]] auto consult(const casebase::Case& target, const Index& index,
                           const learning::Model* model,
                           const casebase::Standardisation& standardisation,
                           const Options& options = {}) -> Result<Answer>;

}  // namespace consilium::diagnosis
