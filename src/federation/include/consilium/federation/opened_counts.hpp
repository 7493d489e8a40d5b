#pragma once
// What was opened of rounds that make no model: kept at every hospital, read by who asked.

#include <optional>

#include "consilium/federation/node_storage.hpp"
#include "consilium/ledger/ledger.hpp"

namespace consilium::federation {

/// What fixed-point sums of a round are scaled by, and how far noise may carry an entry: X_max and
/// 0 without noise; with noise the largest value before it, and at least one unit a case. Errors:
/// those of scale_of and noisy_round.
struct CountBounds {
  std::int64_t value_max = 0;
  std::int64_t headroom = 0;
};
[[nodiscard]] auto count_bounds_of(const ledger::RoundRecord& round) -> Result<CountBounds>;

/// Keeps an opened sum of statistics, metrics or a council. Errors: those of the storage.
[[nodiscard]] auto keep_opened_counts(NodeStorage& storage, RoundId round,
                                      std::span<const std::int64_t> sum) -> Result<void>;
/// The sum of a round this node has opened; nothing before. Error: `database_damaged`.
[[nodiscard]] auto opened_counts(NodeStorage& storage, RoundId round)
    -> Result<std::optional<std::vector<std::int64_t>>>;

}  // namespace consilium::federation
