#include "messages.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace consilium::courier {
namespace {

constexpr std::size_t message_overhead_bytes = 64;
constexpr std::size_t channels_waiting_max = 64;
constexpr std::size_t topics_per_peer_max = 64;
/// What a channel takes in that we have not asked for yet.
constexpr std::size_t unclaimed_bytes_max = std::size_t{64} << 10U;
/// Pauses before a message is sent again: the first, and the longest.
constexpr std::chrono::milliseconds pause_min{20};
constexpr std::chrono::milliseconds pause_max{1000};

auto hex_of(std::uint64_t number) -> std::string {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(number));
  return digits.data();
}

auto channel_closed() -> tl::unexpected<Error> {
  return fail("channel_closed", "channel", "One of the two sides has closed. Connect again.");
}

auto closed_answer() -> Answer {
  return refusal("channel_closed", "This channel is closed here. Connect again.");
}

}  // namespace

auto is_topic(std::string_view topic) -> bool {
  return !topic.empty() && topic.size() <= 64 &&
         std::all_of(topic.begin(), topic.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

/// The inbox is written by the port, the outbox read by a thread of the line's own.
class Messages::Line {
 public:
  explicit Line(const ChannelLimits& limits) : limits_(limits) {}

  // --- our side

  /// Channels open at the peer in the order of `connect`: each waits for the one before it.
  void start(std::unique_ptr<HttpsClient> client, std::string target,
             std::shared_ptr<Line> before) {
    {
      const std::lock_guard lock(mutex_);
      client_ = std::move(client);
      if (broken_) client_->interrupt();
    }
    target_ = std::move(target);
    before_ = std::move(before);
    thread_ = std::thread([this] { send_all(); });
  }

  auto send(BytesView message) -> Result<void> {
    if (message.size() > limits_.message_bytes_max) {
      return fail("message_too_large", "channel",
                  "A message of " + std::to_string(message.size()) +
                      " bytes is over the limit of " + std::to_string(limits_.message_bytes_max) +
                      ". Send it in smaller pieces.");
    }
    const std::size_t cost = message.size() + message_overhead_bytes;
    {
      const std::lock_guard lock(mutex_);
      if (our_close_ || their_close_ || broken_) return channel_closed();
      if (cost > limits_.queued_bytes_max - outbox_bytes_) {
        return fail("channel_full", "channel",
                    "The other side does not read what was sent. Try again later.");
      }
      outbox_.emplace_back(message.begin(), message.end());
      outbox_bytes_ += cost;
    }
    changed_.notify_all();
    return {};
  }

  auto receive(std::int64_t timeout_ms) -> Result<Bytes> {
    const std::chrono::milliseconds wait(std::clamp<std::int64_t>(timeout_ms, 0, 86'400'000));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait,
                      [&] { return !inbox_.empty() || our_close_ || their_close_ || broken_; });
    if (our_close_) return channel_closed();
    if (!inbox_.empty()) {
      Bytes message = std::move(inbox_.front());
      inbox_.pop_front();
      inbox_bytes_ -= message.size() + message_overhead_bytes;
      return message;
    }
    if (their_close_ || broken_) return channel_closed();
    return fail("timeout", "channel",
                "Nothing came in time. Ask again, or give up on the other side.");
  }

  /// What was sent before still goes out, then the peer hears of it.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      our_close_ = true;
      inbox_.clear();
      inbox_bytes_ = 0;
    }
    changed_.notify_all();
  }

  // --- the peer's side

  auto take(std::uint64_t sequence, Bytes message) -> Answer {
    const std::size_t cost = message.size() + message_overhead_bytes;
    {
      const std::lock_guard lock(mutex_);
      if (sequence < taken_) return {};  // sent again: the acknowledgement was lost
      if (broken_ || their_close_) return closed_answer();
      if (sequence > taken_) return refusal("peer_busy", "An earlier message is missing.");
      if (message.size() > limits_.message_bytes_max)
        return refusal("message_too_large", "The message is over this node's limit.");
      const std::size_t room = client_ ? limits_.queued_bytes_max
                                       : std::min(limits_.queued_bytes_max, unclaimed_bytes_max);
      if (inbox_bytes_ + cost > room)
        return refusal("peer_busy", "What was sent before is not read yet.");
      // The opening says only that there is a channel. After our close nobody reads any more; the
      // peer hears of that from the close itself, which comes after all that we sent before it.
      if (sequence > 0 && !our_close_) {
        inbox_.push_back(std::move(message));
        inbox_bytes_ += cost;
      }
      ++taken_;
    }
    changed_.notify_all();
    return {};
  }

  auto take_close(std::uint64_t sequence) -> Answer {
    {
      const std::lock_guard lock(mutex_);
      if (sequence > taken_) return refusal("peer_busy", "An earlier message is missing.");
      their_close_ = true;
    }
    changed_.notify_all();
    return {};
  }

  /// Nothing more can come or go.
  void break_off() {
    {
      const std::lock_guard lock(mutex_);
      broken_ = true;
      if (client_) client_->interrupt();
    }
    changed_.notify_all();
  }

  [[nodiscard]] auto has_ended() const -> bool { return ended_; }
  /// The peer never heard of it, and will not.
  [[nodiscard]] auto gave_up() const -> bool { return ended_ && !opened_; }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  /// One request until it is answered for good; false: the channel has ended.
  auto deliver(const Request& request) -> bool {
    auto pause = pause_min;
    for (;;) {
      const auto answer = client_->call(request, 0);
      if (answer) return true;
      const bool again =
          answer.error().code == "peer_busy" || answer.error().code == "peer_unreachable";
      std::unique_lock lock(mutex_);
      if (!again) broken_ = true;
      if (changed_.wait_for(lock, pause, [&] { return broken_; })) return false;
      // A channel that we have closed owes the peer a try, not a siege.
      if (our_close_ && pause == pause_max) return false;
      pause = std::min(2 * pause, pause_max);
    }
  }

  void wait_until_open() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return opened_ || ended_; });
  }

  void send_all() {
    if (before_) before_->wait_until_open();
    before_.reset();
    Request request{.method = Method::post, .target = {}, .blob_size = {}, .path = {}, .body = {}};
    for (std::uint64_t sequence = 0;; ++sequence) {
      request.target = target_ + "/" + std::to_string(sequence);
      if (sequence > 0) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock,
                      [&] { return !outbox_.empty() || our_close_ || their_close_ || broken_; });
        if (broken_ || their_close_) break;
        if (outbox_.empty()) {
          lock.unlock();
          request.method = Method::remove;
          request.body.clear();
          (void)deliver(request);
          break;
        }
        // It stays counted until it is acknowledged.
        request.body = std::move(outbox_.front());
        outbox_.pop_front();
      }
      if (!deliver(request)) break;
      const std::lock_guard lock(mutex_);
      if (sequence > 0) {
        outbox_bytes_ -= request.body.size() + message_overhead_bytes;
      } else {
        opened_ = true;
        changed_.notify_all();
      }
    }
    {
      const std::lock_guard lock(mutex_);
      if (!our_close_ && !their_close_) broken_ = true;
      ended_ = true;
    }
    changed_.notify_all();
  }

  const ChannelLimits limits_;
  std::unique_ptr<HttpsClient> client_;  ///< set once, under the mutex
  std::string target_;
  std::shared_ptr<Line> before_;
  std::thread thread_;
  std::atomic<bool> opened_{false}, ended_{false};  ///< changed under the mutex
  std::mutex mutex_;                                ///< guards all below
  std::condition_variable changed_;
  std::deque<Bytes> inbox_, outbox_;
  std::size_t inbox_bytes_ = 0, outbox_bytes_ = 0;
  std::uint64_t taken_ = 0;  ///< of the peer's messages, the opening included
  bool our_close_ = false, their_close_ = false, broken_ = false;
};

