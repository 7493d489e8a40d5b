#pragma once
// What the portal answers, apart from how it is carried: a pure function of options and request.

#include <string>
#include <string_view>

#include "consilium/portal/portal.hpp"

namespace consilium::portal {

struct Answer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string content;
  /// For 302: a path on this server.
  std::string location;
};

/// `target` as it stands in the request line.
[[nodiscard]] auto answer_get(const PortalOptions& options, std::string_view target) -> Answer;
/// One plain sentence.
[[nodiscard]] auto answer_refused(unsigned status, std::string_view sentence) -> Answer;
/// Whether a Host header names this machine. A page of another site that points its own name at
/// 127.0.0.1 does not.
[[nodiscard]] auto names_this_machine(std::string_view host) -> bool;

/// {"status": "ok", …} with 200, or {"status": "failing", …} with 503.
[[nodiscard]] auto health_answer(const PortalOptions& options) -> Answer;

}  // namespace consilium::portal
