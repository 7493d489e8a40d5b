// Figures of a model as integers, and back from their sum.

#include <cmath>

#include <gtest/gtest.h>

#include "consilium/federation/council_plan.hpp"
#include "consilium/federation/metrics_plan.hpp"
#include "consilium/foundation/random.hpp"
#include "consilium/learning/training.hpp"
#include "consilium/sealing/suite.hpp"

namespace consilium::federation::testing {
namespace {

constexpr std::int64_t value_max = 8'388'607;

struct Rows {
  std::vector<float> posterior;
  std::vector<std::int32_t> disease;
};

auto some_rows(std::uint64_t seed, std::size_t rows, std::size_t classes, double skill = 1.2)
    -> Rows {
  SeededRandom random(seed, "metrics");
  Rows out;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto truth = static_cast<std::int32_t>(random.below(classes));
    std::vector<double> weights(classes);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      weights[c] = std::exp(random.normal() + (static_cast<std::int32_t>(c) == truth ? skill : 0));
      sum += weights[c];
    }
    for (const double w : weights) out.posterior.push_back(static_cast<float>(w / sum));
    out.disease.push_back(random.below(12) == 0 ? -1 : truth);
  }
  return out;
}

auto plan_of(std::uint16_t classes, std::uint16_t bins = 20) -> MetricsPlan {
  return {classes, bins, bins, 4096, 10};
}

template <typename T>
auto code(const Result<T>& result) -> std::string {
  return result ? "ok" : result.error().code;
}

TEST(Metrics, of_a_sum_are_those_of_all_cases_together) {
  for (const std::size_t classes : {2U, 3U, 5U}) {
    const auto plan = plan_of(static_cast<std::uint16_t>(classes), 400);
    std::vector<std::int64_t> sum(plan.length(), 0);
    Rows all;
    for (std::uint64_t hospital = 0; hospital < 4; ++hospital) {
      const auto rows = some_rows(hospital, 120, classes);
      all.posterior.insert(all.posterior.end(), rows.posterior.begin(), rows.posterior.end());
      all.disease.insert(all.disease.end(), rows.disease.begin(), rows.disease.end());
      const auto part = metrics_vector(plan, rows.posterior, rows.disease, value_max, 0);
      ASSERT_TRUE(part) << part.error().message();
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += (*part)[i];
    }
    const auto read = read_metrics(plan, sum, 4, value_max, false);
    ASSERT_TRUE(read) << read.error().message();
    const auto clear = learning::evaluate_posteriors(all.posterior, classes, all.disease);
    const auto cases = static_cast<double>(clear.rows);
    EXPECT_EQ(read->cases, cases);
    EXPECT_NEAR(read->accuracy, clear.accuracy, 1e-12);
    const double loss_scale = std::floor(static_cast<double>(value_max) / (4096 * 17));
    EXPECT_NEAR(read->log_loss, clear.log_loss, 4 / (2 * loss_scale * cases) + 1e-12);
    // 400 bins: few ties that the exact figure does not have.
    EXPECT_NEAR(read->auc, clear.auc, 0.005);
    EXPECT_EQ(read->confusion_cases, cases);
    EXPECT_EQ(read->roc_cases, cases);
    EXPECT_EQ(read->calibration_cases, cases);
    for (std::size_t truth = 0; truth < classes; ++truth) {
      double row = 0;
      for (std::size_t answer = 0; answer < classes; ++answer)
        row += read->confusion[truth * classes + answer];
      EXPECT_EQ(row, static_cast<double>(clear.class_rows[truth]));
      EXPECT_EQ(row - read->confusion[truth * classes + truth],
                static_cast<double>(clear.class_errors[truth]));
    }
  }
}

