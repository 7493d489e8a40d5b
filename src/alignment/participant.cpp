#include <algorithm>
#include <bit>
#include <map>

#include "consilium/alignment/alignment.hpp"
#include "consilium/foundation/codec.hpp"

#include "commitments.hpp"
#include "frames.hpp"

namespace consilium::alignment {
namespace {

using ledger::AlignmentState;

constexpr std::string_view shelf_name = "models/alignment-outputs";
constexpr std::size_t shelf_hospitals_max = 64;
// Patience, in calls of on_ledger: one a height.
constexpr std::uint64_t post_again_calls = 12;    ///< the ledger has not shown what was posted
constexpr std::uint64_t upload_again_calls = 4;   ///< a node has not said whether an upload matches
constexpr std::uint64_t request_again_calls = 4;  ///< outputs are due and have not come
constexpr std::uint64_t fix_turn_calls = 3;       ///< from one slot's turn to fix to the next one's

enum class Posting : std::uint8_t { keys, commit, ack, fix, restarted, receipt };

/// A node's boxed outputs as they are kept.
struct Shelved {
  bool released = false;
  SessionBytes session{};
  std::uint32_t attempt = 0;
  std::map<HospitalId, std::vector<Bytes>> outputs;

  [[nodiscard]] auto encode() const -> Bytes {
    Writer out;
    out.boolean(released).fixed(session).u32(attempt);
    out.list(outputs, [](Writer& w, const auto& entry) {
      w.u16(entry.first.value);
      w.list(entry.second, [](Writer& inner, const Bytes& frame) { inner.bytes(frame); });
    });
    return out.take();
  }
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<Shelved> {
    Reader in(bytes, shelf_name);
    Shelved out;
    out.released = in.boolean();
    const auto session = in.fixed(out.session.size());
    std::copy_n(session.begin(), std::min(session.size(), out.session.size()), out.session.begin());
    out.attempt = in.u32();
    const auto count = in.count(shelf_hospitals_max);
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
      const HospitalId hospital{in.u16()};
      out.outputs[hospital] =
          in.list(2, [](Reader& r) { return r.bytes(frame_header_bytes + frame_bytes_max); });
    }
    CONSILIUM_CHECK(in.finish());
    return out;
  }
};

auto contains(const std::vector<HospitalId>& list, HospitalId id) -> bool {
  return std::ranges::find(list, id) != list.end();
}

auto claimed_cells(std::span<const std::uint64_t> bitmap) -> std::uint64_t {
  std::uint64_t cells = 0;
  for (const auto word : bitmap) cells += static_cast<std::uint64_t>(std::popcount(word));
  return cells;
}

}  // namespace

struct Participant::State {
  State(HospitalId member, const sealing::SigningKey& signing,
        std::span<const casebase::Case> samples, const casebase::Schema& agreed, BytesView secret,
        Random& random, OutputShelf* outputs_shelf, MemberKeys keys)
      : self(member),
        key(&signing),
        schema(agreed),
        session_secret(secret.size()),
        secrets(&random),
        shelf(outputs_shelf),
        member_keys(std::move(keys)) {
    std::ranges::copy(secret, session_secret.expose().begin());
    for (const auto subject :
         {ledger::AlignmentSubject::pattern, ledger::AlignmentSubject::attribute}) {
      auto dictionary = Dictionary::make(schema, subject);
      if (dictionary) own.emplace(subject, Own{*dictionary, holdings_of(samples, *dictionary)});
    }
  }

  /// What this hospital's samples fill, per subject.
  struct Own {
    Dictionary dictionary;
    Holdings holdings;
  };

  // --- the session
  // ---------------------------------------------------------------------------------------------

  auto adopt(const ledger::AlignmentSession& session) -> Result<void> {
    const auto& opened = session.record;
    if (opened.schema != schema.digest())
      return fail("stale_schema", "alignment", "the session was opened for another schema");
    const auto made = Dictionary::make(schema, opened.subject);
    if (!made) return tl::unexpected(made.error());
    if (opened.dictionary != made->digest() || opened.cells != made->cells())
      return fail("bad_dictionary", "alignment",
                  "the session's dictionary is not the one the schema gives");
    CONSILIUM_TRY(const auto circuit,
                  make_circuit(static_cast<std::uint32_t>(opened.members.size()), opened.threshold,
                               Output::individual, opened.cap));
    if (opened.circuit != circuit.digest() || opened.slots.size() != slot_count ||
        opened.chunk_log2 < 9 || opened.chunk_log2 > 20)
      return fail("bad_record", "alignment",
                  "the session's circuit, slots or chunks are not what the members agreed on");
    record = opened;
    bitmap = bitmap_of(own.at(opened.subject).holdings, made.value(), opened.support);
    barred.clear();
    result.reset();
    served.reset();
    attempt = 0;
    begin_attempt(session.attempt);
    return {};
  }

