// Sets that were given up, and the single sequencer that would have them opened after all (attack
// 15); logs that begin empty (attacks 9, 20).

#include <algorithm>
#include <memory>

#include <unistd.h>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"
#include "consilium/sealing/set_log.hpp"

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

class StandDowns : public ::testing::Test {
 protected:
  StandDowns() {
    static int counter = 0;
    folder_ =
        std::filesystem::temp_directory_path() /
        ("consilium-stand-down-" + std::to_string(::getpid()) + "-" + std::to_string(++counter));
    std::filesystem::create_directories(folder_);
  }
  ~StandDowns() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::filesystem::path folder_;
};

auto numbered(std::initializer_list<int> numbers) -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const int number : numbers) out.push_back(HospitalId{static_cast<std::uint16_t>(number)});
  return out;
}

/// A record of round `round` on the one base of these tests.
auto entry(std::uint64_t round, const std::vector<HospitalId>& members,
           SetLogKind kind = SetLogKind::set) -> SetLogEntry {
  SetLogEntry out;
  out.stream = digest_of(0x50);
  out.round = RoundId{round};
  out.seed = digest_of(static_cast<std::uint8_t>(0xa0 + round));
  out.base = digest_of(0xba);
  Writer names;
  for (const HospitalId member : members) names.u16(member.value);
  out.set = sha256(names.view());
  out.partition = partition_digest(make_partition(out.seed, members, 3));
  out.members = members;
  out.height = Height{round};
  out.kind = kind;
  return out;
}

TEST_F(StandDowns, keep_a_set_in_the_log_until_it_is_struck_out) {
  const auto file = folder_ / "log";
  const auto all = numbered({1, 2, 3, 4});
  const auto fewer = numbered({1, 2, 3});
  SetLog log = must(SetLog::open(file, 0));
  must(log.record(entry(1, all)));
  must(log.record(entry(1, all, SetLogKind::stand_down)));
  EXPECT_EQ(code_of(log.record(entry(2, fewer))), "set_forbidden") << "its own word is not enough";
  must(log.record(entry(1, all, SetLogKind::strike)));
  EXPECT_FALSE(log.find(digest_of(0x50), RoundId{1}));
  EXPECT_FALSE(log.first_of_family(entry(2, fewer)));
  must(log.record(entry(2, fewer)));
  EXPECT_EQ(log.size(), 3U) << "a strike is nothing that was answered";
  // All of it holds after a restart.
  log = must(SetLog::open(file, 3));
  EXPECT_EQ(code_of(SetLog::open(file, 4)), "log_lost");
  EXPECT_TRUE(log.has_stood_down(digest_of(0x50), RoundId{1}));
  EXPECT_EQ(log.first_of_family(entry(3, fewer))->round, RoundId{2});
  EXPECT_EQ(code_of(log.record(entry(3, all))), "set_forbidden");
}

TEST_F(StandDowns, refuse_their_round_for_good_on_any_fork) {
  const auto file = folder_ / "log";
  const auto all = numbered({1, 2, 3, 4});
  {
    SetLog log = must(SetLog::open(file, 0));
    must(log.record(entry(1, all, SetLogKind::stand_down)));
    must(log.record(entry(1, all, SetLogKind::stand_down)));
    EXPECT_EQ(log.size(), 1U);
  }
  SetLog log = must(SetLog::open(file, 1));
  EXPECT_EQ(code_of(log.record(entry(1, all))), "stood_down");
  SetLogEntry forked = entry(1, numbered({2, 3, 4}));
  forked.seed = digest_of(0xf0);  // the fork's opening block is another one, the round is the same
  EXPECT_EQ(code_of(log.record(forked)), "stood_down");
  forked.kind = SetLogKind::published;
  EXPECT_EQ(code_of(log.record(forked)), "stood_down");
  must(log.record(entry(2, all)));
}

TEST_F(StandDowns, are_no_promise_of_who_has_published) {
  SetLog log = must(SetLog::open(folder_ / "log", 0));
  const auto all = numbered({1, 2, 3, 4});
  EXPECT_EQ(code_of(log.record(entry(1, all, SetLogKind::published))), "second_set");
  must(log.record(entry(1, all)));
  EXPECT_FALSE(log.has_published(digest_of(0x50), RoundId{1}));
  must(log.record(entry(1, all, SetLogKind::published)));
  EXPECT_TRUE(log.has_published(digest_of(0x50), RoundId{1}));
  EXPECT_EQ(code_of(log.record(entry(1, all, SetLogKind::stand_down))), "conflicting_message");
}

