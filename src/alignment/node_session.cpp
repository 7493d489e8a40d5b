#include <algorithm>
#include <array>
#include <bit>
#include <deque>

#include <sodium.h>

#include "consilium/alignment/session.hpp"

#include "commitments.hpp"
#include "frames.hpp"
#include "layout.hpp"
#include "plan.hpp"
#include "wire.hpp"

namespace consilium::alignment {
namespace {

constexpr std::size_t signature_bytes = 64;
/// A peer can be at most three levels ahead of us, plus its verdict and opening.
constexpr std::size_t inbox_max = 8;

enum class Phase : std::uint8_t {
  collecting,  ///< uploads come in; waits for the fix
  greeting,    ///< waits for both hellos
  computing,
  judging,   ///< waits for both verdicts
  opening,   ///< waits for both parts of `over`
  finished,  ///< the receipt is made
  ended,
};

/// One of the two shares of a hospital's bitmap that this node holds: a seed, or the words
/// themselves.
struct HeldShare {
  std::optional<WordStreams> seed;
  Secret<std::uint64_t> words;

  void read(std::uint32_t chunk, const Chunk& at, HospitalId hospital,
            std::span<std::uint64_t> out) {
    if (seed) {
      seed->read(chunk, hospital.value, out);
    } else {
      std::ranges::copy(words.expose().subspan(at.offset, at.words), out.begin());
    }
  }
};
struct Held {
  HeldShare first, second;
  sealing::BoxPublicKey box;
};

/// The other node on one side, and the frames between us.
struct Peer {
  HospitalId id;
  std::size_t slot = 0;
  std::uint64_t sent_count = 0, received_count = 0;
  Hasher sent, received;  ///< running transcripts up to the verdict
  std::deque<Frame> inbox;
  bool greeted = false;
  std::optional<Bytes> verdict;
  std::optional<Bytes> opening;
};

struct OutputShares {
  Secret<std::uint64_t> first, second;
};

}  // namespace

struct NodeSession::State {
  State(const ledger::AlignmentRecord& session_record, std::uint32_t session_attempt,
        std::size_t own_slot, const sealing::SigningKey& key, MemberKeys keys_of_members,
        std::vector<HospitalId> hospitals_barred, Random& secrets)
      : record(session_record),
        record_digest(session_record.digest()),
        attempt(session_attempt),
        slot(own_slot),
        self(session_record.slots.at(own_slot)),
        signing(copy_of(key)),
        member_keys(std::move(keys_of_members)),
        barred(std::move(hospitals_barred)),
        chunks(chunks_of(session_record)),
        scalar(crypto_scalarmult_SCALARBYTES) {
    secrets.fill(scalar.expose());
    CONSILIUM_ENSURE(crypto_scalarmult_base(own_key.key.data(), scalar.expose().data()) == 0);
    previous.slot = (slot + 2) % slot_count;
    next.slot = (slot + 1) % slot_count;
    previous.id = record.slots[previous.slot];
    next.id = record.slots[next.slot];
    auto made = make_circuit(static_cast<std::uint32_t>(record.members.size()), record.threshold,
                             Output::individual, record.cap);
    CONSILIUM_ENSURE(made.has_value());
    circuit = std::move(*made);
    std::vector<std::uint32_t> chunk_bits;
    for (const auto& piece : chunks) chunk_bits.push_back(piece.bits());
    cap_plan = plan_cap(circuit.inputs, chunk_bits, record.cap);
  }

  static auto copy_of(const sealing::SigningKey& key) -> sealing::SigningKey {
    auto copy = sealing::SigningKey::from_seed(key.seed().expose());
    CONSILIUM_ENSURE(copy.has_value());
    return std::move(*copy);
  }

  // --- uploads
  // -------------------------------------------------------------------------------------------------

  [[nodiscard]] auto share_size(std::size_t j) const -> std::size_t {
    return j == 2 ? bitmap_words(record.cells) * sizeof(std::uint64_t) : stream_key_bytes;
  }

