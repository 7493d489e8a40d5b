#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consilium/courier/courier.hpp"
#include "consilium/foundation/files.hpp"

#include "blob_files.hpp"

namespace consilium::courier {

auto unwritable(const std::filesystem::path& path, int error) -> tl::unexpected<Error> {
  // EFBIG is the process's own limit on a file's size: no room here either.
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return fail("disk_full", path.string(), "The disk is full. Free some space and run again.");
  }
  return fail("file_unwritable", path.string(),
              std::string("Cannot write here: ") + std::strerror(error) +
                  ". Check the folder's owner and permissions.");
}

auto too_large(std::string_view place, std::uint64_t size_max) -> tl::unexpected<Error> {
  return fail("blob_too_large", place,
              "The blob is larger than the " + std::to_string(size_max) +
                  " bytes allowed here. Send it in smaller pieces.");
}

auto missing_blob(const std::filesystem::path& path) -> tl::unexpected<Error> {
  return fail("blob_missing", path.string(),
              "This node does not hold the blob. Fetch it from another hospital.");
}

auto damaged_blob(const std::filesystem::path& path) -> tl::unexpected<Error> {
  return fail("blob_damaged", path.string(),
              "The bytes in this file are not those it is named by. Delete the file; the node "
              "fetches a good copy from another hospital.");
}

auto read_all_at(int descriptor, std::span<std::uint8_t> into, std::uint64_t at) -> bool {
  while (!into.empty()) {
    const ssize_t count = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = 0;
    if (count <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(count));
    at += static_cast<std::uint64_t>(count);
  }
  return true;
}

auto write_all_at(int descriptor, BytesView bytes, std::uint64_t at) -> bool {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += static_cast<std::uint64_t>(count);
  }
  return true;
}

namespace {

namespace fs = std::filesystem;

/// A batch keeps its files open until they are synced; processes are often limited to 1024 open
/// files.
constexpr std::size_t open_files_max = 128;
/// From here on one sync of the whole file system, before and after the renames, is faster than a
/// sync for each file and each folder: 8 to 20 ms against 10 ms a file on a disk of 4 ms (ext4; 5,
/// 20 and 100 files of 20 kB).
constexpr std::size_t sync_together_min = 3;
/// Names of blobs that need no second sync; forgotten all at once when there are more.
constexpr std::size_t durable_names_max = 65'536;
/// Blobs whose runs' nodes are kept in memory: at most 8 KiB each.
constexpr std::size_t runs_kept_max = 1024;
/// A long blob goes to the disk while it is being written, so that the sync at its end is short.
constexpr std::uint64_t send_to_disk_every = std::uint64_t{1} << 20U;

auto sync_folder(const fs::path& folder) -> Result<void> {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.valid() || ::fsync(opened.value()) != 0) return unwritable(folder, errno);
  return {};
}

/// Waits until all that was written to the folder's file system is on the disk. Since Linux 5.8 it
/// also reports errors of other writers' files, which then count as ours: too strict, never too
/// lax.
auto sync_file_system(const fs::path& folder) -> Result<void> {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.valid() || ::syncfs(opened.value()) != 0) return unwritable(folder, errno);
  return {};
}

