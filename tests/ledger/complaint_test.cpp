// Complaints and answers with really sealed vectors (sealing-spec §6.2).

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

class Complaints : public ::testing::Test {
 protected:
  explicit Complaints(Founding founding = {4, short_policy()}) : c(std::move(founding)) {
    c.open();
    const std::vector<std::int64_t> values(c.round().open.length, 5);
    for (const HospitalId hospital : c.hospitals) {
      SeededRandom secrets(hospital.value, "secrets of a test");
      auto sealed = sealing::seal(c.ledger.parameters_of(c.round()), hospital, values, secrets);
      EXPECT_TRUE(sealed) << code(sealed);
      EXPECT_EQ(c.send_as(hospital, SubmitManifest{c.round().id, sealed->manifest, 64}), "ok");
      seals.emplace(hospital, std::move(*sealed));
    }
    c.block();
  }
  auto complaint(int hospital) -> Complaint {
    return {c.round().id, id(hospital), seals.at(id(hospital)).lists};
  }
  /// The right answer of `hospital` to miner number `miner`.
  auto answer(int hospital, int miner) -> Answer {
    const auto& opening = seals.at(id(hospital)).openings.at(static_cast<std::size_t>(miner - 1));
    const auto copy = [](const SecretBytes& secret) {
      return Bytes(secret.expose().begin(), secret.expose().end());
    };
    return {c.round().id, MinerId{static_cast<std::uint16_t>(miner)}, copy(opening.share),
            copy(opening.masks), copy(opening.salt)};
  }
  [[nodiscard]] auto excluded(int hospital) const -> bool {
    const auto& out = c.round().excluded;
    return std::find(out.begin(), out.end(), id(hospital)) != out.end();
  }
  auto set_size() -> std::size_t {
    const auto rule = c.ledger.freeze_rule(c.round());
    return rule ? rule->set.size() : 0;
  }

  Consortium c;
  std::map<HospitalId, sealing::Sealed> seals;
};

TEST_F(Complaints, is_void_when_the_published_share_fits) {
  c.attest({id(1), id(2), id(3)}, c.hospitals);
  EXPECT_EQ(set_size(), 4U);
  EXPECT_EQ(c.send_as(id(2), complaint(1)), "conflicting_message");  // it has attested hospital 1
  EXPECT_EQ(c.send_as(id(4), complaint(1)), "ok");
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "too_early");
  EXPECT_EQ(c.send_as(id(4), Attest{c.round().id, c.hospitals}), "conflicting_message");
  EXPECT_EQ(c.send_as(id(1), answer(1, 4)), "ok");
  EXPECT_EQ(c.send_as(id(1), answer(1, 4)), "duplicate");
  EXPECT_TRUE(c.round().complaints.at({id(1), id(4)}));
  EXPECT_EQ(c.round().answers.at({id(1), id(4)}).share, answer(1, 4).share);
  EXPECT_EQ(set_size(), 4U);
  EXPECT_EQ(c.send_as(id(4), Attest{c.round().id, c.hospitals}), "ok");
}

TEST_F(Complaints, are_refused_when_they_are_not_about_this_rounds_lists) {
  Complaint wrong = complaint(1);
  wrong.lists.back() ^= 1U;
  EXPECT_EQ(c.send_as(id(4), wrong), "stale_context");
  wrong = complaint(1);
  wrong.hospital = id(9);
  EXPECT_EQ(c.send_as(id(4), wrong), "unknown_manifest");
  EXPECT_EQ(c.send_as(id(4), complaint(1)), "ok");
  EXPECT_EQ(c.send_as(id(4), complaint(1)), "duplicate");
}

TEST_F(Complaints, nobody_publishes_a_share_that_was_not_asked_for) {
  EXPECT_EQ(c.send_as(id(1), answer(1, 4)), "unknown_complaint");
  EXPECT_EQ(c.send_as(id(4), complaint(1)), "ok");
  EXPECT_EQ(c.send_as(id(1), answer(1, 3)), "unknown_complaint");
  Answer nobody = answer(1, 4);
  nobody.miner.value = 5;
  EXPECT_EQ(c.send_as(id(1), nobody), "unknown_complaint");
}

