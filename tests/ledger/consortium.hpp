#pragma once
// A whole consortium in one test: keys, a ledger, and hospitals that say what they are told to say.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "consilium/foundation/hash.hpp"
#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger::test {

inline auto digest_of(std::string_view text) -> Digest {
  return sha256(as_bytes(text));
}
inline auto id(int value) -> HospitalId {
  return HospitalId{static_cast<std::uint16_t>(value)};
}

/// "ok", or the error's code: what a test compares.
template <typename T>
auto code(const Result<T>& result) -> std::string {
  return result ? "ok" : result.error().code;
}

struct Identity {
  /// A hybrid key here has a lattice half that nobody can open: the ledger opens no box.
  explicit Identity(const std::string& name, bool hybrid = false)
      : random(7, name),
        key(sealing::SigningKey::make(random)),
        box(sealing::BoxKey::make(random)) {
    info.name = name;
    info.title = "Hospital " + name;
    info.key = key.verify_key();
    info.box_key = box.public_key();
    if (hybrid) info.box_key.lattice = Bytes(sealing::lattice_key_size);
  }
  SeededRandom random;
  sealing::SigningKey key;
  sealing::BoxKey box;
  MemberInfo info;
};

struct Founding {
  int hospitals = 4;
  Policy policy;
  bool validators = false;                                     ///< every hospital names one
  std::map<std::string, sealing::VerifyKey> validator_keys{};  ///< these, by name of the hospital
};

inline auto short_policy(Topology topology = Topology::committee) -> Policy {
  Policy policy;
  policy.topology = topology;
  policy.seal_heights = policy.attest_heights = policy.ready_heights = 6;
  policy.publish_heights = policy.judge_heights = 6;
  return policy;
}

class Consortium {
 public:
  explicit Consortium(Founding setup = {4, short_policy()})
      : validators_(setup.validators),
        validator_keys_(setup.validator_keys),
        ledger((genesis_ = make_genesis(setup.policy))) {
    const bool central = setup.policy.topology == Topology::central;
    for (int i = 1; i < setup.hospitals; ++i) admit(add_identity("hospital-" + std::to_string(i)));
    for (const auto& [member, record] : ledger.members()) {
      if (record.info.role == MemberRole::hospital) hospitals.push_back(member);
    }
    EXPECT_EQ(hospitals.size(), static_cast<std::size_t>(setup.hospitals));
    miners = central ? std::vector<HospitalId>{id(2)} : hospitals;
  }

  auto add_identity(const std::string& name) -> HospitalId {
    identities_.push_back(std::make_unique<Identity>(name, genesis_.policy.hybrid_boxes));
    if (validators_) {
      const auto given = validator_keys_.find(name);
      identities_.back()->info.validator_key = given != validator_keys_.end()
                                                   ? given->second
                                                   : Identity("the validator of " + name).info.key;
    }
    return id(static_cast<int>(identities_.size()));
  }
  auto identity(HospitalId who) -> Identity& { return *identities_.at(who.value - 1U); }

  /// Proposes the next identity and lets everybody vote until it is in.
  void admit(HospitalId newcomer) {
    const std::vector<HospitalId> voters = ledger.hospitals();
    ASSERT_EQ(code(send(voters.front(), Propose{ProposeAdmit{identity(newcomer).info}})), "ok");
    vote_until_decided(voters);
    block();
    ASSERT_TRUE(ledger.members().contains(newcomer));
  }
  void vote_until_decided(const std::vector<HospitalId>& voters) {
    for (const HospitalId voter : voters) {
      if (ledger.proposals().empty()) return;
      const auto& [number, open] = *ledger.proposals().rbegin();
      if (!open.votes.contains(voter)) {
        ASSERT_EQ(code(send(voter, Vote{number, true})), "ok");
      }
    }
  }

  auto make(HospitalId who, Body body) -> Transaction {
    Transaction transaction;
    transaction.consortium = ledger.consortium();
    transaction.sender = who;
    transaction.sequence = ledger.members().at(who).sequence + 1;
    transaction.expiry = Height{ledger.height().value + 50};
    transaction.body = std::move(body);
    return sign_transaction(std::move(transaction), identity(who).key);
  }
  /// Signs, judges and applies. What `check` says must be what `apply` says, and a refusal leaves
  /// no trace.
  auto send(HospitalId who, Body body) -> Verdict {
    const Transaction transaction = make(who, std::move(body));
    const Digest before = ledger.recomputed_digest();
    const Verdict checked = ledger.check(transaction);
    EXPECT_EQ(ledger.recomputed_digest(), before);
    Verdict applied = ledger.apply(transaction);
    heard.back().push_back({transaction, code(applied)});
    EXPECT_EQ(code(checked), code(applied));
    if (applied) {
      EXPECT_NE(ledger.recomputed_digest(), before) << name_of(transaction.body);
    } else {
      EXPECT_EQ(ledger.recomputed_digest(), before) << name_of(transaction.body);
    }
    return applied;
  }
  auto send_as(HospitalId who, Body body) -> std::string {
    return code(send(who, std::move(body)));
  }

