#pragma once
// What a node has to know to keep the chain with the others: chain.toml and genesis.bin in its
// directory. Written by whoever makes the consortium, read by `consilium serve`.

#include <filesystem>
#include <string>
#include <vector>

#include "consilium/courier/port.hpp"
#include "consilium/engine/cometbft.hpp"
#include "consilium/ledger/transaction.hpp"

#include "case_access.hpp"

namespace consilium::app {

struct ChainPeer {
  std::string name;
  courier::IdentityKey identity;  ///< signs its transactions, and its port's certificate
  std::string engine_id;          ///< engine::node_id_of its transport key
  std::string host = "127.0.0.1";
  std::uint16_t engine_port = 0, courier_port = 0;
};

struct ChainConfig {
  std::string host = "127.0.0.1";  ///< where this node listens
  std::uint16_t engine_port = 0, courier_port = 0;
  std::int64_t block_interval_ms = 1000;
  engine::CometbftTimes times;
  TrainingRule rule;
  std::vector<ChainPeer> peers;  ///< everybody else
};

/// Is this a node of a chain?
[[nodiscard]] auto keeps_chain(const std::filesystem::path& directory) -> bool;
[[nodiscard]] auto save_chain(const std::filesystem::path& directory, const ChainConfig& config,
                              const ledger::Genesis& genesis) -> Result<void>;
/// Errors: `bad_config` (names file, line and key), `bad_encoding` (genesis.bin), `file_missing`.
[[nodiscard]] auto load_chain_config(const std::filesystem::path& directory) -> Result<ChainConfig>;
[[nodiscard]] auto load_genesis(const std::filesystem::path& directory) -> Result<ledger::Genesis>;

}  // namespace consilium::app
