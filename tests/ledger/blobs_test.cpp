// Bodies that are challenged leaf by leaf, and blobs that no node need keep any more.

#include "consilium/foundation/blob_name.hpp"
#include "consilium/sealing/sealed_sum.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto policy_with(std::uint32_t challenge, std::uint32_t retention) -> Policy {
  Policy policy = short_policy();
  policy.challenge_heights = challenge;
  policy.retention_heights = retention;
  return policy;
}

/// A round whose bodies are real bytes of the right size, so that their leaves can be shown.
class Blobs : public ::testing::Test {
 protected:
  static constexpr std::uint64_t length = 20'000;  ///< a body of several leaves

  explicit Blobs(const Policy& policy = policy_with(4, 0)) : c({4, policy}) {}

  void open() {
    OpenRound open = c.open_body();
    open.length = length;
    ASSERT_EQ(c.send_as(id(1), open), "ok");
    c.block();
  }
  auto body(HospitalId who) -> Bytes {
    const auto size = sealing::body_bytes(c.ledger.parameters_of(c.round()));
    EXPECT_TRUE(size);
    Bytes out(size ? *size : 0);
    SeededRandom(who.value, "body of round " + std::to_string(c.round().id.value)).fill(out);
    return out;
  }
  void submit(const std::vector<HospitalId>& who) {
    for (const HospitalId hospital : who) {
      SubmitManifest submit = c.manifest(hospital, 64);
      submit.manifest.body_blob = blob_name(body(hospital));
      submit.manifest.lists = digest_of("lists " + std::to_string(hospital.value) + " of " +
                                        std::to_string(c.round().id.value));
      ASSERT_EQ(c.send_as(hospital, submit), "ok");
    }
    c.block();
  }
  auto shown(HospitalId who, std::uint64_t leaf) -> Respond {
    const Bytes bytes = body(who);
    const auto begin = static_cast<std::ptrdiff_t>(leaf * blob_leaf_bytes);
    const auto end = std::min(begin + static_cast<std::ptrdiff_t>(blob_leaf_bytes),
                              static_cast<std::ptrdiff_t>(bytes.size()));
    return {c.round().id, who, leaf, Bytes(bytes.begin() + begin, bytes.begin() + end),
            blob_leaf_path(bytes, leaf)};
  }
  auto challenge(HospitalId who, std::uint64_t leaf = 1) -> Challenge {
    return {c.round().id, who, leaf};
  }
  auto leaves() -> std::uint64_t { return blob_leaf_count(body(id(1)).size()); }
  void to_judging() {
    c.attest(c.miners, c.hospitals);
    c.freeze();
    c.ready(c.miners);
    c.open_sum(c.miners);
  }

  Consortium c;
};

TEST_F(Blobs, a_challenged_leaf_is_shown_by_anybody_and_nothing_follows) {
  open();
  submit(c.hospitals);
  ASSERT_GE(leaves(), 3U);
  for (std::uint64_t leaf = 0; leaf < leaves(); leaf += leaves() - 1) {
    const HospitalId miner = id(leaf == 0 ? 1 : 2);
    ASSERT_EQ(c.send_as(miner, challenge(id(3), leaf)), "ok");
    ASSERT_EQ(c.send_as(id(leaf == 0 ? 3 : 4), shown(id(3), leaf)), "ok");
    EXPECT_TRUE(c.round().challenges.at({id(3), miner}).answered);
  }
  c.block(8);
  EXPECT_TRUE(c.round().not_shown.empty());
  EXPECT_TRUE(c.round().excluded.empty());
}

TEST_F(Blobs, a_leaf_that_nobody_shows_costs_its_hospital_the_round) {
  open();
  submit(c.hospitals);
  c.attest(c.miners, {id(1), id(2), id(4)});
  ASSERT_EQ(c.send_as(id(1), challenge(id(3))), "ok");
  const Height deadline = c.round().challenges.at({id(3), id(1)}).deadline;
  while (c.ledger.height() < deadline) c.block();
  EXPECT_EQ(c.round().not_shown, (std::vector<HospitalId>{id(3)}));
  EXPECT_EQ(c.round().excluded, (std::vector<HospitalId>{id(3)}));
  EXPECT_EQ(c.send_as(id(3), shown(id(3), 1)), "unknown_challenge");  // late
  c.freeze();
  EXPECT_EQ(c.round().set.size(), 3U);
}

