#include "chain_node.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "consilium/engine/abci_server.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"
#include "consilium/portal/portal.hpp"

#include "node_home.hpp"

namespace consilium::app {

namespace {

constexpr std::string_view agenda_file = "agenda.bin";
constexpr std::string_view frames_topic = "alignment";
/// A transaction that no block has taken is offered to the engine again.
constexpr std::int64_t offer_again_ms = 1000;
constexpr std::int64_t connect_again_ms = 500;
constexpr std::int64_t call_again_ms = 100, call_rarely_ms = 1000, calling_ms = 10'000;
constexpr std::int64_t count_again_ms = 100;
constexpr std::int64_t missing_patience_ms = 20'000;
/// Between two looks at the chain while nothing moves.
constexpr auto look_pause = std::chrono::milliseconds(2);
constexpr std::size_t pushes_max = 10'000;
/// A peer that does not answer must not hold up a miner for long: there are others to ask.
constexpr courier::RemoteOptions quick{500, 10'000};

/// Who may come to our port: active members, and whom the configuration names and nobody admitted
/// or removed. Read by the port's thread, renewed with every block.
class Door {
 public:
  explicit Door(const ChainConfig& config) {
    for (const auto& peer : config.peers) invited_[peer.identity] = peer.name;
  }
  void renew(const ledger::State& state) {
    std::map<courier::IdentityKey, std::pair<std::string, bool>> members;
    for (const auto& [id, member] : state.members()) {
      members[courier::IdentityKey{member.info.key.bytes}] = {member.info.name, member.active};
    }
    const std::lock_guard lock(mutex_);
    members_ = std::move(members);
  }
  auto admit(const courier::IdentityKey& key) -> Result<std::string> {
    const std::lock_guard lock(mutex_);
    if (const auto member = members_.find(key); member != members_.end()) {
      if (member->second.second) return member->second.first;
      return fail("not_admitted", member->second.first, "It is no member any more.");
    }
    if (const auto peer = invited_.find(key); peer != invited_.end()) return peer->second;
    return fail("not_admitted", "the port", "Nobody here knows this key.");
  }

 private:
  std::mutex mutex_;
  std::map<courier::IdentityKey, std::string> invited_;
  std::map<courier::IdentityKey, std::pair<std::string, bool>> members_;
};

/// Sends what this node made to everybody, in the background. Who was not reached asks for it
/// later.
class Pusher {
 public:
  Pusher(const courier::TransportIdentity& ours, const std::vector<courier::PeerAddress>& peers,
         const courier::BlobStore& store)
      : store_(store) {
    for (const auto& peer : peers) lanes_.emplace_back().peer.emplace(ours, peer, quick);
    for (auto& lane : lanes_) lane.thread = std::thread([this, &lane] { work(lane); });
  }
  ~Pusher() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    more_.notify_all();
    for (auto& lane : lanes_) lane.thread.join();
  }
  Pusher(const Pusher&) = delete;
  auto operator=(const Pusher&) -> Pusher& = delete;

  /// `holders`: with so many others holding a blob durably, it may be spoken of.
  void push(const std::vector<Digest>& blobs, std::size_t holders) {
    {
      const std::lock_guard lock(mutex_);
      for (const Digest& blob : blobs) {
        if (lanes_.empty()) break;
        waits_for_[blob] = {holders, lanes_.size()};
        for (auto& lane : lanes_) {
          lane.waiting.push_back(blob);
          if (lane.waiting.size() <= pushes_max) continue;
          tally(lane.waiting.front(), false);
          lane.waiting.pop_front();
        }
      }
    }
    more_.notify_all();
  }
  /// Every blob is held by enough others, or everybody who could be reached was tried.
  [[nodiscard]] auto settled() -> bool {
    const std::lock_guard lock(mutex_);
    return waits_for_.empty();
  }

 private:
  struct Lane {
    std::optional<courier::RemotePeer> peer;
    std::deque<Digest> waiting;
    std::thread thread;
  };
  struct Wanted {
    std::size_t holders = 0, lanes = 0;
  };
  void tally(const Digest& blob, bool held) {
    const auto found = waits_for_.find(blob);
    if (found == waits_for_.end()) return;
    auto& wanted = found->second;
    if (held && wanted.holders > 0) --wanted.holders;
    if (--wanted.lanes == 0 || wanted.holders == 0) waits_for_.erase(found);
  }
  void work(Lane& lane) {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [&] { return ends_ || !lane.waiting.empty(); });
      if (ends_) return;
      const Digest next = lane.waiting.front();
      lane.waiting.pop_front();
      lock.unlock();
      // A peer that is away, or full, fetches what it needs when it is back.
      const bool held = lane.peer->push(next, store_).has_value();
      lock.lock();
      tally(next, held);
    }
  }

