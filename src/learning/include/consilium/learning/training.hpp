#pragma once
// Local training, and what it is judged by.

#include "consilium/casebase/vectors.hpp"
#include "consilium/learning/model.hpp"

namespace consilium::learning {

/// What a model learns from and is judged by: V1 with masks, and the recorded disease.
using Examples = casebase::VectorSet;

enum class Algorithm : std::uint8_t { fed_sgd = 1, fed_avg = 2 };

/// What every hospital does in one round; part of the round's configuration on the ledger, so
/// integers only.
struct TrainingPlan {
  Algorithm algorithm = Algorithm::fed_avg;
  std::uint32_t local_steps = 20;  ///< fed_sgd: 1 full-batch gradient step
  std::uint32_t batch_rows = 16;
  std::uint32_t learning_rate_micro = 50'000;  ///< 10⁻⁶: 50 000 = 0.05
  std::uint32_t momentum_micro = 0;
  std::uint32_t weight_decay_micro = 0;  ///< on weights, never on biases
  auto operator==(const TrainingPlan&) const -> bool = default;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_plan`, also for values outside their limits (training.cpp).
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<TrainingPlan>;
};

/// Trains `model` in place from its present parameters.
/// fed_sgd: one gradient step over all rows, `random` is not asked. fed_avg: `local_steps` steps
/// over shuffled passes of the recorded rows; the last batch of a pass may be shorter; velocity
/// starts at 0. Same model, data, plan and random stream: same bytes, also on another processor
/// (one thread). Errors: `no_samples` (no row records a disease), `training_diverged` (a parameter
/// is not finite); the model is then left as it was. The plan is one that TrainingPlan::decode
/// takes.
[[nodiscard]] auto train(Model& model, const casebase::VectorSet& data, const TrainingPlan& plan,
                         Random& random) -> Result<void>;

/// The training data as one batch (a view into `data`).
[[nodiscard]] auto batch_of(const casebase::VectorSet& data) -> Batch;

/// Class 1 against the rest for AUC; predictions by largest posterior.
struct Evaluation {
  std::size_t rows = 0;  ///< rows with a recorded disease
  double accuracy = 0;
  double balanced_accuracy = 0;  ///< mean of per-class recalls over classes that occur
  double auc = 0;       ///< area under the ROC curve (Mann–Whitney, ties ½); 0.5 with one class
  double log_loss = 0;  ///< natural log, posteriors clamped to [1e-7, 1]
  double majority_accuracy = 0;  ///< always the commoner class of these rows
  std::vector<std::size_t> class_rows;
  std::vector<std::size_t> class_errors;
};
[[nodiscard]] auto evaluate(const Model& model, const casebase::VectorSet& data) -> Evaluation;
/// The same from posteriors (rows × classes).
[[nodiscard]] auto evaluate_posteriors(std::span<const float> posterior, std::size_t classes,
                                       std::span<const std::int32_t> disease) -> Evaluation;

}  // namespace consilium::learning
