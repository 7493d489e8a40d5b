#include "consilium/ledger/ledger.hpp"

#include <deque>
#include <set>

#include "consilium/foundation/hash.hpp"

#include "codec.hpp"
#include "rules.hpp"

namespace consilium::ledger {
namespace {

constexpr std::size_t block_transactions_max = 10'000;
constexpr std::uint8_t block_version = 2;

/// Signatures that were found good: a transaction is judged several times on its way into a block,
/// and its signature costs more than everything else. Says nothing about the state, so two ledgers
/// that remember different ones judge alike.
class GoodSignatures {
 public:
  auto verify(const sealing::VerifyKey& key, const Transaction& transaction) -> Result<void> {
    const Digest message = transaction.signing_digest();
    const Digest name = tagged_hash("consilium/ledger/1/good-signature",
                                    {key.bytes, message.view(), transaction.signature.bytes});
    if (known_.contains(name)) return {};
    CONSILIUM_CHECK(sealing::verify(key, message.view(), transaction.signature));
    if (order_.size() == remembered_max) {
      known_.erase(order_.front());
      order_.pop_front();
    }
    known_.insert(name);
    order_.push_back(name);
    return {};
  }

 private:
  static constexpr std::size_t remembered_max = 32'768;
  std::set<Digest> known_;
  std::deque<Digest> order_;
};

struct Accepted {
  Change change;
  HospitalId sender;
};

/// In the order of cost. `later`: transactions of the same sender may still come before it.
auto judge_envelope(const Book& book, GoodSignatures& signatures, const Transaction& transaction,
                    bool later) -> Result<const Member*> {
  const std::string place = "transaction " + std::string(name_of(transaction.body));
  if (transaction.consortium != book.consortium())
    return fail("wrong_consortium", place, "It was signed for another consortium.");
  const auto sender = book.members().find(transaction.sender);
  if (sender == book.members().end() || !sender->second.active)
    return fail("unknown_member", place, "Its sender is no active member.");
  const std::uint64_t next = sender->second.sequence + 1;
  if (later ? transaction.sequence < next : transaction.sequence != next)
    return fail("out_of_sequence", place, "Its sequence number is not the sender's next one.");
  if (transaction.expiry < book.next_height())
    return fail("expired", place, "Its expiry height has passed: sign it again.");
  if (!signatures.verify(sender->second.info.key, transaction))
    return fail("bad_signature", place,
                "It was signed with another key, or for another consortium, round or set than this "
                "ledger has: catch up and sign it again.");
  return &sender->second;
}

/// Envelope first; then the rule of its kind.
auto judge_transaction(const Book& book, GoodSignatures& signatures, const Transaction& transaction)
    -> Result<Accepted> {
  CONSILIUM_TRY(const Member* sender, judge_envelope(book, signatures, transaction, false));
  const Context context{book, *sender, book.next_height(), transaction.expiry};
  CONSILIUM_TRY(
      Change change,
      std::visit([&context](const auto& body) { return judge(context, body); }, transaction.body));
  return Accepted{std::move(change), transaction.sender};
}

/// Has this program the rules that the next block is made by?
auto need_version(const Book& book, std::uint32_t newest) -> Result<void> {
  const std::uint32_t version = book.next_app_version();
  if (version <= newest) return {};
  return fail("app_version_unknown", "block " + std::to_string(book.next_height().value),
              "The consortium voted for version " + std::to_string(version) +
                  " of the rules from here on, and this program ends with version " +
                  std::to_string(newest) +
                  ": install the newer program and start it on the same files.");
}

/// What a block would carry is what is judged: one that was built here must read back from its own
/// bytes.
auto canonical(const Transaction& transaction) -> Result<Bytes> {
  Bytes bytes = transaction.encode();
  CONSILIUM_CHECK(Transaction::decode(bytes));
  return bytes;
}

}  // namespace

auto Block::encode() const -> Bytes {
  Writer out(IntegerForm::compact);
  out.u8(block_version);
  put(out, height);
  out.digest(previous);
  out.list(transactions, [](Writer& w, const Bytes& transaction) { w.bytes(transaction); });
  return out.take();
}

auto Block::decode(BytesView bytes) -> Result<Block> {
  Reader in(bytes, "block", IntegerForm::compact);
  Block block;
  if (in.u8() != block_version) in.reject();
  block.height.value = in.u64();
  block.previous = in.digest();
  block.transactions =
      in.list(block_transactions_max, [](Reader& r) { return r.bytes(transaction_bytes_max); });
  CONSILIUM_CHECK(in.finish());
  return block;
}

auto Block::hash() const -> Digest {
  // tagged_hash with as many parts as there are transactions.
  constexpr std::string_view tag = "consilium/ledger/1/block";
  Hasher hasher;
  hasher.add_u16(static_cast<std::uint16_t>(tag.size())).add_text(tag);
  hasher.add_u64(previous.bytes.size()).add(previous.view());
  hasher.add_u64(sizeof(height.value)).add_u64(height.value);
  for (const auto& transaction : transactions) hasher.add_u64(transaction.size()).add(transaction);
  return hasher.finish();
}

struct Ledger::Content {
  Content(Book state, std::uint32_t newest) : book(std::move(state)), newest_version(newest) {}
  Book book;
  std::uint32_t newest_version;
  std::vector<Bytes> pending;
  std::size_t pending_bytes = 0;
  GoodSignatures signatures;

