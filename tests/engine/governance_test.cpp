// What governs the consortium, under both drivers: the same states at every height, and every bad
// word of it refused at the mempool and again in a block, by the same name.

#include "consilium/ledger/engine_vote.hpp"

#include "chain.hpp"

namespace consilium::engine::test {
namespace {

using ledger::test::digest_of;
using ledger::test::Identity;

auto vote(const Consortium& c, std::uint8_t block) -> ledger::EngineVote {
  ledger::EngineVote out;
  out.kind = ledger::EngineVote::Kind::precommit;
  out.height = 12;
  out.block.emplace();
  out.block->hash.bytes.fill(block);
  out.block->parts = 1;
  out.seconds = 1'700'000'000;
  out.chain = ledger::chain_name(c.ledger.genesis());
  return out;
}

auto evidence(const Identity& signer, const ledger::EngineVote& a, const ledger::EngineVote& b)
    -> ledger::Evidence {
  ledger::Evidence out;
  out.validator = signer.info.key;
  out.votes[0].sign_bytes = a.encode();
  out.votes[1].sign_bytes = b.encode();
  for (auto& cast : out.votes) cast.signature = signer.key.sign(cast.sign_bytes);
  return out;
}

auto rotated(const Consortium& c, HospitalId who, ledger::KeyUse use, const Identity& fresh)
    -> std::pair<sealing::VerifyKey, sealing::Signature> {
  const Digest message = ledger::new_key_digest(c.ledger.consortium(), who, use, fresh.info.key);
  return {fresh.info.key, fresh.key.sign(message.view())};
}

/// Keys, evidence, a release, a removal, another policy and an upgrade, one after the other.
void govern(Consortium& c) {
  Identity fresh("fresh");
  const Identity validator("fresh validator");
  const Identity caught("the validator of hospital-2");
  const auto identity = rotated(c, id(2), ledger::KeyUse::identity, fresh);
  ASSERT_EQ(c.send_as(id(2), ledger::RotateKey{identity.first, identity.second}), "ok");
  std::swap(c.identity(id(2)).key, fresh.key);
  const auto seat = rotated(c, id(2), ledger::KeyUse::validator, validator);
  ASSERT_EQ(c.send_as(id(2), ledger::RotateValidatorKey{seat.first, seat.second}), "ok");
  c.block();
  ASSERT_EQ(c.send_as(id(1), evidence(caught, vote(c, 1), vote(c, 2))), "ok");
  c.block();
  c.run_round(64);
  ASSERT_EQ(c.send_as(id(1), ledger::Propose{ledger::ProposeRelease{id(3)}}), "ok");
  c.vote_until_decided({id(2), id(4)});
  c.block();
  ledger::Policy policy = c.ledger.policy();
  policy.retention_heights = 40;
  ASSERT_EQ(c.send_as(id(4), ledger::Propose{ledger::ProposePolicy{policy}}), "ok");
  c.vote_until_decided({id(1), id(2)});  // the removal stays open
  c.block();
  c.open();
  c.submit(c.hospitals);
  ASSERT_EQ(c.send_as(id(1), ledger::Challenge{c.round().id, id(4), 0}), "ok");
  c.pass_deadline();
  c.block(30);
  ASSERT_EQ(c.send_as(id(1), ledger::Abort{c.round().id}), "ok");
  ASSERT_EQ(c.send_as(id(2), ledger::Tombstone{c.round().id}), "ok");
  c.block();
  const Height later{c.ledger.height().value + 9};
  ASSERT_EQ(c.send_as(id(1), ledger::Propose{ledger::ProposeUpgrade{2, later}}), "ok");
  c.vote_until_decided({id(2), id(4)});
  c.block();
}

TEST(BothDrivers, are_governed_to_the_same_states_at_every_height) {
  Consortium c({4, short_policy(), true});
  govern(c);
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  ledger::Ledger follower(c.ledger.genesis());
  for (std::size_t i = 0; i < c.blocks.size(); ++i) {
    auto carried = c.blocks[i].transactions;
    if (carried.empty()) carried.push_back(encode_tick(c.blocks[i].height));
    const auto done = chain.block(carried);
    for (const auto& verdict : done.verdicts) ASSERT_EQ(code(verdict), "ok") << "block " << i + 1;
    const auto blocks = must(chain.application->blocks_after(follower.height(), 10));
    ASSERT_EQ(blocks.size(), 1U);
    must(follower.apply_block(blocks.front()));
    ASSERT_EQ(follower.digest(), c.digests[i]) << "block " << i + 1;
    if (i % 5 == 0) chain.restart();
  }
  EXPECT_EQ(follower.former_keys().size(), 2U);
  EXPECT_EQ(follower.offences().size(), 1U);
  EXPECT_TRUE(follower.pending_upgrade().has_value());
}

TEST(Application, tells_once_of_committed_blocks_that_report_double_signing) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  auto& app = *chain.application;
  (void)must(app.finalize_block({1, c.blocks[0].transactions, {}, true}));
  EXPECT_TRUE(app.take_reported().empty());
  must(app.commit());
  (void)chain.block(c.blocks[1].transactions);
  EXPECT_EQ(app.take_reported(), (std::vector<std::uint64_t>{1}));
  EXPECT_TRUE(app.take_reported().empty());
}

TEST(Application, refuses_bad_governance_at_the_mempool_and_again_in_a_block) {
  Consortium c({4, short_policy(), true});
  Identity fresh("fresh");
  const Identity caught("the validator of hospital-2");
  const auto identity = rotated(c, id(2), ledger::KeyUse::identity, fresh);
  const auto other = rotated(c, id(3), ledger::KeyUse::identity, fresh);
  c.open();
  c.submit(c.hospitals);
  ASSERT_EQ(c.send_as(id(1), ledger::Challenge{c.round().id, id(3), 0}), "ok");
  c.block();
  const RoundId round = c.round().id;
  ledger::Evidence forged = evidence(caught, vote(c, 1), vote(c, 2));
  forged.votes[1].signature.bytes[9] ^= 1U;
  ledger::Evidence garbled = evidence(caught, vote(c, 1), vote(c, 2));
  garbled.votes[0].sign_bytes.front() ^= 1U;
  ledger::EngineVote elsewhere = vote(c, 2);
  elsewhere.chain = "another-chain";
  ledger::EngineVote later = vote(c, 2);
  later.round = 1;
  const Identity stranger("nobody's");
  auto in_order = [](ledger::Evidence e) {
    if (e.votes[1].sign_bytes < e.votes[0].sign_bytes) std::swap(e.votes[0], e.votes[1]);
    return e;
  };
  ledger::Evidence twisted = evidence(caught, vote(c, 1), vote(c, 2));
  std::swap(twisted.votes[0], twisted.votes[1]);
  struct Bad {
    std::string expected;
    ledger::Body body;
  };
  const std::vector<Bad> inputs{
      {"key_reuse", ledger::RotateKey{c.identity(id(4)).info.key, identity.second}},
      {"bad_possession", ledger::RotateKey{other.first, other.second}},
      {"bad_possession", ledger::RotateValidatorKey{identity.first, identity.second}},
      {"bad_upgrade", ledger::Propose{ledger::ProposeUpgrade{3, Height{99}}}},
      {"bad_upgrade", ledger::Propose{ledger::ProposeUpgrade{2, Height{1}}}},
      {"not_withheld", ledger::Propose{ledger::ProposeRelease{id(3)}}},
      {"not_withheld", ledger::Propose{ledger::ProposeRelease{id(77)}}},
      {"unknown_member", ledger::Propose{ledger::ProposeRemove{id(77)}}},
      {"unknown_proposal", ledger::Vote{77, true}},
      {"bad_signature", in_order(forged)},
      {"bad_vote", in_order(garbled)},
      {"bad_encoding", twisted},
      {"wrong_chain", in_order(evidence(caught, vote(c, 1), elsewhere))},
      {"no_conflict", in_order(evidence(caught, vote(c, 1), later))},
      {"unknown_validator", in_order(evidence(stranger, vote(c, 1), vote(c, 2)))},
      {"unknown_round", ledger::Challenge{RoundId{9}, id(3), 0}},
      {"unknown_manifest", ledger::Challenge{round, id(9), 0}},
      {"no_such_leaf", ledger::Challenge{round, id(3), 1'000'000}},
      {"unknown_challenge", ledger::Respond{round, id(4), 0, {1}, {}}},
      {"blob_mismatch", ledger::Respond{round, id(3), 0, {1}, {}}},
      {"bad_encoding", ledger::Respond{round, id(3), 0, Bytes(blob_leaf_bytes + 1), {}}},
      {"transaction_too_large", ledger::Respond{round, id(3), 0, Bytes(70'000), {}}},
      {"wrong_state", ledger::Tombstone{round}},
      {"unknown_round", ledger::Tombstone{RoundId{9}}},
  };
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  for (const auto& made : c.blocks) {
    auto carried = made.transactions;
    if (carried.empty()) carried.push_back(encode_tick(made.height));
    (void)chain.block(carried);
  }
  ASSERT_EQ(chain.application->progress().ledger_height, c.ledger.height());
  for (const auto& [expected, body] : inputs) {
    SCOPED_TRACE(expected + " of " + std::string(name_of(body)));
    const auto transaction = c.make(id(2), body);
    const Bytes bytes = transaction.encode();
    const auto before = chain.application->info();
    const Height height = chain.application->progress().ledger_height;
    EXPECT_EQ(code(chain.application->check(bytes, false)), expected);
    EXPECT_TRUE(chain.application->prepare_proposal({bytes}, 1U << 20U).empty());
    EXPECT_FALSE(chain.application->process_proposal({before.height + 1, {bytes}, {}}));
    EXPECT_EQ(code(chain.block({bytes}).verdicts.front()), expected);
    EXPECT_EQ(chain.application->progress().ledger_height, height);
    // And under solo, the same name.
    EXPECT_EQ(code(c.ledger.check(transaction)), expected);
  }
}

}  // namespace
}  // namespace consilium::engine::test
