#include <algorithm>
#include <cmath>
#include <limits>

#include "consilium/learning/training.hpp"

namespace consilium::learning {
namespace {

struct Scored {
  float score;
  bool positive;
};

// Mann–Whitney in integers: twice the pairs a positive wins, ties once.
auto area_under_curve(std::vector<Scored> rows) -> double {
  std::sort(rows.begin(), rows.end(),
            [](const Scored& a, const Scored& b) { return a.score < b.score; });
  std::uint64_t negatives_below = 0;
  std::uint64_t positives = 0;
  std::uint64_t twice_won = 0;
  for (std::size_t first = 0; first < rows.size();) {
    std::uint64_t tied_positives = 0;
    std::uint64_t tied_negatives = 0;
    std::size_t last = first;
    for (; last < rows.size() && rows[last].score == rows[first].score; ++last)
      ++(rows[last].positive ? tied_positives : tied_negatives);
    twice_won += tied_positives * (2 * negatives_below + tied_negatives);
    negatives_below += tied_negatives;
    positives += tied_positives;
    first = last;
  }
  if (positives == 0 || negatives_below == 0) return 0.5;
  return static_cast<double>(twice_won) /
         (2.0 * static_cast<double>(positives) * static_cast<double>(negatives_below));
}

}  // namespace

auto evaluate_posteriors(std::span<const float> posterior, std::size_t classes,
                         std::span<const std::int32_t> disease) -> Evaluation {
  CONSILIUM_ENSURE(classes >= 2);
  CONSILIUM_ENSURE(posterior.size() == disease.size() * classes);
  Evaluation out;
  out.class_rows.resize(classes);
  out.class_errors.resize(classes);
  std::vector<Scored> scored;
  double loss = 0;
  for (std::size_t i = 0; i < disease.size(); ++i) {
    if (disease[i] < 0) continue;
    const auto truth = static_cast<std::size_t>(disease[i]);
    CONSILIUM_ENSURE(truth < classes);
    const auto row = posterior.subspan(i * classes, classes);
    const auto predicted =
        static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    ++out.rows;
    ++out.class_rows[truth];
    if (predicted != truth) ++out.class_errors[truth];
    // NaN passes the clamp and makes the log loss NaN, which voters refuse; it sorts below every
    // score.
    loss -= std::log(std::clamp(static_cast<double>(row[truth]), 1e-7, 1.0));
    scored.push_back(
        {std::isnan(row[1]) ? -std::numeric_limits<float>::infinity() : row[1], truth == 1});
  }
  out.auc = area_under_curve(std::move(scored));
  if (out.rows == 0) return out;

  const auto rows = static_cast<double>(out.rows);
  std::size_t errors = 0;
  std::size_t commonest = 0;
  double recalls = 0;
  std::size_t occurring = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    errors += out.class_errors[c];
    commonest = std::max(commonest, out.class_rows[c]);
    if (out.class_rows[c] == 0) continue;
    ++occurring;
    recalls +=
        1 - static_cast<double>(out.class_errors[c]) / static_cast<double>(out.class_rows[c]);
  }
  out.accuracy = 1 - static_cast<double>(errors) / rows;
  out.balanced_accuracy = recalls / static_cast<double>(occurring);
  out.log_loss = loss / rows;
  out.majority_accuracy = static_cast<double>(commonest) / rows;
  return out;
}

auto evaluate(const Model& model, const casebase::VectorSet& data) -> Evaluation {
  return evaluate_posteriors(model.predict(batch_of(data)), class_count(model.shape()),
                             data.disease);
}

}  // namespace consilium::learning
