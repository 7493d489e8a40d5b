#pragma once
// A run's own memory of what it is: a run that was cut off goes on, a finished one is started
// afresh.

#include <filesystem>

#include "consilium/foundation/bytes.hpp"

namespace consilium::app {

class RunMarker {
 public:
  /// Looks at `directory` and makes it ready for a run of this kind: goes on with the same kind
  /// that is not finished, clears everything a run left there otherwise. A folder with anything
  /// else in it is never touched. Errors: `not_a_run` (a folder that no run made),
  /// `file_unwritable`.
  [[nodiscard]] static auto begin(const std::filesystem::path& directory, const Digest& kind)
      -> Result<RunMarker>;
  [[nodiscard]] auto goes_on() const -> bool { return goes_on_; }
  [[nodiscard]] auto finish() -> Result<void>;

 private:
  RunMarker(std::filesystem::path file, Digest kind, bool goes_on)
      : file_(std::move(file)), kind_(kind), goes_on_(goes_on) {}
  std::filesystem::path file_;
  Digest kind_;
  bool goes_on_;
};

}  // namespace consilium::app
