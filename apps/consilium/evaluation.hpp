#pragma once
// How good the model is at each hospital, beside training alone and – as a yardstick only a
// demonstration can have – training on all records in one place.

#include "consortium_run.hpp"

namespace consilium::app {

template <typename T>
struct ThreeWays {
  T local{}, federated{}, pooled{};
};

struct HospitalFigures {
  std::string name, title;
  std::size_t cases = 0, training_cases = 0, held_back_cases = 0;
  std::size_t shared_cases = 0, shared_cases_next = 0;
  std::uint64_t credits = 0;
  ThreeWays<learning::Evaluation> on_held_back;
  bool one_class = false;            ///< the held-back cases have one diagnosis only: no AUC
  std::vector<double> auc_by_round;  ///< of the model in force after each update round
};

struct RunFigures {
  std::vector<HospitalFigures> hospitals;
  /// All held-back cases of all hospitals as one test set.
  ThreeWays<learning::Evaluation> pooled_test;
  ThreeWays<double> mean_accuracy, mean_auc;  ///< over hospitals (AUC: those with both diagnoses)
  std::size_t rounds = 0, rounds_accepted = 0;
  /// The federation's own figures, from the one sealed sum of metrics that was opened, and the
  /// round that opened it.
  std::optional<federation::Metrics> sealed_metrics;
  std::uint64_t metrics_round = 0;
  /// Is that sum, to the last integer, the one of the hospitals' figures in the clear?
  bool sealed_metrics_equal_clear = false;
};

/// Reads the finished run's models and case bases. Cost: one local and one pooled training a
/// hospital.
[[nodiscard]] auto measure(ConsortiumRun& run, const RunSpec& spec) -> Result<RunFigures>;

}  // namespace consilium::app
