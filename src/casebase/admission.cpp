#include "consilium/casebase/admission.hpp"

#include <algorithm>
#include <set>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

#include "attribute_access.hpp"
#include "column_number.hpp"
#include "csv_reader.hpp"
#include "toml_document.hpp"

namespace consilium::casebase {
namespace {

/// A text that also matches by value where it is a number: "1" and "1.0".
struct Text {
  std::string text;
  std::optional<Decimal> number;

  explicit Text(std::string_view from) : text(from) {
    if (auto parsed = Decimal::parse(from)) number = *parsed;
  }
  auto operator==(const Text& other) const -> bool {
    return text == other.text || (number && other.number && *number == *other.number);
  }
};

auto trimmed(std::string_view text) -> std::string_view {
  constexpr std::string_view blank = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// One mapped column of this file, ready to read cells.
struct BoundColumn {
  std::size_t index = 0;  ///< in the row
  const ColumnMapping* mapping = nullptr;
  const Attribute* attribute = nullptr;  ///< nothing for identifier, hospital and ignore
  std::vector<std::pair<Text, std::string>> words;
  std::vector<Text> missing;
  std::size_t out_of_range = 0;

  [[nodiscard]] auto is_missing(const Text& cell) const -> bool {
    return std::ranges::find(missing, cell) != missing.end();
  }
};

struct BoundTable {
  std::vector<BoundColumn> columns;  ///< values first, in the schema's order: so are a case's exams
  std::size_t width = 0;
};

/// A row on its way in; the identifier goes no further than this file.
struct ReadRow {
  Case admitted;
  std::string hospital;
  std::string identifier;
};

auto attribute_with_source(const Schema& schema, std::string_view source) -> const Attribute* {
  const auto found = std::ranges::find(schema.attributes, source, &Attribute::source);
  return found == schema.attributes.end() ? nullptr : &*found;
}

auto is_value(const ColumnMapping& column) -> bool {
  return column.target != "identifier" && column.target != "hospital" && column.target != "ignore";
}

auto listed(const std::vector<std::string>& texts) -> std::string {
  constexpr std::size_t shown_max = 8;
  std::string out;
  for (std::size_t i = 0; i < texts.size() && i < shown_max; ++i)
    out += (i > 0 ? ", " : "") + texts[i];
  return out + (texts.size() > shown_max ? " …" : "");
}

auto bind_column(const ColumnMapping& column, const Mapping& mapping, const Schema& schema)
    -> Result<BoundColumn> {
  BoundColumn bound;
  bound.mapping = &column;
  for (const auto& text : mapping.missing) bound.missing.emplace_back(text);
  for (const auto& text : column.missing) bound.missing.emplace_back(text);
  for (const auto& [text, code] : column.words) bound.words.emplace_back(Text(text), code);
  if (!is_value(column)) return bound;

  const auto refuse = [&](const std::string& sentence) {
    return fail("bad_mapping", mapping.name, "column '" + column.column + "' " + sentence);
  };
  const auto* attribute = attribute_with_source(schema, column.target);
  if (attribute == nullptr)
    return refuse("goes to '" + column.target + "', which schema '" + schema.name +
                  "' does not have; correct the target or write \"ignore\"");
  if (!column.unit.empty() && column.unit != attribute->unit)
    return refuse("is in another unit than the schema, which wants \"" + attribute->unit +
                  "\"; convert the column first");
  for (const auto& [text, code] : column.words) {
    const bool known = is_numeric(attribute->kind)
                           ? Decimal::parse(code).has_value()
                           : std::ranges::find(attribute->codes, code) != attribute->codes.end();
    if (!known)
      return refuse("has the word '" + text + "' for '" + code + "', which '" + attribute->name +
                    "' does not know; write a number, or one of: " + listed(attribute->codes));
  }
  bound.attribute = attribute;
  return bound;
}

/// Where each mapped column stands in the header.
auto header_position(const std::vector<std::string>& names, const ColumnMapping& column,
                     const Mapping& mapping, std::string_view place) -> Result<std::size_t> {
  const auto found = std::ranges::find(names, column.column);
  if (found == names.end())
    return fail("wrong_columns", place,
                "the header has no column '" + column.column + "', which mapping '" + mapping.name +
                    "' reads; check that this is the right file and the right mapping");
  return static_cast<std::size_t>(found - names.begin());
}

// The names found are not repeated in an error: without a header they would be the first patient.
auto check_header(const std::vector<std::string>& names, const Mapping& mapping,
                  std::string_view place) -> Result<void> {
  for (const auto& column : mapping.columns) {
    CONSILIUM_TRY([[maybe_unused]] const auto at, header_position(names, column, mapping, place));
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!seen.insert(names[i]).second)
      return fail("wrong_columns", place,
                  "column " + std::to_string(i + 1) + " has the name of an earlier one; rename it");
    if (std::ranges::find(mapping.columns, names[i], &ColumnMapping::column) ==
        mapping.columns.end())
      return fail("wrong_columns", place,
                  "column " + std::to_string(i + 1) + " is not in mapping '" + mapping.name +
                      "'; add it there, with target \"ignore\" if it is not wanted");
  }
  return {};
}

auto bind_table(const Mapping& mapping, const Schema& schema, const CsvReader::Row* header,
                std::string_view place) -> Result<BoundTable> {
  std::vector<std::string> names;
  if (header != nullptr) {
    for (const auto& field : header->fields) names.emplace_back(trimmed(field));
    CONSILIUM_CHECK(check_header(names, mapping, place));
  }
  BoundTable table;
  table.width = names.size();
  for (const auto& column : mapping.columns) {
    CONSILIUM_TRY(auto bound, bind_column(column, mapping, schema));
    if (header != nullptr) {
      CONSILIUM_TRY(bound.index, header_position(names, column, mapping, place));
    } else {
      const auto number = column_number(column.column);
      if (!number)
        return fail("bad_mapping", mapping.name,
                    "the file has no header: write \"#1\" for its first column");
      bound.index = *number - 1;
      table.width = std::max(table.width, *number);
    }
    table.columns.push_back(std::move(bound));
  }
  std::ranges::stable_sort(table.columns, {}, [](const BoundColumn& column) {
    return column.attribute == nullptr ? 0x10000U : unsigned{column.attribute->id};
  });
  return table;
}

auto refuse_cell(const BoundColumn& column, const std::string& sentence, std::string_view place)
    -> tl::unexpected<Error> {
  const bool number = column.attribute != nullptr && is_numeric(column.attribute->kind);
  return fail(number ? "bad_number" : "unknown_code", place,
              "column '" + column.mapping->column + "' " + sentence);
}

/// The cell as a value; nothing when it is not recorded.
auto read_cell(BoundColumn& column, const Text& cell, std::string_view place)
    -> Result<std::optional<Value>> {
  const auto& attribute = *column.attribute;
  if (column.is_missing(cell)) {
    if (column.mapping->required)
      return refuse_cell(column, "must not be empty; the row was cut off or is damaged, mend it",
                         place);
    return std::optional<Value>();
  }
  const auto word = std::ranges::find(column.words, cell, &std::pair<Text, std::string>::first);
  const bool translated = word != column.words.end();
  const std::string& text = translated ? word->second : cell.text;

  if (!is_numeric(attribute.kind)) {
    const bool known =
        translated ||
        (column.words.empty() && std::ranges::find(attribute.codes, text) != attribute.codes.end());
    if (known) return std::optional(Value{std::nullopt, text, {}});
    std::vector<std::string> words;
    for (const auto& [from, to] : column.words) words.push_back(from.text);
    return refuse_cell(column,
                       "holds a text that is not known there; mend the row, or add the word to the "
                       "mapping (it knows: " +
                           listed(words.empty() ? attribute.codes : words) + ")",
                       place);
  }
  const auto number = Decimal::parse(text);
  if (!number)
    return refuse_cell(
        column,
        "does not hold a number; mend the row, or list the text under 'missing' in the "
        "mapping if it means \"not recorded\"",
        place);
  Value value{*number, {}, attribute.unit};
  if (is_possible(value, attribute)) return std::optional(std::move(value));
  ++column.out_of_range;
  return std::optional<Value>();
}

auto read_row(const CsvReader::Row& row, BoundTable& table, const Mapping& mapping,
              std::string_view file, AdmissionReport& report) -> Result<ReadRow> {
  const auto place = at_line(file, row.line);
  if (row.fields.size() != table.width)
    return fail("wrong_columns", place,
                "the row has " + std::to_string(row.fields.size()) + " columns and mapping '" +
                    mapping.name + "' expects " + std::to_string(table.width) +
                    "; the file was cut off or is another one, get a whole copy");
  ReadRow out;
  out.admitted.status = Status::sample;
  out.admitted.source = std::string(file) + ":" + std::to_string(row.line);
  for (auto& column : table.columns) {
    const Text cell(trimmed(row.fields[column.index]));
    const auto& target = column.mapping->target;
    if (target == "identifier") {
      if (!column.is_missing(cell)) ++report.identifiers_removed;
      out.identifier = cell.text;
    } else if (target == "hospital") {
      if (!mapping.hospitals.empty() &&
          std::ranges::find(mapping.hospitals, cell.text, &HospitalMapping::name) ==
              mapping.hospitals.end())
        return refuse_cell(
            column, "names a hospital that the mapping does not have; add a [[hospital]]", place);
      out.hospital = cell.text;
    } else if (column.attribute != nullptr) {
      CONSILIUM_TRY(auto value, read_cell(column, cell, place));
      if (value) record_value(out.admitted, column.attribute->source, std::move(*value));
    }
  }
  return out;
}

void apply_moves(std::vector<ReadRow>& rows, const Mapping& mapping, AdmissionReport& report) {
  for (const auto& move : mapping.moves) {
    const auto row = std::ranges::find_if(rows, [wanted = Text(move.identifier)](const ReadRow& r) {
      return Text(r.identifier) == wanted;
    });
    if (row == rows.end()) {
      report.warnings.push_back("a row that the mapping moves to " + move.to +
                                " is not in the file");
      continue;
    }
    ReadRow moved = std::move(*row);
    moved.hospital = move.to;
    if (!move.first) {
      *row = std::move(moved);
      continue;
    }
    rows.erase(row);
    rows.insert(std::ranges::find(rows, move.to, &ReadRow::hospital), std::move(moved));
  }
}

auto case_id(std::string_view prefix, std::size_t number) -> CaseId {
  auto digits = std::to_string(number);
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return CaseId{std::string(prefix) + "-" + digits};
}

void warn(const BoundTable& table, AdmissionReport& report) {
  for (const auto& column : table.columns) {
    if (column.out_of_range == 0) continue;
    const auto& a = *column.attribute;
    report.warnings.push_back(a.name + ": " + std::to_string(column.out_of_range) +
                              " values outside " + (a.low ? a.low->to_text() : "") + ".." +
                              (a.high ? a.high->to_text() : "") +
                              (a.unit.empty() ? "" : " " + a.unit) + " taken as not recorded");
  }
}

}  // namespace

auto admit_table(std::string_view text, std::string_view place, const Mapping& mapping,
                 const Schema& schema, std::string_view id_prefix) -> Result<AdmittedTable> {
  CONSILIUM_CHECK(check_utf8(text, place));
  CsvReader reader(text, mapping.separator, place);
  std::optional<CsvReader::Row> header;
  if (mapping.header) {
    CONSILIUM_TRY(header, reader.next());
    if (!header) return fail("table_empty", place, "the file holds nothing; get a whole copy");
  }
  const auto header_place = header ? at_line(place, header->line) : std::string(place);
  CONSILIUM_TRY(auto table, bind_table(mapping, schema, header ? &*header : nullptr, header_place));

  AdmittedTable out;
  std::vector<ReadRow> rows;
  while (true) {
    CONSILIUM_TRY(const auto row, reader.next());
    if (!row) break;
    auto read = read_row(*row, table, mapping, place, out.report);
    if (!read && !mapping.header && row->line == 1)
      read.error().sentence += "; if line 1 is a header, remove it or use a mapping with a header";
    CONSILIUM_TRY(auto admitted, std::move(read));
    rows.push_back(std::move(admitted));
  }
  if (rows.empty()) return fail("table_empty", place, "the file holds no case; get a whole copy");

  apply_moves(rows, mapping, out.report);
  warn(table, out.report);
  out.report.rows = rows.size();
  out.report.admitted = rows.size();
  const bool by_hospital = std::ranges::find(mapping.columns, "hospital", &ColumnMapping::target) !=
                           mapping.columns.end();
  for (auto& row : rows) {
    row.admitted.id = case_id(id_prefix, out.cases.size() + 1);
    out.cases.push_back(std::move(row.admitted));
    if (by_hospital) out.hospitals.push_back(std::move(row.hospital));
  }
  return out;
}

auto group_by_hospital(AdmittedTable table, const Mapping& mapping)
    -> Result<std::vector<HospitalCases>> {
  if (mapping.hospitals.empty() || table.hospitals.size() != table.cases.size())
    return fail(
        "bad_mapping", mapping.name,
        "the table is cut by hospital, which needs a hospital column and [[hospital]] entries");
  std::vector<HospitalCases> out;
  for (const auto& hospital : mapping.hospitals) {
    HospitalCases own{hospital, {}};
    for (std::size_t i = 0; i < table.cases.size(); ++i) {
      if (table.hospitals[i] != hospital.name) continue;
      own.cases.push_back(std::move(table.cases[i]));
      own.cases.back().id = case_id(hospital.prefix, own.cases.size());
    }
    if (own.cases.empty())
      return fail("table_empty", mapping.name,
                  "the file has no row of " + hospital.name + "; it was cut off, get a whole copy");
    out.push_back(std::move(own));
  }
  return out;
}

auto check_case(const Case& c, const Schema& schema) -> Result<void> {
  if (c.id.value.empty() || c.id.value.size() > 64)
    return fail("bad_case", "case", "a case's id has 1 to 64 bytes; give it another");
  // One part a piece, because value_of speaks of the first finding and treatment only.
  std::vector<Case> parts(1);
  parts.front().age_years = c.age_years;
  parts.front().sex = c.sex;
  parts.front().outcome.disease = c.outcome.disease;
  for (const auto& finding : c.findings) parts.emplace_back().findings = {finding};
  for (const auto& treatment : c.outcome.treatments)
    parts.emplace_back().outcome.treatments = {treatment};
  for (const auto& complication : c.outcome.complications)
    parts.emplace_back().outcome.complications = {complication};
  for (const auto& attribute : schema.attributes)
    for (const auto& part : parts) {
      const auto value = recorded_value(part, attribute.source);
      if (!value || is_possible(*value, attribute)) continue;
      return fail(is_numeric(attribute.kind) ? "bad_number" : "unknown_code", c.id.value,
                  "attribute '" + attribute.name + "' holds a value that schema '" + schema.name +
                      "' does not allow; correct it or leave it out");
    }
  return {};
}

void hold_back(std::vector<Case>& cases, int share_per_mille, std::uint64_t seed) {
  CONSILIUM_ENSURE(share_per_mille >= 0 && share_per_mille <= 1000);
  struct Drawn {
    Digest ticket;
    Case* drawn;
  };
  std::vector<std::string> strata;
  for (const auto& c : cases) strata.push_back(c.outcome.disease);
  std::ranges::sort(strata);
  strata.erase(std::unique(strata.begin(), strata.end()), strata.end());

  for (const auto& disease : strata) {
    std::vector<Drawn> stratum;
    for (auto& c : cases) {
      const bool counts = c.status == Status::sample || c.status == Status::held_back;
      if (!counts || c.outcome.disease != disease) continue;
      Writer seed_bytes;
      seed_bytes.u64(seed);
      stratum.push_back(
          {tagged_hash("consilium/casebase/1/hold-back", {seed_bytes.view(), as_bytes(c.id.value)}),
           &c});
    }
    std::ranges::sort(stratum, [](const Drawn& a, const Drawn& b) {
      return a.ticket != b.ticket ? a.ticket < b.ticket : a.drawn->id < b.drawn->id;
    });
    auto count = (stratum.size() * static_cast<std::size_t>(share_per_mille) + 500) / 1000;
    if (count == 0 && share_per_mille > 0 && stratum.size() >= 3) count = 1;
    for (std::size_t i = 0; i < count; ++i) stratum[i].drawn->status = Status::held_back;
  }
}

auto complete_cases(std::span<const Case> cases, const Schema& schema) -> std::vector<Case> {
  std::vector<Case> out;
  std::ranges::copy_if(cases, std::back_inserter(out), [&](const Case& c) {
    return std::ranges::all_of(schema.attributes, [&](const Attribute& a) {
      const bool needed = a.role == Role::v1 || a.source == "disease";
      return !needed || value_of(c, a).has_value();
    });
  });
  return out;
}

}  // namespace consilium::casebase
