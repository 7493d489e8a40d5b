#include "demo_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "consilium/foundation/clock.hpp"

namespace consilium::app {

namespace {

using nlohmann::json;

auto ways_json(double local, double federated, double pooled) -> json {
  return {{"local", local}, {"federated", federated}, {"pooled", pooled}};
}

auto figure_of(double value, bool known, std::string_view why) -> portal::Figure {
  return known ? portal::Figure(value) : portal::Figure::unknown(std::string(why));
}

constexpr std::string_view one_class_reason =
    "the held-back cases have one diagnosis only, so there is no AUC";

auto to_signed(std::uint64_t value) -> std::int64_t {
  return static_cast<std::int64_t>(value);
}

auto number_word(std::size_t n) -> std::string {
  static const std::vector<std::string> words = {"no",   "one",  "two", "three",
                                                 "four", "five", "six"};
  return n < words.size() ? words[n] : std::to_string(n);
}

/// "23 Nov 2026, 14:32"
auto report_time() -> std::string {
  const auto iso = iso_time(SystemClock{}.wall_ms());
  static const std::vector<std::string> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto month = static_cast<std::size_t>(std::stoi(iso.substr(5, 2)) - 1);
  return std::to_string(std::stoi(iso.substr(8, 2))) + " " + months.at(month) + " " +
         iso.substr(0, 4) + ", " + iso.substr(11, 5) + " UTC";
}

/// When sums were opened and sessions closed: found by re-playing the blocks, since the state keeps
/// only what the next transaction needs.
struct Moments {
  std::map<RoundId, Height> opened;
  std::map<std::size_t, Height> closed;  ///< by the session's place
  std::int64_t size_bytes = 0;
};

auto replay_moments(const ConsortiumRun& run) -> Moments {
  Moments out;
  ledger::Ledger replay(run.state().genesis());
  for (std::uint64_t h = 1; h <= run.state().height().value; ++h) {
    const auto block = run.store().block_at(Height{h});
    if (!block || !replay.apply_block(*block)) break;
    out.size_bytes += static_cast<std::int64_t>(block->encode().size());
    for (const auto& [id, round] : replay.rounds()) {
      if (round.opened_sum) out.opened.try_emplace(id, Height{h});
    }
    for (std::size_t i = 0; i < replay.alignments().size(); ++i) {
      if (replay.alignments()[i].state == ledger::AlignmentState::closed) {
        out.closed.try_emplace(i, Height{h});
      }
    }
  }
  return out;
}

auto ledger_report(const ConsortiumRun& run) -> portal::LedgerReport {
  const auto& state = run.state();
  const auto moments = replay_moments(run);
  portal::LedgerReport out;
  out.last_height = to_signed(state.height().value);
  out.blocks = out.last_height;
  out.state_digest = state.digest().hex();
  out.size_bytes = moments.size_bytes;
  for (const auto& [id, member] : state.members()) {
    out.member_heights.push_back(to_signed(member.since.value));
  }
  for (std::size_t i = 0; i < state.alignments().size(); ++i) {
    const auto& session = state.alignments()[i];
    portal::LedgerReport::Span span;
    span.from = to_signed(session.opened_at.value);
    const auto closed = moments.closed.find(i);
    span.to = closed == moments.closed.end() ? out.last_height : to_signed(closed->second.value);
    span.label = session.record.subject == ledger::AlignmentSubject::pattern
                     ? "k = " + std::to_string(session.record.threshold)
                     : "attributes";
    out.alignments.push_back(span);
  }
  std::int64_t number = 0;
  for (const auto& [id, round] : state.rounds()) {
    if (round.state == ledger::RoundState::aborted) continue;
    portal::LedgerReport::Round r;
    r.from = to_signed(round.opened_at.value);
    r.to = to_signed(round.closed_at.value);
    const bool update = round.open.purpose == sealing::Purpose::update;
    const bool accepted = round.state == ledger::RoundState::accepted;
    r.label =
        update ? std::to_string(++number) : std::string(sealing::purpose_name(round.open.purpose));
    r.state = !update    ? portal::LedgerReport::Round::State::statistic
              : accepted ? portal::LedgerReport::Round::State::accepted
                         : portal::LedgerReport::Round::State::refused;
    out.rounds.push_back(r);
    if (const auto at = moments.opened.find(id); at != moments.opened.end()) {
      out.opened_sum_heights.push_back(to_signed(at->second.value));
    }
    if (update) {
      std::int64_t paid = 0;
      for (const auto& [member, reward] : round.rewards) paid += to_signed(reward);
      out.rewards.push_back({to_signed(round.closed_at.value), paid});
    }
  }
  return out;
}

auto likeness_of(const diagnosis::Contribution& c) -> portal::PatientReport::Likeness {
  using Likeness = portal::PatientReport::Likeness;
  constexpr double match_from = 0.8;
  if (c.stance == diagnosis::Stance::not_recorded) return Likeness::not_recorded;
  if (c.stance == diagnosis::Stance::contradicts) return Likeness::contradicts;
  return c.similarity >= match_from ? Likeness::match : Likeness::near;
}

auto patient_report(const PatientAnswer& patient) -> portal::PatientReport {
  constexpr std::size_t columns = 3;
  const auto& answer = patient.answer;
  portal::PatientReport out;
  out.hospital = patient.hospital_title;
  out.case_id = patient.case_id;
  out.similar_total = static_cast<std::int64_t>(answer.similar_count - answer.without_disease);
  for (const auto& disease : answer.posterior) {
    portal::PatientReport::Disease d;
    d.title = disease.title;
    d.chance = disease.probability;
    for (const auto& count : answer.counts) {
      if (count.code != disease.code) continue;
      d.similar_count = static_cast<std::int64_t>(count.cases);
      if (out.similar_total > 0) d.similar_interval = {{count.interval.low, count.interval.high}};
    }
    out.diseases.push_back(std::move(d));
  }
  std::stable_sort(out.diseases.begin(), out.diseases.end(), [](const auto& a, const auto& b) {
    return a.chance.value.value_or(0) > b.chance.value.value_or(0);
  });
  const auto shown = std::min(columns, answer.similar.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& s = answer.similar[i];
    out.look_alikes.push_back({s.id.value, s.similarity, s.disease_title});
  }
  for (const auto& finding : patient.findings) {
    portal::PatientReport::Finding f;
    f.title = finding.title;
    f.value = finding.text;
    for (std::size_t i = 0; i < shown; ++i) {
      portal::PatientReport::Cell cell;
      for (const auto& c : answer.similar[i].contributions) {
        if (c.attribute_id == finding.attribute_id) cell = {c.other_text, likeness_of(c)};
      }
      f.cells.push_back(std::move(cell));
    }
    if (!finding.text.empty()) out.findings.push_back(std::move(f));
  }
  out.treatment = treatment_sentence(answer);
  out.recorded_outcome = patient.recorded;
  return out;
}

auto strategy_table(const DemoFigures& figures) -> std::optional<portal::StrategyTable> {
  if (figures.rows.empty()) return std::nullopt;
  portal::StrategyTable table;
  table.title = "Beside the published table";
  table.sentence =
      "Accuracy at 0.5 on FLamby's test rows, mean ± deviation over seeds 42–46. FLamby "
      "standardises "
      "each hospital by itself; only rows with that norm are comparable with the published ones. "
      "The shared norm comes from sealed sums.";
  for (const auto& h : figures.run.hospitals) table.centres.push_back(h.title);
  const auto cell = [](const std::pair<double, std::optional<double>>& v) {
    portal::MeanDeviation out;
    out.mean = v.first > 0 ? portal::Figure(v.first) : portal::Figure::unknown("not published");
    out.deviation = v.second;
    return out;
  };
  for (const auto& row : figures.rows) {
    portal::StrategyTable::Row r;
    r.name = row.name;
    for (const auto& centre : row.centres) r.centres.push_back(cell(centre));
    r.mean = cell(row.mean);
    r.pooled_test = cell(row.pooled_test);
    r.note = row.ours ? "ours" : "published";
    r.ours = row.ours;
    table.rows.push_back(std::move(r));
  }
  return table;
}

/// "0.831"
auto fixed(double value) -> std::string {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  return text.data();
}

/// Filled up to |width| columns: left for a negative width, right for a positive one.
auto aligned(const std::string& text, int width) -> std::string {
  const auto columns = static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;  // a character's first byte
  }));
  const std::string fill(static_cast<std::size_t>(std::max(0, std::abs(width) - columns)), ' ');
  return width < 0 ? text + fill : fill + text;
}

