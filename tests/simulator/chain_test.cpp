// The chain under faults: what the simulator promises, and that it would notice. Each mutant takes
// one rule away from the model, and the invariant that the rule serves must go red.

#include <gtest/gtest.h>

#include "consilium/foundation/database.hpp"

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

TEST(Invariants, see_a_sequence_number_that_is_missing_or_used_twice) {
  const ChainPast& past = chain_past(4, false);
  std::vector<std::uint64_t> sequences(4, 0);
  for (const auto& block : past.blocks) {
    ASSERT_TRUE(sequences_after(sequences, block));
    if (block.transactions.empty()) continue;
    ledger::Block forged = block;
    forged.transactions.push_back(block.transactions.front());
    EXPECT_FALSE(sequences_after(sequences, forged)) << "twice";
    auto gap = ledger::Transaction::decode(block.transactions.front()).value();
    gap.sequence += 1;
    forged.transactions = {gap.encode()};
    EXPECT_FALSE(sequences_after(sequences, forged)) << "a gap";
    sequences = sequences_after(sequences, block).value();
  }
  EXPECT_GT(sequences.front(), 2U);
}

TEST(Invariants, see_powers_that_f_liars_could_misuse) {
  EXPECT_EQ(fault_of({100, 100, 100, 100}), std::nullopt);
  EXPECT_EQ(fault_of({100, 100, 100, 1}), std::nullopt);
  EXPECT_EQ(fault_of({100, 100, 1, 1}), "more than f validators are lowered");
  EXPECT_EQ(fault_of({100, 100, 100, 100, 100, 1, 1}), "f validators hold a third");
  EXPECT_EQ(fault_of({100, 0, 0, 0}), std::nullopt) << "one alone may not lie, and need not";
}

// --- the disk

/// What a database on the disk is asked, and whether it still knows.
class Pages {
 public:
  explicit Pages(VirtualDisk& disk) : disk_(disk) { open(); }
  ~Pages() { disk_.power_off(); }
  Pages(const Pages&) = delete;
  auto operator=(const Pages&) -> Pages& = delete;
  void open() {
    database_.reset();
    disk_.power_on();
    database_ =
        std::make_unique<Database>(must(Database::open(node_folder(9) / "ledger.db", "pages", 1)));
    (void)database_->execute("CREATE TABLE IF NOT EXISTS page (number INTEGER, body BLOB)");
  }
  auto write(std::int64_t number) -> Result<void> {
    return database_->in_transaction([&]() -> Result<void> {
      CONSILIUM_TRY(auto insert, database_->prepare("INSERT INTO page VALUES (?, zeroblob(9000))"));
      insert.bind(0, number);
      return insert.run();
    });
  }
  auto last() -> std::int64_t {
    auto query = must(database_->prepare("SELECT coalesce(max(number), 0) FROM page"));
    EXPECT_TRUE(must(query.step()));
    return query.integer(0);
  }
  void cut() {
    disk_.power_off();
    open();
  }

 private:
  VirtualDisk& disk_;
  std::unique_ptr<Database> database_;
};

TEST(VirtualDisks, keep_what_was_committed_through_a_power_cut_at_any_write) {
  std::uint64_t cuts = 0;
  for (std::uint64_t after = 0; after < 40; ++after) {
    VirtualDisk disk(node_folder(9), after);
    Pages pages(disk);
    for (std::int64_t number = 1; number <= 3; ++number) must(pages.write(number));
    disk.cut_power_after(after);
    std::int64_t answered = 3;
    while (answered < 60) {
      if (!pages.write(answered + 1)) break;
      ++answered;
    }
    ASSERT_FALSE(disk.has_power());
    pages.cut();
    EXPECT_GE(pages.last(), answered);
    EXPECT_LE(pages.last(), answered + 1) << "what was cut off is there whole, or not at all";
    must(pages.write(99));
    cuts += disk.writes_lost + disk.writes_torn;
  }
  EXPECT_GT(cuts, 40U);
}

TEST(VirtualDisks, keep_what_was_committed_when_the_log_is_folded_into_the_file) {
  // More than a thousand pages: SQLite writes them back into the main file meanwhile.
  VirtualDisk disk(node_folder(9), 1);
  Pages pages(disk);
  std::int64_t answered = 0;
  for (int cut = 0; cut < 30; ++cut) {
    disk.cut_power_after(40 + 37 * static_cast<std::uint64_t>(cut));
    while (pages.write(answered + 1)) ++answered;
    pages.cut();
    ASSERT_GE(pages.last(), answered);
    answered = pages.last();
  }
  EXPECT_GT(answered, 1000);
}

TEST(VirtualDisks, that_are_full_say_so_and_lose_nothing) {
  VirtualDisk disk(node_folder(9), 1);
  Pages pages(disk);
  must(pages.write(1));
  disk.full = true;
  EXPECT_EQ(pages.write(2).error().code, "disk_full");
  EXPECT_EQ(pages.last(), 1);
  disk.full = false;
  must(pages.write(2));
  pages.cut();
  EXPECT_EQ(pages.last(), 2);
}

}  // namespace
}  // namespace consilium::simulator
