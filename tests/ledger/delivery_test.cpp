// Delivery C on the ledger: keys of members instead of shares of miners (sealing-spec §6.3).

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto masked_policy() -> Policy {
  Policy policy = short_policy(Topology::central);
  policy.delivery = sealing::Delivery::masked_keys;
  return policy;
}

class DeliveryC : public ::testing::Test {
 protected:
  explicit DeliveryC(int hospitals = 4) : c({hospitals, masked_policy()}) {}
  void frozen(const std::vector<HospitalId>& there) {
    c.open();
    c.submit(there);
    if (c.state() == "sealing") c.pass_deadline();
    c.attest(c.miners, there);
    c.freeze();
  }
  auto key(HospitalId who) -> PublishKey {
    return {c.round().id, c.round().set_digest, digest_of("key " + std::to_string(who.value))};
  }
  auto not_sent() -> NotSent { return {c.round().id, c.round().set_digest}; }
  void abort_round() {
    c.pass_deadline();
    ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
    c.block();
  }
  Consortium c;
};

TEST_F(DeliveryC, opens_when_every_member_has_sent) {
  frozen(c.hospitals);
  EXPECT_EQ(c.ledger.parameters_of(c.round()).delivery, sealing::Delivery::masked_keys);
  EXPECT_EQ(c.send_as(id(2), c.ready_body()), "wrong_state") << "the server has no say";
  EXPECT_EQ(c.send_as(id(2), c.share_body(id(2))), "wrong_state");
  EXPECT_EQ(c.send_as(id(2), key(id(2))), "not_permitted");
  EXPECT_EQ(c.send_as(id(2), c.result_body()), "wrong_state");
  for (const int member : {1, 3, 4}) ASSERT_EQ(c.send_as(id(member), key(id(member))), "ok");
  EXPECT_EQ(c.send_as(id(1), key(id(1))), "duplicate");
  EXPECT_EQ(c.send_as(id(1), key(id(3))), "equivocation");
  PublishKey other = key(id(5));
  other.set_digest = digest_of("another set");
  EXPECT_EQ(c.send_as(id(5), other), "stale_context");
  EXPECT_EQ(c.state(), "frozen");
  EXPECT_TRUE(c.ledger.families().at(c.round().open.base).opened.empty());
  ASSERT_EQ(c.send_as(id(5), key(id(5))), "ok");
  EXPECT_EQ(c.state(), "opening");
  EXPECT_EQ(c.ledger.families().at(c.round().open.base).opened.size(), 1U);
  c.block();
  ASSERT_EQ(c.send_as(id(2), c.result_body()), "ok");
  c.block();
  c.vote();
  EXPECT_EQ(c.state(), "accepted");
}

TEST_F(DeliveryC, aborts_for_any_silent_member_and_the_same_set_may_seal_again) {
  frozen(c.hospitals);
  for (const int member : {1, 3, 4}) ASSERT_EQ(c.send_as(id(member), key(id(member))), "ok");
  EXPECT_EQ(c.send_as(id(1), Abort{c.round().id}), "too_early");
  abort_round();
  EXPECT_EQ(c.round().reason, "member_silent");
  EXPECT_EQ(c.send_as(id(5), key(id(5))), "wrong_state") << "a late key would open it after all";
  EXPECT_EQ(c.send_as(id(2), StandDown{c.round().id, c.round().set_digest}), "wrong_state");
  frozen(c.hospitals);
  EXPECT_EQ(c.round().set.size(), 4U);
}

TEST_F(DeliveryC, lets_the_rest_go_on_only_when_the_silent_one_signs_that_it_never_sent) {
  frozen(c.hospitals);
  for (const int member : {1, 3, 4}) ASSERT_EQ(c.send_as(id(member), key(id(member))), "ok");
  EXPECT_EQ(c.send_as(id(5), not_sent()), "wrong_state") << "it may still send";
  abort_round();
  const auto first = c.round().id;
  const auto words = not_sent();
  c.open();
  c.submit({id(1), id(3), id(4)});
  c.pass_deadline();
  c.attest(c.miners, {id(1), id(3), id(4)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden")
      << "the server that says 5 was silent may hold its key and open both";
  EXPECT_EQ(c.send_as(id(1), words), "conflicting_message");
  EXPECT_EQ(c.send_as(id(2), words), "not_permitted");
  EXPECT_EQ(c.send_as(id(5), NotSent{first, digest_of("another set")}), "stale_context");
  EXPECT_EQ(c.send_as(id(5), words), "ok");
  EXPECT_EQ(c.send_as(id(5), words), "duplicate");
  c.block();
  c.freeze();
  EXPECT_EQ(c.round().set.size(), 3U);
  EXPECT_EQ(c.ledger.families().at(c.round().open.base).first, c.round().id);
  for (const int member : {1, 3, 4}) ASSERT_EQ(c.send_as(id(member), key(id(member))), "ok");
  EXPECT_EQ(c.state(), "opening");
}

class DeliveryCOfFive : public DeliveryC {
 protected:
  DeliveryCOfFive() : DeliveryC(5) {}
};

TEST_F(DeliveryCOfFive, asks_for_every_missing_members_word_of_every_set_before) {
  // Members 1, 3, 4, 5, 6. First 6 is silent, then 5: of the first set 5 was a sender.
  frozen(c.hospitals);
  for (const int member : {1, 3, 4, 5}) ASSERT_EQ(c.send_as(id(member), key(id(member))), "ok");
  abort_round();
  ASSERT_EQ(c.send_as(id(6), not_sent()), "ok");
  c.block();
  frozen({id(1), id(3), id(4), id(5)});
  for (const int member : {1, 3, 4}) ASSERT_EQ(c.send_as(id(member), key(id(member))), "ok");
  abort_round();
  ASSERT_EQ(c.send_as(id(5), not_sent()), "ok");
  c.block();
  c.open();
  c.submit({id(1), id(3), id(4)});
  c.pass_deadline();
  c.attest(c.miners, {id(1), id(3), id(4)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");
}

TEST_F(DeliveryC, is_not_audited_and_a_bad_key_ends_the_round) {
  frozen(c.hospitals);
  for (const HospitalId member : c.hospitals) ASSERT_EQ(c.send_as(member, key(member)), "ok");
  c.block();
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(2), AuditCall{c.round().id, {{3}, 0}}), "ok");
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
  EXPECT_TRUE(c.round().blamed.empty());
}

TEST_F(DeliveryC, makes_a_new_committee_of_the_members_when_it_is_chosen) {
  Consortium plain({4, short_policy(Topology::central)});
  const std::uint32_t before = plain.ledger.committee_epoch();
  ASSERT_EQ(plain.send_as(id(1), Propose{ProposePolicy{masked_policy()}}), "ok");
  plain.vote_until_decided(plain.hospitals);
  plain.block();
  EXPECT_EQ(plain.ledger.policy().delivery, sealing::Delivery::masked_keys);
  EXPECT_EQ(plain.ledger.committee_epoch(), before + 1);
}

}  // namespace
}  // namespace consilium::ledger::test
