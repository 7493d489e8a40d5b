#pragma once
/// The ledger is the consortium's memory: what was proposed, who agreed, what was opened, who is
/// owed.
///
/// It is a pure state machine: no clock, no floating point, no unordered iteration, no I/O. The
/// same transactions in the same blocks give the same state digest on every hospital's machine,
/// whichever driver delivers them.
///
/// Always true, and checked after every block:
///   - heights grow by exactly one;
///   - a sender's sequence numbers have no gaps and no repeats;
///   - the credits of all members, with what they lost and what is withheld, add up to the pools
///     of all accepted rounds;
///   - a set that was opened is a union of cells of its family's partition;
///   - nothing in the state can identify a patient.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consilium/ledger/transaction.hpp"

namespace consilium::ledger {

/// sealing-spec §7
enum class RoundState : std::uint8_t {
  sealing = 1,
  attesting = 2,
  frozen = 3,
  opening = 4,
  opened = 5,
  judging = 6,
  accepted = 7,
  rolled_back = 8,
  aborted = 9,
  auditing = 10  ///< the set did not open (§9.4); ends rolled_back
};
[[nodiscard]] auto state_name(RoundState state) -> std::string_view;

struct Member {
  HospitalId id;
  MemberInfo info;
  bool active = true;
  Height since;
  std::uint64_t sequence = 0;  ///< last used
  /// What is left of what was paid for data, verification and packing, and what was lost of it.
  std::uint64_t credits = 0, credits_data = 0, credits_verify = 0, credits_pack = 0;
  std::uint64_t credits_lost = 0;
  /// What rounds of each purpose have cost this hospital in privacy, in the order of the policy's
  /// budgets. Never falls: a round that was opened is paid for, whatever became of it.
  std::array<std::uint64_t, 4> rho_spent_micro{};
  /// What this hospital's own questions (metrics, council) have cost; never falls either.
  std::array<std::uint64_t, 2> rho_asked_micro{};
  Height box_since;  ///< of its last rotate_box_key; 0: the key is the one it was admitted with
};

/// A key that one of the members had before: nobody's ever again.
struct FormerKey {
  HospitalId member;
  KeyUse use = KeyUse::identity;
  Height replaced_at;
};

/// A member whose validator signed two blocks at once, and what that has cost it.
struct Offence {
  Height at;  ///< of the last evidence
  /// Of the votes, ascending: what was judged once is not held against anybody again.
  std::vector<std::uint64_t> engine_heights;
  /// Until the council releases it: what rounds pay it goes to the three below.
  bool withholding = true;
  std::uint64_t withheld_data = 0, withheld_verify = 0, withheld_pack = 0;
  [[nodiscard]] auto withheld() const -> std::uint64_t {
    return withheld_data + withheld_verify + withheld_pack;
  }
};
/// A vote of a key that was replaced so many heights ago counts as evidence; one on the removal of
/// who signed twice stays open as long.
inline constexpr std::uint64_t evidence_heights = 100'000;

/// The newest version of the rules that this program has. Blocks of earlier versions are replayed
/// by the rules of their version: a rule that changes asks Book::next_app_version().
inline constexpr std::uint32_t app_version_newest = 1;
/// What was voted for, until its height.
struct Upgrade {
  std::uint32_t app_version = 0;
  Height height;  ///< of the first block by its rules
  auto operator==(const Upgrade&) const -> bool = default;
};

/// A miner's last word that a set does not open, and how many share sums it was said of.
struct FailureWord {
  sealing::OpeningFailure failure;
  std::uint16_t share_sums = 0;
};

/// The one audit of a round.
struct AuditRecord {
  sealing::OpeningFailure failure;  ///< what t of the committee saw
  Height fixed_at;                  ///< its block's hash picks the positions
  sealing::AuditStep step = sealing::AuditStep::witness;
  /// Between the steps: nobody was found, and the council or the set may ask for step 2.
  bool waits_for_consent = false;
  sealing::AuditPositions positions;  ///< known when the block of fixed_at has ended
  std::vector<HospitalId> consents;
  struct Step {
    std::map<HospitalId, Digest> answers;  ///< blobs of words, by miner
    std::map<HospitalId, std::vector<HospitalId>> findings;
  };
  std::array<Step, 2> steps;  ///< witness, data
  [[nodiscard]] auto now() const -> const Step& {
    return steps.at(static_cast<std::size_t>(step) - 1);
  }
};

/// A miner wants to see a leaf of a hospital's body.
struct OpenChallenge {
  std::uint64_t leaf = 0;
  Height deadline;  ///< the last block that may show it
  bool answered = false;
};

struct RoundRecord {
  RoundId id;
  OpenRound open;
  HospitalId opener;
  Height opened_at;
  RoundState state = RoundState::sealing;
  Height deadline;  ///< of the present state
  Digest seed, stream;
  std::uint32_t committee_epoch = 0;
  std::vector<HospitalId> miners;  ///< miner m is miners[m-1]
  std::map<HospitalId, SubmitManifest> manifests;
  std::map<HospitalId, Height> submitted_at;
  std::map<HospitalId, std::vector<HospitalId>> attests;  ///< by miner's member id
  std::map<std::pair<HospitalId, HospitalId>, bool>
      complaints;                       ///< (hospital, miner) → answered well
  std::vector<HospitalId> excluded;     ///< left out before freeze: bad_sharing, equivocation
  std::vector<sealing::SetMember> set;  ///< U, once frozen
  Digest set_digest, partition_digest;
  HospitalId packer;  ///< who froze
  std::vector<HospitalId> ready;
  std::map<HospitalId, Digest> share_sums;
  std::map<HospitalId, ResultAttest> results;
  std::optional<ResultAttest> opened_sum;  ///< what t of the committee agree on
  std::map<HospitalId, Digest> vote_commits;
  std::map<HospitalId, bool> votes;
  std::map<HospitalId, Digest> models;
  std::string reason;                           ///< of aborted, rolled_back
  std::map<HospitalId, std::uint64_t> rewards;  ///< data + verification + packing
  Height closed_at;
  Policy policy;  ///< as it was when the round was opened: fixed from there
  Digest schema;
  Height freezable_at;  ///< since when freeze_rule has a list; 0 while it has none
  /// Digest of a hospital's second, different manifest: the first counts, and earns nothing.
  std::map<HospitalId, Digest> equivocations;
  std::map<HospitalId, Bytes>
      complaint_lists;  ///< ManifestLists bytes of hospitals complained about
  std::map<std::pair<HospitalId, HospitalId>, Answer> answers;  ///< good ones, by (hospital, miner)
  std::vector<HospitalId>
      different_model;  ///< who posted another model than the one that was fixed
  std::map<HospitalId, std::uint64_t> rewards_data, rewards_verify, rewards_pack;
  std::uint64_t rho_micro = 0;         ///< cost of the round to each of `charged`; 0 without noise
  std::vector<HospitalId> charged;     ///< active hospitals when it was opened
  std::vector<HospitalId> stood_down;  ///< miners that never publish for it (aborted rounds)
  std::map<HospitalId, FailureWord> failure_words;
  std::optional<AuditRecord> audit;
  /// Whose claim the council refused, and when, after the round was paid.
  std::map<HospitalId, Height> claims_refused;
  std::vector<HospitalId> blamed;  ///< found out by the audit: answers and findings are above
  std::map<HospitalId, Digest> masked_keys;  ///< delivery C, by member of the set
  std::vector<HospitalId> not_sent;          ///< delivery C: who never sent for the set
  std::map<std::pair<HospitalId, HospitalId>, OpenChallenge> challenges;  ///< by (hospital, miner)
  std::vector<HospitalId>
      not_shown;  ///< a challenged leaf of theirs never appeared: no data credits
  std::vector<HospitalId> withdrawn;  ///< took back what they sent, after the round
};
/// A leaf is asked for and may still be shown.
[[nodiscard]] auto has_open_challenge(const RoundRecord& round) -> bool;
/// An asker's own question: metrics or council with noise, paid for from the asker's budget and
/// free in what it asks. Without noise these purposes ask the policy's menu, once a data epoch.
[[nodiscard]] auto is_own_question(const OpenRound& open) -> bool;
/// So many stand-downs strike a set out: of M−t+f+1 at most f are lies, and with t−1 miners left
/// nobody opens it (sealing-spec §8.2).
[[nodiscard]] auto strikes_at(const sealing::Committee& committee) -> std::size_t;
/// Frozen, aborted, and never to be opened, because enough of its miners have stood down.
[[nodiscard]] auto is_struck(const RoundRecord& round) -> bool;
/// Accepted, rolled back or aborted: nothing but model digests may follow.
[[nodiscard]] auto is_closed(RoundState state) -> bool;

/// sealing-spec §8.3: everything ever opened from one base (updates) or in one stream (everything
/// else).
struct Family {
  sealing::Partition partition;  ///< Π, fixed by the first freeze and kept for ever
  Digest partition_digest;
  RoundId first;                      ///< the round whose freeze fixed Π
  std::uint32_t committee_epoch = 0;  ///< the committee that serves it; another one finds it closed
  std::vector<Digest> opened;         ///< H(U) of every round that entered Opening
};
/// base for updates, stream for every other purpose
[[nodiscard]] auto family_of(const RoundRecord& round) -> const Digest&;

enum class AlignmentState : std::uint8_t {
  opened = 1,
  keyed = 2,
  committed = 3,
  fixed = 4,
  released = 5,
  closed = 6,
  failed = 7
};
[[nodiscard]] auto state_name(AlignmentState state) -> std::string_view;
struct AlignmentSession {
  AlignmentRecord record;
  HospitalId opener;
  Height opened_at;
  AlignmentState state = AlignmentState::opened;
  std::uint32_t attempt = 1;
  Height deadline;
  std::map<HospitalId, AlignKeys> keys;       ///< of this attempt, by slot owner
  std::map<HospitalId, AlignCommit> commits;  ///< of this attempt
  std::map<HospitalId, Digest> inputs;        ///< com_x of the session: the same in every attempt
  std::map<HospitalId, std::vector<HospitalId>> acks;
  std::vector<HospitalId> participants;  ///< once fixed
  Digest fix;  ///< over participants, their commitments and the node keys of the attempt
  std::map<HospitalId, AlignReceipt> receipts;
  std::vector<std::string> warnings;  ///< `probe_budget`, `small_change`, `threshold_changed`
  std::vector<std::string> aborts;    ///< code of each ended attempt
};

struct ModelRecord {
  Digest model, parent;
  RoundId round;
  Height height;
};

/// Accepted, or the named error; a refused transaction leaves no trace in the state.
using Verdict = Result<void>;

struct Block {
  Height height;
  Digest previous;                  ///< state digest before this block
  std::vector<Bytes> transactions;  ///< encoded, in order; refused ones are not in a block
  [[nodiscard]] auto encode() const -> Bytes;
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<Block>;
  /// The ledger's own: H("consilium/ledger/1/block", previous, height, transactions in order)
  /// (design §2).
  [[nodiscard]] auto hash() const -> Digest;
};

/// What apps, federation and people may ask; a copy-free view of the present state.
class State {
 public:
  virtual ~State() = default;
  [[nodiscard]] virtual auto consortium() const -> const Digest& = 0;
  [[nodiscard]] virtual auto genesis() const -> const Genesis& = 0;
  [[nodiscard]] virtual auto height() const -> Height = 0;
  [[nodiscard]] virtual auto digest() const -> Digest = 0;
  [[nodiscard]] virtual auto policy() const -> const Policy& = 0;
  [[nodiscard]] virtual auto schema() const -> const Digest& = 0;
  [[nodiscard]] virtual auto members() const -> const std::map<HospitalId, Member>& = 0;
  [[nodiscard]] virtual auto rounds() const -> const std::map<RoundId, RoundRecord>& = 0;
  [[nodiscard]] virtual auto alignments() const -> const std::vector<AlignmentSession>& = 0;
  [[nodiscard]] virtual auto models() const
      -> const std::vector<ModelRecord>& = 0;  ///< accepted, oldest first
  struct OpenProposal {
    std::uint64_t id;
    HospitalId by;
    Propose proposal;
    std::map<HospitalId, bool> votes;
    Height at, expiry;
  };
  [[nodiscard]] virtual auto proposals() const -> const std::map<std::uint64_t, OpenProposal>& = 0;
  [[nodiscard]] virtual auto families() const -> const std::map<Digest, Family>& = 0;
  /// How many admissions, removals and new box keys have changed the committee.
  [[nodiscard]] virtual auto committee_epoch() const -> std::uint32_t = 0;
  /// Keys that were replaced.
  [[nodiscard]] virtual auto former_keys() const
      -> const std::map<sealing::VerifyKey, FormerKey>& = 0;
  /// Of members whose double signing was proven.
  [[nodiscard]] virtual auto offences() const -> const std::map<HospitalId, Offence>& = 0;
  /// The version of the rules that made the last block.
  [[nodiscard]] virtual auto app_version() const -> std::uint32_t = 0;
  [[nodiscard]] virtual auto pending_upgrade() const -> const std::optional<Upgrade>& = 0;
  /// The base of the very first update round; every update starts from it until a model is
  /// accepted.
  [[nodiscard]] virtual auto initial_model() const -> const std::optional<Digest>& = 0;
  /// The hash of a past block (design §2); the zero digest for height 0. A ledger that was restored
  /// knows of the blocks before only those in which a round was opened or an audit fixed, and the
  /// last.
  [[nodiscard]] virtual auto block_hash(Height height) const -> Digest = 0;

