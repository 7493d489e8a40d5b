#include <functional>

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

class Alignment : public ::testing::Test {
 protected:
  auto record() -> AlignmentRecord {
    AlignmentRecord out;
    out.epoch = 1;
    out.session.fill(1);
    out.schema = c.ledger.schema();
    out.dictionary = digest_of("dictionary");
    out.cells = 1U << 24U;
    out.threshold = 3;
    out.cap = 64;
    out.members = c.hospitals;
    out.slots = {id(1), id(2), id(3)};
    out.circuit = digest_of("circuit");
    out.commit_heights = out.deliver_heights = out.compute_heights = 4;
    if (!c.ledger.alignments().empty()) {
      out.previous = c.ledger.alignments().back().record.digest();
      out.epoch = c.ledger.alignments().back().record.epoch + 1;
      out.session.fill(static_cast<std::uint8_t>(c.ledger.alignments().size() + 1));
    }
    return out;
  }
  auto open(const AlignmentRecord& what) -> std::string {
    return c.send_as(id(1), OpenAlignment{what});
  }
  auto open_with(const std::function<void(AlignmentRecord&)>& change) -> std::string {
    AlignmentRecord what = record();
    change(what);
    return open(what);
  }
  [[nodiscard]] auto session() const -> const AlignmentSession& {
    return c.ledger.alignments().back();
  }
  [[nodiscard]] auto state() const -> std::string {
    return std::string(state_name(session().state));
  }
  auto publish(int who, decltype(PublishAlignment::kind) kind) -> std::string {
    return c.send_as(
        id(who), PublishAlignment{session().record.session, session().attempt, std::move(kind)});
  }
  auto keys(int who) -> AlignKeys {
    AlignKeys out;
    out.key.fill(static_cast<std::uint8_t>(who + 16 * static_cast<int>(session().attempt)));
    return out;
  }
  auto commit(int who) -> AlignCommit {
    const std::string name = std::to_string(who) + "/" + std::to_string(session().attempt);
    return {{digest_of("0" + name), digest_of("1" + name), digest_of("2" + name)},
            digest_of("input " + std::to_string(who))};
  }
  void to_committed() {
    for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(slot, keys(slot)), "ok");
    for (const int h : {1, 2, 3, 4}) ASSERT_EQ(publish(h, commit(h)), "ok");
    ASSERT_EQ(state(), "committed");
  }
  void to_fixed() {
    to_committed();
    for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(slot, AlignAck{c.hospitals}), "ok");
    ASSERT_EQ(publish(2, AlignFix{}), "ok");
    ASSERT_EQ(state(), "fixed");
  }
  static auto receipt() -> AlignReceipt {
    return {digest_of("root"), digest_of("circuit"), digest_of("verdict"), 3, 4};
  }
  void to_released() {
    to_fixed();
    for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(slot, receipt()), "ok");
    ASSERT_EQ(state(), "released");
    c.block();
  }
  Consortium c;
};

TEST_F(Alignment, walks_from_open_to_released_and_starts_a_data_epoch) {
  ASSERT_EQ(open(record()), "ok");
  EXPECT_EQ(state(), "opened");
  EXPECT_EQ(c.ledger.data_epoch(), 0U);
  to_released();
  EXPECT_EQ(session().participants, c.hospitals);
  EXPECT_NE(session().fix, Digest{});
  EXPECT_EQ(c.ledger.data_epoch(), 1U);
  EXPECT_EQ(c.send_as(id(4), CloseAlignment{session().record.session}), "ok");
  EXPECT_EQ(state(), "closed");
  EXPECT_EQ(c.ledger.data_epoch(), 1U);
  EXPECT_EQ(c.send_as(id(4), CloseAlignment{session().record.session}), "wrong_state");
}

