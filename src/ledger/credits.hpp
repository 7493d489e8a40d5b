#pragma once
// What an accepted update round pays: integers, largest remainder, sums asserted (design §6).

#include <map>

#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger {

struct Rewards {
  std::map<HospitalId, std::uint64_t> data, verify, pack;
};

/// ⌊√value⌋
[[nodiscard]] auto integer_root(std::uint64_t value) -> std::uint64_t;

/// Splits `pool` in proportion to the weights; what whole division leaves goes to the largest
/// remainders, ties to the lower id. The parts add up to the pool. At least one weight is positive.
[[nodiscard]] auto split(std::uint64_t pool, const std::map<HospitalId, std::uint64_t>& weights)
    -> std::map<HospitalId, std::uint64_t>;

/// Pays policy.round_pool: data to the set by the root or the digits of its claims, verification to
/// miners by how much of the set they attested, packing to the packer.
[[nodiscard]] auto rewards_of(const RoundRecord& round) -> Rewards;

}  // namespace consilium::ledger
