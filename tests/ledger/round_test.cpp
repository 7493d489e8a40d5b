#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

using sealing::Purpose;

TEST(Round, walks_from_open_to_a_model_everybody_has) {
  Consortium c;
  c.open();
  EXPECT_EQ(c.state(), "sealing");
  EXPECT_EQ(c.round().seed, sealing::round_seed(c.round().stream, c.round().id, c.round().open.base,
                                                c.blocks.back().hash(), sealing::Suite::s30));
  c.submit(c.hospitals, 64);
  EXPECT_EQ(c.state(), "attesting");
  c.attest(c.miners, c.hospitals);
  c.freeze();
  EXPECT_EQ(c.state(), "frozen");
  EXPECT_EQ(c.round().set.size(), 4U);
  c.ready({id(1), id(2)});
  EXPECT_EQ(c.state(), "frozen");
  c.ready({id(3)});
  EXPECT_EQ(c.state(), "opening");
  c.ready({id(4)});
  c.open_sum({id(1), id(2), id(3)});
  EXPECT_EQ(c.state(), "judging");
  ASSERT_TRUE(c.round().opened_sum);
  EXPECT_EQ(c.round().opened_sum->result, c.result_body().result);
  c.vote();
  EXPECT_EQ(c.state(), "accepted");
  EXPECT_TRUE(c.ledger.models().empty());
  c.post_models(digest_of("model 1"));
  ASSERT_EQ(c.ledger.models().size(), 1U);
  EXPECT_EQ(c.ledger.models().back().parent, digest_of("model 0"));
  c.run_round();
  c.run_round();
  EXPECT_EQ(c.ledger.models().size(), 3U);
  EXPECT_EQ(c.ledger.models().back().parent, c.ledger.models()[1].model);
}

TEST(Round, walks_the_same_way_with_a_central_server) {
  Consortium c({4, short_policy(Topology::central)});
  ASSERT_EQ(c.ledger.committee(), std::vector<HospitalId>{id(2)});
  EXPECT_EQ(c.ledger.committee_epoch(), 0U);
  c.run_round(64);
  c.run_round(64);
  EXPECT_EQ(c.ledger.models().size(), 2U);
  EXPECT_EQ(c.round().packer, id(2));
  EXPECT_EQ(c.send_as(id(2), c.open_body()), "not_permitted");
  c.open();
  EXPECT_EQ(c.send_as(id(2), c.manifest(id(2))), "not_permitted");
  c.submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(1), Attest{c.round().id, c.hospitals}), "not_permitted");
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  EXPECT_EQ(c.send_as(id(2), c.commit_body(id(2), true)), "not_permitted");
  c.vote();
  EXPECT_EQ(c.send_as(id(2), ModelDigest{c.round().id, digest_of("x")}), "not_permitted");
}

TEST(Round, of_statistics_is_accepted_without_votes_and_pays_nothing) {
  Consortium c;
  c.run_to_opened(Purpose::statistics);
  EXPECT_EQ(c.state(), "opened");
  ASSERT_EQ(c.send_as(id(3), Decide{c.round().id}), "ok");
  EXPECT_EQ(c.state(), "accepted");
  EXPECT_TRUE(c.round().rewards.empty());
  c.block();
  // Attack 18: exact answers are given once a data epoch.
  EXPECT_EQ(c.send_as(id(1), c.open_body(Purpose::statistics)), "epoch_used");
  EXPECT_EQ(c.send_as(id(1), c.open_body(Purpose::metrics)), "not_the_menu");
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "ok");
}

TEST(OpenRound, is_refused_unless_every_figure_is_the_agreed_one) {
  Consortium c;
  const auto refused = [&c](auto change) {
    OpenRound open = c.open_body();
    change(open);
    return code(c.send(id(1), open));
  };
  EXPECT_EQ(refused([](OpenRound& o) { o.purpose = static_cast<Purpose>(9); }), "bad_purpose");
  EXPECT_EQ(refused([](OpenRound& o) { o.suite = 0x55; }), "bad_suite");
  EXPECT_EQ(refused([](OpenRound& o) { o.length = 0; }), "length_mismatch");
  EXPECT_EQ(refused([](OpenRound& o) { o.length = 200'000'001; }), "length_mismatch");
  EXPECT_EQ(refused([](OpenRound& o) { o.hospitals_max = 3; }), "too_many_hospitals");
  EXPECT_EQ(refused([](OpenRound& o) { o.hospitals_max = 65; }), "too_many_hospitals");
  EXPECT_EQ(refused([](OpenRound& o) { o.clip_micro += 1; }), "stale_context");
  EXPECT_EQ(refused([](OpenRound& o) { o.weight_cap += 1; }), "stale_context");
  EXPECT_EQ(refused([](OpenRound& o) { o.data_epoch = 1; }), "stale_context");
  EXPECT_EQ(refused([](OpenRound& o) { o.plan = Bytes(4097, 0); }), "bad_encoding");
  OpenRound statistics = c.open_body(Purpose::statistics);
  statistics.base = digest_of("elsewhere");
  EXPECT_EQ(c.send_as(id(1), statistics), "stale_context");
  statistics = c.open_body(Purpose::statistics);
  statistics.clip_micro = 1;
  EXPECT_EQ(c.send_as(id(1), statistics), "stale_context");
  EXPECT_EQ(c.send_as(id(2), c.open_body()), "ok");
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "round_running");
}

