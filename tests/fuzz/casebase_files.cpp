// Schemas and mappings that people write: read, or refused with a sentence. A schema that is read
// survives being written and read again.

#include <string>

#include "consilium/casebase/admission.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {

auto try_input(BytesView input) -> bool {
  const auto text = as_text(input);
  const auto schema = casebase::parse_schema(text, "schema.toml");
  if (schema) {
    const auto again = casebase::parse_schema(casebase::to_toml(*schema), "schema.toml");
    CONSILIUM_ENSURE(again.has_value() && again->digest() == schema->digest());
  }
  const auto mapping = casebase::parse_mapping(text, "mapping.toml");
  if (!mapping) CONSILIUM_ENSURE(!mapping.error().sentence.empty());
  return schema.has_value() || mapping.has_value();
}

auto seeds() -> std::vector<Bytes> {
  std::vector<Bytes> out;
  for (const std::string_view text : {"name = \"a\"\nversion = 1\n[[attribute]]\nid = 1\nname = "
                                      "\"age\"\nrole = \"v1\"\nkind = \"number\"\n"
                                      "source = \"age\"\nunit = \"a\"\nlow = \"0.5\"\nhigh = "
                                      "120\nalign = true\nalign_bounds = [0, 40, 200]\n",
                                      "name = \"b\"\nheader = false\nseparator = \";\"\nmissing = "
                                      "[\"?\"]\n[[column]]\ncolumn = \"#1\"\n"
                                      "target = \"age\"\nunit = \"a\"\nmissing = [\"-9\"]\n"}) {
    const auto bytes = as_bytes(text);
    out.emplace_back(bytes.begin(), bytes.end());
  }
  return out;
}

}  // namespace consilium::fuzz
