#pragma once
// Every transaction the consortium knows, as values. Names, order and fields are the protocol:
// changing one is a protocol change. Integers only; no patient data, ever: digests and counts.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "consilium/foundation/blob_name.hpp"
#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/identity.hpp"
#include "consilium/sealing/audit.hpp"
#include "consilium/sealing/keys.hpp"
#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::ledger {

class State;

enum class Topology : std::uint8_t { central = 1, committee = 2 };
enum class MemberRole : std::uint8_t {
  hospital = 1,
  server = 2
};  ///< server: the centre of `central`, no data, no vote

/// What may be audited of a round whose sum does not open (sealing-spec §9.4).
enum class AuditPolicy : std::uint8_t {
  none = 0,     ///< nothing: the round ends, and nobody is named
  witness = 1,  ///< two coefficients of every witness: is the key the one that was shared?
  data = 2      ///< then, if the council or everybody concerned agrees, eight of every update
};

/// What the credits for data grow with, of the patterns that a hospital claims: both ways the
/// second thousand is worth less than the first.
enum class CreditScale : std::uint8_t {
  root = 0,   ///< ⌊√claimed⌋
  digits = 1  ///< binary digits of it: one step more for twice as much
};

struct MemberInfo {
  std::string name;   ///< [a-z0-9-]{1,32}: also the node's folder
  std::string title;  ///< what people read, ≤ 64 bytes UTF-8
  MemberRole role = MemberRole::hospital;
  sealing::VerifyKey key;
  sealing::BoxPublicKey box_key;
  /// Ed25519 key of its validator in a chain kept by the hospitals themselves; none: it follows the
  /// chain without a vote in consensus. Never the key it signs with.
  std::optional<sealing::VerifyKey> validator_key{};
  auto operator==(const MemberInfo&) const -> bool = default;
};

/// What the consortium agreed. Deadlines are counted in heights from the transaction that starts
/// the step.
struct Policy {
  Topology topology = Topology::committee;
  std::uint16_t honest_min = 3;  ///< k_min: fewest honest hospitals in anything opened (≥ 3)
  std::uint16_t colluders = 0;   ///< c
  std::uint32_t seal_heights = 40, attest_heights = 40, ready_heights = 40, publish_heights = 40,
                judge_heights = 40;
  std::uint64_t weight_cap = 1024;       ///< W, samples
  std::uint32_t clip_micro = 2'000'000;  ///< C of every update coordinate, 10⁻⁶
  std::uint32_t small_cell = 10;         ///< statistics below this many cases are sealed as zeros
  std::uint64_t cases_max = 4096;        ///< of one hospital, for the scale of statistics
  std::uint16_t align_threshold = 2;     ///< k
  bool allow_k2 = true;
  std::uint64_t align_cap = 1U << 16U;  ///< C of alignment: claimed cells a hospital
  std::uint32_t sessions_a_year = 52;
  std::uint32_t round_pool = 1000;  ///< credits of an accepted update round
  std::uint16_t data_percent = 70, verify_percent = 20, pack_percent = 10;  ///< sum 100
  /// What the rounds of a purpose (update, statistics, metrics, council) may cost each hospital, in
  /// micro-ρ of zCDP (sealing-spec §10). With a budget every round of the purpose carries noise,
  /// and none opens that it does not cover; 0 asks for no noise and sets no limit.
  std::array<std::uint64_t, 4> rho_budget_micro{};
  /// A hospital seals the same data again until so many of its cases changed (sealing-spec §8.1,
  /// §11): with fewer, two opened sums would differ by single patients.
  std::uint32_t snapshot_cases = 10;
  /// The smallest clip of a tensor group, 10⁻⁶. Above 0 every tensor group has a clip of its own,
  /// worked out from earlier opened sums, between this and clip_micro; 0: clip_micro for all.
  std::uint32_t clip_floor_micro = 0;
  /// menu_digest() of what metrics and council may ask without noise, once a data epoch; zero:
  /// nothing.
  std::array<Digest, 2> menus{};
  /// What one asker's own questions (metrics, council; always with noise) may cost in micro-ρ;
  /// 0: nobody asks any.
  std::array<std::uint64_t, 2> rho_asker_micro{};
  /// A miner makes a new box key after so many accepted updates, and erases the old one and what
  /// was closed for it; 0: never.
  std::uint32_t box_epoch_rounds = 16;
  /// Boxes under X25519 and ML-KEM-768 together: rounds, and the keys of all members, are of this
  /// kind.
  bool hybrid_boxes = false;
  AuditPolicy audit = AuditPolicy::none;
  /// How the sum of the keys reaches whoever opens (sealing-spec §6.2, §6.3): shares for miners,
  /// or, in `central` only and without audits, keys masked so that only their whole sum is one.
  sealing::Delivery delivery = sealing::Delivery::shares;
  /// So long a challenged leaf of a body may take to appear; 0: nobody is challenged.
  std::uint32_t challenge_heights = 20;
  /// So long after a round is closed nodes keep its blobs; 0: for ever.
  std::uint32_t retention_heights = 0;
  CreditScale credit_scale = CreditScale::root;
  /// After so many accepted updates everybody loses decay_percent of its credits, rounded down;
  /// 0 and 0: credits stay.
  std::uint32_t credit_epoch_rounds = 0;
  std::uint16_t decay_percent = 0;
  auto operator==(const Policy&) const -> bool = default;
};

