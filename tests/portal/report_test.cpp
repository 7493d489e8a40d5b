#include "consilium/portal/report.hpp"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "report_parts.hpp"
#include "sample_report.hpp"

namespace consilium::portal {
namespace {

auto contains(const std::string& page, std::string_view part) -> bool {
  return page.find(part) != std::string::npos;
}

auto count(const std::string& page, std::string_view part) -> std::size_t {
  std::size_t found = 0;
  for (std::size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1))
    ++found;
  return found;
}

/// The page's tags as one reads them, without a parser's mercy: every element is closed by its own
/// name, in order, every attribute is quoted and none is given twice, and an `&` always starts a
/// reference. Empty: well-formed.
auto fault_of(const std::string& page) -> std::string {
  static const std::set<std::string> empty_elements{"meta", "link", "input", "br"};
  std::vector<std::string> open;
  std::set<std::string> identities;
  std::size_t at = 0;
  while (at < page.size()) {
    const char c = page[at];
    if (c == '&') {
      static const std::regex reference("^&(amp|lt|gt|quot|#39);");
      if (!std::regex_search(page.substr(at, 8), reference))
        return "bare & at " + page.substr(at, 40);
    }
    if (c == '>') return "bare > at " + page.substr(at > 40 ? at - 40 : 0, 60);
    if (c != '<') {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    char quote = 0;
    while (end < page.size() && (quote != 0 || page[end] != '>')) {
      if (page[end] == '"') quote = quote == 0 ? '"' : '\0';
      if (page[end] == '<') return "< inside a tag: " + page.substr(at, 80);
      ++end;
    }
    std::string tag = page.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.starts_with("!doctype")) continue;
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1))
        return "unexpected </" + tag.substr(1) + ">";
      open.pop_back();
      continue;
    }
    const bool self_closed = tag.ends_with("/");
    if (self_closed) tag.pop_back();
    const std::string name = tag.substr(0, tag.find(' '));
    std::string rest = tag.substr(name.size());
    static const std::regex attribute("^ ([a-zA-Z][a-zA-Z-]*)(=\"([^\"]*)\")?");
    std::set<std::string> seen;
    for (std::smatch match; std::regex_search(rest, match, attribute); rest = match.suffix()) {
      if (!seen.insert(match[1]).second) return "twice " + match[1].str() + " in <" + tag;
      if (match[1].str().starts_with("on")) return "event handler in <" + tag;
      if (match[1] == "style") return "style attribute in <" + tag;
      if (match[1] == "id" && !identities.insert(match[3]).second)
        return "two ids " + match[3].str();
    }
    if (!rest.empty()) return "bad attribute in <" + tag;
    if (self_closed || empty_elements.contains(name)) continue;
    if (name == "style") {
      const std::size_t close = page.find("</style>", at);
      if (close == std::string::npos) return "open style";
      at = close;
    }
    open.push_back(name);
  }
  return open.empty() ? "" : "not closed: " + open.back();
}

auto style_of(const std::string& page) -> std::string {
  const std::size_t begin = page.find("<style>") + 7;
  return page.substr(begin, page.find("</style>") - begin);
}

auto full_report() -> ReportData {
  ReportData report = sample_report();
  report.strategies = sample_strategies();
  return report;
}

TEST(Report, is_well_formed) {
  EXPECT_EQ(fault_of(render_report(full_report())), "");
  EXPECT_EQ(fault_of(render_report(ReportData{})), "") << "with no figures at all";
  // The checker itself must be able to say no.
  EXPECT_NE(fault_of("<p><b></p></b>"), "");
  EXPECT_NE(fault_of("<p onclick=\"x\"></p>"), "");
  EXPECT_NE(fault_of("<p>a & b</p>"), "");
}

TEST(Report, is_the_same_for_the_same_data) {
  EXPECT_EQ(render_report(full_report()), render_report(full_report()));
}

