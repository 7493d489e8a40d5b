#pragma once
// The ledger on disk, and the driver `solo` that delivers transactions to it.

#include <filesystem>

#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger {

struct StoreSettings {
  /// A snapshot is kept with every block whose height is a multiple of this: opening re-plays fewer
  /// blocks than that. At least 1.
  std::uint64_t snapshot_every = 1000;
  /// An archive keeps every block, whatever the policy lets others drop.
  bool is_archive = false;
};
/// The state after a block, and what it must be.
struct StateSnapshot {
  Height height;
  Digest state_digest;
  Bytes bytes;  ///< Ledger::snapshot()
};
/// What is re-played of a file that is opened: the blocks after its newest snapshot, or all that it
/// has.
enum class Replay : std::uint8_t { from_newest_snapshot, everything };

/// A node's `ledger.db`: genesis, blocks and the state digest after each, durable before
/// acknowledged, and every so often the state itself, in one transaction with its block. Opening
/// begins with the newest snapshot, re-plays the blocks after it and compares every digest: 10^5
/// small blocks stand there in less than a second.
class LedgerStore {
 public:
  /// Does the file hold a ledger? False when there is no file, or one that was cut off while it was
  /// made. Errors: `database_damaged`, `database_foreign`.
  [[nodiscard]] static auto holds_ledger(const std::filesystem::path& file) -> Result<bool>;
  /// Makes a new file with this genesis, also where one was cut off while it was made. Error:
  /// `file_exists`.
  [[nodiscard]] static auto create(const std::filesystem::path& file, const Genesis& genesis,
                                   StoreSettings settings = {}) -> Result<LedgerStore>;
  /// Errors: `file_missing`, `database_damaged` (file's seal, a row's digest, or a re-played state
  /// digest differs – names file and height), `database_foreign`.
  [[nodiscard]] static auto open(const std::filesystem::path& file, StoreSettings settings = {})
      -> Result<LedgerStore>;
  /// The same without the right to write, for `ledger show` and `ledger verify`.
  [[nodiscard]] static auto open_read_only(const std::filesystem::path& file,
                                           Replay replay = Replay::from_newest_snapshot)
      -> Result<LedgerStore>;
  LedgerStore(LedgerStore&&) noexcept;
  auto operator=(LedgerStore&&) noexcept -> LedgerStore&;
  ~LedgerStore();
  [[nodiscard]] auto close() -> Result<void>;

  [[nodiscard]] auto ledger() const -> const Ledger&;
  /// Applies and keeps a block made elsewhere. Errors: those of apply_block, and `disk_full` or
  /// `database_failed` (the ledger is then as it was before).
  [[nodiscard]] auto append(const Block& block) -> Result<void>;

  // --- for a driver that builds the blocks here
  /// Judges a transaction inside the block that is being built; nothing is durable before `keep`.
  /// Errors: its verdict, `queue_full` (10 000 transactions or 4 MiB).
  [[nodiscard]] auto build(const Transaction& transaction) -> Verdict;
  /// Ends the block that is being built. It is kept, or taken back, before the next one begins.
  [[nodiscard]] auto end_block() -> Block;
  /// Makes the block that `end_block` gave durable, and a record of the driver's own with it, all
  /// or nothing; without a block the record alone. When it cannot, the block is taken back. Errors:
  /// `disk_full`, `database_failed`.
  [[nodiscard]] auto keep(const Block* block, std::optional<BytesView> driver_record)
      -> Result<void>;
  /// Takes back what was built and not kept, ended or not.
  void drop_block();
  /// What `keep` wrote last; nothing before.
  [[nodiscard]] auto driver_record() const -> Result<std::optional<Bytes>>;
  /// The newest snapshot that is kept, and the driver's record that was kept with it.
  struct Kept {
    StateSnapshot snapshot;
    std::optional<Bytes> driver_record;
  };
  [[nodiscard]] auto newest_snapshot() const -> Result<std::optional<Kept>>;
  /// Begins anew from a snapshot of a later height, whose state digest is known to be the
  /// consortium's; the blocks before it are not kept any more. All or nothing. Errors:
  /// `wrong_height` (not later), those of Ledger::restore, `disk_full`, `database_failed`.
  [[nodiscard]] auto adopt(const StateSnapshot& snapshot, std::optional<BytesView> driver_record)
      -> Result<void>;
  /// Of the oldest block that is kept; one above the present height when none is.
  [[nodiscard]] auto first_height() const -> Result<Height>;
  /// Errors: `unknown_height`, `pruned` (it was dropped, as the policy allows), `database_damaged`.
  [[nodiscard]] auto block_at(Height height) const -> Result<Block>;
  [[nodiscard]] auto state_digest_at(Height height) const -> Result<Digest>;

