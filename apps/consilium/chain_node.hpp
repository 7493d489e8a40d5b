#pragma once
// One member's node of a chain, in a process of its own: case base, learner and miner (`Node`),
// beside it the ledger under the engine, and the port to the others. This is what `consilium serve`
// runs.

#include <functional>
#include <memory>

#include "agenda.hpp"
#include "chain_config.hpp"
#include "chain_report.hpp"

namespace consilium::app {

struct ChainOptions {
  /// Has config.toml, schema.toml, keys, chain.toml and genesis.bin; agenda.bin only the founder's.
  std::filesystem::path directory;
  std::uint16_t portal_port = 0;  ///< GET /health, on this machine; 0: any free one
};

/// Runs until `stop` says so; `ready` is told the portal's address once the node is there. Errors:
/// those of opening it, a disk that fails, and what ends a node's part (`different_model`,
/// `log_lost`, …).
[[nodiscard]] auto run_chain_node(const ChainOptions& options, const std::function<bool()>& stop,
                                  const std::function<void(const std::string& url)>& ready,
                                  const std::function<void(const ChainReport&)>& report)
    -> Result<void>;

/// What the founder's node orders by itself; read by run_chain_node.
[[nodiscard]] auto save_agenda(const std::filesystem::path& directory, const RunSpec& spec,
                               const std::vector<ledger::MemberInfo>& invited) -> Result<void>;

}  // namespace consilium::app
