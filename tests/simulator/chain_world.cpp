#include "chain_world.hpp"

#include <algorithm>

#include "chain_past.hpp"

namespace consilium::simulator {
namespace {

constexpr std::int64_t block_interval_ms = 1000;
constexpr std::int64_t weather_ms = 20, client_ms = 150;
constexpr std::size_t recent_max = 64;

/// Thrown out of whatever a node was doing.
struct Stopped {
  std::string why;
};

auto name_of_member(std::size_t at) -> std::string {
  return "hospital-" + std::to_string(at + 1);
}

auto faulty_max(const Powers& powers) -> std::size_t {
  const auto validators = static_cast<std::size_t>(
      std::count_if(powers.begin(), powers.end(), [](auto power) { return power > 0; }));
  return validators == 0 ? 0 : (validators - 1) / 3;
}

auto lowered_in(const Powers& powers) -> std::size_t {
  return static_cast<std::size_t>(std::count(powers.begin(), powers.end(), engine::lowered_power));
}

}  // namespace

auto name_of(Fault fault) -> std::string_view {
  constexpr std::array<std::string_view, fault_kinds> names{"message_lost",
                                                            "message_late",
                                                            "message_twice",
                                                            "network_split",
                                                            "process_killed",
                                                            "killed_while_writing",
                                                            "all_killed",
                                                            "unsynced_write_lost",
                                                            "unsynced_write_torn",
                                                            "disk_full",
                                                            "disk_slow",
                                                            "clock_drifts",
                                                            "clock_jumps",
                                                            "transaction_malformed",
                                                            "transaction_replayed",
                                                            "transaction_out_of_sequence",
                                                            "transaction_wrongly_signed",
                                                            "transaction_submitted_twice",
                                                            "tick_forged",
                                                            "proposal_withheld",
                                                            "proposal_two_faced",
                                                            "proposal_with_refused",
                                                            "proposal_reordered",
                                                            "proposal_repeating",
                                                            "proposal_with_forged_tick",
                                                            "proposal_with_wrong_app_hash",
                                                            "proposal_with_short_commit",
                                                            "vote_withheld",
                                                            "vote_two_faced"};
  return names.at(static_cast<std::size_t>(fault));
}

/// One node's view of network and time.
class ChainWorld::Around final : public Surroundings {
 public:
  Around(ChainWorld& world, std::size_t node) : world_(world), node_(node) {}
  void send_all(Message message) override { world_.send_all(node_, std::move(message)); }
  void send_one(std::size_t to, Message message) override {
    world_.deliver(node_, to, std::make_shared<const Message>(std::move(message)));
  }
  void wake_in(std::int64_t ms, const Timer& timer) override {
    const Node& node = world_.nodes_[node_];
    // A clock that runs fast wakes its node early.
    const std::int64_t us = ms * 1'000'000 / (1000 + node.clock->drift_per_mille);
    world_.push({world_.now_us_ + us, 0, Event::What::timer, node_, node_, node.life, {}, timer});
  }
  [[nodiscard]] auto now_ms() const -> std::int64_t override {
    return world_.nodes_[node_].clock->wall_ms();
  }
  void finalized(const EngineBlock& block, const engine::FinalizedBlock& done,
                 const Powers& next) override {
    world_.finalized(world_.nodes_[node_], block, done, next);
  }
  void committed(const EngineBlock& block) override {
    world_.committed(world_.nodes_[node_], block);
  }
  [[noreturn]] void stop(const std::string& why) override { throw Stopped{why}; }