  [[nodiscard]] auto held_share(std::size_t j, BytesView bytes) const -> HeldShare {
    HeldShare out;
    if (j == 2) {
      out.words = Secret<std::uint64_t>(bytes.size() / sizeof(std::uint64_t));
      std::ranges::copy(bytes, writable_bytes_of(out.words.expose()).begin());
    } else {
      out.seed.emplace(std::span<const std::uint8_t, stream_key_bytes>(bytes.data(), bytes.size()));
    }
    return out;
  }

  /// The fault of an upload against its commitments; empty when it was taken.
  auto take_upload(HospitalId from, const Frame& frame) -> std::string_view {
    const auto& commit = session->commits.at(from);
    WireReader in(frame.payload);
    std::array<BytesView, 2> shares;
    bool matches = true;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const std::size_t j = (slot + i) % slot_count;
      const auto nonce = in.fixed(nonce_bytes);
      shares[i] = in.fixed(share_size(j));
      const auto commitment = share_commitment(record.session, attempt, from, j, nonce, shares[i]);
      matches = matches && commitment == commit.shares[j];
    }
    const auto box = in.array<32>();
    if (!in.done()) return "bad_frame";
    if (!matches) return "share_commitment_mismatch";
    held[from] = Held{held_share(slot, shares[0]), held_share((slot + 1) % slot_count, shares[1]),
                      sealing::BoxPublicKey{box}};
    return {};
  }

  void on_upload(HospitalId from, Frame frame) {
    if (std::ranges::find(record.members, from) == record.members.end()) return;
    // Uploads may be sent again, each with a higher number.
    auto& seen = uploads_seen[from];
    if (frame.sequence < seen || frame.chunk != 0 || frame.round != 0) {
      answer(from, frame.sequence, "bad_frame");
      return;
    }
    seen = frame.sequence + 1;
    if (phase != Phase::collecting) {
      const bool taken =
          session && std::ranges::find(session->participants, from) != session->participants.end();
      answer(from, frame.sequence, taken ? std::string_view() : "late");
      return;
    }
    if (std::ranges::find(barred, from) != barred.end()) {
      answer(from, frame.sequence, "over_cap");
      return;
    }
    waiting[from] = std::move(frame);
    judge_uploads();
  }

  void judge_uploads() {
    if (!session) return;
    for (auto at = waiting.begin(); at != waiting.end();) {
      const auto hospital = at->first;
      if (!session->commits.contains(hospital)) {
        ++at;  // faster than the ledger
        continue;
      }
      const bool again = held.contains(hospital);
      const auto fault = again ? std::string_view() : take_upload(hospital, at->second);
      answer(hospital, at->second.sequence, fault);
      wipe(at->second.payload);
      at = waiting.erase(at);
    }
  }

  void answer(HospitalId to, std::uint64_t sequence, std::string_view fault) {
    Frame ack{FrameType::upload_ack, record.session, attempt, 0, 0, sequence, {}};
    ack.payload = WireWriter().u16(fault_number(fault)).take();
    actions.send.emplace_back(to, encode_frame(ack));
  }

  // --- between nodes
  // -------------------------------------------------------------------------------------------

  /// Where a frame belongs: only levels have a chunk and a round.
  struct Place {
    std::uint32_t chunk = 0, round = 0;
  };

  void send(Peer& peer, FrameType type, Place at, Bytes payload) {
    auto frame = encode_frame(
        {type, record.session, attempt, at.chunk, at.round, peer.sent_count++, std::move(payload)});
    if (phase == Phase::greeting || phase == Phase::computing) peer.sent.add(frame);
    actions.send.emplace_back(peer.id, std::move(frame));
  }

  void post(ledger::AlignAborted aborted) {
    actions.post.push_back({record.session, attempt, std::move(aborted)});
  }

