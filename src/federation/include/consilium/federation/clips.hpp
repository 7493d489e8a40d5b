#pragma once
// A clip for each tensor group of an update, worked out from what was opened before (sealing-spec
// §5, §8.1). Only models that everybody has go in, so that everybody gets the same integers and can
// refuse others: a clip chosen by the opener would be a probe.

#include <cstdint>
#include <vector>

#include "consilium/federation/node_storage.hpp"
#include "consilium/federation/round_plan.hpp"

namespace consilium::federation {

/// How many parameters each tensor group has, in the order of Model::parameters: a layer's weights,
/// then its biases.
[[nodiscard]] auto tensor_groups(const learning::ModelShape& shape) -> std::vector<std::size_t>;

/// Clips of the updates on `after`, which the last accepted round made of `before`: in each group
/// twice the largest mean change of a parameter, rounded up to clip_micro / 2^j, and never below
/// clip_floor_micro. Both models have the same shape. Same models, same integers, on every machine.
[[nodiscard]] auto clips_after(const ledger::Policy& policy, const learning::Model& before,
                               const learning::Model& after) -> std::vector<std::uint32_t>;

/// What an update round of this plan has to name on the model with digest `base`; empty where the
/// policy has one clip for all. On a base that has a frozen set, the policy of its first round
/// counts. Errors: `stale_context` (this node does not hold the base or what it was made of).
[[nodiscard]] auto clips_for(const ledger::State& state, const ledger::Policy& policy,
                             const UpdatePlan& plan, const Digest& base, NodeStorage& storage)
    -> Result<std::vector<std::uint32_t>>;
/// Error: `stale_context`, also when the round names other clips than clips_for gives.
[[nodiscard]] auto check_clips(const ledger::State& state, const ledger::RoundRecord& round,
                               const UpdatePlan& plan, NodeStorage& storage) -> Result<void>;

/// Clips as quantisation has them: one for each tensor group of the shape, of which there are as
/// many.
[[nodiscard]] auto clip_groups(const learning::ModelShape& shape,
                               std::span<const std::uint32_t> clips_micro)
    -> std::vector<sealing::ClipGroup>;

}  // namespace consilium::federation
