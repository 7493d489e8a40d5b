#pragma once
// Every cryptographic parameter of sealing in one table (sealing-spec §3.1), and what follows from
// it.

#include <cstdint>
#include <span>
#include <string_view>

#include "consilium/foundation/result.hpp"

namespace consilium::sealing {

/// The id travels in every seed, chunk and manifest. 0x02 (ChaCha20 stream), 0x81 (discrete
/// Gaussian errors) and bit 0x40 (hybrid boxes) are reserved by the specification; L48 and L60 are
/// numbered here. S30 is for updates, L48 for exact statistics and up to 1024 hospitals, L60 for
/// the same where the secrets must last.
enum class Suite : std::uint8_t { s30 = 0x01, l48 = 0x11, l60 = 0x21 };

struct SuiteParameters {
  Suite suite;
  std::string_view name;
  std::uint32_t ring_degree;              ///< N
  std::span<const std::uint32_t> moduli;  ///< one or two primes ≡ 1 mod 2N
  std::span<const std::uint32_t> roots;   ///< least primitive 2N-th root of each
  int error_eta;                          ///< χ_η: popcount(η bits) − popcount(η bits)
  int residue_bits;                       ///< of each prime on the wire
  int degree_rows;                        ///< R masks and challenge rows per prime
  std::int64_t value_cap;                 ///< X_cap
};
[[nodiscard]] auto parameters_of(Suite suite) -> const SuiteParameters&;
/// Error: `bad_suite`.
[[nodiscard]] auto suite_from_id(std::uint8_t id) -> Result<Suite>;

/// Scale and correctness for a round of at most hospitals_max members (sealing-spec §3.2).
struct Scale {
  std::int64_t error_bound = 0;  ///< T: |E| ≤ T but for probability < 2⁻⁶⁴ a coefficient
  std::int64_t value_max = 0;    ///< X_max
  std::int64_t delta = 0;        ///< Δ
};
/// Error: `too_many_hospitals` (none, or more than the 64 of S30 and the 1024 of L48 and L60 for
/// which the formulas were checked one by one).
[[nodiscard]] auto scale_of(Suite suite, std::uint32_t hospitals_max) -> Result<Scale>;

/// f, t of a committee of `miners` (§3.4): f = ⌊(M−1)/3⌋, t = ⌊(M+f)/2⌋+1; M = 1 gives f 0, t 1.
struct Committee {
  std::uint16_t miners = 0;
  std::uint16_t faulty_max = 0;
  std::uint16_t threshold = 0;
  auto operator==(const Committee&) const -> bool = default;
};
[[nodiscard]] auto committee_of(std::uint16_t miners) -> Committee;

}  // namespace consilium::sealing
