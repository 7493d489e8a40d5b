#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

TEST(Members, are_admitted_by_more_than_two_thirds) {
  Consortium c;
  EXPECT_EQ(c.ledger.committee_epoch(), 3U);
  const HospitalId fifth = c.add_identity("fifth");
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(fifth).info}}), "ok");
  const std::uint64_t number = c.ledger.proposals().begin()->first;
  EXPECT_EQ(c.send_as(id(2), Propose{ProposeAdmit{c.identity(fifth).info}}), "duplicate");
  EXPECT_EQ(c.send_as(id(1), Vote{number, true}), "duplicate");
  EXPECT_EQ(c.send_as(id(2), Vote{99, true}), "unknown_proposal");
  EXPECT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  EXPECT_FALSE(c.ledger.members().contains(fifth));
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "ok");
  ASSERT_TRUE(c.ledger.members().contains(fifth));
  EXPECT_EQ(c.ledger.hospitals().size(), 5U);
  EXPECT_EQ(c.ledger.committee_epoch(), 4U);
  EXPECT_EQ(c.send_as(id(4), Vote{number, true}), "unknown_proposal");
  EXPECT_EQ(c.ledger.member_by_name("fifth")->id, fifth);
}

TEST(Members, are_not_admitted_when_two_thirds_cannot_be_reached_any_more) {
  Consortium c;
  const HospitalId fifth = c.add_identity("fifth");
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(fifth).info}}), "ok");
  const std::uint64_t number = c.ledger.proposals().begin()->first;
  EXPECT_EQ(c.send_as(id(2), Vote{number, false}), "ok");
  EXPECT_EQ(c.ledger.proposals().size(), 1U);
  EXPECT_EQ(c.send_as(id(3), Vote{number, false}), "ok");
  EXPECT_TRUE(c.ledger.proposals().empty());
  EXPECT_FALSE(c.ledger.members().contains(fifth));
}

TEST(Members, have_names_and_keys_of_their_own) {
  Consortium c;
  const HospitalId fifth = c.add_identity("fifth");
  const auto refused = [&](auto change) {
    MemberInfo info = c.identity(fifth).info;
    change(info);
    return c.send_as(id(1), Propose{ProposeAdmit{info}});
  };
  EXPECT_EQ(refused([](MemberInfo& m) { m.name = "Fifth"; }), "bad_name");
  EXPECT_EQ(refused([](MemberInfo& m) { m.name = "../etc"; }), "bad_name");
  EXPECT_EQ(refused([](MemberInfo& m) { m.name = ""; }), "bad_name");
  EXPECT_EQ(refused([](MemberInfo& m) { m.name = "founder"; }), "name_taken");
  EXPECT_EQ(refused([&](MemberInfo& m) { m.key = c.identity(id(2)).info.key; }), "key_reuse");
  EXPECT_EQ(refused([&](MemberInfo& m) { m.box_key = c.identity(id(2)).info.box_key; }),
            "key_reuse");
  EXPECT_EQ(refused([](MemberInfo& m) { m.box_key.bytes.fill(0); }), "bad_key");
  EXPECT_EQ(refused([](MemberInfo& m) { m.role = MemberRole::server; }), "bad_members");
  EXPECT_EQ(refused([](MemberInfo&) {}), "ok");
}

TEST(Members, may_name_the_key_of_a_validator) {
  Consortium c;
  const HospitalId fifth = c.add_identity("fifth");
  const Identity validator("the validator of fifth");
  const auto with = [&](const sealing::VerifyKey& key) {
    MemberInfo info = c.identity(fifth).info;
    info.validator_key = key;
    return Propose{ProposeAdmit{info}};
  };
  EXPECT_EQ(c.send_as(id(1), with(c.identity(fifth).info.key)), "bad_key");
  EXPECT_EQ(c.send_as(id(1), with(c.identity(id(2)).info.key)), "key_reuse");
  EXPECT_TRUE(c.ledger.validators().empty());
  ASSERT_EQ(c.send_as(id(1), with(validator.info.key)), "ok");
  c.vote_until_decided(c.hospitals);
  c.block();
  ASSERT_EQ(c.ledger.validators().size(), 1U);
  EXPECT_EQ(c.ledger.validators().at(fifth), validator.info.key);

  // Nobody else has it afterwards, and no identity is signed with it.
  const HospitalId sixth = c.add_identity("sixth");
  MemberInfo copied = c.identity(sixth).info;
  copied.validator_key = validator.info.key;
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAdmit{copied}}), "key_reuse");
  copied.validator_key.reset();
  copied.key = validator.info.key;
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAdmit{copied}}), "key_reuse");

  ASSERT_EQ(c.send_as(id(1), Propose{ProposeRemove{fifth}}), "ok");
  c.vote_until_decided(c.hospitals);
  c.block();
  EXPECT_TRUE(c.ledger.validators().empty());
}

