#include "consilium/learning/model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "exponential.hpp"
#include "reference.hpp"

namespace consilium::learning {
namespace {

struct Sample {
  ModelShape shape;
  std::uint64_t silent;
};

auto shapes() -> std::vector<Sample> {
  return {{{7, {}, 1}, 0},      {{7, {}, 1}, 3},        {{5, {}, 2}, 0},  {{5, {}, 4}, 3},
          {{6, {9}, 1}, 4},     {{6, {9}, 2}, 0},       {{8, {5}, 3}, 3}, {{5, {7, 6}, 2}, 0},
          {{9, {4, 11}, 5}, 3}, {{3, {6, 5, 4}, 3}, 4}, {{1, {1}, 1}, 0}, {{13, {16}, 2}, 4}};
}

auto describe(const Sample& sample, std::uint64_t seed) -> std::string {
  std::string text = "seed " + std::to_string(seed) + ", " + std::to_string(sample.shape.inputs);
  for (const auto width : sample.shape.hidden) text += "-" + std::to_string(width);
  return text + "-" + std::to_string(sample.shape.outputs);
}

auto random_model(const ModelShape& shape, Random& random) -> Model {
  Model model(shape);
  model.initialise(random);
  for (auto& p : model.parameters()) p += static_cast<float>(0.1 * random.normal());
  return model;
}

TEST(Model, counts_weights_and_biases_of_every_layer) {
  EXPECT_EQ((ModelShape{13, {16}, 2}.parameter_count()), 13U * 16 + 16 + 16 * 2 + 2);
  EXPECT_EQ((ModelShape{13, {}, 1}.parameter_count()), 14U);
  EXPECT_EQ((ModelShape{4, {5, 6}, 3}.parameter_count()), 25U + 36 + 21);
  EXPECT_EQ(class_count({13, {}, 1}), 2U);
  EXPECT_EQ(class_count({13, {}, 5}), 5U);
}

TEST(Model, predicts_what_the_plain_double_network_predicts) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    for (const auto& sample : shapes()) {
      SeededRandom random(seed, "predict");
      const auto model = random_model(sample.shape, random);
      const auto classes = class_count(sample.shape);
      const auto data = reference::examples(random, 300, sample.shape.inputs, classes);
      const auto got = model.predict(batch_of(data));
      ASSERT_EQ(got.size(), data.rows * classes);
      for (std::size_t i = 0; i < data.rows; ++i) {
        const auto want = reference::posterior(reference::logits(
            sample.shape, reference::widened(model.parameters()), reference::widened(data.row(i))));
        float sum = 0;
        for (std::size_t c = 0; c < classes; ++c) {
          ASSERT_NEAR(static_cast<double>(got[i * classes + c]), want[c], 2e-6)
              << describe(sample, seed);
          sum += got[i * classes + c];
        }
        ASSERT_NEAR(sum, 1.0F, 1e-6F);
      }
    }
}

TEST(Model, gradient_agrees_with_central_finite_differences) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed)
    for (const auto& sample : shapes()) {
      SeededRandom random(seed, "gradient");
      const auto model = random_model(sample.shape, random);
      const auto data = reference::examples(random, 23, sample.shape.inputs,
                                            class_count(sample.shape), sample.silent);
      const auto batch = batch_of(data);
      std::vector<float> gradient;
      const double loss = model.loss_and_gradient(batch, gradient);
      auto parameters = reference::widened(model.parameters());
      EXPECT_NEAR(loss, reference::loss(sample.shape, parameters, batch), 1e-5)
          << describe(sample, seed);
      EXPECT_NEAR(model.loss(batch), loss, 1e-12);
      ASSERT_EQ(gradient.size(), parameters.size());
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        // Small enough that a step over a ReLU's corner is rare, large enough for doubles.
        constexpr double h = 1e-6;
        const double here = parameters[i];
        parameters[i] = here + h;
        const double above = reference::loss(sample.shape, parameters, batch);
        parameters[i] = here - h;
        const double below = reference::loss(sample.shape, parameters, batch);
        parameters[i] = here;
        ASSERT_NEAR(static_cast<double>(gradient[i]), (above - below) / (2 * h), 5e-6)
            << describe(sample, seed) << ", parameter " << i;
      }
    }
}

