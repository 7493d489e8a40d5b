// A validator that signs two blocks at once: proven by its own two signatures, to everybody.

#include "consilium/foundation/bytes.hpp"
#include "consilium/ledger/engine_vote.hpp"
#include "consilium/ledger/statement.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

struct RealVote {
  EngineVote vote;
  std::string sign_bytes, signature;
};

auto filled(std::uint8_t byte) -> Digest {
  Digest out;
  out.bytes.fill(byte);
  return out;
}

constexpr std::string_view real_key =
    "ccd7f871268f721d64008da7843df502cb016193e74a5539a15d599ad23e46d2";

/// Made by CometBFT 0.39.4 itself: types.VoteSignBytes and its Ed25519, by
/// tests/vectors/make_vote_vectors.go.
auto real_votes() -> std::vector<RealVote> {
  using Kind = EngineVote::Kind;
  const std::string chain = "test-four-0123456789ab";
  constexpr std::uint64_t at = 1'795'611'600;
  constexpr std::uint32_t nanoseconds = 123'456'789;
  return {
      {{Kind::prevote, 7, 0, EngineBlockId{filled(0x11), 3, filled(0x12)}, at, nanoseconds, chain},
       "7a080111070000000000000022480a2011111111111111111111111111111111111111111111111111111111111"
       "1"
       "111112240803122012121212121212121212121212121212121212121212121212121212121212122a0b08d0b79"
       "b"
       "d80610959aef3a3216746573742d666f75722d303132333435363738396162",
       "bf5cc74ae234525926a74ae66d363d9b933bea620c20e596914651f1cf4e4f89f1b27f607913e39143064aee3b8"
       "9"
       "6cf870e1f8f838810c7f2a4fc248f16b8207"},
      {{Kind::precommit, 123456, 2, EngineBlockId{filled(0x22), 3, filled(0x23)}, at, nanoseconds,
        chain},
       "830108021140e201000000000019020000000000000022480a20222222222222222222222222222222222222222"
       "2"
       "222222222222222222222222122408031220232323232323232323232323232323232323232323232323232323"
       "23232323232a0b08d0b79bd80610959aef3a3216746573742d666f75722d303132333435363738396162",
       "aaaafdc82267e414e07651372ebf0cbc8e1f7c0077944849e90c4316ef759bff1cb63aabbd158eee905a1b244a3"
       "3"
       "2cabe4f8974e01d661af6411003fd17eae08"},
      {{Kind::precommit, 123456, 2, std::nullopt, at + 1, nanoseconds, chain},
       "3908021140e20100000000001902000000000000002a0b08d1b79bd80610959aef3a3216746573742d666f75722"
       "d"
       "303132333435363738396162",
       "91e0f13b3a8a041ee27239d07ae556b972c7edd81e420ab72247911d9ea74d8e2c0b3aab9f7de9ce15cef182584"
       "c"
       "84a6be1360f3ee74b02cc5436ac56dfac103"}};
}

template <std::size_t size>
auto bytes_of(std::string_view hex) -> std::array<std::uint8_t, size> {
  std::array<std::uint8_t, size> out{};
  const auto read = from_hex(hex);
  EXPECT_TRUE(read && read->size() == size);
  if (read && read->size() == size) std::copy(read->begin(), read->end(), out.begin());
  return out;
}

TEST(EngineVote, is_written_and_read_as_cometbft_writes_and_signs_it) {
  for (const RealVote& real : real_votes()) {
    const Bytes bytes = real.vote.encode();
    EXPECT_EQ(to_hex(bytes), real.sign_bytes);
    const auto back = EngineVote::decode(bytes);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, real.vote);
    const sealing::VerifyKey key{bytes_of<32>(real_key)};
    const sealing::Signature signature{bytes_of<64>(real.signature)};
    EXPECT_EQ(code(sealing::verify_as_engine(key, bytes, signature)), "ok");
  }
}

