#include "consilium/portal/report.hpp"

#include <algorithm>

#include "report_parts.hpp"

namespace consilium::portal {

namespace {

auto capital(std::string word) -> std::string {
  if (!word.empty() && word[0] >= 'a' && word[0] <= 'z') word[0] = static_cast<char>(word[0] - 32);
  return word;
}

auto hospitals_word(const ReportData& report) -> std::string {
  const std::size_t count = report.hospitals.size();
  return number_word(count) + (count == 1 ? " hospital" : " hospitals");
}

auto all_names(const ReportData& report) -> std::string {
  std::vector<std::string> names;
  for (const HospitalReport& hospital : report.hospitals) names.push_back(hospital.name);
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + escape(name);
  return out;
}

auto header_html(const ReportData& report) -> std::string {
  std::string out =
      "<header class=\"rh\"><svg class=\"logo\" width=\"22\" height=\"22\" viewBox=\"0 0 22 22\" "
      "aria-hidden=\"true\"><circle cx=\"11\" cy=\"11\" r=\"3.2\"/><path d=\"M11 1.5v3.5M11 "
      "17v3.5M1.5 11H5M17 11h3.5\"/></svg><div><h1>" +
      capital(hospitals_word(report)) + ", one model, no record moved</h1><p class=\"mut\">" +
      "consilium demo report · " + escape(report.cohort_title);
  if (!report.hospitals.empty()) out += ": " + all_names(report);
  if (!report.time_text.empty()) out += " · " + escape(report.time_text);
  out +=
      "</p></div><fieldset class=\"seg noprint\"><legend class=\"vh\">Theme</legend>"
      "<label><input type=\"radio\" name=\"th\" id=\"th-a\" checked>Auto</label>"
      "<label><input type=\"radio\" name=\"th\" id=\"th-l\">Light</label>"
      "<label><input type=\"radio\" name=\"th\" id=\"th-d\">Dark</label></fieldset></header>";
  return out;
}

auto warnings_html(const ReportData& report) -> std::string {
  if (report.warnings.empty()) return "";
  std::string out = "<div class=\"note\" role=\"note\" aria-label=\"Know before you read\">" +
                    std::string(mark_svg(Mark::warning)) + "<ul>";
  for (const std::string& warning : report.warnings) out += "<li>" + escape(warning) + "</li>";
  return out + "</ul></div>";
}

auto share_or_dash(const Figure& figure) -> std::string {
  return figure.value ? share_text(*figure.value) : "–";
}

auto fact(std::string_view name, const std::string& value, const std::string& small,
          bool bad = false) -> std::string {
  return "<div><dt>" + std::string(name) + "</dt><dd" + (bad ? " class=\"bad\"" : "") + ">" +
         value + "<small>" + small + "</small></dd></div>";
}

auto facts_html(const ReportData& report) -> std::string {
  const auto& [local, federated, pooled] = report.mean_auc;
  std::string auc_note = "alone " + share_or_dash(local) + ", pooled " + share_or_dash(pooled);
  for (const Figure* figure : {&local, &federated, &pooled}) {
    if (!figure->value && !figure->why_unknown.empty()) {
      auc_note += "<br>– " + escape(figure->why_unknown);
      break;
    }
  }
  std::string out = "<dl class=\"facts\">" +
                    fact("Mean AUC of the " + number_word(report.hospitals.size()) + ", together",
                         share_or_dash(federated), auc_note);
  if (!report.sealed_equals_clear) {
    out += fact("Sealed equals clear", "–", "the clear run was left out");
  } else if (*report.sealed_equals_clear) {
    out += fact("Sealed equals clear", "yes",
                "same model digest, to the last bit<br>" + digest_html(report.model_digest));
  } else {
    out += fact("Sealed equals clear", "no", "the two runs end in different models", true);
  }
  std::string refused;
  for (std::size_t i = 0; i < std::min<std::size_t>(report.refused.size(), 2); ++i) {
    const auto& round = report.refused[i];
    refused += (i > 0 ? ", " : "") + ("round " + std::to_string(round.round)) + " refused" +
               (round.by.empty() ? "" : " by " + escape(round.by));
  }
  if (report.refused.size() > 2) {
    refused += ", " + number_word(report.refused.size() - 2) + " more refused";
  }
  out += fact("Rounds accepted",
              count_text(report.rounds_accepted) + " of " + count_text(report.rounds),
              refused.empty() ? "none refused" : refused);
  const std::string seconds = fixed_text(report.seconds, report.seconds < 9.95 ? 1 : 0) + " s";
  const std::string memory =
      report.peak_megabytes.value ? fixed_text(*report.peak_megabytes.value, 0) + " MB" : "– MB";
  std::string setting = escape(report.setting);
  if (!report.peak_megabytes.value) {
    setting += "<br>– memory: " + escape(report.peak_megabytes.why_unknown.empty()
                                             ? "not measured in this run"
                                             : report.peak_megabytes.why_unknown);
  }
  return out + fact("Time and memory", seconds + ", " + memory, setting) + "</dl>";
}

/// Three cells; the better of alone and together, at the digits shown, is set in bold.
auto three_cells(const ThreeWays& ways, const std::string& what, Unknowns& unknowns,
                 bool first_has_rule) -> std::string {
  const std::string local = unknowns.share(ways.local, what + " alone");
  const std::string federated = unknowns.share(ways.federated, what + " together");
  const std::string pooled = unknowns.share(ways.pooled, what + " pooled");
  const bool both = ways.local.value && ways.federated.value;
  const bool alone_is_better =
      both && *ways.local.value > *ways.federated.value && local != federated;
  std::string out = first_has_rule ? "<td class=\"num g" : "<td class=\"num";
  out += std::string(alone_is_better ? " b" : "") + "\">" + local + "</td><td class=\"num" +
         (both && !alone_is_better ? " b" : "") + "\">" + federated + "</td><td class=\"num\">" +
         pooled + "</td>";
  return out;
}

auto sum_row(std::string_view name, std::string_view drawn, const std::string& counts,
             const ThreeWays* auc, const ThreeWays& accuracy, Unknowns& unknowns) -> std::string {
  std::string out = "<tr class=\"sum\"><th scope=\"row\">" + std::string(name) + "</th>" + counts +
                    "<td class=\"g xs mut\">" + std::string(drawn) + "</td>";
  if (auc != nullptr) {
    out += three_cells(*auc, "Mean AUC", unknowns, false);
  } else {
    out += "<td colspan=\"3\"></td>";
  }
  return out + three_cells(accuracy, std::string(name) + ", accuracy", unknowns, true) +
         "<td></td></tr>";
}

/// Where training together did not help; nothing is left to the reader to find.
auto not_better_html(const ReportData& report) -> std::string {
  std::vector<std::string> worse;
  for (const HospitalReport& hospital : report.hospitals) {
    const auto& [local, federated, pooled] = hospital.auc;
    if (!local.value || !federated.value || *local.value <= *federated.value) continue;
    if (share_text(*local.value) == share_text(*federated.value)) continue;
    worse.push_back(hospital.name + " (" + share_text(*federated.value) + " against " +
                    share_text(*local.value) + ")");
  }
  if (worse.empty()) return "";
  return "<p class=\"s mut gap\">Training together did not beat training alone, by AUC, at " +
         list_html(worse) + ".</p>";
}

auto comparison_html(const ReportData& report) -> std::string {
  const bool shared = report.align_k > 0;
  const bool next_k = shared && std::any_of(report.hospitals.begin(), report.hospitals.end(),
                                            [](const HospitalReport& hospital) {
                                              const Figure& figure = hospital.shared_cases_next_k;
                                              return figure.value || !figure.why_unknown.empty();
                                            });
  const std::string k = std::to_string(report.align_k);
  const std::string k_next = std::to_string(report.align_k + 1);
  const ShareAxis axis = comparison_axis(report.hospitals);
  Unknowns unknowns;

  std::string out =
      "<section><h2>Each hospital alone, together, and if all data were pooled</h2>"
      "<p class=\"s mut\">On cases held back in each hospital. Accuracy alone misleads where "
      "nearly "
      "all cases are ill: beside it stands what always guessing the commoner answer would reach.";
  if (shared) {
    out += " Shared: training cases whose pattern at least " + k +
           " hospitals hold; only these train.";
  }
  if (next_k) out += " k = " + k_next + " is the next epoch’s session, shown beside it.";
  out +=
      "</p><div class=\"lg2\"><span><svg width=\"14\" height=\"12\" aria-hidden=\"true\"><circle "
      "class=\"c-hollow\" cx=\"7\" cy=\"6\" r=\"4.5\"/></svg> alone</span><span><svg width=\"14\" "
      "height=\"12\" aria-hidden=\"true\"><circle class=\"c-full\" cx=\"7\" cy=\"6\" "
      "r=\"5\"/></svg> "
      "together, sealed</span><span><svg width=\"8\" height=\"14\" aria-hidden=\"true\"><path "
      "class=\"c-tick\" d=\"M4 0v14\"/></svg> pooled, if records could move</span></div>";

  std::string table =
      "<table class=\"tb\"><thead><tr><th rowspan=\"2\" scope=\"col\">Hospital</th>"
      "<th rowspan=\"2\" scope=\"col\" class=\"num\">Cases</th>";
  if (shared) {
    table += "<th rowspan=\"2\" scope=\"col\" class=\"num\">Shared<br>k = " + k + "</th>";
  }
  if (next_k) {
    table += "<th rowspan=\"2\" scope=\"col\" class=\"num\">Shared<br>k = " + k_next + "</th>";
  }
  table +=
      "<th rowspan=\"2\" scope=\"col\" class=\"num\">Credits</th>"
      "<th colspan=\"4\" scope=\"colgroup\" class=\"g\">AUC</th>"
      "<th colspan=\"4\" scope=\"colgroup\" class=\"g\">Accuracy</th></tr>"
      "<tr><th scope=\"col\" class=\"g dr\"><span class=\"vh\">AUC drawn</span>" +
      comparison_head_svg(axis) +
      "</th><th scope=\"col\" class=\"num\">alone</th><th scope=\"col\" class=\"num\">together</th>"
      "<th scope=\"col\" class=\"num\">pooled</th><th scope=\"col\" class=\"num g\">alone</th>"
      "<th scope=\"col\" class=\"num\">together</th><th scope=\"col\" class=\"num\">pooled</th>"
      "<th scope=\"col\" class=\"num\">guess</th></tr></thead><tbody>";

  std::int64_t cases = 0;
  std::int64_t training = 0;
  std::int64_t held_back = 0;
  std::int64_t credits = 0;
  Figure shared_sum{0.0};
  Figure next_sum{0.0};
  const auto add = [](Figure& sum, const Figure& figure, const std::string& name) {
    if (!sum.value) return;
    if (figure.value) {
      *sum.value += *figure.value;
    } else {
      sum = Figure::unknown(name + " is not known");
    }
  };
  for (const HospitalReport& hospital : report.hospitals) {
    cases += hospital.cases;
    training += hospital.training_cases;
    held_back += hospital.held_back_cases;
    credits += hospital.credits;
    add(shared_sum, hospital.shared_cases, hospital.name);
    add(next_sum, hospital.shared_cases_next_k, hospital.name);
    table += "<tr><th scope=\"row\">" + escape(hospital.name) + "<small>" +
             count_text(hospital.training_cases) + " train, " +
             count_text(hospital.held_back_cases) + " held back</small></th><td class=\"num\">" +
             count_text(hospital.cases) + "</td>";
    if (shared) {
      table += "<td class=\"num\">" +
               unknowns.count(hospital.shared_cases, hospital.name + ", shared at k = " + k) +
               "</td>";
    }
    if (next_k) {
      table += "<td class=\"num mut\">" +
               unknowns.count(hospital.shared_cases_next_k,
                              hospital.name + ", shared at k = " + k_next) +
               "</td>";
    }
    table += "<td class=\"num\">" + count_text(hospital.credits) + "</td><td class=\"g dr\">" +
             comparison_row_svg(hospital, axis) + "</td>" +
             three_cells(hospital.auc, hospital.name + ", AUC", unknowns, false) +
             three_cells(hospital.accuracy, hospital.name + ", accuracy", unknowns, true) +
             "<td class=\"num mut\">" +
             unknowns.share(hospital.majority_guess, hospital.name + ", guess") + "</td></tr>";
  }
  std::string counts = "<td class=\"num\">" + count_text(cases) + "</td>";
  if (shared) {
    counts +=
        "<td class=\"num\">" + unknowns.count(shared_sum, "All, shared at k = " + k) + "</td>";
  }
  if (next_k) {
    counts += "<td class=\"num mut\">" + unknowns.count(next_sum, "All, shared at k = " + k_next) +
              "</td>";
  }
  counts += "<td class=\"num\">" + count_text(credits) + "</td>";
  table += sum_row("All<small>" + count_text(training) + " train, " + count_text(held_back) +
                       " held back</small>",
                   "mean of the " + number_word(report.hospitals.size()), counts, &report.mean_auc,
                   report.mean_accuracy, unknowns);
  const auto& [local, federated, pooled] = report.pooled_test_accuracy;
  if (local.value || federated.value || pooled.value) {
    const std::string empty =
        "<td colspan=\"" + std::to_string(2 + int{shared} + int{next_k}) + "\"></td>";
    table += sum_row("All held-back cases", "as one test set", empty, nullptr,
                     report.pooled_test_accuracy, unknowns);
  }
  table += "</tbody></table>";
  return out + frame_html("Each hospital alone, together and pooled", table) +
         unknowns.notes_html() + not_better_html(report) + "</section>";
}

auto learning_html(const ReportData& report) -> std::string {
  const bool refused = !report.refused.empty();
  std::string out =
      "<section><h2>How it learned, round by round</h2><div class=\"lg2\"><span><svg width=\"20\" "
      "height=\"8\" aria-hidden=\"true\"><path class=\"c-together\" d=\"M0 4h20\"/></svg> "
      "together</span><span><svg width=\"20\" height=\"8\" aria-hidden=\"true\"><path "
      "class=\"c-alone\" d=\"M0 4h20\"/></svg> alone</span><span><svg width=\"20\" height=\"8\" "
      "aria-hidden=\"true\"><path class=\"c-pooled\" d=\"M0 4h20\"/></svg> pooled</span>";
  if (refused) {
    out +=
        "<span><svg width=\"10\" height=\"10\" aria-hidden=\"true\"><path class=\"c-refused\" "
        "d=\"M1 "
        "1l8 8m0-8l-8 8\"/></svg> refused candidate</span>";
  }
  out += "<span>AUC, same scale for all " + number_word(report.hospitals.size()) + "</span></div>";
  return out + curves_html(report.hospitals) + "</section>";
}

auto ledger_html(const ReportData& report) -> std::string {
  std::string out =
      "<section class=\"pb2\"><h2>The ledger, from the first block to the last</h2><p class=\"s "
      "mut\">"
      "Heights, not clocks. A square is a paid round";
  out += ".";
  std::vector<std::string> refused;
  for (const auto& round : report.refused) {
    refused.push_back("round " + std::to_string(round.round) +
                      (round.by.empty() ? "" : " (by " + round.by + ")"));
  }
  if (!refused.empty()) {
    out += " Refused, drawn dashed, and without pay: " + list_html(refused) + ".";
  }
  const auto& rounds = report.ledger.rounds;
  if (std::any_of(rounds.begin(), rounds.end(), [](const LedgerReport::Round& round) {
        return round.state == LedgerReport::Round::State::statistic;
      })) {
    out += " A grey box among the rounds is a sealed statistic, which pays nothing.";
  }
  out += " " + count_text(report.ledger.blocks) + " blocks, " +
         count_text((report.ledger.size_bytes + 500) / 1000) + " kB.";
  if (!report.ledger.state_digest.empty()) {
    out += " State digest at height " + count_text(report.ledger.last_height) + ": " +
           digest_html(report.ledger.state_digest) + ".";
  }
  return out + "</p>" + timeline_html(report.ledger) + "</section>";
}

auto cell_html(const PatientReport::Cell& cell) -> std::string {
  using Likeness = PatientReport::Likeness;
  switch (cell.likeness) {
    case Likeness::match:
      return "<td>" + std::string(mark_svg(Mark::tick)) + "<span class=\"vh\">matches: </span>" +
             escape(cell.text) + "</td>";
    case Likeness::near:
      return "<td><span class=\"mut\" aria-hidden=\"true\">≈ </span><span class=\"vh\">near: "
             "</span>" +
             escape(cell.text) + "</td>";
    case Likeness::contradicts:
      return "<td class=\"n\">" + std::string(mark_svg(Mark::cross)) +
             "<span class=\"vh\">contradicts: </span>" + escape(cell.text) + "</td>";
    case Likeness::not_recorded:
      break;
  }
  return "<td class=\"mut3\">" + (cell.text.empty() ? "not recorded" : escape(cell.text)) + "</td>";
}

auto look_alikes_html(const PatientReport& patient) -> std::string {
  if (patient.look_alikes.empty()) {
    return "<p class=\"s mut\">– No case is similar enough to be shown.</p>";
  }
  std::string table =
      "<table class=\"ans\"><thead><tr><th scope=\"col\"><span class=\"vh\">Finding</span></th>"
      "<th scope=\"col\" class=\"me\">This patient</th>";
  for (const auto& other : patient.look_alikes) {
    table += "<th scope=\"col\">" + escape(other.case_id) +
             " · <span class=\"vh\">similarity </span>" + fixed_text(other.similarity, 2) + "</th>";
  }
  table += "</tr></thead><tbody>";
  for (const auto& finding : patient.findings) {
    table += "<tr><th scope=\"row\">" + escape(finding.title) + "</th><td class=\"me\">" +
             (finding.value.empty() ? "<span class=\"mut3\">not recorded</span>"
                                    : escape(finding.value)) +
             "</td>";
    for (std::size_t i = 0; i < patient.look_alikes.size(); ++i) {
      table += cell_html(i < finding.cells.size() ? finding.cells[i] : PatientReport::Cell{});
    }
    table += "</tr>";
  }
  table += "<tr><th scope=\"row\">Diagnosis</th><td class=\"me\">?</td>";
  for (const auto& other : patient.look_alikes) {
    table += other.outcome.empty() ? "<td class=\"mut3\">not recorded</td>"
                                   : "<td><b>" + escape(other.outcome) + "</b></td>";
  }
  return frame_html("This patient beside the most similar cases", table + "</tr></tbody></table>");
}

auto patient_html(const PatientReport& patient) -> std::string {
  std::string out = "<section><h2>One patient’s answer: held back at " + escape(patient.hospital) +
                    ", case " + escape(patient.case_id) + "</h2><div class=\"two pt\"><div>";
  if (patient.unlike_learnt) {
    out +=
        "<p class=\"s gap\">This patient is unlike those the model has learnt from. Chances are "
        "not "
        "shown.</p>";
  }
  out += chances_html(patient) + "<p class=\"s mut\">";
  if (!patient.unlike_learnt) out += "Bar: the model. ";
  if (patient.similar_total > 0 && !patient.diseases.empty()) {
    std::vector<std::string> shares;
    for (const auto& disease : by_chance(patient.diseases)) {
      shares.push_back(disease.title + " " + count_text(disease.similar_count));
    }
    const bool drawn = std::any_of(patient.diseases.begin(), patient.diseases.end(),
                                   [](const auto& disease) { return disease.similar_interval; });
    out += (drawn ? "Square and line: share among " : "Among ") +
           count_text(patient.similar_total) +
           (patient.similar_total == 1 ? " similar case" : " similar cases") +
           (drawn ? ", 95 % interval" : "") + " (" + list_html(shares) + "). ";
  } else {
    out += "No case is similar enough to be counted. ";
  }
  if (patient.set_percent && !patient.unlike_learnt) {
    const auto in_set =
        static_cast<std::size_t>(std::count_if(patient.diseases.begin(), patient.diseases.end(),
                                               [](const auto& disease) { return disease.in_set; }));
    out += "The " + std::to_string(*patient.set_percent) + " % set holds " + number_word(in_set) +
           (in_set == 1 ? " diagnosis (filled)." : " diagnoses (filled).");
  }
  out += "</p>";
  if (!patient.treatment.empty()) {
    out += "<p class=\"s gap\"><b>Treatment:</b> " + escape(patient.treatment) + "</p>";
  }
  if (!patient.recorded_outcome.empty()) {
    out += "<p class=\"s gap\"><b>What the record says</b>, unseen by the model: " +
           escape(patient.recorded_outcome) + "</p>";
  }
  return out + "</div><div>" + look_alikes_html(patient) + "</div></div></section>";
}

auto strategies_html(const StrategyTable& strategies) -> std::string {
  Unknowns unknowns;
  const auto cell = [&](const MeanDeviation& figure, const std::string& what) {
    std::string out = "<td class=\"num\">" + unknowns.share(figure.mean, what);
    if (figure.mean.value && figure.deviation) out += " ± " + share_text(*figure.deviation);
    return out + "</td>";
  };
  std::string table = "<table class=\"tb\"><thead><tr><th scope=\"col\">Strategy</th>";
  for (const std::string& centre : strategies.centres) {
    table += "<th scope=\"col\" class=\"num\">" + escape(centre) + "</th>";
  }
  table +=
      "<th scope=\"col\" class=\"num g\">mean</th><th scope=\"col\" class=\"num\">all test "
      "cases</th>"
      "<th scope=\"col\" class=\"g\">from</th></tr></thead><tbody>";
  for (const auto& row : strategies.rows) {
    table += std::string("<tr") + (row.ours ? " class=\"ours\"" : "") + "><th scope=\"row\">" +
             escape(row.name) + "</th>";
    for (std::size_t i = 0; i < strategies.centres.size(); ++i) {
      table += cell(i < row.centres.size() ? row.centres[i] : MeanDeviation{},
                    row.name + ", " + strategies.centres[i]);
    }
    std::string mean = cell(row.mean, row.name + ", mean");
    mean.replace(0, std::string_view("<td class=\"num\">").size(), "<td class=\"num g\">");
    table += mean + cell(row.pooled_test, row.name + ", all test cases") + "<td class=\"g\">" +
             escape(row.note) + "</td></tr>";
  }
  return "<section><h2>" + escape(strategies.title) + "</h2><p class=\"s mut\">" +
         escape(strategies.sentence) + "</p>" +
         frame_html(strategies.title, table + "</tbody></table>") + unknowns.notes_html() +
         "</section>";
}

auto checks_html(const ReportData& report) -> std::string {
  std::string out = "<div><h2>Checked in this run</h2>";
  if (report.checks.empty()) return out + "<p class=\"s mut\">– Nothing was checked.</p></div>";
  out += "<ul class=\"chk\">";
  for (const auto& check : report.checks) {
    out += "<li>" + std::string(mark_svg(check.ok ? Mark::tick : Mark::cross)) + "<span>" +
           (check.ok ? "<span class=\"vh\">Passed: </span>" : "<b class=\"bad\">Failed:</b> ") +
           escape(check.text) + (check.digest.empty() ? "" : " " + digest_html(check.digest)) +
           "</span></li>";
  }
  return out + "</ul></div>";
}

auto again_html(const ReportData& report) -> std::string {
  std::string out = "<div><h2>Do it again</h2>";
  if (!report.commands.empty()) {
    out += "<code class=\"mono cmd\">";
    for (std::size_t i = 0; i < report.commands.size(); ++i) {
      out += (i > 0 ? "\n" : "") + escape(report.commands[i]);
    }
    out += "</code>";
  }
  std::vector<std::string> parts;
  if (!report.seed.empty()) parts.push_back("seed " + escape(report.seed));
  if (!report.schema_version.empty()) {
    parts.push_back(
        "schema " + escape(report.schema_version) +
        (report.schema_digest.empty() ? "" : " (" + digest_html(report.schema_digest, 2) + ")"));
  }
  if (report.committee_size == 1) {
    parts.push_back("the central server opens a sum");
  } else if (report.committee_size > 1) {
    parts.push_back(count_text(report.opening_threshold) + " of " +
                    count_text(report.committee_size) + " miners open a sum");
  }
  parts.push_back(report.align_k > 0 ? "patterns held by at least " +
                                           std::to_string(report.align_k) + " hospitals train"
                                     : "all cases of the attributes that all hospitals fill train");
  std::string sentence;
  for (const std::string& part : parts) sentence += (sentence.empty() ? "" : ", ") + part;
  out += "<p class=\"s mut gap\">" + capital(sentence) + ".";
  if (!report.split.empty()) out += " Split: " + escape(report.split) + ".";
  if (!report.citation.empty()) out += " Data: " + escape(report.citation) + ".";
  out += "</p>";
  if (!report.phases.empty()) {
    out += "<p class=\"s mut gap\">Time: ";
    for (std::size_t i = 0; i < report.phases.size(); ++i) {
      out += (i > 0 ? ", " : "") + escape(report.phases[i].name) + " " +
             fixed_text(report.phases[i].seconds, 1) + " s";
    }
    out += ".</p>";
  }
  return out + "</div>";
}

}  // namespace

auto render_report(const ReportData& report) -> std::string {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      // The page needs nothing from anywhere, also when it is opened from a disk.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n"
      "<title>consilium demo report: " +
      escape(report.cohort_title) + "</title>\n<style>" + style_sheet() +
      "</style></head>\n<body><main class=\"sheet\">";
  out += header_html(report) + "\n";
  out += warnings_html(report) + "\n";
  out += facts_html(report) + "\n";
  out += comparison_html(report) + "\n";
  if (report.strategies) out += strategies_html(*report.strategies) + "\n";
  out += learning_html(report) + "\n";
  out += ledger_html(report) + "\n";
  for (const PatientReport& patient : report.patients) out += patient_html(patient) + "\n";
  out += "<section><div class=\"two\">" + checks_html(report) + again_html(report) +
         "</div></section>\n</main></body></html>\n";
  return out;
}

}  // namespace consilium::portal
