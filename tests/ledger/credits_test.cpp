// What becomes of credits: scales, claims that the council refuses, decay, and the second
// computation that an auditor makes of all of it.

#include <filesystem>

#include <unistd.h>

#include "consilium/ledger/statement.hpp"
#include "consilium/ledger/store.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

auto decaying(std::uint32_t rounds, std::uint16_t percent) -> Policy {
  Policy policy = short_policy();
  policy.credit_epoch_rounds = rounds;
  policy.decay_percent = percent;
  return policy;
}

auto all_credits(const Consortium& c) -> std::uint64_t {
  std::uint64_t sum = 0;
  for (const auto& [member, record] : c.ledger.members()) sum += record.credits;
  return sum;
}

auto account(const Consortium& c, int hospital) -> CreditStatement {
  auto accounts = credit_statements(c.ledger);
  EXPECT_TRUE(accounts) << accounts.error().message();
  return accounts ? accounts->at(id(hospital)) : CreditStatement{};
}

/// A round that is paid, with these claims, and the model after it.
void paid_round(Consortium& c, const std::vector<std::uint64_t>& claims) {
  c.open();
  for (std::size_t i = 0; i < claims.size(); ++i)
    ASSERT_EQ(c.send_as(c.hospitals[i], c.manifest(c.hospitals[i], claims[i])), "ok");
  c.block();
  c.attest(c.miners, c.hospitals);
  c.freeze();
  c.ready(c.miners);
  c.open_sum(c.miners);
  c.vote();
  c.post_models(digest_of("model " + std::to_string(c.round().id.value)));
}

auto refusal(int hospital, std::uint64_t round = 1) -> Propose {
  return Propose{ProposeClaimRefusal{RoundId{round}, id(hospital)}};
}

TEST(CreditScale, is_concave_both_ways) {
  for (const CreditScale scale : {CreditScale::root, CreditScale::digits}) {
    Policy policy = short_policy();
    policy.credit_scale = scale;
    policy.round_pool = 100'000;
    Consortium c({4, policy});
    paid_round(c, {64, 256, 1024, 4096});
    const auto& data = c.round().rewards_data;
    for (int i = 1; i < 4; ++i) {
      EXPECT_GT(data.at(id(i + 1)), data.at(id(i))) << "more is worth more";
      EXPECT_LT(data.at(id(i + 1)), 4 * data.at(id(i))) << "but four times as much is not";
    }
    // By hand: roots 8, 16, 32, 64 and digits 7, 9, 11, 13, of 70 000.
    EXPECT_EQ(data.at(id(1)), scale == CreditScale::root ? 4667U : 12'250U);
    EXPECT_EQ(data.at(id(4)), scale == CreditScale::root ? 37'333U : 22'750U);
    EXPECT_TRUE(credit_statements(c.ledger));
  }
}

TEST(CreditScale, counts_no_claim_above_the_policys_cap) {
  Policy policy = short_policy();
  policy.align_cap = 256;
  Consortium c({4, policy});
  c.open();
  EXPECT_EQ(c.send_as(id(1), c.manifest(id(1), 512)), "bad_claim");
  EXPECT_EQ(c.send_as(id(1), c.manifest(id(1), 256)), "ok");
}

TEST(Claim, that_the_council_refuses_loses_its_data_part_and_nobody_gains) {
  Consortium c;
  paid_round(c, {4096, 64, 64, 64});
  const std::uint64_t reward = c.round().rewards_data.at(id(1));
  ASSERT_GT(reward, 0U);
  const auto before = c.ledger.members();
  ASSERT_EQ(c.send_as(id(2), refusal(1)), "ok");
  EXPECT_EQ(c.send_as(id(1), Vote{c.ledger.proposals().rbegin()->first, false}), "not_permitted");
  ASSERT_EQ(c.send_as(id(3), Vote{c.ledger.proposals().rbegin()->first, true}), "ok");
  EXPECT_EQ(c.ledger.members().at(id(1)).credits, before.at(id(1)).credits) << "two of three";
  ASSERT_EQ(c.send_as(id(4), Vote{c.ledger.proposals().rbegin()->first, true}), "ok");
  c.block();
  EXPECT_EQ(c.ledger.members().at(id(1)).credits, before.at(id(1)).credits - reward);
  EXPECT_EQ(c.ledger.members().at(id(1)).credits_lost, reward);
  for (int i = 2; i <= 4; ++i)
    EXPECT_EQ(c.ledger.members().at(id(i)).credits, before.at(id(i)).credits);
  EXPECT_EQ(all_credits(c), 1000U - reward);
  const CreditStatement statement = account(c, 1);
  ASSERT_EQ(statement.lines.size(), 2U);
  EXPECT_EQ(statement.lines.back().kind, CreditLineKind::claim_refused);
  EXPECT_EQ(statement.lines.back().lost, reward);
  EXPECT_EQ(statement.balance, c.ledger.members().at(id(1)).credits);
}

TEST(Claim, is_refused_once_in_time_and_only_where_it_was_paid) {
  Consortium c;
  EXPECT_EQ(c.send_as(id(2), refusal(1)), "unknown_round");
  paid_round(c, {64, 0, 64, 64});
  EXPECT_EQ(c.send_as(id(1), refusal(2)), "bad_claim") << "it claimed nothing";
  EXPECT_EQ(c.send_as(id(1), refusal(9)), "bad_claim") << "there is no such hospital";
  ASSERT_EQ(c.send_as(id(2), refusal(1)), "ok");
  EXPECT_EQ(c.send_as(id(3), refusal(1)), "duplicate") << "it is voted on";
  c.vote_until_decided({id(3), id(4)});
  c.block();
  EXPECT_EQ(c.send_as(id(3), refusal(1)), "duplicate") << "it is decided";
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(c.send_as(id(2), refusal(9)), "bad_claim");
    paid_round(c, {64, 64, 64, 64});
  }
  EXPECT_EQ(c.send_as(id(2), refusal(3)), "late");
  EXPECT_EQ(c.send_as(id(2), refusal(3, 2)), "ok") << "seven updates after it";
}