auto write_all(int descriptor, BytesView bytes) -> bool {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

/// The process that wrote `<pid>-<n>`, or nothing when the name is another.
auto writer_of(const std::string& name) -> std::optional<pid_t> {
  pid_t process = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
  if (error != std::errc{} || end == name.data() + name.size() || *end != '-' || process <= 0) {
    return std::nullopt;
  }
  return process;
}

auto is_gone(pid_t process) -> bool {
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

/// The digest that a file of this name in this folder stands for.
auto digest_of(const fs::path& path) -> std::optional<Digest> {
  const std::string name = path.filename().string();
  if (name.size() != 64 || path.parent_path().filename().string() != name.substr(0, 2)) {
    return std::nullopt;
  }
  auto digest = Digest::from_hex(name);
  if (!digest) return std::nullopt;
  return *digest;
}

struct Walk {
  std::vector<Digest> digests;
  std::vector<fs::path> foreign;
};

/// Every blob's digest in ascending order, and what does not belong.
auto walk(const fs::path& folder) -> Result<Walk> {
  Walk found;
  std::error_code error;
  for (fs::directory_iterator top(folder, error), end; !error && top != end; top.increment(error)) {
    const std::string name = top->path().filename().string();
    if (name == unfinished_folder) continue;
    if (name.size() != 2 || !from_hex(name) || !top->is_directory(error)) {
      found.foreign.push_back(top->path());
      continue;
    }
    fs::directory_iterator file(top->path(), error);
    for (; !error && file != end; file.increment(error)) {
      const auto digest = digest_of(file->path());
      if (digest && file->symlink_status(error).type() == fs::file_type::regular) {
        found.digests.push_back(*digest);
      } else {
        found.foreign.push_back(file->path());
      }
    }
  }
  if (error) {
    return fail("file_unreadable", folder.string(),
                "Cannot list the blobs: " + error.message() + ". Check the folder's permissions.");
  }
  std::sort(found.digests.begin(), found.digests.end());
  std::sort(found.foreign.begin(), found.foreign.end());
  return found;
}

}  // namespace

/// A file in the unfinished folder that is removed unless it got its final name.
struct BlobStore::Unfinished {
  Digest digest;
  fs::path path;
  Descriptor descriptor;
  bool renamed = false;

  Unfinished(const Digest& named, fs::path where, Descriptor opened)
      : digest(named), path(std::move(where)), descriptor(std::move(opened)) {}
  Unfinished(Unfinished&& other) noexcept
      : digest(other.digest),
        path(std::move(other.path)),
        descriptor(std::move(other.descriptor)),
        renamed(std::exchange(other.renamed, true)) {}
  auto operator=(Unfinished&&) -> Unfinished& = delete;
  ~Unfinished() {
    if (!renamed) ::unlink(path.c_str());
  }
};

struct BlobStore::State {
  fs::path folder;
  std::atomic<std::uint64_t> next_number{0};
  std::mutex mutex;  ///< guards all below
  /// Folders that this process has made or seen, and whose names are on the disk.
  std::array<bool, 256> folder_ready{};
  /// Blobs that this process has synced. Others of them may come from a process that died before it
  /// did.
  std::set<Digest> durable;
  /// The nodes of the runs of blobs that were read to be sent; forgotten all at once when there are
  /// more.
  std::map<Digest, std::shared_ptr<const std::vector<Digest>>> runs;
};

BlobStore::BlobStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobStore::BlobStore(BlobStore&&) noexcept = default;
auto BlobStore::operator=(BlobStore&&) noexcept -> BlobStore& = default;
BlobStore::~BlobStore() = default;

auto BlobStore::folder() const -> const fs::path& {
  return state_->folder;
}

auto BlobStore::open(const fs::path& folder) -> Result<BlobStore> {
  const fs::path unfinished = folder / unfinished_folder;
  std::error_code error;
  fs::create_directories(unfinished, error);
  if (error) return unwritable(folder, error.value());
  CONSILIUM_CHECK(sync_folder(folder));
  CONSILIUM_CHECK(sync_folder(folder.has_parent_path() ? folder.parent_path() : fs::path(".")));
  auto state = std::make_unique<State>();
  state->folder = folder;
  for (fs::directory_iterator file(unfinished, error), end; !error && file != end;
       file.increment(error)) {
    const auto writer = writer_of(file->path().filename().string());
    if (writer && is_gone(*writer)) ::unlink(file->path().c_str());
  }
  return BlobStore(std::move(state));
}

auto BlobStore::open_existing(const fs::path& folder) -> Result<BlobStore> {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail("file_missing", folder.string(),
                "There is no folder of blobs here. Give a node's directory that has one.");
  }
  auto state = std::make_unique<State>();
  state->folder = folder;
  return BlobStore(std::move(state));
}

