#include "world.hpp"

#include <algorithm>
#include <atomic>

#include <sodium.h>
#include <unistd.h>

#include "consilium/foundation/codec.hpp"

namespace consilium::simulator {

class Cloud final : public federation::LocalCases {
 public:
  Cloud(std::uint64_t seed, std::size_t rows) {
    SeededRandom random(seed, "cloud");
    const auto fill = [&](learning::Examples& out, std::size_t n) {
      out.rows = n;
      out.columns = 3;
      for (std::size_t i = 0; i < n; ++i) {
        const bool ill = random.below(2) == 1;
        for (std::size_t c = 0; c < 3; ++c) {
          out.values.push_back(static_cast<float>(random.normal() + (ill ? 1.0 : -1.0)));
          out.mask.push_back(1);
        }
        out.disease.push_back(ill ? 1 : 0);
      }
    };
    fill(train_, rows);
    fill(held_back_, 40);
  }
  /// These cases never change, so all of them always count.
  auto marks(federation::CaseUse use) -> Result<std::vector<federation::CaseMark>> override {
    const auto& rows = use == federation::CaseUse::held_back ? held_back_ : train_;
    std::vector<federation::CaseMark> out;
    for (std::size_t i = 0; i < rows.rows; ++i)
      out.push_back({CaseId{"case-" + std::to_string(1000 + i)}, Digest{{1}}});
    return out;
  }
  auto statistics(const federation::StatisticsPlan&, std::span<const federation::CaseMark>,
                  std::int64_t) -> Result<std::vector<std::int64_t>> override {
    return std::vector<std::int64_t>{static_cast<std::int64_t>(train_.rows), 7, -3};
  }
  auto standardise(const federation::OpenedStatistics&, const federation::StatisticsPlan&)
      -> Result<void> override {
    return {};
  }
  auto training(const federation::UpdatePlan&, std::span<const federation::CaseMark>)
      -> Result<const learning::Examples*> override {
    return &train_;
  }
  auto held_back(const federation::UpdatePlan&, std::span<const federation::CaseMark>)
      -> Result<const learning::Examples*> override {
    return &held_back_;
  }
  auto council(const federation::CouncilPlan& plan, std::span<const federation::CaseMark>)
      -> Result<std::vector<std::int64_t>> override {
    return std::vector<std::int64_t>(plan.length(), 20);
  }
  auto claimed_patterns() -> std::uint64_t override { return 0; }

