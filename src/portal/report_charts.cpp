// The drawings of the report. Each takes plain figures and returns SVG whose colours come from the
// style sheet's classes, with a summary for screen readers; the same figures stand beside it in a
// table or in words.

#include <algorithm>
#include <array>
#include <cmath>

#include "report_parts.hpp"

namespace consilium::portal {

namespace {

/// Enough for half a pixel, and short.
auto px(double value) -> std::string {
  return fixed_text(value, 1);
}

auto image(std::string_view view_box, std::string_view summary, std::string_view content,
           std::string_view attributes = "") -> std::string {
  return "<svg viewBox=\"" + std::string(view_box) + "\" role=\"img\" aria-label=\"" +
         escape(summary) + "\"" + std::string(attributes) + ">" + std::string(content) + "</svg>";
}

auto line(double x1, double y1, double x2, double y2, std::string_view kind) -> std::string {
  return "<path class=\"" + std::string(kind) + "\" d=\"M" + px(x1) + " " + px(y1) + "L" + px(x2) +
         " " + px(y2) + "\"/>";
}

auto disc(double x, double y, std::string_view radius, std::string_view kind) -> std::string {
  return "<circle class=\"" + std::string(kind) + "\" cx=\"" + px(x) + "\" cy=\"" + px(y) +
         "\" r=\"" + std::string(radius) + "\"/>";
}

auto box(double x, double y, double width, double height, std::string_view kind,
         std::string_view attributes = "") -> std::string {
  return "<rect class=\"" + std::string(kind) + "\" x=\"" + px(x) + "\" y=\"" + px(y) +
         "\" width=\"" + px(width) + "\" height=\"" + px(height) + "\"" + std::string(attributes) +
         "/>";
}

auto cross(double x, double y) -> std::string {
  return "<path class=\"c-refused\" d=\"M" + px(x - 4) + " " + px(y - 4) + "l8 8m0-8l-8 8\"/>";
}

auto text(double x, double y, std::string_view anchor, std::string_view content,
          std::string_view kind = "") -> std::string {
  std::string out = "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\"";
  if (anchor != "start") out += " text-anchor=\"" + std::string(anchor) + "\"";
  if (!kind.empty()) out += " class=\"" + std::string(kind) + "\"";
  return out + ">" + escape(content) + "</text>";
}

/// Axis labels: ".60", "1.0".
auto tick_text(double share) -> std::string {
  return share > 0.995 ? "1.0" : share_text(share).substr(0, share < 0 ? 4 : 3);
}

/// An axis must not lose a figure: it always reaches the tenth below the lowest.
void widen(ShareAxis& axis, const Figure& figure) {
  if (!figure.value) return;
  const double value = std::clamp(*figure.value, 0.0, 1.0);
  axis.from = std::min(axis.from, std::floor(value * 10) / 10);
  axis.to = std::max(axis.to, std::ceil(value * 10) / 10);
}

auto tenths(const ShareAxis& axis) -> std::vector<double> {
  std::vector<double> ticks;
  const auto first = static_cast<int>(std::lround(axis.from * 10));
  const auto last = static_cast<int>(std::lround(axis.to * 10));
  for (int tenth = first; tenth <= last; ++tenth) ticks.push_back(tenth / 10.0);
  return ticks;
}

// The comparison of one row: 190 units wide, 10 to spare on both sides for the marks.
constexpr double comparison_width = 190;

auto comparison_x(const ShareAxis& axis, double share) -> double {
  return comparison_width * (share - axis.from) / (axis.to - axis.from);
}

}  // namespace

auto comparison_axis(const std::vector<HospitalReport>& hospitals) -> ShareAxis {
  ShareAxis axis{0.8, 0.9};
  for (const HospitalReport& hospital : hospitals) {
    for (const Figure& figure : {hospital.auc.local, hospital.auc.federated, hospital.auc.pooled}) {
      widen(axis, figure);
    }
  }
  return axis;
}

auto comparison_head_svg(const ShareAxis& axis) -> std::string {
  std::string out =
      "<svg width=\"208\" height=\"14\" viewBox=\"-14 0 218 14\" aria-hidden=\"true\">";
  const auto ticks = tenths(axis);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    // More than six labels would touch each other.
    if (ticks.size() > 6 && i % 2 == 1) continue;
    out += text(comparison_x(axis, ticks[i]), 11, "middle", tick_text(ticks[i]));
  }
  return out + "</svg>";
}

