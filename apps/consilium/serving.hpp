#pragma once
#include <cstdint>
#include <filesystem>

#include "consilium/foundation/result.hpp"

namespace consilium::app {

/// Runs a chain's node until SIGINT or SIGTERM, and prints what moves: a line each, or with `json`
/// a report_line each.
[[nodiscard]] auto serve_chain(const std::filesystem::path& directory, std::uint16_t portal_port,
                               bool json) -> Result<void>;

/// Serves a run's report, result and health on 127.0.0.1 until SIGINT or SIGTERM.
[[nodiscard]] auto serve_folder(const std::filesystem::path& folder, std::uint16_t port)
    -> Result<void>;

}  // namespace consilium::app
