#pragma once
// A council: the same question to all hospitals, answered with counts only (design §1).

#include <cstdint>
#include <span>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::federation {

/// Plan of a council round: how many cases had which diagnosis with which result. Without a
/// question it counts all cases: that is the menu. A question of the asker's own picks the cases,
/// in words that only the program reads (LocalCases::council); it is asked with noise.
struct CouncilPlan {
  Digest schema;
  std::uint16_t diagnoses = 2;   ///< 1 … 1024
  std::uint16_t results = 2;     ///< 1 … 64
  Bytes question;                ///< ≤ 2048 bytes; empty: all cases
  std::uint64_t cases_max = 0;   ///< of one hospital; the policy's
  std::uint32_t small_cell = 0;  ///< counts below it are sealed as 0; the policy's
  auto operator==(const CouncilPlan&) const -> bool = default;
  [[nodiscard]] auto length() const -> std::size_t;  ///< diagnoses × results
  [[nodiscard]] auto encode() const -> Bytes;
  /// Errors: `bad_encoding`, `bad_plan`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<CouncilPlan>;
};

/// What is sealed of a hospital's counts (a row of results for each diagnosis): those below
/// `smallest` are 0; pass 0 where noise is added instead. Errors: `bad_plan` (another number of
/// counts, or a negative one), `too_many_cases`.
[[nodiscard]] auto council_vector(const CouncilPlan& plan, std::span<const std::int64_t> counts,
                                  std::int64_t smallest) -> Result<std::vector<std::int64_t>>;

}  // namespace consilium::federation
