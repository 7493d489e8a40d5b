#pragma once
// Several nodes and the solo sequencer in one process, driven until the agreed work is done. Each
// node keeps to its own directory; between them go ledger transactions, blobs and alignment's
// frames, and nothing else.
//
// What to do next is always read from the ledger, so a run that was cut off goes on where it was.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cohort.hpp"
#include "node.hpp"
#include "terminal.hpp"

namespace consilium::app {

struct RunSpec {
  std::filesystem::path directory;  ///< nodes/ is made below it
  std::uint64_t seed = 7;
  ledger::Topology topology = ledger::Topology::committee;
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
};

class ConsortiumRun {
 public:
  /// Opens every node and admits the cohort's cases into the case bases (again is nothing new).
  [[nodiscard]] static auto open(const RunSpec& spec, const Cohort& cohort)
      -> Result<std::unique_ptr<ConsortiumRun>>;
  /// Drives the consortium until everything `spec` asks for is on the ledger.
  [[nodiscard]] auto run(Terminal& terminal) -> Result<void>;
  /// `run` goes on with the next epoch's session from now on.
  void allow_next_epoch() { spec_.next_epoch = true; }
  [[nodiscard]] auto close() -> Result<void>;

  [[nodiscard]] auto state() const -> const ledger::Ledger& { return sequencer_->store().ledger(); }
  [[nodiscard]] auto store() const -> const ledger::LedgerStore& { return sequencer_->store(); }
  /// The hospitals' nodes, in the cohort's order.
  [[nodiscard]] auto hospitals() -> std::vector<Node*>;
  /// The plan of the update rounds, once the statistics are opened.
  [[nodiscard]] auto update_plan(std::uint32_t run) -> Result<federation::UpdatePlan>;
  /// The last accepted round of metrics and the model it asked about; nothing before.
  struct AskedMetrics {
    RoundId round;
    federation::MetricsPlan plan;
    std::size_t hospitals = 0;  ///< in the opened sum
    std::int64_t value_max = 0;
    std::vector<std::int64_t> sum;
  };
  [[nodiscard]] auto metrics() -> Result<std::optional<AskedMetrics>>;
  /// Shared training cases of the session that trained, and of the next epoch's, by hospital.
  struct Shared {
    std::size_t cases = 0, patterns = 0;
  };
  [[nodiscard]] auto shared() const -> const std::map<std::string, Shared>& { return shared_; }
  [[nodiscard]] auto shared_next() const -> const std::map<std::string, Shared>& {
    return shared_next_;
  }
  [[nodiscard]] auto seconds() const -> const std::map<std::string, double>& { return seconds_; }
  /// What nodes refused or missed, ids and codes only.
  [[nodiscard]] auto remarks() const -> const std::vector<std::string>& { return remarks_; }

 private:
  ConsortiumRun() = default;
  /// What the founder's operator orders next; nothing while something is under way, `done` when all
  /// is done.
  struct Intent {
    std::optional<ledger::Body> order;
    bool done = false;
    std::string step;
    std::size_t step_done = 0, step_all = 0;
  };
  auto intent() -> Result<Intent>;
  auto intend_admission() -> Result<std::optional<Intent>>;
  auto intend_alignment(std::uint64_t epoch, ledger::AlignmentSubject subject, std::uint16_t k,
                        const std::string& step) -> Result<std::optional<Intent>>;
  auto intend_statistics() -> Result<std::optional<Intent>>;
  auto intend_updates() -> Result<std::optional<Intent>>;
  auto intend_metrics() -> Result<std::optional<Intent>>;
  auto remember_shared(std::map<std::string, Shared>& into, std::string_view name) -> Result<void>;
  auto tick(bool& moved) -> Result<void>;
  auto pump_frames(bool& moved) -> Result<void>;

  RunSpec spec_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<ledger::SoloSequencer> sequencer_;
  courier::ChannelHub hub_;
  struct Link {
    std::unique_ptr<Channel> out, in;
  };
  std::map<std::pair<std::uint16_t, std::uint16_t>, Link> links_;
  std::map<std::string, Shared> shared_, shared_next_;
  std::map<std::string, double> seconds_;
  std::vector<std::string> remarks_;
  std::uint64_t refusals_ = 0;
};

}  // namespace consilium::app
