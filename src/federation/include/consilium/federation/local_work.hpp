#pragma once
// A hospital's own work in a round, sealed or clear: the same functions, so that the two can be
// compared.

#include <optional>

#include "consilium/federation/council_plan.hpp"
#include "consilium/federation/frozen_cases.hpp"
#include "consilium/federation/round_plan.hpp"

namespace consilium::federation {

/// What a hospital's cases are asked for: those that train (and give the statistics), those kept
/// for votes and metrics, those a council counts.
enum class CaseUse : std::uint8_t { training = 1, held_back = 2, council = 3 };

/// A sum of statistics as it was opened.
struct OpenedStatistics {
  std::span<const std::int64_t> sum;
  std::int64_t value_max = 0;  ///< what each hospital's sums were scaled by
  bool noisy = false;          ///< noise may have made it a sum that no cases have
};

/// What the node's own cases can do for a round. The app implements it with casebase and learning;
/// nothing behind it leaves the hospital.
///
/// Every answer is made of exactly the cases it is asked about, each in the version its mark says,
/// so that who asks decides when changed cases are let in (freeze_cases). Error of all of them:
/// `case_missing`, when a version cannot be had any more.
class LocalCases {
 public:
  virtual ~LocalCases() = default;
  /// The cases that would be used now; ascending by id.
  [[nodiscard]] virtual auto marks(CaseUse use) -> Result<std::vector<CaseMark>> = 0;
  /// The hospital's part of the statistics (casebase::statistics_vector).
  [[nodiscard]] virtual auto statistics(const StatisticsPlan& plan, std::span<const CaseMark> cases,
                                        std::int64_t value_max)
      -> Result<std::vector<std::int64_t>> = 0;
  /// Takes the opened statistics; V1 is standardised with them from now on.
  [[nodiscard]] virtual auto standardise(const OpenedStatistics& opened, const StatisticsPlan& plan)
      -> Result<void> = 0;
  /// Cases that train, under the present standardisation. Good until the next call. Error:
  /// `stale_context` when `plan` names another schema or standardisation than this node has.
  [[nodiscard]] virtual auto training(const UpdatePlan& plan, std::span<const CaseMark> cases)
      -> Result<const learning::Examples*> = 0;
  /// The same of held-back cases, for votes and metrics.
  [[nodiscard]] virtual auto held_back(const UpdatePlan& plan, std::span<const CaseMark> cases)
      -> Result<const learning::Examples*> = 0;
  /// Cases counted by diagnosis and result, a row of results for each diagnosis, before any rule.
  /// Error: `unknown_question` (the program has no answer to the plan's question).
  [[nodiscard]] virtual auto council(const CouncilPlan& plan, std::span<const CaseMark> cases)
      -> Result<std::vector<std::int64_t>> = 0;
  /// Shared patterns, bucketed as the ledger wants them; 0 when no alignment has been released.
  [[nodiscard]] virtual auto claimed_patterns() -> std::uint64_t = 0;
};

/// The cases as they are now, as examples. Errors: those of LocalCases.
[[nodiscard]] auto training_now(LocalCases& cases, const UpdatePlan& plan)
    -> Result<const learning::Examples*>;
[[nodiscard]] auto held_back_now(LocalCases& cases, const UpdatePlan& plan)
    -> Result<const learning::Examples*>;

/// Trains from `base` and gives the quantised, weighted update. `training_seed` is the hospital's
/// secret. Errors: those of learning::train and sealing::quantise.
[[nodiscard]] auto local_update(const learning::Model& base, const UpdatePlan& plan,
                                const learning::Examples& examples,
                                const sealing::Quantisation& quantisation, BytesView training_seed)
    -> Result<std::vector<std::int64_t>>;

struct Candidate {
  learning::Model model;
  std::int64_t clipped = 0;  ///< opened count of clipped coordinates
};
/// base + Σ u_i v_i / Σ u_i. The same sum gives the same bytes everywhere. Errors: those of
/// sealing::mean_of, `training_diverged` (a parameter is not finite).
[[nodiscard]] auto candidate_of(const learning::Model& base, std::span<const std::int64_t> sum,
                                std::size_t hospitals, const sealing::Quantisation& quantisation)
    -> Result<Candidate>;

/// The feedback vote (BaFFLe, arXiv 2011.02167): compares the errors by class of candidate and base
/// on held-back cases. No when the balanced error over classes of ≥ 5 cases rises by more than
/// `vote_rise_max`, or when the candidate's log loss is not finite. A hospital without such a class
/// votes yes.
inline constexpr double vote_rise_max = 0.15;
[[nodiscard]] auto accepts(const learning::Model& base, const learning::Model& candidate,
                           const learning::Examples& held_back) -> bool;

/// The whole training without any sealing, for the proof that sealed equals clear: the same local
/// updates, added as plain integers, the same votes. Gives every accepted model in order. Where
/// `policy` has a clip floor, every base has its clips by group as in sealed rounds.
struct ClearHospital {
  LocalCases* cases = nullptr;
  BytesView training_seed;
};
struct ClearRound {
  learning::Model model;
  bool accepted = false;
};
[[nodiscard]] auto clear_rounds(std::span<const ClearHospital> hospitals, UpdatePlan plan,
                                sealing::Quantisation quantisation, std::size_t rounds,
                                const ledger::Policy& policy = {})
    -> Result<std::vector<ClearRound>>;

}  // namespace consilium::federation