/// The first page. Its digest is the consortium's id. One founder; everybody else is admitted by
/// vote.
struct Genesis {
  std::string name;  ///< "heart-four"
  std::uint64_t created_unix_s = 0;
  MemberInfo founder;  ///< member 1
  /// In `central`: the server, member 2; it orders, holds the key and never votes.
  std::vector<MemberInfo> servers;
  Policy policy;
  Digest schema;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Errors: `bad_encoding`, and those of check_genesis.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<Genesis>;
  [[nodiscard]] auto consortium() const -> Digest;
};
/// Errors: `bad_name`, `bad_key`, `wrong_box_kind`, `bad_policy`, `bad_members` (`central` needs
/// exactly one server, `committee` none).
[[nodiscard]] auto check_genesis(const Genesis& genesis) -> Result<void>;
/// Error: `bad_policy`, saying which line of it.
[[nodiscard]] auto check_policy(const Policy& policy) -> Result<void>;
/// The kind of box key that the policy asks of its members.
[[nodiscard]] auto box_kind_of(const Policy& policy) -> sealing::BoxKind;
/// Name, title and role as they must be written, and a usable box key. Errors: `bad_name`,
/// `bad_key`.
[[nodiscard]] auto check_member_info(const MemberInfo& member) -> Result<void>;

// --- consortium
// -------------------------------------------------------------------------------------------
struct ProposeAdmit {
  MemberInfo member;
};
struct ProposeRemove {
  HospitalId member;
};
struct ProposePolicy {
  Policy policy;
};
struct ProposeSchema {
  Digest schema;
};
/// Step 2 of a round's audit: every member of its set shows eight coefficients of its update. The
/// only proposal that is decided while its round runs.
struct ProposeAudit {
  RoundId round;
};
/// From this height on blocks are made by the rules of this version, the next one after the
/// present. The present version and height 0 take back an upgrade that was voted for.
struct ProposeUpgrade {
  std::uint32_t app_version = 0;
  Height height;
};
/// The rewards that evidence of double signing withheld from a member are paid, and later ones
/// again.
struct ProposeRelease {
  HospitalId member;
};
/// The council refuses what a hospital claimed in a round that was paid: the data part is lost, and
/// nobody gains it. Until eight more updates were accepted.
struct ProposeClaimRefusal {
  RoundId round;
  HospitalId hospital;
};
/// A proposal is open until expiry; the proposer's vote is counted as yes. Accepted the moment more
/// than two thirds of the hospitals (the target left out) said yes, refused when that cannot happen
/// any more.
struct Propose {
  std::variant<ProposeAdmit, ProposeRemove, ProposePolicy, ProposeSchema, ProposeAudit,
               ProposeUpgrade, ProposeRelease, ProposeClaimRefusal>
      what;
};
struct Vote {
  std::uint64_t proposal = 0;
  bool yes = false;
};

