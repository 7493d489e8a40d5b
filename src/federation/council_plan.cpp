#include "consilium/federation/council_plan.hpp"

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/small_cell.hpp"

namespace consilium::federation {
namespace {

constexpr std::uint16_t diagnoses_most = 1024;
constexpr std::uint16_t results_most = 64;
constexpr std::size_t question_bytes_max = 2048;
constexpr std::uint64_t cases_most = 1'000'000'000;

}  // namespace

auto CouncilPlan::length() const -> std::size_t {
  return std::size_t{diagnoses} * results;
}

auto CouncilPlan::encode() const -> Bytes {
  Writer w;
  w.digest(schema).u16(diagnoses).u16(results).bytes(question).u64(cases_max).u32(small_cell);
  return w.take();
}

auto CouncilPlan::decode(BytesView bytes) -> Result<CouncilPlan> {
  Reader r(bytes, "council plan");
  CouncilPlan plan;
  plan.schema = r.digest();
  plan.diagnoses = r.u16();
  plan.results = r.u16();
  plan.question = r.bytes(question_bytes_max);
  plan.cases_max = r.u64();
  plan.small_cell = r.u32();
  CONSILIUM_CHECK(r.finish());
  const bool fits = plan.diagnoses >= 1 && plan.diagnoses <= diagnoses_most && plan.results >= 1 &&
                    plan.results <= results_most && plan.cases_max >= 1 &&
                    plan.cases_max <= cases_most;
  if (!fits)
    return fail("bad_plan", "council plan", "its diagnoses, results or cases_max are out of range");
  return plan;
}

auto council_vector(const CouncilPlan& plan, std::span<const std::int64_t> counts,
                    std::int64_t smallest) -> Result<std::vector<std::int64_t>> {
  const auto refuse = [] {
    return fail("bad_plan", "council round", "these are not the plan's diagnoses and results");
  };
  if (counts.size() != plan.length()) return refuse();
  std::vector<std::int64_t> out;
  out.reserve(counts.size());
  for (const std::int64_t count : counts) {
    if (count < 0) return refuse();
    if (count > static_cast<std::int64_t>(plan.cases_max))
      return fail("too_many_cases", "council round",
                  "the hospital has more cases than the plan's cases_max; ask again with more");
    out.push_back(without_small_cell(count, smallest));
  }
  return out;
}

}  // namespace consilium::federation