TEST_F(Alignment, record_is_refused_by_the_name_of_what_is_wrong) {
  using R = AlignmentRecord&;
  EXPECT_EQ(open_with([](R r) { r.schema = {}; }), "stale_schema");
  EXPECT_EQ(open_with([](R r) { r.cells = 0; }), "domain_too_large");
  EXPECT_EQ(open_with([](R r) { r.cells = (1U << 26U) + 1; }), "domain_too_large");
  EXPECT_EQ(open_with([](R r) { r.threshold = 1; }), "bad_threshold");
  EXPECT_EQ(open_with([](R r) { r.threshold = 5; }), "bad_threshold");
  EXPECT_EQ(open_with([](R r) {
              r.members = {id(1), id(2)};
              r.threshold = 2;
            }),
            "bad_members");
  EXPECT_EQ(open_with([](R r) { r.members = {id(1), id(2), id(9)}; }), "bad_members");
  EXPECT_EQ(open_with([](R r) { r.slots = {id(1), id(1), id(2)}; }), "bad_slots");
  EXPECT_EQ(open_with([](R r) { r.slots = {id(1), id(2)}; }), "bad_slots");
  EXPECT_EQ(open_with([](R r) { r.slots = {id(1), id(2), id(9)}; }), "bad_slots");
  EXPECT_EQ(open_with([](R r) { r.cap = 0; }), "bad_record");
  EXPECT_EQ(open_with([](R r) { r.cap = (1U << 16U) + 1; }), "bad_record");
  EXPECT_EQ(open_with([](R r) { r.attempts_max = 0; }), "bad_record");
  EXPECT_EQ(open_with([](R r) { r.compute_heights = 0; }), "bad_record");
  EXPECT_EQ(open_with([](R r) { r.epoch = 0; }), "epoch_used");
  EXPECT_EQ(open_with([](R r) { r.epoch = 2; }), "stale_context");
  EXPECT_EQ(open_with([](R r) { r.previous = digest_of("x"); }), "stale_context");
  EXPECT_EQ(open_with([](R r) { r.threshold = 2; }), "ok");
}

TEST(AlignmentPolicy, k_two_needs_the_policys_word) {
  Founding setup{4, short_policy()};
  setup.policy.allow_k2 = false;
  setup.policy.align_threshold = 3;
  Consortium c(setup);
  AlignmentRecord record;
  record.epoch = 1;
  record.schema = c.ledger.schema();
  record.cells = 100;
  record.threshold = 2;
  record.cap = 4;
  record.members = c.hospitals;
  record.slots = {id(1), id(2), id(3)};
  EXPECT_EQ(c.send_as(id(1), OpenAlignment{record}), "k2_not_allowed");
}

TEST_F(Alignment, warns_of_small_dictionaries_small_changes_and_other_thresholds) {
  ASSERT_EQ(open(record()), "ok");
  EXPECT_TRUE(session().warnings.empty());
  to_released();
  AlignmentRecord next = record();
  next.cells = 4 * next.cap * c.ledger.policy().sessions_a_year;
  next.threshold = 2;
  next.members.pop_back();
  ASSERT_EQ(open(next), "ok");
  EXPECT_EQ(session().warnings,
            (std::vector<std::string>{"probe_budget", "small_change", "threshold_changed"}));
}

TEST_F(Alignment, one_session_of_a_subject_an_epoch) {
  ASSERT_EQ(open(record()), "ok");
  AlignmentRecord second = record();
  EXPECT_EQ(open(second), "session_running");
  AlignmentRecord attributes = record();
  attributes.subject = AlignmentSubject::attribute;
  attributes.epoch = 1;
  attributes.previous = {};
  EXPECT_EQ(open(attributes), "ok");
  attributes.session.fill(9);
  EXPECT_EQ(open(attributes), "session_running");
  const AlignmentRecord first = c.ledger.alignments().front().record;
  EXPECT_EQ(open(first), "epoch_used");  // its session id
}

TEST_F(Alignment, that_released_is_never_repeated_in_its_epoch) {
  ASSERT_EQ(open(record()), "ok");
  to_released();
  AlignmentRecord again = record();
  again.epoch = 1;
  EXPECT_EQ(open(again), "epoch_used");
  EXPECT_EQ(publish(1, AlignAborted{"too_late", id(1), id(1)}), "wrong_state");
  EXPECT_EQ(open(record()), "ok");
}