TEST(OpenRound, needs_enough_hospitals) {
  Consortium c({2, short_policy()});
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "set_too_small");
}

TEST(OpenRound, fixes_the_initial_model_and_then_follows_the_accepted_ones) {
  Consortium c;
  c.open();
  ASSERT_TRUE(c.ledger.initial_model());
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(4), Abort{c.round().id}), "ok");
  OpenRound other = c.open_body();
  other.base = digest_of("another start");
  EXPECT_EQ(c.send_as(id(1), other), "stale_context");
  c.run_to_opened();
  c.vote();
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "model_pending");
  c.post_models(digest_of("model A"));
  EXPECT_EQ(c.send_as(id(1), other), "stale_context");
  other.base = digest_of("model 0");
  EXPECT_EQ(c.send_as(id(1), other), "stale_context");
  other.base = digest_of("model A");
  EXPECT_EQ(c.send_as(id(1), other), "ok");
}

TEST(OpenRound, keeps_shape_clip_and_cap_of_the_familys_first_set) {
  // Attack 8: another clip or cap on the same base shows single hospitals' steps.
  Consortium c;
  c.run_to_opened();
  c.vote(2);
  ASSERT_EQ(c.state(), "rolled_back");
  const auto refused = [&c](auto change) {
    OpenRound open = c.open_body();
    change(open);
    return code(c.send(id(1), open));
  };
  EXPECT_EQ(refused([](OpenRound& o) { o.clip_micro += 1; }), "set_forbidden");
  EXPECT_EQ(refused([](OpenRound& o) { o.weight_cap += 1; }), "set_forbidden");
  EXPECT_EQ(refused([](OpenRound& o) { o.length += 1; }), "set_forbidden");
  EXPECT_EQ(refused([](OpenRound& o) { o.hospitals_max += 1; }), "set_forbidden");
  EXPECT_EQ(refused([](OpenRound& o) { o.suite = 0x11; }), "set_forbidden");
  EXPECT_EQ(refused([](OpenRound&) {}), "ok");
}

TEST(SubmitManifest, must_be_made_for_this_round_by_its_sender) {
  Consortium c;
  ASSERT_EQ(c.send_as(id(1), c.open_body()), "ok");
  EXPECT_EQ(c.send_as(id(1), c.manifest(id(1))), "too_early");
  c.block();
  const auto refused = [&c](auto change) {
    SubmitManifest submit = c.manifest(id(1));
    change(submit);
    return code(c.send(id(1), submit));
  };
  EXPECT_EQ(refused([](SubmitManifest& s) { s.round.value = 7; }), "unknown_round");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.consortium = {}; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.stream = {}; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.seed = {}; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.base = {}; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.round.value = 2; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.suite = 0x11; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.hospital = id(2); }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.committee_epoch += 1; }), "stale_context");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.manifest.length += 1; }), "length_mismatch");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.claimed_patterns = 63; }), "bad_claim");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.claimed_patterns = 65; }), "bad_claim");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.claimed_patterns = 32; }), "bad_claim");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.claimed_patterns = 1U << 17U; }), "bad_claim");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.claimed_patterns = 1U << 16U; }), "ok");
  EXPECT_EQ(refused([](SubmitManifest& s) { s.claimed_patterns = 1U << 16U; }), "duplicate");
  c.pass_deadline();
  EXPECT_EQ(c.state(), "attesting");
  EXPECT_EQ(c.send_as(id(2), c.manifest(id(2))), "late");
}

TEST(SubmitManifest, second_different_one_is_kept_as_evidence_and_earns_nothing) {
  Consortium c;
  c.open();
  c.submit(c.hospitals, 64);
  SubmitManifest second = c.manifest(id(2), 64);
  second.manifest.body_root = digest_of("something else");
  const Digest first = c.round().manifests.at(id(2)).manifest.digest();
  EXPECT_EQ(c.send_as(id(2), second), "ok");
  EXPECT_EQ(c.round().manifests.at(id(2)).manifest.digest(), first);
  EXPECT_EQ(c.round().equivocations.at(id(2)), second.manifest.digest());
  second.manifest.body_root = digest_of("a third one");
  EXPECT_EQ(c.send_as(id(2), second), "equivocation");
  EXPECT_EQ(c.send_as(id(2), c.manifest(id(2), 64)), "duplicate");
  c.block();
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote();
  EXPECT_EQ(c.round().rewards_data.at(id(2)), 0U);
  EXPECT_GT(c.round().rewards_data.at(id(1)), 0U);
}

