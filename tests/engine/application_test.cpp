// The ledger under an engine: the same blocks as under `solo`, nothing lost at a kill between any
// two calls, and every bad transaction refused at the mempool and again in the block.

#include <functional>

#include "consilium/foundation/database.hpp"

#include "chain.hpp"

namespace consilium::engine::test {
namespace {

/// Every block of a walk through the consortium's life, as the solo driver made it.
auto walked(std::uint64_t seed) -> std::unique_ptr<Walk> {
  auto walk = std::make_unique<Walk>(seed, ledger::Topology::committee, true);
  walk->c.rests = true;
  for (int i = 0; i < 400; ++i) walk->step();
  walk->c.block();
  return walk;
}

TEST(BothDrivers, give_the_same_state_digest_at_every_height) {
  std::size_t compared = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto walk = walked(seed);
    const Folder folder;
    Chain chain(walk->c.ledger.genesis(), folder.path());
    ledger::Ledger follower(walk->c.ledger.genesis());
    for (std::size_t i = 0; i < walk->c.blocks.size(); ++i) {
      const auto& made = walk->c.blocks[i];
      std::vector<Bytes> carried = made.transactions;
      // Nobody posted anything: what waited for a height sent a tick.
      if (carried.empty()) carried.push_back(encode_tick(made.height));
      const auto done = chain.block(carried);
      for (const auto& verdict : done.verdicts) ASSERT_EQ(code(verdict), "ok");
      const auto blocks = must(chain.application->blocks_after(follower.height(), 10));
      ASSERT_EQ(blocks.size(), 1U);
      ASSERT_EQ(blocks.front().hash(), made.hash());
      must(follower.apply_block(blocks.front()));
      ASSERT_EQ(follower.digest(), walk->c.digests[i]);
      ++compared;
    }
    EXPECT_EQ(chain.application->progress().ledger_height, walk->c.ledger.height());
  }
  EXPECT_GT(compared, 200U);
}

TEST(Application, goes_on_after_a_kill_between_any_two_calls) {
  const auto walk = walked(11);
  const Folder folder;
  Chain chain(walk->c.ledger.genesis(), folder.path());
  std::size_t at = 0;
  for (const auto& made : walk->c.blocks) {
    auto carried = made.transactions;
    if (carried.empty()) carried.push_back(encode_tick(made.height));
    const auto before = chain.application->info();
    switch (at++ % 4) {
      case 0:  // after a proposal was looked at
        ASSERT_TRUE(chain.application->process_proposal({before.height + 1, carried, {}}));
        chain.restart();
        break;
      case 1:  // finalized, not committed
        (void)chain.finalize(carried);
        chain.restart();
        break;
      case 2:  // the engine alone was killed: it asks again, and the block comes again
        (void)chain.finalize(carried);
        break;
      default:
        break;
    }
    ASSERT_EQ(chain.application->info().height, before.height);
    ASSERT_EQ(chain.application->info().app_hash, before.app_hash);
    const auto done = chain.finalize(carried);
    // Whoever asks between a block's end and its commit hears of the block before.
    ASSERT_EQ(chain.application->info().app_hash, before.app_hash);
    must(chain.application->commit());
    if (at % 3 == 0) chain.restart();  // committed
    ASSERT_EQ(chain.application->info().height, before.height + 1);
    ASSERT_EQ(chain.application->info().app_hash, done.app_hash);
    ASSERT_EQ(chain.blocks().back().hash(), made.hash());
  }
  EXPECT_GT(at, 10U);
}

TEST(Application, rests_when_nothing_happens_and_ticks_only_while_something_waits) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  for (const auto& made : c.blocks) (void)chain.block(made.transactions);
  // The hospitals admitted become validators one by one: until then there is something to do.
  for (int i = 0; i < 20; ++i) {
    chain.clock.advance_ms(1000);
    if (const auto tick = chain.application->due_tick()) (void)chain.block({*tick});
  }
  EXPECT_EQ(chain.application->progress().validators, 4U);
  const auto rest = chain.application->info();
  const auto height = chain.application->progress().ledger_height;
  const Bytes early = encode_tick(Height{height.value + 1});
  EXPECT_EQ(chain.application->due_tick(), std::nullopt);
  EXPECT_EQ(code(chain.application->check(early, false)), "not_waiting");
  EXPECT_EQ(code(chain.block({early}).verdicts.front()), "not_waiting");
  EXPECT_EQ(chain.application->progress().ledger_height, height);
  EXPECT_EQ(chain.application->info().app_hash, rest.app_hash);

