#include "consilium/learning/training.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "reference.hpp"

namespace consilium::learning {
namespace {

auto plan_of(Algorithm algorithm, std::uint32_t steps) -> TrainingPlan {
  TrainingPlan plan;
  plan.algorithm = algorithm;
  plan.local_steps = steps;
  return plan;
}

TEST(Training, plan_comes_back_from_its_bytes) {
  SeededRandom random(1, "plan");
  for (int i = 0; i < 200; ++i) {
    TrainingPlan plan;
    plan.algorithm = random.below(2) == 0 ? Algorithm::fed_sgd : Algorithm::fed_avg;
    plan.local_steps = static_cast<std::uint32_t>(1 + random.below(1000));
    plan.batch_rows = static_cast<std::uint32_t>(1 + random.below(1000));
    plan.learning_rate_micro = static_cast<std::uint32_t>(1 + random.below(1'000'000));
    plan.momentum_micro = static_cast<std::uint32_t>(random.below(1'000'000));
    plan.weight_decay_micro = static_cast<std::uint32_t>(random.below(1'000'000));
    const auto back = TrainingPlan::decode(plan.encode());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, plan);
  }
}

TEST(Training, refuses_plans_outside_their_limits) {
  const auto refused = [](TrainingPlan plan) {
    const auto got = TrainingPlan::decode(plan.encode());
    return !got && got.error().code == "bad_plan";
  };
  TrainingPlan plan;
  EXPECT_FALSE(refused(plan));
  auto bad = plan;
  bad.algorithm = static_cast<Algorithm>(3);
  EXPECT_TRUE(refused(bad));
  bad = plan;
  bad.local_steps = 0;
  EXPECT_TRUE(refused(bad));
  bad = plan;
  bad.batch_rows = 0;
  EXPECT_TRUE(refused(bad));
  bad = plan;
  bad.learning_rate_micro = 0;
  EXPECT_TRUE(refused(bad));
  bad = plan;
  bad.momentum_micro = 1'000'000;
  EXPECT_TRUE(refused(bad));
  auto bytes = plan.encode();
  bytes.pop_back();
  EXPECT_EQ(TrainingPlan::decode(bytes).error().code, "bad_plan");
}

TEST(Training, fed_sgd_is_one_step_against_the_full_gradient) {
  SeededRandom random(2, "fed_sgd");
  const auto data = reference::examples(random, 50, 6, 3, 4);
  Model model({6, {5}, 3});
  model.initialise(random);
  std::vector<float> gradient;
  model.loss_and_gradient(batch_of(data), gradient);
  auto plan = plan_of(Algorithm::fed_sgd, 20);
  plan.learning_rate_micro = 250'000;
  plan.weight_decay_micro = 100'000;
  auto trained = model;
  ASSERT_TRUE(train(trained, data, plan, random));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const bool bias = (i >= 30 && i < 35) || i >= 50;
    const float slope = gradient[i] + (bias ? 0.0F : 0.1F * model.parameters()[i]);
    EXPECT_FLOAT_EQ(trained.parameters()[i], model.parameters()[i] - 0.25F * slope) << i;
  }
}

TEST(Training, fed_avg_with_one_whole_batch_is_repeated_gradient_steps_with_momentum) {
  SeededRandom random(3, "momentum");
  const auto data = reference::examples(random, 12, 4, 2);
  Model model({4, {}, 2});
  model.initialise(random);
  auto plan = plan_of(Algorithm::fed_avg, 7);
  plan.batch_rows = 100;  // more than there are: every batch is all rows
  plan.momentum_micro = 900'000;
  plan.learning_rate_micro = 100'000;
  auto want = model;
  std::vector<double> velocity(model.parameters().size());
  std::vector<float> gradient;
  for (int step = 0; step < 7; ++step) {
    want.loss_and_gradient(batch_of(data), gradient);
    for (std::size_t i = 0; i < velocity.size(); ++i) {
      velocity[i] = 0.9 * velocity[i] + static_cast<double>(gradient[i]);
      want.parameters()[i] -= static_cast<float>(0.1 * velocity[i]);
    }
  }
  ASSERT_TRUE(train(model, data, plan, random));
  for (std::size_t i = 0; i < velocity.size(); ++i)
    EXPECT_NEAR(model.parameters()[i], want.parameters()[i], 1e-5F) << i;
}

TEST(Training, a_pass_takes_every_recorded_row_once) {
  // One feature per row and one logistic unit: a row that was used has moved its own weight, once a
  // pass.
  constexpr std::uint32_t rows = 11;
  Examples data;
  data.rows = data.columns = rows;
  data.values.assign(rows * rows, 0.0F);
  data.mask.assign(rows * rows, 1);
  for (std::size_t i = 0; i < rows; ++i) {
    data.values[i * rows + i] = 1;
    data.disease.push_back(i == 4 ? -1 : 1);
  }
  auto plan = plan_of(Algorithm::fed_avg, 4);  // 10 recorded rows: batches of 3, 3, 3, 1
  plan.batch_rows = 3;
  plan.learning_rate_micro = 1000;  // σ stays near ½
  Model model({rows, {}, 1});
  SeededRandom random(4, "pass");
  ASSERT_TRUE(train(model, data, plan, random));
  int whole = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto moved = static_cast<double>(model.parameters()[i]) / 0.001;
    if (i == 4) {
      EXPECT_EQ(moved, 0.0);
    } else if (moved > 0.4) {
      EXPECT_NEAR(moved, 0.5, 0.01);  // alone in the short last batch
      ++whole;
    } else {
      EXPECT_NEAR(moved, 0.5 / 3, 0.01) << i;
    }
  }
  EXPECT_EQ(whole, 1);
}

