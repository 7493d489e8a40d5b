#include <gtest/gtest.h>

#include "consortium.hpp"
#include "kept_update.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;

auto clear_digest(Consortium& c, std::size_t rounds) -> Digest {
  std::vector<ClearHospital> hospitals;
  for (auto& m : c.members) {
    if (m.cases) hospitals.push_back({m.cases.get(), m.training_seed});
  }
  const auto scale =
      sealing::scale_of(sealing::Suite::s30, static_cast<std::uint32_t>(hospitals.size()));
  const sealing::Quantisation q{static_cast<double>(c.state().policy().clip_micro) / 1e6,
                                scale->value_max, c.state().policy().weight_cap};
  auto clear = clear_rounds(hospitals, c.plan(), q, rounds);
  EXPECT_TRUE(clear);
  return clear->back().model.digest();
}

TEST(Federation, a_round_of_four_ends_with_one_model_that_all_computed_themselves) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 4U);
  ASSERT_EQ(round.models.size(), 4U);
  for (const auto& m : c.members) {
    ASSERT_NE(m.participant->model(), nullptr);
    EXPECT_EQ(m.participant->model()->digest(), c.state().models().back().model);
  }
  EXPECT_FALSE(c.stopped) << c.stopped->message();
  EXPECT_TRUE(c.refusals.empty()) << c.refusals.front();
}

TEST(Federation, sealed_equals_clear_to_the_last_bit_over_several_rounds) {
  Consortium c(4);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(c.open_update(c.plan()));
    ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  }
  EXPECT_EQ(c.state().models().back().model, clear_digest(c, 3));
}

TEST(Federation, noise_changes_the_sum_a_little_and_never_twice_alike) {
  const RoundNoise noise{.sigma2 = 16, .clip_l2 = 40'000};
  std::vector<Digest> models;
  for (int times = 0; times < 2; ++times) {
    Consortium c(4);
    ASSERT_TRUE(c.open_update(c.plan(), noise));
    const auto& round = c.run_round(c.last_round().id);
    ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
    EXPECT_EQ(round.set.size(), 4U);
    EXPECT_EQ(round.charged, c.state().hospitals());
    EXPECT_GT(round.rho_micro, 0U);
    // All nodes opened the same noisy sum and built the same model of it.
    for (const auto& m : c.members)
      EXPECT_EQ(m.participant->model()->digest(), c.state().models().back().model);
    models.push_back(c.state().models().back().model);
    EXPECT_NE(models.back(), clear_digest(c, 1));
    Consortium without(4);
    ASSERT_TRUE(without.open_update(without.plan()));
    without.run_round(without.last_round().id);
    const auto clear = without.members[0].participant->model()->parameters();
    const auto noisy = c.members[0].participant->model()->parameters();
    ASSERT_EQ(clear.size(), noisy.size());
    for (std::size_t i = 0; i < clear.size(); ++i) EXPECT_NEAR(noisy[i], clear[i], 0.02) << i;
    EXPECT_FALSE(c.stopped) << c.stopped->message();
  }
  EXPECT_NE(models[0], models[1]);
}

TEST(Federation, a_round_drowned_in_noise_ends_and_leaves_the_base) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan(), {.sigma2 = 3400 * 3400, .clip_l2 = 3000}));
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_TRUE(ledger::is_closed(round.state));
  EXPECT_FALSE(c.stopped) << c.stopped->message();
}

TEST(Federation, the_central_server_opens_the_same_sum) {
  Consortium c(4, ledger::Topology::central);
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.miners.size(), 1U);
  EXPECT_EQ(c.state().models().back().model, clear_digest(c, 1));
}

TEST(Federation, statistics_open_as_the_exact_sum_everywhere) {
  Consortium c(4);
  ASSERT_TRUE(c.open_statistics());
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  std::vector<std::int64_t> expected(3, 0);
  for (const auto& m : c.members) {
    for (const auto& one : m.cases->train) {
      expected[0] += 1;
      expected[1] += one.age;
      expected[2] += one.age * one.age;
    }
  }
  EXPECT_EQ(expected[0], 60 + 80 + 100 + 120);
  for (const auto& m : c.members) EXPECT_EQ(m.cases->statistics_sum, expected);
}

