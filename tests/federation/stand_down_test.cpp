// A round aborted after its set froze: nodes stand down by themselves, and go on with others
// (sealing-spec §8.2, attack 15).

#include <gtest/gtest.h>

#include "consortium.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;

template <typename Condition>
void tick_until(Consortium& c, Condition condition) {
  for (int i = 0; i < 300 && !condition(); ++i) c.tick();
  ASSERT_TRUE(condition());
}

/// Everybody has sealed and attested, and nobody has frozen the set yet.
void attested_by_all(Consortium& c) {
  c.meddle = [](std::size_t, const ledger::Body& body) {
    return !std::holds_alternative<ledger::Freeze>(body);
  };
  tick_until(c, [&] { return c.last_round().attests.size() == c.members.size(); });
  c.meddle = nullptr;
}

/// All four sealed and froze; two say ready, two are gone, and the round is aborted.
void abort_after_ready(Consortium& c) {
  ASSERT_TRUE(c.open_update(c.plan()));
  attested_by_all(c);
  c.members[2].away = c.members[3].away = true;
  tick_until(c, [&] { return c.last_round().state == RoundState::aborted; });
  ASSERT_EQ(c.last_round().set.size(), 4U);
  ASSERT_EQ(c.last_round().reason, "committee_short");
  ASSERT_EQ(c.last_round().ready.size(), 2U);
}

TEST(StandingDown, lets_another_set_be_opened_once_enough_have_promised) {
  Consortium c(4);
  abort_after_ready(c);
  const auto first = c.last_round().id;
  const auto stream = c.last_round().stream;
  // Hospital 3 comes back; the sequencer loses its promise. The set of four may still be opened
  // somewhere, so three alone are refused.
  c.members[2].away = false;
  c.meddle = [](std::size_t member, const ledger::Body& body) {
    return member != 2 || !std::holds_alternative<ledger::StandDown>(body);
  };
  c.tick();
  EXPECT_EQ(c.state().find_round(first)->stood_down.size(), 2U);
  ASSERT_TRUE(c.open_update(c.plan()));
  // Hospital 3 repeats its lost promise and nothing else: it has said it in its own log already.
  EXPECT_TRUE(c.members[2].set_log->has_stood_down(stream, first));
  EXPECT_TRUE(c.members[0].set_log->find(stream, first)) << "two promises strike nothing out";
  tick_until(c, [&] { return c.last_round().state == RoundState::aborted; });
  EXPECT_NE(c.last_round().id, first);

  c.meddle = nullptr;
  c.tick();
  c.tick();
  EXPECT_TRUE(ledger::is_struck(*c.state().find_round(first)));
  EXPECT_FALSE(c.members[0].set_log->find(stream, first));
  for (std::size_t m = 0; m < 3; ++m) c.restart(m);  // none of it is lost in a crash
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 3U);
  EXPECT_FALSE(c.stopped) << c.stopped->message();
  EXPECT_TRUE(c.refusals.empty()) << c.refusals.front();
}

TEST(StandingDown, is_repeated_after_a_crash_between_log_and_ledger) {
  Consortium c(4);
  abort_after_ready(c);
  const auto first = c.last_round().id;
  c.members[2].away = false;
  const auto said = c.members[2].participant->step(c.state());
  c.restart(2);
  const auto again = c.members[2].participant->step(c.state());
  ASSERT_TRUE(said && *said && again && *again);
  EXPECT_TRUE(std::holds_alternative<ledger::StandDown>(**said));
  EXPECT_EQ(std::get<ledger::StandDown>(**again).round, first);
}

TEST(StandingDown, is_never_said_by_a_miner_that_published) {
  // Its ledger was taken from it and replaced by a fork in which the round was aborted.
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  attested_by_all(c);
  c.members[2].away = c.members[3].away = true;
  tick_until(c, [&] { return c.last_round().ready.size() == 2; });
  const auto& round = c.last_round();
  sealing::SetLogEntry published = *c.members[0].set_log->find(round.stream, round.id);
  published.kind = sealing::SetLogKind::published;
  ASSERT_TRUE(c.members[0].set_log->record(published));
  tick_until(c, [&] { return c.last_round().state == RoundState::aborted; });
  c.tick();
  c.tick();
  EXPECT_EQ(c.last_round().stood_down, std::vector<HospitalId>{c.members[1].id});
  EXPECT_TRUE(c.members[0].set_log->find(round.stream, round.id));
}

TEST(StandingDown, waits_for_nobody_where_a_quorum_makes_an_abort_final) {
  Consortium c(4, ledger::Topology::committee, {}, Finality::quorum);
  abort_after_ready(c);
  c.tick();
  const auto& round = c.last_round();
  EXPECT_LT(round.stood_down.size(), 3U);
  EXPECT_FALSE(c.members[0].set_log->find(round.stream, round.id)) << "struck by the abort itself";
  EXPECT_TRUE(c.members[0].set_log->has_stood_down(round.stream, round.id));
}

TEST(SetRule, a_miner_that_was_away_at_the_first_freeze_takes_part_in_the_second) {
  // Seven hospitals make two cells. A miner whose log holds nothing of the family makes the
  // partition from the set that froze first; from the second set alone it would be another one.
  Consortium c(7);
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  for (std::size_t i = 1; i < 7; ++i) c.members[i].cases->poison();
  auto plan = c.plan();
  plan.training.local_steps = 400;
  ASSERT_TRUE(c.open_update(plan));
  attested_by_all(c);
  c.members[6].away = true;
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::rolled_back);
  c.members[6].away = false;
  plan.run = 1;
  ASSERT_TRUE(c.open_update(plan));
  tick_until(c, [&] { return c.last_round().ready.size() == 7; });
}

}  // namespace
}  // namespace consilium::federation::testing
