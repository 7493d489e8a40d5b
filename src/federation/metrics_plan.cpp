#include "consilium/federation/metrics_plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/small_cell.hpp"

namespace consilium::federation {
namespace {

constexpr std::uint16_t classes_most = 64;
constexpr std::uint16_t bins_most = 1000;
constexpr std::size_t headline = 3;  // cases, correct answers, log loss
/// learning::evaluate clamps posteriors to 10⁻⁷, whose −ln is 16.2.
constexpr double posterior_least = 1e-7;
constexpr std::int64_t loss_most = 17;

auto is_plan(const MetricsPlan& plan) -> bool {
  return plan.classes >= 2 && plan.classes <= classes_most && plan.calibration_bins >= 1 &&
         plan.calibration_bins <= bins_most && plan.roc_bins >= 1 && plan.roc_bins <= bins_most &&
         plan.cases_max >= 1 && plan.cases_max < (std::uint64_t{1} << 40U);
}

/// Where each part begins, and how much one case weighs in its sums.
struct Parts {
  std::size_t confusion, calibration, roc;
  std::int64_t scale, loss_scale;
};

auto parts_of(const MetricsPlan& plan, std::int64_t value_max) -> Result<Parts> {
  const auto cases_max = static_cast<std::int64_t>(plan.cases_max);
  if (!is_plan(plan) || value_max < cases_max)
    return fail("bad_plan", "metrics round",
                "the plan's classes, bins or cases_max do not fit the suite; open the round with "
                "others");
  const std::size_t confusion = headline;
  const std::size_t calibration = confusion + std::size_t{plan.classes} * plan.classes;
  return Parts{confusion, calibration, calibration + 2 * std::size_t{plan.calibration_bins},
               value_max / cases_max,
               std::max<std::int64_t>(1, value_max / (cases_max * loss_most))};
}

/// In which bin each bin's patients are counted, so that no bin shows a small group: neighbours are
/// joined until each holds nobody or at least `smallest` patients, and of joined bins the middle
/// patient's one stands for all. A whole histogram of too few patients is left out: all zeros then.
auto without_small_bins(std::vector<std::int64_t>& counts, std::int64_t smallest)
    -> std::vector<std::size_t> {
  struct Segment {
    std::size_t first, last;
    std::int64_t patients;
  };
  const auto is_shown = [&](std::int64_t n) { return without_small_cell(n, smallest) == n; };
  std::vector<Segment> segments;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    if (segments.empty() || is_shown(segments.back().patients)) segments.push_back({bin, bin, 0});
    segments.back().last = bin;
    segments.back().patients += counts[bin];
  }
  while (segments.size() > 1 && !is_shown(segments.back().patients)) {
    const Segment rest = segments.back();
    segments.pop_back();
    segments.back().last = rest.last;
    segments.back().patients += rest.patients;
  }
  std::vector<std::size_t> counted_in(counts.size(), 0);
  std::vector<std::int64_t> joined(counts.size(), 0);
  for (const Segment& segment : segments) {
    std::size_t middle = segment.first;
    std::int64_t below = 0;
    for (std::size_t bin = segment.first; bin <= segment.last; ++bin) {
      if (2 * below < segment.patients) middle = bin;
      below += counts[bin];
    }
    for (std::size_t bin = segment.first; bin <= segment.last; ++bin) counted_in[bin] = middle;
    joined[middle] = without_small_cell(segment.patients, smallest);
  }
  counts = std::move(joined);
  return counted_in;
}

auto bin_of(double chance, std::uint16_t bins) -> std::size_t {
  // Not a number lies in the lowest bin, as it sorts below every score in learning::evaluate.
  const double place = std::isnan(chance) ? 0 : std::clamp(chance, 0.0, 1.0) * bins;
  return std::min<std::size_t>(bins - 1U, static_cast<std::size_t>(place));
}

}  // namespace

auto MetricsPlan::length() const -> std::size_t {
  return headline + std::size_t{classes} * classes + 2 * std::size_t{calibration_bins} +
         2 * std::size_t{roc_bins};
}

auto MetricsPlan::encode() const -> Bytes {
  Writer w;
  w.u16(classes).u16(calibration_bins).u16(roc_bins).u64(cases_max).u32(small_cell);
  return w.take();
}

auto MetricsPlan::decode(BytesView bytes) -> Result<MetricsPlan> {
  Reader r(bytes, "metrics plan");
  const MetricsPlan plan{r.u16(), r.u16(), r.u16(), r.u64(), r.u32()};
  CONSILIUM_CHECK(r.finish());
  if (!is_plan(plan))
    return fail("bad_plan", "metrics plan", "its classes, bins or cases_max are out of range");
  return plan;
}

