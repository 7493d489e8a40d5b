#pragma once
// The socket side of the port: TLS, HTTP, limits. The only place that knows Boost is listener.cpp.

#include "requests.hpp"

namespace consilium::courier {

class Listener {
 public:
  /// Listens until `close`. All references must outlive it. Errors: `port_taken`, `bad_address`,
  /// `port_failed`.
  [[nodiscard]] static auto open(const TransportIdentity& ours, PortShared& shared, Admit admit)
      -> Result<std::unique_ptr<Listener>>;
  ~Listener();
  Listener(const Listener&) = delete;
  auto operator=(const Listener&) -> Listener& = delete;
  [[nodiscard]] auto number() const -> std::uint16_t;
  void close();

 private:
  struct State;
  explicit Listener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace consilium::courier
