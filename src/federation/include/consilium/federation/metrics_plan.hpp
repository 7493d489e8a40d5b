#pragma once
// How good the model in force is on every hospital's held-back cases, as integers that are summed
// sealed: counts, histograms and sums, never a case (sealing-spec §11).

#include <cstdint>
#include <span>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::federation {

/// Plan of a metrics round. The model is the one in force when the round opens, so the plan itself
/// can be a menu that stays the same for years.
struct MetricsPlan {
  std::uint16_t classes = 2;           ///< 2 … 64
  std::uint16_t calibration_bins = 5;  ///< 1 … 1000, of the chance given to the answer
  std::uint16_t roc_bins = 10;         ///< 1 … 1000, of the chance given to class 1
  std::uint64_t cases_max = 0;         ///< of one hospital; the policy's
  std::uint32_t small_cell = 0;        ///< counts below it are sealed as 0; the policy's
  auto operator==(const MetricsPlan&) const -> bool = default;
  /// How many integers are sealed.
  [[nodiscard]] auto length() const -> std::size_t;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Errors: `bad_encoding`, `bad_plan` (a figure outside its range).
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<MetricsPlan>;
};

/// One hospital's part: [cases, correct answers, log loss] · confusion (truth × answer) ·
/// calibration (for each bin: cases, Σ(chance given − 1 where right)) · ROC of class 1 against the
/// rest (for each bin: its cases, all others). Rows without a recorded disease count nowhere.
/// Sums are fixed-point numbers of ⌊value_max/cases_max⌋ a case (log loss: a 17th of that but at
/// least 1, as a case costs at most −ln 10⁻⁷ < 17), rounded once.
/// Every count is nobody's or at least `smallest` patients' (pass 0 where noise is added instead):
/// of the headline and the confusion small ones are 0, with the sum that stands beside them; in the
/// two histograms neighbouring bins are joined until none is small, so that no tail is lost, and a
/// class with too few patients in all is left out.
/// From value_max = 17·cases_max on every entry is within ±value_max. Errors: `too_many_cases`,
/// `bad_plan` (value_max too small for cases_max, or another number of classes).
[[nodiscard]] auto metrics_vector(const MetricsPlan& plan, std::span<const float> posterior,
                                  std::span<const std::int32_t> disease, std::int64_t value_max,
                                  std::int64_t smallest) -> Result<std::vector<std::int64_t>>;

struct Metrics {
  double cases = 0, accuracy = 0, log_loss = 0;
  std::vector<double> confusion;  ///< classes × classes, a row for each truth
  double confusion_cases = 0;     ///< in cells that were large enough to be sealed
  double calibration_error = 0;   ///< expected calibration error over calibration_cases
  double calibration_cases = 0;
  /// From the histogram, where ties within a bin count half; 0.5 where nothing is. A few hundredths
  /// off where hospitals are small and had to join bins.
  double auc = 0.5;
  double roc_cases = 0;
};
/// The figures of an opened sum over `hospitals`. Without noise accuracy and log loss are those of
/// all held-back cases together: exactly, and to h/(2·scale·cases). `noisy` sums are brought to
/// possible ones first (no count below 0, no share above 1). Error: `bad_metrics` (a sum that no
/// hospitals' honest vectors have, or of another length).
[[nodiscard]] auto read_metrics(const MetricsPlan& plan, std::span<const std::int64_t> sum,
                                std::size_t hospitals, std::int64_t value_max, bool noisy)
    -> Result<Metrics>;

}  // namespace consilium::federation
