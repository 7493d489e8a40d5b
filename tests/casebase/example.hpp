#pragma once
// A small schema, a mapping and a few ways to build cases, shared by this room's tests.

#include <string>

#include <gtest/gtest.h>

#include "consilium/casebase/admission.hpp"
#include "consilium/foundation/files.hpp"

namespace consilium::casebase::example {

inline constexpr std::string_view schema_toml = R"(
name = "example"
version = 3

[[attribute]]
id = 1
name = "age"
role = "v1"
kind = "number"
source = "age"
unit = "a"
low = 0
high = 120
similarity = "range"
similarity_scale = 30
align = true
align_bounds = [20, 40, 60]

[[attribute]]
id = 2
name = "sex"
role = "v1"
kind = "code"
source = "sex"
codes = ["female", "male"]

[[attribute]]
id = 4
name = "cough"
title = "Cough"
role = "v1"
kind = "ordinal"
source = "severity"
codes = ["absent", "mild", "severe"]
labels = ["None", "Mild", "Severe"]
similarity = "ordinal"
weight = 2.5

[[attribute]]
id = 7
name = "temperature"
role = "v1"
kind = "number"
source = "exam:temperature"
unit = "Cel"
low = "30.5"
high = 45
similarity = "gaussian"
similarity_scale = 0.5

[[attribute]]
id = 9
name = "disease"
role = "v2"
kind = "code"
source = "disease"
codes = ["none", "influenza", "pneumonia"]
)";

inline constexpr std::string_view mapping_toml = R"(
name = "example file"
missing = ["", "?", "-9"]

[[column]]
column = "name"
target = "identifier"

[[column]]
column = "age"
target = "age"
unit = "a"

[[column]]
column = "sex"
target = "sex"
words = { "1" = "male", "0" = "female" }

[[column]]
column = "cough"
target = "severity"

[[column]]
column = "temp"
target = "exam:temperature"
missing = ["cold"]

[[column]]
column = "diagnosis"
target = "disease"
required = true
words = { "healthy" = "none", "flu" = "influenza", "lung" = "pneumonia" }
)";

inline constexpr std::string_view header = "name,age,sex,cough,temp,diagnosis\n";

inline auto schema() -> Schema {
  return parse_schema(schema_toml, "example.toml").value();
}
inline auto mapping() -> Mapping {
  return parse_mapping(mapping_toml, "mapping.toml").value();
}
inline auto number(std::string_view text) -> Decimal {
  return Decimal::parse(text).value();
}

/// A sample with every attribute recorded.
inline auto full_case(const std::string& id, std::string_view age, std::string_view temperature,
                      const std::string& disease) -> Case {
  Case c;
  c.id.value = id;
  c.status = Status::sample;
  c.source = "test:" + id;
  c.age_years = {number(age), {}, "a"};
  c.sex = "male";
  Finding finding;
  finding.severity = "mild";
  finding.exams = {{"temperature", {number(temperature), {}, "Cel"}}};
  c.findings = {finding};
  c.outcome.disease = disease;
  return c;
}

inline auto source_dir() -> std::filesystem::path {
  return CONSILIUM_SOURCE_DIR;
}
inline auto read_source(const std::string& path) -> std::string {
  auto text = read_text_file(source_dir() / path);
  EXPECT_TRUE(text) << text.error().message();
  return text.value_or("");
}

}  // namespace consilium::casebase::example