TEST(Federation, one_of_four_may_be_missing_before_it_seals) {
  Consortium c(4);
  c.members[2].away = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 3U);
}

TEST(Federation, one_of_four_may_vanish_after_it_sealed) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.tick();
  c.members[3].away = true;
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 4U) << "its sealed update is there and needs it no more";
}

TEST(Federation, with_two_missing_nothing_is_opened) {
  Consortium c(4);
  c.members[1].away = c.members[2].away = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_EQ(round.state, RoundState::aborted);
  EXPECT_TRUE(round.share_sums.empty());
}

TEST(Federation, a_hospital_that_cannot_train_leaves_the_round_to_the_others) {
  Consortium c(4);
  c.members[1].cases->fails = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 3U);
  EXPECT_FALSE(c.remarks.empty());
}

TEST(Federation, everybody_killed_after_every_block_ends_in_the_same_model) {
  Consortium undisturbed(4);
  ASSERT_TRUE(undisturbed.open_update(undisturbed.plan()));
  ASSERT_EQ(undisturbed.run_round(undisturbed.last_round().id).state, RoundState::accepted);

  Consortium killed(4);
  ASSERT_TRUE(killed.open_update(killed.plan()));
  const auto id = killed.last_round().id;
  for (int i = 0; i < 200 && killed.state().models().empty(); ++i) {
    killed.tick();
    for (std::size_t m = 0; m < killed.members.size(); ++m) killed.restart(m);
  }
  ASSERT_EQ(killed.state().find_round(id)->state, RoundState::accepted);
  EXPECT_EQ(killed.state().models().back().model, undisturbed.state().models().back().model);
}

TEST(Federation, a_manifest_is_posted_again_byte_for_byte_and_never_made_anew) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  auto& m = c.members[1];
  const auto first = m.participant->step(c.state());
  c.restart(1);
  const auto again = m.participant->step(c.state());
  ASSERT_TRUE(first && *first && again && *again);
  EXPECT_EQ(std::get<ledger::SubmitManifest>(**first).manifest,
            std::get<ledger::SubmitManifest>(**again).manifest);
}

auto keeps_update(const Consortium& c, std::size_t member, RoundId round) -> bool {
  return c.members[member].storage->records.contains("rounds/" + std::to_string(round.value) +
                                                     "/update");
}

TEST(Federation, an_update_stays_on_disk_until_its_round_is_accepted) {
  Consortium c(4);
  c.members[3].away = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto first = c.last_round().id;
  c.tick();
  for (int i = 0; i < 200 && !ledger::is_closed(c.last_round().state); ++i) {
    EXPECT_TRUE(keeps_update(c, 1, first)) << "in state " << state_name(c.last_round().state);
    c.tick();
  }
  ASSERT_EQ(c.run_round(first).state, RoundState::accepted);
  for (std::size_t m = 0; m < 4; ++m) EXPECT_FALSE(keeps_update(c, m, first)) << m;
}

TEST(Federation, an_update_outlives_a_round_that_was_aborted_or_rolled_back) {
  Consortium c(4);
  c.members[2].away = c.members[3].away = true;  // two hospitals are too few
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto aborted = c.last_round().id;
  ASSERT_EQ(c.run_round(aborted).state, RoundState::aborted);
  EXPECT_TRUE(keeps_update(c, 0, aborted));
  c.restart(0);
  EXPECT_TRUE(keeps_update(c, 0, aborted)) << "a crash takes nothing away";
  c.members[2].away = c.members[3].away = false;

  for (std::size_t i = 1; i < 4; ++i) c.members[i].cases->poison();
  auto plan = c.plan();
  plan.training.local_steps = 400;
  ASSERT_TRUE(c.open_update(plan));
  const auto second = c.last_round().id;
  ASSERT_EQ(c.run_round(second).state, RoundState::rolled_back);
  for (std::size_t m = 0; m < 4; ++m) EXPECT_TRUE(keeps_update(c, m, second)) << m;
  for (std::size_t i = 1; i < 4; ++i) c.members[i].cases->poison();
  ASSERT_TRUE(c.open_update(c.plan(1)));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  for (std::size_t m = 0; m < 4; ++m) {
    EXPECT_FALSE(keeps_update(c, m, aborted)) << m;
    EXPECT_FALSE(keeps_update(c, m, second)) << m;
  }
}

