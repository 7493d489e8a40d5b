#pragma once
// CometBFT as a process beside ours: its folder, its life, and the way transactions get into it.
//
// Always true:
//   - it listens for people nowhere: its own questions and ours go over sockets in its folder,
//   which the folder's owner alone can reach; only its peers' port is open to the network;
//   - what it has signed is never forgotten by us: its state file is made once and never touched
//   again;
//   - it dies with the process that started it.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "consilium/engine/application.hpp"
#include "consilium/sealing/keys.hpp"

namespace consilium::engine {

struct CometbftTimes {
  std::int64_t propose_ms = 500;  ///< what a dead proposer's turn costs everybody
  std::int64_t vote_ms = 200;
  /// Between two looks at what a peer lacks. A block takes several, and on one busy machine much
  /// longer.
  std::int64_t gossip_ms = 3;
  auto operator==(const CometbftTimes&) const -> bool = default;
};

struct CometbftSettings {
  std::filesystem::path folder;   ///< of this node's engine
  std::filesystem::path program;  ///< find_cometbft()
  std::string name;               ///< the node's, for its peers' logs
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 0;
  std::vector<std::string> peers;  ///< "id@host:port", see node_id_of
  CometbftTimes times;
};

/// The program: what CONSILIUM_COMETBFT names, or `cometbft` beside our own program, or on the
/// path. Error: `engine_unavailable`.
[[nodiscard]] auto find_cometbft() -> Result<std::filesystem::path>;

/// A node's name among the engine's peers: the address of its transport key, in hex.
[[nodiscard]] auto node_id_of(const sealing::VerifyKey& transport) -> std::string;

/// Where the engine asks us, and we it.
[[nodiscard]] auto abci_socket(const std::filesystem::path& folder) -> std::filesystem::path;
[[nodiscard]] auto rpc_socket(const std::filesystem::path& folder) -> std::filesystem::path;

/// Makes or renews the engine's folder: settings and first page anew each time, keys and what was
/// signed only where they are missing. `validator` votes once the ledger has it as this member's;
/// both keys are written where the engine reads them, for the owner alone. Errors:
/// `file_unwritable`, `disk_full`, `bad_genesis`.
[[nodiscard]] auto prepare_cometbft(const CometbftSettings& settings,
                                    const ledger::Genesis& genesis,
                                    const sealing::SigningKey& validator,
                                    const sealing::SigningKey& transport) -> Result<void>;

/// The running engine. Destroyed, it is asked to stop, and killed after five seconds.
class CometbftProcess {
 public:
  /// Errors: `engine_unavailable` (the program cannot be run).
  [[nodiscard]] static auto start(const CometbftSettings& settings)
      -> Result<std::unique_ptr<CometbftProcess>>;
  ~CometbftProcess();
  CometbftProcess(const CometbftProcess&) = delete;
  auto operator=(const CometbftProcess&) -> CometbftProcess& = delete;

  /// Starts it again when it has ended by itself, after a pause that doubles up to eight seconds.
  /// Gives true when it did. Error: `engine_unavailable`.
  [[nodiscard]] auto keep_alive(std::int64_t now_ms) -> Result<bool>;
  [[nodiscard]] auto pid() const -> int;

 private:
  struct State;
  explicit CometbftProcess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A node's way onto the chain. Blocks come from the application beside it, so what it gives is
/// final.
class CometbftDriver final : public ledger::Driver {
 public:
  CometbftDriver(std::filesystem::path folder, Application& application);
  ~CometbftDriver() override;
  /// Errors: the verdict of the mempool, `engine_unreachable` (it is starting, or gone: try again),
  /// `queue_full`. A transaction that waits already is no error.
  [[nodiscard]] auto submit(const ledger::Transaction& transaction) -> ledger::Verdict override;
  [[nodiscard]] auto blocks_after(Height height, std::size_t count_max)
      -> Result<std::vector<ledger::Block>> override;
  /// The double signing that one of the engine's blocks carries (Application::take_reported), ready
  /// to be posted. Errors: `engine_unreachable`, `engine_answer`.
  [[nodiscard]] auto evidence_at(std::uint64_t engine_height, const ledger::State& ledger)
      -> Result<std::vector<ledger::Evidence>>;
  [[nodiscard]] auto newest_snapshot() -> Result<std::optional<ledger::StateSnapshot>> override;
  /// Sends the tick that is due, if one is.
  [[nodiscard]] auto tick() -> ledger::Verdict;
  /// Calls those of the peers ("id@host:port") that are not connected, and gives how many are. By
  /// itself the engine calls a lost peer again after five to eight seconds. Error:
  /// `engine_unreachable`.
  [[nodiscard]] auto connect(const std::vector<std::string>& peers) -> Result<std::size_t>;
  /// How many of the engine's peers take part in consensus at our height, and are not catching up.
  /// Error: `engine_unreachable`.
  [[nodiscard]] auto peers_at_head() -> Result<std::size_t>;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium::engine
