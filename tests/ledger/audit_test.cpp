// An opening that failed, as the ledger sees it: words, positions, answers, findings, the choice
// (sealing-spec §9.4; attacks 4, 5).

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

using sealing::AuditStep;
using sealing::OpeningFailure;

auto policy_with(AuditPolicy audit) -> Policy {
  Policy policy = short_policy();
  policy.audit = audit;
  return policy;
}

class Audit : public ::testing::Test {
 protected:
  explicit Audit(AuditPolicy audit = AuditPolicy::data) : c({4, policy_with(audit)}) {}

  /// To an opening whose time to publish is over, with everybody's share sum.
  void published(sealing::Purpose purpose = sealing::Purpose::update) {
    c.open(purpose);
    c.submit(c.hospitals);
    c.attest(c.miners, c.hospitals);
    c.freeze();
    c.ready(c.miners);
    for (const HospitalId miner : c.miners) ASSERT_EQ(c.send_as(miner, c.share_body(miner)), "ok");
    c.block();
    EXPECT_EQ(c.send_as(id(1), call()), "too_early");
    c.pass_deadline();
  }
  auto call(std::vector<std::uint64_t> failing = {5, 7}) -> AuditCall {
    return {c.round().id, OpeningFailure{std::move(failing), 0}};
  }
  void audited(sealing::Purpose purpose = sealing::Purpose::update) {
    published(purpose);
    for (const int miner : {1, 2, 3}) ASSERT_EQ(c.send_as(id(miner), call()), "ok");
    c.block();
    ASSERT_EQ(c.state(), "auditing");
  }
  auto answer(int who, AuditStep step = AuditStep::witness) -> AuditAnswer {
    return {c.round().id, step, c.round().audit->positions.digest(),
            digest_of("answer " + std::to_string(who))};
  }
  void answered(AuditStep step = AuditStep::witness) {
    for (const int miner : {1, 2, 3, 4}) ASSERT_EQ(c.send_as(id(miner), answer(miner, step)), "ok");
    c.block();
  }
  auto finding(std::vector<HospitalId> blamed, AuditStep step = AuditStep::witness)
      -> AuditFinding {
    return {c.round().id, step, std::move(blamed)};
  }
  void found(const std::vector<HospitalId>& blamed, AuditStep step = AuditStep::witness) {
    for (const int miner : {1, 2, 3}) ASSERT_EQ(c.send_as(id(miner), finding(blamed, step)), "ok");
    c.block();
  }
  Consortium c;
};

TEST_F(Audit, begins_with_t_equal_words_and_takes_its_positions_from_that_block) {
  published();
  EXPECT_EQ(c.send_as(id(1), call({7, 5})), "bad_encoding");
  EXPECT_EQ(c.send_as(id(1), call({5, 5000})), "length_mismatch");
  EXPECT_EQ(c.send_as(id(1), call()), "ok");
  EXPECT_EQ(c.send_as(id(1), call()), "duplicate");
  EXPECT_EQ(c.send_as(id(1), call({5})), "equivocation");
  EXPECT_EQ(c.send_as(id(2), call({5})), "ok");
  EXPECT_EQ(c.send_as(id(3), call()), "ok");
  EXPECT_EQ(c.state(), "opening") << "two agree, one differs";
  EXPECT_EQ(c.send_as(id(4), call()), "ok");
  EXPECT_EQ(c.state(), "auditing");
  EXPECT_EQ(c.send_as(id(1), answer(1)), "too_early") << "its positions are not known yet";
  c.block();
  const auto& audit = *c.round().audit;
  EXPECT_EQ(audit.failure, call().failure);
  const auto expected = sealing::audit_positions(
      c.ledger.parameters_of(c.round()), c.ledger.block_hash(audit.fixed_at), audit.failure);
  ASSERT_TRUE(expected);
  EXPECT_EQ(audit.positions.digest(), expected->digest());
  EXPECT_EQ(audit.positions.data.size(), 8U);
  EXPECT_TRUE(std::binary_search(audit.positions.data.begin(), audit.positions.data.end(), 5U));
}

