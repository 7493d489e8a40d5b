#include "chain_processes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {

constexpr std::int64_t stalled_ms = 120'000;
/// Nobody says anything for so long: what was on its way has arrived.
constexpr std::int64_t quiet_ms = 300;
constexpr std::int64_t quiet_wait_ms = 20'000;
constexpr std::int64_t stop_wait_ms = 15'000;
constexpr int poll_ms = 50;
constexpr std::size_t line_bytes_max = 1U << 20U;

auto last_line(const std::filesystem::path& file) -> std::string {
  const auto text = read_text_file(file, 1U << 24U);
  if (!text) return "it said nothing";
  std::string_view rest = *text;
  while (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
  const auto begin = rest.rfind('\n');
  if (begin != std::string_view::npos) rest.remove_prefix(begin + 1);
  constexpr std::string_view prefix = "error: ";
  if (rest.starts_with(prefix)) rest.remove_prefix(prefix.size());
  return std::string(rest);
}

}  // namespace

struct ChainProcesses::Process {
  ChainMember member;
  pid_t child = -1;
  int out = -1;
  std::string unread;
  ChainReport last;

  auto errors() const -> std::filesystem::path { return member.directory / "serve.log"; }

  auto start() -> Result<void> {
    const auto failed = [this](const char* what) {
      return fail("node_stopped", member.title,
                  std::string("It cannot be started, ") + what + ": " + std::strerror(errno) + ".");
    };
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return failed("pipe");
    const int log = ::open(errors().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string home = member.directory.string();
    const std::array<const char*, 8> words{"consilium", "serve", "--home", home.c_str(),
                                           "--port",    "0",     "--json", nullptr};
    const pid_t parent = ::getpid();
    child = ::fork();
    if (child == 0) {
      // Only calls that are safe after a fork (signal-safety(7)). Nodes must not outlive the
      // demonstration: the next one works on the same files.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(126);
      ::dup2(pipe[1], STDOUT_FILENO);
      if (log >= 0) ::dup2(log, STDERR_FILENO);
      ::execv("/proc/self/exe", const_cast<char* const*>(words.data()));
      ::_exit(127);
    }
    if (log >= 0) ::close(log);
    ::close(pipe[1]);
    out = pipe[0];
    ::fcntl(out, F_SETFL, O_NONBLOCK);
    if (child < 0) return failed("fork");
    return {};
  }

  /// Takes what it printed; gives true when there was something new.
  auto listen(std::vector<std::string>& remarks) -> Result<bool> {
    bool heard = false;
    std::array<char, 65536> buffer{};
    while (out >= 0) {
      const auto got = ::read(out, buffer.data(), buffer.size());
      if (got <= 0) break;
      unread.append(buffer.data(), static_cast<std::size_t>(got));
      for (auto end = unread.find('\n'); end != std::string::npos; end = unread.find('\n')) {
        CONSILIUM_TRY(last, parse_report_line(std::string_view(unread).substr(0, end)));
        unread.erase(0, end + 1);
        for (const auto& remark : last.remarks) remarks.push_back(member.title + ": " + remark);
        heard = true;
      }
      if (unread.size() > line_bytes_max)
        return fail("bad_report", member.title, "A line of it has no end.");
    }
    return heard;
  }
  auto ended() -> bool {
    if (child < 0) return true;
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) != child) return false;
    forget();
    return true;
  }
  void kill() {
    if (child < 0) return;
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    forget();
  }
  void forget() {
    child = -1;
    if (out >= 0) ::close(out);
    out = -1;
    unread.clear();
  }
};

ChainProcesses::ChainProcesses(std::vector<ChainMember> members) {
  for (auto& member : members) {
    processes_.push_back(std::make_unique<Process>());
    processes_.back()->member = std::move(member);
  }
}

ChainProcesses::~ChainProcesses() {
  for (auto& process : processes_) process->kill();
}

