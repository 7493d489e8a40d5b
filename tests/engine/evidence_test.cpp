// What the engine reports of double signing becomes evidence that the ledger takes.

#include "consilium/engine/evidence.hpp"

#include "consilium/ledger/engine_vote.hpp"

#include "chain.hpp"

namespace consilium::engine::test {
namespace {

// Written by CometBFT 0.39.4 (its types, its Ed25519 and its JSON),
// tests/vectors/make_vote_vectors.go.
constexpr std::string_view with_and_without_a_block =
    R"({"block":{"evidence":{"evidence":[{"type":"tendermint/DuplicateVoteEvidence","value":{"vote_a":{"type":2,"height":"123456","round":2,"block_id":{"hash":"","parts":{"total":0,"hash":""}},"timestamp":"2026-11-25T13:00:01.000456789Z","validator_address":"DD6393E7126F7E9DE24263673B0541BBF65DFDAB","validator_index":2,"signature":"bJN8ForHc1LBYnX8h4tYKAjalg6kLH7EE4J4ZjClsCeZbEkAgSWQ18d7Sk26nkcPh8FiDpbga6J7pdY0rkXsAQ==","extension":null,"extension_signature":null},"vote_b":{"type":2,"height":"123456","round":2,"block_id":{"hash":"2222222222222222222222222222222222222222222222222222222222222222","parts":{"total":3,"hash":"2323232323232323232323232323232323232323232323232323232323232323"}},"timestamp":"2026-11-25T13:00:00.123456789Z","validator_address":"DD6393E7126F7E9DE24263673B0541BBF65DFDAB","validator_index":2,"signature":"qqr9yCJn5BTgdlE3Lr8MvI4ffAB3lEhJ6QxDFu91m/8ctjqrvRWO7pBaGyRKMyyr5PiXTgHWYa9kEQA/0X6uCA==","extension":null,"extension_signature":null},"TotalVotingPower":"100","ValidatorPower":"100","Timestamp":"2026-11-25T13:00:00.123456789Z"}}]}}})";
constexpr std::string_view of_two_blocks =
    R"({"block":{"evidence":{"evidence":[{"type":"tendermint/DuplicateVoteEvidence","value":{"vote_a":{"type":2,"height":"123456","round":0,"block_id":{"hash":"2222222222222222222222222222222222222222222222222222222222222222","parts":{"total":3,"hash":"2323232323232323232323232323232323232323232323232323232323232323"}},"timestamp":"2026-11-25T13:00:00.123456789Z","validator_address":"DD6393E7126F7E9DE24263673B0541BBF65DFDAB","validator_index":2,"signature":"F6qNrzHpnUZgxv6IjSQ4plbYvxLOzh2peOAkg0gH+5D825vd+8FVNJvf+y7NHugB0Kx2Q04QRgrXXAGlVDbxDw==","extension":null,"extension_signature":null},"vote_b":{"type":2,"height":"123456","round":0,"block_id":{"hash":"2424242424242424242424242424242424242424242424242424242424242424","parts":{"total":3,"hash":"2525252525252525252525252525252525252525252525252525252525252525"}},"timestamp":"2026-11-25T13:00:00Z","validator_address":"DD6393E7126F7E9DE24263673B0541BBF65DFDAB","validator_index":2,"signature":"D51AHSKSLKH9L8QSMJLVi8QhoGQq8Sq9KLkW5zctYeryNLe7WWtKZANrL717fmmeEEBumQfFLgYzdrfCQleKCQ==","extension":null,"extension_signature":null},"TotalVotingPower":"100","ValidatorPower":"100","Timestamp":"2026-11-25T13:00:00.123456789Z"}}]}}})";
constexpr std::string_view chain = "test-four-0123456789ab";

auto culprit() -> sealing::VerifyKey {
  sealing::VerifyKey key;
  const auto bytes = from_hex("ccd7f871268f721d64008da7843df502cb016193e74a5539a15d599ad23e46d2");
  EXPECT_TRUE(bytes);
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  return key;
}

TEST(EnginesEvidence, is_read_from_its_block_with_signatures_that_hold) {
  const std::vector<sealing::VerifyKey> keys{{}, culprit()};
  for (const auto block : {with_and_without_a_block, of_two_blocks}) {
    const auto found = must(evidence_in_block(block, chain, keys));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().validator, culprit());
    EXPECT_LT(found.front().votes[0].sign_bytes, found.front().votes[1].sign_bytes);
    for (const auto& vote : found.front().votes) {
      EXPECT_EQ(must(ledger::EngineVote::decode(vote.sign_bytes)).height, 123456U);
      // The engine signed exactly these bytes: its time included.
      must(sealing::verify(culprit(), vote.sign_bytes, vote.signature));
    }
  }
}

TEST(EnginesEvidence, of_strangers_or_other_shapes_is_left_out) {
  const std::vector<sealing::VerifyKey> keys{culprit()};
  EXPECT_TRUE(must(evidence_in_block(of_two_blocks, chain, {})).empty());
  EXPECT_TRUE(
      must(evidence_in_block(R"({"block":{"evidence":{"evidence":[]}}})", chain, keys)).empty());
  EXPECT_TRUE(
      must(evidence_in_block(R"({"block":{"evidence":{"evidence":null}}})", chain, keys)).empty());
  EXPECT_TRUE(
      must(
          evidence_in_block(
              R"({"block":{"evidence":{"evidence":[7,{"type":"tendermint/LightClientAttackEvidence"}]}}})",
              chain, keys))
          .empty());
  for (const std::string_view bad :
       {"", "null", "[]", "{}", R"({"block":{}})", R"({"block":{"evidence":{"evidence":7}}})"})
    EXPECT_EQ(code(evidence_in_block(bad, chain, keys)), "engine_answer") << bad;
  // Every place of a good answer spoiled once: left out or refused, never a crash.
  for (std::size_t at = 0; at < of_two_blocks.size(); ++at) {
    std::string spoiled(of_two_blocks);
    spoiled[at] = spoiled[at] == 'x' ? 'y' : 'x';
    const auto found = evidence_in_block(spoiled, chain, keys);
    if (!found) continue;
    for (const auto& one : *found) {
      for (const auto& vote : one.votes) EXPECT_TRUE(ledger::EngineVote::decode(vote.sign_bytes));
    }
  }
}

TEST(EnginesEvidence, is_looked_for_under_present_and_former_keys) {
  Consortium c({4, short_policy(), true});
  EXPECT_EQ(validator_keys(c.ledger).size(), 4U);
  const ledger::test::Identity fresh("fresh");
  const Digest message = ledger::new_key_digest(c.ledger.consortium(), id(2),
                                                ledger::KeyUse::validator, fresh.info.key);
  ASSERT_EQ(
      c.send_as(id(2), ledger::RotateValidatorKey{fresh.info.key, fresh.key.sign(message.view())}),
      "ok");
  EXPECT_EQ(validator_keys(c.ledger).size(), 5U);
}

}  // namespace
}  // namespace consilium::engine::test
