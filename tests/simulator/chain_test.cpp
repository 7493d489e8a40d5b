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

/// The first seed of so many that shows something broken, and what it was.
auto first_broken(const Mutants& mutants, std::uint64_t seeds) -> std::string {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto report = run_chain_seed(seed, mutants);
    if (!report.broken.empty()) {
      std::printf("[ mutant   ] seed %llu: %s\n", static_cast<unsigned long long>(seed),
                  report.broken.front().c_str());
      return report.broken.front();
    }
  }
  return "nothing";
}

struct Hunt {
  std::string name;
  Mutants mutants;
  std::vector<std::string> shows;  ///< one of these
};

TEST(Chain, shows_what_breaks_when_a_rule_is_taken_away) {
  const std::vector<Hunt> hunts{
      {"no locks", {.forgets_locks = true}, {"a fork"}},
      {"a memory that dies", {.forgets_votes = true}, {"a fork"}},
      {"half is a quorum", {.small_quorum = true}, {"a fork", "that does not follow"}},
      {"nobody looks at proposals", {.trusts_proposals = true}, {"a refused transaction"}},
      {"own commits count", {.counts_own_commits = true}, {"another state", "other validators"}},
      {"nobody catches up", {.never_catches_up = true}, {"never comes to rest"}},
      {"a disk that lies", {.lies_about_syncs = true}, {"on its disk"}},
      {"told too early", {.acknowledges_early = true}, {"on no chain"}},
      {"everybody lowered", {.lowers_everybody = true}, {"lowered", "hold a third"}},
  };
  for (const auto& hunt : hunts) {
    const std::string shown = first_broken(hunt.mutants, 400);
    EXPECT_TRUE(
        std::any_of(hunt.shows.begin(), hunt.shows.end(),
                    [&](const std::string& word) { return shown.find(word) != std::string::npos; }))
        << hunt.name << ": " << shown;
  }
}

}  // namespace
}  // namespace consilium::simulator
