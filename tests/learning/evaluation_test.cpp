#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "reference.hpp"

namespace consilium::learning {
namespace {

TEST(Evaluation, auc_equals_counting_every_pair_with_ties) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed, "auc");
    const std::size_t rows = random.below(40);
    const std::size_t classes = 2 + random.below(3);
    const std::uint64_t levels = 1 + random.below(12);  // few levels: many ties
    std::vector<float> posterior;
    std::vector<std::int32_t> disease;
    for (std::size_t i = 0; i < rows; ++i) {
      disease.push_back(static_cast<std::int32_t>(random.below(classes + 1)) - 1);
      for (std::size_t c = 0; c < classes; ++c)
        posterior.push_back(static_cast<float>(random.below(levels)) / static_cast<float>(levels));
    }
    double won = 0;
    double pairs = 0;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < rows; ++j) {
        if (disease[i] != 1 || disease[j] < 0 || disease[j] == 1) continue;
        const float a = posterior[i * classes + 1], b = posterior[j * classes + 1];
        pairs += 1;
        won += a > b ? 1 : a == b ? 0.5 : 0;
      }
    const auto got = evaluate_posteriors(posterior, classes, disease);
    ASSERT_DOUBLE_EQ(got.auc, pairs == 0 ? 0.5 : won / pairs) << "seed " << seed;
  }
}

TEST(Evaluation, counts_rows_errors_and_recalls) {
  const std::vector<float> posterior{0.9F, 0.1F, 0.2F, 0.8F, 0.6F, 0.4F,
                                     0.3F, 0.7F, 0.8F, 0.2F, 0.1F, 0.9F};
  const std::vector<std::int32_t> disease{0, 0, 0, 1, 1, -1};
  const auto got = evaluate_posteriors(posterior, 2, disease);
  EXPECT_EQ(got.rows, 5U);
  EXPECT_EQ(got.class_rows, (std::vector<std::size_t>{3, 2}));
  EXPECT_EQ(got.class_errors, (std::vector<std::size_t>{1, 1}));
  EXPECT_DOUBLE_EQ(got.accuracy, 0.6);
  EXPECT_DOUBLE_EQ(got.balanced_accuracy, (2.0 / 3 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(got.majority_accuracy, 0.6);
  EXPECT_DOUBLE_EQ(got.auc, 3.0 / 6);
  EXPECT_NEAR(got.log_loss,
              -(std::log(0.9) + std::log(0.2) + std::log(0.6) + std::log(0.7) + std::log(0.2)) / 5,
              1e-6);
}

TEST(Evaluation, one_class_or_no_row_gives_no_curve) {
  const std::vector<float> posterior{0.9F, 0.1F, 0.2F, 0.8F};
  const auto one = evaluate_posteriors(posterior, 2, std::vector<std::int32_t>{1, 1});
  EXPECT_EQ(one.auc, 0.5);
  EXPECT_EQ(one.balanced_accuracy, 0.5);
  EXPECT_EQ(one.majority_accuracy, 1.0);
  const auto none = evaluate_posteriors(posterior, 2, std::vector<std::int32_t>{-1, -1});
  EXPECT_EQ(none.rows, 0U);
  EXPECT_EQ(none.auc, 0.5);
  EXPECT_EQ(none.log_loss, 0.0);
}

TEST(Evaluation, log_loss_of_a_sure_and_wrong_model_is_clamped) {
  const auto got =
      evaluate_posteriors(std::vector<float>{1, 0, 0, 1}, 2, std::vector<std::int32_t>{1, 1});
  EXPECT_NEAR(got.log_loss, -std::log(1e-7) / 2, 1e-9);
}

TEST(Evaluation, a_model_that_is_not_a_number_shows_in_the_log_loss) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const auto got = evaluate_posteriors(std::vector<float>{nan, nan, 0.5F, 0.5F, nan, nan}, 2,
                                       std::vector<std::int32_t>{1, 0, 0});
  EXPECT_TRUE(std::isnan(got.log_loss));
  EXPECT_DOUBLE_EQ(got.auc, 0.25);
}

TEST(Evaluation, a_model_is_judged_by_its_own_posteriors) {
  SeededRandom random(1, "model");
  const auto data = reference::examples(random, 700, 4, 3, 5);
  Model model({4, {5}, 3});
  model.initialise(random);
  const auto got = evaluate(model, data);
  const auto posterior = model.predict(batch_of(data));
  std::size_t right = 0;
  std::size_t rows = 0;
  for (std::size_t i = 0; i < data.rows; ++i) {
    if (data.disease[i] < 0) continue;
    ++rows;
    const auto first = posterior.begin() + static_cast<std::ptrdiff_t>(3 * i);
    if (std::max_element(first, first + 3) - first == data.disease[i]) ++right;
  }
  EXPECT_EQ(got.rows, rows);
  EXPECT_DOUBLE_EQ(got.accuracy, static_cast<double>(right) / static_cast<double>(rows));
  EXPECT_NEAR(got.log_loss, model.loss(batch_of(data)), 1e-5);
}

}  // namespace
}  // namespace consilium::learning
