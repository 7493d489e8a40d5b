#pragma once
// A whole consortium in one process with virtual time: the real ledger, federation and sealing of N
// hospitals (each also a miner), files only for the set logs, and a network that loses, delays,
// repeats and reorders what it carries. Everything follows from one seed.
//
// The sequencer may lie: it can show different nodes different chains of blocks (`fork`), and
// members may be its accomplices (`double_of`). After every event the world looks at what was sent
// and at every node's state, and writes down what must never be.

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "consilium/federation/participant.hpp"
#include "consilium/ledger/ledger.hpp"

namespace consilium::simulator {

/// Chances in per cent, delays in ticks (one tick is one block).
struct Weather {
  unsigned lost = 0;         ///< a transaction on its way to the sequencer
  unsigned twice = 0;        ///< … arrives a second time
  unsigned late_max = 0;     ///< ticks it may take
  unsigned blocks_held = 0;  ///< a node gets no block in this tick
  unsigned peer_down = 0;    ///< a peer does not answer a request for a blob in this tick
};

/// A process is killed: thrown out of whatever the node was doing.
struct Killed {};

class World;

/// What outlives a crash of one node.
class Disk final : public federation::NodeStorage {
 public:
  Disk(World& world, std::size_t node) : world_(world), node_(node) {}
  auto put_blobs(std::span<const BytesView> blobs) -> Result<std::vector<Digest>> override;
  auto get_blob(const Digest& digest) -> Result<Bytes> override;
  auto save(std::string_view name, BytesView bytes) -> Result<void> override;
  auto load(std::string_view name) -> Result<std::optional<Bytes>> override;
  auto erase(std::string_view name) -> Result<void> override;

  std::map<std::string, Bytes, std::less<>> records;
  std::map<Digest, Bytes> blobs;

 private:
  World& world_;
  std::size_t node_;
};

/// Two clouds of points, a little different at every hospital.
class Cloud;

struct Node {
  std::string name;
  HospitalId id;
  std::size_t chain = 0;
  sealing::SigningKey key;
  sealing::BoxKey box;
  Bytes training_seed;
  std::unique_ptr<Cloud> cases;
  std::unique_ptr<Disk> disk;
  std::filesystem::path set_log_file;
  std::unique_ptr<ledger::Ledger> ledger;  ///< this node's own replica
  std::optional<sealing::SetLog> set_log;
  std::unique_ptr<Random> secrets;
  std::optional<federation::Participant> participant;  ///< none while the process is down
  bool away = false;                                   ///< up, but cut off from everybody
  bool accomplice = false;                ///< not honest: what it sends is not held against anybody
  bool withholds = false;                 ///< serves no blob to others
  std::optional<std::uint64_t> kill_at;   ///< number of the step at which it is killed
  std::uint64_t steps = 0;                ///< steps so far at which it could have been killed
  std::optional<std::uint64_t> up_again;  ///< tick at which it is started again
  unsigned starts = 0;
};

/// One set of one round for which share sums were published, anywhere.
struct ReleasedSet {
  RoundId round;
  Digest stream, base, set;
  sealing::Purpose purpose = sealing::Purpose::update;
  std::vector<HospitalId> members;
  sealing::RoundParameters parameters;
  std::map<MinerId, Digest> share_sums;  ///< blob, by publishing miner
  std::vector<Digest> bodies;            ///< blobs, in the order of members
};

class World {
 public:
  World(std::size_t hospitals, std::uint64_t seed, Weather weather = {});
  ~World();
  World(const World&) = delete;
  auto operator=(const World&) -> World& = delete;

  /// Puts a body signed by this node into the next block of its chain, past the network; where
  /// `ordered_by` is, the node sends it.
  void post(std::size_t node, ledger::Body body);
  void open_update(std::uint32_t run = 0);
  void open_statistics();
  /// The network delivers, everybody makes one step, every chain gets a block.
  void tick();
  /// Ticks until every chain's last round is over and every node that is up knows it.
  void run(unsigned ticks_max);

  /// As if the process had been killed, now; `ticks` later it is started again.
  void kill(std::size_t node, unsigned ticks);
  void restart(std::size_t node);

  /// A second chain with the same past; gives its number. Nobody follows it yet.
  auto fork() -> std::size_t;
  /// The node forgets its ledger and follows another chain from the start: what a sequencer can do
  /// to one whose ledger was lost, or who is new to a device. Its set log stays unless `wiped`.
  void move_to_chain(std::size_t node, std::size_t chain, bool wiped = false);
  /// A second body of this member that follows `chain`: an accomplice of the sequencer with two
  /// minds and two logs. Gives its number; both are accomplices.
  auto double_of(std::size_t node, std::size_t chain) -> std::size_t;