  // A round waits: one tick a block and a height, not before the interval has passed.
  const auto open = c.make(id(1), c.open_body());
  ASSERT_EQ(code(chain.block({open.encode()}).verdicts.front()), "ok");
  const Height opened = chain.application->progress().ledger_height;
  const Bytes tick = encode_tick(Height{opened.value + 1});
  EXPECT_EQ(code(chain.application->check(tick, false)), "too_early");
  EXPECT_EQ(chain.application->due_tick(), std::nullopt);
  chain.clock.advance_ms(1000);
  ASSERT_EQ(chain.application->due_tick(), tick);
  EXPECT_EQ(code(chain.application->check(tick, false)), "ok");
  const auto done = chain.block({tick, tick, encode_tick(Height{opened.value + 2})});
  EXPECT_EQ(code(done.verdicts[0]), "ok");
  EXPECT_EQ(code(done.verdicts[1]), "duplicate");
  EXPECT_EQ(code(done.verdicts[2]), "wrong_height");
  EXPECT_EQ(chain.application->progress().ledger_height.value, opened.value + 1);
  EXPECT_EQ(code(chain.block({tick}).verdicts.front()), "wrong_height");
}

TEST(Application, takes_several_transactions_of_one_sender_into_the_mempool) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  for (const auto& made : c.blocks) (void)chain.block(made.transactions);
  const auto numbered = [&](std::uint64_t ahead) {
    auto transaction = c.make(
        id(1),
        ledger::Propose{ledger::ProposeSchema{ledger::test::digest_of(std::to_string(ahead))}});
    transaction.sequence += ahead;
    return ledger::sign_transaction(std::move(transaction), c.identity(id(1)).key).encode();
  };
  auto& app = *chain.application;
  EXPECT_EQ(code(app.check(numbered(1), false)), "out_of_sequence");
  EXPECT_EQ(code(app.check(numbered(0), false)), "ok");
  EXPECT_EQ(code(app.check(numbered(2), false)), "out_of_sequence");
  EXPECT_EQ(code(app.check(numbered(1), false)), "ok");
  EXPECT_EQ(code(app.check(numbered(2), false)), "ok");
  // In a proposal they stand in their order, and what does not follow is left out.
  const auto proposal = app.prepare_proposal({numbered(0), numbered(2), numbered(1)}, 1U << 20U);
  EXPECT_EQ(proposal.size(), 2U);
  EXPECT_TRUE(app.process_proposal({app.info().height + 1, proposal, {}}));
  EXPECT_FALSE(app.process_proposal({app.info().height + 1, {numbered(1)}, {}}));
  for (const auto& verdict : chain.block(proposal).verdicts) EXPECT_EQ(code(verdict), "ok");
  EXPECT_EQ(code(app.check(numbered(2), true)), "ok");
  EXPECT_EQ(code(app.check(numbered(0), true)), "out_of_sequence");
}

TEST(Application, leaves_out_of_a_proposal_what_has_no_room) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  const auto& first = c.blocks.front().transactions;
  std::size_t size = 0;
  for (const auto& bytes : first) size += bytes.size() + 11;
  EXPECT_EQ(chain.application->prepare_proposal(first, size).size(), first.size());
  EXPECT_EQ(chain.application->prepare_proposal(first, size - 1).size(), first.size() - 1);
  EXPECT_TRUE(chain.application->prepare_proposal(first, 0).empty());
}

struct BadInput {
  std::string name, expected;
  std::function<Bytes(Consortium&)> make;
};

