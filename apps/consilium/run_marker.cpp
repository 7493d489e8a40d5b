#include "run_marker.hpp"

#include <array>

#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {

namespace fs = std::filesystem;
constexpr std::string_view marker_name = "run.marker";
/// All that a run writes; nothing else is ever removed.
constexpr std::array<std::string_view, 5> made_by_runs = {"nodes", "seeds", "report.html",
                                                          "result.json", "clear-model"};

auto marker_text(const Digest& kind, bool finished) -> std::string {
  return "consilium run 1\n" + kind.hex() + (finished ? "\nfinished\n" : "\nrunning\n");
}

}  // namespace

auto RunMarker::begin(const fs::path& directory, const Digest& kind) -> Result<RunMarker> {
  const auto file = directory / marker_name;
  std::error_code error;
  if (fs::exists(file, error)) {
    CONSILIUM_TRY(const auto text, read_text_file(file, 4096));
    if (text == marker_text(kind, false)) return RunMarker(file, kind, true);
    for (const auto name : made_by_runs) {
      fs::remove_all(directory / name, error);
      if (error) {
        return fail("file_unwritable", (directory / name).string(),
                    "the finished run here cannot be cleared; remove it or choose another --out");
      }
    }
  } else if (fs::exists(directory, error) && !fs::is_empty(directory, error)) {
    return fail("not_a_run", directory.string(),
                "the folder holds something else than a run; choose another --out");
  }
  CONSILIUM_CHECK(write_file_durably(file, as_bytes(marker_text(kind, false))));
  return RunMarker(file, kind, false);
}

auto RunMarker::finish() -> Result<void> {
  return write_file_durably(file_, as_bytes(marker_text(kind_, true)));
}

}  // namespace consilium::app
