// A miner's memory, and the forked ledger it is there for.

#include "consilium/sealing/set_log.hpp"

#include <algorithm>
#include <fstream>
#include <memory>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

class SetLogs : public testing::Test {
 protected:
  SetLogs() {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("set_log_" + std::to_string(SystemRandom().u64()));
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "sets.log";
  }
  ~SetLogs() override { std::filesystem::remove_all(folder_); }

  void overwrite(const Bytes& bytes) const {
    std::ofstream out(file_, std::ios::binary | std::ios::trunc);
    for (const std::uint8_t byte : bytes) out.put(static_cast<char>(byte));
  }
  std::filesystem::path folder_;
  std::filesystem::path file_;
};

auto entry(std::uint64_t round, std::uint8_t base = 1, std::uint8_t partition = 1) -> SetLogEntry {
  SetLogEntry out;
  out.stream = digest_of(0x50);
  out.round = RoundId{round};
  out.seed = digest_of(static_cast<std::uint8_t>(round));
  out.base = digest_of(base);
  out.purpose = Purpose::update;
  out.set = digest_of(static_cast<std::uint8_t>(100 + round));
  out.partition = digest_of(partition);
  out.members = {HospitalId{1}, HospitalId{2}, HospitalId{3}};
  out.height = Height{10 * round};
  return out;
}

TEST_F(SetLogs, remember_across_a_restart) {
  {
    SetLog log = must(SetLog::open(file_, 0));
    must(log.record(entry(1)));
    must(log.record(entry(2)));
    must(log.record(entry(1)));  // the same again is fine
    EXPECT_EQ(log.size(), 2U);
  }
  SetLog log = must(SetLog::open(file_, 2));
  EXPECT_EQ(log.size(), 2U);
  EXPECT_EQ(*log.find(digest_of(0x50), RoundId{2}), entry(2));
  EXPECT_FALSE(log.find(digest_of(0x50), RoundId{3}).has_value());
  EXPECT_EQ(*log.first_of_family(entry(9)), entry(1));
  EXPECT_FALSE(log.first_of_family(entry(9, 7)).has_value());
  must(log.record(entry(3)));
  EXPECT_EQ(must(SetLog::open(file_, 3)).size(), 3U);
}

TEST_F(SetLogs, refuse_a_second_set_of_a_round_for_ever) {
  {
    SetLog log = must(SetLog::open(file_, 0));
    must(log.record(entry(1)));
    SetLogEntry other = entry(1);
    other.set = digest_of(0xee);
    EXPECT_EQ(code_of(log.record(other)), "second_set");
    other = entry(1);
    other.seed = digest_of(0xee);  // a forked ledger shows another opening block
    EXPECT_EQ(code_of(log.record(other)), "second_set");
    EXPECT_EQ(log.size(), 1U);
  }
  SetLog log = must(SetLog::open(file_, 1));
  SetLogEntry other = entry(1);
  other.set = digest_of(0xee);
  EXPECT_EQ(code_of(log.record(other)), "second_set");
  other.stream = digest_of(0x51);  // another stream has rounds of its own
  must(log.record(other));
}

TEST_F(SetLogs, keep_one_partition_a_base_for_updates) {
  SetLog log = must(SetLog::open(file_, 0));
  must(log.record(entry(1, 1, 1)));
  EXPECT_EQ(code_of(log.record(entry(2, 1, 2))), "set_forbidden");
  must(log.record(entry(2, 1, 1)));
  must(log.record(entry(3, 2, 2)));  // the next base has a partition of its own
  // The same round again, told with another partition.
  EXPECT_EQ(code_of(log.record(entry(1, 1, 2))), "set_forbidden");
}

TEST_F(SetLogs, keep_one_partition_a_stream_for_all_else) {
  SetLog log = must(SetLog::open(file_, 0));
  SetLogEntry statistics = entry(1, 1, 1);
  statistics.purpose = Purpose::statistics;
  must(log.record(statistics));
  SetLogEntry next = entry(2, 2, 2);  // another base does not help
  next.purpose = Purpose::statistics;
  EXPECT_EQ(code_of(log.record(next)), "set_forbidden");
  next.stream = digest_of(0x60);
  must(log.record(next));
  // An update with the same base is another family.
  SetLogEntry update = entry(3, 1, 3);
  must(log.record(update));
}

