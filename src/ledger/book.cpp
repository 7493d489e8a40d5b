#include "book.hpp"

#include <algorithm>

#include "consilium/foundation/hash.hpp"

#include "records.hpp"

namespace consilium::ledger {

template <typename Self, typename Visit>
void Book::each_shelf(Self& book, Visit visit) {
  visit(LeafKind::member, book.members_);
  visit(LeafKind::proposal, book.proposals_);
  visit(LeafKind::round, book.rounds_);
  visit(LeafKind::family, book.families_);
  visit(LeafKind::alignment, book.alignments_);
  visit(LeafKind::model, book.models_);
  visit(LeafKind::former_key, book.former_keys_);
  visit(LeafKind::offence, book.offences_);
}

Book::Book(Empty /*nothing yet*/, const Genesis& genesis) : genesis_(genesis) {}

Book::Book(const Genesis& genesis) : genesis_(genesis) {
  head_.consortium = genesis.consortium();
  head_.policy = genesis.policy;
  head_.schema = genesis.schema;
  begin_block();
  add_member(genesis.founder, Height{0});
  for (const auto& server : genesis.servers) add_member(server, Height{0});
  seal_block();
  can_revert_ = false;
}

auto Book::block_hash(Height height) const -> Digest {
  if (height.value <= restored_at_) {
    const auto older = older_hashes_.find(height);
    return older == older_hashes_.end() ? Digest{} : older->second;
  }
  const std::uint64_t place = height.value - 1 - restored_at_;
  return place < block_hashes_.size() ? block_hashes_[place] : Digest{};
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
  each_shelf(*this, [](LeafKind, auto& shelf) { shelf.keep(); });
  leaves_before_.clear();
  head_before_ = head_;
  in_block_ = true;
  can_revert_ = true;
}

void Book::enter_height(const Digest& block_hash) {
  CONSILIUM_ENSURE(in_block_);
  CONSILIUM_ENSURE(block_hashes_.size() == head_.height.value - restored_at_);
  ++head_.height.value;
  head_.last_block = block_hash;
  block_hashes_.push_back(block_hash);
  if (head_.upgrade && head_.upgrade->height <= head_.height) {
    head_.app_version = head_.upgrade->app_version;
    head_.upgrade.reset();
  }
}

void Book::set_leaf(const Bytes& key, const std::optional<Digest>& leaf) {
  leaves_before_.try_emplace(key, leaves_.find(key));
  leaves_.set(key, leaf);
}

void Book::refresh_leaves() {
  const Bytes head = leaf_key(LeafKind::head, 0);
  set_leaf(head, leaf_digest(head, encode_leaf(head_)));
  each_shelf(*this, [this](LeafKind kind, const auto& shelf) {
    shelf.each_changed([&](const auto& name, const auto* record) {
      const Bytes key = leaf_key(kind, name);
      set_leaf(key, record == nullptr
                        ? std::nullopt
                        : std::optional<Digest>(leaf_digest(key, encode_leaf(*record))));
    });
  });
}

void Book::seal_block() {
  refresh_leaves();
  head_.digest = leaves_.root();
  in_block_ = false;
}

auto Book::recomputed_digest() const -> Digest {
  std::map<Bytes, Digest> leaves;
  const auto add = [&leaves](const Bytes& key, const auto& record) {
    leaves[key] = leaf_digest(key, encode_leaf(record));
  };
  add(leaf_key(LeafKind::head, 0), head_);
  each_shelf(*this, [&](LeafKind kind, const auto& shelf) {
    shelf.each([&](const auto& name, const auto& record) { add(leaf_key(kind, name), record); });
  });
  std::vector<Digest> level;
  for (const auto& [key, digest] : leaves) level.push_back(digest);
  return merkle_root(std::move(level));
}

auto Book::leaf_of(BytesView key) const -> std::optional<Bytes> {
  CONSILIUM_ENSURE(!in_block_);
  if (std::ranges::equal(key, leaf_key(LeafKind::head, 0))) return encode_leaf(head_);
  std::optional<Bytes> leaf;
  each_shelf(*this, [&](LeafKind kind, const auto& shelf) {
    if (key.empty() || key.front() != static_cast<std::uint8_t>(kind)) return;
    shelf.each([&](const auto& name, const auto& record) {
      if (std::ranges::equal(key, leaf_key(kind, name))) leaf = encode_leaf(record);
    });
  });
  return leaf;
}

auto Book::path_of(BytesView key) const -> std::optional<LeafPath> {
  return leaves_.path_of(key);
}

auto Book::heights_asked_for() const -> std::set<Height> {
  std::set<Height> heights;
  for (const auto& [id, round] : rounds_.items()) {
    heights.insert(round.opened_at);
    if (round.audit) heights.insert(round.audit->fixed_at);
  }
  // The head has the last one.
  heights.erase(head_.height);
  return heights;
}

/// Seeds and positions were drawn from block hashes, and are in the state: they say whether a hash
/// is the right one.
auto Book::check_hashes() const -> bool {
  return std::ranges::all_of(rounds_.items(), [this](const auto& item) {
    const RoundRecord& round = item.second;
    const auto suite = sealing::suite_from_id(round.open.suite);
    if (!suite || round.seed != sealing::round_seed(round.stream, round.id, round.open.base,
                                                    block_hash(round.opened_at), *suite))
      return false;
    if (!round.audit) return true;
    const auto positions = sealing::audit_positions(
        parameters_of(round), block_hash(round.audit->fixed_at), round.audit->failure);
    return positions && positions->digest() == round.audit->positions.digest();
  });
}

constexpr std::uint8_t snapshot_version = 1;
constexpr std::size_t leaf_key_bytes_max = 64;

auto Book::snapshot() const -> Bytes {
  CONSILIUM_ENSURE(!in_block_);
  Writer records;
  std::uint32_t count = 1;
  records.bytes(leaf_key(LeafKind::head, 0)).bytes(encode_record(head_, Depth::whole));
  each_shelf(*this, [&](LeafKind kind, const auto& shelf) {
    shelf.each([&](const auto& name, const auto& record) {
      records.bytes(leaf_key(kind, name)).bytes(encode_record(record, Depth::whole));
      ++count;
    });
  });
  Writer out;
  out.u8(snapshot_version).digest(head_.consortium);
  out.u32(count).fixed(records.view());
  out.list(heights_asked_for(), [this](Writer& w, Height height) {
    put(w, height);
    w.digest(block_hash(height));
  });
  return out.take();
}

auto Book::restore(const Genesis& genesis, BytesView snapshot, const Digest& digest)
    -> Result<Book> {
  constexpr std::string_view place = "snapshot";
  Book book(Empty{}, genesis);
  Reader in(snapshot, place);
  if (in.u8() != snapshot_version) in.reject();
  const Digest consortium = in.digest();
  if (in.ok() && consortium != genesis.consortium())
    return fail("wrong_consortium", place, "It is another consortium's: fetch the right one.");
  const std::size_t count = in.count(snapshot.size());
  Bytes last;
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const Bytes key = in.bytes(leaf_key_bytes_max);
    const Bytes bytes = in.bytes(snapshot.size());
    bool taken = false;
    if (i == 0 && key == leaf_key(LeafKind::head, 0)) {
      CONSILIUM_TRY(book.head_, decode_record<Head>(bytes));
      taken = true;
    }
    const bool in_order = i > 0 && last < key;
    each_shelf(book, [&]<typename Shelf>(LeafKind kind, Shelf& shelf) {
      if (!in_order || key.front() != static_cast<std::uint8_t>(kind)) return;
      typename Shelf::KeyType name{};
      auto record = decode_record<typename Shelf::ValueType>(bytes);
      taken = record && read_leaf_key(key, name) && shelf.take(name, std::move(*record));
    });
    if (!taken) in.reject();
    last = key;
  }
  const auto hashes = in.list(snapshot.size(), [](Reader& r) {
    const Height height{r.u64()};
    return std::pair{height, r.digest()};
  });
  CONSILIUM_CHECK(in.finish());
  const auto damaged = [&] {
    return fail("snapshot_damaged", place,
                "It does not give the state digest that was agreed on: fetch it anew.");
  };
  if (count == 0) return damaged();
  book.older_hashes_.insert(hashes.begin(), hashes.end());
  book.older_hashes_[book.head_.height] = book.head_.last_block;
  book.restored_at_ = book.head_.height.value;
  const auto add = [&book](const Bytes& key, const auto& record) {
    book.leaves_.set(key, leaf_digest(key, encode_leaf(record)));
  };
  add(leaf_key(LeafKind::head, 0), book.head_);
  each_shelf(book, [&](LeafKind kind, auto& shelf) {
    shelf.keep();
    shelf.each([&](const auto& name, const auto& record) { add(leaf_key(kind, name), record); });
  });
  book.head_.digest = book.leaves_.root();
  // Only now is anything believed of what was read. Written again it must be the same bytes: a
  // state has one snapshot.
  if (book.head_.digest != digest || !book.check_hashes() ||
      !std::ranges::equal(book.snapshot(), snapshot))
    return damaged();
  return book;
}

void Book::revert_block() {
  if (!can_revert_) return;
  each_shelf(*this, [](LeafKind, auto& shelf) { shelf.revert(); });
  for (const auto& [key, digest] : leaves_before_) leaves_.set(key, digest);
  leaves_before_.clear();
  head_ = head_before_;
  CONSILIUM_ENSURE(leaves_.root() == head_.digest);
  block_hashes_.resize(head_.height.value - restored_at_);
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