  /// Ends the attempt; the pair says that one of the two is at fault (both the same: nobody).
  void end(std::string_view code, HospitalId second) {
    const std::uint8_t about =
        second == previous.id ? static_cast<std::uint8_t>(previous.slot)
                              : static_cast<std::uint8_t>(second == next.id ? next.slot : slot);
    for (auto* peer : {&previous, &next})
      send(*peer, FrameType::abort, {}, WireWriter().u16(fault_number(code)).u8(about).take());
    post({std::string(code), self, second});
    erase();
  }

  void erase() {
    phase = Phase::ended;
    scalar.erase();
    held.clear();
    for (auto& [id, frame] : waiting) wipe(frame.payload);
    waiting.clear();
    own_zero.reset();
    next_zero.reset();
    evaluation.reset();
    shares_out.clear();
    for (auto& [first, second] : cap_inputs) first = second = 0;
    wipe(writable_bytes_of(cap_words));
    for (auto* peer : {&previous, &next}) peer->inbox.clear();
  }

  /// The next frame of a peer if it has come; it must be exactly the one that is due.
  auto due(Peer& peer, FrameType type, Place at, std::size_t size) -> std::optional<Bytes> {
    if (phase == Phase::ended || peer.inbox.empty()) return std::nullopt;
    Frame frame = std::move(peer.inbox.front());
    peer.inbox.pop_front();
    if (frame.type != type || frame.chunk != at.chunk || frame.round != at.round ||
        frame.payload.size() != size) {
      end("bad_frame", peer.id);
      return std::nullopt;
    }
    if (phase == Phase::greeting || phase == Phase::computing)
      peer.received.add(encode_frame(frame));
    return std::move(frame.payload);
  }

  void start() {
    for (const auto hospital : session->participants) {
      if (!held.contains(hospital)) {  // not the participants this node acknowledged
        end("not_fixed", self);
        return;
      }
    }
    std::erase_if(held, [&](const auto& entry) {
      return std::ranges::find(session->participants, entry.first) == session->participants.end();
    });
    if (!agree_on_keys()) return;
    phase = Phase::greeting;
    const auto hello = hello_payload();
    for (auto* peer : {&previous, &next}) send(*peer, FrameType::hello, {}, hello);
  }

  [[nodiscard]] auto hello_payload() const -> Bytes {
    return WireWriter()
        .fixed(record_digest.view())
        .fixed(session->fix.view())
        .fixed(record.circuit.view())
        .take();
  }

  auto agree_on_keys() -> bool {
    const auto key_of = [&](std::size_t s) { return session->keys.at(record.slots[s]).key; };
    PairKeyContext context{record_digest, record.session, attempt, 0, {}, {}};
    context.slot = static_cast<std::uint8_t>(slot);
    context.own_key = own_key.key;
    context.previous_key = key_of(previous.slot);
    const auto own = zero_stream_key(context, scalar.expose(), key_of(previous.slot));
    context.slot = static_cast<std::uint8_t>(next.slot);
    context.own_key = key_of(next.slot);
    context.previous_key = own_key.key;
    const auto other = zero_stream_key(context, scalar.expose(), key_of(next.slot));
    if (!own || !other) {
      end("bad_peer_key", own ? next.id : previous.id);
      return false;
    }
    const auto as_key = [](const SecretBytes& key) {
      return std::span<const std::uint8_t, stream_key_bytes>(key.expose().data(), stream_key_bytes);
    };
    own_zero.emplace(as_key(*own));
    next_zero.emplace(as_key(*other));
    scalar.erase();
    return true;
  }

  void greet() {
    for (auto* peer : {&previous, &next}) {
      if (peer->greeted) continue;
      const auto hello = due(*peer, FrameType::hello, {}, 96);
      if (!hello) continue;
      if (*hello != hello_payload()) {
        end("not_fixed", peer->id);
        return;
      }
      peer->greeted = true;
    }
    if (phase != Phase::greeting || !previous.greeted || !next.greeted) return;
    phase = Phase::computing;
    shares_out.clear();
    const auto words = bitmap_words(record.cells);
    for (std::size_t m = 0; m < session->participants.size(); ++m)
      shares_out.push_back({Secret<std::uint64_t>(words), Secret<std::uint64_t>(words)});
    begin_chunk();
  }

