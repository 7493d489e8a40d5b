#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consilium/engine/cometbft.hpp"

namespace consilium::engine {

namespace {
constexpr std::int64_t pause_first_ms = 100;
constexpr std::int64_t pause_longest_ms = 8000;
constexpr std::int64_t settled_ms = 10'000;
constexpr int stop_waits = 100;
constexpr auto stop_wait = std::chrono::milliseconds(50);
}  // namespace

struct CometbftProcess::State {
  CometbftSettings settings;
  pid_t child = -1;
  std::int64_t started_ms = 0, ended_ms = 0, pause_ms = pause_first_ms;

  auto run() -> Result<void> {
    const std::string program = settings.program.string();
    const std::string folder = settings.folder.string();
    std::error_code ignored;
    std::filesystem::create_directories(settings.folder, ignored);
    std::filesystem::remove(rpc_socket(settings.folder), ignored);  // of a process that was killed
    const int log = ::open((settings.folder / "cometbft.log").c_str(),
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const pid_t parent = ::getpid();
    const std::array<const char*, 5> words{program.c_str(), "start", "--home", ".", nullptr};
    child = ::fork();
    if (child == 0) {
      // Only calls that are safe after a fork of a process with threads (signal-safety(7)).
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      // A mask outlives exec, and with ours the engine might not hear that it is to stop.
      sigset_t none;
      ::sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      if (::getppid() != parent || ::chdir(folder.c_str()) != 0) ::_exit(126);
      if (log >= 0) {
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
      }
      ::umask(0077);
      ::execv(program.c_str(), const_cast<char* const*>(words.data()));
      ::_exit(127);
    }
    if (log >= 0) ::close(log);
    if (child < 0)
      return fail("engine_unavailable", program,
                  std::string("It cannot be started: ") + std::strerror(errno) + ".");
    return {};
  }

  /// Has it ended by itself?
  auto ended() -> bool {
    if (child < 0) return true;
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) != child) return false;
    child = -1;
    return true;
  }
};

CometbftProcess::CometbftProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}

auto CometbftProcess::start(const CometbftSettings& settings)
    -> Result<std::unique_ptr<CometbftProcess>> {
  auto state = std::make_unique<State>();
  state->settings = settings;
  CONSILIUM_CHECK(state->run());
  return std::unique_ptr<CometbftProcess>(new CometbftProcess(std::move(state)));
}

CometbftProcess::~CometbftProcess() {
  if (state_->ended()) return;
  ::kill(state_->child, SIGTERM);
  for (int i = 0; i < stop_waits; ++i) {
    if (state_->ended()) return;
    std::this_thread::sleep_for(stop_wait);
  }
  ::kill(state_->child, SIGKILL);
  int status = 0;
  ::waitpid(state_->child, &status, 0);
}

auto CometbftProcess::keep_alive(std::int64_t now_ms) -> Result<bool> {
  auto& s = *state_;
  if (s.child >= 0 && !s.ended()) {
    if (now_ms - s.started_ms > settled_ms) s.pause_ms = pause_first_ms;
    return false;
  }
  if (s.ended_ms == 0) s.ended_ms = now_ms;
  if (now_ms - s.ended_ms < s.pause_ms) return false;
  s.pause_ms = std::min(2 * s.pause_ms, pause_longest_ms);
  s.ended_ms = 0;
  s.started_ms = now_ms;
  CONSILIUM_CHECK(s.run());
  return true;
}

auto CometbftProcess::pid() const -> int {
  return state_->child;
}

}  // namespace consilium::engine