 private:
  struct Parts;
  explicit LedgerStore(std::unique_ptr<Parts> parts);
  [[nodiscard]] auto row_at(Height height) const -> Result<std::pair<Block, Digest>>;
  std::unique_ptr<Parts> parts_;
};

/// What a hospital asks of whatever orders transactions; it never asks which driver it has.
class Driver {
 public:
  virtual ~Driver() = default;
  /// Takes a transaction for the next block. Errors: the verdict of `check`, `queue_full`.
  [[nodiscard]] virtual auto submit(const Transaction& transaction) -> Verdict = 0;
  /// Blocks after `height`, oldest first, at most `count_max`. Error: `pruned` (the next one was
  /// dropped, as the policy allows: begin anew from newest_snapshot).
  [[nodiscard]] virtual auto blocks_after(Height height, std::size_t count_max)
      -> Result<std::vector<Block>> = 0;
  /// For who begins, or is older than the blocks that are kept. Nothing: none was made yet. The
  /// driver's word is all there is for its state digest.
  [[nodiscard]] virtual auto newest_snapshot() -> Result<std::optional<StateSnapshot>> = 0;
};

/// Driver `solo`: one sequencer with its own ledger.db, in process. It orders; it cannot open
/// anything.
///
/// A transaction is judged and applied the moment it is submitted, so that a sender may submit
/// several for one block; `store().ledger()` shows them at once, while height, digest and
/// `blocks_after` move with make_block.
class SoloSequencer final : public Driver {
 public:
  explicit SoloSequencer(LedgerStore store);
  [[nodiscard]] auto submit(const Transaction& transaction) -> Verdict override;
  [[nodiscard]] auto blocks_after(Height height, std::size_t count_max)
      -> Result<std::vector<Block>> override;
  [[nodiscard]] auto newest_snapshot() -> Result<std::optional<StateSnapshot>> override;
  /// Packs what is waiting (at most 10 000 transactions or 4 MiB: `queue_full` above) into a block
  /// and makes it durable; without waiting transactions only when `even_empty`. Gives true when a
  /// block was made. When it cannot be made durable (`disk_full`), the waiting transactions are
  /// dropped: submit them again.
  [[nodiscard]] auto make_block(bool even_empty) -> Result<bool>;
  [[nodiscard]] auto store() const -> const LedgerStore&;
  [[nodiscard]] auto close() -> Result<void>;

 private:
  LedgerStore store_;
};

struct VerifyReport {
  /// Re-played: all, or those after the oldest snapshot where the blocks before it were pruned.
  std::uint64_t blocks = 0, transactions = 0;
  Digest state_digest;
  Height height;
  std::uint64_t credits =
      0;  ///< recomputed from every accepted round by a second, separate computation
  std::uint64_t credits_withheld = 0;  ///< of these, from members that signed two blocks at once
  std::map<std::string, std::uint64_t> credits_by_member;  ///< paid
};
/// Re-plays everything of one node's ledger.db and recomputes every credit and digest.
/// Errors: `database_damaged`, `credits_differ`, `privacy_differs` (a round's or hospital's ρ is
/// not what the openings give, or passed the budget of its time), `audit_differs`.
[[nodiscard]] auto verify_ledger(const std::filesystem::path& file) -> Result<VerifyReport>;

}  // namespace consilium::ledger