TEST(Claim, may_be_refused_while_a_round_runs_and_moves_no_packing_rank_of_it) {
  Consortium c;
  paid_round(c, {4096, 64, 64, 64});
  c.open();
  const auto ranks = c.ledger.packer_ranks(c.round());
  ASSERT_EQ(c.send_as(id(2), refusal(1)), "ok");
  c.vote_until_decided({id(3), id(4)});
  c.block();
  ASSERT_EQ(c.ledger.members().at(id(1)).credits_lost,
            c.ledger.rounds().at(RoundId{1}).rewards_data.at(id(1)));
  EXPECT_EQ(c.ledger.packer_ranks(c.round()), ranks);
}

TEST(Decay, takes_the_policys_part_of_everybody_at_the_end_of_each_epoch) {
  Consortium c({4, decaying(2, 25)});
  paid_round(c, {64, 64, 64, 64});
  EXPECT_EQ(all_credits(c), 1000U);
  std::map<HospitalId, std::uint64_t> before;
  for (const auto& [member, record] : c.ledger.members()) before[member] = record.credits;
  paid_round(c, {64, 64, 64, 64});
  std::uint64_t left = 0;
  for (const auto& [member, record] : c.ledger.members()) {
    const std::uint64_t had = before[member] + c.round().rewards.at(member);
    EXPECT_EQ(record.credits, had - had / 4);
    EXPECT_EQ(record.credits_lost, had / 4);
    left += record.credits;
  }
  EXPECT_EQ(all_credits(c), left);
  paid_round(c, {64, 64, 64, 64});
  EXPECT_EQ(all_credits(c), left + 1000U) << "the next epoch ends with the fourth";
  const CreditStatement statement = account(c, 1);
  ASSERT_EQ(statement.lines.size(), 4U);
  EXPECT_EQ(statement.lines[2].kind, CreditLineKind::decay);
  EXPECT_EQ(statement.lines[2].round, RoundId{2});
}

