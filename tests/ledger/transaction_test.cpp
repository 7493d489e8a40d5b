#include <algorithm>

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto sample_record() -> AlignmentRecord {
  AlignmentRecord record;
  record.epoch = 3;
  record.session.fill(0x5a);
  record.schema = digest_of("schema");
  record.dictionary = digest_of("dictionary");
  record.cells = 4096;
  record.threshold = 3;
  record.cap = 64;
  record.members = {id(1), id(2), id(4)};
  record.slots = {id(4), id(1), id(2)};
  record.circuit = digest_of("circuit");
  record.previous = digest_of("previous");
  return record;
}

auto audited_policy() -> Policy {
  Policy policy;
  policy.audit = AuditPolicy::data;
  policy.rho_budget_micro = {1, 2, 3, 4};
  return policy;
}

auto kept_policy() -> Policy {
  Policy policy;
  policy.challenge_heights = 30;
  policy.retention_heights = 500;
  return policy;
}

/// Every kind of body, with every kind inside it.
auto all_bodies() -> std::vector<Body> {
  const Identity other("other");
  const Identity hybrid("hybrid", true);
  Policy boxes;
  boxes.box_epoch_rounds = 0;
  boxes.hybrid_boxes = true;
  sealing::Manifest manifest;
  manifest.suite = 1;
  manifest.hospital = id(3);
  manifest.length = 77;
  const RoundId round{9};
  const auto align = [](auto kind) { return PublishAlignment{{1, 2, 3}, 2, kind}; };
  AlignKeys keys;
  keys.key.fill(9);
  return {Propose{ProposeAdmit{other.info}},
          Propose{ProposeRemove{id(4)}},
          Propose{ProposePolicy{Policy{}}},
          Propose{ProposeSchema{digest_of("s")}},
          Vote{5, true},
          OpenRound{sealing::Purpose::statistics, 4, digest_of("b"), 0x11, 50, 4, 7, 8, {1, 2, 3}},
          SubmitManifest{round, manifest, 128},
          Attest{round, {id(1), id(3)}},
          Complaint{round, id(2), {4, 5, 6}},
          Answer{round, MinerId{2}, {1}, {2, 2}, {3, 3, 3}},
          Freeze{round,
                 {{id(1), digest_of("m1")}, {id(2), digest_of("m2")}},
                 digest_of("u"),
                 digest_of("p")},
          Ready{round, digest_of("u"), digest_of("p")},
          PublishShare{round, digest_of("u"), digest_of("s")},
          ResultAttest{round, digest_of("r")},
          VoteCommit{round, digest_of("c")},
          VoteReveal{round, true, digest_of("salt")},
          Decide{round},
          ModelDigest{round, digest_of("m")},
          Abort{round},
          OpenAlignment{sample_record()},
          align(keys),
          align(AlignCommit{{digest_of("0"), digest_of("1"), digest_of("2")}, digest_of("x")}),
          align(AlignAck{{id(1), id(2)}}),
          align(AlignFix{}),
          align(AlignAborted{"bad_frame", id(1), id(2)}),
          align(AlignReceipt{digest_of("c"), digest_of("i"), digest_of("v"), 4, 5}),
          CloseAlignment{{7}},
          RotateBoxKey{other.info.box_key},
          RotateBoxKey{hybrid.info.box_key},
          Propose{ProposeAdmit{hybrid.info}},
          Propose{ProposePolicy{boxes}},
          Propose{ProposePolicy{audited_policy()}},
          Propose{ProposeAudit{round}},
          StandDown{round, digest_of("u")},
          AuditCall{round, {{3, 5, 700}, 2}},
          AuditAnswer{round, sealing::AuditStep::data, digest_of("p"), digest_of("w")},
          AuditFinding{round, sealing::AuditStep::witness, {id(2), id(3)}},
          AuditConsent{round},
          PublishKey{round, digest_of("u"), digest_of("k")},
          NotSent{round, digest_of("u")},
          Propose{ProposeUpgrade{2, Height{700}}},
          RotateKey{other.info.key, {}},
          RotateValidatorKey{other.info.key, {}},
          Propose{ProposeRelease{id(3)}},
          Propose{ProposePolicy{kept_policy()}},
          Challenge{round, id(2), 7},
          Respond{round, id(2), 7, {1, 2, 3}, {digest_of("left"), digest_of("right")}},
          Tombstone{round},
          Evidence{other.info.key, {{{{1, 2}, {}}, {{1, 3}, {}}}}}};
}