TEST(Attest, is_for_miners_about_manifests_and_only_grows) {
  Consortium c;
  c.open();
  c.submit({id(1), id(2)});
  const RoundId round = c.round().id;
  EXPECT_EQ(c.send_as(id(1), Attest{RoundId{8}, {id(1)}}), "unknown_round");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {id(3)}}), "unknown_manifest");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {}}), "unknown_manifest");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {id(2), id(1)}}), "bad_encoding");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {id(1)}}), "ok");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {id(1)}}), "duplicate");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {id(2)}}), "conflicting_message");
  EXPECT_EQ(c.send_as(id(1), Attest{round, {id(1), id(2)}}), "ok");
  c.pass_deadline();
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(2), Attest{round, {id(1)}}), "late");
}

TEST(Freeze, waits_for_whoever_may_still_be_verified) {
  Consortium c;
  c.open();
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "too_early");
  c.submit(c.hospitals);
  c.attest(c.miners, {id(1), id(2), id(3)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "too_early");
  EXPECT_TRUE(c.ledger.packers_now(c.round()).empty());
  c.attest({id(1), id(2)}, c.hospitals);
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "too_early");
  EXPECT_EQ(c.send_as(id(1), Abort{c.round().id}), "too_early");
  c.pass_deadline();
  const auto rule = c.ledger.freeze_rule(c.round());
  ASSERT_TRUE(rule);
  ASSERT_EQ(rule->set.size(), 3U);
  EXPECT_EQ(rule->set.back().hospital, id(3));
  EXPECT_EQ(rule->set_digest, sealing::set_digest(c.round().seed, rule->set));
}

TEST(Freeze, happens_at_once_when_everybody_is_verified) {
  Consortium c;
  c.open();
  c.submit({id(1), id(2), id(4)});
  c.attest(c.miners, {id(1), id(2), id(4)});
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "too_early");  // hospital 3 may still submit
  c.pass_deadline();
  EXPECT_EQ(c.state(), "attesting");
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "ok");
  c.freeze();
  EXPECT_EQ(c.round().set.size(), 3U);
}

TEST(Freeze, is_refused_unless_it_is_the_rules_own_list) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(1), Freeze{c.round().id, {}, {}, {}}), "too_early");
  c.attest(c.miners, c.hospitals);
  const Freeze rule = *c.ledger.freeze_rule(c.round());
  const HospitalId packer = c.ledger.packers_now(c.round()).front();
  const auto refused = [&](auto change) {
    Freeze freeze = rule;
    change(freeze);
    return code(c.send(packer, freeze));
  };
  EXPECT_EQ(refused([](Freeze& f) { f.set.pop_back(); }), "not_the_rule");
  EXPECT_EQ(refused([](Freeze& f) { f.set[0].manifest = {}; }), "not_the_rule");
  EXPECT_EQ(refused([](Freeze& f) { f.set_digest = {}; }), "not_the_rule");
  EXPECT_EQ(refused([](Freeze& f) { f.partition_digest = {}; }), "not_the_rule");
  EXPECT_EQ(refused([](Freeze&) {}), "ok");
  EXPECT_EQ(refused([](Freeze&) {}), "wrong_state");
}

TEST(Freeze, passes_the_packing_right_on_every_four_heights) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  const auto ranks = c.ledger.packer_ranks(c.round());
  ASSERT_EQ(ranks.size(), 4U);
  const Freeze rule = *c.ledger.freeze_rule(c.round());
  const std::uint64_t since = c.round().freezable_at.value;
  ASSERT_EQ(since, c.ledger.height().value);
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    // Ranks above the present one are refused, up to the last height before their turn.
    while (c.ledger.height().value + 1 < since + rank * pack_step) {
      EXPECT_EQ(c.send_as(ranks[rank], rule), "not_your_turn");
      c.block();
    }
    EXPECT_EQ(c.ledger.packers_now(c.round()).size(), rank + 1);
  }
  EXPECT_EQ(c.send_as(ranks[3], rule), "ok");
  EXPECT_EQ(c.round().packer, ranks[3]);
}

