#pragma once
// Alignment's own wire format: big-endian integers, little-endian 64-bit words, labels that end in
// a zero byte (alignment-spec, head). Foundation's codec is little-endian and serves the ledger.

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::alignment {

static_assert(std::endian::native == std::endian::little,
              "bitmaps are viewed as the bytes of little-endian words");

[[nodiscard]] inline auto bytes_of(std::span<const std::uint64_t> words) -> BytesView {
  return {reinterpret_cast<const std::uint8_t*>(words.data()), words.size_bytes()};
}
[[nodiscard]] inline auto writable_bytes_of(std::span<std::uint64_t> words)
    -> std::span<std::uint8_t> {
  return {reinterpret_cast<std::uint8_t*>(words.data()), words.size_bytes()};
}

class WireWriter {
 public:
  auto u8(std::uint8_t v) -> WireWriter& { return integer(v, 1); }
  auto u16(std::uint16_t v) -> WireWriter& { return integer(v, 2); }
  auto u32(std::uint32_t v) -> WireWriter& { return integer(v, 4); }
  auto u64(std::uint64_t v) -> WireWriter& { return integer(v, 8); }
  auto fixed(BytesView v) -> WireWriter& {
    out_.insert(out_.end(), v.begin(), v.end());
    return *this;
  }
  auto label(std::string_view text) -> WireWriter& { return fixed(as_bytes(text)).u8(0); }
  [[nodiscard]] auto view() const -> BytesView { return out_; }
  [[nodiscard]] auto take() -> Bytes { return std::move(out_); }

 private:
  auto integer(std::uint64_t v, unsigned bytes) -> WireWriter& {
    for (unsigned i = bytes; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
    return *this;
  }
  Bytes out_;
};

/// After the first bad read everything is zero and `done()` is false.
class WireReader {
 public:
  explicit WireReader(BytesView in) : in_(in) {}
  auto u8() -> std::uint8_t { return static_cast<std::uint8_t>(integer(1)); }
  auto u16() -> std::uint16_t { return static_cast<std::uint16_t>(integer(2)); }
  auto u32() -> std::uint32_t { return static_cast<std::uint32_t>(integer(4)); }
  auto u64() -> std::uint64_t { return integer(8); }
  /// Empty when there is not enough left.
  auto fixed(std::size_t size) -> BytesView {
    if (!ok_ || in_.size() - at_ < size) {
      ok_ = false;
      return {};
    }
    at_ += size;
    return in_.subspan(at_ - size, size);
  }
  template <std::size_t Size>
  auto array() -> std::array<std::uint8_t, Size> {
    std::array<std::uint8_t, Size> out{};
    const auto from = fixed(Size);
    for (std::size_t i = 0; i < from.size(); ++i) out[i] = from[i];
    return out;
  }
  [[nodiscard]] auto ok() const -> bool { return ok_; }
  [[nodiscard]] auto rest() const -> std::size_t { return in_.size() - at_; }
  [[nodiscard]] auto done() const -> bool { return ok_ && at_ == in_.size(); }

 private:
  auto integer(std::size_t bytes) -> std::uint64_t {
    std::uint64_t v = 0;
    for (const auto byte : fixed(bytes)) v = v << 8U | byte;
    return v;
  }
  BytesView in_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

/// SHA-256 over a label, its zero byte, and what follows.
class WireHash {
 public:
  explicit WireHash(std::string_view label) { hasher_.add_text(label).add_u8(0); }
  auto u8(std::uint8_t v) -> WireHash& { return put(WireWriter().u8(v)); }
  auto u16(std::uint16_t v) -> WireHash& { return put(WireWriter().u16(v)); }
  auto u32(std::uint32_t v) -> WireHash& { return put(WireWriter().u32(v)); }
  auto u64(std::uint64_t v) -> WireHash& { return put(WireWriter().u64(v)); }
  auto fixed(BytesView v) -> WireHash& {
    hasher_.add(v);
    return *this;
  }
  [[nodiscard]] auto finish() -> Digest { return hasher_.finish(); }

 private:
  auto put(const WireWriter& w) -> WireHash& { return fixed(w.view()); }
  Hasher hasher_;
};

}  // namespace consilium::alignment
