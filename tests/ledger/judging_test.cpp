#include <numeric>

#include "consortium.hpp"
#include "credits.hpp"

namespace consilium::ledger::test {
namespace {

auto total(const std::map<HospitalId, std::uint64_t>& parts) -> std::uint64_t {
  return std::accumulate(parts.begin(), parts.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& part) { return sum + part.second; });
}

TEST(Votes, are_committed_first_and_revealed_when_all_are_in) {
  Consortium c;
  c.run_to_opened();
  EXPECT_EQ(c.send_as(id(1), c.reveal_body(id(1), true)), "too_early");
  for (const int h : {1, 2, 3}) ASSERT_EQ(c.send_as(id(h), c.commit_body(id(h), true)), "ok");
  EXPECT_EQ(c.send_as(id(1), c.commit_body(id(1), true)), "duplicate");
  EXPECT_EQ(c.send_as(id(1), c.commit_body(id(1), false)), "equivocation");
  EXPECT_EQ(c.send_as(id(1), c.reveal_body(id(1), true)), "too_early");
  ASSERT_EQ(c.send_as(id(4), c.commit_body(id(4), false)), "ok");
  EXPECT_EQ(c.send_as(id(1), c.reveal_body(id(1), false)), "commitment_mismatch");
  EXPECT_EQ(c.send_as(id(1), c.reveal_body(id(1), true)), "ok");
  EXPECT_EQ(c.send_as(id(1), c.reveal_body(id(1), true)), "duplicate");
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "too_early");
}

TEST(Votes, repeated_by_another_hospital_cannot_be_opened) {
  // Attack 10: hospital 2 posts hospital 1's commitment and, once it is opened, opens it for
  // itself.
  Consortium c;
  c.run_to_opened();
  const VoteCommit first = c.commit_body(id(1), true);
  ASSERT_EQ(c.send_as(id(1), first), "ok");
  ASSERT_EQ(c.send_as(id(2), first), "ok");
  ASSERT_EQ(c.send_as(id(3), c.commit_body(id(3), true)), "ok");
  ASSERT_EQ(c.send_as(id(4), c.commit_body(id(4), true)), "ok");
  const VoteReveal opening = c.reveal_body(id(1), true);
  ASSERT_EQ(c.send_as(id(1), opening), "ok");
  EXPECT_EQ(c.send_as(id(2), opening), "commitment_mismatch");
  EXPECT_FALSE(c.round().votes.contains(id(2)));
}

TEST(Votes, without_the_name_inside_could_be_repeated_by_whoever_has_not_looked) {
  // The guard of attack 10 off: a judge whose commitment holds round, vote and salt, but no name.
  const auto commitment_without_name = [](const Digest& seed, bool accept, const Digest& salt) {
    const std::uint8_t vote = accept ? 1 : 0;
    return tagged_hash("consilium/seal/1/vote", {seed.view(), BytesView(&vote, 1), salt.view()});
  };
  const Digest seed = digest_of("seed");
  const Digest salt = digest_of("salt of hospital 1");
  std::map<int, Digest> commits{{1, commitment_without_name(seed, false, salt)}};
  commits[2] = commits[1];  // copied before anybody knows what it says
  std::map<int, bool> votes;
  for (const int hospital : {1, 2}) {  // hospital 1 reveals, and hospital 2 says the same
    if (commitment_without_name(seed, false, salt) == commits[hospital]) votes[hospital] = false;
  }
  EXPECT_EQ(votes.size(), 2U) << "two votes of one hospital's judgement, enough to reject of three";
  // The guard on: the same two messages, and only the first opens.
  commits = {{1, vote_commitment(seed, id(1), false, salt)}};
  commits[2] = commits[1];
  votes.clear();
  for (const int hospital : {1, 2}) {
    if (vote_commitment(seed, id(hospital), false, salt) == commits[hospital])
      votes[hospital] = false;
  }
  EXPECT_EQ(votes.size(), 1U);
}

TEST(Votes, of_another_round_do_not_open_in_this_one) {
  Consortium c;
  c.run_to_opened();
  const VoteCommit old = c.commit_body(id(1), true);
  c.vote();
  c.post_models(digest_of("model 1"));
  c.run_to_opened();
  VoteCommit replayed = old;
  replayed.round = c.round().id;
  ASSERT_EQ(c.send_as(id(1), replayed), "ok");
  for (const int h : {2, 3, 4}) ASSERT_EQ(c.send_as(id(h), c.commit_body(id(h), true)), "ok");
  EXPECT_EQ(c.send_as(id(1), c.reveal_body(id(1), true)), "commitment_mismatch");
}