  void begin_attempt(std::uint32_t number) {
    attempt = number;
    node.reset();
    hospital.reset();
    posted_at.clear();
    uploaded_at.reset();
    requested_at.reset();
    committed_since.reset();
    acknowledged_since.reset();
    delivered = false;
  }

  [[nodiscard]] auto own_slot() const -> std::optional<std::size_t> {
    const auto found = std::ranges::find(record->slots, self);
    if (found == record->slots.end()) return std::nullopt;
    return static_cast<std::size_t>(found - record->slots.begin());
  }

  /// Is it time to post (again)? Counts as posted when it says yes.
  auto may_post(Posting what) -> bool {
    const auto found = posted_at.find(what);
    if (found != posted_at.end() && calls < found->second + post_again_calls) return false;
    posted_at[what] = calls;
    return true;
  }

  template <typename Kind>
  void post(Posting what, Kind kind) {
    if (may_post(what)) actions.post.push_back({record->session, attempt, std::move(kind)});
  }

  void take(Actions more) {
    std::ranges::move(more.post, std::back_inserter(actions.post));
    std::ranges::move(more.send, std::back_inserter(actions.send));
  }

  // --- the node part
  // -------------------------------------------------------------------------------------------

  auto step_node(const ledger::AlignmentSession& session, std::size_t slot) -> Result<void> {
    if (session.state == AlignmentState::released) return deliver(session);
    const auto key_on_ledger = session.keys.find(self);
    const bool key_known = key_on_ledger != session.keys.end();
    if (!node && !key_known && session.state == AlignmentState::opened)
      node.emplace(*record, attempt, slot, *key, member_keys, barred, *secrets);
    if (!node || (key_known && key_on_ledger->second.key != node->keys().key))
      return after_restart(session);
    if (!key_known) {
      if (session.state == AlignmentState::opened) post(Posting::keys, node->keys());
      return {};
    }
    take(node->on_ledger(session));
    CONSILIUM_CHECK(keep_outputs());
    if (node->receipt() && !session.receipts.contains(self) &&
        session.state == AlignmentState::fixed)
      post(Posting::receipt, *node->receipt());
    if (session.state == AlignmentState::committed) acknowledge_and_fix(session, slot);
    return {};
  }

  /// A node without its pair keys cannot go on; unless it has nothing left to do but to deliver.
  auto after_restart(const ledger::AlignmentSession& session) -> Result<void> {
    node.reset();
    if (session.receipts.contains(self)) {
      CONSILIUM_CHECK(restore_outputs());
      if (served && served->attempt == attempt) return {};
    }
    post(Posting::restarted, ledger::AlignAborted{"node_restarted", self, self});
    return {};
  }

  void acknowledge_and_fix(const ledger::AlignmentSession& session, std::size_t slot) {
    if (!committed_since) committed_since = calls;
    if (!session.acks.contains(self)) {
      const auto matched = node->matched();
      const bool all = std::ranges::all_of(session.commits, [&](const auto& commit) {
        return contains(matched, commit.first) || contains(barred, commit.first);
      });
      // Half of the time for deliveries is left for the fix.
      const bool enough_patience = calls >= *committed_since + record->deliver_heights / 2;
      if (all || enough_patience) post(Posting::ack, ledger::AlignAck{matched});
      return;
    }
    if (session.acks.size() < slot_count) return;
    if (!acknowledged_since) acknowledged_since = calls;
    if (calls >= *acknowledged_since + slot * fix_turn_calls)
      post(Posting::fix, ledger::AlignFix{});
  }

  /// Before the receipt is posted, the boxed outputs are where a restart finds them.
  auto keep_outputs() -> Result<void> {
    for (const auto id : node->over_cap()) {
      if (contains(barred, id)) continue;
      barred.push_back(id);
      remarks.push_back(
          "a hospital claims more patterns than the cap allows and is left out of this "
          "session (over_cap)");
    }
    if (!node->receipt() || (served && served->attempt == attempt)) return {};
    Shelved out{false, record->session, attempt, node->outputs()};
    if (shelf != nullptr) CONSILIUM_CHECK(shelf->save(shelf_name, out.encode()));
    served = std::move(out);
    return {};
  }

  auto restore_outputs() -> Result<void> {
    if (served || shelf == nullptr) return {};
    CONSILIUM_TRY(const auto saved, shelf->load(shelf_name));
    if (!saved || saved->empty()) return {};
    CONSILIUM_TRY(auto shelved, Shelved::decode(*saved));
    if (!record || shelved.session == record->session) served = std::move(shelved);
    return {};
  }

