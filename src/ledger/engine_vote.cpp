#include "consilium/ledger/engine_vote.hpp"

#include <algorithm>

#include "codec.hpp"

namespace consilium::ledger {
namespace {

// Field number · 8 + wire type of protobuf. What is zero is left out, fields ascend.
constexpr std::uint8_t kind_tag = 0x08, height_tag = 0x11, round_tag = 0x19, block_tag = 0x22,
                       time_tag = 0x2a, chain_tag = 0x32;
constexpr std::uint8_t hash_tag = 0x0a, parts_tag = 0x12;        // of a block's id
constexpr std::uint8_t total_tag = 0x08, parts_hash_tag = 0x12;  // of its parts
constexpr std::uint8_t seconds_tag = 0x08, nanoseconds_tag = 0x10;
constexpr std::size_t chain_bytes_max = 50;
constexpr std::uint32_t nanoseconds_end = 1'000'000'000;

void put_varint(Writer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.u8(static_cast<std::uint8_t>(value | 0x80U));
    value >>= 7U;
  }
  out.u8(static_cast<std::uint8_t>(value));
}

void put_part(Writer& out, std::uint8_t tag, BytesView part) {
  out.u8(tag);
  put_varint(out, part.size());
  out.fixed(part);
}

/// Reads a message of known shape, field after field. After the first surprise everything is
/// nothing.
class WireReader {
 public:
  explicit WireReader(BytesView bytes) : rest_(bytes) {}
  [[nodiscard]] auto done() const -> bool { return ok_ && rest_.empty(); }

  auto has(std::uint8_t tag) -> bool {
    if (!ok_ || rest_.empty() || rest_.front() != tag) return false;
    rest_ = rest_.subspan(1);
    return true;
  }
  /// In its shortest form.
  auto varint() -> std::uint64_t {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const BytesView byte = take(1);
      if (byte.empty()) return 0;
      value |= std::uint64_t{byte.front() & 0x7fU} << shift;
      if (byte.front() >= 0x80) continue;
      if (byte.front() == 0 && shift > 0) break;
      return value;
    }
    ok_ = false;
    return 0;
  }
  auto fixed64() -> std::uint64_t {
    std::uint64_t value = 0;
    const BytesView bytes = take(8);
    for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
    return value;
  }
  auto part() -> BytesView {
    const std::uint64_t size = varint();
    return size > rest_.size() ? (ok_ = false, BytesView{}) : take(static_cast<std::size_t>(size));
  }
  auto digest() -> Digest {
    Digest out;
    const BytesView bytes = part();
    if (bytes.size() == out.bytes.size()) {
      std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
    } else {
      ok_ = false;
    }
    return out;
  }

 private:
  auto take(std::size_t size) -> BytesView {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const BytesView out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  BytesView rest_;
  bool ok_ = true;
};

auto read_block(BytesView bytes) -> EngineBlockId {
  EngineBlockId block;
  WireReader in(bytes);
  if (in.has(hash_tag)) block.hash = in.digest();
  WireReader parts(in.has(parts_tag) ? in.part() : BytesView{});
  if (parts.has(total_tag)) block.parts = static_cast<std::uint32_t>(parts.varint());
  if (parts.has(parts_hash_tag)) block.parts_hash = parts.digest();
  return block;
}

}  // namespace

auto EngineVote::encode() const -> Bytes {
  Writer vote;
  vote.u8(kind_tag).u8(static_cast<std::uint8_t>(kind));
  vote.u8(height_tag).u64(height);
  if (round != 0) vote.u8(round_tag).u64(round);
  if (block) {
    Writer parts;
    parts.u8(total_tag);
    put_varint(parts, block->parts);
    put_part(parts, parts_hash_tag, block->parts_hash.view());
    Writer id;
    put_part(id, hash_tag, block->hash.view());
    put_part(id, parts_tag, parts.view());
    put_part(vote, block_tag, id.view());
  }
  Writer time;
  if (seconds != 0) {
    time.u8(seconds_tag);
    put_varint(time, seconds);
  }
  if (nanoseconds != 0) {
    time.u8(nanoseconds_tag);
    put_varint(time, nanoseconds);
  }
  put_part(vote, time_tag, time.view());
  put_part(vote, chain_tag, as_bytes(chain));
  Writer out;
  put_varint(out, vote.view().size());
  out.fixed(vote.view());
  return out.take();
}

auto EngineVote::decode(BytesView bytes) -> Result<EngineVote> {
  const auto bad = [] {
    return fail("bad_vote", "engine's vote", "These are not the bytes of a vote of the engine.");
  };
  if (bytes.size() > engine_vote_bytes_max) return bad();
  WireReader outer(bytes);
  WireReader in(outer.part());
  EngineVote vote;
  if (in.has(kind_tag)) vote.kind = static_cast<Kind>(in.varint());
  if (in.has(height_tag)) vote.height = in.fixed64();
  if (in.has(round_tag)) vote.round = static_cast<std::uint32_t>(in.fixed64());
  if (in.has(block_tag)) vote.block = read_block(in.part());
  WireReader time(in.has(time_tag) ? in.part() : BytesView{});
  if (time.has(seconds_tag)) vote.seconds = time.varint();
  if (time.has(nanoseconds_tag)) vote.nanoseconds = static_cast<std::uint32_t>(time.varint());
  if (in.has(chain_tag)) {
    const BytesView name = in.part();
    vote.chain.assign(name.begin(), name.end());
  }
  const bool known = vote.kind == Kind::prevote || vote.kind == Kind::precommit;
  const bool whole = vote.height >= 1 && (vote.height >> 63U) == 0 && (vote.round >> 31U) == 0 &&
                     (!vote.block || vote.block->parts >= 1) &&
                     vote.nanoseconds < nanoseconds_end && !vote.chain.empty() &&
                     vote.chain.size() <= chain_bytes_max;
  // One vote has one encoding: whatever was read leniently above does not come out the same.
  const Bytes again = vote.encode();
  if (!outer.done() || !in.done() || !known || !whole ||
      !std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()))
    return bad();
  return vote;
}

auto chain_name(const Genesis& genesis) -> std::string {
  return genesis.name + "-" + genesis.consortium().hex().substr(0, 12);
}

}  // namespace consilium::ledger
