#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consilium/foundation/result.hpp"

namespace consilium::casebase {

/// Rows of a CSV text (RFC 4180; LF, CRLF or CR; quoted fields may hold separators and newlines),
/// one at a time, so that a hostile file costs no more memory than its longest row. Blank lines are
/// passed over.
class CsvReader {
 public:
  struct Row {
    std::size_t line = 0;  ///< where the row begins, from 1
    std::vector<std::string> fields;
  };

  /// `text` must outlive the reader. `place` names the file.
  CsvReader(std::string_view text, char separator, std::string_view place);
  /// The next row; nothing at the end. Errors: `wrong_columns` (a quoted field that never ends, or
  /// text after its closing mark), `line_too_long`, `too_many_columns`, each naming the line.
  [[nodiscard]] auto next() -> Result<std::optional<Row>>;

 private:
  auto quoted_field(std::string& field, std::size_t row_begin) -> Result<void>;
  void take_newline();
  [[nodiscard]] auto at_newline() const -> bool;

  std::string_view text_;
  char separator_;
  std::string place_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

/// Error: `bad_encoding_utf8` with the line (UTF-16 is named as such).
[[nodiscard]] auto check_utf8(std::string_view text, std::string_view place) -> Result<void>;

}  // namespace consilium::casebase
