// Powers in consensus: equal, low for whoever is away, and never so that safety is for sale.

#include "consilium/engine/validator_rule.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace consilium::engine {
namespace {

using Keys = std::map<HospitalId, sealing::VerifyKey>;

auto keys(std::size_t count) -> Keys {
  Keys out;
  for (std::size_t i = 1; i <= count; ++i) {
    sealing::VerifyKey key;
    key.bytes.fill(static_cast<std::uint8_t>(i));
    out[HospitalId{static_cast<std::uint16_t>(i)}] = key;
  }
  return out;
}
auto commit(const Keys& all, const std::vector<std::uint16_t>& missing) -> std::vector<CommitVote> {
  std::vector<CommitVote> out;
  for (const auto& [id, key] : all) {
    const bool absent = std::find(missing.begin(), missing.end(), id.value) != missing.end();
    out.push_back({address_of(key), !absent});
  }
  return out;
}

TEST(LoweredMax, keeps_the_strongest_f_below_a_third_for_four_to_forty) {
  for (std::size_t n = 4; n <= 40; ++n) {
    const std::size_t f = (n - 1) / 3;
    const std::size_t most = lowered_max(n);
    EXPECT_LE(most, f) << n;
    EXPECT_GE(most, 1U) << n;
    for (std::size_t lowered = 0; lowered <= most; ++lowered) {
      const auto total = static_cast<std::size_t>(full_power) * (n - lowered) +
                         static_cast<std::size_t>(lowered_power) * lowered;
      EXPECT_LT(3 * f * static_cast<std::size_t>(full_power), total) << n << " " << lowered;
      // Everybody who is not lowered still decides alone: the absent are not waited for.
      EXPECT_GT(3 * static_cast<std::size_t>(full_power) * (n - lowered), 2 * total);
    }
  }
  EXPECT_EQ(lowered_max(3), 0U);
  // With seven, two of f = 2 lowered would leave 200 of 502 to the two strongest: more than a
  // third.
  EXPECT_EQ(lowered_max(7), 1U);
}

TEST(AbsenceRule, lowers_after_twenty_misses_in_a_row_and_gives_back_at_the_first_signature) {
  const Keys all = keys(4);
  ValidatorRule rule(all);
  std::uint64_t height = 0;
  for (std::uint32_t miss = 1; miss < misses_max; ++miss) {
    EXPECT_TRUE(rule.update(all, commit(all, {3}), ++height, true).empty());
  }
  EXPECT_TRUE(rule.update(all, commit(all, {}), ++height, true).empty());  // it was there once
  for (std::uint32_t miss = 1; miss < misses_max; ++miss) {
    EXPECT_TRUE(rule.update(all, commit(all, {3}), ++height, true).empty());
  }
  EXPECT_TRUE(rule.absent().empty());
  const auto lowered = rule.update(all, commit(all, {3}), ++height, true);
  ASSERT_EQ(lowered.size(), 1U);
  EXPECT_EQ(lowered.front(), (ValidatorPower{all.at(HospitalId{3}), lowered_power}));
  EXPECT_EQ(rule.absent(), std::vector{HospitalId{3}});
  // A second one is not lowered as well: n = 4 carries one.
  for (std::uint32_t miss = 0; miss < 2 * misses_max; ++miss) {
    EXPECT_TRUE(rule.update(all, commit(all, {2, 3}), ++height, true).empty());
  }
  const auto returned = rule.update(all, commit(all, {2}), ++height, true);
  ASSERT_EQ(returned.size(), 2U);  // 3 is back, and 2 takes the place of the absent
  for (const auto& change : returned) {
    EXPECT_EQ(change.power, change.key == all.at(HospitalId{3}) ? full_power : lowered_power);
  }
}

TEST(AbsenceRule, changes_nothing_in_blocks_that_do_not_count_and_rests_when_somebody_stays_away) {
  const Keys all = keys(4);
  ValidatorRule rule(all);
  const Bytes fresh = rule.encode();
  for (std::uint64_t height = 1; height <= 100; ++height) {
    EXPECT_TRUE(rule.update(all, commit(all, {1}), height, false).empty());
  }
  EXPECT_EQ(rule.encode(), fresh);
  for (std::uint64_t height = 101; height <= 140; ++height) {
    (void)rule.update(all, commit(all, {1}), height, true);
  }
  const Bytes away = rule.encode();
  (void)rule.update(all, commit(all, {1}), 141, true);
  EXPECT_EQ(rule.encode(), away);
}

TEST(ValidatorRule, lets_one_join_or_leave_at_a_time_and_keeps_the_last) {
  const Keys all = keys(4);
  ValidatorRule rule(keys(1));
  std::uint64_t height = 10;
  std::vector<std::size_t> changes;
  for (int i = 0; i < 7; ++i) changes.push_back(rule.update(all, {}, ++height, false).size());
  EXPECT_EQ(changes, (std::vector<std::size_t>{1, 0, 1, 0, 1, 0, 0}));
  EXPECT_FALSE(rule.would_change(all));

  // A new key is one leaving and one joining.
  Keys renewed = all;
  renewed.at(HospitalId{2}).bytes.fill(0x77);
  EXPECT_TRUE(rule.would_change(renewed));
  const auto gone = rule.update(renewed, {}, ++height, false);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone.front(), (ValidatorPower{all.at(HospitalId{2}), 0}));
  EXPECT_TRUE(rule.update(renewed, {}, ++height, false).empty());
  EXPECT_EQ(rule.update(renewed, {}, ++height, false).front().power, full_power);

  for (int i = 0; i < 20; ++i) (void)rule.update({}, {}, ++height, false);
  EXPECT_EQ(rule.powers().size(), 1U);
  EXPECT_FALSE(rule.would_change({}));  // nothing to wait for: nobody takes the last seat
}

TEST(ValidatorRule, gives_the_only_seat_a_new_key_in_one_step) {
  ValidatorRule rule(keys(1));
  Keys renewed = keys(1);
  renewed.at(HospitalId{1}).bytes.fill(0x55);
  const auto changes = rule.update(renewed, {}, 9, false);
  EXPECT_EQ(changes, (std::vector<ValidatorPower>{{renewed.at(HospitalId{1}), full_power},
                                                  {keys(1).at(HospitalId{1}), 0}}));
  EXPECT_FALSE(rule.would_change(renewed));
}

TEST(ValidatorRule, reads_back_what_it_wrote_and_nothing_else) {
  const Keys all = keys(7);
  ValidatorRule rule(all);
  for (std::uint64_t height = 1; height < 30; ++height)
    (void)rule.update(all, commit(all, {2, 5}), height, true);
  const Bytes bytes = rule.encode();
  const auto read = ValidatorRule::decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->encode(), bytes);
  EXPECT_EQ(read->powers(), rule.powers());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ValidatorRule::decode(BytesView(bytes).first(size)));
  }
}

}  // namespace
}  // namespace consilium::engine
