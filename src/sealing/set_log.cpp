// The file: a line that names it, then records. A record is u32 length ‖ u32 ~length ‖ entry ‖
// checksum[32], and its checksum covers the one before it. The length is written twice so that a
// changed length is never mistaken for a record that a crash cut short: only the second may be
// dropped.

#include "consilium/sealing/set_log.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

namespace consilium::sealing {
namespace {

constexpr std::string_view title = "consilium set log 1\n";
constexpr std::size_t prefix_size = 8;
constexpr std::size_t checksum_size = 32;
constexpr std::size_t members_max = 65535;

auto log_lost(const std::filesystem::path& file) -> tl::unexpected<Error> {
  return fail("log_lost", file.string(),
              "The log of opened sets was cut or changed; this miner must stop and take a new "
              "identity.");
}

auto next_checksum(const Digest& before, BytesView entry) -> Digest {
  return tagged_hash("consilium/seal/1/set-log", {before.view(), entry});
}

auto encode_entry(const SetLogEntry& entry) -> Bytes {
  Writer writer;
  writer.digest(entry.stream)
      .u64(entry.round.value)
      .digest(entry.seed)
      .digest(entry.base)
      .u8(static_cast<std::uint8_t>(entry.purpose))
      .digest(entry.set)
      .digest(entry.partition)
      .list(entry.members, [](Writer& to, HospitalId member) { to.u16(member.value); })
      .u64(entry.height.value);
  return writer.take();
}

auto decode_entry(BytesView bytes) -> Result<SetLogEntry> {
  Reader reader(bytes, "set log");
  SetLogEntry entry;
  entry.stream = reader.digest();
  entry.round.value = reader.u64();
  entry.seed = reader.digest();
  entry.base = reader.digest();
  const auto purpose = purpose_from_id(reader.u8());
  if (purpose) {
    entry.purpose = *purpose;
  } else {
    reader.reject();
  }
  entry.set = reader.digest();
  entry.partition = reader.digest();
  entry.members = reader.list(members_max, [](Reader& from) { return HospitalId{from.u16()}; });
  entry.height.value = reader.u64();
  CONSILIUM_CHECK(reader.finish());
  return entry;
}

/// All updates on one base are one family; of every other purpose, all rounds of one stream (§8.3).
auto same_family(const SetLogEntry& a, const SetLogEntry& b) -> bool {
  const bool a_update = a.purpose == Purpose::update;
  const bool b_update = b.purpose == Purpose::update;
  if (a_update != b_update) return false;
  return a_update ? a.base == b.base : a.stream == b.stream;
}

class LogFile {
 public:
  explicit LogFile(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}
  ~LogFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  LogFile(const LogFile&) = delete;
  auto operator=(const LogFile&) -> LogFile& = delete;

  [[nodiscard]] auto is_mine() const -> bool {
    return descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  }
  [[nodiscard]] auto has_size(std::uint64_t size) const -> bool {
    struct stat info{};
    return ::fstat(descriptor_, &info) == 0 && static_cast<std::uint64_t>(info.st_size) == size;
  }
  /// Writes at `offset` and syncs; on failure the file ends at `offset` again.
  [[nodiscard]] auto append(std::uint64_t offset, BytesView bytes) const -> bool {
    std::size_t at = 0;
    while (at < bytes.size()) {
      const auto put = ::pwrite(descriptor_, bytes.data() + at, bytes.size() - at,
                                static_cast<off_t>(offset + at));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) break;
      at += static_cast<std::size_t>(put);
    }
    if (at == bytes.size() && ::fsync(descriptor_) == 0) return true;
    const int reason = errno;
    (void)cut(offset);
    errno = reason;
    return false;
  }
  [[nodiscard]] auto cut(std::uint64_t size) const -> bool {
    return ::ftruncate(descriptor_, static_cast<off_t>(size)) == 0 && ::fsync(descriptor_) == 0;
  }

 private:
  int descriptor_;
};

auto unwritable(const std::filesystem::path& file) -> tl::unexpected<Error> {
  if (errno == ENOSPC || errno == EDQUOT) {
    return fail("disk_full", file.string(), "There is no space left; make room and try again.");
  }
  return fail("file_unwritable", file.string(),
              "The log of opened sets cannot be written; nothing may be answered until it can.");
}

auto load_u32(BytesView in) -> std::uint32_t {
  std::uint32_t value = 0;
  for (std::size_t byte = 0; byte < 4; ++byte) value |= std::uint32_t{in[byte]} << (8 * byte);
  return value;
}

}  // namespace

