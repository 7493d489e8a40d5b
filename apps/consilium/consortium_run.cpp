#include "consortium_run.hpp"

#include <algorithm>

#include "consilium/federation/clips.hpp"
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

auto is_running(const ledger::RoundRecord& round) -> bool {
  return round.state != RoundState::accepted && round.state != RoundState::rolled_back &&
         round.state != RoundState::aborted;
}

/// What the consortium asks about its model without noise, once a data epoch: two diagnoses, and
/// bins coarse enough that most cells of a hospital hold the policy's ten patients.
auto metrics_menu(const ledger::Policy& policy) -> federation::MetricsPlan {
  federation::MetricsPlan menu;
  menu.cases_max = policy.cases_max;
  menu.small_cell = policy.small_cell;
  return menu;
}

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
  run->spec_ = spec;
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
  return run;
}

auto ConsortiumRun::hospitals() -> std::vector<Node*> {
  std::vector<Node*> out;
  for (auto& node : nodes_) {
    if (node->is_hospital()) out.push_back(node.get());
  }
  return out;
}

auto ConsortiumRun::update_plan(std::uint32_t run) -> Result<federation::UpdatePlan> {
  auto& cases = nodes_.front()->cases();
  federation::UpdatePlan plan;
  plan.shape = {static_cast<std::uint32_t>(casebase::layout_of(cases.schema()).v1.size()),
                spec_.hidden, spec_.outputs};
  plan.training = spec_.training;
  plan.model_seed = spec_.seed;
  plan.run = run;
  plan.schema = cases.schema().digest();
  plan.standardisation = cases.standardisation_digest();
  return plan;
}

auto ConsortiumRun::intend_admission() -> Result<std::optional<Intent>> {
  const auto all = hospitals();
  std::size_t admitted = 0;
  Intent intent;
  for (const auto* node : all) {
    if (state().member_by_name(node->name()) != nullptr) {
      ++admitted;
    } else if (!intent.order && state().proposals().empty()) {
      intent.order = ledger::Propose{ledger::ProposeAdmit{node->member_info()}};
    }
  }
  if (admitted == all.size()) return std::nullopt;
  intent.step = "admit";
  intent.step_done = admitted;
  intent.step_all = all.size();
  return intent;
}

auto ConsortiumRun::remember_shared(std::map<std::string, Shared>& into, std::string_view name)
    -> Result<void> {
  for (auto* node : hospitals()) {
    const std::string record = "models/shared-" + std::string(name);
    CONSILIUM_TRY(const auto saved, node->load(record));
    if (saved) {
      Reader r(*saved, "shared summary");
      into[node->name()] = {r.u64(), r.u64()};
      CONSILIUM_CHECK(r.finish());
      continue;
    }
    CONSILIUM_TRY(const auto summary, node->casebase().shared_summary());
    if (!summary) continue;
    into[node->name()] = {summary->cases, summary->patterns};
    Writer w;
    w.u64(summary->cases).u64(summary->patterns);
    CONSILIUM_CHECK(node->save(record, w.view()));
  }
  return {};
}

auto ConsortiumRun::intend_alignment(std::uint64_t epoch, ledger::AlignmentSubject subject,
                                     std::uint16_t k, const std::string& step)
    -> Result<std::optional<Intent>> {
  Intent intent;
  intent.step = step;
  intent.step_all = 5;
  const auto& sessions = state().alignments();
  const auto at = std::find_if(sessions.rbegin(), sessions.rend(), [&](const auto& s) {
    return s.record.epoch == epoch && s.record.subject == subject;
  });
  if (at == sessions.rend() || at->state == ledger::AlignmentState::failed) {
    if (at != sessions.rend()) {
      return fail(
          "alignment_failed", step,
          at->aborts.empty() ? "the session failed" : "the session failed: " + at->aborts.back());
    }
    SystemRandom random;
    CONSILIUM_TRY(const auto record,
                  alignment::open_record(state(), nodes_.front()->cases().schema(), subject, k,
                                         epoch, random));
    intent.order = ledger::OpenAlignment{record};
    return intent;
  }
  if (at->state == ledger::AlignmentState::closed) return std::nullopt;
  intent.step_done = static_cast<std::size_t>(at->state);
  if (at->state == ledger::AlignmentState::released) {
    const auto all = hospitals();
    const bool everybody = std::all_of(all.begin(), all.end(),
                                       [](Node* node) { return node->has_alignment_outcome(); });
    if (everybody) intent.order = ledger::CloseAlignment{at->record.session};
  }
  return intent;
}

