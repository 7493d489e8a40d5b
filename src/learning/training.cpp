#include "consilium/learning/training.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "consilium/foundation/codec.hpp"

#include "network.hpp"

namespace consilium::learning {
namespace {

constexpr std::uint32_t steps_max = 1'000'000;
constexpr std::uint32_t batch_rows_max = 1U << 16U;
constexpr std::uint32_t one_micro = 1'000'000;

auto is_possible(const TrainingPlan& plan) -> bool {
  return (plan.algorithm == Algorithm::fed_sgd || plan.algorithm == Algorithm::fed_avg) &&
         plan.local_steps >= 1 && plan.local_steps <= steps_max && plan.batch_rows >= 1 &&
         plan.batch_rows <= batch_rows_max && plan.learning_rate_micro >= 1 &&
         plan.learning_rate_micro <= 100 * one_micro && plan.momentum_micro < one_micro &&
         plan.weight_decay_micro <= one_micro;
}

auto of_micro(std::uint32_t micro) -> float {
  return static_cast<float>(static_cast<double>(micro) / one_micro);
}

/// One descent: parameters, velocity and the plan's rates, with every buffer made beforehand.
class Descent {
 public:
  Descent(const Model& model, const TrainingPlan& plan, std::size_t rows_max)
      : network_(model.shape(), rows_max),
        parameters_(model.parameters().begin(), model.parameters().end()),
        gradient_(parameters_.size()),
        velocity_(plan.momentum_micro == 0 ? 0 : parameters_.size()),
        learning_rate_(of_micro(plan.learning_rate_micro)),
        momentum_(of_micro(plan.momentum_micro)),
        weight_decay_(of_micro(plan.weight_decay_micro)) {}

  void step(const Batch& batch) {
    network_.forward(parameters_, batch);
    network_.backward(parameters_, batch, gradient_);
    if (weight_decay_ != 0)
      for (const auto& layer : network_.layers())
        for (std::size_t i = layer.weights_at; i < layer.biases_at; ++i)
          gradient_[i] += weight_decay_ * parameters_[i];
    if (velocity_.empty()) {
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        parameters_[i] -= learning_rate_ * gradient_[i];
      return;
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      velocity_[i] = momentum_ * velocity_[i] + gradient_[i];
      parameters_[i] -= learning_rate_ * velocity_[i];
    }
  }

  [[nodiscard]] auto parameters() const -> std::span<const float> { return parameters_; }

 private:
  Network network_;
  std::vector<float> parameters_, gradient_, velocity_;
  float learning_rate_, momentum_, weight_decay_;
};

/// Batches of recorded rows, pass after pass in a new random order; the last batch of a pass may be
/// shorter.
class Batches {
 public:
  Batches(const casebase::VectorSet& data, std::vector<std::size_t> rows, std::size_t batch_rows)
      : data_(data),
        order_(std::move(rows)),
        batch_rows_(batch_rows),
        at_(order_.size()),
        values_(batch_rows * data.columns),
        disease_(batch_rows) {}

  auto next(Random& random) -> Batch {
    if (at_ == order_.size()) {
      random.shuffle(std::span(order_));
      at_ = 0;
    }
    const auto rows = std::min(batch_rows_, order_.size() - at_);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto from = order_[at_ + i];
      std::copy_n(data_.values.data() + from * data_.columns, data_.columns,
                  values_.data() + i * data_.columns);
      disease_[i] = data_.disease[from];
    }
    at_ += rows;
    return {rows, data_.columns, std::span(values_).first(rows * data_.columns),
            std::span(disease_).first(rows)};
  }

 private:
  const casebase::VectorSet& data_;
  std::vector<std::size_t> order_;
  std::size_t batch_rows_;
  std::size_t at_;
  std::vector<float> values_;
  std::vector<std::int32_t> disease_;
};

}  // namespace

auto TrainingPlan::encode() const -> Bytes {
  Writer writer;
  writer.u8(static_cast<std::uint8_t>(algorithm))
      .u32(local_steps)
      .u32(batch_rows)
      .u32(learning_rate_micro)
      .u32(momentum_micro)
      .u32(weight_decay_micro);
  return writer.take();
}

auto TrainingPlan::decode(BytesView bytes) -> Result<TrainingPlan> {
  Reader reader(bytes, "training plan");
  TrainingPlan plan;
  plan.algorithm = static_cast<Algorithm>(reader.u8());
  plan.local_steps = reader.u32();
  plan.batch_rows = reader.u32();
  plan.learning_rate_micro = reader.u32();
  plan.momentum_micro = reader.u32();
  plan.weight_decay_micro = reader.u32();
  if (!reader.finish() || !is_possible(plan))
    return fail("bad_plan", "training plan",
                "The round's training plan is damaged or names values outside their limits; "
                "open the round with another plan.");
  return plan;
}

auto batch_of(const casebase::VectorSet& data) -> Batch {
  return {data.rows, data.columns, data.values, data.disease};
}

auto train(Model& model, const casebase::VectorSet& data, const TrainingPlan& plan, Random& random)
    -> Result<void> {
  const auto all = batch_of(data);
  CONSILIUM_ENSURE(fits(all, model.shape(), true));
  CONSILIUM_ENSURE(is_possible(plan));
  std::vector<std::size_t> recorded;
  for (std::size_t i = 0; i < data.rows; ++i)
    if (data.disease[i] >= 0) recorded.push_back(i);
  if (recorded.empty())
    return fail("no_samples", "local training",
                "No case with a recorded disease is there to train on; admit cases or align "
                "again.");

  const bool full_batch = plan.algorithm == Algorithm::fed_sgd;
  const auto batch_rows =
      full_batch ? data.rows : std::min<std::size_t>(plan.batch_rows, recorded.size());
  Descent descent(model, plan, batch_rows);
  if (full_batch) {
    descent.step(all);
  } else {
    Batches batches(data, std::move(recorded), batch_rows);
    for (std::uint32_t i = 0; i < plan.local_steps; ++i) descent.step(batches.next(random));
  }

  const auto trained = descent.parameters();
  if (!std::all_of(trained.begin(), trained.end(), [](float p) { return std::isfinite(p); }))
    return fail("training_diverged", "local training",
                "Training ran away: a parameter is no longer a finite number; open the round "
                "with a smaller learning rate.");
  std::copy(trained.begin(), trained.end(), model.parameters().begin());
  return {};
}

}  // namespace consilium::learning
