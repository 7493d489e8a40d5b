#include "consilium/foundation/files.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace consilium {
namespace {

namespace fs = std::filesystem;

class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  auto operator=(const OpenFile&) -> OpenFile& = delete;
  [[nodiscard]] auto descriptor() const -> int { return descriptor_; }
  [[nodiscard]] auto is_open() const -> bool { return descriptor_ >= 0; }
  /// Closing may report what an earlier write could not.
  [[nodiscard]] auto close() -> int { return ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

auto unwritable(const fs::path& path, int reason) -> tl::unexpected<Error> {
  if (reason == ENOSPC || reason == EDQUOT) {
    return fail("disk_full", path.string(), "there is no space left: make room and try again");
  }
  return fail("file_unwritable", path.string(),
              "it cannot be written: check the folder and its owner");
}

auto folder_of(const fs::path& path) -> fs::path {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Makes a folder and those above it, each one durable in its parent.
auto make_folders(const fs::path& folder) -> Result<void> {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  const fs::path parent = folder_of(folder);
  if (parent != folder) CONSILIUM_CHECK(make_folders(parent));
  fs::create_directory(folder, error);
  if (error) return unwritable(folder, error.value());
  return sync_folder(parent);
}

/// A name beside the target that no other writer of it uses, in this process or another.
auto name_beside(const fs::path& path) -> fs::path {
  static std::atomic<std::uint64_t> next{0};
  fs::path beside = path;
  beside += "." + std::to_string(::getpid()) + "-" + std::to_string(next++) + ".part";
  return beside;
}

/// Zero, or the reason (errno) why the bytes are not safely in the new file.
auto write_new_file(const fs::path& path, BytesView bytes, Readers readers) -> int {
  // A file of before with this name is a dead process's: its permissions must not be ours.
  ::unlink(path.c_str());
  const mode_t permissions = readers == Readers::owner ? 0600 : 0666;
  OpenFile file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions));
  if (!file.is_open()) return errno;
  while (!bytes.empty()) {
    const ssize_t put = ::write(file.descriptor(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  if (::fsync(file.descriptor()) != 0) return errno;
  return file.close() == 0 ? 0 : errno;
}

}  // namespace

auto sync_folder(const fs::path& folder) -> Result<void> {
  const OpenFile file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.descriptor()) != 0) return unwritable(folder, errno);
  return {};
}

auto read_file(const fs::path& path, std::size_t size_max) -> Result<Bytes> {
  // O_NONBLOCK: opening a pipe by mistake must not wait for a writer.
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail("file_missing", path.string(), "there is no such file: check the path");
    }
    return fail("file_unreadable", path.string(), "it cannot be read: check its owner");
  }
  struct stat info{};
  if (::fstat(file.descriptor(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return fail("file_unreadable", path.string(), "it is not a plain file: name a file");
  }
  if (static_cast<std::uint64_t>(info.st_size) > size_max) {
    return fail("file_too_large", path.string(),
                "it is larger than the " + std::to_string(size_max) +
                    " bytes that are read here: check that it is the right file");
  }
  Bytes out(static_cast<std::size_t>(info.st_size));
  std::size_t at = 0;
  while (at < out.size()) {
    const ssize_t got = ::read(file.descriptor(), out.data() + at, out.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return fail("file_unreadable", path.string(),
                  "it ended or failed while it was read: check the disk and try again");
    }
    at += static_cast<std::size_t>(got);
  }
  return out;
}

auto overwrite_file(const fs::path& path) -> Result<void> {
  OpenFile file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail("file_missing", path.string(), "there is no such file: check the path");
    }
    return unwritable(path, errno);
  }
  struct stat info{};
  if (::fstat(file.descriptor(), &info) != 0) return unwritable(path, errno);
  if (!S_ISREG(info.st_mode)) return unwritable(path, EINVAL);
  const Bytes zeros(4096);
  for (off_t at = 0; at < info.st_size;) {
    const auto size =
        std::min<std::size_t>(zeros.size(), static_cast<std::size_t>(info.st_size - at));
    const ssize_t put = ::pwrite(file.descriptor(), zeros.data(), size, at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return unwritable(path, errno);
    at += put;
  }
  if (::fsync(file.descriptor()) != 0) return unwritable(path, errno);
  return {};
}

auto erase_file(const fs::path& path) -> Result<void> {
  if (auto gone = overwrite_file(path); !gone) {
    if (gone.error().code == "file_missing") return {};
    return gone;
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return unwritable(path, errno);
  return sync_folder(folder_of(path));
}

auto read_text_file(const fs::path& path, std::size_t size_max) -> Result<std::string> {
  CONSILIUM_TRY(const Bytes bytes, read_file(path, size_max));
  return as_text(bytes);
}

auto write_file_durably(const fs::path& path, BytesView bytes, Readers readers) -> Result<void> {
  const fs::path folder = folder_of(path);
  CONSILIUM_CHECK(make_folders(folder));
  const fs::path beside = name_beside(path);
  int reason = write_new_file(beside, bytes, readers);
  if (reason == 0 && ::rename(beside.c_str(), path.c_str()) != 0) reason = errno;
  if (reason != 0) {
    ::unlink(beside.c_str());
    return unwritable(path, reason);
  }
  return sync_folder(folder);
}

}  // namespace consilium