TEST(Training, learns_what_two_columns_say) {
  for (const auto algorithm : {Algorithm::fed_sgd, Algorithm::fed_avg})
    for (const auto& shape : {ModelShape{5, {}, 1}, ModelShape{5, {}, 2}, ModelShape{5, {8}, 2}}) {
      SeededRandom random(5, "learns");
      const auto data = reference::examples(random, 400, 5, 2);
      const auto fresh = reference::examples(random, 400, 5, 2);
      Model model(shape);
      model.initialise(random);
      auto plan = plan_of(algorithm, 60);
      plan.learning_rate_micro = algorithm == Algorithm::fed_sgd ? 800'000 : 100'000;
      for (int round = 0; round < 30; ++round) ASSERT_TRUE(train(model, data, plan, random));
      const auto judged = evaluate(model, fresh);
      EXPECT_GT(judged.auc, 0.93);
      EXPECT_GT(judged.accuracy, 0.85);
    }
}

TEST(Training, same_seed_gives_the_same_bytes_and_another_seed_does_not) {
  SeededRandom source(6, "data");
  const auto data = reference::examples(source, 60, 9, 3, 6);
  const auto run = [&](std::uint64_t seed) {
    SeededRandom random(seed, "run");
    Model model({9, {7}, 3});
    model.initialise(random);
    EXPECT_TRUE(train(model, data, TrainingPlan{}, random));
    return model.digest();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Training, golden_digest_pins_the_bytes_of_a_training) {
  // Inputs are small dyadic numbers and the start is written out, so that nothing but training
  // itself can move this digest. A change is a change of every future model: it needs a decision
  // record.
  Examples data;
  data.rows = 40;
  data.columns = 6;
  data.mask.assign(240, 1);
  for (std::size_t i = 0; i < 240; ++i)
    data.values.push_back(static_cast<float>((i * 37 + i / 6 * 11) % 64) / 16.0F - 2.0F);
  for (std::size_t i = 0; i < 40; ++i)
    data.disease.push_back(static_cast<std::int32_t>(i * 7 % 4) - 1);
  Model model({6, {5, 4}, 3});
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    model.parameters()[i] = static_cast<float>((i * 29) % 32) / 32.0F - 0.5F;
  TrainingPlan plan;
  plan.local_steps = 200;
  plan.batch_rows = 8;
  plan.momentum_micro = 500'000;
  plan.weight_decay_micro = 1000;
  SeededRandom random(20817, "golden");
  ASSERT_TRUE(train(model, data, plan, random));
  EXPECT_EQ(model.digest().hex(),
            "0387fe197cf871f3d9f12ce0edf62801fefeeb6bc18b0d98a6f35c5475c2c752");
}

TEST(Training, leaves_the_model_alone_when_it_runs_away) {
  SeededRandom random(7, "away");
  auto data = reference::examples(random, 30, 4, 2);
  for (auto& v : data.values) v *= 1e18F;
  Model model({4, {6}, 2});
  model.initialise(random);
  const auto before = model.digest();
  auto plan = plan_of(Algorithm::fed_avg, 50);
  plan.learning_rate_micro = 100'000'000;
  const auto done = train(model, data, plan, random);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "training_diverged");
  EXPECT_EQ(model.digest(), before);

  data.values[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(train(model, data, plan_of(Algorithm::fed_sgd, 1), random).error().code,
            "training_diverged");
  EXPECT_EQ(model.digest(), before);
}

TEST(Training, refuses_to_train_on_nothing) {
  SeededRandom random(8, "nothing");
  auto data = reference::examples(random, 10, 4, 2);
  std::fill(data.disease.begin(), data.disease.end(), -1);
  Model model({4, {}, 2});
  EXPECT_EQ(train(model, data, TrainingPlan{}, random).error().code, "no_samples");
  const Examples none{0, 4, {}, {}, {}};
  EXPECT_EQ(train(model, none, plan_of(Algorithm::fed_sgd, 1), random).error().code, "no_samples");
}

TEST(Training, one_case_is_enough_to_train_on) {
  SeededRandom random(8, "one");
  const auto data = reference::examples(random, 1, 4, 2);
  Model model({4, {}, 2});
  const double before = model.loss(batch_of(data));
  ASSERT_TRUE(train(model, data, TrainingPlan{}, random));
  EXPECT_LT(model.loss(batch_of(data)), before);
}

}  // namespace
}  // namespace consilium::learning