auto ConsortiumRun::intend_statistics() -> Result<std::optional<Intent>> {
  if (spec_.norm == TrainingRule::Norm::own) return std::nullopt;
  Intent intent;
  intent.step = "sealed statistics";
  intent.step_all = 7;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::statistics) continue;
    if (round.state == RoundState::accepted) {
      const auto all = hospitals();
      const bool everybody = std::all_of(all.begin(), all.end(), [](Node* node) {
        return node->cases().standardisation().has_value();
      });
      if (everybody) return std::nullopt;
      return intent;
    }
    if (is_running(round)) {
      intent.step_done = static_cast<std::size_t>(round.state);
      return intent;
    }
  }
  const auto& schema = nodes_.front()->cases().schema();
  intent.order = federation::statistics_round(state(), schema.digest(),
                                              casebase::layout_of(schema).number_ids.size());
  return intent;
}

auto ConsortiumRun::intend_updates() -> Result<std::optional<Intent>> {
  Intent intent;
  intent.step = "train";
  intent.step_all = spec_.rounds;
  std::uint32_t run = 0;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::update) continue;
    if (is_running(round)) return intent;
    if (round.state == RoundState::aborted) continue;
    ++intent.step_done;
    run = 0;
    if (round.state == RoundState::rolled_back) {
      CONSILIUM_TRY(const auto plan, federation::UpdatePlan::decode(round.open.plan));
      run = plan.run + 1;
    }
  }
  // An accepted round is over when the hospitals agree on the model they made of it.
  std::size_t accepted = 0;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose == Purpose::update && round.state == RoundState::accepted) ++accepted;
  }
  if (state().models().size() < accepted) return intent;
  if (intent.step_done >= spec_.rounds) return std::nullopt;

  CONSILIUM_TRY(const auto plan, update_plan(run));
  auto& founder = *nodes_.front();
  const Digest base = state().models().empty()
                          ? federation::initial_model(plan.shape, plan.model_seed).digest()
                          : state().models().back().model;
  CONSILIUM_TRY(auto clips, federation::clips_for(state(), state().policy(), plan, base, founder));
  intent.order = federation::update_round(state(), plan, {}, std::move(clips));
  return intent;
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

/// The menu once, about the model that training ended with.
auto ConsortiumRun::intend_metrics() -> Result<std::optional<Intent>> {
  if (state().models().empty()) return std::nullopt;
  Intent intent;
  intent.step = "sealed metrics";
  intent.step_all = 7;
  for (const auto& [id, round] : state().rounds()) {
    if (round.open.purpose != Purpose::metrics || round.state == RoundState::aborted) continue;
    intent.step_done = static_cast<std::size_t>(round.state);
    if (round.state != RoundState::accepted) return intent;
    for (auto* node : hospitals()) {
      CONSILIUM_TRY(const auto sum, federation::opened_counts(*node, id));
      if (!sum) return intent;
    }
    return std::nullopt;
  }
  intent.order = federation::metrics_round(state(), metrics_menu(state().policy()));
  return intent;
}

auto ConsortiumRun::intent() -> Result<Intent> {
  CONSILIUM_TRY(auto admission, intend_admission());
  if (admission) return *admission;
  const auto hospitals_count = static_cast<std::uint16_t>(hospitals().size());
  if (spec_.align_attributes) {
    CONSILIUM_TRY(auto aligning, intend_alignment(1, ledger::AlignmentSubject::attribute,
                                                  hospitals_count, "align attributes"));
    if (aligning) return *aligning;
  } else {
    CONSILIUM_TRY(auto aligning,
                  intend_alignment(1, ledger::AlignmentSubject::pattern, spec_.align_k,
                                   "align (k = " + std::to_string(spec_.align_k) + ")"));
    if (aligning) return *aligning;
    if (shared_.empty()) CONSILIUM_CHECK(remember_shared(shared_, "epoch-1"));
  }
  CONSILIUM_TRY(auto statistics, intend_statistics());
  if (statistics) return *statistics;
  CONSILIUM_TRY(auto updates, intend_updates());
  if (updates) return *updates;
  CONSILIUM_TRY(auto metrics, intend_metrics());
  if (metrics) return *metrics;
  if (spec_.next_epoch && !spec_.align_attributes && spec_.align_k < hospitals_count) {
    const auto next_k = static_cast<std::uint16_t>(spec_.align_k + 1);
    CONSILIUM_TRY(auto aligning, intend_alignment(2, ledger::AlignmentSubject::pattern, next_k,
                                                  "align (k = " + std::to_string(next_k) + ")"));
    if (aligning) return *aligning;
    if (shared_next_.empty()) CONSILIUM_CHECK(remember_shared(shared_next_, "epoch-2"));
  }
  Intent done;
  done.done = true;
  return done;
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
    CONSILIUM_TRY(auto next, intent());
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
