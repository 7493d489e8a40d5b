#include "answers.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "consilium/foundation/files.hpp"

namespace consilium::portal {

namespace {

constexpr std::string_view front_page = "/report.html";
constexpr std::size_t file_bytes_max = std::size_t{32} << 20U;

struct RunFile {
  std::string_view path;
  std::string_view name;
  std::string_view content_type;
};

constexpr std::array run_files{RunFile{front_page, "report.html", "text/html; charset=utf-8"},
                               RunFile{"/result.json", "result.json", "application/json"}};

auto not_found() -> Answer {
  return answer_refused(404, "There is no such page here. The report is at /report.html.");
}

auto answer_from_folder(const std::filesystem::path& folder, const RunFile& file) -> Answer {
  auto content = read_text_file(folder / file.name, file_bytes_max);
  if (content) return {200, std::string(file.content_type), std::move(*content), ""};
  if (content.error().code == "file_missing") {
    return answer_refused(404, "The run has not written this file yet. Try again when it is done.");
  }
  return answer_refused(500, "The run’s file cannot be read. Look at the node’s log.");
}

}  // namespace

auto answer_refused(unsigned status, std::string_view sentence) -> Answer {
  Answer answer;
  answer.status = status;
  answer.content = std::string(sentence) + "\n";
  return answer;
}

auto answer_get(const PortalOptions& options, std::string_view target) -> Answer {
  const std::string path(target.substr(0, target.find('?')));
  if (path == "/health") return health_answer(options);
  if (const auto file = options.files.find(path); file != options.files.end()) {
    return {200, file->second.content_type, file->second.content, ""};
  }
  if (options.folder) {
    for (const RunFile& file : run_files) {
      if (path == file.path) return answer_from_folder(*options.folder, file);
    }
  }
  if (path == "/") {
    Answer answer = answer_refused(302, "The report is at /report.html.");
    answer.location = front_page;
    return answer;
  }
  return not_found();
}

auto names_this_machine(std::string_view host) -> bool {
  // The port is cut off: "localhost:8080", "[::1]:8080".
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
  const std::string_view name = has_port ? host.substr(0, colon) : host;
  constexpr std::array<std::string_view, 3> ours{"localhost", "127.0.0.1", "[::1]"};
  return std::find(ours.begin(), ours.end(), name) != ours.end();
}

auto health_answer(const PortalOptions& options) -> Answer {
  using nlohmann::ordered_json;
  ordered_json body;
  body["status"] = "ok";
  bool ok = true;
  try {
    if (options.health) {
      const Health health = options.health();
      ok = health.ok;
      if (!health.details_json.empty()) {
        const auto details = ordered_json::parse(health.details_json, nullptr, false);
        if (details.is_object()) {
          body.update(details);
        } else {
          ok = false;
          body["reason"] = "The node’s own description of its health is not readable.";
        }
      }
    }
    // Last, so that the details cannot say otherwise.
    body["status"] = ok ? "ok" : "failing";
    Answer answer;
    answer.status = ok ? 200 : 503;
    answer.content_type = "application/json";
    answer.content = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
    return answer;
  } catch (...) {
    // A node that cannot say how it is, is not well; the load balancer needs the answer all the
    // same.
    Answer answer;
    answer.status = 503;
    answer.content_type = "application/json";
    answer.content =
        "{\"status\":\"failing\",\"reason\":\"The node could not describe its health.\"}\n";
    return answer;
  }
}

}  // namespace consilium::portal