auto BlobStore::path_of(const Digest& digest) const -> fs::path {
  const std::string name = digest.hex();
  return state_->folder / name.substr(0, 2) / name;
}

auto BlobStore::make_folder(const Digest& digest) -> Result<void> {
  const std::lock_guard lock(state_->mutex);
  if (state_->folder_ready[digest.bytes[0]]) return {};
  const fs::path folder = path_of(digest).parent_path();
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return unwritable(folder, errno);
  return {};
}

auto BlobStore::is_durable(const Digest& digest) -> bool {
  const std::lock_guard lock(state_->mutex);
  return state_->durable.contains(digest);
}

void BlobStore::mark_durable(std::span<const Digest> digests) {
  const std::lock_guard lock(state_->mutex);
  if (state_->durable.size() + digests.size() > durable_names_max) state_->durable.clear();
  for (const Digest& digest : digests) {
    state_->durable.insert(digest);
    state_->folder_ready[digest.bytes[0]] = true;
  }
}

auto BlobStore::holds_exactly(const Digest& digest, BytesView bytes) const -> bool {
  const auto size = size_of(digest);
  if (!size || *size != bytes.size()) return false;
  const auto held = get(digest);
  return held.has_value();
}

auto BlobStore::create() -> Result<Unfinished> {
  const fs::path folder = state_->folder / unfinished_folder;
  fs::path path;
  int opened = -1;
  do {
    path = folder /
           (std::to_string(::getpid()) + "-" + std::to_string(state_->next_number.fetch_add(1)));
    opened = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    // Another store of this process, or a process long gone that had our id, used this number.
  } while (opened < 0 && errno == EEXIST);
  if (opened < 0) return unwritable(path, errno);
  return Unfinished({}, path, Descriptor(opened));
}

auto BlobStore::begin(const Digest& digest, BytesView bytes) -> Result<Unfinished> {
  CONSILIUM_TRY(Unfinished file, create());
  file.digest = digest;
  if (!write_all(file.descriptor.value(), bytes)) return unwritable(file.path, errno);
  // Starts the disk at once; the sync of `finish` then mostly waits for work that is under way.
  (void)::sync_file_range(file.descriptor.value(), 0, 0, SYNC_FILE_RANGE_WRITE);
  return file;
}

auto BlobStore::finish(std::vector<Unfinished>& files) -> Result<void> {
  if (files.empty()) return {};
  const bool together = files.size() >= sync_together_min;
  if (together) CONSILIUM_CHECK(sync_file_system(state_->folder));
  std::vector<Digest> named;
  for (Unfinished& file : files) {
    if (!together && ::fsync(file.descriptor.value()) != 0) return unwritable(file.path, errno);
    const fs::path final_path = path_of(file.digest);
    if (::rename(file.path.c_str(), final_path.c_str()) != 0) return unwritable(final_path, errno);
    file.renamed = true;
    named.push_back(file.digest);
  }
  files.clear();
  return sync_names(named);
}

auto BlobStore::sync_names(std::span<const Digest> digests) -> Result<void> {
  if (digests.size() >= sync_together_min) {
    CONSILIUM_CHECK(sync_file_system(state_->folder));
  } else {
    for (const Digest& digest : digests) {
      CONSILIUM_CHECK(sync_folder(path_of(digest).parent_path()));
      bool ready = false;
      {
        const std::lock_guard lock(state_->mutex);
        ready = state_->folder_ready[digest.bytes[0]];
      }
      if (!ready) CONSILIUM_CHECK(sync_folder(state_->folder));
    }
  }
  mark_durable(digests);
  return {};
}

auto BlobStore::put(BytesView bytes) -> Result<Digest> {
  CONSILIUM_TRY(const auto digests, put_batch(std::span(&bytes, 1)));
  return digests.front();
}

