#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "index.hpp"

namespace consilium::diagnosis {
namespace {

using casebase::Attribute;
using casebase::Case;
using casebase::Treatment;

constexpr std::size_t top_k_max = 1000;
// Below this many similar cases a share says little; the note says so beside the interval.
constexpr std::size_t thin_evidence = 5;

auto refuse(std::string_view code, std::string_view sentence) -> tl::unexpected<Error> {
  return fail(code, "diagnosis", sentence);
}

/// One attribute that counts: the target records it.
struct Term {
  std::size_t attribute;  ///< in State::attributes
  double weight;
  double target;
};

struct Scored {
  std::size_t row;
  double similarity;
};

auto before(const Scored& a, const Scored& b) -> bool {
  // Rows ascend by id.
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.row < b.row;
}

auto weights_of(const Index::State& state, const Options& options) -> Result<std::vector<double>> {
  auto weights = options.weights;
  if (weights.empty())
    for (const auto& a : state.attributes) weights.push_back(a.weight);
  if (weights.size() != state.attributes.size())
    return refuse("bad_weights",
                  "Give one weight for each finding of the schema, in its order, or none at all.");
  if (!std::all_of(weights.begin(), weights.end(),
                   [](double w) { return std::isfinite(w) && w >= 0; }))
    return refuse("bad_weights", "A weight must be a number that is not negative; correct it.");
  if (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; }))
    return refuse("bad_weights", "Every weight is 0, so nothing could be compared; raise one.");
  // Their sum must be finite too, and no quotient may overflow.
  const double largest = *std::max_element(weights.begin(), weights.end());
  if (largest > 1e12)
    return refuse("bad_weights", "A weight is above 10^12; only their ratios matter, scale them.");
  return weights;
}

auto terms_of(const Case& target, const Index::State& state, const std::vector<double>& weights)
    -> std::vector<Term> {
  std::vector<Term> terms;
  for (std::size_t p = 0; p < state.attributes.size(); ++p)
    if (const auto cell = cell_of(target, state.attributes[p]))
      terms.push_back({p, weights[p], *cell});
  return terms;
}

/// The two sums of Sim(i,j), over the attributes in schema order.
struct Sums {
  double agreement = 0;  ///< Σ w_p·sim_p
  double both = 0;       ///< Σ w_p where both record
  double target = 0;     ///< Σ w_p where the target records
  [[nodiscard]] auto denominator(Denominator kind) const -> double {
    return kind == Denominator::target ? target : both;
  }
  [[nodiscard]] auto similarity(Denominator kind) const -> double {
    const double d = denominator(kind);
    return d > 0 ? agreement / d : 0;
  }
};

auto compare(const std::vector<Term>& terms, const Index::State& state, std::size_t row) -> Sums {
  Sums sums;
  const auto cells = state.row(row);
  for (const auto& term : terms) {
    sums.target += term.weight;
    const auto& other = cells[term.attribute];
    if (!other) continue;
    sums.both += term.weight;
    sums.agreement +=
        term.weight * cell_similarity(state.attributes[term.attribute], term.target, *other);
  }
  return sums;
}

auto disease_attribute(const casebase::Schema& schema) -> const Attribute* {
  const auto found = std::find_if(schema.attributes.begin(), schema.attributes.end(),
                                  [](const auto& a) { return a.source == "disease"; });
  return found == schema.attributes.end() ? nullptr : &*found;
}

auto disease_text(const Attribute* attribute, const std::string& code) -> std::string {
  if (attribute == nullptr || code.empty()) return code;
  return display_text({std::nullopt, code, {}}, *attribute);
}

auto explain(const Case& target, const std::vector<Term>& terms, const Index::State& state,
             const Scored& scored, const Options& options) -> SimilarCase {
  const auto sums = compare(terms, state, scored.row);
  const auto& other = state.cases[scored.row];
  SimilarCase out;
  out.id = other.id;
  out.similarity = scored.similarity;
  out.coverage = sums.both / sums.target;
  out.disease = other.outcome.disease;
  out.disease_title = disease_text(disease_attribute(state.schema), out.disease);
  const double denominator = sums.denominator(options.denominator);
  for (const auto& term : terms) {
    const auto& attribute = state.attributes[term.attribute];
    Contribution c;
    c.attribute_id = attribute.id;
    c.name = attribute.name;
    c.title = attribute.title;
    c.target_text = display_text(*casebase::value_of(target, attribute), attribute);
    c.weight = term.weight;
    if (const auto& cell = state.row(scored.row)[term.attribute]) {
      c.other_text = display_text(*casebase::value_of(other, attribute), attribute);
      c.similarity = cell_similarity(attribute, term.target, *cell);
      c.share = denominator > 0 ? c.weight * c.similarity / denominator : 0;
      c.stance = c.similarity >= supports_from ? Stance::supports : Stance::contradicts;
    }
    out.contributions.push_back(std::move(c));
  }
  return out;
}

