#pragma once
// e^x from additions and multiplications only. The C library picks another exp on processors with
// fused multiply-add, and its last bit then differs from machine to machine; a model's bytes must
// not.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace consilium::learning {

/// 1/13!, 1/12! … 1/0!; the next term of the series, r^14/14!, is below 5e-18 for |r| ≤ ln 2 / 2.
inline constexpr auto inverse_factorials = [] {
  std::array<double, 14> out{};
  double factorial = 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i > 0) factorial *= static_cast<double>(i);
    out[out.size() - 1 - i] = 1 / factorial;
  }
  return out;
}();

/// e^x, relative error below 1e-15 for |x| ≤ 700; arguments beyond are held at ±700 (1e-304,
/// 1e304). NaN stays NaN.
[[nodiscard]] inline auto exponential(double x) -> double {
  if (std::isnan(x)) return x;
  x = std::clamp(x, -700.0, 700.0);
  // x = n·ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts, so that n·ln2_high is exact.
  constexpr double log2_e = 1.4426950408889634;
  constexpr double ln2_high = 6.93147180369123816490e-01;
  constexpr double ln2_low = 1.90821492927058770002e-10;
  const double n = std::floor(x * log2_e + 0.5);
  const double r = (x - n * ln2_high) - n * ln2_low;
  double sum = 0;
  for (const double inverse : inverse_factorials) sum = sum * r + inverse;
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023);
  return sum * std::bit_cast<double>(exponent << 52U);
}

}  // namespace consilium::learning
