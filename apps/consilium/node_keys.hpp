#pragma once
// A node's keys/: one file of 32 bytes each, readable by its owner only.

#include <filesystem>

#include "consilium/foundation/secret.hpp"
#include "consilium/sealing/keys.hpp"

namespace consilium::app {

struct NodeKeys {
  sealing::SigningKey identity;  ///< signs transactions
  sealing::BoxKey box;           ///< opens shares of one committee epoch
  SecretBytes training_seed;     ///< chance of training and rounding (design §4)
  SecretBytes alignment_seed;    ///< keeps an input commitment the same over attempts
};

/// Reads the keys, or makes those that are missing. `training_seed` given (a demonstration that can
/// be repeated): it is used when the file is made. Errors: `bad_key`, and those of files.
[[nodiscard]] auto open_node_keys(const std::filesystem::path& folder, BytesView training_seed,
                                  Random& secrets) -> Result<NodeKeys>;

}  // namespace consilium::app