TEST(Application, refuses_bad_transactions_at_the_mempool_and_again_in_a_block) {
  Consortium c({4, short_policy(), true});
  const auto signed_by = [&](HospitalId who, ledger::Transaction transaction) {
    return ledger::sign_transaction(std::move(transaction), c.identity(who).key).encode();
  };
  const auto good = [&] { return c.make(id(1), c.open_body()); };
  const std::vector<BadInput> inputs{
      {"nothing", "bad_encoding", [](Consortium&) { return Bytes{}; }},
      {"noise", "bad_encoding", [](Consortium&) { return Bytes(200, 0xa5); }},
      {"cut off", "bad_encoding",
       [&](Consortium&) {
         Bytes bytes = good().encode();
         bytes.pop_back();
         return bytes;
       }},
      {"one byte longer", "bad_encoding",
       [&](Consortium&) {
         Bytes bytes = good().encode();
         bytes.push_back(0);
         return bytes;
       }},
      {"oversized", "transaction_too_large", [](Consortium&) { return Bytes((64U << 10U) + 1); }},
      {"replayed", "out_of_sequence", [](Consortium& of) { return of.blocks[0].transactions[0]; }},
      {"out of sequence", "out_of_sequence",
       [&](Consortium&) {
         auto t = good();
         t.sequence += 5;
         return signed_by(id(1), std::move(t));
       }},
      {"expired", "expired",
       [&](Consortium&) {
         auto t = good();
         t.expiry = Height{1};
         return signed_by(id(1), std::move(t));
       }},
      {"signed by another", "bad_signature", [&](Consortium&) { return signed_by(id(2), good()); }},
      {"of an unknown member", "unknown_member",
       [&](Consortium&) {
         auto t = good();
         t.sender = id(9);
         return signed_by(id(1), std::move(t));
       }},
      {"of another consortium", "bad_signature",
       [&](Consortium&) {
         auto t = good();
         t.consortium = ledger::test::digest_of("another");
         return signed_by(id(1), std::move(t));
       }},
      {"against the rules", "unknown_round",
       [&](Consortium& of) { return of.make(id(1), ledger::Decide{RoundId{7}}).encode(); }},
  };
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  for (const auto& made : c.blocks) (void)chain.block(made.transactions);
  for (const auto& input : inputs) {
    SCOPED_TRACE(input.name);
    const Bytes bytes = input.make(c);
    const auto before = chain.application->progress().ledger_height;
    EXPECT_EQ(code(chain.application->check(bytes, false)), input.expected);
    EXPECT_TRUE(chain.application->prepare_proposal({bytes}, 1U << 20U).empty());
    EXPECT_FALSE(
        chain.application->process_proposal({chain.application->info().height + 1, {bytes}, {}}));
    EXPECT_EQ(code(chain.block({bytes}).verdicts.front()), input.expected);
    EXPECT_EQ(chain.application->progress().ledger_height, before);
  }
  EXPECT_EQ(code(chain.block({good().encode()}).verdicts.front()), "ok");
}

TEST(Application, refuses_the_first_page_of_another_consortium_and_a_block_out_of_turn) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  auto& app = *chain.application;
  EXPECT_EQ(code(app.init_chain("\"" + std::string(64, '0') + "\"")), "wrong_consortium");
  const auto first = must(app.init_chain("\"" + c.ledger.consortium().hex() + "\""));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first.front().power, full_power);
  EXPECT_EQ(code(app.finalize_block({2, {}, {}})), "wrong_height");
  EXPECT_EQ(code(app.commit()), "wrong_height");
  // A proposal that is looked at takes back what was finalized before it.
  (void)chain.finalize({});
  EXPECT_TRUE(app.process_proposal({1, {}, {}}));
  EXPECT_EQ(code(app.commit()), "wrong_height");
  EXPECT_EQ(app.info().height, 0U);

  Consortium without;
  const Folder other;
  auto store =
      must(ledger::LedgerStore::create(other.path() / "ledger.db", without.ledger.genesis()));
  EXPECT_EQ(code(Application::open(std::move(store), {1000}, chain.clock)), "bad_genesis");
}

