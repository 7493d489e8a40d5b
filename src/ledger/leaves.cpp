#include "leaves.hpp"

#include "consilium/foundation/hash.hpp"

#include "book.hpp"
#include "codec.hpp"

namespace consilium::ledger {
namespace {

void put_big_endian(Bytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>((value >> static_cast<unsigned>(shift)) & 0xffU));
}

template <typename Map, typename Each>
void put_map(Writer& out, const Map& map, Each each) {
  out.list(map, [&each](Writer& w, const auto& item) {
    put(w, item.first);
    each(w, item.second);
  });
}

void put_digests(Writer& out, const std::map<HospitalId, Digest>& map) {
  put_map(out, map, [](Writer& w, const Digest& digest) { w.digest(digest); });
}

void put_numbers(Writer& out, const std::map<HospitalId, std::uint64_t>& map) {
  put_map(out, map, [](Writer& w, std::uint64_t number) { w.u64(number); });
}

void put_lists(Writer& out, const std::map<HospitalId, std::vector<HospitalId>>& map) {
  put_map(out, map, [](Writer& w, const std::vector<HospitalId>& ids) { put(w, ids); });
}

void put_flags(Writer& out, const std::map<HospitalId, bool>& map) {
  put_map(out, map, [](Writer& w, bool flag) { w.boolean(flag); });
}

void put_audit(Writer& out, const AuditRecord& audit) {
  put(out, AuditCall{{}, audit.failure});
  put(out, audit.fixed_at);
  out.u8(static_cast<std::uint8_t>(audit.step)).boolean(audit.waits_for_consent);
  out.digest(audit.positions.digest());
  put(out, audit.consents);
  for (const auto& step : audit.steps) {
    put_digests(out, step.answers);
    put_lists(out, step.findings);
  }
}

}  // namespace

auto leaf_key(LeafKind kind, std::uint64_t number) -> Bytes {
  Bytes key{static_cast<std::uint8_t>(kind)};
  put_big_endian(key, number);
  return key;
}

auto leaf_key(LeafKind kind, const Digest& name) -> Bytes {
  Bytes key{static_cast<std::uint8_t>(kind)};
  key.insert(key.end(), name.bytes.begin(), name.bytes.end());
  return key;
}

auto encode_leaf(const Digest& consortium, const Head& head) -> Bytes {
  Writer out;
  out.digest(consortium);
  put(out, head.height);
  out.digest(head.last_block);
  put(out, head.policy);
  out.digest(head.schema).u16(head.last_member).u64(head.last_proposal);
  put(out, head.last_round);
  out.u32(head.committee_epoch).boolean(head.initial_model.has_value());
  if (head.initial_model) out.digest(*head.initial_model);
  out.u64(head.pools_paid);
  // Longer once an upgrade was voted for.
  if (head.app_version != 1 || head.upgrade) {
    out.u32(head.app_version).boolean(head.upgrade.has_value());
    if (head.upgrade) {
      out.u32(head.upgrade->app_version);
      put(out, head.upgrade->height);
    }
  }
  return out.take();
}

auto encode_leaf(const Member& member) -> Bytes {
  Writer out;
  put(out, member.id);
  put(out, member.info);
  out.boolean(member.active);
  put(out, member.since);
  out.u64(member.sequence).u64(member.credits).u64(member.credits_data);
  out.u64(member.credits_verify).u64(member.credits_pack);
  // Longer by these four, these two, both or neither, so one leaf still has one meaning: what has
  // cost no privacy is written as if there were none.
  if (member.rho_spent_micro != decltype(member.rho_spent_micro){}) {
    for (const std::uint64_t spent : member.rho_spent_micro) out.u64(spent);
  }
  if (member.rho_asked_micro != decltype(member.rho_asked_micro){}) {
    for (const std::uint64_t asked : member.rho_asked_micro) out.u64(asked);
  }
  // Eight bytes beside 0, 16, 32 or 48: no two members have the same leaf.
  if (member.box_since.value != 0) put(out, member.box_since);
  return out.take();
}

auto encode_leaf(const State::OpenProposal& proposal) -> Bytes {
  Writer out;
  out.u64(proposal.id);
  put(out, proposal.by);
  put(out, proposal.proposal);
  put_flags(out, proposal.votes);
  put(out, proposal.at);
  put(out, proposal.expiry);
  return out.take();
}

