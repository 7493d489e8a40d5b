#pragma once
// What a chain's node says about itself, and the line of JSON in which `consilium serve --json`
// tells it to the process that started it.

#include <string>
#include <string_view>
#include <vector>

#include "consilium/foundation/identity.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::app {

/// What the node says about itself whenever something moved.
struct ChainReport {
  Height height;
  std::string step;  ///< of the agenda, where this node has one
  std::size_t step_done = 0, step_all = 0;
  bool done = false;                 ///< everything on the agenda is on the ledger
  std::vector<std::string> remarks;  ///< ids and codes only
  RoundId round;                     ///< the last one, 0 before any
  std::string round_state;
  std::vector<std::string> submitted;  ///< names of hospitals whose manifests the round has
  std::vector<std::string> absent;     ///< hospitals whose validators' power is lowered
};

[[nodiscard]] auto report_line(const ChainReport& report) -> std::string;
/// Error: `bad_report`.
[[nodiscard]] auto parse_report_line(std::string_view line) -> Result<ChainReport>;

}  // namespace consilium::app
