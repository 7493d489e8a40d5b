#include "consilium/ledger/store.hpp"

#include <unistd.h>

#include "consilium/foundation/database.hpp"
#include "consilium/foundation/files.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

namespace fs = std::filesystem;

class Store : public ::testing::Test {
 protected:
  Store() {
    folder_ = fs::temp_directory_path() /
              ("consilium-ledger-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    file = folder_ / "ledger.db";
  }
  ~Store() override { fs::remove_all(folder_); }

  /// A ledger.db with every block of the consortium's.
  void keep(const Consortium& c) {
    auto store = LedgerStore::create(file, c.ledger.genesis());
    ASSERT_TRUE(store) << code(store);
    for (const Block& block : c.blocks) ASSERT_EQ(code(store->append(block)), "ok");
    ASSERT_EQ(code(store->close()), "ok");
  }
  static auto where(const Result<LedgerStore>& store) -> std::string {
    return store ? "" : store.error().place;
  }
  fs::path folder_;
  fs::path file;
};

TEST_F(Store, keeps_blocks_and_re_plays_them) {
  Consortium c;
  c.run_round(64);
  keep(c);
  EXPECT_EQ(code(LedgerStore::create(file, c.ledger.genesis())), "file_exists");
  auto store = LedgerStore::open(file);
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ(store->ledger().digest(), c.ledger.digest());
  EXPECT_EQ(store->ledger().height(), c.ledger.height());
  for (std::size_t i = 0; i < c.blocks.size(); ++i) {
    const Height height{i + 1};
    EXPECT_EQ(store->block_at(height)->encode(), c.blocks[i].encode());
    EXPECT_EQ(*store->state_digest_at(height), c.digests[i]);
  }
  EXPECT_EQ(*store->state_digest_at(Height{0}), c.blocks.front().previous);
  EXPECT_EQ(code(store->block_at(Height{c.blocks.size() + 1})), "unknown_height");
  // It goes on where it was.
  c.run_round(64);
  for (std::size_t i = store->ledger().height().value; i < c.blocks.size(); ++i)
    ASSERT_EQ(code(store->append(c.blocks[i])), "ok");
  EXPECT_EQ(store->ledger().digest(), c.ledger.digest());
}

TEST_F(Store, goes_on_with_a_file_that_was_cut_off_while_it_was_made) {
  const Consortium c;
  EXPECT_FALSE(*LedgerStore::holds_ledger(file)) << "there is no file";
  {
    auto unborn = Database::open(file, "consilium.ledger", 1);
    ASSERT_TRUE(unborn) << unborn.error().message();
  }
  EXPECT_FALSE(*LedgerStore::holds_ledger(file)) << "a file without tables is no ledger";
  auto store = LedgerStore::create(file, c.ledger.genesis());
  ASSERT_TRUE(store) << code(store);
  ASSERT_EQ(code(store->close()), "ok");
  EXPECT_TRUE(*LedgerStore::holds_ledger(file));
  EXPECT_TRUE(LedgerStore::open(file));
}

TEST_F(Store, refuses_blocks_that_do_not_follow_and_stays_as_it_was) {
  Consortium c;
  c.run_round();
  keep(c);
  auto store = LedgerStore::open(file);
  ASSERT_TRUE(store);
  EXPECT_EQ(code(store->append(c.blocks.back())), "wrong_height");
  Block next{Height{c.blocks.size() + 1}, digest_of("x"), {}};
  EXPECT_EQ(code(store->append(next)), "wrong_previous");
  EXPECT_EQ(store->ledger().digest(), c.ledger.digest());
}

TEST_F(Store, says_when_there_is_no_file_or_a_foreign_one) {
  EXPECT_EQ(code(LedgerStore::open(file)), "file_missing");
  EXPECT_EQ(code(LedgerStore::open_read_only(file)), "file_missing");
  {
    auto other = Database::open(file, "consilium.casebase", 1);
    ASSERT_TRUE(other);
    ASSERT_EQ(code(other->close()), "ok");
  }
  EXPECT_EQ(code(LedgerStore::open(file)), "database_foreign");
}

TEST_F(Store, refuses_a_genesis_that_does_not_hold) {
  Consortium c;
  Genesis genesis = c.ledger.genesis();
  genesis.policy.honest_min = 1;
  EXPECT_EQ(code(LedgerStore::create(file, genesis)), "bad_policy");
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(Store, refuses_any_flipped_byte_of_its_closed_file_by_name) {
  Consortium c;
  c.run_round(64);
  keep(c);
  const Bytes good = *read_file(file);
  const Bytes seal = *read_file(folder_ / "ledger.db.seal");
  for (std::uint64_t i = 0; i < 40; ++i) {
    SeededRandom random(i, "flip");
    Bytes bad = good;
    const std::size_t at = random.below(bad.size());
    bad[at] = static_cast<std::uint8_t>(bad[at] ^ (1U << random.below(8)));
    ASSERT_TRUE(write_file_durably(file, bad));
    ASSERT_TRUE(write_file_durably(folder_ / "ledger.db.seal", seal));
    const auto store = LedgerStore::open(file);
    ASSERT_EQ(code(store), "database_damaged") << "byte " << at;
    ASSERT_NE(where(store).find("ledger.db"), std::string::npos);
    ASSERT_EQ(code(verify_ledger(file)), "database_damaged") << "byte " << at;
  }
  ASSERT_TRUE(write_file_durably(file, good));
  EXPECT_EQ(code(LedgerStore::open(file)), "ok");
}

/// Changes rows behind the store's back, with a seal that fits again.
void change_rows(const fs::path& file, std::string_view sql) {
  auto database = Database::open(file, "consilium.ledger", 1);
  ASSERT_TRUE(database);
  ASSERT_EQ(code(database->execute(sql)), "ok");
  ASSERT_EQ(code(database->close()), "ok");
}

TEST_F(Store, names_the_height_of_a_changed_row) {
  Consortium c;
  c.run_round(64);
  keep(c);
  change_rows(file, "UPDATE blocks SET block = zeroblob(50) WHERE height = 3");
  auto store = LedgerStore::open(file);
  EXPECT_EQ(code(store), "database_damaged");
  EXPECT_NE(where(store).find("height 3"), std::string::npos) << where(store);
}

TEST_F(Store, compares_the_state_digest_of_every_height) {
  Consortium c;
  c.run_round(64);
  keep(c);
  change_rows(file, "UPDATE blocks SET state_digest = zeroblob(32) WHERE height = 5");
  auto store = LedgerStore::open(file);
  EXPECT_EQ(code(store), "database_damaged");
  EXPECT_NE(where(store).find("height 5"), std::string::npos) << where(store);
}

TEST_F(Store, opens_from_its_newest_snapshot_and_the_blocks_after_it) {
  Consortium c;
  c.run_round(64);
  auto store = LedgerStore::create(file, c.ledger.genesis(), {4});
  ASSERT_TRUE(store);
  for (const Block& block : c.blocks) ASSERT_EQ(code(store->append(block)), "ok");
  ASSERT_EQ(code(store->close()), "ok");
  ASSERT_GE(c.blocks.size(), 9U);
  EXPECT_EQ(code(LedgerStore::open(file, {4})), "ok");
  // Block 2 cannot be re-played: so it was not, and whoever re-plays everything finds it.
  change_rows(file, "UPDATE blocks SET block = zeroblob(50) WHERE height = 2");
  {
    auto again = LedgerStore::open(file, {4});
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->ledger().digest(), c.ledger.digest());
    EXPECT_EQ(again->ledger().snapshot(), c.ledger.snapshot());
    EXPECT_EQ(code(again->block_at(Height{2})), "database_damaged");
    // It goes on where it was.
    c.run_round(64);
    for (std::size_t i = again->ledger().height().value; i < c.blocks.size(); ++i)
      ASSERT_EQ(code(again->append(c.blocks[i])), "ok");
    EXPECT_EQ(again->ledger().digest(), c.ledger.digest());
    ASSERT_EQ(code(again->close()), "ok");
  }
  EXPECT_EQ(code(verify_ledger(file)), "database_damaged");
  EXPECT_EQ(code(LedgerStore::open(file, {4})), "ok");
}

TEST_F(Store, names_a_changed_snapshot_and_one_of_another_state) {
  Consortium c;
  c.run_round(64);
  auto store = LedgerStore::create(file, c.ledger.genesis(), {4});
  ASSERT_TRUE(store);
  for (const Block& block : c.blocks) ASSERT_EQ(code(store->append(block)), "ok");
  ASSERT_EQ(code(store->close()), "ok");
  const auto good = read_file(file, 16U << 20U);
  ASSERT_TRUE(good);
  for (const char* change : {"UPDATE snapshots SET snapshot = zeroblob(99)",
                             "UPDATE snapshots SET digest = zeroblob(32)",
                             "UPDATE snapshots SET state_digest = zeroblob(32)",
                             "UPDATE snapshots SET height = height + 1000"}) {
    change_rows(file, change);
    const auto refused = LedgerStore::open(file, {4});
    EXPECT_EQ(code(refused), "database_damaged") << change;
    EXPECT_NE(where(refused).find("snapshot of height"), std::string::npos) << where(refused);
    fs::remove(file.string() + ".seal");
    ASSERT_TRUE(write_file_durably(file, *good));
  }
  EXPECT_EQ(code(LedgerStore::open(file, {4})), "ok");
}

TEST_F(Store, killed_after_any_block_stands_where_it_was_with_or_without_a_snapshot) {
  Consortium c;
  c.run_round(64);
  auto store = LedgerStore::create(file, c.ledger.genesis(), {3});
  ASSERT_TRUE(store);
  for (std::size_t i = 0; i < c.blocks.size(); ++i) {
    ASSERT_EQ(code(store->append(c.blocks[i])), "ok");
    // The disk as another process would find it now.
    const auto copy = folder_ / ("copy-" + std::to_string(i) + ".db");
    for (const char* part : {"", "-wal"}) fs::copy_file(file.string() + part, copy.string() + part);
    auto again = LedgerStore::open(copy, {3});
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->ledger().digest(), c.digests[i]);
    // A log that is torn anywhere gives an earlier height, never another state.
    const auto torn = folder_ / ("torn-" + std::to_string(i) + ".db");
    for (const char* part : {"", "-wal"}) fs::copy_file(file.string() + part, torn.string() + part);
    fs::resize_file(torn.string() + "-wal", fs::file_size(torn.string() + "-wal") * 2 / 3);
    auto earlier = LedgerStore::open(torn, {3});
    if (!earlier) {
      // Cut before the tables were made.
      EXPECT_EQ(code(LedgerStore::holds_ledger(torn)), "ok");
      continue;
    }
    const std::uint64_t height = earlier->ledger().height().value;
    ASSERT_LE(height, i + 1);
    EXPECT_EQ(earlier->ledger().digest(),
              height == 0 ? c.blocks.front().previous : c.digests[height - 1]);
  }
}

