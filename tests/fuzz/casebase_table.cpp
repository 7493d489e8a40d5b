// A table as a hospital hands it in: admitted whole, or refused with a sentence.

#include <string>

#include "consilium/casebase/admission.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {
namespace {

constexpr std::string_view schema_text = R"(
name = "small"
version = 1
[[attribute]]
id = 1
name = "age"
role = "v1"
kind = "number"
source = "age"
unit = "a"
low = 0
high = 120
[[attribute]]
id = 2
name = "sex"
role = "v1"
kind = "code"
source = "sex"
codes = ["female", "male"]
[[attribute]]
id = 3
name = "pain"
role = "v1"
kind = "code"
source = "symptom"
codes = ["typical", "none"]
[[attribute]]
id = 4
name = "pressure"
role = "v1"
kind = "number"
source = "exam:pressure"
unit = "mm[Hg]"
[[attribute]]
id = 5
name = "disease"
role = "v2"
kind = "code"
source = "disease"
codes = ["absent", "present"]
)";

constexpr std::string_view mapping_text = R"(
name = "small table"
missing = ["", "?"]
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
words = { M = "male", F = "female" }
[[column]]
column = "pain"
target = "symptom"
[[column]]
column = "pressure"
target = "exam:pressure"
unit = "mm[Hg]"
[[column]]
column = "disease"
target = "disease"
words = { 0 = "absent", 1 = "present" }
)";

}  // namespace

auto try_input(BytesView input) -> bool {
  static const auto schema = casebase::parse_schema(schema_text, "schema");
  static const auto mapping = casebase::parse_mapping(mapping_text, "mapping");
  CONSILIUM_ENSURE(schema.has_value() && mapping.has_value());
  const auto table = casebase::admit_table(as_text(input), "table.csv", *mapping, *schema, "X");
  if (table) {
    CONSILIUM_ENSURE(table->cases.size() == table->report.admitted);
  } else {
    CONSILIUM_ENSURE(!table.error().code.empty() && !table.error().sentence.empty());
  }
  return table.has_value();
}

auto seeds() -> std::vector<Bytes> {
  std::vector<Bytes> out;
  for (const std::string_view text :
       {"name,age,sex,pain,pressure,disease\nAnna,63.5,F,typical,145,1\nBert,,M,none,?,0\n",
        "age,name,sex,pain,pressure,disease\r\n1e2,\"A, \"\"B\"\"\",M,,1.20e2,\r\n"}) {
    const auto bytes = as_bytes(text);
    out.emplace_back(bytes.begin(), bytes.end());
  }
  return out;
}

}  // namespace consilium::fuzz
