#include "consilium/foundation/blob_name.hpp"

#include <algorithm>
#include <bit>

namespace consilium {
namespace {

constexpr std::uint8_t leaf_mark = 0x00;
constexpr std::uint8_t node_mark = 0x01;

auto leaf_node(Hasher& hasher, BytesView leaf) -> Digest {
  return hasher.add_u8(leaf_mark).add(leaf).finish();
}

auto inner_node(Hasher& hasher, const Digest& left, const Digest& right) -> Digest {
  return hasher.add_u8(node_mark).add(left.view()).add(right.view()).finish();
}

/// The first half of `count` > 1 nodes: the largest power of two below count.
auto left_part(std::uint64_t count) -> std::uint64_t {
  return std::bit_floor(count - 1);
}

auto root_of(Hasher& hasher, std::span<const Digest> nodes) -> Digest {
  if (nodes.size() == 1) return nodes.front();
  const auto left = static_cast<std::size_t>(left_part(nodes.size()));
  const Digest first = root_of(hasher, nodes.first(left));
  return inner_node(hasher, first, root_of(hasher, nodes.subspan(left)));
}

void add_path(Hasher& hasher, std::span<const Digest> nodes, std::size_t at, BlobPath& path) {
  if (nodes.size() == 1) return;
  const auto left = static_cast<std::size_t>(left_part(nodes.size()));
  const auto first = nodes.first(left);
  const auto second = nodes.subspan(left);
  if (at < left) {
    add_path(hasher, first, at, path);
    path.push_back(root_of(hasher, second));
  } else {
    add_path(hasher, second, at - left, path);
    path.push_back(root_of(hasher, first));
  }
}

/// The root that a node at this place and its path lead to; false when the path has another
/// length than the place.
auto climb(std::uint64_t count, std::uint64_t at, Digest& node, std::span<const Digest> path)
    -> bool {
  // From the root down: at which side of each fork the node lies.
  std::vector<bool> is_right;
  while (count > 1) {
    const std::uint64_t left = left_part(count);
    is_right.push_back(at >= left);
    if (at >= left) {
      at -= left;
      count -= left;
    } else {
      count = left;
    }
  }
  if (path.size() != is_right.size()) return false;
  Hasher hasher;
  for (const Digest& sibling : path) {
    node = is_right.back() ? inner_node(hasher, sibling, node) : inner_node(hasher, node, sibling);
    is_right.pop_back();
  }
  return true;
}

auto leaves_of(BytesView bytes) -> std::vector<Digest> {
  Hasher hasher;
  std::vector<Digest> leaves;
  leaves.reserve(static_cast<std::size_t>(blob_leaf_count(bytes.size())));
  do {
    const BytesView leaf = bytes.first(std::min(bytes.size(), blob_leaf_bytes));
    leaves.push_back(leaf_node(hasher, leaf));
    bytes = bytes.subspan(leaf.size());
  } while (!bytes.empty());
  return leaves;
}

/// How long the part of a blob is that begins at `at` parts of this size.
auto part_size(std::uint64_t size, std::uint64_t at, std::uint64_t part) -> std::uint64_t {
  return std::min(part, size - at * part);
}

auto mismatch(const Digest& name) -> tl::unexpected<Error> {
  return fail("blob_mismatch", "blob " + name.short_text(),
              "These are not bytes of the blob of this name. Throw them away and ask another "
              "hospital.");
}

}  // namespace

auto blob_leaf_count(std::uint64_t size) -> std::uint64_t {
  return size == 0 ? 1 : (size - 1) / blob_leaf_bytes + 1;
}

auto blob_run_count(std::uint64_t size) -> std::uint64_t {
  return size == 0 ? 1 : (size - 1) / blob_run_bytes + 1;
}

auto blob_name(BytesView bytes) -> Digest {
  Hasher hasher;
  return root_of(hasher, leaves_of(bytes));
}

auto blob_run_node(BytesView run) -> Digest {
  CONSILIUM_ENSURE(run.size() <= blob_run_bytes);
  return blob_name(run);
}

auto blob_name_of_runs(std::span<const Digest> runs) -> Digest {
  CONSILIUM_ENSURE(!runs.empty());
  Hasher hasher;
  return root_of(hasher, runs);
}

auto BlobNamer::add(BytesView bytes) -> BlobNamer& {
  while (!bytes.empty()) {
    // A leaf ends when the next begins: only then is it known not to be the last.
    if (leaf_bytes_ == blob_leaf_bytes) end_leaf();
    if (leaf_bytes_ == 0) leaf_.add_u8(leaf_mark);
    const BytesView part = bytes.first(std::min(bytes.size(), blob_leaf_bytes - leaf_bytes_));
    leaf_.add(part);
    leaf_bytes_ += part.size();
    bytes = bytes.subspan(part.size());
    empty_ = false;
  }
  return *this;
}

void BlobNamer::end_leaf() {
  leaves_.push_back(leaf_.finish());
  leaf_bytes_ = 0;
  if (leaves_.size() == blob_run_leaves) end_run();
}

void BlobNamer::end_run() {
  Hasher hasher;
  runs_.push_back(root_of(hasher, leaves_));
  leaves_.clear();
}

auto BlobNamer::finish_runs() -> std::vector<Digest> {
  if (empty_) leaf_.add_u8(leaf_mark);
  if (empty_ || leaf_bytes_ > 0) end_leaf();
  if (!leaves_.empty()) end_run();
  empty_ = true;
  return std::exchange(runs_, {});
}

auto blob_leaf_path(BytesView bytes, std::uint64_t leaf) -> BlobPath {
  const std::vector<Digest> leaves = leaves_of(bytes);
  CONSILIUM_ENSURE(leaf < leaves.size());
  Hasher hasher;
  BlobPath path;
  add_path(hasher, leaves, static_cast<std::size_t>(leaf), path);
  return path;
}

auto blob_run_path(std::span<const Digest> runs, std::size_t run) -> BlobPath {
  CONSILIUM_ENSURE(run < runs.size());
  Hasher hasher;
  BlobPath path;
  add_path(hasher, runs, run, path);
  return path;
}

auto check_blob_leaf(const Digest& name, std::uint64_t size, std::uint64_t leaf, BytesView bytes,
                     std::span<const Digest> path) -> Result<void> {
  const std::uint64_t count = blob_leaf_count(size);
  if (leaf >= count || bytes.size() != part_size(size, leaf, blob_leaf_bytes))
    return mismatch(name);
  Hasher hasher;
  Digest node = leaf_node(hasher, bytes);
  if (!climb(count, leaf, node, path) || node != name) return mismatch(name);
  return {};
}

auto check_blob_run(const Digest& name, std::uint64_t size, std::uint64_t run, BytesView bytes,
                    std::span<const Digest> path) -> Result<Digest> {
  const std::uint64_t count = blob_run_count(size);
  if (run >= count || bytes.size() != part_size(size, run, blob_run_bytes)) return mismatch(name);
  const Digest run_node = blob_run_node(bytes);
  Digest node = run_node;
  if (!climb(count, run, node, path) || node != name) return mismatch(name);
  return run_node;
}

}  // namespace consilium
