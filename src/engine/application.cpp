#include "consilium/engine/application.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::engine {

namespace {

using ledger::Transaction;
using ledger::Verdict;

constexpr std::string_view tick_tag = "consilium/engine/1/tick";
constexpr std::string_view app_tag = "consilium/engine/1/app";
constexpr std::size_t rule_bytes_max = 16U << 10U;
/// So many transactions of one sender may wait behind each other.
constexpr std::uint64_t waiting_of_one_sender_max = 10'000;
constexpr std::size_t reported_max = 1000;

/// The height a tick is for; nothing when it is none.
auto decode_tick(BytesView bytes) -> std::optional<Height> {
  if (bytes.size() != tick_tag.size() + sizeof(std::uint64_t) ||
      !std::equal(tick_tag.begin(), tick_tag.end(), bytes.begin()))
    return std::nullopt;
  Reader in(bytes.subspan(tick_tag.size()), "tick");
  return Height{in.u64()};
}

}  // namespace

auto encode_tick(Height next) -> Bytes {
  Writer out;
  out.fixed(as_bytes(tick_tag)).u64(next.value);
  return out.take();
}

struct Application::Parts {
  Parts(ledger::LedgerStore kept, Settings chosen, const Clock& time)
      : store(std::move(kept)), settings(chosen), clock(time) {}

  std::mutex one_at_a_time;
  ledger::LedgerStore store;
  Settings settings;
  const Clock& clock;

  // As committed.
  std::uint64_t engine_height = 0;
  ValidatorRule validators;
  Digest committed_hash;
  std::uint32_t committed_version = 1;
  // As finalized and not committed.
  struct Finalized {
    std::uint64_t engine_height = 0;
    ValidatorRule validators;
    std::optional<ledger::Block> block;
    bool reports_double_signing = false;
  };
  std::optional<Finalized> finalized;

  std::map<HospitalId, std::uint64_t> last_waiting;  ///< of a sender, in the mempool
  std::vector<std::uint64_t> reported;               ///< engine heights, not asked for yet
  std::int64_t block_made_ms = 0, engine_moved_ms = 0;

  [[nodiscard]] auto ledger() const -> const ledger::Ledger& { return store.ledger(); }

  [[nodiscard]] auto waits() const -> bool {
    return ledger().is_waiting() || validators.would_change(ledger().validators());
  }
  [[nodiscard]] auto app_hash(const ValidatorRule& rule) const -> Digest {
    Writer engine;
    engine.u64(ledger().next_app_version()).fixed(rule.encode());
    return tagged_hash(app_tag, {ledger().digest().view(), engine.view()});
  }
  void drop_finalized() {
    if (!finalized) return;
    store.drop_block();
    finalized.reset();
  }
  /// In a block that is being built: the verdict, and whether it was a tick.
  auto build(BytesView bytes, bool& ticked) -> Verdict {
    if (const auto tick = decode_tick(bytes)) {
      CONSILIUM_CHECK(judge_tick(*tick));
      if (ticked) return fail("duplicate", "tick", "One tick a block is enough.");
      ticked = true;
      return {};
    }
    CONSILIUM_TRY(const Transaction transaction, Transaction::decode(bytes, ledger()));
    return store.build(transaction);
  }
  [[nodiscard]] auto judge_tick(Height next) const -> Verdict {
    if (next.value != ledger().height().value + 1)
      return fail("wrong_height", "tick", "It is for another height than the next one.");
    if (!waits()) return fail("not_waiting", "tick", "Nothing waits for a height.");
    return {};
  }
};

