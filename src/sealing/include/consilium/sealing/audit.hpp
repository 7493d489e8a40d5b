#pragma once
/// A set whose sum does not open, and how its members are looked at coefficient by coefficient
/// (sealing-spec §9.4).
///
///   miner   examine_failure()   → what failed, or that it opens after all
///   ledger  audit_positions()   → where everybody of the set is looked at
///   miner   audit_answer()      → its words for every member
///   anyone  audit_findings()    → who cannot be honest
///
/// Price: step 1 shows two linear equations of every member's one-time key, step 2 eight more and
/// eight values of its vector. Both primes of a two-prime suite show the same coefficients. The
/// caller keeps the rules: once a round, only for the set it has logged, only after its own look.

#include <map>
#include <optional>
#include <vector>

#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::sealing {

enum class AuditStep : std::uint8_t {
  witness = 1,  ///< the witness, a sealed zero: is the key that sealed the key that was shared?
  data = 2      ///< the vector itself: is every coefficient Δx + e?
};

inline constexpr std::size_t audit_failing_max = 1024;
inline constexpr std::size_t audit_witness_places = 2;
inline constexpr std::size_t audit_data_places = 8;

/// What a miner saw when no t of the share sums opened the set. Places count the vector's values in
/// order, then the padding of the last block.
struct OpeningFailure {
  /// Places where |r| > T, |X| is out of range, or padding is not 0: ascending, the first
  /// audit_failing_max of them.
  std::vector<std::uint64_t> failing;
  std::uint64_t worst_polynomial = 0;  ///< the one of largest Σ r², from 0
  auto operator==(const OpeningFailure&) const -> bool = default;
};
/// Tries every t of the share sums (committees above 16: those that a decoder finds right).
/// Nothing, when some t of them open the set. When none do, the failure is told of the t whose
/// first polynomial is least wrong, so that all miners with the same share sums tell the same. A
/// failing value 0 is left out when others fail too and `first_is_weight`: the hidden weight is
/// shown last. Errors: as open_sum's, but for the failures that are asked about; `opening_stalled`
/// with fewer than t usable share sums.
[[nodiscard]] auto examine_failure(const RoundParameters& round, std::span<const BytesView> bodies,
                                   const std::map<MinerId, Bytes>& share_sums, bool first_is_weight)
    -> Result<std::optional<OpeningFailure>>;
/// Could an honest miner have said this of a round of that size? Error: `length_mismatch`.
[[nodiscard]] auto check_failure(const RoundParameters& round, const OpeningFailure& failure)
    -> Result<void>;

struct AuditPositions {
  std::vector<std::uint32_t> witness;  ///< coefficients of the witness, ascending
  std::vector<std::uint64_t> data;     ///< places, ascending
  [[nodiscard]] auto digest() const -> Digest;
};
/// Drawn from the hash of the block that fixed the failure, which nobody knew before: two
/// coefficients of the witness; four failing places and four of all values, or, when none failed
/// singly, eight in the worst polynomial. Fewer where there are not so many.
[[nodiscard]] auto audit_positions(const RoundParameters& round, const Digest& block_hash,
                                   const OpeningFailure& failure) -> Result<AuditPositions>;

/// One miner's answer: ⟨row, share⟩ for every member and position, u32le, prime by prime; `shares`
/// ascend by hospital as the set does. Public once published. Errors: `length_mismatch`,
/// `non_canonical`.
[[nodiscard]] auto audit_answer(const RoundParameters& round, AuditStep step,
                                const AuditPositions& positions,
                                std::span<const ShareOpening> shares) -> Result<Bytes>;

/// Members of the set whose coefficients no t of the answers make honest, ascending. An answer that
/// is malformed, or does not add up to its miner's published share sum, is left out; of the rest
/// every t are tried, so that up to f lying miners never get an innocent member blamed. A liar may
/// hide a member that it also frames: then nobody is found. Bodies ascend by hospital and have
/// passed check_body. Errors: `opening_stalled` (fewer than t usable answers), `length_mismatch`,
/// `non_canonical`.
[[nodiscard]] auto audit_findings(const RoundParameters& round, AuditStep step,
                                  const AuditPositions& positions,
                                  std::span<const BytesView> bodies,
                                  const std::map<MinerId, Bytes>& share_sums,
                                  const std::map<MinerId, Bytes>& answers)
    -> Result<std::vector<HospitalId>>;

}  // namespace consilium::sealing