auto comparison_row_svg(const HospitalReport& hospital, const ShareAxis& axis) -> std::string {
  std::string drawn;
  for (const double tick : tenths(axis)) {
    const double x = comparison_x(axis, tick);
    drawn += line(x, 0, x, 18, "c-line");
  }
  const auto& [local, federated, pooled] = hospital.auc;
  const auto x_of = [&](const Figure& figure) {
    return comparison_x(axis, std::clamp(*figure.value, 0.0, 1.0));
  };
  if (local.value && federated.value) {
    drawn += line(x_of(local), 9, x_of(federated), 9, "c-together");
  }
  if (pooled.value) drawn += line(x_of(pooled), 2, x_of(pooled), 16, "c-tick");
  if (federated.value) drawn += disc(x_of(federated), 9, "5", "c-full");
  if (local.value) drawn += disc(x_of(local), 9, "4.5", "c-hollow");
  return image("-14 0 218 18",
               hospital.name + ": AUC alone " + spoken_share(local) + ", together " +
                   spoken_share(federated) + ", pooled " + spoken_share(pooled),
               drawn, " width=\"208\" height=\"18\"");
}

auto curves_html(const std::vector<HospitalReport>& hospitals) -> std::string {
  ShareAxis axis;
  std::size_t rounds = 0;
  for (const HospitalReport& hospital : hospitals) {
    rounds = std::max(rounds, hospital.auc_by_round.size());
    for (const Figure& figure : hospital.auc_by_round) widen(axis, figure);
    for (const auto& candidate : hospital.refused_candidates) widen(axis, candidate.auc);
    widen(axis, hospital.auc.local);
    widen(axis, hospital.auc.pooled);
  }
  if (rounds == 0) {
    return "<p class=\"s mut\">– No round was scored in this run, so there is no curve.</p>";
  }
  constexpr double left = 30;
  constexpr double right = 212;
  constexpr double top = 8;
  constexpr double bottom = 130;
  const auto y_of = [&](double share) {
    return bottom -
           (bottom - top) * (std::clamp(share, 0.0, 1.0) - axis.from) / (axis.to - axis.from);
  };
  const auto x_of = [&](std::size_t round) {
    if (rounds == 1) return (left + right) / 2;
    return left + (right - left) * static_cast<double>(round - 1) / static_cast<double>(rounds - 1);
  };
  std::string out = "<div class=\"f4\">";
  for (const HospitalReport& hospital : hospitals) {
    std::string drawn;
    const auto ticks = tenths(axis);
    for (std::size_t i = 0; i < ticks.size(); ++i) {
      drawn += line(left, y_of(ticks[i]), right, y_of(ticks[i]), "c-line");
      if (ticks.size() > 7 && i % 2 == 1) continue;
      drawn += text(left - 5, y_of(ticks[i]) + 4, "end", tick_text(ticks[i]));
    }
    drawn += text(x_of(1), 145, "middle", "1");
    if (rounds > 4)
      drawn += text(x_of((rounds + 1) / 2), 145, "middle", std::to_string((rounds + 1) / 2));
    if (rounds > 1) drawn += text(x_of(rounds), 145, "middle", std::to_string(rounds));
    if (hospital.auc.local.value) {
      const double y = y_of(*hospital.auc.local.value);
      drawn += line(left, y, right, y, "c-alone");
    }
    if (hospital.auc.pooled.value) {
      const double y = y_of(*hospital.auc.pooled.value);
      drawn += line(left, y, right, y, "c-pooled");
    }
    std::string path;
    std::size_t first_known = 0;
    std::size_t last_known = 0;
    bool joined = false;
    for (std::size_t i = 0; i < hospital.auc_by_round.size(); ++i) {
      const Figure& figure = hospital.auc_by_round[i];
      // A round without a figure is a gap in the line, never a guess.
      if (!figure.value) {
        joined = false;
        continue;
      }
      path += (joined ? "L" : "M") + px(x_of(i + 1)) + " " + px(y_of(*figure.value));
      joined = true;
      if (first_known == 0) first_known = i + 1;
      last_known = i + 1;
    }
    if (!path.empty()) drawn += "<path class=\"c-together\" d=\"" + path + "\"/>";
    std::string summary = hospital.name + ": ";
    for (const auto& candidate : hospital.refused_candidates) {
      if (!candidate.auc.value || candidate.round < 1) continue;
      const auto round = static_cast<std::size_t>(candidate.round);
      if (round > rounds) continue;
      const double y = y_of(*candidate.auc.value);
      if (round <= hospital.auc_by_round.size() && hospital.auc_by_round[round - 1].value) {
        drawn += line(x_of(round), y_of(*hospital.auc_by_round[round - 1].value), x_of(round), y,
                      "c-drop");
      }
      drawn += cross(x_of(round), y);
    }
    if (last_known == 0) {
      summary += "AUC not known";
    } else {
      const double last = *hospital.auc_by_round[last_known - 1].value;
      drawn += disc(x_of(last_known), y_of(last), "3.5", "c-full");
      drawn += text(x_of(last_known) + 7, y_of(last) + 4, "start", share_text(last), "kb");
      summary += "AUC goes from " + spoken_share(hospital.auc_by_round[first_known - 1]) + " to " +
                 spoken_share(last) + " in " + std::to_string(rounds) + " rounds; alone " +
                 spoken_share(hospital.auc.local) + ", pooled " + spoken_share(hospital.auc.pooled);
    }
    out += "<figure><figcaption class=\"s b\">" + escape(hospital.name) + "</figcaption>" +
           image("0 0 250 150", summary, drawn) + "</figure>";
  }
  out += "</div>";

  Unknowns unknowns;
  std::string table =
      "<table class=\"tb narrow\"><caption class=\"vh\">AUC after each "
      "round</caption><thead><tr><th scope=\"col\">Round</th>";
  for (const HospitalReport& hospital : hospitals) {
    table += "<th scope=\"col\" class=\"num\">" + escape(hospital.name) + "</th>";
  }
  table += "</tr></thead><tbody>";
  for (std::size_t round = 1; round <= rounds; ++round) {
    table += "<tr><th scope=\"row\">" + std::to_string(round) + "</th>";
    for (const HospitalReport& hospital : hospitals) {
      const std::string what = hospital.name + ", round " + std::to_string(round);
      const Figure figure =
          round <= hospital.auc_by_round.size() ? hospital.auc_by_round[round - 1] : Figure{};
      table += "<td class=\"num\">" + unknowns.share(figure, what);
      for (const auto& candidate : hospital.refused_candidates) {
        if (candidate.round != static_cast<std::int64_t>(round)) continue;
        table += " <span class=\"bad\">(refused: " +
                 unknowns.share(candidate.auc, what + ", refused candidate") + ")</span>";
      }
      table += "</td>";
    }
    table += "</tr>";
  }
  table += "</tbody></table>";
  return out + "<details><summary>The same as a table</summary>" +
         frame_html("AUC after each round", table) + unknowns.notes_html() + "</details>";
}

