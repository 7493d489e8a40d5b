#include "network.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

#include "exponential.hpp"

namespace consilium::learning {
namespace {

using Row = Eigen::Map<Eigen::RowVectorXf>;
using ConstRow = Eigen::Map<const Eigen::RowVectorXf>;
using ConstMatrix =
    Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Matrix = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

auto index(std::size_t n) -> Eigen::Index {
  return static_cast<Eigen::Index>(n);
}

// The one kernel of both passes: elementwise, so its bytes are the same however it is vectorised.
void add_scaled(float* target, float factor, const float* source, std::size_t size) {
  Row(target, index(size)).noalias() += factor * ConstRow(source, index(size));
}

struct Softmax {
  double largest = 0;
  double sum = 0;  ///< Σ e^(z − largest) ≥ 1
};
auto softmax_of(std::span<const float> logits) -> Softmax {
  Softmax out;
  out.largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  for (const float z : logits) out.sum += exponential(static_cast<double>(z) - out.largest);
  return out;
}

auto sigmoid(double z) -> double {
  const double small = exponential(-std::abs(z));
  return z >= 0 ? 1 / (1 + small) : small / (1 + small);
}

}  // namespace

auto layers_of(const ModelShape& shape) -> std::vector<Layer> {
  std::vector<Layer> layers;
  std::size_t inputs = shape.inputs;
  std::size_t at = 0;
  const auto push = [&](std::size_t outputs) {
    layers.push_back({inputs, outputs, at, at + inputs * outputs});
    at += inputs * outputs + outputs;
    inputs = outputs;
  };
  for (const auto width : shape.hidden) push(width);
  push(shape.outputs);
  return layers;
}

auto fits(const Batch& batch, const ModelShape& shape, bool with_disease) -> bool {
  if (batch.columns != shape.inputs || batch.values.size() != batch.rows * batch.columns)
    return false;
  if (!with_disease) return true;
  const auto classes = static_cast<std::int32_t>(class_count(shape));
  return batch.disease.size() == batch.rows &&
         std::all_of(batch.disease.begin(), batch.disease.end(),
                     [&](std::int32_t d) { return d >= -1 && d < classes; });
}

auto recorded_rows(const Batch& batch) -> std::size_t {
  return static_cast<std::size_t>(std::count_if(batch.disease.begin(), batch.disease.end(),
                                                [](std::int32_t d) { return d >= 0; }));
}

Network::Network(const ModelShape& shape, std::size_t rows_max)
    : layers_(layers_of(shape)), rows_max_(rows_max) {
  std::size_t widest = 0;
  std::size_t weights_max = 0;
  for (const auto& layer : layers_) {
    outputs_.emplace_back(rows_max * layer.outputs);
    widest = std::max(widest, layer.outputs);
    weights_max = std::max(weights_max, layer.inputs * layer.outputs);
  }
  delta_.resize(rows_max * widest);
  delta_below_.resize(rows_max * widest);
  transposed_.resize(weights_max);
}

void Network::forward(std::span<const float> parameters, const Batch& batch) {
  CONSILIUM_ENSURE(batch.rows >= 1 && batch.rows <= rows_max_);
  const float* input = batch.values.data();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto& layer = layers_[l];
    // Transposed once a batch, so that the inner loop runs over contiguous outputs.
    Matrix(transposed_.data(), index(layer.inputs), index(layer.outputs)).noalias() =
        ConstMatrix(parameters.data() + layer.weights_at, index(layer.outputs), index(layer.inputs))
            .transpose();
    const float* biases = parameters.data() + layer.biases_at;
    const bool hidden = l + 1 < layers_.size();
    for (std::size_t i = 0; i < batch.rows; ++i) {
      float* out = outputs_[l].data() + i * layer.outputs;
      std::copy_n(biases, layer.outputs, out);
      for (std::size_t k = 0; k < layer.inputs; ++k)
        add_scaled(out, input[i * layer.inputs + k], transposed_.data() + k * layer.outputs,
                   layer.outputs);
      // Written so that NaN stays NaN: a network that has diverged must show it.
      if (hidden)
        for (std::size_t o = 0; o < layer.outputs; ++o)
          if (out[o] < 0) out[o] = 0;
    }
    input = outputs_[l].data();
  }
}

