#pragma once
// Four validators on this machine under one set of engine settings: ours behind the socket, or the
// engine's own kvstore inside its process. What is asked of either goes over the engine's RPC, the
// same calls for both.

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "consilium/engine/abci_server.hpp"
#include "consilium/engine/cometbft.hpp"
#include "consilium/ledger/ledger.hpp"

#include "engine/wires.hpp"

namespace consilium::bench {

constexpr std::size_t validators_count = 4;

/// JSON-RPC over the socket in an engine's folder. One object a thread.
class Rpc {
 public:
  explicit Rpc(const std::filesystem::path& folder);
  ~Rpc();
  Rpc(const Rpc&) = delete;
  auto operator=(const Rpc&) -> Rpc& = delete;
  /// The answer's `result`; null when there is none.
  auto call(const std::string& method, const nlohmann::json& parameters) -> nlohmann::json;
  /// Into the mempool without waiting for it, many in one request. Gives false when one was refused
  /// by the engine itself (not by the application: it does not say here).
  auto send(const std::vector<Bytes>& transactions) -> bool;
  /// Milliseconds until a block has it; negative when it was refused.
  auto commit(BytesView transaction) -> double;

 private:
  auto post(const std::string& body) -> std::string;
  std::string socket_;
  void* curl_;
};

enum class App { ours, kvstore };

class Net {
 public:
  /// `late_ms`: added to each byte between two of them, one way; through wires then.
  Net(const std::filesystem::path& folder, App app, const ledger::Genesis& genesis,
      const std::vector<sealing::SigningKey>& validators, std::int64_t late_ms);
  /// All of them, and waits until the first block may be made.
  void start();
  void start(std::size_t node);
  /// kill -9 of the engine; of ours, everything in memory is gone, too.
  void kill(std::size_t node);
  /// Calls peers that are not connected, as a node does all the time.
  void connect(std::size_t node);
  [[nodiscard]] auto rpc_folder(std::size_t node) const -> std::filesystem::path;
  [[nodiscard]] auto application(std::size_t node) -> engine::Application& {
    return *nodes_.at(node)->application;
  }
  [[nodiscard]] auto driver(std::size_t node) -> engine::CometbftDriver& {
    return *nodes_.at(node)->driver;
  }
  /// Hex addresses of who signed the block of that height.
  static auto signers(Rpc& rpc, std::uint64_t height) -> std::set<std::string>;
  static auto height(Rpc& rpc) -> std::uint64_t;
  /// The last height that a node's validator signed a vote for, as it wrote it down.
  [[nodiscard]] auto voted_at(std::size_t node) const -> std::uint64_t;
  [[nodiscard]] auto address(std::size_t node) const -> std::string;

 private:
  struct Node {
    engine::CometbftSettings settings;
    std::unique_ptr<sealing::SigningKey> validator, transport;
    std::unique_ptr<engine::Application> application;
    std::unique_ptr<engine::AbciServer> server;
    std::unique_ptr<engine::CometbftDriver> driver;
    std::unique_ptr<engine::CometbftProcess> process;
  };
  void write_settings(const Node& node) const;

  App app_;
  ledger::Genesis genesis_;
  SystemClock clock_;
  std::vector<std::unique_ptr<test::Wire>> wires_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace consilium::bench
