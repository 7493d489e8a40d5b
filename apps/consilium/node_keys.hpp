#pragma once
// A node's keys/: one file of 32 bytes each (a hybrid box key: 33), readable by its owner only.

#include <filesystem>

#include "consilium/foundation/secret.hpp"
#include "consilium/sealing/keys.hpp"

#include "box_keyring.hpp"

namespace consilium::app {

struct NodeKeys {
  sealing::SigningKey identity;   ///< signs transactions
  BoxKeyring boxes;               ///< opens shares of one committee epoch
  SecretBytes training_seed;      ///< chance of training and rounding (design §4)
  SecretBytes alignment_seed;     ///< keeps an input commitment the same over attempts
  SecretBytes hedge;              ///< goes into one-time keys beside chance (one_time_keys.hpp)
  sealing::SigningKey validator;  ///< votes in consensus, where the hospitals keep the chain
  sealing::SigningKey transport;  ///< names this node's engine to the others'
};

/// Reads the keys, or makes those that are missing. `training_seed` given (a demonstration that can
/// be repeated): it is used when the file is made; `box_kind` is of the box key, if that is made.
/// Errors: `bad_key`, `suite_unavailable`, and those of files.
[[nodiscard]] auto open_node_keys(const std::filesystem::path& folder, BytesView training_seed,
                                  sealing::BoxKind box_kind, Random& secrets) -> Result<NodeKeys>;

}  // namespace consilium::app
