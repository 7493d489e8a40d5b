#pragma once
// A whole consortium on a chain, in one process with virtual time: every node has its real
// engine::Application over its real LedgerStore on a virtual disk, under a model of the consensus
// engine (quorum.hpp) and a network, clocks and neighbours that fail and lie. One seed, one story.
// After every event the world looks for what must never be.

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "consilium/engine/application.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/hash.hpp"
#include "consilium/ledger/ledger.hpp"

#include "quorum.hpp"
#include "virtual_disk.hpp"

namespace consilium::simulator {

/// What can go wrong, counted where it did: a fault that met nobody is none.
enum class Fault : std::uint8_t {
  message_lost,
  message_late,  ///< later than the engine's patience, so behind others
  message_twice,
  network_split,
  process_killed,
  killed_while_writing,
  all_killed,
  unsynced_write_lost,
  unsynced_write_torn,
  disk_full,
  disk_slow,
  clock_drifts,
  clock_jumps,
  transaction_malformed,
  transaction_replayed,
  transaction_out_of_sequence,
  transaction_wrongly_signed,
  transaction_submitted_twice,  ///< two different ones with one sequence number
  tick_forged,
  proposal_withheld,
  proposal_two_faced,
  proposal_with_refused,
  proposal_reordered,
  proposal_repeating,
  proposal_with_forged_tick,
  proposal_with_wrong_app_hash,
  proposal_with_short_commit,
  vote_withheld,
  vote_two_faced,
  count
};
inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::count);
[[nodiscard]] auto name_of(Fault fault) -> std::string_view;
using FaultCounts = std::array<std::uint64_t, fault_kinds>;

/// How bad it is while the story lasts; chances in per cent.
struct Climate {
  unsigned lost = 0, late = 0, twice = 0;
  unsigned kills = 0, splits = 0, disks = 0, clocks = 0;  ///< each fiftieth of a second
  unsigned aimed = 0;  ///< strikes when a node is first to decide
  unsigned busy = 20;  ///< a hospital posts something
  unsigned lies = 0;   ///< of whoever lies, each occasion
  auto operator==(const Climate&) const -> bool = default;
};

struct ChainSetup {
  std::size_t hospitals = 4;
  /// From the first page, with the founder as the only validator; else all are there already.
  bool from_genesis = false;
  std::vector<std::size_t> liars;  ///< dishonest: as hospital, as validator and as proposer
  Climate climate;
  Mutants mutants;
};

struct ChainReport {
  std::vector<std::string> broken;
  std::string summary;  ///< one line
  FaultCounts faults{};
  std::uint64_t messages = 0, blocks = 0, acknowledged = 0;
  std::size_t lowered_most = 0;
  Digest trace;
};
struct ChainPast;

class ChainWorld {
 public:
  ChainWorld(std::uint64_t seed, ChainSetup setup);
  /// With a past of its own, which must outlive it.
  ChainWorld(std::uint64_t seed, ChainSetup setup, const ChainPast& past);
  ~ChainWorld();
  ChainWorld(const ChainWorld&) = delete;
  auto operator=(const ChainWorld&) -> ChainWorld& = delete;

  /// Time goes on under the climate.
  void run_ms(std::int64_t ms);
  /// Everything that was broken is mended and stays so; liars lie on.
  void calm();
  /// Calm, and every honest hospital posts once more. True when all that was posted then is on
  /// every node, and nodes agree.
  auto settle(std::int64_t ms_max) -> bool;
  /// The end: every node's own file, opened anew, holds the one chain.
  void compare_files();

  /// Somebody else's transaction, at this node: again and again until it is on the chain or
  /// refused.
  void hand_in(std::size_t node, Bytes transaction);
  /// Blocks of the ledger after this height.
  [[nodiscard]] auto blocks_after(Height height) const -> std::vector<ledger::Block>;

  void kill(std::size_t node, std::int64_t ms);
  void split(std::vector<unsigned> sides);
  void heal();

  std::vector<std::string> broken;  ///< what must never be, and was
  FaultCounts faults{};
  std::uint64_t messages = 0, messages_cut_off = 0;  ///< at splits: the split is the fault
  std::uint64_t acknowledged = 0;
  /// Told line by line, when it is there.
  std::function<void(const std::string&)> teller;
  /// Fills in what there is to count, and the digest of all that happened; once, at the end.
  void report(ChainReport& report);
  [[nodiscard]] auto now_ms() const -> std::int64_t { return now_us_ / 1000; }
  [[nodiscard]] auto ledger() const -> const ledger::Ledger& { return truth_; }

 private:
  class Around;
  class SkewedClock final : public Clock {
   public:
    explicit SkewedClock(const std::int64_t& now_us) : now_us_(now_us) {}
    [[nodiscard]] auto monotonic_ms() const -> std::int64_t override {
      return (now_us_ + now_us_ / 1000 * drift_per_mille) / 1000 + jumped_ms;
    }
    [[nodiscard]] auto wall_ms() const -> std::int64_t override { return monotonic_ms(); }
    std::int64_t drift_per_mille = 0, jumped_ms = 0;

