#pragma once
// A hospital's own cases as the federation asks for them: which of them train, and as what numbers.

#include <filesystem>
#include <functional>
#include <map>
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

/// Does a council's question mean this case? Handed in by whoever asks such questions; the menu has
/// none.
using QuestionReader = std::function<Result<bool>(BytesView question, const casebase::Case& c)>;

/// What became of a case whose plan was carried out, as a council counts it.
inline constexpr std::size_t council_results = 2;  ///< reasonable, not reasonable

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
  /// Forgets what was read of cases that have changed since.
  void refresh();
  void read_questions_with(QuestionReader reader) { question_reader_ = std::move(reader); }

  auto marks(federation::CaseUse use) -> Result<std::vector<federation::CaseMark>> override;
  auto statistics(const federation::StatisticsPlan& plan,
                  std::span<const federation::CaseMark> cases, std::int64_t value_max)
      -> Result<std::vector<std::int64_t>> override;
  auto standardise(const federation::OpenedStatistics& opened,
                   const federation::StatisticsPlan& plan) -> Result<void> override;
  auto training(const federation::UpdatePlan& plan, std::span<const federation::CaseMark> cases)
      -> Result<const learning::Examples*> override;
  auto held_back(const federation::UpdatePlan& plan, std::span<const federation::CaseMark> cases)
      -> Result<const learning::Examples*> override;
  auto council(const federation::CouncilPlan& plan, std::span<const federation::CaseMark> cases)
      -> Result<std::vector<std::int64_t>> override;
  auto claimed_patterns() -> std::uint64_t override;

 private:
  /// Cases of one use as they are now, and the vectors of the cases asked about last.
  struct Shelf {
    std::optional<std::vector<federation::CaseMark>> marks;
    std::vector<federation::CaseMark> of;
    std::optional<learning::Examples> examples;
  };
  auto cases_now(federation::CaseUse use) const -> Result<std::vector<casebase::Case>>;
  /// Exactly the marked cases in the marked versions. Error: `case_missing`.
  auto marked_cases(federation::CaseUse use, std::span<const federation::CaseMark> marks) const
      -> Result<std::vector<casebase::Case>>;
  auto check_plan(const federation::UpdatePlan& plan) const -> Result<void>;
  auto examples_of(federation::CaseUse use, const federation::UpdatePlan& plan,
                   std::span<const federation::CaseMark> marks)
      -> Result<const learning::Examples*>;

  casebase::Casebase& casebase_;
  casebase::Schema schema_;
  TrainingRule rule_;
  std::filesystem::path file_;
  std::optional<casebase::Standardisation> standardisation_;
  std::map<federation::CaseUse, Shelf> shelves_;
  QuestionReader question_reader_;
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