 private:
  ChainWorld& world_;
  std::size_t node_;
};

ChainWorld::ChainWorld(std::uint64_t seed, ChainSetup setup)
    : ChainWorld(seed, setup, chain_past(setup.hospitals, setup.from_genesis)) {}

ChainWorld::ChainWorld(std::uint64_t seed, ChainSetup setup, const ChainPast& past)
    : setup_(std::move(setup)), past_(past), chance_(seed, "chain"), truth_(past.genesis) {
  for (const auto& block : past.blocks) must(truth_.apply_block(block));
  blocks_ = past.blocks;
  auto& sequences = sequences_[truth_.height().value];
  for (const auto& [id, member] : truth_.members()) sequences.push_back(member.sequence);
  for (std::size_t at = 0; at < setup_.hospitals; ++at) {
    Node& node = nodes_.emplace_back();
    node.number = at;
    node.id = HospitalId{static_cast<std::uint16_t>(at + 1)};
    node.disk = std::make_unique<VirtualDisk>(node_folder(at), seed * 64 + at);
    node.disk->restore(past.image);
    node.disk->lying = setup_.mutants.lies_about_syncs;
    node.clock = std::make_unique<SkewedClock>(now_us_);
    node.memory = past.memory;
    node.mutants = setup_.mutants;
    node.answered_height = past.memory.first_height - 1;
    node.around = std::make_unique<Around>(*this, at);
    if (setup_.climate.clocks > 0 && chance_.below(2) == 0) {
      node.clock->drift_per_mille = static_cast<std::int64_t>(chance_.below(401)) - 200;
      count(Fault::clock_drifts, at);
    }
  }
  for (const std::size_t liar : setup_.liars) nodes_[liar].liar = true;
  for (Node& node : nodes_) {
    start(node);
    push({static_cast<std::int64_t>(chance_.below(client_ms)) * 1000,
          0,
          Event::What::client,
          node.number,
          node.number,
          0,
          {},
          {}});
  }
  push({weather_ms * 1000, 0, Event::What::weather, 0, 0, 0, {}, {}});
}

ChainWorld::~ChainWorld() {
  for (Node& node : nodes_) {
    node.disk->power_off();
    node.quorum.reset();
    node.application.reset();
  }
}

void ChainWorld::found(std::string what) {
  if (teller) teller("BROKEN: " + what);
  if (broken.size() < 20) broken.push_back(std::move(what));
}

void ChainWorld::note(std::string_view what, std::size_t node, std::uint64_t a, std::uint64_t b) {
  trace_.add_u64(static_cast<std::uint64_t>(now_us_)).add_text(what).add_u64(node);
  trace_.add_u64(a).add_u64(b);
  if (!teller) return;
  std::string line = std::to_string(now_us_ / 1000) + " ms  " + name_of_member(node) + "  ";
  line += what;
  if (a != 0) line += " " + std::to_string(a);
  if (b != 0) line += " " + std::to_string(b);
  teller(line);
}

void ChainWorld::count(Fault fault, std::size_t node, std::uint64_t times) {
  if (times == 0) return;
  faults.at(static_cast<std::size_t>(fault)) += times;
  // The network's faults are in the trace as what did not arrive, or arrived when.
  if (fault > Fault::message_twice) note(name_of(fault), node, times > 1 ? times : 0);
}

// --- time

void ChainWorld::push(Event event) {
  event.order = ++events_;
  queue_.push(std::move(event));
}

void ChainWorld::run_ms(std::int64_t ms) {
  const std::int64_t end = now_us_ + ms * 1000;
  while (!queue_.empty() && queue_.top().due_us <= end && broken.empty()) step();
  now_us_ = std::max(now_us_, end);
}

void ChainWorld::step() {
  Event event = queue_.top();
  queue_.pop();
  now_us_ = std::max(now_us_, event.due_us);
  dispatch(event);
}

void ChainWorld::dispatch(Event& event) {
  if (event.what == Event::What::weather) {
    weather();
    push({now_us_ + weather_ms * 1000, 0, Event::What::weather, 0, 0, 0, {}, {}});
    return;
  }
  Node& node = nodes_[event.node];
  switch (event.what) {
    case Event::What::start:
      if (event.life == node.life && !node.quorum) start(node);
      return;
    case Event::What::client:
      guarded(node, [&] { client(node); });
      push({now_us_ + client_ms * 1000,
            0,
            Event::What::client,
            node.number,
            node.number,
            0,
            {},
            {}});
      return;
    case Event::What::timer:
      if (event.life != node.life || !node.quorum) return;
      trace_.add_u64(events_).add_u64(static_cast<std::uint64_t>(event.timer.what));
      guarded(node, [&] { node.quorum->wake(event.timer); });
      return;
    case Event::What::message:
      if (!node.quorum) return;
      if (nodes_[event.from].side != node.side) {
        ++messages_cut_off;
        return;
      }
      trace_.add_u64(static_cast<std::uint64_t>(now_us_)).add_u64(event.from * 64 + event.node);
      trace_.add_u8(static_cast<std::uint8_t>(event.message->index()));
      guarded(node, [&] { node.quorum->receive(event.from, *event.message); });
      return;
    case Event::What::strike:
      strike(node);
      return;
    case Event::What::weather:
      return;
  }
}

// --- processes and their disks

void ChainWorld::guarded(Node& node, const std::function<void()>& work) {
  if (node.liar)
    node.mutants.forgets_locks = setup_.mutants.forgets_locks || may_lie_in_consensus(node);
  try {
    work();
  } catch (const Stopped& stopped) {
    if (!node.disk->has_power()) {
      count(Fault::killed_while_writing, node.number);
    } else if (node.disk->full) {
      note("stops: the disk is full", node.number);
    } else {
      found(name_of_member(node.number) + " stops: " + stopped.why);
    }
    stop(node, 100 + static_cast<std::int64_t>(chance_.below(800)));
    return;
  }
  // The power failed during something whose answer did not matter.
  if (!node.disk->has_power() && node.quorum) {
    count(Fault::killed_while_writing, node.number);
    stop(node, 100 + static_cast<std::int64_t>(chance_.below(800)));
  }
}

void ChainWorld::start(Node& node) {
  node.disk->power_on();
  guarded(node, [&] {
    // Nodes take their snapshots at different heights, and come back from them.
    auto store = ledger::LedgerStore::open(node_folder(node.number) / "ledger.db",
                                           {.snapshot_every = 2 + node.number});
    if (!store) throw Stopped{store.error().message()};
    auto application =
        engine::Application::open(std::move(*store), {block_interval_ms}, *node.clock);
    if (!application) throw Stopped{application.error().message()};
    node.application = std::move(*application);
    const auto info = node.application->info();
    note("starts at", node.number, info.height);
    if (info.height < node.answered_height)
      found(name_of_member(node.number) + " answered a commit that is not on its disk");
    const auto known = hashes_.find(info.height);
    if (known != hashes_.end() && known->second != info.app_hash)
      found(name_of_member(node.number) + " has another state after its restart");
    node.quorum =
        std::make_unique<Quorum>(node.number, node.memory, *node.application, past_.addresses,
                                 past_.address_of, node.mutants, *node.around);
    node.quorum->start();
  });
}

void ChainWorld::stop(Node& node, std::int64_t ms) {
  node.disk->power_off();
  count_disk(node);
  node.quorum.reset();
  node.application.reset();
  ++node.life;
  push({now_us_ + ms * 1000, 0, Event::What::start, node.number, node.number, node.life, {}, {}});
}

void ChainWorld::count_disk(Node& node) {
  count(Fault::unsynced_write_lost, node.number, node.disk->writes_lost - node.told_lost);
  count(Fault::unsynced_write_torn, node.number, node.disk->writes_torn - node.told_torn);
  node.told_lost = node.disk->writes_lost;
  node.told_torn = node.disk->writes_torn;
}

void ChainWorld::kill(std::size_t at, std::int64_t ms) {
  if (!nodes_[at].quorum) return;
  count(Fault::process_killed, at);
  stop(nodes_[at], ms);
}

void ChainWorld::split(std::vector<unsigned> sides) {
  for (std::size_t at = 0; at < nodes_.size(); ++at) nodes_[at].side = sides.at(at);
  count(Fault::network_split, 0);
}

void ChainWorld::heal() {
  for (Node& node : nodes_) node.side = 0;
  note("the network is whole", 0);
}

void ChainWorld::weather() {
  if (!stormy_) return;
  const Climate& climate = setup_.climate;
  Node& node = nodes_[chance_.below(nodes_.size())];
  if (chance(climate.kills)) {
    switch (chance_.below(8)) {
      case 0:
        count(Fault::all_killed, 0);
        for (Node& each : nodes_) {
          if (each.quorum) stop(each, static_cast<std::int64_t>(chance_.below(300)));
        }
        break;
      case 1:
      case 2:
      case 3:
        node.disk->cut_power_after(chance_.below(24));
        break;
      default:
        kill(node.number, static_cast<std::int64_t>(chance_.below(1000)));
    }
  }
  if (chance(climate.splits)) {
    std::vector<unsigned> sides;
    for (std::size_t at = 0; at < nodes_.size(); ++at)
      sides.push_back(chance_.below(10) < 3 ? 1U : 0U);
    split(std::move(sides));
  } else if (chance(climate.splits * 3)) {
    if (std::any_of(nodes_.begin(), nodes_.end(), [](const Node& each) { return each.side != 0; }))
      heal();
  }
  if (chance(climate.disks)) {
    if (chance_.below(3) == 0) {
      node.disk->full = !node.disk->full;
      if (node.disk->full) count(Fault::disk_full, node.number);
    } else {
      node.slow = !node.slow;
      if (node.slow) count(Fault::disk_slow, node.number);
    }
  }
  if (chance(climate.clocks)) {
    node.clock->jumped_ms += static_cast<std::int64_t>(chance_.below(5000));
    count(Fault::clock_jumps, node.number);
  }
}

/// The moment that chance alone hardly ever meets: one node has decided, and nobody else has heard.
void ChainWorld::strike(Node& first) {
  if (!stormy_) return;
  std::vector<unsigned> sides(nodes_.size(), 0);
  sides[first.number] = 1;
  split(std::move(sides));
  if (chance_.below(2) == 0) return;
  count(Fault::all_killed, first.number);
  for (Node& each : nodes_) {
    if (each.quorum && &each != &first) stop(each, static_cast<std::int64_t>(chance_.below(100)));
  }
}

// --- the network

void ChainWorld::deliver(std::size_t from, std::size_t to, MessagePointer message) {
  ++messages;
  if (nodes_[from].side != nodes_[to].side) {
    ++messages_cut_off;
    return;
  }
  const Climate& climate = setup_.climate;
  for (int copies = 1; copies > 0; --copies) {
    std::int64_t us = 500 + static_cast<std::int64_t>(chance_.below(6000));
    if (stormy_) {
      if (chance(climate.lost)) {
        count(Fault::message_lost, to);
        continue;
      }
      if (chance(climate.late)) {
        count(Fault::message_late, to);
        us += 100'000 + static_cast<std::int64_t>(chance_.below(900'000));
      }
      if (copies == 1 && chance(climate.twice)) {
        count(Fault::message_twice, to);
        push({now_us_ + us + static_cast<std::int64_t>(chance_.below(100'000)),
              0,
              Event::What::message,
              to,
              from,
              0,
              message,
              {}});
      }
    }
    // Who writes slowly answers late.
    if (nodes_[from].slow) us += static_cast<std::int64_t>(chance_.below(150'000));
    push({now_us_ + us, 0, Event::What::message, to, from, 0, message, {}});
  }
}

void ChainWorld::send_all(std::size_t from, Message message) {
  Node& node = nodes_[from];
  if (may_lie_in_consensus(node) && chance(setup_.climate.lies)) {
    if (const auto* proposal = std::get_if<EngineProposal>(&message))
      return propose_falsely(node, *proposal);
    if (const auto* vote = std::get_if<EngineVote>(&message)) return vote_falsely(node, *vote);
  }
  const auto shared = std::make_shared<const Message>(std::move(message));
  for (std::size_t to = 0; to < nodes_.size(); ++to) {
    if (to != from) deliver(from, to, shared);
  }
}

// --- what must never be

void ChainWorld::finalized(Node& node, const EngineBlock& block, const engine::FinalizedBlock& done,
                           const Powers& next) {
  const std::string who = name_of_member(node.number) + " at " + std::to_string(block.height);
  const auto [named, is_first] = decided_.emplace(block.height, block.name);
  if (is_first && stormy_ && chance(setup_.climate.aimed))
    push({now_us_, 0, Event::What::strike, node.number, node.number, 0, {}, {}});
  if (named->second != block.name) found("a fork: " + who + " has another block");
  const auto hash = hashes_.emplace(block.height, done.app_hash).first;
  if (hash->second != done.app_hash) found("another state: " + who + " has another digest");
  const auto [powers, first] = powers_.emplace(block.height, next);
  if (powers->second != next) found("other validators: " + who);
  if (first) look_at_powers(node.number, block.height, next);
  for (std::size_t at = 0; at < done.verdicts.size(); ++at) {
    if (!done.verdicts[at])
      found(who + ": a decided block holds a refused transaction (" +
            done.verdicts[at].error().code + ")");
  }
}

void ChainWorld::committed(Node& node, const EngineBlock& block) {
  node.answered_height = block.height;
  note("commits", node.number, block.height, block.transactions.size());
  const std::uint64_t height = node.application->progress().ledger_height.value;
  while (truth_.height().value < height) {
    const auto blocks = node.application->blocks_after(truth_.height(), 1);
    if (!blocks) throw Stopped{blocks.error().message()};
    if (blocks->empty()) return found("a height of the ledger without its block");
    look_at_block(blocks->front());
    if (!broken.empty()) return;
  }
  for (const auto& transaction : block.transactions) {
    const Digest name = sha256(transaction);
    included_.emplace(name, block.height);
    if (node.client.transaction.empty() || name != node.client.name) continue;
    told_.push_back(name);
    ++acknowledged;
    node.client = {};
    node.last_word = false;
  }
}

void ChainWorld::look_at_block(const ledger::Block& block) {
  const auto sequences = sequences_after(sequences_.at(truth_.height().value), block);
  if (!sequences) return found(sequences.error().message());
  recent_.insert(recent_.end(), block.transactions.begin(), block.transactions.end());
  if (recent_.size() > recent_max)
    recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(recent_max));
  if (const auto applied = truth_.apply_block(block); !applied)
    return found("a block that no other ledger takes: " + applied.error().message());
  blocks_.push_back(block);
  if (!credits_add_up(truth_)) found("credits do not add up to the pools");
  // Who was admitted in this block has sent nothing yet.
  auto& after = sequences_[truth_.height().value] = *sequences;
  after.resize(truth_.members().size(), 0);
}

void ChainWorld::hand_in(std::size_t at, Bytes transaction) {
  auto& waiting = nodes_[at].handed_in;
  if (std::find(waiting.begin(), waiting.end(), transaction) == waiting.end())
    waiting.push_back(std::move(transaction));
}

auto ChainWorld::blocks_after(Height height) const -> std::vector<ledger::Block> {
  return {blocks_.begin() + static_cast<std::ptrdiff_t>(height.value), blocks_.end()};
}

auto sequences_after(std::vector<std::uint64_t> before, const ledger::Block& block)
    -> Result<std::vector<std::uint64_t>> {
  for (const auto& bytes : block.transactions) {
    CONSILIUM_TRY(const auto transaction, ledger::Transaction::decode(bytes));
    auto& last = before.at(transaction.sender.value - 1U);
    if (transaction.sequence != last + 1)
      return fail("out_of_sequence", "block " + std::to_string(block.height.value),
                  "A sequence number with a gap, or used twice.");
    last = transaction.sequence;
  }
  return before;
}

auto fault_of(const Powers& powers) -> std::optional<std::string> {
  const std::size_t faulty = faulty_max(powers);
  std::vector<std::int64_t> sorted = powers;
  std::sort(sorted.rbegin(), sorted.rend());
  std::int64_t total = 0, strongest = 0;
  for (std::size_t at = 0; at < sorted.size(); ++at) {
    total += sorted[at];
    if (at < faulty) strongest += sorted[at];
  }
  if (lowered_in(powers) > faulty) return "more than f validators are lowered";
  if (faulty > 0 && strongest * 3 >= total) return "f validators hold a third";
  return std::nullopt;
}

auto credits_add_up(const ledger::State& state) -> bool {
  std::uint64_t credits = 0, pools = 0;
  for (const auto& [id, member] : state.members()) credits += member.credits;
  for (const auto& [id, round] : state.rounds()) {
    if (round.state == ledger::RoundState::accepted &&
        round.open.purpose == sealing::Purpose::update)
      pools += round.policy.round_pool;
  }
  return credits == pools;
}

void ChainWorld::look_at_powers(std::size_t node, std::uint64_t height, const Powers& powers) {
  lowered_most_ = std::max(lowered_most_, lowered_in(powers));
  if (const auto fault = fault_of(powers))
    found(*fault + " after height " + std::to_string(height));
  note("powers: lowered", node, lowered_in(powers));
}

void ChainWorld::calm() {
  if (!stormy_) return;
  stormy_ = false;
  note("the storm is over", 0);
  heal();
  for (Node& node : nodes_) {
    node.disk->full = node.slow = false;
    node.disk->cut_power_after(UINT64_MAX);
    if (node.quorum) continue;
    ++node.life;
    push({now_us_, 0, Event::What::start, node.number, node.number, node.life, {}, {}});
  }
}

auto ChainWorld::settle(std::int64_t ms_max) -> bool {
  calm();
  for (Node& node : nodes_) {
    const auto member = truth_.members().find(node.id);
    node.last_word = !node.liar && member != truth_.members().end() && member->second.active;
  }
  const std::int64_t end = now_us_ + ms_max * 1000;
  const auto settled = [&] {
    return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
      return node.quorum && !node.last_word &&
             node.answered_height == nodes_.front().answered_height;
    });
  };
  while (broken.empty() && now_us_ <= end && !settled()) step();
  if (!broken.empty()) return false;
  if (!settled()) {
    std::string who;
    for (const Node& node : nodes_) {
      who += " " + std::to_string(node.answered_height) + (node.quorum ? "" : " (down)") +
             (node.last_word ? " (not heard)" : "");
    }
    found("it never comes to rest: nodes are at" + who);
    return false;
  }
  return true;
}