TEST_F(SetLogs, drop_a_record_that_a_crash_cut_short) {
  {
    SetLog log = must(SetLog::open(file_, 0));
    must(log.record(entry(1)));
    must(log.record(entry(2)));
  }
  const Bytes whole = must(read_file(file_));
  std::size_t one = 0;
  {
    const auto other = folder_ / "one.log";
    SetLog log = must(SetLog::open(other, 0));
    must(log.record(entry(1)));
    one = std::filesystem::file_size(other);
  }
  // In steps, since every trial waits for the disk; the edges of prefix and checksum are among
  // them.
  std::vector<std::size_t> sizes{one,     one + 1,           one + 7,           one + 8,
                                 one + 9, whole.size() - 33, whole.size() - 32, whole.size() - 1};
  for (std::size_t size = one; size < whole.size(); size += 13) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    overwrite(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    SetLog log = must(SetLog::open(file_, 1));
    ASSERT_EQ(log.size(), 1U) << size;
    ASSERT_EQ(std::filesystem::file_size(file_), one);
    must(log.record(entry(2)));
    ASSERT_EQ(must(read_file(file_)), whole);
  }
  // Some disks grow the file before they fill it.
  Bytes zeros(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(one));
  zeros.resize(whole.size(), 0);
  overwrite(zeros);
  EXPECT_EQ(must(SetLog::open(file_, 1)).size(), 1U);
}

TEST_F(SetLogs, are_lost_when_any_byte_was_changed) {
  {
    SetLog log = must(SetLog::open(file_, 0));
    must(log.record(entry(1)));
    must(log.record(entry(2)));
  }
  const Bytes whole = must(read_file(file_));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes bytes = whole;
    bytes[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    overwrite(bytes);
    ASSERT_EQ(code_of(SetLog::open(file_, 0)), "log_lost") << "byte " << at;
  }
}

TEST_F(SetLogs, are_lost_when_the_ledger_knows_of_more_answers) {
  {
    SetLog log = must(SetLog::open(file_, 0));
    must(log.record(entry(1)));
  }
  const Bytes before = must(read_file(file_));
  {
    SetLog log = must(SetLog::open(file_, 1));
    must(log.record(entry(2)));
  }
  EXPECT_EQ(code_of(SetLog::open(file_, 3)), "log_lost");
  overwrite(before);  // an old backup
  EXPECT_EQ(code_of(SetLog::open(file_, 2)), "log_lost");
  EXPECT_EQ(must(SetLog::open(file_, 1)).size(), 1U);
  std::filesystem::remove(file_);  // attack 20: a wiped log
  EXPECT_EQ(code_of(SetLog::open(file_, 1)), "log_lost");
  EXPECT_FALSE(std::filesystem::exists(file_)) << "no fresh log beside a lost one";
  overwrite({});
  EXPECT_EQ(code_of(SetLog::open(file_, 0)), "log_lost");
}

TEST_F(SetLogs, answer_nothing_when_they_cannot_write) {
  SetLog log = must(SetLog::open(file_, 0));
  must(log.record(entry(1)));
  {
    SetLog second = must(SetLog::open(file_, 1));
    must(second.record(entry(2)));
  }
  EXPECT_EQ(code_of(log.record(entry(3))), "log_lost") << "somebody else writes this log";
  std::filesystem::remove_all(folder_);
  EXPECT_EQ(code_of(log.record(entry(3))), "file_unwritable");
  EXPECT_EQ(log.size(), 1U);
}

auto hospitals(std::initializer_list<int> numbers) -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const int number : numbers) out.push_back(HospitalId{static_cast<std::uint16_t>(number)});
  return out;
}
auto first_hospitals(std::size_t count) -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (std::size_t at = 1; at <= count; ++at) {
    out.push_back(HospitalId{static_cast<std::uint16_t>(at)});
  }
  return out;
}

