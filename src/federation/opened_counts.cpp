#include "consilium/federation/opened_counts.hpp"

#include <algorithm>

#include "consilium/federation/round_plan.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::federation {
namespace {

constexpr std::size_t counts_most = std::size_t{1} << 24U;
constexpr std::string_view record_tag = "consilium/federation/1/opened-counts";

auto record_name(RoundId round) -> std::string {
  return "rounds/" + std::to_string(round.value) + "/sum";
}

}  // namespace

auto count_bounds_of(const ledger::RoundRecord& round) -> Result<CountBounds> {
  if (round.open.noise_sigma2 != 0) {
    CONSILIUM_TRY(const auto rule, noise_rule_of(round));
    CONSILIUM_TRY(const std::int64_t headroom, sealing::headroom_of(rule.variance));
    return CountBounds{std::max(rule.value_clip, static_cast<std::int64_t>(round.policy.cases_max)),
                       headroom};
  }
  CONSILIUM_TRY(const auto suite, sealing::suite_from_id(round.open.suite));
  CONSILIUM_TRY(const auto scale, sealing::scale_of(suite, round.open.hospitals_max));
  return CountBounds{scale.value_max, 0};
}

auto keep_opened_counts(NodeStorage& storage, RoundId round, std::span<const std::int64_t> sum)
    -> Result<void> {
  Writer w;
  w.list(sum, [](Writer& out, std::int64_t value) { out.i64(value); });
  w.digest(tagged_hash(record_tag, {w.view()}));
  return storage.save(record_name(round), w.view());
}

auto opened_counts(NodeStorage& storage, RoundId round)
    -> Result<std::optional<std::vector<std::int64_t>>> {
  CONSILIUM_TRY(const auto saved, storage.load(record_name(round)));
  std::optional<std::vector<std::int64_t>> out;
  if (!saved) return out;
  Reader r(*saved, record_name(round));
  auto sum = r.list(counts_most, [](Reader& in) { return in.i64(); });
  const auto checked = BytesView(*saved).first(saved->size() - r.rest());
  const Digest digest = r.digest();
  if (!r.finish() || digest != tagged_hash(record_tag, {checked}))
    return fail(
        "database_damaged", record_name(round),
        "the kept sum was changed; remove the file, the node opens it again from the blobs");
  out = std::move(sum);
  return out;
}

}  // namespace consilium::federation
