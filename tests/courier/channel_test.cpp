#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "consilium/courier/courier.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium::courier {
namespace {

constexpr ChannelLimits small{.message_bytes_max = 100, .queued_bytes_max = 400};

auto numbered(std::size_t i) -> Bytes {
  return {static_cast<std::uint8_t>(i & 255U), static_cast<std::uint8_t>(i >> 8U)};
}

TEST(Channel, carries_messages_both_ways_in_order) {
  auto [a, b] = make_channel_pair();
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(a->send(numbered(i)));
    ASSERT_TRUE(b->send(numbered(1000 + i)));
  }
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(b->receive(0).value(), numbered(i));
    EXPECT_EQ(a->receive(0).value(), numbered(1000 + i));
  }
}

TEST(Channel, carries_an_empty_message) {
  auto [a, b] = make_channel_pair();
  ASSERT_TRUE(a->send({}));
  EXPECT_EQ(b->receive(0).value(), Bytes{});
}

TEST(Channel, refuses_a_message_over_the_limit_and_takes_one_at_the_limit) {
  auto [a, b] = make_channel_pair(small);
  EXPECT_EQ(a->send(Bytes(101)).error().code, "message_too_large");
  EXPECT_TRUE(a->send(Bytes(100)));
  EXPECT_EQ(b->receive(0).value().size(), 100U);
}

TEST(Channel, is_full_when_nobody_reads_and_free_again_when_somebody_does) {
  auto [a, b] = make_channel_pair(small);
  ASSERT_TRUE(a->send(Bytes(100)));
  ASSERT_TRUE(a->send(Bytes(100)));
  EXPECT_EQ(a->send(Bytes(100)).error().code, "channel_full");
  EXPECT_TRUE(b->send(Bytes(100))) << "the other direction has its own queue";
  ASSERT_TRUE(b->receive(0));
  EXPECT_TRUE(a->send(Bytes(100)));
}

TEST(Channel, bounds_empty_messages_as_well) {
  auto [a, b] = make_channel_pair(small);
  int sent = 0;
  while (sent < 1000 && a->send({})) ++sent;
  EXPECT_EQ(sent, 6);
}

TEST(Channel, times_out_when_nothing_comes) {
  auto [a, b] = make_channel_pair();
  EXPECT_EQ(b->receive(0).error().code, "timeout");
  EXPECT_EQ(b->receive(-5).error().code, "timeout");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(b->receive(30).error().code, "timeout");
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
}