auto Network::logits(std::size_t row) const -> std::span<const float> {
  const auto width = layers_.back().outputs;
  return {outputs_.back().data() + row * width, width};
}

void Network::posterior(std::size_t rows, std::span<float> out) const {
  const auto width = layers_.back().outputs;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto z = logits(i);
    if (width == 1) {
      const double p = sigmoid(static_cast<double>(z[0]));
      out[2 * i] = static_cast<float>(1 - p);
      out[2 * i + 1] = static_cast<float>(p);
      continue;
    }
    const auto softmax = softmax_of(z);
    for (std::size_t o = 0; o < width; ++o)
      out[i * width + o] = static_cast<float>(
          exponential(static_cast<double>(z[o]) - softmax.largest) / softmax.sum);
  }
}

auto Network::loss_sum(const Batch& batch) const -> double {
  const auto width = layers_.back().outputs;
  double sum = 0;
  for (std::size_t i = 0; i < batch.rows; ++i) {
    if (batch.disease[i] < 0) continue;
    const auto z = logits(i);
    if (width == 1) {
      const auto unit = static_cast<double>(z[0]);
      sum += std::max(unit, 0.0) - (batch.disease[i] == 1 ? unit : 0.0) +
             std::log1p(exponential(-std::abs(unit)));
      continue;
    }
    const auto softmax = softmax_of(z);
    const auto own = static_cast<double>(z[static_cast<std::size_t>(batch.disease[i])]);
    sum += std::log(softmax.sum) + (softmax.largest - own);
  }
  return sum;
}

void Network::output_delta(const Batch& batch) {
  const auto width = layers_.back().outputs;
  const auto recorded = recorded_rows(batch);
  const double share = recorded == 0 ? 0 : 1.0 / static_cast<double>(recorded);
  for (std::size_t i = 0; i < batch.rows; ++i) {
    float* delta = delta_.data() + i * width;
    if (batch.disease[i] < 0) {
      std::fill_n(delta, width, 0.0F);
      continue;
    }
    const auto z = logits(i);
    if (width == 1) {
      const double target = batch.disease[i] == 1 ? 1 : 0;
      delta[0] = static_cast<float>((sigmoid(static_cast<double>(z[0])) - target) * share);
      continue;
    }
    const auto softmax = softmax_of(z);
    for (std::size_t o = 0; o < width; ++o) {
      const double target = static_cast<std::size_t>(batch.disease[i]) == o ? 1 : 0;
      const double p = exponential(static_cast<double>(z[o]) - softmax.largest) / softmax.sum;
      delta[o] = static_cast<float>((p - target) * share);
    }
  }
}

void Network::backward(std::span<const float> parameters, const Batch& batch,
                       std::span<float> gradient) {
  std::fill(gradient.begin(), gradient.end(), 0.0F);
  output_delta(batch);
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const auto& layer = layers_[l];
    const float* input = l == 0 ? batch.values.data() : outputs_[l - 1].data();
    for (std::size_t i = 0; i < batch.rows; ++i) {
      const float* delta = delta_.data() + i * layer.outputs;
      for (std::size_t o = 0; o < layer.outputs; ++o)
        add_scaled(gradient.data() + layer.weights_at + o * layer.inputs, delta[o],
                   input + i * layer.inputs, layer.inputs);
      add_scaled(gradient.data() + layer.biases_at, 1.0F, delta, layer.outputs);
    }
    if (l == 0) break;
    for (std::size_t i = 0; i < batch.rows; ++i) {
      const float* delta = delta_.data() + i * layer.outputs;
      float* below = delta_below_.data() + i * layer.inputs;
      std::fill_n(below, layer.inputs, 0.0F);
      for (std::size_t o = 0; o < layer.outputs; ++o)
        add_scaled(below, delta[o], parameters.data() + layer.weights_at + o * layer.inputs,
                   layer.inputs);
      const float* activation = input + i * layer.inputs;
      for (std::size_t k = 0; k < layer.inputs; ++k)
        if (activation[k] <= 0) below[k] = 0;
    }
    std::swap(delta_, delta_below_);
  }
}

}  // namespace consilium::learning
