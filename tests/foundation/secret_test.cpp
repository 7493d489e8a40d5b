#include "consilium/foundation/secret.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

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
