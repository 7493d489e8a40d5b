// Plans from an opener, and a node's own records: refused, or exactly the bytes their own encoder
// makes. The first byte says which.

#include <algorithm>

#include "consilium/federation/frozen_cases.hpp"
#include "consilium/federation/round_plan.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {
namespace {

template <typename Kind>
auto reads_back(BytesView input) -> bool {
  const auto read = Kind::decode(input);
  if (!read) return false;
  CONSILIUM_ENSURE(std::ranges::equal(read->encode(), input));
  return true;
}

}  // namespace

auto try_input(BytesView input) -> bool {
  if (input.empty()) return false;
  const auto rest = input.subspan(1);
  switch (input[0]) {
    case 1:
      return reads_back<federation::UpdatePlan>(rest);
    case 2:
      return reads_back<federation::StatisticsPlan>(rest);
    case 3:
      return reads_back<federation::MetricsPlan>(rest);
    case 4:
      return reads_back<federation::CouncilPlan>(rest);
    case 5:
      return reads_back<federation::FrozenCases>(rest);
    default:
      return false;
  }
}

auto seeds() -> std::vector<Bytes> {
  std::vector<Bytes> out;
  const auto add = [&out](std::uint8_t kind, const Bytes& bytes) {
    Bytes all{kind};
    all.insert(all.end(), bytes.begin(), bytes.end());
    out.push_back(std::move(all));
  };
  federation::UpdatePlan update;
  update.shape = {3, {4}, 2};
  add(1, update.encode());
  add(2, federation::StatisticsPlan{Digest{{1}}, 4096, 10}.encode());
  add(3, federation::MetricsPlan{2, 5, 10, 4096, 10}.encode());
  add(4, federation::CouncilPlan{Digest{{1}}, 2, 2, {7, 8}, 4096, 10}.encode());
  const std::vector<federation::CaseMark> cases{{CaseId{"a"}, Digest{{1}}},
                                                {CaseId{"b"}, Digest{{2}}}};
  add(5, federation::FrozenCases{Digest{{3}}, cases, {1, -2}}.encode());
  return out;
}

}  // namespace consilium::fuzz
