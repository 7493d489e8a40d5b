#include "leaves.hpp"

#include <functional>

#include "consortium.hpp"
#include "records.hpp"

namespace consilium::ledger::test {
namespace {

/// Every change gives another leaf, and no two changes the same one: no field is left out of the
/// state digest.
template <typename Record>
void every_change_shows(const Record& record,
                        const std::vector<std::function<void(Record&)>>& changes,
                        const std::function<Bytes(const Record&)>& encode) {
  std::vector<Bytes> leaves{encode(record)};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Record changed = record;
    changes[i](changed);
    leaves.push_back(encode(changed));
    for (std::size_t earlier = 0; earlier + 1 < leaves.size(); ++earlier)
      ASSERT_NE(leaves.back(), leaves[earlier]) << "change " << i << " beside " << earlier;
  }
}

TEST(Leaf, of_a_round_holds_every_field) {
  using R = RoundRecord;
  const Digest d = digest_of("d");
  every_change_shows<R>(R{},
                        {[](R& r) { r.id.value = 1; },
                         [](R& r) { r.open.length = 1; },
                         [](R& r) { r.open.plan = {1}; },
                         [](R& r) { r.opener = id(1); },
                         [](R& r) { r.opened_at.value = 1; },
                         [](R& r) { r.state = RoundState::opened; },
                         [](R& r) { r.deadline.value = 1; },
                         [&](R& r) { r.seed = d; },
                         [&](R& r) { r.stream = d; },
                         [](R& r) { r.committee_epoch = 1; },
                         [](R& r) { r.miners = {id(1)}; },
                         [](R& r) { r.manifests[id(1)].claimed_patterns = 64; },
                         [](R& r) { r.submitted_at[id(1)].value = 1; },
                         [](R& r) { r.attests[id(1)] = {id(2)}; },
                         [](R& r) { r.complaints[{id(1), id(2)}] = false; },
                         [](R& r) { r.complaints[{id(1), id(2)}] = true; },
                         [](R& r) { r.excluded = {id(1)}; },
                         [&](R& r) { r.set = {{id(1), d}}; },
                         [&](R& r) { r.set_digest = d; },
                         [&](R& r) { r.partition_digest = d; },
                         [](R& r) { r.packer = id(1); },
                         [](R& r) { r.ready = {id(1)}; },
                         [&](R& r) { r.share_sums[id(1)] = d; },
                         [&](R& r) { r.results[id(1)].result = d; },
                         [](R& r) { r.opened_sum = ResultAttest{}; },
                         [&](R& r) { r.vote_commits[id(1)] = d; },
                         [](R& r) { r.votes[id(1)] = false; },
                         [](R& r) { r.votes[id(1)] = true; },
                         [&](R& r) { r.models[id(1)] = d; },
                         [](R& r) { r.reason = "rolled_back"; },
                         [](R& r) { r.rewards[id(1)] = 1; },
                         [](R& r) { r.closed_at.value = 1; },
                         [](R& r) { r.policy.round_pool = 1; },
                         [&](R& r) { r.schema = d; },
                         [](R& r) { r.freezable_at.value = 1; },
                         [&](R& r) { r.equivocations[id(1)] = d; },
                         [](R& r) { r.complaint_lists[id(1)] = {1}; },
                         [](R& r) { r.answers[{id(1), id(2)}].share = {1}; },
                         [](R& r) { r.different_model = {id(1)}; },
                         [](R& r) { r.rewards_data[id(1)] = 1; },
                         [](R& r) { r.rewards_verify[id(1)] = 1; },
                         [](R& r) { r.rewards_pack[id(1)] = 1; }},
                        [](const R& r) { return encode_leaf(r); });
}

TEST(Leaf, of_a_round_that_failed_or_was_given_up_holds_every_field) {
  using R = RoundRecord;
  const Digest d = digest_of("d");
  const auto audit = [](R& r) -> AuditRecord& {
    r.audit.emplace();
    return *r.audit;
  };
  every_change_shows<R>(R{},
                        {[](R& r) { r.stood_down = {id(1)}; },
                         [](R& r) { r.stood_down = {id(2)}; },
                         [](R& r) { r.not_sent = {id(2)}; },
                         [](R& r) { r.blamed = {id(2)}; },
                         [&](R& r) { r.masked_keys[id(1)] = d; },
                         [](R& r) { r.not_sent = {id(1)}; },
                         [](R& r) { r.failure_words[id(1)] = {}; },
                         [](R& r) { r.failure_words[id(1)].share_sums = 1; },
                         [](R& r) { r.failure_words[id(1)].failure.failing = {4}; },
                         [](R& r) { r.failure_words[id(1)].failure.worst_polynomial = 4; },
                         [](R& r) { r.blamed = {id(1)}; },
                         [](R& r) { r.challenges[{id(1), id(2)}] = {}; },
                         [](R& r) { r.challenges[{id(2), id(1)}] = {}; },
                         [](R& r) { r.challenges[{id(1), id(2)}].leaf = 1; },
                         [](R& r) { r.challenges[{id(1), id(2)}].deadline.value = 1; },
                         [](R& r) { r.challenges[{id(1), id(2)}].answered = true; },
                         [](R& r) { r.not_shown = {id(1)}; },
                         [](R& r) { r.withdrawn = {id(1)}; },
                         [&](R& r) { audit(r); },
                         [&](R& r) { audit(r).failure.failing = {4}; },
                         [&](R& r) { audit(r).fixed_at.value = 1; },
                         [&](R& r) { audit(r).step = sealing::AuditStep::data; },
                         [&](R& r) { audit(r).waits_for_consent = true; },
                         [&](R& r) { audit(r).positions.data = {4}; },
                         [&](R& r) { audit(r).consents = {id(1)}; },
                         [&](R& r) { audit(r).steps[0].answers[id(1)] = d; },
                         [&](R& r) { audit(r).steps[1].answers[id(1)] = d; },
                         [&](R& r) { audit(r).steps[0].findings[id(1)] = {id(2)}; },
                         [&](R& r) { audit(r).steps[1].findings[id(1)] = {}; }},
                        [](const R& r) { return encode_leaf(r); });
}

TEST(Leaf, of_a_member_holds_every_field) {
  using M = Member;
  every_change_shows<M>(
      M{},
      {[](M& m) { m.id = id(1); }, [](M& m) { m.info.name = "a"; },
       [](M& m) { m.info.title = "a"; }, [](M& m) { m.info.role = MemberRole::server; },
       [](M& m) { m.info.key.bytes[0] = 1; }, [](M& m) { m.info.box_key.bytes[0] = 1; },
       [](M& m) { m.info.box_key.lattice = Bytes(sealing::lattice_key_size); },
       [](M& m) { m.box_since.value = 1; }, [](M& m) { m.active = false; },
       [](M& m) { m.since.value = 1; }, [](M& m) { m.sequence = 1; }, [](M& m) { m.credits = 1; },
       [](M& m) { m.credits_data = 1; }, [](M& m) { m.credits_verify = 1; },
       [](M& m) { m.credits_pack = 1; }},
      [](const M& m) { return encode_leaf(m); });
}

TEST(Leaf, of_a_session_holds_every_field) {
  using S = AlignmentSession;
  const Digest d = digest_of("d");
  every_change_shows<S>(
      S{},
      {[](S& s) { s.record.cells = 1; }, [](S& s) { s.opener = id(1); },
       [](S& s) { s.opened_at.value = 1; }, [](S& s) { s.state = AlignmentState::closed; },
       [](S& s) { s.attempt = 2; }, [](S& s) { s.deadline.value = 1; },
       [](S& s) { s.keys[id(1)].key[0] = 1; }, [&](S& s) { s.commits[id(1)].input = d; },
       [&](S& s) { s.inputs[id(1)] = d; }, [](S& s) { s.acks[id(1)] = {id(2)}; },
       [](S& s) { s.participants = {id(1)}; }, [&](S& s) { s.fix = d; },
       [](S& s) { s.receipts[id(1)].bytes = 1; }, [](S& s) { s.warnings = {"a"}; },
       [](S& s) { s.aborts = {"a"}; }},
      [](const S& s) { return encode_leaf(s); });
}

TEST(Leaf, of_head_policy_and_the_small_records_holds_every_field) {
  using H = Head;
  const Digest d = digest_of("d");
  every_change_shows<H>(H{},
                        {[&](H& h) { h.consortium = d; },
                         [](H& h) { h.height.value = 1; },
                         [&](H& h) { h.last_block = d; },
                         [&](H& h) { h.schema = d; },
                         [](H& h) { h.last_member = 1; },
                         [](H& h) { h.last_proposal = 1; },
                         [](H& h) { h.last_round.value = 1; },
                         [](H& h) { h.committee_epoch = 1; },
                         [&](H& h) { h.initial_model = d; },
                         [](H& h) { h.pools_paid = 1; },
                         [](H& h) { h.policy.topology = Topology::central; },
                         [](H& h) { h.policy.honest_min = 9; },
                         [](H& h) { h.policy.colluders = 9; },
                         [](H& h) { h.policy.seal_heights = 9; },
                         [](H& h) { h.policy.attest_heights = 9; },
                         [](H& h) { h.policy.ready_heights = 9; },
                         [](H& h) { h.policy.publish_heights = 9; },
                         [](H& h) { h.policy.judge_heights = 9; },
                         [](H& h) { h.policy.weight_cap = 9; },
                         [](H& h) { h.policy.clip_micro = 9; },
                         [](H& h) { h.policy.small_cell = 9; },
                         [](H& h) { h.policy.cases_max = 9; },
                         [](H& h) { h.policy.align_threshold = 9; },
                         [](H& h) { h.policy.allow_k2 = false; },
                         [](H& h) { h.policy.align_cap = 9; },
                         [](H& h) { h.policy.sessions_a_year = 9; },
                         [](H& h) { h.policy.round_pool = 9; },
                         [](H& h) { h.policy.data_percent = 9; },
                         [](H& h) { h.policy.verify_percent = 9; },
                         [](H& h) { h.policy.pack_percent = 9; },
                         [](H& h) { h.app_version = 2; },
                         [](H& h) { h.upgrade = Upgrade{2, Height{5}}; },
                         [](H& h) { h.upgrade = Upgrade{2, Height{6}}; },
                         [](H& h) { h.policy.challenge_heights = 9; },
                         [](H& h) { h.policy.retention_heights = 99; },
                         [](H& h) { h.policy.audit = AuditPolicy::witness; },
                         [](H& h) { h.policy.audit = AuditPolicy::data; },
                         [](H& h) { h.policy.delivery = sealing::Delivery::masked_keys; }},
                        [&](const H& h) { return encode_leaf(h); });
  using F = Family;
  every_change_shows<F>(F{},
                        {[](F& f) { f.partition = {{id(1)}}; },
                         [&](F& f) { f.partition_digest = d; }, [](F& f) { f.first.value = 1; },
                         [](F& f) { f.committee_epoch = 1; }, [&](F& f) { f.opened = {d}; }},
                        [](const F& f) { return encode_leaf(f); });
  using K = FormerKey;
  every_change_shows<K>(K{},
                        {[](K& k) { k.member = id(1); }, [](K& k) { k.use = KeyUse::validator; },
                         [](K& k) { k.replaced_at.value = 1; }},
                        [](const K& k) { return encode_leaf(k); });
  using O = Offence;
  every_change_shows<O>(O{},
                        {[](O& o) { o.at.value = 1; }, [](O& o) { o.engine_heights = {1}; },
                         [](O& o) { o.engine_heights = {1, 2}; },
                         [](O& o) { o.withholding = false; }, [](O& o) { o.withheld_data = 1; },
                         [](O& o) { o.withheld_verify = 1; }, [](O& o) { o.withheld_pack = 1; }},
                        [](const O& o) { return encode_leaf(o); });
  using M = ModelRecord;
  every_change_shows<M>(M{},
                        {[&](M& m) { m.model = d; }, [&](M& m) { m.parent = d; },
                         [](M& m) { m.round.value = 1; }, [](M& m) { m.height.value = 1; }},
                        [](const M& m) { return encode_leaf(m); });
  using P = State::OpenProposal;
  every_change_shows<P>(
      P{},
      {[](P& p) { p.id = 1; }, [](P& p) { p.by = id(1); },
       [](P& p) { p.proposal.what = ProposeRemove{id(1)}; }, [](P& p) { p.votes[id(1)] = true; },
       [](P& p) { p.at.value = 1; }, [](P& p) { p.expiry.value = 1; }},
      [](const P& p) { return encode_leaf(p); });
}

/// RFC 6962 §2.1, word for word.
auto tree_head(const std::vector<Digest>& leaves) -> Digest {
  if (leaves.size() == 1) return leaves.front();
  std::size_t left = 1;
  while (left * 2 < leaves.size()) left *= 2;
  const auto middle = leaves.begin() + static_cast<std::ptrdiff_t>(left);
  Hasher hasher;
  hasher.add_u8(0x01)
      .add(tree_head({leaves.begin(), middle}).view())
      .add(tree_head({middle, leaves.end()}).view());
  return hasher.finish();
}

TEST(MerkleRoot, is_the_tree_head_of_rfc_6962) {
  std::vector<Digest> leaves;
  for (int count = 1; count <= 70; ++count) {
    leaves.push_back(digest_of("leaf " + std::to_string(count)));
    EXPECT_EQ(merkle_root(leaves), tree_head(leaves)) << count;
  }
}

}  // namespace
}  // namespace consilium::ledger::test