  // --- computing
  // -----------------------------------------------------------------------------------------------

  [[nodiscard]] auto is_cap_chunk() const -> bool { return chunk == chunks.size(); }

  void begin_chunk() {
    if (is_cap_chunk()) {
      evaluation.emplace(cap_plan->plan, chunk, *own_zero, *next_zero);
      for (std::size_t i = 0; i < cap_inputs.size(); ++i) {
        const auto input = evaluation->input(i);
        input.first[0] = cap_inputs[i].first;
        input.second[0] = cap_inputs[i].second;
      }
      return;
    }
    const auto& at = chunks[chunk];
    if (!chunk_plan || chunk_plan->plan.steps()[0].bits != at.bits())
      chunk_plan =
          std::make_unique<ChunkPlan>(plan_chunk(circuit, at.bits(), cap_plan.has_value()));
    evaluation.emplace(chunk_plan->plan, chunk, *own_zero, *next_zero);
    for (std::size_t m = 0; m < record.members.size(); ++m) {
      // A member that takes no part counts as one without any pattern: all shares zero.
      const auto found = held.find(record.members[m]);
      if (found == held.end()) continue;
      const auto input = evaluation->input(m);
      found->second.first.read(chunk, at, record.members[m], input.first);
      found->second.second.read(chunk, at, record.members[m], input.second);
    }
  }

  [[nodiscard]] auto member_index(HospitalId id) const -> std::size_t {
    return static_cast<std::size_t>(std::ranges::find(record.members, id) - record.members.begin());
  }

  void end_chunk() {
    evaluation->settle();
    if (is_cap_chunk()) {
      const auto bits = evaluation->share(cap_plan->over);
      cap_words = {bits.first[0], bits.second[0]};
    } else {
      const auto& at = chunks[chunk];
      for (std::size_t p = 0; p < session->participants.size(); ++p) {
        const auto z =
            evaluation->share(chunk_plan->outputs[member_index(session->participants[p])]);
        std::ranges::copy(z.first,
                          shares_out[p].first.expose().subspan(at.offset, at.words).begin());
        std::ranges::copy(z.second,
                          shares_out[p].second.expose().subspan(at.offset, at.words).begin());
      }
      collect_counts();
    }
    words_sent += evaluation_plan().frame_words();
    evaluation.reset();
    ++chunk;
  }

  [[nodiscard]] auto evaluation_plan() const -> const Plan& {
    return is_cap_chunk() ? cap_plan->plan : chunk_plan->plan;
  }

  /// Turns single bits per hospital into one word a column: bit m is hospital m's.
  void collect_counts() {
    if (!cap_plan) return;
    const std::size_t columns = chunk_plan->counts.front().size();
    for (std::size_t c = 0; c < columns; ++c) {
      std::pair<std::uint64_t, std::uint64_t> word{0, 0};
      for (std::size_t m = 0; m < chunk_plan->counts.size(); ++m) {
        const auto bit = evaluation->share(chunk_plan->counts[m][c]);
        word.first |= (bit.first[0] & 1U) << m;
        word.second |= (bit.second[0] & 1U) << m;
      }
      cap_inputs.push_back(word);
    }
  }

  /// One level, or the change to the next chunk. False: waits for P_{i+1}.
  auto compute() -> bool {
    if (evaluation->level() == evaluation_plan().rounds()) {
      end_chunk();
      const std::size_t all = chunks.size() + (cap_plan ? 1 : 0);
      if (chunk < all) {
        begin_chunk();
      } else {
        declare();
      }
      return true;
    }
    const auto level = evaluation->level();
    if (!evaluation->level_is_open())
      send(previous, FrameType::level, {chunk, level}, evaluation->open_level());
    const auto z = due(next, FrameType::level, {chunk, level}, evaluation->level_bytes());
    if (!z) return false;
    evaluation->close_level(*z);
    return true;
  }

  // --- verdict, opening, receipt
  // -------------------------------------------------------------------------------

