#pragma once
/// The port between nodes: blobs and messages over mutual TLS 1.3, on one address.
///
/// A node shows a certificate that it made itself a moment ago; inside, its member's identity key
/// signs the certificate's key for this consortium. Who stands behind an identity key, and whether
/// it may come in, is decided by the caller. No certificate authority is asked.
///
/// Always true:
///   - not one byte of a request is read from somebody whom `Admit` refuses, and a member that is
///   refused later is turned away at its next request;
///   - a peer's word is never taken: every run of a blob is checked against its name as it comes;
///   - what a push acknowledged as held is durable;
///   - connections, bytes in flight and queues have limits; what is over them is answered
///   (`peer_busy`), not kept waiting.

#include <array>
#include <functional>

#include "consilium/courier/courier.hpp"

namespace consilium::courier {

/// A member's Ed25519 identity key, as the ledger has it.
struct IdentityKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const IdentityKey&) const = default;
};

/// What a node shows to others: a transport key that lives in this object only, and the proof that
/// the member behind the identity key vouches for it. Copies share one key.
class TransportIdentity {
 public:
  /// Signs a message of 32 bytes with the identity's secret key (Ed25519); called once, in `make`.
  using Sign = std::function<std::array<std::uint8_t, 64>(BytesView message)>;
  /// Error: `bad_key` (what `sign` gave is not the identity's signature).
  [[nodiscard]] static auto make(const Digest& consortium, const IdentityKey& identity,
                                 const Sign& sign) -> Result<TransportIdentity>;

  [[nodiscard]] auto consortium() const -> const Digest&;
  [[nodiscard]] auto identity() const -> const IdentityKey&;

  struct State;
  [[nodiscard]] auto state() const -> const State& { return *state_; }

 private:
  explicit TransportIdentity(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// The name of the member (or follower) behind a key, or a refusal. Called from the port's thread
/// at each handshake and each request: it must be quick and safe to call at any time until the port
/// is closed.
using Admit = std::function<Result<std::string>(const IdentityKey&)>;

struct PortOptions {
  std::string address = "127.0.0.1";  ///< where to listen
  std::uint16_t port = 0;             ///< 0: any free one
  std::size_t connections_max = 128;
  std::size_t connections_per_peer_max = 16;
  /// Of requests and answers that are in memory at once, over all connections. At least one message
  /// and one run.
  std::size_t bytes_in_flight_max = std::size_t{256} << 20U;
  /// A connection on which nothing moves for so long is ended.
  std::int64_t timeout_ms = 30'000;
  /// Pushes are refused (`disk_full`) when the blobs' disk would have less free space left.
  std::uint64_t free_bytes_min = std::uint64_t{256} << 20U;
  /// Of the messages that wait to be received, for each channel.
  ChannelLimits channels;
  /// Blobs that are begun and not finished on one connection.
  std::size_t pushes_per_connection_max = 4;
};

/// Where a peer is found, and whom we expect there.
struct PeerAddress {
  std::string name;  ///< as `Admit` names it
  IdentityKey identity;
  std::string host;  ///< a name or a numerical address
  std::uint16_t port = 0;
};

struct RemoteOptions {
  std::int64_t connect_timeout_ms = 5'000;
  /// A request on which nothing moves for so long is given up (`peer_unreachable`).
  std::int64_t timeout_ms = 30'000;
};

/// A node on another machine. One connection, kept open; calls from several threads take turns.
///
/// Errors of all calls: `peer_unreachable` (nobody answers, or the connection was cut),
/// `wrong_peer` (somebody else answers), `not_admitted` (the peer does not let us in), `peer_busy`
/// (over one of its limits: try again later), `bad_answer` (it does not speak as this version
/// does).
class RemotePeer final : public BlobPeer {
 public:
  RemotePeer(TransportIdentity ours, PeerAddress peer, const RemoteOptions& options = {});
  RemotePeer(RemotePeer&&) noexcept;
  ~RemotePeer() override;

  [[nodiscard]] auto name() const -> std::string override;
  /// Errors besides: `blob_missing`, `blob_damaged` (at the peer). Nothing of the answer is
  /// trusted: `fetch` checks it.
  [[nodiscard]] auto run(const Digest& digest, std::uint64_t index) -> Result<BlobRun> override;
  [[nodiscard]] auto has(const Digest& digest) -> Result<bool> override;

  /// Sends a blob of ours, of which the peer may hold parts from an earlier attempt, which are not
  /// sent again. Returns when the peer holds it durably. Errors besides: `blob_missing` and
  /// `blob_damaged` (ours), `disk_full` (the peer's), `blob_mismatch` (the peer found other bytes
  /// than their name says).
  [[nodiscard]] auto push(const Digest& digest, const BlobStore& from) -> Result<void>;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a port has done since it was opened.
struct PortCounts {
  std::uint64_t connections = 0;  ///< that were let in
  std::uint64_t refused = 0;      ///< handshakes that failed or were refused
  std::uint64_t busy = 0;         ///< answers that said: later
  std::uint64_t runs_sent = 0;
  std::uint64_t runs_taken = 0;
  std::uint64_t messages_taken = 0;
};

/// Our side of the port: serves the store's blobs to those who are admitted, takes the blobs they
/// push, and carries messages.
class Port {
 public:
  /// Listens until `close`. The store must outlive the port. Errors: `port_taken`,
  /// `bad_address`, `port_failed`.
  [[nodiscard]] static auto open(const TransportIdentity& ours, BlobStore& store, Admit admit,
                                 PortOptions options = {}) -> Result<Port>;
  Port(Port&&) noexcept;
  auto operator=(Port&&) noexcept -> Port&;
  ~Port();

  [[nodiscard]] auto number() const -> std::uint16_t;
  [[nodiscard]] auto counts() const -> PortCounts;

  /// A channel to a peer that calls the same with our name. As with ChannelHub, the n-th call of
  /// one side for a topic meets the n-th of the other, and both may send at once. Messages arrive
  /// in order and once, over cut connections too; they are in memory only. The channel closes
  /// (`channel_closed`) when either side closes or restarts, or the peer refuses us; `send` answers
  /// `channel_full` when so much is under way that the peer has not taken. `topic` has at most 64
  /// characters of a-z, 0-9, `-`. Errors: `bad_peer` (no such topic, or our own identity),
  /// `channel_full` (64 channels of one peer and topic wait, or it has 64 topics), `channel_closed`
  /// (the port is closed).
  [[nodiscard]] auto connect(const PeerAddress& peer, std::string_view topic,
                             const RemoteOptions& options = {}) -> Result<std::unique_ptr<Channel>>;

  /// Ends every connection and channel. Nothing is called or answered afterwards.
  void close();

 private:
  struct State;
  explicit Port(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace consilium::courier
