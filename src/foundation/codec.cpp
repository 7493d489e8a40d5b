#include "consilium/foundation/codec.hpp"

#include <algorithm>
#include <bit>

namespace consilium {
namespace {

template <typename Unsigned>
void put(Bytes& out, Unsigned value) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

/// Zero when `in` is empty, as it is after a failed read.
template <typename Unsigned>
auto get(BytesView in) -> Unsigned {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < in.size(); ++i) value |= std::uint64_t{in[i]} << (8 * i);
  return static_cast<Unsigned>(value);
}

}  // namespace

template <typename Unsigned>
auto Writer::integer(Unsigned v) -> Writer& {
  if (form_ == IntegerForm::fixed) {
    put(out_, v);
    return *this;
  }
  std::uint64_t rest = v;
  while (rest >= 0x80U) {
    out_.push_back(static_cast<std::uint8_t>(rest | 0x80U));
    rest >>= 7U;
  }
  out_.push_back(static_cast<std::uint8_t>(rest));
  return *this;
}

auto Writer::u8(std::uint8_t v) -> Writer& {
  out_.push_back(v);
  return *this;
}

auto Writer::u16(std::uint16_t v) -> Writer& {
  return integer(v);
}

auto Writer::u32(std::uint32_t v) -> Writer& {
  return integer(v);
}

auto Writer::u64(std::uint64_t v) -> Writer& {
  return integer(v);
}

auto Writer::i64(std::int64_t v) -> Writer& {
  return u64(static_cast<std::uint64_t>(v));
}

auto Writer::boolean(bool v) -> Writer& {
  return u8(v ? 1 : 0);
}

auto Writer::f32(float v) -> Writer& {
  return u32(std::bit_cast<std::uint32_t>(v));
}

auto Writer::f64(double v) -> Writer& {
  return u64(std::bit_cast<std::uint64_t>(v));
}

auto Writer::digest(const Digest& v) -> Writer& {
  return fixed(v.bytes);
}

auto Writer::fixed(BytesView v) -> Writer& {
  out_.insert(out_.end(), v.begin(), v.end());
  return *this;
}

auto Writer::bytes(BytesView v) -> Writer& {
  CONSILIUM_ENSURE(v.size() <= std::numeric_limits<std::uint32_t>::max());
  u32(static_cast<std::uint32_t>(v.size()));
  return fixed(v);
}

auto Writer::text(std::string_view v) -> Writer& {
  return bytes(as_bytes(v));
}

auto Reader::take(std::size_t size) -> BytesView {
  if (!ok_ || size > rest()) {
    ok_ = false;
    return {};
  }
  const BytesView taken = in_.subspan(at_, size);
  at_ += size;
  return taken;
}

auto Reader::compact(std::uint64_t limit) -> std::uint64_t {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const BytesView byte = take(1);
    if (byte.empty()) return 0;
    const std::uint64_t bits = byte.front() & 0x7fU;
    const bool last = byte.front() < 0x80U;
    // A zero at the end would be a second encoding; more bits than the value has are lost.
    const bool longer = last && shift > 0 && bits == 0;
    if (longer || bits > (limit >> shift)) break;
    value |= bits << shift;
    if (last && value <= limit) return value;
    if (last) break;
  }
  ok_ = false;
  return 0;
}

template <typename Unsigned>
auto Reader::integer() -> Unsigned {
  if (form_ == IntegerForm::fixed) return get<Unsigned>(take(sizeof(Unsigned)));
  return static_cast<Unsigned>(compact(std::numeric_limits<Unsigned>::max()));
}

auto Reader::u8() -> std::uint8_t {
  return get<std::uint8_t>(take(1));
}

auto Reader::u16() -> std::uint16_t {
  return integer<std::uint16_t>();
}

auto Reader::u32() -> std::uint32_t {
  return integer<std::uint32_t>();
}

auto Reader::u64() -> std::uint64_t {
  return integer<std::uint64_t>();
}

auto Reader::i64() -> std::int64_t {
  return static_cast<std::int64_t>(u64());
}

auto Reader::boolean() -> bool {
  const std::uint8_t value = u8();
  if (value > 1) ok_ = false;
  return value == 1;
}

auto Reader::f32() -> float {
  return std::bit_cast<float>(u32());
}

auto Reader::f64() -> double {
  return std::bit_cast<double>(u64());
}

auto Reader::digest() -> Digest {
  Digest digest;
  const BytesView taken = take(digest.bytes.size());
  std::copy(taken.begin(), taken.end(), digest.bytes.begin());
  return digest;
}

auto Reader::fixed(std::size_t size) -> Bytes {
  const BytesView taken = take(size);
  return {taken.begin(), taken.end()};
}

auto Reader::bytes(std::size_t size_max) -> Bytes {
  const std::size_t size = u32();
  if (size > size_max) ok_ = false;
  return fixed(ok_ ? size : 0);
}

auto Reader::text(std::size_t size_max) -> std::string {
  const std::size_t size = u32();
  if (size > size_max) ok_ = false;
  return as_text(take(ok_ ? size : 0));
}

auto Reader::count(std::size_t count_max) -> std::size_t {
  const std::size_t count = u32();
  if (count > count_max || count > rest()) ok_ = false;
  return ok_ ? count : 0;
}

auto Reader::finish() const -> Result<void> {
  if (!ok_) {
    return fail("bad_encoding", place_,
                "the bytes are cut short or hold a value that is not allowed: get them anew from "
                "their source");
  }
  if (rest() != 0) {
    return fail("bad_encoding", place_,
                "there are bytes after the end: get them anew from their source");
  }
  return {};
}

}  // namespace consilium
