#pragma once
// What a record of the state is made of, field by field, told once: the same description writes its
// leaf, writes it whole for a snapshot, and reads it back. A new field is one line here. Fields
// that few records have come last, behind `follows`, so that the others keep their bytes.

#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "consilium/foundation/hash.hpp"

#include "book.hpp"
#include "codec.hpp"

namespace consilium::ledger {

/// A leaf holds the digests of a record's long parts, which stand in the blocks; a snapshot has no
/// blocks and holds the parts.
enum class Depth : std::uint8_t { leaf, whole };

/// Has one encoding in codec.hpp.
template <typename T>
concept Coded = requires(Writer& out, Reader& in, const T& written, T& read) {
  put(out, written);
  get(in, read);
};

inline auto short_form(const Bytes& bytes) -> Digest {
  return sha256(bytes);
}
inline auto short_form(const Answer& answer) -> Digest {
  Writer out;
  put(out, answer);
  return sha256(out.view());
}
inline auto short_form(const sealing::AuditPositions& positions) -> Digest {
  return positions.digest();
}

class RecordWriter {
 public:
  template <typename T>
  using Of = const T;
  explicit RecordWriter(Depth depth) : depth_(depth) {}
  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (field(fields), ...);
  }
  /// A long part, or a map of them.
  template <typename T>
  void by_digest(const T& part) {
    if (depth_ == Depth::whole) return field(part);
    out_.digest(short_form(part));
  }
  template <typename Key, typename T>
  void by_digest(const std::map<Key, T>& parts) {
    if (depth_ == Depth::whole) return field(parts);
    out_.list(parts, [this](Writer&, const auto& item) {
      field(item.first);
      out_.digest(short_form(item.second));
    });
  }
  /// Is there more of the record? What follows is in the record's bytes only then.
  auto follows(bool there, std::size_t /*least_bytes*/ = 1) -> bool { return there; }
  auto take() -> Bytes { return out_.take(); }

 private:
  template <typename T>
  void field(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.boolean(value);
    } else if constexpr (std::is_enum_v<T>) {
      out_.u8(static_cast<std::uint8_t>(value));
    } else if constexpr (std::is_same_v<T, std::uint16_t>) {
      out_.u16(value);
    } else if constexpr (std::is_same_v<T, std::uint32_t>) {
      out_.u32(value);
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      out_.u64(value);
    } else if constexpr (std::is_same_v<T, Digest>) {
      out_.digest(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      out_.text(value);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      out_.bytes(value);
    } else if constexpr (Coded<T>) {
      put(out_, value);
    } else {
      compound(value);
    }
  }
  template <typename T>
  void compound(const T& record) {
    describe(*this, record);
  }
  template <typename A, typename B>
  void compound(const std::pair<A, B>& both) {
    field(both.first);
    field(both.second);
  }
  template <typename T>
  void compound(const std::optional<T>& value) {
    out_.boolean(value.has_value());
    if (value) field(*value);
  }
  template <typename T>
  void compound(const std::vector<T>& items) {
    out_.list(items, [this](Writer&, const T& item) { field(item); });
  }
  template <typename Key, typename T>
  void compound(const std::map<Key, T>& items) {
    out_.list(items, [this](Writer&, const auto& item) {
      field(item.first);
      field(item.second);
    });
  }
  template <typename T, std::size_t size>
  void compound(const std::array<T, size>& items) {
    if constexpr (std::is_same_v<T, std::uint8_t>) {
      out_.fixed(items);
    } else {
      for (const T& item : items) field(item);
    }
  }

  Writer out_;
  Depth depth_;
};

/// Reads what a RecordWriter wrote whole.
class RecordReader {
 public:
  template <typename T>
  using Of = T;
  explicit RecordReader(BytesView bytes) : in_(bytes, "a record of the state") {}
  template <typename... Fields>
  void operator()(Fields&... fields) {
    (field(fields), ...);
  }
  template <typename T>
  void by_digest(T& part) {
    field(part);
  }
  auto follows(bool /*there*/, std::size_t least_bytes = 1) -> bool {
    return in_.ok() && in_.rest() >= least_bytes;
  }
  [[nodiscard]] auto finish() const -> Result<void> { return in_.finish(); }