/// A committee member's box key of a new committee epoch (sealing-spec §6.1, §12). Taken under the
/// rules of an admission: never while a round runs, never once a set of the present base was
/// frozen. So no box of the old key is needed any more when the new one stands on the ledger.
struct RotateBoxKey {
  sealing::BoxPublicKey key;
};

/// What a member's Ed25519 key signs: its transactions, or votes of the consensus engine.
enum class KeyUse : std::uint8_t { identity = 1, validator = 2 };
/// What a new key signs to show that somebody has it: H("consilium/ledger/1/new-key", consortium,
/// u16 member, u8 use, key).
[[nodiscard]] auto new_key_digest(const Digest& consortium, HospitalId member, KeyUse use,
                                  const sealing::VerifyKey& key) -> Digest;
/// A member's new identity key. The envelope is signed by the old one, which signs nothing after it
/// and is nobody's key ever again.
struct RotateKey {
  sealing::VerifyKey key;
  sealing::Signature possession;  ///< of new_key_digest, by the new key
};
/// A hospital's new validator key, or its first one.
struct RotateValidatorKey {
  sealing::VerifyKey key;
  sealing::Signature possession;
};

/// A vote of the consensus engine: the bytes that were signed, as the engine makes them
/// (engine_vote.hpp), and the signature.
struct SignedVote {
  Bytes sign_bytes;  ///< ≤ engine_vote_bytes_max
  sealing::Signature signature;
};
/// One validator signed two votes of one kind, height and round for different blocks. Its owner's
/// rewards are withheld from here on, and a vote on its removal is opened. Anybody who saw both
/// votes may post it; the one whose bytes are smaller comes first.
struct Evidence {
  sealing::VerifyKey validator;
  std::array<SignedVote, 2> votes;
};

// --- round (sealing-spec §7)
// --------------------------------------------------------------------------------
/// What two neighbouring runs differ in, for the promise of a round's noise: all cases of one
/// hospital. `patient` is a reserved number: it needs clipping per example while learning.
enum class PrivacyUnit : std::uint8_t { hospital = 1, patient = 2 };

struct OpenRound {
  sealing::Purpose purpose = sealing::Purpose::update;
  std::uint64_t data_epoch = 0;  ///< epoch of the last released pattern alignment, 0 before any
  Digest base;                   ///< digest of the model; no_model_base() for streams without one
  std::uint8_t suite = 0;
  std::uint64_t length = 0;         ///< m
  std::uint32_t hospitals_max = 0;  ///< n_max
  std::uint32_t clip_micro = 0;     ///< = policy for updates, 0 otherwise
  std::uint64_t weight_cap = 0;     ///< = policy for updates, 0 otherwise
  Bytes plan;                       ///< what to train or count, opaque here, ≤ 4096 bytes
  /// σ_z² of the noise that each hospital adds, and the largest L2 norm before it, both in units of
  /// the integers that are sealed; 0 and 0: none.
  std::uint64_t noise_sigma2 = 0, clip_l2 = 0;
  PrivacyUnit unit = PrivacyUnit::hospital;  ///< of the noise; says nothing where there is none
  /// A clip for each tensor group of an update, 10⁻⁶, in the order of the model's parameters;
  /// empty: clip_micro for all. At most clip_groups_max.
  std::vector<std::uint32_t> clips_micro{};
};
inline constexpr std::size_t clip_groups_max = 256;

/// Names what is asked: the same plan for the same purpose is the same menu. A policy names the
/// menus that may be asked without noise. H("consilium/ledger/1/menu", u8 purpose, plan).
[[nodiscard]] auto menu_digest(sealing::Purpose purpose, BytesView plan) -> Digest;

