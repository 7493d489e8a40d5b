#include "consilium/casebase/schema.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

#include "attribute_access.hpp"
#include "schema_words.hpp"

namespace consilium::casebase {
namespace {

void write_decimal(Writer& out, const Decimal& value) {
  out.i64(value.mantissa).i64(value.exponent);
}

void write_limit(Writer& out, const std::optional<Decimal>& limit) {
  out.boolean(limit.has_value());
  if (limit) write_decimal(out, *limit);
}

void write_attribute(Writer& out, const Attribute& a) {
  const auto text = [](Writer& w, const std::string& item) { w.text(item); };
  out.u16(a.id).text(a.name).text(a.title);
  out.u8(static_cast<std::uint8_t>(a.role)).u8(static_cast<std::uint8_t>(a.kind));
  out.text(a.source).text(a.unit).list(a.codes, text).list(a.labels, text);
  write_limit(out, a.low);
  write_limit(out, a.high);
  out.u8(static_cast<std::uint8_t>(a.similarity)).f64(a.similarity_scale).f64(a.weight);
  out.boolean(a.drop_first).boolean(a.align).list(a.align_bounds, write_decimal);
}

/// A TOML basic string. Control characters as \uXXXX.
auto quoted(std::string_view text) -> std::string {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += hex[byte >> 4U];
      out += hex[byte & 0xfU];
    } else {
      out += c;
    }
  }
  return out + '"';
}

auto quoted_list(const std::vector<std::string>& texts) -> std::string {
  std::string out = "[";
  for (std::size_t i = 0; i < texts.size(); ++i) out += (i > 0 ? ", " : "") + quoted(texts[i]);
  return out + "]";
}

/// Plain where TOML's own numbers are exact, in quotation marks otherwise.
auto decimal_text(const Decimal& value) -> std::string {
  const auto text = value.to_text();
  const bool plain = text.size() <= digits_plain_max && text.find('.') == std::string::npos;
  return plain ? text : quoted(text);
}

auto real_text(double value) -> std::string {
  std::array<char, 64> room{};
  const auto [end, wrong] = std::to_chars(room.data(), room.data() + room.size(), value);
  CONSILIUM_ENSURE(wrong == std::errc{});
  return {room.data(), end};
}

}  // namespace

auto Schema::digest() const -> Digest {
  Writer out;
  out.text(name).u32(version).list(attributes, write_attribute);
  return tagged_hash("consilium/casebase/1/schema", {out.view()});
}

auto Schema::find(std::string_view wanted) const -> const Attribute* {
  const auto found = std::ranges::find(attributes, wanted, &Attribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

auto value_of(const Case& c, const Attribute& attribute) -> std::optional<Value> {
  auto value = recorded_value(c, attribute.source);
  if (value && !is_possible(*value, attribute)) return std::nullopt;
  return value;
}

auto to_toml(const Schema& schema) -> std::string {
  std::string out = "name = " + quoted(schema.name) + "\n";
  out += "version = " + std::to_string(schema.version) + "\n";
  for (const auto& a : schema.attributes) {
    const auto line = [&out](std::string_view key, const std::string& value) {
      out += std::string(key) + " = " + value + "\n";
    };
    out += "\n[[attribute]]\n";
    line("id", std::to_string(a.id));
    line("name", quoted(a.name));
    line("title", quoted(a.title));
    line("role", quoted(word_of(role_words, a.role)));
    line("kind", quoted(word_of(kind_words, a.kind)));
    line("source", quoted(a.source));
    if (!a.unit.empty()) line("unit", quoted(a.unit));
    if (!a.codes.empty()) line("codes", quoted_list(a.codes));
    if (!a.labels.empty()) line("labels", quoted_list(a.labels));
    if (a.low) line("low", decimal_text(*a.low));
    if (a.high) line("high", decimal_text(*a.high));
    line("similarity", quoted(word_of(similarity_words, a.similarity)));
    line("similarity_scale", real_text(a.similarity_scale));
    line("weight", real_text(a.weight));
    if (a.drop_first) line("drop_first", "true");
    if (a.align) line("align", "true");
    if (!a.align_bounds.empty()) {
      std::string bounds = "[";
      for (std::size_t i = 0; i < a.align_bounds.size(); ++i)
        bounds += (i > 0 ? ", " : "") + decimal_text(a.align_bounds[i]);
      line("align_bounds", bounds + "]");
    }
  }
  return out;
}

}  // namespace consilium::casebase
