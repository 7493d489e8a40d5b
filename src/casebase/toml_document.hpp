#pragma once
// TOML as plain values: the TOML library is seen by toml_document.cpp alone, its exceptions end
// there.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "consilium/casebase/case.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::casebase {

struct TomlEntry;

struct TomlValue {
  enum class Kind { text, integer, real, boolean, array, table, other };
  Kind kind = Kind::other;
  std::size_t line = 0;
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::vector<TomlValue> items;    ///< array
  std::vector<TomlEntry> entries;  ///< table, ascending by key
};
struct TomlEntry {
  std::string key;
  TomlValue value;
};

/// Error: `code` with "place, line N".
[[nodiscard]] auto parse_toml(std::string_view text, std::string_view place, std::string_view code)
    -> Result<TomlValue>;

/// Reads one table key by key. The first wrong key makes finish() fail and later reads give empty
/// values, so that a caller reads all and asks once. A key that was never asked for is wrong too:
/// it is a misspelling.
class TableReader {
 public:
  TableReader(const TomlValue& table, std::string_view place, std::string_view code)
      : table_(table), place_(place), code_(code) {}

  auto required_text(std::string_view key) -> std::string;
  auto text(std::string_view key, std::string_view otherwise = "") -> std::string;
  auto boolean(std::string_view key, bool otherwise) -> bool;
  auto integer(std::string_view key, std::int64_t low, std::int64_t high,
               std::optional<std::int64_t> otherwise = {}) -> std::int64_t;
  auto real(std::string_view key, double otherwise) -> double;
  auto decimal(std::string_view key) -> std::optional<Decimal>;
  auto decimals(std::string_view key) -> std::vector<Decimal>;
  auto texts(std::string_view key) -> std::vector<std::string>;
  auto indices(std::string_view key) -> std::vector<std::size_t>;
  /// A table of texts; values may be written as numbers or booleans.
  auto words(std::string_view key) -> std::vector<std::pair<std::string, std::string>>;
  /// An array of tables, `[[key]]`; empty when there is none.
  auto tables(std::string_view key) -> std::vector<const TomlValue*>;
  /// The line of a key, or of the table.
  [[nodiscard]] auto line(std::string_view key) const -> std::size_t;
  /// Marks a key as wrong for a reason the caller found.
  void reject(std::string_view key, std::string_view sentence);
  [[nodiscard]] auto finish() -> Result<void>;

 private:
  auto find(std::string_view key) -> const TomlValue*;
  auto text_of(std::string_view key, const TomlValue& value) -> std::string;
  auto decimal_of(std::string_view key, const TomlValue& value) -> Decimal;

  const TomlValue& table_;
  std::string place_, code_;
  std::vector<std::string> asked_;
  std::optional<Error> error_;
};

/// "schema.toml, line 12"
[[nodiscard]] auto at_line(std::string_view place, std::size_t line) -> std::string;

}  // namespace consilium::casebase