TEST(Model, silent_rows_weigh_nothing) {
  SeededRandom random(3, "silent");
  const auto model = random_model({6, {5}, 3}, random);
  auto data = reference::examples(random, 40, 6, 3);
  auto fewer = data;
  for (std::size_t i = 20; i < 40; ++i) data.disease[i] = -1;
  fewer.rows = 20;
  fewer.values.resize(20 * 6);
  fewer.disease.resize(20);
  std::vector<float> with, without;
  EXPECT_DOUBLE_EQ(model.loss_and_gradient(batch_of(data), with),
                   model.loss_and_gradient(batch_of(fewer), without));
  EXPECT_EQ(with, without);

  std::fill(data.disease.begin(), data.disease.end(), -1);
  EXPECT_EQ(model.loss_and_gradient(batch_of(data), with), 0.0);
  EXPECT_EQ(with, std::vector<float>(model.parameters().size(), 0.0F));
}

TEST(Model, an_empty_batch_has_no_posterior_and_no_loss) {
  const Model model({6, {5}, 3});
  const Examples none{0, 6, {}, {}, {}};
  EXPECT_TRUE(model.predict(batch_of(none)).empty());
  EXPECT_EQ(model.loss(batch_of(none)), 0.0);
}

TEST(Model, loss_and_posterior_stay_finite_for_huge_logits) {
  for (const auto& shape : {ModelShape{1, {}, 1}, ModelShape{1, {}, 3}, ModelShape{1, {2}, 2}})
    for (const float size : {30.0F, 1e3F, 1e15F, 1e30F}) {
      // Two layers multiply: 1e30 would leave the range of a float.
      if (!shape.hidden.empty() && size > 1e18F) continue;
      Model model(shape);
      for (std::size_t i = 0; i < model.parameters().size(); ++i)
        model.parameters()[i] = i % 2 == 0 ? size : -size;
      const std::vector<float> values{1, -1, 0};
      const std::vector<std::int32_t> disease{0, 1, 0};
      const Batch batch{3, 1, values, disease};
      std::vector<float> gradient;
      const double loss = model.loss_and_gradient(batch, gradient);
      EXPECT_TRUE(std::isfinite(loss)) << size;
      EXPECT_GE(loss, 0);
      const auto posterior = model.predict(batch);
      for (const float p : posterior) EXPECT_TRUE(p >= 0 && p <= 1) << p;
      const auto classes = class_count(shape);
      for (std::size_t i = 0; i < 3; ++i) {
        float sum = 0;
        for (std::size_t c = 0; c < classes; ++c) sum += posterior[i * classes + c];
        EXPECT_NEAR(sum, 1.0F, 1e-6F);
      }
    }
}