namespace {

class RemoteChannel final : public Channel {
 public:
  explicit RemoteChannel(std::shared_ptr<Messages::Line> line) : line_(std::move(line)) {}
  ~RemoteChannel() override { line_->close(); }
  RemoteChannel(const RemoteChannel&) = delete;
  auto operator=(const RemoteChannel&) -> RemoteChannel& = delete;
  auto send(BytesView message) -> Result<void> override { return line_->send(message); }
  auto receive(std::int64_t timeout_ms) -> Result<Bytes> override {
    return line_->receive(timeout_ms);
  }
  void close() override { line_->close(); }

 private:
  std::shared_ptr<Messages::Line> line_;
};

}  // namespace

void Messages::reap() {
  for (auto line = senders_.begin(); line != senders_.end();) {
    if ((*line)->has_ended()) {
      (*line)->join();
      line = senders_.erase(line);
    } else {
      ++line;
    }
  }
}

auto Messages::connect(const PeerAddress& peer, std::string_view topic,
                       const RemoteOptions& options) -> Result<std::unique_ptr<Channel>> {
  if (!is_topic(topic) || peer.name.empty() || peer.identity == ours_.identity()) {
    return fail("bad_peer", peer.name,
                "A channel needs a topic of a-z, 0-9 and - and the name of another node.");
  }
  const std::lock_guard lock(mutex_);
  if (closed_) return channel_closed();
  reap();
  Meeting* const met = meeting_of(Door{peer.name, std::string(topic)});
  if (met == nullptr) {
    return fail("channel_full", peer.name,
                "64 topics are in use with this node. Use the same ones again.");
  }
  Meeting& meeting = *met;
  std::erase_if(meeting.ours_waiting, [](const auto& waiting) { return waiting->gave_up(); });
  std::shared_ptr<Line> line;
  if (!meeting.theirs_waiting.empty()) {
    line = meeting.theirs_waiting.front();
    meeting.theirs_waiting.pop_front();
  } else {
    if (meeting.ours_waiting.size() >= channels_waiting_max) {
      return fail("channel_full", peer.name,
                  "64 channels wait for this node already. Try again when it has taken them.");
    }
    line = std::make_shared<Line>(limits_);
    meeting.ours_waiting.push_back(line);
  }
  line->start(std::make_unique<HttpsClient>(ours_, peer, options),
              "/message/" + std::string(topic) + "/" + hex_of(life_) + "/" +
                  std::to_string(meeting.opened++),
              meeting.last.lock());
  meeting.last = line;
  senders_.push_back(line);
  return std::make_unique<RemoteChannel>(std::move(line));
}

