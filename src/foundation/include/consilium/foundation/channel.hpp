#pragma once
#include "consilium/foundation/bytes.hpp"

namespace consilium {

/// An ordered, two-way stream of whole messages between two nodes. `courier` implements it;
/// protocols only see messages, so the same code runs over a socket, in one process and in the
/// simulator.
class Channel {
 public:
  virtual ~Channel() = default;
  /// Errors: `channel_closed`, `message_too_large`, `channel_full` (the peer does not read: try
  /// again later).
  [[nodiscard]] virtual auto send(BytesView message) -> Result<void> = 0;
  /// The next message. Errors: `channel_closed`, `timeout` (nothing within timeout_ms; 0 asks
  /// without waiting).
  [[nodiscard]] virtual auto receive(std::int64_t timeout_ms) -> Result<Bytes> = 0;
  virtual void close() = 0;
};

}  // namespace consilium