TEST(Metrics, know_how_far_chances_are_from_what_came_true) {
  // Ninety answers given with 0.9, of which 81 are right; ten of 0.6, of which two are.
  const auto plan = plan_of(2, 10);
  Rows rows;
  const auto add = [&rows](float chance, bool right) {
    rows.posterior.insert(rows.posterior.end(), {chance, 1 - chance});
    rows.disease.push_back(right ? 0 : 1);
  };
  for (int i = 0; i < 90; ++i) add(0.9F, i < 81);
  for (int i = 0; i < 10; ++i) add(0.6F, i < 2);
  const auto part = metrics_vector(plan, rows.posterior, rows.disease, value_max, 0);
  ASSERT_TRUE(part);
  EXPECT_NEAR(read_metrics(plan, *part, 1, value_max, false)->calibration_error,
              (0 * 90 + 0.4 * 10) / 100, 1e-4);
}

TEST(Metrics, show_no_group_below_the_smallest_cell) {
  SeededRandom sizes(1, "sizes");
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto plan = plan_of(2, static_cast<std::uint16_t>(1 + sizes.below(30)));
    const auto rows = some_rows(seed, sizes.below(80), 2);
    const auto exact = metrics_vector(plan, rows.posterior, rows.disease, value_max, 0);
    const auto part = metrics_vector(plan, rows.posterior, rows.disease, value_max, 10);
    ASSERT_TRUE(exact && part);
    const std::size_t calibration = 3 + 4;
    const std::size_t roc = calibration + 2 * plan.calibration_bins;
    const auto is_small = [](std::int64_t n) { return n != 0 && n < 10; };
    for (std::size_t at = 0; at < part->size(); ++at) {
      const bool is_sum = at == 2 || (at >= calibration && at < roc && (at - calibration) % 2 == 1);
      if (!is_sum) {
        ASSERT_FALSE(is_small((*part)[at])) << "entry " << at << ", seed " << seed;
      }
      if (is_sum && at != 2 && (*part)[at - 1] == 0) {
        ASSERT_EQ((*part)[at], 0);
      }
    }
    // No patient is lost from a histogram but with all of the same class.
    const auto total = [&](const std::vector<std::int64_t>& of, std::size_t from, std::size_t to) {
      std::int64_t all = 0;
      for (std::size_t at = from; at < to; at += 2) all += of[at];
      return all;
    };
    for (const std::size_t from : {calibration, roc, roc + 1}) {
      const std::size_t to = from == calibration ? roc : part->size();
      const auto all = total(*exact, from, to);
      ASSERT_EQ(total(*part, from, to), is_small(all) ? 0 : all);
    }
    if ((*part)[0] == 0) {
      ASSERT_EQ(*part, std::vector<std::int64_t>(plan.length(), 0));
    }
    ASSERT_TRUE(read_metrics(plan, *part, 1, value_max, false));
  }
}

TEST(Metrics, of_impossible_sums_are_refused_unless_noise_explains_them) {
  const auto plan = plan_of(2, 4);
  const auto rows = some_rows(5, 200, 2);
  const auto part = *metrics_vector(plan, rows.posterior, rows.disease, value_max, 0);
  ASSERT_TRUE(read_metrics(plan, part, 1, value_max, false));
  for (std::size_t at = 0; at < part.size(); ++at) {
    auto wrong = part;
    // A hospital that seals a negative count, or more of something than there are cases (attack 14
    // on counts).
    wrong[at] = at == 0 ? 5 : -4'000'000;
    EXPECT_EQ(code(read_metrics(plan, wrong, 1, value_max, false)), "bad_metrics") << at;
    const auto read = read_metrics(plan, wrong, 1, value_max, true);
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->accuracy >= 0 && read->accuracy <= 1 && read->auc >= 0 && read->auc <= 1);
    EXPECT_TRUE(read->calibration_error >= 0 && read->calibration_error <= 1);
  }
  auto shorter = part;
  shorter.pop_back();
  EXPECT_EQ(code(read_metrics(plan, shorter, 1, value_max, true)), "bad_metrics");
}

