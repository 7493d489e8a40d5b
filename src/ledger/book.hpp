#pragma once
// The state itself: records on shelves that remember what they held before the block, so that a
// block can be taken back and only the leaves of changed records are hashed again.

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "consilium/ledger/ledger.hpp"

#include "leaves.hpp"

namespace consilium::ledger {

/// An ordered map that remembers the first old value of everything changed since `keep`.
template <typename Key, typename Value>
class Shelf {
 public:
  using KeyType = Key;
  using ValueType = Value;
  [[nodiscard]] auto items() const -> const std::map<Key, Value>& { return items_; }
  [[nodiscard]] auto find(const Key& key) const -> const Value* {
    const auto found = items_.find(key);
    return found == items_.end() ? nullptr : &found->second;
  }
  /// The record must be there.
  auto edit(const Key& key) -> Value& {
    const auto found = items_.find(key);
    CONSILIUM_ENSURE(found != items_.end());
    before_.try_emplace(key, found->second);
    return found->second;
  }
  auto put(const Key& key, Value value) -> Value& {
    CONSILIUM_ENSURE(!items_.contains(key));
    before_.try_emplace(key, std::nullopt);
    return items_.emplace(key, std::move(value)).first->second;
  }
  void erase(const Key& key) {
    const auto found = items_.find(key);
    CONSILIUM_ENSURE(found != items_.end());
    before_.try_emplace(key, std::move(found->second));
    items_.erase(found);
  }
  /// As a snapshot has it: key by key, in their order.
  auto take(const Key& key, Value value) -> bool {
    if (!items_.empty() && !(items_.rbegin()->first < key)) return false;
    items_.emplace_hint(items_.end(), key, std::move(value));
    return true;
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& [key, value] : items_) visit(key, value);
  }
  /// Key and record, or nothing where it was taken out.
  template <typename Visit>
  void each_changed(Visit visit) const {
    for (const auto& [key, value] : before_) visit(key, find(key));
  }
  /// What changed, with what it was before (nothing: it is new).
  [[nodiscard]] auto before() const -> const std::map<Key, std::optional<Value>>& {
    return before_;
  }
  void keep() { before_.clear(); }
  void revert() {
    for (auto& [key, value] : before_) {
      if (value) {
        items_.insert_or_assign(key, std::move(*value));
      } else {
        items_.erase(key);
      }
    }
    before_.clear();
  }

 private:
  std::map<Key, Value> items_;
  std::map<Key, std::optional<Value>> before_;
};

/// The same for a list that only grows; keys are places from 0.
template <typename Value>
class Row {
 public:
  using KeyType = std::uint64_t;
  using ValueType = Value;
  auto take(std::uint64_t place, Value value) -> bool {
    if (place != items_.size()) return false;
    items_.push_back(std::move(value));
    return true;
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (std::size_t i = 0; i < items_.size(); ++i) visit(std::uint64_t{i}, items_[i]);
  }
  template <typename Visit>
  void each_changed(Visit visit) const {
    for (const auto& [index, changed] : changed_) visit(std::uint64_t{index}, &items_[index]);
  }
  [[nodiscard]] auto items() const -> const std::vector<Value>& { return items_; }
  auto edit(std::size_t index) -> Value& {
    CONSILIUM_ENSURE(index < items_.size());
    if (index < kept_) before_.try_emplace(index, items_[index]);
    changed_.insert_or_assign(index, true);
    return items_[index];
  }
  void push(Value value) {
    changed_.insert_or_assign(items_.size(), true);
    items_.push_back(std::move(value));
  }
  void keep() {
    kept_ = items_.size();
    before_.clear();
    changed_.clear();
  }
  void revert() {
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(kept_), items_.end());
    for (auto& [index, value] : before_) items_[index] = std::move(value);
    before_.clear();
    changed_.clear();
  }

 private:
  std::vector<Value> items_;
  std::map<std::size_t, Value> before_;
  std::map<std::size_t, bool> changed_;
  std::size_t kept_ = 0;
};

/// What is not a record of its own.
struct Head {
  Digest consortium;
  Height height;
  Digest digest;
  Digest last_block;
  Policy policy;
  Digest schema;
  std::uint16_t last_member = 0;
  std::uint64_t last_proposal = 0;
  RoundId last_round;
  std::uint32_t committee_epoch = 0;
  std::optional<Digest> initial_model;
  std::uint64_t pools_paid = 0;  ///< pools of all accepted rounds
  std::uint32_t app_version = 1;
  std::optional<Upgrade> upgrade;
};

class Book final : public State {
 public:
  explicit Book(const Genesis& genesis);

  /// The state that snapshot() gave, of which the digest is known. Errors: `bad_encoding`,
  /// `wrong_consortium`, `snapshot_damaged`.
  [[nodiscard]] static auto restore(const Genesis& genesis, BytesView snapshot,
                                    const Digest& digest) -> Result<Book>;
  /// Every record whole, and the hashes of past blocks that rules still ask for. Between blocks.
  [[nodiscard]] auto snapshot() const -> Bytes;

