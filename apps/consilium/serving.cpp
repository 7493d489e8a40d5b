#include "serving.hpp"

#include <csignal>
#include <cstdio>

#include "consilium/portal/portal.hpp"

namespace consilium::app {

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
