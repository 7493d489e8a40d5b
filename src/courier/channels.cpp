#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>

#include "consilium/courier/courier.hpp"

namespace consilium::courier {

namespace {

constexpr std::size_t message_overhead_bytes = 64;
constexpr std::size_t channels_waiting_max = 64;

/// One direction: what one end sends and the other receives.
struct Lane {
  std::deque<Bytes> messages;
  std::size_t queued_bytes = 0;
};

/// What the two ends share. One mutex for both lanes: a message costs far more than the lock.
struct Line {
  explicit Line(const ChannelLimits& given) : limits(given) {}
  const ChannelLimits limits;
  std::mutex mutex;  ///< guards all below
  std::condition_variable changed;
  std::array<Lane, 2> lanes;  ///< lanes[i] is written by end i
  std::array<bool, 2> closed{};
};

class LocalChannel final : public Channel {
 public:
  LocalChannel(std::shared_ptr<Line> line, std::size_t end) : line_(std::move(line)), end_(end) {}
  ~LocalChannel() override { close(); }
  LocalChannel(const LocalChannel&) = delete;
  auto operator=(const LocalChannel&) -> LocalChannel& = delete;

  auto send(BytesView message) -> Result<void> override {
    const ChannelLimits& limits = line_->limits;
    if (message.size() > limits.message_bytes_max) {
      return fail("message_too_large", "channel",
                  "A message of " + std::to_string(message.size()) +
                      " bytes is over the limit of " + std::to_string(limits.message_bytes_max) +
                      ". Send it in smaller pieces.");
    }
    const std::size_t cost = message.size() + message_overhead_bytes;
    {
      const std::lock_guard lock(line_->mutex);
      if (line_->closed[0] || line_->closed[1]) return closed();
      Lane& lane = line_->lanes[end_];
      if (cost > limits.queued_bytes_max - lane.queued_bytes) {
        return fail("channel_full", "channel",
                    "The other side does not read what was sent. Try again later.");
      }
      lane.messages.emplace_back(message.begin(), message.end());
      lane.queued_bytes += cost;
    }
    line_->changed.notify_all();
    return {};
  }

  auto receive(std::int64_t timeout_ms) -> Result<Bytes> override {
    // A day is as good as for ever, and cannot overflow the clock's arithmetic.
    const auto wait =
        std::chrono::milliseconds(std::clamp<std::int64_t>(timeout_ms, 0, 86'400'000));
    std::unique_lock lock(line_->mutex);
    Lane& lane = line_->lanes[1 - end_];
    line_->changed.wait_for(
        lock, wait, [&] { return !lane.messages.empty() || line_->closed[0] || line_->closed[1]; });
    if (line_->closed[end_]) return closed();
    if (!lane.messages.empty()) {
      Bytes message = std::move(lane.messages.front());
      lane.messages.pop_front();
      lane.queued_bytes -= message.size() + message_overhead_bytes;
      return message;
    }
    if (line_->closed[1 - end_]) return closed();
    return fail("timeout", "channel",
                "Nothing came in time. Ask again, or give up on the other side.");
  }

  void close() override {
    {
      const std::lock_guard lock(line_->mutex);
      line_->closed[end_] = true;
      // Nobody will read these any more.
      line_->lanes[1 - end_] = Lane{};
    }
    line_->changed.notify_all();
  }

 private:
  static auto closed() -> tl::unexpected<Error> {
    return fail("channel_closed", "channel", "One of the two sides has closed. Connect again.");
  }

  std::shared_ptr<Line> line_;
  const std::size_t end_;
};

}  // namespace

auto make_channel_pair(const ChannelLimits& limits)
    -> std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> {
  // Otherwise the largest message could never be sent, and its sender would try for ever.
  CONSILIUM_ENSURE(limits.queued_bytes_max >= message_overhead_bytes &&
                   limits.queued_bytes_max - message_overhead_bytes >= limits.message_bytes_max);
  auto line = std::make_shared<Line>(limits);
  return {std::make_unique<LocalChannel>(line, 0), std::make_unique<LocalChannel>(line, 1)};
}

ChannelHub::ChannelHub(const ChannelLimits& limits) : limits_(limits) {}

auto ChannelHub::connect(std::string_view self, std::string_view peer, std::string_view topic)
    -> Result<std::unique_ptr<Channel>> {
  if (self.empty() || peer.empty() || self == peer) {
    return fail("bad_peer", "channel hub", "A channel needs the names of two different nodes.");
  }
  const std::lock_guard lock(mutex_);
  const Door mine{std::string(self), std::string(peer), std::string(topic)};
  if (auto found = waiting_.find(mine); found != waiting_.end()) {
    auto channel = std::move(found->second.front());
    found->second.pop_front();
    if (found->second.empty()) waiting_.erase(found);
    return channel;
  }
  auto& theirs = waiting_[Door{std::string(peer), std::string(self), std::string(topic)}];
  if (theirs.size() >= channels_waiting_max) {
    return fail("channel_full", std::string(peer),
                "64 channels wait for this node already. Try again when it has taken them.");
  }
  auto [first, second] = make_channel_pair(limits_);
  theirs.push_back(std::move(second));
  return std::move(first);
}

}  // namespace consilium::courier
