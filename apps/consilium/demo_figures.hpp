#pragma once
// What a demonstration found, and the two forms it is told in: result.json and report.html.

#include <optional>

#include "consilium/portal/report.hpp"

#include "demo.hpp"
#include "diagnose_verb.hpp"
#include "evaluation.hpp"

namespace consilium::app {

struct PublishedRow {
  std::string name;
  std::vector<std::pair<double, std::optional<double>>>
      centres;  ///< mean and deviation of accuracy
  std::pair<double, std::optional<double>> mean, pooled_test;
  bool ours = false;
};

struct DemoFigures {
  RunFigures run;
  std::optional<bool> sealed_equals_clear;
  std::vector<PatientAnswer> answers;
  std::vector<PublishedRow> rows;  ///< of `--split flamby`
  std::map<std::string, double> seconds;
  double peak_rss_mb = 0;
  std::vector<std::string> warnings;
};

[[nodiscard]] auto result_json(const DemoOptions& options, const Cohort& cohort,
                               const ConsortiumRun& run, const DemoFigures& figures) -> std::string;
[[nodiscard]] auto report_data(const DemoOptions& options, const RunSpec& spec,
                               const Cohort& cohort, ConsortiumRun& run, const DemoFigures& figures)
    -> portal::ReportData;
/// The table on the terminal.
void print_table(Terminal& terminal, const DemoFigures& figures);

}  // namespace consilium::app
