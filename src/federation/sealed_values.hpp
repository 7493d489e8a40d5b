#pragma once
// The one way in and out of a sealed sum, whatever a round is for (sealing-spec §11): a plan says
// what is asked, the hospital's own cases give integers, noise is added where the round has some,
// and what was opened is read by who asked.

#include <optional>

#include "consilium/federation/frozen_cases.hpp"
#include "consilium/federation/local_work.hpp"

namespace consilium::federation {

/// A round, and what a hospital answers it with.
struct Answering {
  const ledger::State& state;
  const ledger::RoundRecord& round;
  LocalCases& cases;
  NodeStorage& storage;
  BytesView training_seed;
  Random& secrets;
};

/// The integers this hospital seals. `base` is the round's model, for updates only. Errors: those
/// of LocalCases, of the plans, of local_update, freeze_cases, clips_of_round and add_noise;
/// `stale_context` (a plan that goes below the policy, or clips that earlier sums do not give).
[[nodiscard]] auto values_to_seal(const Answering& answering,
                                  const std::optional<learning::Model>& base)
    -> Result<std::vector<std::int64_t>>;

/// Takes the opened sum of a round that makes no model: kept durably for opened_counts, and given
/// to the cases when it is their statistics. Errors: those of LocalCases::standardise and of the
/// storage.
[[nodiscard]] auto take_opened_counts(const Answering& answering, std::span<const std::int64_t> sum)
    -> Result<void>;

/// The model that a round of metrics asks about: the last one that was fixed before the round
/// opened. Error: `stale_context` (there is none).
struct ModelInForce {
  Digest model;
  UpdatePlan plan;  ///< of the round that made it
};
[[nodiscard]] auto model_in_force(const ledger::State& state, const ledger::RoundRecord& round)
    -> Result<ModelInForce>;

/// A model this node keeps under its digest. Errors: `stale_context` (it has none of that name),
/// `database_damaged`.
[[nodiscard]] auto kept_model(NodeStorage& storage, const Digest& digest)
    -> Result<learning::Model>;

}  // namespace consilium::federation