  const courier::BlobStore& store_;
  std::mutex mutex_;  ///< guards ends_, waits_for_ and what waits in the lanes
  std::condition_variable more_;
  bool ends_ = false;
  std::map<Digest, Wanted> waits_for_;
  std::deque<Lane> lanes_;
};

class ChainNode {
 public:
  static auto open(const ChainOptions& options) -> Result<std::unique_ptr<ChainNode>>;
  [[nodiscard]] auto url() const -> std::string { return portal_->url(); }
  auto step() -> Result<bool>;
  auto report() -> ChainReport;
  auto close() -> Result<void>;

 private:
  ChainNode(ChainConfig config, ledger::Genesis genesis)
      : config_(std::move(config)), genesis_(std::move(genesis)), door_(config_) {}
  auto begin(const ChainOptions& options) -> Result<void>;
  auto begin_agenda() -> Result<void>;
  /// From the portal's thread.
  auto health() -> portal::Health;
  auto look_at_frames() -> Result<bool>;
  auto say_something() -> Result<bool>;
  void call_peers(std::int64_t now_ms);
  auto offer(std::int64_t now_ms) -> Result<void>;
  /// Does everybody take part? An operator opens nothing that somebody would miss who is only just
  /// starting; who stays away is waited for once.
  auto everybody_is_here(std::int64_t now_ms) -> bool;

  ChainConfig config_;
  ledger::Genesis genesis_;
  Door door_;
  SystemClock clock_;
  std::unique_ptr<Node> node_;
  std::optional<Agenda> agenda_;
  Intent intent_;
  std::unique_ptr<engine::Application> application_;
  std::unique_ptr<engine::AbciServer> server_;
  std::unique_ptr<engine::CometbftProcess> process_;
  std::unique_ptr<engine::CometbftDriver> driver_;
  std::optional<courier::TransportIdentity> identity_;
  std::optional<courier::Port> port_;
  std::optional<Pusher> pusher_;
  std::optional<portal::Portal> portal_;
  std::vector<courier::PeerAddress> peers_;
  std::vector<std::string> engine_peers_;
  std::size_t connected_ = 0;
  std::int64_t connected_at_ms_ = 0, called_ms_ = 0;
  struct Line {
    std::unique_ptr<Channel> channel;
    std::int64_t tried_ms = 0;
  };
  std::map<std::string, Line> lines_;
  std::optional<ledger::Transaction> offered_;  ///< that no block has taken yet
  std::int64_t offered_ms_ = 0;
  std::atomic<std::int64_t> owed_since_ms_ = 0;  ///< 0: nothing of ours waits for a block
  Height looked_at_;
  bool here_ = false, gave_up_ = false;
  std::int64_t counted_ms_ = 0, missing_since_ms_ = 0;
  std::vector<std::string> remarks_;
};

auto ChainNode::open(const ChainOptions& options) -> Result<std::unique_ptr<ChainNode>> {
  CONSILIUM_TRY(auto config, load_chain_config(options.directory));
  CONSILIUM_TRY(auto genesis, load_genesis(options.directory));
  std::unique_ptr<ChainNode> node(new ChainNode(std::move(config), std::move(genesis)));
  CONSILIUM_CHECK(node->begin(options));
  return node;
}

