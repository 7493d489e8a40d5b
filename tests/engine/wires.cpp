#include "wires.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <list>
#include <mutex>
#include <random>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace consilium::test {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto look = std::chrono::milliseconds(20);

auto local(std::uint16_t port) -> sockaddr_in {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}
auto generic(sockaddr_in& address) -> sockaddr* {
  return static_cast<sockaddr*>(static_cast<void*>(&address));
}
/// From below the range that outgoing connections take theirs from: a node that is killed finds its
/// own free again.
auto listening(std::uint16_t& port) -> int {
  std::random_device chance;
  std::uniform_int_distribution<int> any(12'000, 32'000);
  for (int i = 0; i < 1000; ++i) {
    const int door = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    port = static_cast<std::uint16_t>(any(chance));
    auto address = local(port);
    if (::bind(door, generic(address), sizeof address) == 0 && ::listen(door, 64) == 0) return door;
    ::close(door);
  }
  std::abort();  // a machine without a free port tests nothing
}

}  // namespace

auto free_port() -> std::uint16_t {
  std::uint16_t port = 0;
  ::close(listening(port));
  return port;
}

struct Wire::State {
  /// One direction of one connection: bytes wait until their time has come.
  struct Lane {
    int from = -1, to = -1;
    struct Piece {
      Clock::time_point due;
      std::vector<char> bytes;
    };
    std::deque<Piece> waiting;
    std::thread reader, writer;
  };
  struct Link {
    int near = -1, far = -1;
    Lane there, back;
    bool ended = false;
  };

  std::uint16_t target = 0, own = 0;
  int door = -1;
  std::mutex mutex;  ///< guards all below
  std::condition_variable changed;
  bool ends = false, held = false;
  std::chrono::milliseconds late{0};
  std::list<Link> links;
  std::thread acceptor;

  void end(Link& link) {
    link.ended = true;
    ::shutdown(link.near, SHUT_RDWR);
    ::shutdown(link.far, SHUT_RDWR);
    changed.notify_all();
  }
  void read(Link& link, Lane& lane) {
    std::array<char, 65536> buffer{};
    for (;;) {
      const auto got = ::recv(lane.from, buffer.data(), buffer.size(), 0);
      const std::lock_guard lock(mutex);
      if (got <= 0) return end(link);
      lane.waiting.push_back({Clock::now() + late, {buffer.data(), buffer.data() + got}});
      changed.notify_all();
    }
  }
  void write(Link& link, Lane& lane) {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return link.ended || (!held && !lane.waiting.empty()); });
      if (link.ended) return;
      const auto due = lane.waiting.front().due;
      if (Clock::now() < due) {
        changed.wait_until(lock, due);
        continue;
      }
      const auto piece = std::move(lane.waiting.front());
      lane.waiting.pop_front();
      lock.unlock();
      std::size_t done = 0;
      while (done < piece.bytes.size()) {
        const auto sent =
            ::send(lane.to, piece.bytes.data() + done, piece.bytes.size() - done, MSG_NOSIGNAL);
        if (sent <= 0) break;
        done += static_cast<std::size_t>(sent);
      }
      lock.lock();
      if (done < piece.bytes.size()) return end(link);
    }
  }
  void accept() {
    for (;;) {
      pollfd waiting{door, POLLIN, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(look.count()));
      std::unique_lock lock(mutex);
      if (ends) return;
      sweep(lock);
      if (ready <= 0 || held) continue;
      lock.unlock();
      const int near = ::accept4(door, nullptr, nullptr, SOCK_CLOEXEC);
      if (near < 0) continue;
      const int far = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      auto address = local(target);
      if (::connect(far, generic(address), sizeof address) != 0) {
        ::close(near);
        ::close(far);
        continue;
      }
      const int on = 1;
      ::setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      lock.lock();
      auto& link = links.emplace_back();
      link.near = near;
      link.far = far;
      link.there.from = link.back.to = near;
      link.there.to = link.back.from = far;
      for (Lane* lane : {&link.there, &link.back}) {
        lane->reader = std::thread([this, &link, lane] { read(link, *lane); });
        lane->writer = std::thread([this, &link, lane] { write(link, *lane); });
      }
    }
  }
  /// Joins and closes what has ended.
  void sweep(std::unique_lock<std::mutex>& lock) {
    for (auto at = links.begin(); at != links.end();) {
      if (!at->ended) {
        ++at;
        continue;
      }
      lock.unlock();
      for (Lane* lane : {&at->there, &at->back}) {
        lane->reader.join();
        lane->writer.join();
      }
      lock.lock();
      ::close(at->near);
      ::close(at->far);
      at = links.erase(at);
    }
  }
};

Wire::Wire(std::uint16_t to) : state_(std::make_unique<State>()) {
  state_->target = to;
  state_->door = listening(state_->own);
  state_->acceptor = std::thread([this] { state_->accept(); });
}

Wire::~Wire() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ends = true;
  }
  state_->acceptor.join();
  std::unique_lock lock(state_->mutex);
  for (auto& link : state_->links) state_->end(link);
  state_->sweep(lock);
  ::close(state_->door);
}

auto Wire::port() const -> std::uint16_t {
  return state_->own;
}

void Wire::delay(std::int64_t ms) {
  const std::lock_guard lock(state_->mutex);
  state_->late = std::chrono::milliseconds(ms);
}

void Wire::hold(bool held) {
  const std::lock_guard lock(state_->mutex);
  state_->held = held;
  state_->changed.notify_all();
}

void Wire::reset() {
  const std::lock_guard lock(state_->mutex);
  for (auto& link : state_->links) state_->end(link);
}

}  // namespace consilium::test