struct SubmitManifest {
  RoundId round;
  sealing::Manifest manifest;
  std::uint64_t claimed_patterns =
      0;  ///< bucketed: 0 or 64·2^j (alignment-spec §3.5); credits are paid on it
};
/// One batched word of a miner about every manifest it has judged; a second one must only add
/// hospitals.
struct Attest {
  RoundId round;
  std::vector<HospitalId> valid;
};
struct Complaint {
  RoundId round;
  HospitalId hospital;
  Bytes lists;
};  ///< ManifestLists bytes of the accused
struct Answer {
  RoundId round;
  MinerId miner;
  Bytes share, masks, salt;
};
/// The packer's candidate block: exactly the list the rule gives.
struct Freeze {
  RoundId round;
  std::vector<sealing::SetMember> set;
  Digest set_digest, partition_digest;
};
struct Ready {
  RoundId round;
  Digest set_digest, partition_digest;
};
struct PublishShare {
  RoundId round;
  Digest set_digest;
  Digest share_sum;
};  ///< blob
/// What a miner opened: result_digest() of it.
struct ResultAttest {
  RoundId round;
  Digest result;
};
/// H("consilium/ledger/1/result", values, body sums' root, key): one digest of everything an
/// opening gives (sealing-spec §7), since results are only ever compared whole.
[[nodiscard]] auto result_digest(const Digest& values, const Digest& body_sum_root,
                                 const Digest& key) -> Digest;
struct VoteCommit {
  RoundId round;
  Digest commitment;
};  ///< H("…vote", round_seed, u16 hospital, u8 vote, salt[32])
struct VoteReveal {
  RoundId round;
  bool accept = false;
  Digest salt;
};
struct Decide {
  RoundId round;
};  ///< anyone, once the rule can decide
struct ModelDigest {
  RoundId round;
  Digest model;
};
struct Abort {
  RoundId round;
};  ///< anyone, once a deadline of the rule has passed

/// "I shall never publish for this round", of a round that was aborted after its set froze; in the
/// sender's own set log before it is posted (sealing-spec §8.2).
struct StandDown {
  RoundId round;
  Digest set_digest;
};

// --- bodies that must be there (decisions/0048)
// --------------------------------------------------------------------------------
/// A miner asks to see one leaf of a hospital's body, before its round opens; each hospital once.
struct Challenge {
  RoundId round;
  HospitalId hospital;
  std::uint64_t leaf = 0;
};
/// The leaf, from anybody who has it.
struct Respond {
  RoundId round;
  HospitalId hospital;
  std::uint64_t leaf = 0;
  Bytes bytes;  ///< ≤ blob_leaf_bytes
  BlobPath path;
};
/// A hospital takes back what it sent for a closed round: no node keeps it any longer.
struct Tombstone {
  RoundId round;
};

// --- an opening that failed (sealing-spec §9.4)
// --------------------------------------------------------------------------------
/// A miner's word, after the time to publish is over: no t of the published share sums open the
/// set. t equal words of the same share sums end the opening.
struct AuditCall {
  RoundId round;
  sealing::OpeningFailure failure;
};
/// A miner's answer for every member of the set, at the positions the ledger picked.
struct AuditAnswer {
  RoundId round;
  sealing::AuditStep step = sealing::AuditStep::witness;
  Digest positions;  ///< digest of what is answered
  Digest words;      ///< blob
};
/// Who a miner finds out by the answers, ascending; nobody is a finding, too.
struct AuditFinding {
  RoundId round;
  sealing::AuditStep step = sealing::AuditStep::witness;
  std::vector<HospitalId> blamed;
};
/// A member of the set would rather show eight coefficients than leave: step 2 begins when all of
/// the set say so, or when the council does (ProposeAudit).
struct AuditConsent {
  RoundId round;
};

// --- delivery C (sealing-spec §6.3)
// --------------------------------------------------------------------------------
/// A member's key of the frozen set, masked: a blob.
struct PublishKey {
  RoundId round;
  Digest set_digest;
  Digest masked_key;
};
/// "I never sent my key for this set, and never shall", of a round that was aborted; in the
/// sender's own set log before it is posted.
struct NotSent {
  RoundId round;
  Digest set_digest;
};

