// A blob that comes run by run. Its file has the blob's bytes in their places, then the node of
// each run, zeros where the run is missing; to finish, the nodes are cut off.

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "consilium/courier/courier.hpp"

#include "blob_files.hpp"

namespace consilium::courier {

namespace fs = std::filesystem;

struct BlobPart::State {
  BlobStore& store;
  Digest digest;
  std::uint64_t size;
  fs::path path;
  Descriptor file;
  std::vector<Digest> nodes;  ///< of the runs; zeros: missing
  bool finished = false;

  [[nodiscard]] auto node_place(std::uint64_t run) const -> std::uint64_t {
    return size + run * sizeof(Digest::bytes);
  }
};

namespace {

/// What is here of an open file: whole runs with their nodes. Anything else counts as missing.
auto found_nodes(int file, std::uint64_t size) -> std::vector<Digest> {
  std::vector<Digest> nodes(static_cast<std::size_t>(blob_run_count(size)));
  Bytes bytes;
  for (std::size_t run = 0; run < nodes.size(); ++run) {
    Digest node;
    const std::uint64_t at = run * blob_run_bytes;
    if (!read_all_at(file, node.bytes, size + run * sizeof(node.bytes)) || node == Digest{})
      continue;
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size - at, blob_run_bytes)));
    if (read_all_at(file, bytes, at) && blob_run_node(bytes) == node) nodes[run] = node;
  }
  return nodes;
}

}  // namespace

BlobPart::BlobPart(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobPart::BlobPart(BlobPart&&) noexcept = default;
auto BlobPart::operator=(BlobPart&&) noexcept -> BlobPart& = default;
BlobPart::~BlobPart() = default;

auto BlobStore::part_path(const Digest& digest, std::uint64_t size) const -> fs::path {
  return folder() / unfinished_folder / (digest.hex() + "-" + std::to_string(size));
}

auto BlobStore::begun_size(const Digest& digest) const -> std::optional<std::uint64_t> {
  const std::string prefix = digest.hex() + "-";
  std::error_code error;
  for (fs::directory_iterator file(folder() / unfinished_folder, error), end; !error && file != end;
       file.increment(error)) {
    const std::string name = file->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    std::uint64_t size = 0;
    const char* const last = name.data() + name.size();
    const auto [rest, wrong] = std::from_chars(name.data() + prefix.size(), last, size);
    if (wrong == std::errc{} && rest == last) return size;
  }
  return std::nullopt;
}

auto BlobStore::part(const Digest& digest, std::uint64_t size) -> Result<BlobPart> {
  const fs::path path = part_path(digest, size);
  if (size > blob_size_max) return too_large(path.string(), blob_size_max);
  for (;;) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file.valid()) return unwritable(path, errno);
    if (::flock(file.value(), LOCK_EX | LOCK_NB) != 0) {
      return fail("fetch_underway", path.string(),
                  "Another part of this node is taking in this blob. Ask again in a moment.");
    }
    // Whoever had the lock may have finished the blob: then this is the blob, not its part.
    struct stat opened{};
    struct stat named{};
    if (::fstat(file.value(), &opened) != 0) return unwritable(path, errno);
    if (::lstat(path.c_str(), &named) != 0 || named.st_ino != opened.st_ino) continue;
    const std::uint64_t whole = size + blob_run_count(size) * sizeof(Digest::bytes);
    if (static_cast<std::uint64_t>(opened.st_size) != whole &&
        ::ftruncate(file.value(), static_cast<off_t>(whole)) != 0) {
      return unwritable(path, errno);
    }
    auto nodes = found_nodes(file.value(), size);
    return BlobPart(std::make_unique<BlobPart::State>(
        BlobPart::State{*this, digest, size, path, std::move(file), std::move(nodes)}));
  }
}

auto BlobPart::missing() const -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> runs;
  for (std::size_t run = 0; run < state_->nodes.size(); ++run) {
    if (state_->nodes[run] == Digest{}) runs.push_back(run);
  }
  return runs;
}

auto BlobPart::add(std::uint64_t index, BytesView bytes, std::span<const Digest> path)
    -> Result<void> {
  State& state = *state_;
  CONSILIUM_TRY(const Digest node, check_blob_run(state.digest, state.size, index, bytes, path));
  Digest& kept = state.nodes.at(static_cast<std::size_t>(index));
  if (kept == node) return {};
  const std::uint64_t at = index * blob_run_bytes;
  const int file = state.file.value();
  if (!write_all_at(file, bytes, at) || !write_all_at(file, node.bytes, state.node_place(index)))
    return unwritable(state.path, errno);
  // Starts the disk at once, so that the sync at the end is short.
  (void)::sync_file_range(file, static_cast<off_t>(at), static_cast<off_t>(bytes.size()),
                          SYNC_FILE_RANGE_WRITE);
  kept = node;
  return {};
}

auto BlobPart::finish() -> Result<void> {
  State& state = *state_;
  CONSILIUM_ENSURE(!state.finished && missing().empty());
  state.finished = true;
  if (blob_name_of_runs(state.nodes) != state.digest) {
    ::unlink(state.path.c_str());
    return fail("blob_mismatch", state.path.string(),
                "The runs do not make the blob of this name. They were thrown away; ask another "
                "hospital.");
  }
  CONSILIUM_CHECK(state.store.make_folder(state.digest));
  if (::ftruncate(state.file.value(), static_cast<off_t>(state.size)) != 0 ||
      ::fsync(state.file.value()) != 0) {
    return unwritable(state.path, errno);
  }
  const fs::path named = state.store.path_of(state.digest);
  if (::rename(state.path.c_str(), named.c_str()) != 0) return unwritable(named, errno);
  return state.store.sync_names(std::span(&state.digest, 1));
}

}  // namespace consilium::courier