  auto deliver(const ledger::AlignmentSession& session) -> Result<void> {
    if (delivered) return {};
    CONSILIUM_CHECK(restore_outputs());
    node.reset();
    delivered = true;
    if (!served || served->attempt != attempt) {
      remarks.emplace_back("this node was restarted and has lost the outputs it owes to others");
      return {};
    }
    if (!served->released) {
      served->released = true;
      if (shelf != nullptr) CONSILIUM_CHECK(shelf->save(shelf_name, served->encode()));
    }
    for (const auto id : session.participants) serve(id);
    return {};
  }

  void serve(HospitalId to) {
    const auto found = served->outputs.find(to);
    if (found == served->outputs.end()) return;
    for (const auto& frame : found->second) actions.send.emplace_back(to, frame);
  }

  // --- the hospital part
  // ---------------------------------------------------------------------------------------

  void step_hospital(const ledger::AlignmentSession& session) {
    if (!contains(record->members, self) || result) return;
    const bool committed = session.commits.contains(self);
    switch (session.state) {
      case AlignmentState::opened:
      case AlignmentState::keyed:
        if (!committed) commit();
        [[fallthrough]];
      case AlignmentState::committed:
        if (committed && session.state != AlignmentState::opened) upload(session);
        return;
      case AlignmentState::fixed:
        if (hospital) hospital->forget_inputs();
        return;
      case AlignmentState::released:
        if (contains(session.participants, self)) {
          request();
        } else {
          result = Outcome{};
          result->unalignable = own.at(record->subject).holdings.unalignable;
        }
        return;
      case AlignmentState::closed:
      case AlignmentState::failed:
        return;
    }
  }

  void commit() {
    if (claimed_cells(bitmap.expose()) > record->cap) {
      if (!hospital)
        remarks.emplace_back(
            "this hospital has more patterns than the session's cap and takes no part");
      hospital.emplace(HospitalSession::resume(*record, attempt, self, bitmap.expose(),
                                               session_secret.expose()));
      return;
    }
    if (!hospital)
      hospital.emplace(HospitalSession::begin(*record, attempt, self, bitmap.expose(),
                                              session_secret.expose(), *secrets));
    post(Posting::commit, *hospital->commitments());
  }

