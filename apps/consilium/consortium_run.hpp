#pragma once
// Several nodes, driven until the agreed work is done: with the solo sequencer in this process, or
// each in a process of its own, where their chain orders transactions. Each node keeps to its own
// directory; between them go ledger transactions, blobs and alignment's frames, and nothing else.
//
// What to do next is always read from the ledger, so a run that was cut off goes on where it was.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "agenda.hpp"
#include "cohort.hpp"
#include "node.hpp"
#include "terminal.hpp"

namespace consilium::app {

class ConsortiumRun {
 public:
  /// Opens every node and admits the cohort's cases into the case bases (again is nothing new).
  [[nodiscard]] static auto open(const RunSpec& spec, const Cohort& cohort)
      -> Result<std::unique_ptr<ConsortiumRun>>;
  /// Drives the consortium until everything `spec` asks for is on the ledger.
  [[nodiscard]] auto run(Terminal& terminal) -> Result<void>;
  /// `run` goes on with the next epoch's session from now on.
  void allow_next_epoch();
  [[nodiscard]] auto close() -> Result<void>;

  [[nodiscard]] auto state() const -> const ledger::Ledger& { return store().ledger(); }
  [[nodiscard]] auto store() const -> const ledger::LedgerStore& {
    return sequencer_ ? sequencer_->store() : nodes_.front()->store();
  }
  /// The hospitals' nodes, in the cohort's order.
  [[nodiscard]] auto hospitals() -> std::vector<Node*>;
  /// The plan of the update rounds, once the statistics are opened.
  [[nodiscard]] auto update_plan(std::uint32_t run) -> Result<federation::UpdatePlan> {
    return agenda_->update_plan(run);
  }
  /// The last accepted round of metrics and the model it asked about; nothing before.
  struct AskedMetrics {
    RoundId round;
    federation::MetricsPlan plan;
    std::size_t hospitals = 0;  ///< in the opened sum
    std::int64_t value_max = 0;
    std::vector<std::int64_t> sum;
  };
  [[nodiscard]] auto metrics() -> Result<std::optional<AskedMetrics>>;
  [[nodiscard]] auto seconds() const -> const std::map<std::string, double>& { return seconds_; }
  /// What nodes refused or missed, ids and codes only.
  [[nodiscard]] auto remarks() const -> const std::vector<std::string>& { return remarks_; }
  /// What became of the power cut that `spec` asked for, sentence by sentence.
  [[nodiscard]] auto power_cut() const -> const std::vector<std::string>& { return power_cut_; }

 private:
  explicit ConsortiumRun(RunSpec spec) : spec_(std::move(spec)) {}
  auto open_nodes() -> Result<void>;
  auto first_page(const Cohort& cohort) const -> ledger::Genesis;
  auto meet_on_chain(const Cohort& cohort) -> Result<void>;
  auto meet_sequencer(const Cohort& cohort) -> Result<void>;
  auto run_here(Terminal& terminal) -> Result<void>;
  auto run_processes(Terminal& terminal) -> Result<void>;
  auto tick(bool& moved) -> Result<void>;
  auto pump_frames(bool& moved) -> Result<void>;

  RunSpec spec_;
  std::vector<Node::Setup> setups_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::optional<Agenda> agenda_;
  std::unique_ptr<ledger::SoloSequencer> sequencer_;
  courier::ChannelHub hub_;
  struct Link {
    std::unique_ptr<Channel> out, in;
  };
  std::map<std::pair<std::uint16_t, std::uint16_t>, Link> links_;
  std::map<std::string, double> seconds_;
  std::vector<std::string> remarks_, power_cut_;
  std::uint64_t refusals_ = 0;
};

}  // namespace consilium::app
