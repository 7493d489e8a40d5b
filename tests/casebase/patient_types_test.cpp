#include <concepts>
#include <ostream>

#include <gtest/gtest.h>

#include "consilium/casebase/case.hpp"

namespace consilium::casebase {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

static_assert(Printable<int>);
static_assert(!Printable<Case> && !Printable<Value> && !Printable<Decimal> && !Printable<Exam> &&
              !Printable<Finding> && !Printable<Treatment> && !Printable<Outcome>);

TEST(Case, has_a_name_for_every_status) {
  EXPECT_EQ(status_name(Status::recorded), "recorded");
  EXPECT_EQ(status_name(Status::confirmed), "confirmed");
  EXPECT_EQ(status_name(Status::adjusted), "adjusted");
  EXPECT_EQ(status_name(Status::rejected), "rejected");
  EXPECT_EQ(status_name(Status::sample), "sample");
  EXPECT_EQ(status_name(Status::unreasonable), "unreasonable");
  EXPECT_EQ(status_name(Status::held_back), "held_back");
}

}  // namespace
}  // namespace consilium::casebase
