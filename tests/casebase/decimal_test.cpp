#include <cmath>

#include <gtest/gtest.h>

#include "consilium/casebase/case.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium::casebase {
namespace {

TEST(Decimal, reads_numbers_as_they_are_written) {
  const auto is = [](std::string_view text, std::int64_t mantissa, std::int32_t exponent) {
    const auto number = Decimal::parse(text);
    ASSERT_TRUE(number) << text;
    EXPECT_EQ(*number, (Decimal{mantissa, exponent})) << text;
  };
  is("63.0", 63, 0);
  is("63", 63, 0);
  is("-1.50", -15, -1);
  is(".7", 7, -1);
  is("7.", 7, 0);
  is("+2", 2, 0);
  is("1e3", 1, 3);
  is("1.5E-2", 15, -3);
  is("2e+4", 2, 4);
  is("1200", 12, 2);
  is("0", 0, 0);
  is("-0.000", 0, 0);
  is("0e999", 0, 0);
  is("123456789012345", 123456789012345, 0);
  is("000000000000000000000000000007", 7, 0);
  is("1000000000000000000", 1, 18);
}

TEST(Decimal, refuses_what_is_not_exactly_one_number) {
  for (const std::string_view text :
       {"",
        " ",
        "?",
        "abc",
        "1.2.3",
        "1,5",
        "12 mmHg",
        "1e",
        "1e+",
        "1e+-2",
        "1e--2",
        "--1",
        "+-1",
        "NaN",
        "nan",
        "Inf",
        "-inf",
        "0x10",
        ".",
        "-",
        "e5",
        "1e19",
        "1e-19",
        "1234567890123456",
        "1e99999999999999999999",
        "=1+1",
        "1 2",
        " 1",
        "1e1001",
        "00000000000000000000000000000000000000000000000000000000000000001"}) {
    const auto number = Decimal::parse(text);
    ASSERT_FALSE(number) << text;
    EXPECT_EQ(number.error().code, "bad_number") << text;
  }
}

TEST(Decimal, text_and_value_are_one) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SeededRandom random(seed, "decimal");
    auto mantissa =
        static_cast<std::int64_t>(random.below(1'000'000'000'000'000ULL >> random.below(50)));
    if (random.below(2) == 1) mantissa = -mantissa;
    const auto exponent = static_cast<std::int32_t>(random.below(30)) - 15;
    const auto written = std::to_string(mantissa) + "e" + std::to_string(exponent);
    const auto number = Decimal::parse(written);
    if (!number) continue;  // the power left the range once trailing zeros were taken off
    EXPECT_EQ(Decimal::parse(number->to_text()).value(), *number)
        << "seed " << seed << " " << written;
    EXPECT_EQ(number->to_double(), std::strtod(written.c_str(), nullptr)) << "seed " << seed;
  }
}

TEST(Decimal, writes_plain_digits) {
  EXPECT_EQ(Decimal::parse("-1.50")->to_text(), "-1.5");
  EXPECT_EQ(Decimal::parse("1e3")->to_text(), "1000");
  EXPECT_EQ(Decimal::parse("7e-3")->to_text(), "0.007");
  EXPECT_EQ(Decimal::parse("-0")->to_text(), "0");
}

TEST(Decimal, compares_exactly_where_doubles_cannot) {
  const auto order = [](std::string_view a, std::string_view b) {
    const int forth = Decimal::compare(Decimal::parse(a).value(), Decimal::parse(b).value());
    const int back = Decimal::compare(Decimal::parse(b).value(), Decimal::parse(a).value());
    EXPECT_EQ(forth, -back) << a << " " << b;
    return forth;
  };
  EXPECT_LT(order("0.1", "0.100000000000001"), 0);
  EXPECT_EQ(order("0.10", "1e-1"), 0);
  EXPECT_LT(order("-2", "-1.999999999999"), 0);
  EXPECT_LT(order("-1", "0"), 0);
  EXPECT_LT(order("0", "1e-18"), 0);
  EXPECT_LT(order("999999999999999", "1e15"), 0);
  EXPECT_LT(order("1e-18", "999999999999999e18"), 0);
  EXPECT_GT(order("10", "9.99999999999999"), 0);
}

TEST(Decimal, compares_as_integers_of_a_common_exponent_do) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SeededRandom random(seed, "decimal order");
    const auto draw = [&] {
      return static_cast<std::int64_t>(random.below(2'000'000)) - 1'000'000;
    };
    const std::int64_t a = draw();
    const std::int64_t b = random.below(4) == 0 ? a : draw();
    const auto x = Decimal::parse(std::to_string(a) + "e-4").value();
    const auto y = Decimal::parse(std::to_string(b) + "e-4").value();
    const int expected = a < b ? -1 : a > b ? 1 : 0;
    const int got = Decimal::compare(x, y);
    EXPECT_EQ((got > 0) - (got < 0), expected) << "seed " << seed;
    EXPECT_EQ(got == 0, x == y) << "seed " << seed;
  }
}

}  // namespace
}  // namespace consilium::casebase