/// More blocks than the policy keeps: the first are told to whoever asks in time.
auto long_walk(std::uint32_t blocks_kept) -> std::unique_ptr<Consortium> {
  auto policy = short_policy();
  policy.blocks_kept = blocks_kept;
  auto c = std::make_unique<Consortium>(Founding{4, policy});
  c->run_round(64);
  c->block(1200 - c->blocks.size());
  c->run_round(64);
  return c;
}

TEST_F(Store, drops_blocks_that_the_policy_lets_go_and_a_peer_that_needs_them_begins_anew) {
  const auto c = long_walk(1000);
  auto created = LedgerStore::create(file, c->ledger.genesis(), {50});
  ASSERT_TRUE(created);
  auto peer = LedgerStore::create(folder_ / "peer.db", c->ledger.genesis());
  ASSERT_TRUE(peer);
  SoloSequencer sequencer(std::move(*created));
  for (std::size_t i = 0; i < c->blocks.size(); ++i) {
    for (const Bytes& bytes : c->blocks[i].transactions)
      ASSERT_EQ(code(sequencer.submit(*Transaction::decode(bytes, sequencer.store().ledger()))),
                "ok");
    ASSERT_EQ(code(sequencer.make_block(true)), "ok");
    if (i < 20) {
      ASSERT_EQ(code(peer->append(c->blocks[i])), "ok");
    }
  }
  const LedgerStore& store = sequencer.store();
  const std::uint64_t last = c->blocks.size();
  const Height first = *store.first_height();
  EXPECT_GT(first.value, 1U);
  EXPECT_LE(first.value, last - 1000 + 1) << "the policy keeps the last thousand";
  EXPECT_EQ(code(store.block_at(Height{first.value - 1})), "pruned");
  EXPECT_EQ(code(store.state_digest_at(Height{1})), "pruned");
  EXPECT_EQ(code(store.block_at(first)), "ok");
  EXPECT_EQ(code(store.block_at(Height{last + 1})), "unknown_height");
  EXPECT_EQ(code(sequencer.blocks_after(peer->ledger().height(), 5)), "pruned");

  const auto snapshot = sequencer.newest_snapshot();
  ASSERT_TRUE(snapshot && *snapshot);
  StateSnapshot damaged = **snapshot;
  damaged.bytes.back() ^= 1U;
  EXPECT_EQ(code(peer->adopt(damaged, std::nullopt)), "snapshot_damaged");
  damaged = **snapshot;
  damaged.height.value += 1;
  EXPECT_EQ(code(peer->adopt(damaged, std::nullopt)), "wrong_height");
  EXPECT_EQ(peer->ledger().height().value, 20U);
  ASSERT_EQ(code(peer->adopt(**snapshot, std::nullopt)), "ok");
  EXPECT_EQ(code(peer->adopt(**snapshot, std::nullopt)), "wrong_height");
  const auto rest = sequencer.blocks_after(peer->ledger().height(), 5000);
  ASSERT_TRUE(rest);
  for (const Block& block : *rest) ASSERT_EQ(code(peer->append(block)), "ok");
  EXPECT_EQ(peer->ledger().digest(), c->ledger.digest());
  ASSERT_EQ(code(peer->close()), "ok");
  ASSERT_EQ(code(sequencer.close()), "ok");
  // Both stand again, and what is left of their history is verified.
  for (const auto& path : {file, folder_ / "peer.db"}) {
    auto again = LedgerStore::open(path);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->ledger().snapshot(), c->ledger.snapshot());
    ASSERT_EQ(code(again->close()), "ok");
    const auto report = verify_ledger(path);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->state_digest, c->ledger.digest());
    EXPECT_LT(report->blocks, last);
  }
}