auto wrap(const Body& body) -> Transaction {
  Transaction transaction;
  transaction.consortium = digest_of("consortium");
  transaction.sender = id(2);
  transaction.sequence = 12;
  transaction.expiry = Height{99};
  transaction.body = body;
  transaction.signature.bytes.fill(0xab);
  return transaction;
}

/// What is not carried, from another transaction: as a ledger fills it in from its state.
void fill_from(Transaction& read, const Transaction& known) {
  read.consortium = known.consortium;
  const auto fill = [&known](auto& body) {
    using Kind = std::remove_reference_t<decltype(body)>;
    const auto* other = std::get_if<Kind>(&known.body);
    if (other == nullptr) return;
    if constexpr (std::is_same_v<Kind, SubmitManifest>) {
      const sealing::Manifest own = body.manifest;
      body.manifest = other->manifest;
      body.manifest.body_root = own.body_root;
      body.manifest.witness = own.witness;
      body.manifest.body_blob = own.body_blob;
      body.manifest.lists = own.lists;
    }
    if constexpr (std::is_same_v<Kind, Freeze>) {
      for (std::size_t i = 0; i < std::min(body.set.size(), other->set.size()); ++i)
        body.set[i].manifest = other->set[i].manifest;
    }
    if constexpr (std::is_same_v<Kind, Ready>) body.partition_digest = other->partition_digest;
    if constexpr (std::is_same_v<Kind, Ready> || std::is_same_v<Kind, PublishShare> ||
                  std::is_same_v<Kind, PublishKey>)
      body.set_digest = other->set_digest;
  };
  std::visit(fill, read.body);
}

TEST(Transaction, reads_back_what_it_wrote_for_every_kind) {
  std::vector<bool> seen(std::variant_size_v<Body>, false);
  for (const Body& body : all_bodies()) {
    const Transaction transaction = wrap(body);
    const Bytes bytes = transaction.encode();
    auto back = Transaction::decode(bytes);
    ASSERT_TRUE(back) << name_of(body);
    EXPECT_EQ(back->encode(), bytes) << name_of(body);
    EXPECT_NE(back->signing_digest(), transaction.signing_digest()) << "all of it is carried";
    fill_from(*back, transaction);
    EXPECT_EQ(back->body.index(), body.index());
    EXPECT_EQ(back->sender, transaction.sender);
    EXPECT_EQ(back->sequence, transaction.sequence);
    EXPECT_EQ(back->expiry, transaction.expiry);
    EXPECT_EQ(back->signing_digest(), transaction.signing_digest());
    seen[body.index()] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0);
}

TEST(Transaction, is_refused_at_every_shorter_length_and_with_a_byte_more) {
  for (const Body& body : all_bodies()) {
    Bytes bytes = wrap(body).encode();
    for (std::size_t size = 0; size < bytes.size(); ++size)
      ASSERT_EQ(code(Transaction::decode(BytesView(bytes).first(size))), "bad_encoding")
          << name_of(body) << " cut to " << size;
    bytes.push_back(0);
    EXPECT_EQ(code(Transaction::decode(bytes)), "bad_encoding");
  }
}

TEST(Transaction, has_one_encoding_and_signs_every_byte_of_it) {
  const Digest signed_digest = wrap(Decide{RoundId{9}}).signing_digest();
  for (const Body& body : all_bodies()) {
    const Bytes bytes = wrap(body).encode();
    const Digest digest = wrap(body).signing_digest();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      Bytes flipped = bytes;
      flipped[at] ^= 0x01U;
      auto read = Transaction::decode(flipped);
      if (!read) continue;
      ASSERT_EQ(read->encode(), flipped) << name_of(body) << " byte " << at;
      fill_from(*read, wrap(body));
      const bool in_signature = at >= bytes.size() - 64;
      ASSERT_EQ(read->signing_digest() == digest, in_signature) << name_of(body) << " byte " << at;
    }
  }
  EXPECT_NE(signed_digest, Digest{});
}

TEST(Transaction, refuses_lists_that_are_not_ascending) {
  const RoundId round{1};
  const std::vector<Body> unsorted{
      Attest{round, {id(2), id(1)}},
      Attest{round, {id(2), id(2)}},
      Freeze{round, {{id(3), Digest{}}, {id(1), Digest{}}}, Digest{}, Digest{}},
      PublishAlignment{{1}, 1, AlignAck{{id(4), id(4)}}},
      Evidence{{}, {{{{2}, {}}, {{1}, {}}}}},
      Evidence{{}, {{{{1}, {}}, {{1}, {}}}}}};
  for (const Body& body : unsorted)
    EXPECT_EQ(code(Transaction::decode(wrap(body).encode())), "bad_encoding") << name_of(body);
}

