#pragma once
/// What a member was credited with and what for: every line of its account, worked out again from
/// the records of the rounds, by a computation that shares no line with the rules that pay. What an
/// auditor compares with the state, and what a hospital's statement shows.

#include <map>
#include <vector>

#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger {

enum class CreditLineKind : std::uint8_t {
  round = 1,          ///< an accepted update paid its pool
  claim_refused = 2,  ///< the council refused what was claimed in `round`: its data part is lost
  decay = 3           ///< `round` ended an epoch: everybody lost the policy's part
};
struct CreditLine {
  CreditLineKind kind = CreditLineKind::round;
  Height height;
  RoundId round;
  std::uint64_t claimed = 0;   ///< patterns claimed in the round's manifest
  std::uint64_t attested = 0;  ///< of the round's set
  std::uint64_t set = 0;       ///< hospitals in it
  std::uint64_t data = 0, verify = 0, pack = 0;
  std::uint64_t lost = 0;
  std::uint64_t balance = 0;  ///< after this line
};
struct CreditStatement {
  std::vector<CreditLine> lines;  ///< oldest first
  std::uint64_t data = 0, verify = 0, pack = 0, lost = 0, balance = 0;
  std::uint64_t withheld = 0;  ///< of the balance, for double signing: not the member's to use
};
/// Of every member. Errors: `credits_differ`: a round's rewards or a member's accounts are not what
/// the records give. Costs a pass over all rounds.
[[nodiscard]] auto credit_statements(const State& state)
    -> Result<std::map<HospitalId, CreditStatement>>;

}  // namespace consilium::ledger