TEST_F(Store, drops_no_block_after_the_oldest_snapshot_that_it_keeps) {
  auto policy = short_policy();
  policy.blocks_kept = 1000;
  const Consortium c({1, policy});
  auto store = LedgerStore::create(file, c.ledger.genesis(), {1100});
  ASSERT_TRUE(store);
  for (int i = 0; i < 2205; ++i) {
    const Block block = store->end_block();
    ASSERT_EQ(code(store->keep(&block, std::nullopt)), "ok");
  }
  // The policy would let the first 1200 go; the snapshot of height 1100 needs those from 1101 on.
  EXPECT_EQ(store->first_height()->value, 1101U);
  ASSERT_EQ(code(store->close()), "ok");
  const auto report = verify_ledger(file);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->blocks, 2205U - 1100U);
}

TEST_F(Store, keeps_every_block_without_such_a_policy_and_in_an_archive) {
  for (const bool archive : {false, true}) {
    const auto c = long_walk(archive ? 1000 : 0);
    fs::remove(file);
    fs::remove(file.string() + ".seal");
    auto store = LedgerStore::create(file, c->ledger.genesis(), {50, archive});
    ASSERT_TRUE(store);
    for (const Block& block : c->blocks) ASSERT_EQ(code(store->append(block)), "ok");
    EXPECT_EQ(store->first_height()->value, 1U);
    ASSERT_EQ(code(store->close()), "ok");
    EXPECT_EQ(verify_ledger(file)->blocks, c->blocks.size());
  }
}