TEST(Application, tells_the_engine_of_new_rules_and_stops_before_a_block_by_rules_it_lacks) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  const Height at{c.ledger.height().value + 3};
  ASSERT_EQ(c.send_as(id(1), ledger::Propose{ledger::ProposeUpgrade{2, at}}), "ok");
  c.vote_until_decided(c.hospitals);
  c.block();
  ASSERT_EQ(c.send_as(id(1), c.open_body()), "ok");
  c.block();
  ASSERT_EQ(c.ledger.height().value + 1, at.value);
  for (const auto& made : c.blocks) {
    const auto done = chain.block(made.transactions);
    const bool last = made.height.value + 1 == at.value;
    EXPECT_EQ(done.app_version, last ? std::optional<std::uint32_t>(2) : std::nullopt);
    EXPECT_EQ(chain.application->info().app_version, last ? 2U : 1U);
  }
  auto& app = *chain.application;
  const auto info = app.info();
  const Bytes next = c.make(id(1), ledger::Propose{ledger::ProposeSchema{}}).encode();
  EXPECT_EQ(code(app.check(next, false)), "app_version_unknown");
  EXPECT_TRUE(app.prepare_proposal({next}, 1U << 20U).empty());
  EXPECT_FALSE(app.process_proposal({info.height + 1, {next}, {}}));
  EXPECT_EQ(code(app.finalize_block({info.height + 1, {next}, {}})), "app_version_unknown");
  EXPECT_EQ(code(app.finalize_block({info.height + 1, {}, {}})), "app_version_unknown");
  // Nothing was lost: it is where it was, for a program that has the version.
  chain.restart();
  EXPECT_EQ(chain.application->info().height, info.height);
  EXPECT_EQ(chain.application->info().app_hash, info.app_hash);
  EXPECT_EQ(chain.application->progress().ledger_height, c.ledger.height());
}

TEST(Application, gives_the_seat_of_a_validator_to_its_new_key) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  Chain chain(c.ledger.genesis(), folder.path());
  for (const auto& made : c.blocks) (void)chain.block(made.transactions);
  const auto settle = [&] {
    std::vector<ValidatorPower> told;
    for (int i = 0; i < 20; ++i) {
      chain.clock.advance_ms(1000);
      const auto tick = chain.application->due_tick();
      if (!tick) break;
      const auto done = chain.block({*tick});
      EXPECT_LE(done.validator_updates.size(), 1U);
      told.insert(told.end(), done.validator_updates.begin(), done.validator_updates.end());
      c.blocks.push_back(c.ledger.end_block());
    }
    return told;
  };
  (void)settle();
  ASSERT_EQ(chain.application->progress().validators, 4U);
  const ledger::test::Identity fresh("another validator");
  const auto old = c.ledger.validators().at(id(3));
  const Digest message = ledger::new_key_digest(c.ledger.consortium(), id(3),
                                                ledger::KeyUse::validator, fresh.info.key);
  const auto rotate =
      c.make(id(3), ledger::RotateValidatorKey{fresh.info.key, fresh.key.sign(message.view())});
  ASSERT_EQ(code(c.ledger.apply(rotate)), "ok");
  c.blocks.push_back(c.ledger.end_block());
  auto told = chain.block({rotate.encode()}).validator_updates;
  for (const auto& update : settle()) told.push_back(update);
  // One change a block: the old key leaves, then the new one comes.
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0], (ValidatorPower{old, 0}));
  EXPECT_EQ(told[1], (ValidatorPower{fresh.info.key, full_power}));
  EXPECT_EQ(chain.application->progress().validators, 4U);
}

TEST(Application, notices_a_changed_record_of_the_engine) {
  Consortium c({4, short_policy(), true});
  const Folder folder;
  {
    Chain chain(c.ledger.genesis(), folder.path());
    for (const auto& made : c.blocks) (void)chain.block(made.transactions);
    must(chain.application->close());
  }
  {
    auto database = must(Database::open(folder.path() / "ledger.db", "consilium.ledger", 1));
    must(database.execute("UPDATE driver SET record = zeroblob(length(record))"));
    must(database.close());
  }
  ManualClock clock;
  auto store = must(ledger::LedgerStore::open(folder.path() / "ledger.db"));
  EXPECT_EQ(code(Application::open(std::move(store), {1000}, clock)), "database_damaged");
}

}  // namespace
}  // namespace consilium::engine::test
