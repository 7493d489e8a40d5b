// Attack 1: a forked ledger shows each miner a harmless part of a family of sets. Every small
// schedule is tried, and every family that opens is put to linear algebra over the whole of it.

#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include "world.hpp"

namespace consilium::simulator {
namespace {

constexpr std::size_t hospitals = 9;
constexpr std::size_t cell_min = 3;
constexpr std::size_t rounds = 3;

auto numbers(std::initializer_list<std::uint16_t> list) -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const std::uint16_t number : list) out.push_back(HospitalId{number});
  return out;
}

auto seed_of(std::size_t round) -> Digest {
  return Digest{{static_cast<std::uint8_t>(round + 1)}};
}

/// What miners are asked for: G₁ ∪ G₂ ∪ {9}, G₁, G₂, everybody but 9, and two cells of the
/// partition that the first of these fixes when it comes first.
auto menu() -> const std::vector<std::vector<HospitalId>>& {
  static const auto sets = [] {
    std::vector<std::vector<HospitalId>> out{numbers({1, 2, 3, 4, 5, 6, 7, 8, 9}),
                                             numbers({1, 2, 3, 4}), numbers({5, 6, 7, 8}),
                                             numbers({1, 2, 3, 4, 5, 6, 7, 8})};
    const auto cells = sealing::make_partition(seed_of(0), out[0], cell_min);
    auto& two = out.emplace_back(cells[0]);
    two.insert(two.end(), cells[1].begin(), cells[1].end());
    std::sort(two.begin(), two.end());
    return out;
  }();
  return sets;
}

/// What a miner is shown in each round: 0 nothing, k the k-th set of the menu.
using Shown = std::array<std::size_t, rounds>;
/// What it is ready for: 0 nothing; else it names set and partition, and opening takes t that are
/// ready for the same.
using Ready = std::array<std::size_t, rounds>;

enum class Rule { partition, atoms };

/// One honest miner with a real set log. `atoms` is the judge with the guard off: one set a round,
/// and every class of hospitals with equal membership *in the sets it saw* has at least cell_min.
class Miner {
 public:
  explicit Miner(Rule rule) : rule_(rule) {
    static int counter = 0;
    const std::filesystem::path memory("/dev/shm");
    file_ =
        (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
        ("consilium-family-" + std::to_string(::getpid()) + "-" + std::to_string(++counter));
    log_.emplace(*sealing::SetLog::open(file_, 0));
  }
  ~Miner() {
    log_.reset();
    std::filesystem::remove(file_);
  }
  Miner(const Miner&) = delete;
  auto operator=(const Miner&) -> Miner& = delete;

  /// The partition under which it is ready for the set, or none.
  auto asked(std::size_t round, const std::vector<HospitalId>& set) -> std::optional<Digest> {
    sealing::SetLogEntry entry;
    entry.stream = Digest{{0x51}};
    entry.base = Digest{{0xba}};
    entry.round = RoundId{round + 1};
    entry.seed = seed_of(round);
    entry.members = set;
    std::vector<sealing::SetMember> members;
    for (const HospitalId hospital : set) members.push_back({hospital, Digest{{1}}});
    entry.set = sealing::set_digest(entry.seed, members);
    if (rule_ == Rule::partition) {
      const auto first = log_->first_of_family(entry);
      const auto partition = sealing::make_partition(first ? first->seed : entry.seed,
                                                     first ? first->members : set, cell_min);
      if (!sealing::is_union_of_cells(partition, set)) return std::nullopt;
      entry.partition = sealing::partition_digest(partition);
    } else {
      auto seen = seen_;
      seen.push_back(set);
      if (smallest_atom(seen, hospitals) < cell_min) return std::nullopt;
    }
    if (!log_->record(entry)) return std::nullopt;
    seen_.push_back(set);
    return entry.partition;
  }

 private:
  Rule rule_;
  std::filesystem::path file_;
  std::optional<sealing::SetLog> log_;
  std::vector<std::vector<HospitalId>> seen_;
};

/// Every sequence of askings out of the first `sets` of the menu, and what an honest miner makes of
/// it.
auto all_answers(Rule rule, std::size_t sets) -> std::vector<Ready> {
  std::vector<Ready> out;
  std::map<std::pair<std::size_t, Digest>, std::size_t> names;
  for (std::size_t code = 0; code < (sets + 1) * (sets + 1) * (sets + 1); ++code) {
    const Shown shown{code % (sets + 1), code / (sets + 1) % (sets + 1),
                      code / (sets + 1) / (sets + 1)};
    Miner miner(rule);
    Ready ready{};
    for (std::size_t round = 0; round < rounds; ++round) {
      if (shown[round] == 0) continue;
      const auto partition = miner.asked(round, menu()[shown[round] - 1]);
      if (!partition) continue;
      // The set can be read from the name again: name % 8 is its place in the menu.
      const auto name = names.try_emplace({shown[round], *partition}, names.size() + 1).first;
      ready[round] = name->second * 8 + shown[round];
    }
    out.push_back(ready);
  }
  return out;
}

/// Does the family of these sets (bits over the menu) show anybody alone? Worked out once each.
auto isolates(unsigned family) -> bool {
  static std::map<unsigned, bool> known;
  const auto at = known.find(family);
  if (at != known.end()) return at->second;
  std::vector<std::vector<HospitalId>> sets;
  for (std::size_t which = 0; which < menu().size(); ++which) {
    if ((family >> which & 1U) != 0) sets.push_back(menu()[which]);
  }
  return known[family] = isolated_hospital(sets, hospitals).has_value();
}

struct Count {
  std::uint64_t runs = 0, opened = 0, isolated = 0;
};

/// Every assignment of sequences to `honest` miners; a set opens when `needed` of them are ready
/// for it (t less the accomplices).
auto try_all(const std::vector<Ready>& answers, std::size_t honest, std::size_t needed) -> Count {
  Count count;
  std::vector<std::size_t> chosen(honest, 0);
  for (;;) {
    unsigned family = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i + needed <= honest; ++i) {
        const std::size_t name = answers[chosen[i]][round];
        if (name == 0) continue;
        std::size_t same = 0;
        for (const std::size_t other : chosen) same += answers[other][round] == name ? 1U : 0U;
        if (same >= needed) family |= 1U << (name % 8 - 1);
      }
    }
    ++count.runs;
    count.opened += family != 0 ? 1U : 0U;
    count.isolated += isolates(family) ? 1U : 0U;
    // Miners are alike, so only ascending choices differ.
    std::size_t moving = honest;
    while (moving > 0 && chosen[moving - 1] + 1 == answers.size()) --moving;
    if (moving == 0) return count;
    const std::size_t next = chosen[moving - 1] + 1;
    for (std::size_t at = moving - 1; at < honest; ++at) chosen[at] = next;
  }
}