  [[nodiscard]] auto chain_state(std::size_t chain = 0) const -> const ledger::Ledger& {
    return *chains_[chain].ledger;
  }
  [[nodiscard]] auto last_round(std::size_t chain = 0) const -> const ledger::RoundRecord& {
    return chains_[chain].ledger->rounds().rbegin()->second;
  }
  /// Sets with share sums of at least t different miners: what anybody can open.
  [[nodiscard]] auto openable() const -> std::vector<const ReleasedSet*>;
  /// Opens such a set as an outsider with every blob would.
  [[nodiscard]] auto open(const ReleasedSet& set) -> Result<sealing::OpenedSum>;
  /// The integers the node kept for a round.
  [[nodiscard]] auto kept_values(std::size_t node, RoundId round) const
      -> std::vector<std::int64_t>;

  std::deque<Node> nodes;  ///< never moved: participants hold on to their node
  /// What a chain takes; a transaction it returns false for is dropped there.
  std::function<bool(std::size_t chain, const ledger::Transaction&)> takes;
  /// Every transaction is offered to every chain, not to its sender's alone.
  bool mirrors = false;
  /// A chain of its own under this world: takes what reaches the node that each came from, and
  /// gives the blocks that came of it since the last call. Without it a sequencer makes a block a
  /// tick.
  std::function<std::vector<ledger::Block>(
      const std::vector<std::pair<std::size_t, Bytes>>& transactions)>
      ordered_by;
  [[nodiscard]] auto blocks() const -> const std::vector<ledger::Block>& {
    return chains_[0].blocks;
  }
  /// What a node says before it says it; may change it or (returning false) keep it silent.
  std::function<bool(std::size_t node, ledger::Body&)> meddle;
  std::vector<std::string> broken;   ///< what must never be, and was
  std::vector<std::string> remarks;  ///< what nodes refused, and why
  std::optional<Error> stopped;      ///< the first participant that ended its part

 private:
  friend class Disk;
  struct Chain {
    std::unique_ptr<ledger::Ledger> ledger;
    std::vector<ledger::Block> blocks;
    std::vector<Digest> digests;  ///< state digest after each
  };
  struct Message {
    std::uint64_t due;
    std::size_t chain, from;
    Bytes transaction;
  };
  /// What an honest node said of a round: the same for ever.
  struct Said {
    std::optional<Bytes> manifest;
    std::optional<Digest> ready;
    std::optional<std::pair<Digest, Digest>> published;
  };
  void found(std::string what) { broken.push_back(std::move(what)); }
  [[nodiscard]] auto chance(unsigned percent) -> bool { return network_.below(100) < percent; }
  void step_point(std::size_t node);
  void start(std::size_t node);
  void follow(std::size_t node);
  void send(std::size_t node, ledger::Body body);
  void step_node(std::size_t node);
  void deliver();
  void hear(std::size_t node, const ledger::Body& body);
  void check_node(std::size_t node);
  void check_families();

  std::uint64_t seed_;
  Weather weather_;
  SeededRandom network_;
  std::uint64_t now_ = 0;
  std::filesystem::path folder_;
  ledger::Genesis genesis_;
  std::vector<Chain> chains_;
  std::vector<Message> on_the_way_;
  std::map<std::pair<HospitalId, std::pair<Digest, RoundId>>, Said> said_;
  std::map<std::pair<RoundId, Digest>, ReleasedSet> released_;
  std::size_t families_checked_ = 0;
};

/// Sets over hospitals 1 … n as rows of zeros and ones: does some rational combination of them
/// single out one hospital? Gives it.
[[nodiscard]] auto isolated_hospital(const std::vector<std::vector<HospitalId>>& sets,
                                     std::size_t hospitals) -> std::optional<HospitalId>;
/// Size of the smallest class of hospitals that are in the same of these sets, those in none left
/// out: whatever can be computed from the sums is a sum over such classes.
[[nodiscard]] auto smallest_atom(const std::vector<std::vector<HospitalId>>& sets,
                                 std::size_t hospitals) -> std::size_t;

/// One run of a few rounds under weather, crashes and misbehaviour that all follow from the seed.
struct Report {
  std::vector<std::string> broken;
  std::string summary;               ///< one line: what happened
  std::vector<std::string> remarks;  ///< what nodes refused, and why
};
[[nodiscard]] auto run_seed(std::uint64_t seed) -> Report;

}  // namespace consilium::simulator
