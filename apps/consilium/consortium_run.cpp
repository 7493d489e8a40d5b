#include "consortium_run.hpp"

#include <algorithm>

#include "consilium/federation/opened_counts.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {

using ledger::RoundState;
using sealing::Purpose;

/// So many empty blocks in a row are only made when somebody waits for something that will not
/// come.
constexpr int idle_blocks_max = 400;
constexpr std::uint64_t refusals_max = 200;

auto training_seed(std::uint64_t seed, std::string_view name) -> Bytes {
  Writer w;
  w.u64(seed);
  const auto digest = tagged_hash("consilium/demo/1/training-seed", {w.view(), as_bytes(name)});
  return Bytes(digest.bytes.begin(), digest.bytes.end());
}

}  // namespace

auto ConsortiumRun::open(const RunSpec& spec, const Cohort& cohort)
    -> Result<std::unique_ptr<ConsortiumRun>> {
  std::unique_ptr<ConsortiumRun> run(new ConsortiumRun);
  const auto folder = spec.directory / "nodes";
  const TrainingRule rule{
      spec.align_attributes ? TrainingRule::Rows::all : TrainingRule::Rows::shared_patterns,
      spec.norm};
  const auto box_kind = spec.hybrid_boxes ? sealing::BoxKind::hybrid : sealing::BoxKind::classical;
  for (const auto& hospital : cohort.hospitals) {
    CONSILIUM_TRY(auto node,
                  Node::open({hospital.name, hospital.title, ledger::MemberRole::hospital,
                              folder / hospital.name, cohort.schema, rule,
                              training_seed(spec.seed, hospital.name), box_kind}));
    CONSILIUM_CHECK(node->casebase().keep(hospital.cases));
    run->nodes_.push_back(std::move(node));
  }
  const bool central = spec.topology == ledger::Topology::central;
  if (central) {
    CONSILIUM_TRY(auto server, Node::open({"server",
                                           "Central server",
                                           ledger::MemberRole::server,
                                           folder / "server",
                                           cohort.schema,
                                           rule,
                                           {},
                                           box_kind}));
    run->nodes_.push_back(std::move(server));
  }

  const auto ledger_file = folder / "sequencer" / "ledger.db";
  CONSILIUM_TRY(const bool known, ledger::LedgerStore::holds_ledger(ledger_file));
  if (known) {
    CONSILIUM_TRY(auto store, ledger::LedgerStore::open(ledger_file));
    run->sequencer_ = std::make_unique<ledger::SoloSequencer>(std::move(store));
  } else {
    ledger::Genesis genesis;
    genesis.name = cohort.name + "-" + std::to_string(cohort.hospitals.size());
    genesis.created_unix_s = static_cast<std::uint64_t>(SystemClock{}.wall_ms() / 1000);
    genesis.founder = run->nodes_.front()->member_info();
    if (central) genesis.servers.push_back(run->nodes_.back()->member_info());
    genesis.policy.topology = spec.topology;
    genesis.policy.delivery = spec.delivery;
    genesis.policy.align_threshold = spec.align_k;
    genesis.policy.allow_k2 = true;
    genesis.policy.hybrid_boxes = spec.hybrid_boxes;
    genesis.policy.box_epoch_rounds = spec.box_epoch_rounds;
    genesis.policy.menus[0] =
        ledger::menu_digest(Purpose::metrics, metrics_menu(genesis.policy).encode());
    genesis.schema = cohort.schema.digest();
    CONSILIUM_CHECK(write_file_durably(folder / "sequencer" / "config.toml",
                                       as_bytes("name = \"sequencer\"\nrole = \"sequencer\"\n")));
    CONSILIUM_TRY(auto store, ledger::LedgerStore::create(ledger_file, genesis));
    run->sequencer_ = std::make_unique<ledger::SoloSequencer>(std::move(store));
  }
  for (auto& node : run->nodes_) {
    CONSILIUM_CHECK(node->join(run->state().genesis()));
    CONSILIUM_CHECK(node->follow(*run->sequencer_));
    std::vector<std::unique_ptr<courier::BlobPeer>> peers;
    for (auto& other : run->nodes_) {
      if (other != node) {
        peers.push_back(std::make_unique<courier::LocalPeer>(other->name(), other->blobs()));
      }
    }
    node->set_peers(std::move(peers));
  }
  std::vector<ledger::MemberInfo> invited;
  for (const auto* node : run->hospitals()) invited.push_back(node->member_info());
  run->agenda_.emplace(spec, run->hospitals(), std::move(invited));
  return run;
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

auto ConsortiumRun::close() -> Result<void> {
  for (auto& node : nodes_) CONSILIUM_CHECK(node->close());
  return sequencer_->close();
}

}  // namespace consilium::app
