// The statement of credits as page and as CSV.

#include "consilium/portal/statement.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace consilium::portal {
namespace {

auto sample() -> StatementData {
  StatementData statement;
  statement.consortium = "heart-four";
  statement.hospital = "Cleveland Clinic";
  statement.member = "cleveland";
  statement.height = 12'345;
  statement.state_digest = std::string(64, 'a');
  ledger::CreditStatement& account = statement.account;
  account.lines = {
      {ledger::CreditLineKind::round, Height{31}, RoundId{1}, 128, 4, 4, 1400, 67, 100, 0, 1567},
      {ledger::CreditLineKind::claim_refused, Height{40}, RoundId{1}, 128, 0, 0, 0, 0, 0, 1400,
       167},
      {ledger::CreditLineKind::decay, Height{55}, RoundId{2}, 0, 0, 0, 0, 0, 0, 16, 151}};
  account.data = 1400;
  account.verify = 67;
  account.pack = 100;
  account.lost = 1416;
  account.balance = 151;
  return statement;
}

auto holds(const std::string& text, std::string_view part) -> bool {
  return text.find(part) != std::string::npos;
}

TEST(Statement, shows_every_figure_of_the_account_and_why_it_was_paid_or_lost) {
  const std::string page = render_statement(sample());
  for (const auto* part :
       {"Credits of Cleveland Clinic", "height 12,345", "128 patterns claimed, 4 of 4 checked",
        ">1,400<", ">67<", ">100<", ">1,567<", "Claim refused", "by vote", ">167<",
        "epoch ended with round 2", ">16<", ">151<", ">1,416<", "aaaa aaaa aaaa aaaa"})
    EXPECT_TRUE(holds(page, part)) << part;
}

TEST(Statement, explains_the_rules_that_are_in_force) {
  StatementData statement = sample();
  EXPECT_TRUE(holds(render_statement(statement), "square root"));
  EXPECT_TRUE(holds(render_statement(statement), "Credits do not decay."));
  statement.policy.credit_scale = ledger::CreditScale::digits;
  statement.policy.credit_epoch_rounds = 12;
  statement.policy.decay_percent = 25;
  EXPECT_TRUE(holds(render_statement(statement), "number of binary digits"));
  EXPECT_TRUE(holds(render_statement(statement),
                    "After every 12 rounds everybody loses 25 % of its credits."));
}

TEST(Statement, says_what_is_withheld) {
  StatementData statement = sample();
  EXPECT_FALSE(holds(render_statement(statement), "withheld"));
  statement.account.withheld = 90;
  EXPECT_TRUE(holds(render_statement(statement), "90 of it withheld for double signing"));
}

TEST(Statement, of_a_hospital_without_credits_says_so) {
  StatementData statement = sample();
  statement.account = {};
  EXPECT_TRUE(holds(render_statement(statement), "No accepted round has paid this hospital yet."));
  EXPECT_EQ(std::ranges::count(statement_csv(statement), '\n'), 1);
}

TEST(Statement, escapes_names_and_asks_nothing_of_anybody) {
  StatementData statement = sample();
  statement.hospital = "<script>alert(1)</script> & \"Co\"";
  const std::string page = render_statement(statement);
  EXPECT_FALSE(holds(page, "<script"));
  EXPECT_TRUE(holds(page, "&lt;script&gt;"));
  EXPECT_FALSE(holds(page, "http:"));
  EXPECT_FALSE(holds(page, "https:"));
  EXPECT_FALSE(holds(page, "style=\""));
  EXPECT_EQ(render_statement(statement), page);
}

TEST(StatementCsv, has_a_line_for_each_line_and_the_same_figures) {
  const std::string csv = statement_csv(sample());
  EXPECT_TRUE(holds(csv,
                    "31,1,\"round\",128,4,4,1400,67,100,0,1567,\"Cleveland Clinic\","
                    "\"heart-four\"\r\n"));
  EXPECT_TRUE(holds(csv, "40,1,\"claim_refused\",128,0,0,0,0,0,1400,167,"));
  EXPECT_TRUE(holds(csv, "55,2,\"decay\",0,0,0,0,0,0,16,151,"));
  EXPECT_EQ(std::ranges::count(csv, '\n'), 4);
}

TEST(StatementCsv, has_no_text_that_a_spreadsheet_takes_for_a_formula) {
  EXPECT_EQ(csv_text("plain"), "\"plain\"");
  EXPECT_EQ(csv_text("=1+1"), "\"'=1+1\"");
  EXPECT_EQ(csv_text("+1"), "\"'+1\"");
  EXPECT_EQ(csv_text("-1"), "\"'-1\"");
  EXPECT_EQ(csv_text("@SUM(A1)"), "\"'@SUM(A1)\"");
  EXPECT_EQ(csv_text("\t=1"), "\"'=1\"");
  EXPECT_EQ(csv_text("  =1"), "\"'  =1\"");
  EXPECT_EQ(csv_text("\"=1"), "\"'\"\"=1\"") << "a quote may be stripped by what reads it";
  EXPECT_EQ(csv_text("a\"b\r\nc"), "\"a\"\"bc\"");
  StatementData statement = sample();
  statement.hospital = "=HYPERLINK(\"http://x\")";
  EXPECT_TRUE(holds(statement_csv(statement), ",\"'=HYPERLINK(\"\"http://x\"\")\","));
}

}  // namespace
}  // namespace consilium::portal
