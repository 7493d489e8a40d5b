#pragma once
// A small honest model of the consensus engine: Tendermint as published (E. Buchman, J. Kwon, Z.
// Milosevic, "The latest gossip on BFT consensus", arXiv:1807.04938, algorithm 1), with what
// CometBFT adds and our application depends on: a block carries the commit of the one before and
// the application's hash after it, changes of the validators count two blocks later, nobody
// proposes while nothing waits, a node that comes back replays its own blocks and fetches others.
//
// One `Quorum` is one node's engine. It drives that node's real engine::Application and knows
// neither time nor network nor faults: these are its `Surroundings`. Votes cannot be forged because
// nobody in the model forges any: only a vote's own validator ever makes it.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "consilium/engine/application.hpp"

namespace consilium::simulator {

/// By node; 0: no validator.
using Powers = std::vector<std::int64_t>;

struct EngineVote {
  std::size_t validator = 0;
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  bool precommit = false;
  Digest block;  ///< zero: for none
  auto operator==(const EngineVote&) const -> bool = default;
};

struct EngineBlock {
  std::uint64_t height = 0;
  std::int64_t time_ms = 0;  ///< by the proposer's clock
  Digest previous;           ///< name of the block before
  Digest app_hash;           ///< the application's after the block before
  std::size_t proposer = 0;
  std::vector<EngineVote> last_commit;
  std::vector<Bytes> transactions;
  Digest name;  ///< of all above
  void give_name();
};
using BlockPointer = std::shared_ptr<const EngineBlock>;

struct EngineProposal {
  std::uint32_t round = 0;
  std::int64_t valid_round = -1;
  BlockPointer block;
};
struct Posted {
  Bytes transaction;
};
/// Everything a node knows of the height it works on; how votes reach whom they missed.
struct Gossip {
  std::uint64_t height = 0;
  std::vector<EngineProposal> proposals;
  std::vector<EngineVote> votes;
};
/// A block that was decided, with who signed it.
struct Decided {
  BlockPointer block;
  std::vector<EngineVote> commit;
};
using Message = std::variant<Posted, EngineProposal, EngineVote, Gossip, Decided>;
using MessagePointer = std::shared_ptr<const Message>;

enum class Wait : std::uint8_t { propose, prevote, precommit, gossip, tick };
struct Timer {
  Wait what = Wait::gossip;
  std::uint64_t height = 0;
  std::uint32_t round = 0;
};

/// Rules taken away on purpose, to see that the simulator notices. All off: the model is honest.
struct Mutants {
  bool forgets_locks = false;       ///< prevotes whatever is proposed
  bool forgets_votes = false;       ///< a restart begins the height anew, and signs it again
  bool small_quorum = false;        ///< half the power decides
  bool trusts_proposals = false;    ///< never asks the application what it thinks of one
  bool counts_own_commits = false;  ///< tells the application of the votes it saw itself
  bool never_catches_up = false;    ///< fetches no block that others decided
  bool lies_about_syncs = false;    ///< the disk does
  bool acknowledges_early = false;  ///< tells the client when the mempool took it
  bool lowers_everybody = false;    ///< takes power from all who missed one commit
};

class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual void send_all(Message message) = 0;
  virtual void send_one(std::size_t to, Message message) = 0;
  virtual void wake_in(std::int64_t ms, const Timer& timer) = 0;
  [[nodiscard]] virtual auto now_ms() const -> std::int64_t = 0;
  /// A block was finalized, its application hash is known; then it was committed.
  virtual void finalized(const EngineBlock& block, const engine::FinalizedBlock& done,
                         const Powers& next) = 0;
  virtual void committed(const EngineBlock& block) = 0;
  /// The node can go on no more: its database refused, or its chain is another than the others'.
  [[noreturn]] virtual void stop(const std::string& why) = 0;
};