TEST_F(Store, finds_a_missing_block_and_a_changed_genesis) {
  Consortium c;
  c.run_round(64);
  keep(c);
  change_rows(file, "DELETE FROM blocks WHERE height = 4");
  auto store = LedgerStore::open(file);
  EXPECT_EQ(code(store), "database_damaged");
  EXPECT_NE(where(store).find("height 5"), std::string::npos) << where(store);
  change_rows(file, "UPDATE genesis SET genesis = zeroblob(9)");
  EXPECT_EQ(code(LedgerStore::open(file)), "database_damaged");
  change_rows(file, "DELETE FROM genesis");
  EXPECT_EQ(code(LedgerStore::open(file)), "database_damaged");
}

TEST_F(Store, verify_recomputes_every_digest_and_credit) {
  Consortium c;
  c.run_round(64);
  c.run_to_opened(sealing::Purpose::statistics);
  ASSERT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  c.block();
  c.run_round(0);
  c.open();
  ASSERT_EQ(c.send_as(id(1), c.manifest(id(1), 128)), "ok");
  ASSERT_EQ(c.send_as(id(2), c.manifest(id(2), 4096)), "ok");
  SubmitManifest second = c.manifest(id(2), 64);
  ASSERT_EQ(c.send_as(id(2), second), "ok");
  ASSERT_EQ(c.send_as(id(3), c.manifest(id(3), 256)), "ok");
  ASSERT_EQ(c.send_as(id(4), c.manifest(id(4), 0)), "ok");
  c.block();
  c.attest({id(1), id(4)}, c.hospitals);
  c.attest({id(2)}, {id(1), id(2), id(4)});
  c.pass_deadline();
  c.freeze();
  ASSERT_EQ(c.round().set.size(), 3U);
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote();
  keep(c);
  const auto report = verify_ledger(file);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->blocks, c.blocks.size());
  EXPECT_EQ(report->height, c.ledger.height());
  EXPECT_EQ(report->state_digest, c.ledger.digest());
  EXPECT_EQ(report->credits, 3000U);
  std::uint64_t transactions = 0;
  for (const Block& block : c.blocks) transactions += block.transactions.size();
  EXPECT_EQ(report->transactions, transactions);
  for (const auto& [member, record] : c.ledger.members())
    EXPECT_EQ(report->credits_by_member.at(record.info.name), record.credits);
}

