#include "consilium/casebase/casebase.hpp"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/database.hpp"
#include "consilium/foundation/random.hpp"

#include "case_codec.hpp"
#include "example.hpp"

namespace consilium::casebase {
namespace {

class CasebaseTest : public testing::Test {
 protected:
  CasebaseTest() {
    folder_ = std::filesystem::temp_directory_path() /
              ("consilium-casebase-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~CasebaseTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] auto file() const -> std::filesystem::path { return folder_ / "casebase.db"; }
  [[nodiscard]] auto open() const -> Casebase {
    auto opened = Casebase::open(file(), example::schema());
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(opened.value());
  }
  /// Runs SQL on the closed file as somebody else's program would, leaving a valid database.
  void tamper(std::string_view sql) const {
    auto database = Database::open(file(), "consilium.casebase", 1);
    ASSERT_TRUE(database) << database.error().message();
    ASSERT_TRUE(database->execute(sql));
    ASSERT_TRUE(database->close());
  }

  std::filesystem::path folder_;
};

auto some_cases() -> std::vector<Case> {
  return {example::full_case("E-0003", "50", "37.5", "none"),
          example::full_case("E-0001", "60", "38.5", "influenza"),
          example::full_case("E-0002", "70", "39.5", "pneumonia")};
}

TEST_F(CasebaseTest, keeps_cases_and_gives_them_back_in_order) {
  auto cases = some_cases();
  {
    auto casebase = open();
    EXPECT_EQ(casebase.keep(cases).value(), 3U);
    ASSERT_TRUE(casebase.close());
  }
  const auto casebase = open();
  std::ranges::sort(cases, {}, &Case::id);
  EXPECT_EQ(casebase.all().value(), cases);
  EXPECT_EQ(casebase.samples().value(), cases);
  EXPECT_EQ(casebase.find({"E-0002"}).value(), cases[1]);
  EXPECT_EQ(casebase.count(Status::sample).value(), 3U);
  EXPECT_EQ(casebase.find({"E-0009"}).error().code, "case_missing");
}

TEST_F(CasebaseTest, keeps_the_same_record_once) {
  auto casebase = open();
  EXPECT_EQ(casebase.keep(some_cases()).value(), 3U);
  EXPECT_EQ(casebase.keep(some_cases()).value(), 0U);
  auto more = some_cases();
  more.push_back(example::full_case("E-0004", "50", "37", "none"));
  EXPECT_EQ(casebase.keep(more).value(), 1U);
  EXPECT_EQ(casebase.all()->size(), 4U);
}

TEST_F(CasebaseTest, keeps_all_or_none) {
  auto casebase = open();
  ASSERT_TRUE(casebase.keep(some_cases()));
  const std::vector<Case> conflicting{example::full_case("E-0007", "50", "37", "none"),
                                      example::full_case("E-0001", "61", "38.5", "influenza")};
  EXPECT_EQ(casebase.keep(conflicting).error().code, "conflicting_case");
  const std::vector<Case> impossible{example::full_case("E-0008", "50", "37", "none"),
                                     example::full_case("E-0009", "500", "37", "none")};
  EXPECT_EQ(casebase.keep(impossible).error().code, "bad_number");
  auto endless = example::full_case("E-0010", "50", "37", "none");
  endless.source.assign(1U << 17U, 'x');
  EXPECT_EQ(casebase.keep(std::vector{endless}).error().code, "bad_case");
  EXPECT_EQ(casebase.all()->size(), 3U);
}

TEST_F(CasebaseTest, never_gives_a_held_back_case_as_a_sample) {
  auto cases = some_cases();
  cases[0].status = Status::held_back;
  auto casebase = open();
  ASSERT_TRUE(casebase.keep(cases));
  const auto samples = casebase.samples().value();
  ASSERT_EQ(samples.size(), 2U);
  for (const auto& c : samples) EXPECT_EQ(c.status, Status::sample);
  EXPECT_EQ(casebase.with_status(Status::held_back).value(), std::vector{cases[0]});
}

TEST_F(CasebaseTest, lets_a_case_live_only_the_life_it_can) {
  const std::vector<Status> every{Status::recorded, Status::confirmed, Status::adjusted,
                                  Status::rejected, Status::sample,    Status::unreasonable,
                                  Status::held_back};
  const auto allowed = [](Status from, Status to) {
    const bool verdict =
        to == Status::confirmed || to == Status::adjusted || to == Status::rejected;
    const bool result = to == Status::sample || to == Status::unreasonable;
    if (from == Status::recorded || from == Status::held_back) return verdict;
    if (from == Status::confirmed || from == Status::adjusted) return result;
    return false;
  };
  auto casebase = open();
  int number = 0;
  for (const auto from : every)
    for (const auto to : every) {
      auto c = example::full_case("T-" + std::to_string(number++), "50", "37", "none");
      c.status = from;
      ASSERT_TRUE(casebase.keep(std::vector{c}));
      auto outcome = c.outcome;
      outcome.disease = "influenza";
      const auto revised = casebase.revise(c.id, to, outcome, "because");
      EXPECT_EQ(revised.has_value(), allowed(from, to))
          << status_name(from) << " " << status_name(to);
      if (!revised) {
        EXPECT_EQ(revised.error().code, "bad_transition");
      }
      const auto now = casebase.find(c.id).value();
      EXPECT_EQ(now.status, revised ? to : from);
      EXPECT_EQ(now.outcome.disease, revised ? "influenza" : "none");
      EXPECT_EQ(casebase.history(c.id)->size(), revised ? 1U : 0U);
    }
}

TEST_F(CasebaseTest, remembers_what_a_revision_replaced) {
  auto c = example::full_case("E-0001", "50", "37", "none");
  c.status = Status::held_back;
  auto casebase = open();
  ASSERT_TRUE(casebase.keep(std::vector{c}));
  auto outcome = c.outcome;
  outcome.disease = "pneumonia";
  ASSERT_TRUE(casebase.revise(c.id, Status::adjusted, outcome, "the X-ray says so"));
  ASSERT_TRUE(casebase.revise(c.id, Status::sample, outcome, "recovered"));
  const auto history = casebase.history(c.id).value();
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0].before, c);
  EXPECT_EQ(history[0].reason, "the X-ray says so");
  EXPECT_EQ(history[1].before.status, Status::adjusted);
  EXPECT_EQ(casebase.samples()->front().outcome.disease, "pneumonia");
  // The file it came from is imported again: it is still the same record.
  EXPECT_EQ(casebase.keep(std::vector{c}).value(), 0U);
  EXPECT_EQ(casebase.revise({"E-9"}, Status::sample, outcome, "").error().code, "case_missing");
}

TEST_F(CasebaseTest, gives_a_case_back_in_the_version_it_once_had) {
  auto c = example::full_case("E-0001", "50", "37", "none");
  c.status = Status::held_back;
  auto casebase = open();
  ASSERT_TRUE(casebase.keep(std::vector{c}));
  auto outcome = c.outcome;
  outcome.disease = "pneumonia";
  ASSERT_TRUE(casebase.revise(c.id, Status::adjusted, outcome, "the X-ray says so"));
  const Digest first = version_of(c);
  auto now = *casebase.find(c.id);
  EXPECT_NE(version_of(now), first);
  EXPECT_EQ(casebase.in_version(c.id, first)->outcome.disease, "none");
  EXPECT_EQ(casebase.in_version(c.id, version_of(now))->outcome.disease, "pneumonia");
  EXPECT_EQ(casebase.in_version(c.id, Digest{{1}}).error().code, "case_missing");
  EXPECT_EQ(casebase.in_version({"E-9"}, first).error().code, "case_missing");
  // Where a case stands in its life is no content.
  ASSERT_TRUE(casebase.revise(c.id, Status::sample, outcome, "recovered"));
  EXPECT_EQ(version_of(*casebase.find(c.id)), version_of(now));
}

TEST_F(CasebaseTest, refuses_an_outcome_the_schema_does_not_know) {
  auto c = example::full_case("E-0001", "50", "37", "none");
  c.status = Status::recorded;
  auto casebase = open();
  ASSERT_TRUE(casebase.keep(std::vector{c}));
  EXPECT_EQ(casebase.revise(c.id, Status::adjusted, {"gout", {}, {}}, "").error().code,
            "unknown_code");
  EXPECT_EQ(casebase.find(c.id).value(), c);
  EXPECT_TRUE(casebase.history(c.id)->empty());
}

TEST_F(CasebaseTest, marks_exactly_the_shared_samples) {
  auto cases = some_cases();
  cases.push_back(example::full_case("E-0004", "50", "37", "none"));
  cases.back().status = Status::held_back;
  const Bytes first{1, 2};
  const Bytes second{3};
  {
    auto casebase = open();
    ASSERT_TRUE(casebase.keep(cases));
    EXPECT_FALSE(casebase.shared_summary()->has_value());
    EXPECT_TRUE(casebase.shared_samples()->empty());
    const std::vector<CaseId> ids{{"E-0003"}, {"E-0001"}};
    ASSERT_TRUE(casebase.mark_shared(ids, first, 7));
    const auto shared = casebase.shared_samples().value();
    ASSERT_EQ(shared.size(), 2U);
    EXPECT_EQ(shared[0].id.value, "E-0001");
    EXPECT_EQ(shared[1].id.value, "E-0003");

    for (const auto* wrong : {"E-0004", "E-0099"}) {
      const std::vector<CaseId> unknown{{"E-0002"}, {wrong}};
      EXPECT_EQ(casebase.mark_shared(unknown, second, 1).error().code, "case_missing");
    }
    EXPECT_EQ(casebase.shared_samples().value(), shared);
    EXPECT_EQ(casebase.shared_summary().value()->session, first);

    const std::vector<CaseId> again{{"E-0002"}};
    ASSERT_TRUE(casebase.mark_shared(again, second, 1));
    ASSERT_TRUE(casebase.close());
  }
  auto casebase = open();
  ASSERT_EQ(casebase.shared_samples()->size(), 1U);
  EXPECT_EQ(casebase.shared_samples()->front().id.value, "E-0002");
  const auto summary = casebase.shared_summary().value();
  EXPECT_EQ(summary->session, second);
  EXPECT_EQ(summary->patterns, 1U);
  EXPECT_EQ(summary->cases, 1U);
  ASSERT_TRUE(casebase.mark_shared({}, first, 0));
  EXPECT_TRUE(casebase.shared_samples()->empty());
}

TEST_F(CasebaseTest, refuses_another_schema) {
  ASSERT_TRUE(open().close());
  auto other = example::schema();
  other.version = 4;
  const auto opened = Casebase::open(file(), other);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "stale_schema");
  ASSERT_TRUE(open().close());
}

TEST_F(CasebaseTest, refuses_a_database_of_another_kind) {
  ASSERT_TRUE(Database::open(file(), "consilium.ledger", 1)->close());
  EXPECT_EQ(Casebase::open(file(), example::schema()).error().code, "database_foreign");
}

TEST_F(CasebaseTest, finds_a_flipped_byte_in_a_closed_file) {
  {
    auto casebase = open();
    ASSERT_TRUE(casebase.keep(some_cases()));
    ASSERT_TRUE(casebase.close());
  }
  auto bytes = read_file(file()).value();
  bytes[bytes.size() / 2] ^= 1U;
  std::ofstream(file(), std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  const auto opened = Casebase::open(file(), example::schema());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "database_damaged");
}

TEST_F(CasebaseTest, finds_rows_changed_behind_its_back) {
  const std::vector<std::string> changes{
      "UPDATE cases SET status = 7 WHERE id = 'E-0001'",
      "UPDATE cases SET shared = 0 WHERE id = 'E-0001'",
      "UPDATE cases SET id = 'E-0009' WHERE id = 'E-0001'",
      "UPDATE cases SET origin = zeroblob(32) WHERE id = 'E-0001'",
      "UPDATE cases SET origin = x'00' WHERE id = 'E-0001'",
      "UPDATE cases SET digest = zeroblob(32) WHERE id = 'E-0001'",
      "UPDATE cases SET row = (SELECT row FROM cases WHERE id = 'E-0002') WHERE id = 'E-0001'"};
  for (const auto& change : changes) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    {
      auto casebase = open();
      ASSERT_TRUE(casebase.keep(some_cases()));
      const std::vector<CaseId> ids{{"E-0001"}};
      ASSERT_TRUE(casebase.mark_shared(ids, Bytes{1}, 1));
      ASSERT_TRUE(casebase.all());
      ASSERT_TRUE(casebase.close());
    }
    tamper(change);
    auto casebase = open();
    const auto all = casebase.all();
    ASSERT_FALSE(all) << change;
    EXPECT_EQ(all.error().code, "database_damaged") << change;
    EXPECT_FALSE(casebase.shared_samples()) << change;
  }
}

