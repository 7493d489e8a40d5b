// Sessions of sample alignment: the ledger keeps commitments, the fixed participants and the
// receipts, and never a share, bitmap or pattern (alignment-spec §5).

#include <algorithm>

#include "consilium/foundation/hash.hpp"

#include "codec.hpp"
#include "rules.hpp"

namespace consilium::ledger {
namespace {

constexpr std::uint64_t cells_max = std::uint64_t{1} << 26U;
constexpr std::size_t participants_min = 3;
constexpr std::uint32_t heights_max = 1'000'000;
constexpr std::size_t slot_count = 3;

auto place_of(const AlignmentSession& session) -> std::string {
  return "alignment session " + to_hex(session.record.session).substr(0, 8) + ", epoch " +
         std::to_string(session.record.epoch);
}

auto is_over(AlignmentState state) -> bool {
  return state == AlignmentState::released || state == AlignmentState::closed ||
         state == AlignmentState::failed;
}

auto was_released(AlignmentState state) -> bool {
  return state == AlignmentState::released || state == AlignmentState::closed;
}

auto last_session(const Book& book, AlignmentSubject subject) -> const AlignmentSession* {
  const auto& all = book.alignments();
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    if (at->record.subject == subject) return &*at;
  }
  return nullptr;
}

auto owns_slot(const AlignmentSession& session, HospitalId id) -> bool {
  const auto& slots = session.record.slots;
  return std::find(slots.begin(), slots.end(), id) != slots.end();
}

/// Fewest hospitals a session may count: below it an element of the output would name its holders.
auto least_participants(const AlignmentRecord& record) -> std::size_t {
  return std::max<std::size_t>(participants_min, record.threshold);
}

auto difference(const std::vector<HospitalId>& a, const std::vector<HospitalId>& b) -> std::size_t {
  std::vector<HospitalId> out;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out.size();
}

auto warnings_of(const Book& book, const AlignmentRecord& record) -> std::vector<std::string> {
  std::vector<std::string> warnings;
  // Liars probe C cells a session: all of a small dictionary within a year.
  if (4 * record.cap * book.policy().sessions_a_year >= record.cells)
    warnings.emplace_back("probe_budget");
  if (const auto* last = last_released(book, record.subject); last != nullptr) {
    if (difference(last->participants, record.members) == 1) warnings.emplace_back("small_change");
    const bool changed = last->record.threshold != record.threshold ||
                         last->record.support != record.support ||
                         last->record.dictionary != record.dictionary;
    if (changed) warnings.emplace_back("threshold_changed");
  }
  return warnings;
}

auto judge_epoch(const Book& book, const AlignmentRecord& record) -> Result<void> {
  for (const auto& session : book.alignments()) {
    if (session.record.session == record.session)
      return fail("epoch_used", place_of(session), "This session id was used: draw another one.");
  }
  const AlignmentSession* last = last_session(book, record.subject);
  const std::uint64_t before = last == nullptr ? 0 : last->record.epoch;
  if (last != nullptr && !is_over(last->state))
    return fail("session_running", place_of(*last), "The last session of this subject still runs.");
  const bool again = last != nullptr && last->state == AlignmentState::failed;
  if (record.epoch <= before && !(again && record.epoch == before))
    return fail("epoch_used", "open_alignment", "One session of a subject an epoch.");
  if (record.epoch > before + 1)
    return fail("stale_context", "open_alignment", "Epochs follow each other without gaps.");
  const Digest previous = last == nullptr ? Digest{} : last->record.digest();
  if (record.previous != previous)
    return fail("stale_context", "open_alignment",
                "`previous` is the record digest of the subject's last session, zero for none.");
  return {};
}

auto judge_members(const Book& book, const AlignmentRecord& record) -> Result<void> {
  const std::vector<HospitalId> active = book.hospitals();
  if (!std::includes(active.begin(), active.end(), record.members.begin(), record.members.end()))
    return fail("bad_members", "open_alignment", "Members are active hospitals.");
  if (record.threshold < 2 || record.threshold > record.members.size())
    return fail("bad_threshold", "open_alignment", "k is at least 2 and at most the members.");
  if (record.threshold == 2 && !book.policy().allow_k2)
    return fail("k2_not_allowed", "open_alignment", "k = 2 needs allow_k2 in the policy.");
  if (record.threshold < book.policy().align_threshold)
    return fail("bad_threshold", "open_alignment", "k is below the policy's align_threshold.");
  if (record.members.size() < least_participants(record))
    return fail("bad_members", "open_alignment", "A session needs at least max(3, k) hospitals.");
  std::vector<HospitalId> slots = record.slots;
  std::sort(slots.begin(), slots.end());
  const bool distinct =
      slots.size() == slot_count && std::adjacent_find(slots.begin(), slots.end()) == slots.end();
  const bool known = std::all_of(slots.begin(), slots.end(), [&book](HospitalId id) {
    const auto found = book.members().find(id);
    return found != book.members().end() && found->second.active;
  });
  if (!distinct || !known)
    return fail("bad_slots", "open_alignment", "The three slots belong to three active members.");
  return {};
}

auto judge_figures(const Book& book, const AlignmentRecord& record) -> Result<void> {
  if (record.schema != book.schema())
    return fail("stale_schema", "open_alignment", "The schema is not the one agreed on.");
  if (record.cells < 1 || record.cells > cells_max)
    return fail("domain_too_large", "open_alignment", "A session has 1 to 2^26 cells.");
  if (record.cap < 1 || record.cap > book.policy().align_cap)
    return fail("bad_record", "open_alignment", "The cap is 1 to the policy's align_cap.");
  const auto bad_heights = [](std::uint32_t heights) {
    return heights < 1 || heights > heights_max;
  };
  if (record.support < 1 || record.attempts_max < 1 || record.chunk_log2 < 9 ||
      record.chunk_log2 > 26 || bad_heights(record.commit_heights) ||
      bad_heights(record.deliver_heights) || bad_heights(record.compute_heights))
    return fail("bad_record", "open_alignment",
                "Support, attempts and heights are at least 1, chunk_log2 is 9 to 26.");
  return {};
}

/// Over the record, the attempt, who takes part, what they committed to and the nodes' keys of this
/// attempt.
auto fix_digest(const AlignmentSession& session, const std::vector<HospitalId>& participants)
    -> Digest {
  Writer out;
  out.digest(session.record.digest()).u32(session.attempt);
  out.list(participants, [&session](Writer& w, HospitalId id) {
    put(w, id);
    put(w, session.commits.at(id));
  });
  for (const HospitalId slot : session.record.slots) {
    put(out, slot);
    out.fixed(session.keys.at(slot).key);
  }
  return tagged_hash("consilium/ledger/1/alignment-fix", {out.view()});
}

/// Nothing of an attempt is used again but com_x, which the session keeps.
void end_attempt(AlignmentSession& session, const std::string& code, Height height, bool final) {
  session.aborts.push_back(code);
  session.keys.clear();
  session.commits.clear();
  session.acks.clear();
  session.participants.clear();
  session.fix = Digest{};
  session.receipts.clear();
  if (final || session.attempt >= session.record.attempts_max) {
    session.state = AlignmentState::failed;
    session.deadline = Height{0};
    return;
  }
  ++session.attempt;
  session.state = AlignmentState::opened;
  session.deadline = Height{height.value + session.record.commit_heights};
}

void move_when_committed(AlignmentSession& session, Height height, bool over) {
  if (session.state == AlignmentState::opened && session.keys.size() == slot_count)
    session.state = AlignmentState::keyed;
  if (session.state != AlignmentState::keyed) return;
  if (session.commits.size() < session.record.members.size() && !over) return;
  session.state = AlignmentState::committed;
  session.deadline = Height{height.value + session.record.deliver_heights};
}

auto same(const AlignCommit& a, const AlignCommit& b) -> bool {
  return a.shares == b.shares && a.input == b.input;
}

auto same(const AlignReceipt& a, const AlignReceipt& b) -> bool {
  return a.commitments_root == b.commitments_root && a.circuit == b.circuit &&
         a.verdict == b.verdict && a.chunks == b.chunks && a.bytes == b.bytes;
}

auto is_code(std::string_view code) -> bool {
  return !code.empty() && std::all_of(code.begin(), code.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// One step of a session, judged; `index` is the session's place in the state.
struct Step {
  const Context& context;
  const AlignmentSession& session;
  std::size_t index;
  std::string place;

  [[nodiscard]] auto need_slot() const -> Result<void> {
    if (!owns_slot(session, context.sender.id))
      return fail("not_permitted", place, "Only the three nodes of the session may do this.");
    return {};
  }
  [[nodiscard]] auto need_time() const -> Result<void> {
    if (context.height > session.deadline)
      return fail("late", place, "The deadline of this step has passed.");
    return {};
  }

  auto operator()(const AlignKeys& keys) const -> Judged {
    CONSILIUM_CHECK(need_slot());
    if (const auto known = session.keys.find(context.sender.id); known != session.keys.end()) {
      if (known->second.key == keys.key) return fail("duplicate", place, "This key is posted.");
      return fail("conflicting_message", place, "A node posts one key an attempt.");
    }
    if (session.state != AlignmentState::opened)
      return fail("wrong_state", place, "Keys are posted when an attempt begins.");
    CONSILIUM_CHECK(need_time());
    const bool zero =
        std::all_of(keys.key.begin(), keys.key.end(), [](std::uint8_t byte) { return byte == 0; });
    const bool copied =
        std::any_of(session.keys.begin(), session.keys.end(),
                    [&](const auto& other) { return other.second.key == keys.key; });
    if (zero || copied) return fail("bad_peer_key", place, "A node's key is fresh, and not zero.");
    return [index = index, sender = context.sender.id, keys, height = context.height](Book& book) {
      AlignmentSession& now = book.alignment(index);
      now.keys[sender] = keys;
      move_when_committed(now, height, false);
    };
  }

  auto operator()(const AlignCommit& commit) const -> Judged {
    const HospitalId sender = context.sender.id;
    if (!contains(session.record.members, sender))
      return fail("not_permitted", place, "Only the session's members commit.");
    if (const auto input = session.inputs.find(sender);
        input != session.inputs.end() && input->second != commit.input)
      return fail("conflicting_message", place,
                  "The input's commitment stays the same in every attempt of a session.");
    if (const auto known = session.commits.find(sender); known != session.commits.end()) {
      if (same(known->second, commit)) return fail("duplicate", place, "This is committed.");
      return fail("conflicting_message", place, "A hospital commits once an attempt.");
    }
    if (session.state != AlignmentState::opened && session.state != AlignmentState::keyed)
      return fail("late", place, "This attempt takes no more commitments.");
    CONSILIUM_CHECK(need_time());
    return [index = index, sender, commit, height = context.height](Book& book) {
      AlignmentSession& now = book.alignment(index);
      now.commits[sender] = commit;
      now.inputs[sender] = commit.input;
      move_when_committed(now, height, false);
    };
  }

  auto operator()(const AlignAck& ack) const -> Judged {
    CONSILIUM_CHECK(need_slot());
    if (const auto known = session.acks.find(context.sender.id); known != session.acks.end()) {
      if (known->second == ack.matched) return fail("duplicate", place, "This is acknowledged.");
      return fail("conflicting_message", place, "A node acknowledges once an attempt.");
    }
    if (session.state == AlignmentState::opened || session.state == AlignmentState::keyed)
      return fail("too_early", place, "Hospitals may still commit.");
    if (session.state != AlignmentState::committed)
      return fail("wrong_state", place, "Uploads are acknowledged before the fix.");
    CONSILIUM_CHECK(need_time());
    for (const HospitalId hospital : ack.matched) {
      if (!session.commits.contains(hospital))
        return fail("bad_members", place, "Only hospitals that committed can be acknowledged.");
    }
    return [index = index, sender = context.sender.id, matched = ack.matched](Book& book) {
      book.alignment(index).acks[sender] = matched;
    };
  }

  auto operator()(const AlignFix&) const -> Judged {
    CONSILIUM_CHECK(need_slot());
    if (session.state == AlignmentState::fixed)
      return fail("duplicate", place, "The participants are fixed.");
    if (session.state != AlignmentState::committed)
      return fail("wrong_state", place, "Participants are fixed when uploads are acknowledged.");
    if (session.acks.size() < slot_count)
      return fail("too_early", place, "All three nodes must have acknowledged.");
    CONSILIUM_CHECK(need_time());
    std::vector<HospitalId> participants;
    for (const auto& [hospital, commit] : session.commits) {
      const bool everywhere =
          std::all_of(session.acks.begin(), session.acks.end(),
                      [id = hospital](const auto& ack) { return contains(ack.second, id); });
      if (everywhere) participants.push_back(hospital);
    }
    const bool enough = participants.size() >= least_participants(session.record);
    const Digest fix = enough ? fix_digest(session, participants) : Digest{};
    const auto* last = last_released(context.book, session.record.subject);
    const bool small =
        enough && last != nullptr && difference(last->participants, participants) == 1;
    return [index = index, participants, enough, fix, small, height = context.height](Book& book) {
      AlignmentSession& now = book.alignment(index);
      if (!enough) {
        end_attempt(now, "too_few", height, false);
        return;
      }
      now.participants = participants;
      now.fix = fix;
      now.state = AlignmentState::fixed;
      now.deadline = Height{height.value + now.record.compute_heights};
      const bool warned =
          std::find(now.warnings.begin(), now.warnings.end(), "small_change") != now.warnings.end();
      if (small && !warned) now.warnings.emplace_back("small_change");
    };
  }

  auto operator()(const AlignAborted& aborted) const -> Judged {
    CONSILIUM_CHECK(need_slot());
    if (!is_code(aborted.code))
      return fail("bad_record", place, "An abort names its error in snake_case.");
    const HospitalId sender = context.sender.id;
    const bool own = aborted.first == sender || aborted.second == sender;
    if (!own || !owns_slot(session, aborted.first) || !owns_slot(session, aborted.second))
      return fail("not_permitted", place,
                  "A node names itself and another node: whoever complains is in the pair.");
    // §3.5: both members of a pair leave their slots. A record has three names and no reserve, so
    // the session ends here and the consortium decides; a node that only restarted takes part in
    // the next attempt.
    const bool dispute = aborted.first != aborted.second;
    return [index = index, code = aborted.code, dispute, height = context.height](Book& book) {
      end_attempt(book.alignment(index), code, height, dispute);
    };
  }

  auto operator()(const AlignReceipt& receipt) const -> Judged {
    CONSILIUM_CHECK(need_slot());
    if (const auto known = session.receipts.find(context.sender.id);
        known != session.receipts.end()) {
      if (same(known->second, receipt)) return fail("duplicate", place, "This receipt is posted.");
      return fail("conflicting_message", place, "A node posts one receipt an attempt.");
    }
    if (session.state != AlignmentState::fixed)
      return fail("not_fixed", place, "Receipts follow the fix.");
    CONSILIUM_CHECK(need_time());
    if (receipt.circuit != session.record.circuit)
      return fail("stale_context", place, "The receipt is for another circuit than the record's.");
    return
        [index = index, sender = context.sender.id, receipt, height = context.height](Book& book) {
          AlignmentSession& now = book.alignment(index);
          now.receipts[sender] = receipt;
          if (now.receipts.size() < slot_count) return;
          const bool equal =
              std::all_of(now.receipts.begin(), now.receipts.end(),
                          [&receipt](const auto& other) { return same(other.second, receipt); });
          if (!equal) {
            end_attempt(now, "receipts_differ", height, false);
            return;
          }
          now.state = AlignmentState::released;
          now.deadline = Height{0};
        };
  }
};

auto session_named(const Book& book, const std::array<std::uint8_t, 16>& name)
    -> Result<std::size_t> {
  const auto& all = book.alignments();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].record.session == name) return i;
  }
  return fail("unknown_session", "alignment", "No session of this id was opened.");
}

}  // namespace

