#pragma once
/// What a consensus engine needs from the ledger, and nothing of any engine: about a dozen calls in
/// plain C++. CometBFT reaches them through `abci_server.hpp`; another engine could as well.
///
/// Always true:
///   - a block of the ledger here is the block that `solo` would have made of the same
///   transactions: the same hash, height and state digest;
///   - an engine's block in which nothing was accepted makes no block of the ledger, unless it
///   carries a tick; so a chain where nothing happens rests;
///   - what `commit` returned is on the disk, ledger and engine state together;
///   - finalize_block and process_proposal depend on the chain alone: no clock, no disk, no blob.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consilium/engine/validator_rule.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/ledger/store.hpp"

namespace consilium::engine {

/// A transaction as the engine carries it: the ledger's bytes, or a tick. Who waits for a height
/// while nobody posts anything sends a tick for the next one; all nodes send the same bytes.
[[nodiscard]] auto encode_tick(Height next) -> Bytes;

struct EngineInfo {
  std::uint64_t height = 0;  ///< of the engine's last block that was committed
  Digest app_hash;
  std::uint32_t app_version = 1;  ///< of the rules that make the next block
};

struct ProposedBlock {
  std::uint64_t height = 0;
  std::vector<Bytes> transactions;
  std::vector<CommitVote> last_commit;  ///< who signed the block before
  bool reports_double_signing = false;  ///< the engine found two votes of one validator
};

struct FinalizedBlock {
  std::vector<ledger::Verdict> verdicts;  ///< of each transaction
  std::vector<ValidatorPower> validator_updates;
  Digest app_hash;
  /// Set when the next block is the first one by other rules.
  std::optional<std::uint32_t> app_version;
};

/// One node's side of the chain. May be called from several threads; one call at a time is worked
/// on.
class Application final {
 public:
  struct Settings {
    /// A tick is taken into the mempool when this long has passed since the ledger's last block.
    std::int64_t block_interval_ms = 1000;
  };
  /// Takes the ledger's file over. Errors: `database_damaged` (the engine's record), `bad_genesis`
  /// (the founder named no validator).
  [[nodiscard]] static auto open(ledger::LedgerStore store, Settings settings, const Clock& clock)
      -> Result<std::unique_ptr<Application>>;
  ~Application();

  [[nodiscard]] auto info() -> EngineInfo;
  /// The chain's first page must name this consortium. Error: `wrong_consortium`.
  [[nodiscard]] auto init_chain(std::string_view app_state) -> Result<std::vector<ValidatorPower>>;
  /// For the mempool: transactions of one sender may follow each other before a block has taken the
  /// first. `again`: it was accepted before and waits since. The error is the ledger's verdict, or
  /// `too_early` and `not_waiting` for a tick.
  [[nodiscard]] auto check(BytesView transaction, bool again) -> ledger::Verdict;
  /// Of these, in their order, what the ledger accepts and has room for.
  [[nodiscard]] auto prepare_proposal(std::vector<Bytes> transactions, std::size_t bytes_max)
      -> std::vector<Bytes>;
  /// Would every transaction be accepted? A proposer that packs others is not honest.
  [[nodiscard]] auto process_proposal(const ProposedBlock& block) -> bool;
  /// Judges and applies; nothing is durable before `commit`. Errors end the node's part:
  /// `wrong_height`, `app_version_unknown` (the consortium voted for rules that this program
  /// lacks; what was committed before stays whole).
  [[nodiscard]] auto finalize_block(const ProposedBlock& block) -> Result<FinalizedBlock>;
  /// Errors: `disk_full`, `database_failed`; the block is then taken back and the node must stop.
  [[nodiscard]] auto commit() -> Result<void>;

  // --- for the node beside it
  /// As ledger::Driver::blocks_after.
  [[nodiscard]] auto blocks_after(Height height, std::size_t count_max)
      -> Result<std::vector<ledger::Block>>;
  /// Engine heights of committed blocks that report double signing, each once: whoever has the
  /// block posts the two votes as evidence (CometbftDriver::evidence_at). Of this process's life
  /// only: every other node has seen them, too.
  [[nodiscard]] auto take_reported() -> std::vector<std::uint64_t>;
  /// The tick to send now, if one is due.
  [[nodiscard]] auto due_tick() -> std::optional<Bytes>;
  struct Progress {
    Height ledger_height;
    std::uint64_t engine_height = 0;
    std::int64_t idle_ms = 0;  ///< since the engine's last block
    bool waiting = false;      ///< something waits for a height
    std::size_t validators = 0;
    std::vector<HospitalId> absent;  ///< whose power is lowered
  };
  [[nodiscard]] auto progress() -> Progress;
  [[nodiscard]] auto close() -> Result<void>;

 private:
  struct Parts;
  explicit Application(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace consilium::engine
