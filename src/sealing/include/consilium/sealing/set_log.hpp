#pragma once
// A miner's memory of the sets it helped to open: append-only, checksummed, synced before it
// answers (§8.2).

#include <filesystem>
#include <map>
#include <optional>

#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::sealing {

struct SetLogEntry {
  Digest stream;
  RoundId round;
  Digest seed;
  Digest base;
  Purpose purpose = Purpose::update;
  Digest set;                       ///< H(U)
  Digest partition;                 ///< H(Π)
  std::vector<HospitalId> members;  ///< U
  Height height;
  auto operator==(const SetLogEntry&) const -> bool = default;
};

class SetLog {
 public:
  /// Opens or makes the log. A log that was cut or changed: `log_lost` (this miner must take a new
  /// identity); a torn last record from a crash is dropped, since nothing was answered on it.
  /// `expect_records` is what the ledger says this miner has answered: fewer in the file →
  /// `log_lost`. (More is fine: the crash may have come between the record and the answer.)
  [[nodiscard]] static auto open(const std::filesystem::path& file, std::size_t expect_records)
      -> Result<SetLog>;
  /// Durable when it returns. The same entry again is fine. Errors: `second_set` (another seed or
  /// set for this stream and round), `set_forbidden` (another partition in this family; that the
  /// set is a union of its cells is the caller's check), `disk_full`, `file_unwritable` (nothing is
  /// remembered then, and nothing may be answered), `log_lost` (the file is not as this object left
  /// it: somebody else writes it).
  [[nodiscard]] auto record(const SetLogEntry& entry) -> Result<void>;
  [[nodiscard]] auto find(const Digest& stream, RoundId round) const -> std::optional<SetLogEntry>;
  /// The oldest entry of the family that `like` belongs to (base for updates, stream otherwise):
  /// its seed and members give the family's partition.
  [[nodiscard]] auto first_of_family(const SetLogEntry& like) const -> std::optional<SetLogEntry>;
  [[nodiscard]] auto size() const -> std::size_t { return entries_.size(); }

 private:
  explicit SetLog(std::filesystem::path file) : file_(std::move(file)) {}
  std::filesystem::path file_;
  std::vector<SetLogEntry> entries_;
  Digest chain_;            ///< checksum of the last record, over all before it
  std::uint64_t size_ = 0;  ///< of the file, in bytes
};

}  // namespace consilium::sealing