TEST(Federation, an_update_kept_before_a_crash_is_sealed_as_it_is) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto id = c.last_round().id;
  ASSERT_TRUE(c.members[1].participant->step(c.state()));
  // Killed between the update and its manifest: the manifest's record never came to disk.
  auto& records = c.members[1].storage->records;
  ASSERT_EQ(records.erase("rounds/" + std::to_string(id.value) + "/manifest"), 1U);
  c.restart(1);
  c.members[1].cases->fails = true;  // training again would fail
  const auto again = c.members[1].participant->step(c.state());
  ASSERT_TRUE(again && *again);
  EXPECT_TRUE(std::holds_alternative<ledger::SubmitManifest>(**again));
}

TEST(Federation, an_update_kept_for_another_opening_block_is_not_sealed) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  const std::vector<std::int64_t> values{1, -2, 3};
  auto& storage = *c.members[1].storage;
  ASSERT_TRUE(keep_update(storage, RoundId{9}, Digest{{1}}, values));
  EXPECT_EQ(*kept_update(storage, RoundId{9}, Digest{{1}}), values);
  EXPECT_FALSE(*kept_update(storage, RoundId{9}, Digest{{2}}));
  EXPECT_FALSE(*kept_update(storage, RoundId{8}, Digest{{1}}));
  storage.records.at("rounds/9/update").pop_back();
  EXPECT_FALSE(*kept_update(storage, RoundId{9}, Digest{{1}})) << "half a record is none";
  ASSERT_TRUE(drop_update(storage, RoundId{9}));
  ASSERT_TRUE(drop_update(storage, RoundId{9})) << "gone is gone";
}

TEST(Federation, a_withheld_body_keeps_its_hospital_out_of_the_set) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.tick();
  c.blobs.lose(c.last_round().manifests.at(c.members[3].id).manifest.body_blob);
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 3U);
}

TEST(Federation, a_body_with_one_flipped_bit_is_not_attested) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.tick();
  auto& body = c.blobs.blobs.at(c.last_round().manifests.at(c.members[3].id).manifest.body_blob);
  body[body.size() / 2] ^= 1U;
  const auto& round = c.run_round(c.last_round().id);
  ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
  EXPECT_EQ(round.set.size(), 3U);
}

TEST(Federation, a_candidate_that_hurts_is_rolled_back_and_the_base_stays) {
  Consortium c(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  const auto base = c.state().models().back().model;
  for (std::size_t i = 1; i < 4; ++i) c.members[i].cases->poison();
  auto plan = c.plan();
  plan.training.local_steps = 400;
  ASSERT_TRUE(c.open_update(plan));
  const auto& round = c.run_round(c.last_round().id);
  EXPECT_EQ(round.state, RoundState::rolled_back);
  EXPECT_EQ(c.state().models().back().model, base);
  EXPECT_TRUE(round.rewards.empty());
}

TEST(Federation, plans_survive_their_encoding_and_nothing_shorter_does) {
  const Consortium c(3);
  const auto bytes = c.plan(3).encode();
  const auto back = UpdatePlan::decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode(), bytes);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(UpdatePlan::decode(BytesView(bytes).first(n)));
  }
}

}  // namespace
}  // namespace consilium::federation::testing
