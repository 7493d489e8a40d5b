#pragma once
// Channels between nodes of different machines: what a peer sends lands in an inbox here, what we
// send waits in an outbox until the peer has acknowledged it. Nothing is written to a disk.

#include <condition_variable>
#include <list>
#include <thread>

#include "https_client.hpp"

namespace consilium::courier {

/// Which channel of a peer a message belongs to. `life` is new in every process. Channels of one
/// topic meet in the order of their numbers; those that their side gave up before they reached the
/// other do not count.
struct ChannelName {
  std::string topic;
  std::uint64_t life = 0;
  std::uint64_t number = 0;
};
[[nodiscard]] auto is_topic(std::string_view topic) -> bool;

class Messages {
 public:
  Messages(TransportIdentity ours, const ChannelLimits& limits, std::uint64_t life)
      : ours_(std::move(ours)), limits_(limits), life_(life) {}
  ~Messages() { close(); }
  Messages(const Messages&) = delete;
  auto operator=(const Messages&) -> Messages& = delete;

  /// Our end of the next channel to the peer. Errors: as Port::connect.
  [[nodiscard]] auto connect(const PeerAddress& peer, std::string_view topic,
                             const RemoteOptions& options) -> Result<std::unique_ptr<Channel>>;

  /// A message that came: number 0 opens the channel and is empty. 204 when it is in the inbox, or
  /// was before; `peer_busy` when it does not fit, or comes before its turn; `channel_closed`.
  [[nodiscard]] auto take(const std::string& from, const ChannelName& name, std::uint64_t sequence,
                          Bytes message) -> Answer;
  /// The peer closes after `sequence` messages, the opening included.
  [[nodiscard]] auto take_close(const std::string& from, const ChannelName& name,
                                std::uint64_t sequence) -> Answer;
  /// Closes all, and waits for the threads that send.
  void close();

  class Line;  ///< one channel, both directions

 private:
  struct Door {
    std::string peer;
    std::string topic;
    auto operator<=>(const Door&) const = default;
  };
  /// All channels to one peer under one topic.
  struct Meeting {
    std::uint64_t opened = 0;  ///< by us, in this life
    std::uint64_t life = 0;    ///< of the peer; 0: it has not spoken
    std::uint64_t next = 0;    ///< the number of the peer's next channel
    std::deque<std::shared_ptr<Line>> ours_waiting;
    std::deque<std::shared_ptr<Line>> theirs_waiting;
    std::map<std::uint64_t, std::weak_ptr<Line>> joined;  ///< by the peer's number
    std::weak_ptr<Line> last;                             ///< that we opened
  };

  /// Nothing when the peer has too many topics.
  auto meeting_of(Door door) -> Meeting*;
  auto find(const std::string& from, const ChannelName& name, bool opens)
      -> std::pair<std::shared_ptr<Line>, Answer>;
  void reap();

  TransportIdentity ours_;
  ChannelLimits limits_;
  std::uint64_t life_;
  std::mutex mutex_;  ///< guards all below
  bool closed_ = false;
  std::map<Door, Meeting> meetings_;
  std::list<std::shared_ptr<Line>> senders_;  ///< lines with a thread that has not been joined
};

}  // namespace consilium::courier