TEST(EngineVote, has_one_encoding_and_nothing_else_is_read) {
  for (const RealVote& real : real_votes()) {
    const Bytes good = real.vote.encode();
    for (std::size_t size = 0; size < good.size(); ++size)
      ASSERT_EQ(code(EngineVote::decode(BytesView(good).first(size))), "bad_vote") << size;
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_EQ(code(EngineVote::decode(longer)), "bad_vote");
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes flipped = good;
        flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1U << bit));
        const auto read = EngineVote::decode(flipped);
        if (read) {
          ASSERT_EQ(read->encode(), flipped) << at;
        }
      }
    }
  }
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    SeededRandom random(seed, "votes");
    Bytes bytes = real_votes()[random.below(3)].vote.encode();
    for (std::uint64_t i = 0; i <= random.below(5); ++i)
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.u32());
    const auto read = EngineVote::decode(bytes);
    if (read) {
      ASSERT_EQ(read->encode(), bytes) << "seed " << seed;
    }
  }
  EXPECT_EQ(code(EngineVote::decode(Bytes(engine_vote_bytes_max + 1))), "bad_vote");
}

TEST(EngineVote, is_neither_a_proposal_nor_out_of_range) {
  const EngineVote good = real_votes()[0].vote;
  const auto read = [&good](auto change) {
    EngineVote vote = good;
    change(vote);
    return code(EngineVote::decode(vote.encode()));
  };
  EXPECT_EQ(read([](EngineVote&) {}), "ok");
  EXPECT_EQ(read([](EngineVote& v) { v.kind = static_cast<EngineVote::Kind>(32); }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.height = 0; }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.height = std::uint64_t{1} << 63U; }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.round = 1U << 31U; }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.block->parts = 0; }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.nanoseconds = 1'000'000'000; }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.chain.clear(); }), "bad_vote");
  EXPECT_EQ(read([](EngineVote& v) { v.chain = std::string(51, 'x'); }), "bad_vote");
}

/// Four hospitals with validators, and whatever they sign.
class DoubleSigning : public ::testing::Test {
 protected:
  static auto validator(HospitalId who) -> Identity {
    const std::string name = who == id(1) ? "founder" : "hospital-" + std::to_string(who.value - 1);
    return Identity("the validator of " + name);
  }
  auto vote(std::uint8_t block = 1) const -> EngineVote {
    EngineVote out = real_votes()[1].vote;
    out.block = EngineBlockId{filled(block), 1, filled(block)};
    out.chain = chain_name(c.ledger.genesis());
    return out;
  }
  static auto evidence(const Identity& signer, const EngineVote& a, const EngineVote& b)
      -> Evidence {
    Evidence out;
    out.validator = signer.info.key;
    out.votes[0].sign_bytes = a.encode();
    out.votes[1].sign_bytes = b.encode();
    if (out.votes[1].sign_bytes < out.votes[0].sign_bytes) std::swap(out.votes[0], out.votes[1]);
    for (SignedVote& signed_vote : out.votes)
      signed_vote.signature = signer.key.sign(signed_vote.sign_bytes);
    return out;
  }
  auto evidence_at(HospitalId who, std::uint64_t height) const -> Evidence {
    EngineVote a = vote(1);
    EngineVote b = vote(2);
    a.height = b.height = height;
    return evidence(validator(who), a, b);
  }
  auto withheld(HospitalId who) const -> std::uint64_t {
    const auto found = c.ledger.offences().find(who);
    return found == c.ledger.offences().end() ? 0 : found->second.withheld();
  }

  Consortium c{Founding{4, short_policy(), true}};
};

TEST_F(DoubleSigning, withholds_rewards_and_opens_a_vote_on_the_removal) {
  c.run_round(64);
  const std::uint64_t before = c.ledger.members().at(id(3)).credits;
  ASSERT_GT(before, 0U);
  ASSERT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
  c.block();
  ASSERT_EQ(c.ledger.proposals().size(), 1U);
  const auto& [number, open] = *c.ledger.proposals().begin();
  EXPECT_EQ(std::get<ProposeRemove>(open.proposal.what).member, id(3));
  EXPECT_TRUE(open.votes.empty());
  // What it had stays; what rounds pay from now on does not reach it, and is lost to nobody.
  c.run_round(64);
  EXPECT_EQ(c.ledger.members().at(id(3)).credits, before);
  EXPECT_EQ(withheld(id(3)), c.round().rewards.at(id(3)));
  EXPECT_GT(withheld(id(3)), 0U);
  // The others vote; the culprit has no voice.
  EXPECT_EQ(c.send_as(id(3), Vote{number, false}), "not_permitted");
  for (const int voter : {1, 2, 4}) ASSERT_EQ(c.send_as(id(voter), Vote{number, true}), "ok");
  c.block();
  EXPECT_FALSE(c.ledger.members().at(id(3)).active);
  EXPECT_FALSE(c.ledger.validators().contains(id(3)));
  EXPECT_EQ(c.send_as(id(2), evidence_at(id(3), 10)), "unknown_member");
}

