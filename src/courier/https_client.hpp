#pragma once
// One peer, asked over one kept connection. The only place that knows libcurl is https_client.cpp.

#include <atomic>
#include <memory>

#include "consilium/courier/port.hpp"

#include "http.hpp"

namespace consilium::courier {

class HttpsClient {
 public:
  HttpsClient(TransportIdentity ours, PeerAddress peer, const RemoteOptions& options);
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  auto operator=(const HttpsClient&) -> HttpsClient& = delete;

  /// Sends and waits; one call at a time. An answer that carries an error comes as that error.
  /// `answer_bytes_max` bounds the answer's body. Errors besides the peer's: `peer_unreachable`,
  /// `wrong_peer`, `not_admitted`, `bad_answer`.
  [[nodiscard]] auto call(const Request& request, std::size_t answer_bytes_max) -> Result<Answer>;
  /// Makes a call that is under way, and every later one, fail with `peer_unreachable`. From any
  /// thread.
  void interrupt();

  [[nodiscard]] auto peer() const -> const PeerAddress& { return peer_; }

 private:
  struct Handle;
  [[nodiscard]] auto bad_answer() const -> tl::unexpected<Error>;
  [[nodiscard]] auto not_answered(std::string_view why) const -> tl::unexpected<Error>;
  PeerAddress peer_;
  RemoteOptions options_;
  std::unique_ptr<Handle> handle_;
  std::atomic<bool> interrupted_{false};
};

}  // namespace consilium::courier
