#pragma once
// A hospital's own cases as the federation asks for them: which of them train, and as what numbers.

#include <filesystem>
#include <optional>

#include "consilium/casebase/casebase.hpp"
#include "consilium/federation/local_work.hpp"

namespace consilium::app {

/// What decides which cases train and how V1 is standardised.
struct TrainingRule {
  enum class Rows { shared_patterns, all };
  enum class Norm { federation, own };  ///< own: each hospital by itself, FLamby's rule (ddof 1)
  Rows rows = Rows::shared_patterns;
  Norm norm = Norm::federation;
};

class CaseAccess final : public federation::LocalCases {
 public:
  /// `file` keeps the opened statistics over restarts.
  CaseAccess(casebase::Casebase& casebase, casebase::Schema schema, TrainingRule rule,
             std::filesystem::path file);
  /// The V1 attributes that train, after `--align attributes` (all before).
  void use_schema(casebase::Schema schema);
  [[nodiscard]] auto schema() const -> const casebase::Schema& { return schema_; }
  /// Reads the opened statistics of an earlier process, if there are any. Error: `bad_statistics`.
  [[nodiscard]] auto restore() -> Result<void>;
  [[nodiscard]] auto standardisation() const -> const std::optional<casebase::Standardisation>& {
    return standardisation_;
  }
  /// Which standardisation a plan has to name: the federation's digest, or zeros for the hospital's
  /// own.
  [[nodiscard]] auto standardisation_digest() const -> Digest;
  /// Forgets vectors made of cases that have changed since.
  void refresh();

  auto statistics(const federation::StatisticsPlan& plan, std::int64_t value_max)
      -> Result<std::vector<std::int64_t>> override;
  auto standardise(std::span<const std::int64_t> sum, const federation::StatisticsPlan& plan,
                   std::int64_t value_max) -> Result<void> override;
  auto training(const federation::UpdatePlan& plan) -> Result<const learning::Examples*> override;
  auto held_back(const federation::UpdatePlan& plan) -> Result<const learning::Examples*> override;
  auto claimed_patterns() -> std::uint64_t override;

 private:
  auto training_cases() const -> Result<std::vector<casebase::Case>>;
  auto check_plan(const federation::UpdatePlan& plan) const -> Result<void>;
  auto vectors(std::span<const casebase::Case> cases) -> Result<learning::Examples>;

  casebase::Casebase& casebase_;
  casebase::Schema schema_;
  TrainingRule rule_;
  std::filesystem::path file_;
  std::optional<casebase::Standardisation> standardisation_;
  std::optional<learning::Examples> training_, held_back_;
};

[[nodiscard]] auto encode_standardisation(const casebase::Standardisation& s) -> Bytes;
[[nodiscard]] auto decode_standardisation(BytesView bytes) -> Result<casebase::Standardisation>;

/// Vectors under the norm of other cases of the same hands: all columns, codes included, are
/// brought to mean 0 and deviation 1 (ddof 1), as FLamby does it with every centre and with the
/// pooled set.
[[nodiscard]] auto vectors_under_own_norm(std::span<const casebase::Case> cases,
                                          std::span<const casebase::Case> norm_cases,
                                          const casebase::Schema& schema) -> learning::Examples;

/// A count as the ledger may know it: 0, or the next 64·2^j (alignment-spec §3.5).
[[nodiscard]] auto bucketed(std::uint64_t patterns) -> std::uint64_t;

}  // namespace consilium::app
