#pragma once
// The rules, one `judge` per transaction. A judge reads the state as it is and gives the change it
// would make, so a refusal cannot leave a trace: nothing is written before everything was judged.

#include <functional>

#include "book.hpp"

namespace consilium::ledger {

using Change = std::function<void(Book&)>;
using Judged = Result<Change>;

/// One transaction's sender and the height of the block it would be in.
struct Context {
  const Book& book;
  const Member& sender;
  Height height;
  Height expiry;
};

[[nodiscard]] auto judge(const Context& context, const Propose& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Vote& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const RotateBoxKey& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const OpenRound& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const SubmitManifest& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Attest& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Complaint& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Answer& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Freeze& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Ready& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const PublishShare& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const ResultAttest& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const VoteCommit& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const VoteReveal& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Decide& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const ModelDigest& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Abort& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const OpenAlignment& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const PublishAlignment& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const CloseAlignment& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const StandDown& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const AuditCall& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const AuditAnswer& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const AuditFinding& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const AuditConsent& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const PublishKey& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const NotSent& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Evidence& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Challenge& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Respond& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const Tombstone& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const RotateKey& body) -> Judged;
[[nodiscard]] auto judge(const Context& context, const RotateValidatorKey& body) -> Judged;

/// What the end of a block does by itself: states that only wait for a height, and nothing else.
void end_rounds(Book& book);
void end_proposals(Book& book);
void end_alignments(Book& book);
/// Claims that were refused in this block, then the decay where it ends an epoch.
void end_credits(Book& book);
/// Errors: `bad_claim`, `duplicate`, `late`.
[[nodiscard]] auto judge_claim_refusal(const Book& book, const ProposeClaimRefusal& refusal)
    -> Result<void>;
/// Frozen, t miners ready and no complaint open: the round enters Opening and its set counts as
/// opened.
void start_opening_if_ready(Book& book, RoundId round, Height height);
/// An audit that nobody ends any more, for Decide. Error: `too_early`.
[[nodiscard]] auto judge_end_of_audit(const Book& book, const RoundRecord& round) -> Judged;
/// The block that fixed the failure has ended: its hash says where everybody is looked at.
void pick_audit_positions(Book& book, RoundId round, const Digest& block_hash);
/// Step 2 is open to be asked for. Error: `audit_refused`.
[[nodiscard]] auto need_audit_choice(const RoundRecord& round) -> Result<void>;
/// The council has asked for step 2.
void begin_voted_audit(Book& book, RoundId round, Height height);
/// What was not shown in its time: no data credits, and out of the set if that is not frozen yet.
void end_challenges(Book& book, RoundId round, Height height);
/// Fixes the model of accepted rounds on which more than two thirds agree.
void settle_model(Book& book, RoundId round, Height height);

// --- what a round may ask (rules_asking.cpp)
// --------------------------------------------------------------------------------

/// Where the policy's four budgets have the round's purpose, and where the two of menus and askers.
[[nodiscard]] auto purpose_index(const OpenRound& open) -> std::size_t;
[[nodiscard]] auto asked_index(const OpenRound& open) -> std::size_t;
/// Metrics and council without noise ask the policy's menu and nothing else (sealing-spec §11).
/// Error: `not_the_menu`.
[[nodiscard]] auto judge_menu(const Book& book, const OpenRound& body) -> Result<void>;
/// Clips by tensor group, where the policy has them. Error: `stale_context`.
[[nodiscard]] auto judge_clips(const Book& book, const OpenRound& body) -> Result<void>;
/// The round's cost to every active hospital in micro-ρ, 0 without noise, which their budgets and
/// the asker's cover. Errors: `noise_missing`, `bad_noise`, `no_headroom`, `unit_reserved`,
/// `budget_spent`.
[[nodiscard]] auto judge_noise(const Context& context, const OpenRound& body, sealing::Suite suite)
    -> Result<std::uint64_t>;

// --- asked by several rules
// --------------------------------------------------------------------------------

[[nodiscard]] auto place_of(const RoundRecord& round) -> std::string;
/// k_min + c
[[nodiscard]] auto cell_minimum(const Policy& policy) -> std::size_t;
/// Submitted, not excluded, no open complaint, attested by t miners.
[[nodiscard]] auto is_verified(const RoundRecord& round, HospitalId hospital) -> bool;
/// A member of the frozen set.
[[nodiscard]] auto in_set(const RoundRecord& round, HospitalId hospital) -> bool;
[[nodiscard]] auto has_open_complaint(const RoundRecord& round, HospitalId hospital) -> bool;
/// A set of ids as a sorted list without repeats.
[[nodiscard]] auto contains(const std::vector<HospitalId>& sorted, HospitalId id) -> bool;
void insert_sorted(std::vector<HospitalId>& sorted, HospitalId id);
[[nodiscard]] auto last_released(const State& state, AlignmentSubject subject)
    -> const AlignmentSession*;

/// Members, policy and box keys stand still while a round runs: its committee, its cells and its
/// votes count on them. Error: `round_running`.
[[nodiscard]] auto need_no_running_round(const State& state, std::string_view place)
    -> Result<void>;
/// sealing-spec §8.3: committee changes take effect only with a new base. While the base that the
/// next update must start from has a frozen set, miners may have it in their logs, and a newcomer's
/// would be empty. Error: `base_served`.
[[nodiscard]] auto need_fresh_base(const State& state, std::string_view place) -> Result<void>;

/// Nobody has this signing key or ever had it, for whatever use.
[[nodiscard]] auto is_new_key(const State& state, const sealing::VerifyKey& key) -> bool;

/// Its rewards are withheld until the council releases them.
[[nodiscard]] auto is_withheld(const State& state, HospitalId member) -> bool;
/// Pays what was withheld, and later rewards again.
void release(Book& book, HospitalId member);
/// Opens a vote on it that nobody asked for, with no voice counted yet; nothing when the same is
/// open already.
void open_proposal(Book& book, HospitalId by, const Propose& body, Height at, Height expiry);

/// The round, if there is one. Error: `unknown_round`.
[[nodiscard]] auto round_named(const Book& book, RoundId id) -> Result<const RoundRecord*>;
/// Errors: `not_permitted`.
[[nodiscard]] auto need_hospital(const Context& context) -> Result<void>;
[[nodiscard]] auto need_miner(const Context& context, const RoundRecord& round) -> Result<void>;

}  // namespace consilium::ledger
