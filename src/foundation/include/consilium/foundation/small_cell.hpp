#pragma once
// The smallest group of patients of one hospital that a sealed figure may speak of.

#include <cstdint>

namespace consilium {

/// A count of patients as it may be sealed without noise: 0 when it is below `smallest`, itself
/// otherwise (sealing-spec §11, policy's small_cell). Every count of every purpose goes through
/// here: a sum over three hospitals of which two hold nobody is the third one's count.
[[nodiscard]] constexpr auto without_small_cell(std::int64_t patients, std::int64_t smallest)
    -> std::int64_t {
  return patients < smallest ? 0 : patients;
}

}  // namespace consilium
