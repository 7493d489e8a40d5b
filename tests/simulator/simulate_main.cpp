// `simulate --seed N` tells one seed's story; `simulate --seeds COUNT [--from N]` runs a batch and
// names the first seed that shows something that must never be.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "world.hpp"

namespace {

auto usage() -> int {
  std::fputs("usage: simulate [--seed N] [--seeds COUNT] [--from N]\n", stderr);
  return 2;
}

auto tell(const consilium::simulator::Report& report) -> bool {
  for (const auto& what : report.broken) std::printf("  BROKEN: %s\n", what.c_str());
  return report.broken.empty();
}

}  // namespace

auto main(int count, char** arguments) -> int {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  bool one = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view flag(arguments[i]);
    if (i + 1 == count) return usage();
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(arguments[++i], &end, 10);
    if (*arguments[i] == '\0' || *end != '\0') return usage();
    if (flag == "--seed") {
      from = value;
      seeds = 1;
      one = true;
    } else if (flag == "--seeds") {
      seeds = value;
    } else if (flag == "--from") {
      from = value;
    } else {
      return usage();
    }
  }
  for (std::uint64_t seed = from; seed < from + seeds; ++seed) {
    const auto report = consilium::simulator::run_seed(seed);
    if (one || !report.broken.empty()) std::printf("%s\n", report.summary.c_str());
    for (std::size_t i = 0; one && i < report.remarks.size(); ++i) {
      std::printf("  %s\n", report.remarks[i].c_str());
    }
    if (!tell(report)) {
      std::printf("again with: ./dev sim --seed %llu\n", static_cast<unsigned long long>(seed));
      return EXIT_FAILURE;
    }
  }
  std::printf("%llu seeds, nothing broken\n", static_cast<unsigned long long>(seeds));
  return EXIT_SUCCESS;
}
