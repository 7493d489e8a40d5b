// Counts with noise: clipped by their norm, which is what the account counts on (sealing-spec §10).

#include "consilium/sealing/privacy_account.hpp"

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

auto squares_of(const std::vector<std::int64_t>& values) -> double {
  double squares = 0;
  for (const std::int64_t value : values)
    squares += static_cast<double>(value) * static_cast<double>(value);
  return squares;
}

TEST(ClipCounts, leaves_alone_what_is_within_both_bounds) {
  const std::vector<std::int64_t> counts{3, -4, 0, 12};
  EXPECT_EQ(must(clip_counts(counts, 13, 12)), counts);
}

TEST(ClipCounts, never_leaves_a_norm_above_the_clip) {
  SeededRandom random(3, "clip counts");
  for (int times = 0; times < 2000; ++times) {
    std::vector<std::int64_t> counts(1 + random.below(40));
    const std::uint64_t size = std::uint64_t{1} << random.below(40);
    for (std::int64_t& count : counts)
      count = static_cast<std::int64_t>(random.below(2 * size)) - static_cast<std::int64_t>(size);
    const std::uint64_t clip = 1 + random.below(1U << 20U);
    const auto value_clip = static_cast<std::int64_t>(1 + random.below(1U << 20U));
    const auto clipped = must(clip_counts(counts, clip, value_clip));
    ASSERT_LE(squares_of(clipped), static_cast<double>(clip) * static_cast<double>(clip));
    for (std::size_t i = 0; i < counts.size(); ++i) {
      ASSERT_LE(std::abs(clipped[i]), std::min(value_clip, std::abs(counts[i])));
      ASSERT_GE(clipped[i] * (counts[i] < 0 ? -1 : 1), 0) << "a sign has turned";
    }
  }
}

TEST(ClipCounts, keeps_proportions) {
  EXPECT_EQ(must(clip_counts(std::vector<std::int64_t>{3000, -4000}, 500, 1000)),
            (std::vector<std::int64_t>{300, -400}));
  EXPECT_EQ(must(clip_counts(std::vector<std::int64_t>{3000, -4000}, 100'000, 1000)),
            (std::vector<std::int64_t>{750, -1000}));
}

TEST(ClipCounts, refuses_what_no_hospital_can_count) {
  EXPECT_EQ(code_of(clip_counts(std::vector<std::int64_t>{(std::int64_t{1} << 40U) + 1}, 9, 9)),
            "bad_value");
}

TEST(NoisyCounts, need_no_room_for_a_weight_and_take_their_norm_as_bound) {
  for (const Suite suite : {Suite::l48, Suite::l60}) {
    const std::int64_t value_max = must(scale_of(suite, 4)).value_max;
    EXPECT_EQ(code_of(noisy_round(160'000, 300, 40, value_max, 3)), "bad_noise");
    const auto round = must(noisy_round(160'000, 300, 40, value_max, 3, Contents::counts));
    EXPECT_EQ(round.rule.value_clip, 300);
    EXPECT_EQ(round.rule.value_max, value_max);
    EXPECT_GE(round.rule.square_max, 300U * 300U);
    // Nine deviations still have to fit below X_max.
    EXPECT_EQ(code_of(noisy_round(std::uint64_t{932'068} * 932'068, 300, 40, value_max, 3,
                                  Contents::counts)),
              "no_headroom");
    EXPECT_EQ(code_of(noisy_round(std::uint64_t{932'000} * 932'000, 300, 40, value_max, 3,
                                  Contents::counts)),
              "");
  }
}

TEST(NoisyCounts, are_added_to_what_was_clipped) {
  SeededRandom random(4, "noisy counts");
  const auto round = must(noisy_round(160'000, 300, 3, 8'388'607, 3, Contents::counts));
  const std::vector<std::int64_t> counts{90'000, 0, -90'000};
  EXPECT_EQ(code_of(add_noise(counts, round.rule, random)), "over_clip");
  const auto clipped = must(clip_counts(counts, 300, round.rule.value_clip));
  const auto noisy = must(add_noise(clipped, round.rule, random));
  EXPECT_NE(noisy, clipped);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_LT(std::abs(noisy[i] - clipped[i]), 9 * 400);
}

}  // namespace
}  // namespace consilium::sealing