Application::Application(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Application::~Application() = default;

auto Application::open(ledger::LedgerStore store, Settings settings, const Clock& clock)
    -> Result<std::unique_ptr<Application>> {
  auto parts = std::make_unique<Parts>(std::move(store), settings, clock);
  CONSILIUM_TRY(const auto record, parts->store.driver_record());
  if (record) {
    Reader in(*record, "the engine's record");
    parts->engine_height = in.u64();
    const Bytes rule = in.bytes(rule_bytes_max);
    const Height height{in.u64()};
    const Digest digest = in.digest();
    CONSILIUM_CHECK(in.finish());
    CONSILIUM_TRY(parts->validators, ValidatorRule::decode(rule));
    if (height != parts->ledger().height() || digest != parts->ledger().digest())
      return fail("database_damaged", "the engine's record",
                  "The ledger went on without its engine: restore both from one backup.");
  } else {
    const auto& founder = parts->ledger().genesis().founder;
    if (!founder.validator_key)
      return fail("bad_genesis", "founder " + founder.name,
                  "It names no validator: a chain begins with the founder's.");
    parts->validators = ValidatorRule({{HospitalId{1}, *founder.validator_key}});
  }
  parts->committed_hash = parts->app_hash(parts->validators);
  parts->committed_version = parts->ledger().next_app_version();
  parts->block_made_ms = parts->engine_moved_ms = clock.monotonic_ms();
  return std::unique_ptr<Application>(new Application(std::move(parts)));
}

auto Application::info() -> EngineInfo {
  const std::lock_guard lock(parts_->one_at_a_time);
  // Anybody may ask at any time, also between a block's end and its commit: nothing changes here.
  if (parts_->engine_height == 0) return {};
  return {parts_->engine_height, parts_->committed_hash, parts_->committed_version};
}

auto Application::init_chain(std::string_view app_state) -> Result<std::vector<ValidatorPower>> {
  const std::lock_guard lock(parts_->one_at_a_time);
  if (app_state != "\"" + parts_->ledger().consortium().hex() + "\"")
    return fail("wrong_consortium", "the chain's first page",
                "It names another consortium than this node's ledger: fetch the right one.");
  if (parts_->ledger().height().value != 0)
    return fail("wrong_height", "the chain's first page",
                "This node's ledger has blocks that no chain made: begin with an empty directory.");
  return parts_->validators.powers();
}

auto Application::check(BytesView bytes, bool again) -> Verdict {
  const std::lock_guard lock(parts_->one_at_a_time);
  auto& p = *parts_;
  if (const auto tick = decode_tick(bytes)) {
    CONSILIUM_CHECK(p.judge_tick(*tick));
    if (p.clock.monotonic_ms() - p.block_made_ms < p.settings.block_interval_ms)
      return fail("too_early", "tick", "The last block is younger than the block interval.");
    return {};
  }
  CONSILIUM_TRY(const Transaction transaction, Transaction::decode(bytes, p.ledger()));
  const auto& members = p.ledger().members();
  const auto sender = members.find(transaction.sender);
  const std::uint64_t taken = sender == members.end() ? 0 : sender->second.sequence;
  if (sender == members.end() || transaction.sequence <= taken + 1) {
    CONSILIUM_CHECK(p.ledger().check(transaction));
  } else {
    const auto waiting = p.last_waiting.find(transaction.sender);
    const std::uint64_t last = waiting == p.last_waiting.end() ? taken : waiting->second;
    if (!again && (transaction.sequence > std::max(last, taken) + 1 ||
                   transaction.sequence > taken + waiting_of_one_sender_max))
      return fail("out_of_sequence", "transaction " + std::string(name_of(transaction.body)),
                  "Its sequence number is not the sender's next one.");
    CONSILIUM_CHECK(p.ledger().check_later(transaction));
  }
  auto& last = p.last_waiting[transaction.sender];
  last = std::max(last, transaction.sequence);
  return {};
}

auto Application::prepare_proposal(std::vector<Bytes> transactions, std::size_t bytes_max)
    -> std::vector<Bytes> {
  const std::lock_guard lock(parts_->one_at_a_time);
  parts_->drop_finalized();
  std::vector<Bytes> out;
  std::size_t size = 0;
  bool ticked = false;
  for (auto& bytes : transactions) {
    // The engine counts a length of up to eleven bytes with each.
    if (size + bytes.size() + 11 > bytes_max) break;
    if (!parts_->build(bytes, ticked)) continue;
    size += bytes.size() + 11;
    out.push_back(std::move(bytes));
  }
  parts_->store.drop_block();
  return out;
}

auto Application::process_proposal(const ProposedBlock& block) -> bool {
  const std::lock_guard lock(parts_->one_at_a_time);
  parts_->drop_finalized();
  bool ticked = false;
  const bool honest =
      std::all_of(block.transactions.begin(), block.transactions.end(),
                  [&](const Bytes& bytes) { return parts_->build(bytes, ticked).has_value(); });
  parts_->store.drop_block();
  return honest;
}

auto Application::finalize_block(const ProposedBlock& block) -> Result<FinalizedBlock> {
  const std::lock_guard lock(parts_->one_at_a_time);
  auto& p = *parts_;
  p.drop_finalized();
  if (block.height != p.engine_height + 1)
    return fail("wrong_height", "engine block " + std::to_string(block.height),
                "This node's ledger was committed at engine height " +
                    std::to_string(p.engine_height) + ": restore both from one backup.");
  // Without the rules that were voted for, this node stops before the first block by them.
  CONSILIUM_CHECK(p.ledger().knows_next_version());
  FinalizedBlock out;
  bool ticked = false;
  std::size_t accepted = 0;
  for (const auto& bytes : block.transactions) {
    out.verdicts.push_back(p.build(bytes, ticked));
    accepted += out.verdicts.back() ? 1U : 0U;
  }
  Parts::Finalized finalized{block.height, p.validators, std::nullopt,
                             block.reports_double_signing};
  if (accepted > 0) finalized.block = p.store.end_block();
  out.validator_updates = finalized.validators.update(p.ledger().validators(), block.last_commit,
                                                      block.height, finalized.block.has_value());
  out.app_hash = p.app_hash(finalized.validators);
  if (const std::uint32_t version = p.ledger().next_app_version(); version != p.committed_version)
    out.app_version = version;
  p.finalized = std::move(finalized);
  return out;
}

auto Application::commit() -> Result<void> {
  const std::lock_guard lock(parts_->one_at_a_time);
  auto& p = *parts_;
  CONSILIUM_ENSURE(p.finalized.has_value());
  auto finalized = std::move(*p.finalized);
  p.finalized.reset();
  Writer record;
  record.u64(finalized.engine_height).bytes(finalized.validators.encode());
  record.u64(p.ledger().height().value).digest(p.ledger().digest());
  CONSILIUM_CHECK(
      p.store.keep(finalized.block ? &*finalized.block : nullptr, BytesView(record.view())));
  p.engine_height = finalized.engine_height;
  p.validators = std::move(finalized.validators);
  p.committed_hash = p.app_hash(p.validators);
  p.committed_version = p.ledger().next_app_version();
  if (finalized.reports_double_signing && p.reported.size() < reported_max)
    p.reported.push_back(p.engine_height);
  p.engine_moved_ms = p.clock.monotonic_ms();
  if (finalized.block) p.block_made_ms = p.engine_moved_ms;
  // Whoever has nothing waiting any more may begin anew; others keep their place in the queue.
  std::erase_if(p.last_waiting, [&](const auto& waiting) {
    const auto& members = p.ledger().members();
    const auto member = members.find(waiting.first);
    return member == members.end() || member->second.sequence >= waiting.second;
  });
  return {};
}

auto Application::blocks_after(Height height, std::size_t count_max)
    -> Result<std::vector<ledger::Block>> {
  const std::lock_guard lock(parts_->one_at_a_time);
  // What was finalized and not committed is not a block yet.
  const std::uint64_t last =
      parts_->ledger().height().value - (parts_->finalized && parts_->finalized->block ? 1U : 0U);
  std::vector<ledger::Block> out;
  for (std::uint64_t at = height.value + 1; at <= last && out.size() < count_max; ++at) {
    CONSILIUM_TRY(ledger::Block block, parts_->store.block_at(Height{at}));
    out.push_back(std::move(block));
  }
  return out;
}

auto Application::take_reported() -> std::vector<std::uint64_t> {
  const std::lock_guard lock(parts_->one_at_a_time);
  return std::exchange(parts_->reported, {});
}

auto Application::due_tick() -> std::optional<Bytes> {
  const std::lock_guard lock(parts_->one_at_a_time);
  const auto& p = *parts_;
  if (p.finalized || !p.waits() ||
      p.clock.monotonic_ms() - p.block_made_ms < p.settings.block_interval_ms)
    return std::nullopt;
  return encode_tick(Height{p.ledger().height().value + 1});
}

auto Application::progress() -> Progress {
  const std::lock_guard lock(parts_->one_at_a_time);
  const auto& p = *parts_;
  return {p.ledger().height(),
          p.engine_height,
          p.clock.monotonic_ms() - p.engine_moved_ms,
          p.waits(),
          p.validators.powers().size(),
          p.validators.absent()};
}

auto Application::close() -> Result<void> {
  const std::lock_guard lock(parts_->one_at_a_time);
  parts_->drop_finalized();
  return parts_->store.close();
}

}  // namespace consilium::engine
