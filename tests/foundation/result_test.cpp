#include "consilium/foundation/result.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "consilium/foundation/clock.hpp"

namespace consilium {
namespace {

auto half(int value) -> Result<int> {
  if (value % 2 != 0) return fail("odd", "half", "give an even number");
  return value / 2;
}

auto quarter(int value) -> Result<int> {
  CONSILIUM_TRY(const int once, half(value));
  CONSILIUM_TRY(const int twice, half(once));
  return twice;
}

auto check_even(int value) -> Result<void> {
  CONSILIUM_CHECK(half(value));
  return {};
}

TEST(Result, hands_the_first_error_to_the_caller) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().code, "odd");
  EXPECT_TRUE(check_even(2));
  EXPECT_EQ(check_even(3).error().place, "half");
}

TEST(Result, can_carry_what_only_moves) {
  const auto make = []() -> Result<std::unique_ptr<int>> {
    CONSILIUM_TRY(auto made, Result<std::unique_ptr<int>>(std::make_unique<int>(4)));
    return made;
  };
  EXPECT_EQ(**make(), 4);
}

TEST(Error, is_one_line_for_people) {
  EXPECT_EQ(half(1).error().message(), "half: give an even number (odd)");
  EXPECT_EQ((Error{"odd", "", "give an even number"}.message()), "give an even number (odd)");
}

TEST(Ensure, stops_the_process_and_names_the_condition) {
  CONSILIUM_ENSURE(1 + 1 == 2);
  EXPECT_DEATH(CONSILIUM_ENSURE(1 + 1 == 3), "1 \\+ 1 == 3 .*result_test.cpp");
}

TEST(IsoTime, is_in_utc) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso_time(1795444325999), "2026-11-23T14:32:05Z");
  EXPECT_EQ(iso_time(951782400000), "2000-02-29T00:00:00Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59Z");
}

TEST(Clock, moves_forward) {
  const SystemClock clock;
  const auto before = clock.monotonic_ms();
  EXPECT_LE(before, clock.monotonic_ms());
  EXPECT_GT(clock.wall_ms(), 1700000000000);
  ManualClock manual;
  manual.advance_ms(250);
  EXPECT_EQ(manual.monotonic_ms(), 250);
  EXPECT_EQ(manual.wall_ms(), 250);
}

}  // namespace
}  // namespace consilium
