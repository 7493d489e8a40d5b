// Versions of the rules: voted for, in force from a height on, and never made up by a program that
// lacks them.

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto upgrade(std::uint32_t version, std::uint64_t height) -> Propose {
  return Propose{ProposeUpgrade{version, Height{height}}};
}

/// Votes for version 2 from `ahead` heights above the present one on.
auto vote_for_two(Consortium& c, std::uint64_t ahead) -> Height {
  const Height at{c.ledger.height().value + ahead};
  EXPECT_EQ(c.send_as(id(1), upgrade(2, at.value)), "ok");
  c.vote_until_decided(c.hospitals);
  return at;
}

TEST(Upgrade, is_voted_for_and_begins_with_the_block_of_its_height) {
  Consortium c;
  EXPECT_EQ(c.ledger.app_version(), 1U);
  const Height at = vote_for_two(c, 4);
  ASSERT_EQ(c.ledger.pending_upgrade(), (Upgrade{2, at}));
  while (c.ledger.height().value + 1 < at.value) {
    EXPECT_EQ(c.ledger.next_app_version(), 1U);
    EXPECT_EQ(code(c.ledger.knows_next_version()), "ok");
    c.block();
  }
  EXPECT_EQ(c.ledger.app_version(), 1U);
  EXPECT_EQ(c.ledger.next_app_version(), 2U);
}

TEST(Upgrade, stops_a_program_without_it_before_its_first_block) {
  Consortium c;
  const Height at = vote_for_two(c, 3);
  c.block(2);
  ASSERT_EQ(c.ledger.height().value + 1, at.value);
  EXPECT_EQ(code(c.ledger.knows_next_version()), "app_version_unknown");
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "app_version_unknown");

  // A program that has version 2 goes on from the same blocks, and its next block is by it …
  Ledger newer(c.ledger.genesis(), 2);
  for (const Block& block : c.blocks) ASSERT_EQ(code(newer.apply_block(block)), "ok");
  EXPECT_EQ(newer.digest(), c.ledger.digest());
  const Transaction transaction = c.make(id(1), c.open_body());
  ASSERT_EQ(code(newer.apply(transaction)), "ok");
  const Block made = newer.end_block();
  EXPECT_EQ(newer.app_version(), 2U);
  EXPECT_EQ(newer.pending_upgrade(), std::nullopt);
  EXPECT_EQ(newer.recomputed_digest(), newer.digest());
  // … which the older one does not take, and stays where it was.
  const Digest before = c.ledger.recomputed_digest();
  EXPECT_EQ(code(c.ledger.apply_block(made)), "app_version_unknown");
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  newer.revert_block();
  EXPECT_EQ(newer.app_version(), 1U);
  EXPECT_EQ(newer.digest(), before);
}

TEST(Upgrade, is_refused_when_nobody_could_follow_it) {
  Consortium c;
  const std::uint64_t next = c.ledger.height().value + 1;
  EXPECT_EQ(c.send_as(id(1), upgrade(1, next + 5)), "bad_upgrade");
  EXPECT_EQ(c.send_as(id(1), upgrade(3, next + 5)), "bad_upgrade");
  EXPECT_EQ(c.send_as(id(1), upgrade(0, next + 5)), "bad_upgrade");
  EXPECT_EQ(c.send_as(id(1), upgrade(2, next)), "bad_upgrade");
  EXPECT_EQ(c.send_as(id(1), upgrade(2, 0)), "bad_upgrade");
  EXPECT_EQ(c.send_as(id(1), upgrade(2, next + 10'000'001)), "bad_upgrade");
  EXPECT_EQ(c.send_as(id(1), upgrade(1, 0)), "bad_upgrade");  // nothing to take back
  EXPECT_EQ(c.send_as(id(1), upgrade(2, next + 1)), "ok");
}

TEST(Upgrade, is_not_accepted_after_its_height_has_come) {
  Consortium c;
  ASSERT_EQ(c.send_as(id(1), upgrade(2, c.ledger.height().value + 2)), "ok");
  const auto number = c.ledger.proposals().begin()->first;
  ASSERT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  c.block(2);
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "bad_upgrade");
  EXPECT_EQ(c.ledger.pending_upgrade(), std::nullopt);
}

TEST(Upgrade, may_be_moved_or_taken_back_by_another_vote) {
  Consortium c;
  const Height first = vote_for_two(c, 5);
  const Height later = vote_for_two(c, 20);
  c.block();
  c.expect_same_from_snapshot();
  ASSERT_NE(first, later);
  EXPECT_EQ(c.ledger.pending_upgrade(), (Upgrade{2, later}));
  ASSERT_EQ(c.send_as(id(2), upgrade(1, 0)), "ok");
  c.vote_until_decided(c.hospitals);
  EXPECT_EQ(c.ledger.pending_upgrade(), std::nullopt);
  c.block(30);
  EXPECT_EQ(c.ledger.app_version(), 1U);
}

TEST(Upgrade, needs_more_than_two_thirds) {
  Consortium c;
  ASSERT_EQ(c.send_as(id(1), upgrade(2, c.ledger.height().value + 9)), "ok");
  const auto number = c.ledger.proposals().begin()->first;
  ASSERT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  EXPECT_EQ(c.ledger.pending_upgrade(), std::nullopt);
  ASSERT_EQ(c.send_as(id(3), Vote{number, true}), "ok");
  EXPECT_TRUE(c.ledger.pending_upgrade().has_value());
}

}  // namespace
}  // namespace consilium::ledger::test
