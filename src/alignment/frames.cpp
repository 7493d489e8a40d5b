#include "frames.hpp"

#include <algorithm>

#include "wire.hpp"

namespace consilium::alignment {
namespace {

constexpr std::string_view magic = "CSLA";
constexpr std::uint8_t version = 1;
/// Place = number on the wire.
constexpr std::array<std::string_view, 10> faults{
    "",         "bad_frame",     "share_commitment_mismatch", "not_fixed", "bad_peer_key",
    "over_cap", "open_mismatch", "transcript_mismatch",       "late",      "node_restarted"};

auto is_known(std::uint8_t type) -> bool {
  switch (static_cast<FrameType>(type)) {
    case FrameType::hello:
    case FrameType::level:
    case FrameType::verdict:
    case FrameType::open:
    case FrameType::upload:
    case FrameType::upload_ack:
    case FrameType::output:
    case FrameType::output_hash:
    case FrameType::abort:
    case FrameType::output_request:
      return true;
  }
  return false;
}

}  // namespace

auto encode_frame(const Frame& frame) -> Bytes {
  CONSILIUM_ENSURE(frame.payload.size() <= frame_bytes_max);
  WireWriter out;
  out.fixed(as_bytes(magic)).u8(version).u8(static_cast<std::uint8_t>(frame.type)).u16(0);
  out.fixed(frame.session).u32(frame.attempt).u32(frame.chunk).u32(frame.round);
  out.u32(static_cast<std::uint32_t>(frame.payload.size())).u64(frame.sequence);
  return out.fixed(frame.payload).take();
}

auto decode_frame(BytesView bytes) -> Result<Frame> {
  const auto refuse = fail("bad_frame", "alignment frame",
                           "a frame of another protocol, version or length arrived; the sender's "
                           "node must run the same release");
  WireReader in(bytes);
  if (!std::ranges::equal(in.fixed(magic.size()), as_bytes(magic)) || in.u8() != version)
    return refuse;
  const auto type = in.u8();
  if (!is_known(type) || in.u16() != 0) return refuse;
  Frame frame;
  frame.type = static_cast<FrameType>(type);
  frame.session = in.array<16>();
  frame.attempt = in.u32();
  frame.chunk = in.u32();
  frame.round = in.u32();
  const std::size_t length = in.u32();
  frame.sequence = in.u64();
  if (!in.ok() || length > frame_bytes_max || length != in.rest()) return refuse;
  const auto payload = in.fixed(length);
  frame.payload.assign(payload.begin(), payload.end());
  return frame;
}

auto fault_number(std::string_view code) -> std::uint16_t {
  const auto* found = std::ranges::find(faults, code);
  CONSILIUM_ENSURE(found != faults.end());
  return static_cast<std::uint16_t>(found - faults.begin());
}

auto fault_code(std::uint16_t number) -> std::string_view {
  return number < faults.size() ? faults[number] : std::string_view("unknown");
}

}  // namespace consilium::alignment
