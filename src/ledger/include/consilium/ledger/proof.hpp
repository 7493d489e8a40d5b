#pragma once
// That one record is part of a state of which only the digest is known.

#include <cstdint>
#include <vector>

#include "consilium/foundation/bytes.hpp"

namespace consilium::ledger {

/// Where a record's leaf stands in the state's tree, and the digests beside its way up, lowest
/// first (RFC 6962 §2.1.1).
struct LeafPath {
  std::uint64_t place = 0, count = 0;
  std::vector<Digest> beside;
};

}  // namespace consilium::ledger