   private:
    const std::int64_t& now_us_;
  };
  struct Client {
    Bytes transaction;  ///< empty: it waits for nothing
    Digest name;
  };
  struct Node {
    std::size_t number = 0;
    HospitalId id;
    std::unique_ptr<VirtualDisk> disk;
    std::unique_ptr<SkewedClock> clock;
    Quorum::Memory memory;
    Mutants mutants;
    std::unique_ptr<Around> around;
    std::unique_ptr<engine::Application> application;
    std::unique_ptr<Quorum> quorum;  ///< none while the process is down
    std::uint32_t life = 0;
    unsigned side = 0;
    bool liar = false, slow = false;
    std::uint64_t answered_height = 0;  ///< of the last commit that was answered
    std::uint64_t told_lost = 0, told_torn = 0;
    Client client;
    std::vector<Bytes> handed_in;
    bool last_word = false;  ///< posted after the faults ended, and not yet on the chain
  };
  struct Event {
    std::int64_t due_us = 0;
    std::uint64_t order = 0;
    enum class What : std::uint8_t {
      message,
      timer,
      start,
      client,
      weather,
      strike
    } what = What::message;
    std::size_t node = 0, from = 0;
    std::uint32_t life = 0;
    MessagePointer message;
    Timer timer;
    auto operator<(const Event& other) const -> bool {
      return std::tie(other.due_us, other.order) < std::tie(due_us, order);
    }
  };

  [[nodiscard]] auto chance(unsigned percent) -> bool {
    return percent > 0 && chance_.below(100) < percent;
  }
  void found(std::string what);
  void note(std::string_view what, std::size_t node, std::uint64_t a = 0, std::uint64_t b = 0);
  void count(Fault fault, std::size_t node, std::uint64_t times = 1);
  void push(Event event);
  void step();
  void dispatch(Event& event);
  void guarded(Node& node, const std::function<void()>& work);
  void start(Node& node);
  void stop(Node& node, std::int64_t ms);
  void count_disk(Node& node);
  void weather();
  void strike(Node& first);
  void client(Node& node);
  [[nodiscard]] auto next_body(const Node& node) -> std::optional<ledger::Body>;
  [[nodiscard]] auto make(std::size_t signer, HospitalId sender, std::uint64_t sequence,
                          ledger::Body body) -> Bytes;
  [[nodiscard]] auto sequence_of(const Node& node) const -> std::uint64_t;
  void lie_as_hospital(Node& node);
  [[nodiscard]] auto may_lie_in_consensus(const Node& node) const -> bool;
  void propose_falsely(Node& node, const EngineProposal& honest);
  void vote_falsely(Node& node, const EngineVote& honest);
  void deliver(std::size_t from, std::size_t to, MessagePointer message);
  void send_all(std::size_t from, Message message);

  // --- what must never be
  void finalized(Node& node, const EngineBlock& block, const engine::FinalizedBlock& done,
                 const Powers& next);
  void committed(Node& node, const EngineBlock& block);
  void look_at_block(const ledger::Block& block);
  void look_at_powers(std::size_t node, std::uint64_t height, const Powers& powers);

  ChainSetup setup_;
  const ChainPast& past_;
  SeededRandom chance_;
  std::int64_t now_us_ = 0;
  std::uint64_t events_ = 0;
  bool stormy_ = true;
  std::priority_queue<Event> queue_;
  std::deque<Node> nodes_;
  Hasher trace_;

  ledger::Ledger truth_;  ///< of the first node that committed each block
  std::vector<ledger::Block> blocks_;
  std::map<std::uint64_t, Digest> decided_;  ///< engine's block names by height
  std::map<std::uint64_t, Digest> hashes_;   ///< application hashes by height
  std::map<std::uint64_t, Powers> powers_;   ///< told to the engine after each height
  std::map<std::uint64_t, std::vector<std::uint64_t>> sequences_;  ///< by ledger height and member
  std::map<Digest, std::uint64_t> included_;  ///< transactions on the chain, by name
  std::vector<Digest> told_;                  ///< to clients, as committed
  std::vector<Bytes> recent_;                 ///< for whoever replays them
  std::size_t lowered_most_ = 0;
};

/// Of each member, by number, the last sequence number after this block; or the gap, or the number
/// that was used twice. Worked out from the bytes, not by the ledger.
[[nodiscard]] auto sequences_after(std::vector<std::uint64_t> before, const ledger::Block& block)
    -> Result<std::vector<std::uint64_t>>;
/// What is wrong with these powers: more than f lowered, or f validators that hold a third.
[[nodiscard]] auto fault_of(const Powers& powers) -> std::optional<std::string>;
/// Do credits add up to the pools of all accepted rounds?
[[nodiscard]] auto credits_add_up(const ledger::State& state) -> bool;

/// How many, who lies, how bad: all from the seed.
[[nodiscard]] auto run_chain_seed(std::uint64_t seed, const Mutants& mutants = {},
                                  const std::function<void(const std::string&)>& teller = {})
    -> ChainReport;
/// A whole sealed round of real hospitals, with this chain for their ledger (chain_rounds.cpp).
void run_rounds_on_chain(std::uint64_t seed, const Climate& climate,
                         const std::function<void(const std::string&)>& teller,
                         ChainReport& report);

}  // namespace consilium::simulator