TEST_F(Alignment, messages_are_judged_by_sender_state_attempt_and_content) {
  ASSERT_EQ(open(record()), "ok");
  EXPECT_EQ(c.send_as(id(1), PublishAlignment{{7}, 1, AlignFix{}}), "unknown_session");
  EXPECT_EQ(c.send_as(id(1), PublishAlignment{session().record.session, 2, AlignFix{}}),
            "stale_context");
  EXPECT_EQ(publish(4, keys(4)), "not_permitted");
  EXPECT_EQ(publish(1, AlignKeys{}), "bad_peer_key");
  EXPECT_EQ(publish(1, keys(1)), "ok");
  EXPECT_EQ(publish(1, keys(1)), "duplicate");
  EXPECT_EQ(publish(1, keys(2)), "conflicting_message");
  EXPECT_EQ(publish(2, keys(1)), "bad_peer_key");
  EXPECT_EQ(publish(1, AlignAck{c.hospitals}), "too_early");
  EXPECT_EQ(publish(1, receipt()), "not_fixed");
  EXPECT_EQ(publish(1, AlignFix{}), "wrong_state");
  EXPECT_EQ(publish(2, keys(2)), "ok");
  EXPECT_EQ(publish(3, keys(3)), "ok");
  EXPECT_EQ(state(), "keyed");
  EXPECT_EQ(publish(4, commit(4)), "ok");
  EXPECT_EQ(publish(4, commit(4)), "duplicate");
  EXPECT_EQ(publish(4, commit(3)), "conflicting_message");
  for (const int h : {1, 2, 3}) ASSERT_EQ(publish(h, commit(h)), "ok");
  EXPECT_EQ(publish(4, AlignAck{c.hospitals}), "not_permitted");
  EXPECT_EQ(publish(1, AlignAck{{id(9)}}), "bad_members");
  EXPECT_EQ(publish(1, AlignAck{c.hospitals}), "ok");
  EXPECT_EQ(publish(1, AlignAck{c.hospitals}), "duplicate");
  EXPECT_EQ(publish(1, AlignAck{{id(1)}}), "conflicting_message");
  EXPECT_EQ(publish(1, AlignFix{}), "too_early");
  EXPECT_EQ(publish(2, AlignAck{c.hospitals}), "ok");
  EXPECT_EQ(publish(3, AlignAck{{id(1), id(2), id(3)}}), "ok");
  EXPECT_EQ(publish(4, AlignFix{}), "not_permitted");
  EXPECT_EQ(publish(3, AlignFix{}), "ok");
  EXPECT_EQ(publish(1, AlignFix{}), "duplicate");
  EXPECT_EQ(session().participants, (std::vector<HospitalId>{id(1), id(2), id(3)}));
  AlignReceipt other = receipt();
  other.circuit = digest_of("another circuit");
  EXPECT_EQ(publish(1, other), "stale_context");
  EXPECT_EQ(publish(1, receipt()), "ok");
  EXPECT_EQ(publish(1, receipt()), "duplicate");
  other = receipt();
  other.chunks = 77;
  EXPECT_EQ(publish(1, other), "conflicting_message");
  EXPECT_EQ(publish(4, receipt()), "not_permitted");
}

TEST_F(Alignment, goes_on_without_hospitals_that_stay_silent) {
  ASSERT_EQ(open(record()), "ok");
  for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(slot, keys(slot)), "ok");
  for (const int h : {1, 2, 3}) ASSERT_EQ(publish(h, commit(h)), "ok");
  c.block(4);
  EXPECT_EQ(state(), "keyed");
  c.block();
  EXPECT_EQ(state(), "committed");
  EXPECT_EQ(publish(4, commit(4)), "late");
}

TEST_F(Alignment, with_too_few_ends_its_attempt) {
  ASSERT_EQ(open(record()), "ok");
  to_committed();
  for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(slot, AlignAck{{id(1), id(2)}}), "ok");
  ASSERT_EQ(publish(1, AlignFix{}), "ok");
  EXPECT_EQ(session().aborts, std::vector<std::string>{"too_few"});
  EXPECT_EQ(session().attempt, 2U);
  EXPECT_EQ(state(), "opened");
  EXPECT_TRUE(session().commits.empty());
  EXPECT_EQ(session().inputs.size(), 4U);
}