  [[nodiscard]] auto signed_bytes(std::string_view label, std::size_t of_slot,
                                  BytesView content) const -> Bytes {
    return WireWriter()
        .label(label)
        .fixed(record.session)
        .u32(attempt)
        .u8(static_cast<std::uint8_t>(of_slot))
        .fixed(content)
        .take();
  }

  [[nodiscard]] auto with_signature(std::string_view label, Bytes content) const -> Bytes {
    const auto signature = signing.sign(signed_bytes(label, slot, content));
    content.insert(content.end(), signature.bytes.begin(), signature.bytes.end());
    return content;
  }

  /// The signed content, or nothing when the peer's key is known and the signature is not its own.
  [[nodiscard]] auto checked(std::string_view label, const Peer& peer, Bytes message) const
      -> std::optional<Bytes> {
    sealing::Signature signature;
    const auto tail = std::span(message).last(signature_bytes);
    std::ranges::copy(tail, signature.bytes.begin());
    message.erase(message.end() - signature_bytes, message.end());
    const auto key = member_keys.find(peer.id);
    if (key == member_keys.end()) {
      if (member_keys.empty()) return message;
      return std::nullopt;
    }
    if (!sealing::verify(key->second, signed_bytes(label, peer.slot, message), signature))
      return std::nullopt;
    return message;
  }

  static constexpr std::string_view verdict_label = "consilium.verdict.v1";
  static constexpr std::string_view open_label = "consilium.open.v1";
  /// accept ‖ fix ‖ sent to and received from the previous node ‖ the same of the next node
  static constexpr std::size_t verdict_bytes = 1 + 5 * 32;

  void declare() {
    WireWriter content;
    content.u8(1).fixed(session->fix.view());
    for (auto* peer : {&previous, &next})
      content.fixed(peer->sent.finish().view()).fixed(peer->received.finish().view());
    own_verdict = content.take();
    const auto message = with_signature(verdict_label, own_verdict);
    phase = Phase::judging;
    for (auto* peer : {&previous, &next}) send(*peer, FrameType::verdict, {}, message);
  }

  /// Does the peer's verdict say of the frames between us what ours says?
  [[nodiscard]] auto agrees(const Peer& peer, BytesView verdict) const -> bool {
    const auto piece = [](BytesView of, std::size_t i) { return of.subspan(33 + 32 * i, 32); };
    // To our previous node we are the next one, and the other way round.
    const std::size_t ours = peer.slot == previous.slot ? 0 : 2;
    const std::size_t theirs = 2 - ours;
    return std::ranges::equal(verdict.first(33), BytesView(own_verdict).first(33)) &&
           std::ranges::equal(piece(own_verdict, ours), piece(verdict, theirs + 1)) &&
           std::ranges::equal(piece(own_verdict, ours + 1), piece(verdict, theirs));
  }

  void judge() {
    for (auto* peer : {&previous, &next}) {
      if (peer->verdict) continue;
      auto message = due(*peer, FrameType::verdict, {}, verdict_bytes + signature_bytes);
      if (!message) continue;
      peer->verdict = checked(verdict_label, *peer, std::move(*message));
      if (!peer->verdict) {
        end("bad_frame", peer->id);
        return;
      }
      if (!agrees(*peer, *peer->verdict)) {
        end("transcript_mismatch", peer->id);
        return;
      }
    }
    if (phase != Phase::judging || !previous.verdict || !next.verdict) return;
    if (!cap_plan) {
      finish();
      return;
    }
    phase = Phase::opening;
    // The previous node lacks share i+1, the next node hears its hash of share i from us.
    send(previous, FrameType::open, {},
         with_signature(open_label, WireWriter().u64(cap_words[1]).take()));
    const auto hash = opening_hash(cap_words[0]);
    send(next, FrameType::open, {},
         with_signature(open_label, Bytes(hash.bytes.begin(), hash.bytes.end())));
  }

  [[nodiscard]] auto opening_hash(std::uint64_t share) const -> Digest {
    return WireHash(open_label).fixed(record.session).u32(attempt).u64(share).finish();
  }