auto timeline_html(const LedgerReport& ledger) -> std::string {
  if (ledger.last_height <= 0) {
    return "<p class=\"s mut\">– The ledger has no block, so there is nothing to draw.</p>";
  }
  constexpr double left = 118;
  constexpr double right = 1034;
  const auto x_at = [&](std::int64_t height) {
    const double part = static_cast<double>(height) / static_cast<double>(ledger.last_height);
    return left + (right - left) * std::clamp(part, 0.0, 1.0);
  };
  std::string drawn;
  constexpr std::array<std::string_view, 5> lanes{"members", "alignment", "rounds", "opened sums",
                                                  "rewards"};
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const double y = 22 + 26 * static_cast<double>(i);
    drawn += text(0, y + 4, "start", lanes[i]) + line(left, y, right, y, "c-line");
  }
  const auto span = [&](const LedgerReport::Span& where, double y, std::string_view kind) {
    // A block stands left of its height: block 1 reaches from 0 to 1.
    const double from = x_at(where.from - 1) + 0.75;
    const double width = std::max(x_at(where.to) - from - 0.75, 3.0);
    drawn += box(from, y, width, 14, kind, " rx=\"2\"");
    // About 7 units a character at 12 px.
    if (width >= 7.5 * static_cast<double>(where.label.size()) + 4) {
      drawn += text(from + width / 2, y + 11.5, "middle", where.label, "k");
    }
  };
  for (const std::int64_t height : ledger.member_heights)
    drawn += disc(x_at(height), 22, "4", "c-dot");
  for (const auto& alignment : ledger.alignments) span(alignment, 41, "c-span");
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (const auto& round : ledger.rounds) {
    using State = LedgerReport::Round::State;
    if (round.state == State::accepted) ++accepted;
    if (round.state == State::refused) ++refused;
    span(round, 67,
         round.state == State::accepted  ? "c-round"
         : round.state == State::refused ? "c-round-x"
                                         : "c-span");
  }
  for (const std::int64_t height : ledger.opened_sum_heights) {
    drawn += disc(x_at(height), 100, "3.5", "c-dot");
  }
  std::int64_t credits = 0;
  for (const auto& reward : ledger.rewards) {
    credits += reward.credits;
    const double x = x_at(reward.height);
    drawn += reward.credits > 0 ? box(x - 3.5, 122.5, 7, 7, "c-paid") : cross(x, 126);
  }
  // Steps of 1, 2 or 5 times a power of ten, at most eight of them.
  std::int64_t step = 1;
  for (int i = 0; ledger.last_height / step > 8; ++i) step = i % 3 == 1 ? step / 2 * 5 : step * 2;
  for (std::int64_t height = 0; height <= ledger.last_height; height += step) {
    drawn += text(x_at(height), 156, "middle", count_text(height)) +
             line(x_at(height), 140, x_at(height), 144, "c-axis");
  }
  drawn += text(0, 156, "start", "ledger height");
  const std::string summary = "Timeline of " + count_text(ledger.last_height) +
                              " heights: " + number_word(ledger.member_heights.size()) +
                              " members admitted, " + number_word(ledger.alignments.size()) +
                              " alignment sessions, " + number_word(accepted) +
                              " rounds accepted, " + number_word(refused) + " refused, " +
                              number_word(ledger.opened_sum_heights.size()) + " sums opened, " +
                              count_text(credits) + " credits paid";

  struct Event {
    std::int64_t height;
    std::string what;
  };
  std::vector<Event> events;
  for (const std::int64_t height : ledger.member_heights)
    events.push_back({height, "member admitted"});
  for (const auto& alignment : ledger.alignments) {
    events.push_back({alignment.from,
                      "alignment " + alignment.label + ", to height " + count_text(alignment.to)});
  }
  for (const auto& round : ledger.rounds) {
    using State = LedgerReport::Round::State;
    const std::string name = round.state == State::statistic ? "sealed statistic " : "round ";
    const std::string end = round.state == State::accepted  ? ", accepted"
                            : round.state == State::refused ? ", refused"
                                                            : "";
    events.push_back(
        {round.from, name + round.label + ", to height " + count_text(round.to) + end});
  }
  for (const std::int64_t height : ledger.opened_sum_heights)
    events.push_back({height, "sum opened"});
  for (const auto& reward : ledger.rewards) {
    events.push_back({reward.height, reward.credits > 0
                                         ? count_text(reward.credits) + " credits paid"
                                         : std::string("nothing paid")});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.height < b.height; });
  std::string table =
      "<table class=\"tb narrow\"><caption class=\"vh\">What happened at which height</caption>"
      "<thead><tr><th scope=\"col\" class=\"num\">Height</th><th "
      "scope=\"col\">What</th></tr></thead><tbody>";
  for (const Event& event : events) {
    table += "<tr><td class=\"num\">" + count_text(event.height) + "</td><td>" +
             escape(event.what) + "</td></tr>";
  }
  table += "</tbody></table>";
  return frame_html("Ledger timeline",
                    "<div class=\"time\">" + image("0 0 1050 162", summary, drawn) + "</div>") +
         "<details><summary>The same as a table</summary>" + frame_html("Ledger events", table) +
         "</details>";
}

