#pragma once
/// n hospitals each hold an integer vector; only the sum over a fixed set is ever opened
/// (sealing-spec).
///
///   hospital  seal()        → body (public), boxes (one a miner), manifest
///   miner     check_body(), open_share(), sum_shares()
///   anyone    open_sum()
///
/// Everything here is a pure function of its arguments; randomness is handed in, files live
/// elsewhere (but the set log, set_log.hpp). Works on one thread, and on two where it says so. Cost
/// of a thousand parameters and a committee of 4: seal 0.6 ms, open_share 0.07 ms; of a million:
/// seal 8 ms (2 of them sealing, the rest hashing), check_body 4.5 ms, open_sum of ten 13 ms (S30,
/// AVX-512, one core; docs/benchmarks.md).

#include <map>
#include <vector>

#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/identity.hpp"
#include "consilium/sealing/body_stream.hpp"
#include "consilium/sealing/keys.hpp"
#include "consilium/sealing/one_time_keys.hpp"
#include "consilium/sealing/suite.hpp"

namespace consilium::sealing {

enum class Purpose : std::uint8_t { update = 1, statistics = 2, metrics = 3, council = 4 };
[[nodiscard]] auto purpose_name(Purpose purpose) -> std::string_view;
/// Error: `bad_purpose` (the list is closed).
[[nodiscard]] auto purpose_from_id(std::uint8_t id) -> Result<Purpose>;

/// H("…stream", consortium, purpose, data_epoch)
[[nodiscard]] auto stream_id(const Digest& consortium, Purpose purpose, std::uint64_t data_epoch)
    -> Digest;
/// The base of a stream without a model: H("…no-model", stream_id).
[[nodiscard]] auto no_model_base(const Digest& stream) -> Digest;
[[nodiscard]] auto round_seed(const Digest& stream, RoundId round, const Digest& base,
                              const Digest& opening_block_hash, Suite suite) -> Digest;

/// How the sum of the one-time keys reaches whoever opens (sealing-spec §6).
enum class Delivery : std::uint8_t {
  shares = 0,      ///< A: a share for each miner of a committee
  masked_keys = 1  ///< C: each hospital's key, masked so that only the whole set's sum is a key
};

/// All that is public and fixed before anybody seals: what OpenRound and the ledger say.
struct RoundParameters {
  Digest consortium;
  Digest stream;
  RoundId round;
  Digest base;
  Digest seed;  ///< round_seed() of the above and the opening block
  Suite suite = Suite::s30;
  std::uint32_t hospitals_max = 0;  ///< n_max
  std::uint64_t length = 0;         ///< m, the vector's length
  std::uint32_t committee_epoch = 0;
  Committee committee;
  std::vector<BoxPublicKey> box_keys;  ///< of miners 1..M
  Delivery delivery = Delivery::shares;
};

/// What a hospital says about its sealed vector. D, B and F ride as one blob (`lists`), its digest
/// in the head.
struct Manifest {
  Digest consortium, stream, seed, base;
  RoundId round;
  std::uint8_t suite = 0;
  HospitalId hospital;
  std::uint64_t length = 0;
  Digest body_root;  ///< ct_root
  Digest witness;    ///< leaf of the witness chunk
  Digest body_blob;  ///< the body's name as a blob
  std::uint32_t committee_epoch = 0;
  Digest lists;  ///< SHA-256 of ManifestLists::encode()
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_encoding`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<Manifest>;
  [[nodiscard]] auto digest() const -> Digest;  ///< H("…manifest", encode())
  auto operator==(const Manifest&) const -> bool = default;
};
struct ManifestLists {
  std::vector<Digest> share_digests;  ///< D_1..D_M
  std::vector<Digest> box_digests;    ///< B_1..B_M: the boxes' names as blobs
  /// F: per prime, per row ρ, t coefficients.
  std::vector<std::uint32_t> response;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Errors: `bad_encoding`, `length_mismatch` (counts that do not fit the committee and suite; in
  /// delivery C all three are empty).
  [[nodiscard]] static auto decode(BytesView bytes, const RoundParameters& round)
      -> Result<ManifestLists>;
};

/// What a miner may have to show, or a hospital to answer a complaint with: one miner's share in
/// clear.
struct ShareOpening {
  SecretBytes share;  ///< packed residues
  SecretBytes masks;  ///< R u32le per prime
  SecretBytes salt;   ///< 32 bytes
};

struct SealedKeys {
  Manifest manifest;
  Bytes lists;               ///< blob
  std::vector<Bytes> boxes;  ///< blobs, for miners 1..M
  /// Kept by the hospital in locked memory until Opening or Aborted, to answer complaints. Lost in
  /// a crash.
  std::vector<ShareOpening> openings;
  /// Delivery C only, where lists, boxes and openings are empty: ŝ, sent once the set is frozen. In
  /// locked memory and nowhere else: lost in a crash.
  Secret<std::uint32_t> key;
};
struct Sealed : SealedKeys {
  Bytes body;  ///< blob: every block's chunk in order, then the witness chunk
};

/// Seals `values` with these one-time keys, which must never seal anything else
/// (one_time_keys.hpp). Errors: `length_mismatch`, `bad_value` (|x| > X_max), `bad_suite`,
/// `too_many_hospitals`, `bad_key` (a miner's box key is unusable: check_box_key), `wrong_box_kind`
/// (it is not of the suite's kind), `suite_unavailable` (hybrid boxes, and this program has none).
/// Nothing is sealed then.
[[nodiscard]] auto seal(const RoundParameters& round, HospitalId hospital,
                        std::span<const std::int64_t> values, const OneTimeKeys& keys)
    -> Result<Sealed>;
/// The same with keys straight from `secrets`, without the hedge: for tests and vectors.
[[nodiscard]] auto seal(const RoundParameters& round, HospitalId hospital,
                        std::span<const std::int64_t> values, Random& secrets) -> Result<Sealed>;
/// With two, hashing and the sink's work run beside the sealing, on a thread that ends before the
/// call returns; the bytes are the same.
enum class SealThreads : std::uint8_t { one = 1, two = 2 };
/// The same without ever holding the vector or the body: round.length values are taken from the
/// source, the body goes into the sink as it comes. Less than 1 MiB of memory in S30, whatever the
/// length. Errors: those of `seal` (`bad_value` may come after a part of the body was written:
/// nothing was finished then, and the keys are spent), and those of source and sink.
[[nodiscard]] auto seal_stream(const RoundParameters& round, HospitalId hospital,
                               ValueSource& values, BodySink& body, const OneTimeKeys& keys,
                               SealThreads threads) -> Result<SealedKeys>;
/// With unhedged keys, as `seal` above.
[[nodiscard]] auto seal_stream(const RoundParameters& round, HospitalId hospital,
                               ValueSource& values, BodySink& body, Random& secrets,
                               SealThreads threads) -> Result<SealedKeys>;

/// Head and lists fit this round, committee and each other (structure only, no bytes of the body).
/// That the manifest's hospital is the one that signed it is the caller's check. Errors:
/// `stale_context`, `length_mismatch`, `bad_encoding`.
[[nodiscard]] auto check_manifest(const RoundParameters& round, const Manifest& manifest,
                                  BytesView lists) -> Result<ManifestLists>;
/// How many bytes every body of the round has. Errors: `bad_suite`, `length_mismatch`.
[[nodiscard]] auto body_bytes(const RoundParameters& round) -> Result<std::uint64_t>;
/// All chunks are there, canonical, and hash to body_root and witness.
/// Errors: `non_canonical`, `bad_chunk`, `stale_context`, `length_mismatch`.
[[nodiscard]] auto check_body(const RoundParameters& round, const Manifest& manifest,
                              BytesView body) -> Result<void>;
/// Opens the box of `miner`, compares context and D_m, runs the degree test.
/// Errors, and what a miner may do on them (§6.2, attack 2):
///   `bad_box` (does not open, or another context), `bad_sharing` (D or degree test): complain;
///   `unavailable` (these bytes do not hash to B_m): fetch the box again, never complain;
///   `bad_key` (`key` is not this miner's in round.box_keys): neither attest nor complain.
[[nodiscard]] auto open_share(const RoundParameters& round, const Manifest& manifest,
                              const ManifestLists& lists, MinerId miner, BytesView box,
                              const BoxKey& key) -> Result<ShareOpening>;
/// The same test on a share that a hospital published to answer a complaint. Error: `bad_sharing`.
[[nodiscard]] auto check_published_share(const RoundParameters& round, const Manifest& manifest,
                                         const ManifestLists& lists, MinerId miner,
                                         const ShareOpening& opening) -> Result<void>;

/// Σ over the set of one miner's shares: packed residues, a blob (7 680 bytes in S30). Public once
/// published. Errors: `length_mismatch`, `non_canonical`.
[[nodiscard]] auto sum_shares(const RoundParameters& round, std::span<const ShareOpening> shares)
    -> Result<Bytes>;

struct OpenedSum {
  std::vector<std::int64_t> values;  ///< X, length m
  Digest values_digest;              ///< H("…sum", X as i64le)
  Digest body_sum_root;              ///< ct_root of the added bodies, hospital 0 in the headers
  Digest key_digest;                 ///< H("…key-sum", packed S)
  double residual_rms = 0;
  std::vector<MinerId>
      bad_share_sums;  ///< miners whose share sum is off the agreed polynomial: evidence
};
/// Adds the bodies of the set, reconstructs the sum of the keys from ≥ t share sums, opens, and
/// runs the tests of §7.3 on the residual and the range. With more than t share sums a wrong one is
/// found and left out (§7.2); one that is malformed, or of no miner of the committee, counts as
/// wrong. The bodies must have passed check_body. Errors: `opening_stalled` (< t share sums),
/// `bad_share_sum` (no t of them agree), `residual_out_of_range`, `sum_out_of_range` (padding that
/// is not 0, too), `length_mismatch` (sizes, an empty set, one hospital twice, more than n_max),
/// `stale_context` (a body of another round), `non_canonical`.
[[nodiscard]] auto open_sum(const RoundParameters& round, std::span<const BytesView> bodies,
                            const std::map<MinerId, Bytes>& share_sums) -> Result<OpenedSum>;

/// H(U): a set of manifests, ascending by hospital, not of names.
struct SetMember {
  HospitalId hospital;
  Digest manifest;
  auto operator<=>(const SetMember&) const = default;
};
[[nodiscard]] auto set_digest(const Digest& seed, std::span<const SetMember> set) -> Digest;

/// Π of §8.3: cells of ≥ cell_min members, ascending H("…cell", seed, hospital) dealt round robin
/// into ⌊n/cell_min⌋ cells (one below 2·cell_min). Cells ascend by their least member, members
/// ascend.
using Partition = std::vector<std::vector<HospitalId>>;
[[nodiscard]] auto make_partition(const Digest& seed, std::span<const HospitalId> members,
                                  std::size_t cell_min) -> Partition;
[[nodiscard]] auto partition_digest(const Partition& partition) -> Digest;
/// Is `set` a union of whole cells?
[[nodiscard]] auto is_union_of_cells(const Partition& partition, std::span<const HospitalId> set)
    -> bool;

}  // namespace consilium::sealing
