#pragma once
// A made-up run for the tests of the page; its figures agree with each other and with nothing real.

#include <cmath>

#include "consilium/portal/report.hpp"

namespace consilium::portal {

inline auto sample_curve(double first, double last, std::size_t rounds, std::size_t refused)
    -> std::vector<Figure> {
  std::vector<Figure> curve;
  for (std::size_t round = 1; round <= rounds; ++round) {
    if (round == refused) {
      curve.push_back(curve.back());
      continue;
    }
    const double progress = 1 - std::exp(-0.35 * static_cast<double>(round - 1));
    curve.emplace_back(round == rounds ? last : first + (last - first) * progress);
  }
  return curve;
}

inline auto sample_hospital(std::string name, std::int64_t cases, std::int64_t shared,
                            std::int64_t next, std::int64_t credits, ThreeWays auc,
                            ThreeWays accuracy, double guess) -> HospitalReport {
  HospitalReport hospital;
  hospital.name = std::move(name);
  hospital.cases = cases;
  hospital.held_back_cases = cases / 3;
  hospital.training_cases = cases - cases / 3;
  hospital.shared_cases = static_cast<double>(shared);
  hospital.shared_cases_next_k = static_cast<double>(next);
  hospital.credits = credits;
  hospital.auc = std::move(auc);
  hospital.accuracy = std::move(accuracy);
  hospital.majority_guess = guess;
  const double last = hospital.auc.federated.value.value_or(0.5);
  hospital.auc_by_round = sample_curve(last - 0.2, last, 15, 9);
  hospital.refused_candidates = {{9, last - 0.1}};
  return hospital;
}

inline auto sample_report() -> ReportData {
  ReportData report;
  report.cohort_title = "UCI heart disease";
  report.time_text = "23 Nov 2026, 14:32";
  report.hospitals = {sample_hospital("Cleveland", 303, 187, 141, 271, {0.861, 0.894, 0.899},
                                      {0.781, 0.812, 0.818}, 0.541),
                      sample_hospital("Hungary", 294, 181, 122, 254, {0.868, 0.892, 0.890},
                                      {0.820, 0.831, 0.828}, 0.639),
                      sample_hospital("Switzerland", 123, 69, 44, 96, {0.671, 0.742, 0.748},
                                      {0.894, 0.911, 0.919}, 0.935),
                      sample_hospital("VA Long Beach", 200, 113, 93, 158, {0.757, 0.751, 0.757},
                                      {0.735, 0.755, 0.760}, 0.745)};
  report.mean_auc = {0.789, 0.820, 0.824};
  report.mean_accuracy = {0.807, 0.827, 0.831};
  report.pooled_test_accuracy = {0.798, 0.816, 0.822};
  report.sealed_equals_clear = true;
  report.model_digest = "9f3c52b0e1a7c0deaa550011223344556677889900aabbccddeeff0123456789";
  report.rounds = 15;
  report.rounds_accepted = 14;
  report.refused = {{9, "two hospitals"}};
  report.seconds = 41.2;
  report.peak_megabytes = 212;
  report.setting = "2 cores, solo driver, committee of 4";
  report.phases = {{"admit", 0.8}, {"align", 1.9}, {"train", 30.4}, {"evaluate", 8.1}};
  report.align_k = 2;

  LedgerReport& ledger = report.ledger;
  ledger.last_height = 214;
  ledger.blocks = 214;
  ledger.size_bytes = 96'400;
  ledger.state_digest = "4d81bb2636a51f9400112233445566778899aabbccddeeff0011223344556677";
  ledger.member_heights = {2, 4, 6, 8};
  ledger.alignments = {{10, 16, "k = 2"}, {17, 22, "k = 3"}};
  ledger.rounds.push_back({{23, 26, "s"}, LedgerReport::Round::State::statistic});
  for (std::int64_t round = 1; round <= 15; ++round) {
    const std::int64_t from = 15 + 12 * round;
    const bool refused = round == 9;
    ledger.rounds.push_back(
        {{from, from + 10, std::to_string(round)},
         refused ? LedgerReport::Round::State::refused : LedgerReport::Round::State::accepted});
    ledger.opened_sum_heights.push_back(from + 7);
    ledger.rewards.push_back({from + 10, refused ? 0 : 55 + round});
  }

  PatientReport patient;
  patient.hospital = "Hungary";
  patient.case_id = "H-0241";
  PatientReport::Disease ill;
  ill.title = "Heart disease";
  ill.chance = 0.84;
  ill.in_set = true;
  ill.similar_count = 16;
  ill.similar_interval = std::pair{0.55, 0.89};
  PatientReport::Disease well;
  well.title = "No heart disease";
  well.chance = 0.16;
  well.similar_count = 5;
  well.similar_interval = std::pair{0.11, 0.45};
  patient.diseases = {well, ill};
  patient.similar_total = 21;
  patient.set_percent = 90;
  patient.look_alikes = {{"H-0077", 0.94, "heart disease"},
                         {"H-0193", 0.92, "heart disease"},
                         {"H-0118", 0.81, "no heart disease"}};
  using Likeness = PatientReport::Likeness;
  patient.findings = {
      {"Age, sex",
       "54, man",
       {{"52, man", Likeness::match}, {"55, man", Likeness::match}, {"50, man", Likeness::match}}},
      {"Chest pain",
       "asymptomatic",
       {{"asymptomatic", Likeness::match},
        {"asymptomatic", Likeness::match},
        {"non-anginal", Likeness::contradicts}}},
      {"Pain on exercise",
       "yes",
       {{"yes", Likeness::match}, {"yes", Likeness::match}, {"no", Likeness::contradicts}}},
      {"ST depression",
       "2 mm",
       {{"2 mm", Likeness::match}, {"1.5 mm", Likeness::near}, {"0 mm", Likeness::contradicts}}},
      {"Cholesterol",
       "294 mg/dL",
       {{"283 mg/dL", Likeness::match},
        {"", Likeness::not_recorded},
        {"271 mg/dL", Likeness::match}}},
      {"Vessels coloured",
       "",
       {{"", Likeness::not_recorded},
        {"", Likeness::not_recorded},
        {"1", Likeness::not_recorded}}}};
  patient.treatment = "this data set records none, so none is suggested.";
  patient.recorded_outcome = "heart disease.";
  report.patients = {patient};

  report.checks = {
      {"The same run without sealing gives the same model:", report.model_digest, true},
      {"All four hospitals computed the model themselves and agree.", "", true},
      {"779 credits recomputed from the ledger; the sum is right.", "", true},
      {"No case, name or date is on the ledger: 214 blocks, 96 kB.", "", true}};
  report.warnings = {"Alignment is secure against curious nodes, not yet against cheating ones.",
                     "The dictionary of patterns is small: a hospital that asks on purpose could "
                     "learn which patterns others hold (probe_budget).",
                     "With four hospitals no colluder is tolerated (c = 0): a hospital that "
                     "subtracts its own update sees the sum of the three others."};
  report.commands = {"./dev demo --seed 7 --topology committee",
                     "consilium ledger verify out/demo"};
  report.seed = "7";
  report.schema_version = "1";
  report.schema_digest = "b3d258fa00112233445566778899aabbccddeeff00112233445566778899aabb";
  report.opening_threshold = 3;
  report.committee_size = 4;
  report.split = "a third of every hospital’s cases held back, stratified by diagnosis";
  report.citation = "Janosi, Steinbrunn, Pfisterer, Detrano, UCI Heart Disease, CC BY 4.0";
  return report;
}

/// FLamby's table beside ours, as `--split flamby` adds it.
inline auto sample_strategies() -> StrategyTable {
  StrategyTable table;
  table.title = "FLamby’s split, five seeds";
  table.sentence = "Accuracy, mean ± standard deviation over seeds 0 to 4, in percent of one.";
  table.centres = {"Cleveland", "Hungary", "Switzerland", "VA Long Beach"};
  table.rows = {{"FedAvg",
                 {{0.731, 0.012}, {0.789, 0.02}, {0.563, 0.0}, {0.667, 0.011}},
                 {0.687, 0.01},
                 {0.709, 0.01},
                 "published",
                 false},
                {"consilium, sealed",
                 {{0.742, 0.01}, {0.801, 0.015}, {0.601, 0.02}, {0.671, 0.012}},
                 {0.704, 0.011},
                 {Figure::unknown("not computed for this split"), {}},
                 "ours",
                 true}};
  return table;
}

}  // namespace consilium::portal
