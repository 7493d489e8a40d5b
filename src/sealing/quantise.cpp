#include "consilium/sealing/quantise.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "consilium/foundation/secret.hpp"

#include "block_kernels.hpp"

namespace consilium::sealing {
namespace {

/// What the rounding kernel takes; no suite has more.
constexpr std::int64_t value_max_most = (std::int64_t{1} << 23U) - 1;
/// 8 KiB of chance at a time: stays in the first cache.
constexpr std::size_t draws_at_once = 2048;

auto bad_rule(const Quantisation& q) -> bool {
  const bool no_room_for_weight =
      q.clip_l2 != 0 &&
      q.clip_l2 <= static_cast<std::uint64_t>(std::max<std::int64_t>(q.value_max, 0));
  const auto bad_clip = [](double clip) { return !(clip > 0) || !std::isfinite(clip); };
  const bool bad_group = std::any_of(q.groups.begin(), q.groups.end(),
                                     [&](const ClipGroup& group) { return bad_clip(group.clip); });
  return bad_clip(q.clip) || bad_group || q.value_max < 1 || q.value_max > value_max_most ||
         q.weight_cap < 1 || q.headroom < 0 || no_room_for_weight;
}

auto refuse_rule() -> tl::unexpected<Error> {
  return fail("bad_value", "quantisation",
              "Clip, largest value and weight cap must be positive, and an L2 clip above the "
              "largest value; correct the round's opening.");
}

/// The groups of an update of `length` values; one where the rule has none.
auto groups_of(const Quantisation& q, std::size_t length) -> Result<std::vector<ClipGroup>> {
  if (q.groups.empty()) return std::vector<ClipGroup>{{length, q.clip}};
  std::uint64_t covered = 0;
  for (const ClipGroup& group : q.groups) {
    if (group.count > length - covered) break;
    covered += group.count;
    if (&group == &q.groups.back() && covered == length) return q.groups;
  }
  return fail("length_mismatch", "quantisation",
              "The clip groups do not cover the update; correct the round's opening.");
}

/// Σ of squares of the clipped values, in units of the integers.
auto squares_of(std::span<const float> update, std::span<const ClipGroup> groups, double weight)
    -> double {
  double all = 0;
  for (const ClipGroup& group : groups) {
    double squares = 0;
    for (const float value : update.first(group.count)) {
      const double kept = std::max(-group.clip, std::min(group.clip, static_cast<double>(value)));
      squares += kept * kept;
    }
    update = update.subspan(group.count);
    const double units = weight / group.clip;
    all += squares * units * units;
  }
  return all;
}

/// How much the update must shrink so that weight and values together stay within the L2 clip.
auto shrinking(double squares, std::int64_t weight, const Quantisation& q) -> double {
  if (q.clip_l2 == 0) return 1;
  const auto whole = static_cast<double>(q.clip_l2);
  const auto weighed = static_cast<double>(weight);
  const double room = std::sqrt(whole * whole - weighed * weighed);
  const double norm = std::sqrt(squares);
  // A hair below, so that the sum's own rounding never carries the norm above the clip.
  return norm > room ? room / norm * (1 - 1e-9) : 1;
}

}  // namespace

struct Quantiser::State {
  std::span<const float> rest;
  std::vector<ClipGroup> groups;
  std::size_t group = 0;       ///< of the next value
  std::uint64_t in_group = 0;  ///< values of that group already taken
  std::int32_t value_max = 0;
  double weight = 0;  ///< times `shrink`, over a group's clip: integers a unit of v
  double shrink = 1;
  std::array<std::int32_t, update_header> header{};
  std::size_t header_at = 0;
  std::size_t length = 0;
  Random* rounding = nullptr;
  std::array<std::uint8_t, 4 * draws_at_once> draws{};
  ~State() { wipe(draws); }
};

Quantiser::Quantiser(std::unique_ptr<State> state) : state_(std::move(state)) {}
Quantiser::Quantiser(Quantiser&&) noexcept = default;
Quantiser::~Quantiser() = default;

auto Quantiser::length() const -> std::size_t {
  return state_->length;
}

auto Quantiser::make(std::span<const float> update, std::uint64_t samples, const Quantisation& q,
                     Random& rounding) -> Result<Quantiser> {
  if (bad_rule(q)) return refuse_rule();
  if (samples == 0) {
    return fail("empty_weight", "update", "A hospital without samples has nothing to seal.");
  }
  auto state = std::make_unique<State>();
  CONSILIUM_TRY(state->groups, groups_of(q, update.size()));
  bool finite = true;
  std::uint64_t clipped = 0;
  std::span<const float> unseen = update;
  for (const ClipGroup& group : state->groups) {
    clipped += kernels().scan_floats(unseen.data(), group.count, group.clip, finite);
    unseen = unseen.subspan(group.count);
  }
  if (!finite) {
    return fail("bad_value", "update",
                "The update holds a value that is not a number or infinite; train again, nothing "
                "was sealed.");
  }
  // The weight is the whole number that travels, and the values are weighted with that same number:
  // the mean has no error from rounding the weight.
  const double share =
      static_cast<double>(std::min(samples, q.weight_cap)) / static_cast<double>(q.weight_cap);
  const auto weight =
      std::max<std::int64_t>(1, std::llround(share * static_cast<double>(q.value_max)));
  state->weight = static_cast<double>(weight);
  if (q.clip_l2 != 0) {
    state->shrink = shrinking(squares_of(update, state->groups, state->weight), weight, q);
  }
  state->rest = update;
  state->value_max = static_cast<std::int32_t>(q.value_max);
  state->header[0] = static_cast<std::int32_t>(weight);
  state->header[1] = q.clip_l2 != 0 ? 0
                                    : static_cast<std::int32_t>(std::min<std::uint64_t>(
                                          clipped, static_cast<std::uint64_t>(q.value_max)));
  state->length = update_header + update.size();
  state->rounding = &rounding;
  return Quantiser(std::move(state));
}

auto Quantiser::next(std::span<std::int32_t> out) -> Result<void> {
  State& state = *state_;
  if (out.size() > update_header - state.header_at + state.rest.size()) {
    return fail("length_mismatch", "update", "The round asks for more values than there are.");
  }
  while (!out.empty() && state.header_at < update_header) {
    out[0] = state.header.at(state.header_at++);
    out = out.subspan(1);
  }
  while (!out.empty()) {
    const ClipGroup& group = state.groups.at(state.group);
    const std::size_t count = std::min({out.size(), draws_at_once, group.count - state.in_group});
    const auto draws = std::span(state.draws).first(4 * count);
    state.rounding->fill(draws);
    double units = state.weight / group.clip;
    units *= state.shrink;
    kernels().round_floats(state.rest.data(), count, draws.data(),
                           {.clip = group.clip, .units = units, .value_max = state.value_max},
                           out.data());
    out = out.subspan(count);
    state.rest = state.rest.subspan(count);
    state.in_group += count;
    if (state.in_group == group.count) {
      ++state.group;
      state.in_group = 0;
    }
  }
  return {};
}

auto quantise(std::span<const float> update, std::uint64_t samples, const Quantisation& q,
              Random& rounding) -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(Quantiser quantiser, Quantiser::make(update, samples, q, rounding));
  Secret<std::int32_t> narrow(quantiser.length());
  CONSILIUM_CHECK(quantiser.next(narrow.expose()));
  return std::vector<std::int64_t>(narrow.expose().begin(), narrow.expose().end());
}

