#include "csv_reader.hpp"

#include "column_number.hpp"
#include "toml_document.hpp"

namespace consilium::casebase {
namespace {

constexpr std::size_t row_bytes_max = 1U << 20U;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// The length of the UTF-8 character at the front, 0 when there is none (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
auto character_size(std::string_view text) -> std::size_t {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

}  // namespace

auto check_utf8(std::string_view text, std::string_view place) -> Result<void> {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return fail("bad_encoding_utf8", place,
                "the file is UTF-16; save it as UTF-8 and import it again");
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const auto size = character_size(text.substr(at));
    if (size == 0)
      return fail("bad_encoding_utf8", at_line(place, line),
                  "byte " + std::to_string(at) +
                      " of the file is not UTF-8; save the file as UTF-8 and import it again");
    const bool lone_return = text[at] == '\r' && (at + 1 == text.size() || text[at + 1] != '\n');
    if (text[at] == '\n' || lone_return) ++line;
    at += size;
  }
  return {};
}

CsvReader::CsvReader(std::string_view text, char separator, std::string_view place)
    : text_(text), separator_(separator), place_(place) {
  if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
}

auto CsvReader::at_newline() const -> bool {
  return text_[at_] == '\n' || text_[at_] == '\r';
}

void CsvReader::take_newline() {
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
  ++at_;
  ++line_;
}

auto CsvReader::quoted_field(std::string& field, std::size_t row_begin) -> Result<void> {
  const std::size_t opened = line_;
  ++at_;
  while (true) {
    if (at_ >= text_.size())
      return fail(
          "wrong_columns", at_line(place_, opened),
          "a quoted field begins here and never ends; the file was cut off, get a whole copy");
    if (at_ - row_begin > row_bytes_max)
      return fail("line_too_long", at_line(place_, opened),
                  "the row is longer than 1 MiB; check for a quotation mark that is never closed");
    if (text_[at_] == '"') {
      if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
      field += '"';
      at_ += 2;
    } else if (at_newline()) {
      const std::size_t from = at_;
      take_newline();
      field.append(text_.substr(from, at_ - from));
    } else {
      field += text_[at_++];
    }
  }
  ++at_;
  if (at_ < text_.size() && text_[at_] != separator_ && !at_newline())
    return fail(
        "wrong_columns", at_line(place_, line_),
        "there is text after a closing quotation mark; write \"\" for a mark inside a field");
  return {};
}

auto CsvReader::next() -> Result<std::optional<Row>> {
  while (at_ < text_.size() && at_newline()) take_newline();
  if (at_ >= text_.size()) return std::optional<Row>();
  const std::size_t row_begin = at_;
  Row row{line_, {}};
  while (true) {
    std::string field;
    if (at_ < text_.size() && text_[at_] == '"') {
      CONSILIUM_CHECK(quoted_field(field, row_begin));
    } else {
      const std::size_t from = at_;
      while (at_ < text_.size() && text_[at_] != separator_ && !at_newline()) {
        if (at_ - row_begin > row_bytes_max)
          return fail("line_too_long", at_line(place_, row.line),
                      "the row is longer than 1 MiB; check that this is a table of cases");
        ++at_;
      }
      field = text_.substr(from, at_ - from);
    }
    if (row.fields.size() == columns_max)
      return fail("too_many_columns", at_line(place_, row.line),
                  "the row has more than 4096 columns; check the separator in the mapping");
    row.fields.push_back(std::move(field));
    if (at_ >= text_.size()) break;
    if (at_newline()) {
      take_newline();
      break;
    }
    ++at_;  // the separator
  }
  return std::optional<Row>(std::move(row));
}

}  // namespace consilium::casebase