TEST_F(DoubleSigning, without_the_guard_is_paid_like_anybody_else) {
  // The same two rounds without evidence: the double signer earns in both.
  Consortium other{Founding{4, short_policy(), true}};
  other.run_round(64);
  const std::uint64_t before = other.ledger.members().at(id(3)).credits;
  other.run_round(64);
  EXPECT_GT(other.ledger.members().at(id(3)).credits, before);
}

TEST_F(DoubleSigning, is_forgiven_by_a_vote_which_pays_what_was_withheld) {
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeRelease{id(3)}}), "not_withheld");
  ASSERT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
  c.run_round(64);
  const std::uint64_t owed = withheld(id(3));
  ASSERT_GT(owed, 0U);
  ASSERT_EQ(c.send_as(id(3), Propose{ProposeRelease{id(3)}}), "ok");
  const std::uint64_t number = c.ledger.proposals().rbegin()->first;
  EXPECT_EQ(c.send_as(id(3), Vote{number, true}), "not_permitted");
  for (const int voter : {1, 2, 4}) ASSERT_EQ(c.send_as(id(voter), Vote{number, true}), "ok");
  c.block();
  EXPECT_EQ(withheld(id(3)), 0U);
  EXPECT_EQ(c.ledger.members().at(id(3)).credits, owed);
  c.run_round(64);
  EXPECT_EQ(withheld(id(3)), 0U);
  EXPECT_GT(c.ledger.members().at(id(3)).credits, owed);
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeRelease{id(3)}}), "not_withheld");
}

TEST_F(DoubleSigning, keeps_no_credits_fresh_that_decay_for_everybody_else) {
  Policy policy = short_policy();
  policy.credit_epoch_rounds = 1;
  policy.decay_percent = 50;
  ASSERT_EQ(c.send_as(id(1), Propose{ProposePolicy{policy}}), "ok");
  c.vote_until_decided({id(2), id(3), id(4)});
  c.block();
  ASSERT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
  c.run_round(64);
  const std::uint64_t reward = c.round().rewards.at(id(3));
  EXPECT_EQ(withheld(id(3)), reward - reward / 2);
  EXPECT_EQ(c.ledger.members().at(id(3)).credits_lost, reward / 2);
  const auto accounts = credit_statements(c.ledger);
  ASSERT_TRUE(accounts) << accounts.error().message();
  EXPECT_EQ(accounts->at(id(3)).withheld, withheld(id(3)));
}

TEST_F(DoubleSigning, is_judged_once_for_each_height) {
  ASSERT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
  EXPECT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "duplicate");
  EXPECT_EQ(c.send_as(id(4), evidence_at(id(3), 8)), "duplicate");  // withheld already
  c.block();
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeRelease{id(3)}}), "ok");
  c.vote_until_decided({id(2), id(4)});
  c.block();
  EXPECT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "duplicate");
  // The same height by other votes is the same lapse; another height, earlier or later, is not.
  EngineVote a = vote(3);
  EngineVote b = vote(4);
  a.height = b.height = 9;
  a.kind = b.kind = EngineVote::Kind::prevote;
  EXPECT_EQ(c.send_as(id(2), evidence(validator(id(3)), a, b)), "duplicate");
  EXPECT_EQ(c.send_as(id(2), evidence_at(id(3), 8)), "ok");
  EXPECT_EQ(c.ledger.offences().at(id(3)).engine_heights, (std::vector<std::uint64_t>{8, 9}));
  // One vote on the removal is enough.
  EXPECT_EQ(c.ledger.proposals().size(), 1U);
}

TEST_F(DoubleSigning, a_lapse_at_a_far_height_buys_no_freedom_for_nearer_ones) {
  ASSERT_EQ(c.send_as(id(3), evidence_at(id(3), (std::uint64_t{1} << 63U) - 1)), "ok");
  ASSERT_EQ(c.send_as(id(1), Propose{ProposeRelease{id(3)}}), "ok");
  c.vote_until_decided({id(2), id(4)});
  EXPECT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
}

