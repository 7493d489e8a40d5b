#include "serving.hpp"

#include <csignal>
#include <cstdio>

#include "consilium/portal/portal.hpp"

#include "chain_node.hpp"

namespace consilium::app {

namespace {

volatile std::sig_atomic_t told_to_stop = 0;

auto joined(const std::vector<std::string>& names) -> std::string {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// One line for a person who looks on.
auto readable(const ChainReport& report) -> std::string {
  std::string line = "height " + std::to_string(report.height.value);
  if (report.round.value != 0) {
    line += " · round " + std::to_string(report.round.value) + " " + report.round_state;
    if (!report.submitted.empty()) line += " · sent: " + joined(report.submitted);
  }
  if (!report.absent.empty()) line += " · absent: " + joined(report.absent);
  return line;
}

}  // namespace

auto serve_chain(const std::filesystem::path& directory, std::uint16_t portal_port, bool json)
    -> Result<void> {
  // Handled and not blocked: the engine, started by this process, would inherit a mask.
  struct sigaction action{};
  action.sa_handler = [](int) { told_to_stop = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::string last;
  const auto tell = [&last, json](const ChainReport& report) {
    if (!json) {
      for (const auto& remark : report.remarks) std::printf("  note: %s\n", remark.c_str());
    }
    const auto line = json ? report_line(report) : readable(report);
    if (line == last) return;
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
    last = line;
  };
  const auto ready = [json](const std::string& url) {
    if (json) return;
    std::printf("this node keeps the chain; its health is at %shealth – end with Ctrl-C\n",
                url.c_str());
    std::fflush(stdout);
  };
  return run_chain_node({directory, portal_port}, [] { return told_to_stop != 0; }, ready, tell);
}

auto serve_folder(const std::filesystem::path& folder, std::uint16_t port) -> Result<void> {
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "report.html", ignored)) {
    return fail("file_missing", (folder / "report.html").string(),
                "there is no finished run here; run `consilium demo` first");
  }
  // Blocked before the portal's thread starts, so that both signals wait for us here.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  portal::PortalOptions options;
  options.port = port;
  options.folder = folder;
  CONSILIUM_TRY(auto portal, portal::Portal::start(std::move(options)));
  std::printf("serving %s – end with Ctrl-C\n", portal.url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  portal.stop();
  return {};
}

}  // namespace consilium::app