TEST_F(StandDowns, keep_the_cut_of_a_struck_set_while_a_later_one_stands_along_it) {
  // Seven hospitals make two cells. The first set is struck; the second, one whole cell of it, is
  // not, and its own seed and members would give another partition.
  SetLog log = must(SetLog::open(folder_ / "log", 0));
  const auto all = numbered({1, 2, 3, 4, 5, 6, 7});
  const auto first = entry(1, all);
  must(log.record(first));
  const auto cells = make_partition(first.seed, all, 3);
  SetLogEntry second = entry(2, cells[0]);
  second.partition = first.partition;
  must(log.record(second));
  must(log.record(entry(1, all, SetLogKind::strike)));
  const auto source = log.first_of_family(second);
  ASSERT_TRUE(source);
  EXPECT_EQ(partition_digest(make_partition(source->seed, source->members, 3)), first.partition);
  EXPECT_EQ(code_of(log.record(entry(3, numbered({1, 2, 3})))), "set_forbidden");
}

TEST_F(StandDowns, leave_logs_of_sets_alone_as_they_were) {
  // A log of an older program: the same bytes, and it opens.
  const auto file = folder_ / "log";
  SetLog log = must(SetLog::open(file, 0));
  const SetLogEntry set = entry(1, numbered({1, 2, 3, 4}));
  must(log.record(set));
  Writer old;
  old.digest(set.stream).u64(1).digest(set.seed).digest(set.base).u8(1).digest(set.set);
  old.digest(set.partition);
  old.list(set.members, [](Writer& w, HospitalId member) { w.u16(member.value); }).u64(1);
  const Bytes bytes = must(read_file(file));
  const auto at = std::search(bytes.begin(), bytes.end(), old.view().begin(), old.view().end());
  EXPECT_NE(at, bytes.end());
}

TEST_F(StandDowns, are_lost_when_any_byte_was_changed) {
  const auto file = folder_ / "log";
  const auto all = numbered({1, 2, 3, 4});
  SetLog log = must(SetLog::open(file, 0));
  for (const auto kind : {SetLogKind::set, SetLogKind::stand_down, SetLogKind::strike})
    must(log.record(entry(1, all, kind)));
  const Bytes whole = must(read_file(file));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes bytes = whole;
    bytes[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    must(write_file_durably(file, bytes));
    ASSERT_EQ(code_of(SetLog::open(file, 0)), "log_lost") << "byte " << at;
  }
}

// --- attack 15
// -----------------------------------------------------------------------------------------

constexpr std::size_t stand_downs_needed = 3;  // M − t + f + 1 of M = 4, t = 3, f = 1

/// An honest miner. With the guard off it forgets a set as soon as it is shown an abort.
class TestMiner {
 public:
  TestMiner(std::filesystem::path file, bool guarded)
      : file_(std::move(file)), guarded_(guarded), log_(must(SetLog::open(file_, 0))) {}
  /// Ready, and when the ledger shows Opening, the share sum.
  auto publishes(std::uint64_t round, const std::vector<HospitalId>& set) -> bool {
    return log_.record(entry(round, set)).has_value() &&
           log_.record(entry(round, set, SetLogKind::published)).has_value();
  }
  void is_ready(std::uint64_t round, const std::vector<HospitalId>& set) {
    must(log_.record(entry(round, set)));
  }
  /// Shown an abort. True: it stands down.
  auto sees_abort(std::uint64_t round, const std::vector<HospitalId>& set) -> bool {
    if (guarded_) return log_.record(entry(round, set, SetLogKind::stand_down)).has_value();
    std::filesystem::remove(file_);
    log_ = must(SetLog::open(file_, 0));
    return false;
  }
  void sees_stand_downs(std::size_t signed_ones, std::uint64_t round,
                        const std::vector<HospitalId>& set) {
    if (guarded_ && signed_ones >= stand_downs_needed)
      must(log_.record(entry(round, set, SetLogKind::strike)));
  }

 private:
  std::filesystem::path file_;
  bool guarded_;
  SetLog log_;
};

auto open_by(std::uint64_t number, const std::vector<HospitalId>& set,
             const std::vector<std::uint16_t>& miners) -> std::optional<std::vector<std::int64_t>> {
  const TestRound round = make_round(Suite::s30, 4, 4, 3, number);
  SeededRandom secrets(number, "stand-downs");
  std::vector<Sealed> sealed;
  for (const HospitalId hospital : set) {
    const auto i = static_cast<std::int64_t>(hospital.value);
    sealed.push_back(must(
        seal(round.parameters, hospital, std::vector<std::int64_t>{i, 10 * i, 100 * i}, secrets)));
  }
  const auto sum = open_sum(round.parameters, bodies_of(sealed), publish(round, sealed, miners));
  if (!sum) return std::nullopt;
  return sum->values;
}

