// What a node still holds of a round's secrets at each of its states, and the keys it draws for it.

#include <gtest/gtest.h>

#include "consortium.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;

/// The secrets of everybody after the first block that began in each state. The ledger may go on
/// within the block: only the first member has surely stepped in that very state.
auto held_by_state(Consortium& c) -> std::map<RoundState, std::vector<SecretsHeld>> {
  std::map<RoundState, std::vector<SecretsHeld>> out;
  const RoundId id = c.last_round().id;
  for (int ticks = 0; ticks < 300; ++ticks) {
    const RoundState before = c.last_round().state;
    c.tick();
    std::vector<SecretsHeld> held;
    for (const auto& m : c.members) held.push_back(m.participant->secrets_held(id));
    out.try_emplace(before, std::move(held));
    if (ledger::is_closed(before)) break;
  }
  return out;
}

auto all(std::size_t openings, std::size_t shares) -> std::vector<SecretsHeld> {
  return std::vector<SecretsHeld>(4, SecretsHeld{openings, shares});
}

TEST(Secrets, live_exactly_as_long_as_somebody_may_ask_for_them) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  auto held = held_by_state(c);
  ASSERT_EQ(c.last_round().state, RoundState::accepted);
  // One opening for each of four miners, one share of each of four hospitals.
  EXPECT_EQ(held.at(RoundState::sealing), all(4, 0));
  EXPECT_EQ(held.at(RoundState::attesting)[0], (SecretsHeld{4, 4}));
  EXPECT_EQ(held.at(RoundState::opening)[0], (SecretsHeld{0, 4}));
  for (const SecretsHeld& one : held.at(RoundState::opening)) {
    EXPECT_EQ(one.openings, 0U) << "no complaint is answered any more";
  }
  EXPECT_EQ(held.at(RoundState::judging), all(0, 0)) << "the opened sum has passed its tests";
  EXPECT_EQ(held.at(RoundState::accepted), all(0, 0));
}

TEST(Secrets, are_gone_when_the_round_is_aborted) {
  Consortium c(4);
  c.members[1].away = c.members[2].away = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  auto held = held_by_state(c);
  ASSERT_EQ(c.last_round().state, RoundState::aborted);
  EXPECT_EQ(held.at(RoundState::sealing)[0].openings, 4U);
  EXPECT_EQ(held.at(RoundState::aborted), all(0, 0));
}

TEST(Secrets, go_even_while_another_round_has_something_to_post) {
  Consortium c(4);
  ASSERT_TRUE(c.open_statistics());
  const RoundId statistics = c.last_round().id;
  ASSERT_TRUE(c.open_update(c.plan()));
  for (int ticks = 0; ticks < 300; ++ticks) {
    c.tick();
    for (const auto& [id, round] : c.state().rounds()) {
      for (const auto& m : c.members) {
        // The states of before this tick's block are what was known: one block later at the latest.
        if (round.closed_at.value == 0 || c.state().height() <= round.closed_at) continue;
        EXPECT_EQ(m.participant->secrets_held(id), SecretsHeld{}) << m.name << id.value;
      }
    }
  }
  EXPECT_EQ(c.state().rounds().at(statistics).state, RoundState::accepted);
  EXPECT_EQ(c.last_round().state, RoundState::accepted);
}

/// Chance that says the same after every restart.
class SnapshotChance final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), 0x5a); }
};

TEST(Secrets, attempts_are_counted_before_anything_is_sealed) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.run_round(c.last_round().id);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.run_round(c.last_round().id);
  for (const auto& m : c.members) {
    auto history = sealing::KeyHistory::decode(m.storage->records.at("rounds/one-time-keys"));
    ASSERT_TRUE(history);
    EXPECT_EQ(history->next_attempt(), 3U);
  }
}

TEST(Secrets, a_key_that_was_used_before_seals_nothing) {
  Consortium c(4);
  SnapshotChance chance;
  c.chance = &chance;
  c.restart(1);
  auto& m = c.members[1];
  ASSERT_TRUE(c.open_update(c.plan()));
  c.end_block();
  // As if the counter had been put back, but not the digests: the key of attempt 1 is known.
  auto history = sealing::KeyHistory::begin(chance);
  ASSERT_TRUE(history.remember(
      sealing::one_time_keys(chance, {c.last_round().seed, m.id, 1, m.hedge_secret})));
  m.storage->records["rounds/one-time-keys"] = history.encode();
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_FALSE(round.manifests.contains(m.id));
  EXPECT_EQ(round.state, RoundState::accepted) << "the others go on";
  EXPECT_NE(std::find_if(c.remarks.begin(), c.remarks.end(),
                         [](const std::string& remark) {
                           return remark.find("key_reuse") != std::string::npos;
                         }),
            c.remarks.end());
}

}  // namespace
}  // namespace consilium::federation::testing