TEST_F(CasebaseTest, finds_changed_history_and_session) {
  auto c = example::full_case("E-0001", "50", "37", "none");
  c.status = Status::recorded;
  {
    auto casebase = open();
    ASSERT_TRUE(casebase.keep(std::vector{c}));
    ASSERT_TRUE(casebase.revise(c.id, Status::confirmed, c.outcome, "yes"));
    ASSERT_TRUE(casebase.mark_shared({}, Bytes{1}, 1));
    ASSERT_TRUE(casebase.close());
  }
  tamper("UPDATE history SET reason = 'no'");
  tamper("UPDATE meta SET value = x'0100000001' WHERE key = 'shared'");
  {
    auto casebase = open();
    EXPECT_EQ(casebase.history(c.id).error().code, "database_damaged");
    EXPECT_EQ(casebase.shared_summary().error().code, "database_damaged");
    ASSERT_TRUE(casebase.close());
  }
  tamper("DELETE FROM meta WHERE key = 'schema'");
  EXPECT_EQ(Casebase::open(file(), example::schema()).error().code, "database_damaged");
}

auto any_case(std::uint64_t seed) -> Case {
  SeededRandom random(seed, "any case");
  const auto word = [&] {
    return random.below(3) == 0 ? std::string() : "w" + std::to_string(random.below(99));
  };
  const auto maybe = [&]() -> std::optional<Decimal> {
    if (random.below(2) == 0) return std::nullopt;
    return example::number(std::to_string(random.below(100000)) + "e-2");
  };
  const auto value = [&]() -> Value {
    if (const auto n = maybe()) return {n, {}, word()};
    return {std::nullopt, word(), {}};
  };
  Case c;
  c.id.value = "A-" + std::to_string(seed);
  c.status = static_cast<Status>(1 + random.below(7));
  c.source = word();
  c.age_years = value();
  c.sex = word();
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    Finding finding{word(), maybe(), word(), word(), {}};
    for (std::uint64_t k = random.below(4); k > 0; --k) finding.exams.push_back({word(), value()});
    c.findings.push_back(finding);
  }
  c.outcome.disease = word();
  for (std::uint64_t i = random.below(3); i > 0; --i) c.outcome.complications.push_back(word());
  for (std::uint64_t i = random.below(3); i > 0; --i)
    c.outcome.treatments.push_back({word(), word(), maybe(), word(), word(), word()});
  return c;
}

