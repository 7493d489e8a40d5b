#include "chain_report.hpp"

#include <nlohmann/json.hpp>

namespace consilium::app {

auto report_line(const ChainReport& report) -> std::string {
  const nlohmann::json line = {{"height", report.height.value}, {"step", report.step},
                               {"step_done", report.step_done}, {"step_all", report.step_all},
                               {"done", report.done},           {"remarks", report.remarks},
                               {"round", report.round.value},   {"round_state", report.round_state},
                               {"submitted", report.submitted}, {"absent", report.absent}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

auto parse_report_line(std::string_view line) -> Result<ChainReport> {
  ChainReport out;
  try {
    const auto parsed = nlohmann::json::parse(line);
    out.height.value = parsed.at("height").get<std::uint64_t>();
    out.step = parsed.at("step").get<std::string>();
    out.step_done = parsed.at("step_done").get<std::size_t>();
    out.step_all = parsed.at("step_all").get<std::size_t>();
    out.done = parsed.at("done").get<bool>();
    out.remarks = parsed.at("remarks").get<std::vector<std::string>>();
    out.round.value = parsed.at("round").get<std::uint64_t>();
    out.round_state = parsed.at("round_state").get<std::string>();
    out.submitted = parsed.at("submitted").get<std::vector<std::string>>();
    out.absent = parsed.at("absent").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    return fail(
        "bad_report", "a node's line",
        "It is not what `consilium serve --json` writes: the nodes are of another version.");
  }
  return out;
}

}  // namespace consilium::app