TEST(Model, exponential_is_exact_to_the_last_digits) {
  SeededRandom random(1, "exponential");
  for (int i = 0; i < 20'000; ++i) {
    const double x = (random.unit() - 0.5) * (i % 2 == 0 ? 1400 : 4);
    const double want = std::exp(x);
    ASSERT_NEAR(exponential(x) / want, 1.0, 1e-15) << x;
  }
  EXPECT_EQ(exponential(0), 1.0);
  EXPECT_TRUE(std::isnan(exponential(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_GT(exponential(-1e308), 0.0);
  EXPECT_TRUE(std::isfinite(exponential(1e308)));
}

TEST(Model, bytes_do_not_depend_on_where_the_rows_stand_in_memory) {
  SeededRandom random(9, "alignment");
  const auto model = random_model({13, {16, 5}, 3}, random);
  const auto data = reference::examples(random, 33, 13, 3, 5);
  std::vector<float> want;
  model.loss_and_gradient(batch_of(data), want);
  const auto posterior = model.predict(batch_of(data));
  for (std::size_t shift = 1; shift < 16; ++shift) {
    std::vector<float> moved(data.values.size() + shift);
    std::copy(data.values.begin(), data.values.end(),
              moved.begin() + static_cast<std::ptrdiff_t>(shift));
    const Batch batch{data.rows, data.columns, std::span(moved).subspan(shift), data.disease};
    std::vector<float> got;
    model.loss_and_gradient(batch, got);
    ASSERT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0) << shift;
    ASSERT_EQ(model.predict(batch), posterior) << shift;
  }
}

TEST(Model, starts_from_he_and_glorot_with_zero_biases) {
  SeededRandom random(5, "start");
  Model model({200, {300}, 100});
  model.initialise(random);
  const auto p = model.parameters();
  const auto deviation = [&](std::size_t from, std::size_t size) {
    double sum = 0, squares = 0;
    for (std::size_t i = from; i < from + size; ++i) {
      sum += static_cast<double>(p[i]);
      squares += static_cast<double>(p[i]) * static_cast<double>(p[i]);
    }
    const auto n = static_cast<double>(size);
    EXPECT_NEAR(sum / n, 0, 0.002);
    return std::sqrt(squares / n);
  };
  EXPECT_NEAR(deviation(0, 60'000), std::sqrt(2.0 / 200), 0.001);
  EXPECT_NEAR(deviation(60'300, 30'000), std::sqrt(2.0 / 400), 0.001);
  for (std::size_t i = 60'000; i < 60'300; ++i) ASSERT_EQ(p[i], 0.0F);
  for (std::size_t i = 90'300; i < p.size(); ++i) ASSERT_EQ(p[i], 0.0F);
}

TEST(Model, comes_back_from_its_bytes_with_the_same_digest) {
  for (const auto& sample : shapes()) {
    SeededRandom random(11, "bytes");
    const auto model = random_model(sample.shape, random);
    const auto back = Model::decode(model.encode());
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->shape(), sample.shape);
    EXPECT_EQ(back->digest(), model.digest());
    EXPECT_EQ(back->encode(), model.encode());
    const auto shape = ModelShape::decode(sample.shape.encode());
    ASSERT_TRUE(shape);
    EXPECT_EQ(*shape, sample.shape);
  }
}

TEST(Model, digest_names_shape_and_every_bit) {
  Model model({3, {}, 2});
  const auto zero = model.digest();
  for (auto& p : model.parameters()) {
    p = std::numeric_limits<float>::denorm_min();
    EXPECT_NE(model.digest(), zero);
    p = -0.0F;
    EXPECT_NE(model.digest(), zero);
    p = 0;
  }
  EXPECT_EQ(model.digest(), zero);
  // Same number of parameters, all zero, another shape.
  ASSERT_EQ((ModelShape{1, {2}, 1}.parameter_count()), (ModelShape{6, {}, 1}.parameter_count()));
  EXPECT_NE((Model({1, {2}, 1}).digest()), (Model({6, {}, 1}).digest()));
}

TEST(Model, refuses_damaged_files_by_name) {
  SeededRandom random(12, "damage");
  const auto model = random_model({4, {3}, 2}, random);
  const auto good = model.encode();
  const auto refused = [](const Bytes& bytes) {
    const auto got = Model::decode(bytes);
    return !got && got.error().code == "bad_model";
  };
  for (std::size_t size = 0; size < good.size(); ++size)
    ASSERT_TRUE(refused({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
  auto longer = good;
  longer.push_back(0);
  EXPECT_TRUE(refused(longer));
  const std::size_t header = good.size() - model.parameters().size() * sizeof(float);
  for (std::size_t i = 0; i < header; ++i)
    for (const std::uint8_t flip : std::array<std::uint8_t, 2>{0x01, 0x80}) {
      auto bad = good;
      bad[i] ^= flip;
      EXPECT_TRUE(refused(bad)) << i;
    }
  auto not_a_number = model;
  not_a_number.parameters()[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(refused(not_a_number.encode()));
}

TEST(Model, refuses_shapes_no_node_could_hold) {
  for (const auto& shape :
       {ModelShape{0, {}, 2}, ModelShape{3, {}, 0}, ModelShape{3, {0}, 2},
        ModelShape{0xFFFFFFFF, {}, 2}, ModelShape{3, {0xFFFFFFFF}, 2},
        ModelShape{1U << 20U, {1U << 16U}, 2}, ModelShape{3, std::vector<std::uint32_t>(33, 2), 2}})
    EXPECT_EQ(ModelShape::decode(shape.encode()).error().code, "bad_model");
}

}  // namespace
}  // namespace consilium::learning
