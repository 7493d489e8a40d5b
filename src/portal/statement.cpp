#include "consilium/portal/statement.hpp"

#include <algorithm>

#include "report_parts.hpp"

namespace consilium::portal {
namespace {

using ledger::CreditLine;
using ledger::CreditLineKind;

auto count(std::uint64_t number) -> std::string {
  return count_text(static_cast<std::int64_t>(number));
}

auto kind_name(CreditLineKind kind) -> std::string_view {
  switch (kind) {
    case CreditLineKind::round:
      return "round";
    case CreditLineKind::claim_refused:
      return "claim_refused";
    case CreditLineKind::decay:
      return "decay";
  }
  return "";
}

auto rounds_word(std::uint64_t rounds) -> std::string {
  return rounds == 1 ? "1 round" : count(rounds) + " rounds";
}

auto fact(std::string_view name, std::uint64_t value, const std::string& small) -> std::string {
  return "<div><dt>" + std::string(name) + "</dt><dd>" + count(value) + "<small>" + small +
         "</small></dd></div>";
}

auto header_html(const StatementData& statement) -> std::string {
  return "<header class=\"rh\"><svg class=\"logo\" width=\"22\" height=\"22\" viewBox=\"0 0 22 "
         "22\" "
         "aria-hidden=\"true\"><circle cx=\"11\" cy=\"11\" r=\"3.2\"/><path d=\"M11 1.5v3.5M11 "
         "17v3.5M1.5 11H5M17 11h3.5\"/></svg><div><h1>Credits of " +
         escape(statement.hospital) + "</h1><p class=\"mut\">Statement at height " +
         count(statement.height) + " · consortium " + escape(statement.consortium) + " · member " +
         escape(statement.member) +
         "</p></div><fieldset class=\"seg noprint\"><legend class=\"vh\">Theme</legend>"
         "<label><input type=\"radio\" name=\"th\" id=\"th-a\" checked>Auto</label>"
         "<label><input type=\"radio\" name=\"th\" id=\"th-l\">Light</label>"
         "<label><input type=\"radio\" name=\"th\" id=\"th-d\">Dark</label></fieldset></header>";
}

auto facts_html(const StatementData& statement) -> std::string {
  const auto& account = statement.account;
  const auto rounds =
      std::count_if(account.lines.begin(), account.lines.end(),
                    [](const CreditLine& line) { return line.kind == CreditLineKind::round; });
  std::string lost = "nothing decayed or was refused";
  if (account.lost > 0) lost = "less " + count(account.lost) + " lost";
  if (account.withheld > 0)
    lost += "<br>" + count(account.withheld) + " of it withheld for double signing";
  return "<dl class=\"facts\">" +
         fact("Balance", account.balance,
              "of " + rounds_word(static_cast<std::uint64_t>(rounds)) + ", " + lost) +
         fact("For data", account.data, "patterns that trained") +
         fact("For verification", account.verify, "updates of others checked") +
         fact("For packing", account.pack, "blocks of updates written") + "</dl>";
}

auto what_html(const CreditLine& line) -> std::string {
  switch (line.kind) {
    case CreditLineKind::round: {
      std::string out = "Round " + count(line.round.value);
      out += "<small>";
      out += line.claimed == 0 ? "no patterns claimed" : count(line.claimed) + " patterns claimed";
      return out + ", " + count(line.attested) + " of " + count(line.set) + " checked</small>";
    }
    case CreditLineKind::claim_refused:
      return "Claim refused<small>of " + count(line.claimed) + " patterns in round " +
             count(line.round.value) + ", by vote</small>";
    case CreditLineKind::decay:
      return "Decay<small>epoch ended with round " + count(line.round.value) + "</small>";
  }
  return "";
}

/// A dash where nothing could be: a zero there would read like a figure.
auto cell(std::uint64_t value, bool applies) -> std::string {
  return "<td class=\"num\">" + (applies ? count(value) : "–") + "</td>";
}

auto lines_html(const StatementData& statement) -> std::string {
  const auto& account = statement.account;
  std::string out = "<section><h2>Every line</h2><p class=\"s mut\">In credits, oldest first.</p>";
  if (account.lines.empty())
    return out + "<p class=\"s\">– No accepted round has paid this hospital yet.</p></section>";
  std::string table =
      "<table class=\"tb narrow\"><thead><tr><th scope=\"col\">what</th><th scope=\"col\" "
      "class=\"num\">height</th><th scope=\"col\" class=\"num g\">data</th><th scope=\"col\" "
      "class=\"num\">verification</th><th scope=\"col\" class=\"num\">packing</th><th "
      "scope=\"col\" "
      "class=\"num\">lost</th><th scope=\"col\" class=\"num g\">balance</th></tr></thead><tbody>";
  for (const CreditLine& line : account.lines) {
    const bool earns = line.kind == CreditLineKind::round;
    table += "<tr><th scope=\"row\">" + what_html(line) + "</th><td class=\"num\">" +
             count(line.height.value) + "</td>" + cell(line.data, earns) +
             cell(line.verify, earns) + cell(line.pack, earns) + cell(line.lost, !earns) +
             "<td class=\"num g b\">" + count(line.balance) + "</td></tr>";
  }
  table += "<tr class=\"sum\"><th scope=\"row\">Sum</th><td></td>" + cell(account.data, true) +
           cell(account.verify, true) + cell(account.pack, true) + cell(account.lost, true) +
           "<td class=\"num g\">" + count(account.balance) + "</td></tr></tbody></table>";
  return out + frame_html("Every line of the account", table) + "</section>";
}

auto rules_html(const StatementData& statement) -> std::string {
  const ledger::Policy& policy = statement.policy;
  const bool digits = policy.credit_scale == ledger::CreditScale::digits;
  std::string out =
      "<div><h2>How credits are counted</h2><ul class=\"chk\"><li>" +
      std::string(mark_svg(Mark::tick)) + "<span>An accepted update pays " +
      count(policy.round_pool) + " credits: " + count(policy.data_percent) + " % for data, " +
      count(policy.verify_percent) + " % for verification, " + count(policy.pack_percent) +
      " % for packing. What does not divide goes to the largest remainders.</span></li><li>" +
      std::string(mark_svg(Mark::tick)) + "<span>Data counts by the " +
      (digits ? "number of binary digits" : "square root") + " of the claimed patterns, up to " +
      count(policy.align_cap) +
      ". The other hospitals may refuse a claim by vote: its data part is lost.</span></li><li>" +
      std::string(mark_svg(Mark::tick)) + "<span>";
  if (policy.credit_epoch_rounds == 0) {
    out += "Credits do not decay.";
  } else {
    out += "After every " + rounds_word(policy.credit_epoch_rounds) + " everybody loses " +
           count(policy.decay_percent) + " % of its credits.";
  }
  return out + "</span></li></ul></div>";
}

auto proof_html(const StatementData& statement) -> std::string {
  return "<div><h2>Check it</h2><p class=\"s mut\">All lines were worked out again from the "
         "ledger's records and agree with its state " +
         digest_html(statement.state_digest) +
         ". Anybody who has the ledger can do the same:</p><code class=\"mono cmd gap\">consilium "
         "ledger verify DIR\nconsilium credits statement DIR --hospital " +
         escape(statement.member) +
         "</code><p class=\"s mut gap\">No patient data: the ledger has rounds, counts and "
         "digests. "
         "Heights are numbers of blocks; the ledger has no clock.</p></div>";
}

}  // namespace

auto render_statement(const StatementData& statement) -> std::string {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n"
         "<title>consilium credits: " +
         escape(statement.hospital) + "</title>\n<style>" + style_sheet() +
         "</style></head>\n<body><main class=\"sheet\">" + header_html(statement) + "\n" +
         facts_html(statement) + "\n" + lines_html(statement) + "\n<section><div class=\"two\">" +
         rules_html(statement) + proof_html(statement) +
         "</div></section>\n</main></body></html>\n";
}

auto csv_text(std::string_view text) -> std::string {
  std::string out = "\"";
  constexpr std::string_view formulas = "=+-@";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20 || code == 0x7f) continue;
    // Spreadsheets look past leading blanks.
    const bool first = out.find_first_not_of("\" ") == std::string::npos;
    if (first && formulas.find(letter) != std::string_view::npos) out.insert(1, "'");
    out += letter;
    if (letter == '"') out += '"';
  }
  return out + "\"";
}

auto statement_csv(const StatementData& statement) -> std::string {
  std::string out =
      "height,round,kind,claimed_patterns,attested,set,data,verification,packing,lost,balance,"
      "hospital,consortium\r\n";
  const std::string names =
      csv_text(statement.hospital) + "," + csv_text(statement.consortium) + "\r\n";
  for (const CreditLine& line : statement.account.lines) {
    out += std::to_string(line.height.value) + "," + std::to_string(line.round.value) + "," +
           csv_text(kind_name(line.kind)) + ",";
    for (const std::uint64_t figure : {line.claimed, line.attested, line.set, line.data,
                                       line.verify, line.pack, line.lost, line.balance})
      out += std::to_string(figure) + ",";
    out += names;
  }
  return out;
}

}  // namespace consilium::portal
