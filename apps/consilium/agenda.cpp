#include "agenda.hpp"

#include <algorithm>

#include "consilium/federation/clips.hpp"
#include "consilium/federation/opened_counts.hpp"

namespace consilium::app {

namespace {

using ledger::RoundState;
using sealing::Purpose;

auto is_running(const ledger::RoundRecord& round) -> bool {
  return round.state != RoundState::accepted && round.state != RoundState::rolled_back &&
         round.state != RoundState::aborted;
}

}  // namespace

auto metrics_menu(const ledger::Policy& policy) -> federation::MetricsPlan {
  federation::MetricsPlan menu;
  menu.cases_max = policy.cases_max;
  menu.small_cell = policy.small_cell;
  return menu;
}

auto Agenda::update_plan(std::uint32_t run) -> Result<federation::UpdatePlan> {
  auto& cases = founder().cases();
  federation::UpdatePlan plan;
  plan.shape = {static_cast<std::uint32_t>(casebase::layout_of(cases.schema()).v1.size()),
                spec_.hidden, spec_.outputs};
  plan.training = spec_.training;
  plan.model_seed = spec_.seed;
  plan.run = run;
  plan.schema = cases.schema().digest();
  plan.standardisation = cases.standardisation_digest();
  return plan;
}

auto Agenda::admission() -> std::optional<Intent> {
  Intent intent;
  intent.step = "admit";
  intent.step_all = invited_.size();
  for (const auto& member : invited_) {
    if (state().member_by_name(member.name) != nullptr) {
      ++intent.step_done;
    } else if (!intent.order && state().proposals().empty()) {
      intent.order = ledger::Propose{ledger::ProposeAdmit{member}};
    }
  }
  if (intent.step_done == invited_.size()) return std::nullopt;
  return intent;
}

auto Agenda::alignment(std::uint64_t epoch, ledger::AlignmentSubject subject, std::uint16_t k,
                       const std::string& step) -> Result<std::optional<Intent>> {
  Intent intent;
  intent.step = step;
  intent.step_all = 5;
  const auto& sessions = state().alignments();
  const auto at = std::find_if(sessions.rbegin(), sessions.rend(), [&](const auto& s) {
    return s.record.epoch == epoch && s.record.subject == subject;
  });
  if (at == sessions.rend() || at->state == ledger::AlignmentState::failed) {
    if (at != sessions.rend()) {
      return fail(
          "alignment_failed", step,
          at->aborts.empty() ? "the session failed" : "the session failed: " + at->aborts.back());
    }
    SystemRandom random;
    CONSILIUM_TRY(const auto record, alignment::open_record(state(), founder().cases().schema(),
                                                            subject, k, epoch, random));
    intent.order = ledger::OpenAlignment{record};
    return intent;
  }
  if (at->state == ledger::AlignmentState::closed) return std::nullopt;
  intent.step_done = static_cast<std::size_t>(at->state);
  if (at->state == ledger::AlignmentState::released) {
    const bool everybody = std::all_of(hospitals_.begin(), hospitals_.end(),
                                       [](Node* node) { return node->has_alignment_outcome(); });
    if (everybody) intent.order = ledger::CloseAlignment{at->record.session};
  }
  return intent;
}

auto Agenda::statistics() -> std::optional<Intent> {
  if (spec_.norm == TrainingRule::Norm::own) return std::nullopt;
  Intent intent;
  intent.step = "sealed statistics";
  intent.step_all = 7;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::statistics) continue;
    if (round.state == RoundState::accepted) {
      const bool everybody = std::all_of(hospitals_.begin(), hospitals_.end(), [](Node* node) {
        return node->cases().standardisation().has_value();
      });
      if (everybody) return std::nullopt;
      return intent;
    }
    if (is_running(round)) {
      intent.step_done = static_cast<std::size_t>(round.state);
      return intent;
    }
  }
  const auto& schema = founder().cases().schema();
  intent.order = federation::statistics_round(state(), schema.digest(),
                                              casebase::layout_of(schema).number_ids.size());
  return intent;
}

auto Agenda::updates() -> Result<std::optional<Intent>> {
  Intent intent;
  intent.step = "train";
  intent.step_all = spec_.rounds;
  std::uint32_t run = 0;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::update) continue;
    if (is_running(round)) return intent;
    if (round.state == RoundState::aborted) continue;
    ++intent.step_done;
    run = 0;
    if (round.state == RoundState::rolled_back) {
      CONSILIUM_TRY(const auto plan, federation::UpdatePlan::decode(round.open.plan));
      run = plan.run + 1;
    }
  }
  // An accepted round is over when the hospitals agree on the model they made of it.
  std::size_t accepted = 0;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose == Purpose::update && round.state == RoundState::accepted) ++accepted;
  }
  if (state().models().size() < accepted) return intent;
  if (intent.step_done >= spec_.rounds) return std::nullopt;

  CONSILIUM_TRY(const auto plan, update_plan(run));
  const Digest base = state().models().empty()
                          ? federation::initial_model(plan.shape, plan.model_seed).digest()
                          : state().models().back().model;
  CONSILIUM_TRY(auto clips,
                federation::clips_for(state(), state().policy(), plan, base, founder()));
  intent.order = federation::update_round(state(), plan, {}, std::move(clips));
  return intent;
}

/// The menu once, about the model that training ended with.
auto Agenda::metrics() -> Result<std::optional<Intent>> {
  if (state().models().empty()) return std::nullopt;
  Intent intent;
  intent.step = "sealed metrics";
  intent.step_all = 7;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::metrics || round.state == RoundState::aborted) continue;
    intent.step_done = static_cast<std::size_t>(round.state);
    if (round.state != RoundState::accepted) return intent;
    for (auto* node : hospitals_) {
      CONSILIUM_TRY(const auto sum, federation::opened_counts(*node, id));
      if (!sum) return intent;
    }
    return std::nullopt;
  }
  intent.order = federation::metrics_round(state(), metrics_menu(state().policy()));
  return intent;
}

auto Agenda::next() -> Result<Intent> {
  if (auto admit = admission()) return std::move(*admit);
  const auto hospitals_count = static_cast<std::uint16_t>(invited_.size());
  if (spec_.align_attributes) {
    CONSILIUM_TRY(auto aligning, alignment(1, ledger::AlignmentSubject::attribute, hospitals_count,
                                           "align attributes"));
    if (aligning) return *aligning;
  } else {
    CONSILIUM_TRY(auto aligning, alignment(1, ledger::AlignmentSubject::pattern, spec_.align_k,
                                           "align (k = " + std::to_string(spec_.align_k) + ")"));
    if (aligning) return *aligning;
  }
  if (auto counting = statistics()) return std::move(*counting);
  CONSILIUM_TRY(auto training, updates());
  if (training) return *training;
  CONSILIUM_TRY(auto asking, metrics());
  if (asking) return *asking;
  if (spec_.next_epoch && !spec_.align_attributes && spec_.align_k < hospitals_count) {
    const auto next_k = static_cast<std::uint16_t>(spec_.align_k + 1);
    CONSILIUM_TRY(auto aligning, alignment(2, ledger::AlignmentSubject::pattern, next_k,
                                           "align (k = " + std::to_string(next_k) + ")"));
    if (aligning) return *aligning;
  }
  Intent done;
  done.done = true;
  return done;
}

}  // namespace consilium::app
