#include <array>
#include <charconv>
#include <cmath>

#include "consilium/casebase/case.hpp"

namespace consilium::casebase {
namespace {

constexpr int digits_max = 15;
constexpr int exponent_max = 18;
// Longer texts are refused before they are looked at: no number of ours needs more.
constexpr std::size_t text_max = 64;

auto refuse(std::string_view sentence) -> tl::unexpected<Error> {
  return fail("bad_number", "number", sentence);
}

auto is_digit(char c) -> bool {
  return c >= '0' && c <= '9';
}

auto power_of_ten(int exponent) -> std::int64_t {
  std::int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

auto digit_count(std::int64_t magnitude) -> int {
  int digits = 0;
  for (; magnitude > 0; magnitude /= 10) ++digits;
  return digits;
}

}  // namespace

auto Decimal::parse(std::string_view text) -> Result<Decimal> {
  if (text.empty() || text.size() > text_max)
    return refuse("a number has 1 to 64 characters; write it like 63 or 2.3");
  std::size_t at = 0;
  bool negative = false;
  if (text[at] == '+' || text[at] == '-') negative = text[at++] == '-';

  std::string digits;  // without leading zeros
  int exponent = 0;
  bool any = false;
  bool point = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(text[at])) break;
    any = true;
    if (point) --exponent;
    if (text[at] != '0' || !digits.empty()) digits.push_back(text[at]);
  }
  if (!any) return refuse("this is not a number; write it like 63 or 2.3");

  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+' && at + 1 < text.size() && is_digit(text[at + 1])) ++at;
    int written = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, wrong] = std::from_chars(text.data() + at, end, written);
    if (wrong != std::errc{} || written > 1000 || written < -1000)
      return refuse("the power of ten is not readable; write it like 1e3");
    exponent += written;
    at = static_cast<std::size_t>(stop - text.data());
  }
  if (at != text.size())
    return refuse(
        "there is text after the number; write the number alone, the unit in the mapping");

  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (digits.empty()) return Decimal{};
  if (digits.size() > digits_max) return refuse("a number has at most 15 digits; round it");
  if (exponent > exponent_max || exponent < -exponent_max)
    return refuse("a number lies between 1e-18 and 1e33; check its unit");
  Decimal out{0, exponent};
  for (const char digit : digits) out.mantissa = out.mantissa * 10 + (digit - '0');
  if (negative) out.mantissa = -out.mantissa;
  return out;
}

auto Decimal::to_double() const -> double {
  // Mantissa and power of ten are exact doubles (2^53, 10^22), so one operation rounds correctly.
  double power = 1;
  for (int i = 0; i < std::abs(exponent); ++i) power *= 10;
  const auto whole = static_cast<double>(mantissa);
  return exponent < 0 ? whole / power : whole * power;
}

auto Decimal::to_text() const -> std::string {
  if (mantissa == 0) return "0";
  std::string digits = std::to_string(mantissa < 0 ? -mantissa : mantissa);
  if (exponent >= 0) {
    digits.append(static_cast<std::size_t>(exponent), '0');
  } else {
    const auto places = static_cast<std::size_t>(-exponent);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, ".");
  }
  return (mantissa < 0 ? "-" : "") + digits;
}

auto Decimal::compare(const Decimal& a, const Decimal& b) -> int {
  const auto sign = [](std::int64_t v) { return v < 0 ? -1 : v > 0 ? 1 : 0; };
  if (sign(a.mantissa) != sign(b.mantissa)) return sign(a.mantissa) < sign(b.mantissa) ? -1 : 1;
  if (a.mantissa == 0) return 0;
  const int direction = sign(a.mantissa);
  std::int64_t x = a.mantissa < 0 ? -a.mantissa : a.mantissa;
  std::int64_t y = b.mantissa < 0 ? -b.mantissa : b.mantissa;
  const int x_digits = digit_count(x);
  const int y_digits = digit_count(y);
  const int x_size = x_digits + a.exponent;
  const int y_size = y_digits + b.exponent;
  if (x_size != y_size) return x_size < y_size ? -direction : direction;
  // Equal magnitude: with the same number of digits (at most 16, so no overflow) both have one
  // exponent.
  if (x_digits < y_digits) x *= power_of_ten(y_digits - x_digits);
  if (y_digits < x_digits) y *= power_of_ten(x_digits - y_digits);
  if (x == y) return 0;
  return x < y ? -direction : direction;
}

}  // namespace consilium::casebase