auto command_line(const DemoOptions& options) -> std::string {
  std::string out =
      "./dev demo --seed " + std::to_string(options.seed) + " --topology " + options.topology;
  if (options.delivery != "a") out += " --delivery " + options.delivery;
  if (options.align != "patterns") out += " --align " + options.align;
  if (options.align_k != 2) out += " --align-k " + std::to_string(options.align_k);
  if (options.split == "flamby") out += " --split flamby --data DIR";
  return out;
}

}  // namespace

auto result_json(const DemoOptions& options, const Cohort& cohort, const ConsortiumRun& run,
                 const DemoFigures& figures) -> std::string {
  json out;
  out["cohort"] = cohort.name;
  out["split"] = options.split;
  out["topology"] = options.topology;
  out["delivery"] = options.delivery;
  out["seed"] = options.seed;
  for (const auto& h : figures.run.hospitals) {
    const auto& e = h.on_held_back;
    json row = {
        {"name", h.name},
        {"title", h.title},
        {"cases", h.cases},
        {"training_cases", h.training_cases},
        {"held_back_cases", h.held_back_cases},
        {"shared_cases", h.shared_cases},
        {"shared_cases_next_k", h.shared_cases_next},
        {"credits", h.credits},
        {"majority_accuracy", e.federated.majority_accuracy},
        {"accuracy", ways_json(e.local.accuracy, e.federated.accuracy, e.pooled.accuracy)},
        {"balanced_accuracy", ways_json(e.local.balanced_accuracy, e.federated.balanced_accuracy,
                                        e.pooled.balanced_accuracy)},
        {"auc_by_round", h.auc_by_round}};
    row["auc"] = h.one_class ? json{{"local", nullptr}, {"federated", nullptr}, {"pooled", nullptr}}
                             : ways_json(e.local.auc, e.federated.auc, e.pooled.auc);
    out["hospitals"].push_back(std::move(row));
  }
  const auto& f = figures.run;
  out["mean_accuracy"] =
      ways_json(f.mean_accuracy.local, f.mean_accuracy.federated, f.mean_accuracy.pooled);
  out["mean_auc"] = ways_json(f.mean_auc.local, f.mean_auc.federated, f.mean_auc.pooled);
  out["pooled_test_accuracy"] =
      ways_json(f.pooled_test.local.accuracy, f.pooled_test.federated.accuracy,
                f.pooled_test.pooled.accuracy);
  if (f.sealed_metrics) {
    const auto& m = *f.sealed_metrics;
    out["federated_evaluation"] = {{"round", f.metrics_round},
                                   {"cases", m.cases},
                                   {"accuracy", m.accuracy},
                                   {"log_loss", m.log_loss},
                                   {"auc", m.auc},
                                   {"auc_cases", m.roc_cases},
                                   {"calibration_error", m.calibration_error},
                                   {"calibration_cases", m.calibration_cases},
                                   {"confusion", m.confusion},
                                   {"confusion_cases", m.confusion_cases},
                                   {"sealed_equals_clear", f.sealed_metrics_equal_clear}};
  }
  out["pooled_test_auc"] =
      ways_json(f.pooled_test.local.auc, f.pooled_test.federated.auc, f.pooled_test.pooled.auc);
  out["pooled_test_log_loss"] =
      ways_json(f.pooled_test.local.log_loss, f.pooled_test.federated.log_loss,
                f.pooled_test.pooled.log_loss);
  out["rounds"] = f.rounds;
  out["rounds_accepted"] = f.rounds_accepted;
  out["sealed_equals_clear"] = figures.sealed_equals_clear.value_or(false);
  out["model_digest"] = run.state().models().back().model.hex();
  out["ledger"] = {{"driver", options.driver},
                   {"height", run.state().height().value},
                   {"state_digest", run.state().digest().hex()}};
  if (!run.power_cut().empty()) out["power_cut"] = run.power_cut();
  out["diagnosis"] = json::array();
  for (const auto& answer : figures.answers) out["diagnosis"].push_back(answer_json(answer));
  for (const auto& row : figures.rows) {
    json centres = json::array();
    for (const auto& [mean, deviation] : row.centres) {
      centres.push_back({{"mean", mean}, {"sd", deviation ? json(*deviation) : json(nullptr)}});
    }
    out["strategies"].push_back(
        {{"name", row.name},
         {"ours", row.ours},
         {"centres", centres},
         {"mean",
          {{"mean", row.mean.first},
           {"sd", row.mean.second ? json(*row.mean.second) : json(nullptr)}}},
         {"pooled_test",
          {{"mean", row.pooled_test.first},
           {"sd", row.pooled_test.second ? json(*row.pooled_test.second) : json(nullptr)}}}});
  }
  out["seconds"] = figures.seconds;
  out["peak_rss_mb"] = figures.peak_rss_mb;
  out["warnings"] = figures.warnings;
  return out.dump(2) + "\n";
}

