#include "consilium/casebase/vectors.hpp"

#include <algorithm>
#include <cmath>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/small_cell.hpp"

#include "attribute_access.hpp"

namespace consilium::casebase {
namespace {

// The most hospitals a sum may have (sealing-spec §3, suite L48): each rounds its entries once.
constexpr double hospitals_max = 1024;

auto is_v1_number(const Attribute& a) -> bool {
  return a.role == Role::v1 && is_numeric(a.kind);
}

auto code_index(const Attribute& a, const std::string& code) -> std::int32_t {
  return static_cast<std::int32_t>(std::ranges::find(a.codes, code) - a.codes.begin());
}

/// The recorded numbers, ascending: a sum over them does not depend on the order of the cases.
auto recorded_numbers(std::span<const Case> cases, const Attribute& a) -> std::vector<double> {
  std::vector<double> out;
  for (const auto& c : cases)
    if (const auto value = value_of(c, a)) out.push_back(value->number->to_double());
  std::ranges::sort(out);
  return out;
}

struct Moments {
  double mean = 0, deviation = 1, count = 0;
};

/// Two passes: the second over differences from the mean, so that large values lose no digits.
auto moments_of(std::span<const double> values, int ddof) -> Moments {
  Moments out;
  out.count = static_cast<double>(values.size());
  if (values.empty()) return out;
  double sum = 0;
  for (const double v : values) sum += v;
  out.mean = sum / out.count;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  const double degrees = out.count - ddof;
  const double deviation = degrees > 0 ? std::sqrt(squares / degrees) : 0;
  // Below the rounding of the mean itself nothing varies.
  if (deviation > 1e-12 * std::max(1.0, std::abs(out.mean))) out.deviation = deviation;
  return out;
}

auto fixed_point_scale(std::int64_t value_max, std::int64_t cases_max) -> double {
  CONSILIUM_ENSURE(cases_max >= 1 && value_max >= cases_max);
  // Above 2^53 an entry would not be an exact double.
  CONSILIUM_ENSURE(value_max <= (std::int64_t{1} << 53U));
  const std::int64_t scale =
      value_max / cases_max;  // rounded down, so that no sum passes value_max
  return static_cast<double>(scale);
}

}  // namespace

auto Standardisation::digest() const -> Digest {
  Writer out;
  const auto number = [](Writer& w, double v) { w.f64(v); };
  out.list(mean, number).list(deviation, number).list(count, number);
  return tagged_hash("consilium/casebase/1/standardisation", {out.view()});
}

auto layout_of(const Schema& schema) -> Layout {
  Layout out;
  for (const auto& a : schema.attributes) {
    if (a.source == "disease") {
      out.disease_id = a.id;
      out.disease_codes = a.codes.size();
    }
    if (a.role != Role::v1) continue;
    if (is_numeric(a.kind)) {
      out.number_ids.push_back(a.id);
      out.v1.push_back({a.id, -1, a.name});
      continue;
    }
    for (std::size_t i = a.drop_first ? 1 : 0; i < a.codes.size(); ++i)
      out.v1.push_back({a.id, static_cast<std::int32_t>(i), a.name + "=" + a.codes[i]});
  }
  return out;
}

auto vectorise(std::span<const Case> cases, const Schema& schema,
               const Standardisation& standardisation) -> VectorSet {
  const auto layout = layout_of(schema);
  CONSILIUM_ENSURE(standardisation.mean.size() == layout.number_ids.size() &&
                   standardisation.deviation.size() == layout.number_ids.size() &&
                   standardisation.count.size() == layout.number_ids.size());
  VectorSet out;
  out.rows = cases.size();
  out.columns = layout.v1.size();
  out.values.assign(out.rows * out.columns, 0.0F);
  out.mask.assign(out.rows * out.columns, 0);
  out.disease.assign(out.rows, -1);
  for (std::size_t row = 0; row < cases.size(); ++row) {
    std::size_t at = row * out.columns;
    std::size_t number = 0;
    for (const auto& a : schema.attributes) {
      const bool disease = a.source == "disease";
      if (a.role != Role::v1 && !disease) continue;
      const auto value = value_of(cases[row], a);
      if (disease) {
        if (value) out.disease[row] = code_index(a, value->code);
      } else if (is_numeric(a.kind)) {
        if (value && standardisation.count[number] > 0) {
          const double x = value->number->to_double();
          out.values[at] = static_cast<float>((x - standardisation.mean[number]) /
                                              standardisation.deviation[number]);
          out.mask[at] = 1;
        }
        ++number;
        ++at;
      } else {
        const std::size_t first = a.drop_first ? 1 : 0;
        const std::size_t width = a.codes.size() - first;
        if (value) {
          const auto index = static_cast<std::size_t>(code_index(a, value->code));
          std::fill_n(out.mask.begin() + static_cast<std::ptrdiff_t>(at), width, std::uint8_t{1});
          if (index >= first) out.values[at + index - first] = 1.0F;
        }
        at += width;
      }
    }
    CONSILIUM_ENSURE(at == (row + 1) * out.columns);
  }
  return out;
}

auto statistics_vector(std::span<const Case> cases, const Schema& schema, std::int64_t value_max,
                       std::int64_t cases_max, std::int64_t small_cell)
    -> Result<std::vector<std::int64_t>> {
  const double scale = fixed_point_scale(value_max, cases_max);
  if (cases.size() > static_cast<std::size_t>(cases_max))
    return fail("too_many_cases", "statistics",
                "the hospital has more cases than the policy's cases_max; raise it by a vote");
  std::vector<std::int64_t> out;
  for (const auto& a : schema.attributes) {
    if (!is_v1_number(a)) continue;
    if (!a.low || !a.high)
      return fail("bad_schema", a.name,
                  "the attribute has no low and high, so its sums have no bound; add both");
    const double low = a.low->to_double();
    const double width = a.high->to_double() - low;
    const auto values = recorded_numbers(cases, a);
    const auto recorded = without_small_cell(static_cast<std::int64_t>(values.size()), small_cell);
    if (recorded == 0) {
      out.insert(out.end(), {0, 0, 0});
      continue;
    }
    double sum = 0;
    double squares = 0;
    for (const double x : values) {
      const double u = std::clamp((x - low) / width, 0.0, 1.0);
      sum += u;
      squares += u * u;
    }
    const auto sealed = [&](double v) {
      return std::min<std::int64_t>(std::llround(scale * v), value_max);
    };
    out.insert(out.end(), {recorded, sealed(sum), sealed(squares)});
  }
  return out;
}

auto nearest_statistics(std::span<const std::int64_t> sum, std::int64_t value_max,
                        std::int64_t cases_max) -> std::vector<std::int64_t> {
  const auto scale = static_cast<std::int64_t>(fixed_point_scale(value_max, cases_max));
  std::vector<std::int64_t> out(sum.begin(), sum.end());
  for (std::size_t at = 0; at + 2 < out.size(); at += 3) {
    const std::int64_t n = std::max<std::int64_t>(0, out[at]);
    const std::int64_t first = std::clamp<std::int64_t>(out[at + 1], 0, scale * n);
    // Σu² of numbers in [0, 1] lies between (Σu)²/n and Σu.
    const auto least = n == 0 ? 0.0
                              : static_cast<double>(first) * static_cast<double>(first) /
                                    (static_cast<double>(scale) * static_cast<double>(n));
    const auto low = std::min(static_cast<std::int64_t>(std::ceil(least)), first);
    out[at] = n;
    out[at + 1] = first;
    out[at + 2] = std::clamp(out[at + 2], low, first);
  }
  return out;
}

auto standardisation_of(std::span<const std::int64_t> sum, const Schema& schema,
                        std::int64_t value_max, std::int64_t cases_max) -> Result<Standardisation> {
  const double scale = fixed_point_scale(value_max, cases_max);
  const auto numbers =
      static_cast<std::size_t>(std::ranges::count_if(schema.attributes, is_v1_number));
  const auto refuse = [](std::string_view place) {
    return fail(
        "bad_statistics", place,
        "no cases can have these sums; a hospital sealed something else, run the round again "
        "and look at its manifests");
  };
  if (sum.size() != 3 * numbers) return refuse("statistics");
  Standardisation out;
  for (const auto& a : schema.attributes) {
    if (!is_v1_number(a)) continue;
    if (!a.low || !a.high)
      return fail("bad_schema", a.name,
                  "the attribute has no low and high, so its sums have no bound; add both");
    const auto n_sealed = sum[3 * out.mean.size()];
    const auto n = static_cast<double>(n_sealed);
    const auto first = static_cast<double>(sum[3 * out.mean.size() + 1]);
    const auto second = static_cast<double>(sum[3 * out.mean.size() + 2]);
    if (n_sealed == 0) {
      if (first != 0 || second != 0) return refuse(a.name);
      out.mean.push_back(0);
      out.deviation.push_back(1);
      out.count.push_back(0);
      continue;
    }
    const double slack = hospitals_max / 2;  // half a unit of rounding for each hospital
    if (n < 0 || first < 0 || first > scale * n + slack || second < 0 || second > first + 2 * slack)
      return refuse(a.name);
    const double mean = first / (scale * n);
    const double variance = second / (scale * n) - mean * mean;
    if (variance < -3 * slack / (scale * n)) return refuse(a.name);
    const double low = a.low->to_double();
    const double width = a.high->to_double() - low;
    // A variance within the rounding of one hospital's two sums is no variance.
    const bool varies = variance > 1.5 / (scale * n);
    out.mean.push_back(low + width * mean);
    out.deviation.push_back(varies ? width * std::sqrt(variance) : 1);
    out.count.push_back(n);
  }
  return out;
}

auto own_standardisation(std::span<const Case> cases, const Schema& schema, int ddof)
    -> Standardisation {
  CONSILIUM_ENSURE(ddof == 0 || ddof == 1);
  Standardisation out;
  for (const auto& a : schema.attributes) {
    if (!is_v1_number(a)) continue;
    const auto moments = moments_of(recorded_numbers(cases, a), ddof);
    out.mean.push_back(moments.mean);
    out.deviation.push_back(moments.deviation);
    out.count.push_back(moments.count);
  }
  return out;
}

auto column_scale_of(const VectorSet& vectors, int ddof) -> ColumnScale {
  ColumnScale out;
  for (std::size_t column = 0; column < vectors.columns; ++column) {
    std::vector<double> values;
    for (std::size_t at = column; at < vectors.values.size(); at += vectors.columns)
      if (vectors.mask[at] != 0) values.push_back(static_cast<double>(vectors.values[at]));
    std::ranges::sort(values);
    const auto moments = moments_of(values, ddof);
    out.mean.push_back(moments.mean);
    out.deviation.push_back(moments.deviation);
  }
  return out;
}

void rescale(VectorSet& vectors, const ColumnScale& scale) {
  CONSILIUM_ENSURE(scale.mean.size() == vectors.columns &&
                   scale.deviation.size() == vectors.columns);
  for (std::size_t at = 0; at < vectors.values.size(); ++at) {
    if (vectors.mask[at] == 0) continue;
    const std::size_t column = at % vectors.columns;
    vectors.values[at] = static_cast<float>(
        (static_cast<double>(vectors.values[at]) - scale.mean[column]) / scale.deviation[column]);
  }
}

}  // namespace consilium::casebase
