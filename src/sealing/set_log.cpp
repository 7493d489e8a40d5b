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
/// The kind stands above the purpose in one byte, so that a log of sets alone has the bytes it
/// always had. A program that does not know a kind finds the log lost, and stops.
constexpr std::uint8_t purpose_mask = 0x0f;
constexpr int kind_shift = 4;

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
      .u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(entry.purpose) |
                                    static_cast<std::uint8_t>(entry.kind) << kind_shift))
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
  const std::uint8_t both = reader.u8();
  const auto purpose = purpose_from_id(both & purpose_mask);
  const auto kind = static_cast<std::uint8_t>(both >> kind_shift);
  if (purpose && kind <= static_cast<std::uint8_t>(SetLogKind::published)) {
    entry.purpose = *purpose;
    entry.kind = static_cast<SetLogKind>(kind);
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

auto same_round(const SetLogEntry& a, const SetLogEntry& b) -> bool {
  return a.stream == b.stream && a.round == b.round;
}

auto is_answered(SetLogKind kind) -> bool {
  return kind != SetLogKind::strike && kind != SetLogKind::published;
}

auto place_of(const SetLogEntry& entry) -> std::string {
  return "round " + std::to_string(entry.round.value);
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
  if (log.size() < expect_records) return log_lost(file);
  if (!rest.empty()) {
    const LogFile handle(file);
    if (!handle.is_mine() || !handle.cut(log.size_)) return unwritable(file);
  }
  return log;
}

auto SetLog::size() const -> std::size_t {
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& known) { return is_answered(known.kind); }));
}

auto SetLog::holds(const SetLogEntry& like, SetLogKind kind) const -> bool {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& known) {
    return known.kind == kind && same_round(known, like);
  });
}

auto SetLog::standing(const SetLogEntry& like) const -> std::vector<const SetLogEntry*> {
  std::vector<const SetLogEntry*> out;
  for (const SetLogEntry& known : entries_) {
    const bool counts = known.kind == SetLogKind::set && same_family(known, like) &&
                        !holds(known, SetLogKind::strike);
    if (counts) out.push_back(&known);
  }
  return out;
}

auto SetLog::judge_set(const SetLogEntry& entry) const -> Result<void> {
  // A round is found by stream and number, not by seed: a fork shows another seed for the same one.
  if (holds(entry, SetLogKind::stand_down) || holds(entry, SetLogKind::strike)) {
    return fail("stood_down", place_of(entry),
                "This node has said that it never publishes for this round, or knows that enough "
                "others have; a ledger that asks again is forked.");
  }
  for (const SetLogEntry& known : entries_) {
    if (known.kind != SetLogKind::set || !same_round(known, entry)) continue;
    if (known.seed != entry.seed || known.set != entry.set) {
      return fail("second_set", place_of(entry),
                  "This miner has answered for another set of this round; it refuses, and the two "
                  "freezes are evidence against the sequencer.");
    }
  }
  return {};
}

auto SetLog::judge_kind(const SetLogEntry& entry) const -> Result<void> {
  switch (entry.kind) {
    case SetLogKind::set:
      return judge_set(entry);
    case SetLogKind::strike:
      return {};
    case SetLogKind::stand_down:
      if (!holds(entry, SetLogKind::published)) return {};
      return fail(
          "conflicting_message", place_of(entry),
          "This node has published for the round, so it cannot promise that it never will.");
    case SetLogKind::published: {
      CONSILIUM_CHECK(judge_set(entry));
      if (holds(entry, SetLogKind::set)) return {};
      return fail("second_set", place_of(entry),
                  "No set of this round is logged; nothing may be published for it.");
    }
    case SetLogKind::witness_audit:
    case SetLogKind::data_audit:
      break;
  }
  const auto refuse = [&](std::string_view why) {
    return fail("audit_refused", place_of(entry), why);
  };
  const auto logged = find(entry.stream, entry.round);
  if (!logged || logged->seed != entry.seed || logged->set != entry.set)
    return refuse("This miner has not helped to open this set; it answers for no other.");
  if (entry.kind == SetLogKind::data_audit && entry.purpose != Purpose::update)
    return refuse(
        "Coefficients of data are shown of updates only: of a statistic they say too much.");
  for (const SetLogEntry& known : entries_) {
    const bool audit =
        known.kind == SetLogKind::witness_audit || known.kind == SetLogKind::data_audit;
    if (audit && same_round(known, entry) && known.partition != entry.partition)
      return refuse("This round was audited at other positions; it is audited once.");
  }
  return {};
}

auto SetLog::record(const SetLogEntry& entry) -> Result<void> {
  CONSILIUM_CHECK(judge_kind(entry));
  if (entry.kind == SetLogKind::set) {
    for (const SetLogEntry* known : standing(entry)) {
      if (known->partition != entry.partition) {
        return fail("set_forbidden", place_of(entry),
                    "Sets of this base or statistic are cut along another partition; wait for the "
                    "next base.");
      }
    }
  }
  return append(entry);
}

auto SetLog::record_remainder(const SetLogEntry& entry, const NeverSent& never_sent)
    -> Result<void> {
  CONSILIUM_ENSURE(entry.kind == SetLogKind::set);
  CONSILIUM_CHECK(judge_set(entry));
  for (const SetLogEntry* known : standing(entry)) {
    if (known->partition == entry.partition) continue;
    std::size_t kept = 0;
    bool harmless = true;
    for (const HospitalId member : known->members) {
      const bool stays =
          std::find(entry.members.begin(), entry.members.end(), member) != entry.members.end();
      kept += stays ? 1 : 0;
      harmless = harmless && (stays || never_sent(known->round, known->set, member));
    }
    if (!harmless || kept != entry.members.size()) {
      return fail("set_forbidden", place_of(entry),
                  "Against a set this hospital has sent its key for, somebody is missing who has "
                  "not signed that it never sent, or somebody is new; wait for the next base.");
    }
  }
  return append(entry);
}

auto SetLog::append(const SetLogEntry& entry) -> Result<void> {
  if (holds(entry, entry.kind)) return {};
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
  for (const SetLogEntry& known : entries_) {
    const bool wanted =
        known.kind == SetLogKind::set && known.stream == stream && known.round == round;
    if (wanted && !holds(known, SetLogKind::strike)) return known;
  }
  return std::nullopt;
}

auto SetLog::has_stood_down(const Digest& stream, RoundId round) const -> bool {
  SetLogEntry like;
  like.stream = stream;
  like.round = round;
  return holds(like, SetLogKind::stand_down) || holds(like, SetLogKind::strike);
}

auto SetLog::has_published(const Digest& stream, RoundId round) const -> bool {
  SetLogEntry like;
  like.stream = stream;
  like.round = round;
  return holds(like, SetLogKind::published);
}

auto SetLog::first_of_family(const SetLogEntry& like) const -> std::optional<SetLogEntry> {
  const auto sets = standing(like);
  if (sets.empty()) return std::nullopt;
  // A struck set that was cut along the same partition may be the one whose seed gives it. In
  // delivery C the last standing set is cut along what binds now.
  for (const SetLogEntry& known : entries_) {
    const bool gives = known.kind == SetLogKind::set && same_family(known, like) &&
                       known.partition == sets.back()->partition;
    if (gives) return known;
  }
  return std::nullopt;
}

}  // namespace consilium::sealing