void ChainWorld::compare_files() {
  for (const Digest& name : told_) {
    if (!included_.contains(name)) found("a client was told of a transaction that is on no chain");
  }
  for (Node& node : nodes_) {
    node.disk->power_off();
    node.quorum.reset();
    node.application.reset();
    node.disk->power_on();
    auto store = ledger::LedgerStore::open(node_folder(node.number) / "ledger.db");
    if (!store) {
      found(store.error().message());
      continue;
    }
    if (store->ledger().digest() != truth_.digest())
      found(name_of_member(node.number) + " has another ledger on its disk");
    if (store->ledger().recomputed_digest() != truth_.digest())
      found(name_of_member(node.number) + " has records that its digest does not cover");
    node.disk->power_off();
  }
}

void ChainWorld::report(ChainReport& report) {
  report.faults = faults;
  report.messages = messages;
  report.blocks = decided_.size();
  report.acknowledged = acknowledged;
  report.lowered_most = lowered_most_;
  report.trace = trace_.finish();
  if (lowered_most_ > 0) report.summary += ", " + std::to_string(lowered_most_) + " lowered";
  report.summary += ", " + std::to_string(decided_.size()) + " blocks, " +
                    std::to_string(acknowledged) + " answers, height " +
                    std::to_string(truth_.height().value);
}

}  // namespace consilium::simulator
