#pragma once
// Samples of a time and what is said of them.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace consilium::bench {

/// Milliseconds that `work` takes.
template <typename Work>
auto milliseconds(Work&& work) -> double {
  const auto started = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> taken =
      std::chrono::steady_clock::now() - started;
  return taken.count();
}

/// Milliseconds that the processor worked for this thread or process (CLOCK_THREAD_CPUTIME_ID,
/// CLOCK_PROCESS_CPUTIME_ID): what a busy machine does not stretch.
inline auto cpu_milliseconds(clockid_t clock) -> double {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

class Samples {
 public:
  void add(double sample) { sorted_.insert(std::ranges::upper_bound(sorted_, sample), sample); }
  template <typename Work>
  void time(Work&& work) {
    add(milliseconds(work));
  }
  [[nodiscard]] auto median() const -> double {
    const std::size_t middle = sorted_.size() / 2;
    return sorted_.size() % 2 == 1 ? sorted_[middle] : (sorted_[middle - 1] + sorted_[middle]) / 2;
  }
  [[nodiscard]] auto least() const -> double { return sorted_.front(); }
  [[nodiscard]] auto most() const -> double { return sorted_.back(); }

 private:
  std::vector<double> sorted_;
};

}  // namespace consilium::bench
