#include "consortium_run.hpp"

#include <algorithm>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "consilium/engine/cometbft.hpp"
#include "consilium/federation/opened_counts.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

#include "chain_node.hpp"
#include "chain_processes.hpp"

namespace consilium::app {

namespace {

using ledger::RoundState;
using sealing::Purpose;

/// So many empty blocks in a row are only made when somebody waits for something that will not
/// come.
constexpr int idle_blocks_max = 400;
constexpr std::uint64_t refusals_max = 200;
/// On one machine nobody waits for a network: so long passes at least until somebody who waits for
/// a height gets one.
constexpr std::int64_t here_block_interval_ms = 20;
constexpr std::int64_t here_propose_ms = 200;

auto training_seed(std::uint64_t seed, std::string_view name) -> Bytes {
  Writer w;
  w.u64(seed);
  const auto digest = tagged_hash("consilium/demo/1/training-seed", {w.view(), as_bytes(name)});
  return Bytes(digest.bytes.begin(), digest.bytes.end());
}

/// Of this machine, none twice, from below the range that outgoing connections take theirs from: a
/// node that is killed finds its own free again. Who takes one in between is met with `port_taken`.
auto free_ports(std::size_t count) -> Result<std::vector<std::uint16_t>> {
  constexpr std::uint16_t first = 12'000;
  constexpr std::uint16_t last = 32'000;
  constexpr int tries_max = 1000;
  SystemRandom random;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < tries_max && ports.size() < count; ++i) {
    const auto port = static_cast<std::uint16_t>(first + random.below(last - first));
    if (std::find(ports.begin(), ports.end(), port) != ports.end()) continue;
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (socket >= 0 && ::bind(socket, generic, sizeof address) == 0) ports.push_back(port);
    if (socket >= 0) ::close(socket);
  }
  if (ports.size() != count)
    return fail("port_taken", "127.0.0.1", "This machine has no free ports left.");
  return ports;
}

}  // namespace

auto ConsortiumRun::open(const RunSpec& spec, const Cohort& cohort)
    -> Result<std::unique_ptr<ConsortiumRun>> {
  std::unique_ptr<ConsortiumRun> run(new ConsortiumRun(spec));
  const auto folder = spec.directory / "nodes";
  const TrainingRule rule{
      spec.align_attributes ? TrainingRule::Rows::all : TrainingRule::Rows::shared_patterns,
      spec.norm};
  const auto box_kind = spec.hybrid_boxes ? sealing::BoxKind::hybrid : sealing::BoxKind::classical;
  for (const auto& hospital : cohort.hospitals) {
    run->setups_.push_back({hospital.name, hospital.title, ledger::MemberRole::hospital,
                            folder / hospital.name, cohort.schema, rule,
                            training_seed(spec.seed, hospital.name), box_kind, spec.on_chain});
  }
  if (spec.topology == ledger::Topology::central) {
    run->setups_.push_back({"server",
                            "Central server",
                            ledger::MemberRole::server,
                            folder / "server",
                            cohort.schema,
                            rule,
                            {},
                            box_kind});
  }
  CONSILIUM_CHECK(run->open_nodes());
  for (std::size_t i = 0; i < cohort.hospitals.size(); ++i) {
    CONSILIUM_CHECK(run->nodes_[i]->casebase().keep(cohort.hospitals[i].cases));
  }
  if (spec.on_chain) {
    CONSILIUM_CHECK(run->meet_on_chain(cohort));
  } else {
    CONSILIUM_CHECK(run->meet_sequencer(cohort));
  }
  return run;
}

auto ConsortiumRun::open_nodes() -> Result<void> {
  nodes_.clear();
  for (const auto& setup : setups_) {
    CONSILIUM_TRY(auto node, Node::open(setup));
    nodes_.push_back(std::move(node));
  }
  std::vector<ledger::MemberInfo> invited;
  for (const auto* node : hospitals()) invited.push_back(node->member_info());
  agenda_.emplace(spec_, hospitals(), std::move(invited));
  return {};
}

auto ConsortiumRun::first_page(const Cohort& cohort) const -> ledger::Genesis {
  ledger::Genesis genesis;
  genesis.name = cohort.name + "-" + std::to_string(cohort.hospitals.size());
  genesis.created_unix_s = static_cast<std::uint64_t>(SystemClock{}.wall_ms() / 1000);
  genesis.founder = nodes_.front()->member_info();
  if (!nodes_.back()->is_hospital()) genesis.servers.push_back(nodes_.back()->member_info());
  genesis.policy.topology = spec_.topology;
  genesis.policy.delivery = spec_.delivery;
  genesis.policy.align_threshold = spec_.align_k;
  genesis.policy.allow_k2 = true;
  genesis.policy.hybrid_boxes = spec_.hybrid_boxes;
  genesis.policy.box_epoch_rounds = spec_.box_epoch_rounds;
  genesis.policy.menus[0] =
      ledger::menu_digest(Purpose::metrics, metrics_menu(genesis.policy).encode());
  genesis.schema = cohort.schema.digest();
  return genesis;
}