TEST(Channel, wakes_a_waiting_receiver) {
  auto [a, b] = make_channel_pair();
  std::thread sender([&a = a] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CONSILIUM_ENSURE(a->send(Bytes{7}).has_value());
  });
  EXPECT_EQ(b->receive(10'000).value(), Bytes{7});
  sender.join();
}

TEST(Channel, delivers_what_was_sent_before_a_close_and_then_says_closed) {
  auto [a, b] = make_channel_pair();
  ASSERT_TRUE(a->send(Bytes{1}));
  a->close();
  EXPECT_EQ(a->send(Bytes{2}).error().code, "channel_closed");
  EXPECT_EQ(a->receive(0).error().code, "channel_closed");
  EXPECT_EQ(b->send(Bytes{2}).error().code, "channel_closed");
  EXPECT_EQ(b->receive(0).value(), Bytes{1});
  EXPECT_EQ(b->receive(0).error().code, "channel_closed");
}

TEST(Channel, wakes_a_waiting_receiver_when_the_other_end_is_destroyed) {
  auto pair = make_channel_pair();
  std::thread closer([first = std::move(pair.first)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    first.reset();
  });
  EXPECT_EQ(pair.second->receive(10'000).error().code, "channel_closed");
  closer.join();
}

TEST(Channel, loses_nothing_between_a_fast_sender_and_a_slow_reader) {
  auto [a, b] = make_channel_pair(small);
  constexpr std::size_t count = 5000;
  std::thread sender([&a = a] {
    for (std::size_t i = 0; i < count; ++i) {
      while (true) {
        const auto sent = a->send(numbered(i));
        if (sent) break;
        CONSILIUM_ENSURE(sent.error().code == "channel_full");
        std::this_thread::yield();
      }
    }
  });
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto message = b->receive(10'000);
    ASSERT_TRUE(message) << message.error().message();
    if (*message != numbered(i)) ++wrong;
  }
  sender.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(ChannelHub, joins_two_nodes_whoever_comes_first) {
  ChannelHub hub;
  auto hungary = hub.connect("hungary", "cleveland", "alignment").value();
  ASSERT_TRUE(hungary->send(Bytes{1}));
  auto cleveland = hub.connect("cleveland", "hungary", "alignment").value();
  EXPECT_EQ(cleveland->receive(0).value(), Bytes{1});
  ASSERT_TRUE(cleveland->send(Bytes{2}));
  EXPECT_EQ(hungary->receive(0).value(), Bytes{2});
}

TEST(ChannelHub, keeps_topics_and_pairs_of_nodes_apart) {
  ChannelHub hub;
  auto a_b = hub.connect("a", "b").value();
  auto a_c = hub.connect("a", "c").value();
  auto a_b_other = hub.connect("a", "b", "other").value();
  ASSERT_TRUE(a_b->send(Bytes{1}));
  ASSERT_TRUE(a_c->send(Bytes{2}));
  ASSERT_TRUE(a_b_other->send(Bytes{3}));
  EXPECT_EQ(hub.connect("b", "a", "other").value()->receive(0).value(), Bytes{3});
  EXPECT_EQ(hub.connect("c", "a").value()->receive(0).value(), Bytes{2});
  EXPECT_EQ(hub.connect("b", "a").value()->receive(0).value(), Bytes{1});
}

TEST(ChannelHub, matches_the_nth_call_of_one_side_with_the_nth_of_the_other) {
  ChannelHub hub;
  std::vector<std::unique_ptr<Channel>> opened;
  for (std::uint8_t i = 0; i < 5; ++i) {
    opened.push_back(hub.connect("a", "b").value());
    ASSERT_TRUE(opened.back()->send(Bytes{i}));
  }
  for (std::uint8_t i = 0; i < 5; ++i) {
    EXPECT_EQ(hub.connect("b", "a").value()->receive(0).value(), Bytes{i});
  }
}

TEST(ChannelHub, refuses_a_node_that_calls_itself_and_a_crowd_at_the_door) {
  ChannelHub hub;
  EXPECT_EQ(hub.connect("a", "a").error().code, "bad_peer");
  EXPECT_EQ(hub.connect("", "a").error().code, "bad_peer");
  std::vector<std::unique_ptr<Channel>> opened;
  for (int i = 0; i < 64; ++i) opened.push_back(hub.connect("a", "b").value());
  EXPECT_EQ(hub.connect("a", "b").error().code, "channel_full");
}

TEST(ChannelHub, joins_nodes_that_call_from_their_own_threads) {
  ChannelHub hub;
  constexpr std::array<const char*, 3> names{"a", "b", "c"};
  std::atomic<int> received{0};
  std::vector<std::thread> nodes;
  for (const char* self : names) {
    nodes.emplace_back([&hub, &names, &received, self] {
      std::vector<std::unique_ptr<Channel>> channels;
      for (const char* peer : names) {
        if (peer == self) continue;
        channels.push_back(hub.connect(self, peer).value());
        CONSILIUM_ENSURE(channels.back()->send(as_bytes(self)).has_value());
      }
      std::size_t at = 0;
      for (const char* peer : names) {
        if (peer == self) continue;
        if (as_text(channels[at++]->receive(10'000).value()) == peer) ++received;
      }
    });
  }
  for (std::thread& node : nodes) node.join();
  EXPECT_EQ(received.load(), 6);
}

}  // namespace
}  // namespace consilium::courier