TEST(Partitions, cover_everybody_in_cells_of_the_least_size) {
  SeededRandom random(71, "partitions");
  for (std::size_t count = 1; count <= 40; ++count) {
    for (std::size_t cell_min = 1; cell_min <= 6; ++cell_min) {
      Digest seed;
      random.fill(seed.bytes);
      auto members = first_hospitals(count);
      const Partition partition = make_partition(seed, members, cell_min);
      EXPECT_EQ(partition.size(), std::max<std::size_t>(1, count / cell_min));
      std::vector<HospitalId> covered;
      for (const auto& cell : partition) {
        if (count >= cell_min) {
          EXPECT_GE(cell.size(), cell_min);
        }
        EXPECT_TRUE(std::is_sorted(cell.begin(), cell.end()));
        covered.insert(covered.end(), cell.begin(), cell.end());
      }
      EXPECT_TRUE(std::is_sorted(partition.begin(), partition.end()));
      std::sort(covered.begin(), covered.end());
      EXPECT_EQ(covered, members);
      // The order in which members are told does not matter.
      random.shuffle(std::span(members));
      EXPECT_EQ(make_partition(seed, members, cell_min), partition);
      EXPECT_EQ(partition_digest(make_partition(seed, members, cell_min)),
                partition_digest(partition));
    }
  }
  EXPECT_TRUE(make_partition(digest_of(1), {}, 3).empty());
  EXPECT_NE(make_partition(digest_of(1), first_hospitals(12), 3),
            make_partition(digest_of(2), first_hospitals(12), 3));
}

TEST(Partitions, know_their_unions) {
  const Partition partition{hospitals({1, 4, 6}), hospitals({2, 3, 8}), hospitals({5, 7, 9, 10})};
  EXPECT_TRUE(is_union_of_cells(partition, hospitals({1, 4, 6})));
  EXPECT_TRUE(is_union_of_cells(partition, hospitals({8, 1, 4, 6, 2, 3})));
  EXPECT_TRUE(is_union_of_cells(partition, first_hospitals(10)));
  EXPECT_FALSE(is_union_of_cells(partition, hospitals({1, 4})));
  EXPECT_FALSE(is_union_of_cells(partition, hospitals({1, 4, 6, 2})));
  EXPECT_FALSE(is_union_of_cells(partition, hospitals({1, 4, 6, 11})));
  EXPECT_FALSE(is_union_of_cells(partition, {}));
  EXPECT_NE(partition_digest({hospitals({1, 2}), hospitals({3})}),
            partition_digest({hospitals({1}), hospitals({2, 3})}));
}

/// A miner that answers what its own log allows. With the guard off it keeps one set a round, and
/// the weaker rule that every class of hospitals with the same membership in the sets *it* saw has
/// at least cell_min members.
class TestMiner {
 public:
  TestMiner(std::filesystem::path file, bool guarded)
      : log_(must(SetLog::open(file, 0))), guarded_(guarded) {}

  auto answers(const RoundParameters& round, const std::vector<HospitalId>& set, Height height)
      -> bool {
    SetLogEntry wanted;
    wanted.stream = round.stream;
    wanted.round = round.round;
    wanted.seed = round.seed;
    wanted.base = round.base;
    wanted.members = set;
    wanted.height = height;
    std::vector<SetMember> members;
    for (const HospitalId hospital : set) members.push_back({hospital, digest_of(1)});
    wanted.set = set_digest(round.seed, members);
    if (guarded_) {
      const auto first = log_.first_of_family(wanted);
      const Partition partition = first ? make_partition(first->seed, first->members, cell_min)
                                        : make_partition(round.seed, set, cell_min);
      if (!is_union_of_cells(partition, set)) return false;
      wanted.partition = partition_digest(partition);
    } else if (!atoms_are_large(set)) {
      return false;
    }
    if (!log_.record(wanted)) return false;
    seen_.push_back(set);
    return true;
  }

  static constexpr std::size_t cell_min = 3;

