#pragma once
// A network with one flat span of parameters. The federation sees the span and nothing else.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium::learning {

/// The shape of a back-propagation network (multi-layer perceptron; Rumelhart, Hinton, Williams
/// 1986): inputs → hidden (ReLU) … → outputs, softmax over `outputs` diseases. `hidden` empty:
/// logistic regression. outputs = 1 is one logistic unit: class 1 with σ(z) (FLamby's model).
struct ModelShape {
  std::uint32_t inputs = 0;
  std::vector<std::uint32_t> hidden;
  std::uint32_t outputs = 2;
  auto operator==(const ModelShape&) const -> bool = default;
  [[nodiscard]] auto parameter_count() const -> std::size_t;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_model`, also for sizes that no node trains (model.cpp).
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<ModelShape>;
};

/// One batch of examples. `disease[i]` in [0, classes) or −1 (not recorded: gives no gradient).
struct Batch {
  std::size_t rows = 0, columns = 0;
  std::span<const float> values;          ///< rows × columns, row-major
  std::span<const std::int32_t> disease;  ///< rows
};

/// Number of classes a shape tells apart: 2 for one logistic unit.
[[nodiscard]] auto class_count(const ModelShape& shape) -> std::size_t;

class Model {
 public:
  explicit Model(ModelShape shape);
  [[nodiscard]] auto shape() const -> const ModelShape& { return shape_; }
  /// All weights and biases, layer by layer: weights (outputs × inputs, row-major), then biases.
  [[nodiscard]] auto parameters() -> std::span<float> { return parameters_; }
  [[nodiscard]] auto parameters() const -> std::span<const float> { return parameters_; }
  /// He initialisation (normal, variance 2/fan-in) for hidden layers, Glorot for the last, biases
  /// 0.
  void initialise(Random& random);
  /// Posterior of every class, rows × class_count, each row sums to 1.
  [[nodiscard]] auto predict(const Batch& batch) const -> std::vector<float>;
  /// Mean cross-entropy over the recorded rows, and its gradient (resized to parameter_count).
  /// 0 and zeros when no row is recorded. Finite for finite logits, however large.
  auto loss_and_gradient(const Batch& batch, std::vector<float>& gradient) const -> double;
  [[nodiscard]] auto loss(const Batch& batch) const -> double;
  /// H("consilium/model/1", shape, parameters as IEEE 754 little-endian).
  [[nodiscard]] auto digest() const -> Digest;
  /// Canonical file form: magic, version, shape, parameters. Errors of decode: `bad_model` (also
  /// for a parameter that is not finite).
  [[nodiscard]] auto encode() const -> Bytes;
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<Model>;

 private:
  ModelShape shape_;
  std::vector<float> parameters_;
};

}  // namespace consilium::learning
