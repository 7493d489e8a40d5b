#pragma once
// The network between processes of one machine: each wire is a port that forwards to another one,
// late, or not at all. Everything between two nodes goes through wires, so a test can cut the net
// where it likes without any right of root.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace consilium::test {

/// A port that nobody has now.
[[nodiscard]] auto free_port() -> std::uint16_t;

class Wire {
 public:
  /// Listens on a port of its own and forwards every connection to `to` on 127.0.0.1.
  explicit Wire(std::uint16_t to);
  ~Wire();
  Wire(const Wire&) = delete;
  auto operator=(const Wire&) -> Wire& = delete;

  [[nodiscard]] auto port() const -> std::uint16_t;
  /// Each byte arrives so much later, in either direction.
  void delay(std::int64_t ms);
  /// Nothing passes, and nobody is told: as when a switch dies. What was sent waits.
  void hold(bool held);
  /// Every connection is reset, once.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium::test