auto encode_leaf(const RoundRecord& round) -> Bytes {
  Writer out;
  put(out, round.id);
  put(out, round.open);
  put(out, round.opener);
  put(out, round.opened_at);
  out.u8(static_cast<std::uint8_t>(round.state));
  put(out, round.deadline);
  out.digest(round.seed).digest(round.stream).u32(round.committee_epoch);
  put(out, round.miners);
  put_map(out, round.manifests, [](Writer& w, const SubmitManifest& m) { put(w, m); });
  put_map(out, round.submitted_at, [](Writer& w, Height height) { put(w, height); });
  put_lists(out, round.attests);
  out.list(round.complaints, [](Writer& w, const auto& complaint) {
    put(w, complaint.first.first);
    put(w, complaint.first.second);
    w.boolean(complaint.second);
  });
  put(out, round.excluded);
  put(out, round.set);
  out.digest(round.set_digest).digest(round.partition_digest);
  put(out, round.packer);
  put(out, round.ready);
  put_digests(out, round.share_sums);
  put_map(out, round.results, [](Writer& w, const ResultAttest& result) { put(w, result); });
  out.boolean(round.opened_sum.has_value());
  if (round.opened_sum) put(out, *round.opened_sum);
  put_digests(out, round.vote_commits);
  put_flags(out, round.votes);
  put_digests(out, round.models);
  out.text(round.reason);
  put_numbers(out, round.rewards);
  put(out, round.closed_at);
  put(out, round.policy);
  out.digest(round.schema);
  put(out, round.freezable_at);
  put_digests(out, round.equivocations);
  // Long parts stand in the blocks; the leaf holds their digests.
  put_map(out, round.complaint_lists,
          [](Writer& w, const Bytes& lists) { w.digest(sha256(lists)); });
  out.list(round.answers, [](Writer& w, const auto& answer) {
    Writer body;
    put(body, answer.second);
    put(w, answer.first.first);
    put(w, answer.first.second);
    w.digest(sha256(body.view()));
  });
  put(out, round.different_model);
  put_numbers(out, round.rewards_data);
  put_numbers(out, round.rewards_verify);
  put_numbers(out, round.rewards_pack);
  // What few rounds have comes last, each part only with those before it, so that a round without
  // keeps its bytes and one record still has one encoding.
  const bool failed = !round.failure_words.empty() || round.audit || !round.blamed.empty();
  const bool masked = !round.masked_keys.empty() || !round.not_sent.empty();
  const bool blobs =
      !round.challenges.empty() || !round.not_shown.empty() || !round.withdrawn.empty();
  const bool more = failed || masked || blobs || !round.stood_down.empty();
  if (round.rho_micro != 0 || more) {
    out.u64(round.rho_micro);
    put(out, round.charged);
  }
  if (!more) return out.take();
  put(out, round.stood_down);
  put_digests(out, round.masked_keys);
  put(out, round.not_sent);
  put_map(out, round.failure_words, [](Writer& w, const FailureWord& word) {
    put(w, AuditCall{{}, word.failure});
    w.u16(word.share_sums);
  });
  out.boolean(round.audit.has_value());
  if (round.audit) put_audit(out, *round.audit);
  put(out, round.blamed);
  if (!blobs) return out.take();
  out.list(round.challenges, [](Writer& w, const auto& challenge) {
    put(w, challenge.first.first);
    put(w, challenge.first.second);
    w.u64(challenge.second.leaf);
    put(w, challenge.second.deadline);
    w.boolean(challenge.second.answered);
  });
  put(out, round.not_shown);
  put(out, round.withdrawn);
  return out.take();
}

auto encode_leaf(const Family& family) -> Bytes {
  Writer out;
  out.list(family.partition, [](Writer& w, const std::vector<HospitalId>& cell) { put(w, cell); });
  out.digest(family.partition_digest);
  put(out, family.first);
  out.u32(family.committee_epoch);
  out.list(family.opened, [](Writer& w, const Digest& set) { w.digest(set); });
  return out.take();
}

auto encode_leaf(const FormerKey& former) -> Bytes {
  Writer out;
  put(out, former.member);
  out.u8(static_cast<std::uint8_t>(former.use));
  put(out, former.replaced_at);
  return out.take();
}

auto encode_leaf(const Offence& offence) -> Bytes {
  Writer out;
  put(out, offence.at);
  out.list(offence.engine_heights, [](Writer& w, std::uint64_t height) { w.u64(height); });
  out.boolean(offence.withholding);
  out.u64(offence.withheld_data).u64(offence.withheld_verify).u64(offence.withheld_pack);
  return out.take();
}

auto encode_leaf(const AlignmentSession& session) -> Bytes {
  Writer out;
  put(out, session.record);
  put(out, session.opener);
  put(out, session.opened_at);
  out.u8(static_cast<std::uint8_t>(session.state)).u32(session.attempt);
  put(out, session.deadline);
  put_map(out, session.keys, [](Writer& w, const AlignKeys& keys) { w.fixed(keys.key); });
  put_map(out, session.commits, [](Writer& w, const AlignCommit& commit) { put(w, commit); });
  put_digests(out, session.inputs);
  put_lists(out, session.acks);
  put(out, session.participants);
  out.digest(session.fix);
  put_map(out, session.receipts, [](Writer& w, const AlignReceipt& receipt) { put(w, receipt); });
  out.list(session.warnings, [](Writer& w, const std::string& warning) { w.text(warning); });
  out.list(session.aborts, [](Writer& w, const std::string& code) { w.text(code); });
  return out.take();
}

auto encode_leaf(const ModelRecord& model) -> Bytes {
  Writer out;
  out.digest(model.model).digest(model.parent);
  put(out, model.round);
  put(out, model.height);
  return out.take();
}

auto leaf_digest(BytesView key, BytesView record) -> Digest {
  Hasher hasher;
  hasher.add_u8(0x00).add_u32(static_cast<std::uint32_t>(key.size())).add(key).add(record);
  return hasher.finish();
}

auto merkle_root(std::vector<Digest> level) -> Digest {
  CONSILIUM_ENSURE(!level.empty());
  // Pairing from the left and promoting an odd last node gives RFC 6962's tree.
  while (level.size() > 1) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < level.size(); i += 2) {
      if (i + 1 < level.size()) {
        Hasher hasher;
        hasher.add_u8(0x01).add(level[i].view()).add(level[i + 1].view());
        level[kept++] = hasher.finish();
      } else {
        level[kept++] = level[i];
      }
    }
    level.resize(kept);
  }
  return level.front();
}

}  // namespace consilium::ledger