TEST(Freeze, is_too_small_without_three_verified_and_then_aborts) {
  Consortium c;
  c.open();
  c.submit({id(1), id(2), id(3)});
  c.pass_deadline();
  c.attest(c.miners, {id(1), id(2)});
  EXPECT_EQ(c.send_as(id(2), Abort{c.round().id}), "too_early");
  c.pass_deadline();
  EXPECT_EQ(code(c.ledger.freeze_rule(c.round())), "set_too_small");
  EXPECT_EQ(c.send_as(id(1), Freeze{c.round().id, {}, {}, {}}), "set_too_small");
  EXPECT_EQ(c.state(), "attesting");  // the ledger itself ends nothing
  c.block(3);
  EXPECT_EQ(c.state(), "attesting");
  EXPECT_EQ(c.send_as(id(2), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.state(), "aborted");
  EXPECT_EQ(c.round().reason, "set_too_small");
  EXPECT_EQ(c.send_as(id(2), Abort{c.round().id}), "wrong_state");
}

TEST(Ready, must_name_the_frozen_set_and_come_in_time) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(1), c.ready_body()), "wrong_state");
  c.attest(c.miners, c.hospitals);
  c.freeze();
  Ready other = c.ready_body();
  other.set_digest = {};
  EXPECT_EQ(c.send_as(id(1), other), "stale_context");
  other = c.ready_body();
  other.partition_digest = {};
  EXPECT_EQ(c.send_as(id(1), other), "stale_context");
  EXPECT_EQ(c.send_as(id(1), c.ready_body()), "ok");
  EXPECT_EQ(c.send_as(id(1), c.ready_body()), "duplicate");
  EXPECT_EQ(c.send_as(id(2), c.ready_body()), "ok");
  EXPECT_EQ(c.send_as(id(2), Abort{c.round().id}), "too_early");
  c.pass_deadline();
  EXPECT_EQ(c.state(), "frozen");
  EXPECT_EQ(c.send_as(id(3), c.ready_body()), "late");
  EXPECT_EQ(c.send_as(id(2), Abort{c.round().id}), "ok");
  EXPECT_EQ(c.round().reason, "committee_short");
}

TEST(PublishShare, is_for_the_ready_once_and_while_opening) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready({id(1), id(2)});
  EXPECT_EQ(c.send_as(id(1), c.share_body(id(1))), "wrong_state");
  c.ready({id(3)});
  EXPECT_EQ(c.send_as(id(4), c.share_body(id(4))), "not_permitted");
  PublishShare other = c.share_body(id(1));
  other.set_digest = {};
  EXPECT_EQ(c.send_as(id(1), other), "stale_context");
  EXPECT_EQ(c.send_as(id(1), c.share_body(id(1))), "ok");
  EXPECT_EQ(c.send_as(id(1), c.share_body(id(1))), "duplicate");
  EXPECT_EQ(c.send_as(id(1), c.share_body(id(2))), "equivocation");
  EXPECT_EQ(c.send_as(id(1), c.result_body()), "too_early");
}

TEST(Opening, that_stalls_stays_open_for_late_miners_and_cannot_be_aborted) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready({id(1), id(2), id(3)});
  for (const int miner : {1, 2}) ASSERT_EQ(c.send_as(id(miner), c.share_body(id(miner))), "ok");
  c.pass_deadline();
  c.block(5);
  EXPECT_EQ(c.state(), "opening");
  EXPECT_EQ(c.send_as(id(1), Abort{c.round().id}), "wrong_state");
  EXPECT_EQ(c.send_as(id(1), c.open_body()), "round_running");
  c.ready({id(4)});
  ASSERT_EQ(c.send_as(id(4), c.share_body(id(4))), "ok");
  for (const int miner : {1, 2, 4}) ASSERT_EQ(c.send_as(id(miner), c.result_body()), "ok");
  EXPECT_EQ(c.state(), "judging");
}

TEST(ResultAttest, opens_when_a_quorum_says_the_same) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  for (const HospitalId miner : c.miners) ASSERT_EQ(c.send_as(miner, c.share_body(miner)), "ok");
  EXPECT_EQ(c.send_as(id(1), c.result_body("a lie")), "ok");
  EXPECT_EQ(c.send_as(id(1), c.result_body("a lie")), "duplicate");
  EXPECT_EQ(c.send_as(id(1), c.result_body()), "equivocation");
  EXPECT_EQ(c.send_as(id(2), c.result_body()), "ok");
  EXPECT_EQ(c.send_as(id(3), c.result_body()), "ok");
  EXPECT_EQ(c.state(), "opening");
  EXPECT_EQ(c.send_as(id(4), c.result_body()), "ok");
  EXPECT_EQ(c.state(), "judging");
  EXPECT_EQ(c.round().opened_sum->result, c.result_body().result);
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "too_early");
}

}  // namespace
}  // namespace consilium::ledger::test
