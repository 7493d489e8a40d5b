#pragma once
// One member's node of a chain, in a process of its own: case base, learner and miner (`Node`),
// beside it the ledger under the engine, and the port to the others. This is what `consilium serve`
// runs.

#include <functional>
#include <memory>

#include "agenda.hpp"
#include "chain_config.hpp"

namespace consilium::app {

/// What the node says about itself whenever something moved.
struct ChainReport {
  Height height;
  std::string step;  ///< of the agenda, where this node has one
  std::size_t step_done = 0, step_all = 0;
  bool done = false;                   ///< everything on the agenda is on the ledger
  std::vector<std::string> remarks;    ///< ids and codes only
  RoundId round;                       ///< the last one, 0 before any
  std::string round_state;
  std::vector<std::string> submitted;  ///< names of hospitals whose manifests the round has
  std::vector<std::string> absent;     ///< validators whose power is lowered
  std::size_t models = 0;
  std::size_t peers = 0;               ///< of the engine, connected now
};

/// Runs until `stop` says so. The directory has keys, schema.toml, config.toml, chain.toml and
/// genesis.bin; `agenda.bin` only in the founder's. Errors: those of opening it, a disk that fails,
/// and what ends a node's part (`different_model`, `log_lost`, …).
[[nodiscard]] auto run_chain_node(const std::filesystem::path& directory,
                                  const std::function<bool()>& stop,
                                  const std::function<void(const ChainReport&)>& report)
    -> Result<void>;

/// What the founder's node orders by itself; read by run_chain_node.
[[nodiscard]] auto save_agenda(const std::filesystem::path& directory, const RunSpec& spec,
                               const std::vector<ledger::MemberInfo>& invited) -> Result<void>;

}  // namespace consilium::app
