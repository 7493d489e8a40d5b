#pragma once
// What travels between nodes and hospitals (alignment-spec §3.6): 48 bytes of header, then the
// payload.

#include <array>
#include <cstdint>
#include <string_view>

#include "consilium/foundation/bytes.hpp"

namespace consilium::alignment {

enum class FrameType : std::uint8_t {
  hello = 1,         ///< node → node: record, fix and circuit digest
  level = 2,         ///< node → node: the z words of one level
  verdict = 7,       ///< node → node: what was sent and received, signed
  open = 8,          ///< node → node: the bits `over`, or their hash, signed
  upload = 9,        ///< hospital → node: two shares with their nonces, and the key for outputs
  upload_ack = 10,   ///< node → hospital: taken, or why not
  output = 11,       ///< node → hospital: z share, boxed
  output_hash = 12,  ///< node → hospital: hash of the next node's z share, boxed
  abort = 13,        ///< node → node: error code, slot of the peer it is about
  output_request =
      16,  ///< hospital → node: outputs again, please. Ours; the specification has no such frame
};
// 3..6, 14 and 15 belong to the proof of §3.4, which this version does not have: refused.

using SessionBytes = std::array<std::uint8_t, 16>;

struct Frame {
  FrameType type = FrameType::hello;
  SessionBytes session{};
  std::uint32_t attempt = 0, chunk = 0, round = 0;
  std::uint64_t sequence = 0;
  Bytes payload;
};

inline constexpr std::size_t frame_header_bytes = 48;
inline constexpr std::size_t frame_bytes_max = std::size_t{64} << 20U;

[[nodiscard]] auto encode_frame(const Frame& frame) -> Bytes;
/// Error: `bad_frame` (magic, version, type, reserved bytes, length).
[[nodiscard]] auto decode_frame(BytesView bytes) -> Result<Frame>;

/// A code of the specification's error table as the number an abort or an upload_ack carries. 0:
/// none.
[[nodiscard]] auto fault_number(std::string_view code) -> std::uint16_t;
[[nodiscard]] auto fault_code(std::uint16_t number) -> std::string_view;

}  // namespace consilium::alignment
