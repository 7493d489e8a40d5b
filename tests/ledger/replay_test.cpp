// Long histories: how long a node needs to stand again, and how many blocks a second it re-plays.
// The figures are printed; CONSILIUM_LONG_TESTS=1 takes the length that is promised.

#include <cstdlib>
#include <ctime>

#include <unistd.h>

#include "consilium/foundation/database.hpp"
#include "consilium/ledger/store.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

namespace fs = std::filesystem;

auto is_long() -> bool {
  return std::getenv("CONSILIUM_LONG_TESTS") != nullptr;
}

/// Processor time: what others do on the machine meanwhile is not this program's.
class Stopwatch {
 public:
  [[nodiscard]] auto seconds() const -> double {
    return static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC;
  }

 private:
  std::clock_t start_ = std::clock();
};

class LongHistory : public ::testing::Test {
 protected:
  LongHistory() {
    folder_ = fs::temp_directory_path() / ("consilium-replay-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    file = folder_ / "ledger.db";
  }
  ~LongHistory() override { fs::remove_all(folder_); }

  /// A ledger.db with these blocks, as the store writes them; snapshots every thousand blocks.
  void write(const Genesis& genesis, const std::vector<Block>& blocks) {
    auto store = LedgerStore::create(file, genesis);
    ASSERT_TRUE(store);
    ASSERT_EQ(code(store->close()), "ok");
    Ledger ledger(genesis);
    std::vector<Digest> states;
    std::optional<std::pair<Height, Bytes>> last;
    for (const Block& block : blocks) {
      ASSERT_EQ(code(ledger.apply_block(block)), "ok");
      states.push_back(ledger.digest());
      if (block.height.value % 1000 == 0) last = {block.height, ledger.snapshot()};
    }
    // In one transaction, because it is not the writing that is measured.
    auto database = Database::open(file, "consilium.ledger", 1);
    ASSERT_TRUE(database);
    const auto done = database->in_transaction([&]() -> Result<void> {
      CONSILIUM_TRY(Statement insert,
                    database->prepare("INSERT INTO blocks (height, block, block_digest, "
                                      "state_digest) VALUES (?, ?, ?, ?)"));
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        const Bytes bytes = blocks[i].encode();
        const Digest digest = sha256(bytes);
        insert.bind(0, static_cast<std::int64_t>(i + 1));
        insert.bind(1, BytesView(bytes));
        insert.bind(2, digest.view());
        insert.bind(3, states[i].view());
        CONSILIUM_CHECK(insert.run());
      }
      if (!last) return {};
      CONSILIUM_CHECK(database->execute(
          "CREATE TABLE snapshots (height INTEGER PRIMARY KEY, snapshot BLOB NOT NULL, digest "
          "BLOB NOT NULL, state_digest BLOB NOT NULL, record BLOB)"));
      CONSILIUM_TRY(Statement keep,
                    database->prepare("INSERT INTO snapshots (height, snapshot, digest, "
                                      "state_digest) VALUES (?, ?, ?, ?)"));
      const Digest digest = sha256(last->second);
      keep.bind(0, static_cast<std::int64_t>(last->first.value));
      keep.bind(1, BytesView(last->second));
      keep.bind(2, digest.view());
      keep.bind(3, states[last->first.value - 1].view());
      return keep.run();
    });
    ASSERT_EQ(code(done), "ok");
    ASSERT_EQ(code(database->close()), "ok");
  }
  fs::path folder_, file;
};

/// A consortium that says one thing a block.
auto small_blocks(std::size_t count) -> std::pair<Genesis, std::vector<Block>> {
  Consortium c;
  std::vector<Block> blocks = c.blocks;
  SeededRandom random(9, "box keys");
  Ledger ledger(c.ledger.genesis());
  for (const Block& block : blocks) EXPECT_EQ(code(ledger.apply_block(block)), "ok");
  for (std::size_t i = blocks.size(); i < count; ++i) {
    const HospitalId who = c.hospitals[i % c.hospitals.size()];
    Transaction transaction;
    transaction.consortium = ledger.consortium();
    transaction.sender = who;
    transaction.sequence = ledger.members().at(who).sequence + 1;
    transaction.expiry = Height{ledger.height().value + 50};
    transaction.body = RotateBoxKey{sealing::BoxKey::make(random).public_key()};
    EXPECT_EQ(code(ledger.apply(sign_transaction(transaction, c.identity(who).key))), "ok");
    blocks.push_back(ledger.end_block());
  }
  return {ledger.genesis(), std::move(blocks)};
}

/// Whole rounds of ten hospitals, one after the other.
auto round_blocks(int rounds) -> std::pair<Genesis, std::vector<Block>> {
  Consortium c({10, short_policy()});
  for (int i = 0; i < rounds; ++i) c.run_round(64);
  return {c.ledger.genesis(), c.blocks};
}

TEST_F(LongHistory, of_small_blocks_stands_again_within_a_second_and_is_re_played_quickly) {
  const std::size_t count = is_long() ? 100'500 : 2'500;
  const auto [genesis, blocks] = small_blocks(count);
  write(genesis, blocks);
  {
    const Stopwatch watch;
    auto store = LedgerStore::open(file);
    const double seconds = watch.seconds();
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_EQ(store->ledger().height().value, count);
    std::printf("restart at %zu small blocks: %.3f s\n", count, seconds);
    if (is_long()) {
      EXPECT_LE(seconds, 1.0);
    }
  }
  const Stopwatch watch;
  auto store = LedgerStore::open_read_only(file, Replay::everything);
  const double per_second = static_cast<double>(count) / watch.seconds();
  ASSERT_TRUE(store) << store.error().message();
  std::printf("re-play of %zu small blocks: %.0f blocks/s\n", count, per_second);
  if (is_long()) {
    EXPECT_GE(per_second, 5000.0);
  }
}

TEST_F(LongHistory, of_rounds_is_re_played_as_it_was) {
  const auto [genesis, blocks] = round_blocks(is_long() ? 40 : 10);
  write(genesis, blocks);
  std::size_t transactions = 0;
  for (const Block& block : blocks) transactions += block.transactions.size();
  const Stopwatch watch;
  auto store = LedgerStore::open_read_only(file, Replay::everything);
  const double seconds = watch.seconds();
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ(store->ledger().height().value, blocks.size());
  std::printf("re-play of %zu blocks of rounds: %.0f blocks/s, %.0f transactions/s\n",
              blocks.size(), static_cast<double>(blocks.size()) / seconds,
              static_cast<double>(transactions) / seconds);
}

}  // namespace
}  // namespace consilium::ledger::test
