#include "consilium/federation/local_work.hpp"

#include <cmath>

#include "consilium/federation/clips.hpp"

namespace consilium::federation {

namespace {

/// Base and run name the stream: a round that was aborted and opened again asks for the same
/// integers (sealing-spec §8.1), a raised run for new ones.
auto stream_label(std::string_view step, const Digest& base, std::uint32_t run) -> std::string {
  return "consilium/federation/1/" + std::string(step) + "/" + base.hex() + "/" +
         std::to_string(run);
}

struct ClassErrors {
  double balanced = 0;
  std::size_t classes = 0;
};

/// A class with fewer cases says more about chance than about the model.
constexpr std::size_t class_rows_min = 5;

auto balanced_error(const learning::Evaluation& e) -> ClassErrors {
  ClassErrors out;
  for (std::size_t c = 0; c < e.class_rows.size(); ++c) {
    if (e.class_rows[c] < class_rows_min) continue;
    out.balanced += static_cast<double>(e.class_errors[c]) / static_cast<double>(e.class_rows[c]);
    ++out.classes;
  }
  if (out.classes > 0) out.balanced /= static_cast<double>(out.classes);
  return out;
}

}  // namespace

auto training_now(LocalCases& cases, const UpdatePlan& plan) -> Result<const learning::Examples*> {
  CONSILIUM_TRY(const auto now, cases.marks(CaseUse::training));
  return cases.training(plan, now);
}

auto held_back_now(LocalCases& cases, const UpdatePlan& plan) -> Result<const learning::Examples*> {
  CONSILIUM_TRY(const auto now, cases.marks(CaseUse::held_back));
  return cases.held_back(plan, now);
}

auto local_update(const learning::Model& base, const UpdatePlan& plan,
                  const learning::Examples& examples, const sealing::Quantisation& quantisation,
                  BytesView training_seed) -> Result<std::vector<std::int64_t>> {
  const Digest base_digest = base.digest();
  learning::Model local = base;
  SeededRandom training(training_seed, stream_label("train", base_digest, plan.run));
  CONSILIUM_CHECK(learning::train(local, examples, plan.training, training));

  std::vector<float> update(local.parameters().begin(), local.parameters().end());
  const auto before = base.parameters();
  for (std::size_t i = 0; i < update.size(); ++i) update[i] -= before[i];
  SeededRandom rounding(training_seed, stream_label("round", base_digest, plan.run));
  return sealing::quantise(update, examples.rows, quantisation, rounding);
}

auto candidate_of(const learning::Model& base, std::span<const std::int64_t> sum,
                  std::size_t hospitals, const sealing::Quantisation& quantisation)
    -> Result<Candidate> {
  if (sum.size() != base.parameters().size() + sealing::update_header) {
    return fail("length_mismatch", "opened sum",
                "the sum has another length than the model; check the round's plan");
  }
  CONSILIUM_TRY(const auto mean, sealing::mean_of(sum, hospitals, quantisation));
  Candidate candidate{base, mean.clipped};
  auto parameters = candidate.model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] += mean.update[i];
    if (!std::isfinite(parameters[i])) {
      return fail("training_diverged", "candidate model",
                  "the summed update leaves a parameter that is not finite; the base stays");
    }
  }
  return candidate;
}

auto accepts(const learning::Model& base, const learning::Model& candidate,
             const learning::Examples& held_back) -> bool {
  const auto after = learning::evaluate(candidate, held_back);
  if (after.rows == 0) return true;
  if (!std::isfinite(after.log_loss)) return false;
  const auto before = learning::evaluate(base, held_back);
  const auto error_after = balanced_error(after);
  if (error_after.classes == 0) return true;
  return error_after.balanced - balanced_error(before).balanced <= vote_rise_max;
}

auto clear_rounds(std::span<const ClearHospital> hospitals, UpdatePlan plan,
                  sealing::Quantisation quantisation, std::size_t rounds,
                  const ledger::Policy& policy) -> Result<std::vector<ClearRound>> {
  std::vector<ClearRound> out;
  learning::Model base = initial_model(plan.shape, plan.model_seed);
  const auto clip_after = [&](const learning::Model& before, const learning::Model& after) {
    if (policy.clip_floor_micro == 0) return;
    quantisation.groups = clip_groups(plan.shape, clips_after(policy, before, after));
  };
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::int64_t> sum(base.parameters().size() + sealing::update_header, 0);
    for (const auto& hospital : hospitals) {
      CONSILIUM_TRY(const auto* examples, training_now(*hospital.cases, plan));
      CONSILIUM_TRY(const auto values,
                    local_update(base, plan, *examples, quantisation, hospital.training_seed));
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
    }
    CONSILIUM_TRY(auto candidate, candidate_of(base, sum, hospitals.size(), quantisation));
    std::size_t refusals = 0;
    for (const auto& hospital : hospitals) {
      CONSILIUM_TRY(const auto* examples, held_back_now(*hospital.cases, plan));
      if (!accepts(base, candidate.model, *examples)) ++refusals;
    }
    const bool accepted = refusals < hospitals.size() / 3 + 1;
    if (accepted) {
      clip_after(base, candidate.model);
      base = candidate.model;
    } else {
      ++plan.run;
    }
    out.push_back(ClearRound{base, accepted});
    if (accepted) plan.run = 0;
  }
  return out;
}

}  // namespace consilium::federation