auto report_data(const DemoOptions& options, const RunSpec& spec, const Cohort& cohort,
                 ConsortiumRun& run, const DemoFigures& figures) -> portal::ReportData {
  portal::ReportData data;
  data.cohort_title = cohort.title;
  data.time_text = report_time();
  const auto& f = figures.run;
  for (const auto& h : f.hospitals) {
    portal::HospitalReport r;
    r.name = h.title;
    r.cases = static_cast<std::int64_t>(h.cases);
    r.training_cases = static_cast<std::int64_t>(h.training_cases);
    r.held_back_cases = static_cast<std::int64_t>(h.held_back_cases);
    r.shared_cases = static_cast<double>(h.shared_cases);
    if (spec.next_epoch && !spec.align_attributes) {
      r.shared_cases_next_k = static_cast<double>(h.shared_cases_next);
    } else {
      r.shared_cases_next_k = portal::Figure::unknown("no second session in this run");
    }
    r.credits = to_signed(h.credits);
    const auto& e = h.on_held_back;
    r.auc = {figure_of(e.local.auc, !h.one_class, one_class_reason),
             figure_of(e.federated.auc, !h.one_class, one_class_reason),
             figure_of(e.pooled.auc, !h.one_class, one_class_reason)};
    r.accuracy = {e.local.accuracy, e.federated.accuracy, e.pooled.accuracy};
    r.majority_guess = e.federated.majority_accuracy;
    for (const double auc : h.auc_by_round) {
      r.auc_by_round.push_back(figure_of(auc, !h.one_class, one_class_reason));
    }
    data.hospitals.push_back(std::move(r));
  }
  data.mean_auc = {f.mean_auc.local, f.mean_auc.federated, f.mean_auc.pooled};
  data.mean_accuracy = {f.mean_accuracy.local, f.mean_accuracy.federated, f.mean_accuracy.pooled};
  data.pooled_test_accuracy = {f.pooled_test.local.accuracy, f.pooled_test.federated.accuracy,
                               f.pooled_test.pooled.accuracy};
  data.sealed_equals_clear = figures.sealed_equals_clear;
  data.model_digest = run.state().models().back().model.hex();
  data.rounds = static_cast<std::int64_t>(f.rounds);
  data.rounds_accepted = static_cast<std::int64_t>(f.rounds_accepted);
  std::int64_t number = 0;
  for (const auto& [id, round] : run.state().rounds()) {
    if (round.open.purpose != sealing::Purpose::update ||
        round.state == ledger::RoundState::aborted) {
      continue;
    }
    ++number;
    if (round.state != ledger::RoundState::rolled_back) continue;
    const auto against = static_cast<std::size_t>(std::count_if(
        round.votes.begin(), round.votes.end(), [](const auto& vote) { return !vote.second; }));
    data.refused.push_back(
        {number, number_word(against) + (against == 1 ? " hospital" : " hospitals")});
    for (auto& h : data.hospitals) {
      h.refused_candidates.push_back(
          {number, portal::Figure::unknown("a refused candidate is not kept")});
    }
  }
  if (const auto at = figures.seconds.find("total"); at != figures.seconds.end()) {
    data.seconds = at->second;
  }
  data.peak_megabytes = figures.peak_rss_mb;
  const auto committee =
      sealing::committee_of(static_cast<std::uint16_t>(run.state().committee().size()));
  data.setting = spec.delivery == sealing::Delivery::masked_keys
                     ? options.driver + " driver, the central server opens totals only (delivery C)"
                 : spec.topology == ledger::Topology::central
                     ? options.driver + " driver, the central server alone opens"
                     : options.driver + " driver, committee of " + std::to_string(committee.miners);
  for (const auto& [name, seconds] : figures.seconds) {
    if (name != "total") data.phases.push_back({name, seconds});
  }
  data.align_k = spec.align_attributes ? 0 : spec.align_k;
  data.ledger = ledger_report(run);
  for (const auto& answer : figures.answers) data.patients.push_back(patient_report(answer));
  data.strategies = strategy_table(figures);

  std::uint64_t credits = 0;
  for (const auto& [id, member] : run.state().members()) credits += member.credits;
  std::uint64_t paid = 0;
  for (const auto& [id, round] : run.state().rounds()) {
    for (const auto& [member, reward] : round.rewards) paid += reward;
  }
  data.checks.push_back(
      {"The same run without sealing gives the same model:", data.model_digest.substr(0, 12),
       figures.sealed_equals_clear.value_or(false)});
  if (f.sealed_metrics) {
    const auto& m = *f.sealed_metrics;
    data.checks.push_back({"From one sealed sum over all hospitals: accuracy " + fixed(m.accuracy) +
                               ", log loss " + fixed(m.log_loss) + " on " +
                               std::to_string(std::llround(m.cases)) +
                               " held-back cases; the same sum in the clear is equal.",
                           "", f.sealed_metrics_equal_clear});
  }
  bool agree = true;
  for (const auto& [id, round] : run.state().rounds()) {
    for (const auto& model : run.state().models()) {
      if (model.round != id) continue;
      for (const auto& [hospital, digest] : round.models) agree = agree && digest == model.model;
    }
  }
  data.checks.push_back({"All hospitals computed every model themselves and agree.", "", agree});
  data.checks.push_back(
      {std::to_string(credits) + " credits; the rounds' rewards add up to the same.", "",
       credits == paid});
  bool same_state = true;
  for (auto* node : run.hospitals()) {
    same_state = same_state && node->state().digest() == run.state().digest();
  }
  data.checks.push_back({"Every hospital re-played every block and holds the same state:",
                         run.state().digest().hex().substr(0, 12), same_state});
  data.warnings = figures.warnings;
  data.commands = {command_line(options), "consilium ledger verify " + options.out.string()};
  data.seed = std::to_string(options.seed);
  data.schema_version = std::to_string(cohort.schema.version);
  data.schema_digest = cohort.schema.digest().hex();
  data.opening_threshold = committee.threshold;
  data.committee_size = committee.miners;
  data.split = cohort.split;
  data.citation = cohort.citation;
  return data;
}

