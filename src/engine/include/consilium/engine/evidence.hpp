#pragma once
// What the engine saw of double signing, as the ledger takes it.

#include <span>
#include <string_view>
#include <vector>

#include "consilium/ledger/ledger.hpp"

namespace consilium::engine {

/// The double signing that one block of the engine carries. `block` is the JSON `result` of the
/// engine's call `block`; `chain` is ledger::chain_name; `keys` are those whose signatures the
/// ledger would judge (validator_keys). What of it is no double signing by one of them is left out:
/// the ledger judges the rest. Error: `engine_answer` (it cannot be read).
[[nodiscard]] auto evidence_in_block(std::string_view block, std::string_view chain,
                                     std::span<const sealing::VerifyKey> keys)
    -> Result<std::vector<ledger::Evidence>>;

/// Present and former keys of validators.
[[nodiscard]] auto validator_keys(const ledger::State& state) -> std::vector<sealing::VerifyKey>;

}  // namespace consilium::engine