  /// The version of the rules that make the next block.
  [[nodiscard]] auto next_app_version() const -> std::uint32_t;
  [[nodiscard]] auto find_round(RoundId id) const -> const RoundRecord*;
  [[nodiscard]] auto member_by_name(std::string_view name) const -> const Member*;
  [[nodiscard]] auto hospitals() const
      -> std::vector<HospitalId>;  ///< active, role hospital, ascending
  /// Who has a vote in consensus, with the key it votes under: active hospitals that named one.
  [[nodiscard]] auto validators() const -> std::map<HospitalId, sealing::VerifyKey>;
  /// Miners of the present committee, miner m at [m-1]: all hospitals, or the server alone.
  [[nodiscard]] auto committee() const -> std::vector<HospitalId>;
  /// RoundParameters for sealing from a round's record.
  [[nodiscard]] auto parameters_of(const RoundRecord& round) const -> sealing::RoundParameters;
  /// What freeze must say: the verified updates (≥ t attests, no open complaint, not excluded),
  /// ascending – or why not: `too_early` (somebody may still be verified before the deadline),
  /// `set_too_small`, `set_forbidden`.
  [[nodiscard]] auto freeze_rule(const RoundRecord& round) const -> Result<Freeze>;
  /// Packing right (design 6.3): ranked draw among the miners, weighted by verified contribution of
  /// the last 8 rounds (integers, capped), seeded by the hash of the block that opened the round.
  /// Rank r may freeze from r · pack_step heights after the round could be frozen.
  [[nodiscard]] auto packer_ranks(const RoundRecord& round) const -> std::vector<HospitalId>;
  /// Whose freeze the next block would take, best rank first; nobody while freeze_rule has no list.
  [[nodiscard]] auto packers_now(const RoundRecord& round) const -> std::vector<HospitalId>;
  /// May members, or box keys, change in the next block? Errors: `round_running`, `base_served` (a
  /// set of the base that the next update starts from was frozen).
  [[nodiscard]] auto committee_may_change() const -> Result<void>;
  /// Names of blobs that no node need keep any more: of rounds that have been closed for the
  /// retention_heights of their policy, and what hospitals took back. Their boxes are named in
  /// `lists` and go with them. Never one that another round still needs. Ascending.
  [[nodiscard]] auto released_blobs() const -> std::vector<Digest>;
  /// May this round's blobs be dropped by their age?
  [[nodiscard]] auto is_released(const RoundRecord& round) const -> bool;
  /// Should this member post a new box key now: it may, and its key has served box_epoch_rounds
  /// accepted updates, or is not of the policy's kind.
  [[nodiscard]] auto box_key_is_due(HospitalId member) const -> bool;
  /// Epoch of the last released pattern alignment, 0 before any.
  [[nodiscard]] auto data_epoch() const -> std::uint64_t;
  /// Does anything wait for a height (a running round, an alignment, a proposal)? Then a driver
  /// goes on making blocks, empty ones if need be: a silent hospital must not stop the heights.
  [[nodiscard]] auto is_waiting() const -> bool;
  /// May votes be revealed in the next block (everybody committed, or half of the judging time is
  /// over)?
  [[nodiscard]] auto reveals_open(const RoundRecord& round) const -> bool;
};
/// Heights from one packing rank's turn to the next one's.
inline constexpr std::uint64_t pack_step = 4;

class Ledger final : public State {
 public:
  /// `newest_version`: the newest version of the rules that the program has.
  explicit Ledger(const Genesis& genesis, std::uint32_t newest_version = app_version_newest);
  Ledger(Ledger&&) noexcept;
  auto operator=(Ledger&&) noexcept -> Ledger&;
  ~Ledger() override;

