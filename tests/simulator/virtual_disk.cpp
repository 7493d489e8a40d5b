#include "virtual_disk.hpp"

#include <algorithm>
#include <cstring>

#include <sqlite3.h>

#include "consilium/foundation/result.hpp"

namespace consilium::simulator {
namespace {

/// A tear falls between two of these.
constexpr std::size_t sector_bytes = 512;

auto disks() -> std::map<std::string, VirtualDisk*>& {
  static std::map<std::string, VirtualDisk*> all;
  return all;
}

auto disk_of(const char* path) -> VirtualDisk* {
  if (path == nullptr || disks().empty()) return nullptr;
  const auto found = disks().find(std::filesystem::path(path).parent_path().string());
  return found == disks().end() ? nullptr : found->second;
}

void make_change(Bytes& bytes, const VirtualDisk::Change& change) {
  if (!change.bytes) {
    bytes.resize(change.offset);
    return;
  }
  const std::size_t end = change.offset + change.bytes->size();
  if (bytes.size() < end) bytes.resize(end);
  std::copy(change.bytes->begin(), change.bytes->end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

/// SQLite's handle of an open file of ours.
struct Handle {
  sqlite3_file base;
  VirtualDisk* disk;
  VirtualDisk::File* file;
};
auto handle_of(sqlite3_file* file) -> Handle& {
  return *reinterpret_cast<Handle*>(file);
}

auto close_file(sqlite3_file*) -> int {
  return SQLITE_OK;
}
auto read_file(sqlite3_file* from, void* out, int count, sqlite3_int64 offset) -> int {
  Handle& handle = handle_of(from);
  if (!handle.disk->has_power()) return SQLITE_IOERR_READ;
  const Bytes& bytes = handle.file->now;
  const auto wanted = static_cast<std::size_t>(count);
  const auto start = static_cast<std::size_t>(offset);
  const std::size_t got = start >= bytes.size() ? 0 : std::min(wanted, bytes.size() - start);
  if (got > 0) std::memcpy(out, bytes.data() + start, got);
  if (got == wanted) return SQLITE_OK;
  std::memset(static_cast<std::uint8_t*>(out) + got, 0, wanted - got);
  return SQLITE_IOERR_SHORT_READ;
}
auto write_file(sqlite3_file* to, const void* bytes, int count, sqlite3_int64 offset) -> int {
  Handle& handle = handle_of(to);
  return handle.disk->write(
      *handle.file, static_cast<std::uint64_t>(offset),
      BytesView(static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(count)));
}
auto truncate_file(sqlite3_file* file, sqlite3_int64 size) -> int {
  Handle& handle = handle_of(file);
  return handle.disk->truncate(*handle.file, static_cast<std::uint64_t>(size));
}
auto sync_file(sqlite3_file* file, int) -> int {
  Handle& handle = handle_of(file);
  return handle.disk->sync(*handle.file);
}
auto file_size(sqlite3_file* file, sqlite3_int64* out) -> int {
  Handle& handle = handle_of(file);
  if (!handle.disk->has_power()) return SQLITE_IOERR_FSTAT;
  *out = static_cast<sqlite3_int64>(handle.file->now.size());
  return SQLITE_OK;
}
// One node has one connection, so a lock is always free.
auto lock_file(sqlite3_file*, int) -> int {
  return SQLITE_OK;
}
auto check_lock(sqlite3_file*, int* out) -> int {
  *out = 0;
  return SQLITE_OK;
}
auto control_file(sqlite3_file*, int, void*) -> int {
  return SQLITE_NOTFOUND;
}
auto sector_size(sqlite3_file*) -> int {
  return static_cast<int>(sector_bytes);
}
auto characteristics(sqlite3_file*) -> int {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // what SQLite takes every disk for
}
auto map_shared(sqlite3_file* file, int region, int size, int extend, void volatile** out) -> int {
  auto& shared = handle_of(file).file->shared;
  const auto at = static_cast<std::size_t>(region);
  *out = nullptr;
  if (at >= shared.size()) {
    if (extend == 0) return SQLITE_OK;
    while (shared.size() <= at) shared.emplace_back(static_cast<std::size_t>(size), 0);
  }
  *out = shared[at].data();
  return SQLITE_OK;
}
auto lock_shared(sqlite3_file*, int, int, int) -> int {
  return SQLITE_OK;
}
void barrier(sqlite3_file*) {}
auto unmap_shared(sqlite3_file* file, int) -> int {
  handle_of(file).file->shared.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods methods{.iVersion = 2,
                                 .xClose = close_file,
                                 .xRead = read_file,
                                 .xWrite = write_file,
                                 .xTruncate = truncate_file,
                                 .xSync = sync_file,
                                 .xFileSize = file_size,
                                 .xLock = lock_file,
                                 .xUnlock = lock_file,
                                 .xCheckReservedLock = check_lock,
                                 .xFileControl = control_file,
                                 .xSectorSize = sector_size,
                                 .xDeviceCharacteristics = characteristics,
                                 .xShmMap = map_shared,
                                 .xShmLock = lock_shared,
                                 .xShmBarrier = barrier,
                                 .xShmUnmap = unmap_shared,
                                 .xFetch = nullptr,
                                 .xUnfetch = nullptr};

auto real() -> sqlite3_vfs* {
  static sqlite3_vfs* const first = sqlite3_vfs_find(nullptr);
  return first;
}
auto open_file(sqlite3_vfs*, sqlite3_filename path, sqlite3_file* out, int flags, int* out_flags)
    -> int {
  VirtualDisk* disk = disk_of(path);
  if (disk == nullptr) return real()->xOpen(real(), path, out, flags, out_flags);
  out->pMethods = nullptr;
  const std::string name = std::filesystem::path(path).filename();
  // foundation::Database made the main file, empty, on the real disk, and locks it there.
  const bool makes = (flags & (SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB)) != 0;
  if (!disk->has_power() || (!makes && !disk->exists(name))) return SQLITE_CANTOPEN;
  Handle& handle = handle_of(out);
  handle.disk = disk;
  handle.file = &disk->file(name);
  handle.base.pMethods = &methods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}
auto delete_file(sqlite3_vfs*, const char* path, int sync_folder) -> int {
  VirtualDisk* disk = disk_of(path);
  if (disk == nullptr) return real()->xDelete(real(), path, sync_folder);
  if (!disk->has_power()) return SQLITE_IOERR_DELETE;
  disk->remove(std::filesystem::path(path).filename());
  return SQLITE_OK;
}
auto look_up(sqlite3_vfs*, const char* path, int flags, int* out) -> int {
  VirtualDisk* disk = disk_of(path);
  if (disk == nullptr) return real()->xAccess(real(), path, flags, out);
  *out = disk->exists(std::filesystem::path(path).filename()) ? 1 : 0;
  return SQLITE_OK;
}

/// SQLite asks this one first from the first disk on, and it hands on what is not its own.
void put_before_the_real_one() {
  static sqlite3_vfs ours = [] {
    sqlite3_vfs out = *real();
    out.zName = "consilium-virtual";
    out.szOsFile = std::max(out.szOsFile, static_cast<int>(sizeof(Handle)));
    out.pNext = nullptr;
    out.xOpen = open_file;
    out.xDelete = delete_file;
    out.xAccess = look_up;
    return out;
  }();
  static const int registered = sqlite3_vfs_register(&ours, 1);
  CONSILIUM_ENSURE(registered == SQLITE_OK);
}

}  // namespace

VirtualDisk::VirtualDisk(std::filesystem::path folder, std::uint64_t seed)
    : folder_(std::move(folder)), chance_(seed, "disk") {
  put_before_the_real_one();
  CONSILIUM_ENSURE(disks().emplace(folder_.string(), this).second);
}

VirtualDisk::~VirtualDisk() {
  disks().erase(folder_.string());
}

auto VirtualDisk::image() const -> Image {
  Image out;
  for (const auto& [name, file] : files_) out[name] = file.now;
  return out;
}

void VirtualDisk::restore(const Image& image) {
  files_.clear();
  for (const auto& [name, bytes] : image) files_[name] = {bytes, bytes, {}, {}};
}

void VirtualDisk::power_off() {
  if (!power_) return;
  power_ = false;
  writes_left_.reset();
  for (auto& [name, file] : files_) {
    for (Change& change : file.unsynced) {
      const std::uint64_t fate = chance_.below(3);
      if (fate == 0) {
        ++writes_lost;
        continue;
      }
      if (fate == 1 && change.bytes && change.bytes->size() > 1) {
        // Its first sectors arrive, or its last.
        ++writes_torn;
        const std::size_t size = change.bytes->size();
        const std::size_t sectors = (size + sector_bytes - 1) / sector_bytes;
        const std::size_t at =
            sectors > 1 ? sector_bytes * (1 + chance_.below(sectors - 1)) : chance_.below(size);
        if (chance_.below(2) == 0) {
          change.bytes->resize(at);
        } else {
          change.bytes->erase(change.bytes->begin(),
                              change.bytes->begin() + static_cast<std::ptrdiff_t>(at));
          change.offset += at;
        }
      }
      make_change(file.synced, change);
    }
    file.unsynced.clear();
    file.now = file.synced;
  }
}

void VirtualDisk::power_on() {
  power_ = true;
  // Not earlier: the process that was cut off may still hold on to it.
  for (auto& [name, file] : files_) file.shared.clear();
}

auto VirtualDisk::file(const std::string& name) -> File& {
  return files_[name];
}

auto VirtualDisk::exists(const std::string& name) const -> bool {
  return files_.contains(name);
}

void VirtualDisk::remove(const std::string& name) {
  files_.erase(name);
}

auto VirtualDisk::write(File& file, std::uint64_t offset, BytesView bytes) -> int {
  if (!power_) return SQLITE_IOERR_WRITE;
  if (full && offset + bytes.size() > file.now.size()) return SQLITE_FULL;
  Change change{offset, Bytes(bytes.begin(), bytes.end())};
  make_change(file.now, change);
  file.unsynced.push_back(std::move(change));
  if (writes_left_ && (*writes_left_)-- == 0) {
    power_off();
    return SQLITE_IOERR_WRITE;
  }
  return SQLITE_OK;
}

auto VirtualDisk::truncate(File& file, std::uint64_t size) -> int {
  if (!power_) return SQLITE_IOERR_TRUNCATE;
  Change change{size, std::nullopt};
  make_change(file.now, change);
  file.unsynced.push_back(std::move(change));
  return SQLITE_OK;
}

auto VirtualDisk::sync(File& file) -> int {
  if (!power_) return SQLITE_IOERR_FSYNC;
  ++syncs;
  if (lying) return SQLITE_OK;
  for (const Change& change : file.unsynced) make_change(file.synced, change);
  file.unsynced.clear();
  return SQLITE_OK;
}

}  // namespace consilium::simulator