/// The sequencer and miner 4 are bad. Miners 1 and 2 are shown that U = {1,2,3,4} opens in round 1;
/// then 2 and 3 are shown that round 1 was aborted, and that U∖{4} opens in round 2.
void run_abort_elsewhere(const std::filesystem::path& folder, bool guarded,
                         std::optional<std::vector<std::int64_t>>& whole,
                         std::optional<std::vector<std::int64_t>>& without) {
  const auto all = numbered({1, 2, 3, 4});
  const auto fewer = numbered({1, 2, 3});
  std::vector<std::unique_ptr<TestMiner>> miners(4);
  for (std::size_t m = 1; m <= 3; ++m) {
    miners[m] =
        std::make_unique<TestMiner>(folder / ((guarded ? "g" : "u") + std::to_string(m)), guarded);
    miners[m]->is_ready(1, all);
  }
  std::vector<std::uint16_t> first{4};
  for (std::uint16_t m = 1; m <= 2; ++m) {
    if (miners[m]->publishes(1, all)) first.push_back(m);
  }
  std::size_t stood_down = 1;  // the bad one signs anything
  for (std::uint16_t m = 2; m <= 3; ++m) stood_down += miners[m]->sees_abort(1, all) ? 1 : 0;
  std::vector<std::uint16_t> second{4};
  for (std::uint16_t m = 2; m <= 3; ++m) {
    miners[m]->sees_stand_downs(stood_down, 1, all);
    if (miners[m]->publishes(2, fewer)) second.push_back(m);
  }
  whole = open_by(1, all, first);
  without = open_by(2, fewer, second);
}

TEST_F(StandDowns, stop_a_set_from_being_opened_elsewhere_after_an_abort) {
  std::optional<std::vector<std::int64_t>> whole;
  std::optional<std::vector<std::int64_t>> without;
  run_abort_elsewhere(folder_, false, whole, without);
  ASSERT_TRUE(whole && without);
  for (std::size_t at = 0; at < 3; ++at)
    EXPECT_EQ((*whole)[at] - (*without)[at], (std::vector<std::int64_t>{4, 40, 400})[at]);
  run_abort_elsewhere(folder_, true, whole, without);
  EXPECT_TRUE(whole.has_value());
  EXPECT_FALSE(without.has_value());
}

TEST_F(StandDowns, of_enough_miners_leave_too_few_for_the_old_set) {
  // Nobody had published: all three honest ones stand down, go on without hospital 4, and the fork
  // that shows the old set again finds only the bad miner.
  const auto all = numbered({1, 2, 3, 4});
  std::vector<std::uint16_t> first{4};
  std::vector<std::uint16_t> second{4};
  for (std::uint16_t m = 1; m <= 3; ++m) {
    TestMiner miner(folder_ / std::to_string(m), true);
    miner.is_ready(1, all);
    EXPECT_TRUE(miner.sees_abort(1, all));
    miner.sees_stand_downs(2, 1, all);
    EXPECT_FALSE(miner.publishes(2, numbered({1, 2, 3}))) << "two are not enough";
    miner.sees_stand_downs(3, 1, all);
    if (miner.publishes(3, numbered({1, 2, 3}))) second.push_back(m);
    if (miner.publishes(1, all)) first.push_back(m);
  }
  EXPECT_FALSE(open_by(1, all, first));
  EXPECT_TRUE(open_by(3, numbered({1, 2, 3}), second));
}

// --- attacks 9 and 20: whoever begins with an empty log signs anything
// -----------------------------------------------------------------------------------------

TEST_F(StandDowns, an_empty_log_opens_one_hospital_and_a_kept_one_does_not) {
  const auto all = numbered({1, 2, 3, 4});
  const auto fewer = numbered({1, 2, 3});
  for (const bool wiped : {true, false}) {
    std::vector<std::uint16_t> answering{4};
    for (std::uint16_t m = 1; m <= 3; ++m) {
      const auto file = folder_ / ((wiped ? "w" : "k") + std::to_string(m));
      must(must(SetLog::open(file, 0)).record(entry(1, all)));
      if (wiped) std::filesystem::remove(file);
      // The guard of attack 20 is what the ledger says was answered: a wiped log never opens.
      EXPECT_EQ(code_of(SetLog::open(file, 1)), wiped ? "log_lost" : "");
      // With that guard off, as for a fresh identity or a new committee on the same base (attack
      // 9).
      SetLog log = must(SetLog::open(file, 0));
      if (log.record(entry(2, fewer))) answering.push_back(m);
    }
    const auto whole = open_by(1, all, {1, 2, 3, 4});
    const auto without = open_by(2, fewer, answering);
    ASSERT_TRUE(whole);
    EXPECT_EQ(without.has_value(), wiped);
    if (without) {
      EXPECT_EQ((*whole)[2] - (*without)[2], 400);
    }
  }
}

}  // namespace
}  // namespace consilium::sealing
