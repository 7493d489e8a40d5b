// Channels between two ports on 127.0.0.1.

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "messages.hpp"
#include "nodes.hpp"

namespace consilium::courier {
namespace {

constexpr ChannelLimits small{.message_bytes_max = 1000, .queued_bytes_max = 4000};
constexpr std::int64_t long_enough_ms = 20'000;

auto numbered(std::size_t i) -> Bytes {
  return {static_cast<std::uint8_t>(i & 255U), static_cast<std::uint8_t>(i >> 8U)};
}

struct TwoPorts : Consortium {
  explicit TwoPorts(const ChannelLimits& limits = {}) {
    PortOptions options;
    options.channels = limits;
    a = std::make_unique<Port>(open(cleveland, theirs, options));
    b = std::make_unique<Port>(open(hungary, ours, options));
  }
  auto from_a(std::string_view topic = "alignment") const -> std::unique_ptr<Channel> {
    return a->connect(address(hungary, "hungary", b->number()), topic).value();
  }
  auto from_b(std::string_view topic = "alignment") const -> std::unique_ptr<Channel> {
    return b->connect(address(cleveland, "cleveland", a->number()), topic).value();
  }
  std::unique_ptr<Port> a, b;
};

TEST(RemoteChannel, carries_messages_both_ways_in_order_and_once) {
  const TwoPorts n;
  const auto a = n.from_a();
  const auto b = n.from_b();
  ASSERT_TRUE(a->send({}));
  for (std::size_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(a->send(numbered(i)));
    ASSERT_TRUE(b->send(numbered(1000 + i)));
  }
  EXPECT_EQ(b->receive(long_enough_ms).value(), Bytes{});
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(b->receive(long_enough_ms).value(), numbered(i));
    EXPECT_EQ(a->receive(long_enough_ms).value(), numbered(1000 + i));
  }
  EXPECT_EQ(b->receive(0).error().code, "timeout");
  EXPECT_TRUE(fs::is_empty(n.ours.folder() / "unfinished")) << "messages are never stored";
  EXPECT_TRUE(n.ours.list().value().empty());
}

TEST(RemoteChannel, carries_the_largest_message_of_alignment) {
  TwoPorts n;
  const auto a = n.from_a();
  const auto b = n.from_b();
  const Bytes message = random_bytes(n.random, ChannelLimits{}.message_bytes_max);
  ASSERT_TRUE(a->send(message));
  EXPECT_EQ(b->receive(long_enough_ms).value(), message);
}

TEST(RemoteChannel, may_be_opened_and_written_before_the_other_side_asks) {
  const TwoPorts n(small);
  const auto a = n.from_a();
  ASSERT_TRUE(a->send(Bytes{1}));
  while (n.b->counts().messages_taken == 0) std::this_thread::yield();
  const auto b = n.from_b();
  EXPECT_EQ(b->receive(long_enough_ms).value(), Bytes{1});
}

TEST(RemoteChannel, of_one_topic_meet_in_order_and_topics_are_apart) {
  const TwoPorts n(small);
  const auto first = n.from_a();
  const auto other = n.from_a("other");
  const auto second = n.from_a();
  ASSERT_TRUE(second->send(Bytes{2}));
  ASSERT_TRUE(other->send(Bytes{3}));
  ASSERT_TRUE(first->send(Bytes{1}));
  EXPECT_EQ(n.from_b()->receive(long_enough_ms).value(), Bytes{1});
  EXPECT_EQ(n.from_b()->receive(long_enough_ms).value(), Bytes{2});
  EXPECT_EQ(n.from_b("other")->receive(long_enough_ms).value(), Bytes{3});
}

TEST(RemoteChannel, is_full_when_nobody_reads_and_loses_nothing_when_somebody_does) {
  const TwoPorts n(small);
  const auto a = n.from_a();
  const auto b = n.from_b();
  EXPECT_EQ(a->send(Bytes(1001)).error().code, "message_too_large");
  // Three find room there, and three here.
  for (std::uint8_t i = 0; i < 6; ++i) {
    auto sent = a->send(Bytes(1000, i));
    while (!sent && sent.error().code == "channel_full") {
      std::this_thread::yield();
      sent = a->send(Bytes(1000, i));
    }
    ASSERT_TRUE(sent);
  }
  EXPECT_EQ(a->send(Bytes(1000)).error().code, "channel_full");
  while (n.b->counts().busy == 0) std::this_thread::yield();
  EXPECT_EQ(n.b->counts().messages_taken, 3U);
  EXPECT_EQ(a->send(Bytes(1000)).error().code, "channel_full");
  EXPECT_TRUE(b->send(Bytes(1000))) << "the other direction has its own queue";
  for (std::uint8_t i = 0; i < 6; ++i)
    EXPECT_EQ(b->receive(long_enough_ms).value(), Bytes(1000, i));
  EXPECT_EQ(b->receive(0).error().code, "timeout");
}

TEST(RemoteChannel, delivers_what_was_sent_before_a_close_and_then_says_closed) {
  const TwoPorts n(small);
  auto a = n.from_a();
  const auto b = n.from_b();
  ASSERT_TRUE(a->send(Bytes{1}));
  ASSERT_TRUE(a->send(Bytes{2}));
  a.reset();
  EXPECT_EQ(b->receive(long_enough_ms).value(), Bytes{1});
  EXPECT_EQ(b->receive(long_enough_ms).value(), Bytes{2});
  EXPECT_EQ(b->receive(long_enough_ms).error().code, "channel_closed");
  EXPECT_EQ(b->send(Bytes{3}).error().code, "channel_closed");
}

TEST(RemoteChannel, waits_for_a_peer_that_comes_late) {
  TwoPorts n(small);
  const std::uint16_t number = n.b->number();
  n.b.reset();
  const auto a =
      n.a->connect(Consortium::address(n.hungary, "hungary", number), "alignment").value();
  ASSERT_TRUE(a->send(Bytes{7}));
  PortOptions options;
  options.channels = small;
  options.port = number;
  n.b = std::make_unique<Port>(n.open(n.hungary, n.ours, options));
  EXPECT_EQ(n.from_b()->receive(long_enough_ms).value(), Bytes{7});
}

TEST(RemoteChannel, closes_when_the_other_side_restarts_and_new_ones_meet) {
  TwoPorts n(small);
  const auto a = n.from_a();
  auto b = n.from_b();
  ASSERT_TRUE(a->send(Bytes{1}));
  EXPECT_EQ(b->receive(long_enough_ms).value(), Bytes{1});
  ASSERT_TRUE(b->send(Bytes{2}));
  EXPECT_EQ(a->receive(long_enough_ms).value(), Bytes{2});
  PortOptions options;
  options.channels = small;
  options.port = n.b->number();
  b.reset();
  n.b.reset();
  n.b = std::make_unique<Port>(n.open(n.hungary, n.ours, options));
  // Whether the close still went out or the new life answers: nothing passes for delivered.
  (void)a->send(Bytes{3});
  EXPECT_EQ(a->receive(long_enough_ms).error().code, "channel_closed");
  const auto again = n.from_b();
  const auto a_again = n.from_a();
  ASSERT_TRUE(again->send(Bytes{4}));
  EXPECT_EQ(a_again->receive(long_enough_ms).value(), Bytes{4});
  ASSERT_TRUE(a_again->send(Bytes{5}));
  EXPECT_EQ(again->receive(long_enough_ms).value(), Bytes{5});
}

TEST(RemoteChannel, of_a_stranger_closes) {
  const TwoPorts n(small);
  PortOptions options;
  options.channels = small;
  TemporaryFolder folder;
  BlobStore blobs = open_store(folder.path());
  Consortium c;
  Port outside = c.open(n.stranger, blobs, options);
  const auto channel =
      outside.connect(Consortium::address(n.hungary, "hungary", n.b->number()), "alignment")
          .value();
  EXPECT_EQ(channel->receive(long_enough_ms).error().code, "channel_closed");
  EXPECT_EQ(n.b->counts().messages_taken, 0U);
}

TEST(RemoteChannel, is_refused_with_a_bad_topic_or_oneself) {
  const TwoPorts n(small);
  const auto where = Consortium::address(n.hungary, "hungary", n.b->number());
  for (const char* topic : {"", "Upper", "a/b", "a b"})
    EXPECT_EQ(n.a->connect(where, topic).error().code, "bad_peer") << topic;
  EXPECT_EQ(n.b->connect(where, "alignment").error().code, "bad_peer");
  n.a->close();
  EXPECT_EQ(n.a->connect(where, "alignment").error().code, "channel_closed");
}

// --- what a peer may send, in any order

struct Inbox {
  Member member{1};
  Messages messages{member.transport(consortium), small, 1};
  auto take(std::uint64_t number, std::uint64_t sequence, Bytes message = {},
            std::uint64_t life = 5) -> std::string {
    return messages.take("hungary", {"t", life, number}, sequence, std::move(message)).error;
  }
};

TEST(Messages, that_come_again_are_acknowledged_and_kept_once) {
  Inbox in;
  EXPECT_EQ(in.take(0, 0), "");
  EXPECT_EQ(in.take(0, 1, {1}), "");
  EXPECT_EQ(in.take(0, 1, {1}), "") << "the acknowledgement was lost";
  EXPECT_EQ(in.take(0, 0), "");
  EXPECT_EQ(in.take(0, 3, {3}), "peer_busy") << "an earlier one is missing";
  EXPECT_EQ(in.take(0, 2, {2}), "");
  const auto channel =
      in.messages.connect(Consortium::address(Member(2), "hungary", 1), "t", {}).value();
  EXPECT_EQ(channel->receive(0).value(), Bytes{1});
  EXPECT_EQ(channel->receive(0).value(), Bytes{2});
  EXPECT_EQ(channel->receive(0).error().code, "timeout");
}

TEST(Messages, of_a_channel_that_nobody_opened_are_not_kept) {
  Inbox in;
  EXPECT_EQ(in.take(0, 1, {1}), "channel_closed");
  EXPECT_EQ(in.messages.take_close("hungary", {"t", 5, 0}, 1).error, "channel_closed");
  EXPECT_EQ(in.take(0, 0), "");
  EXPECT_EQ(in.take(1, 1, {1}), "channel_closed");
}

TEST(Messages, of_an_earlier_life_are_refused_when_the_peer_has_a_new_one) {
  Inbox in;
  ASSERT_EQ(in.take(0, 0, {}, 5), "");
  const auto channel =
      in.messages.connect(Consortium::address(Member(2), "hungary", 1), "t", {}).value();
  ASSERT_EQ(in.take(0, 0, {}, 6), "");
  EXPECT_EQ(channel->receive(0).error().code, "channel_closed");
  EXPECT_EQ(in.take(0, 1, {1}, 5), "channel_closed");
  EXPECT_EQ(in.take(0, 1, {1}, 6), "");
}

TEST(Messages, that_nobody_asked_for_are_bounded) {
  Inbox in;
  for (std::uint64_t number = 0; number < 64; ++number) EXPECT_EQ(in.take(number, 0), "");
  EXPECT_EQ(in.take(64, 0), "peer_busy");
  std::uint64_t taken = 0;
  while (in.take(0, taken + 1, Bytes(1000)).empty()) ASSERT_LT(++taken, 100U);
  EXPECT_EQ(taken, 3U);
  EXPECT_EQ(in.take(0, taken + 1, Bytes(1001)), "message_too_large");
  std::size_t topics = 1;
  while (in.messages.take("hungary", {"t" + std::to_string(topics), 5, 0}, 0, {}).error.empty())
    ASSERT_LT(++topics, 1000U);
  EXPECT_EQ(topics, 64U);
  EXPECT_EQ(in.messages.take("basel", {"t", 5, 0}, 0, {}).error, "") << "others have their own";
}

}  // namespace
}  // namespace consilium::courier
