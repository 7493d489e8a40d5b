// `simulate --seed N` tells one seed's story on a chain, line by line; `simulate --seeds COUNT
// [--from N]` runs a batch, counts the faults that struck, and names the first seed that shows
// something that must never be. With --faults COUNT it goes on until so many have. With --rounds
// the story is one of sealed rounds under a sequencer instead.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "chain_world.hpp"
#include "world.hpp"

namespace {

using namespace consilium::simulator;

struct Wish {
  std::uint64_t from = 1, seeds = 100, faults = 0;
  bool one = false, rounds = false;
};

auto usage() -> int {
  std::fputs("usage: simulate [--rounds] [--seed N] [--seeds COUNT] [--from N] [--faults COUNT]\n",
             stderr);
  return 2;
}

auto show_broken(const std::vector<std::string>& broken, const Wish& wish, std::uint64_t seed)
    -> int {
  for (const auto& what : broken) std::printf("  BROKEN: %s\n", what.c_str());
  std::printf("again with: ./dev sim %s--seed %llu\n", wish.rounds ? "--rounds " : "",
              static_cast<unsigned long long>(seed));
  return EXIT_FAILURE;
}

auto tell_rounds(const Wish& wish) -> int {
  for (std::uint64_t seed = wish.from; seed < wish.from + wish.seeds; ++seed) {
    const auto report = run_seed(seed);
    if (wish.one || !report.broken.empty()) std::printf("%s\n", report.summary.c_str());
    for (std::size_t i = 0; wish.one && i < report.remarks.size(); ++i) {
      std::printf("  %s\n", report.remarks[i].c_str());
    }
    if (!report.broken.empty()) return show_broken(report.broken, wish, seed);
  }
  std::printf("%llu seeds, nothing broken\n", static_cast<unsigned long long>(wish.seeds));
  return EXIT_SUCCESS;
}

auto total_of(const FaultCounts& faults) -> std::uint64_t {
  std::uint64_t sum = 0;
  for (const auto count : faults) sum += count;
  return sum;
}

void show_faults(const FaultCounts& faults) {
  for (std::size_t kind = 0; kind < fault_kinds; ++kind) {
    const auto name = name_of(static_cast<Fault>(kind));
    std::printf("%12llu  %.*s\n", static_cast<unsigned long long>(faults.at(kind)),
                static_cast<int>(name.size()), name.data());
  }
  std::printf("%12llu  faults in all\n", static_cast<unsigned long long>(total_of(faults)));
}

auto tell_chain(const Wish& wish) -> int {
  FaultCounts faults{};
  std::uint64_t seeds = 0, blocks = 0, answers = 0, messages = 0, lowered = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t seed = wish.from;
       wish.faults > 0 ? total_of(faults) < wish.faults : seeds < wish.seeds; ++seed) {
    std::function<void(const std::string&)> teller;
    if (wish.one) teller = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
    const auto report = run_chain_seed(seed, {}, teller);
    if (wish.one || !report.broken.empty()) {
      std::printf("%s\ntrace %s\n", report.summary.c_str(), report.trace.hex().c_str());
    }
    if (!report.broken.empty()) return show_broken(report.broken, wish, seed);
    for (std::size_t kind = 0; kind < fault_kinds; ++kind)
      faults.at(kind) += report.faults.at(kind);
    ++seeds;
    blocks += report.blocks;
    answers += report.acknowledged;
    messages += report.messages;
    lowered += report.lowered_most > 0 ? 1U : 0U;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  show_faults(faults);
  std::printf(
      "%llu seeds, %llu blocks decided, %llu transactions answered, %llu messages, %llu seeds "
      "lowered a validator, nothing broken; "
      "%.1f s, %.0f faults/s\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(blocks),
      static_cast<unsigned long long>(answers), static_cast<unsigned long long>(messages),
      static_cast<unsigned long long>(lowered), seconds,
      static_cast<double>(total_of(faults)) / seconds);
  return EXIT_SUCCESS;
}

}  // namespace

auto main(int count, char** arguments) -> int {
  Wish wish;
  for (int i = 1; i < count; ++i) {
    const std::string_view flag(arguments[i]);
    if (flag == "--rounds") {
      wish.rounds = true;
      continue;
    }
    if (i + 1 == count) return usage();
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(arguments[++i], &end, 10);
    if (*arguments[i] == '\0' || *end != '\0') return usage();
    if (flag == "--seed") {
      wish.from = value;
      wish.seeds = 1;
      wish.one = true;
    } else if (flag == "--seeds") {
      wish.seeds = value;
    } else if (flag == "--from") {
      wish.from = value;
    } else if (flag == "--faults") {
      wish.faults = value;
    } else {
      return usage();
    }
  }
  return wish.rounds ? tell_rounds(wish) : tell_chain(wish);
}
