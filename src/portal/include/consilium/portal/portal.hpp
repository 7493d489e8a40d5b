#pragma once
/// The portal is the node's face to browsers: today health and the report of a run, over plain HTTP
/// on this machine.
///
/// Always true:
///   - it listens on this machine only, unless it is told otherwise;
///   - it serves exactly the paths it was given, byte for byte; a path is compared, never turned
///   into a file name;
///   - every answer carries the strict headers (no scripts, no frames, no sniffing, no referrer, no
///   storing), and every
///     request has a limit of size and of time.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "consilium/foundation/result.hpp"

namespace consilium::portal {

struct ServedFile {
  std::string content_type;  ///< "text/html; charset=utf-8"
  std::string content;
};

/// What a node says about itself. Healthy means that it moves (its height grows), not that its
/// process lives.
struct Health {
  bool ok = true;
  /// A JSON object with whatever the operator should see, such as {"height": 214}; empty: nothing.
  std::string details_json;
};

/// Who can reach the portal.
enum class Reach { this_machine, network };

struct PortalOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one, see Portal::port
  /// `network` allows an address that other machines can reach. There is no encryption and no login
  /// yet.
  Reach reach = Reach::this_machine;
  /// By path, such as "/report.html". Path "/" goes to "/report.html" unless it is in here.
  std::map<std::string, ServedFile> files;
  /// A run's folder: its report.html and result.json (nothing else) are read afresh at every
  /// request.
  std::optional<std::filesystem::path> folder;
  /// Called on the portal's own thread for each GET /health: it must be quick and must not wait.
  /// Without one the portal answers for itself only.
  std::function<Health()> health;

  std::size_t connections_max = 64;
  std::size_t header_bytes_max = 8192;
  /// For a whole request to come in, for a whole answer to go out, and between two requests.
  std::int64_t timeout_ms = 5000;
};

/// A running portal: one thread of its own, coroutines on one event loop. Stops when it is
/// destroyed.
class Portal {
 public:
  /// Errors: `bad_address`, `address_not_local` (reach is this_machine), `port_taken`,
  /// `portal_failed`.
  [[nodiscard]] static auto start(PortalOptions options) -> Result<Portal>;
  Portal(Portal&&) noexcept;
  auto operator=(Portal&&) noexcept -> Portal&;
  ~Portal();

  [[nodiscard]] auto port() const -> std::uint16_t;
  /// "http://127.0.0.1:8080/"
  [[nodiscard]] auto url() const -> std::string;
  /// Ends all connections and waits for the thread. Twice is fine.
  void stop();

 private:
  struct State;
  explicit Portal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace consilium::portal