auto last_released(const State& state, AlignmentSubject subject) -> const AlignmentSession* {
  const auto& all = state.alignments();
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    if (at->record.subject == subject && was_released(at->state)) return &*at;
  }
  return nullptr;
}

auto judge(const Context& context, const OpenAlignment& body) -> Judged {
  CONSILIUM_CHECK(need_hospital(context));
  const Book& book = context.book;
  CONSILIUM_CHECK(judge_members(book, body.record));
  CONSILIUM_CHECK(judge_figures(book, body.record));
  CONSILIUM_CHECK(judge_epoch(book, body.record));
  AlignmentSession session;
  session.record = body.record;
  session.opener = context.sender.id;
  session.opened_at = context.height;
  session.deadline = Height{context.height.value + body.record.commit_heights};
  session.warnings = warnings_of(book, body.record);
  return [session](Book& changed) { changed.add_alignment(session); };
}

auto judge(const Context& context, const PublishAlignment& body) -> Judged {
  CONSILIUM_TRY(const std::size_t index, session_named(context.book, body.session));
  const AlignmentSession& session = context.book.alignments()[index];
  const std::string place = place_of(session);
  if (is_over(session.state)) {
    // A receipt or an abort that comes late changes nothing: released stays released.
    return fail("wrong_state", place, "The session is over.");
  }
  if (body.attempt != session.attempt)
    return fail("stale_context", place, "This belongs to another attempt.");
  return std::visit(Step{context, session, index, place}, body.kind);
}

auto judge(const Context& context, const CloseAlignment& body) -> Judged {
  CONSILIUM_TRY(const std::size_t index, session_named(context.book, body.session));
  const AlignmentSession& session = context.book.alignments()[index];
  if (session.state != AlignmentState::released)
    return fail("wrong_state", place_of(session), "Only a released session is closed.");
  return [index](Book& book) { book.alignment(index).state = AlignmentState::closed; };
}

void end_alignments(Book& book) {
  const Height height = book.height();
  for (std::size_t i = 0; i < book.alignments().size(); ++i) {
    const AlignmentSession& now = book.alignments()[i];
    if (is_over(now.state) || height < now.deadline) continue;
    AlignmentSession& session = book.alignment(i);
    // Silent hospitals are left out; silent nodes end the attempt.
    if (session.state == AlignmentState::keyed) {
      move_when_committed(session, height, true);
    } else {
      end_attempt(session, "timeout", height, false);
    }
  }
}

}  // namespace consilium::ledger