TEST(Metrics, refuse_what_does_not_fit_the_plan) {
  auto plan = plan_of(2);
  const auto rows = some_rows(6, 100, 3);
  EXPECT_EQ(code(metrics_vector(plan, rows.posterior, rows.disease, value_max, 0)), "bad_plan");
  const auto two = some_rows(6, 100, 2);
  plan.cases_max = 99;
  EXPECT_EQ(code(metrics_vector(plan, two.posterior, two.disease, value_max, 0)), "too_many_cases");
  plan.cases_max = 4096;
  EXPECT_EQ(code(metrics_vector(plan, two.posterior, two.disease, 4095, 0)), "bad_plan");
  EXPECT_EQ(code(metrics_vector(plan, two.posterior, two.disease, 4096, 0)), "ok");
}

TEST(Metrics, stay_within_the_suite_even_for_the_worst_model) {
  const auto plan = plan_of(2, 3);
  Rows rows;
  for (std::size_t i = 0; i < 4096; ++i) {
    rows.posterior.insert(rows.posterior.end(), {1.0F, 0.0F});
    rows.disease.push_back(1);
  }
  const auto part = metrics_vector(plan, rows.posterior, rows.disease, value_max, 10);
  ASSERT_TRUE(part);
  for (const std::int64_t value : *part) EXPECT_LE(std::abs(value), value_max);
  EXPECT_TRUE(read_metrics(plan, *part, 1, value_max, false));
  for (float& p : rows.posterior) p = std::nanf("");
  EXPECT_TRUE(metrics_vector(plan, rows.posterior, rows.disease, value_max, 10));
}

TEST(Plans, of_metrics_and_councils_survive_their_encoding_and_nothing_shorter_does) {
  const auto metrics = plan_of(3, 7).encode();
  ASSERT_TRUE(MetricsPlan::decode(metrics));
  EXPECT_EQ(*MetricsPlan::decode(metrics), plan_of(3, 7));
  const CouncilPlan council{Digest{{4}}, 5, 2, {1, 2, 3}, 4096, 10};
  const auto bytes = council.encode();
  ASSERT_TRUE(CouncilPlan::decode(bytes));
  EXPECT_EQ(*CouncilPlan::decode(bytes), council);
  for (std::size_t n = 0; n < metrics.size(); ++n)
    EXPECT_FALSE(MetricsPlan::decode(BytesView(metrics).first(n)));
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(CouncilPlan::decode(BytesView(bytes).first(n)));
  for (auto change :
       {+[](MetricsPlan& p) { p.classes = 1; }, +[](MetricsPlan& p) { p.classes = 65; },
        +[](MetricsPlan& p) { p.roc_bins = 0; }, +[](MetricsPlan& p) { p.calibration_bins = 1001; },
        +[](MetricsPlan& p) { p.cases_max = 0; }}) {
    auto plan = plan_of(2);
    change(plan);
    EXPECT_EQ(code(MetricsPlan::decode(plan.encode())), "bad_plan");
  }
  for (auto change :
       {+[](CouncilPlan& p) { p.diagnoses = 0; }, +[](CouncilPlan& p) { p.results = 65; },
        +[](CouncilPlan& p) { p.cases_max = 0; }}) {
    auto plan = council;
    change(plan);
    EXPECT_EQ(code(CouncilPlan::decode(plan.encode())), "bad_plan");
  }
}

TEST(CouncilVector, leaves_small_cells_out_and_refuses_other_counts) {
  const CouncilPlan plan{Digest{{4}}, 2, 2, {}, 4096, 10};
  const std::vector<std::int64_t> counts{9, 10, 0, 300};
  EXPECT_EQ(*council_vector(plan, counts, 10), (std::vector<std::int64_t>{0, 10, 0, 300}));
  EXPECT_EQ(*council_vector(plan, counts, 0), counts);
  EXPECT_EQ(code(council_vector(plan, std::vector<std::int64_t>{1, 2, 3}, 0)), "bad_plan");
  EXPECT_EQ(code(council_vector(plan, std::vector<std::int64_t>{1, 2, 3, -1}, 0)), "bad_plan");
  EXPECT_EQ(code(council_vector(plan, std::vector<std::int64_t>{1, 2, 3, 4097}, 0)),
            "too_many_cases");
}

}  // namespace
}  // namespace consilium::federation::testing
