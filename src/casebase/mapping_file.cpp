#include <algorithm>
#include <charconv>
#include <set>

#include "consilium/casebase/admission.hpp"

#include "attribute_access.hpp"
#include "column_number.hpp"
#include "toml_document.hpp"

namespace consilium::casebase {
namespace {

auto read_column(TableReader& in, bool header) -> ColumnMapping {
  ColumnMapping column;
  column.column = in.required_text("column");
  if (!header && !column_number(column.column))
    in.reject("column", "the file has no header: write \"#1\" for its first column");
  column.target = in.required_text("target");
  if (column.target != "identifier" && column.target != "hospital" && column.target != "ignore" &&
      !is_source(column.target))
    in.reject("target",
              "must be a schema source (age, exam:CODE …), identifier, hospital or ignore");
  column.unit = in.text("unit");
  column.words = in.words("words");
  column.missing = in.texts("missing");
  column.required = in.boolean("required", false);
  return column;
}

auto read_hospital(TableReader& in) -> HospitalMapping {
  HospitalMapping hospital;
  hospital.name = in.required_text("name");
  hospital.title = in.text("title", hospital.name);
  hospital.prefix = in.required_text("prefix");
  if (hospital.prefix.size() > 16 || !std::ranges::all_of(hospital.prefix, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      }))
    in.reject("prefix", "use 1 to 16 of A-Z and 0-9");
  hospital.file = in.text("file");
  return hospital;
}

auto knows(const Mapping& mapping, std::string_view hospital) -> bool {
  return std::ranges::find(mapping.hospitals, hospital, &HospitalMapping::name) !=
         mapping.hospitals.end();
}

auto count_target(const Mapping& mapping, std::string_view target) -> std::ptrdiff_t {
  return std::ranges::count(mapping.columns, target, &ColumnMapping::target);
}

auto read_columns(const std::vector<const TomlValue*>& tables, std::string_view place,
                  std::string_view code, Mapping& mapping) -> Result<void> {
  for (const auto* table : tables) {
    TableReader in(*table, place, code);
    auto column = read_column(in, mapping.header);
    const auto& target = column.target;
    const bool repeatable =
        target == "identifier" || target == "ignore" || target == "complications";
    if (!repeatable && count_target(mapping, target) > 0)
      in.reject("target", "two columns go to '" + target + "'; ignore one");
    CONSILIUM_CHECK(in.finish());
    mapping.columns.push_back(std::move(column));
  }
  if (mapping.header) return {};
  std::set<std::size_t> numbers;
  for (const auto& column : mapping.columns)
    numbers.insert(column_number(column.column).value_or(0));
  if (*numbers.rbegin() != numbers.size())
    return fail(code, place,
                "columns #1 to #" + std::to_string(*numbers.rbegin()) +
                    " must all be listed; add the missing ones, with target \"ignore\" "
                    "where nothing is wanted");
  return {};
}

auto read_hospitals(const std::vector<const TomlValue*>& tables, std::string_view place,
                    std::string_view code, Mapping& mapping) -> Result<void> {
  std::set<std::string> prefixes;
  for (const auto* table : tables) {
    TableReader in(*table, place, code);
    auto hospital = read_hospital(in);
    if (knows(mapping, hospital.name)) in.reject("name", "stands twice; remove one");
    if (!prefixes.insert(hospital.prefix).second) in.reject("prefix", "stands twice; change one");
    CONSILIUM_CHECK(in.finish());
    mapping.hospitals.push_back(std::move(hospital));
  }
  return {};
}

auto read_moves(const std::vector<const TomlValue*>& tables, std::string_view place,
                std::string_view code, Mapping& mapping) -> Result<void> {
  for (const auto* table : tables) {
    TableReader in(*table, place, code);
    Move move{in.required_text("identifier"), in.required_text("to"), in.boolean("first", false)};
    if (!knows(mapping, move.to)) in.reject("to", "is not the name of a [[hospital]]");
    if (count_target(mapping, "identifier") != 1 || count_target(mapping, "hospital") != 1)
      in.reject("identifier", "a move needs one identifier column and a hospital column");
    CONSILIUM_CHECK(in.finish());
    mapping.moves.push_back(std::move(move));
  }
  return {};
}

}  // namespace

auto parse_mapping(std::string_view toml, std::string_view place) -> Result<Mapping> {
  constexpr std::string_view code = "bad_mapping";
  CONSILIUM_TRY(const auto document, parse_toml(toml, place, code));
  TableReader top(document, place, code);
  Mapping mapping;
  mapping.name = top.required_text("name");
  mapping.header = top.boolean("header", true);
  const auto separator = top.text("separator", ",");
  if (separator.size() != 1 || separator == "\"" || separator == "\n" || separator == "\r")
    top.reject("separator", "write one character, such as \",\", \";\" or \"\\t\"");
  else
    mapping.separator = separator.front();
  mapping.missing = top.texts("missing");
  const auto columns = top.tables("column");
  if (columns.empty()) top.reject("column", "list at least one [[column]]");
  const auto hospitals = top.tables("hospital");
  const auto moves = top.tables("move");
  CONSILIUM_CHECK(top.finish());
  CONSILIUM_CHECK(read_columns(columns, place, code, mapping));
  CONSILIUM_CHECK(read_hospitals(hospitals, place, code, mapping));
  CONSILIUM_CHECK(read_moves(moves, place, code, mapping));
  return mapping;
}

auto parse_split(std::string_view toml, std::string_view place) -> Result<Split> {
  constexpr std::string_view code = "bad_split";
  CONSILIUM_TRY(const auto document, parse_toml(toml, place, code));
  TableReader top(document, place, code);
  Split split;
  split.name = top.required_text("name");
  const auto tables = top.tables("centre");
  if (tables.empty()) top.reject("centre", "list at least one [[centre]]");
  CONSILIUM_CHECK(top.finish());
  std::set<std::string> hospitals;
  for (const auto* table : tables) {
    TableReader in(*table, place, code);
    Split::Centre centre{in.required_text("hospital"), in.indices("train"), in.indices("test")};
    if (!hospitals.insert(centre.hospital).second) in.reject("hospital", "stands twice");
    std::ranges::sort(centre.train);
    std::ranges::sort(centre.test);
    std::vector<std::size_t> rows;
    std::ranges::merge(centre.train, centre.test, std::back_inserter(rows));
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i] != i) in.reject("train", "every row from 0 stands once, in train or in test");
    CONSILIUM_CHECK(in.finish());
    split.centres.push_back(std::move(centre));
  }
  return split;
}

}  // namespace consilium::casebase