auto ChainNode::begin(const ChainOptions& options) -> Result<void> {
  const auto& directory = options.directory;
  CONSILIUM_TRY(const auto text, read_text_file(directory / "config.toml", 1U << 16U));
  const bool hospital = config_value(text, "role") != "server";
  casebase::Schema schema;
  if (hospital) {
    const auto file = directory / "schema.toml";
    CONSILIUM_TRY(const auto toml, read_text_file(file, 4U << 20U));
    CONSILIUM_TRY(schema, casebase::parse_schema(toml, file.string()));
  }
  CONSILIUM_TRY(node_,
                Node::open({config_value(text, "name"),
                            config_value(text, "title"),
                            hospital ? ledger::MemberRole::hospital : ledger::MemberRole::server,
                            directory,
                            std::move(schema),
                            config_.rule,
                            {},
                            ledger::box_kind_of(genesis_.policy),
                            hospital}));
  const auto file = directory / "ledger.db";
  CONSILIUM_TRY(const bool known, ledger::LedgerStore::holds_ledger(file));
  auto store =
      known ? ledger::LedgerStore::open(file) : ledger::LedgerStore::create(file, genesis_);
  if (!store) return tl::unexpected(store.error());
  CONSILIUM_TRY(application_,
                engine::Application::open(std::move(*store), {config_.block_interval_ms}, clock_));
  engine::CometbftSettings settings;
  settings.folder = directory / "chain";
  CONSILIUM_TRY(settings.program, engine::find_cometbft());
  settings.name = node_->name();
  settings.listen_host = config_.host;
  settings.listen_port = config_.engine_port;
  settings.times = config_.times;
  for (const auto& peer : config_.peers) {
    engine_peers_.push_back(peer.engine_id + "@" + peer.host + ":" +
                            std::to_string(peer.engine_port));
    peers_.push_back({peer.name, peer.identity, peer.host, peer.courier_port});
  }
  settings.peers = engine_peers_;
  CONSILIUM_CHECK(engine::prepare_cometbft(settings, genesis_, node_->keys().validator,
                                           node_->keys().transport));
  CONSILIUM_TRY(server_,
                engine::AbciServer::start(engine::abci_socket(settings.folder), *application_));
  driver_ = std::make_unique<engine::CometbftDriver>(settings.folder, *application_);
  CONSILIUM_CHECK(node_->follow_chain(genesis_, *driver_));
  door_.renew(node_->state());
  looked_at_ = node_->state().height();

  const auto& key = node_->keys().identity;
  CONSILIUM_TRY(identity_, courier::TransportIdentity::make(
                               genesis_.consortium(), {key.verify_key().bytes},
                               [&key](BytesView message) { return key.sign(message).bytes; }));
  courier::PortOptions door;
  door.address = config_.host;
  door.port = config_.courier_port;
  CONSILIUM_TRY(port_, courier::Port::open(
                           *identity_, node_->blobs(),
                           [this](const auto& caller) { return door_.admit(caller); }, door));
  std::vector<std::unique_ptr<courier::BlobPeer>> sources;
  for (const auto& peer : peers_) {
    sources.push_back(std::make_unique<courier::RemotePeer>(*identity_, peer, quick));
  }
  node_->set_peers(std::move(sources));
  pusher_.emplace(*identity_, peers_, node_->blobs());
  node_->on_new_blobs([this](const std::vector<Digest>& blobs) {
    // One honest holder besides us, even when as many are not as the chain stands.
    pusher_->push(blobs, (node_->state().validators().size() + 2) / 3 + 1);
  });

  CONSILIUM_CHECK(begin_agenda());
  CONSILIUM_TRY(process_, engine::CometbftProcess::start(settings));
  connected_at_ms_ = clock_.monotonic_ms();
  portal::PortalOptions face;
  face.port = options.portal_port;
  face.health = [this] { return health(); };
  CONSILIUM_TRY(portal_, portal::Portal::start(std::move(face)));
  return {};
}

auto ChainNode::begin_agenda() -> Result<void> {
  CONSILIUM_TRY(const auto agenda, node_->load(agenda_file));
  if (!agenda) return {};
  Reader r(*agenda, agenda_file);
  RunSpec spec;
  spec.seed = r.u64();
  spec.align_attributes = r.boolean();
  spec.align_k = r.u16();
  spec.next_epoch = r.boolean();
  spec.rounds = r.u64();
  spec.outputs = r.u32();
  spec.hidden = r.list(64, [](Reader& in) { return in.u32(); });
  const Bytes training = r.bytes(4096);
  const auto invited = r.list(64, [](Reader& in) { return in.bytes(4096); });
  CONSILIUM_CHECK(r.finish());
  CONSILIUM_TRY(spec.training, learning::TrainingPlan::decode(training));
  spec.norm = config_.rule.norm;
  std::vector<ledger::MemberInfo> members;
  for (const auto& bytes : invited) {
    CONSILIUM_TRY(auto member, ledger::MemberInfo::decode(bytes));
    members.push_back(std::move(member));
  }
  agenda_.emplace(std::move(spec), std::vector<Node*>{node_.get()}, std::move(members));
  return {};
}