auto Messages::meeting_of(Door door) -> Meeting* {
  if (const auto found = meetings_.find(door); found != meetings_.end()) return &found->second;
  auto of_peer = meetings_.lower_bound(Door{door.peer, ""});
  for (std::size_t topics = 0; of_peer != meetings_.end() && of_peer->first.peer == door.peer;
       ++of_peer) {
    if (++topics == topics_per_peer_max) return nullptr;
  }
  return &meetings_[std::move(door)];
}

auto Messages::find(const std::string& from, const ChannelName& name, bool opens)
    -> std::pair<std::shared_ptr<Line>, Answer> {
  const std::lock_guard lock(mutex_);
  if (closed_) return {nullptr, closed_answer()};
  Door door{from, name.topic};
  if (!opens && !meetings_.contains(door)) return {nullptr, closed_answer()};
  Meeting* const met = meeting_of(std::move(door));
  if (met == nullptr) return {nullptr, refusal("peer_busy", "64 topics are in use already.")};
  Meeting& meeting = *met;
  if (meeting.life != name.life) {
    if (!opens) return {nullptr, closed_answer()};
    // The peer has started anew: nobody is at the other end of its earlier channels.
    for (const auto& [number, joined] : meeting.joined) {
      if (const auto line = joined.lock()) line->break_off();
    }
    for (const auto& line : meeting.theirs_waiting) line->break_off();
    meeting.joined.clear();
    meeting.theirs_waiting.clear();
    meeting.life = name.life;
    meeting.next = 0;
  }
  if (name.number < meeting.next) {
    const auto joined = meeting.joined.find(name.number);
    auto line = joined == meeting.joined.end() ? nullptr : joined->second.lock();
    if (!line) return {nullptr, closed_answer()};
    return {std::move(line), {}};
  }
  if (!opens) return {nullptr, closed_answer()};
  // Numbers between are channels that the peer gave up before they reached us; ours of that kind do
  // not count either.
  std::erase_if(meeting.ours_waiting, [](const auto& waiting) { return waiting->gave_up(); });
  std::shared_ptr<Line> line;
  if (!meeting.ours_waiting.empty()) {
    line = meeting.ours_waiting.front();
    meeting.ours_waiting.pop_front();
  } else {
    if (meeting.theirs_waiting.size() >= channels_waiting_max)
      return {nullptr, refusal("peer_busy", "64 channels wait here already.")};
    line = std::make_shared<Line>(limits_);
    meeting.theirs_waiting.push_back(line);
  }
  std::erase_if(meeting.joined, [](const auto& entry) { return entry.second.expired(); });
  meeting.joined[name.number] = line;
  meeting.next = name.number + 1;
  return {std::move(line), {}};
}

auto Messages::take(const std::string& from, const ChannelName& name, std::uint64_t sequence,
                    Bytes message) -> Answer {
  auto [line, answer] = find(from, name, sequence == 0);
  return line ? line->take(sequence, std::move(message)) : answer;
}

auto Messages::take_close(const std::string& from, const ChannelName& name, std::uint64_t sequence)
    -> Answer {
  auto [line, answer] = find(from, name, false);
  return line ? line->take_close(sequence) : answer;
}

void Messages::close() {
  std::list<std::shared_ptr<Line>> ending;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ending.swap(senders_);
    for (auto& [door, meeting] : meetings_) {
      for (const auto& line : meeting.theirs_waiting) line->break_off();
    }
    meetings_.clear();
  }
  for (const auto& line : ending) line->break_off();
  for (const auto& line : ending) line->join();
}

}  // namespace consilium::courier
