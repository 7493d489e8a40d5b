// One partition a family (sealing-spec §8.3), and the statistics of §11, as far as the ledger can
// see them.

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

using sealing::Purpose;

auto members_of(const RoundRecord& round) -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const auto& member : round.set) out.push_back(member.hospital);
  return out;
}

/// Opens and runs to the attested state with `there`; everybody attests them.
void attested(Consortium& c, const std::vector<HospitalId>& there,
              Purpose purpose = Purpose::update) {
  c.open(purpose);
  c.submit(there);
  if (c.state() == "sealing") c.pass_deadline();
  c.attest(c.miners, there);
}

TEST(Family, first_freeze_fixes_the_partition_for_good) {
  Consortium c;
  attested(c, c.hospitals);
  c.freeze();
  const Digest base = c.round().open.base;
  ASSERT_TRUE(c.ledger.families().contains(base));
  const Family family = c.ledger.families().at(base);
  EXPECT_EQ(family.partition, sealing::make_partition(c.round().seed, c.hospitals, 3));
  EXPECT_EQ(c.round().partition_digest, sealing::partition_digest(family.partition));
  c.ready({id(1), id(2)});
  EXPECT_TRUE(c.ledger.families().at(base).opened.empty());
  c.ready({id(3)});
  EXPECT_EQ(c.ledger.families().at(base).opened, std::vector<Digest>{c.round().set_digest});
}

TEST(Family, without_one_member_of_a_cell_is_forbidden_on_the_same_base) {
  // U and U∖{i} of one base subtract to hospital i's update: the attacker wins if the second set is
  // ever frozen.
  Consortium c;
  c.run_to_opened();
  c.vote(2);
  ASSERT_EQ(c.state(), "rolled_back");
  attested(c, {id(1), id(2), id(3)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");
  EXPECT_EQ(c.send_as(id(1), Freeze{c.round().id, {}, {}, {}}), "set_forbidden");
  EXPECT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.round().reason, "set_forbidden");
  c.block();
  // The same set again is allowed, under the partition of the first round and not of its own seed.
  attested(c, c.hospitals);
  const auto rule = c.ledger.freeze_rule(c.round());
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->partition_digest, c.ledger.families().at(c.round().open.base).partition_digest);
}

TEST(Family, lets_a_whole_cell_stay_away) {
  Consortium c({7, short_policy()});
  attested(c, c.hospitals);
  c.freeze();
  const auto partition = c.ledger.families().at(c.round().open.base).partition;
  ASSERT_EQ(partition.size(), 2U);
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote(3);
  ASSERT_EQ(c.state(), "rolled_back");
  attested(c, partition[1]);
  c.freeze();
  EXPECT_EQ(members_of(c.round()), partition[1]);
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote(3);
  // A part of the first cell besides the whole second one: the rule takes whole cells only.
  std::vector<HospitalId> there = partition[1];
  there.push_back(partition[0][0]);
  std::sort(there.begin(), there.end());
  attested(c, there);
  c.freeze();
  EXPECT_EQ(members_of(c.round()), partition[1]);
}

TEST(Family, who_is_not_in_the_partition_waits_for_the_next_base) {
  Consortium c({7, short_policy()});
  const std::vector<HospitalId> six(c.hospitals.begin(), c.hospitals.end() - 1);
  attested(c, six);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote(3);
  attested(c, c.hospitals);
  c.freeze();
  EXPECT_EQ(members_of(c.round()), six);
}