TEST_F(DoubleSigning, is_not_seen_in_votes_that_an_honest_validator_signs) {
  const Identity honest = validator(id(3));
  const auto judged = [&](auto change) {
    EngineVote b = vote(2);
    change(b);
    return c.send_as(id(2), evidence(honest, vote(1), b));
  };
  EXPECT_EQ(judged([](EngineVote& v) { v.round += 1; }), "no_conflict");
  EXPECT_EQ(judged([](EngineVote& v) { v.height += 1; }), "no_conflict");
  EXPECT_EQ(judged([](EngineVote& v) { v.kind = EngineVote::Kind::prevote; }), "no_conflict");
  // Signed again a second later, after a restart: the same block.
  EXPECT_EQ(judged([this](EngineVote& v) {
              v.block = vote(1).block;
              v.seconds += 1;
            }),
            "no_conflict");
  EXPECT_EQ(judged([](EngineVote& v) { v.chain = "test-four-another00000"; }), "wrong_chain");
  EXPECT_TRUE(c.ledger.offences().empty());
  EXPECT_EQ(judged([](EngineVote& v) { v.block.reset(); }), "ok");
}

TEST_F(DoubleSigning, cannot_be_forged_against_anybody) {
  Evidence good = evidence_at(id(3), 9);
  Evidence forged = evidence(validator(id(4)), vote(1), vote(2));
  forged.validator = validator(id(3)).info.key;
  EXPECT_EQ(c.send_as(id(2), forged), "bad_signature");
  for (std::size_t which = 0; which < 2; ++which) {
    Evidence damaged = good;
    damaged.votes.at(which).signature.bytes[40] ^= 1U;
    EXPECT_EQ(c.send_as(id(2), damaged), "bad_signature");
  }
  Evidence stranger = evidence(Identity("nobody"), vote(1), vote(2));
  EXPECT_EQ(c.send_as(id(2), stranger), "unknown_validator");
  // A key that signs transactions signs no votes.
  EXPECT_EQ(c.send_as(id(2), evidence(c.identity(id(3)), vote(1), vote(2))), "unknown_validator");
  Evidence garbage = good;
  garbage.votes[0].sign_bytes = {};
  EXPECT_EQ(c.send_as(id(2), garbage), "bad_vote");
  EXPECT_TRUE(c.ledger.offences().empty());
  EXPECT_EQ(c.send_as(id(2), good), "ok");
}

TEST_F(DoubleSigning, with_a_key_that_was_changed_since_is_held_against_its_owner_for_a_time) {
  const Identity fresh("the next validator");
  const Digest message =
      new_key_digest(c.ledger.consortium(), id(3), KeyUse::validator, fresh.info.key);
  ASSERT_EQ(c.send_as(id(3), RotateValidatorKey{fresh.info.key, fresh.key.sign(message.view())}),
            "ok");
  const Height replaced = c.ledger.former_keys().begin()->second.replaced_at;
  Consortium& late = c;
  const Evidence old = evidence_at(id(3), 9);
  EXPECT_EQ(code(late.ledger.check(late.make(id(2), old))), "ok");
  while (late.ledger.height().value + 1 <= replaced.value + evidence_heights)
    (void)late.ledger.end_block();
  EXPECT_EQ(code(late.ledger.check(late.make(id(2), old))), "evidence_too_old");
  EXPECT_EQ(code(late.ledger.check(late.make(id(2), evidence(fresh, vote(1), vote(2))))), "ok");
}

TEST_F(DoubleSigning, of_the_last_hospital_opens_no_vote) {
  Consortium alone{Founding{1, short_policy(), true}};
  EngineVote a = vote(1);
  EngineVote b = vote(2);
  a.chain = b.chain = chain_name(alone.ledger.genesis());
  ASSERT_EQ(alone.send_as(id(1), evidence(validator(id(1)), a, b)), "ok");
  EXPECT_TRUE(alone.ledger.proposals().empty());
}

TEST_F(DoubleSigning, is_replayed_and_taken_back_with_its_block) {
  const Digest before = c.ledger.digest();
  ASSERT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  EXPECT_TRUE(c.ledger.offences().empty());
  ASSERT_EQ(c.send_as(id(2), evidence_at(id(3), 9)), "ok");
  c.block();
  c.run_round(64);
  Ledger replayed(c.ledger.genesis());
  for (const Block& block : c.blocks) ASSERT_EQ(code(replayed.apply_block(block)), "ok");
  EXPECT_EQ(replayed.digest(), c.ledger.digest());
  EXPECT_EQ(replayed.offences().at(id(3)).withheld(), withheld(id(3)));
  c.expect_same_from_snapshot();
}

}  // namespace
}  // namespace consilium::ledger::test
