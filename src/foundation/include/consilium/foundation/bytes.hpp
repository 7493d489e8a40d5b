#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "consilium/foundation/result.hpp"

namespace consilium {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

/// A view of a text's bytes; valid as long as the text.
[[nodiscard]] auto as_bytes(std::string_view text) -> BytesView;
[[nodiscard]] auto as_text(BytesView bytes) -> std::string;

/// Lower-case hexadecimal, two characters a byte.
[[nodiscard]] auto to_hex(BytesView bytes) -> std::string;
/// RFC 4648, with padding; in constant time, so that keys may be written with it.
[[nodiscard]] auto to_base64(BytesView bytes) -> std::string;
/// Errors: `bad_hex` (odd length, or a character that is not 0-9a-f).
[[nodiscard]] auto from_hex(std::string_view text) -> Result<Bytes>;

/// 32 bytes of SHA-256: the name of a blob, a model, a schema, a state.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
  [[nodiscard]] auto hex() const -> std::string { return to_hex(bytes); }
  [[nodiscard]] auto view() const -> BytesView { return bytes; }
  /// The first `groups` groups of four hex digits, for people: "4d81 bb26 36a5".
  [[nodiscard]] auto short_text(int groups = 3) const -> std::string;
  [[nodiscard]] static auto from_hex(std::string_view text) -> Result<Digest>;
};

}  // namespace consilium

template <>
struct std::hash<consilium::Digest> {
  auto operator()(const consilium::Digest& d) const noexcept -> std::size_t;
};
