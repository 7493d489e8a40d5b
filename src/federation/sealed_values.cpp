#include "sealed_values.hpp"

#include "consilium/federation/clips.hpp"
#include "consilium/federation/council_plan.hpp"
#include "consilium/federation/metrics_plan.hpp"
#include "consilium/federation/opened_counts.hpp"
#include "consilium/foundation/codec.hpp"

namespace consilium::federation {
namespace {

using ledger::RoundRecord;
using sealing::Purpose;

auto place_of(const RoundRecord& round) -> std::string {
  return "round " + std::to_string(round.id.value);
}

/// What a plan says of one hospital's cases is the policy's word, not the opener's: smaller cells
/// would show single patients, and other bounds another rounding of the same data.
auto check_bounds(const RoundRecord& round, std::uint64_t cases_max, std::uint32_t small_cell)
    -> Result<void> {
  if (small_cell < round.policy.small_cell || cases_max != round.policy.cases_max)
    return fail("stale_context", place_of(round),
                "the plan has other bounds than the policy; nothing is sealed under it");
  return {};
}

/// Names what was asked of the frozen cases: the same question is answered with the same integers.
auto context_of(const RoundRecord& round, std::int64_t value_max, const Digest& model) -> Digest {
  Writer w;
  w.bytes(round.open.plan).u8(round.open.suite).i64(value_max).digest(model);
  w.boolean(round.open.noise_sigma2 != 0);
  return tagged_hash("consilium/federation/1/asked", {w.view()});
}

auto statistics_of(const Answering& a, std::span<const CaseMark> cases, std::int64_t value_max)
    -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(auto plan, StatisticsPlan::decode(a.round.open.plan));
  CONSILIUM_CHECK(check_bounds(a.round, plan.cases_max, plan.small_cell));
  if (a.round.open.noise_sigma2 != 0) plan.small_cell = 0;
  return a.cases.statistics(plan, cases, value_max);
}

auto metrics_of(const Answering& a, const ModelInForce& in_force, std::span<const CaseMark> cases,
                std::int64_t value_max) -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(const auto plan, MetricsPlan::decode(a.round.open.plan));
  CONSILIUM_CHECK(check_bounds(a.round, plan.cases_max, plan.small_cell));
  CONSILIUM_TRY(const auto model, kept_model(a.storage, in_force.model));
  CONSILIUM_TRY(const auto* examples, a.cases.held_back(in_force.plan, cases));
  const auto posterior = model.predict(learning::batch_of(*examples));
  return metrics_vector(plan, posterior, examples->disease, value_max,
                        a.round.open.noise_sigma2 == 0 ? plan.small_cell : 0);
}

auto council_of(const Answering& a, std::span<const CaseMark> cases)
    -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(const auto plan, CouncilPlan::decode(a.round.open.plan));
  CONSILIUM_CHECK(check_bounds(a.round, plan.cases_max, plan.small_cell));
  CONSILIUM_TRY(const auto counts, a.cases.council(plan, cases));
  return council_vector(plan, counts, a.round.open.noise_sigma2 == 0 ? plan.small_cell : 0);
}

/// Counts and sums of every purpose without a model of its own: from cases that stay the same until
/// enough of them changed.
auto counts_of(const Answering& a) -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(const auto bounds, count_bounds_of(a.round));
  const Purpose purpose = a.round.open.purpose;
  std::optional<ModelInForce> in_force;
  if (purpose == Purpose::metrics) {
    CONSILIUM_TRY(in_force, model_in_force(a.state, a.round));
  }
  const CaseUse use = purpose == Purpose::statistics ? CaseUse::training
                      : purpose == Purpose::metrics  ? CaseUse::held_back
                                                     : CaseUse::council;
  CONSILIUM_TRY(auto now, a.cases.marks(use));
  CONSILIUM_TRY(auto frozen, freeze_cases(a.storage, purpose,
                                          context_of(a.round, bounds.value_max,
                                                     in_force ? in_force->model : Digest{}),
                                          std::move(now), a.round.policy.snapshot_cases));
  if (!frozen.values.empty()) return std::move(frozen.values);
  if (purpose == Purpose::statistics) {
    CONSILIUM_TRY(frozen.values, statistics_of(a, frozen.cases, bounds.value_max));
  } else if (purpose == Purpose::metrics) {
    CONSILIUM_TRY(frozen.values, metrics_of(a, *in_force, frozen.cases, bounds.value_max));
  } else {
    CONSILIUM_TRY(frozen.values, council_of(a, frozen.cases));
  }
  CONSILIUM_CHECK(keep_frozen(a.storage, purpose, frozen));
  return std::move(frozen.values);
}

