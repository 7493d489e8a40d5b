#pragma once
// What a validator of the consensus engine signs: CometBFT's CanonicalVote (v0.39,
// proto/tendermint/types/canonical.proto), read here byte by byte so that evidence can be judged
// by the ledger alone, under any driver.

#include <optional>
#include <string>

#include "consilium/ledger/transaction.hpp"

namespace consilium::ledger {

/// No vote of a chain of ours is longer.
inline constexpr std::size_t engine_vote_bytes_max = 256;

struct EngineBlockId {
  Digest hash;
  std::uint32_t parts = 0;  ///< ≥ 1
  Digest parts_hash;
  auto operator==(const EngineBlockId&) const -> bool = default;
};
struct EngineVote {
  enum class Kind : std::uint8_t { prevote = 1, precommit = 2 };
  Kind kind = Kind::prevote;
  std::uint64_t height = 0;            ///< 1 … 2^63 − 1
  std::uint32_t round = 0;             ///< below 2^31
  std::optional<EngineBlockId> block;  ///< nothing: it voted for no block
  std::uint64_t seconds = 0;           ///< when it says it voted, since 1970; never judged
  std::uint32_t nanoseconds = 0;       ///< below 10^9
  std::string chain;                   ///< 1 to 50 bytes
  auto operator==(const EngineVote&) const -> bool = default;

  /// The bytes that are signed.
  [[nodiscard]] auto encode() const -> Bytes;
  /// Takes exactly what encode makes. Error: `bad_vote`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<EngineVote>;
};

/// The name of the consortium's chain on the engine's first page, which every vote is signed for.
[[nodiscard]] auto chain_name(const Genesis& genesis) -> std::string;

}  // namespace consilium::ledger