auto mean_of(std::span<const std::int64_t> sum, std::size_t hospitals, const Quantisation& q)
    -> Result<Mean> {
  if (bad_rule(q)) return refuse_rule();
  const auto refuse = [] {
    return fail("sum_out_of_range", "opened sum",
                "No honest weights and values add up to this; the candidate is refused.");
  };
  if (sum.size() < update_header || hospitals == 0) {
    return fail("length_mismatch", "opened sum",
                "An opened update begins with its weight and its clip count.");
  }
  const std::int64_t weight = sum[0];
  const auto members = static_cast<std::int64_t>(hospitals);
  if (weight <= 0) {
    return fail("empty_weight", "opened sum", "The weights add up to nothing; the base stays.");
  }
  const std::int64_t noise = members * q.headroom;
  if (weight > members * q.value_max + noise || sum[1] < -noise ||
      sum[1] > members * q.value_max + noise) {
    return refuse();
  }
  CONSILIUM_TRY(const auto groups, groups_of(q, sum.size() - update_header));
  Mean mean;
  mean.clipped = q.headroom == 0 ? sum[1] : 0;  // only noise stands there then
  mean.mean_weight = static_cast<double>(weight) / static_cast<double>(q.value_max) /
                     static_cast<double>(hospitals);
  const std::int64_t limit = weight + 2 * members + noise;
  mean.update.reserve(sum.size() - update_header);
  std::span<const std::int64_t> rest = sum.subspan(update_header);
  for (const ClipGroup& group : groups) {
    const double unit = group.clip / static_cast<double>(weight);
    for (const std::int64_t value : rest.first(group.count)) {
      if (value > limit || value < -limit) return refuse();
      mean.update.push_back(static_cast<float>(static_cast<double>(value) * unit));
    }
    rest = rest.subspan(group.count);
  }
  return mean;
}

}  // namespace consilium::sealing
