#include "consilium/foundation/clock.hpp"

#include <chrono>
#include <cstdio>

namespace consilium {

auto SystemClock::monotonic_ms() const -> std::int64_t {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

auto SystemClock::wall_ms() const -> std::int64_t {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

auto iso_time(std::int64_t wall_ms) -> std::string {
  using std::chrono::days, std::chrono::floor, std::chrono::milliseconds, std::chrono::seconds;
  const std::chrono::sys_seconds moment =
      floor<seconds>(std::chrono::sys_time<milliseconds>(milliseconds(wall_ms)));
  const std::chrono::sys_days day = floor<days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(moment - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

}  // namespace consilium
