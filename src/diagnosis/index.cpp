#include "index.hpp"

#include <algorithm>
#include <cmath>

namespace consilium::diagnosis {

using casebase::Attribute;
using casebase::Similarity;

auto cell_of(const casebase::Value& value, const Attribute& attribute) -> double {
  if (value.number) return value.number->to_double();
  const auto found = std::find(attribute.codes.begin(), attribute.codes.end(), value.code);
  CONSILIUM_ENSURE(found != attribute.codes.end());  // value_of lets no other code through
  return static_cast<double>(found - attribute.codes.begin());
}

auto cell_of(const casebase::Case& c, const Attribute& attribute) -> Cell {
  const auto value = casebase::value_of(c, attribute);
  if (!value) return std::nullopt;
  return cell_of(*value, attribute);
}

auto cell_similarity(const Attribute& attribute, double a, double b) -> double {
  const double distance = std::abs(a - b);
  switch (attribute.similarity) {
    case Similarity::exact:
      return distance == 0 ? 1 : 0;
    case Similarity::ordinal: {
      const auto steps = static_cast<double>(attribute.codes.size()) - 1;
      return steps <= 0 ? 1 : 1 - distance / steps;
    }
    case Similarity::range:
      return std::max(0.0, 1 - distance / attribute.similarity_scale);
    case Similarity::gaussian: {
      const double z = distance / attribute.similarity_scale;
      return std::exp(-0.5 * z * z);
    }
    case Similarity::log_duration: {
      const double apart = std::abs(std::log1p(std::max(a, 0.0)) - std::log1p(std::max(b, 0.0)));
      return std::max(0.0, 1 - apart / std::log1p(attribute.similarity_scale));
    }
  }
  return 0;
}

auto local_similarity(const Attribute& attribute, const casebase::Value& a,
                      const casebase::Value& b) -> double {
  return cell_similarity(attribute, cell_of(a, attribute), cell_of(b, attribute));
}

Index::Index(std::vector<casebase::Case> samples, casebase::Schema schema)
    : state_(std::make_unique<State>()) {
  state_->schema = std::move(schema);
  for (const auto& a : state_->schema.attributes)
    if (a.role == casebase::Role::v1) state_->attributes.push_back(a);
  state_->cases = std::move(samples);
  auto& cases = state_->cases;
  std::stable_sort(cases.begin(), cases.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  state_->cells.reserve(cases.size() * state_->attributes.size());
  for (const auto& c : cases) {
    CONSILIUM_ENSURE(c.status == casebase::Status::sample);
    for (const auto& a : state_->attributes) state_->cells.push_back(cell_of(c, a));
  }
}

Index::Index(Index&&) noexcept = default;
auto Index::operator=(Index&&) noexcept -> Index& = default;
Index::~Index() = default;

auto Index::size() const -> std::size_t {
  return state_->cases.size();
}

auto Index::schema() const -> const casebase::Schema& {
  return state_->schema;
}

}  // namespace consilium::diagnosis
