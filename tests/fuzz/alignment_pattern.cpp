// Canonical pattern bytes: whatever decodes is encoded back to the same bytes.

#include "consilium/alignment/patterns.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {

auto try_input(BytesView input) -> bool {
  const auto pattern = alignment::decode_pattern(input);
  if (!pattern) return false;
  const auto again = alignment::encode_pattern(*pattern);
  CONSILIUM_ENSURE(again && std::equal(again->begin(), again->end(), input.begin(), input.end()));
  return true;
}

auto seeds() -> std::vector<Bytes> {
  alignment::Pattern pattern;
  pattern.fields.push_back({1, alignment::PatternCode{7}});
  pattern.fields.push_back({2, alignment::PatternBucket{3}});
  pattern.fields.push_back(
      {3, std::vector<alignment::PatternFinding>{{5, 1, 4, 1}, {12, 2, 0, 3}}});
  pattern.fields.push_back({4, std::monostate{}});
  return {*alignment::encode_pattern(pattern), *alignment::encode_pattern({})};
}

}  // namespace consilium::fuzz
