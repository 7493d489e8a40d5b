#include "consilium/ledger/store.hpp"

#include <algorithm>

#include "consilium/foundation/database.hpp"
#include "consilium/foundation/hash.hpp"

#include "codec.hpp"

namespace consilium::ledger {
namespace {

constexpr std::string_view file_kind = "consilium.ledger";
constexpr std::int64_t file_version = 1;
constexpr std::size_t block_transactions_max = 10'000;
constexpr std::size_t block_bytes_max = 4U << 20U;
/// The newest, and one that is old enough for a peer that began with it before the newest was made.
constexpr std::int64_t snapshots_kept = 2;

auto damaged(const std::filesystem::path& file, std::string_view where, std::string_view sentence)
    -> tl::unexpected<Error> {
  return fail("database_damaged", file.string() + ", " + std::string(where), sentence);
}

auto height_text(std::uint64_t height) -> std::string {
  return "height " + std::to_string(height);
}

auto to_column(std::uint64_t value) -> std::int64_t {
  return static_cast<std::int64_t>(value);
}

/// A digest column; anything but 32 bytes is damage.
auto read_digest(const Statement& row, int column) -> std::optional<Digest> {
  const Bytes bytes = row.blob(column);
  Digest digest;
  if (bytes.size() != digest.bytes.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

struct Row {
  Block block;
  Digest state;
};

/// Columns height, block, block_digest, state_digest.
auto read_row(const std::filesystem::path& file, const Statement& row) -> Result<Row> {
  const std::string where = height_text(static_cast<std::uint64_t>(row.integer(0)));
  const Bytes bytes = row.blob(1);
  const auto digest = read_digest(row, 2);
  const auto state = read_digest(row, 3);
  if (!digest || !state || sha256(bytes) != *digest)
    return damaged(file, where, "A block is not the one that was kept: restore the file.");
  auto block = Block::decode(bytes);
  if (!block || block->height.value != static_cast<std::uint64_t>(row.integer(0)))
    return damaged(file, where, "A block cannot be read: restore the file.");
  return Row{std::move(*block), *state};
}

auto read_genesis(const std::filesystem::path& file, Database& database) -> Result<Genesis> {
  CONSILIUM_TRY(Statement query, database.prepare("SELECT genesis, digest FROM genesis"));
  CONSILIUM_TRY(const bool found, query.step());
  if (!found) return damaged(file, "genesis", "The first page is missing: restore the file.");
  const Bytes bytes = query.blob(0);
  const auto digest = read_digest(query, 1);
  if (!digest || sha256(bytes) != *digest)
    return damaged(file, "genesis", "The first page was changed: restore the file.");
  auto genesis = Genesis::decode(bytes);
  if (!genesis) return damaged(file, "genesis", "The first page cannot be read: restore the file.");
  return std::move(*genesis);
}

auto has_table(Database& database, std::string_view name) -> Result<bool> {
  CONSILIUM_TRY(Statement tables,
                database.prepare("SELECT count(*) FROM sqlite_master WHERE name = ?"));
  tables.bind(0, name);
  CONSILIUM_TRY(const bool row, tables.step());
  CONSILIUM_ENSURE(row);
  return tables.integer(0) == 1;
}

struct SnapshotRow {
  StateSnapshot snapshot;
  std::optional<Bytes> record;
};

/// The newest snapshot, or the oldest; nothing when none was made yet.
auto read_snapshot(const std::filesystem::path& file, Database& database, bool newest)
    -> Result<std::optional<SnapshotRow>> {
  CONSILIUM_TRY(const bool made, has_table(database, "snapshots"));
  if (!made) return std::optional<SnapshotRow>{};
  CONSILIUM_TRY(
      Statement query,
      database.prepare(std::string("SELECT height, snapshot, digest, state_digest, record FROM "
                                   "snapshots ORDER BY height ") +
                       (newest ? "DESC" : "ASC") + " LIMIT 1"));
  CONSILIUM_TRY(const bool found, query.step());
  if (!found) return std::optional<SnapshotRow>{};
  SnapshotRow row;
  row.snapshot.height.value = static_cast<std::uint64_t>(query.integer(0));
  row.snapshot.bytes = query.blob(1);
  const auto digest = read_digest(query, 2);
  const auto state = read_digest(query, 3);
  if (!query.is_null(4)) row.record = query.blob(4);
  if (!digest || !state || sha256(row.snapshot.bytes) != *digest)
    return damaged(file, "snapshot of " + height_text(row.snapshot.height.value),
                   "The snapshot is not the one that was kept: restore the file.");
  row.snapshot.state_digest = *state;
  return std::optional<SnapshotRow>{std::move(row)};
}

/// Where re-playing begins: at the newest snapshot; or, to re-play all there is, at genesis, where
/// its blocks are still kept, and otherwise at the oldest snapshot.
auto beginning(const std::filesystem::path& file, Database& database, const Genesis& genesis,
               Replay replay) -> Result<Ledger> {
  if (replay == Replay::everything) {
    CONSILIUM_TRY(Statement first,
                  database.prepare("SELECT count(*) FROM blocks WHERE height = 1"));
    CONSILIUM_TRY(const bool row, first.step());
    CONSILIUM_ENSURE(row);
    if (first.integer(0) == 1) return Ledger(genesis);
  }
  CONSILIUM_TRY(const auto kept,
                read_snapshot(file, database, replay == Replay::from_newest_snapshot));
  if (!kept) return Ledger(genesis);
  auto ledger = Ledger::restore(genesis, kept->snapshot.bytes, kept->snapshot.state_digest);
  if (!ledger || ledger->height() != kept->snapshot.height)
    return damaged(file, "snapshot of " + height_text(kept->snapshot.height.value),
                   "The snapshot does not give its state digest: restore the file.");
  return ledger;
}

auto re_play(const std::filesystem::path& file, Database& database, Replay how) -> Result<Ledger> {
  CONSILIUM_TRY(const Genesis genesis, read_genesis(file, database));
  CONSILIUM_TRY(Ledger ledger, beginning(file, database, genesis, how));
  CONSILIUM_TRY(Statement query,
                database.prepare("SELECT height, block, block_digest, state_digest FROM blocks "
                                 "WHERE height > ? ORDER BY height"));
  query.bind(0, to_column(ledger.height().value));
  for (;;) {
    CONSILIUM_TRY(const bool more, query.step());
    if (!more) return ledger;
    CONSILIUM_TRY(const Row row, read_row(file, query));
    const std::string where = height_text(row.block.height.value);
    if (const auto applied = ledger.apply_block(row.block); !applied)
      return damaged(file, where,
                     "A block does not hold (" + applied.error().code +
                         "): restore the file or fetch the blocks again.");
    if (ledger.digest() != row.state)
      return damaged(file, where, "The re-played state digest differs: restore the file.");
  }
}

}  // namespace

struct LedgerStore::Parts {
  std::filesystem::path file;
  Database database;
  Ledger ledger;
  StoreSettings settings;
  bool ended = false;  ///< a block was made and not kept yet
  /// Prepared once; gone before the database is closed.
  std::optional<Statement> insert_of_blocks{};

  auto insert_block(const Block& block) -> Result<void> {
    if (!insert_of_blocks) {
      CONSILIUM_TRY(Statement made,
                    database.prepare("INSERT INTO blocks (height, block, block_digest, "
                                     "state_digest) VALUES (?, ?, ?, ?)"));
      insert_of_blocks.emplace(std::move(made));
    }
    Statement& insert = *insert_of_blocks;
    const Bytes bytes = block.encode();
    const Digest digest = sha256(bytes);
    const Digest state = ledger.digest();
    insert.bind(0, to_column(block.height.value));
    insert.bind(1, BytesView(bytes));
    insert.bind(2, digest.view());
    insert.bind(3, state.view());
    auto done = insert.run();
    if (!done) insert_of_blocks.reset();
    return done;
  }
  /// The state after the block that is being kept; older snapshots than the last few go.
  auto insert_snapshot(std::optional<BytesView> record) -> Result<void> {
    CONSILIUM_CHECK(database.execute(
        "CREATE TABLE IF NOT EXISTS snapshots (height INTEGER PRIMARY KEY, snapshot BLOB NOT "
        "NULL, digest BLOB NOT NULL, state_digest BLOB NOT NULL, record BLOB)"));
    CONSILIUM_TRY(Statement insert,
                  database.prepare("INSERT OR REPLACE INTO snapshots (height, snapshot, digest, "
                                   "state_digest, record) VALUES (?, ?, ?, ?, ?)"));
    const Bytes bytes = ledger.snapshot();
    const Digest digest = sha256(bytes);
    const Digest state = ledger.digest();
    insert.bind(0, to_column(ledger.height().value));
    insert.bind(1, BytesView(bytes));
    insert.bind(2, digest.view());
    insert.bind(3, state.view());
    if (record) {
      insert.bind(4, *record);
    } else {
      insert.bind_null(4);
    }
    CONSILIUM_CHECK(insert.run());
    CONSILIUM_TRY(Statement forget,
                  database.prepare("DELETE FROM snapshots WHERE height NOT IN (SELECT height FROM "
                                   "snapshots ORDER BY height DESC LIMIT ?)"));
    forget.bind(0, snapshots_kept);
    CONSILIUM_CHECK(forget.run());
    return prune();
  }
  /// Drops the blocks that the policy lets go and that no kept snapshot needs.
  auto prune() -> Result<void> {
    const std::uint64_t last = ledger.height().value;
    const std::uint64_t kept = ledger.policy().blocks_kept;
    if (kept == 0 || kept >= last || settings.is_archive) return {};
    CONSILIUM_TRY(Statement drop,
                  database.prepare("DELETE FROM blocks WHERE height <= ? AND height <= (SELECT "
                                   "min(height) FROM snapshots)"));
    drop.bind(0, to_column(last - kept));
    return drop.run();
  }
  /// A file made before any driver kept a record has no table for it.
  auto insert_record(BytesView record) -> Result<void> {
    CONSILIUM_CHECK(
        database.execute("CREATE TABLE IF NOT EXISTS driver (one INTEGER PRIMARY KEY CHECK (one = "
                         "1), record BLOB NOT NULL, digest BLOB NOT NULL)"));
    CONSILIUM_TRY(Statement insert,
                  database.prepare("INSERT OR REPLACE INTO driver (one, record, digest) VALUES "
                                   "(1, ?, ?)"));
    const Digest digest = sha256(record);
    insert.bind(0, record);
    insert.bind(1, digest.view());
    return insert.run();
  }
  /// Keeps a block that the ledger has just made; takes it back when the disk does not.
  auto keep(const Block* block, std::optional<BytesView> record) -> Result<void> {
    auto kept = database.in_transaction([&]() -> Result<void> {
      if (block != nullptr) {
        CONSILIUM_CHECK(insert_block(*block));
        if (block->height.value % settings.snapshot_every == 0)
          CONSILIUM_CHECK(insert_snapshot(record));
      }
      return record ? insert_record(*record) : Result<void>{};
    });
    if (!kept && block != nullptr) ledger.revert_block();
    ended = false;
    return kept;
  }

  static auto read(const std::filesystem::path& file, Database::Mode mode, Replay how,
                   StoreSettings settings) -> Result<std::unique_ptr<Parts>> {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored))
      return fail("file_missing", file.string(), "There is no ledger: create or join first.");
    CONSILIUM_TRY(Database database, Database::open(file, file_kind, file_version, mode));
    CONSILIUM_TRY(Ledger ledger, re_play(file, database, how));
    return std::make_unique<Parts>(Parts{file, std::move(database), std::move(ledger), settings});
  }
};

LedgerStore::LedgerStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
LedgerStore::LedgerStore(LedgerStore&&) noexcept = default;
auto LedgerStore::operator=(LedgerStore&&) noexcept -> LedgerStore& = default;
LedgerStore::~LedgerStore() = default;

auto LedgerStore::holds_ledger(const std::filesystem::path& file) -> Result<bool> {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return false;
  CONSILIUM_TRY(Database database, Database::open(file, file_kind, file_version));
  CONSILIUM_TRY(const bool born, has_table(database, "genesis"));
  CONSILIUM_CHECK(database.close());
  return born;
}

auto LedgerStore::create(const std::filesystem::path& file, const Genesis& genesis,
                         StoreSettings settings) -> Result<LedgerStore> {
  CONSILIUM_ENSURE(settings.snapshot_every > 0);
  CONSILIUM_CHECK(check_genesis(genesis));
  CONSILIUM_TRY(Database database, Database::open(file, file_kind, file_version));
  // A process that was killed while it made this file left it without tables: nothing is lost by
  // going on.
  CONSILIUM_TRY(const bool born, has_table(database, "genesis"));
  if (born) {
    CONSILIUM_CHECK(database.close());
    return fail("file_exists", file.string(),
                "A ledger stands here: open it, or choose a new folder.");
  }
  const Bytes bytes = genesis.encode();
  const auto made = database.in_transaction([&]() -> Result<void> {
    CONSILIUM_CHECK(
        database.execute("CREATE TABLE genesis (genesis BLOB NOT NULL, "
                         "digest BLOB NOT NULL)"));
    CONSILIUM_CHECK(
        database.execute("CREATE TABLE blocks (height INTEGER PRIMARY KEY, "
                         "block BLOB NOT NULL, block_digest BLOB NOT NULL, "
                         "state_digest BLOB NOT NULL)"));
    CONSILIUM_TRY(Statement insert,
                  database.prepare("INSERT INTO genesis (genesis, digest) VALUES (?, ?)"));
    const Digest digest = sha256(bytes);
    insert.bind(0, BytesView(bytes));
    insert.bind(1, digest.view());
    return insert.run();
  });
  CONSILIUM_CHECK(made);
  return LedgerStore(
      std::make_unique<Parts>(Parts{file, std::move(database), Ledger(genesis), settings}));
}

auto LedgerStore::open(const std::filesystem::path& file, StoreSettings settings)
    -> Result<LedgerStore> {
  CONSILIUM_ENSURE(settings.snapshot_every > 0);
  CONSILIUM_TRY(std::unique_ptr<Parts> parts, Parts::read(file, Database::Mode::read_write,
                                                          Replay::from_newest_snapshot, settings));
  return LedgerStore(std::move(parts));
}

auto LedgerStore::open_read_only(const std::filesystem::path& file, Replay replay)
    -> Result<LedgerStore> {
  CONSILIUM_TRY(std::unique_ptr<Parts> parts,
                Parts::read(file, Database::Mode::read_only, replay, {}));
  return LedgerStore(std::move(parts));
}

auto LedgerStore::close() -> Result<void> {
  parts_->insert_of_blocks.reset();
  return parts_->database.close();
}

auto LedgerStore::ledger() const -> const Ledger& {
  return parts_->ledger;
}

auto LedgerStore::append(const Block& block) -> Result<void> {
  CONSILIUM_CHECK(parts_->ledger.apply_block(block));
  return parts_->keep(&block, std::nullopt);
}

auto LedgerStore::build(const Transaction& transaction) -> Verdict {
  Ledger& ledger = parts_->ledger;
  CONSILIUM_ENSURE(!parts_->ended);
  if (ledger.pending_count() >= block_transactions_max ||
      ledger.pending_bytes() + transaction_bytes_max > block_bytes_max)
    return fail("queue_full", "sequencer", "The next block is full: submit again after it.");
  return ledger.apply(transaction);
}

auto LedgerStore::end_block() -> Block {
  CONSILIUM_ENSURE(!parts_->ended);
  parts_->ended = true;
  return parts_->ledger.end_block();
}

auto LedgerStore::keep(const Block* block, std::optional<BytesView> driver_record) -> Result<void> {
  CONSILIUM_ENSURE((block != nullptr) == parts_->ended);
  return parts_->keep(block, driver_record);
}

void LedgerStore::drop_block() {
  if (parts_->ended || parts_->ledger.pending_count() > 0) parts_->ledger.revert_block();
  parts_->ended = false;
}

auto LedgerStore::driver_record() const -> Result<std::optional<Bytes>> {
  CONSILIUM_TRY(const bool made, has_table(parts_->database, "driver"));
  if (!made) return std::optional<Bytes>{};
  CONSILIUM_TRY(Statement query, parts_->database.prepare("SELECT record, digest FROM driver"));
  CONSILIUM_TRY(const bool found, query.step());
  if (!found) return std::optional<Bytes>{};
  Bytes record = query.blob(0);
  const auto digest = read_digest(query, 1);
  if (!digest || sha256(record) != *digest)
    return damaged(parts_->file, "driver", "The driver's record was changed: restore the file.");
  return std::optional<Bytes>{std::move(record)};
}

auto LedgerStore::newest_snapshot() const -> Result<std::optional<Kept>> {
  CONSILIUM_TRY(auto row, read_snapshot(parts_->file, parts_->database, true));
  if (!row) return std::optional<Kept>{};
  return std::optional<Kept>{Kept{std::move(row->snapshot), std::move(row->record)}};
}

auto LedgerStore::adopt(const StateSnapshot& snapshot, std::optional<BytesView> driver_record)
    -> Result<void> {
  Parts& p = *parts_;
  CONSILIUM_ENSURE(!p.ended && p.ledger.pending_count() == 0);
  CONSILIUM_TRY(Ledger restored,
                Ledger::restore(p.ledger.genesis(), snapshot.bytes, snapshot.state_digest));
  if (restored.height() != snapshot.height || restored.height() <= p.ledger.height())
    return fail("wrong_height", "snapshot of " + height_text(snapshot.height.value),
                "It is not later than what this node has: nothing is to be taken from it.");
  std::swap(p.ledger, restored);
  auto kept = p.database.in_transaction([&]() -> Result<void> {
    CONSILIUM_CHECK(p.database.execute("DELETE FROM blocks"));
    CONSILIUM_CHECK(p.insert_snapshot(driver_record));
    CONSILIUM_TRY(Statement forget, p.database.prepare("DELETE FROM snapshots WHERE height < ?"));
    forget.bind(0, to_column(snapshot.height.value));
    CONSILIUM_CHECK(forget.run());
    return driver_record ? p.insert_record(*driver_record) : Result<void>{};
  });
  if (!kept) std::swap(p.ledger, restored);
  return kept;
}

auto LedgerStore::first_height() const -> Result<Height> {
  CONSILIUM_TRY(Statement query, parts_->database.prepare("SELECT min(height) FROM blocks"));
  CONSILIUM_TRY(const bool row, query.step());
  CONSILIUM_ENSURE(row);
  if (query.is_null(0)) return Height{parts_->ledger.height().value + 1};
  return Height{static_cast<std::uint64_t>(query.integer(0))};
}

auto LedgerStore::row_at(Height height) const -> Result<std::pair<Block, Digest>> {
  CONSILIUM_TRY(Statement query,
                parts_->database.prepare("SELECT height, block, block_digest, state_digest "
                                         "FROM blocks WHERE height = ?"));
  query.bind(0, to_column(height.value));
  CONSILIUM_TRY(const bool found, query.step());
  if (found) {
    CONSILIUM_TRY(Row row, read_row(parts_->file, query));
    return std::pair{std::move(row.block), row.state};
  }
  CONSILIUM_TRY(const Height first, first_height());
  if (height.value > 0 && height < first)
    return fail("pruned", height_text(height.value),
                "Its block was dropped, as the policy allows: ask an archive, or begin from a "
                "snapshot.");
  return fail("unknown_height", height_text(height.value), "No block of this height is kept.");
}

auto LedgerStore::block_at(Height height) const -> Result<Block> {
  CONSILIUM_TRY(auto row, row_at(height));
  return std::move(row.first);
}

auto LedgerStore::state_digest_at(Height height) const -> Result<Digest> {
  if (height.value == 0) return Ledger(parts_->ledger.genesis()).digest();
  CONSILIUM_TRY(const auto row, row_at(height));
  return row.second;
}

SoloSequencer::SoloSequencer(LedgerStore store) : store_(std::move(store)) {}

auto SoloSequencer::submit(const Transaction& transaction) -> Verdict {
  return store_.build(transaction);
}

auto SoloSequencer::blocks_after(Height height, std::size_t count_max)
    -> Result<std::vector<Block>> {
  std::vector<Block> blocks;
  const std::uint64_t last = store_.ledger().height().value;
  for (std::uint64_t at = height.value + 1; at <= last && blocks.size() < count_max; ++at) {
    CONSILIUM_TRY(Block block, store_.block_at(Height{at}));
    blocks.push_back(std::move(block));
  }
  return blocks;
}

auto SoloSequencer::newest_snapshot() -> Result<std::optional<StateSnapshot>> {
  CONSILIUM_TRY(auto kept, store_.newest_snapshot());
  if (!kept) return std::optional<StateSnapshot>{};
  return std::optional<StateSnapshot>{std::move(kept->snapshot)};
}

auto SoloSequencer::make_block(bool even_empty) -> Result<bool> {
  if (store_.ledger().pending_count() == 0 && !even_empty) return false;
  CONSILIUM_CHECK(store_.ledger().knows_next_version());
  const Block block = store_.end_block();
  CONSILIUM_CHECK(store_.keep(&block, std::nullopt));
  return true;
}

auto SoloSequencer::store() const -> const LedgerStore& {
  return store_;
}

auto SoloSequencer::close() -> Result<void> {
  store_.drop_block();
  return store_.close();
}

}  // namespace consilium::ledger