/// Healthy is a node whose height grows when somebody waits for it.
auto ChainNode::health() -> portal::Health {
  const auto progress = application_->progress();
  const auto patience_ms = std::max<std::int64_t>(10'000, 10 * config_.block_interval_ms);
  const auto owed_since = owed_since_ms_.load();
  const bool owed = owed_since != 0 && clock_.monotonic_ms() - owed_since > patience_ms;
  const bool stands = progress.idle_ms > patience_ms && (progress.waiting || owed);
  const nlohmann::json details = {
      {"height", progress.ledger_height.value},
      {"engine_height", progress.engine_height},
      {"idle_ms", progress.idle_ms},
      {"waiting", progress.waiting || owed_since != 0},
      {"validators", progress.validators},
      {"absent", progress.absent.size()},
  };
  return {!stands, details.dump()};
}

auto ChainNode::look_at_frames() -> Result<bool> {
  bool moved = false;
  const auto now_ms = clock_.monotonic_ms();
  for (const auto& peer : peers_) {
    auto& line = lines_[peer.name];
    if (!line.channel) {
      if (line.tried_ms != 0 && now_ms - line.tried_ms < connect_again_ms) continue;
      line.tried_ms = now_ms;
      auto opened = port_->connect(peer, frames_topic, quick);
      if (!opened) continue;
      line.channel = std::move(*opened);
    }
    const auto* member = node_->state().member_by_name(peer.name);
    if (member == nullptr) continue;
    for (;;) {
      auto frame = line.channel->receive(0);
      if (!frame) {
        if (frame.error().code != "timeout") line.channel.reset();
        break;
      }
      CONSILIUM_CHECK(node_->receive_frame(member->id, *frame));
      moved = true;
    }
  }
  for (auto& [to, frame] : node_->take_frames()) {
    const auto& members = node_->state().members();
    const auto receiver = members.find(to);
    if (receiver == members.end()) continue;
    auto& line = lines_[receiver->second.info.name];
    // A frame that is lost ends the attempt at its height, and a new one begins.
    if (!line.channel || !line.channel->send(frame))
      remarks_.push_back("frame_lost: to " + receiver->second.info.name);
    moved = true;
  }
  return moved;
}

auto ChainNode::offer(std::int64_t now_ms) -> Result<void> {
  offered_ms_ = now_ms;
  const auto verdict = driver_->submit(*offered_);
  if (verdict) return {};
  const auto& code = verdict.error().code;
  // The engine is not there, or full: the same transaction is offered again.
  if (code == "engine_unreachable" || code == "queue_full") return {};
  // Others were quicker, mostly; what to say next is decided from the next block.
  node_->note("refused: " + verdict.error().message());
  offered_.reset();
  return {};
}

auto ChainNode::everybody_is_here(std::int64_t now_ms) -> bool {
  if (now_ms - counted_ms_ < count_again_ms) return here_ || gave_up_;
  counted_ms_ = now_ms;
  const auto count = driver_->peers_at_head();
  here_ = count && *count >= config_.peers.size();
  if (here_) {
    missing_since_ms_ = 0;
    gave_up_ = false;
  } else if (missing_since_ms_ == 0) {
    missing_since_ms_ = now_ms;
  } else if (now_ms - missing_since_ms_ > missing_patience_ms) {
    gave_up_ = true;
  }
  return here_ || gave_up_;
}

/// At most one transaction is on its way: the next is decided from the block that carries it. It
/// may speak of blobs, so these are with others first.
auto ChainNode::say_something() -> Result<bool> {
  const auto now_ms = clock_.monotonic_ms();
  const auto* self = node_->member();
  if (offered_) {
    const bool taken = self != nullptr && self->sequence >= offered_->sequence;
    const bool late = offered_->expiry < node_->state().height();
    if (!taken && !late) {
      if (owed_since_ms_ == 0) owed_since_ms_ = now_ms;
      if (now_ms >= offered_ms_ + offer_again_ms && pusher_->settled())
        CONSILIUM_CHECK(offer(now_ms));
      return false;
    }
    offered_.reset();
    owed_since_ms_ = 0;
  }
  if (agenda_ && self != nullptr && !intent_.done) {
    CONSILIUM_TRY(intent_, agenda_->next());
    const bool opens =
        intent_.order && (std::holds_alternative<ledger::OpenRound>(*intent_.order) ||
                          std::holds_alternative<ledger::OpenAlignment>(*intent_.order));
    if (intent_.order && !node_->has_orders() && (!opens || everybody_is_here(now_ms)))
      node_->order(*intent_.order);
  }
  CONSILIUM_TRY(offered_, node_->next());
  if (!offered_) return false;
  if (pusher_->settled()) {
    CONSILIUM_CHECK(offer(now_ms));
  } else {
    offered_ms_ = now_ms - offer_again_ms;
  }
  return true;
}

/// Often while something changes, and rarely when somebody stays away.
void ChainNode::call_peers(std::int64_t now_ms) {
  const bool changes = connected_ < engine_peers_.size() && now_ms - connected_at_ms_ < calling_ms;
  if (now_ms - called_ms_ < (changes ? call_again_ms : call_rarely_ms)) return;
  called_ms_ = now_ms;
  const auto connected = driver_->connect(engine_peers_);
  if (connected && *connected != connected_) {
    connected_ = *connected;
    connected_at_ms_ = now_ms;
  }
}

auto ChainNode::step() -> Result<bool> {
  const auto now_ms = clock_.monotonic_ms();
  if (const auto fault = server_->fault()) return tl::unexpected(*fault);
  CONSILIUM_TRY(const bool restarted, process_->keep_alive(now_ms));
  if (restarted) {
    remarks_.emplace_back("engine_restarted");
    connected_at_ms_ = now_ms;
    connected_ = 0;
  }
  call_peers(now_ms);
  // What the engine saw is only in its own blocks: somebody has to say it on the ledger.
  for (const auto height : application_->take_reported()) {
    auto evidence = driver_->evidence_at(height, node_->state());
    if (!evidence) {
      node_->note(evidence.error().message());
      continue;
    }
    for (auto& votes : *evidence) node_->order(std::move(votes));
  }
  CONSILIUM_CHECK(node_->follow(*driver_));
  const bool grown = node_->state().height() != looked_at_;
  if (grown) {
    door_.renew(node_->state());
    looked_at_ = node_->state().height();
  }
  CONSILIUM_TRY(const bool framed, look_at_frames());
  const auto step = std::make_tuple(intent_.step, intent_.step_done, intent_.done);
  CONSILIUM_TRY(const bool said, say_something());
  const bool stepped = step != std::make_tuple(intent_.step, intent_.step_done, intent_.done);
  (void)driver_->tick();  // refused or unreachable: the next look sends it again
  for (auto& remark : node_->take_remarks()) remarks_.push_back(std::move(remark));
  return grown || framed || said || stepped || !remarks_.empty();
}

auto ChainNode::report() -> ChainReport {
  const auto& state = node_->state();
  ChainReport out;
  out.height = state.height();
  out.step = intent_.step;
  out.step_done = intent_.step_done;
  out.step_all = intent_.step_all;
  out.done = agenda_ && intent_.done;
  out.remarks = std::exchange(remarks_, {});
  if (!state.rounds().empty()) {
    const auto& round = state.rounds().rbegin()->second;
    out.round = round.id;
    out.round_state = state_name(round.state);
    for (const auto& [hospital, manifest] : round.manifests) {
      out.submitted.push_back(state.members().at(hospital).info.name);
    }
  }
  for (const HospitalId id : application_->progress().absent) {
    out.absent.push_back(state.members().at(id).info.name);
  }
  return out;
}

auto ChainNode::close() -> Result<void> {
  if (portal_) portal_->stop();
  process_.reset();
  server_.reset();
  pusher_.reset();
  lines_.clear();
  if (port_) port_->close();
  CONSILIUM_CHECK(application_->close());
  return node_->close();
}

}  // namespace

auto save_agenda(const std::filesystem::path& directory, const RunSpec& spec,
                 const std::vector<ledger::MemberInfo>& invited) -> Result<void> {
  Writer w;
  w.u64(spec.seed).boolean(spec.align_attributes).u16(spec.align_k).boolean(spec.next_epoch);
  w.u64(spec.rounds).u32(spec.outputs);
  w.list(spec.hidden, [](Writer& out, std::uint32_t width) { out.u32(width); });
  w.bytes(spec.training.encode());
  w.list(invited, [](Writer& out, const auto& member) { out.bytes(member.encode()); });
  return write_file_durably(directory / agenda_file, w.view());
}

auto run_chain_node(const ChainOptions& options, const std::function<bool()>& stop,
                    const std::function<void(const std::string& url)>& ready,
                    const std::function<void(const ChainReport&)>& report) -> Result<void> {
  CONSILIUM_TRY(const auto node, ChainNode::open(options));
  ready(node->url());
  report(node->report());
  while (!stop()) {
    CONSILIUM_TRY(const bool moved, node->step());
    if (moved) {
      report(node->report());
    } else {
      std::this_thread::sleep_for(look_pause);
    }
  }
  return node->close();
}

}  // namespace consilium::app