TEST_F(Store, verify_recomputes_the_credits_of_a_central_server) {
  Consortium c({5, short_policy(Topology::central)});
  for (const std::uint64_t claim : {64U, 0U, 1024U}) c.run_round(claim);
  keep(c);
  const auto report = verify_ledger(file);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->credits, 3000U);
  EXPECT_EQ(report->credits_by_member.at("centre"), 900U);
}

TEST_F(Store, verify_recomputes_the_privacy_spent) {
  Policy policy = short_policy();
  policy.rho_budget_micro[0] = 400'000;
  Consortium c({4, policy});
  c.noise_sigma2 = 3400 * 3400;
  c.clip_l2 = 3000;
  c.run_round();
  c.run_round(64);
  keep(c);
  const auto report = verify_ledger(file);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->state_digest, c.ledger.digest());
}

TEST_F(Store, verify_recomputes_what_askers_spent) {
  Policy policy = short_policy();
  policy.rho_asker_micro = {1'000'000, 1'000'000};
  policy.menus[0] = menu_digest(sealing::Purpose::metrics, Bytes{1, 2, 3});
  Consortium c({4, policy});
  c.run_to_opened(sealing::Purpose::metrics);
  ASSERT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  c.block();
  c.noise_sigma2 = 400 * 400;
  c.clip_l2 = 300;
  for (const auto purpose : {sealing::Purpose::metrics, sealing::Purpose::council}) {
    c.run_to_opened(purpose);
    ASSERT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
    c.block();
  }
  ASSERT_NE(c.ledger.members().at(id(1)).rho_asked_micro, (std::array<std::uint64_t, 2>{}));
  keep(c);
  const auto report = verify_ledger(file);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->state_digest, c.ledger.digest());
}

