// Box keys of an epoch: who may rotate one, when, and what rounds ask of its kind.

#include "consilium/foundation/codec.hpp"

#include "codec.hpp"
#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto fresh_key(std::string_view name, bool hybrid = false) -> sealing::BoxPublicKey {
  SeededRandom random(11, name);
  auto key = sealing::BoxKey::make(random).public_key();
  if (hybrid) key.lattice = Bytes(sealing::lattice_key_size);
  return key;
}

auto policy_of_epochs(std::uint32_t rounds) -> Policy {
  Policy policy = short_policy();
  policy.box_epoch_rounds = rounds;
  return policy;
}

TEST(BoxKeysOfAnEpoch, begin_a_new_committee_epoch) {
  Consortium c;
  const std::uint32_t epoch = c.ledger.committee_epoch();
  const auto key = fresh_key("new");
  ASSERT_EQ(c.send_as(id(2), RotateBoxKey{key}), "ok");
  c.block();
  EXPECT_EQ(c.ledger.committee_epoch(), epoch + 1);
  EXPECT_EQ(c.ledger.members().at(id(2)).info.box_key, key);
  EXPECT_EQ(c.ledger.members().at(id(2)).box_since, c.ledger.height());
  c.open();
  EXPECT_EQ(c.round().committee_epoch, epoch + 1);
  EXPECT_EQ(c.ledger.parameters_of(c.round()).box_keys.at(1), key);
}

TEST(BoxKeysOfAnEpoch, are_nobodys_already_and_usable) {
  Consortium c;
  EXPECT_EQ(c.send_as(id(2), RotateBoxKey{c.identity(id(3)).info.box_key}), "key_reuse");
  EXPECT_EQ(c.send_as(id(2), RotateBoxKey{c.identity(id(2)).info.box_key}), "key_reuse");
  EXPECT_EQ(c.send_as(id(2), RotateBoxKey{sealing::BoxPublicKey{}}), "bad_key");
  EXPECT_EQ(c.send_as(id(2), RotateBoxKey{fresh_key("new", true)}), "wrong_box_kind");
  EXPECT_EQ(c.send_as(id(2), RotateBoxKey{fresh_key("new")}), "ok");
}

TEST(BoxKeysOfAnEpoch, are_those_of_the_committee) {
  Consortium c({3, short_policy(Topology::central)});
  EXPECT_EQ(c.send_as(id(1), RotateBoxKey{fresh_key("hospital")}), "not_permitted");
  EXPECT_EQ(c.send_as(id(2), RotateBoxKey{fresh_key("server")}), "ok");
}

TEST(BoxKeysOfAnEpoch, do_not_change_while_a_round_runs) {
  Consortium c;
  c.open();
  const RotateBoxKey rotate{fresh_key("new")};
  EXPECT_EQ(c.send_as(id(2), rotate), "round_running");
  c.submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(2), rotate), "round_running");
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  ASSERT_EQ(c.state(), "opening");
  // A stalled opening may still finish, so its keys are still needed: the epoch waits for it.
  c.block(50);
  EXPECT_EQ(c.send_as(id(2), rotate), "round_running");
  c.open_sum(c.miners);
  EXPECT_EQ(c.send_as(id(2), rotate), "round_running");
}

TEST(BoxKeysOfAnEpoch, do_not_change_on_a_base_that_a_set_was_frozen_on) {
  Consortium c;
  c.run_to_opened();
  c.vote(3);
  ASSERT_EQ(c.state(), "rolled_back");
  const RotateBoxKey rotate{fresh_key("new")};
  EXPECT_EQ(c.send_as(id(2), rotate), "base_served");
  c.run_to_opened();
  c.vote();
  ASSERT_EQ(c.state(), "accepted");
  EXPECT_EQ(c.send_as(id(2), rotate), "base_served") << "the accepted model is not fixed yet";
  c.post_models(digest_of("model"));
  EXPECT_EQ(c.send_as(id(2), rotate), "ok");
}

TEST(BoxKeysOfAnEpoch, are_due_after_as_many_accepted_updates_as_the_policy_says) {
  Consortium c({4, policy_of_epochs(2)});
  EXPECT_FALSE(c.ledger.box_key_is_due(id(2)));
  c.run_round();
  EXPECT_FALSE(c.ledger.box_key_is_due(id(2)));
  c.run_round();
  EXPECT_TRUE(c.ledger.box_key_is_due(id(2)));
  ASSERT_EQ(c.send_as(id(2), RotateBoxKey{fresh_key("new")}), "ok");
  c.block();
  EXPECT_FALSE(c.ledger.box_key_is_due(id(2)));
  EXPECT_TRUE(c.ledger.box_key_is_due(id(3)));
  c.open();
  EXPECT_FALSE(c.ledger.box_key_is_due(id(3))) << "not while a round runs";
}

