#pragma once
// What a blob is called: the root of a Merkle tree over its bytes, so that any part of it can be
// checked alone (decisions/0035).

#include <vector>

#include "consilium/foundation/hash.hpp"

namespace consilium {

/// A blob's bytes are cut into leaves of this size; the last may be shorter. What one transaction
/// of the ledger can carry.
inline constexpr std::size_t blob_leaf_bytes = std::size_t{32} << 10U;
/// A run is what nodes send at once: 32 leaves, beginning at a multiple of 32, the last one
/// shorter. It is one node of the tree.
inline constexpr std::size_t blob_run_leaves = 32;
inline constexpr std::size_t blob_run_bytes = blob_leaf_bytes * blob_run_leaves;

/// How many leaves, or runs, a blob of so many bytes has: at least one, an empty blob has an empty
/// one.
[[nodiscard]] auto blob_leaf_count(std::uint64_t size) -> std::uint64_t;
[[nodiscard]] auto blob_run_count(std::uint64_t size) -> std::uint64_t;

/// The tree's root as in RFC 6962 §2.1, SHA-256(0x00 ‖ leaf), SHA-256(0x01 ‖ left ‖ right): the
/// name of a blob of any size. Time: one pass of SHA-256, and 3 ‰.
[[nodiscard]] auto blob_name(BytesView bytes) -> Digest;
/// The tree's node over one run, which is also the name of a blob of at most one run.
/// `run` has at most blob_run_bytes.
[[nodiscard]] auto blob_run_node(BytesView run) -> Digest;
/// The name of the blob whose runs have these nodes, in order; at least one.
[[nodiscard]] auto blob_name_of_runs(std::span<const Digest> runs) -> Digest;

/// The name of a blob that comes in pieces of any size. Keeps 32 bytes for each run.
class BlobNamer {
 public:
  auto add(BytesView bytes) -> BlobNamer&;
  /// The nodes of all runs, in order. The namer is empty again afterwards.
  [[nodiscard]] auto finish_runs() -> std::vector<Digest>;
  [[nodiscard]] auto finish() -> Digest { return blob_name_of_runs(finish_runs()); }

 private:
  void end_leaf();
  void end_run();
  Hasher leaf_;
  std::size_t leaf_bytes_ = 0;
  bool empty_ = true;
  std::vector<Digest> leaves_;  ///< of the run that is not whole yet
  std::vector<Digest> runs_;
};

/// The siblings from a node up to the root, lowest first (RFC 6962 §2.1.1).
using BlobPath = std::vector<Digest>;
/// No blob of 2^64 bytes has a longer one.
inline constexpr std::size_t blob_path_max = 49;

/// The path of one leaf. `leaf` < blob_leaf_count(bytes.size()). Hashes the whole blob.
[[nodiscard]] auto blob_leaf_path(BytesView bytes, std::uint64_t leaf) -> BlobPath;
/// The path of one run, from the nodes of all of them. `run` < runs.size().
[[nodiscard]] auto blob_run_path(std::span<const Digest> runs, std::size_t run) -> BlobPath;

/// Are these the bytes of that leaf of the blob of this name and size? The size must be known from
/// elsewhere, or be tested on all leaves: one leaf alone does not fix it. Error: `blob_mismatch`.
[[nodiscard]] auto check_blob_leaf(const Digest& name, std::uint64_t size, std::uint64_t leaf,
                                   BytesView bytes, std::span<const Digest> path) -> Result<void>;
/// The same for a run. Returns its node.
[[nodiscard]] auto check_blob_run(const Digest& name, std::uint64_t size, std::uint64_t run,
                                  BytesView bytes, std::span<const Digest> path) -> Result<Digest>;

}  // namespace consilium
