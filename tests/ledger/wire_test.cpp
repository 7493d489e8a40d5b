// What a transaction looks like on its way and in a block, and what a round costs the ledger.

#include "consilium/foundation/codec.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto wrap(const Body& body) -> Transaction {
  Transaction transaction;
  transaction.sender = id(2);
  transaction.sequence = 1;
  transaction.body = body;
  return transaction;
}

auto holds_digest(BytesView bytes, const Digest& digest) -> bool {
  return !std::ranges::search(bytes, digest.bytes).empty();
}

/// What federation's UpdatePlan takes, with room for a network of several layers.
constexpr std::size_t plan_bytes = 192;

/// A whole round of so many hospitals, all of which do everything there is to do.
auto whole_round(int hospitals) -> Consortium {
  Consortium c({hospitals, short_policy()});
  c.blocks.clear();
  OpenRound open = c.open_body();
  open.plan.assign(plan_bytes, 7);
  EXPECT_EQ(c.send_as(id(1), open), "ok");
  c.block();
  c.submit(c.hospitals, 64);
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote();
  c.post_models(digest_of("model 1"));
  return c;
}

struct Cost {
  std::size_t transactions = 0, transaction_bytes = 0, block_bytes = 0;
};

/// With the numbers made as large as they are told to be: what stands in old ledgers.
auto cost_of(const std::vector<Block>& blocks, std::uint64_t numbers = 0) -> Cost {
  Cost cost;
  for (Block block : blocks) {
    block.height.value += numbers;
    for (Bytes& bytes : block.transactions) {
      auto transaction = Transaction::decode(bytes);
      EXPECT_TRUE(transaction);
      transaction->sequence += numbers;
      transaction->expiry.value += numbers;
      std::visit(
          [numbers](auto& body) {
            if constexpr (requires { body.round.value; }) body.round.value += numbers;
          },
          transaction->body);
      bytes = transaction->encode();
      cost.transaction_bytes += bytes.size();
      ++cost.transactions;
    }
    cost.block_bytes += block.encode().size();
  }
  return cost;
}

