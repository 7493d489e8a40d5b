#include "consilium/foundation/secret.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace consilium {
namespace {

TEST(Secret, begins_with_zeros) {
  for (const std::size_t size : {1U, 31U, 32U, 4096U, 100000U}) {
    const SecretBytes secret(size);
    ASSERT_EQ(secret.size(), size);
    EXPECT_TRUE(std::all_of(secret.expose().begin(), secret.expose().end(),
                            [](std::uint8_t byte) { return byte == 0; }));
  }
}

TEST(Secret, moves_and_leaves_nothing_behind) {
  Secret<std::uint64_t> first(5);
  std::iota(first.expose().begin(), first.expose().end(), 1U);
  Secret<std::uint64_t> second(std::move(first));
  // The moved-from state is the claim. NOLINTNEXTLINE(bugprone-use-after-move)
  EXPECT_EQ(first.size(), 0U);
  EXPECT_EQ(second.expose()[4], 5U);
  Secret<std::uint64_t> third;
  third = std::move(second);
  EXPECT_EQ(third.expose()[0], 1U);
  third.erase();
  EXPECT_EQ(third.size(), 0U);
  EXPECT_TRUE(third.expose().empty());
}

/// What the kernel says of the page at this address: "VmFlags: rd wr … lo … dd".
auto page_flags(const void* address) -> std::string {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> from >> dash >> to && dash == '-') {
      inside = from <= wanted && wanted < to;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line + " ";
    }
  }
  return {};
}

TEST(Secret, is_locked_and_left_out_of_core_dumps) {
  const SecretBytes secret(7680);
  for (const std::size_t at : {std::size_t{0}, secret.size() - 1}) {
    const std::string flags = page_flags(secret.expose().data() + at);
    ASSERT_FALSE(flags.empty());
    EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (limit.rlim_cur < (1U << 20U)) continue;  // the system locks nothing for this user
    EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
  }
  const Bytes plain(1U << 20U, 7);
  EXPECT_EQ(page_flags(plain.data() + (1U << 19U)).find(" dd "), std::string::npos)
      << "the flag means something";
}

TEST(CoreDumps, are_forbidden_to_a_program_that_says_so) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    forbid_core_dumps();
    rlimit limit{1, 1};
    const bool none = ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 &&
                      ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
    ::_exit(none ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Secret, stops_the_process_when_its_size_cannot_be) {
  EXPECT_DEATH(Secret<std::uint64_t>(std::numeric_limits<std::size_t>::max() / 2), "invariant");
}

TEST(Secret, is_fenced_by_a_guard_page) {
  EXPECT_DEATH(
      {
        SecretBytes secret(64);
        volatile std::uint8_t* end = secret.expose().data() + 64;
        *end = 1;
      },
      "");
}

TEST(Secret, is_wiped_and_closed_when_it_is_given_back) {
  EXPECT_DEATH(
      {
        SecretBytes secret(4321);
        const volatile std::uint8_t* begin = secret.expose().data();
        secret.erase();
        (void)*begin;
        std::_Exit(0);  // not dead: it could be read
      },
      "");
  // Whoever gets the same piece next finds zeros and the same fence.
  SecretBytes first(777);
  std::fill(first.expose().begin(), first.expose().end(), std::uint8_t{9});
  const auto* const place = first.expose().data();
  first.erase();
  const SecretBytes second(777);
  EXPECT_EQ(second.expose().data(), place) << "pieces of one size are used again";
  EXPECT_TRUE(std::all_of(second.expose().begin(), second.expose().end(),
                          [](std::uint8_t byte) { return byte == 0; }));
}

TEST(Wipe, overwrites_with_zeros) {
  Bytes bytes(1000, 0xFF);
  wipe(std::span(bytes).subspan(1, 998));
  EXPECT_EQ(bytes.front(), 0xFF);
  EXPECT_EQ(bytes.back(), 0xFF);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 0), 998);
}

TEST(EqualInConstantTime, finds_a_difference_in_every_place) {
  const Bytes a(33, 7);
  EXPECT_TRUE(equal_in_constant_time(a, Bytes(33, 7)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= 0x80U;
    EXPECT_FALSE(equal_in_constant_time(a, b)) << i;
  }
  EXPECT_FALSE(equal_in_constant_time(a, Bytes(32, 7)));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
}

}  // namespace
}  // namespace consilium