TEST_F(Complaints, a_wrong_answer_leaves_the_hospital_out) {
  c.attest({id(1), id(2), id(3)}, c.hospitals);
  ASSERT_EQ(c.send_as(id(4), complaint(1)), "ok");
  Answer wrong = answer(1, 4);
  wrong.share[100] ^= 1U;
  EXPECT_EQ(c.send_as(id(1), wrong), "ok");
  EXPECT_TRUE(excluded(1));
  EXPECT_EQ(c.send_as(id(1), answer(1, 4)), "wrong_state");
  EXPECT_EQ(set_size(), 3U);
}

TEST_F(Complaints, no_answer_by_the_deadline_leaves_the_hospital_out) {
  c.attest({id(1), id(2), id(3)}, c.hospitals);
  ASSERT_EQ(c.send_as(id(4), complaint(1)), "ok");
  c.pass_deadline();
  EXPECT_TRUE(excluded(1));
  EXPECT_EQ(c.send_as(id(1), answer(1, 4)), "late");
  EXPECT_EQ(set_size(), 3U);
}

TEST_F(Complaints, at_the_last_height_still_leave_time_to_answer) {
  c.attest({id(1), id(2), id(3)}, {id(1), id(2), id(3)});
  while (c.ledger.height().value + 1 < c.round().deadline.value) c.block();
  ASSERT_EQ(c.send_as(id(4), complaint(1)), "ok");
  c.block();
  EXPECT_FALSE(excluded(1));
  EXPECT_EQ(c.send_as(id(1), answer(1, 4)), "ok");
}

TEST_F(Complaints, of_more_than_f_miners_leave_the_hospital_out_and_show_no_second_share) {
  // Attack 2: with f = 1 a hospital shows one share at most.
  c.attest({id(1), id(2)}, {id(1), id(2), id(3)});
  ASSERT_EQ(c.send_as(id(4), complaint(1)), "ok");
  ASSERT_EQ(c.send_as(id(1), answer(1, 4)), "ok");
  ASSERT_EQ(c.send_as(id(3), complaint(1)), "ok");
  EXPECT_TRUE(excluded(1));
  EXPECT_EQ(c.send_as(id(1), answer(1, 3)), "wrong_state");
  EXPECT_EQ(c.round().answers.size(), 1U);
}

TEST_F(Complaints, after_the_freeze_hold_the_opening_until_they_are_answered) {
  c.attest({id(1), id(2), id(3)}, c.hospitals);
  c.freeze();
  ASSERT_EQ(c.send_as(id(4), complaint(2)), "ok");
  EXPECT_EQ(c.send_as(id(4), c.ready_body()), "conflicting_message");
  c.ready({id(1), id(2), id(3)});
  EXPECT_EQ(c.state(), "frozen");
  EXPECT_EQ(c.send_as(id(1), Abort{c.round().id}), "too_early");
  ASSERT_EQ(c.send_as(id(2), answer(2, 4)), "ok");
  EXPECT_EQ(c.state(), "opening");
  EXPECT_EQ(c.send_as(id(4), complaint(1)), "wrong_state");
}

TEST_F(Complaints, after_the_freeze_unanswered_abort_the_round) {
  c.attest({id(1), id(2), id(3)}, c.hospitals);
  c.freeze();
  c.ready({id(1), id(2)});
  EXPECT_EQ(c.send_as(id(1), complaint(2)), "conflicting_message");  // attested and ready
  ASSERT_EQ(c.send_as(id(4), complaint(2)), "ok");
  c.ready({id(3)});
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.round().reason, "bad_sharing");
}

class CentralComplaints : public Complaints {
 protected:
  CentralComplaints() : Complaints({4, short_policy(Topology::central)}) {}
};

TEST_F(CentralComplaints, leave_out_and_are_never_answered) {
  // M = 1: the one share is the key itself.
  EXPECT_EQ(c.send_as(id(1), complaint(1)), "not_permitted");
  ASSERT_EQ(c.send_as(id(2), complaint(1)), "ok");
  EXPECT_TRUE(excluded(1));
  EXPECT_EQ(c.send_as(id(1), answer(1, 1)), "wrong_state");
  c.attest(c.miners, {id(3), id(4), id(5)});
  EXPECT_EQ(set_size(), 3U);
}

}  // namespace
}  // namespace consilium::ledger::test
