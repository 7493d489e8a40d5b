#include "cohort.hpp"

#include <algorithm>

#include "consilium/foundation/files.hpp"

#include "embedded_files.hpp"

namespace consilium::app {

namespace {

constexpr std::size_t table_bytes_max = 64U << 20U;
constexpr int held_back_per_mille = 333;

auto read_mapping(std::string_view name) -> Result<casebase::Mapping> {
  return casebase::parse_mapping(embedded_file(name), name);
}

/// The original files: one a hospital, no header.
auto read_directory(const std::filesystem::path& directory, const casebase::Mapping& mapping,
                    const casebase::Schema& schema, std::vector<std::string>& warnings)
    -> Result<std::vector<casebase::HospitalCases>> {
  std::vector<casebase::HospitalCases> out;
  for (const auto& hospital : mapping.hospitals) {
    CONSILIUM_TRY(const auto text, read_text_file(directory / hospital.file, table_bytes_max));
    CONSILIUM_TRY(auto table,
                  casebase::admit_table(text, hospital.file, mapping, schema, hospital.prefix));
    for (const auto& warning : table.report.warnings) {
      warnings.push_back(hospital.title + ": " + warning);
    }
    out.push_back({hospital, std::move(table.cases)});
  }
  return out;
}

auto read_package(const std::filesystem::path& file, const casebase::Mapping& mapping,
                  const casebase::Schema& schema, std::vector<std::string>& warnings)
    -> Result<std::vector<casebase::HospitalCases>> {
  CONSILIUM_TRY(const auto text, read_text_file(file, table_bytes_max));
  CONSILIUM_TRY(auto table,
                casebase::admit_table(text, file.filename().string(), mapping, schema, "R"));
  warnings = table.report.warnings;
  return casebase::group_by_hospital(std::move(table), mapping);
}

/// FLamby's published rows: what is not complete is left out, the test rows are held back.
auto apply_published_split(std::vector<casebase::HospitalCases>& hospitals,
                           const casebase::Schema& schema) -> Result<void> {
  CONSILIUM_TRY(const auto split, casebase::parse_split(embedded_file("heart/flamby-split.toml"),
                                                        "heart/flamby-split.toml"));
  for (auto& hospital : hospitals) {
    hospital.cases = casebase::complete_cases(hospital.cases, schema);
    const auto centre =
        std::find_if(split.centres.begin(), split.centres.end(),
                     [&](const auto& c) { return c.hospital == hospital.hospital.name; });
    if (centre == split.centres.end() ||
        centre->train.size() + centre->test.size() != hospital.cases.size()) {
      return fail("bad_split", hospital.hospital.title,
                  "the published split has another number of rows than this hospital's complete "
                  "cases; use the original four files");
    }
    for (const auto row : centre->test) {
      hospital.cases.at(row).status = casebase::Status::held_back;
    }
  }
  return {};
}

}  // namespace

auto node_name(std::string_view title) -> std::string {
  std::string out;
  for (const char c : title) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  return out;
}

auto load_heart(const CohortSource& source, SplitRule split, std::uint64_t seed) -> Result<Cohort> {
  const bool flamby = split == SplitRule::flamby;
  Cohort cohort;
  cohort.name = "heart";
  cohort.title = "UCI heart disease";
  cohort.citation =
      "Janosi, Steinbrunn, Pfisterer, Detrano: UCI Heart Disease, 1989, doi:10.24432/C52P4X, "
      "CC BY 4.0";
  const std::string_view schema_file = flamby ? "heart/schema-flamby.toml" : "heart/schema.toml";
  CONSILIUM_TRY(cohort.schema, casebase::parse_schema(embedded_file(schema_file), schema_file));
  std::vector<casebase::HospitalCases> hospitals;
  if (!source.directory.empty()) {
    CONSILIUM_TRY(const auto mapping,
                  read_mapping(flamby ? "heart/mapping-flamby.toml" : "heart/mapping-uci.toml"));
    CONSILIUM_TRY(hospitals,
                  read_directory(source.directory, mapping, cohort.schema, cohort.warnings));
  } else {
    if (flamby) {
      return fail("wrong_usage", "--split flamby",
                  "the published split is defined on the original files; name their folder with "
                  "--data DIR");
    }
    CONSILIUM_TRY(const auto mapping, read_mapping("heart/mapping-package.toml"));
    CONSILIUM_TRY(hospitals, read_package(source.package, mapping, cohort.schema, cohort.warnings));
  }
  if (flamby) {
    CONSILIUM_CHECK(apply_published_split(hospitals, cohort.schema));
    cohort.split = "FLamby's published split, 66 : 34";
  } else {
    for (auto& hospital : hospitals) {
      casebase::hold_back(hospital.cases, held_back_per_mille, seed);
    }
    cohort.split = "a third of every hospital's cases held back, stratified by diagnosis, by seed";
  }
  for (auto& hospital : hospitals) {
    cohort.hospitals.push_back(
        {node_name(hospital.hospital.name), hospital.hospital.name, std::move(hospital.cases)});
  }
  return cohort;
}

}  // namespace consilium::app
