#pragma once
// Shamir's sharing of a one-time key over its own field, and its public test (sealing-spec §6.2).

#include "body_layout.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {

/// Words of a key or of anything shaped like it: N for the first prime, then N for the second.
using KeyWords = Secret<std::uint32_t>;

/// One hospital's sharing polynomials: f_k with f_k(0) = ŝ[k], and the masks g_ρ.
class SharingPolynomials {
 public:
  /// Draws from `stream`, prime by prime: the coefficients of degree 1, 2, … t−1 of all f_k (N
  /// words each), then those of degree 0 … t−1 of g_1, g_2, … g_R.
  SharingPolynomials(const BodyLayout& layout, std::uint16_t threshold, const KeyWords& key,
                     WordStream& stream);
  /// What miner α gets: packed f_k(α), and g_ρ(α) as u32le.
  [[nodiscard]] auto share_at(std::uint16_t alpha) const -> ShareOpening;
  /// F_ρ = Σ_k r_ρ[k]·f_k + g_ρ: per prime, per row, t coefficients.
  [[nodiscard]] auto response(const Digest& degree_key) const -> std::vector<std::uint32_t>;

 private:
  BodyLayout layout_;
  std::size_t threshold_;
  Secret<std::uint32_t> coefficients_;  ///< prime, degree, k
  Secret<std::uint32_t> masks_;         ///< prime, row, degree
};

/// D_m = H("…share", context, share, masks, salt)
[[nodiscard]] auto share_digest(BytesView context, const ShareOpening& opening) -> Digest;
/// H("…degree", round_seed, hospital, ct_root, w digest, D_1‖…‖D_M)
[[nodiscard]] auto degree_key(const Digest& round_seed, HospitalId hospital,
                              const Digest& body_root, const Digest& witness,
                              std::span<const Digest> share_digests) -> Digest;
/// ⟨r_ρ, share⟩ + g_ρ(α) = F_ρ(α) for every prime and row, and every residue is canonical.
/// Error: `bad_sharing`.
[[nodiscard]] auto degree_test(const BodyLayout& layout, std::uint16_t threshold,
                               std::uint16_t alpha, const Digest& key, const ShareOpening& opening,
                               std::span<const std::uint32_t> response) -> Result<void>;

/// Σ row[k]·words[k] mod q, canonical. `words` may be secret, `row` is public.
[[nodiscard]] auto inner_product(const PrimeField& field, std::span<const std::uint32_t> row,
                                 std::span<const std::uint32_t> words) -> std::uint32_t;

/// Weights λ with Σ λ_i·f(points[i]) = f(at), for f of degree < points.size(). All public; points
/// differ.
[[nodiscard]] auto lagrange_weights(const PrimeField& field, std::span<const std::uint16_t> points,
                                    std::uint16_t at) -> std::vector<std::uint32_t>;

/// The share sums that were published, decoded: public words, so plain memory.
struct PublishedPoint {
  std::uint16_t alpha = 0;
  std::vector<std::uint32_t> words;  ///< N a prime, primes one after the other
};
/// The well-formed share sums of miners of the committee; the others count as wrong ones.
[[nodiscard]] auto points_of(const RoundParameters& round, const BodyLayout& layout,
                             const std::map<MinerId, Bytes>& share_sums)
    -> std::vector<PublishedPoint>;
/// Up to this committee size a mismatch is resolved by trying every t of the share sums (§7.2),
/// which always finds the right one; the largest case is 11 of 16, 4 368 trials.
inline constexpr std::uint16_t subsets_up_to_miners = 16;
/// The next subset of 0 … count−1 in lexicographic order; false after the last.
[[nodiscard]] auto next_subset(std::vector<std::size_t>& chosen, std::size_t count) -> bool;
/// The values at `at` of the polynomials through the given points (their number is t).
[[nodiscard]] auto interpolate(const BodyLayout& layout,
                               std::span<const PublishedPoint* const> points, std::uint16_t at)
    -> std::vector<std::uint32_t>;

/// t points that are right when at most ⌊(points − t)/2⌋ are wrong: Berlekamp–Welch on one
/// combination of all words, whose coefficients come from a hash of all points. Empty when there is
/// no such polynomial.
[[nodiscard]] auto agreeing_points(const BodyLayout& layout, std::span<const PublishedPoint> points,
                                   std::size_t threshold) -> std::vector<const PublishedPoint*>;

}  // namespace consilium::sealing