TEST(Votes, may_be_revealed_at_half_time_but_not_committed_after_it) {
  Consortium c;
  c.run_to_opened();
  for (const int h : {1, 2, 3}) ASSERT_EQ(c.send_as(id(h), c.commit_body(id(h), true)), "ok");
  c.block(2);
  EXPECT_FALSE(c.ledger.reveals_open(c.round()));
  c.block();
  EXPECT_TRUE(c.ledger.reveals_open(c.round()));
  EXPECT_EQ(c.send_as(id(4), c.commit_body(id(4), true)), "late");
  EXPECT_EQ(c.send_as(id(4), c.reveal_body(id(4), true)), "commitment_mismatch");
  for (const int h : {1, 2, 3}) ASSERT_EQ(c.send_as(id(h), c.reveal_body(id(h), true)), "ok");
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "too_early");
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  EXPECT_EQ(c.state(), "accepted");
}

TEST(Votes, too_few_revealed_roll_back) {
  Consortium c;
  c.run_to_opened();
  for (const HospitalId h : c.hospitals) ASSERT_EQ(c.send_as(h, c.commit_body(h, true)), "ok");
  for (const int h : {1, 2}) ASSERT_EQ(c.send_as(id(h), c.reveal_body(id(h), true)), "ok");
  c.pass_deadline();
  EXPECT_EQ(c.send_as(id(3), c.reveal_body(id(3), true)), "late");
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "ok");
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "too_few_votes");
  EXPECT_EQ(c.send_as(id(1), Decide{c.round().id}), "wrong_state");
}

TEST(Votes, against_by_more_than_a_third_roll_back_and_the_base_stays) {
  Consortium c;
  c.run_to_opened();
  c.vote(1);  // one of four is not ⌊4/3⌋ + 1
  EXPECT_EQ(c.state(), "accepted");
  c.post_models(digest_of("model 1"));
  c.run_to_opened();
  c.vote(2);
  EXPECT_EQ(c.state(), "rolled_back");
  EXPECT_EQ(c.round().reason, "rolled_back");
  EXPECT_TRUE(c.round().rewards.empty());
  EXPECT_EQ(c.send_as(id(1), ModelDigest{c.round().id, digest_of("x")}), "wrong_state");
  EXPECT_EQ(c.open_body().base, digest_of("model 1"));
  c.run_to_opened();
}

TEST(ModelDigest, is_fixed_by_more_than_two_thirds_and_shows_who_differs) {
  Consortium c;
  c.run_to_opened();
  EXPECT_EQ(c.send_as(id(1), ModelDigest{c.round().id, digest_of("m")}), "wrong_state");
  c.vote();
  EXPECT_EQ(c.send_as(id(1), ModelDigest{c.round().id, digest_of("m")}), "ok");
  EXPECT_EQ(c.send_as(id(1), ModelDigest{c.round().id, digest_of("m")}), "duplicate");
  EXPECT_EQ(c.send_as(id(1), ModelDigest{c.round().id, digest_of("n")}), "equivocation");
  EXPECT_EQ(c.send_as(id(2), ModelDigest{c.round().id, digest_of("other")}), "ok");
  EXPECT_EQ(c.send_as(id(3), ModelDigest{c.round().id, digest_of("m")}), "ok");
  EXPECT_TRUE(c.ledger.models().empty());
  EXPECT_TRUE(c.round().different_model.empty());
  EXPECT_EQ(c.send_as(id(4), ModelDigest{c.round().id, digest_of("m")}), "ok");
  ASSERT_EQ(c.ledger.models().size(), 1U);
  EXPECT_EQ(c.ledger.models()[0].model, digest_of("m"));
  EXPECT_EQ(c.round().different_model, std::vector<HospitalId>{id(2)});
  EXPECT_EQ(c.round().reason, "different_model");
  EXPECT_EQ(c.round().models.at(id(2)), digest_of("other"));
}

TEST(ModelDigest, of_half_the_hospitals_is_not_enough) {
  Consortium c({6, short_policy()});
  c.run_to_opened();
  c.vote();
  for (const int h : {1, 2, 3, 4})
    ASSERT_EQ(c.send_as(id(h), ModelDigest{c.round().id, digest_of("m")}), "ok");
  EXPECT_TRUE(c.ledger.models().empty());  // four of six are not more than two thirds
  ASSERT_EQ(c.send_as(id(5), ModelDigest{c.round().id, digest_of("m")}), "ok");
  EXPECT_EQ(c.ledger.models().size(), 1U);
}

TEST(ModelDigest, that_comes_late_and_differs_shows_too) {
  Consortium c;
  c.run_to_opened();
  c.vote();
  for (const int h : {1, 2, 3})
    ASSERT_EQ(c.send_as(id(h), ModelDigest{c.round().id, digest_of("m")}), "ok");
  EXPECT_EQ(c.ledger.models().size(), 1U);
  c.block();
  ASSERT_EQ(c.send_as(id(4), ModelDigest{c.round().id, digest_of("other")}), "ok");
  EXPECT_EQ(c.ledger.models().size(), 1U);
  EXPECT_EQ(c.round().different_model, std::vector<HospitalId>{id(4)});
}