auto BlobStore::put_batch(std::span<const BytesView> blobs) -> Result<std::vector<Digest>> {
  for (const BytesView blob : blobs) {
    if (blob.size() > blob_size_max) return too_large(state_->folder.string(), blob_size_max);
  }
  std::vector<Digest> digests;
  digests.reserve(blobs.size());
  std::set<Digest> seen;
  std::vector<Digest> held;
  std::vector<Unfinished> unfinished;
  for (const BytesView blob : blobs) {
    const Digest digest = blob_name(blob);
    digests.push_back(digest);
    if (!seen.insert(digest).second) continue;
    if (holds_exactly(digest, blob)) {
      if (!is_durable(digest)) held.push_back(digest);
      continue;
    }
    CONSILIUM_CHECK(make_folder(digest));
    CONSILIUM_TRY(auto file, begin(digest, blob));
    unfinished.push_back(std::move(file));
    if (unfinished.size() == open_files_max) CONSILIUM_CHECK(finish(unfinished));
  }
  CONSILIUM_CHECK(finish(unfinished));
  if (!held.empty()) CONSILIUM_CHECK(sync_names(held));
  return digests;
}

struct BlobWriter::State {
  State(BlobStore& into, BlobStore::Unfinished begun) : store(into), file(std::move(begun)) {}
  BlobStore& store;
  BlobStore::Unfinished file;
  BlobNamer namer;
  std::uint64_t size = 0;
  std::uint64_t sent = 0;  ///< to the disk: what lies before it is on its way
};

BlobWriter::BlobWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobWriter::BlobWriter(BlobWriter&&) noexcept = default;
BlobWriter::~BlobWriter() = default;

auto BlobStore::writer() -> Result<BlobWriter> {
  CONSILIUM_TRY(Unfinished file, create());
  return BlobWriter(std::make_unique<BlobWriter::State>(*this, std::move(file)));
}

auto BlobWriter::write(BytesView bytes) -> Result<void> {
  State& state = *state_;
  if (bytes.size() > blob_size_max - state.size) {
    return too_large(state.file.path.string(), blob_size_max);
  }
  const int descriptor = state.file.descriptor.value();
  if (!write_all(descriptor, bytes)) return unwritable(state.file.path, errno);
  state.namer.add(bytes);
  state.size += bytes.size();
  if (state.size - state.sent >= send_to_disk_every) {
    (void)::sync_file_range(descriptor, static_cast<off_t>(state.sent),
                            static_cast<off_t>(state.size - state.sent), SYNC_FILE_RANGE_WRITE);
    state.sent = state.size;
  }
  return {};
}

auto BlobWriter::finish() -> Result<Digest> {
  State& state = *state_;
  const Digest digest = state.namer.finish();
  state.file.digest = digest;
  CONSILIUM_CHECK(state.store.make_folder(digest));
  std::vector<BlobStore::Unfinished> files;
  files.push_back(std::move(state.file));
  CONSILIUM_CHECK(state.store.finish(files));
  return digest;
}

auto BlobStore::get(const Digest& digest, std::size_t size_max) const -> Result<Bytes> {
  const fs::path path = path_of(digest);
  auto bytes = read_file(path, size_max);
  if (!bytes && bytes.error().code == "file_missing") {
    return missing_blob(path);
  }
  if (!bytes && bytes.error().code == "file_too_large") return too_large(path.string(), size_max);
  if (!bytes) return bytes;
  if (blob_name(*bytes) != digest) {
    return damaged_blob(path);
  }
  return bytes;
}