auto metrics_vector(const MetricsPlan& plan, std::span<const float> posterior,
                    std::span<const std::int32_t> disease, std::int64_t value_max,
                    std::int64_t smallest) -> Result<std::vector<std::int64_t>> {
  CONSILIUM_TRY(const Parts parts, parts_of(plan, value_max));
  const std::size_t classes = plan.classes;
  if (posterior.size() != disease.size() * classes)
    return fail("bad_plan", "metrics round", "the model has another number of classes");
  if (disease.size() > plan.cases_max)
    return fail("too_many_cases", "metrics round",
                "the hospital has more cases than the plan's cases_max; open it with more");
  std::vector<std::int64_t> counts(plan.length(), 0);
  std::vector<std::int64_t> calibration(plan.calibration_bins, 0);
  std::array<std::vector<std::int64_t>, 2> roc;  // of class 1, of all others
  for (auto& histogram : roc) histogram.resize(plan.roc_bins);
  std::vector<double> gaps(plan.calibration_bins, 0);
  double loss = 0;
  for (std::size_t i = 0; i < disease.size(); ++i) {
    if (disease[i] < 0) continue;
    const auto truth = static_cast<std::size_t>(disease[i]);
    if (truth >= classes)
      return fail("bad_plan", "metrics round", "a case has a disease outside the plan's classes");
    const auto row = posterior.subspan(i * classes, classes);
    const auto answer =
        static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    const bool right = answer == truth;
    ++counts[0];
    if (right) ++counts[1];
    const auto given = static_cast<double>(row[truth]);
    loss -= std::log(given > posterior_least ? std::min(given, 1.0) : posterior_least);
    ++counts[parts.confusion + truth * classes + answer];
    const auto chance = static_cast<double>(row[answer]);
    const std::size_t bin = bin_of(chance, plan.calibration_bins);
    ++calibration[bin];
    gaps[bin] += (std::isnan(chance) ? 0 : std::clamp(chance, 0.0, 1.0)) - (right ? 1 : 0);
    ++roc[truth == 1 ? 0 : 1][bin_of(static_cast<double>(row[1]), plan.roc_bins)];
  }
  for (std::size_t at = 0; at < parts.calibration; ++at)
    counts[at] = without_small_cell(counts[at], smallest);
  // A sum says as much of a small group as its count does.
  if (counts[0] != 0) counts[2] = std::llround(static_cast<double>(parts.loss_scale) * loss);
  const auto counted_in = without_small_bins(calibration, smallest);
  std::vector<double> joined_gaps(plan.calibration_bins, 0);
  for (std::size_t bin = 0; bin < plan.calibration_bins; ++bin)
    joined_gaps[counted_in[bin]] += gaps[bin];
  for (std::size_t bin = 0; bin < plan.calibration_bins; ++bin) {
    const std::size_t at = parts.calibration + 2 * bin;
    counts[at] = calibration[bin];
    if (counts[at] != 0)
      counts[at + 1] = std::llround(static_cast<double>(parts.scale) * joined_gaps[bin]);
  }
  for (std::size_t which = 0; which < 2; ++which) {
    without_small_bins(roc[which], smallest);
    for (std::size_t bin = 0; bin < plan.roc_bins; ++bin)
      counts[parts.roc + 2 * bin + which] = roc[which][bin];
  }
  return counts;
}

auto read_metrics(const MetricsPlan& plan, std::span<const std::int64_t> sum, std::size_t hospitals,
                  std::int64_t value_max, bool noisy) -> Result<Metrics> {
  CONSILIUM_TRY(const Parts parts, parts_of(plan, value_max));
  const auto refuse = [] {
    return fail("bad_metrics", "opened metrics",
                "no honest hospitals' figures add up to this; look at the round's manifests");
  };
  if (sum.size() != plan.length() || hospitals == 0) return refuse();
  const auto slack = static_cast<std::int64_t>(hospitals);  // each rounds each sum once
  bool possible = true;
  const auto count_at = [&](std::size_t at) {
    possible = possible && sum[at] >= 0 && sum[at] <= sum[0];
    return std::max(0.0, static_cast<double>(sum[at]));
  };
  const auto share = [](double part, double whole) {
    return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0.0;
  };

  Metrics out;
  out.cases = count_at(0);
  out.accuracy = share(count_at(1), out.cases);
  possible = possible && sum[2] >= 0 && sum[2] <= sum[0] * loss_most * parts.loss_scale + slack;
  const double loss =
      std::max(0.0, static_cast<double>(sum[2])) / static_cast<double>(parts.loss_scale);
  out.log_loss = out.cases > 0 ? std::min(loss / out.cases, static_cast<double>(loss_most)) : 0;

  double right = 0;
  for (std::size_t truth = 0; truth < plan.classes; ++truth) {
    for (std::size_t answer = 0; answer < plan.classes; ++answer) {
      const double cell = count_at(parts.confusion + truth * plan.classes + answer);
      out.confusion.push_back(cell);
      out.confusion_cases += cell;
      if (truth == answer) right += cell;
    }
  }
  possible = possible && out.confusion_cases <= out.cases && right <= count_at(1);

  double gaps = 0;
  for (std::size_t bin = 0; bin < plan.calibration_bins; ++bin) {
    const std::size_t at = parts.calibration + 2 * bin;
    const double cases = count_at(at);
    const std::int64_t most = sum[at] * parts.scale + slack;
    possible = possible && sum[at + 1] <= most && sum[at + 1] >= -most;
    const double gap =
        std::abs(static_cast<double>(sum[at + 1])) / static_cast<double>(parts.scale);
    out.calibration_cases += cases;
    gaps += std::min(gap, cases);
  }
  possible = possible && out.calibration_cases <= out.cases;
  out.calibration_error = share(gaps, out.calibration_cases);

  double positives = 0;
  double others = 0;
  double won = 0;
  for (std::size_t bin = 0; bin < plan.roc_bins; ++bin) {
    const double ill = count_at(parts.roc + 2 * bin);
    const double well = count_at(parts.roc + 2 * bin + 1);
    won += ill * (others + well / 2);
    positives += ill;
    others += well;
  }
  out.roc_cases = positives + others;
  possible = possible && out.roc_cases <= out.cases;
  if (positives > 0 && others > 0) out.auc = won / (positives * others);
  if (!noisy && !possible) return refuse();
  return out;
}

}  // namespace consilium::federation
