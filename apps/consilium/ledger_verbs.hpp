#pragma once
// `consilium ledger show|verify DIR`, for a node's directory or a whole run's.

#include <filesystem>

#include "consilium/foundation/result.hpp"

namespace consilium::app {

/// Re-plays every node's ledger below `directory`, recomputes every credit and digest, checks every
/// blob and every database's seal, and compares the nodes with each other. Prints what it found.
/// Errors name the file.
[[nodiscard]] auto ledger_verify(const std::filesystem::path& directory, bool json) -> Result<void>;

/// Prints members, sessions, rounds, models and credits.
[[nodiscard]] auto ledger_show(const std::filesystem::path& directory, bool json) -> Result<void>;

}  // namespace consilium::app