TEST(BytesOfARound, of_ten_hospitals_are_at_most_ten_kilobytes) {
  const Consortium c = whole_round(10);
  ASSERT_EQ(c.round().state, RoundState::accepted);
  ASSERT_EQ(c.round().miners.size(), 10U);
  ASSERT_EQ(c.ledger.models().size(), 1U);
  const Cost cost = cost_of(c.blocks);
  // Everybody's manifest, attestation, ready, share sum, result, two for the vote, model; and who
  // opened, froze and decided.
  EXPECT_EQ(cost.transactions, 8U * 10U + 3U);
  EXPECT_LE(cost.transaction_bytes, 10'000U);
  EXPECT_LE(cost.block_bytes, 10'000U) << "heights, previous digests and lengths included";
  RecordProperty("transaction_bytes", static_cast<int>(cost.transaction_bytes));
  RecordProperty("block_bytes", static_cast<int>(cost.block_bytes));
}

TEST(BytesOfARound, stay_below_it_after_a_million_heights) {
  const Consortium c = whole_round(10);
  const Cost young = cost_of(c.blocks);
  const Cost old = cost_of(c.blocks, 1'000'000);
  EXPECT_GT(old.block_bytes, young.block_bytes);
  EXPECT_LE(old.block_bytes, 10'000U);
}

TEST(Wire, leaves_out_what_the_ledger_knows_and_gets_it_back) {
  Consortium c;
  std::size_t seen = 0;
  c.open();
  const auto carried = [&](HospitalId who, const Body& body) {
    const Transaction sent = c.make(who, body);
    const Bytes bytes = sent.encode();
    const auto read = Transaction::decode(bytes, c.ledger);
    ASSERT_TRUE(read) << name_of(body);
    EXPECT_EQ(read->signing_digest(), sent.signing_digest()) << name_of(body);
    EXPECT_EQ(read->encode(), bytes);
    EXPECT_FALSE(holds_digest(bytes, c.ledger.consortium()));
    EXPECT_FALSE(holds_digest(bytes, c.round().seed));
    EXPECT_TRUE(c.round().set.empty() || std::holds_alternative<Freeze>(body) ||
                !holds_digest(bytes, c.round().set_digest));
    ASSERT_EQ(code(c.ledger.apply(*read)), "ok") << name_of(body);
    ++seen;
  };
  for (const HospitalId who : c.hospitals) carried(who, c.manifest(who, 64));
  c.block();
  for (const HospitalId who : c.miners) carried(who, Attest{c.round().id, c.hospitals});
  c.block();
  carried(c.ledger.packers_now(c.round()).front(), *c.ledger.freeze_rule(c.round()));
  c.block();
  for (const HospitalId who : c.miners) carried(who, c.ready_body());
  c.block();
  for (const HospitalId who : c.miners) carried(who, c.share_body(who));
  EXPECT_EQ(seen, 17U);
}

TEST(Wire, of_a_transaction_for_another_consortium_or_another_set_does_not_hold_its_signature) {
  Consortium c;
  c.open();
  const auto arrives = [&c](Transaction transaction) {
    transaction = sign_transaction(std::move(transaction), c.identity(id(2)).key);
    const auto read = Transaction::decode(transaction.encode(), c.ledger);
    return read ? code(c.ledger.check(*read)) : code(read);
  };
  const Transaction good = c.make(id(2), c.manifest(id(2)));
  EXPECT_EQ(arrives(good), "ok");
  Transaction other = good;
  other.consortium = digest_of("another consortium");
  EXPECT_EQ(arrives(other), "bad_signature");
  other = good;
  std::get<SubmitManifest>(other.body).manifest.seed = digest_of("another fork's seed");
  EXPECT_EQ(arrives(other), "bad_signature");
  c.submit(c.hospitals);
  c.attest(c.miners, c.hospitals);
  Transaction freeze = c.make(id(2), *c.ledger.freeze_rule(c.round()));
  std::get<Freeze>(freeze.body).set.back().manifest = digest_of("another manifest");
  EXPECT_EQ(arrives(freeze), "bad_signature");
  c.freeze();
  Transaction ready = c.make(id(2), c.ready_body());
  EXPECT_EQ(arrives(ready), "ok");
  std::get<Ready>(ready.body).set_digest = digest_of("another set");
  EXPECT_EQ(arrives(ready), "bad_signature");
}

TEST(Wire, about_what_this_ledger_does_not_have_is_refused_by_name) {
  Consortium c;
  const auto read = [&c](const Body& body) {
    return code(Transaction::decode(wrap(body).encode(), c.ledger));
  };
  EXPECT_EQ(read(Ready{RoundId{1}, {}, {}}), "unknown_round");
  ASSERT_EQ(c.send_as(id(1), c.open_body()), "ok");
  EXPECT_EQ(read(SubmitManifest{RoundId{1}, {}, 0}), "too_early");
  c.block();
  EXPECT_EQ(read(SubmitManifest{RoundId{1}, {}, 0}), "ok");
  EXPECT_EQ(read(Ready{RoundId{1}, {}, {}}), "stale_context");
  EXPECT_EQ(read(PublishShare{RoundId{1}, {}, {}}), "stale_context");
  EXPECT_EQ(read(PublishKey{RoundId{1}, {}, {}}), "stale_context");
}

TEST(Wire, of_a_set_of_hospitals_is_one_bitmap_and_no_other) {
  const auto attest = [](const Bytes& bitmap) {
    Writer out(IntegerForm::compact);
    out.u8(2).u16(2).u64(1).u64(0).u8(5).u64(7).fixed(bitmap).fixed(Bytes(64));
    return Transaction::decode(out.view());
  };
  const auto hospitals = [&attest](const Bytes& bitmap) {
    const auto read = attest(bitmap);
    return read ? std::get<Attest>(read->body).valid : std::vector<HospitalId>{id(999)};
  };
  EXPECT_EQ(hospitals({0}), (std::vector<HospitalId>{}));
  EXPECT_EQ(hospitals({1, 0x06}), (std::vector{id(1), id(2)}));
  EXPECT_EQ(hospitals({2, 0x01, 0x80}), (std::vector{id(0), id(15)}));
  EXPECT_EQ(code(attest({1, 0})), "bad_encoding") << "an empty byte at the end";
  EXPECT_EQ(code(attest({2, 0x06, 0})), "bad_encoding");
  EXPECT_EQ(code(attest({2, 0x06})), "bad_encoding") << "cut short";
  EXPECT_EQ(code(attest(Bytes{9, 255, 255, 255, 255, 255, 255, 255, 255, 1})), "bad_encoding")
      << "65 hospitals";
  Writer long_one(IntegerForm::compact);
  long_one.u16(8193).fixed(Bytes(8193, 1));
  EXPECT_EQ(code(attest(long_one.take())), "bad_encoding") << "hospitals without a number";
  const auto last = wrap(Attest{RoundId{7}, {id(1), HospitalId{0xffff}}});
  const auto back = Transaction::decode(last.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<Attest>(back->body).valid, std::get<Attest>(last.body).valid);
}

}  // namespace
}  // namespace consilium::ledger::test
