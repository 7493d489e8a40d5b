#include <algorithm>
#include <array>
#include <utility>

#include "consilium/diagnosis/diagnosis.hpp"

namespace consilium::diagnosis {
namespace {

// UCUM writes some units with marks that belong to the code and not to what people read.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> spoken_units{{
    {"mm[Hg]", "mmHg"},
    {"{beats}/min", "beats/min"},
    {"/min", "per min"},
    {"a", "years"},
    {"Cel", "°C"},
    {"[degF]", "°F"},
    {"1", ""},
}};

auto spoken_unit(std::string_view unit) -> std::string {
  const auto* found = std::find_if(spoken_units.begin(), spoken_units.end(),
                                   [&](const auto& pair) { return pair.first == unit; });
  if (found != spoken_units.end()) return std::string(found->second);
  // "{vessels}": a count of something, named between braces.
  if (unit.size() > 2 && unit.front() == '{' && unit.back() == '}')
    return std::string(unit.substr(1, unit.size() - 2));
  return std::string(unit);
}

}  // namespace

auto display_text(const casebase::Value& value, const casebase::Attribute& attribute)
    -> std::string {
  if (value.number) {
    auto text = value.number->to_text();
    const auto unit = spoken_unit(value.unit.empty() ? attribute.unit : value.unit);
    if (!unit.empty()) text += " " + unit;
    return text;
  }
  const auto found = std::find(attribute.codes.begin(), attribute.codes.end(), value.code);
  const auto at = static_cast<std::size_t>(found - attribute.codes.begin());
  return at < attribute.labels.size() ? attribute.labels[at] : value.code;
}

}  // namespace consilium::diagnosis
