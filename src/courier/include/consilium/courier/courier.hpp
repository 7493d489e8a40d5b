#pragma once
/// The courier carries bytes between nodes and understands none of them.
///
/// Two kinds of load. A *blob* is named by the root of a Merkle tree over its bytes
/// (foundation/blob_name.hpp), kept on disk by every node that needs it, and fetched from whichever
/// peer has it. A *message* goes through a Channel, in
/// order, and is never stored.
///
/// Always true:
///   - a digest that `put` returned is on disk, bytes and name, even if the power fails on the next
///   instruction;
///   - no bytes are handed out under a digest they do not have, neither from the disk nor from a
///   peer;
///   - every size and every queue has a limit, and the limit answers with an error instead of
///   waiting.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consilium/foundation/blob_name.hpp"
#include "consilium/foundation/channel.hpp"

namespace consilium::courier {

/// The largest blob: a sealed update of 20 million parameters with its boxes fits.
constexpr std::size_t blob_size_max = std::size_t{256} << 20U;

/// What `verify_all` found.
struct BlobCheck {
  std::uint64_t blobs = 0;
  std::uint64_t size_bytes = 0;
  /// Files whose bytes do not have the digest they are named by, or that cannot be read.
  std::vector<std::filesystem::path> damaged;
  /// Files and folders that no blob store puts there.
  std::vector<std::filesystem::path> foreign;
};

class BlobStore;

/// A blob that comes in pieces and whose name is known at its end. Destroyed before `finish`, it
/// leaves nothing behind. The store must outlive it.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept;
  ~BlobWriter();
  /// Errors: `blob_too_large`, `file_unwritable`, `disk_full`; the blob cannot be finished then.
  [[nodiscard]] auto write(BytesView bytes) -> Result<void>;
  /// The blob's name, once it is durable. Once only. Errors as above.
  [[nodiscard]] auto finish() -> Result<Digest>;

 private:
  friend class BlobStore;
  struct State;
  explicit BlobWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One run of a blob, with what it takes to check it alone.
struct BlobRun {
  std::uint64_t blob_size = 0;
  Bytes bytes;
  BlobPath path;
};

/// A blob that comes run by run, in any order, and whose name and size are known before. What was
/// added stays on the disk when the process ends, killed or not, and is found again by the next one
/// that asks for the same. Hashed again then: after a power cut it may be damaged. The store must
/// outlive it.
class BlobPart {
 public:
  BlobPart(BlobPart&&) noexcept;
  auto operator=(BlobPart&&) noexcept -> BlobPart&;
  ~BlobPart();
  /// The runs that are not here yet, ascending.
  [[nodiscard]] auto missing() const -> std::vector<std::uint64_t>;
  /// Errors: `blob_mismatch` (not a run of this blob), `disk_full`, `file_unwritable`.
  [[nodiscard]] auto add(std::uint64_t index, BytesView bytes, std::span<const Digest> path)
      -> Result<void>;
  /// Nothing is missing: gives the blob its name, durably. Once only. Errors: `blob_mismatch` (the
  /// runs do not make the blob: the size was another; all of them are thrown away), `disk_full`,
  /// `file_unwritable`.
  [[nodiscard]] auto finish() -> Result<void>;

