// Which cases stand behind a vector, and when changed ones are let in.

#include "consilium/federation/frozen_cases.hpp"

#include <set>

#include <gtest/gtest.h>

#include "consortium.hpp"

namespace consilium::federation::testing {
namespace {

using sealing::Purpose;

auto mark(int id, int version = 0) -> CaseMark {
  return {CaseId{"c-" + std::to_string(1000 + id)},
          Digest{{static_cast<std::uint8_t>(version), 1}}};
}

auto marks(int from, int to, int version = 0) -> std::vector<CaseMark> {
  std::vector<CaseMark> out;
  for (int i = from; i < to; ++i) out.push_back(mark(i, version));
  return out;
}

TEST(ChangedCases, are_those_that_came_went_or_have_other_content) {
  EXPECT_EQ(changed_cases(marks(0, 5), marks(0, 5)), 0U);
  EXPECT_EQ(changed_cases(marks(0, 5), marks(1, 5)), 1U);
  EXPECT_EQ(changed_cases(marks(0, 5), marks(0, 7)), 2U);
  EXPECT_EQ(changed_cases(marks(0, 5), marks(2, 7)), 4U);
  EXPECT_EQ(changed_cases(marks(0, 5), marks(0, 5, 1)), 5U);
  EXPECT_EQ(changed_cases({}, marks(0, 3)), 3U);
  EXPECT_EQ(changed_cases(marks(0, 3), {}), 3U);
}

TEST(ChangedCases, are_counted_as_by_sets) {
  SeededRandom random(8, "changed cases");
  for (int times = 0; times < 500; ++times) {
    const auto some = [&] {
      std::vector<CaseMark> out;
      for (int i = 0; i < 20; ++i)
        if (random.below(3) != 0) out.push_back(mark(i, static_cast<int>(random.below(2))));
      return out;
    };
    const auto before = some();
    const auto now = some();
    std::set<std::string> changed;
    const auto collect = [&changed](const auto& from, const auto& other) {
      for (const auto& one : from) {
        if (std::find(other.begin(), other.end(), one) == other.end()) changed.insert(one.id.value);
      }
    };
    collect(before, now);
    collect(now, before);
    ASSERT_EQ(changed_cases(before, now), changed.size());
  }
}

TEST(FreezeCases, keeps_the_cases_until_enough_of_them_changed) {
  SharedBlobs blobs;
  MemoryStorage storage(blobs);
  const Digest first{{1}};
  for (const Purpose purpose :
       {Purpose::update, Purpose::statistics, Purpose::metrics, Purpose::council}) {
    auto frozen = freeze_cases(storage, purpose, first, marks(0, 40), 10);
    ASSERT_TRUE(frozen);
    EXPECT_EQ(frozen->cases, marks(0, 40));
    // Nine changed: as before, and before itself does not move with them.
    EXPECT_EQ(freeze_cases(storage, purpose, first, marks(9, 40), 10)->cases, marks(0, 40));
    EXPECT_EQ(freeze_cases(storage, purpose, first, marks(5, 44), 10)->cases, marks(0, 40));
    EXPECT_EQ(freeze_cases(storage, purpose, first, marks(5, 45), 10)->cases, marks(5, 45));
    EXPECT_EQ(freeze_cases(storage, purpose, first, marks(0, 41), 10)->cases, marks(5, 45));
  }
}

TEST(FreezeCases, lets_a_new_base_see_the_cases_as_they_are) {
  SharedBlobs blobs;
  MemoryStorage storage(blobs);
  ASSERT_TRUE(freeze_cases(storage, Purpose::update, Digest{{1}}, marks(0, 40), 10));
  EXPECT_EQ(freeze_cases(storage, Purpose::update, Digest{{2}}, marks(1, 40), 10)->cases,
            marks(1, 40));
  // What is counted without a base stays whatever is asked.
  ASSERT_TRUE(freeze_cases(storage, Purpose::council, Digest{{1}}, marks(0, 40), 10));
  EXPECT_EQ(freeze_cases(storage, Purpose::council, Digest{{2}}, marks(1, 40), 10)->cases,
            marks(0, 40));
}

TEST(FreezeCases, gives_the_integers_back_for_the_same_question_only) {
  SharedBlobs blobs;
  MemoryStorage storage(blobs);
  auto frozen = *freeze_cases(storage, Purpose::statistics, Digest{{1}}, marks(0, 40), 10);
  frozen.values = {7, 8, -9};
  ASSERT_TRUE(keep_frozen(storage, Purpose::statistics, frozen));
  EXPECT_EQ(freeze_cases(storage, Purpose::statistics, Digest{{1}}, marks(3, 40), 10)->values,
            frozen.values);
  const auto other = freeze_cases(storage, Purpose::statistics, Digest{{2}}, marks(3, 40), 10);
  EXPECT_EQ(other->cases, marks(0, 40));
  EXPECT_TRUE(other->values.empty());
  EXPECT_TRUE(
      freeze_cases(storage, Purpose::statistics, Digest{{2}}, marks(20, 60), 10)->values.empty());
}

TEST(FreezeCases, names_a_changed_record_and_seals_from_no_others) {
  SharedBlobs blobs;
  MemoryStorage storage(blobs);
  ASSERT_TRUE(freeze_cases(storage, Purpose::update, Digest{{1}}, marks(0, 4), 10));
  Bytes& record = storage.records.at("frozen/update");
  for (std::size_t at = 0; at < record.size(); ++at) {
    record[at] ^= 1U;
    const auto frozen = freeze_cases(storage, Purpose::update, Digest{{1}}, marks(0, 5), 10);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().code, "database_damaged");
    record[at] ^= 1U;
  }
  for (std::size_t n = 0; n < record.size(); ++n)
    EXPECT_FALSE(FrozenCases::decode(BytesView(record).first(n)));
}

}  // namespace
}  // namespace consilium::federation::testing
