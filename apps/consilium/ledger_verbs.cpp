#include "ledger_verbs.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "consilium/courier/courier.hpp"
#include "consilium/foundation/database.hpp"
#include "consilium/foundation/files.hpp"
#include "consilium/ledger/statement.hpp"
#include "consilium/ledger/store.hpp"
#include "consilium/portal/statement.hpp"

namespace consilium::app {

namespace {

namespace fs = std::filesystem;

/// The nodes below a directory: itself, or those of a run.
auto nodes_below(const fs::path& directory) -> Result<std::vector<fs::path>> {
  std::error_code error;
  if (fs::exists(directory / "ledger.db", error)) return std::vector<fs::path>{directory};
  std::vector<fs::path> out;
  if (fs::is_directory(directory / "nodes", error)) {
    for (const auto& entry : fs::directory_iterator(directory / "nodes", error)) {
      if (fs::exists(entry.path() / "ledger.db", error)) out.push_back(entry.path());
    }
  }
  if (out.empty()) {
    return fail("file_missing", directory.string(),
                "there is no ledger.db here or in nodes/ below it; name a node's directory or a "
                "run's, such as out/demo");
  }
  std::sort(out.begin(), out.end());
  return out;
}

auto verify_blobs(const fs::path& node) -> Result<std::uint64_t> {
  std::error_code error;
  if (!fs::exists(node / "blobs", error)) return std::uint64_t{0};
  CONSILIUM_TRY(const auto store, courier::BlobStore::open_existing(node / "blobs"));
  CONSILIUM_TRY(const auto check, store.verify_all());
  if (!check.damaged.empty()) {
    return fail("blob_damaged", check.damaged.front().string(),
                "its bytes are not the ones its name says; fetch it again from another node");
  }
  return check.blobs;
}

void print_credits(const std::map<std::string, std::uint64_t>& credits) {
  for (const auto& [name, amount] : credits) {
    std::printf("  %-24s %8llu credits\n", name.c_str(), static_cast<unsigned long long>(amount));
  }
}

}  // namespace

auto ledger_verify(const fs::path& directory, bool json) -> Result<void> {
  CONSILIUM_TRY(const auto nodes, nodes_below(directory));
  nlohmann::json out = {{"nodes", nlohmann::json::array()}};
  std::optional<ledger::VerifyReport> first;
  std::string first_name;
  for (const auto& node : nodes) {
    std::error_code error;
    if (fs::exists(node / "casebase.db", error)) {
      CONSILIUM_CHECK(check_database_seal(node / "casebase.db"));
    }
    CONSILIUM_TRY(const auto report, ledger::verify_ledger(node / "ledger.db"));
    CONSILIUM_TRY(const auto blobs, verify_blobs(node));
    const auto name = node.filename().string();
    if (!first) {
      first = report;
      first_name = name;
    } else if (report.height == first->height && report.state_digest != first->state_digest) {
      return fail("states_differ", name,
                  "at height " + std::to_string(report.height.value) +
                      " it has another state than " + first_name +
                      "; keep both directories and compare them with ledger show");
    }
    out["nodes"].push_back({{"name", name},
                            {"height", report.height.value},
                            {"transactions", report.transactions},
                            {"blobs", blobs},
                            {"state_digest", report.state_digest.hex()}});
    if (!json) {
      std::printf("✓ %-16s height %llu, %llu transactions, %llu blobs, state %s\n", name.c_str(),
                  static_cast<unsigned long long>(report.height.value),
                  static_cast<unsigned long long>(report.transactions),
                  static_cast<unsigned long long>(blobs),
                  report.state_digest.short_text(4).c_str());
    }
    if (report.height > first->height) first = report;
  }
  out["credits"] = first->credits_by_member;
  out["credits_total"] = first->credits;
  out["credits_withheld"] = first->credits_withheld;
  out["state_digest"] = first->state_digest.hex();
  if (json) {
    std::printf("%s\n", out.dump().c_str());
  } else {
    std::printf("%llu credits recomputed from the ledger:\n",
                static_cast<unsigned long long>(first->credits));
    print_credits(first->credits_by_member);
    if (first->credits_withheld > 0) {
      std::printf(
          "  %llu more are withheld from members whose validator signed two blocks at once\n",
          static_cast<unsigned long long>(first->credits_withheld));
    }
    std::printf("state digest %s\n", first->state_digest.hex().c_str());
  }
  return {};
}

auto ledger_show(const fs::path& directory, bool json) -> Result<void> {
  CONSILIUM_TRY(const auto nodes, nodes_below(directory));
  CONSILIUM_TRY(auto store, ledger::LedgerStore::open_read_only(nodes.front() / "ledger.db"));
  const auto& state = store.ledger();
  nlohmann::json out = {{"consortium", state.consortium().hex()},
                        {"name", state.genesis().name},
                        {"height", state.height().value},
                        {"state_digest", state.digest().hex()},
                        {"schema", state.schema().hex()}};
  for (const auto& [id, member] : state.members()) {
    out["members"].push_back(
        {{"id", id.value},
         {"name", member.info.name},
         {"role", member.info.role == ledger::MemberRole::hospital ? "hospital" : "server"},
         {"active", member.active},
         {"since", member.since.value},
         {"credits", member.credits},
         {"credits_data", member.credits_data},
         {"credits_verification", member.credits_verify},
         {"credits_packing", member.credits_pack},
         {"credits_lost", member.credits_lost}});
    const auto offence = state.offences().find(id);
    if (offence != state.offences().end())
      out["members"].back()["credits_withheld"] = offence->second.withheld();
  }
  for (const auto& session : state.alignments()) {
    out["alignments"].push_back({{"epoch", session.record.epoch},
                                 {"threshold", session.record.threshold},
                                 {"cells", session.record.cells},
                                 {"state", ledger::state_name(session.state)},
                                 {"attempt", session.attempt},
                                 {"participants", session.participants.size()},
                                 {"warnings", session.warnings}});
  }
  for (const auto& [id, round] : state.rounds()) {
    out["rounds"].push_back({{"round", id.value},
                             {"purpose", sealing::purpose_name(round.open.purpose)},
                             {"state", ledger::state_name(round.state)},
                             {"opened_at", round.opened_at.value},
                             {"closed_at", round.closed_at.value},
                             {"hospitals", round.set.size()},
                             {"packer", round.packer.value},
                             {"reason", round.reason}});
    // Rare, and what a consortium will want to vote on: who an audit found.
    for (const HospitalId blamed : round.blamed)
      out["rounds"].back()["blamed"].push_back(state.members().at(blamed).info.name);
  }
  for (const auto& model : state.models()) {
    out["models"].push_back({{"model", model.model.hex()},
                             {"round", model.round.value},
                             {"height", model.height.value}});
  }
  if (json) {
    std::printf("%s\n", out.dump().c_str());
    return {};
  }
  std::printf("%s  height %llu  state %s\n", state.genesis().name.c_str(),
              static_cast<unsigned long long>(state.height().value),
              state.digest().short_text(4).c_str());
  std::printf("\n%-4s %-16s %-9s %6s %9s %13s %8s %8s\n", "id", "member", "role", "since", "data",
              "verification", "packing", "credits");
  for (const auto& [id, m] : state.members()) {
    std::printf("%-4u %-16s %-9s %6llu %9llu %13llu %8llu %8llu\n", unsigned{id.value},
                m.info.name.c_str(),
                m.info.role == ledger::MemberRole::hospital ? "hospital" : "server",
                static_cast<unsigned long long>(m.since.value),
                static_cast<unsigned long long>(m.credits_data),
                static_cast<unsigned long long>(m.credits_verify),
                static_cast<unsigned long long>(m.credits_pack),
                static_cast<unsigned long long>(m.credits));
  }
  std::printf("\n%-6s %-11s %-12s %7s %7s %10s %s\n", "round", "purpose", "state", "opened",
              "closed", "hospitals", "reason");
  for (const auto& [id, round] : state.rounds()) {
    std::printf("%-6llu %-11s %-12s %7llu %7llu %10zu %s\n",
                static_cast<unsigned long long>(id.value),
                std::string(sealing::purpose_name(round.open.purpose)).c_str(),
                std::string(ledger::state_name(round.state)).c_str(),
                static_cast<unsigned long long>(round.opened_at.value),
                static_cast<unsigned long long>(round.closed_at.value), round.set.size(),
                round.reason.c_str());
  }
  for (const auto& session : state.alignments()) {
    std::printf(
        "\nalignment epoch %llu: k = %u, %llu cells, %s, %zu participants\n",
        static_cast<unsigned long long>(session.record.epoch), unsigned{session.record.threshold},
        static_cast<unsigned long long>(session.record.cells),
        std::string(ledger::state_name(session.state)).c_str(), session.participants.size());
    for (const auto& warning : session.warnings) std::printf("  note: %s\n", warning.c_str());
  }
  return {};
}

auto credits_statement(const StatementOptions& options) -> Result<void> {
  CONSILIUM_TRY(const auto nodes, nodes_below(options.directory));
  CONSILIUM_TRY(auto store, ledger::LedgerStore::open_read_only(nodes.front() / "ledger.db"));
  const auto& state = store.ledger();
  const ledger::Member* member = state.member_by_name(options.hospital);
  if (member == nullptr) {
    std::string names;
    for (const auto& [id, known] : state.members())
      names += (names.empty() ? "" : ", ") + known.info.name;
    return fail("unknown_member", options.hospital,
                "the ledger has no member of this name; it has " + names);
  }
  CONSILIUM_TRY(auto accounts, ledger::credit_statements(state));
  const portal::StatementData statement{.consortium = state.genesis().name,
                                        .hospital = member->info.title,
                                        .member = member->info.name,
                                        .height = state.height().value,
                                        .state_digest = state.digest().hex(),
                                        .policy = state.policy(),
                                        .account = accounts.at(member->id)};
  const auto page = options.out / ("credits-" + member->info.name + ".html");
  const auto table = options.out / ("credits-" + member->info.name + ".csv");
  CONSILIUM_CHECK(write_file_durably(page, as_bytes(portal::render_statement(statement))));
  CONSILIUM_CHECK(write_file_durably(table, as_bytes(portal::statement_csv(statement))));
  if (options.json) {
    const nlohmann::json out = {{"member", member->info.name},
                                {"height", statement.height},
                                {"credits", statement.account.balance},
                                {"credits_data", statement.account.data},
                                {"credits_verification", statement.account.verify},
                                {"credits_packing", statement.account.pack},
                                {"credits_lost", statement.account.lost},
                                {"page", page.string()},
                                {"table", table.string()}};
    std::printf("%s\n", out.dump().c_str());
    return {};
  }
  std::printf("%s: %llu credits at height %llu, recomputed from the ledger\n  %s\n  %s\n",
              member->info.title.c_str(),
              static_cast<unsigned long long>(statement.account.balance),
              static_cast<unsigned long long>(statement.height), page.string().c_str(),
              table.string().c_str());
  return {};
}

}  // namespace consilium::app
