#include "leaves.hpp"

#include <algorithm>

#include "consilium/foundation/hash.hpp"

namespace consilium::ledger {
namespace {

auto node_digest(const Digest& left, const Digest& right) -> Digest {
  Hasher hasher;
  hasher.add_u8(0x01).add(left.view()).add(right.view());
  return hasher.finish();
}

/// Pairing from the left and promoting an odd last node gives RFC 6962's tree.
auto node_above(const std::vector<Digest>& level, std::size_t place) -> Digest {
  const std::size_t left = 2 * place;
  return left + 1 < level.size() ? node_digest(level[left], level[left + 1]) : level[left];
}

auto is_before(const Bytes& a, BytesView b) -> bool {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

auto leaf_key(LeafKind kind, std::uint64_t number) -> Bytes {
  Bytes key{static_cast<std::uint8_t>(kind)};
  for (int shift = 56; shift >= 0; shift -= 8)
    key.push_back(static_cast<std::uint8_t>((number >> static_cast<unsigned>(shift)) & 0xffU));
  return key;
}
auto leaf_key(LeafKind kind, HospitalId id) -> Bytes {
  return leaf_key(kind, std::uint64_t{id.value});
}
auto leaf_key(LeafKind kind, RoundId id) -> Bytes {
  return leaf_key(kind, id.value);
}
auto leaf_key(LeafKind kind, const Digest& name) -> Bytes {
  Bytes key{static_cast<std::uint8_t>(kind)};
  key.insert(key.end(), name.bytes.begin(), name.bytes.end());
  return key;
}

auto leaf_key(LeafKind kind, const sealing::VerifyKey& key) -> Bytes {
  return leaf_key(kind, Digest{key.bytes});
}

auto read_leaf_key(BytesView key, std::uint64_t& number) -> bool {
  if (key.size() != 1 + sizeof(number)) return false;
  number = 0;
  for (const std::uint8_t byte : key.subspan(1)) number = (number << 8U) | byte;
  return true;
}
auto read_leaf_key(BytesView key, HospitalId& id) -> bool {
  std::uint64_t number = 0;
  if (!read_leaf_key(key, number) || number > 0xffff) return false;
  id.value = static_cast<std::uint16_t>(number);
  return true;
}
auto read_leaf_key(BytesView key, RoundId& id) -> bool {
  return read_leaf_key(key, id.value);
}
auto read_leaf_key(BytesView key, Digest& name) -> bool {
  if (key.size() != 1 + name.bytes.size()) return false;
  std::copy(key.begin() + 1, key.end(), name.bytes.begin());
  return true;
}

auto read_leaf_key(BytesView key, sealing::VerifyKey& name) -> bool {
  Digest digest;
  if (!read_leaf_key(key, digest)) return false;
  name.bytes = digest.bytes;
  return true;
}

auto leaf_digest(BytesView key, BytesView record) -> Digest {
  Hasher hasher;
  hasher.add_u8(0x00).add_u32(static_cast<std::uint32_t>(key.size())).add(key).add(record);
  return hasher.finish();
}

auto merkle_root(std::vector<Digest> level) -> Digest {
  CONSILIUM_ENSURE(!level.empty());
  while (level.size() > 1) {
    std::vector<Digest> above((level.size() + 1) / 2);
    for (std::size_t i = 0; i < above.size(); ++i) above[i] = node_above(level, i);
    level = std::move(above);
  }
  return level.front();
}

auto LeafTree::place_of(BytesView key) const -> std::size_t {
  const auto found = std::lower_bound(keys_.begin(), keys_.end(), key, is_before);
  return static_cast<std::size_t>(found - keys_.begin());
}

void LeafTree::set(BytesView key, const std::optional<Digest>& leaf) {
  const std::size_t place = place_of(key);
  const bool there = place < keys_.size() && std::ranges::equal(keys_[place], key);
  auto& leaves = levels_.front();
  const auto offset = static_cast<std::ptrdiff_t>(place);
  if (there && leaf) {
    leaves[place] = *leaf;
    changed_.push_back(place);
    return;
  }
  if (!there && !leaf) return;
  if (leaf) {
    keys_.insert(keys_.begin() + offset, Bytes(key.begin(), key.end()));
    leaves.insert(leaves.begin() + offset, *leaf);
  } else {
    keys_.erase(keys_.begin() + offset);
    leaves.erase(leaves.begin() + offset);
  }
  moved_from_ = std::min(moved_from_, place);
}

auto LeafTree::find(BytesView key) const -> std::optional<Digest> {
  const std::size_t place = place_of(key);
  if (place == keys_.size() || !std::ranges::equal(keys_[place], key)) return std::nullopt;
  return levels_.front()[place];
}

auto LeafTree::root() -> Digest {
  CONSILIUM_ENSURE(!keys_.empty());
  std::size_t height = 0;
  std::size_t from = moved_from_;
  std::vector<std::size_t> changed = std::move(changed_);
  for (; levels_[height].size() > 1; ++height) {
    if (levels_.size() == height + 1) levels_.emplace_back();
    const auto& level = levels_[height];
    auto& above = levels_[height + 1];
    above.resize((level.size() + 1) / 2);
    from /= 2;
    for (std::size_t place = from; place < above.size(); ++place)
      above[place] = node_above(level, place);
    for (std::size_t& place : changed) {
      place /= 2;
      if (place < from) above[place] = node_above(level, place);
    }
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  }
  levels_.resize(height + 1);
  changed_.clear();
  moved_from_ = keys_.size();
  return levels_[height].front();
}

auto LeafTree::path_of(BytesView key) const -> std::optional<LeafPath> {
  CONSILIUM_ENSURE(changed_.empty() && moved_from_ == keys_.size());
  std::size_t place = place_of(key);
  if (place == keys_.size() || !std::ranges::equal(keys_[place], key)) return std::nullopt;
  LeafPath path{place, keys_.size(), {}};
  for (const auto& level : levels_) {
    const std::size_t beside = place ^ 1U;
    if (beside < level.size()) path.beside.push_back(level[beside]);
    place /= 2;
  }
  return path;
}

}  // namespace consilium::ledger
