#pragma once
#include <charconv>
#include <optional>
#include <string_view>

namespace consilium::casebase {

inline constexpr std::size_t columns_max = 4096;

/// "#3" → 3; nothing for another text or a number outside 1..4096.
[[nodiscard]] inline auto column_number(std::string_view name) -> std::optional<std::size_t> {
  if (!name.starts_with('#')) return std::nullopt;
  std::size_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, wrong] = std::from_chars(name.data() + 1, end, number);
  if (wrong != std::errc{} || stop != end || number < 1 || number > columns_max)
    return std::nullopt;
  return number;
}

}  // namespace consilium::casebase