TEST(ForkedFamily, the_three_set_fork_wins_against_atoms_and_loses_to_one_partition) {
  // M = 4, t = 3: with one accomplice, two honest miners open a set. Miners 1 and 2 are shown
  // U₁ = G₁ ∪ G₂ ∪ {9}, miners 1 and 3 U₂ = G₁, miners 2 and 3 U₃ = G₂.
  const std::array<Shown, 3> shown{Shown{1, 2, 0}, Shown{1, 0, 3}, Shown{0, 2, 3}};
  for (const Rule rule : {Rule::atoms, Rule::partition}) {
    std::vector<std::vector<HospitalId>> opened;
    std::array<std::vector<std::optional<Digest>>, 3> ready;
    for (std::size_t m = 0; m < 3; ++m) {
      Miner miner(rule);
      for (std::size_t round = 0; round < rounds; ++round) {
        ready[m].push_back(shown[m][round] == 0 ? std::nullopt
                                                : miner.asked(round, menu()[shown[m][round] - 1]));
      }
    }
    for (std::size_t round = 0; round < rounds; ++round) {
      std::size_t honest = 0;
      for (std::size_t m = 0; m < 3; ++m) honest += ready[m][round] ? 1U : 0U;
      if (honest >= 2) opened.push_back(menu()[round]);
    }
    if (rule == Rule::atoms) {
      EXPECT_EQ(opened.size(), 3U);
      EXPECT_EQ(isolated_hospital(opened, hospitals), HospitalId{9});
    } else {
      EXPECT_FALSE(isolated_hospital(opened, hospitals));
    }
  }
}

TEST(ForkedFamily, no_schedule_of_four_miners_and_three_rounds_isolates_anybody) {
  const Count unguarded = try_all(all_answers(Rule::atoms, menu().size()), 3, 2);
  EXPECT_GT(unguarded.isolated, 0U) << "with the guard off some schedule wins";
  const Count guarded = try_all(all_answers(Rule::partition, menu().size()), 3, 2);
  EXPECT_EQ(guarded.isolated, 0U);
  EXPECT_GT(guarded.opened, guarded.runs / 100) << "a guard that opens nothing guards nothing";
}

TEST(ForkedFamily, no_schedule_of_seven_miners_isolates_anybody) {
  // M = 7, t = 5, f = 2: five honest miners, three of whom open a set; the three sets of the
  // attack.
  const Count unguarded = try_all(all_answers(Rule::atoms, 3), 5, 3);
  EXPECT_GT(unguarded.isolated, 0U);
  const Count guarded = try_all(all_answers(Rule::partition, 3), 5, 3);
  EXPECT_EQ(guarded.isolated, 0U);
  EXPECT_GT(guarded.opened, 0U);
}

TEST(ForkedFamily, linear_algebra_finds_who_stands_alone) {
  EXPECT_FALSE(isolated_hospital({numbers({1, 2, 3}), numbers({4, 5, 6})}, 6));
  EXPECT_EQ(isolated_hospital({numbers({1, 2, 3}), numbers({1, 2})}, 6), HospitalId{3});
  // Nobody is the difference of two of these, but half the sum less the third is hospital 1.
  EXPECT_EQ(isolated_hospital({numbers({1, 2}), numbers({1, 3}), numbers({2, 3})}, 3),
            HospitalId{1});
  EXPECT_EQ(smallest_atom({numbers({1, 2, 3}), numbers({1, 2})}, 6), 1U);
  EXPECT_EQ(smallest_atom({numbers({1, 2, 3}), numbers({4, 5, 6})}, 6), 3U);
}

}  // namespace
}  // namespace consilium::simulator
