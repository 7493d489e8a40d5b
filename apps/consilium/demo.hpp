#pragma once
// The main job: four real hospitals on this machine train one sealed model and diagnose a patient.

#include <filesystem>
#include <string>

#include "consilium/foundation/result.hpp"

namespace consilium::app {

struct DemoOptions {
  std::string driver = "solo";         ///< or "cometbft": every node a process, and one is killed
  std::string topology = "committee";  ///< or "central"
  std::string delivery = "a";          ///< or "c", in "central": the server opens only totals
  std::string align = "patterns";      ///< or "attributes"
  std::uint16_t align_k = 2;
  std::string split = "held-third";  ///< or "flamby"
  std::filesystem::path data;        ///< folder of the original files; empty: `package`
  std::filesystem::path package;     ///< the package's CSV
  std::filesystem::path out = "out/demo";
  std::uint64_t seed = 7;
  std::size_t rounds = 15;
  std::string boxes = "classical";      ///< or "hybrid": X25519 and ML-KEM-768
  std::uint32_t box_epoch_rounds = 16;  ///< updates that a box key serves; 0: it never changes
  bool json = false;
  bool serve = false;
  std::uint16_t port = 8480;
};

/// Runs, or goes on with, the demonstration and writes report.html and result.json below `out`.
/// Nothing is written before all records have been read without an error.
[[nodiscard]] auto demo(const DemoOptions& options) -> Result<void>;

}  // namespace consilium::app
