#pragma once
// What a node does by itself about blobs that others ask for, that it misses, and that nobody needs
// any more.

#include <optional>

#include "consilium/courier/courier.hpp"
#include "consilium/foundation/random.hpp"
#include "consilium/ledger/ledger.hpp"

namespace consilium::app {

/// The next transaction about bodies, if any: a leaf of this hospital's own body that a miner asked
/// for; or, when half of the time to attest is over and another's body never came, a challenge of
/// a leaf of it. A body of one's own that is damaged or gone is a remark of the caller's next
/// round, not an error.
[[nodiscard]] auto next_blob_word(const ledger::State& state, HospitalId self,
                                  const courier::BlobStore& blobs, Random& random)
    -> std::optional<ledger::Body>;

/// The boxes that a manifest's lists name, away with them. A node that never looked at the lists
/// has no box of them. Error: `file_unwritable`.
[[nodiscard]] auto erase_boxes(const sealing::RoundParameters& round,
                               const sealing::Manifest& manifest, courier::BlobStore& blobs)
    -> Result<void>;

/// Removes what the ledger has released, boxes before the lists that name them, so that a kill
/// between the two leaves nothing behind. Returns how many names are gone. Error:
/// `file_unwritable`.
[[nodiscard]] auto drop_released(const ledger::State& state, courier::BlobStore& blobs)
    -> Result<std::size_t>;

}  // namespace consilium::app
