// A sequencer that shows different nodes different ledgers, with f accomplices among the miners.

#include <cstdlib>

#include <gtest/gtest.h>

#include "world.hpp"

namespace consilium::simulator {
namespace {

constexpr std::size_t accomplice = 3;  // of four: f = 1

struct Schedule {
  bool before_opening = false;  ///< fork before the round opens: two seeds; else one seed
  std::size_t censored = 0;     ///< whose manifest never arrives on the second chain
  unsigned on_second = 0;       ///< bit n: honest node n follows the second chain
  bool mirrors = false;         ///< what is said on one chain is repeated on the other
  bool move_over = true;        ///< honest nodes of the first chain are led to the second later
  bool wiped = false;           ///< … and have lost their set logs: the guard is off
};

/// The round 1 update of every honest hospital, as it was sealed on the first chain.
struct Outcome {
  std::vector<std::string> broken;
  std::vector<std::vector<std::int64_t>> opened;  ///< what an outsider reads from each openable set
  std::vector<std::vector<HospitalId>> members;
  std::vector<std::vector<std::int64_t>> sealed;  ///< by node
  std::vector<std::string> remarks;
};

auto play(const Schedule& schedule) -> Outcome {
  World world(4, 11);
  std::size_t second = 0;
  const auto split = [&] {
    second = world.fork();
    world.double_of(accomplice, second);
    for (std::size_t at = 0; at < accomplice; ++at) {
      if ((schedule.on_second >> at & 1U) != 0) world.move_to_chain(at, second);
    }
    world.mirrors = schedule.mirrors;
    world.takes = [&](std::size_t chain, const ledger::Transaction& transaction) {
      return chain != second || transaction.sender != world.nodes[schedule.censored].id ||
             !std::holds_alternative<ledger::SubmitManifest>(transaction.body);
    };
  };
  if (schedule.before_opening) {
    split();
    world.open_update();
  } else {
    world.open_update();
    world.tick();
    split();
  }
  Outcome outcome;
  outcome.sealed.resize(4);
  for (int i = 0; i < 100; ++i) {
    world.tick();
    for (std::size_t at = 0; at < 4; ++at) {
      const bool kept = world.nodes[at].disk->records.contains("rounds/1/update");
      if (outcome.sealed[at].empty() && kept)
        outcome.sealed[at] = world.kept_values(at, RoundId{1});
    }
    if (i == 32 && schedule.move_over) {
      for (std::size_t at = 0; at < accomplice; ++at) {
        if (world.nodes[at].chain != second) {
          world.move_to_chain(at, second, schedule.wiped);
        }
      }
    }
  }
  outcome.broken = world.broken;
  outcome.remarks = world.remarks;
  for (const ReleasedSet* set : world.openable()) {
    auto sum = world.open(*set);
    if (!sum) continue;
    outcome.opened.push_back(sum->values);
    outcome.members.push_back(set->members);
  }
  return outcome;
}

TEST(Fork, shown_to_miners_who_lost_their_logs_gives_one_hospital_away) {
  // The guard off: everybody opens {1, 2, 3, 4} on the first chain, is led to the second with an
  // empty set log, and opens {2, 3, 4} there.
  const Outcome outcome = play({.censored = 0, .mirrors = true, .wiped = true});
  ASSERT_EQ(outcome.opened.size(), 2U);
  ASSERT_EQ(outcome.members[0].size() + outcome.members[1].size(), 7U);
  const std::size_t large = outcome.members[0].size() == 4 ? 0 : 1;
  std::vector<std::int64_t> difference = outcome.opened[large];
  for (std::size_t at = 0; at < difference.size(); ++at) {
    difference[at] -= outcome.opened[1 - large][at];
  }
  EXPECT_EQ(difference, outcome.sealed[0]) << "the update of hospital 1, to the last unit";
  EXPECT_FALSE(outcome.broken.empty()) << "and the simulator's eyes see it";
}

TEST(Fork, shown_to_miners_with_their_logs_opens_nothing_more) {
  const Outcome outcome = play({.censored = 0, .mirrors = true, .wiped = false});
  EXPECT_EQ(outcome.opened.size(), 1U);
  EXPECT_TRUE(outcome.broken.empty()) << outcome.broken.front();
  // {2, 3, 4} is no union of cells of what they have logged, and a second set besides.
  const auto refused =
      std::count_if(outcome.remarks.begin(), outcome.remarks.end(), [](const std::string& remark) {
        return remark.find("(set_forbidden)") != std::string::npos ||
               remark.find("(second_set)") != std::string::npos;
      });
  EXPECT_GE(refused, 2);
}

TEST(Fork, of_four_with_one_accomplice_never_opens_two_sets_in_any_small_schedule) {
  const bool all = std::getenv("CONSILIUM_LONG_TESTS") != nullptr;
  std::size_t opened_something = 0;
  for (const bool before_opening : {false, true}) {
    for (std::size_t censored = 0; censored < (all ? 4U : 1U); ++censored) {
      for (unsigned on_second = 0; on_second < 8; ++on_second) {
        for (const bool mirrors : {false, true}) {
          for (const bool move_over : {true, false}) {
            if (!all && !move_over && !mirrors) continue;
            const Outcome outcome =
                play({before_opening, censored, on_second, mirrors, move_over, false});
            EXPECT_TRUE(outcome.broken.empty())
                << outcome.broken.front() << ": before " << before_opening << " censored "
                << censored << " on second " << on_second << " mirrors " << mirrors;
            EXPECT_LE(outcome.opened.size(), 1U);
            opened_something += outcome.opened.size();
          }
        }
      }
    }
  }
  EXPECT_GT(opened_something, 0U) << "a schedule in which nothing ever opens proves nothing";
}

}  // namespace
}  // namespace consilium::simulator
