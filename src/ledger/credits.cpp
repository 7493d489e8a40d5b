#include "credits.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace consilium::ledger {
namespace {

/// Shares of the pool's parts, named by a place instead of a member: 1 data, 2 verification, 3
/// packing.
constexpr HospitalId data_part{1};
constexpr HospitalId verify_part{2};
constexpr HospitalId pack_part{3};

auto sum_of(const std::map<HospitalId, std::uint64_t>& parts) -> std::uint64_t {
  std::uint64_t sum = 0;
  for (const auto& [id, part] : parts) sum += part;
  return sum;
}

auto scaled(const Policy& policy, std::uint64_t claimed) -> std::uint64_t {
  if (policy.credit_scale == CreditScale::digits)
    return static_cast<std::uint64_t>(std::bit_width(claimed));
  return integer_root(claimed);
}

auto data_weights(const RoundRecord& round) -> std::map<HospitalId, std::uint64_t> {
  std::map<HospitalId, std::uint64_t> weights;
  std::uint64_t claims = 0;
  for (const auto& member : round.set)
    claims += round.manifests.at(member.hospital).claimed_patterns;
  std::uint64_t total = 0;
  for (const auto& member : round.set) {
    const std::uint64_t claimed = round.manifests.at(member.hospital).claimed_patterns;
    // Nobody claims when the run was aligned by attributes: then every update counts alike.
    const std::uint64_t weight =
        claims == 0 ? 1 : scaled(round.policy, std::min(claimed, round.policy.align_cap));
    const bool shown = std::find(round.not_shown.begin(), round.not_shown.end(), member.hospital) ==
                       round.not_shown.end();
    weights[member.hospital] = shown && !round.equivocations.contains(member.hospital) ? weight : 0;
    total += weights[member.hospital];
  }
  // Only hospitals that earn nothing are left: the pool is still paid whole, in equal parts.
  if (total == 0) {
    for (auto& [id, weight] : weights) weight = 1;
  }
  return weights;
}

auto verify_weights(const RoundRecord& round) -> std::map<HospitalId, std::uint64_t> {
  std::map<HospitalId, std::uint64_t> weights;
  for (const auto& [miner, valid] : round.attests) {
    std::uint64_t attested = 0;
    for (const auto& member : round.set)
      attested += std::binary_search(valid.begin(), valid.end(), member.hospital) ? 1U : 0U;
    if (attested > 0) weights[miner] = attested;
  }
  return weights;
}

}  // namespace

auto integer_root(std::uint64_t value) -> std::uint64_t {
  if (value < 2) return value;
  // Newton's steps from above fall until they reach the root.
  std::uint64_t root = value / 2 + 1;
  for (std::uint64_t next = (root + value / root) / 2; next < root;
       next = (root + value / root) / 2)
    root = next;
  return root;
}

auto split(std::uint64_t pool, const std::map<HospitalId, std::uint64_t>& weights)
    -> std::map<HospitalId, std::uint64_t> {
  const std::uint64_t total = sum_of(weights);
  CONSILIUM_ENSURE(total > 0);
  // Pools are at most 2³², weights of one round at most 2²⁰: their product stays far below 2⁶⁴.
  CONSILIUM_ENSURE(pool <= (std::uint64_t{1} << 32U) && total <= (std::uint64_t{1} << 31U));
  std::map<HospitalId, std::uint64_t> parts;
  std::vector<std::pair<std::uint64_t, HospitalId>> remainders;
  std::uint64_t given = 0;
  for (const auto& [id, weight] : weights) {
    const std::uint64_t product = pool * weight;
    parts[id] = product / total;
    given += parts[id];
    if (weight > 0) remainders.emplace_back(product % total, id);
  }
  std::sort(remainders.begin(), remainders.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  for (std::size_t i = 0; given < pool; ++i, ++given) ++parts[remainders.at(i).second];
  CONSILIUM_ENSURE(sum_of(parts) == pool);
  return parts;
}

auto rewards_of(const RoundRecord& round) -> Rewards {
  const Policy& policy = round.policy;
  const auto pools = split(policy.round_pool, {{data_part, policy.data_percent},
                                               {verify_part, policy.verify_percent},
                                               {pack_part, policy.pack_percent}});
  Rewards rewards;
  rewards.data = split(pools.at(data_part), data_weights(round));
  rewards.verify = split(pools.at(verify_part), verify_weights(round));
  rewards.pack[round.packer] = pools.at(pack_part);
  CONSILIUM_ENSURE(sum_of(rewards.data) + sum_of(rewards.verify) + sum_of(rewards.pack) ==
                   policy.round_pool);
  return rewards;
}

}  // namespace consilium::ledger
