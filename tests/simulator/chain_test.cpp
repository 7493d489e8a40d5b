// The chain under faults: what the simulator promises, and that it would notice. Each mutant takes
// one rule away from the model, and the invariant that the rule serves must go red.

#include <gtest/gtest.h>

#include "chain_past.hpp"

namespace consilium::simulator {
namespace {

TEST(Chain, tells_the_same_story_for_the_same_seed_and_another_for_another) {
  std::set<Digest> traces;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const auto first = run_chain_seed(seed);
    const auto again = run_chain_seed(seed);
    ASSERT_TRUE(first.broken.empty()) << first.broken.front();
    EXPECT_EQ(first.trace, again.trace) << first.summary;
    EXPECT_EQ(first.faults, again.faults);
    traces.insert(first.trace);
  }
  EXPECT_EQ(traces.size(), 12U);
}

/// Rough and short, so that what a missing rule allows comes soon.
auto rough_story(std::uint64_t seed, const Mutants& mutants, std::vector<std::size_t> liars)
    -> std::string {
  ChainSetup setup;
  setup.liars = std::move(liars);
  setup.climate = {.lost = 5,
                   .late = 10,
                   .twice = 5,
                   .kills = 2,
                   .splits = 2,
                   .aimed = 50,
                   .busy = 90,
                   .lies = 60};
  setup.mutants = mutants;
  ChainWorld world(seed, setup);
  world.run_ms(4000);
  if (world.broken.empty() && world.settle(60'000)) world.compare_files();
  return world.broken.empty() ? "nothing" : world.broken.front();
}

struct Hunt {
  std::string name;
  Mutants mutants;
  std::vector<std::string> shows;  ///< one of these
  std::vector<std::size_t> liars{};
};

TEST(Chain, shows_what_breaks_when_a_rule_is_taken_away) {
  const std::vector<Hunt> hunts{
      {"no locks", {.forgets_locks = true}, {"a fork"}},
      {"a memory that dies", {.forgets_votes = true}, {"a fork"}},
      {"half is a quorum", {.small_quorum = true}, {"a fork", "that does not follow"}},
      {"nobody looks at proposals", {.trusts_proposals = true}, {"a refused transaction"}, {1}},
      {"own commits count", {.counts_own_commits = true}, {"another state", "other validators"}},
      {"nobody catches up", {.never_catches_up = true}, {"never comes to rest"}},
      {"a disk that lies", {.lies_about_syncs = true}, {"on its disk"}},
      {"told too early", {.acknowledges_early = true}, {"on no chain"}},
      {"everybody lowered", {.lowers_everybody = true}, {"lowered", "hold a third"}},
  };
  for (const auto& hunt : hunts) {
    ASSERT_EQ(rough_story(1, {}, hunt.liars), "nothing") << hunt.name << ", with all rules";
    std::string shown = "nothing";
    std::uint64_t seed = 0;
    while (shown == "nothing" && seed < 300) {
      shown = rough_story(++seed, hunt.mutants, hunt.liars);
    }
    EXPECT_TRUE(
        std::any_of(hunt.shows.begin(), hunt.shows.end(),
                    [&](const std::string& word) { return shown.find(word) != std::string::npos; }))
        << hunt.name << ": " << shown;
    std::printf("[ mutant   ] %s, seed %d: %s\n", hunt.name.c_str(), static_cast<int>(seed),
                shown.c_str());
  }
}

}  // namespace
}  // namespace consilium::simulator
