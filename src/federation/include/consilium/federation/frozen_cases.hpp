#pragma once
// Which of a hospital's cases stand behind what it seals, and why they stay the same for a while:
// two opened sums that differ by one hospital's one changed case are that case (sealing-spec §8.1,
// §11; attacks 7 and 8).

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "consilium/federation/node_storage.hpp"
#include "consilium/foundation/identity.hpp"
#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::federation {

/// One case in one version of its content. It never leaves the hospital.
struct CaseMark {
  CaseId id;
  Digest version;
  auto operator<=>(const CaseMark&) const = default;
};

/// How many cases came, went or have another content. Both lists ascend by id, each id once.
[[nodiscard]] auto changed_cases(std::span<const CaseMark> before, std::span<const CaseMark> now)
    -> std::size_t;

/// What this hospital sealed last for a purpose: made of which cases, asked in which context, and,
/// where it is kept, as which integers (before noise).
struct FrozenCases {
  Digest context;
  std::vector<CaseMark> cases;
  std::vector<std::int64_t> values;  ///< empty: not kept
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `database_damaged`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<FrozenCases>;
};

/// The cases the next vector of `purpose` is made of, durable when it returns: those of the last
/// one while fewer than `cases_min` of them changed, else `now`. For updates they are only kept on
/// the same `context` (the base), for everything else whatever is asked. `values` of the last
/// vector come with them when cases and context are the same: then the same integers are sealed
/// again, even if a case in its old version could not be had any more. Cost: linear, one durable
/// write where something is new. Errors: `database_damaged`, those of the storage.
[[nodiscard]] auto freeze_cases(NodeStorage& storage, sealing::Purpose purpose,
                                const Digest& context, std::vector<CaseMark> now,
                                std::uint32_t cases_min) -> Result<FrozenCases>;
/// Keeps the integers made of them, for the next time. Errors: those of the storage.
[[nodiscard]] auto keep_frozen(NodeStorage& storage, sealing::Purpose purpose,
                               const FrozenCases& frozen) -> Result<void>;

}  // namespace consilium::federation
