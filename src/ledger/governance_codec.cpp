// Encodings of what governs the consortium beside its members and policy: upgrades and new keys.

#include <algorithm>
#include <array>

#include "consilium/foundation/hash.hpp"

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