TEST_F(Blobs, without_challenges_a_body_that_nobody_can_fetch_keeps_its_claim) {
  // Attack: t miners attest for a friend what they never gave to the others. Nobody is asked to
  // show anything, and the claim is paid …
  open();
  submit(c.hospitals);
  to_judging();
  c.vote();
  EXPECT_GT(c.round().rewards_data.at(id(3)), 0U);
  c.post_models(digest_of("model 1"));
  // … and with the challenge of one miner who has not got it, it is not.
  Blobs::open();
  submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  ASSERT_EQ(c.send_as(id(1), challenge(id(3))), "ok");
  c.ready(c.miners);
  c.open_sum(c.miners);
  for (const HospitalId voter : c.hospitals)
    ASSERT_EQ(c.send_as(voter, c.commit_body(voter, true)), "ok");
  for (const HospitalId voter : c.hospitals)
    ASSERT_EQ(c.send_as(voter, c.reveal_body(voter, true)), "ok");
  while (has_open_challenge(c.round())) {
    ASSERT_EQ(c.send_as(id(2), Decide{c.round().id}), "too_early");
    c.block();
  }
  ASSERT_EQ(c.send_as(id(2), Decide{c.round().id}), "ok");
  c.block();
  EXPECT_EQ(c.state(), "accepted");
  EXPECT_EQ(c.round().rewards_data.at(id(3)), 0U);
  EXPECT_GT(c.round().rewards_data.at(id(1)), 0U);
  std::uint64_t paid = 0;
  for (const auto& [member, reward] : c.round().rewards) paid += reward;
  EXPECT_EQ(paid, c.round().policy.round_pool);
}

TEST_F(Blobs, are_challenged_by_miners_once_each_and_before_the_opening) {
  open();
  EXPECT_EQ(c.send_as(id(1), Challenge{RoundId{9}, id(3), 0}), "unknown_round");
  EXPECT_EQ(c.send_as(id(1), challenge(id(3))), "unknown_manifest");
  submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(1), challenge(id(9))), "unknown_manifest");
  EXPECT_EQ(c.send_as(id(1), challenge(id(3), leaves())), "no_such_leaf");
  EXPECT_EQ(c.send_as(id(1), challenge(id(3), ~std::uint64_t{0})), "no_such_leaf");
  EXPECT_EQ(c.send_as(id(1), challenge(id(3), leaves() - 1)), "ok");
  EXPECT_EQ(c.send_as(id(1), challenge(id(3), 0)), "duplicate");
  ASSERT_EQ(c.send_as(id(3), shown(id(3), leaves() - 1)), "ok");
  EXPECT_EQ(c.send_as(id(1), challenge(id(3), 0)), "duplicate");
  to_judging();
  EXPECT_EQ(c.send_as(id(2), challenge(id(3))), "wrong_state");
}

TEST_F(Blobs, are_shown_by_exactly_the_bytes_that_were_promised) {
  open();
  submit(c.hospitals);
  ASSERT_EQ(c.send_as(id(1), challenge(id(3), 1)), "ok");
  const Respond good = shown(id(3), 1);
  const auto refused = [&](auto change) {
    Respond respond = good;
    change(respond);
    return c.send_as(id(3), respond);
  };
  EXPECT_EQ(refused([](Respond& r) { r.bytes[77] ^= 1U; }), "blob_mismatch");
  EXPECT_EQ(refused([](Respond& r) { r.bytes.pop_back(); }), "blob_mismatch");
  EXPECT_EQ(refused([](Respond& r) { r.bytes.clear(); }), "blob_mismatch");
  EXPECT_EQ(refused([](Respond& r) { r.path.pop_back(); }), "blob_mismatch");
  EXPECT_EQ(refused([](Respond& r) { r.path.push_back({}); }), "blob_mismatch");
  EXPECT_EQ(refused([](Respond& r) { r.path[0].bytes[3] ^= 1U; }), "blob_mismatch");
  EXPECT_EQ(refused([](Respond& r) { r.leaf = 0; }), "unknown_challenge");
  EXPECT_EQ(refused([](Respond& r) { r.hospital = id(2); }), "unknown_challenge");
  EXPECT_EQ(refused([](Respond& r) { r.round = RoundId{9}; }), "unknown_round");
  EXPECT_EQ(refused([](Respond& r) { r.bytes = Bytes(blob_leaf_bytes + 1); }), "bad_encoding");
  EXPECT_EQ(refused([](Respond& r) { r.path.resize(blob_path_max + 1); }), "bad_encoding");
  Respond elsewhere = shown(id(3), 0);
  elsewhere.leaf = 1;
  EXPECT_EQ(c.send_as(id(3), elsewhere), "blob_mismatch");
  EXPECT_EQ(c.send_as(id(3), good), "ok");
  EXPECT_EQ(c.send_as(id(3), good), "unknown_challenge");
}

