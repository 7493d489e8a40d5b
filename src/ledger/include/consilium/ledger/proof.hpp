#pragma once
// That one record is part of a state of which only the digest is known: a few hundred bytes beside
// the record, checked without the rest of the ledger.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::ledger {

/// Where a record's leaf stands in the state's tree, and the digests beside its way up, lowest
/// first (RFC 6962 §2.1.1).
struct LeafPath {
  std::uint64_t place = 0, count = 0;
  std::vector<Digest> beside;
};

struct RecordProof {
  Bytes key;     ///< record_key()
  Bytes record;  ///< its canonical bytes, long parts by their digests
  LeafPath path;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_encoding`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<RecordProof>;
};

/// A record's key from the name people use: `head`, `member/2`, `proposal/1`, `round/3`,
/// `family/<64 hex digits>`, `alignment/0`, `model/0`. Error: `wrong_usage`.
[[nodiscard]] auto record_key(std::string_view name) -> Result<Bytes>;

/// Is this the record of that key in the state of this digest? Error: `wrong_proof`.
[[nodiscard]] auto check_record(const RecordProof& proof, const Digest& state) -> Result<void>;

}  // namespace consilium::ledger