  void open() {
    const auto take = [&](Peer& peer, std::size_t size) {
      if (peer.opening || phase != Phase::opening) return;
      auto message = due(peer, FrameType::open, {}, size + signature_bytes);
      if (!message) return;
      peer.opening = checked(open_label, peer, std::move(*message));
      if (!peer.opening) end("bad_frame", peer.id);
    };
    take(next, sizeof(std::uint64_t));
    take(previous, 32);
    if (phase != Phase::opening || !next.opening || !previous.opening) return;
    const auto third = WireReader(*next.opening).u64();
    const auto hash = opening_hash(third);
    if (!std::ranges::equal(hash.view(), *previous.opening)) {
      // One of the two others lies. The ledger takes only pairs with the sender in them, so the
      // complaint names the node that sent the share.
      end("open_mismatch", next.id);
      return;
    }
    const std::uint64_t bits = cap_words[0] ^ cap_words[1] ^ third;
    for (std::size_t m = 0; m < record.members.size(); ++m)
      if ((bits >> m & 1U) != 0) over.push_back(record.members[m]);
    if (over.empty()) {
      finish();
    } else {
      end("over_cap", self);
    }
  }

  void finish() {
    std::array<BytesView, slot_count> verdicts;
    verdicts[slot] = own_verdict;
    for (const auto* peer : {&previous, &next}) verdicts[peer->slot] = *peer->verdict;
    WireHash verdict("consilium.verdicts.v1");
    verdict.fixed(record.session).u32(attempt);
    for (const auto content : verdicts) verdict.fixed(content);
    ledger::AlignReceipt done;
    done.commitments_root = commitments_root(*session);
    done.circuit = record.circuit;
    done.verdict = verdict.finish();
    done.chunks = chunks.size();
    done.bytes = slot_count * words_sent * sizeof(std::uint64_t);
    for (std::size_t p = 0; p < session->participants.size(); ++p)
      box_output(session->participants[p], shares_out[p]);
    erase();
    phase = Phase::finished;
    receipt = done;
  }

  void box_output(HospitalId hospital, const OutputShares& share) {
    const auto& box = held.at(hospital).box;
    const auto hash = output_hash(record.session, hospital, share.second.expose());
    Frame frame{FrameType::output, record.session, attempt, 0, 0, 0, {}};
    frame.payload = sealing::close_box(box, bytes_of(share.first.expose()));
    outputs[hospital].push_back(encode_frame(frame));
    frame.type = FrameType::output_hash;
    frame.sequence = 1;
    frame.payload = sealing::close_box(box, hash.view());
    outputs[hospital].push_back(encode_frame(frame));
  }

  void advance() {
    for (bool again = true; again;) {
      const auto before = phase;
      again = false;
      if (phase == Phase::greeting) {
        greet();
      } else if (phase == Phase::computing) {
        again = compute();
      } else if (phase == Phase::judging) {
        judge();
      } else if (phase == Phase::opening) {
        open();
      }
      again = again || phase != before;
    }
  }

  [[nodiscard]] auto peer_named(HospitalId id) -> Peer* {
    if (id == previous.id) return &previous;
    return id == next.id ? &next : nullptr;
  }

  void on_peer_frame(Peer& peer, Frame frame) {
    if (frame.sequence != peer.received_count || peer.inbox.size() >= inbox_max) {
      end("bad_frame", peer.id);
      return;
    }
    ++peer.received_count;
    if (frame.type == FrameType::abort) {
      erase();  // what it is about is on its way to the ledger
      return;
    }
    peer.inbox.push_back(std::move(frame));
    advance();
  }