TEST(Family, keeps_its_partition_when_a_round_is_aborted_after_ready) {
  // Attack 15: a set that miners were ready for is never followed by another cut of the same base,
  // and nothing of the aborted round can be opened any more.
  Consortium c;
  attested(c, c.hospitals);
  c.freeze();
  c.ready({id(1), id(2)});
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.round().reason, "committee_short");
  EXPECT_EQ(c.send_as(id(3), c.ready_body()), "wrong_state");
  EXPECT_EQ(c.send_as(id(1), c.share_body(id(1))), "wrong_state");
  EXPECT_EQ(c.send_as(id(1), c.result_body()), "wrong_state");
  const Digest partition = c.round().partition_digest;
  c.block();
  attested(c, {id(2), id(3), id(4)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  attested(c, c.hospitals);
  c.freeze();
  EXPECT_EQ(c.round().partition_digest, partition);
}

TEST(Family, of_a_new_base_is_cut_afresh) {
  Consortium c;
  c.run_round();
  attested(c, {id(1), id(2), id(3)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "ok");
}

TEST(Family, counts_colluders_on_top_of_the_honest) {
  Founding setup{5, short_policy()};
  setup.policy.colluders = 1;
  Consortium c(setup);
  attested(c, {id(1), id(2), id(3)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_too_small");
}

// --- attack 7: statistics before and after one hospital joins
// ---------------------------------------------------

/// Runs a pattern session to released: a new data epoch.
void new_epoch(Consortium& c) {
  AlignmentRecord record;
  record.epoch = c.ledger.data_epoch() + 1;
  record.session.fill(static_cast<std::uint8_t>(record.epoch));
  record.schema = c.ledger.schema();
  record.cells = 1U << 24U;
  record.threshold = 3;
  record.cap = 64;
  record.members = c.ledger.hospitals();
  record.slots = {id(1), id(2), id(3)};
  if (!c.ledger.alignments().empty())
    record.previous = c.ledger.alignments().back().record.digest();
  ASSERT_EQ(c.send_as(id(1), OpenAlignment{record}), "ok");
  const auto publish = [&](HospitalId who, auto kind) {
    return c.send_as(who, PublishAlignment{record.session, 1, kind});
  };
  for (const int slot : {1, 2, 3}) {
    AlignKeys keys;
    keys.key.fill(static_cast<std::uint8_t>(slot));
    ASSERT_EQ(publish(id(slot), keys), "ok");
  }
  for (const HospitalId h : record.members) ASSERT_EQ(publish(h, AlignCommit{}), "ok");
  for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(id(slot), AlignAck{record.members}), "ok");
  ASSERT_EQ(publish(id(1), AlignFix{}), "ok");
  for (const int slot : {1, 2, 3}) ASSERT_EQ(publish(id(slot), AlignReceipt{}), "ok");
  c.block();
  ASSERT_EQ(c.ledger.data_epoch(), record.epoch);
}

void statistics_of(Consortium& c, const std::vector<HospitalId>& there) {
  attested(c, there, Purpose::statistics);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  ASSERT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  c.block();
}

TEST(Statistics, of_two_epochs_may_not_differ_by_one_hospital) {
  Consortium c({5, short_policy()});
  const std::vector<HospitalId> four(c.hospitals.begin(), c.hospitals.end() - 1);
  statistics_of(c, four);
  new_epoch(c);
  attested(c, c.hospitals, Purpose::statistics);
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");  // hospital 5 alone joins
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  attested(c, {id(1), id(2), id(3)}, Purpose::statistics);
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");  // hospital 4 alone leaves
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  statistics_of(c, four);
}

TEST(Statistics, of_two_epochs_may_differ_by_a_whole_group) {
  Consortium c({6, short_policy()});
  statistics_of(c, {id(1), id(2), id(3)});
  new_epoch(c);
  statistics_of(c, c.hospitals);
  new_epoch(c);
  // Against the second epoch three leave, against the first nobody: hospital 4 with the first three
  // is refused.
  attested(c, {id(1), id(2), id(3), id(4)}, Purpose::statistics);
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");
}

TEST(Statistics, with_noise_may_differ_by_one_hospital) {
  // What the two sums tell of hospital 5 is then its vector with the noise of everybody, and paid
  // for.
  Consortium c({5, short_policy()});
  const std::vector<HospitalId> four(c.hospitals.begin(), c.hospitals.end() - 1);
  statistics_of(c, four);
  new_epoch(c);
  c.noise_sigma2 = 1600;
  c.clip_l2 = 300;
  statistics_of(c, c.hospitals);
  new_epoch(c);
  c.noise_sigma2 = c.clip_l2 = 0;
  // The exact sum of the first epoch still counts against an exact one, the noisy one does not.
  attested(c, c.hospitals, Purpose::statistics);
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  statistics_of(c, four);
}

TEST(Menu, is_asked_once_an_epoch_and_again_in_the_next) {
  Founding setup{5, short_policy()};
  setup.policy.menus[0] = menu_digest(Purpose::metrics, Bytes{1, 2, 3});
  Consortium c(setup);
  const std::vector<HospitalId> four(c.hospitals.begin(), c.hospitals.end() - 1);
  const auto metrics_of = [&c](const std::vector<HospitalId>& there) {
    attested(c, there, Purpose::metrics);
    c.freeze();
    c.ready(c.miners);
    c.open_sum(c.miners);
    ASSERT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
    c.block();
  };
  metrics_of(four);
  EXPECT_EQ(c.send_as(id(2), c.open_body(Purpose::metrics)), "epoch_used");
  new_epoch(c);
  attested(c, c.hospitals, Purpose::metrics);
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_forbidden");  // hospital 5 alone joins
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  metrics_of(four);
}

TEST(Menu, stays_as_it_was_when_the_first_set_of_the_epoch_froze) {
  Founding setup{4, short_policy()};
  setup.policy.menus[1] = menu_digest(Purpose::council, Bytes{1, 2, 3});
  Consortium c(setup);
  attested(c, c.hospitals, Purpose::council);
  c.freeze();
  c.ready({id(1)});
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  Policy policy = c.ledger.policy();
  policy.menus[1] = menu_digest(Purpose::council, Bytes{1, 2, 4});
  ASSERT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "ok");
  c.vote_until_decided(c.hospitals);
  c.block();
  // The set of the old menu stands in miners' logs: the new menu waits for the next epoch.
  OpenRound open = c.open_body(Purpose::council);
  EXPECT_EQ(c.send_as(id(1), open), "not_the_menu");
  open.plan = {1, 2, 4};
  EXPECT_EQ(c.send_as(id(1), open), "set_forbidden");
  new_epoch(c);
  open = c.open_body(Purpose::council);
  open.plan = {1, 2, 4};
  EXPECT_EQ(c.send_as(id(1), open), "ok");
}

TEST(Statistics, of_one_epoch_are_refused_to_a_new_committee) {
  Consortium c;
  attested(c, c.hospitals, Purpose::statistics);
  c.freeze();
  c.ready({id(1)});
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), Abort{c.round().id}), "ok");
  c.block();
  c.admit(c.add_identity("fifth"));
  OpenRound open = c.open_body(Purpose::statistics);
  EXPECT_EQ(c.send_as(id(1), open), "set_forbidden");  // five is another n_max than the family's
  open.hospitals_max = 4;
  EXPECT_EQ(c.send_as(id(1), open), "too_many_hospitals");
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "ok");
}

TEST(Claims, are_only_for_participants_of_the_last_alignment) {
  Consortium c;
  new_epoch(c);
  c.admit(c.add_identity("fifth"));
  OpenRound open = c.open_body();
  EXPECT_EQ(open.data_epoch, 1U);
  c.open();
  EXPECT_EQ(c.send_as(id(5), c.manifest(id(5), 64)), "bad_claim");
  EXPECT_EQ(c.send_as(id(5), c.manifest(id(5), 0)), "ok");
  EXPECT_EQ(c.send_as(id(4), c.manifest(id(4), 64)), "ok");
}

}  // namespace
}  // namespace consilium::ledger::test
