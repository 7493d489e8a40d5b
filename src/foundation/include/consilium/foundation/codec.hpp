#pragma once
// The canonical codec: every byte that is signed, hashed or stored by the ledger is written by
// Writer and read by Reader. One value has exactly one encoding; a reader accepts nothing else.

#include <concepts>
#include <limits>

#include "consilium/foundation/bytes.hpp"

namespace consilium {

/// How integers and lengths are written. `compact` is for what travels and is kept in numbers:
/// u16 to u64 take one byte for each seven bits they need (LEB128), and no more, so one value still
/// has one encoding. What is signed or hashed is `fixed`.
enum class IntegerForm : std::uint8_t { fixed = 0, compact = 1 };

/// Writes little-endian integers, and lengths as u32 before variable parts.
class Writer {
 public:
  explicit Writer(IntegerForm form = IntegerForm::fixed) : form_(form) {}
  auto u8(std::uint8_t v) -> Writer&;
  auto u16(std::uint16_t v) -> Writer&;
  auto u32(std::uint32_t v) -> Writer&;
  auto u64(std::uint64_t v) -> Writer&;
  auto i64(std::int64_t v) -> Writer&;  ///< two's complement
  auto boolean(bool v) -> Writer&;      ///< one byte, 0 or 1
  auto f32(float v) -> Writer&;         ///< IEEE 754 bits; never used in ledger state
  auto f64(double v) -> Writer&;        ///< IEEE 754 bits; never used in ledger state
  auto digest(const Digest& v) -> Writer&;
  auto fixed(BytesView v) -> Writer&;  ///< bytes whose length both sides know
  auto bytes(BytesView v) -> Writer&;  ///< u32 length, then the bytes
  auto text(std::string_view v) -> Writer&;
  /// u32 count, then `each(writer, item)` for every item in order.
  template <typename Range, typename Each>
  auto list(const Range& items, Each each) -> Writer& {
    CONSILIUM_ENSURE(std::size(items) <= std::numeric_limits<std::uint32_t>::max());
    u32(static_cast<std::uint32_t>(std::size(items)));
    for (const auto& item : items) each(*this, item);
    return *this;
  }
  [[nodiscard]] auto view() const -> BytesView { return out_; }
  [[nodiscard]] auto take() -> Bytes { return std::move(out_); }
  [[nodiscard]] auto form() const -> IntegerForm { return form_; }

 private:
  template <typename Unsigned>
  auto integer(Unsigned v) -> Writer&;
  Bytes out_;
  IntegerForm form_;
};

/// Reads what Writer wrote. The first bad read makes every later one fail, so a decoder may read
/// all its fields and ask once: `if (auto done = reader.finish(); !done) …`. Numbers read after a
/// failure are zero, texts and bytes empty. Never allocates more than the input's own size.
class Reader {
 public:
  explicit Reader(BytesView in, std::string_view place = "message",
                  IntegerForm form = IntegerForm::fixed)
      : in_(in), place_(place), form_(form) {}
  auto u8() -> std::uint8_t;
  auto u16() -> std::uint16_t;
  auto u32() -> std::uint32_t;
  auto u64() -> std::uint64_t;
  auto i64() -> std::int64_t;
  auto boolean() -> bool;  ///< anything but 0 or 1 fails
  auto f32() -> float;
  auto f64() -> double;
  auto digest() -> Digest;
  auto fixed(std::size_t size) -> Bytes;
  auto bytes(std::size_t size_max) -> Bytes;
  auto text(std::size_t size_max) -> std::string;
  /// A list's count; fails above count_max, or when the rest could not hold `count` items of ≥ 1
  /// byte.
  auto count(std::size_t count_max) -> std::size_t;
  template <typename Each>
  auto list(std::size_t count_max, Each each) -> std::vector<decltype(each(*this))> {
    std::vector<decltype(each(*this))> out;
    const std::size_t n = count(count_max);
    for (std::size_t i = 0; i < n && ok_; ++i) out.push_back(each(*this));
    return out;
  }
  [[nodiscard]] auto ok() const -> bool { return ok_; }
  [[nodiscard]] auto form() const -> IntegerForm { return form_; }
  [[nodiscard]] auto rest() const -> std::size_t { return in_.size() - at_; }
  /// Marks the input as bad for a reason the caller found (a value out of range, a wrong order).
  void reject() { ok_ = false; }
  /// All read, nothing left over. Error: `bad_encoding`.
  [[nodiscard]] auto finish() const -> Result<void>;

 private:
  auto take(std::size_t size) -> BytesView;
  template <typename Unsigned>
  auto integer() -> Unsigned;
  /// One of at most `limit` in as many bytes as it needs; anything else fails.
  auto compact(std::uint64_t limit) -> std::uint64_t;
  BytesView in_;
  std::string place_;
  IntegerForm form_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace consilium