TEST_F(Alignment, keeps_each_hospitals_input_in_every_attempt) {
  ASSERT_EQ(open(record()), "ok");
  to_committed();
  ASSERT_EQ(publish(2, AlignAborted{"restarted", id(2), id(2)}), "ok");
  EXPECT_EQ(session().attempt, 2U);
  for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(slot, keys(slot)), "ok");
  AlignCommit other = commit(1);
  other.input = digest_of("a second probe");
  EXPECT_EQ(publish(1, other), "conflicting_message");
  EXPECT_EQ(publish(1, commit(1)), "ok");
}

TEST_F(Alignment, fails_after_its_last_attempt_and_may_be_opened_again) {
  ASSERT_EQ(open(record()), "ok");
  for (int attempt = 1; attempt <= 3; ++attempt)
    ASSERT_EQ(publish(1, AlignAborted{"restarted", id(1), id(1)}), "ok");
  EXPECT_EQ(state(), "failed");
  EXPECT_EQ(publish(1, AlignAborted{"restarted", id(1), id(1)}), "wrong_state");
  EXPECT_EQ(c.send_as(id(4), CloseAlignment{session().record.session}), "wrong_state");
  AlignmentRecord again = record();
  again.epoch = 1;
  EXPECT_EQ(open(again), "ok");
}

TEST_F(Alignment, ends_when_two_nodes_quarrel_because_both_leave_their_slots) {
  ASSERT_EQ(open(record()), "ok");
  to_fixed();
  EXPECT_EQ(publish(1, AlignAborted{"bad_frame", id(2), id(3)}), "not_permitted");
  EXPECT_EQ(publish(1, AlignAborted{"bad_frame", id(1), id(4)}), "not_permitted");
  EXPECT_EQ(publish(4, AlignAborted{"bad_frame", id(4), id(1)}), "not_permitted");
  EXPECT_EQ(publish(1, AlignAborted{"Bad Frame!", id(1), id(2)}), "bad_record");
  EXPECT_EQ(publish(1, AlignAborted{"bad_frame", id(1), id(2)}), "ok");
  EXPECT_EQ(state(), "failed");
}

TEST_F(Alignment, releases_only_on_three_equal_receipts) {
  ASSERT_EQ(open(record()), "ok");
  to_fixed();
  ASSERT_EQ(publish(1, receipt()), "ok");
  ASSERT_EQ(publish(2, receipt()), "ok");
  AlignReceipt other = receipt();
  other.verdict = digest_of("another verdict");
  ASSERT_EQ(publish(3, other), "ok");
  EXPECT_EQ(session().aborts, std::vector<std::string>{"receipts_differ"});
  EXPECT_EQ(session().attempt, 2U);
  EXPECT_EQ(c.ledger.data_epoch(), 0U);
}

TEST_F(Alignment, attempts_end_at_their_heights_when_a_node_is_silent) {
  ASSERT_EQ(open(record()), "ok");
  ASSERT_EQ(publish(1, keys(1)), "ok");
  c.block(5);
  EXPECT_EQ(session().aborts, std::vector<std::string>{"timeout"});
  EXPECT_EQ(session().attempt, 2U);
  to_fixed();
  ASSERT_EQ(publish(1, receipt()), "ok");
  c.block(5);
  EXPECT_EQ(session().attempt, 3U);
  to_committed();
  c.block(5);
  EXPECT_EQ(state(), "failed");
}

TEST_F(Alignment, fix_differs_with_participants_commitments_and_keys) {
  ASSERT_EQ(open(record()), "ok");
  to_fixed();
  const Digest first = session().fix;
  ASSERT_EQ(publish(1, AlignAborted{"restarted", id(1), id(1)}), "ok");
  EXPECT_EQ(session().fix, Digest{});
  to_fixed();
  EXPECT_NE(session().fix, first);
}

}  // namespace
}  // namespace consilium::ledger::test