  void upload(const ledger::AlignmentSession& session) {
    const auto& on_ledger = session.commits.at(self);
    if (!hospital || !hospital->commitments() ||
        hospital->commitments()->shares != on_ledger.shares)
      return;  // committed before a restart: the seeds are gone
    if (uploaded_at && calls < *uploaded_at + upload_again_calls) return;
    uploaded_at = calls;
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      if (hospital->is_taken_by(slot)) continue;
      if (auto frame = hospital->upload_to(slot))
        actions.send.emplace_back(record->slots[slot], std::move(*frame));
    }
  }

  void request() {
    if (!hospital || hospital->attempt() != attempt)
      hospital.emplace(HospitalSession::resume(*record, attempt, self, bitmap.expose(),
                                               session_secret.expose()));
    hospital->forget_inputs();
    // Nodes send by themselves first.
    if (!requested_at) requested_at = calls;
    if (calls < *requested_at + request_again_calls) return;
    requested_at = calls;
    for (std::size_t slot = 0; slot < slot_count; ++slot)
      actions.send.emplace_back(record->slots[slot], hospital->request_to(slot));
  }

  void conclude() {
    if (result || !hospital || !hospital->output()) return;
    const auto& z = *hospital->output();
    const auto& mine = own.at(record->subject);
    Outcome out;
    out.took_part = true;
    out.unalignable = mine.holdings.unalignable;
    for (const auto& [cell, cases] : mine.holdings.cells) {
      if ((z[cell / 64] >> (cell % 64) & 1U) == 0) continue;
      ++out.shared_patterns;
      if (record->subject == ledger::AlignmentSubject::pattern) {
        out.shared_cases.insert(out.shared_cases.end(), cases.begin(), cases.end());
      } else {
        out.shared_attributes.push_back(mine.dictionary.attributes()[cell].id);
      }
    }
    std::ranges::sort(out.shared_cases);
    out.claim_bucketed = bucketed_count(out.shared_patterns);
    result = std::move(out);
  }

  // --- frames
  // --------------------------------------------------------------------------------------------------

  auto on_request(HospitalId from, BytesView bytes) -> Result<void> {
    const auto frame = decode_frame(bytes);
    if (!frame) return {};
    CONSILIUM_CHECK(restore_outputs());
    const bool known = served && served->released && served->session == frame->session &&
                       served->attempt == frame->attempt;
    if (known) serve(from);
    return {};
  }

  auto on_answer(HospitalId from, BytesView bytes) -> Result<void> {
    const auto slot = std::ranges::find(record->slots, from);
    if (!hospital || slot == record->slots.end()) return {};
    const auto place = static_cast<std::size_t>(slot - record->slots.begin());
    const auto done = hospital->on_frame(place, bytes);
    if (!done) {
      const auto& code = done.error().code;
      if (code == "output_mismatch" || code == "conflicting_message")
        return tl::unexpected(done.error());
      remarks.push_back(done.error().message());
    }
    conclude();
    return {};
  }

  auto dispatch(HospitalId from, BytesView bytes) -> Result<void> {
    constexpr std::size_t type_at = 5;
    const auto type =
        bytes.size() > type_at ? static_cast<FrameType>(bytes[type_at]) : FrameType::hello;
    if (type == FrameType::output_request) return on_request(from, bytes);
    if (!record) return {};
    if (type == FrameType::upload_ack || type == FrameType::output ||
        type == FrameType::output_hash)
      return on_answer(from, bytes);
    if (!node) return {};
    take(node->on_frame(from, bytes));
    CONSILIUM_CHECK(keep_outputs());
    if (node->receipt()) post(Posting::receipt, *node->receipt());
    return {};
  }

  /// Frames from our hospital part to our node part and back stay in the house.
  auto settle() -> Result<Actions> {
    for (std::size_t i = 0; i < actions.send.size(); ++i) {
      if (actions.send[i].first != self) continue;
      const Bytes frame = std::move(actions.send[i].second);
      actions.send[i].second.clear();
      CONSILIUM_CHECK(dispatch(self, frame));
    }
    std::erase_if(actions.send, [&](const auto& entry) { return entry.first == self; });
    return std::exchange(actions, {});
  }

  auto on_ledger(const ledger::AlignmentSession& session) -> Result<Actions> {
    ++calls;
    if (!record || record->session != session.record.session) CONSILIUM_CHECK(adopt(session));
    if (session.attempt != attempt) begin_attempt(session.attempt);
    if (session.state == AlignmentState::failed || session.state == AlignmentState::closed) {
      node.reset();
      hospital.reset();
      if (served && shelf != nullptr) CONSILIUM_CHECK(shelf->save(shelf_name, {}));
      served.reset();
      return Actions{};
    }
    if (const auto slot = own_slot()) CONSILIUM_CHECK(step_node(session, *slot));
    step_hospital(session);
    return settle();
  }

  HospitalId self;
  const sealing::SigningKey* key;
  casebase::Schema schema;
  SecretBytes session_secret;
  Random* secrets;
  OutputShelf* shelf;
  MemberKeys member_keys;
  std::map<ledger::AlignmentSubject, Own> own;

  std::uint64_t calls = 0;
  std::optional<ledger::AlignmentRecord> record;
  Secret<std::uint64_t> bitmap;
  std::vector<HospitalId> barred;  ///< over their cap in an attempt of this session
  std::optional<Outcome> result;
  std::optional<Shelved> served;

  std::uint32_t attempt = 0;
  std::optional<NodeSession> node;
  std::optional<HospitalSession> hospital;
  std::map<Posting, std::uint64_t> posted_at;
  std::optional<std::uint64_t> uploaded_at, requested_at, committed_since, acknowledged_since;
  bool delivered = false;
  Actions actions;
  std::vector<std::string> remarks;
};

Participant::Participant(HospitalId self, const sealing::SigningKey& key,
                         std::span<const casebase::Case> samples, const casebase::Schema& schema,
                         BytesView session_secret, Random& secrets, OutputShelf* shelf,
                         MemberKeys member_keys)
    : state_(std::make_unique<State>(self, key, samples, schema, session_secret, secrets, shelf,
                                     std::move(member_keys))) {}
Participant::Participant(Participant&&) noexcept = default;
auto Participant::operator=(Participant&&) noexcept -> Participant& = default;
Participant::~Participant() = default;

auto Participant::on_ledger(const ledger::AlignmentSession& session) -> Result<Actions> {
  return state_->on_ledger(session);
}

auto Participant::on_frame(HospitalId from, BytesView frame) -> Result<Actions> {
  CONSILIUM_CHECK(state_->dispatch(from, frame));
  return state_->settle();
}

auto Participant::outcome() const -> const std::optional<Outcome>& {
  return state_->result;
}

auto Participant::take_remarks() -> std::vector<std::string> {
  return std::exchange(state_->remarks, {});
}

}  // namespace consilium::alignment