class Quorum {
 public:
  /// What is on the disk of the engine itself, which outlives every crash: it writes what it signs
  /// before it says it, and a block before it works on it.
  struct Memory {
    std::uint64_t first_height = 0;  ///< of the first block in `chain`
    std::vector<Decided> chain;
    std::map<std::uint64_t, Powers> powers;  ///< by the height from which they count
    Digest first_app_hash;
    // Of the height that is worked on.
    std::uint64_t height = 0;
    std::uint32_t round = 0;
    std::vector<EngineVote> signed_votes;
    std::optional<EngineProposal> own_proposal;
    std::int64_t locked_round = -1, valid_round = -1;
    BlockPointer locked, valid;
  };

  Quorum(std::size_t node, Memory& memory, engine::Application& application,
         const std::map<engine::ValidatorAddress, std::size_t>& addresses,
         const std::vector<engine::ValidatorAddress>& address_of, const Mutants& mutants,
         Surroundings& around);

  /// Replays what the application has not seen, and begins.
  void start();
  void receive(std::size_t from, const Message& message);
  void wake(const Timer& timer);
  /// A transaction of this node's own hospital. The verdict is the mempool's.
  auto post(const Bytes& transaction) -> ledger::Verdict;

  [[nodiscard]] auto height() const -> std::uint64_t { return memory_.height; }
  [[nodiscard]] auto powers_at(std::uint64_t height) const -> const Powers&;
  /// Of the blocks that were proposed for this height.
  [[nodiscard]] auto names_known() const -> std::vector<Digest>;
  /// Another block that could stand in a proposal of this node: for a proposer with two faces.
  [[nodiscard]] auto block_of(std::vector<Bytes> transactions) const
      -> std::shared_ptr<EngineBlock>;

 private:
  enum class Step : std::uint8_t { resting, propose, prevote, precommit };
  /// By validator. Of a liar all that it said is kept and passed on: else two honest nodes could
  /// see different quorums and never hear of each other's.
  using Votes = std::vector<std::vector<Digest>>;
  struct Round {
    std::vector<EngineProposal> proposals;  ///< two at most: a second one is a lie
    Votes prevotes, precommits;
    bool prevote_timer = false, precommit_timer = false, taken = false;
  };
  auto round(std::uint32_t number) -> Round&;
  [[nodiscard]] auto proposer(std::uint32_t round) const -> std::size_t;
  [[nodiscard]] auto total() const -> std::int64_t;
  [[nodiscard]] auto is_quorum(std::int64_t power) const -> bool;
  /// Power of those who voted, or voted so.
  [[nodiscard]] auto power(const Votes& votes, const Digest* for_this) const -> std::int64_t;
  [[nodiscard]] auto signed_by_quorum(const std::vector<EngineVote>& votes,
                                      const EngineBlock& block) const -> bool;
  [[nodiscard]] auto is_well_formed(const EngineBlock& block) const -> bool;
  auto is_good(const BlockPointer& block) -> bool;
  void begin_height();
  void begin_round(std::uint32_t number);
  void propose();
  void vote(bool precommit, const Digest& block);
  void note(const EngineVote& vote);
  void note(const EngineProposal& proposal);
  void advance();
  auto advance_once() -> bool;
  void decide(const BlockPointer& block, std::vector<EngineVote> commit);
  void execute(const Decided& decided);
  void gossip();
  void take(const Bytes& transaction);
  void poll_tick();
  [[nodiscard]] auto last_name() const -> Digest;

  std::size_t node_;
  Memory& memory_;
  engine::Application& application_;
  const std::map<engine::ValidatorAddress, std::size_t>& addresses_;
  const std::vector<engine::ValidatorAddress>& address_of_;
  const Mutants& mutants_;
  Surroundings& around_;

  Step step_ = Step::resting;
  std::map<std::uint32_t, Round> rounds_;
  std::map<Digest, BlockPointer> blocks_;
  std::map<Digest, bool> good_;
  std::vector<Bytes> mempool_;
  std::set<Digest> known_;  ///< in the mempool
  Digest app_hash_;
  std::size_t next_peer_ = 0;
};

}  // namespace consilium::simulator
