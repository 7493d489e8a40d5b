#pragma once
// The inputs that ours and the peers share: a pure function of a seed, written down once here and
// once in bench/peers/sealing (measure.py, lattigo/main.go).

#include <cstdint>
#include <vector>

namespace consilium::bench {

/// splitmix64 over (hospital, index), uniform in −top … top up to 2⁻⁴⁰. `hospital` from 1, `index`
/// from 0 and below 2⁴⁰ − 1.
inline auto value_of(std::uint64_t seed, std::uint64_t hospital, std::uint64_t index,
                     std::int64_t top) -> std::int64_t {
  std::uint64_t z = seed + 0x9E3779B97F4A7C15U * ((hospital << 40U) + index + 1);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  z ^= z >> 31U;
  return static_cast<std::int64_t>(z % static_cast<std::uint64_t>(2 * top + 1)) - top;
}

inline auto values_of(std::uint64_t seed, std::uint64_t hospital, std::uint64_t length,
                      std::int64_t top) -> std::vector<std::int64_t> {
  std::vector<std::int64_t> values(length);
  for (std::uint64_t at = 0; at < length; ++at) values[at] = value_of(seed, hospital, at, top);
  return values;
}

/// A model update of that hospital: floats in ±0.1, about what a clip of 0.1 lets through.
inline auto update_of(std::uint64_t seed, std::uint64_t hospital, std::uint64_t length)
    -> std::vector<float> {
  constexpr std::int64_t top = 1 << 20;
  std::vector<float> values(length);
  for (std::uint64_t at = 0; at < length; ++at) {
    values[at] = static_cast<float>(value_of(seed, hospital, at, top)) * (0.1F / (1 << 20));
  }
  return values;
}

}  // namespace consilium::bench
