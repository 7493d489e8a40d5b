#pragma once
// The same network once more, in double precision and plain loops: slow, simple, and written apart.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "consilium/learning/model.hpp"
#include "consilium/learning/training.hpp"

namespace consilium::learning::reference {

inline auto logits(const ModelShape& shape, const std::vector<double>& parameters,
                   std::vector<double> activation) -> std::vector<double> {
  std::size_t at = 0;
  auto widths = shape.hidden;
  widths.push_back(shape.outputs);
  for (std::size_t l = 0; l < widths.size(); ++l) {
    const std::size_t inputs = activation.size();
    std::vector<double> next(widths[l]);
    for (std::size_t o = 0; o < next.size(); ++o) {
      double sum = 0;
      for (std::size_t k = 0; k < inputs; ++k)
        sum += parameters[at + o * inputs + k] * activation[k];
      next[o] = sum;
    }
    at += inputs * next.size();
    for (auto& z : next) z += parameters[at++];
    if (l + 1 < widths.size())
      for (auto& z : next) z = std::max(z, 0.0);
    activation = std::move(next);
  }
  return activation;
}

inline auto posterior(const std::vector<double>& z) -> std::vector<double> {
  if (z.size() == 1) {
    const double p = 1 / (1 + std::exp(-z[0]));
    return {1 - p, p};
  }
  std::vector<double> out;
  double sum = 0;
  for (const double v : z) sum += std::exp(v);
  for (const double v : z) out.push_back(std::exp(v) / sum);
  return out;
}

inline auto loss(const ModelShape& shape, const std::vector<double>& parameters, const Batch& batch)
    -> double {
  double sum = 0;
  double recorded = 0;
  for (std::size_t i = 0; i < batch.rows; ++i) {
    if (batch.disease[i] < 0) continue;
    std::vector<double> x;
    for (std::size_t k = 0; k < batch.columns; ++k)
      x.push_back(static_cast<double>(batch.values[i * batch.columns + k]));
    const auto p = posterior(logits(shape, parameters, x));
    sum -= std::log(p[static_cast<std::size_t>(batch.disease[i])]);
    recorded += 1;
  }
  return recorded == 0 ? 0 : sum / recorded;
}

/// Random examples whose disease depends on the first two columns; about one row in `silent`
/// records none.
inline auto examples(Random& random, std::size_t rows, std::size_t columns, std::size_t classes,
                     std::uint64_t silent = 0) -> Examples {
  Examples out;
  out.rows = rows;
  out.columns = columns;
  out.mask.assign(rows * columns, 1);
  for (std::size_t i = 0; i < rows; ++i) {
    double score = 0;
    for (std::size_t k = 0; k < columns; ++k) {
      const double x = random.normal();
      out.values.push_back(static_cast<float>(x));
      if (k < 2) score += x;
    }
    const bool quiet = silent != 0 && random.below(silent) == 0;
    const auto disease =
        score + 0.5 * random.normal() > 0 ? classes - 1 : random.below(classes - 1);
    out.disease.push_back(quiet ? -1 : static_cast<std::int32_t>(disease));
  }
  return out;
}

inline auto widened(std::span<const float> values) -> std::vector<double> {
  return {values.begin(), values.end()};
}

}  // namespace consilium::learning::reference
