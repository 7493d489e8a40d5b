#pragma once
// The door: text in, cases out, identifiers stripped, every refusal with file, line and reason.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consilium/casebase/case.hpp"
#include "consilium/casebase/schema.hpp"

namespace consilium::casebase {

/// How one column of a table becomes a field of a case. Read from a mapping file (TOML).
struct ColumnMapping {
  std::string column;  ///< header name, or "#3" (from 1) where the file has no header
  /// A `source` of schema.hpp, or "identifier" (stripped), "hospital", "ignore".
  std::string target;
  /// UCUM unit of the numbers; empty: the schema's. Any other is refused (`bad_mapping`).
  std::string unit;
  /// Text in the file → code. Texts that are numbers match by value: "1" is also "1.0" and "01".
  std::vector<std::pair<std::string, std::string>> words;
  /// Texts that mean "not recorded" in this column; numbers by value.
  std::vector<std::string> missing;
  bool required = false;  ///< a row that does not record it is an error: it was cut or misread
};
/// A hospital that a mapping knows.
struct HospitalMapping {
  std::string name;    ///< as the "hospital" column writes it
  std::string title;   ///< what people read
  std::string prefix;  ///< of its case ids: "C" gives C-0001
  std::string file;    ///< where each hospital has a file of its own: that file's name; else empty
};
/// A row that its publisher filed under the wrong hospital.
struct Move {
  std::string identifier;  ///< the row's value in the "identifier" column
  std::string to;          ///< a HospitalMapping::name
  bool first = false;      ///< before that hospital's other rows; otherwise it keeps its place
};
struct Mapping {
  std::string name;
  bool header = true;
  char separator = ',';
  std::vector<std::string> missing;  ///< for every column, e.g. "", "?", "-9"
  std::vector<ColumnMapping> columns;
  /// Not empty: a "hospital" column may name only these (`unknown_code`).
  std::vector<HospitalMapping> hospitals;
  std::vector<Move> moves;
};
/// Error: `bad_mapping` naming line and key.
[[nodiscard]] auto parse_mapping(std::string_view toml, std::string_view place) -> Result<Mapping>;

struct AdmissionReport {
  std::size_t rows = 0, admitted = 0;
  std::size_t identifiers_removed = 0;  ///< values, not columns
  /// "chol: 172 values outside 50..700 mg/dL taken as not recorded" – counts only.
  std::vector<std::string> warnings;
};
struct AdmittedTable {
  std::vector<Case> cases;             ///< status `sample`, ids PREFIX-0001… in row order
  std::vector<std::string> hospitals;  ///< the "hospital" column per case, empty without one
  AdmissionReport report;
};

/// Succeeds when the schema agrees with the case: every code is one of the attribute's, every
/// number is in the attribute's unit and range, and the id has 1..64 bytes. What the schema does
/// not name is not judged. Errors: `unknown_code`, `bad_number`, `bad_case`.
[[nodiscard]] auto check_case(const Case& c, const Schema& schema) -> Result<void>;

/// Reads a whole table. Strict: the first bad row ends it, nothing is kept.
/// `place` names the file in errors ("processed.va.data"); lines count from 1.
/// The text is CSV as in RFC 4180, with LF, CRLF or CR, with or without a byte-order mark and a
/// last newline. The mapping's moves are applied, so the table may have another order than the
/// file. Errors: `bad_encoding_utf8`, `wrong_columns` (missing, extra or wrong number of columns in
/// a row, or a file cut inside a quoted field: names line), `unknown_code`, `bad_number`,
/// `table_empty`, `line_too_long` (> 1 MiB), `too_many_columns` (> 4096), `bad_mapping` (mapping
/// and schema do not fit). Each sentence says what to do; none repeats what stands in the row.
[[nodiscard]] auto admit_table(std::string_view text, std::string_view place,
                               const Mapping& mapping, const Schema& schema,
                               std::string_view id_prefix) -> Result<AdmittedTable>;

struct HospitalCases {
  HospitalMapping hospital;
  std::vector<Case> cases;  ///< ids PREFIX-0001… in the table's order
};
/// Cuts a table with a "hospital" column into the mapping's hospitals, in the mapping's order. The
/// heart package is read this way: its row 304 stands under Cleveland and belongs first among
/// Hungary's, which the mapping says with `[[move]] identifier = "304", to = "Hungary", first =
/// true`; with it the package equals the four original files. Errors: `bad_mapping` (no hospital
/// column, or no hospitals named), `table_empty` (a hospital has no row).
[[nodiscard]] auto group_by_hospital(AdmittedTable table, const Mapping& mapping)
    -> Result<std::vector<HospitalCases>>;

/// Holds a share of cases back: stratified by disease, fixed by seed and independent of order.
/// Marks them `held_back`. `share_per_mille` thousandths of each stratum, rounded to nearest (at
/// least 1 where the stratum has ≥ 3). Only cases of status `sample` (or `held_back` already) count
/// and are marked: the same call again changes nothing.
void hold_back(std::vector<Case>& cases, int share_per_mille, std::uint64_t seed);

/// A published split of every hospital's complete cases into train and test rows.
struct Split {
  struct Centre {
    std::string hospital;  ///< a HospitalMapping::name
    std::vector<std::size_t> train,
        test;  ///< ascending, from 0, among the hospital's complete_cases()
  };
  std::string name;
  std::vector<Centre> centres;
};
/// Error: `bad_split` naming line and key (also when a row stands twice or is left out).
[[nodiscard]] auto parse_split(std::string_view toml, std::string_view place) -> Result<Split>;

/// FLamby's filter: the cases, in their order, that record every V1 attribute of the schema and its
/// disease.
[[nodiscard]] auto complete_cases(std::span<const Case> cases, const Schema& schema)
    -> std::vector<Case>;

}  // namespace consilium::casebase