TEST_F(Audit, is_not_for_who_saw_the_set_open_nor_the_other_way_round) {
  published();
  ASSERT_EQ(c.send_as(id(1), call()), "ok");
  EXPECT_EQ(c.send_as(id(1), c.result_body()), "conflicting_message");
  ASSERT_EQ(c.send_as(id(2), c.result_body()), "ok");
  EXPECT_EQ(c.send_as(id(2), call()), "conflicting_message");
  ASSERT_EQ(c.send_as(id(3), c.result_body()), "ok");
  ASSERT_EQ(c.send_as(id(4), c.result_body()), "ok");
  EXPECT_EQ(c.state(), "judging") << "t of the committee opened it: one word of a liar is nothing";
}

TEST_F(Audit, words_are_overtaken_by_another_share_sum) {
  c.open();
  c.submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  for (const int miner : {1, 2}) ASSERT_EQ(c.send_as(id(miner), c.share_body(id(miner))), "ok");
  c.block();
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(1), call()), "too_early") << "two of four open nothing";
  ASSERT_EQ(c.send_as(id(3), c.share_body(id(3))), "ok");
  ASSERT_EQ(c.send_as(id(1), call()), "ok");
  ASSERT_EQ(c.send_as(id(2), call()), "ok");
  ASSERT_EQ(c.send_as(id(4), c.share_body(id(4))), "ok");
  ASSERT_EQ(c.send_as(id(3), call()), "ok");
  EXPECT_EQ(c.state(), "opening") << "the first two were said of three share sums, this of four";
  EXPECT_EQ(c.send_as(id(1), call()), "ok");
  EXPECT_EQ(c.send_as(id(2), c.result_body()), "ok") << "with the fourth it opens for miner 2";
  EXPECT_EQ(c.state(), "opening");
}

TEST_F(Audit, blames_who_t_miners_find_and_ends_the_round) {
  audited();
  answered();
  EXPECT_EQ(c.send_as(id(1), finding({id(9)})), "not_permitted");
  EXPECT_EQ(c.send_as(id(1), finding({id(2)}, AuditStep::data)), "audit_refused");
  ASSERT_EQ(c.send_as(id(4), finding({})), "ok");
  EXPECT_EQ(c.send_as(id(4), finding({id(1)})), "equivocation");
  found({id(2)});
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "blamed");
  EXPECT_EQ(c.round().blamed, std::vector<HospitalId>{id(2)});
  EXPECT_TRUE(c.round().rewards.empty());
  EXPECT_EQ(c.round().audit->steps[0].answers.size(), 4U) << "the evidence stands beside it";
  // The set counts as opened, the base stays: the same set may seal again, another may not.
  EXPECT_EQ(c.ledger.families().at(c.round().open.base).opened.size(), 1U);
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "ok");
}

TEST_F(Audit, attack_5_of_a_round_is_made_once_and_at_no_other_positions) {
  audited();
  EXPECT_EQ(c.send_as(id(4), call()), "audit_refused");
  AuditAnswer elsewhere = answer(1);
  elsewhere.positions = digest_of("my own choice");
  EXPECT_EQ(c.send_as(id(1), elsewhere), "audit_refused");
  EXPECT_EQ(c.send_as(id(1), answer(1, AuditStep::data)), "audit_refused");
  EXPECT_EQ(c.send_as(id(1), answer(1)), "ok");
  EXPECT_EQ(c.send_as(id(1), answer(1)), "duplicate");
  AuditAnswer other = answer(1);
  other.words = digest_of("another answer");
  EXPECT_EQ(c.send_as(id(1), other), "equivocation");
  EXPECT_EQ(c.send_as(id(1), finding({})), "too_early");
  for (const int miner : {2, 3, 4}) ASSERT_EQ(c.send_as(id(miner), answer(miner)), "ok");
  found({id(3)});
  EXPECT_EQ(c.send_as(id(1), call()), "audit_refused");
  EXPECT_EQ(c.send_as(id(1), answer(1)), "audit_refused");
  EXPECT_EQ(c.send_as(id(1), AuditConsent{c.round().id}), "audit_refused");
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAudit{c.round().id}}), "audit_refused");
}