TEST(Transaction, names_itself_too_large_above_64_kibibytes) {
  EXPECT_EQ(code(Transaction::decode(Bytes(65'537, 0))), "transaction_too_large");
  EXPECT_EQ(code(Transaction::decode(Bytes(65'536, 0))), "bad_encoding");
  Complaint complaint{RoundId{1}, id(1), Bytes(70'000, 1)};
  EXPECT_EQ(code(Transaction::decode(wrap(complaint).encode())), "transaction_too_large");
}

TEST(Transaction, survives_random_bytes) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    SeededRandom random(seed, "garbage");
    Bytes bytes(random.below(400));
    random.fill(bytes);
    if (!bytes.empty()) bytes[0] = 2;
    const auto read = Transaction::decode(bytes);
    if (read) {
      EXPECT_EQ(read->encode(), bytes) << "seed " << seed;
    }
    (void)Block::decode(bytes);
    (void)Genesis::decode(bytes);
    (void)AlignmentRecord::decode(bytes);
  }
}

TEST(Transaction, survives_random_changes_of_good_bytes) {
  const auto bodies = all_bodies();
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    SeededRandom random(seed, "mutation");
    Bytes bytes = wrap(bodies[random.below(bodies.size())]).encode();
    for (std::uint64_t i = 0; i <= random.below(4); ++i)
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.u32());
    const auto read = Transaction::decode(bytes);
    if (read) {
      ASSERT_EQ(read->encode(), bytes) << "seed " << seed;
    }
  }
}

TEST(Transaction, is_named_as_the_design_names_it) {
  EXPECT_EQ(name_of(Body{OpenRound{}}), "open_round");
  EXPECT_EQ(name_of(Body{SubmitManifest{}}), "submit_manifest");
  EXPECT_EQ(name_of(Body{ModelDigest{}}), "model_digest");
  EXPECT_EQ(name_of(Body{CloseAlignment{}}), "close_alignment");
  EXPECT_EQ(name_of(Body{Propose{}}), "propose");
  EXPECT_EQ(name_of(Body{RotateBoxKey{}}), "rotate_box_key");
  EXPECT_EQ(name_of(Body{RotateKey{}}), "rotate_key");
  EXPECT_EQ(name_of(Body{RotateValidatorKey{}}), "rotate_validator_key");
  EXPECT_EQ(name_of(Body{Evidence{}}), "evidence");
  EXPECT_EQ(name_of(Body{Challenge{}}), "challenge");
  EXPECT_EQ(name_of(Body{Respond{}}), "respond");
  EXPECT_EQ(name_of(Body{Tombstone{}}), "tombstone");
}

TEST(Policy, without_audit_and_with_shares_has_the_bytes_it_always_had) {
  const auto bytes_of = [](const Policy& policy) {
    return wrap(Propose{ProposePolicy{policy}}).encode();
  };
  Policy policy;
  const Bytes plain = bytes_of(policy);
  policy.audit = AuditPolicy::witness;
  EXPECT_EQ(bytes_of(policy).size(), plain.size() + 2);
  policy.audit = AuditPolicy::none;
  policy.delivery = sealing::Delivery::masked_keys;
  const Bytes masked = bytes_of(policy);
  EXPECT_EQ(masked.size(), plain.size() + 2);
  // Marked as present and yet the usual: a second encoding of the same policy, so none.
  Bytes twice = masked;
  twice.at(twice.size() - 64 - 1) = 0;
  EXPECT_EQ(code(Transaction::decode(twice)), "bad_encoding");
  policy.delivery = sealing::Delivery::shares;
  EXPECT_EQ(bytes_of(policy), plain);
}

TEST(Policy, with_the_usual_rules_of_what_is_kept_has_the_bytes_it_always_had) {
  const auto bytes_of = [](const Policy& policy) {
    return wrap(Propose{ProposePolicy{policy}}).encode();
  };
  Policy policy;
  const Bytes plain = bytes_of(policy);
  policy.retention_heights = 100;
  Bytes kept = bytes_of(policy);
  EXPECT_EQ(kept.size(), plain.size() + 3);
  // Marked as present and yet the usual: a second encoding of the same policy, so none.
  kept.at(kept.size() - 64 - 2) = 0;
  EXPECT_EQ(code(Transaction::decode(kept)), "bad_encoding");
  EXPECT_EQ(code(check_policy(policy)), "ok");
  Policy short_memory;
  short_memory.blocks_kept = 1000;
  EXPECT_EQ(bytes_of(short_memory).size(), plain.size() + 4) << "a thousand takes two bytes";
  policy.retention_heights = policy.challenge_heights - 1;
  EXPECT_EQ(code(check_policy(policy)), "bad_policy");
  policy.retention_heights = 0;
  policy.challenge_heights = 1'000'001;
  EXPECT_EQ(code(check_policy(policy)), "bad_policy");
}

TEST(Policy, delivers_masked_keys_in_central_only_and_audits_nothing_then) {
  Policy policy;
  policy.delivery = sealing::Delivery::masked_keys;
  EXPECT_EQ(code(check_policy(policy)), "bad_policy");
  policy.topology = Topology::central;
  EXPECT_EQ(code(check_policy(policy)), "ok");
  policy.audit = AuditPolicy::witness;
  EXPECT_EQ(code(check_policy(policy)), "bad_policy");
}

TEST(Genesis, reads_back_and_names_the_consortium_by_its_digest) {
  Consortium consortium;
  const Genesis& genesis = consortium.ledger.genesis();
  const auto back = Genesis::decode(genesis.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->consortium(), consortium.ledger.consortium());
  Genesis other = genesis;
  other.created_unix_s = 1;
  EXPECT_NE(other.consortium(), genesis.consortium());
  const Bytes bytes = genesis.encode();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_FALSE(Genesis::decode(BytesView(bytes).first(size)));
}

TEST(Genesis, must_have_plain_names_a_whole_policy_and_its_topologys_servers) {
  Consortium consortium;
  const Genesis good = consortium.ledger.genesis();
  const auto refused = [&good](auto change) {
    Genesis genesis = good;
    change(genesis);
    return code(check_genesis(genesis));
  };
  EXPECT_EQ(refused([](Genesis&) {}), "ok");
  EXPECT_EQ(refused([](Genesis& g) { g.name = "Heart Four"; }), "bad_name");
  EXPECT_EQ(refused([](Genesis& g) { g.founder.name.clear(); }), "bad_name");
  EXPECT_EQ(refused([](Genesis& g) { g.founder.title = "\xff\xfe"; }), "bad_name");
  EXPECT_EQ(refused([](Genesis& g) { g.founder.title = "line\nbreak"; }), "bad_name");
  EXPECT_EQ(refused([](Genesis& g) { g.founder.title = "\xc3\xa9t\xc3\xa9"; }), "ok");
  EXPECT_EQ(refused([](Genesis& g) { g.founder.box_key.bytes.fill(0); }), "bad_key");
  EXPECT_EQ(refused([](Genesis& g) { g.policy.honest_min = 2; }), "bad_policy");
  EXPECT_EQ(refused([](Genesis& g) { g.policy.pack_percent = 11; }), "bad_policy");
  EXPECT_EQ(refused([](Genesis& g) { g.policy.judge_heights = 0; }), "bad_policy");
  EXPECT_EQ(refused([](Genesis& g) { g.policy.topology = Topology::central; }), "bad_members");
  EXPECT_EQ(refused([](Genesis& g) { g.founder.role = MemberRole::server; }), "bad_members");
  EXPECT_EQ(refused([](Genesis& g) {
              g.policy.topology = Topology::central;
              g.servers.push_back(g.founder);
            }),
            "bad_members");
}

TEST(AlignmentRecord, reads_back_and_every_field_is_in_its_digest) {
  const AlignmentRecord record = sample_record();
  const Bytes bytes = record.encode();
  const auto back = AlignmentRecord::decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode(), bytes);
  EXPECT_EQ(back->digest(), record.digest());
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    Bytes flipped = bytes;
    flipped[at] ^= 0x01U;
    const auto read = AlignmentRecord::decode(flipped);
    if (read) {
      EXPECT_NE(read->digest(), record.digest()) << "byte " << at;
    }
  }
}

TEST(Vote, commitment_binds_round_hospital_vote_and_salt) {
  const Digest seed = digest_of("seed");
  const Digest salt = digest_of("salt");
  const Digest commitment = vote_commitment(seed, id(1), true, salt);
  EXPECT_NE(commitment, vote_commitment(digest_of("other"), id(1), true, salt));
  EXPECT_NE(commitment, vote_commitment(seed, id(2), true, salt));
  EXPECT_NE(commitment, vote_commitment(seed, id(1), false, salt));
  EXPECT_NE(commitment, vote_commitment(seed, id(1), true, seed));
  const std::array<std::uint8_t, 2> one{1, 0};
  const std::array<std::uint8_t, 1> yes{1};
  EXPECT_EQ(commitment, tagged_hash("consilium/seal/1/vote", {seed.view(), one, yes, salt.view()}));
}

}  // namespace
}  // namespace consilium::ledger::test