TEST(CaseCodec, gives_back_what_it_wrote) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto c = any_case(seed);
    const auto back = decode_case(encode_case(c));
    ASSERT_TRUE(back) << "seed " << seed;
    EXPECT_EQ(*back, c) << "seed " << seed;
  }
}

TEST(CaseCodec, refuses_a_number_written_in_another_way) {
  for (const auto& number : {Decimal{10, 0}, Decimal{0, 1}, Decimal{1, 19}, Decimal{1, -19},
                             Decimal{(std::int64_t{1} << 53U) + 1, 0}}) {
    Case c;
    c.id.value = "E-1";
    c.age_years = {number, {}, "a"};
    EXPECT_FALSE(decode_case(encode_case(c))) << number.mantissa << "e" << number.exponent;
  }
}

TEST(CaseCodec, accepts_one_encoding_only) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SeededRandom random(seed, "changed bytes");
    const auto good = encode_case(any_case(seed));
    auto bytes = good;
    bytes[random.below(bytes.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
    if (random.below(4) == 0) bytes.resize(random.below(bytes.size()));
    const auto back = decode_case(bytes);
    if (back) {
      EXPECT_EQ(encode_case(*back), bytes) << "seed " << seed;
    }
    auto longer = good;
    longer.push_back(0);
    EXPECT_FALSE(decode_case(longer)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace consilium::casebase
