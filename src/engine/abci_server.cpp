#include "consilium/engine/abci_server.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "abci_messages.hpp"
#include "frames.hpp"

namespace consilium::engine {

namespace {

constexpr std::size_t connections_max = 8;
constexpr std::size_t read_bytes = 256U << 10U;
/// Answers wait for the engine's flush, but not more than this.
constexpr std::size_t answers_bytes_max = 1U << 20U;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  auto operator=(const Descriptor&) -> Descriptor& = delete;
  auto operator=(Descriptor&&) -> Descriptor& = delete;
  [[nodiscard]] auto get() const -> int { return number_; }

 private:
  int number_;
};

auto send_all(int socket, BytesView bytes) -> bool {
  while (!bytes.empty()) {
    const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

struct AbciServer::State {
  State(std::filesystem::path path, Application& served, Descriptor door)
      : socket(std::move(path)), application(served), listener(std::move(door)) {}

  struct Connection {
    explicit Connection(int number) : descriptor(number) {}
    Descriptor descriptor;
    std::thread thread;
    std::atomic<bool> done{false};
  };

  std::filesystem::path socket;
  Application& application;
  Descriptor listener;
  std::atomic<bool> stopping{false};
  std::thread accepting;
  mutable std::mutex mutex;  ///< guards fault and connections
  std::optional<Error> fault;
  std::list<Connection> connections;

  void accept_all() {
    while (!stopping) {
      const int number = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (number < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        return;  // shut down, or nothing can be accepted any more: the engine notices
      }
      const std::lock_guard lock(mutex);
      connections.remove_if([](Connection& connection) {
        if (!connection.done) return false;
        connection.thread.join();
        return true;
      });
      if (stopping || connections.size() >= connections_max) {
        ::close(number);
        continue;
      }
      auto& connection = connections.emplace_back(number);
      connection.thread = std::thread([this, &connection] {
        serve(connection.descriptor.get());
        ::shutdown(connection.descriptor.get(), SHUT_RDWR);
        connection.done = true;
      });
    }
  }

  void serve(int number) {
    FrameReader reader(frame_bytes_max);
    Bytes answers;
    Bytes buffer(read_bytes);
    while (!stopping) {
      const auto got = ::recv(number, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      reader.add(BytesView(buffer).first(static_cast<std::size_t>(got)));
      for (;;) {
        auto frame = reader.next();
        if (!frame) return;
        if (!*frame) break;
        auto answer = answer_abci(application, **frame);
        if (!answer) return;
        if (answer->fault) {
          const std::lock_guard lock(mutex);
          if (!fault) fault = answer->fault;
        }
        put_frame(answers, answer->response);
        if (answer->flush || answer->fault || answers.size() > answers_bytes_max) {
          if (!send_all(number, answers)) return;
          answers.clear();
        }
      }
    }
  }

  void stop() {
    stopping = true;
    ::shutdown(listener.get(), SHUT_RDWR);
    {
      const std::lock_guard lock(mutex);
      for (auto& connection : connections) ::shutdown(connection.descriptor.get(), SHUT_RDWR);
    }
    if (accepting.joinable()) accepting.join();
    for (auto& connection : connections) connection.thread.join();
    connections.clear();
    std::error_code ignored;
    std::filesystem::remove(socket, ignored);
  }
};

AbciServer::AbciServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
AbciServer::~AbciServer() {
  state_->stop();
}

auto AbciServer::start(const std::filesystem::path& socket, Application& application)
    -> Result<std::unique_ptr<AbciServer>> {
  if (!abci_available())
    return fail("engine_unavailable", "the driver cometbft",
                "This program was built without it: ./dev setup --chain, then build again.");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof(address.sun_path))
    return fail("bad_address", path,
                "The path of a socket has at most 107 bytes: choose a shorter folder.");
  std::memcpy(address.sun_path, path.data(), path.size());
  std::error_code problem;
  std::filesystem::create_directories(socket.parent_path(), problem);
  std::filesystem::remove(socket, problem);
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The address of a socket is passed as the general kind (POSIX <sys/socket.h>).
  const auto* general = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  const auto before = ::umask(0077);
  const bool bound = listener.get() >= 0 && ::bind(listener.get(), general, sizeof(address)) == 0;
  ::umask(before);
  if (!bound || ::listen(listener.get(), static_cast<int>(connections_max)) != 0)
    return fail("file_unwritable", path,
                std::string("The socket cannot be made: ") + std::strerror(errno) + ".");
  auto state = std::make_unique<State>(socket, application, std::move(listener));
  state->accepting = std::thread([raw = state.get()] { raw->accept_all(); });
  return std::unique_ptr<AbciServer>(new AbciServer(std::move(state)));
}

auto AbciServer::fault() const -> std::optional<Error> {
  const std::lock_guard lock(state_->mutex);
  return state_->fault;
}

}  // namespace consilium::engine
