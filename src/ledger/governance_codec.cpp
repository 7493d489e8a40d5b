// Encodings of what governs the consortium beside its members and policy: upgrades, new keys,
// evidence, and what becomes of blobs.

#include <algorithm>
#include <array>

#include "consilium/foundation/hash.hpp"
#include "consilium/ledger/engine_vote.hpp"

#include "codec.hpp"

namespace consilium::ledger {
namespace {

template <std::size_t size>
void get_array(Reader& in, std::array<std::uint8_t, size>& bytes) {
  const Bytes read = in.fixed(size);
  if (read.size() == size) std::copy(read.begin(), read.end(), bytes.begin());
}

}  // namespace

void put(Writer& out, const ProposeUpgrade& body) {
  out.u32(body.app_version);
  put(out, body.height);
}
void get(Reader& in, ProposeUpgrade& body) {
  body.app_version = in.u32();
  body.height.value = in.u64();
}

void put(Writer& out, const ProposeRelease& body) {
  put(out, body.member);
}
void get(Reader& in, ProposeRelease& body) {
  body.member.value = in.u16();
}

void put(Writer& out, const Evidence& body) {
  out.fixed(body.validator.bytes);
  for (const SignedVote& vote : body.votes) out.bytes(vote.sign_bytes).fixed(vote.signature.bytes);
}
void get(Reader& in, Evidence& body) {
  get_array(in, body.validator.bytes);
  for (SignedVote& vote : body.votes) {
    vote.sign_bytes = in.bytes(engine_vote_bytes_max);
    get_array(in, vote.signature.bytes);
  }
  // Two votes have one order.
  if (body.votes[0].sign_bytes >= body.votes[1].sign_bytes) in.reject();
}

void put(Writer& out, const Challenge& body) {
  put(out, body.round);
  put(out, body.hospital);
  out.u64(body.leaf);
}
void get(Reader& in, Challenge& body) {
  body.round.value = in.u64();
  body.hospital.value = in.u16();
  body.leaf = in.u64();
}

void put(Writer& out, const Respond& body) {
  put(out, body.round);
  put(out, body.hospital);
  out.u64(body.leaf).bytes(body.bytes);
  out.list(body.path, [](Writer& w, const Digest& node) { w.digest(node); });
}
void get(Reader& in, Respond& body) {
  body.round.value = in.u64();
  body.hospital.value = in.u16();
  body.leaf = in.u64();
  body.bytes = in.bytes(blob_leaf_bytes);
  body.path = in.list(blob_path_max, [](Reader& r) { return r.digest(); });
}

void put(Writer& out, const Tombstone& body) {
  put(out, body.round);
}
void get(Reader& in, Tombstone& body) {
  body.round.value = in.u64();
}

void put(Writer& out, const RotateKey& body) {
  out.fixed(body.key.bytes).fixed(body.possession.bytes);
}
void get(Reader& in, RotateKey& body) {
  get_array(in, body.key.bytes);
  get_array(in, body.possession.bytes);
}

void put(Writer& out, const RotateValidatorKey& body) {
  out.fixed(body.key.bytes).fixed(body.possession.bytes);
}
void get(Reader& in, RotateValidatorKey& body) {
  get_array(in, body.key.bytes);
  get_array(in, body.possession.bytes);
}

auto new_key_digest(const Digest& consortium, HospitalId member, KeyUse use,
                    const sealing::VerifyKey& key) -> Digest {
  const std::array<std::uint8_t, 2> id{static_cast<std::uint8_t>(member.value & 0xffU),
                                       static_cast<std::uint8_t>(member.value >> 8U)};
  const std::array<std::uint8_t, 1> kind{static_cast<std::uint8_t>(use)};
  return tagged_hash("consilium/ledger/1/new-key", {consortium.view(), id, kind, key.bytes});
}

}  // namespace consilium::ledger
