#include "consilium/foundation/bytes.hpp"

#include <algorithm>
#include <cstring>

#include <sodium.h>

namespace consilium {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

auto hex_value(char digit) -> int {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

auto as_bytes(std::string_view text) -> BytesView {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

auto as_text(BytesView bytes) -> std::string {
  return {bytes.begin(), bytes.end()};
}

auto to_hex(BytesView bytes) -> std::string {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(hex_digits[byte >> 4U]);
    text.push_back(hex_digits[byte & 15U]);
  }
  return text;
}

auto to_base64(BytesView bytes) -> std::string {
  // The length counts a zero at the end.
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}

auto from_hex(std::string_view text) -> Result<Bytes> {
  if (text.size() % 2 != 0) {
    return fail("bad_hex", "hexadecimal text", "it has an odd number of digits: give two a byte");
  }
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) {
      return fail("bad_hex", "hexadecimal text",
                  "it holds a character other than 0-9 and a-f: use lower-case digits only");
    }
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

auto Digest::short_text(int groups) const -> std::string {
  CONSILIUM_ENSURE(groups >= 1 && groups <= 16);
  const std::string digits = hex();
  std::string text;
  for (std::size_t group = 0; group < static_cast<std::size_t>(groups); ++group) {
    if (group > 0) text.push_back(' ');
    text.append(digits, group * 4, 4);
  }
  return text;
}

auto Digest::from_hex(std::string_view text) -> Result<Digest> {
  CONSILIUM_TRY(const Bytes bytes, consilium::from_hex(text));
  Digest digest;
  if (bytes.size() != digest.bytes.size()) {
    return fail("bad_hex", "digest", "a digest has 64 hexadecimal digits: give the whole of it");
  }
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

}  // namespace consilium

auto std::hash<consilium::Digest>::operator()(const consilium::Digest& d) const noexcept
    -> std::size_t {
  // A digest is already evenly spread: its first bytes serve as the hash.
  std::size_t value = 0;
  std::memcpy(&value, d.bytes.data(), sizeof value);
  return value;
}