auto BlobStore::runs_of(const Digest& digest, int descriptor, std::uint64_t size) const
    -> Result<std::shared_ptr<const std::vector<Digest>>> {
  {
    const std::lock_guard lock(state_->mutex);
    if (const auto kept = state_->runs.find(digest); kept != state_->runs.end())
      return kept->second;
  }
  if (size > blob_size_max) return damaged_blob(path_of(digest));
  auto nodes = std::make_shared<std::vector<Digest>>();
  Bytes bytes;
  for (std::uint64_t run = 0; run < blob_run_count(size); ++run) {
    const std::uint64_t at = run * blob_run_bytes;
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size - at, blob_run_bytes)));
    if (!read_all_at(descriptor, bytes, at)) return damaged_blob(path_of(digest));
    nodes->push_back(blob_run_node(bytes));
  }
  if (blob_name_of_runs(*nodes) != digest) return damaged_blob(path_of(digest));
  const std::lock_guard lock(state_->mutex);
  if (state_->runs.size() >= runs_kept_max) state_->runs.clear();
  state_->runs[digest] = nodes;
  return nodes;
}

auto BlobStore::run(const Digest& digest, std::uint64_t index) const -> Result<BlobRun> {
  const fs::path path = path_of(digest);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (!file.valid() || ::fstat(file.value(), &status) != 0 || !S_ISREG(status.st_mode))
    return missing_blob(path);
  BlobRun run{.blob_size = static_cast<std::uint64_t>(status.st_size), .bytes = {}, .path = {}};
  CONSILIUM_TRY(const auto nodes, runs_of(digest, file.value(), run.blob_size));
  if (index >= blob_run_count(run.blob_size)) {
    return fail("no_such_run", path.string(),
                "The blob has " + std::to_string(blob_run_count(run.blob_size)) +
                    " runs, counted from 0. Ask for one of them.");
  }
  const std::uint64_t at = index * blob_run_bytes;
  run.bytes.resize(
      static_cast<std::size_t>(std::min<std::uint64_t>(run.blob_size - at, blob_run_bytes)));
  // The file may have changed since its runs were hashed.
  if (nodes->size() != blob_run_count(run.blob_size) || !read_all_at(file.value(), run.bytes, at) ||
      blob_run_node(run.bytes) != nodes->at(index)) {
    return damaged_blob(path);
  }
  run.path = blob_run_path(*nodes, static_cast<std::size_t>(index));
  return run;
}

auto BlobStore::hold(const Digest& digest) -> Result<void> {
  CONSILIUM_CHECK(run(digest, 0));
  if (is_durable(digest)) return {};
  // Its bytes were synced before it got its name.
  return sync_names(std::span(&digest, 1));
}

auto BlobStore::has(const Digest& digest) const -> bool {
  return size_of(digest).has_value();
}

auto BlobStore::size_of(const Digest& digest) const -> Result<std::uint64_t> {
  const fs::path path = path_of(digest);
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return missing_blob(path);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

auto BlobStore::list() const -> Result<std::vector<Digest>> {
  CONSILIUM_TRY(auto found, walk(state_->folder));
  return std::move(found.digests);
}

auto BlobStore::remove(const Digest& digest) -> Result<void> {
  const fs::path path = path_of(digest);
  {
    const std::lock_guard lock(state_->mutex);
    state_->durable.erase(digest);
    state_->runs.erase(digest);
  }
  for (auto begun = begun_size(digest); begun; begun = begun_size(digest)) {
    const fs::path part = part_path(digest, *begun);
    if (::unlink(part.c_str()) != 0 && errno != ENOENT) return unwritable(part, errno);
  }
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return unwritable(path, errno);
  }
  return sync_folder(path.parent_path());
}

auto BlobStore::verify_all() const -> Result<BlobCheck> {
  CONSILIUM_TRY(auto found, walk(state_->folder));
  BlobCheck check;
  check.foreign = std::move(found.foreign);
  for (const Digest& digest : found.digests) {
    const auto bytes = get(digest);
    if (!bytes) {
      check.damaged.push_back(path_of(digest));
      continue;
    }
    ++check.blobs;
    check.size_bytes += bytes->size();
  }
  return check;
}

}  // namespace consilium::courier