auto ConsortiumRun::meet_on_chain(const Cohort& cohort) -> Result<void> {
  CONSILIUM_CHECK(engine::find_cometbft());
  const auto& home = setups_.front().directory;
  if (!keeps_chain(home)) {
    CONSILIUM_CHECK(save_chain(home, {}, first_page(cohort)));
  }
  CONSILIUM_TRY(const auto genesis, load_genesis(home));
  for (auto& node : nodes_) CONSILIUM_CHECK(node->join(genesis));
  return {};
}

auto ConsortiumRun::meet_sequencer(const Cohort& cohort) -> Result<void> {
  const auto folder = spec_.directory / "nodes" / "sequencer";
  const auto file = folder / "ledger.db";
  CONSILIUM_TRY(const bool known, ledger::LedgerStore::holds_ledger(file));
  if (!known) {
    CONSILIUM_CHECK(write_file_durably(folder / "config.toml",
                                       as_bytes("name = \"sequencer\"\nrole = \"sequencer\"\n")));
  }
  auto store = known ? ledger::LedgerStore::open(file)
                     : ledger::LedgerStore::create(file, first_page(cohort));
  if (!store) return tl::unexpected(store.error());
  sequencer_ = std::make_unique<ledger::SoloSequencer>(std::move(*store));
  for (auto& node : nodes_) {
    CONSILIUM_CHECK(node->join(state().genesis()));
    CONSILIUM_CHECK(node->follow(*sequencer_));
    std::vector<std::unique_ptr<courier::BlobPeer>> peers;
    for (auto& other : nodes_) {
      if (other != node) {
        peers.push_back(std::make_unique<courier::LocalPeer>(other->name(), other->blobs()));
      }
    }
    node->set_peers(std::move(peers));
  }
  return {};
}

void ConsortiumRun::allow_next_epoch() {
  spec_.next_epoch = true;
  agenda_->allow_next_epoch();
}

auto ConsortiumRun::hospitals() -> std::vector<Node*> {
  std::vector<Node*> out;
  for (auto& node : nodes_) {
    if (node->is_hospital()) out.push_back(node.get());
  }
  return out;
}

auto ConsortiumRun::metrics() -> Result<std::optional<AskedMetrics>> {
  std::optional<AskedMetrics> out;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::metrics || round.state != RoundState::accepted) continue;
    CONSILIUM_TRY(auto sum, federation::opened_counts(*nodes_.front(), id));
    if (!sum) continue;
    CONSILIUM_TRY(auto plan, federation::MetricsPlan::decode(round.open.plan));
    CONSILIUM_TRY(const auto bounds, federation::count_bounds_of(round));
    out = AskedMetrics{id, plan, round.set.size(), bounds.value_max, std::move(*sum)};
  }
  return out;
}

auto ConsortiumRun::pump_frames(bool& moved) -> Result<void> {
  const auto hospital_nodes = hospitals();
  const auto node_of = [&](HospitalId id) -> Node* {
    for (auto* node : hospital_nodes) {
      if (node->member() != nullptr && node->member()->id == id) return node;
    }
    return nullptr;
  };
  for (bool again = true; again;) {
    again = false;
    for (auto* node : hospital_nodes) {
      for (auto& [to, frame] : node->take_frames()) {
        auto* receiver = node_of(to);
        if (receiver == nullptr) continue;
        const auto key = std::make_pair(node->member()->id.value, to.value);
        auto& link = links_[key];
        if (!link.out) {
          CONSILIUM_TRY(link.out, hub_.connect(node->name(), receiver->name(), "alignment"));
          CONSILIUM_TRY(link.in, hub_.connect(receiver->name(), node->name(), "alignment"));
        }
        CONSILIUM_CHECK(link.out->send(frame));
        CONSILIUM_TRY(const auto arrived, link.in->receive(0));
        CONSILIUM_CHECK(receiver->receive_frame(node->member()->id, arrived));
        again = true;
        moved = true;
      }
    }
  }
  return {};
}

