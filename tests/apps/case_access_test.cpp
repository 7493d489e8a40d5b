// A hospital's real case base behind the federation's questions: exactly the marked cases, in the
// marked versions.

#include "case_access.hpp"

#include "app_folder.hpp"

namespace consilium::app {
namespace {

using casebase::Case;
using casebase::Status;
using federation::CaseUse;

constexpr std::string_view schema_toml = R"(
name = "example"
version = 1

[[attribute]]
id = 1
name = "age"
role = "v1"
kind = "number"
source = "age"
unit = "a"
low = 0
high = 120

[[attribute]]
id = 2
name = "sex"
role = "v1"
kind = "code"
source = "sex"
codes = ["female", "male"]

[[attribute]]
id = 9
name = "disease"
role = "v2"
kind = "code"
source = "disease"
codes = ["none", "influenza"]
)";

class CaseAccessTest : public AppFolder {
 protected:
  CaseAccessTest() : schema_(casebase::parse_schema(schema_toml, "example.toml").value()) {
    casebase_.emplace(casebase::Casebase::open(folder / "casebase.db", schema_).value());
    access_.emplace(*casebase_, schema_,
                    TrainingRule{TrainingRule::Rows::all, TrainingRule::Norm::federation},
                    folder / "standardisation");
  }
  auto keep(const std::string& id, int age, const std::string& disease, Status status) -> Case {
    Case c;
    c.id.value = id;
    c.status = status;
    c.source = "test:" + id;
    c.age_years = {casebase::Decimal::parse(std::to_string(age)).value(), {}, "a"};
    c.sex = "male";
    c.outcome.disease = disease;
    const auto kept = casebase_->keep(std::vector{c});
    EXPECT_TRUE(kept) << kept.error().message();
    access_->refresh();
    return c;
  }
  void revise(const Case& c, Status status, const std::string& disease) {
    auto outcome = c.outcome;
    outcome.disease = disease;
    ASSERT_TRUE(casebase_->revise(c.id, status, outcome, "test"));
    access_->refresh();
  }
  [[nodiscard]] auto statistics_plan() const -> federation::StatisticsPlan {
    return {schema_.digest(), 4096, 0};
  }
  /// Opens statistics of the present samples alone, so that vectors can be made.
  auto update_plan() -> federation::UpdatePlan {
    const auto marks = *access_->marks(CaseUse::training);
    const auto sum = access_->statistics(statistics_plan(), marks, 1 << 20).value();
    EXPECT_TRUE(access_->standardise({sum, 1 << 20, false}, statistics_plan()));
    federation::UpdatePlan plan;
    plan.schema = schema_.digest();
    plan.standardisation = access_->standardisation_digest();
    return plan;
  }
  [[nodiscard]] auto council_plan(Bytes question = {}) const -> federation::CouncilPlan {
    return {schema_.digest(), 2, council_results, std::move(question), 4096, 0};
  }

  casebase::Schema schema_;
  std::optional<casebase::Casebase> casebase_;
  std::optional<CaseAccess> access_;
};

TEST_F(CaseAccessTest, answers_from_the_marked_cases_when_others_have_come) {
  keep("E-1", 40, "none", Status::sample);
  keep("E-3", 60, "influenza", Status::sample);
  const auto frozen = *access_->marks(CaseUse::training);
  const auto plan = update_plan();
  const auto before = **access_->training(plan, frozen);
  const auto statistics = *access_->statistics(statistics_plan(), frozen, 1 << 20);
  keep("E-2", 90, "influenza", Status::sample);
  const auto now = *access_->marks(CaseUse::training);
  EXPECT_EQ(federation::changed_cases(frozen, now), 1U);
  const auto* again = *access_->training(plan, frozen);
  EXPECT_EQ(again->values, before.values);
  EXPECT_EQ(again->disease, before.disease);
  EXPECT_EQ((*access_->training(plan, now))->rows, 3U);
  EXPECT_EQ(*access_->statistics(statistics_plan(), frozen, 1 << 20), statistics);
  EXPECT_NE(*access_->statistics(statistics_plan(), now, 1 << 20), statistics);
}

TEST_F(CaseAccessTest, finds_the_version_a_doctor_has_revised_since) {
  keep("E-1", 40, "none", Status::sample);
  const auto patient = keep("E-2", 50, "none", Status::held_back);
  keep("E-3", 60, "influenza", Status::held_back);
  const auto frozen = *access_->marks(CaseUse::held_back);
  const auto plan = update_plan();
  const auto before = (*access_->held_back(plan, frozen))->disease;
  EXPECT_EQ(before, (std::vector<std::int32_t>{0, 1}));
  // It is another diagnosis now, and the case is no longer among the held-back ones.
  revise(patient, Status::adjusted, "influenza");
  EXPECT_EQ((*access_->marks(CaseUse::held_back)).size(), 1U);
  EXPECT_EQ((*access_->held_back(plan, frozen))->disease, before);
  auto lost = frozen;
  lost[0].version = Digest{{1}};
  const auto missing = access_->held_back(plan, lost);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "case_missing");
}

TEST_F(CaseAccessTest, counts_a_council_by_diagnosis_and_result) {
  keep("E-1", 40, "none", Status::sample);
  keep("E-2", 50, "influenza", Status::sample);
  keep("E-3", 60, "influenza", Status::sample);
  const auto patient = keep("E-4", 70, "influenza", Status::recorded);
  keep("E-5", 80, "influenza", Status::held_back);
  revise(patient, Status::confirmed, "influenza");
  EXPECT_EQ(*access_->council(council_plan(), *access_->marks(CaseUse::council)),
            (std::vector<std::int64_t>{1, 0, 2, 0}));
  revise(patient, Status::unreasonable, "influenza");
  EXPECT_EQ(*access_->council(council_plan(), *access_->marks(CaseUse::council)),
            (std::vector<std::int64_t>{1, 0, 2, 1}));
}

TEST_F(CaseAccessTest, leaves_questions_to_who_reads_them) {
  keep("E-1", 40, "none", Status::sample);
  keep("E-2", 50, "influenza", Status::sample);
  const auto marks = *access_->marks(CaseUse::council);
  const auto unread = access_->council(council_plan({45}), marks);
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.error().code, "unknown_question");
  access_->read_questions_with([](BytesView question, const Case& c) -> Result<bool> {
    return c.age_years.number->to_double() >= question[0];
  });
  EXPECT_EQ(*access_->council(council_plan({45}), marks), (std::vector<std::int64_t>{0, 0, 1, 0}));
  auto other = council_plan();
  other.results = 3;
  EXPECT_EQ(access_->council(other, marks).error().code, "stale_context");
}

TEST_F(CaseAccessTest, takes_statistics_that_only_noise_could_make) {
  keep("E-1", 40, "none", Status::sample);
  const std::vector<std::int64_t> impossible{-3, 400, 900};
  const auto refused = access_->standardise({impossible, 1 << 20, false}, statistics_plan());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bad_statistics");
  EXPECT_TRUE(access_->standardise({impossible, 1 << 20, true}, statistics_plan()));
}

}  // namespace
}  // namespace consilium::app
