// After every word of a seeded walk: `check` and
// `apply` agree, a refusal leaves no trace (Consortium::send), the invariants hold (end_block), and
// a replay gives the same digests.

#include "walk.hpp"

namespace consilium::ledger::test {
namespace {

void walk(Topology topology, std::uint64_t seeds) {
  std::map<std::string, int> verdicts;
  std::size_t models = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed, topology);
    for (int i = 0; i < 500; ++i) {
      walk.step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    walk.c.block();
    for (const auto& [verdict, count] : walk.verdicts) verdicts[verdict] += count;
    models += walk.c.ledger.models().size();
    Ledger replayed(walk.c.ledger.genesis());
    for (std::size_t i = 0; i < walk.c.blocks.size(); ++i) {
      ASSERT_EQ(code(replayed.apply_block(walk.c.blocks[i])), "ok");
      ASSERT_EQ(replayed.digest(), walk.c.digests[i]);
    }
  }
  // The walk went somewhere: models were accepted, and refusals of many kinds were seen.
  EXPECT_GE(models, seeds / 2);
  EXPECT_GE(verdicts.size(), 12U);
  EXPECT_GT(verdicts["ok"], static_cast<int>(seeds) * 60);
}

TEST(Walk, of_a_committee_keeps_every_invariant) {
  walk(Topology::committee, 8);
}
TEST(Walk, of_a_centre_keeps_every_invariant) {
  walk(Topology::central, 8);
}

}  // namespace
}  // namespace consilium::ledger::test
