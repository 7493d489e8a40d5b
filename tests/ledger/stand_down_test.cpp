// A set that froze and was aborted: who gives it up, and what that frees (sealing-spec §8.2, attack
// 15).

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

void attested(Consortium& c, const std::vector<HospitalId>& there) {
  c.open();
  c.submit(there);
  if (c.state() == "sealing") c.pass_deadline();
  c.attest(c.miners, there);
}

/// All froze, two of four were ready, and the round was aborted.
void aborted_after_ready(Consortium& c) {
  attested(c, c.hospitals);
  c.freeze();
  c.ready({id(1), id(2)});
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  ASSERT_EQ(c.round().reason, "committee_short");
  c.block();
}

auto stand_down(const Consortium& c) -> StandDown {
  return StandDown{c.round().id, c.round().set_digest};
}

TEST(StandDown, needs_so_many_that_too_few_are_left_to_open) {
  for (std::uint16_t miners = 1; miners <= 64; ++miners) {
    const auto committee = sealing::committee_of(miners);
    const std::size_t needed = strikes_at(committee);
    EXPECT_EQ(needed,
              static_cast<std::size_t>(miners - committee.threshold + committee.faulty_max + 1));
    // f of them lie: the honest rest leaves fewer than t who would ever publish …
    EXPECT_LT(miners - (needed - committee.faulty_max), committee.threshold);
    // … and those who may be needed are there whenever a round can run at all.
    EXPECT_LE(needed, committee.threshold);
  }
}

TEST(StandDown, is_said_of_a_set_that_froze_and_was_aborted) {
  Consortium c;
  attested(c, c.hospitals);
  EXPECT_EQ(c.send_as(id(1), stand_down(c)), "wrong_state");
  c.freeze();
  EXPECT_EQ(c.send_as(id(1), stand_down(c)), "wrong_state");
  c.ready({id(1), id(2)});
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.send_as(id(1), StandDown{c.round().id, digest_of("another set")}), "stale_context");
  EXPECT_EQ(c.send_as(id(1), StandDown{RoundId{9}, c.round().set_digest}), "unknown_round");
  EXPECT_EQ(c.send_as(id(1), NotSent{c.round().id, c.round().set_digest}), "wrong_state");
  EXPECT_EQ(c.send_as(id(1), stand_down(c)), "ok");
  EXPECT_EQ(c.send_as(id(1), stand_down(c)), "duplicate");
  EXPECT_EQ(c.round().stood_down, std::vector<HospitalId>{id(1)});
}

TEST(StandDown, of_a_round_that_never_froze_has_no_meaning) {
  Consortium c;
  c.open();
  c.submit({id(1)});
  c.pass_deadline();
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.send_as(id(1), stand_down(c)), "wrong_state");
}

TEST(StandDown, of_enough_miners_frees_the_family_for_another_cut) {
  Consortium c;
  aborted_after_ready(c);
  const Digest base = c.round().open.base;
  EXPECT_EQ(c.send_as(id(1), stand_down(c)), "ok");
  EXPECT_EQ(c.send_as(id(2), stand_down(c)), "ok");
  EXPECT_FALSE(is_struck(c.round()));
  EXPECT_TRUE(c.ledger.families().contains(base));
  // Two of four: the set may still be opened elsewhere, so no other cut of the base.
  const auto first = c.round().id;
  attested(c, {id(2), id(3), id(4)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  EXPECT_EQ(c.send_as(id(4), StandDown{first, c.ledger.find_round(first)->set_digest}), "ok");
  EXPECT_TRUE(is_struck(*c.ledger.find_round(first)));
  EXPECT_FALSE(c.ledger.families().contains(base));
  c.block();
  attested(c, {id(2), id(3), id(4)});
  c.freeze();
  EXPECT_EQ(c.round().set.size(), 3U);
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote();
  EXPECT_EQ(c.state(), "accepted");
}

TEST(StandDown, frees_nothing_while_another_set_of_the_family_stands_or_was_opened) {
  Consortium c;
  aborted_after_ready(c);
  const auto first = c.round().id;
  const auto given_up = stand_down(c);
  const Digest base = c.round().open.base;
  attested(c, c.hospitals);
  c.freeze();
  for (const int miner : {1, 2, 3}) EXPECT_EQ(c.send_as(id(miner), given_up), "ok");
  EXPECT_TRUE(is_struck(*c.ledger.find_round(first)));
  ASSERT_TRUE(c.ledger.families().contains(base)) << "the second set has frozen along its cut";
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote(2);
  ASSERT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.send_as(id(4), given_up), "ok");
  EXPECT_TRUE(c.ledger.families().contains(base)) << "a set of it was opened";
}

TEST(StandDown, is_taken_back_with_its_block) {
  Consortium c;
  aborted_after_ready(c);
  const Digest before = c.ledger.recomputed_digest();
  for (const int miner : {1, 2, 3}) ASSERT_EQ(c.send_as(id(miner), stand_down(c)), "ok");
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  EXPECT_TRUE(c.ledger.families().contains(c.round().open.base));
}

}  // namespace
}  // namespace consilium::ledger::test