TEST(Credits, add_up_to_the_pools_and_follow_the_roots_of_claims) {
  Consortium c;
  c.open();
  ASSERT_EQ(c.send_as(id(1), c.manifest(id(1), 64)), "ok");
  ASSERT_EQ(c.send_as(id(2), c.manifest(id(2), 256)), "ok");
  ASSERT_EQ(c.send_as(id(3), c.manifest(id(3), 1024)), "ok");
  ASSERT_EQ(c.send_as(id(4), c.manifest(id(4), 0)), "ok");
  c.block();
  c.attest({id(1), id(2), id(3)}, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote();
  const RoundRecord& round = c.round();
  // 700 for data, weights 8 : 16 : 32 : 0.
  EXPECT_EQ(round.rewards_data.at(id(1)), 100U);
  EXPECT_EQ(round.rewards_data.at(id(2)), 200U);
  EXPECT_EQ(round.rewards_data.at(id(3)), 400U);
  EXPECT_EQ(round.rewards_data.at(id(4)), 0U);
  // 200 in three equal parts, the two left over to the lowest ids.
  EXPECT_EQ(round.rewards_verify.at(id(1)), 67U);
  EXPECT_EQ(round.rewards_verify.at(id(2)), 67U);
  EXPECT_EQ(round.rewards_verify.at(id(3)), 66U);
  EXPECT_FALSE(round.rewards_verify.contains(id(4)));
  EXPECT_EQ(round.rewards_pack.at(round.packer), 100U);
  EXPECT_EQ(total(round.rewards), 1000U);
  c.post_models(digest_of("model 1"));
  c.run_round();
  std::uint64_t credits = 0;
  for (const auto& [member, record] : c.ledger.members()) credits += record.credits;
  EXPECT_EQ(credits, 2000U);
  // Nobody claimed in the second round: all alike.
  for (const auto& [member, reward] : c.round().rewards_data) EXPECT_EQ(reward, 175U);
}

TEST(Credits, of_a_central_server_are_for_verification_and_packing) {
  Consortium c({4, short_policy(Topology::central)});
  c.run_round(64);
  EXPECT_EQ(c.ledger.members().at(id(2)).credits_verify, 200U);
  EXPECT_EQ(c.ledger.members().at(id(2)).credits_pack, 100U);
  EXPECT_EQ(c.ledger.members().at(id(2)).credits_data, 0U);
  EXPECT_EQ(c.ledger.members().at(id(1)).credits_data, 175U);
}

TEST(Credits, split_always_gives_the_whole_pool_and_nobody_more_than_one_above_its_share) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SeededRandom random(seed, "split");
    std::map<HospitalId, std::uint64_t> weights;
    std::uint64_t all = 0;
    for (std::uint64_t i = 0; i <= random.below(64); ++i) {
      const std::uint64_t weight = random.below(4) == 0 ? 0 : random.below(16'384);
      weights[id(static_cast<int>(i) + 1)] = weight;
      all += weight;
    }
    if (all == 0) continue;
    const std::uint64_t pool = random.below(1'000'000);
    const auto parts = split(pool, weights);
    ASSERT_EQ(total(parts), pool) << "seed " << seed;
    for (const auto& [member, part] : parts) {
      const std::uint64_t whole = pool * weights[member] / all;
      ASSERT_TRUE(part == whole || part == whole + 1) << "seed " << seed;
      if (weights[member] == 0) {
        ASSERT_EQ(part, 0U) << "seed " << seed;
      }
    }
  }
}

TEST(Credits, integer_root_is_the_floor_of_the_root) {
  for (std::uint64_t root = 0; root < 3000; ++root) {
    EXPECT_EQ(integer_root(root * root), root);
    if (root > 1) {
      EXPECT_EQ(integer_root(root * root - 1), root - 1);
    }
  }
  EXPECT_EQ(integer_root(0xffff'ffff'ffff'ffffU), 0xffff'ffffU);
}

TEST(PackerRanks, name_every_miner_once_and_lean_to_those_who_contributed) {
  Consortium c;
  std::map<HospitalId, int> first;
  for (int i = 0; i < 24; ++i) {
    c.open();
    auto ranks = c.ledger.packer_ranks(c.round());
    ++first[ranks.front()];
    std::sort(ranks.begin(), ranks.end());
    ASSERT_EQ(ranks, c.miners);
    // Hospital 4 claims much, the others nothing: its score is capped at 1001 against 1.
    for (const HospitalId h : c.hospitals)
      ASSERT_EQ(c.send_as(h, c.manifest(h, h == id(4) ? 4096 : 0)), "ok");
    c.block();
    c.attest(c.miners, c.hospitals);
    c.freeze();
    c.ready(c.miners);
    c.open_sum(c.miners);
    c.vote();
    c.post_models(digest_of("model " + std::to_string(i)));
  }
  EXPECT_GE(first[id(4)], 20);
}

}  // namespace
}  // namespace consilium::ledger::test
