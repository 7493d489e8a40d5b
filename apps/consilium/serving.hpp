#pragma once
#include <cstdint>
#include <filesystem>

#include "consilium/foundation/result.hpp"

namespace consilium::app {

/// Serves a run's report, result and health on 127.0.0.1 until SIGINT or SIGTERM.
[[nodiscard]] auto serve_folder(const std::filesystem::path& folder, std::uint16_t port)
    -> Result<void>;

}  // namespace consilium::app
