#pragma once
// Steps of a participant that have a file of their own: what follows an abort, an opening that
// failed, and delivery C. Each looks at the ledger's state and says what to post next, if anything.

#include "consilium/federation/participant.hpp"

namespace consilium::federation {

using Next = Result<std::optional<ledger::Body>>;

[[nodiscard]] auto contains(const std::vector<HospitalId>& list, HospitalId id) -> bool;
/// A member's place in the round's committee, if it has one.
[[nodiscard]] auto miner_of(const ledger::RoundRecord& round, HospitalId member)
    -> std::optional<MinerId>;

/// One round as one node looks at it. Everything referenced outlives the step.
struct RoundContext {
  const Identity& identity;
  NodeStorage& storage;
  sealing::SetLog& set_log;
  const ledger::State& state;
  const ledger::RoundRecord& round;
  std::vector<std::string>& remarks;

  void remark(std::string_view what) const;
  [[nodiscard]] auto place() const -> std::string;
  /// This member's place in the round's committee, if it has one.
  [[nodiscard]] auto miner() const -> std::optional<MinerId>;
  [[nodiscard]] auto is_in_set() const -> bool;
  [[nodiscard]] auto is_masked() const -> bool {
    return round.policy.delivery == sealing::Delivery::masked_keys;
  }
};

// --- the node's own log (set_rule.cpp)
// ------------------------------------------------------------------------------------

/// A record of this round for the set log. `detail` is H(Π) or the digest of an audit's positions.
[[nodiscard]] auto log_entry(const RoundContext& context, sealing::SetLogKind kind,
                             const Digest& detail) -> sealing::SetLogEntry;
/// The family's rule, judged by this node alone, against its own log (sealing-spec §8.3); then the
/// set is in the log. Errors: `set_too_small`, `not_the_rule`, `set_forbidden`, those of
/// SetLog::record.
[[nodiscard]] auto log_the_set(const RoundContext& context) -> Result<void>;
/// Must the node stop, rather than leave the round to others?
[[nodiscard]] auto ends_the_node(const Error& error) -> bool;
/// A frozen round was aborted: promises never to publish for it, and strikes its set out of the log
/// once that is final. `settled` is set when nothing is left to do.
[[nodiscard]] auto after_abort(const RoundContext& context, bool& settled) -> Next;

// --- what the set is opened from (failed_opening.cpp)
// ------------------------------------------------------------------------------------

/// The bodies of the set, in its order. Error: `blob_unavailable`.
[[nodiscard]] auto bodies_of_set(const RoundContext& context) -> Result<std::vector<Bytes>>;
/// The share sums that can be had: one that is withheld counts as wrong, but so many that too few
/// are left are asked for again. In delivery C the sum of all masked keys stands as that of miner
/// 1. Errors: those of sum_masked_keys, `blob_unavailable` (fewer than t of those published, or in
/// delivery C any of the keys).
[[nodiscard]] auto published_sums(const RoundContext& context) -> Result<std::map<MinerId, Bytes>>;

// --- the audit (failed_opening.cpp)
// ------------------------------------------------------------------------------------

/// What this node has seen fail, with so many share sums published.
struct SeenFailure {
  std::optional<sealing::OpeningFailure> failure;
  std::size_t share_sums = 0;
};
/// A miner whose opening failed says so, once the time to publish is over and it has tried every t
/// of the share sums itself.
[[nodiscard]] auto failure_call(const RoundContext& context, SeenFailure& seen) -> Next;
/// An audit is going on: answers with the shares of the set (in its order) at the picked positions,
/// if this node has seen the same failure, and only for the set in its log; then says who is found.
/// `my_turn` for the one who ends it when nobody else does.
[[nodiscard]] auto audit_step(
    const RoundContext& context, SeenFailure& seen, bool my_turn,
    const std::function<Result<const std::vector<sealing::ShareOpening>*>()>& shares) -> Next;

// --- delivery C (masked_delivery.cpp)
// ------------------------------------------------------------------------------------

/// The set is frozen: checks it, logs it, and sends the key of this hospital's seal, masked. An
/// empty `key` (the process was killed since it sealed) sends nothing, and the round is aborted.
[[nodiscard]] auto send_masked_key(const RoundContext& context, const Secret<std::uint32_t>& key)
    -> Next;

}  // namespace consilium::federation
