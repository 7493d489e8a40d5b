#pragma once
// V1 and V2: a case as numbers, under a schema and the federation's statistics.

#include <cstdint>
#include <span>
#include <vector>

#include "consilium/casebase/schema.hpp"

namespace consilium::casebase {

/// Mean and standard deviation (ddof 0) of every number/duration attribute of V1, in schema order,
/// in the schema's unit. Comes from a sealed sum over all hospitals; `deviation` is > 0 (1 where
/// nothing varies).
struct Standardisation {
  std::vector<double> mean, deviation;
  std::vector<double>
      count;  ///< recorded values behind each; 0: nobody could say, the attribute is not used
  auto operator==(const Standardisation&) const -> bool = default;
  [[nodiscard]] auto digest() const -> Digest;
};

/// How a vector is laid out. Columns: V1 numbers one column each (standardised); codes and ordinals
/// one-hot (all zero when missing). V2 targets: index of the code, −1 when the record is silent.
struct Layout {
  struct Column {
    std::uint16_t attribute_id;
    std::int32_t code_index;  ///< −1: the number itself
    std::string name;         ///< "chest_pain_type=asymptomatic"
  };
  std::vector<Column> v1;
  std::vector<std::uint16_t>
      number_ids;                ///< V1 number/duration attributes, the order of Standardisation
  std::uint16_t disease_id = 0;  ///< the V2 disease attribute
  std::size_t disease_codes = 0;
};
[[nodiscard]] auto layout_of(const Schema& schema) -> Layout;

/// Row-major matrix of V1 with its masks, and the disease target of V2.
struct VectorSet {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;          ///< rows × columns; 0 where missing (the federation's mean)
  std::vector<std::uint8_t> mask;     ///< rows × columns; 1 = recorded
  std::vector<std::int32_t> disease;  ///< rows; index into the disease codes, −1: not recorded
  [[nodiscard]] auto row(std::size_t i) const -> std::span<const float> {
    return {values.data() + i * columns, columns};
  }
};

/// Time: linear in cases × columns.
[[nodiscard]] auto vectorise(std::span<const Case> cases, const Schema& schema,
                             const Standardisation& standardisation) -> VectorSet;

/// A hospital's part of the federation's statistics: for each V1 number attribute the integers
/// [n, round(scale·Σu), round(scale·Σu²)], u = (x − low)/(high − low) ∈ [0,1] by the schema's
/// range. scale = ⌊value_max / cases_max⌋, so every entry stays within ±value_max for up to
/// cases_max cases. The order of the cases does not matter, to the last bit. An attribute recorded
/// in fewer than `small_cell` cases is sealed as zeros (sealing-spec §11). Errors: `too_many_cases`
/// (> cases_max), `bad_schema` (a number without low/high).
[[nodiscard]] auto statistics_vector(std::span<const Case> cases, const Schema& schema,
                                     std::int64_t value_max, std::int64_t cases_max,
                                     std::int64_t small_cell) -> Result<std::vector<std::int64_t>>;
/// The opened sum back into mean and deviation. With h hospitals in the sum and n recorded values,
/// the mean of u is within h/(2·scale·n) of the true one and its variance within 3h/(2·scale·n),
/// plus rounding of doubles. Error: `bad_statistics` (a sum no set of cases of at most 1024
/// hospitals can have).
[[nodiscard]] auto standardisation_of(std::span<const std::int64_t> sum, const Schema& schema,
                                      std::int64_t value_max, std::int64_t cases_max)
    -> Result<Standardisation>;
/// An opened sum with noise, brought to the nearest one that cases could have: no count below 0, no
/// sum outside what the count allows, no variance below 0. One without noise of honest hospitals
/// stays as it is. Range: value_max ≥ cases_max ≥ 1.
[[nodiscard]] auto nearest_statistics(std::span<const std::int64_t> sum, std::int64_t value_max,
                                      std::int64_t cases_max) -> std::vector<std::int64_t>;
/// The hospital's own statistics, for local-only training, pooled training and FLamby's own-norm
/// rule
/// (`ddof` 0 or 1). No privacy: never leaves the hospital.
[[nodiscard]] auto own_standardisation(std::span<const Case> cases, const Schema& schema,
                                       int ddof = 0) -> Standardisation;

/// Mean and deviation of every column of V1, codes included, as FLamby z-scores its 13 columns
/// (`ddof` 1 there).
struct ColumnScale {
  std::vector<double> mean, deviation;  ///< deviation > 0 (1 where nothing varies)
};
/// Over the recorded entries of each column.
[[nodiscard]] auto column_scale_of(const VectorSet& vectors, int ddof) -> ColumnScale;
/// (x − mean)/deviation for every recorded entry; what is missing stays 0.
void rescale(VectorSet& vectors, const ColumnScale& scale);

}  // namespace consilium::casebase
