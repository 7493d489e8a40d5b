#include "node.hpp"

#include <algorithm>
#include <fstream>

#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

#include "blob_care.hpp"

namespace consilium::app {

namespace {

/// A transaction that has not been packed after this many heights is not packed any more.
constexpr std::uint64_t expiry_heights = 64;
constexpr std::size_t blocks_a_pull = 256;
constexpr std::size_t record_bytes_max = 256U << 20U;
/// The last session whose outcome this node keeps.
constexpr std::string_view finished_session_record = "models/aligned-session";
/// The height until which the boxes of closed rounds are gone.
constexpr std::string_view erased_boxes_record = "rounds/erased-boxes";
/// How much of this hospital an epoch's session found shared: the next one marks other cases.
auto shared_record(std::uint64_t epoch) -> std::string {
  return "models/shared-epoch-" + std::to_string(epoch);
}
/// What trains after `--align attributes`.
constexpr std::string_view training_schema_record = "models/schema.toml";

auto config_text(const Node::Setup& setup) -> std::string {
  return "# Written when the node was made; read by `consilium` when it opens this directory.\n"
         "name = \"" +
         setup.name +
         "\"\n"
         "title = \"" +
         setup.title +
         "\"\n"
         "role = \"" +
         (setup.role == ledger::MemberRole::hospital ? "hospital" : "server") + "\"\n";
}

}  // namespace

auto Node::open(Setup setup) -> Result<std::unique_ptr<Node>> {
  const auto directory = setup.directory;
  SystemRandom secrets;
  CONSILIUM_CHECK(write_file_durably(directory / "config.toml", as_bytes(config_text(setup))));
  CONSILIUM_TRY(auto keys,
                open_node_keys(directory / "keys", setup.training_seed, setup.box_kind, secrets));
  CONSILIUM_TRY(auto blobs, courier::BlobStore::open(directory / "blobs"));
  std::unique_ptr<Node> node(new Node(std::move(setup), std::move(keys), std::move(blobs)));
  if (node->is_hospital()) {
    CONSILIUM_CHECK(write_file_durably(directory / "schema.toml",
                                       as_bytes(casebase::to_toml(node->setup_.schema))));
    CONSILIUM_TRY(node->casebase_,
                  casebase::Casebase::open(directory / "casebase.db", node->setup_.schema));
    node->cases_ =
        std::make_unique<CaseAccess>(*node->casebase_, node->setup_.schema, node->setup_.rule,
                                     directory / "models" / "standardisation");
    CONSILIUM_TRY(const auto narrowed, node->load(training_schema_record));
    if (narrowed) {
      CONSILIUM_TRY(auto schema,
                    casebase::parse_schema(as_text(*narrowed), training_schema_record));
      node->cases_->use_schema(std::move(schema));
    }
    CONSILIUM_CHECK(node->cases_->restore());
  }
  return node;
}

auto Node::member_info() const -> ledger::MemberInfo {
  return {setup_.name, setup_.title, setup_.role, keys_.identity.verify_key(),
          keys_.boxes.current().public_key()};
}

auto Node::join(const ledger::Genesis& genesis) -> Result<void> {
  const auto file = directory() / "ledger.db";
  CONSILIUM_TRY(const bool known, ledger::LedgerStore::holds_ledger(file));
  if (known) {
    CONSILIUM_TRY(ledger_, ledger::LedgerStore::open(file));
    if (state().consortium() != genesis.consortium()) {
      return fail("wrong_consortium", file.string(),
                  "this node's ledger is of another consortium; give the node its own directory");
    }
    return {};
  }
  CONSILIUM_TRY(ledger_, ledger::LedgerStore::create(file, genesis));
  return {};
}

auto Node::member() const -> const ledger::Member* {
  return ledger_ ? state().member_by_name(setup_.name) : nullptr;
}

auto Node::follow(ledger::Driver& driver) -> Result<void> {
  while (true) {
    CONSILIUM_TRY(const auto blocks, driver.blocks_after(state().height(), blocks_a_pull));
    for (const auto& block : blocks) CONSILIUM_CHECK(ledger_->append(block));
    if (blocks.size() == blocks_a_pull) continue;
    if (dropped_at_ != state().height()) {
      CONSILIUM_CHECK(drop_released(state(), blobs_));
      dropped_at_ = state().height();
    }
    return end_box_epoch();
  }
}

auto Node::end_box_epoch() -> Result<void> {
  const auto* self = member();
  if (self == nullptr) return {};
  CONSILIUM_CHECK(keys_.boxes.follow(self->info.box_key));
  if (!boxes_erased_) {
    CONSILIUM_TRY(const auto saved, load(erased_boxes_record));
    boxes_erased_ = Height{0};
    if (saved) {
      Reader r(*saved, erased_boxes_record);
      boxes_erased_ = Height{r.u64()};
      CONSILIUM_CHECK(r.finish());
    }
  }
  if (self->box_since <= *boxes_erased_) return {};
  // No round ran when the key changed: all of these are closed, and nobody needs a box of theirs.
  for (const auto& [id, round] : state().rounds()) {
    if (round.closed_at > self->box_since || round.closed_at <= *boxes_erased_) continue;
    const auto parameters = state().parameters_of(round);
    for (const auto& [hospital, submission] : round.manifests) {
      CONSILIUM_CHECK(erase_boxes(parameters, submission.manifest, blobs_));
    }
  }
  Writer w;
  w.u64(self->box_since.value);
  CONSILIUM_CHECK(save(erased_boxes_record, w.view()));
  boxes_erased_ = self->box_since;
  return {};
}

auto Node::next_box_key() -> Result<std::optional<ledger::Body>> {
  const auto* self = member();
  const auto miners = state().committee();
  if (std::find(miners.begin(), miners.end(), self->id) == miners.end()) return std::nullopt;
  // A miner that lost its key makes a new one as soon as it may.
  const bool lost = !keys_.boxes.holds(self->info.box_key) && state().committee_may_change();
  if (!lost && !state().box_key_is_due(self->id)) return std::nullopt;
  auto key = keys_.boxes.next(ledger::box_kind_of(state().policy()), secrets_);
  if (!key) {
    if (key.error().code != "suite_unavailable") return tl::unexpected(key.error());
    if (!std::exchange(told_of_box_key_, true)) remarks_.push_back(key.error().message());
    return std::nullopt;
  }
  return ledger::RotateBoxKey{std::move(*key)};
}

void Node::set_peers(std::vector<std::unique_ptr<courier::BlobPeer>> peers) {
  peers_ = std::move(peers);
}

auto Node::begin_participation() -> Result<void> {
  const auto* self = member();
  if (participant_ || self == nullptr) return {};
  CONSILIUM_TRY(set_log_, sealing::SetLog::open(directory() / "set.log",
                                                federation::answers_on_ledger(state(), self->id)));
  // The only driver is `solo`: one sequencer.
  participant_.emplace(
      federation::Identity{self->id, &keys_.boxes.current(), keys_.training_seed.expose(),
                           keys_.hedge.expose(), federation::Finality::single_sequencer},
      cases_.get(), *this, *set_log_, secrets_);
  return {};
}

auto Node::next_vote() const -> std::optional<ledger::Body> {
  const auto* self = member();
  if (self == nullptr || !is_hospital()) return std::nullopt;
  for (const auto& [id, proposal] : state().proposals()) {
    // What a hospital shows of its own update, who leaves, who is forgiven and by which rules the
    // chain goes on are decided by people, each time.
    const auto& what = proposal.proposal.what;
    if (std::holds_alternative<ledger::ProposeAudit>(what) ||
        std::holds_alternative<ledger::ProposeRemove>(what) ||
        std::holds_alternative<ledger::ProposeRelease>(what) ||
        std::holds_alternative<ledger::ProposeUpgrade>(what))
      continue;
    if (!proposal.votes.contains(self->id)) return ledger::Vote{id, true};
  }
  return std::nullopt;
}

auto Node::next_of_alignment() -> Result<std::optional<ledger::Body>> {
  const auto* self = member();
  if (!is_hospital() || self == nullptr || state().alignments().empty()) return std::nullopt;
  const auto& session = state().alignments().back();
  if (session.record.session != aligned_session_) {
    CONSILIUM_TRY(const auto samples, casebase_->samples());
    aligned_session_ = session.record.session;
    CONSILIUM_TRY(const auto finished, load(finished_session_record));
    alignment_done_ = finished && std::equal(finished->begin(), finished->end(),
                                             aligned_session_.begin(), aligned_session_.end());
    alignment::MemberKeys member_keys;
    for (const auto& [id, known] : state().members()) member_keys[id] = known.info.key;
    aligner_ = std::make_unique<alignment::Participant>(
        self->id, keys_.identity, samples, setup_.schema, keys_.alignment_seed.expose(), secrets_,
        this, std::move(member_keys));
  }
  if (alignment_done_) return std::nullopt;
  CONSILIUM_TRY(auto actions, aligner_->on_ledger(session));
  for (auto& frame : actions.send) frames_.push_back(std::move(frame));
  for (auto& post : actions.post) alignment_posts_.emplace_back(std::move(post));
  CONSILIUM_CHECK(keep_alignment_outcome(session));
  if (alignment_posts_.empty()) return std::nullopt;
  ledger::Body body = std::move(alignment_posts_.front());
  alignment_posts_.pop_front();
  return body;
}

auto Node::keep_alignment_outcome(const ledger::AlignmentSession& session) -> Result<void> {
  const auto& outcome = aligner_->outcome();
  if (!outcome || alignment_done_) return {};
  if (session.record.subject == ledger::AlignmentSubject::pattern) {
    CONSILIUM_CHECK(casebase_->mark_shared(outcome->shared_cases, session.record.session,
                                           outcome->shared_patterns));
    cases_->refresh();
    CONSILIUM_TRY(const auto summary, casebase_->shared_summary());
    if (summary) {
      Writer w;
      w.u64(summary->cases).u64(summary->patterns);
      CONSILIUM_CHECK(save(shared_record(session.record.epoch), w.view()));
    }
  } else {
    cases_->use_schema(setup_.schema.filtered([&](const casebase::Attribute& attribute) {
      return std::find(outcome->shared_attributes.begin(), outcome->shared_attributes.end(),
                       attribute.id) != outcome->shared_attributes.end();
    }));
    CONSILIUM_CHECK(save(training_schema_record, as_bytes(casebase::to_toml(cases_->schema()))));
  }
  // Last of all: without it a restarted node asks for its outcome again.
  CONSILIUM_CHECK(save(finished_session_record, session.record.session));
  alignment_done_ = true;
  return {};
}

auto Node::next() -> Result<std::optional<ledger::Transaction>> {
  const auto* self = member();
  if (self == nullptr) return std::nullopt;
  CONSILIUM_CHECK(begin_participation());
  std::optional<ledger::Body> body = next_vote();
  if (!body && is_hospital()) body = next_blob_word(state(), self->id, blobs_, secrets_);
  if (!body) {
    CONSILIUM_TRY(body, next_of_alignment());
  }
  if (!body) {
    CONSILIUM_TRY(body, participant_->step(state()));
  }
  if (!body) {
    CONSILIUM_TRY(body, next_box_key());
  }
  if (!body && !orders_.empty()) {
    body = std::move(orders_.front());
    orders_.pop_front();
  }
  if (!body) return std::nullopt;
  ledger::Transaction transaction{
      state().consortium(), self->id,
      self->sequence + 1,   Height{state().height().value + expiry_heights},
      std::move(*body),     {}};
  return ledger::sign_transaction(std::move(transaction), keys_.identity);
}

auto Node::take_frames() -> std::vector<std::pair<HospitalId, Bytes>> {
  return std::exchange(frames_, {});
}

auto Node::receive_frame(HospitalId from, BytesView frame) -> Result<void> {
  if (!aligner_ || state().alignments().empty()) return {};
  CONSILIUM_TRY(auto actions, aligner_->on_frame(from, frame));
  for (auto& out : actions.send) frames_.push_back(std::move(out));
  for (auto& post : actions.post) alignment_posts_.emplace_back(std::move(post));
  return keep_alignment_outcome(state().alignments().back());
}

auto Node::shared_in(std::uint64_t epoch) -> Result<std::optional<Shared>> {
  CONSILIUM_TRY(const auto saved, load(shared_record(epoch)));
  if (!saved) return std::nullopt;
  Reader r(*saved, "shared summary");
  const Shared shared{r.u64(), r.u64()};
  CONSILIUM_CHECK(r.finish());
  return shared;
}

auto Node::model() const -> const learning::Model* {
  return participant_ ? participant_->model() : nullptr;
}

auto Node::take_remarks() -> std::vector<std::string> {
  auto out = std::exchange(remarks_, {});
  if (participant_) {
    for (auto& remark : participant_->take_remarks()) out.push_back(std::move(remark));
  }
  if (aligner_) {
    for (auto& remark : aligner_->take_remarks()) out.push_back(std::move(remark));
  }
  if (!out.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(directory() / "logs", ignored);
    std::ofstream log(directory() / "logs" / "node.log", std::ios::app);
    for (const auto& remark : out) {
      log << iso_time(SystemClock{}.wall_ms()) << " height " << state().height().value << " "
          << remark << "\n";
    }
  }
  return out;
}

auto Node::close() -> Result<void> {
  if (ledger_) CONSILIUM_CHECK(ledger_->close());
  if (casebase_) CONSILIUM_CHECK(casebase_->close());
  return {};
}

auto Node::put_blobs(std::span<const BytesView> blobs) -> Result<std::vector<Digest>> {
  return blobs_.put_batch(blobs);
}

auto Node::get_blob(const Digest& digest) -> Result<Bytes> {
  std::vector<courier::BlobPeer*> peers;
  peers.reserve(peers_.size());
  for (const auto& peer : peers_) peers.push_back(peer.get());
  auto fetched = courier::fetch_from_any(digest, peers, blobs_);
  for (const auto& fault : fetched.faults) {
    if (fault.error.code == "blob_mismatch") remarks_.push_back(fault.error.message());
  }
  return std::move(fetched.bytes);
}

auto Node::save(std::string_view name, BytesView bytes) -> Result<void> {
  return write_file_durably(directory() / name, bytes);
}

auto Node::load(std::string_view name) -> Result<std::optional<Bytes>> {
  const auto file = directory() / name;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::optional<Bytes>{};
  CONSILIUM_TRY(auto bytes, read_file(file, record_bytes_max));
  return std::optional<Bytes>{std::move(bytes)};
}

auto Node::erase(std::string_view name) -> Result<void> {
  const auto file = directory() / name;
  std::error_code problem;
  if (!std::filesystem::remove(file, problem)) {
    if (!problem) return {};
    return fail("file_unwritable", file.string(),
                "this record cannot be removed; give this user the right to write its folder");
  }
  return sync_folder(file.parent_path());
}

}  // namespace consilium::app