auto by_chance(std::vector<PatientReport::Disease> diseases)
    -> std::vector<PatientReport::Disease> {
  std::stable_sort(diseases.begin(), diseases.end(), [](const auto& a, const auto& b) {
    if (a.other_or_none != b.other_or_none) return b.other_or_none;
    return a.chance.value.value_or(-1) > b.chance.value.value_or(-1);
  });
  return diseases;
}

auto chances_html(const PatientReport& patient) -> std::string {
  std::string out;
  std::vector<std::string> reasons;
  for (const auto& disease : by_chance(patient.diseases)) {
    const bool known = disease.chance.value.has_value() && !patient.unlike_learnt;
    const double chance = known ? std::clamp(*disease.chance.value, 0.0, 1.0) : 0;
    const std::string shown = known ? percent_text(chance) : "–";
    if (!known && !patient.unlike_learnt) {
      reasons.push_back(disease.title + ": " +
                        (disease.chance.why_unknown.empty() ? "no chance was computed"
                                                            : disease.chance.why_unknown));
    }
    std::string drawn;
    if (known && chance > 0) {
      // Without a set nothing is outside of it, and every bar is full.
      const bool full = disease.in_set || !patient.set_percent;
      drawn += box(0.5, 1, std::max(250 * chance, 1.0), 9, full ? "c-bar" : "c-out");
    }
    if (disease.similar_interval && patient.similar_total > 0) {
      const double share =
          static_cast<double>(disease.similar_count) / static_cast<double>(patient.similar_total);
      const double low = std::clamp(disease.similar_interval->first, 0.0, 1.0);
      const double high = std::clamp(disease.similar_interval->second, 0.0, 1.0);
      drawn += line(250 * low, 16, 250 * high, 16, "c-share") +
               box(250 * std::clamp(share, 0.0, 1.0) - 2.5, 13.5, 5, 5, "c-mark");
    }
    std::string summary = disease.title + ": ";
    summary += known ? fixed_text(chance * 100, 0) + " percent by the model" : "chance not shown";
    if (patient.similar_total > 0) {
      summary += ", " + count_text(disease.similar_count) + " of " +
                 count_text(patient.similar_total) + " similar cases";
    }
    if (disease.similar_interval) {
      summary += ", 95 percent interval " + fixed_text(disease.similar_interval->first * 100, 0) +
                 " to " + fixed_text(disease.similar_interval->second * 100, 0) + " percent";
    }
    out += "<div class=\"dis\"><p><span>" + escape(disease.title) + "</span><span class=\"nw\">" +
           shown + "</span></p>" +
           image("0 0 250 20", summary, drawn, " preserveAspectRatio=\"xMinYMid\"") + "</div>";
  }
  for (const std::string& reason : reasons) {
    out += "<p class=\"xs mut\">– " + escape(reason) + "</p>";
  }
  return out;
}

}  // namespace consilium::portal
