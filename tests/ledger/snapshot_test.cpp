// A ledger that is restored from a snapshot is the ledger that gave it.

#include "walk.hpp"

namespace consilium::ledger::test {
namespace {

auto restored(const Ledger& ledger) -> Ledger {
  auto again = Ledger::restore(ledger.genesis(), ledger.snapshot(), ledger.digest());
  EXPECT_TRUE(again) << (again ? "" : again.error().message());
  return std::move(*again);
}

/// Says to `ledger` what was said for the block of height from + 1 and later, and expects the same
/// verdicts, hashes and digests; `each_block` may put another ledger in its place.
template <typename EachBlock>
void follow(const Consortium& c, Ledger ledger, EachBlock each_block) {
  for (std::size_t at = ledger.height().value; at < c.blocks.size(); ++at) {
    for (const auto& [transaction, verdict] : c.heard[at]) {
      ASSERT_EQ(code(ledger.check(transaction)), verdict);
      ASSERT_EQ(code(ledger.apply(transaction)), verdict);
    }
    ASSERT_EQ(ledger.end_block().hash(), c.blocks[at].hash());
    ASSERT_EQ(ledger.digest(), c.digests[at]);
    for (const auto& [id, round] : ledger.rounds()) {
      ASSERT_EQ(ledger.block_hash(round.opened_at), c.ledger.block_hash(round.opened_at));
      ASSERT_EQ(ledger.packer_ranks(round).size(), round.miners.size());
    }
    each_block(ledger);
  }
}

/// A walk of this seed, or without end the same for every seed.
auto walked(std::uint64_t seed, Topology topology, int steps) -> std::unique_ptr<Walk> {
  auto walk = std::make_unique<Walk>(seed, topology);
  for (int i = 0; i < steps; ++i) walk->step();
  walk->c.block();
  return walk;
}

TEST(Snapshot, taken_and_restored_at_every_height_of_a_walk_changes_no_later_verdict) {
  for (const Topology topology : {Topology::committee, Topology::central}) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      const auto walk = walked(seed, topology, 400);
      follow(walk->c, Ledger(walk->c.ledger.genesis()),
             [](Ledger& ledger) { ledger = restored(ledger); });
      ASSERT_FALSE(::testing::Test::HasFatalFailure());
    }
  }
}

TEST(Snapshot, of_any_height_is_enough_for_all_blocks_after_it) {
  const auto walk = walked(5, Topology::committee, 300);
  Ledger original(walk->c.ledger.genesis());
  for (std::size_t at = 0; at < walk->c.blocks.size(); ++at) {
    if (at % 5 == 0) {
      SCOPED_TRACE("from height " + std::to_string(at));
      follow(walk->c, restored(original), [](Ledger&) {});
      ASSERT_FALSE(::testing::Test::HasFatalFailure());
    }
    ASSERT_EQ(code(original.apply_block(walk->c.blocks[at])), "ok");
  }
}

TEST(Snapshot, of_which_any_byte_is_another_or_missing_is_refused_by_name) {
  Consortium c;
  c.run_round(64);
  c.open();
  const Genesis& genesis = c.ledger.genesis();
  const Bytes snapshot = c.ledger.snapshot();
  std::map<std::string, int> refusals;
  const auto refusal = [&](const Bytes& bytes) {
    const auto result = Ledger::restore(genesis, bytes, c.ledger.digest());
    return result ? "taken" : result.error().code;
  };
  ASSERT_EQ(refusal(snapshot), "taken");
  for (std::size_t at = 0; at < snapshot.size(); ++at) {
    Bytes damaged = snapshot;
    damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ (1U << (at % 8)));
    ++refusals[refusal(damaged)];
    ASSERT_FALSE(refusals.contains("taken")) << "byte " << at;
  }
  for (std::size_t size = 0; size < snapshot.size(); size += 7)
    ++refusals[refusal(Bytes(snapshot.begin(), snapshot.begin() + static_cast<long>(size)))];
  Bytes longer = snapshot;
  longer.push_back(0);
  ++refusals[refusal(longer)];
  EXPECT_FALSE(refusals.contains("taken"));
  std::vector<std::string> names;
  for (const auto& [name, count] : refusals) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"bad_encoding", "snapshot_damaged", "wrong_consortium"}));
}

TEST(Snapshot, of_another_state_or_consortium_is_refused) {
  Consortium c;
  c.run_round();
  const Bytes old = c.ledger.snapshot();
  c.open();
  EXPECT_EQ(code(Ledger::restore(c.ledger.genesis(), old, c.ledger.digest())), "snapshot_damaged");
  Genesis other = c.ledger.genesis();
  other.name = "another";
  EXPECT_EQ(code(Ledger::restore(other, c.ledger.snapshot(), c.ledger.digest())),
            "wrong_consortium");
}

TEST(Snapshot, whose_block_hash_is_not_the_one_a_round_was_drawn_from_is_refused) {
  // The digest does not hold the hashes: a snapshot that lies about one would have its ledger draw
  // another packer than everybody else's.
  Consortium c;
  c.open();
  c.block();
  Bytes snapshot = c.ledger.snapshot();
  const Digest hash = c.ledger.block_hash(c.round().opened_at);
  const auto found =
      std::search(snapshot.begin(), snapshot.end(), hash.bytes.begin(), hash.bytes.end());
  ASSERT_NE(found, snapshot.end());
  *found ^= 1U;
  EXPECT_EQ(code(Ledger::restore(c.ledger.genesis(), snapshot, c.ledger.digest())),
            "snapshot_damaged");
}

TEST(Snapshot, can_be_taken_back_to_by_a_block_that_was_not_kept) {
  Consortium c;
  c.run_round();
  Ledger again = restored(c.ledger);
  const Transaction transaction = c.make(id(1), c.open_body());
  ASSERT_EQ(code(again.apply(transaction)), "ok");
  (void)again.end_block();
  again.revert_block();
  EXPECT_EQ(again.digest(), c.ledger.digest());
  EXPECT_EQ(again.snapshot(), c.ledger.snapshot());
  ASSERT_EQ(code(again.apply(transaction)), "ok");
}

}  // namespace
}  // namespace consilium::ledger::test