 private:
  [[nodiscard]] auto atoms_are_large(const std::vector<HospitalId>& set) const -> bool {
    auto sets = seen_;
    sets.push_back(set);
    std::map<std::vector<bool>, std::size_t> atoms;
    for (const HospitalId hospital : first_hospitals(7)) {
      std::vector<bool> pattern;
      for (const auto& one : sets) {
        pattern.push_back(std::find(one.begin(), one.end(), hospital) != one.end());
      }
      ++atoms[pattern];
    }
    return std::all_of(atoms.begin(), atoms.end(), [](const auto& atom) {
      const bool outside =
          std::find(atom.first.begin(), atom.first.end(), true) == atom.first.end();
      return outside || atom.second >= cell_min;
    });
  }
  SetLog log_;
  bool guarded_;
  std::vector<std::vector<HospitalId>> seen_;
};

/// Attack 1. M = 4, t = 3, one bad miner (4) that answers everything. The sequencer forks: honest
/// miners 1 and 2 see U1 = G1 ∪ G2 ∪ {7}, 1 and 3 see U2 = G1, 2 and 3 see U3 = G2. Returns which
/// of the three sets opened, and to what.
auto run_forked_ledger(const std::filesystem::path& folder, std::uint64_t seed, bool guarded)
    -> std::vector<std::optional<std::vector<std::int64_t>>> {
  const std::vector<std::vector<HospitalId>> sets{first_hospitals(7), hospitals({1, 2, 3}),
                                                  hospitals({4, 5, 6})};
  const std::vector<std::vector<std::size_t>> shown_to{{1, 2}, {1, 3}, {2, 3}};
  std::vector<std::unique_ptr<TestMiner>> miners(4);
  for (std::size_t miner = 1; miner <= 3; ++miner) {
    const auto file =
        folder / (std::to_string(seed) + (guarded ? "g" : "u") + std::to_string(miner));
    miners[miner] = std::make_unique<TestMiner>(file, guarded);
  }
  std::vector<std::optional<std::vector<std::int64_t>>> opened(3);
  SeededRandom random(seed, "forked ledger");
  for (std::size_t which = 0; which < sets.size(); ++which) {
    TestRound round = make_round(Suite::s30, 7, 4, 4, which + 1);
    round.parameters.base = digest_of(0xba);  // three rounds, one base
    round.parameters.seed =
        round_seed(round.parameters.stream, round.parameters.round, round.parameters.base,
                   sha256(Writer().u64(seed).u64(which).view()), Suite::s30);
    std::vector<Sealed> sealed;
    for (const HospitalId hospital : sets[which]) {
      // The same update in every round: x = (i, 10 i, 100 i, 1000 i).
      const auto i = static_cast<std::int64_t>(hospital.value);
      sealed.push_back(must(seal(round.parameters, hospital,
                                 std::vector<std::int64_t>{i, 10 * i, 100 * i, 1000 * i}, random)));
    }
    std::vector<std::uint16_t> answering{4};
    for (const std::size_t miner : shown_to[which]) {
      if (miners[miner]->answers(round.parameters, sets[which], Height{which + 1})) {
        answering.push_back(static_cast<std::uint16_t>(miner));
      }
    }
    const auto sum =
        open_sum(round.parameters, bodies_of(sealed), publish(round, sealed, answering));
    if (sum) opened[which] = sum->values;
  }
  return opened;
}

TEST_F(SetLogs, of_honest_miners_stop_the_three_set_fork) {
  const std::vector<std::int64_t> secret{7, 70, 700, 7000};
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    // Guard off: every honest log passes its own rule, and one hospital's update lies open.
    const auto unguarded = run_forked_ledger(folder_, seed, false);
    ASSERT_TRUE(unguarded[0] && unguarded[1] && unguarded[2]);
    for (std::size_t at = 0; at < 4; ++at) {
      EXPECT_EQ((*unguarded[0])[at] - (*unguarded[1])[at] - (*unguarded[2])[at], secret[at]);
    }
    // Guard on: at most two of the three open, whatever the seed, and hospital 7 stays in a crowd.
    const auto guarded = run_forked_ledger(folder_, seed, true);
    EXPECT_TRUE(guarded[0].has_value()) << "the first set of the base is honest";
    EXPECT_FALSE(guarded[1] && guarded[2]);
  }
}

}  // namespace
}  // namespace consilium::sealing
