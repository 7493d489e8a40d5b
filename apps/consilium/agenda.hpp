#pragma once
// What the founder's operator orders next: admissions, alignment, statistics, training, metrics, in
// this order. Always read from the ledger, so an operator that was cut off goes on where it was,
// and whoever has the same ledger orders the same.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node.hpp"

namespace consilium::app {

struct RunSpec {
  std::filesystem::path directory;  ///< nodes/ is made below it
  std::uint64_t seed = 7;
  ledger::Topology topology = ledger::Topology::committee;
  sealing::Delivery delivery = sealing::Delivery::shares;
  bool align_attributes = false;  ///< train on all cases of the attributes every hospital fills
  std::uint16_t align_k = 2;
  bool next_epoch = true;  ///< after training, the next epoch's session with k + 1
  std::size_t rounds = 15;
  bool hybrid_boxes = false;
  std::uint32_t box_epoch_rounds = ledger::Policy{}.box_epoch_rounds;
  std::vector<std::uint32_t> hidden;
  std::uint32_t outputs = 2;
  learning::TrainingPlan training;
  TrainingRule::Norm norm = TrainingRule::Norm::federation;
  /// Every node a process of its own, and the hospitals' validators order transactions.
  bool on_chain = false;
  std::size_t power_cut_round = 0;  ///< on a chain: the last hospital is killed in it; 0: never
};

/// Nothing to order while something is under way; `done` when all is done.
struct Intent {
  std::optional<ledger::Body> order;
  bool done = false;
  std::string step;
  std::size_t step_done = 0, step_all = 0;
};

/// What the consortium asks about its model without noise, once a data epoch: two diagnoses, and
/// bins coarse enough that most cells of a hospital hold the policy's ten patients.
[[nodiscard]] auto metrics_menu(const ledger::Policy& policy) -> federation::MetricsPlan;

class Agenda {
 public:
  /// The hospitals whose nodes this process has, the founder first (it waits for these), and
  /// everybody who is to be admitted. The nodes outlive the agenda.
  Agenda(RunSpec spec, std::vector<Node*> hospitals, std::vector<ledger::MemberInfo> invited)
      : spec_(std::move(spec)), hospitals_(std::move(hospitals)), invited_(std::move(invited)) {}

  [[nodiscard]] auto next() -> Result<Intent>;
  /// Goes on with the next epoch's session from now on.
  void allow_next_epoch() { spec_.next_epoch = true; }
  [[nodiscard]] auto spec() const -> const RunSpec& { return spec_; }
  /// The plan of the update rounds, once the statistics are opened.
  [[nodiscard]] auto update_plan(std::uint32_t run) -> Result<federation::UpdatePlan>;

 private:
  auto admission() -> std::optional<Intent>;
  auto alignment(std::uint64_t epoch, ledger::AlignmentSubject subject, std::uint16_t k,
                 const std::string& step) -> Result<std::optional<Intent>>;
  auto statistics() -> std::optional<Intent>;
  auto updates() -> Result<std::optional<Intent>>;
  auto metrics() -> Result<std::optional<Intent>>;
  [[nodiscard]] auto founder() -> Node& { return *hospitals_.front(); }
  [[nodiscard]] auto state() -> const ledger::Ledger& { return founder().state(); }

  RunSpec spec_;
  std::vector<Node*> hospitals_;
  std::vector<ledger::MemberInfo> invited_;
};

}  // namespace consilium::app
