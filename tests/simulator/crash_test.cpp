// A node is killed at every step of a round at which it touches its disk or the network, one run a
// step, and started again: the same bytes or an abort, never a second set.

#include <cstdlib>

#include <gtest/gtest.h>

#include "world.hpp"

namespace consilium::simulator {
namespace {

using ledger::RoundState;

struct Undisturbed {
  Digest model;
  std::vector<std::uint64_t> steps;  ///< of each node
};

auto undisturbed() -> const Undisturbed& {
  static const Undisturbed run = [] {
    World world(4, 1);
    world.open_update();
    world.run(150);
    EXPECT_EQ(world.last_round().state, RoundState::accepted) << world.last_round().reason;
    EXPECT_TRUE(world.broken.empty()) << world.broken.front();
    Undisturbed out{world.chain_state().models().back().model, {}};
    for (const Node& node : world.nodes) out.steps.push_back(node.steps);
    return out;
  }();
  return run;
}

void expect_same_end_or_abort(World& world, const std::string& what) {
  EXPECT_TRUE(world.broken.empty()) << what << ": " << world.broken.front();
  EXPECT_FALSE(world.stopped) << what << ": " << world.stopped->message();
  EXPECT_LE(world.openable().size(), 1U) << what;
  const auto& round = world.last_round();
  ASSERT_TRUE(round.state == RoundState::accepted || round.state == RoundState::aborted)
      << what << ": " << state_name(round.state) << " " << round.reason;
  if (round.state == RoundState::accepted && round.set.size() == 4) {
    EXPECT_EQ(world.chain_state().models().back().model, undisturbed().model) << what;
  }
}

TEST(Crash, at_every_step_of_a_round_gives_the_same_bytes_or_an_abort) {
  std::size_t accepted = 0;
  std::size_t runs = 0;
  for (std::size_t victim = 0; victim < 4; ++victim) {
    ASSERT_GT(undisturbed().steps[victim], 20U);
    for (std::uint64_t step = 0; step < undisturbed().steps[victim]; ++step) {
      World world(4, 1);
      world.open_update();
      world.nodes[victim].kill_at = step;
      world.run(150);
      ASSERT_FALSE(world.nodes[victim].kill_at) << "step " << step << " never came";
      expect_same_end_or_abort(world, world.nodes[victim].name + " at " + std::to_string(step));
      accepted += world.last_round().state == RoundState::accepted ? 1U : 0U;
      ++runs;
    }
  }
  EXPECT_EQ(accepted, runs) << "one crash of four is no reason to abort";
}

TEST(Crash, of_two_nodes_at_every_pair_of_steps) {
  // Every seventh pair in the short run.
  const std::uint64_t stride = std::getenv("CONSILIUM_LONG_TESTS") != nullptr ? 1 : 7;
  for (std::uint64_t first = 0; first < undisturbed().steps[1]; first += stride) {
    for (std::uint64_t second = first % 3; second < undisturbed().steps[2]; second += stride) {
      World world(4, 1);
      world.open_update();
      world.nodes[1].kill_at = first;
      world.nodes[2].kill_at = second;
      world.run(150);
      expect_same_end_or_abort(world, std::to_string(first) + " and " + std::to_string(second));
    }
  }
}

// --- who stays away, and when

enum class When { before_manifest, after_manifest, frozen, opening, published, judging };

auto reached(const World& world, When when) -> bool {
  const auto& round = world.last_round();
  switch (when) {
    case When::before_manifest:
      return true;
    case When::after_manifest:
      return round.manifests.size() == 4;
    case When::frozen:
      return round.state >= RoundState::frozen;
    case When::opening:
      return round.state >= RoundState::opening;
    case When::published:
      return round.share_sums.size() >= 3;
    case When::judging:
      return round.state >= RoundState::judging;
  }
  return true;
}

constexpr std::array all_moments{When::before_manifest, When::after_manifest, When::frozen,
                                 When::opening,         When::published,      When::judging};

TEST(Dropout, of_one_miner_in_four_at_any_moment_stops_nothing) {
  for (const When when : all_moments) {
    for (std::size_t who = 0; who < 4; ++who) {
      World world(4, 2);
      world.open_update();
      for (int i = 0; i < 100 && !reached(world, when); ++i) world.tick();
      world.nodes[who].away = true;
      world.run(250);
      EXPECT_EQ(world.last_round().state, RoundState::accepted)
          << static_cast<int>(when) << " " << who << " " << world.last_round().reason;
      // Who leaves before another node has fetched its body is left out; later it is not needed.
      const bool fetched = when != When::before_manifest && when != When::after_manifest;
      EXPECT_EQ(world.last_round().set.size(), fetched ? 4U : 3U);
      EXPECT_TRUE(world.broken.empty()) << world.broken.front();
    }
  }
}

TEST(Dropout, of_two_miners_in_four_opens_nothing_or_waits_for_them) {
  for (const When when : all_moments) {
    World world(4, 3);
    world.open_update();
    for (int i = 0; i < 100 && !reached(world, when); ++i) world.tick();
    const bool published = world.last_round().share_sums.size() >= 3;
    const bool opening = world.last_round().state == RoundState::opening;
    world.nodes[0].away = world.nodes[3].away = true;
    world.run(250);
    EXPECT_TRUE(world.broken.empty()) << world.broken.front();
    const auto state = world.last_round().state;
    if (opening && !published) {
      EXPECT_EQ(state, RoundState::opening) << "it waits, and never takes another set";
      EXPECT_TRUE(world.openable().empty());
      const Digest set = world.last_round().set_digest;
      world.nodes[0].away = world.nodes[3].away = false;
      world.run(250);
      EXPECT_EQ(world.last_round().state, RoundState::accepted) << world.last_round().reason;
      EXPECT_EQ(world.last_round().set_digest, set);
    } else if (!published) {
      EXPECT_EQ(state, RoundState::aborted) << static_cast<int>(when);
      EXPECT_TRUE(world.openable().empty()) << static_cast<int>(when);
    } else {
      EXPECT_TRUE(state == RoundState::rolled_back || state == RoundState::opening)
          << "two of four are no quorum: " << state_name(state);
    }
    // Whatever came of it, the update of everybody who sealed is still there or in a model.
    for (const Node& node : world.nodes) {
      const bool kept = node.disk->records.contains("rounds/1/update");
      const bool in_a_model = world.last_round().state == RoundState::accepted;
      const bool sealed = world.last_round().manifests.contains(node.id);
      EXPECT_TRUE(kept || in_a_model || !sealed) << node.name;
    }
    world.nodes[0].away = world.nodes[3].away = false;
  }
}

TEST(Withheld, bodies_keep_their_hospital_out_and_share_sums_stall_nobody) {
  World world(4, 4);
  world.nodes[3].withholds = true;
  world.open_update();
  world.run(200);
  EXPECT_EQ(world.last_round().state, RoundState::accepted) << world.last_round().reason;
  EXPECT_EQ(world.last_round().set.size(), 3U);
  EXPECT_EQ(world.last_round().share_sums.size(), 4U) << "its share sum is named and never shown";
  EXPECT_TRUE(world.broken.empty()) << world.broken.front();
}

TEST(Withheld, at_the_end_by_everybody_for_a_while_ends_no_node) {
  World world(4, 5);
  world.open_update();
  for (int i = 0; i < 100 && world.last_round().state != RoundState::judging; ++i) world.tick();
  ASSERT_EQ(world.last_round().state, RoundState::judging);
  // Restarted nodes remember no opened sum and find nobody who serves blobs.
  for (std::size_t at = 0; at < 4; ++at) {
    world.restart(at);
    world.nodes[at].withholds = true;
  }
  for (int i = 0; i < 5; ++i) world.tick();
  for (Node& node : world.nodes) node.withholds = false;
  world.run(200);
  EXPECT_EQ(world.last_round().state, RoundState::accepted) << world.last_round().reason;
  EXPECT_FALSE(world.stopped) << world.stopped->message();
}

}  // namespace
}  // namespace consilium::simulator
