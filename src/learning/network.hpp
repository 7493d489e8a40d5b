#pragma once
// Forward and backward passes over a flat span of parameters, with every buffer made beforehand.

#include <cstdint>
#include <span>
#include <vector>

#include "consilium/learning/model.hpp"

namespace consilium::learning {

/// Where one layer stands in the flat span: weights (outputs × inputs, row-major), then biases.
struct Layer {
  std::size_t inputs = 0, outputs = 0;
  std::size_t weights_at = 0, biases_at = 0;
};
[[nodiscard]] auto layers_of(const ModelShape& shape) -> std::vector<Layer>;

/// The working memory of a network for batches of up to `rows_max` rows. After construction neither
/// pass allocates.
///
/// Every sum runs in one fixed order, one product at a time, and only *different* sums share a
/// vector register: the bytes do not depend on the register's width or on where a buffer starts in
/// memory.
class Network {
 public:
  Network(const ModelShape& shape, std::size_t rows_max);

  /// Computes the logits of the batch. 1 ≤ batch.rows ≤ rows_max.
  void forward(std::span<const float> parameters, const Batch& batch);
  /// Posteriors of the last forward batch, rows × classes.
  void posterior(std::size_t rows, std::span<float> out) const;
  /// Σ cross-entropy of the last forward batch over its recorded rows; finite for finite logits.
  [[nodiscard]] auto loss_sum(const Batch& batch) const -> double;
  /// Gradient of the *mean* cross-entropy over the recorded rows of the last forward batch; zeros
  /// without one.
  void backward(std::span<const float> parameters, const Batch& batch, std::span<float> gradient);

  [[nodiscard]] auto layers() const -> const std::vector<Layer>& { return layers_; }

 private:
  [[nodiscard]] auto logits(std::size_t row) const -> std::span<const float>;
  void output_delta(const Batch& batch);

  std::vector<Layer> layers_;
  std::size_t rows_max_;
  std::vector<std::vector<float>>
      outputs_;  ///< per layer, rows_max × its outputs, after ReLU where hidden
  std::vector<float> delta_, delta_below_;  ///< ∂loss/∂z of the present layer and of the one below
  std::vector<float> transposed_;           ///< one layer's weights, inputs × outputs
};

/// True when every batch invariant holds for the shape; used in CONSILIUM_ENSURE.
[[nodiscard]] auto fits(const Batch& batch, const ModelShape& shape, bool with_disease) -> bool;
/// Rows of the batch whose disease is recorded.
[[nodiscard]] auto recorded_rows(const Batch& batch) -> std::size_t;

}  // namespace consilium::learning
