#pragma once
// What the parts of the report page share: words, numbers, marks. Every function that takes a text
// from outside escapes it; what it returns is HTML.

#include <string>
#include <string_view>
#include <vector>

#include "consilium/portal/report.hpp"

namespace consilium::portal {

/// Text for an element or a quoted attribute. Bytes that are not UTF-8, and control characters,
/// become U+FFFD.
[[nodiscard]] auto escape(std::string_view text) -> std::string;

/// ".862", "1.000"; for screen readers "0.862".
[[nodiscard]] auto share_text(double share) -> std::string;
[[nodiscard]] auto spoken_share(const Figure& figure) -> std::string;
/// "12,345"
[[nodiscard]] auto count_text(std::int64_t count) -> std::string;
/// "84 %", "<1 %" and ">99 %": never a decimal, and never a certainty that is none.
[[nodiscard]] auto percent_text(double share) -> std::string;
[[nodiscard]] auto fixed_text(double value, int decimals) -> std::string;
/// "four", or "23" where no word is kept.
[[nodiscard]] auto number_word(std::size_t number) -> std::string;
/// "4d81 bb26 36a5 1f94" in monospace; nothing for an empty digest.
[[nodiscard]] auto digest_html(std::string_view hex, std::size_t groups = 4) -> std::string;
/// "a, b and c", escaped.
[[nodiscard]] auto list_html(const std::vector<std::string>& items) -> std::string;

/// Dashes of one table and their reasons, in the order in which they stand.
class Unknowns {
 public:
  /// The figure as share or count, or a dash whose reason is kept for `notes_html`.
  auto share(const Figure& figure, const std::string& what) -> std::string;
  auto count(const Figure& figure, const std::string& what) -> std::string;
  /// "– Switzerland, AUC alone: only one healthy case was held back." One line each; empty when all
  /// is known.
  [[nodiscard]] auto notes_html() const -> std::string;

 private:
  auto dash(const Figure& figure, const std::string& what) -> std::string;
  std::vector<std::string> notes_;
};

enum class Mark { tick, cross, warning };
[[nodiscard]] auto mark_svg(Mark mark) -> std::string_view;

/// A table or chart that scrolls inside its own frame, with a name and a tab stop.
[[nodiscard]] auto frame_html(std::string_view name, std::string_view content) -> std::string;

// report_charts.cpp
/// From and to of an axis of shares, on tenths.
struct ShareAxis {
  double from = 0.5;
  double to = 1.0;
};
[[nodiscard]] auto comparison_axis(const std::vector<HospitalReport>& hospitals) -> ShareAxis;
[[nodiscard]] auto comparison_head_svg(const ShareAxis& axis) -> std::string;
[[nodiscard]] auto comparison_row_svg(const HospitalReport& hospital, const ShareAxis& axis)
    -> std::string;
[[nodiscard]] auto curves_html(const std::vector<HospitalReport>& hospitals) -> std::string;
[[nodiscard]] auto timeline_html(const LedgerReport& ledger) -> std::string;
/// The likeliest first, "other or none" last.
[[nodiscard]] auto by_chance(std::vector<PatientReport::Disease> diseases)
    -> std::vector<PatientReport::Disease>;
[[nodiscard]] auto chances_html(const PatientReport& patient) -> std::string;

// report_style.cpp
[[nodiscard]] auto style_sheet() -> std::string;

}  // namespace consilium::portal