// --- alignment (alignment-spec §5)
// --------------------------------------------------------------------------
enum class AlignmentSubject : std::uint8_t { pattern = 1, attribute = 2, code = 3 };
struct AlignmentRecord {
  std::uint64_t epoch = 0;
  std::array<std::uint8_t, 16> session{};  ///< sid
  AlignmentSubject subject = AlignmentSubject::pattern;
  Digest schema, dictionary;
  std::uint64_t cells = 0;      ///< D
  std::uint16_t threshold = 0;  ///< k
  std::uint64_t cap = 0;        ///< C
  std::uint32_t support = 1;
  std::vector<HospitalId> members;  ///< ascending
  std::vector<HospitalId> slots;    ///< three distinct owners of P0, P1, P2
  std::uint8_t chunk_log2 = 20;
  Digest circuit;
  std::uint32_t commit_heights = 20, deliver_heights = 20, compute_heights = 40;
  std::uint8_t attempts_max = 3;
  Digest previous;  ///< record digest of the last session of the subject, zero for none
  [[nodiscard]] auto encode() const -> Bytes;
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<AlignmentRecord>;
  [[nodiscard]] auto digest() const -> Digest;  ///< R
};
struct OpenAlignment {
  AlignmentRecord record;
};
struct AlignKeys {
  std::array<std::uint8_t, 32> key{};
};
struct AlignCommit {
  std::array<Digest, 3> shares;
  Digest input;
};
struct AlignAck {
  std::vector<HospitalId> matched;
};
struct AlignFix {};  ///< deterministic from what the ledger has
struct AlignAborted {
  std::string code;
  HospitalId first, second;
};  ///< dispute pair; equal ids: the sender's own restart
struct AlignReceipt {
  Digest commitments_root, circuit, verdict;
  std::uint64_t chunks = 0, bytes = 0;
};
struct PublishAlignment {
  std::array<std::uint8_t, 16> session{};
  std::uint32_t attempt = 1;
  std::variant<AlignKeys, AlignCommit, AlignAck, AlignFix, AlignAborted, AlignReceipt> kind;
};
struct CloseAlignment {
  std::array<std::uint8_t, 16> session{};
};

using Body =
    std::variant<Propose, Vote, OpenRound, SubmitManifest, Attest, Complaint, Answer, Freeze, Ready,
                 PublishShare, ResultAttest, VoteCommit, VoteReveal, Decide, ModelDigest, Abort,
                 OpenAlignment, PublishAlignment, CloseAlignment, RotateBoxKey, StandDown,
                 AuditCall, AuditAnswer, AuditFinding, AuditConsent, PublishKey, NotSent, RotateKey,
                 RotateValidatorKey, Evidence, Challenge, Respond, Tombstone>;
/// snake_case, as design §6 names them: "open_round".
[[nodiscard]] auto name_of(const Body& body) -> std::string_view;

/// A signed transaction. Size ≤ 64 KiB encoded.
struct Transaction {
  Digest consortium;
  HospitalId sender;           ///< member id
  std::uint64_t sequence = 0;  ///< 1, 2, 3 … of this sender, no gaps
  Height expiry;               ///< refused above it
  Body body;
  sealing::Signature signature;

  /// What is signed: H("consilium/ledger/1/transaction", every field of it but the signature), also
  /// those that `encode` leaves out.
  [[nodiscard]] auto signing_digest() const -> Digest;
  /// What travels and stands in blocks, as short as it gets: without what every ledger that can
  /// judge it knows (the consortium, a manifest's round, the frozen set's digests), integers and
  /// lists of hospitals in as few bytes as they need (docs/decisions/0050). A list that should be
  /// ascending and is not has no encoding: what it gives is refused by `decode`.
  [[nodiscard]] auto encode() const -> Bytes;
  /// What `encode` left out is empty. Errors: `bad_encoding`, `transaction_too_large`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<Transaction>;
  /// The whole transaction as its sender signed it, if the sender's ledger agrees with this one;
  /// otherwise its signature does not hold. Errors: those above; `unknown_round`, `too_early` (the
  /// round's seed is not known yet), `stale_context` (it is about a frozen set, and there is none):
  /// catch up with the ledger and sign again.
  [[nodiscard]] static auto decode(BytesView bytes, const State& state) -> Result<Transaction>;
};
[[nodiscard]] auto sign_transaction(Transaction transaction, const sealing::SigningKey& key)
    -> Transaction;

/// H("…vote", …) of §9.5, with round and name inside so that nobody can repeat another's
/// commitment.
[[nodiscard]] auto vote_commitment(const Digest& round_seed, HospitalId hospital, bool accept,
                                   const Digest& salt) -> Digest;

}  // namespace consilium::ledger