auto update_of(const Answering& a, const learning::Model& base)
    -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(const auto plan, UpdatePlan::decode(a.round.open.plan));
  CONSILIUM_CHECK(check_clips(a.state, a.round, plan, a.storage));
  CONSILIUM_TRY(auto now, a.cases.marks(CaseUse::training));
  CONSILIUM_TRY(const auto frozen, freeze_cases(a.storage, Purpose::update, a.round.open.base,
                                                std::move(now), a.round.policy.snapshot_cases));
  CONSILIUM_TRY(const auto* examples, a.cases.training(plan, frozen.cases));
  CONSILIUM_TRY(const auto quantisation, quantisation_of(a.round));
  return local_update(base, plan, *examples, quantisation, a.training_seed);
}

}  // namespace

auto values_to_seal(const Answering& a, const std::optional<learning::Model>& base)
    -> Result<std::vector<std::int64_t>> {
  const bool update = a.round.open.purpose == Purpose::update;
  CONSILIUM_ENSURE(base.has_value() == update);
  CONSILIUM_TRY(auto values, update ? update_of(a, *base) : counts_of(a));
  if (a.round.open.noise_sigma2 == 0) return values;
  CONSILIUM_TRY(const auto rule, noise_rule_of(a.round));
  if (!update) {
    // The promise counts on this bound, so it is kept here and not hoped for.
    CONSILIUM_TRY(values, sealing::clip_counts(values, a.round.open.clip_l2, rule.value_clip));
  }
  // Secret chance, never the training seed's: noise that can be repeated protects nobody.
  return sealing::add_noise(values, rule, a.secrets);
}

auto take_opened_counts(const Answering& a, std::span<const std::int64_t> sum) -> Result<void> {
  CONSILIUM_CHECK(keep_opened_counts(a.storage, a.round.id, sum));
  if (a.round.open.purpose != Purpose::statistics) return {};
  CONSILIUM_TRY(const auto plan, StatisticsPlan::decode(a.round.open.plan));
  CONSILIUM_TRY(const auto bounds, count_bounds_of(a.round));
  return a.cases.standardise({sum, bounds.value_max, bounds.headroom != 0}, plan);
}

auto model_in_force(const ledger::State& state, const RoundRecord& round) -> Result<ModelInForce> {
  const ledger::ModelRecord* last = nullptr;
  for (const auto& model : state.models()) {
    if (model.height < round.opened_at) last = &model;
  }
  if (last == nullptr)
    return fail("stale_context", place_of(round),
                "no model had been accepted when the round opened; open it again after one");
  CONSILIUM_TRY(auto plan, UpdatePlan::decode(state.rounds().at(last->round).open.plan));
  return ModelInForce{last->model, std::move(plan)};
}

auto kept_model(NodeStorage& storage, const Digest& digest) -> Result<learning::Model> {
  CONSILIUM_TRY(const auto saved, storage.load("models/" + digest.hex()));
  if (!saved)
    return fail("stale_context", "models/" + digest.hex(), "this node does not hold the model");
  CONSILIUM_TRY(auto decoded, learning::Model::decode(*saved));
  if (decoded.digest() != digest)
    return fail("database_damaged", "models/" + digest.hex(),
                "the stored model is not the one its name says; remove the file");
  return decoded;
}

}  // namespace consilium::federation