auto ChainProcesses::run(const std::optional<PowerCut>& cut, Terminal& terminal)
    -> Result<Outcome> {
  const SystemClock clock;
  Outcome out;
  Process* victim = nullptr;
  for (auto& process : processes_) {
    CONSILIUM_CHECK(process->start());
    if (cut && process->member.name == cut->hospital) victim = process.get();
  }
  auto& founder = *processes_.front();
  enum class Stage { before, dark, returning, over };
  Stage stage = victim == nullptr ? Stage::over : Stage::before;
  std::size_t dark_round = 0;
  std::int64_t restarted_ms = 0;
  const auto say = [&](std::string sentence) {
    terminal.line("  note: " + sentence);
    out.cut.push_back(std::move(sentence));
  };

  auto heard_ms = clock.monotonic_ms();
  auto moved_ms = heard_ms;
  auto stepped_ms = heard_ms;
  std::int64_t done_ms = 0;
  std::uint64_t highest = 0;
  while (true) {
    std::vector<pollfd> waiting;
    for (const auto& process : processes_) {
      if (process->out >= 0) waiting.push_back({process->out, POLLIN, 0});
    }
    ::poll(waiting.data(), waiting.size(), poll_ms);
    const auto now_ms = clock.monotonic_ms();
    const std::string step_before = founder.last.step;
    for (auto& process : processes_) {
      CONSILIUM_TRY(const bool heard, process->listen(out.remarks));
      if (heard) heard_ms = now_ms;
      if (stage == Stage::dark && process.get() == victim) continue;
      if (process->ended())
        return fail("node_stopped", process->member.title, last_line(process->errors()));
      if (process->last.height.value > highest) {
        highest = process->last.height.value;
        moved_ms = now_ms;
      }
    }
    if (!step_before.empty())
      out.seconds[step_before] += static_cast<double>(now_ms - stepped_ms) / 1000.0;
    stepped_ms = now_ms;
    const auto& told = founder.last;
    if (!told.step.empty()) terminal.progress(told.step, told.step_done, told.step_all);

    const bool trains = told.step == "train";
    if (stage == Stage::before && trains && told.step_done + 1 >= cut->round &&
        std::find(told.submitted.begin(), told.submitted.end(), cut->hospital) !=
            told.submitted.end() &&
        told.round_state != "accepted" && told.round_state != "rolled_back") {
      victim->kill();
      stage = Stage::dark;
      dark_round = told.step_done + 1;
      say(victim->member.title + " was killed at height " + std::to_string(told.height.value) +
          ", in round " + std::to_string(dark_round) + " (" + told.round_state +
          "), after its update stood on the ledger.");
    } else if (stage == Stage::dark && (!trains || told.step_done + 1 > dark_round)) {
      say("Round " + std::to_string(dark_round) + " was finished at height " +
          std::to_string(told.height.value) + " while " + victim->member.title + " was missing.");
      CONSILIUM_CHECK(victim->start());
      restarted_ms = now_ms;
      stage = Stage::returning;
    } else if (stage == Stage::returning && victim->last.height == told.height) {
      say(victim->member.title + " was back at height " + std::to_string(told.height.value) + ", " +
          std::to_string(now_ms - restarted_ms) + " ms after its start, without anybody's help.");
      stage = Stage::over;
    }

    if (told.done && stage != Stage::dark) {
      if (done_ms == 0) done_ms = now_ms;
      const bool level =
          std::all_of(processes_.begin(), processes_.end(),
                      [&](const auto& process) { return process->last.height == told.height; });
      if ((level && now_ms - heard_ms >= quiet_ms) || now_ms - done_ms > quiet_wait_ms) break;
    } else if (now_ms - moved_ms > stalled_ms) {
      return fail("stalled", told.step.empty() ? "the chain's start" : told.step,
                  "No block was made for two minutes; the nodes' serve.log and chain/cometbft.log "
                  "say why.");
    }
  }
  terminal.end_step();

  for (auto& process : processes_) ::kill(process->child, SIGTERM);
  const auto asked_ms = clock.monotonic_ms();
  for (auto& process : processes_) {
    while (!process->ended()) {
      CONSILIUM_CHECK(process->listen(out.remarks));
      if (clock.monotonic_ms() - asked_ms > stop_wait_ms) process->kill();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  return out;
}

}  // namespace consilium::app
