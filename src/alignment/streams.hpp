#pragma once
// The pseudorandom words of alignment-spec §3.1: AES-128 over counter blocks that name chunk and
// stream.

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "consilium/foundation/bytes.hpp"

namespace consilium::alignment {

inline constexpr std::size_t stream_key_bytes = 16;

/// Block b of (chunk, stream) is AES-128(key, LE32 b ‖ LE32 chunk ‖ LE32 stream ‖ LE32 0).
/// Each (chunk, stream) is read once, from its beginning; a second read stops the process, because
/// a stream used twice shows the difference of what it hid.
class WordStreams {
 public:
  explicit WordStreams(std::span<const std::uint8_t, stream_key_bytes> key);
  ~WordStreams();
  WordStreams(WordStreams&&) noexcept;
  auto operator=(WordStreams&&) noexcept -> WordStreams&;
  void read(std::uint32_t chunk, std::uint32_t stream, std::span<std::uint64_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium::alignment
