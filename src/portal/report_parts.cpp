#include "report_parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace consilium::portal {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Length of the well-formed UTF-8 sequence at the start of `text` (Unicode table 3-7), 0 when
/// there is none.
auto sequence_length(std::string_view text) -> std::size_t {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80U) return 1;
  if (first >= 0xC2U && first <= 0xDFU) return follows(1) ? 2 : 0;
  if (first >= 0xE0U && first <= 0xEFU) {
    const bool overlong = first == 0xE0U && byte(1) < 0xA0U;
    const bool surrogate = first == 0xEDU && byte(1) > 0x9FU;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0U && first <= 0xF4U) {
    const bool overlong = first == 0xF0U && byte(1) < 0x90U;
    const bool beyond = first == 0xF4U && byte(1) > 0x8FU;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

auto is_control(std::string_view sequence) -> bool {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1)
    return (first < 0x20U && first != '\n' && first != '\t') || first == 0x7FU;
  // C1 controls, and the marks that turn the direction of the text that follows.
  if (sequence.size() == 2)
    return first == 0xC2U && static_cast<unsigned char>(sequence[1]) < 0xA0U;
  return sequence >= "\xE2\x80\xAA" && sequence <= "\xE2\x80\xAE";
}

}  // namespace

auto escape(std::string_view text) -> std::string {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      out += replacement;
      text.remove_prefix(1);
      continue;
    }
    const std::string_view sequence = text.substr(0, length);
    text.remove_prefix(length);
    if (is_control(sequence)) {
      out += replacement;
      continue;
    }
    switch (sequence[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += sequence;
    }
  }
  return out;
}

auto fixed_text(double value, int decimals) -> std::string {
  if (!std::isfinite(value)) return "–";
  // to_chars, not printf: a page must not change with the machine's language.
  std::array<char, 400> buffer{};
  const auto done = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                  std::chars_format::fixed, decimals);
  std::string text(buffer.data(), done.ptr);
  const bool zero = text.find_first_not_of("-0.") == std::string::npos;
  if (zero && text.starts_with('-')) text.erase(0, 1);
  return text;
}

auto share_text(double share) -> std::string {
  std::string text = fixed_text(share, 3);
  if (text.starts_with("0.")) text.erase(0, 1);
  return text;
}

auto spoken_share(const Figure& figure) -> std::string {
  return figure.value ? fixed_text(*figure.value, 3) : "not known";
}

auto count_text(std::int64_t count) -> std::string {
  std::string text = std::to_string(count);
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  for (std::size_t at = text.size(); at > sign + 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

auto percent_text(double share) -> std::string {
  if (share > 0 && share < 0.01) return "&lt;1 %";
  if (share < 1 && share > 0.99) return "&gt;99 %";
  return fixed_text(share * 100, 0) + " %";
}

auto number_word(std::size_t number) -> std::string {
  constexpr std::array words{"no",    "one",   "two",  "three", "four",   "five",  "six",
                             "seven", "eight", "nine", "ten",   "eleven", "twelve"};
  return number < words.size() ? words[number] : std::to_string(number);
}

auto digest_html(std::string_view hex, std::size_t groups) -> std::string {
  if (hex.empty()) return "";
  std::string text;
  for (std::size_t i = 0; i < std::min(hex.size(), groups * 4); ++i) {
    if (i > 0 && i % 4 == 0) text += ' ';
    text += hex[i];
  }
  return "<span class=\"mono nw\">" + escape(text) + "</span>";
}

auto list_html(const std::vector<std::string>& items) -> std::string {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += i + 1 == items.size() ? " and " : ", ";
    out += escape(items[i]);
  }
  return out;
}

auto Unknowns::dash(const Figure& figure, const std::string& what) -> std::string {
  const std::string reason =
      figure.why_unknown.empty() ? "not measured in this run" : figure.why_unknown;
  notes_.push_back(what + ": " + reason);
  return "–";
}

auto Unknowns::share(const Figure& figure, const std::string& what) -> std::string {
  return figure.value ? share_text(*figure.value) : dash(figure, what);
}

auto Unknowns::count(const Figure& figure, const std::string& what) -> std::string {
  return figure.value ? count_text(std::llround(*figure.value)) : dash(figure, what);
}

auto Unknowns::notes_html() const -> std::string {
  if (notes_.empty()) return "";
  std::string out = "<ul class=\"xs mut why\">";
  for (const std::string& note : notes_) out += "<li>– " + escape(note) + "</li>";
  return out + "</ul>";
}

auto mark_svg(Mark mark) -> std::string_view {
  switch (mark) {
    case Mark::tick:
      return R"(<svg class="i tick" viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 8.5l3 3 6-7"/></svg>)";
    case Mark::cross:
      return R"(<svg class="i cross" viewBox="0 0 16 16" aria-hidden="true"><path d="M4 4l8 8M12 4l-8 8"/></svg>)";
    case Mark::warning:
      return R"(<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 2.2L14.5 13.5h-13z"/><path d="M8 6.5v3.2M8 11.6v.1"/></svg>)";
  }
  return "";
}

auto frame_html(std::string_view name, std::string_view content) -> std::string {
  return "<div class=\"ox\" role=\"region\" tabindex=\"0\" aria-label=\"" + escape(name) + "\">" +
         std::string(content) + "</div>";
}

}  // namespace consilium::portal
