#include "book.hpp"

#include <algorithm>

#include "consilium/foundation/hash.hpp"

#include "leaves.hpp"

namespace consilium::ledger {

Book::Book(const Genesis& genesis) : genesis_(genesis), consortium_(genesis.consortium()) {
  head_.policy = genesis.policy;
  head_.schema = genesis.schema;
  begin_block();
  add_member(genesis.founder, Height{0});
  for (const auto& server : genesis.servers) add_member(server, Height{0});
  seal_block();
  can_revert_ = false;
}

auto Book::block_hash(Height height) const -> Digest {
  if (height.value == 0 || height.value > block_hashes_.size()) return {};
  return block_hashes_[height.value - 1];
}

void Book::add_member(const MemberInfo& info, Height since) {
  const HospitalId id{++head_.last_member};
  Member member;
  member.id = id;
  member.info = info;
  member.since = since;
  members_.put(id, std::move(member));
}

void Book::begin_block() {
  if (in_block_) return;
  members_.keep();
  rounds_.keep();
  proposals_.keep();
  families_.keep();
  former_keys_.keep();
  offences_.keep();
  alignments_.keep();
  models_.keep();
  leaves_before_.clear();
  head_before_ = head_;
  in_block_ = true;
  can_revert_ = true;
}

void Book::enter_height(const Digest& block_hash) {
  CONSILIUM_ENSURE(in_block_);
  CONSILIUM_ENSURE(block_hashes_.size() == head_.height.value);
  ++head_.height.value;
  head_.last_block = block_hash;
  block_hashes_.push_back(block_hash);
  if (head_.upgrade && head_.upgrade->height <= head_.height) {
    head_.app_version = head_.upgrade->app_version;
    head_.upgrade.reset();
  }
}

void Book::set_leaf(const Bytes& key, const std::optional<Bytes>& record) {
  const auto found = leaves_.find(key);
  leaves_before_.try_emplace(
      key, found == leaves_.end() ? std::nullopt : std::optional<Digest>(found->second));
  if (record) {
    leaves_.insert_or_assign(key, leaf_digest(key, *record));
  } else if (found != leaves_.end()) {
    leaves_.erase(found);
  }
}

void Book::refresh_leaves() {
  set_leaf(leaf_key(LeafKind::head, 0), encode_leaf(consortium_, head_));
  for (const auto& [id, before] : members_.before())
    set_leaf(leaf_key(LeafKind::member, id.value), encode_leaf(*members_.find(id)));
  for (const auto& [id, before] : proposals_.before()) {
    const auto* proposal = proposals_.find(id);
    set_leaf(leaf_key(LeafKind::proposal, id),
             proposal == nullptr ? std::nullopt : std::optional<Bytes>(encode_leaf(*proposal)));
  }
  for (const auto& [id, before] : rounds_.before())
    set_leaf(leaf_key(LeafKind::round, id.value), encode_leaf(*rounds_.find(id)));
  for (const auto& [name, before] : families_.before()) {
    const auto* family = families_.find(name);
    set_leaf(leaf_key(LeafKind::family, name),
             family == nullptr ? std::nullopt : std::optional<Bytes>(encode_leaf(*family)));
  }
  for (const auto& [key, before] : former_keys_.before())
    set_leaf(leaf_key(LeafKind::former_key, Digest{key.bytes}),
             encode_leaf(*former_keys_.find(key)));
  for (const auto& [id, before] : offences_.before())
    set_leaf(leaf_key(LeafKind::offence, id.value), encode_leaf(*offences_.find(id)));
  for (const auto& [index, changed] : alignments_.changed())
    set_leaf(leaf_key(LeafKind::alignment, index), encode_leaf(alignments_.items()[index]));
  for (const auto& [index, changed] : models_.changed())
    set_leaf(leaf_key(LeafKind::model, index), encode_leaf(models_.items()[index]));
}

void Book::seal_block() {
  refresh_leaves();
  std::vector<Digest> level;
  level.reserve(leaves_.size());
  for (const auto& [key, digest] : leaves_) level.push_back(digest);
  head_.digest = merkle_root(std::move(level));
  in_block_ = false;
}

auto Book::recomputed_digest() const -> Digest {
  std::map<Bytes, Bytes> records;
  Head head = head_;
  records[leaf_key(LeafKind::head, 0)] = encode_leaf(consortium_, head);
  for (const auto& [id, member] : members_.items())
    records[leaf_key(LeafKind::member, id.value)] = encode_leaf(member);
  for (const auto& [id, proposal] : proposals_.items())
    records[leaf_key(LeafKind::proposal, id)] = encode_leaf(proposal);
  for (const auto& [id, round] : rounds_.items())
    records[leaf_key(LeafKind::round, id.value)] = encode_leaf(round);
  for (const auto& [name, family] : families_.items())
    records[leaf_key(LeafKind::family, name)] = encode_leaf(family);
  for (const auto& [key, former] : former_keys_.items())
    records[leaf_key(LeafKind::former_key, Digest{key.bytes})] = encode_leaf(former);
  for (const auto& [id, offence] : offences_.items())
    records[leaf_key(LeafKind::offence, id.value)] = encode_leaf(offence);
  for (std::size_t i = 0; i < alignments_.items().size(); ++i)
    records[leaf_key(LeafKind::alignment, i)] = encode_leaf(alignments_.items()[i]);
  for (std::size_t i = 0; i < models_.items().size(); ++i)
    records[leaf_key(LeafKind::model, i)] = encode_leaf(models_.items()[i]);
  std::vector<Digest> level;
  for (const auto& [key, record] : records) level.push_back(leaf_digest(key, record));
  return merkle_root(std::move(level));
}

void Book::revert_block() {
  if (!can_revert_) return;
  members_.revert();
  rounds_.revert();
  proposals_.revert();
  families_.revert();
  former_keys_.revert();
  offences_.revert();
  alignments_.revert();
  models_.revert();
  for (const auto& [key, digest] : leaves_before_) {
    if (digest) {
      leaves_.insert_or_assign(key, *digest);
    } else {
      leaves_.erase(key);
    }
  }
  leaves_before_.clear();
  head_ = head_before_;
  block_hashes_.resize(head_.height.value);
  in_block_ = false;
  can_revert_ = false;
}

void Book::ensure_invariants(std::size_t transactions) const {
  CONSILIUM_ENSURE(head_.height.value == head_before_.height.value + 1);
  std::uint64_t credits = 0;
  for (const auto& [id, member] : members_.items()) {
    CONSILIUM_ENSURE(member.credits + member.credits_lost ==
                     member.credits_data + member.credits_verify + member.credits_pack);
    credits += member.credits + member.credits_lost;
  }
  for (const auto& [id, offence] : offences_.items()) {
    CONSILIUM_ENSURE(offence.withholding || offence.withheld() == 0);
    credits += offence.withheld();
  }
  CONSILIUM_ENSURE(credits == head_.pools_paid);
  std::uint64_t used = 0;
  for (const auto& [id, before] : members_.before())
    used += members_.find(id)->sequence - (before ? before->sequence : 0);
  CONSILIUM_ENSURE(used == transactions);
  std::uint64_t paid = head_before_.pools_paid;
  for (const auto& [id, before] : rounds_.before()) {
    const RoundRecord& round = *rounds_.find(id);
    std::uint64_t rewards = 0;
    for (const auto& [member, reward] : round.rewards) rewards += reward;
    const bool pays =
        round.state == RoundState::accepted && round.open.purpose == sealing::Purpose::update;
    CONSILIUM_ENSURE(rewards == (pays ? round.policy.round_pool : 0));
    const bool paid_before = before && before->state == RoundState::accepted;
    if (!paid_before) paid += rewards;
    if (round.state < RoundState::opening || round.state == RoundState::aborted) continue;
    const Family* family = families_.find(family_of(round));
    CONSILIUM_ENSURE(family != nullptr);
    CONSILIUM_ENSURE(family->partition_digest == round.partition_digest);
    std::vector<HospitalId> set;
    for (const auto& entry : round.set) set.push_back(entry.hospital);
    CONSILIUM_ENSURE(sealing::is_union_of_cells(family->partition, set));
  }
  CONSILIUM_ENSURE(paid == head_.pools_paid);
}

}  // namespace consilium::ledger
