#pragma once
// `cases`, `schema show` and `serve`: looking at a hospital's own directory.

#include <filesystem>
#include <string>

#include "consilium/foundation/result.hpp"

namespace consilium::app {

struct CasesOptions {
  std::filesystem::path home;
  std::string status;
  bool json = false;
};
/// Counts by status, and the ids of the cases asked for; never their content.
[[nodiscard]] auto cases(const CasesOptions& options) -> Result<void>;

struct SchemaOptions {
  std::filesystem::path home;
};
[[nodiscard]] auto schema_show(const SchemaOptions& options) -> Result<void>;

struct ServeOptions {
  std::filesystem::path home;
  std::uint16_t port = 8480;
  bool json = false;  ///< of a chain's node: what moves, for the process that started it
};
/// A chain's node lives until it is stopped; a finished run's folder is shown.
[[nodiscard]] auto serve(const ServeOptions& options) -> Result<void>;

}  // namespace consilium::app