  /// Judges one transaction against the present state, as if it were next; changes nothing.
  [[nodiscard]] auto check(const Transaction& transaction) const -> Verdict;
  /// Judges what can be judged of one that follows others of its sender which are still on their
  /// way: consortium, sender, expiry and signature, and that its sequence number is not used yet.
  [[nodiscard]] auto check_later(const Transaction& transaction) const -> Verdict;
  /// Judges one transaction inside the block being built and, if accepted, changes the state.
  [[nodiscard]] auto apply(const Transaction& transaction) -> Verdict;
  /// Error: `app_version_unknown` (the next block is made by rules that this program lacks):
  /// neither check nor apply takes anything then, and end_block must not be called.
  [[nodiscard]] auto knows_next_version() const -> Result<void>;
  /// Ends the block: height + 1, deadlines of the rule, invariants, digest. Gives the block that
  /// was made.
  auto end_block() -> Block;
  /// Applies a whole block from elsewhere. Errors: `wrong_previous`, `wrong_height`,
  /// `app_version_unknown`, or the verdict of the first transaction that does not hold; the ledger
  /// is then as it was before. Also `block_in_progress`: this ledger is building a block of its
  /// own.
  [[nodiscard]] auto apply_block(const Block& block) -> Result<void>;
  /// Takes back the block that is being built, or else the one made last (once): for a driver that
  /// could not make it durable.
  void revert_block();
  /// The whole state after the last block as bytes, from which a ledger goes on without the blocks
  /// before it: every record, and the hashes of past blocks that rules still ask for. One state has
  /// one snapshot. Not inside a block. Time and size: those of all records.
  [[nodiscard]] auto snapshot() const -> Bytes;
  /// The ledger that gave this snapshot, of which the state digest is known from elsewhere: from
  /// this node's own blocks, or from what the consortium's validators signed. What it answers and
  /// judges is what the original does. Errors: `bad_encoding`, `wrong_consortium`,
  /// `snapshot_damaged` (any other byte than those that give the digest).
  [[nodiscard]] static auto restore(const Genesis& genesis, BytesView snapshot,
                                    const Digest& digest) -> Result<Ledger>;
  /// Transactions and their bytes accepted into the block that is being built.
  [[nodiscard]] auto pending_count() const -> std::size_t;
  [[nodiscard]] auto pending_bytes() const -> std::size_t;
  /// The state digest worked out from every record, without the cache of leaves: for audits.
  [[nodiscard]] auto recomputed_digest() const -> Digest;

  auto consortium() const -> const Digest& override;
  auto genesis() const -> const Genesis& override;
  auto height() const -> Height override;
  auto digest() const -> Digest override;
  auto policy() const -> const Policy& override;
  auto schema() const -> const Digest& override;
  auto members() const -> const std::map<HospitalId, Member>& override;
  auto rounds() const -> const std::map<RoundId, RoundRecord>& override;
  auto alignments() const -> const std::vector<AlignmentSession>& override;
  auto models() const -> const std::vector<ModelRecord>& override;
  auto proposals() const -> const std::map<std::uint64_t, OpenProposal>& override;
  auto families() const -> const std::map<Digest, Family>& override;
  auto committee_epoch() const -> std::uint32_t override;
  auto former_keys() const -> const std::map<sealing::VerifyKey, FormerKey>& override;
  auto offences() const -> const std::map<HospitalId, Offence>& override;
  auto app_version() const -> std::uint32_t override;
  auto pending_upgrade() const -> const std::optional<Upgrade>& override;
  auto initial_model() const -> const std::optional<Digest>& override;
  auto block_hash(Height height) const -> Digest override;

 private:
  struct Content;
  explicit Ledger(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

}  // namespace consilium::ledger
