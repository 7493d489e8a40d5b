// New signing keys of members: whoever has the old key gives it away, and nobody has it again.

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

/// Signed by the new key for this member, as a node of its would.
auto new_key(Consortium& c, HospitalId member, KeyUse use, const Identity& fresh)
    -> std::pair<sealing::VerifyKey, sealing::Signature> {
  const Digest message = new_key_digest(c.ledger.consortium(), member, use, fresh.info.key);
  return {fresh.info.key, fresh.key.sign(message.view())};
}
auto identity_key(Consortium& c, HospitalId member, const Identity& fresh) -> RotateKey {
  const auto [key, possession] = new_key(c, member, KeyUse::identity, fresh);
  return {key, possession};
}
auto validator_key(Consortium& c, HospitalId member, const Identity& fresh) -> RotateValidatorKey {
  const auto [key, possession] = new_key(c, member, KeyUse::validator, fresh);
  return {key, possession};
}

TEST(IdentityKey, is_changed_by_its_owner_and_the_old_one_signs_nothing_more) {
  Consortium c;
  Identity fresh("fresh");
  const sealing::VerifyKey old = c.identity(id(2)).info.key;
  ASSERT_EQ(c.send_as(id(2), identity_key(c, id(2), fresh)), "ok");
  EXPECT_EQ(c.ledger.members().at(id(2)).info.key, fresh.info.key);
  ASSERT_TRUE(c.ledger.former_keys().contains(old));
  EXPECT_EQ(c.ledger.former_keys().at(old).member, id(2));
  EXPECT_EQ(c.send_as(id(2), Propose{ProposeSchema{digest_of("s")}}), "bad_signature");
  std::swap(c.identity(id(2)).key, fresh.key);
  EXPECT_EQ(c.send_as(id(2), Propose{ProposeSchema{digest_of("s")}}), "ok");
  c.block();
  // Neither the member nor a newcomer takes the old one again.
  EXPECT_EQ(c.send_as(id(2), identity_key(c, id(2), fresh)), "key_reuse");
  const HospitalId fifth = c.add_identity("fifth");
  c.identity(fifth).info.key = old;
  EXPECT_EQ(c.send_as(id(1), Propose{ProposeAdmit{c.identity(fifth).info}}), "key_reuse");
}

TEST(IdentityKey, may_change_while_a_round_runs) {
  Consortium c;
  c.open();
  c.submit(c.hospitals);
  Identity fresh("fresh");
  ASSERT_EQ(c.send_as(id(3), identity_key(c, id(3), fresh)), "ok");
  std::swap(c.identity(id(3)).key, fresh.key);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  EXPECT_EQ(c.state(), "judging");
}

TEST(IdentityKey, must_be_new_and_be_held_by_whoever_names_it) {
  Consortium c;
  const Identity fresh("fresh");
  RotateKey other_member = identity_key(c, id(3), fresh);
  EXPECT_EQ(c.send_as(id(2), other_member), "bad_possession");
  const auto for_validator = validator_key(c, id(2), fresh);
  EXPECT_EQ(c.send_as(id(2), RotateKey{for_validator.key, for_validator.possession}),
            "bad_possession");
  RotateKey damaged = identity_key(c, id(2), fresh);
  damaged.possession.bytes[5] ^= 1U;
  EXPECT_EQ(c.send_as(id(2), damaged), "bad_possession");
  // Attack: a key that somebody else has already. Its owner's words would be the thief's.
  RotateKey stolen = identity_key(c, id(2), fresh);
  stolen.key = c.identity(id(4)).info.key;
  EXPECT_EQ(c.send_as(id(2), stolen), "key_reuse");
  EXPECT_EQ(c.send_as(id(2), identity_key(c, id(2), fresh)), "ok");
}

TEST(IdentityKey, of_a_server_changes_as_a_hospitals_does) {
  Consortium c({3, short_policy(Topology::central)});
  const Identity fresh("fresh");
  EXPECT_EQ(c.send_as(id(2), validator_key(c, id(2), fresh)), "not_permitted");
  EXPECT_EQ(c.send_as(id(2), identity_key(c, id(2), fresh)), "ok");
}

TEST(ValidatorKey, is_named_later_or_changed_and_never_shared) {
  Consortium c;
  const Identity first("first validator");
  const Identity second("second validator");
  ASSERT_TRUE(c.ledger.validators().empty());
  ASSERT_EQ(c.send_as(id(2), validator_key(c, id(2), first)), "ok");
  EXPECT_EQ(c.ledger.validators().at(id(2)), first.info.key);
  EXPECT_TRUE(c.ledger.former_keys().empty());
  EXPECT_EQ(c.send_as(id(3), validator_key(c, id(3), first)), "key_reuse");
  ASSERT_EQ(c.send_as(id(2), validator_key(c, id(2), second)), "ok");
  EXPECT_EQ(c.ledger.validators().at(id(2)), second.info.key);
  EXPECT_EQ(c.ledger.former_keys().at(first.info.key).use, KeyUse::validator);
  c.block();
  EXPECT_EQ(c.send_as(id(3), validator_key(c, id(3), first)), "key_reuse");
  EXPECT_EQ(c.send_as(id(2), identity_key(c, id(2), first)), "key_reuse");
  // Of one's own, either: what signs transactions never signs votes.
  const auto same = new_key(c, id(4), KeyUse::validator, c.identity(id(4)));
  EXPECT_EQ(c.send_as(id(4), RotateValidatorKey{same.first, same.second}), "key_reuse");
}

TEST(ValidatorKey, changes_a_bounded_number_of_times) {
  Consortium c;
  for (int i = 0; i < 257; ++i) {
    const Identity fresh("validator " + std::to_string(i));
    ASSERT_EQ(code(c.ledger.apply(c.make(id(2), validator_key(c, id(2), fresh)))), "ok") << i;
  }
  const Identity fresh("one more");
  EXPECT_EQ(c.send_as(id(2), validator_key(c, id(2), fresh)), "too_many_keys");
  EXPECT_EQ(c.send_as(id(2), identity_key(c, id(2), fresh)), "too_many_keys");
  EXPECT_EQ(c.send_as(id(3), validator_key(c, id(3), fresh)), "ok");
}

TEST(NewKeys, are_taken_back_with_their_block_and_replayed_to_the_same_digest) {
  Consortium c;
  const Digest before = c.ledger.digest();
  const Identity fresh("fresh");
  const Identity validator("validator");
  const auto post = [&] {
    ASSERT_EQ(c.send_as(id(3), validator_key(c, id(3), validator)), "ok");
    ASSERT_EQ(c.send_as(id(2), identity_key(c, id(2), fresh)), "ok");
  };
  post();
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  EXPECT_TRUE(c.ledger.former_keys().empty());
  post();
  c.block();
  Ledger replayed(c.ledger.genesis());
  for (const Block& block : c.blocks) ASSERT_EQ(code(replayed.apply_block(block)), "ok");
  EXPECT_EQ(replayed.digest(), c.ledger.digest());
  EXPECT_EQ(replayed.former_keys().size(), 1U);
  c.expect_same_from_snapshot();
}

}  // namespace
}  // namespace consilium::ledger::test