 private:
  friend class BlobStore;
  struct State;
  explicit BlobPart(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One node's blobs, in one folder: `ab/ab12…` (all 64 hex digits in a folder named by the first
/// byte). Safe to use from several threads; two processes may share a folder, too.
class BlobStore {
 public:
  /// Opens the folder and makes it when it is missing. Half-written files of processes that are
  /// gone are removed. Errors: `file_unwritable`, `disk_full`.
  [[nodiscard]] static auto open(const std::filesystem::path& folder) -> Result<BlobStore>;
  /// For readers (`ledger verify`): writes nothing, and refuses a missing folder with
  /// `file_missing`.
  [[nodiscard]] static auto open_existing(const std::filesystem::path& folder) -> Result<BlobStore>;

  BlobStore(BlobStore&&) noexcept;
  auto operator=(BlobStore&&) noexcept -> BlobStore&;
  ~BlobStore();

  /// Keeps the bytes and returns their name once they are durable. The same bytes twice are stored
  /// once and written once; a damaged copy of them is replaced. Errors: `blob_too_large`,
  /// `file_unwritable`, `disk_full`.
  [[nodiscard]] auto put(BytesView bytes) -> Result<Digest>;
  /// The same for many. From three new blobs on, the file system is synced twice for all of them
  /// instead of twice for each: a batch takes about as long as one `put`, so give what belongs
  /// together in one call. Digests come in the order of the blobs. After an error any of them may
  /// have been stored, each of them whole.
  [[nodiscard]] auto put_batch(std::span<const BytesView> blobs) -> Result<std::vector<Digest>>;

  /// For a blob that is never whole in memory. Errors: `file_unwritable`, `disk_full`.
  [[nodiscard]] auto writer() -> Result<BlobWriter>;

  /// A blob that others send us in runs. Errors: `fetch_underway` (somebody else is adding to it),
  /// `blob_too_large`, `file_unwritable`, `disk_full`.
  [[nodiscard]] auto part(const Digest& digest, std::uint64_t size) -> Result<BlobPart>;

  /// The size of a blob of which parts are here already, from an earlier `part`.
  [[nodiscard]] auto begun_size(const Digest& digest) const -> std::optional<std::uint64_t>;

  /// One run, hashed again on the way, with its path. Reads the whole blob the first time and keeps
  /// 32 bytes of each run in memory, of at most 1024 blobs. Errors: `blob_missing`, `blob_damaged`,
  /// `no_such_run`.
  [[nodiscard]] auto run(const Digest& digest, std::uint64_t index) const -> Result<BlobRun>;
  /// The bytes, hashed again on the way. Errors: `blob_missing`, `blob_damaged` (names the file),
  /// `blob_too_large` (more than size_max: read before any memory is taken), `file_unreadable`.
  [[nodiscard]] auto get(const Digest& digest, std::size_t size_max = blob_size_max) const
      -> Result<Bytes>;
  /// We hold the blob whole and durably, as if it had just been put. Reads it the first time.
  /// Errors: `blob_missing`, `blob_damaged`, `file_unwritable`.
  [[nodiscard]] auto hold(const Digest& digest) -> Result<void>;
  /// A file of that name exists; says nothing about its bytes.
  [[nodiscard]] auto has(const Digest& digest) const -> bool;
  /// Error: `blob_missing`.
  [[nodiscard]] auto size_of(const Digest& digest) const -> Result<std::uint64_t>;
  /// All digests, ascending. Error: `file_unreadable`.
  [[nodiscard]] auto list() const -> Result<std::vector<Digest>>;
  /// Forgets a blob and what is here of its parts, durably. Removing what is not there is no error.
  /// Error: `file_unwritable`.
  [[nodiscard]] auto remove(const Digest& digest) -> Result<void>;
  /// Reads and hashes everything. Damage is in the answer, not an error: the caller sees all of it
  /// at once. Error: `file_unreadable` (the folder itself).
  [[nodiscard]] auto verify_all() const -> Result<BlobCheck>;

  [[nodiscard]] auto folder() const -> const std::filesystem::path&;

 private:
  friend class BlobWriter;
  friend class BlobPart;
  struct State;
  struct Unfinished;
  explicit BlobStore(std::unique_ptr<State> state);
  [[nodiscard]] auto path_of(const Digest& digest) const -> std::filesystem::path;
  [[nodiscard]] auto part_path(const Digest& digest, std::uint64_t size) const
      -> std::filesystem::path;
  /// The nodes of all runs of an open file of this size.
  [[nodiscard]] auto runs_of(const Digest& digest, int descriptor, std::uint64_t size) const
      -> Result<std::shared_ptr<const std::vector<Digest>>>;
  [[nodiscard]] auto make_folder(const Digest& digest) -> Result<void>;
  [[nodiscard]] auto is_durable(const Digest& digest) -> bool;
  void mark_durable(std::span<const Digest> digests);
  [[nodiscard]] auto holds_exactly(const Digest& digest, BytesView bytes) const -> bool;
  /// A file that has no name yet.
  [[nodiscard]] auto create() -> Result<Unfinished>;
  [[nodiscard]] auto begin(const Digest& digest, BytesView bytes) -> Result<Unfinished>;
  /// Syncs the files, gives them their names, and syncs these.
  [[nodiscard]] auto finish(std::vector<Unfinished>& files) -> Result<void>;
  [[nodiscard]] auto sync_names(std::span<const Digest> digests) -> Result<void>;
  std::unique_ptr<State> state_;
};

/// A node one can ask for blobs. What it answers is not trusted: `fetch` and `fetch_from_any` hash
/// it.
class BlobPeer {
 public:
  virtual ~BlobPeer() = default;
  /// The node's name, for errors and reports.
  [[nodiscard]] virtual auto name() const -> std::string = 0;
  /// Errors: `blob_missing`, and whatever stands between us and the peer.
  [[nodiscard]] virtual auto run(const Digest& digest, std::uint64_t index) -> Result<BlobRun> = 0;
  [[nodiscard]] virtual auto has(const Digest& digest) -> Result<bool> = 0;
};

/// Another node's store in the same process or on the same disk. The store must outlive the peer.
class LocalPeer final : public BlobPeer {
 public:
  LocalPeer(std::string name, const BlobStore& store) : name_(std::move(name)), store_(&store) {}
  [[nodiscard]] auto name() const -> std::string override { return name_; }
  [[nodiscard]] auto run(const Digest& digest, std::uint64_t index) -> Result<BlobRun> override;
  [[nodiscard]] auto has(const Digest& digest) -> Result<bool> override;

 private:
  std::string name_;
  const BlobStore* store_;
};

/// Copies one blob from a peer into our store and returns its bytes; a blob we hold already is not
/// asked for. What came before a cut connection or a kill is kept and not asked for again. Errors:
/// the peer's, `blob_mismatch` (it sent other bytes), `blob_too_large`, and those of `put`.
[[nodiscard]] auto fetch(const Digest& digest, BlobPeer& from, BlobStore& to,
                         std::size_t size_max = blob_size_max) -> Result<Bytes>;

/// Why one peer did not give us a blob.
struct PeerFault {
  std::string peer;
  Error error;
};

struct Fetched {
  /// Errors: `blob_unavailable` (nobody gave it), and those of `put`.
  Result<Bytes> bytes;
  /// Who gave it; empty when we held it already, or nobody did.
  std::string from;
  /// In the order asked. `blob_mismatch` is a peer that sent other bytes than it was asked for.
  std::vector<PeerFault> faults;
};

/// Asks the peers in order until the blob is whole, and keeps it. A peer goes on where the one
/// before it stopped.
[[nodiscard]] auto fetch_from_any(const Digest& digest, std::span<BlobPeer* const> peers,
                                  BlobStore& to, std::size_t size_max = blob_size_max) -> Fetched;

/// How much a channel carries before it says no. Every message counts 64 bytes more than its size,
/// so that empty ones are bounded, too.
struct ChannelLimits {
  /// Alignment's frames are at most 64 MiB and have a header.
  std::size_t message_bytes_max = (std::size_t{64} << 20U) + 4096;
  /// Sent and not yet received, each way. At least message_bytes_max + 64.
  std::size_t queued_bytes_max = std::size_t{160} << 20U;
};

/// The two ends of one channel inside this process. Either end may be used by one sending and one
/// receiving thread. What was sent before a close can still be received by the other end, then it
/// hears `channel_closed`. Destroying an end closes it.
[[nodiscard]] auto make_channel_pair(const ChannelLimits& limits = {})
    -> std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>>;

/// Where the nodes of one process meet. Both sides call `connect` with the other's name and the
/// same topic; whoever comes first may already send. Channels of different topics, and second
/// channels of one topic, are separate: the n-th call of one side meets the n-th of the other.
class ChannelHub {
 public:
  explicit ChannelHub(const ChannelLimits& limits = {});
  /// Errors: `bad_peer` (an empty name, or a node that calls itself), `channel_full` (64 channels
  /// wait for the peer).
  [[nodiscard]] auto connect(std::string_view self, std::string_view peer,
                             std::string_view topic = "") -> Result<std::unique_ptr<Channel>>;

 private:
  struct Door {
    std::string self;
    std::string peer;
    std::string topic;
    auto operator<=>(const Door&) const = default;
  };
  ChannelLimits limits_;
  std::mutex mutex_;  ///< guards waiting_
  std::map<Door, std::deque<std::unique_ptr<Channel>>> waiting_;
};

}  // namespace consilium::courier
