#include "consilium/federation/round_plan.hpp"

#include "consilium/federation/clips.hpp"
#include "consilium/foundation/codec.hpp"

namespace consilium::federation {

namespace {
constexpr std::size_t part_bytes_max = 1024;

/// The suite with the boxes that the policy asks for.
auto suite_id(const ledger::State& state, sealing::Suite suite) -> std::uint8_t {
  return static_cast<std::uint8_t>(state.policy().hybrid_boxes ? sealing::with_hybrid_boxes(suite)
                                                               : suite);
}

/// A round that makes no model.
auto count_round(const ledger::State& state, sealing::Purpose purpose, Bytes plan,
                 std::size_t length, const RoundNoise& noise) -> ledger::OpenRound {
  ledger::OpenRound open;
  open.purpose = purpose;
  open.data_epoch = state.data_epoch();
  open.base =
      sealing::no_model_base(sealing::stream_id(state.consortium(), open.purpose, open.data_epoch));
  // Exact sums, never limbs (design §4).
  open.suite = suite_id(state, sealing::Suite::l48);
  open.length = length;
  open.hospitals_max = static_cast<std::uint32_t>(state.hospitals().size());
  open.plan = std::move(plan);
  open.noise_sigma2 = noise.sigma2;
  open.clip_l2 = noise.clip_l2;
  return open;
}
}  // namespace

auto UpdatePlan::encode() const -> Bytes {
  Writer w;
  w.bytes(shape.encode()).bytes(training.encode()).u64(model_seed).u32(run);
  w.digest(schema).digest(standardisation);
  return w.take();
}

auto UpdatePlan::decode(BytesView bytes) -> Result<UpdatePlan> {
  Reader r(bytes, "update plan");
  const Bytes shape = r.bytes(part_bytes_max);
  const Bytes training = r.bytes(part_bytes_max);
  UpdatePlan plan;
  plan.model_seed = r.u64();
  plan.run = r.u32();
  plan.schema = r.digest();
  plan.standardisation = r.digest();
  CONSILIUM_CHECK(r.finish());
  CONSILIUM_TRY(plan.shape, learning::ModelShape::decode(shape));
  CONSILIUM_TRY(plan.training, learning::TrainingPlan::decode(training));
  return plan;
}

auto StatisticsPlan::encode() const -> Bytes {
  Writer w;
  w.digest(schema).u64(cases_max).u32(small_cell);
  return w.take();
}

auto StatisticsPlan::decode(BytesView bytes) -> Result<StatisticsPlan> {
  Reader r(bytes, "statistics plan");
  StatisticsPlan plan{r.digest(), r.u64(), r.u32()};
  CONSILIUM_CHECK(r.finish());
  return plan;
}

auto initial_model(const learning::ModelShape& shape, std::uint64_t model_seed) -> learning::Model {
  learning::Model model(shape);
  // Without hidden layers the loss is convex: zero is as good a start as any and adds no chance.
  if (!shape.hidden.empty()) {
    SeededRandom random(model_seed, "consilium/federation/1/initial-model");
    model.initialise(random);
  }
  return model;
}

auto update_round(const ledger::State& state, const UpdatePlan& plan, const RoundNoise& noise,
                  std::vector<std::uint32_t> clips_micro) -> ledger::OpenRound {
  ledger::OpenRound open;
  open.purpose = sealing::Purpose::update;
  open.data_epoch = state.data_epoch();
  open.base = state.models().empty() ? initial_model(plan.shape, plan.model_seed).digest()
                                     : state.models().back().model;
  open.suite = suite_id(state, sealing::Suite::s30);
  open.length = plan.shape.parameter_count() + sealing::update_header;
  open.hospitals_max = static_cast<std::uint32_t>(state.hospitals().size());
  open.clip_micro = state.policy().clip_micro;
  open.weight_cap = state.policy().weight_cap;
  open.plan = plan.encode();
  open.noise_sigma2 = noise.sigma2;
  open.clip_l2 = noise.clip_l2;
  open.clips_micro = std::move(clips_micro);
  return open;
}

auto statistics_round(const ledger::State& state, const Digest& schema, std::size_t numbers,
                      const RoundNoise& noise) -> ledger::OpenRound {
  const StatisticsPlan plan{schema, state.policy().cases_max, state.policy().small_cell};
  // Count, sum, sum of squares.
  return count_round(state, sealing::Purpose::statistics, plan.encode(), 3 * numbers, noise);
}

auto metrics_round(const ledger::State& state, const MetricsPlan& plan, const RoundNoise& noise)
    -> ledger::OpenRound {
  return count_round(state, sealing::Purpose::metrics, plan.encode(), plan.length(), noise);
}

auto council_round(const ledger::State& state, const CouncilPlan& plan, const RoundNoise& noise)
    -> ledger::OpenRound {
  return count_round(state, sealing::Purpose::council, plan.encode(), plan.length(), noise);
}

auto noise_rule_of(const ledger::RoundRecord& round) -> Result<sealing::NoiseRule> {
  CONSILIUM_TRY(const auto suite, sealing::suite_from_id(round.open.suite));
  CONSILIUM_TRY(const auto scale, sealing::scale_of(suite, round.open.hospitals_max));
  CONSILIUM_TRY(const auto noisy,
                sealing::noisy_round(round.open.noise_sigma2, round.open.clip_l2, round.open.length,
                                     scale.value_max, round.policy.honest_min,
                                     round.open.purpose == sealing::Purpose::update
                                         ? sealing::Contents::weighted_update
                                         : sealing::Contents::counts));
  return noisy.rule;
}

auto quantisation_of(const ledger::RoundRecord& round) -> Result<sealing::Quantisation> {
  CONSILIUM_TRY(const auto suite, sealing::suite_from_id(round.open.suite));
  CONSILIUM_TRY(const auto scale, sealing::scale_of(suite, round.open.hospitals_max));
  sealing::Quantisation quantisation{.clip = static_cast<double>(round.open.clip_micro) / 1e6,
                                     .value_max = scale.value_max,
                                     .weight_cap = round.open.weight_cap};
  if (round.open.noise_sigma2 != 0) {
    CONSILIUM_TRY(const auto rule, noise_rule_of(round));
    quantisation.value_max = rule.value_clip;
    quantisation.clip_l2 = round.open.clip_l2;
    quantisation.headroom = rule.value_max - rule.value_clip;
  }
  if (!round.open.clips_micro.empty()) {
    CONSILIUM_TRY(const auto plan, UpdatePlan::decode(round.open.plan));
    if (tensor_groups(plan.shape).size() != round.open.clips_micro.size())
      return fail("stale_context", "round " + std::to_string(round.id.value),
                  "it names another number of clips than its model has tensor groups");
    quantisation.groups = clip_groups(plan.shape, round.open.clips_micro);
  }
  return quantisation;
}

}  // namespace consilium::federation