 private:
  template <typename T>
  void field(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = in_.boolean();
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(in_.u8());
    } else if constexpr (std::is_same_v<T, std::uint16_t>) {
      value = in_.u16();
    } else if constexpr (std::is_same_v<T, std::uint32_t>) {
      value = in_.u32();
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      value = in_.u64();
    } else if constexpr (std::is_same_v<T, Digest>) {
      value = in_.digest();
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = in_.text(in_.rest());
    } else if constexpr (std::is_same_v<T, Bytes>) {
      value = in_.bytes(in_.rest());
    } else if constexpr (Coded<T>) {
      get(in_, value);
    } else {
      compound(value);
    }
  }
  template <typename T>
  void compound(T& record) {
    describe(*this, record);
  }
  template <typename A, typename B>
  void compound(std::pair<A, B>& both) {
    field(both.first);
    field(both.second);
  }
  template <typename T>
  void compound(std::optional<T>& value) {
    value.reset();
    if (in_.boolean()) field(value.emplace());
  }
  template <typename T>
  void compound(std::vector<T>& items) {
    items.clear();
    const std::size_t count = in_.count(in_.rest());
    for (std::size_t i = 0; i < count && in_.ok(); ++i) field(items.emplace_back());
  }
  /// Keys ascend, each once: a map has one encoding.
  template <typename Key, typename T>
  void compound(std::map<Key, T>& items) {
    items.clear();
    const std::size_t count = in_.count(in_.rest());
    for (std::size_t i = 0; i < count && in_.ok(); ++i) {
      std::pair<Key, T> item{};
      field(item.first);
      field(item.second);
      if (!items.empty() && !(items.rbegin()->first < item.first)) return in_.reject();
      items.insert(items.end(), std::move(item));
    }
  }
  template <typename T, std::size_t size>
  void compound(std::array<T, size>& items) {
    if constexpr (std::is_same_v<T, std::uint8_t>) {
      const Bytes read = in_.fixed(size);
      if (read.size() == size) std::copy(read.begin(), read.end(), items.begin());
    } else {
      for (T& item : items) field(item);
    }
  }

  Reader in_;
};

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<Upgrade>& upgrade) {
  all(upgrade.app_version, upgrade.height);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<Head>& head) {
  all(head.consortium, head.height, head.last_block, head.policy, head.schema, head.last_member,
      head.last_proposal, head.last_round, head.committee_epoch, head.initial_model,
      head.pools_paid);
  // Longer once an upgrade was voted for.
  if (all.follows(head.app_version != 1 || head.upgrade)) all(head.app_version, head.upgrade);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<Member>& member) {
  all(member.id, member.info, member.active, member.since, member.sequence, member.credits,
      member.credits_data, member.credits_verify, member.credits_pack);
  // 32, 16 and 8 bytes: what follows is told by how many are left. What was lost of the credits
  // comes with all of these before it, and so makes more than they can.
  const bool lost = member.credits_lost != 0;
  if (all.follows(lost || member.rho_spent_micro != decltype(member.rho_spent_micro){}, 32))
    all(member.rho_spent_micro);
  if (all.follows(lost || member.rho_asked_micro != decltype(member.rho_asked_micro){}, 16))
    all(member.rho_asked_micro);
  if (all.follows(lost || member.box_since.value != 0, 8)) all(member.box_since);
  if (all.follows(lost, 8)) all(member.credits_lost);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<State::OpenProposal>& proposal) {
  all(proposal.id, proposal.by, proposal.proposal, proposal.votes, proposal.at, proposal.expiry);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<FailureWord>& word) {
  all(word.failure, word.share_sums);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<sealing::AuditPositions>& positions) {
  all(positions.witness, positions.data);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<AuditRecord::Step>& step) {
  all(step.answers, step.findings);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<AuditRecord>& audit) {
  all(audit.failure, audit.fixed_at, audit.step, audit.waits_for_consent);
  all.by_digest(audit.positions);
  all(audit.consents, audit.steps);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<OpenChallenge>& challenge) {
  all(challenge.leaf, challenge.deadline, challenge.answered);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<RoundRecord>& round) {
  all(round.id, round.open, round.opener, round.opened_at, round.state, round.deadline, round.seed,
      round.stream, round.committee_epoch, round.miners, round.manifests, round.submitted_at,
      round.attests, round.complaints, round.excluded, round.set, round.set_digest,
      round.partition_digest, round.packer, round.ready, round.share_sums, round.results,
      round.opened_sum, round.vote_commits, round.votes, round.models, round.reason, round.rewards,
      round.closed_at, round.policy, round.schema, round.freezable_at, round.equivocations);
  all.by_digest(round.complaint_lists);
  all.by_digest(round.answers);
  all(round.different_model, round.rewards_data, round.rewards_verify, round.rewards_pack);
  // Each part only with those before it, so that one record has one encoding.
  const bool failed = !round.failure_words.empty() || round.audit || !round.blamed.empty();
  const bool masked = !round.masked_keys.empty() || !round.not_sent.empty();
  const bool refused = !round.claims_refused.empty();
  const bool blobs =
      !round.challenges.empty() || !round.not_shown.empty() || !round.withdrawn.empty() || refused;
  const bool more = failed || masked || blobs || !round.stood_down.empty();
  if (all.follows(round.rho_micro != 0 || more)) all(round.rho_micro, round.charged);
  if (all.follows(more))
    all(round.stood_down, round.masked_keys, round.not_sent, round.failure_words, round.audit,
        round.blamed);
  if (all.follows(blobs)) all(round.challenges, round.not_shown, round.withdrawn);
  if (all.follows(refused)) all(round.claims_refused);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<Family>& family) {
  all(family.partition, family.partition_digest, family.first, family.committee_epoch,
      family.opened);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<FormerKey>& former) {
  all(former.member, former.use, former.replaced_at);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<Offence>& offence) {
  all(offence.at, offence.engine_heights, offence.withholding, offence.withheld_data,
      offence.withheld_verify, offence.withheld_pack);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<AlignKeys>& keys) {
  all(keys.key);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<AlignmentSession>& session) {
  all(session.record, session.opener, session.opened_at, session.state, session.attempt,
      session.deadline, session.keys, session.commits, session.inputs, session.acks,
      session.participants, session.fix, session.receipts, session.warnings, session.aborts);
}

template <typename Archive>
void describe(Archive& all, typename Archive::template Of<ModelRecord>& model) {
  all(model.model, model.parent, model.round, model.height);
}

template <typename Record>
auto encode_record(const Record& record, Depth depth) -> Bytes {
  RecordWriter out(depth);
  describe(out, record);
  return out.take();
}
/// A record as it stands in the state's tree.
template <typename Record>
auto encode_leaf(const Record& record) -> Bytes {
  return encode_record(record, Depth::leaf);
}
/// What encode_record wrote whole. Whether it is a record that rules could have made is not asked:
/// the state's digest tells. Error: `bad_encoding`.
template <typename Record>
auto decode_record(BytesView bytes) -> Result<Record> {
  RecordReader in(bytes);
  Record record{};
  describe(in, record);
  CONSILIUM_CHECK(in.finish());
  return record;
}

}  // namespace consilium::ledger