TEST(Decay, leaves_less_than_a_refused_claim_was_paid_and_takes_only_what_is_there) {
  Consortium c({4, decaying(1, 90)});
  paid_round(c, {4096, 64, 64, 64});
  const std::uint64_t reward = c.round().rewards_data.at(id(1));
  const std::uint64_t left = c.ledger.members().at(id(1)).credits;
  ASSERT_LT(left, reward);
  ASSERT_EQ(c.send_as(id(2), refusal(1)), "ok");
  c.vote_until_decided({id(3), id(4)});
  c.block();
  EXPECT_EQ(c.ledger.members().at(id(1)).credits, 0U);
  EXPECT_TRUE(credit_statements(c.ledger));
}

TEST(Policy, of_credits_says_both_numbers_or_none_and_is_written_only_when_there_is_one) {
  EXPECT_EQ(code(check_policy(decaying(2, 25))), "ok");
  EXPECT_EQ(code(check_policy(decaying(2, 0))), "bad_policy");
  EXPECT_EQ(code(check_policy(decaying(0, 25))), "bad_policy");
  EXPECT_EQ(code(check_policy(decaying(2, 101))), "bad_policy");
  EXPECT_EQ(code(check_policy(decaying(1'000'001, 25))), "bad_policy");
  Policy scale = short_policy();
  scale.credit_scale = static_cast<CreditScale>(2);
  EXPECT_EQ(code(check_policy(scale)), "bad_policy");
  const auto bytes_of = [](const Policy& policy) {
    Transaction transaction;
    transaction.body = Propose{ProposePolicy{policy}};
    return transaction.encode();
  };
  const std::size_t plain = bytes_of(short_policy()).size();
  const Bytes with = bytes_of(decaying(2, 25));
  EXPECT_EQ(with.size(), plain + 3);
  const auto back = Transaction::decode(with);
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<ProposePolicy>(std::get<Propose>(back->body).what).policy, decaying(2, 25));
  Bytes twice = with;
  for (std::size_t i = 1; i <= 3; ++i) twice.at(twice.size() - 64 - i) = 0;
  EXPECT_EQ(code(Transaction::decode(twice)), "bad_encoding") << "marked, and yet the usual";
}

TEST(CreditStatements, agree_with_the_ledger_over_many_rounds_refusals_and_epochs) {
  Consortium c({5, decaying(3, 40)});
  SeededRandom random(5, "claims");
  for (int i = 0; i < 12; ++i) {
    std::vector<std::uint64_t> claims;
    for (int h = 0; h < 5; ++h)
      claims.push_back(random.below(4) == 0 ? 0 : std::uint64_t{64} << random.below(7));
    paid_round(c, claims);
    if (random.below(2) == 0 && claims[0] > 0) {
      ASSERT_EQ(c.send_as(id(2), refusal(1, c.round().id.value)), "ok");
      c.vote_until_decided({id(3), id(4), id(5)});
      c.block();
    }
    const auto accounts = credit_statements(c.ledger);
    ASSERT_TRUE(accounts) << accounts.error().message();
    std::uint64_t balances = 0;
    std::uint64_t lost = 0;
    for (const auto& [member, statement] : *accounts) {
      balances += statement.balance;
      lost += statement.lost;
    }
    EXPECT_EQ(balances + lost, 1000U * c.ledger.models().size());
    EXPECT_EQ(balances, all_credits(c));
  }
}

TEST(CreditStatements, of_a_replayed_file_are_what_verify_reports) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("consilium-credits-" + std::to_string(::getpid()) + ".db");
  std::filesystem::remove(file);
  Consortium c({4, decaying(2, 10)});
  paid_round(c, {4096, 64, 64, 64});
  ASSERT_EQ(c.send_as(id(2), refusal(1)), "ok");
  c.vote_until_decided({id(3), id(4)});
  c.block();
  paid_round(c, {64, 64, 64, 64});
  auto store = LedgerStore::create(file, c.ledger.genesis());
  ASSERT_TRUE(store);
  for (const Block& block : c.blocks) ASSERT_TRUE(store->append(block));
  ASSERT_TRUE(store->close());
  const auto report = verify_ledger(file);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->credits, all_credits(c));
  EXPECT_EQ(report->credits_by_member.at("founder"), c.ledger.members().at(id(1)).credits);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace consilium::ledger::test
