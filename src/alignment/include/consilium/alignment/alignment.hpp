#pragma once
/// Which of my patterns do at least k hospitals hold? (alignment-spec, mode `oblivious` over
/// enumerated cells)
///
///   schema → Dictionary → a hospital's bitmap → three shares, one pair to each of three nodes
///          → count, compare with k, ∧ own bit, all on shares → three shares back → which own cells
///          are shared
///
/// Always true:
///   - nothing but uniformly random shares, salted commitments and sizes that depend on no bitmap
///   leaves a hospital;
///   - an output share leaves a node only when the ledger shows three equal receipts;
///   - an answer is used only when each of its shares equals the other holder's hash;
///   - no key, seed, nonce or share of one attempt is used in another.
///
/// Secure against curious nodes: one of the three may look at everything it sees. Against a node
/// that deviates from the protocol it is not yet (§3.4), and two nodes that collude see every
/// bitmap: print their names.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "consilium/alignment/circuit.hpp"
#include "consilium/alignment/patterns.hpp"
#include "consilium/alignment/session.hpp"
#include "consilium/casebase/schema.hpp"
#include "consilium/foundation/random.hpp"
#include "consilium/ledger/ledger.hpp"
#include "consilium/sealing/keys.hpp"

namespace consilium::alignment {

/// Where a node keeps its boxed outputs, so that a restart after the receipt does not lose what
/// others are owed. Boxes only: no share and no key is ever saved.
class OutputShelf {
 public:
  virtual ~OutputShelf() = default;
  /// Durable when it returns; replaces what was kept under the name.
  [[nodiscard]] virtual auto save(std::string_view name, BytesView bytes) -> Result<void> = 0;
  [[nodiscard]] virtual auto load(std::string_view name) -> Result<std::optional<Bytes>> = 0;
};

/// The record that opens a session: all active hospitals; as nodes the owners of three slots that
/// move on by one hospital an epoch; C = the policy's cap, or all cells of a smaller dictionary;
/// support 1 for patterns and the policy's `small_cell` for attributes. Errors: `stale_schema`,
/// `bad_members`, `bad_threshold`, `k2_not_allowed`, and those of Dictionary::make.
[[nodiscard]] auto open_record(const ledger::State& state, const casebase::Schema& schema,
                               ledger::AlignmentSubject subject, std::uint16_t threshold,
                               std::uint64_t epoch, Random& random)
    -> Result<ledger::AlignmentRecord>;

/// A member's part of the sessions: its hospital part and, where it owns a slot, its node part.
///
/// Call on_ledger once a height (the same state again does no harm; patience with silent members is
/// counted in calls) and on_frame for every frame that arrives. Post and send what they give.
/// Nothing is posted twice unless the ledger has not shown it for a while.
///
/// A restarted process makes a new Participant. If it owns a slot and had posted its key, it ends
/// the attempt (its pair keys are gone) and the next one starts with everything fresh, unless its
/// receipt is on the ledger and its outputs are on the shelf. A hospital without a slot that
/// committed and then restarted before its upload was taken is left out of that attempt; after the
/// fix it gets its answer all the same.
class Participant {
 public:
  using Actions = alignment::Actions;
  struct Outcome {
    std::vector<CaseId> shared_cases;              ///< ascending; subject `pattern`
    std::vector<std::uint16_t> shared_attributes;  ///< ids, ascending; subject `attribute`
    std::size_t shared_patterns = 0;               ///< shared cells
    std::uint64_t claim_bucketed = 0;  ///< shared_patterns as the ledger may know it: 0 or 64·2^j
    std::size_t unalignable = 0;       ///< own cases left out
    bool took_part = false;            ///< false: left out of the fix; nothing is shared then
  };

  /// `key`, `secrets` and `shelf` outlive the participant; the rest is copied. `session_secret`: 32
  /// bytes or more, secret, the same after a restart. Without a shelf a restart between receipt and
  /// delivery loses outputs; without member keys the channels alone vouch for who sent a frame.
  Participant(HospitalId self, const sealing::SigningKey& key,
              std::span<const casebase::Case> samples, const casebase::Schema& schema,
              BytesView session_secret, Random& secrets, OutputShelf* shelf = nullptr,
              MemberKeys member_keys = {});
  Participant(Participant&&) noexcept;
  auto operator=(Participant&&) noexcept -> Participant&;
  ~Participant();

  /// Errors: `stale_schema`, `bad_dictionary` (the record was made from another schema),
  /// `bad_record`, and the shelf's; then nothing was done.
  [[nodiscard]] auto on_ledger(const ledger::AlignmentSession& session) -> Result<Actions>;
  /// Errors: `output_mismatch`, `conflicting_message` (nothing of the session may be used), and the
  /// shelf's. Frames that do not belong here are passed over, or end the attempt on the ledger.
  [[nodiscard]] auto on_frame(HospitalId from, BytesView frame) -> Result<Actions>;
  /// Nothing until the session is released and the outputs are verified.
  [[nodiscard]] auto outcome() const -> const std::optional<Outcome>&;
  /// What an operator should hear, oldest first; forgets it.
  [[nodiscard]] auto take_remarks() -> std::vector<std::string>;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium::alignment
