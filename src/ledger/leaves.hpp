#pragma once
// The leaves of the state: key and canonical encoding of every record, and the Merkle tree over
// them (RFC 6962 prefixes). A record's proof is its leaf and the digests beside its way up.

#include <span>

#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger {

struct Head;

/// Keys sort by kind, then by number or name.
enum class LeafKind : std::uint8_t {
  head = 0,
  member = 1,
  proposal = 2,
  round = 3,
  family = 4,
  alignment = 5,
  model = 6,
  former_key = 7,
  offence = 8
};
[[nodiscard]] auto leaf_key(LeafKind kind, std::uint64_t number) -> Bytes;
[[nodiscard]] auto leaf_key(LeafKind kind, const Digest& name) -> Bytes;

[[nodiscard]] auto encode_leaf(const Digest& consortium, const Head& head) -> Bytes;
[[nodiscard]] auto encode_leaf(const Member& member) -> Bytes;
[[nodiscard]] auto encode_leaf(const State::OpenProposal& proposal) -> Bytes;
[[nodiscard]] auto encode_leaf(const RoundRecord& round) -> Bytes;
[[nodiscard]] auto encode_leaf(const Family& family) -> Bytes;
[[nodiscard]] auto encode_leaf(const FormerKey& former) -> Bytes;
[[nodiscard]] auto encode_leaf(const Offence& offence) -> Bytes;
[[nodiscard]] auto encode_leaf(const AlignmentSession& session) -> Bytes;
[[nodiscard]] auto encode_leaf(const ModelRecord& model) -> Bytes;

/// SHA-256(0x00 ‖ key ‖ record), the key with its length.
[[nodiscard]] auto leaf_digest(BytesView key, BytesView record) -> Digest;
/// RFC 6962's tree head over leaf digests, at least one.
[[nodiscard]] auto merkle_root(std::vector<Digest> level) -> Digest;

}  // namespace consilium::ledger
