#pragma once
// What all nodes of a simulated chain have behind them when the story begins: keys, the first page,
// and the blocks that made every hospital a member and a validator. Made once a process and size.

#include "chain_world.hpp"

namespace consilium::simulator {

struct ChainPast {
  std::vector<sealing::SigningKey> keys;  ///< of hospitals
  std::vector<ledger::MemberInfo> members;
  std::vector<engine::ValidatorAddress> address_of;
  std::map<engine::ValidatorAddress, std::size_t> addresses;
  ledger::Genesis genesis;
  std::vector<ledger::Block> blocks;
  VirtualDisk::Image image;  ///< of a node's disk
  Quorum::Memory memory;
};
/// Of these members, of whom the first founded the consortium, with these blocks behind them, or
/// with the first page alone.
[[nodiscard]] auto past_of(const ledger::Genesis& genesis,
                           const std::vector<ledger::MemberInfo>& members,
                           const std::vector<ledger::Block>& blocks) -> ChainPast;
[[nodiscard]] auto chain_past(std::size_t hospitals, bool from_genesis) -> const ChainPast&;
/// A node's folder: an empty file stands there for the one on the virtual disk, because locks are
/// taken on a real one.
[[nodiscard]] auto node_folder(std::size_t node) -> std::filesystem::path;

/// How many signatures were judged, and are not judged again (signatures_once.cpp).
[[nodiscard]] auto signatures_kept() -> std::size_t;

template <typename T>
auto must(Result<T> result) -> T {
  if (!result) invariant_broken(result.error().message().c_str(), __FILE__, __LINE__);
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) invariant_broken(result.error().message().c_str(), __FILE__, __LINE__);
}

}  // namespace consilium::simulator