auto SetLog::open(const std::filesystem::path& file, std::size_t expect_records) -> Result<SetLog> {
  SetLog log(file);
  log.chain_ = sha256(as_bytes(title));
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    if (error) return unwritable(file);
    if (expect_records != 0) return log_lost(file);
    CONSILIUM_CHECK(write_file_durably(file, as_bytes(title)));
    log.size_ = title.size();
    return log;
  }
  CONSILIUM_TRY(const Bytes bytes, read_file(file));
  if (bytes.size() < title.size() ||
      !std::equal(title.begin(), title.end(),
                  as_text(BytesView(bytes).first(title.size())).begin())) {
    return log_lost(file);
  }
  log.size_ = title.size();
  BytesView rest = BytesView(bytes).subspan(title.size());
  while (!rest.empty()) {
    // A crash leaves a record cut short, or, where the disk grew the file first, zeros: never
    // anything else.
    const bool zeros =
        std::all_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte == 0; });
    if (zeros || rest.size() < prefix_size) break;
    const std::uint32_t length = load_u32(rest);
    if (load_u32(rest.subspan(4)) != ~length) return log_lost(file);
    if (rest.size() < prefix_size + length + checksum_size) break;
    const BytesView entry_bytes = rest.subspan(prefix_size, length);
    const BytesView checksum = rest.subspan(prefix_size + length, checksum_size);
    const Digest expected = next_checksum(log.chain_, entry_bytes);
    if (!std::equal(checksum.begin(), checksum.end(), expected.bytes.begin())) {
      return log_lost(file);
    }
    auto entry = decode_entry(entry_bytes);
    if (!entry) return log_lost(file);
    log.entries_.push_back(std::move(*entry));
    log.chain_ = expected;
    log.size_ += prefix_size + length + checksum_size;
    rest = rest.subspan(prefix_size + length + checksum_size);
  }
  if (log.entries_.size() < expect_records) return log_lost(file);
  if (!rest.empty()) {
    const LogFile handle(file);
    if (!handle.is_mine() || !handle.cut(log.size_)) return unwritable(file);
  }
  return log;
}

auto SetLog::record(const SetLogEntry& entry) -> Result<void> {
  const std::string place = "round " + std::to_string(entry.round.value);
  for (const SetLogEntry& known : entries_) {
    if (known.stream != entry.stream || known.round != entry.round) continue;
    if (known.seed != entry.seed || known.set != entry.set) {
      return fail("second_set", place,
                  "This miner has answered for another set of this round; it refuses, and the two "
                  "freezes are evidence against the sequencer.");
    }
  }
  for (const SetLogEntry& known : entries_) {
    if (same_family(known, entry) && known.partition != entry.partition) {
      return fail("set_forbidden", place,
                  "Sets of this base or statistic are cut along another partition; wait for the "
                  "next base.");
    }
  }
  for (const SetLogEntry& known : entries_) {
    if (known.stream == entry.stream && known.round == entry.round) return {};
  }

  const Bytes encoded = encode_entry(entry);
  const Digest checksum = next_checksum(chain_, encoded);
  const auto length = static_cast<std::uint32_t>(encoded.size());
  Writer record;
  record.u32(length).u32(~length).fixed(encoded).digest(checksum);
  const LogFile handle(file_);
  if (!handle.is_mine()) return unwritable(file_);
  if (!handle.has_size(size_)) return log_lost(file_);
  if (!handle.append(size_, record.view())) return unwritable(file_);
  entries_.push_back(entry);
  chain_ = checksum;
  size_ += record.view().size();
  return {};
}

auto SetLog::find(const Digest& stream, RoundId round) const -> std::optional<SetLogEntry> {
  for (const SetLogEntry& entry : entries_) {
    if (entry.stream == stream && entry.round == round) return entry;
  }
  return std::nullopt;
}

auto SetLog::first_of_family(const SetLogEntry& like) const -> std::optional<SetLogEntry> {
  for (const SetLogEntry& entry : entries_) {
    if (same_family(entry, like)) return entry;
  }
  return std::nullopt;
}

}  // namespace consilium::sealing
