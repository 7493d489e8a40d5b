#include "commitments.hpp"

#include <algorithm>

#include <sodium.h>

#include "streams.hpp"
#include "wire.hpp"

namespace consilium::alignment {
namespace {

auto derive(BytesView input_key, BytesView salt, BytesView info, std::size_t size) -> SecretBytes {
  Bytes open = hkdf_sha256(input_key, salt, info, size);
  SecretBytes out(size);
  std::ranges::copy(open, out.expose().begin());
  wipe(open);
  return out;
}

auto of_session(std::string_view label, const SessionBytes& session) -> Bytes {
  return WireWriter().label(label).fixed(session).take();
}

}  // namespace

auto share_commitment(const SessionBytes& session, std::uint32_t attempt, HospitalId hospital,
                      std::size_t j, BytesView nonce, BytesView share) -> Digest {
  return WireHash("consilium.share.v1")
      .fixed(session)
      .u32(attempt)
      .u16(hospital.value)
      .u8(static_cast<std::uint8_t>(j))
      .fixed(nonce)
      .fixed(share)
      .finish();
}

auto input_commitment(const SessionBytes& session, HospitalId hospital, BytesView nonce,
                      std::span<const std::uint64_t> bitmap) -> Digest {
  return WireHash("consilium.input.v1")
      .fixed(session)
      .u16(hospital.value)
      .fixed(nonce)
      .fixed(bytes_of(bitmap))
      .finish();
}

auto input_nonce(const SessionBytes& session, BytesView session_secret) -> SecretBytes {
  return derive(session_secret, {}, of_session("consilium.input-nonce.v1", session), nonce_bytes);
}

auto output_key(const SessionBytes& session, BytesView session_secret) -> sealing::BoxKey {
  const auto seed = derive(session_secret, {}, of_session("consilium.output-key.v1", session), 32);
  auto key = sealing::BoxKey::from_seed(seed.expose());
  CONSILIUM_ENSURE(key.has_value());
  return std::move(*key);
}

auto output_hash(const SessionBytes& session, HospitalId hospital,
                 std::span<const std::uint64_t> share) -> Digest {
  return WireHash("consilium.out.v1")
      .fixed(session)
      .u16(hospital.value)
      .fixed(bytes_of(share))
      .finish();
}

auto commitments_root(const ledger::AlignmentSession& session) -> Digest {
  WireHash hash("consilium.commitments.v1");
  hash.fixed(session.record.session).u32(session.attempt);
  for (const auto hospital : session.participants) {
    const auto& commit = session.commits.at(hospital);
    hash.u16(hospital.value);
    for (const auto& share : commit.shares) hash.fixed(share.view());
    hash.fixed(commit.input.view());
  }
  return hash.finish();
}

auto zero_stream_key(const PairKeyContext& context, BytesView secret,
                     const std::array<std::uint8_t, 32>& peer) -> Result<SecretBytes> {
  CONSILIUM_ENSURE(secret.size() == crypto_scalarmult_SCALARBYTES);
  SecretBytes point(crypto_scalarmult_BYTES);
  // Fails on an all-zero result: a peer that sent a point of small order.
  if (crypto_scalarmult(point.expose().data(), secret.data(), peer.data()) != 0)
    return fail("bad_peer_key", "alignment node",
                "another node's session key is not a usable X25519 key");
  const auto info = WireWriter()
                        .label("consilium.pair.v1")
                        .fixed(context.session)
                        .u32(context.attempt)
                        .u8(context.slot)
                        .fixed(context.own_key)
                        .fixed(context.previous_key)
                        .take();
  const auto pair = derive(point.expose(), context.record.view(), info, 32);
  return derive(pair.expose(), {}, WireWriter().label("zero").view(), stream_key_bytes);
}

}  // namespace consilium::alignment
