#pragma once
// Who has which power in consensus. Hospitals are equal; one whose validator was missing for long
// is given little power until it signs again, because each turn of a dead proposer costs everybody
// a timeout. Pure, and part of what all nodes must agree on.

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/identity.hpp"
#include "consilium/sealing/keys.hpp"

namespace consilium::engine {

inline constexpr std::int64_t full_power = 100;
inline constexpr std::int64_t lowered_power = 1;
/// Commits in a row, each without its signature, until a validator counts as absent. A live one
/// often misses a single commit, because blocks do not wait for the slowest.
inline constexpr std::uint32_t misses_max = 20;

/// How many of n validators may be lowered at once: never more than f = ⌊(n−1)/3⌋, and never so
/// many that the f strongest hold a third of the power.
[[nodiscard]] auto lowered_max(std::size_t validators) -> std::size_t;

/// The first 20 bytes of SHA-256 of the key: what the engine calls a validator by.
using ValidatorAddress = std::array<std::uint8_t, 20>;
[[nodiscard]] auto address_of(const sealing::VerifyKey& key) -> ValidatorAddress;

struct CommitVote {
  ValidatorAddress validator{};
  bool signed_block = false;
};
struct ValidatorPower {
  sealing::VerifyKey key;
  std::int64_t power = 0;  ///< 0: no validator any more
  auto operator==(const ValidatorPower&) const -> bool = default;
};

/// The validators as the engine was last told, with their misses.
class ValidatorRule {
 public:
  ValidatorRule() = default;
  explicit ValidatorRule(const std::map<HospitalId, sealing::VerifyKey>& first);

  /// What the engine is told after a block: at most one joins or leaves, and not before the change
  /// before it is in force (two blocks later); then powers by the absence rule. Misses count only
  /// in `counts` blocks, or an empty block would change what the next one has to prove.
  [[nodiscard]] auto update(const std::map<HospitalId, sealing::VerifyKey>& wanted,
                            const std::vector<CommitVote>& last_commit, std::uint64_t engine_height,
                            bool counts) -> std::vector<ValidatorPower>;
  [[nodiscard]] auto powers() const -> std::vector<ValidatorPower>;
  [[nodiscard]] auto absent() const -> std::vector<HospitalId>;
  /// Somebody still joins or leaves, as far as there is room for it.
  [[nodiscard]] auto would_change(const std::map<HospitalId, sealing::VerifyKey>& wanted) const
      -> bool;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_encoding`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<ValidatorRule>;

 private:
  struct Seat {
    sealing::VerifyKey key;
    std::uint32_t misses = 0;  ///< in a row, at most misses_max
    bool lowered = false;
  };
  /// One step towards `wanted`. Gives true when a seat changed.
  auto step_towards(const std::map<HospitalId, sealing::VerifyKey>& wanted) -> bool;
  std::map<HospitalId, Seat> seats_;
  std::uint64_t changed_at_ = 0;  ///< engine height of the last joining or leaving
};

}  // namespace consilium::engine
