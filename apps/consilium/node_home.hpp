#pragma once
// A hospital's directory as the bedside verbs read it: schema, cases, the model in force.

#include <filesystem>
#include <optional>

#include "consilium/casebase/casebase.hpp"
#include "consilium/learning/model.hpp"

namespace consilium::app {

struct NodeHome {
  std::filesystem::path directory;
  std::string name, title;
  casebase::Schema schema;  ///< the node's schema
  casebase::Casebase casebase;
};

/// The value of `key = "…"` in a config.toml that the node itself wrote; empty without one.
[[nodiscard]] auto config_value(std::string_view text, std::string_view key) -> std::string;

/// Error: `file_missing` (not a hospital's directory), and those of the case base.
[[nodiscard]] auto open_home(const std::filesystem::path& directory) -> Result<NodeHome>;

/// The last accepted model with what it was trained on, kept beside the node for the bedside.
struct ModelInForce {
  learning::Model model;
  casebase::Schema schema;
  casebase::Standardisation standardisation;
  std::uint64_t ledger_height = 0;
  std::uint64_t round = 0;
};
[[nodiscard]] auto save_model_in_force(const std::filesystem::path& directory,
                                       const ModelInForce& m) -> Result<void>;
/// Nothing when no round has been accepted yet. Error: `bad_model`.
[[nodiscard]] auto load_model_in_force(const std::filesystem::path& directory)
    -> Result<std::optional<ModelInForce>>;

}  // namespace consilium::app
