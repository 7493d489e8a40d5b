#pragma once
// The leaves of the state: the key of every record, and the Merkle tree over them (RFC 6962
// prefixes). A record's proof is its leaf and the digests beside its way up.

#include <optional>
#include <vector>

#include "consilium/ledger/ledger.hpp"
#include "consilium/ledger/proof.hpp"

namespace consilium::ledger {

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
[[nodiscard]] auto leaf_key(LeafKind kind, HospitalId id) -> Bytes;
[[nodiscard]] auto leaf_key(LeafKind kind, RoundId id) -> Bytes;
[[nodiscard]] auto leaf_key(LeafKind kind, const Digest& name) -> Bytes;
[[nodiscard]] auto leaf_key(LeafKind kind, const sealing::VerifyKey& key) -> Bytes;
/// What a key was made of; false when no such key gives these bytes.
[[nodiscard]] auto read_leaf_key(BytesView key, std::uint64_t& number) -> bool;
[[nodiscard]] auto read_leaf_key(BytesView key, HospitalId& id) -> bool;
[[nodiscard]] auto read_leaf_key(BytesView key, RoundId& id) -> bool;
[[nodiscard]] auto read_leaf_key(BytesView key, Digest& name) -> bool;
[[nodiscard]] auto read_leaf_key(BytesView key, sealing::VerifyKey& name) -> bool;

/// SHA-256(0x00 ‖ key ‖ record), the key with its length.
[[nodiscard]] auto leaf_digest(BytesView key, BytesView record) -> Digest;
/// SHA-256(0x01 ‖ left ‖ right)
[[nodiscard]] auto node_digest(const Digest& left, const Digest& right) -> Digest;
/// RFC 6962's tree head over leaf digests, at least one.
[[nodiscard]] auto merkle_root(std::vector<Digest> level) -> Digest;

/// The tree over all leaves, in the order of their keys. Remembers its inner nodes, so that a
/// changed leaf costs the nodes above it, and a new one also those to its right.
class LeafTree {
 public:
  /// Nothing: the leaf is taken out.
  void set(BytesView key, const std::optional<Digest>& leaf);
  [[nodiscard]] auto find(BytesView key) const -> std::optional<Digest>;
  /// At least one leaf.
  [[nodiscard]] auto root() -> Digest;
  /// Where a leaf stands among how many, and the digests beside its way up, lowest first. After
  /// root(), before the next set().
  [[nodiscard]] auto path_of(BytesView key) const -> std::optional<LeafPath>;

 private:
  [[nodiscard]] auto place_of(BytesView key) const -> std::size_t;
  std::vector<Bytes> keys_;
  std::vector<std::vector<Digest>> levels_{1};
  std::vector<std::size_t> changed_;  ///< places of changed leaves, left of moved_from_
  std::size_t moved_from_ = 0;        ///< from here on every node is to be worked out again
};

}  // namespace consilium::ledger