 private:
  learning::Examples train_, held_back_;
};

namespace {

/// Boxes take their one-time key from libsodium's own generator; here it follows from the seed too.
std::unique_ptr<SeededRandom> box_chance;
auto box_chance_name() -> const char* {
  return "seeded";
}
auto box_chance_word() -> std::uint32_t {
  return box_chance->u32();
}
void box_chance_fill(void* const out, const std::size_t size) {
  box_chance->fill(std::span(static_cast<std::uint8_t*>(out), size));
}
void seed_box_chance(std::uint64_t seed) {
  static randombytes_implementation implementation{.implementation_name = box_chance_name,
                                                   .random = box_chance_word,
                                                   .stir = nullptr,
                                                   .uniform = nullptr,
                                                   .buf = box_chance_fill,
                                                   .close = nullptr};
  box_chance = std::make_unique<SeededRandom>(seed, "one-time keys of boxes");
  randombytes_set_implementation(&implementation);
  if (sodium_init() < 0) std::abort();
}

auto is_over(const ledger::RoundRecord& round) -> bool {
  return ledger::is_closed(round.state);
}

auto member_name(std::size_t at) -> std::string {
  return "hospital-" + std::to_string(at + 1);
}

/// Used by a chain under this world alone.
auto validator_key(const std::string& name) -> sealing::VerifyKey {
  SeededRandom random(as_bytes(name), "validator");
  return sealing::SigningKey::make(random).verify_key();
}

auto threshold_of(const ledger::RoundRecord& round) -> std::size_t {
  return sealing::committee_of(static_cast<std::uint16_t>(round.miners.size())).threshold;
}

}  // namespace

// --- the disk

auto Disk::put_blobs(std::span<const BytesView> many) -> Result<std::vector<Digest>> {
  std::vector<Digest> out;
  for (const auto blob : many) {
    world_.step_point(node_);
    out.push_back(blob_name(blob));
    blobs[out.back()] = Bytes(blob.begin(), blob.end());
  }
  world_.step_point(node_);
  return out;
}

auto Disk::get_blob(const Digest& digest) -> Result<Bytes> {
  const auto own = blobs.find(digest);
  if (own != blobs.end()) return own->second;
  const Node& self = world_.nodes[node_];
  for (std::size_t other = 0; other < world_.nodes.size(); ++other) {
    const Node& peer = world_.nodes[other];
    const bool silent = other == node_ || self.away || peer.away || peer.withholds ||
                        !peer.participant || world_.chance(world_.weather_.peer_down);
    if (silent) continue;
    const auto at = peer.disk->blobs.find(digest);
    // A node keeps only what hashes to the name it asked for.
    if (at == peer.disk->blobs.end() || blob_name(at->second) != digest) continue;
    blobs[digest] = at->second;
    return at->second;
  }
  return fail("blob_unavailable", digest.hex(), "nobody who answers has it");
}

auto Disk::save(std::string_view name, BytesView bytes) -> Result<void> {
  world_.step_point(node_);
  records[std::string(name)] = Bytes(bytes.begin(), bytes.end());
  world_.step_point(node_);
  return {};
}

auto Disk::load(std::string_view name) -> Result<std::optional<Bytes>> {
  const auto at = records.find(name);
  if (at == records.end()) return std::optional<Bytes>{};
  return std::optional<Bytes>{at->second};
}

auto Disk::erase(std::string_view name) -> Result<void> {
  world_.step_point(node_);
  records.erase(std::string(name));
  world_.step_point(node_);
  return {};
}

// --- making the consortium

World::World(std::size_t hospitals, std::uint64_t seed, Weather weather)
    : seed_(seed), weather_(weather), network_(seed, "network") {
  seed_box_chance(seed);
  static std::atomic<int> counter{0};
  const std::filesystem::path memory("/dev/shm");
  folder_ =
      (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
      ("consilium-simulator-" + std::to_string(::getpid()) + "-" + std::to_string(++counter));
  std::filesystem::create_directories(folder_);
  SeededRandom keys(seed, "keys");
  for (std::size_t at = 0; at < hospitals; ++at) {
    nodes.push_back(Node{.name = member_name(at),
                         .id = HospitalId{static_cast<std::uint16_t>(at + 1)},
                         .key = sealing::SigningKey::make(keys),
                         .box = sealing::BoxKey::make(keys),
                         .training_seed = Bytes(32, static_cast<std::uint8_t>(at + 1)),
                         .cases = std::make_unique<Cloud>(at + 1, 60 + 20 * at),
                         .disk = std::make_unique<Disk>(*this, at),
                         .set_log_file = folder_ / (member_name(at) + ".log"),
                         .ledger = {},
                         .set_log = {},
                         .secrets = {},
                         .participant = {},
                         .kill_at = {},
                         .up_again = {}});
  }
  const auto info = [](const Node& node) {
    return ledger::MemberInfo{node.name,
                              node.name,
                              ledger::MemberRole::hospital,
                              node.key.verify_key(),
                              node.box.public_key(),
                              validator_key(node.name)};
  };
  genesis_.name = "simulated";
  genesis_.created_unix_s = 1;
  genesis_.founder = info(nodes[0]);
  genesis_.policy.topology = ledger::Topology::committee;
  for (auto* heights : {&genesis_.policy.seal_heights, &genesis_.policy.attest_heights,
                        &genesis_.policy.ready_heights, &genesis_.policy.publish_heights,
                        &genesis_.policy.judge_heights}) {
    *heights = 24;
  }
  genesis_.schema = Digest{{9}};
  chains_.push_back({std::make_unique<ledger::Ledger>(genesis_), {}, {}});
  Chain& chain = chains_[0];
  const auto end_block = [&] {
    chain.blocks.push_back(chain.ledger->end_block());
    chain.digests.push_back(chain.ledger->digest());
  };
  for (std::size_t joining = 1; joining < hospitals; ++joining) {
    post(0, ledger::Propose{ledger::ProposeAdmit{info(nodes[joining])}});
    end_block();
    for (std::size_t voter = 1; voter < joining && !chain.ledger->proposals().empty(); ++voter) {
      post(voter, ledger::Vote{chain.ledger->proposals().begin()->first, true});
      end_block();
    }
  }
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    nodes[at].ledger = std::make_unique<ledger::Ledger>(genesis_);
    for (const auto& block : chain.blocks) {
      if (!nodes[at].ledger->apply_block(block)) found("a node refuses the common past");
    }
    start(at);
  }
}

World::~World() {
  nodes.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

// --- processes

void World::step_point(std::size_t at) {
  Node& node = nodes[at];
  if (node.kill_at && node.steps++ == *node.kill_at) {
    node.kill_at.reset();
    throw Killed{};
  }
  if (!node.kill_at) ++node.steps;
}

void World::start(std::size_t at) {
  Node& node = nodes[at];
  node.up_again.reset();
  node.secrets =
      std::make_unique<SeededRandom>(seed_, "secrets of " + node.name + " " + std::to_string(at) +
                                                " start " + std::to_string(node.starts++));
  std::size_t answered = 0;
  for (const auto& [id, round] : node.ledger->rounds()) {
    answered +=
        static_cast<std::size_t>(std::count(round.ready.begin(), round.ready.end(), node.id));
  }
  auto log = sealing::SetLog::open(node.set_log_file, answered);
  if (!log) {
    remarks.push_back(node.name + ": " + log.error().message());
    return;  // stays down: a miner without its log takes a new identity
  }
  node.set_log.emplace(std::move(*log));
  node.participant.emplace(federation::Identity{node.id, &node.box, node.training_seed},
                           node.cases.get(), *node.disk, *node.set_log, *node.secrets);
}

void World::kill(std::size_t at, unsigned ticks) {
  nodes[at].participant.reset();
  nodes[at].set_log.reset();
  nodes[at].up_again = now_ + ticks;
}

void World::restart(std::size_t at) {
  kill(at, 0);
  start(at);
}

auto World::fork() -> std::size_t {
  Chain copy{std::make_unique<ledger::Ledger>(genesis_), chains_[0].blocks, chains_[0].digests};
  for (const auto& block : copy.blocks) {
    if (!copy.ledger->apply_block(block)) found("a fork refuses its own past");
  }
  chains_.push_back(std::move(copy));
  return chains_.size() - 1;
}

void World::move_to_chain(std::size_t at, std::size_t chain, bool wiped) {
  Node& node = nodes[at];
  kill(at, 0);
  node.chain = chain;
  node.ledger = std::make_unique<ledger::Ledger>(genesis_);
  if (wiped) std::filesystem::remove(node.set_log_file);
  start(at);
}

auto World::double_of(std::size_t at, std::size_t chain) -> std::size_t {
  const std::size_t number = nodes.size();
  const Node& first = nodes[at];
  SeededRandom keys(seed_, "keys");
  const auto remake = [&](BytesView seed) { return *sealing::SigningKey::from_seed(seed); };
  Node second{.name = first.name + "-double",
              .id = first.id,
              .chain = chain,
              .key = remake(first.key.seed().expose()),
              .box = *sealing::BoxKey::from_seed(first.box.seed().expose()),
              .training_seed = first.training_seed,
              .cases = std::make_unique<Cloud>(at + 1, 60 + 20 * at),
              .disk = std::make_unique<Disk>(*this, number),
              .set_log_file = folder_ / (first.name + "-double.log"),
              .ledger = std::make_unique<ledger::Ledger>(genesis_),
              .set_log = {},
              .secrets = {},
              .participant = {},
              .kill_at = {},
              .up_again = {}};
  second.disk->records = first.disk->records;
  second.disk->blobs = first.disk->blobs;
  std::filesystem::copy_file(first.set_log_file, second.set_log_file,
                             std::filesystem::copy_options::overwrite_existing);
  second.accomplice = true;
  nodes[at].accomplice = true;
  nodes.push_back(std::move(second));
  start(number);
  return number;
}

// --- the network

void World::follow(std::size_t at) {
  Node& node = nodes[at];
  if (node.away || chance(weather_.blocks_held)) return;
  const Chain& chain = chains_[node.chain];
  while (node.ledger->height().value < chain.blocks.size()) {
    const auto& block = chain.blocks[node.ledger->height().value];
    if (auto applied = node.ledger->apply_block(block); !applied) {
      found(node.name + " refuses a block: " + applied.error().message());
      return;
    }
    // As if the node had been started again from its snapshot: it must never judge otherwise.
    auto again = ledger::Ledger::restore(genesis_, node.ledger->snapshot(), node.ledger->digest());
    if (!again) return found(node.name + " lost its snapshot: " + again.error().message());
    *node.ledger = std::move(*again);
  }
}

void World::post(std::size_t at, ledger::Body body) {
  if (ordered_by) return send(at, std::move(body));
  Node& node = nodes[at];
  Chain& chain = chains_[node.chain];
  const auto transaction =
      ledger::sign_transaction({chain.ledger->consortium(),
                                node.id,
                                chain.ledger->members().at(node.id).sequence + 1,
                                Height{chain.ledger->height().value + 50},
                                std::move(body),
                                {}},
                               node.key);
  if (auto verdict = chain.ledger->apply(transaction); !verdict) {
    found("the sequencer's own order is refused: " + verdict.error().message());
  }
}

void World::send(std::size_t at, ledger::Body body) {
  Node& node = nodes[at];
  step_point(at);
  hear(at, body);
  const auto& member = node.ledger->members().at(node.id);
  const Bytes bytes = ledger::sign_transaction({node.ledger->consortium(),
                                                node.id,
                                                member.sequence + 1,
                                                Height{node.ledger->height().value + 50},
                                                std::move(body),
                                                {}},
                                               node.key)
                          .encode();
  if (bytes.size() > 64U * 1024U) found(node.name + " sends more than 64 KiB");
  for (unsigned copies = chance(weather_.twice) ? 2 : 1; copies > 0; --copies) {
    if (chance(weather_.lost)) continue;
    on_the_way_.push_back({now_ + network_.below(weather_.late_max + 1U), node.chain, at, bytes});
  }
  step_point(at);
}

void World::step_node(std::size_t at) {
  Node& node = nodes[at];
  if (!node.participant || node.away) return;
  try {
    auto body = node.participant->step(*node.ledger);
    for (auto& remark : node.participant->take_remarks()) {
      remarks.push_back(node.name + " " + remark);
    }
    if (!body) {
      if (!stopped) stopped = body.error();
      return;
    }
    if (!*body || (meddle && !meddle(at, **body))) return;
    send(at, std::move(**body));
  } catch (const Killed&) {
    kill(at, 1 + static_cast<unsigned>(network_.below(3)));
  }
}

void World::deliver() {
  std::vector<Message> due;
  std::erase_if(on_the_way_, [&](Message& message) {
    if (message.due > now_) return false;
    due.push_back(std::move(message));
    return true;
  });
  network_.shuffle(std::span(due));
  if (ordered_by) {
    std::vector<std::pair<std::size_t, Bytes>> transactions;
    for (Message& message : due)
      transactions.emplace_back(message.from, std::move(message.transaction));
    Chain& chain = chains_[0];
    for (auto& block : ordered_by(transactions)) {
      if (auto applied = chain.ledger->apply_block(block); !applied)
        found("the chain made a block that does not hold: " + applied.error().message());
      chain.blocks.push_back(std::move(block));
      chain.digests.push_back(chain.ledger->digest());
    }
    return;
  }
  for (const Message& message : due) {
    const auto transaction = ledger::Transaction::decode(message.transaction);
    if (!transaction) {
      found("a transaction does not read back");
      continue;
    }
    for (std::size_t chain = 0; chain < chains_.size(); ++chain) {
      if (chain != message.chain && !mirrors) continue;
      if (takes && !takes(chain, *transaction)) continue;
      // A refusal is no fault: it may be a repetition, or late, or meant for another chain.
      (void)chains_[chain].ledger->apply(*transaction);
    }
  }
}

void World::tick() {
  ++now_;
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    if (nodes[at].up_again && now_ >= *nodes[at].up_again) start(at);
    if (!nodes[at].participant) continue;
    follow(at);
    step_node(at);
    check_node(at);
  }
  deliver();
  for (Chain& chain : chains_) {
    if (ordered_by) break;
    chain.blocks.push_back(chain.ledger->end_block());
    chain.digests.push_back(chain.ledger->digest());
  }
}

void World::run(unsigned ticks_max) {
  const auto settled = [&](const ledger::Ledger& state) {
    if (state.rounds().empty()) return true;
    const auto& round = state.rounds().rbegin()->second;
    const bool wants_model = round.state == ledger::RoundState::accepted &&
                             round.open.purpose == sealing::Purpose::update;
    return is_over(round) &&
           (!wants_model || (!state.models().empty() && state.models().back().round == round.id));
  };
  for (unsigned i = 0; i < ticks_max; ++i) {
    const bool over = std::all_of(chains_.begin(), chains_.end(),
                                  [&](const Chain& chain) { return settled(*chain.ledger); });
    if (over) break;
    tick();
  }
  // What everybody does after the end, once all have heard of it.
  for (unsigned i = 0; i < 6; ++i) tick();
}

void World::open_update(std::uint32_t run) {
  federation::UpdatePlan plan;
  plan.shape = {3, {4}, 2};
  plan.training.local_steps = 10;
  plan.training.batch_rows = 8;
  plan.model_seed = 5;
  plan.run = run;
  for (std::size_t chain = 0; chain < chains_.size(); ++chain) {
    const auto poster = std::find_if(nodes.begin(), nodes.end(),
                                     [&](const Node& node) { return node.chain == chain; });
    if (poster == nodes.end()) continue;
    post(static_cast<std::size_t>(poster - nodes.begin()),
         federation::update_round(*chains_[chain].ledger, plan));
  }
}

void World::open_statistics() {
  post(0, federation::statistics_round(*chains_[0].ledger, chains_[0].ledger->schema(), 1));
}

// --- what must never be

/// What a node says is written down the moment it says it, arrived or not.
void World::hear(std::size_t at, const ledger::Body& body) {
  Node& node = nodes[at];
  const auto round_of = [&](RoundId id) { return node.ledger->find_round(id); };
  const auto said = [&](RoundId id) -> Said& {
    const auto* round = round_of(id);
    return said_[{node.id, {round == nullptr ? Digest{} : round->stream, id}}];
  };
  if (const auto* submit = std::get_if<ledger::SubmitManifest>(&body)) {
    Said& mine = said(submit->round);
    const Bytes bytes = submit->manifest.encode();
    if (mine.manifest && *mine.manifest != bytes && !node.accomplice) {
      found(node.name + " makes a second manifest for round " +
            std::to_string(submit->round.value));
    }
    mine.manifest = bytes;
    if (!node.disk->records.contains("rounds/" + std::to_string(submit->round.value) + "/update")) {
      found(node.name + " seals an update that it does not keep");
    }
    for (const Digest& blob : {submit->manifest.body_blob, submit->manifest.lists}) {
      if (!node.disk->blobs.contains(blob)) found(node.name + " speaks of a blob it does not hold");
    }
  } else if (const auto* ready = std::get_if<ledger::Ready>(&body)) {
    Said& mine = said(ready->round);
    if (mine.ready && *mine.ready != ready->set_digest && !node.accomplice) {
      found(node.name + " is ready for a second set of round " +
            std::to_string(ready->round.value));
    }
    mine.ready = ready->set_digest;
  } else if (const auto* share = std::get_if<ledger::PublishShare>(&body)) {
    const auto* round = round_of(share->round);
    if (round == nullptr) return found(node.name + " publishes for a round it does not know");
    Said& mine = said(share->round);
    const std::pair words{share->set_digest, share->share_sum};
    if (mine.published && *mine.published != words && !node.accomplice) {
      found(node.name + " publishes twice, and not the same");
    }
    mine.published = words;
    if (round->state != ledger::RoundState::opening && round->state != ledger::RoundState::opened &&
        round->state != ledger::RoundState::judging && !node.accomplice) {
      found(node.name + " publishes before the opening");
    }
    if (round->ready.size() < threshold_of(*round)) {
      found(node.name + " publishes with fewer than t ready");
    }
    ReleasedSet& set = released_[{share->round, share->set_digest}];
    set.round = share->round;
    set.stream = round->stream;
    set.base = round->open.base;
    set.set = share->set_digest;
    set.purpose = round->open.purpose;
    set.parameters = node.ledger->parameters_of(*round);
    if (set.members.empty()) {
      for (const auto& member : round->set) {
        set.members.push_back(member.hospital);
        set.bodies.push_back(round->manifests.at(member.hospital).manifest.body_blob);
      }
    }
    const auto miner = std::find(round->miners.begin(), round->miners.end(), node.id);
    set.share_sums[MinerId{static_cast<std::uint16_t>(miner - round->miners.begin() + 1)}] =
        share->share_sum;
    // The largest key, that of L60, has 2 · 4096 residues of 30 bits.
    if (node.disk->blobs.at(share->share_sum).size() > 30'720U)
      found("a share sum larger than a key");
    check_families();
  }
}

void World::check_node(std::size_t at) {
  const Node& node = nodes[at];
  const std::uint64_t height = node.ledger->height().value;
  const Chain& chain = chains_[node.chain];
  if (height > 0 && chain.digests[height - 1] != node.ledger->digest()) {
    found(node.name + " has another state at height " + std::to_string(height));
  }
  for (const auto& [id, round] : node.ledger->rounds()) {
    const bool opened = round.state == ledger::RoundState::opened ||
                        round.state == ledger::RoundState::judging ||
                        round.state == ledger::RoundState::accepted ||
                        (round.state == ledger::RoundState::rolled_back && round.opened_sum);
    const std::size_t t = threshold_of(round);
    // A set that did not open is given up by t of the committee, and by fewer not.
    if (round.state == ledger::RoundState::rolled_back && !round.opened_sum &&
        round.failure_words.size() < t)
      found("round " + std::to_string(id.value) + " given up without its threshold");
    if (!opened) continue;
    if (round.ready.size() < t || round.share_sums.size() < t || round.results.size() < t ||
        round.set.size() < round.policy.honest_min) {
      found("round " + std::to_string(id.value) + " opened without its threshold");
    }
  }
}

auto World::openable() const -> std::vector<const ReleasedSet*> {
  std::vector<const ReleasedSet*> out;
  for (const auto& [key, set] : released_) {
    if (set.share_sums.size() >= set.parameters.committee.threshold) out.push_back(&set);
  }
  return out;
}

void World::check_families() {
  const auto sets = openable();
  if (sets.size() == families_checked_) return;
  families_checked_ = sets.size();
  std::map<Digest, std::vector<std::vector<HospitalId>>> families;
  std::map<std::pair<Digest, RoundId>, std::size_t> of_round;
  for (const ReleasedSet* set : sets) {
    const bool update = set->purpose == sealing::Purpose::update;
    families[update ? set->base : set->stream].push_back(set->members);
    if (++of_round[{set->stream, set->round}] > 1) {
      found("two sets of round " + std::to_string(set->round.value) + " can be opened");
    }
  }
  for (const auto& [family, members] : families) {
    if (const auto alone = isolated_hospital(members, chains_[0].ledger->members().size())) {
      found("the vector of hospital " + std::to_string(alone->value) + " is determined");
    }
    if (smallest_atom(members, chains_[0].ledger->members().size()) < genesis_.policy.honest_min) {
      found("the sum of fewer than k_min hospitals is determined");
    }
  }
}

auto World::open(const ReleasedSet& set) -> Result<sealing::OpenedSum> {
  const auto fetch = [&](const Digest& digest) -> Bytes {
    for (const Node& node : nodes) {
      const auto at = node.disk->blobs.find(digest);
      if (at != node.disk->blobs.end()) return at->second;
    }
    return {};
  };
  std::vector<Bytes> bodies;
  for (const Digest& digest : set.bodies) bodies.push_back(fetch(digest));
  const std::vector<BytesView> views(bodies.begin(), bodies.end());
  std::map<MinerId, Bytes> sums;
  for (const auto& [miner, digest] : set.share_sums) sums[miner] = fetch(digest);
  return sealing::open_sum(set.parameters, views, sums);
}

auto World::kept_values(std::size_t at, RoundId round) const -> std::vector<std::int64_t> {
  const Bytes& record =
      nodes[at].disk->records.at("rounds/" + std::to_string(round.value) + "/update");
  Reader reader(record);
  (void)reader.digest();
  std::vector<std::int64_t> values(reader.u64());
  for (std::int64_t& value : values) value = reader.i64();
  return values;
}

// --- linear algebra over a prime so large that no determinant of zeros and ones here reaches it

namespace {

constexpr std::uint64_t prime = 2'147'483'647;

auto inverse(std::uint64_t value) -> std::uint64_t {
  std::uint64_t out = 1;
  for (std::uint64_t exponent = prime - 2; exponent != 0; exponent >>= 1U) {
    if ((exponent & 1U) != 0) out = out * value % prime;
    value = value * value % prime;
  }
  return out;
}

/// The rows in reduced echelon form, zero rows left out.
auto reduced(std::vector<std::vector<std::uint64_t>> rows)
    -> std::vector<std::vector<std::uint64_t>> {
  std::size_t rank = 0;
  const std::size_t columns = rows.empty() ? 0 : rows.front().size();
  for (std::size_t column = 0; column < columns && rank < rows.size(); ++column) {
    std::size_t pivot = rank;
    while (pivot < rows.size() && rows[pivot][column] == 0) ++pivot;
    if (pivot == rows.size()) continue;
    std::swap(rows[pivot], rows[rank]);
    const std::uint64_t scale = inverse(rows[rank][column]);
    for (std::uint64_t& value : rows[rank]) value = value * scale % prime;
    for (std::size_t other = 0; other < rows.size(); ++other) {
      const std::uint64_t factor = rows[other][column];
      if (other == rank || factor == 0) continue;
      for (std::size_t at = 0; at < columns; ++at) {
        rows[other][at] = (rows[other][at] + (prime - factor) * rows[rank][at]) % prime;
      }
    }
    ++rank;
  }
  rows.resize(rank);
  return rows;
}

auto indicators(const std::vector<std::vector<HospitalId>>& sets, std::size_t hospitals)
    -> std::vector<std::vector<std::uint64_t>> {
  std::vector<std::vector<std::uint64_t>> rows;
  for (const auto& set : sets) {
    auto& row = rows.emplace_back(hospitals, 0);
    for (const HospitalId hospital : set) row[hospital.value - 1U] = 1;
  }
  return rows;
}

}  // namespace

auto isolated_hospital(const std::vector<std::vector<HospitalId>>& sets, std::size_t hospitals)
    -> std::optional<HospitalId> {
  // A unit vector lies in a row space exactly when it is a row of its reduced echelon form.
  for (const auto& row : reduced(indicators(sets, hospitals))) {
    const auto ones = std::count_if(row.begin(), row.end(), [](auto value) { return value != 0; });
    if (ones != 1) continue;
    const auto at = std::find_if(row.begin(), row.end(), [](auto value) { return value != 0; });
    return HospitalId{static_cast<std::uint16_t>(at - row.begin() + 1)};
  }
  return std::nullopt;
}

auto smallest_atom(const std::vector<std::vector<HospitalId>>& sets, std::size_t hospitals)
    -> std::size_t {
  const auto rows = indicators(sets, hospitals);
  std::map<std::vector<std::uint64_t>, std::size_t> atoms;
  for (std::size_t hospital = 0; hospital < hospitals; ++hospital) {
    std::vector<std::uint64_t> pattern;
    for (const auto& row : rows) pattern.push_back(row[hospital]);
    ++atoms[pattern];
  }
  std::size_t smallest = hospitals;
  for (const auto& [pattern, count] : atoms) {
    const bool in_none =
        std::all_of(pattern.begin(), pattern.end(), [](auto value) { return value == 0; });
    if (!in_none) smallest = std::min(smallest, count);
  }
  return smallest;
}

}  // namespace consilium::simulator