auto posterior_of(const Case& target, const Index::State& state, const learning::Model& model,
                  const casebase::Standardisation& standardisation)
    -> Result<std::vector<DiseaseProbability>> {
  const auto layout = casebase::layout_of(state.schema);
  const auto* disease = disease_attribute(state.schema);
  const auto numbers = layout.number_ids.size();
  if (disease == nullptr || model.shape().inputs != layout.v1.size() ||
      learning::class_count(model.shape()) != disease->codes.size() ||
      standardisation.mean.size() != numbers || standardisation.deviation.size() != numbers ||
      standardisation.count.size() != numbers)
    return refuse("stale_model",
                  "The model or its statistics belong to another schema; take the model of the "
                  "last accepted round.");
  const auto vectors = casebase::vectorise(std::span(&target, 1), state.schema, standardisation);
  const auto probabilities =
      model.predict({vectors.rows, vectors.columns, vectors.values, vectors.disease});
  std::vector<DiseaseProbability> out;
  for (std::size_t d = 0; d < disease->codes.size(); ++d) {
    const auto p = static_cast<double>(probabilities[d]);
    if (!std::isfinite(p))
      return refuse("stale_model",
                    "The model gives no number for this case; take the model of the last accepted "
                    "round.");
    out.push_back({disease->codes[d], disease_text(disease, disease->codes[d]), p});
  }
  return out;
}

void count_diseases(const Index::State& state, const std::vector<Scored>& similar, Answer& answer) {
  std::map<std::string, std::size_t> cases;
  for (const auto& s : similar) ++cases[state.cases[s.row].outcome.disease];
  answer.without_disease = cases[""];
  const auto recorded = similar.size() - answer.without_disease;
  const auto* disease = disease_attribute(state.schema);
  if (disease == nullptr) return;
  for (const auto& code : disease->codes) {
    const auto count = cases[code];
    answer.counts.push_back(
        {code, disease_text(disease, code), count,
         recorded == 0 ? 0 : static_cast<double>(count) / static_cast<double>(recorded),
         wilson_interval(count, recorded)});
  }
}

void propose(Answer& answer) {
  if (!answer.posterior.empty()) {
    const auto best = std::max_element(
        answer.posterior.begin(), answer.posterior.end(),
        [](const auto& a, const auto& b) { return a.probability < b.probability; });
    answer.proposed_disease = best->code;
    answer.proposed_title = best->title;
    answer.basis = Basis::network;
    return;
  }
  const auto best =
      std::max_element(answer.counts.begin(), answer.counts.end(),
                       [](const auto& a, const auto& b) { return a.cases < b.cases; });
  if (best == answer.counts.end() || best->cases == 0) return;
  answer.proposed_disease = best->code;
  answer.proposed_title = best->title;
  answer.basis = Basis::similar_cases;
}

/// A whole line as one comparable thing: equal lines were the same treatment.
using Line =
    std::tuple<std::string, std::string, std::string, std::string, std::string, std::string>;
auto line_of(const Treatment& t) -> Line {
  return {t.drug, t.route, t.dose ? t.dose->to_text() : "", t.dose_unit, t.frequency, t.time};
}

auto is_complete(const Treatment& t, const casebase::Schema& schema) -> bool {
  if (t.drug.empty()) return false;
  return std::all_of(schema.attributes.begin(), schema.attributes.end(), [&](const auto& a) {
    return !((a.source == "route" && t.route.empty()) || (a.source == "dose" && !t.dose) ||
             (a.source == "frequency" && t.frequency.empty()) ||
             (a.source == "time" && t.time.empty()));
  });
}