TEST(BoxKeysOfAnEpoch, are_never_due_where_the_policy_says_never) {
  Consortium c({4, policy_of_epochs(0)});
  c.run_round();
  c.run_round();
  EXPECT_FALSE(c.ledger.box_key_is_due(id(2)));
}

TEST(BoxKeysOfAnEpoch, last_sixteen_updates_unless_the_policy_says_otherwise) {
  Consortium c;
  for (int round = 0; round < 15; ++round) c.run_round();
  EXPECT_FALSE(c.ledger.box_key_is_due(id(1)));
  c.run_round();
  EXPECT_TRUE(c.ledger.box_key_is_due(id(1)));
}

TEST(HybridBoxKeys, are_what_every_member_has_where_the_policy_asks) {
  Policy policy = short_policy();
  policy.hybrid_boxes = true;
  Consortium c({4, policy});
  EXPECT_EQ(c.ledger.members().at(id(3)).info.box_key.kind(), sealing::BoxKind::hybrid);
  Genesis genesis = c.ledger.genesis();
  genesis.founder.box_key.lattice.clear();
  EXPECT_EQ(code(check_genesis(genesis)), "wrong_box_kind");
  const HospitalId fifth = c.add_identity("fifth");
  MemberInfo classical = c.identity(fifth).info;
  classical.box_key.lattice.clear();
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAdmit{classical}}), "wrong_box_kind");
  OpenRound open = c.open_body();
  EXPECT_EQ(open.suite, 0x41);
  open.suite = 0x01;
  EXPECT_EQ(c.send_as(id(1), open), "wrong_box_kind");
  c.run_round();
  EXPECT_EQ(c.state(), "accepted");
  EXPECT_EQ(c.ledger.parameters_of(c.round()).suite,
            sealing::with_hybrid_boxes(sealing::Suite::s30));
}

TEST(HybridBoxKeys, are_not_asked_for_by_a_round_against_the_policy) {
  Consortium c;
  OpenRound open = c.open_body();
  open.suite = 0x41;
  EXPECT_EQ(c.send_as(id(1), open), "wrong_box_kind");
}

TEST(HybridBoxKeys, come_by_vote_and_rounds_wait_until_every_miner_has_one) {
  Consortium c;
  Policy policy = c.ledger.policy();
  policy.hybrid_boxes = true;
  ASSERT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "ok");
  c.vote_until_decided(c.hospitals);
  c.block();
  ASSERT_TRUE(c.ledger.policy().hybrid_boxes);
  for (const HospitalId miner : c.miners) {
    EXPECT_EQ(c.send_as(id(1), c.open_body()), "wrong_box_kind");
    EXPECT_TRUE(c.ledger.box_key_is_due(miner));
    ASSERT_EQ(c.send_as(miner, RotateBoxKey{fresh_key("h" + std::to_string(miner.value), true)}),
              "ok");
    c.block();
  }
  c.run_round();
  EXPECT_EQ(c.state(), "accepted");
}

TEST(HybridBoxKeys, do_not_come_on_a_served_base_where_no_key_could_follow) {
  Consortium c;
  c.run_to_opened();
  c.vote(3);
  Policy policy = c.ledger.policy();
  policy.hybrid_boxes = true;
  ASSERT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "ok");
  const std::uint64_t number = c.ledger.proposals().begin()->first;
  ASSERT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "base_served");
}

TEST(BoxRules, that_are_usual_are_written_as_if_there_were_none) {
  Writer usual;
  put(usual, Policy{});
  EXPECT_EQ(usual.view()[0], 2) << "the topology alone";
  Policy policy;
  policy.box_epoch_rounds = 3;
  Writer more;
  put(more, policy);
  EXPECT_EQ(more.view().size(), usual.view().size() + 5);
  // A policy that says the usual at length is no encoding.
  const Consortium c;
  Genesis genesis = c.ledger.genesis();
  genesis.policy = policy;
  Bytes bytes = genesis.encode();
  ASSERT_TRUE(Genesis::decode(bytes));
  EXPECT_EQ(Genesis::decode(bytes)->policy, policy);
  bytes[bytes.size() - 32 - 5] = 16;
  EXPECT_EQ(code(Genesis::decode(bytes)), "bad_encoding");
  MemberInfo member = genesis.founder;
  Writer classical;
  put(classical, member);
  member.box_key.lattice = Bytes(sealing::lattice_key_size);
  Writer hybrid;
  put(hybrid, member);
  EXPECT_EQ(hybrid.view().size(), classical.view().size() + sealing::lattice_key_size);
  policy.box_epoch_rounds = 1'000'001;
  EXPECT_EQ(code(check_policy(policy)), "bad_policy");
}

}  // namespace
}  // namespace consilium::ledger::test
