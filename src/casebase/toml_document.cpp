#include "toml_document.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include <toml++/toml.h>

namespace consilium::casebase {
namespace {

auto convert(const toml::node& node) -> TomlValue {
  TomlValue out;
  out.line = node.source().begin.line;
  if (const auto* text = node.as_string()) {
    out.kind = TomlValue::Kind::text;
    out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = TomlValue::Kind::integer;
    out.integer = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    out.kind = TomlValue::Kind::real;
    out.real = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = TomlValue::Kind::boolean;
    out.boolean = boolean->get();
  } else if (const auto* array = node.as_array()) {
    out.kind = TomlValue::Kind::array;
    for (const auto& item : *array) out.items.push_back(convert(item));
  } else if (const auto* table = node.as_table()) {
    out.kind = TomlValue::Kind::table;
    for (const auto& [key, value] : *table)
      out.entries.push_back({std::string(key.str()), convert(value)});
    std::ranges::sort(out.entries, {}, &TomlEntry::key);
  }
  return out;
}

/// The shortest text that reads back as the same double: what somebody wrote, up to 15 digits.
auto shortest(double value) -> std::string {
  std::array<char, 64> room{};
  const auto [end, wrong] = std::to_chars(room.data(), room.data() + room.size(), value);
  return wrong == std::errc{} ? std::string(room.data(), end) : std::string();
}

}  // namespace

auto at_line(std::string_view place, std::size_t line) -> std::string {
  return std::string(place) + ", line " + std::to_string(line);
}

auto parse_toml(std::string_view text, std::string_view place, std::string_view code)
    -> Result<TomlValue> {
  try {
    const toml::table table = toml::parse(text, std::string(place));
    return convert(table);
  } catch (const toml::parse_error& error) {
    return fail(code, at_line(place, error.source().begin.line),
                "this is not TOML (" + std::string(error.description()) + "); mend the line");
  } catch (const std::exception&) {
    return fail(code, place, "this is not TOML; check that it is the right file");
  }
}

auto TableReader::find(std::string_view key) -> const TomlValue* {
  asked_.emplace_back(key);
  for (const auto& [name, value] : table_.entries)
    if (name == key) return &value;
  return nullptr;
}

auto TableReader::line(std::string_view key) const -> std::size_t {
  for (const auto& [name, value] : table_.entries)
    if (name == key) return value.line;
  return table_.line;
}

void TableReader::reject(std::string_view key, std::string_view sentence) {
  if (error_) return;
  error_ = Error{code_, at_line(place_, line(key)),
                 "key '" + std::string(key) + "': " + std::string(sentence)};
}

auto TableReader::text_of(std::string_view key, const TomlValue& value) -> std::string {
  if (value.kind != TomlValue::Kind::text) reject(key, "write a text in quotation marks");
  return value.text;
}

auto TableReader::required_text(std::string_view key) -> std::string {
  const auto* value = find(key);
  if (value == nullptr) {
    reject(key, "is missing; add it");
    return {};
  }
  auto out = text_of(key, *value);
  if (out.empty()) reject(key, "must not be empty");
  return out;
}

auto TableReader::text(std::string_view key, std::string_view otherwise) -> std::string {
  const auto* value = find(key);
  return value == nullptr ? std::string(otherwise) : text_of(key, *value);
}

auto TableReader::boolean(std::string_view key, bool otherwise) -> bool {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->kind != TomlValue::Kind::boolean) reject(key, "write true or false");
  return value->boolean;
}

auto TableReader::integer(std::string_view key, std::int64_t low, std::int64_t high,
                          std::optional<std::int64_t> otherwise) -> std::int64_t {
  const auto* value = find(key);
  if (value == nullptr) {
    if (!otherwise) reject(key, "is missing; add it");
    return otherwise.value_or(low);
  }
  if (value->kind != TomlValue::Kind::integer || value->integer < low || value->integer > high) {
    reject(key, "write a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return low;
  }
  return value->integer;
}

auto TableReader::real(std::string_view key, double otherwise) -> double {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->kind == TomlValue::Kind::integer) return static_cast<double>(value->integer);
  if (value->kind != TomlValue::Kind::real || !std::isfinite(value->real)) {
    reject(key, "write a number");
    return otherwise;
  }
  return value->real;
}

auto TableReader::decimal_of(std::string_view key, const TomlValue& value) -> Decimal {
  std::string text;
  if (value.kind == TomlValue::Kind::integer) text = std::to_string(value.integer);
  if (value.kind == TomlValue::Kind::real) text = shortest(value.real);
  if (value.kind == TomlValue::Kind::text) text = value.text;
  if (auto number = Decimal::parse(text)) return *number;
  reject(key, "write a number of at most 15 digits");
  return {};
}

auto TableReader::decimal(std::string_view key) -> std::optional<Decimal> {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  return decimal_of(key, *value);
}

auto TableReader::decimals(std::string_view key) -> std::vector<Decimal> {
  std::vector<Decimal> out;
  const auto* value = find(key);
  if (value == nullptr) return out;
  if (value->kind != TomlValue::Kind::array) reject(key, "write a list of numbers");
  for (const auto& item : value->items) out.push_back(decimal_of(key, item));
  return out;
}

auto TableReader::texts(std::string_view key) -> std::vector<std::string> {
  std::vector<std::string> out;
  const auto* value = find(key);
  if (value == nullptr) return out;
  if (value->kind != TomlValue::Kind::array) reject(key, "write a list of texts");
  for (const auto& item : value->items) out.push_back(text_of(key, item));
  return out;
}

auto TableReader::indices(std::string_view key) -> std::vector<std::size_t> {
  std::vector<std::size_t> out;
  const auto* value = find(key);
  if (value == nullptr) {
    reject(key, "is missing; add it");
    return out;
  }
  if (value->kind != TomlValue::Kind::array) reject(key, "write a list of row numbers");
  for (const auto& item : value->items) {
    if (item.kind != TomlValue::Kind::integer || item.integer < 0)
      reject(key, "write row numbers from 0");
    else
      out.push_back(static_cast<std::size_t>(item.integer));
  }
  return out;
}

auto TableReader::words(std::string_view key) -> std::vector<std::pair<std::string, std::string>> {
  std::vector<std::pair<std::string, std::string>> out;
  const auto* value = find(key);
  if (value == nullptr) return out;
  if (value->kind != TomlValue::Kind::table)
    reject(key, "write { \"text in the file\" = \"code\" }");
  for (const auto& [name, item] : value->entries) {
    if (item.kind == TomlValue::Kind::integer)
      out.emplace_back(name, std::to_string(item.integer));
    else
      out.emplace_back(name, text_of(key, item));
  }
  return out;
}

auto TableReader::tables(std::string_view key) -> std::vector<const TomlValue*> {
  std::vector<const TomlValue*> out;
  const auto* value = find(key);
  if (value == nullptr) return out;
  if (value->kind != TomlValue::Kind::array)
    reject(key, "write it as [[" + std::string(key) + "]]");
  for (const auto& item : value->items) {
    if (item.kind != TomlValue::Kind::table)
      reject(key, "write it as [[" + std::string(key) + "]]");
    else
      out.push_back(&item);
  }
  return out;
}

auto TableReader::finish() -> Result<void> {
  for (const auto& [name, value] : table_.entries)
    if (std::ranges::find(asked_, name) == asked_.end())
      reject(name, "is not known here; check its spelling or remove it");
  if (error_) return tl::unexpected(*error_);
  return {};
}

}  // namespace consilium::casebase
