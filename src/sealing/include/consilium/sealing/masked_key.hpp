#pragma once
/// Delivery C (sealing-spec §6.3): no committee; each hospital sends its own one-time key, masked
/// so that only the sum over exactly one set is a key. The masking of Bonawitz et al. (2017)
/// applied to the key's words instead of the update's.
///
/// A mask is bound to H(U), which holds the round's seed and everybody's manifest: it is used once.
/// No degree test, no audit: a bad key is detected when the sum does not open, and not attributed.

#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::sealing {

/// Another member of the set and its box key of this epoch.
struct MaskPeer {
  HospitalId hospital;
  BoxPublicKey box_key;
};

/// ŝ_i + Σ_{j>i} PRG(k_ij, H(U)) − Σ_{j<i} PRG(k_ij, H(U)) mod q, packed as a share sum is. Uniform
/// to everybody who lacks one of the pair keys. `key` is Sealed::key. Whoever calls has checked the
/// set against its log, and logged it. Errors: `length_mismatch` (fewer than two others, this
/// hospital or anybody twice among them, or a key of another size), `bad_key` (a box key of small
/// order).
[[nodiscard]] auto mask_key(const RoundParameters& round, const Digest& set_digest, HospitalId self,
                            const BoxKey& own, std::span<const MaskPeer> others,
                            const Secret<std::uint32_t>& key) -> Result<Bytes>;

/// Σ of what all members of a set sent: S, packed; what open_sum takes as the share sum of miner 1
/// in a committee of one. Of any other set it is noise. Errors: `length_mismatch`, `non_canonical`.
[[nodiscard]] auto sum_masked_keys(const RoundParameters& round, std::span<const BytesView> masked)
    -> Result<Bytes>;

}  // namespace consilium::sealing