  void block(std::uint64_t count = 1) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (rests && ledger.pending_count() == 0 && !ledger.is_waiting()) return;
      blocks.push_back(ledger.end_block());
      ASSERT_EQ(ledger.recomputed_digest(), ledger.digest());
      digests.push_back(ledger.digest());
      heard.emplace_back();
      expect_whole_in_a_snapshot();
    }
  }
  /// Whatever a test has brought the state to, a snapshot holds all of it.
  void expect_whole_in_a_snapshot() const {
    const Bytes snapshot = ledger.snapshot();
    const auto restored = Ledger::restore(genesis_, snapshot, ledger.digest());
    ASSERT_TRUE(restored) << restored.error().message();
    ASSERT_EQ(restored->height(), ledger.height());
    ASSERT_EQ(restored->recomputed_digest(), ledger.digest());
    ASSERT_EQ(restored->snapshot(), snapshot);
  }
  /// The state from its snapshot is this one.
  void expect_same_from_snapshot() {
    const auto restored = Ledger::restore(ledger.genesis(), ledger.snapshot(), ledger.digest());
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(restored->recomputed_digest(), ledger.digest());
  }
  /// Empty blocks until the deadline of the round's present state has passed.
  void pass_deadline() {
    const Height deadline = round().deadline;
    while (ledger.height() < deadline) block();
  }

  // --- one round
  // -----------------------------------------------------------------------------------------------
  [[nodiscard]] auto round() const -> const RoundRecord& {
    return ledger.rounds().rbegin()->second;
  }
  [[nodiscard]] auto state() const -> std::string { return std::string(state_name(round().state)); }

  auto open_body(sealing::Purpose purpose = sealing::Purpose::update) -> OpenRound {
    OpenRound open;
    open.purpose = purpose;
    open.data_epoch = ledger.data_epoch();
    open.suite = static_cast<std::uint8_t>(ledger.policy().hybrid_boxes
                                               ? sealing::with_hybrid_boxes(sealing::Suite::s30)
                                               : sealing::Suite::s30);
    open.length = 40;
    open.hospitals_max = static_cast<std::uint32_t>(ledger.hospitals().size());
    if (purpose == sealing::Purpose::update) {
      open.clip_micro = ledger.policy().clip_micro;
      open.weight_cap = ledger.policy().weight_cap;
      open.base = ledger.models().empty() ? ledger.initial_model().value_or(digest_of("model 0"))
                                          : ledger.models().back().model;
    } else {
      open.base =
          sealing::no_model_base(sealing::stream_id(ledger.consortium(), purpose, open.data_epoch));
    }
    open.plan = {1, 2, 3};
    open.noise_sigma2 = noise_sigma2;
    open.clip_l2 = clip_l2;
    return open;
  }
  void open(sealing::Purpose purpose = sealing::Purpose::update) {
    ASSERT_EQ(send_as(id(1), open_body(purpose)), "ok");
    block();
  }
  auto manifest(HospitalId who, std::uint64_t claimed = 0) -> SubmitManifest {
    const auto parameters = ledger.parameters_of(round());
    SubmitManifest submit;
    submit.round = round().id;
    sealing::Manifest& m = submit.manifest;
    m.consortium = parameters.consortium;
    m.stream = parameters.stream;
    m.seed = parameters.seed;
    m.base = parameters.base;
    m.round = parameters.round;
    m.suite = static_cast<std::uint8_t>(parameters.suite);
    m.hospital = who;
    m.length = parameters.length;
    m.body_root = digest_of("body of " + std::to_string(who.value));
    m.committee_epoch = parameters.committee_epoch;
    submit.claimed_patterns = claimed;
    return submit;
  }
  void submit(const std::vector<HospitalId>& who, std::uint64_t claimed = 0) {
    for (const HospitalId hospital : who)
      ASSERT_EQ(send_as(hospital, manifest(hospital, claimed)), "ok");
    block();
  }
  void attest(const std::vector<HospitalId>& who, const std::vector<HospitalId>& valid) {
    for (const HospitalId miner : who) ASSERT_EQ(send_as(miner, Attest{round().id, valid}), "ok");
    block();
  }
  void freeze() {
    const auto rule = ledger.freeze_rule(round());
    ASSERT_TRUE(rule) << rule.error().code;
    ASSERT_EQ(send_as(ledger.packers_now(round()).front(), *rule), "ok");
    block();
  }
  auto ready_body() -> Ready {
    return Ready{round().id, round().set_digest, round().partition_digest};
  }
  void ready(const std::vector<HospitalId>& who) {
    for (const HospitalId miner : who) ASSERT_EQ(send_as(miner, ready_body()), "ok");
    block();
  }
  auto share_body(HospitalId who) -> PublishShare {
    return PublishShare{round().id, round().set_digest,
                        digest_of("share " + std::to_string(who.value))};
  }
  auto result_body(std::string_view values = "values") -> ResultAttest {
    return ResultAttest{round().id,
                        result_digest(digest_of(values), digest_of("root"), digest_of("key"))};
  }
  void open_sum(const std::vector<HospitalId>& who) {
    for (const HospitalId miner : who) ASSERT_EQ(send_as(miner, share_body(miner)), "ok");
    for (const HospitalId miner : who) ASSERT_EQ(send_as(miner, result_body()), "ok");
    block();
  }
  /// From open to an opened sum with everybody there.
  void run_to_opened(sealing::Purpose purpose = sealing::Purpose::update,
                     std::uint64_t claimed = 0) {
    open(purpose);
    submit(hospitals, claimed);
    attest(miners, hospitals);
    freeze();
    ready(miners);
    open_sum(miners);
  }
  static auto salt(HospitalId who) -> Digest {
    return digest_of("salt " + std::to_string(who.value));
  }
  auto commit_body(HospitalId who, bool accept) -> VoteCommit {
    return VoteCommit{round().id, vote_commitment(round().seed, who, accept, salt(who))};
  }
  auto reveal_body(HospitalId who, bool accept) -> VoteReveal {
    return VoteReveal{round().id, accept, salt(who)};
  }
  /// `rejecting` of the hospitals, the last ones, say no.
  void vote(std::size_t rejecting = 0) {
    const auto accepts = [&](std::size_t i) { return i + rejecting < hospitals.size(); };
    for (std::size_t i = 0; i < hospitals.size(); ++i)
      ASSERT_EQ(send_as(hospitals[i], commit_body(hospitals[i], accepts(i))), "ok");
    for (std::size_t i = 0; i < hospitals.size(); ++i)
      ASSERT_EQ(send_as(hospitals[i], reveal_body(hospitals[i], accepts(i))), "ok");
    ASSERT_EQ(send_as(hospitals.front(), Decide{round().id}), "ok");
    block();
  }
  void post_models(const Digest& model) {
    for (const HospitalId hospital : hospitals)
      ASSERT_EQ(send_as(hospital, ModelDigest{round().id, model}), "ok");
    block();
  }
  /// A whole accepted update.
  void run_round(std::uint64_t claimed = 0) {
    run_to_opened(sealing::Purpose::update, claimed);
    vote();
    post_models(digest_of("model " + std::to_string(round().id.value)));
  }

 private:
  std::vector<std::unique_ptr<Identity>> identities_;
  bool validators_;
  std::map<std::string, sealing::VerifyKey> validator_keys_;
  auto make_genesis(const Policy& policy) -> Genesis {
    Genesis genesis;
    genesis_.policy = policy;
    add_identity("founder");
    genesis.name = "test-four";
    genesis.founder = identities_.front()->info;
    genesis.policy = policy;
    genesis.schema = digest_of("schema");
    if (policy.topology == Topology::central) {
      add_identity("centre");
      identities_.back()->info.role = MemberRole::server;
      identities_.back()->info.validator_key.reset();
      genesis.servers.push_back(identities_.back()->info);
    }
    EXPECT_TRUE(check_genesis(genesis));
    return genesis;
  }
  Genesis genesis_;

 public:
  Ledger ledger;
  std::vector<HospitalId> hospitals, miners;
  std::uint64_t noise_sigma2 = 0, clip_l2 = 0;  ///< of the rounds that open_body opens
  bool rests = false;  ///< no block is made while nobody posts and nothing waits for a height
  std::vector<Block> blocks;
  std::vector<Digest> digests;
  /// Everything that was said for each block, refused or not; the last is the one being built.
  struct Heard {
    Transaction transaction;
    std::string verdict;
  };
  std::vector<std::vector<Heard>> heard{1};
};

}  // namespace consilium::ledger::test
