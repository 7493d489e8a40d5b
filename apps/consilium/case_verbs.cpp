#include "case_verbs.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "chain_config.hpp"
#include "node_home.hpp"
#include "serving.hpp"

namespace consilium::app {

auto cases(const CasesOptions& options) -> Result<void> {
  CONSILIUM_TRY(auto home, open_home(options.home));
  CONSILIUM_TRY(const auto all, home.casebase.all());
  std::map<std::string, std::vector<std::string>> by_status;
  for (const auto& c : all) {
    by_status[std::string(casebase::status_name(c.status))].push_back(c.id.value);
  }
  CONSILIUM_CHECK(home.casebase.close());
  if (!options.status.empty() && !by_status.contains(options.status)) {
    return fail("case_missing", options.status,
                "no case has this status; `consilium cases --home DIR` lists those there are");
  }
  if (options.json) {
    nlohmann::json out = {{"hospital", home.name}, {"cases", all.size()}};
    for (const auto& [status, ids] : by_status) {
      if (options.status.empty() || options.status == status) out["status"][status] = ids;
    }
    std::printf("%s\n", out.dump().c_str());
    return {};
  }
  std::printf("%s: %zu cases\n", home.title.c_str(), all.size());
  for (const auto& [status, ids] : by_status) {
    if (!options.status.empty() && options.status != status) continue;
    std::printf("  %-12s %6zu", status.c_str(), ids.size());
    if (!options.status.empty()) {
      for (const auto& id : ids) std::printf("\n    %s", id.c_str());
    } else {
      std::printf("   %s … %s", ids.front().c_str(), ids.back().c_str());
    }
    std::printf("\n");
  }
  return {};
}

auto schema_show(const SchemaOptions& options) -> Result<void> {
  CONSILIUM_TRY(auto home, open_home(options.home));
  CONSILIUM_CHECK(home.casebase.close());
  std::printf("# digest %s\n%s", home.schema.digest().hex().c_str(),
              casebase::to_toml(home.schema).c_str());
  return {};
}

auto serve(const ServeOptions& options) -> Result<void> {
  return keeps_chain(options.home) ? serve_chain(options.home, options.port, options.json)
                                   : serve_folder(options.home, options.port);
}

}  // namespace consilium::app
