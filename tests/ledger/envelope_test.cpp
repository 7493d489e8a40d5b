#include <functional>

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

/// Signs a changed envelope with the right key: only the change itself is wrong.
auto judged(Consortium& c, const std::function<void(Transaction&)>& change) -> std::string {
  Transaction transaction = c.make(id(1), c.open_body());
  change(transaction);
  transaction = sign_transaction(std::move(transaction), c.identity(id(1)).key);
  const Digest before = c.ledger.recomputed_digest();
  EXPECT_EQ(code(c.ledger.check(transaction)), code(c.ledger.apply(transaction)));
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  return code(c.ledger.check(transaction));
}

TEST(Envelope, names_what_is_wrong_with_it) {
  Consortium c;
  EXPECT_EQ(judged(c, [](Transaction& t) { t.consortium = digest_of("other"); }),
            "wrong_consortium");
  EXPECT_EQ(judged(c, [](Transaction& t) { t.sender = id(9); }), "unknown_member");
  EXPECT_EQ(judged(c, [](Transaction& t) { t.sequence += 1; }), "out_of_sequence");
  EXPECT_EQ(judged(c, [](Transaction& t) { t.sequence -= 1; }), "out_of_sequence");
  EXPECT_EQ(judged(c, [&c](Transaction& t) { t.expiry = c.ledger.height(); }), "expired");
  EXPECT_EQ(judged(c,
                   [&c](Transaction& t) {
                     t.sender = id(2);
                     t.sequence = c.ledger.members().at(id(2)).sequence + 1;
                   }),
            "bad_signature");
  EXPECT_EQ(
      judged(c, [](Transaction& t) { t.body = Complaint{RoundId{1}, id(1), Bytes(66'000, 0)}; }),
      "transaction_too_large");
  EXPECT_EQ(judged(c, [](Transaction& t) { t.body = Attest{RoundId{1}, {id(2), id(1)}}; }),
            "bad_encoding");
}

TEST(Envelope, holds_up_to_its_expiry_height_and_not_above) {
  Consortium c;
  Transaction transaction = c.make(id(1), c.open_body());
  transaction.expiry = Height{c.ledger.height().value + 1};
  transaction = sign_transaction(transaction, c.identity(id(1)).key);
  EXPECT_EQ(code(c.ledger.check(transaction)), "ok");
  c.block();
  EXPECT_EQ(code(c.ledger.check(transaction)), "expired");
}

TEST(Envelope, any_flipped_bit_is_refused) {
  Consortium c;
  const Bytes bytes = c.make(id(1), c.open_body()).encode();
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 3) {
    Bytes flipped = bytes;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const auto read = Transaction::decode(flipped, c.ledger);
    if (read) {
      EXPECT_FALSE(c.ledger.check(*read)) << "bit " << bit;
    }
  }
}

TEST(Envelope, a_replayed_transaction_is_refused) {
  Consortium c;
  const Transaction transaction = c.make(id(1), c.open_body());
  ASSERT_TRUE(c.ledger.apply(transaction));
  EXPECT_EQ(code(c.ledger.apply(transaction)), "out_of_sequence");
  c.block();
  EXPECT_EQ(code(c.ledger.apply(transaction)), "out_of_sequence");
}

TEST(Envelope, several_of_one_sender_fit_in_a_block) {
  Consortium c;
  c.open();
  EXPECT_EQ(c.send_as(id(1), c.manifest(id(1))), "ok");
  EXPECT_EQ(c.send_as(id(1), Attest{c.round().id, {id(1)}}), "ok");
  c.block();
  EXPECT_EQ(c.blocks.back().transactions.size(), 2U);
}

TEST(Blocks, replay_to_the_same_digest_at_every_height) {
  Consortium c;
  c.run_round(64);
  c.run_to_opened(sealing::Purpose::statistics);
  c.run_round(128);
  Ledger replayed(c.ledger.genesis());
  for (std::size_t i = 0; i < c.blocks.size(); ++i) {
    const auto back = Block::decode(c.blocks[i].encode());
    ASSERT_TRUE(back);
    ASSERT_EQ(code(replayed.apply_block(*back)), "ok");
    ASSERT_EQ(replayed.digest(), c.digests[i]) << "height " << i + 1;
    ASSERT_EQ(replayed.block_hash(replayed.height()), c.blocks[i].hash());
  }
  EXPECT_EQ(replayed.recomputed_digest(), c.ledger.digest());
}

TEST(Blocks, that_do_not_hold_leave_the_ledger_as_it_was) {
  Consortium c;
  c.run_round(64);
  Ledger replayed(c.ledger.genesis());
  for (std::size_t i = 0; i < c.blocks.size(); ++i) {
    const Block& good = c.blocks[i];
    const Digest before = replayed.recomputed_digest();
    Block wrong = good;
    wrong.height.value += 1;
    ASSERT_EQ(code(replayed.apply_block(wrong)), "wrong_height");
    wrong = good;
    wrong.previous.bytes[0] ^= 1U;
    ASSERT_EQ(code(replayed.apply_block(wrong)), "wrong_previous");
    if (!good.transactions.empty()) {
      // All good ones first, then one that cannot hold: everything is taken back.
      wrong = good;
      wrong.transactions.push_back(good.transactions.front());
      ASSERT_EQ(code(replayed.apply_block(wrong)), "out_of_sequence");
      wrong = good;
      wrong.transactions.emplace_back(Bytes{1, 2, 3});
      ASSERT_EQ(code(replayed.apply_block(wrong)), "bad_encoding");
    }
    ASSERT_EQ(replayed.recomputed_digest(), before);
    ASSERT_EQ(code(replayed.apply_block(good)), "ok");
    ASSERT_EQ(replayed.digest(), c.digests[i]);
  }
}

TEST(Blocks, can_be_taken_back_once_and_made_again) {
  Consortium c;
  c.open();
  const Digest before = c.ledger.digest();
  const Height height = c.ledger.height();
  ASSERT_EQ(c.send_as(id(1), c.manifest(id(1))), "ok");
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.recomputed_digest(), before);
  ASSERT_EQ(c.send_as(id(1), c.manifest(id(1))), "ok");
  const Block made = c.ledger.end_block();
  const Digest after = c.ledger.digest();
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.digest(), before);
  EXPECT_EQ(c.ledger.height(), height);
  c.ledger.revert_block();
  EXPECT_EQ(c.ledger.digest(), before);
  ASSERT_EQ(code(c.ledger.apply_block(made)), "ok");
  EXPECT_EQ(c.ledger.digest(), after);
}

TEST(Blocks, hash_covers_previous_height_and_transactions_in_order) {
  Block block{Height{3}, digest_of("previous"), {{1, 2}, {3}}};
  const Digest hash = block.hash();
  std::array<std::uint8_t, 8> height{3};
  EXPECT_EQ(hash, tagged_hash("consilium/ledger/1/block",
                              {block.previous.view(), height, block.transactions[0],
                               block.transactions[1]}));
  std::swap(block.transactions[0], block.transactions[1]);
  EXPECT_NE(block.hash(), hash);
}

}  // namespace
}  // namespace consilium::ledger::test