  void on_frame(HospitalId from, BytesView bytes) {
    if (phase == Phase::ended) return;
    auto* peer = peer_named(from);
    auto frame = decode_frame(bytes);
    const bool of_hospital = frame && frame->type == FrameType::upload;
    const bool foreign = !frame || frame->session != record.session || frame->attempt > attempt;
    if (frame && frame->session == record.session && frame->attempt < attempt) return;  // late
    if (of_hospital) {
      if (!foreign) on_upload(from, std::move(*frame));
      return;
    }
    if (peer == nullptr || phase == Phase::finished) return;
    if (foreign || frame->type == FrameType::upload_ack || frame->type == FrameType::output ||
        frame->type == FrameType::output_hash || frame->type == FrameType::output_request) {
      end("bad_frame", peer->id);
      return;
    }
    on_peer_frame(*peer, std::move(*frame));
  }

  void on_ledger(const ledger::AlignmentSession& now) {
    if (phase == Phase::ended || phase == Phase::finished) return;
    session = now;
    if (phase != Phase::collecting) return;
    judge_uploads();
    if (now.state == ledger::AlignmentState::fixed) start();
    advance();
  }

  ledger::AlignmentRecord record;
  Digest record_digest;
  std::uint32_t attempt;
  std::size_t slot;
  HospitalId self;
  sealing::SigningKey signing;
  MemberKeys member_keys;
  std::vector<HospitalId> barred;
  std::vector<Chunk> chunks;
  SecretBytes scalar;
  ledger::AlignKeys own_key;
  Circuit circuit;
  std::optional<CapPlan> cap_plan;
  std::unique_ptr<ChunkPlan> chunk_plan;  ///< of the present chunk length; its address stays

  Phase phase = Phase::collecting;
  std::optional<ledger::AlignmentSession> session;
  std::map<HospitalId, Frame> waiting;
  std::map<HospitalId, std::uint64_t> uploads_seen;
  std::map<HospitalId, Held> held;
  Peer previous, next;
  std::optional<WordStreams> own_zero, next_zero;
  std::optional<Evaluation> evaluation;
  std::uint32_t chunk = 0;
  std::uint64_t words_sent = 0;
  std::vector<OutputShares> shares_out;  ///< by participant
  std::vector<std::pair<std::uint64_t, std::uint64_t>> cap_inputs;
  std::array<std::uint64_t, 2> cap_words{};
  Bytes own_verdict;
  std::vector<HospitalId> over;
  std::optional<ledger::AlignReceipt> receipt;
  std::map<HospitalId, std::vector<Bytes>> outputs;
  Actions actions;
};

NodeSession::NodeSession(const ledger::AlignmentRecord& record, std::uint32_t attempt,
                         std::size_t slot, const sealing::SigningKey& key, MemberKeys member_keys,
                         std::vector<HospitalId> barred, Random& secrets)
    : state_(std::make_unique<State>(record, attempt, slot, key, std::move(member_keys),
                                     std::move(barred), secrets)) {}
NodeSession::NodeSession(NodeSession&&) noexcept = default;
auto NodeSession::operator=(NodeSession&&) noexcept -> NodeSession& = default;
NodeSession::~NodeSession() = default;

auto NodeSession::attempt() const -> std::uint32_t {
  return state_->attempt;
}

auto NodeSession::keys() const -> const ledger::AlignKeys& {
  return state_->own_key;
}

auto NodeSession::on_ledger(const ledger::AlignmentSession& session) -> Actions {
  state_->on_ledger(session);
  return std::exchange(state_->actions, {});
}

auto NodeSession::on_frame(HospitalId from, BytesView frame) -> Actions {
  state_->on_frame(from, frame);
  return std::exchange(state_->actions, {});
}

auto NodeSession::matched() const -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const auto& [hospital, shares] : state_->held) out.push_back(hospital);
  return out;
}

auto NodeSession::receipt() const -> const std::optional<ledger::AlignReceipt>& {
  return state_->receipt;
}

auto NodeSession::outputs() const -> const std::map<HospitalId, std::vector<Bytes>>& {
  return state_->outputs;
}

auto NodeSession::over_cap() const -> const std::vector<HospitalId>& {
  return state_->over;
}

auto NodeSession::ended() const -> bool {
  return state_->phase == Phase::ended;
}

}  // namespace consilium::alignment
