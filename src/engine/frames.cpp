#include "frames.hpp"

namespace consilium::engine {

namespace {
constexpr std::size_t length_bytes_max = 5;
/// What was read is thrown away in pieces of this size, not byte by byte.
constexpr std::size_t read_bytes_kept = 64U << 10U;
}  // namespace

void put_frame(Bytes& out, BytesView message) {
  std::size_t length = message.size();
  for (; length >= 0x80U; length >>= 7U)
    out.push_back(static_cast<std::uint8_t>((length & 0x7fU) | 0x80U));
  out.push_back(static_cast<std::uint8_t>(length));
  out.insert(out.end(), message.begin(), message.end());
}

auto FrameReader::next() -> Result<std::optional<Bytes>> {
  std::uint64_t length = 0;
  std::size_t used = 0;
  for (bool more = true; more; ++used) {
    if (used == length_bytes_max)
      return fail("bad_encoding", "the engine's stream", "A length of more than five bytes.");
    if (at_ + used == buffer_.size()) return std::optional<Bytes>{};
    const std::uint8_t byte = buffer_[at_ + used];
    if (byte == 0 && used > 0)
      return fail("bad_encoding", "the engine's stream",
                  "A length that is not in its shortest form.");
    length |= std::uint64_t{byte & 0x7fU} << (7 * used);
    more = (byte & 0x80U) != 0;
  }
  if (length > size_max_)
    return fail("frame_too_large", "the engine's stream",
                "A message of " + std::to_string(length) + " bytes is larger than any block.");
  if (buffer_.size() - at_ - used < length) return std::optional<Bytes>{};
  const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(at_ + used);
  Bytes message(begin, begin + static_cast<std::ptrdiff_t>(length));
  at_ += used + static_cast<std::size_t>(length);
  if (at_ == buffer_.size() || at_ >= read_bytes_kept) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  return std::optional<Bytes>{std::move(message)};
}

}  // namespace consilium::engine
