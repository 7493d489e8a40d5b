#include "consilium/federation/clips.hpp"

#include <algorithm>
#include <cmath>

#include "sealed_values.hpp"

namespace consilium::federation {
namespace {

auto model_by_digest(const Digest& digest, const UpdatePlan& plan, NodeStorage& storage)
    -> Result<learning::Model> {
  auto initial = initial_model(plan.shape, plan.model_seed);
  if (initial.digest() == digest) return initial;
  return kept_model(storage, digest);
}

/// The policy under which the first set of the base was frozen, else the one given.
auto policy_of_base(const ledger::State& state, const ledger::Policy& policy, const Digest& base)
    -> const ledger::Policy& {
  const auto family = state.families().find(base);
  return family == state.families().end() ? policy : state.rounds().at(family->second.first).policy;
}

}  // namespace

auto tensor_groups(const learning::ModelShape& shape) -> std::vector<std::size_t> {
  std::vector<std::size_t> groups;
  std::size_t inputs = shape.inputs;
  const auto layer = [&](std::size_t outputs) {
    groups.push_back(inputs * outputs);
    groups.push_back(outputs);
    inputs = outputs;
  };
  for (const std::uint32_t hidden : shape.hidden) layer(hidden);
  layer(shape.outputs);
  return groups;
}

auto clips_after(const ledger::Policy& policy, const learning::Model& before,
                 const learning::Model& after) -> std::vector<std::uint32_t> {
  CONSILIUM_ENSURE(before.shape() == after.shape());
  std::vector<std::uint32_t> clips;
  std::size_t at = 0;
  for (const std::size_t count : tensor_groups(after.shape())) {
    double largest = 0;
    for (const std::size_t end = at + count; at < end; ++at) {
      const double change = static_cast<double>(after.parameters()[at]) -
                            static_cast<double>(before.parameters()[at]);
      largest = std::max(largest, std::abs(change));
    }
    // Halved while the half still holds twice the largest change: a power of two takes nothing from
    // the opened sum but its size.
    std::uint32_t clip = policy.clip_micro;
    for (std::uint32_t half = clip / 2;
         clip >= 2 && half >= policy.clip_floor_micro && half >= 2 * largest * 1e6;
         half = clip / 2) {
      clip = half;
    }
    clips.push_back(clip);
  }
  return clips;
}

auto clips_for(const ledger::State& state, const ledger::Policy& policy, const UpdatePlan& plan,
               const Digest& base, NodeStorage& storage) -> Result<std::vector<std::uint32_t>> {
  const ledger::Policy& rule = policy_of_base(state, policy, base);
  std::vector<std::uint32_t> clips;
  if (rule.clip_floor_micro == 0) return clips;
  const auto& models = state.models();
  const auto made = std::find_if(models.begin(), models.end(),
                                 [&base](const auto& record) { return record.model == base; });
  if (made == models.end()) {
    clips.assign(tensor_groups(plan.shape).size(), rule.clip_micro);
    return clips;
  }
  CONSILIUM_TRY(const auto after, model_by_digest(base, plan, storage));
  CONSILIUM_TRY(const auto before, model_by_digest(made->parent, plan, storage));
  if (before.shape() != after.shape() || after.shape() != plan.shape)
    return fail("stale_context", "models/" + base.hex(),
                "the base has another shape than the plan or than what it was made of");
  return clips_after(rule, before, after);
}

auto check_clips(const ledger::State& state, const ledger::RoundRecord& round,
                 const UpdatePlan& plan, NodeStorage& storage) -> Result<void> {
  CONSILIUM_TRY(const auto clips, clips_for(state, round.policy, plan, round.open.base, storage));
  if (clips != round.open.clips_micro)
    return fail("stale_context", "round " + std::to_string(round.id.value),
                "its clips are not the ones that earlier opened sums give; nothing is sealed");
  return {};
}

auto clip_groups(const learning::ModelShape& shape, std::span<const std::uint32_t> clips_micro)
    -> std::vector<sealing::ClipGroup> {
  const auto counts = tensor_groups(shape);
  CONSILIUM_ENSURE(counts.size() == clips_micro.size());
  std::vector<sealing::ClipGroup> groups;
  for (std::size_t i = 0; i < counts.size(); ++i)
    groups.push_back({counts[i], static_cast<double>(clips_micro[i]) / 1e6});
  return groups;
}

}  // namespace consilium::federation
