#pragma once
// A node's memory of what it answered for sets that may be opened: append-only, checksummed, synced
// before it answers (§8.2). Miners keep one; in delivery C every hospital does, from the moment it
// sends (§6.3).

#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::sealing {

/// What a record says. Everything but `strike` and `published` is logged before something is said
/// on the ledger, and is counted against it.
enum class SetLogKind : std::uint8_t {
  set = 0,            ///< this node helps to open `set`
  stand_down = 1,     ///< it never publishes for this round, whatever the set and seed
  strike = 2,         ///< the round's set can never be opened: too many have stood down for good
  witness_audit = 3,  ///< step 1 of §9.4 is answered, for the positions whose digest is `partition`
  data_audit = 4,     ///< step 2
  published = 5       ///< its share sum or masked key has left: no standing down any more
};

struct SetLogEntry {
  Digest stream;
  RoundId round;
  Digest seed;
  Digest base;
  Purpose purpose = Purpose::update;
  Digest set;                       ///< H(U)
  Digest partition;                 ///< H(Π); of an audit the digest of its positions
  std::vector<HospitalId> members;  ///< U
  Height height;
  SetLogKind kind = SetLogKind::set;
  auto operator==(const SetLogEntry&) const -> bool = default;
};

/// Who has signed that it never sent for the set of a round (delivery C), as the caller's ledger
/// has it.
using NeverSent = std::function<bool(RoundId round, const Digest& set, HospitalId member)>;

class SetLog {
 public:
  /// Opens or makes the log. A log that was cut or changed: `log_lost` (this miner must take a new
  /// identity); a torn last record from a crash is dropped, since nothing was answered on it.
  /// `expect_records` is what the ledger says this node has answered (sets, stand-downs, audits):
  /// fewer in the file → `log_lost`. (More is fine: the crash may have come between the record and
  /// the answer.)
  [[nodiscard]] static auto open(const std::filesystem::path& file, std::size_t expect_records)
      -> Result<SetLog>;
  /// Durable when it returns. The same entry again is fine. Errors, by kind:
  ///   set: `second_set` (another seed or set for this stream and round), `stood_down` (this node
  ///     refuses the round for good), `set_forbidden` (another partition in this family; that the
  ///     set is a union of its cells is the caller's check);
  ///   published: `second_set` (not the set that is logged), `stood_down`;
  ///   stand_down: `conflicting_message` (it has published: the promise would be a lie);
  ///   witness_audit, data_audit: `audit_refused` (not for the logged set, a second one with other
  ///     positions, or data of something else than an update);
  ///   any: `disk_full`, `file_unwritable` (nothing is remembered then, and nothing may be
  ///     answered), `log_lost` (the file is not as this object left it: somebody else writes it).
  /// A strike needs M−t+f+1 signed stand-downs, or a final abort of a ledger with quorum finality:
  /// the caller's check.
  [[nodiscard]] auto record(const SetLogEntry& entry) -> Result<void>;
  /// Delivery C: the same, and allowed also for a set outside the cells of a logged one, if it is
  /// what is left of that one without members that all signed that they never sent for it (§6.3).
  /// Errors: as for a set.
  [[nodiscard]] auto record_remainder(const SetLogEntry& entry, const NeverSent& never_sent)
      -> Result<void>;
  /// The set logged for the round, unless it was struck out.
  [[nodiscard]] auto find(const Digest& stream, RoundId round) const -> std::optional<SetLogEntry>;
  /// Does this node refuse the round for good?
  [[nodiscard]] auto has_stood_down(const Digest& stream, RoundId round) const -> bool;
  [[nodiscard]] auto has_published(const Digest& stream, RoundId round) const -> bool;
  /// The oldest set of the family that `like` belongs to (base for updates, stream otherwise) whose
  /// partition still binds: its seed and members give the family's partition. Nothing when every
  /// set of the family was struck out.
  [[nodiscard]] auto first_of_family(const SetLogEntry& like) const -> std::optional<SetLogEntry>;
  /// Records that were answered on: what `expect_records` counts.
  [[nodiscard]] auto size() const -> std::size_t;

 private:
  explicit SetLog(std::filesystem::path file) : file_(std::move(file)) {}
  [[nodiscard]] auto holds(const SetLogEntry& like, SetLogKind kind) const -> bool;
  /// Sets of the family that are not struck out, oldest first.
  [[nodiscard]] auto standing(const SetLogEntry& like) const -> std::vector<const SetLogEntry*>;
  [[nodiscard]] auto judge_set(const SetLogEntry& entry) const -> Result<void>;
  [[nodiscard]] auto judge_kind(const SetLogEntry& entry) const -> Result<void>;
  [[nodiscard]] auto append(const SetLogEntry& entry) -> Result<void>;
  std::filesystem::path file_;
  std::vector<SetLogEntry> entries_;
  Digest chain_;            ///< checksum of the last record, over all before it
  std::uint64_t size_ = 0;  ///< of the file, in bytes
};

}  // namespace consilium::sealing