auto recommend(const Index::State& state, const std::vector<Scored>& similar,
               const std::string& disease) -> std::optional<Recommendation> {
  std::map<Line, Recommendation> lines;
  std::size_t treated = 0;
  for (const auto& s : similar) {  // most similar first
    const auto& c = state.cases[s.row];
    if (disease.empty() || c.outcome.disease != disease) continue;
    bool any = false;
    for (const auto& treatment : c.outcome.treatments) {
      if (treatment.drug.empty()) continue;
      any = true;
      auto& line = lines[line_of(treatment)];
      line.treatment = treatment;
      line.complete = is_complete(treatment, state.schema);
      // A case that records the same line twice is one case.
      if (line.cases.empty() || line.cases.back() != c.id) line.cases.push_back(c.id);
    }
    if (any) ++treated;
  }
  if (lines.empty()) return std::nullopt;
  // Complete before incomplete, then the most frequent; a tie goes to the first in the order of the
  // text.
  const auto best = std::max_element(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    if (a.second.complete != b.second.complete) return b.second.complete;
    return a.second.cases.size() < b.second.cases.size();
  });
  auto out = best->second;
  out.treated = treated;
  return out;
}

void note(const Index::State& state, Answer& answer) {
  if (answer.nothing_similar) {
    answer.notes.emplace_back("Nothing similar enough: no case of the base reaches the threshold.");
    return;
  }
  if (answer.similar_count < thin_evidence)
    answer.notes.emplace_back("Few similar cases: read the counts with their intervals.");
  const auto has_treatment = std::any_of(state.cases.begin(), state.cases.end(), [](const auto& c) {
    return std::any_of(c.outcome.treatments.begin(), c.outcome.treatments.end(),
                       [](const auto& t) { return !t.drug.empty(); });
  });
  if (answer.recommended) {
    if (!answer.recommended->complete)
      answer.notes.emplace_back(
          "No similar case records the whole treatment: what the line leaves open is not known.");
  } else if (!has_treatment) {
    answer.notes.emplace_back("Treatment: this case base records none, so none is suggested.");
  } else {
    answer.notes.emplace_back(
        "Treatment: no similar case with the proposed diagnosis records one, so none is "
        "suggested.");
  }
}

}  // namespace

auto wilson_interval(std::size_t count, std::size_t total) -> Interval {
  CONSILIUM_ENSURE(count <= total);
  if (total == 0) return {};
  constexpr double z = 1.959963984540054;  // 97.5 % of the standard normal
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(count) / n;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {count == 0 ? 0 : std::max(0.0, centre - half),
          count == total ? 1 : std::min(1.0, centre + half)};
}

auto consult(const Case& target, const Index& index, const learning::Model* model,
             const casebase::Standardisation& standardisation, const Options& options)
    -> Result<Answer> {
  const auto& state = index.state();
  if (options.top_k < 1 || options.top_k > top_k_max)
    return refuse("bad_top_k", "Ask for 1 to 1000 similar cases.");
  if (!(options.threshold >= 0 && options.threshold <= 1))
    return refuse("bad_threshold", "Give a similarity threshold between 0 and 1.");
  CONSILIUM_TRY(const auto weights, weights_of(state, options));
  const auto terms = terms_of(target, state, weights);
  if (std::none_of(terms.begin(), terms.end(), [](const Term& t) { return t.weight > 0; }))
    return refuse("no_usable_attribute",
                  "This case records nothing that the schema compares with a weight above 0; "
                  "record a finding, or raise a weight.");

  Answer answer;
  if (model != nullptr) {
    CONSILIUM_TRY(answer.posterior, posterior_of(target, state, *model, standardisation));
  }

  std::vector<Scored> similar;
  for (std::size_t row = 0; row < state.cases.size(); ++row) {
    if (state.cases[row].id == target.id) continue;
    ++answer.searched;
    const double similarity = compare(terms, state, row).similarity(options.denominator);
    answer.nearest = std::max(answer.nearest, similarity);
    if (similarity >= options.threshold) similar.push_back({row, similarity});
  }
  if (answer.searched == 0)
    return refuse("empty_base", "The case base holds no case to compare with; admit cases first.");
  std::sort(similar.begin(), similar.end(), before);
  answer.similar_count = similar.size();
  answer.nothing_similar = similar.empty();
  for (std::size_t i = 0; i < std::min(options.top_k, similar.size()); ++i)
    answer.similar.push_back(explain(target, terms, state, similar[i], options));

  count_diseases(state, similar, answer);
  propose(answer);
  answer.recommended = recommend(state, similar, answer.proposed_disease);
  note(state, answer);
  return answer;
}

}  // namespace consilium::diagnosis