TEST_F(Audit, shows_data_only_when_nobody_was_found_and_the_council_asks) {
  audited();
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAudit{c.round().id}}), "audit_refused");
  answered();
  found({});
  ASSERT_EQ(c.state(), "auditing");
  EXPECT_TRUE(c.round().audit->waits_for_consent);
  EXPECT_EQ(c.send_as(id(1), answer(1, AuditStep::data)), "audit_refused") << "nobody was asked";
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeAudit{c.round().id}}), "ok");
  const std::uint64_t proposal = c.ledger.proposals().rbegin()->first;
  ASSERT_EQ(c.send_as(id(2), Vote{proposal, true}), "ok");
  EXPECT_TRUE(c.round().audit->waits_for_consent) << "two of four are no two thirds";
  ASSERT_EQ(c.send_as(id(3), Vote{proposal, true}), "ok");
  EXPECT_FALSE(c.round().audit->waits_for_consent);
  answered(AuditStep::data);
  found({id(4)}, AuditStep::data);
  EXPECT_EQ(c.round().reason, "blamed");
  EXPECT_EQ(c.round().blamed, std::vector<HospitalId>{id(4)});
}

TEST_F(Audit, shows_data_when_everybody_of_the_set_would_rather_show_than_leave) {
  audited();
  answered();
  found({});
  for (const int member : {1, 2, 3})
    ASSERT_EQ(c.send_as(id(member), AuditConsent{c.round().id}), "ok");
  EXPECT_EQ(c.send_as(id(3), AuditConsent{c.round().id}), "duplicate");
  EXPECT_TRUE(c.round().audit->waits_for_consent);
  ASSERT_EQ(c.send_as(id(4), AuditConsent{c.round().id}), "ok");
  EXPECT_FALSE(c.round().audit->waits_for_consent);
  c.block();
  answered(AuditStep::data);
  found({}, AuditStep::data);
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
  EXPECT_TRUE(c.round().blamed.empty());
}

TEST_F(Audit, ends_without_a_name_when_nobody_asks_or_answers) {
  audited();
  answered();
  found({});
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "too_early");
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
  c.block();
  audited();
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(1), answer(1)), "late");
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "too_early") << "findings have their time";
  c.block(c.round().policy.publish_heights);
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
}

TEST_F(Audit, of_statistics_never_shows_data) {
  // Attack 5: of a fifty-entry statistic eight opened entries are a breach.
  audited(sealing::Purpose::statistics);
  answered();
  found({});
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAudit{c.round().id}}), "audit_refused");
}

TEST_F(Audit, is_part_of_the_state_digest_and_taken_back_with_its_block) {
  published();
  const Digest before = c.ledger.recomputed_digest();
  for (const int miner : {1, 2, 3}) ASSERT_EQ(c.send_as(id(miner), call()), "ok");
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  EXPECT_EQ(c.state(), "opening");
}

class WitnessAudit : public Audit {
 protected:
  WitnessAudit() : Audit(AuditPolicy::witness) {}
};
TEST_F(WitnessAudit, never_reaches_the_data) {
  audited();
  answered();
  found({});
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
}

class NoAudit : public Audit {
 protected:
  NoAudit() : Audit(AuditPolicy::none) {}
};
TEST_F(NoAudit, a_failed_opening_still_ends_and_the_next_round_may_begin) {
  published();
  for (const int miner : {1, 2, 3}) ASSERT_EQ(c.send_as(id(miner), call()), "ok");
  c.block();
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "residual_out_of_range");
  EXPECT_FALSE(c.round().audit);
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "ok");
}

}  // namespace
}  // namespace consilium::ledger::test