  auto apply(const Transaction& transaction, Bytes bytes) -> Verdict {
    CONSILIUM_CHECK(need_version(book, newest_version));
    CONSILIUM_TRY(const Accepted accepted, judge_transaction(book, signatures, transaction));
    book.begin_block();
    accepted.change(book);
    ++book.member(accepted.sender).sequence;
    pending_bytes += bytes.size();
    pending.push_back(std::move(bytes));
    return {};
  }
};

Ledger::Ledger(const Genesis& genesis, std::uint32_t newest_version)
    : content_(std::make_unique<Content>(Book(genesis), newest_version)) {}
Ledger::Ledger(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
auto Ledger::operator=(Ledger&&) noexcept -> Ledger& = default;
Ledger::~Ledger() = default;

auto Ledger::check(const Transaction& transaction) const -> Verdict {
  CONSILIUM_CHECK(canonical(transaction));
  CONSILIUM_CHECK(knows_next_version());
  CONSILIUM_CHECK(judge_transaction(content_->book, content_->signatures, transaction));
  return {};
}

auto Ledger::check_later(const Transaction& transaction) const -> Verdict {
  CONSILIUM_CHECK(canonical(transaction));
  CONSILIUM_CHECK(judge_envelope(content_->book, content_->signatures, transaction, true));
  return {};
}

auto Ledger::apply(const Transaction& transaction) -> Verdict {
  CONSILIUM_TRY(Bytes bytes, canonical(transaction));
  return content_->apply(transaction, std::move(bytes));
}

auto Ledger::knows_next_version() const -> Result<void> {
  return need_version(content_->book, content_->newest_version);
}

auto Ledger::end_block() -> Block {
  CONSILIUM_ENSURE(knows_next_version().has_value());
  Book& book = content_->book;
  book.begin_block();
  Block block{book.next_height(), book.digest(), std::move(content_->pending)};
  content_->pending.clear();
  content_->pending_bytes = 0;
  book.enter_height(block.hash());
  end_rounds(book);
  end_alignments(book);
  end_proposals(book);
  end_credits(book);
  book.ensure_invariants(block.transactions.size());
  book.seal_block();
  return block;
}

auto Ledger::apply_block(const Block& block) -> Result<void> {
  const Book& book = content_->book;
  const std::string place = "block " + std::to_string(block.height.value);
  if (!content_->pending.empty())
    return fail("block_in_progress", place, "This ledger is building a block of its own.");
  if (block.height != book.next_height())
    return fail("wrong_height", place, "It does not follow the present height.");
  if (block.previous != book.digest())
    return fail("wrong_previous", place, "It was made on another state.");
  CONSILIUM_CHECK(knows_next_version());
  for (const auto& bytes : block.transactions) {
    auto transaction = Transaction::decode(bytes, *this);
    Verdict verdict = transaction ? content_->apply(*transaction, bytes)
                                  : Verdict(tl::unexpected(transaction.error()));
    if (verdict) continue;
    // Only what this block began may be taken back, not the block before it.
    if (book.in_block()) revert_block();
    return verdict;
  }
  const Block made = end_block();
  CONSILIUM_ENSURE(made.height == block.height && made.transactions == block.transactions);
  return {};
}

void Ledger::revert_block() {
  content_->pending.clear();
  content_->pending_bytes = 0;
  content_->book.revert_block();
}

auto Ledger::snapshot() const -> Bytes {
  return content_->book.snapshot();
}

auto Ledger::restore(const Genesis& genesis, BytesView snapshot, const Digest& digest)
    -> Result<Ledger> {
  CONSILIUM_TRY(Book book, Book::restore(genesis, snapshot, digest));
  return Ledger(std::make_unique<Content>(std::move(book), app_version_newest));
}

auto Ledger::prove(BytesView key) const -> Result<RecordProof> {
  auto record = content_->book.leaf_of(key);
  auto path = content_->book.path_of(key);
  if (!record || !path)
    return fail("unknown_record",
                "record " + to_hex(key.first(std::min<std::size_t>(64, key.size()))),
                "The state has no record of this name.");
  return RecordProof{Bytes(key.begin(), key.end()), std::move(*record), std::move(*path)};
}

auto Ledger::pending_count() const -> std::size_t {
  return content_->pending.size();
}
auto Ledger::pending_bytes() const -> std::size_t {
  return content_->pending_bytes;
}
auto Ledger::recomputed_digest() const -> Digest {
  return content_->book.recomputed_digest();
}

auto Ledger::consortium() const -> const Digest& {
  return content_->book.consortium();
}
auto Ledger::genesis() const -> const Genesis& {
  return content_->book.genesis();
}
auto Ledger::height() const -> Height {
  return content_->book.height();
}
auto Ledger::digest() const -> Digest {
  return content_->book.digest();
}
auto Ledger::policy() const -> const Policy& {
  return content_->book.policy();
}
auto Ledger::schema() const -> const Digest& {
  return content_->book.schema();
}
auto Ledger::members() const -> const std::map<HospitalId, Member>& {
  return content_->book.members();
}
auto Ledger::rounds() const -> const std::map<RoundId, RoundRecord>& {
  return content_->book.rounds();
}
auto Ledger::alignments() const -> const std::vector<AlignmentSession>& {
  return content_->book.alignments();
}
auto Ledger::models() const -> const std::vector<ModelRecord>& {
  return content_->book.models();
}
auto Ledger::proposals() const -> const std::map<std::uint64_t, OpenProposal>& {
  return content_->book.proposals();
}
auto Ledger::families() const -> const std::map<Digest, Family>& {
  return content_->book.families();
}
auto Ledger::committee_epoch() const -> std::uint32_t {
  return content_->book.committee_epoch();
}
auto Ledger::former_keys() const -> const std::map<sealing::VerifyKey, FormerKey>& {
  return content_->book.former_keys();
}
auto Ledger::offences() const -> const std::map<HospitalId, Offence>& {
  return content_->book.offences();
}
auto Ledger::app_version() const -> std::uint32_t {
  return content_->book.app_version();
}
auto Ledger::pending_upgrade() const -> const std::optional<Upgrade>& {
  return content_->book.pending_upgrade();
}
auto Ledger::initial_model() const -> const std::optional<Digest>& {
  return content_->book.initial_model();
}
auto Ledger::block_hash(Height height) const -> Digest {
  return content_->book.block_hash(height);
}

}  // namespace consilium::ledger
