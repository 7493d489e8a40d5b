#pragma once
// CometBFT's way to us: ABCI 2.0 over a unix socket, protobuf messages each after its length as a
// varint (docs.cometbft.com, "ABCI 2.0", §Client and server). The only place that knows protobuf.

#include <filesystem>
#include <memory>
#include <optional>

#include "consilium/engine/application.hpp"

namespace consilium::engine {

/// The largest message taken: a block of the largest size the chain's first page allows, twice.
inline constexpr std::size_t frame_bytes_max = std::size_t{16} << 20U;

/// Was protobuf and the engine's wire format there when this program was built?
[[nodiscard]] auto abci_available() -> bool;

/// Serves an application on a socket of its own; a thread for each of the engine's four
/// connections, at most eight. Stops when it is destroyed.
class AbciServer {
 public:
  /// The socket is made anew, readable by its owner alone. The application outlives the server.
  /// Errors: `engine_unavailable` (abci_available is false), `bad_address` (path longer than 107
  /// bytes), `file_unwritable`.
  [[nodiscard]] static auto start(const std::filesystem::path& socket, Application& application)
      -> Result<std::unique_ptr<AbciServer>>;
  ~AbciServer();

  /// Why this node must stop: a block that could not be finalized or kept. The engine was told, and
  /// stops by itself.
  [[nodiscard]] auto fault() const -> std::optional<Error>;

 private:
  struct State;
  explicit AbciServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace consilium::engine
