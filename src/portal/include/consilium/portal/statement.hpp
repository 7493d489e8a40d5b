#pragma once
/// A hospital's statement of credits: one self-contained HTML page for people, one CSV for
/// bookkeeping, from the same figures. No patient data: rounds, counts and credits.
///
/// Always true of the page: what report.hpp promises of its own. Of the CSV: RFC 4180, one header
/// line, every text quoted, and none that a spreadsheet would take for a formula.

#include <string>

#include "consilium/ledger/statement.hpp"

namespace consilium::portal {

struct StatementData {
  std::string consortium;  ///< its name
  std::string hospital;    ///< what people read
  std::string member;      ///< its name on the ledger
  std::uint64_t height = 0;
  std::string state_digest;  ///< hex, of this height
  ledger::Policy policy;     ///< in force now: what the page explains
  ledger::CreditStatement account;
};

/// The page. Says of every line what was paid for, and of losses why.
[[nodiscard]] auto render_statement(const StatementData& statement) -> std::string;
/// Columns: height, round, kind, claimed_patterns, attested, set, data, verification, packing,
/// lost, balance, hospital, consortium.
[[nodiscard]] auto statement_csv(const StatementData& statement) -> std::string;

/// A text as a CSV field: quoted, quotes doubled, control characters left out; with an apostrophe
/// before it where a spreadsheet would take it for a formula (=, +, -, @ at its start).
[[nodiscard]] auto csv_text(std::string_view text) -> std::string;

}  // namespace consilium::portal