class NoChallenges : public Blobs {
 protected:
  NoChallenges() : Blobs(policy_with(0, 0)) {}
};

TEST_F(NoChallenges, where_the_policy_has_none) {
  open();
  submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(1), challenge(id(3))), "not_permitted");
}

class Retention : public Blobs {
 protected:
  Retention() : Blobs(policy_with(4, 30)) {}
  void accepted_round() {
    open();
    submit(c.hospitals);
    to_judging();
    c.vote();
    c.post_models(digest_of("model " + std::to_string(c.round().id.value)));
  }
  auto has(const Digest& name) const -> bool {
    const auto released = c.ledger.released_blobs();
    return std::binary_search(released.begin(), released.end(), name);
  }
};

TEST_F(Retention, releases_a_rounds_blobs_at_its_height_and_not_before) {
  accepted_round();
  const RoundRecord round = c.round();
  const Height at{round.closed_at.value + 30};
  while (c.ledger.height().value + 1 < at.value) c.block();
  EXPECT_TRUE(c.ledger.released_blobs().empty());
  c.block();
  EXPECT_EQ(c.ledger.height(), at);
  for (const auto& [hospital, submission] : round.manifests) {
    EXPECT_TRUE(has(submission.manifest.body_blob));
    EXPECT_TRUE(has(submission.manifest.lists));
  }
  for (const auto& [miner, sum] : round.share_sums) EXPECT_TRUE(has(sum));
  EXPECT_FALSE(has(c.ledger.models().back().model));
}

TEST_F(Retention, keeps_what_a_later_round_names_too) {
  accepted_round();
  const Digest shared = c.round().share_sums.at(id(1));
  const Digest own = c.round().manifests.at(id(1)).manifest.body_blob;
  c.block(20);
  accepted_round();  // the same share sums, other bodies
  ASSERT_EQ(c.round().share_sums.at(id(1)), shared);
  c.block(12);
  EXPECT_TRUE(has(own));
  EXPECT_FALSE(has(shared));
  c.block(30);
  EXPECT_TRUE(has(shared));
}

TEST_F(Blobs, are_kept_for_ever_where_the_policy_says_nothing) {
  open();
  submit(c.hospitals);
  to_judging();
  c.vote();
  c.block(2000);
  EXPECT_TRUE(c.ledger.released_blobs().empty());
}

TEST_F(Blobs, of_a_hospital_that_takes_them_back_are_released_at_once) {
  open();
  EXPECT_EQ(c.send_as(id(3), Tombstone{c.round().id}), "unknown_manifest");
  EXPECT_EQ(c.send_as(id(3), Tombstone{RoundId{9}}), "unknown_round");
  submit(c.hospitals);
  EXPECT_EQ(c.send_as(id(3), Tombstone{c.round().id}), "wrong_state");
  to_judging();
  EXPECT_EQ(c.send_as(id(3), Tombstone{c.round().id}), "wrong_state");
  c.vote();
  ASSERT_EQ(c.send_as(id(3), Tombstone{c.round().id}), "ok");
  EXPECT_EQ(c.send_as(id(3), Tombstone{c.round().id}), "duplicate");
  c.block();
  const auto& manifests = c.round().manifests;
  const auto released = c.ledger.released_blobs();
  EXPECT_EQ(released.size(), 2U);
  for (const auto& [hospital, submission] : manifests)
    EXPECT_EQ(std::binary_search(released.begin(), released.end(), submission.manifest.body_blob),
              hospital == id(3));
}

TEST_F(Blobs, challenges_are_replayed_and_taken_back_with_their_block) {
  open();
  submit(c.hospitals);
  const Digest before = c.ledger.digest();
  ASSERT_EQ(c.send_as(id(1), challenge(id(3))), "ok");
  ASSERT_EQ(c.send_as(id(3), shown(id(3), 1)), "ok");
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  ASSERT_EQ(c.send_as(id(1), challenge(id(3))), "ok");
  ASSERT_EQ(c.send_as(id(2), challenge(id(4))), "ok");
  ASSERT_EQ(c.send_as(id(3), shown(id(3), 1)), "ok");
  c.block(8);
  EXPECT_EQ(c.round().not_shown, (std::vector<HospitalId>{id(4)}));
  Ledger replayed(c.ledger.genesis());
  for (const Block& block : c.blocks) {
    const auto back = Block::decode(block.encode());
    ASSERT_TRUE(back);
    ASSERT_EQ(code(replayed.apply_block(*back)), "ok");
  }
  EXPECT_EQ(replayed.digest(), c.ledger.digest());
  c.expect_same_from_snapshot();
}

}  // namespace
}  // namespace consilium::ledger::test
