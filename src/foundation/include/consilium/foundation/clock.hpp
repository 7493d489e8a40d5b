#pragma once
#include <cstdint>
#include <string>

namespace consilium {

/// Time, handed in. The ledger never asks: its deadlines are heights.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual auto monotonic_ms() const -> std::int64_t = 0;
  /// Milliseconds since 1970 UTC.
  [[nodiscard]] virtual auto wall_ms() const -> std::int64_t = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] auto monotonic_ms() const -> std::int64_t override;
  [[nodiscard]] auto wall_ms() const -> std::int64_t override;
};

/// A clock for tests and the simulator: it moves when it is told to.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] auto monotonic_ms() const -> std::int64_t override { return now_ms_; }
  [[nodiscard]] auto wall_ms() const -> std::int64_t override { return now_ms_; }
  void advance_ms(std::int64_t ms) { now_ms_ += ms; }

 private:
  std::int64_t now_ms_ = 0;
};

/// "2026-11-23T14:32:05Z"
[[nodiscard]] auto iso_time(std::int64_t wall_ms) -> std::string;

}  // namespace consilium
