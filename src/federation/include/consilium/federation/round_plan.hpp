#pragma once
// What a round asks of every hospital: the opaque `plan` of ledger::OpenRound, read and written in
// one place.

#include "consilium/federation/council_plan.hpp"
#include "consilium/federation/metrics_plan.hpp"
#include "consilium/learning/training.hpp"
#include "consilium/ledger/ledger.hpp"
#include "consilium/sealing/privacy_account.hpp"
#include "consilium/sealing/quantise.hpp"

namespace consilium::federation {

/// Plan of an update round. The same plan, base and run give the same integers at a hospital, so
/// `run` is raised only when a candidate of this base was rolled back (sealing-spec §8.1): it
/// renews the training seed for all.
struct UpdatePlan {
  learning::ModelShape shape;
  learning::TrainingPlan training;
  std::uint64_t model_seed = 0;  ///< of the initial model, public
  std::uint32_t run = 0;
  Digest schema;
  Digest standardisation;  ///< what V1 is standardised with
  [[nodiscard]] auto encode() const -> Bytes;
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<UpdatePlan>;
};

/// Plan of a statistics round: the menu is the schema's numbers, so the schema says it all.
struct StatisticsPlan {
  Digest schema;
  std::uint64_t cases_max = 0;
  std::uint32_t small_cell = 0;
  [[nodiscard]] auto encode() const -> Bytes;
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<StatisticsPlan>;
};

/// The model every consortium starts from: a pure function of shape and public seed; all zero
/// without hidden layers.
[[nodiscard]] auto initial_model(const learning::ModelShape& shape, std::uint64_t model_seed)
    -> learning::Model;

/// Noise of a round of any purpose (sealing-spec §10), in units of the sealed integers; zeros for
/// none. The ledger refuses what leaves no headroom or passes a budget. A round with noise cannot
/// be repeated from any seed, and its model is not the one that clear training gives.
struct RoundNoise {
  std::uint64_t sigma2 = 0;  ///< σ_z² of one hospital
  /// The largest L2 norm of what a hospital seals, before rounding: of an update weight and values
  /// together.
  std::uint64_t clip_l2 = 0;
};

/// The transaction body that opens an update round with this plan on the present model (the initial
/// one before any was accepted), under the present policy. `clips_micro`: clips_for, empty where
/// the policy has one clip for all.
[[nodiscard]] auto update_round(const ledger::State& state, const UpdatePlan& plan,
                                const RoundNoise& noise = {},
                                std::vector<std::uint32_t> clips_micro = {}) -> ledger::OpenRound;
/// The same for the statistics of `numbers` V1 number attributes.
[[nodiscard]] auto statistics_round(const ledger::State& state, const Digest& schema,
                                    std::size_t numbers, const RoundNoise& noise = {})
    -> ledger::OpenRound;
/// The same for figures of the model in force. Without noise the plan is the policy's menu.
[[nodiscard]] auto metrics_round(const ledger::State& state, const MetricsPlan& plan,
                                 const RoundNoise& noise = {}) -> ledger::OpenRound;
/// The same for a council's counts.
[[nodiscard]] auto council_round(const ledger::State& state, const CouncilPlan& plan,
                                 const RoundNoise& noise = {}) -> ledger::OpenRound;

/// What a hospital's noise keeps to in a round that asks for some. Error: that of
/// sealing::noisy_round.
[[nodiscard]] auto noise_rule_of(const ledger::RoundRecord& round) -> Result<sealing::NoiseRule>;
/// Clips, largest value before noise, weight cap, L2 clip and headroom that a round's record fixes.
/// Errors: `stale_context` (clips that do not fit the plan's model), those of sealing::noisy_round.
[[nodiscard]] auto quantisation_of(const ledger::RoundRecord& round)
    -> Result<sealing::Quantisation>;

}  // namespace consilium::federation