TEST(Report, shows_every_figure_it_is_given) {
  const std::string page = render_report(full_report());
  for (const char* part :
       {// the head and the facts
        "Four hospitals, one model, no record moved", "UCI heart disease", "23 Nov 2026, 14:32",
        ".820", "alone .789, pooled .824", ">yes<", "9f3c 52b0 e1a7 c0de", "14 of 15",
        "round 9 refused by two hospitals", "41 s, 212 MB", "2 cores, solo driver, committee of 4",
        // the table
        "202 train, 101 held back", ">303<", ">187<", ">141<", ">271<", ">.861<", ">.894<",
        ">.899<", ">.781<", ">.812<", ">.818<", ">.541<", ">.935<", ">920<", ">550<", ">400<",
        ">779<", ">.807<", ">.827<", ">.831<", ">.798<", ">.816<", ">.822<", "k = 2", "k = 3",
        // curves, ledger
        "(refused: .794)", "214 blocks, 96 kB", "4d81 bb26 36a5 1f94",
        "round 9, to height 133, refused", "56 credits paid", "nothing paid", "sealed statistic s",
        "alignment k = 3, to height 22",
        // the patient
        "held back at Hungary, case H-0241", "84 %", "16 %", "21 similar cases",
        "(Heart disease 16 and No heart disease 5)", "The 90 % set holds one diagnosis", "H-0077",
        "0.94", "0.81", "294 mg/dL", "283 mg/dL", "this data set records none",
        // the rest
        "779 credits recomputed", "./dev demo --seed 7 --topology committee", "Seed 7, schema 1",
        "b3d2 58fa", "3 of 4 miners open a sum", "at least 2 hospitals", "stratified by diagnosis",
        "CC BY 4.0", "train 30.4 s", "secure against curious nodes", "probe_budget", "c = 0",
        // FLamby
        ".731 ± .012", ".704 ± .011", "published", "FLamby’s split, five seeds"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

TEST(Report, shows_another_page_when_any_figure_changes) {
  const std::string before = render_report(full_report());
  const auto differs = [&](auto change) {
    ReportData report = full_report();
    change(report);
    return render_report(report) != before;
  };
  EXPECT_TRUE(differs([](ReportData& r) { r.mean_auc.pooled = 0.9; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.sealed_equals_clear = false; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.hospitals[1].credits += 1; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.hospitals[2].majority_guess = 0.1; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.hospitals[3].auc_by_round[4] = 0.6; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.hospitals[0].refused_candidates[0].auc = 0.6; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.ledger.rewards[0].height += 1; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.ledger.opened_sum_heights[3] += 2; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.patients[0].diseases[0].chance = 0.3; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.patients[0].look_alikes[1].similarity = 0.5; }));
  EXPECT_TRUE(differs([](ReportData& r) { r.checks[2].ok = false; }));
}

TEST(Report, escapes_hostile_text_wherever_it_stands) {
  const std::string hostile =
      "<script>alert('x')</script>\"><img src=x onerror=y>&\x01\xff\xE2\x80\xAE";
  ReportData report = full_report();
  report.cohort_title = report.time_text = report.setting = report.model_digest = hostile;
  report.seed = report.schema_version = report.schema_digest = report.split = report.citation =
      hostile;
  report.mean_auc.local = Figure::unknown(hostile);
  report.peak_megabytes = Figure::unknown(hostile);
  report.refused[0].by = hostile;
  report.phases[0].name = hostile;
  for (auto& hospital : report.hospitals) {
    hospital.name = hostile;
    hospital.auc.local = Figure::unknown(hostile);
    hospital.auc_by_round[2] = Figure::unknown(hostile);
  }
  report.ledger.state_digest = hostile;
  for (auto& round : report.ledger.rounds) round.label = hostile;
  for (auto& alignment : report.ledger.alignments) alignment.label = hostile;
  auto& patient = report.patients[0];
  patient.hospital = patient.case_id = patient.treatment = patient.recorded_outcome = hostile;
  for (auto& disease : patient.diseases) disease.title = hostile;
  for (auto& other : patient.look_alikes) other.case_id = other.outcome = hostile;
  for (auto& finding : patient.findings) {
    finding.title = finding.value = hostile;
    for (auto& cell : finding.cells) cell.text = hostile;
  }
  for (auto& check : report.checks) check.text = check.digest = hostile;
  for (auto& warning : report.warnings) warning = hostile;
  for (auto& command : report.commands) command = hostile;
  report.strategies->title = report.strategies->sentence = hostile;
  for (auto& centre : report.strategies->centres) centre = hostile;
  for (auto& row : report.strategies->rows) row.name = row.note = hostile;
  const std::string page = render_report(report);
  EXPECT_EQ(fault_of(page), "");
  EXPECT_FALSE(contains(page, "<script"));
  EXPECT_FALSE(contains(page, "<img"));
  EXPECT_FALSE(contains(page, "\xff"));
  EXPECT_FALSE(contains(page, "\x01"));
  EXPECT_FALSE(contains(page, "\xE2\x80\xAE"));
  EXPECT_TRUE(contains(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&gt;"));
}

TEST(Report, escapes_any_bytes_into_well_formed_text) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::string text;
    for (std::size_t i = random() % 40; i > 0; --i) text += static_cast<char>(random() % 256);
    const std::string escaped = escape(text);
    EXPECT_EQ(escape(escaped).find('<'), std::string::npos);
    EXPECT_EQ(fault_of("<p>" + escaped + "</p>"), "") << "seed " << seed;
    EXPECT_EQ(fault_of("<p title=\"" + escaped + "\"></p>"), "") << "seed " << seed;
  }
  EXPECT_EQ(escape("心脏病 é 𝛼"), "心脏病 é 𝛼");
  EXPECT_EQ(escape("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong slash";
  EXPECT_EQ(escape("\xED\xA0\x80x").back(), 'x') << "a lone surrogate";
}

TEST(Report, asks_nothing_of_anybody) {
  const std::string page = render_report(full_report());
  EXPECT_FALSE(contains(page, "http://"));
  EXPECT_FALSE(contains(page, "https://"));
  EXPECT_EQ(count(page, "//"), 0U);
  EXPECT_FALSE(contains(page, "<script"));
  EXPECT_FALSE(contains(page, "@import"));
  EXPECT_FALSE(contains(page, "url("));
  EXPECT_FALSE(contains(page, "@font-face"));
  EXPECT_EQ(count(page, "href="), count(page, "href=\"data:,\""));
  EXPECT_FALSE(contains(page, " src="));
  EXPECT_TRUE(
      contains(page, "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
}

TEST(Report, takes_its_colours_from_the_tokens_only) {
  const std::string page = render_report(full_report());
  const std::string style = style_of(page);
  // Without the token table and the words that ask whether light-dark() exists, no colour may be
  // left.
  const std::regex definition(
      "--[a-z0-9-]+:(#[0-9a-f]{6}|light-dark\\(#[0-9a-f]{6},#[0-9a-f]{6}\\));");
  const std::string rest = std::regex_replace(style, definition, "");
  EXPECT_FALSE(std::regex_search(rest, std::regex("#[0-9a-fA-F]{3,8}\\b"))) << rest.substr(0, 400);
  EXPECT_FALSE(
      std::regex_search(rest, std::regex("\\b(rgb|rgba|hsl|hsla|oklch|lab|color-mix)\\(")));
  static const std::set<std::string> plain{"none",        "currentcolor", "currentColor", "inherit",
                                           "transparent", "ButtonText",   "Mark"};
  const std::regex property(
      "[;{](color|background|background-color|fill|stroke|border-[a-z]*-?color|outline-color):([^;}"
      "]+)");
  std::size_t colours = 0;
  for (std::sregex_iterator it(rest.begin(), rest.end(), property), end; it != end; ++it) {
    const std::string value = (*it)[2];
    ++colours;
    EXPECT_TRUE(std::regex_match(value, std::regex("var\\(--[a-z0-9-]+\\)")) ||
                plain.contains(value))
        << (*it)[0].str();
  }
  EXPECT_GT(colours, 40U);
  const std::regex shorthand("[;{](border(-[a-z]+)?|outline|box-shadow):([^;}]+)");
  for (std::sregex_iterator it(rest.begin(), rest.end(), shorthand), end; it != end; ++it) {
    const std::string value = (*it)[3];
    if (contains(value, "px")) {
      EXPECT_TRUE(contains(value, "var(--") || contains(value, "ButtonText") ||
                  !contains(value, "solid"))
          << (*it)[0].str();
    }
  }
  // In the body colours come by class; drawing attributes would be loose colours.
  const std::string body = page.substr(page.find("</style>"));
  EXPECT_FALSE(contains(body, " fill="));
  EXPECT_FALSE(contains(body, " stroke="));
  EXPECT_FALSE(std::regex_search(body, std::regex("#[0-9a-f]{6}\\b")));
}

TEST(Report, has_every_token_it_uses_and_every_class_it_draws_with) {
  const std::string page = render_report(full_report());
  const std::string style = style_of(page);
  const std::regex use("var\\((--[a-z0-9-]+)\\)");
  for (std::sregex_iterator it(style.begin(), style.end(), use), end; it != end; ++it) {
    // light-dark(), light, and dark: each set must define it; --f and --mono are no colours.
    EXPECT_TRUE(contains(style, (*it)[1].str() + ":")) << (*it)[1].str();
  }
  const std::string body = page.substr(page.find("</style>"));
  const std::regex drawn("class=\"(c-[a-z-]+)\"");
  for (std::sregex_iterator it(body.begin(), body.end(), drawn), end; it != end; ++it) {
    EXPECT_TRUE(contains(style, "." + (*it)[1].str() + "{")) << (*it)[1].str();
  }
}

TEST(Report, gives_both_themes_to_new_and_to_older_browsers) {
  const std::string style = style_of(render_report(sample_report()));
  EXPECT_TRUE(contains(style, "@supports (color:light-dark("));
  EXPECT_TRUE(contains(style, "@supports not (color:light-dark("));
  EXPECT_TRUE(contains(style, "prefers-color-scheme:dark"));
  EXPECT_TRUE(contains(style, "@media print"));
  EXPECT_EQ(count(style, "--panel:"), 5U)
      << "one set of pairs, light, dark, light chosen, dark chosen";
  EXPECT_EQ(count(style, "--panel:light-dark(#ffffff,#161e25)"), 1U);
}

TEST(Report, describes_every_drawing_in_words) {
  const std::string page = render_report(full_report());
  const std::regex drawing("<svg[^>]*>");
  std::size_t images = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), drawing), end; it != end; ++it) {
    const std::string tag = it->str();
    const bool hidden = contains(tag, "aria-hidden=\"true\"");
    const bool named = contains(tag, "role=\"img\"") &&
                       std::regex_search(tag, std::regex("aria-label=\"[^\"]{10,}"));
    EXPECT_NE(hidden, named) << tag;
    if (named) ++images;
  }
  // Four rows, four curves, one timeline, two chances.
  EXPECT_EQ(images, 11U);
  EXPECT_TRUE(
      contains(page, "aria-label=\"Hungary: AUC alone 0.868, together 0.892, pooled 0.890\""));
  EXPECT_TRUE(contains(page, "Heart disease: 84 percent by the model, 16 of 21 similar cases"));
  EXPECT_EQ(count(page, "<summary>The same as a table</summary>"), 2U);
}

TEST(Report, shows_an_unknown_as_a_dash_with_its_reason) {
  ReportData report = sample_report();
  report.hospitals[2].auc.local = Figure::unknown("only one healthy case was held back");
  report.hospitals[2].auc.federated = Figure{};
  report.hospitals[2].shared_cases = Figure::unknown("the session failed");
  report.sealed_equals_clear.reset();
  report.peak_megabytes = Figure{};
  const std::string page = render_report(report);
  EXPECT_EQ(fault_of(page), "");
  EXPECT_TRUE(contains(page, "– Switzerland, AUC alone: only one healthy case was held back"));
  EXPECT_TRUE(contains(page, "– Switzerland, AUC together: not measured in this run"));
  EXPECT_TRUE(contains(page, "– All, shared at k = 2: Switzerland is not known"));
  EXPECT_TRUE(contains(page, "the clear run was left out"));
  EXPECT_TRUE(contains(page, "41 s, – MB"));
  EXPECT_FALSE(contains(page, "nan"));
}

TEST(Report, never_shows_a_number_that_is_none) {
  ReportData report = sample_report();
  const double none = std::numeric_limits<double>::quiet_NaN();
  report.hospitals[0].auc = {none, none, none};
  report.hospitals[0].auc_by_round[3] = none;
  report.mean_auc.federated = none;
  report.patients[0].diseases[0].chance = none;
  const std::string page = render_report(report);
  EXPECT_EQ(fault_of(page), "");
  EXPECT_FALSE(std::regex_search(page, std::regex("\\b-?(nan|inf)\\b")));
  EXPECT_TRUE(contains(page, "– Cleveland, AUC together: the figure is not a number"));
}

TEST(Report, does_not_hide_where_training_together_was_worse) {
  const std::string page = render_report(sample_report());
  EXPECT_TRUE(
      contains(page, "did not beat training alone, by AUC, at VA Long Beach (.751 against .757)"));
  ReportData better = sample_report();
  better.hospitals[3].auc.federated = 0.8;
  EXPECT_FALSE(contains(render_report(better), "did not beat training alone"));
}

TEST(Report, says_loudly_when_sealed_and_clear_differ_or_a_check_fails) {
  ReportData report = sample_report();
  report.sealed_equals_clear = false;
  report.checks[1].ok = false;
  const std::string page = render_report(report);
  EXPECT_TRUE(contains(page, "<dd class=\"bad\">no<small>the two runs end in different models"));
  EXPECT_EQ(count(page, "<b class=\"bad\">Failed:</b>"), 1U);
  EXPECT_FALSE(contains(page, "same model digest, to the last bit"));
}

TEST(Report, hides_chances_for_a_patient_unlike_those_it_learnt_from) {
  ReportData report = sample_report();
  report.patients[0].unlike_learnt = true;
  const std::string page = render_report(report);
  EXPECT_TRUE(contains(page, "This patient is unlike those the model has learnt from."));
  EXPECT_FALSE(contains(page, "84 %"));
  EXPECT_FALSE(contains(page, "84 percent"));
  EXPECT_TRUE(contains(page, "H-0077")) << "the nearest cases stay";
}

TEST(Report, sorts_chances_and_keeps_other_or_none_last) {
  ReportData report = sample_report();
  PatientReport::Disease other;
  other.title = "Other or none";
  other.chance = 0.9;
  other.other_or_none = true;
  report.patients[0].diseases.insert(report.patients[0].diseases.begin(), other);
  const std::string chances = chances_html(report.patients[0]);
  const auto at = [&](const char* title) { return chances.find("<span>" + std::string(title)); };
  EXPECT_LT(at("Heart disease"), at("No heart disease"));
  EXPECT_LT(at("No heart disease"), at("Other or none"));
}

TEST(Report, tells_the_central_mode_and_training_on_all_cases_apart) {
  ReportData report = sample_report();
  report.committee_size = 1;
  report.opening_threshold = 1;
  report.align_k = 0;
  const std::string page = render_report(report);
  EXPECT_TRUE(contains(page, "the central server opens a sum"));
  EXPECT_FALSE(contains(page, "miners open a sum"));
  EXPECT_FALSE(contains(page, "Shared<br>"));
  EXPECT_TRUE(contains(page, "all cases of the attributes that all hospitals fill train"));
}

TEST(Report, writes_numbers_the_same_way_everywhere) {
  EXPECT_EQ(share_text(0.8621), ".862");
  EXPECT_EQ(share_text(1), "1.000");
  EXPECT_EQ(share_text(0), ".000");
  EXPECT_EQ(share_text(-0.0001), ".000");
  EXPECT_EQ(percent_text(0.84), "84 %");
  EXPECT_EQ(percent_text(0.004), "&lt;1 %");
  EXPECT_EQ(percent_text(0.996), "&gt;99 %");
  EXPECT_EQ(percent_text(1), "100 %");
  EXPECT_EQ(percent_text(0), "0 %");
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(-1234), "-1,234");
  EXPECT_EQ(digest_html("4d81bb2636a51f94ffff", 4),
            "<span class=\"mono nw\">4d81 bb26 36a5 1f94</span>");
  EXPECT_EQ(list_html({"a", "b", "c"}), "a, b and c");
}

TEST(Report, draws_ledgers_of_any_length) {
  for (const std::int64_t height : {1, 7, 9, 64, 999, 123'456, 90'000'000}) {
    ReportData report = sample_report();
    report.ledger.last_height = height;
    const std::string page = timeline_html(report.ledger);
    EXPECT_EQ(fault_of(page), "") << height;
    const std::size_t labels = count(page, "class=\"c-axis\"");
    EXPECT_GE(labels, 2U) << height;
    EXPECT_LE(labels, 9U) << height;
  }
}

}  // namespace
}  // namespace consilium::portal
