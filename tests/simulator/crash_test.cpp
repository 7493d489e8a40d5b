#include <gtest/gtest.h>

#include "world.hpp"

namespace consilium::simulator {
namespace {

TEST(Simulator, runs_one_round_to_one_model) {
  World world(4, 1);
  world.open_update();
  world.run(150);
  EXPECT_EQ(world.last_round().state, ledger::RoundState::accepted) << world.last_round().reason;
  EXPECT_TRUE(world.broken.empty()) << world.broken.front();
  EXPECT_EQ(world.openable().size(), 1U);
}

}  // namespace
}  // namespace consilium::simulator
