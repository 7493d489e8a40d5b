#pragma once
// The nodes of a chain as processes of this machine, each a `consilium serve` of its own, watched
// through what they print. For the demonstration, which also kills one of them.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain_report.hpp"
#include "terminal.hpp"

namespace consilium::app {

struct ChainMember {
  std::string name, title;
  std::filesystem::path directory;
};

/// A hospital that loses its power: the process is killed (SIGKILL) as soon as its update stands on
/// the ledger, and is started again when the others have finished that round without it.
struct PowerCut {
  std::string hospital;   ///< name; not the founder, which orders
  std::size_t round = 0;  ///< the update round, counted from 1
};

class ChainProcesses {
 public:
  /// The founder first.
  explicit ChainProcesses(std::vector<ChainMember> members);
  /// Kills what still runs.
  ~ChainProcesses();
  ChainProcesses(const ChainProcesses&) = delete;
  auto operator=(const ChainProcesses&) -> ChainProcesses& = delete;

  struct Outcome {
    std::map<std::string, double> seconds;  ///< by step of the agenda
    std::vector<std::string> remarks;       ///< ids and codes only
    /// What became of the power cut, sentence by sentence; empty without one.
    std::vector<std::string> cut;
  };
  /// Starts all of them, waits until the founder's agenda is done and everybody is as far, and
  /// stops them. Errors: `node_stopped` (one ended by itself; with its own last sentence),
  /// `stalled`.
  [[nodiscard]] auto run(const std::optional<PowerCut>& cut, Terminal& terminal) -> Result<Outcome>;

 private:
  struct Process;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace consilium::app