void print_table(Terminal& terminal, const DemoFigures& figures) {
  const auto row = [&](std::initializer_list<std::string> cells) {
    static constexpr std::array<int, 12> widths{-16, 6, 7, 9, 8, 7, 9, 7, 8, 9, 7, 7};
    std::string line;
    std::size_t column = 0;
    for (const auto& cell : cells) line += aligned(cell, widths.at(column++));
    line.erase(line.find_last_not_of(' ') + 1);
    terminal.line(line);
  };
  const auto three = [](const ThreeWays<double>& v, bool known) -> std::array<std::string, 3> {
    if (!known) return {"–", "–", "–"};
    return {fixed(v.local), fixed(v.federated), fixed(v.pooled)};
  };
  const auto line = [&](const std::string& name, std::size_t cases, std::size_t shared,
                        std::size_t shared_next, std::uint64_t credits,
                        const std::array<std::string, 3>& auc,
                        const std::array<std::string, 3>& accuracy, const std::string& guess) {
    row({name, std::to_string(cases), std::to_string(shared),
         shared_next == 0 ? "–" : std::to_string(shared_next), std::to_string(credits), auc[0],
         auc[1], auc[2], accuracy[0], accuracy[1], accuracy[2], guess});
  };
  terminal.line("");
  row({"", "", "", "", "", "AUC", "", "", "accuracy", "", "", ""});
  row({"hospital", "cases", "shared", "at k + 1", "credits", "alone", "together", "pooled", "alone",
       "together", "pooled", "guess"});
  std::size_t cases = 0;
  std::size_t shared = 0;
  std::size_t shared_next = 0;
  std::uint64_t credits = 0;
  for (const auto& h : figures.run.hospitals) {
    const auto& e = h.on_held_back;
    line(h.title, h.cases, h.shared_cases, h.shared_cases_next, h.credits,
         three({e.local.auc, e.federated.auc, e.pooled.auc}, !h.one_class),
         three({e.local.accuracy, e.federated.accuracy, e.pooled.accuracy}, true),
         fixed(e.federated.majority_accuracy));
    cases += h.cases;
    shared += h.shared_cases;
    shared_next += h.shared_cases_next;
    credits += h.credits;
  }
  line("all, mean", cases, shared, shared_next, credits, three(figures.run.mean_auc, true),
       three(figures.run.mean_accuracy, true), "");
  terminal.line("");
  if (!figures.rows.empty()) {
    terminal.line("FLamby's rule, accuracy, mean ± deviation over seeds 42–46");
    const auto cell = [](const std::pair<double, std::optional<double>>& v) {
      std::string text = v.first > 0 ? fixed(v.first) : "–";
      if (v.second) text += " ± " + fixed(*v.second);
      return aligned(text, -14);
    };
    for (const auto& r : figures.rows) {
      std::string text = r.ours ? "ours       " : "published  ";
      text += aligned(r.name, -44);
      for (const auto& centre : r.centres) text += cell(centre);
      text += "mean " + cell(r.mean) + "pooled test " + cell(r.pooled_test);
      terminal.line(text);
    }
    terminal.line("");
  }
  terminal.line(std::string("sealed equals clear: ") +
                (figures.sealed_equals_clear.value_or(false) ? "yes" : "NO") +
                "   rounds accepted: " + std::to_string(figures.run.rounds_accepted) + " of " +
                std::to_string(figures.run.rounds));
  for (const auto& patient : figures.answers) {
    const auto& answer = patient.answer;
    char text[200];
    const auto best = std::max_element(
        answer.posterior.begin(), answer.posterior.end(),
        [](const auto& a, const auto& b) { return a.probability < b.probability; });
    if (best == answer.posterior.end()) continue;
    std::snprintf(text, sizeof text, "%s, %s: %s %.0f %%; %zu similar cases; the record says: %s",
                  patient.hospital_title.c_str(), patient.case_id.c_str(), best->title.c_str(),
                  best->probability * 100, answer.similar_count, patient.recorded.c_str());
    terminal.line(text);
  }
  char text[120];
  const auto total = figures.seconds.find("total");
  std::snprintf(text, sizeof text, "%.1f s, %.0f MB",
                total == figures.seconds.end() ? 0.0 : total->second, figures.peak_rss_mb);
  terminal.line(text);
}

}  // namespace consilium::app
