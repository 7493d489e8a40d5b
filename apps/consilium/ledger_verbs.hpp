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

struct StatementOptions {
  std::filesystem::path directory;  ///< a node's or a run's
  std::string hospital;             ///< its name on the ledger
  std::filesystem::path out = ".";
  bool json = false;
};
/// `consilium credits statement`: a hospital's account as HTML and CSV, worked out again from the
/// ledger's records. Errors: `unknown_member`, `credits_differ`, those of the ledger's file.
[[nodiscard]] auto credits_statement(const StatementOptions& options) -> Result<void>;

}  // namespace consilium::app
