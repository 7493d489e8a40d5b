#pragma once
// The hashes and keys a session's parts must agree on (alignment-spec §3.1, §3.5).

#include <span>

#include "consilium/foundation/identity.hpp"
#include "consilium/foundation/secret.hpp"
#include "consilium/ledger/ledger.hpp"
#include "consilium/sealing/keys.hpp"

#include "frames.hpp"

namespace consilium::alignment {

inline constexpr std::size_t nonce_bytes = 32;
inline constexpr std::size_t slot_count = 3;

/// com_j of share j. `nonce` keeps a holder of the other two shares from testing guesses of a
/// sparse bitmap.
[[nodiscard]] auto share_commitment(const SessionBytes& session, std::uint32_t attempt,
                                    HospitalId hospital, std::size_t j, BytesView nonce,
                                    BytesView share) -> Digest;
/// com_x
[[nodiscard]] auto input_commitment(const SessionBytes& session, HospitalId hospital,
                                    BytesView nonce, std::span<const std::uint64_t> bitmap)
    -> Digest;
/// nonce_x: the same in every attempt and after a restart, another one in every session.
[[nodiscard]] auto input_nonce(const SessionBytes& session, BytesView session_secret)
    -> SecretBytes;
/// The key that outputs are boxed to.
[[nodiscard]] auto output_key(const SessionBytes& session, BytesView session_secret)
    -> sealing::BoxKey;
[[nodiscard]] auto output_hash(const SessionBytes& session, HospitalId hospital,
                               std::span<const std::uint64_t> share) -> Digest;
/// Root over the participants' commitments, for the receipt.
[[nodiscard]] auto commitments_root(const ledger::AlignmentSession& session) -> Digest;

struct PairKeyContext {
  Digest record;  ///< R
  SessionBytes session{};
  std::uint32_t attempt = 0;
  std::uint8_t slot = 0;                        ///< i
  std::array<std::uint8_t, 32> own_key{};       ///< public key of P_i
  std::array<std::uint8_t, 32> previous_key{};  ///< public key of P_{i−1}
};
/// The AES key of stream `zero` under k_i = HKDF(X25519, R, context). Error: `bad_peer_key`
/// (all-zero result).
[[nodiscard]] auto zero_stream_key(const PairKeyContext& context, BytesView secret,
                                   const std::array<std::uint8_t, 32>& peer) -> Result<SecretBytes>;

}  // namespace consilium::alignment