TEST(Members, leave_by_vote_without_their_own_and_need_new_keys_to_come_back) {
  Consortium c;
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeRemove{id(4)}}), "ok");
  const std::uint64_t number = c.ledger.proposals().begin()->first;
  EXPECT_EQ(c.send_as(id(4), Vote{number, false}), "not_permitted");
  EXPECT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  EXPECT_TRUE(c.ledger.members().at(id(4)).active);  // two of three is not more than two thirds
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "ok");
  EXPECT_FALSE(c.ledger.members().at(id(4)).active);
  EXPECT_EQ(c.ledger.committee_epoch(), 4U);
  EXPECT_EQ(c.send_as(id(4), Decide{RoundId{1}}), "unknown_member");
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeRemove{id(4)}}), "unknown_member");
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeRemove{id(77)}}), "unknown_member");
  // Attack 20: whoever lost its log takes a new identity; the old keys are burnt, the name is free.
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(id(4)).info}}), "key_reuse");
  const HospitalId again = c.add_identity("other-keys");
  c.identity(again).info.name = c.identity(id(4)).info.name;
  c.admit(again);
  EXPECT_EQ(c.ledger.member_by_name(c.identity(id(4)).info.name)->id, again);
}

TEST(Members, do_not_change_while_a_round_runs) {
  Consortium c;
  const HospitalId fifth = c.add_identity("fifth");
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(fifth).info}}), "ok");
  const std::uint64_t number = c.ledger.proposals().begin()->first;
  ASSERT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  c.open();
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "round_running");
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "ok");
  EXPECT_EQ(c.ledger.hospitals().size(), 5U);
}

TEST(Members, do_not_change_on_a_base_that_a_set_was_frozen_on) {
  // Attack 9: a newcomer's empty set log on a served base.
  Consortium c;
  c.run_to_opened();
  c.vote(3);
  ASSERT_EQ(c.state(), "rolled_back");
  const HospitalId fifth = c.add_identity("fifth");
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(fifth).info}}), "ok");
  const std::uint64_t number = c.ledger.proposals().begin()->first;
  ASSERT_EQ(c.send_as(id(2), Vote{number, true}), "ok");
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "base_served");
  c.run_round();
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "ok");
  EXPECT_EQ(c.ledger.hospitals().size(), 5U);
}

TEST(Members, may_change_on_a_base_that_no_set_was_frozen_on) {
  Consortium c;
  c.open();
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  const HospitalId fifth = c.add_identity("fifth");
  c.admit(fifth);
  c.hospitals = c.miners = c.ledger.hospitals();
  c.run_round();  // with the larger n_max, on the same base
  EXPECT_EQ(c.ledger.models().back().parent, digest_of("model 0"));
}

TEST(Proposals, expire_at_their_height) {
  Consortium c;
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeSchema{digest_of("schema 2")}}), "ok");
  const auto number = c.ledger.proposals().begin()->first;
  const Height expiry = c.ledger.proposals().begin()->second.expiry;
  while (c.ledger.height() < expiry) c.block();
  EXPECT_TRUE(c.ledger.proposals().empty());
  EXPECT_EQ(c.send_as(id(2), Vote{number, true}), "unknown_proposal");
}

TEST(Proposals, change_policy_and_schema_when_they_are_sound) {
  Consortium c;
  Policy policy = c.ledger.policy();
  policy.round_pool = 77;
  ASSERT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "ok");
  c.vote_until_decided(c.hospitals);
  EXPECT_EQ(c.ledger.policy().round_pool, 77U);
  ASSERT_EQ(c.send_as(id(2), Propose{ProposeSchema{digest_of("schema 2")}}), "ok");
  c.vote_until_decided(c.hospitals);
  EXPECT_EQ(c.ledger.schema(), digest_of("schema 2"));
  policy.honest_min = 1;
  EXPECT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "bad_policy");
  policy = c.ledger.policy();
  policy.topology = Topology::central;
  EXPECT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "bad_policy");
}

TEST(Proposals, of_sixty_four_hospitals_are_the_last) {
  Consortium c({64, short_policy()});
  const HospitalId late = c.add_identity("late");
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(late).info}}), "too_many_hospitals");
}

TEST(Members, the_last_hospital_and_the_server_stay) {
  Consortium alone({1, short_policy()});
  EXPECT_EQ(alone.send_as(id(1), Propose{ProposeRemove{id(1)}}), "bad_members");
  Consortium central({3, short_policy(Topology::central)});
  EXPECT_EQ(central.send_as(id(1), Propose{ProposeRemove{id(2)}}), "bad_members");
  EXPECT_EQ(central.send_as(id(2), Propose{ProposeSchema{digest_of("x")}}), "not_permitted");
}

}  // namespace
}  // namespace consilium::ledger::test