  auto consortium() const -> const Digest& override { return head_.consortium; }
  auto genesis() const -> const Genesis& override { return genesis_; }
  auto height() const -> Height override { return head_.height; }
  auto digest() const -> Digest override { return head_.digest; }
  auto policy() const -> const Policy& override { return head_.policy; }
  auto schema() const -> const Digest& override { return head_.schema; }
  auto members() const -> const std::map<HospitalId, Member>& override { return members_.items(); }
  auto rounds() const -> const std::map<RoundId, RoundRecord>& override { return rounds_.items(); }
  auto alignments() const -> const std::vector<AlignmentSession>& override {
    return alignments_.items();
  }
  auto models() const -> const std::vector<ModelRecord>& override { return models_.items(); }
  auto proposals() const -> const std::map<std::uint64_t, OpenProposal>& override {
    return proposals_.items();
  }
  auto families() const -> const std::map<Digest, Family>& override { return families_.items(); }
  auto committee_epoch() const -> std::uint32_t override { return head_.committee_epoch; }
  auto former_keys() const -> const std::map<sealing::VerifyKey, FormerKey>& override {
    return former_keys_.items();
  }
  auto offences() const -> const std::map<HospitalId, Offence>& override {
    return offences_.items();
  }
  auto app_version() const -> std::uint32_t override { return head_.app_version; }
  auto pending_upgrade() const -> const std::optional<Upgrade>& override { return head_.upgrade; }
  auto initial_model() const -> const std::optional<Digest>& override {
    return head_.initial_model;
  }
  auto block_hash(Height height) const -> Digest override;

  /// The block that is being built, or would be next.
  [[nodiscard]] auto next_height() const -> Height { return Height{head_.height.value + 1}; }

  // --- only rules that were judged write here
  // -----------------------------------------------------------------
  auto head() -> Head& { return head_; }
  [[nodiscard]] auto head() const -> const Head& { return head_; }
  auto member(HospitalId id) -> Member& { return members_.edit(id); }
  auto round(RoundId id) -> RoundRecord& { return rounds_.edit(id); }
  auto proposal(std::uint64_t id) -> OpenProposal& { return proposals_.edit(id); }
  auto family(const Digest& name) -> Family& { return families_.edit(name); }
  auto alignment(std::size_t index) -> AlignmentSession& { return alignments_.edit(index); }
  void add_member(const MemberInfo& info, Height since);
  void add_round(RoundRecord round) {
    const RoundId id = round.id;
    rounds_.put(id, std::move(round));
  }
  void add_proposal(OpenProposal proposal) {
    const std::uint64_t id = proposal.id;
    proposals_.put(id, std::move(proposal));
  }
  void add_family(const Digest& name, Family family) { families_.put(name, std::move(family)); }
  void add_alignment(AlignmentSession session) { alignments_.push(std::move(session)); }
  void add_model(const ModelRecord& model) { models_.push(model); }
  void add_former_key(const sealing::VerifyKey& key, const FormerKey& former) {
    former_keys_.put(key, former);
  }
  /// The member's record, made when it has none.
  auto offence(HospitalId id) -> Offence& {
    return offences_.find(id) == nullptr ? offences_.put(id, {}) : offences_.edit(id);
  }
  void erase_proposal(std::uint64_t id) { proposals_.erase(id); }
  void erase_family(const Digest& name) { families_.erase(name); }

  /// Everything from here on belongs to a new block. Does nothing inside one.
  void begin_block();
  [[nodiscard]] auto in_block() const -> bool { return in_block_; }
  /// Moves to the block's height. The hash is that of the block.
  void enter_height(const Digest& block_hash);
  /// Hashes what changed and fixes the state digest.
  void seal_block();
  void revert_block();
  [[nodiscard]] auto recomputed_digest() const -> Digest;

  /// A record as its leaf has it, and its way up the tree. Between blocks.
  [[nodiscard]] auto leaf_of(BytesView key) const -> std::optional<Bytes>;
  [[nodiscard]] auto path_of(BytesView key) const -> std::optional<LeafPath>;

  /// Checks what must always be true of what this block, with so many transactions, changed.
  void ensure_invariants(std::size_t transactions) const;

 private:
  struct Empty {};
  Book(Empty, const Genesis& genesis);
  /// Every shelf with the kind of its leaves: a new kind of record is one line here. Kinds ascend.
  template <typename Self, typename Visit>
  static void each_shelf(Self& book, Visit visit);
  void refresh_leaves();
  void set_leaf(const Bytes& key, const std::optional<Digest>& leaf);
  /// Of which past blocks do rules ask the hash?
  [[nodiscard]] auto heights_asked_for() const -> std::set<Height>;
  [[nodiscard]] auto check_hashes() const -> bool;

  Genesis genesis_;
  Head head_, head_before_;
  Shelf<HospitalId, Member> members_;
  Shelf<RoundId, RoundRecord> rounds_;
  Shelf<std::uint64_t, OpenProposal> proposals_;
  Shelf<Digest, Family> families_;
  Shelf<sealing::VerifyKey, FormerKey> former_keys_;
  Shelf<HospitalId, Offence> offences_;
  Row<AlignmentSession> alignments_;
  Row<ModelRecord> models_;
  std::map<Height, Digest> older_hashes_;  ///< of blocks before this book was restored
  std::vector<Digest> block_hashes_;       ///< of height h at [h−1−restored_at_]
  std::uint64_t restored_at_ = 0;
  LeafTree leaves_;
  std::map<Bytes, std::optional<Digest>> leaves_before_;
  bool in_block_ = false;
  bool can_revert_ = false;
};

}  // namespace consilium::ledger