auto ConsortiumRun::tick(bool& moved) -> Result<void> {
  for (auto& node : nodes_) {
    CONSILIUM_TRY(const auto transaction, node->next());
    for (auto& remark : node->take_remarks()) remarks_.push_back(node->title() + ": " + remark);
    if (!transaction) continue;
    if (auto verdict = sequencer_->submit(*transaction); !verdict) {
      remarks_.push_back(node->title() + ": " + verdict.error().message());
      if (++refusals_ > refusals_max) return tl::unexpected(verdict.error());
      continue;
    }
    moved = true;
  }
  CONSILIUM_CHECK(pump_frames(moved));
  CONSILIUM_CHECK(sequencer_->make_block(true));
  for (auto& node : nodes_) CONSILIUM_CHECK(node->follow(*sequencer_));
  return {};
}

auto ConsortiumRun::run(Terminal& terminal) -> Result<void> {
  return spec_.on_chain ? run_processes(terminal) : run_here(terminal);
}

auto ConsortiumRun::run_here(Terminal& terminal) -> Result<void> {
  const SystemClock clock;
  int idle = 0;
  while (true) {
    const auto began_ms = clock.monotonic_ms();
    CONSILIUM_TRY(auto next, agenda_->next());
    if (next.done) break;
    terminal.progress(next.step, next.step_done, next.step_all);
    auto& founder = *nodes_.front();
    if (next.order && !founder.has_orders()) founder.order(std::move(*next.order));
    bool moved = false;
    CONSILIUM_CHECK(tick(moved));
    idle = moved ? 0 : idle + 1;
    if (idle > idle_blocks_max) {
      return fail("stalled", next.step,
                  remarks_.empty() ? "nobody has anything to post and the step is not done"
                                   : "the last remark was: " + remarks_.back());
    }
    seconds_[next.step] += static_cast<double>(clock.monotonic_ms() - began_ms) / 1000.0;
  }
  terminal.end_step();
  return {};
}

/// The nodes' files are this process's again when it returns.
auto ConsortiumRun::run_processes(Terminal& terminal) -> Result<void> {
  CONSILIUM_TRY(const auto next, agenda_->next());
  if (next.done) return {};
  const auto genesis = state().genesis();
  CONSILIUM_TRY(const auto ports, free_ports(2 * nodes_.size()));
  std::vector<ChainPeer> everybody;
  std::vector<ChainMember> members;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& node = *nodes_[i];
    ChainPeer peer;
    peer.name = node.name();
    peer.identity.bytes = node.keys().identity.verify_key().bytes;
    peer.engine_id = engine::node_id_of(node.keys().transport.verify_key());
    peer.engine_port = ports[2 * i];
    peer.courier_port = ports[2 * i + 1];
    everybody.push_back(std::move(peer));
    members.push_back({node.name(), node.title(), node.directory()});
  }
  std::vector<ledger::MemberInfo> invited;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    ChainConfig config;
    config.engine_port = everybody[i].engine_port;
    config.courier_port = everybody[i].courier_port;
    config.block_interval_ms = here_block_interval_ms;
    config.times.propose_ms = here_propose_ms;
    config.rule = setups_[i].rule;
    config.peers = everybody;
    config.peers.erase(config.peers.begin() + static_cast<std::ptrdiff_t>(i));
    CONSILIUM_CHECK(save_chain(nodes_[i]->directory(), config, genesis));
    if (nodes_[i]->is_hospital()) invited.push_back(nodes_[i]->member_info());
  }
  CONSILIUM_CHECK(save_agenda(nodes_.front()->directory(), spec_, invited));
  agenda_.reset();
  for (auto& node : nodes_) CONSILIUM_CHECK(node->close());
  nodes_.clear();

  std::optional<PowerCut> cut;
  if (spec_.power_cut_round != 0 && power_cut_.empty())
    cut = PowerCut{invited.back().name, spec_.power_cut_round};
  ChainProcesses processes(std::move(members));
  CONSILIUM_TRY(auto outcome, processes.run(cut, terminal));
  for (const auto& [step, seconds] : outcome.seconds) seconds_[step] += seconds;
  remarks_.insert(remarks_.end(), outcome.remarks.begin(), outcome.remarks.end());
  power_cut_.insert(power_cut_.end(), outcome.cut.begin(), outcome.cut.end());

  CONSILIUM_CHECK(open_nodes());
  for (auto& node : nodes_) CONSILIUM_CHECK(node->join(genesis));
  return {};
}

auto ConsortiumRun::close() -> Result<void> {
  for (auto& node : nodes_) CONSILIUM_CHECK(node->close());
  return sequencer_ ? sequencer_->close() : Result<void>{};
}

}  // namespace consilium::app