TEST_F(Store, read_only_opens_beside_a_writer_and_cannot_append) {
  Consortium c;
  c.run_round();
  keep(c);
  {
    auto reader = LedgerStore::open_read_only(file);
    ASSERT_TRUE(reader) << reader.error().message();
    EXPECT_EQ(reader->ledger().digest(), c.ledger.digest());
    const Digest before = reader->ledger().digest();
    c.block();
    EXPECT_FALSE(reader->append(c.blocks.back()));
    EXPECT_EQ(reader->ledger().digest(), before);
  }
  EXPECT_TRUE(LedgerStore::open(file));
}

TEST_F(Store, sequencer_orders_and_a_follower_arrives_at_the_same_digest) {
  Consortium c;
  auto created = LedgerStore::create(file, c.ledger.genesis());
  ASSERT_TRUE(created);
  SoloSequencer sequencer(std::move(*created));
  auto follower = LedgerStore::create(folder_ / "follower.db", c.ledger.genesis());
  ASSERT_TRUE(follower);
  c.run_round(64);
  std::size_t made = 0;
  for (const Block& block : c.blocks) {
    for (const Bytes& bytes : block.transactions)
      ASSERT_EQ(code(sequencer.submit(*Transaction::decode(bytes, sequencer.store().ledger()))),
                "ok");
    const auto done = sequencer.make_block(true);
    ASSERT_TRUE(done);
    EXPECT_TRUE(*done);
    ++made;
    EXPECT_EQ(sequencer.store().ledger().digest(), c.digests[made - 1]);
  }
  const auto none = sequencer.make_block(false);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  while (follower->ledger().height() < sequencer.store().ledger().height()) {
    const auto blocks = sequencer.blocks_after(follower->ledger().height(), 3);
    ASSERT_TRUE(blocks);
    ASSERT_LE(blocks->size(), 3U);
    for (const Block& block : *blocks) ASSERT_EQ(code(follower->append(block)), "ok");
  }
  EXPECT_EQ(follower->ledger().digest(), c.ledger.digest());
  // Refused by name, and a waiting one is forgotten by a close without a block.
  const Transaction waiting = c.make(id(1), c.open_body());
  EXPECT_EQ(code(sequencer.submit(waiting)), "ok");
  EXPECT_EQ(code(sequencer.submit(waiting)), "out_of_sequence");
  EXPECT_EQ(code(sequencer.close()), "ok");
  auto again = LedgerStore::open(file);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->ledger().digest(), c.ledger.digest());
}

TEST_F(Store, after_a_crash_everything_acknowledged_is_there) {
  Consortium c;
  c.run_round(64);
  {
    auto store = LedgerStore::create(file, c.ledger.genesis());
    ASSERT_TRUE(store);
    for (const Block& block : c.blocks) ASSERT_EQ(code(store->append(block)), "ok");
    // The disk as another process would find it now: file and write-ahead log, no seal.
    for (const char* part : {"", "-wal"})
      fs::copy_file(file.string() + part, (folder_ / "copy.db").string() + part);
  }
  auto store = LedgerStore::open(folder_ / "copy.db");
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ(store->ledger().digest(), c.ledger.digest());
}

}  // namespace
}  // namespace consilium::ledger::test
