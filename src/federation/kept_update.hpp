#pragma once
// A hospital's own integers for a round, kept at the hospital until the round's fate is known
// (sealing-spec §13: no error loses an update). They are as private as the cases they come from
// and go into no blob.

#include <span>
#include <vector>

#include "consilium/federation/participant.hpp"

namespace consilium::federation {

/// Keeps `values`, sealed for the round with this seed, durably before anything is sealed from
/// them. Errors: those of NodeStorage::save.
[[nodiscard]] auto keep_update(NodeStorage& storage, RoundId round, const Digest& seed,
                               std::span<const std::int64_t> values) -> Result<void>;

/// The integers kept for the round with this seed; nothing when there are none, or when they were
/// made for another opening block or do not read back. Errors: those of NodeStorage::load.
[[nodiscard]] auto kept_update(NodeStorage& storage, RoundId round, const Digest& seed)
    -> Result<std::optional<std::vector<std::int64_t>>>;

/// Takes the kept integers away: the round was accepted, or its base has been left behind. Errors:
/// those of NodeStorage::erase.
[[nodiscard]] auto drop_update(NodeStorage& storage, RoundId round) -> Result<void>;

}  // namespace consilium::federation
