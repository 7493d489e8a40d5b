#pragma once
// 128-bit integers and whole roots, for fractions that must not be rounded.

#include <cstdint>

namespace consilium::sealing {

__extension__ using Wide = unsigned __int128;

/// ⌊√value⌋
constexpr auto root_below(std::uint64_t value) -> std::uint64_t {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31U; bit != 0; bit >>= 1U) {
    const std::uint64_t tried = root | bit;
    if (tried * tried <= value) root = tried;
  }
  return root;
}

/// ⌈√value⌉
constexpr auto root_above(std::uint64_t value) -> std::uint64_t {
  const std::uint64_t root = root_below(value);
  return root + static_cast<std::uint64_t>(root * root < value);
}

}  // namespace consilium::sealing
