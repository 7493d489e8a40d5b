#include "consilium/casebase/casebase.hpp"

#include <algorithm>

#include "consilium/casebase/admission.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/database.hpp"
#include "consilium/foundation/hash.hpp"

#include "case_codec.hpp"

namespace consilium::casebase {
namespace {

constexpr std::string_view database_kind = "consilium.casebase";
constexpr std::int64_t database_version = 1;
constexpr std::string_view schema_key = "schema";
constexpr std::string_view shared_key = "shared";

constexpr std::string_view tables_sql = R"(
CREATE TABLE IF NOT EXISTS cases(
  id TEXT PRIMARY KEY NOT NULL,
  status INTEGER NOT NULL,
  shared INTEGER NOT NULL,
  origin BLOB NOT NULL,  -- digest of the case as it was first kept, without its status
  row BLOB NOT NULL,     -- canonical codec
  digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cases_by_status ON cases(status);
CREATE TABLE IF NOT EXISTS history(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  reason TEXT NOT NULL,
  row BLOB NOT NULL,
  digest BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_id ON history(id);
CREATE TABLE IF NOT EXISTS meta(
  key TEXT PRIMARY KEY NOT NULL,
  value BLOB NOT NULL,
  digest BLOB NOT NULL
) WITHOUT ROWID;
)";

struct StoredCase {
  Case content;
  bool shared = false;
  Digest origin;
};

auto equal(const Bytes& stored, const Digest& digest) -> bool {
  return std::ranges::equal(stored, digest.bytes);
}

auto origin_of(Case c) -> Digest {
  c.status = Status::recorded;
  return tagged_hash("consilium/casebase/1/origin", {encode_case(c)});
}

auto row_digest(bool shared, const Digest& origin, BytesView row) -> Digest {
  Writer flag;
  flag.boolean(shared);
  return tagged_hash("consilium/casebase/1/row", {flag.view(), origin.view(), row});
}

auto history_digest(std::string_view id, std::string_view reason, BytesView row) -> Digest {
  return tagged_hash("consilium/casebase/1/history", {as_bytes(id), as_bytes(reason), row});
}

auto meta_digest(std::string_view key, BytesView value) -> Digest {
  return tagged_hash("consilium/casebase/1/meta", {as_bytes(key), value});
}

auto status_number(Status status) -> std::int64_t {
  return static_cast<std::int64_t>(status);
}

auto may_become(Status from, Status to) -> bool {
  switch (from) {
    case Status::recorded:
    case Status::held_back:
      return to == Status::confirmed || to == Status::adjusted || to == Status::rejected;
    case Status::confirmed:
    case Status::adjusted:
      return to == Status::sample || to == Status::unreasonable;
    case Status::rejected:
    case Status::sample:
    case Status::unreasonable:
      return false;
  }
  return false;
}

}  // namespace

struct Casebase::State {
  State(Database opened, Schema agreed) : database(std::move(opened)), schema(std::move(agreed)) {}

  [[nodiscard]] auto damaged() const -> tl::unexpected<Error> {
    return fail("database_damaged", database.path().string(),
                "a row was changed by something other than this program; put the last backup in "
                "its place");
  }

  auto check_schema() -> Result<void> {
    CONSILIUM_TRY(const auto known, meta(schema_key));
    const auto digest = schema.digest();
    if (!known) {
      CONSILIUM_TRY(const auto rows,
                    query("SELECT id, status, shared, origin, row, digest FROM cases LIMIT 1"));
      if (!rows.empty()) return damaged();
      return set_meta(schema_key, digest.view());
    }
    if (equal(*known, digest)) return {};
    return fail("stale_schema", database.path().string(),
                "the case base was made with another schema; use that schema, or import the cases "
                "into a new case base");
  }

  [[nodiscard]] auto meta(std::string_view key) -> Result<std::optional<Bytes>> {
    CONSILIUM_TRY(auto statement, database.prepare("SELECT value, digest FROM meta WHERE key = ?"));
    statement.bind(0, key);
    CONSILIUM_TRY(const bool found, statement.step());
    if (!found) return std::optional<Bytes>();
    auto value = statement.blob(0);
    if (!equal(statement.blob(1), meta_digest(key, value))) return damaged();
    return std::optional<Bytes>(std::move(value));
  }

  auto set_meta(std::string_view key, BytesView value) -> Result<void> {
    CONSILIUM_TRY(
        auto statement,
        database.prepare("INSERT OR REPLACE INTO meta(key, value, digest) VALUES(?, ?, ?)"));
    statement.bind(0, key).bind(1, value).bind(2, meta_digest(key, value).view());
    return statement.run();
  }

  /// `sql` selects id, status, shared, origin, row, digest. Every row is checked.
  template <typename... Parameters>
  [[nodiscard]] auto query(std::string_view sql, const Parameters&... parameters)
      -> Result<std::vector<StoredCase>> {
    CONSILIUM_TRY(auto statement, database.prepare(sql));
    int index = 0;
    (statement.bind(index++, parameters), ...);
    std::vector<StoredCase> out;
    while (true) {
      CONSILIUM_TRY(const bool found, statement.step());
      if (!found) return out;
      StoredCase stored;
      const auto origin = statement.blob(3);
      const auto row = statement.blob(4);
      if (origin.size() != stored.origin.bytes.size()) return damaged();
      std::ranges::copy(origin, stored.origin.bytes.begin());
      stored.shared = statement.integer(2) != 0;
      if (!equal(statement.blob(5), row_digest(stored.shared, stored.origin, row)))
        return damaged();
      auto content = decode_case(row);
      if (!content || content->id.value != statement.text(0) ||
          status_number(content->status) != statement.integer(1))
        return damaged();
      stored.content = std::move(*content);
      out.push_back(std::move(stored));
    }
  }

  [[nodiscard]] auto find(const CaseId& id) -> Result<std::optional<StoredCase>> {
    CONSILIUM_TRY(auto rows,
                  query("SELECT id, status, shared, origin, row, digest FROM cases WHERE id = ?",
                        std::string_view(id.value)));
    if (rows.empty()) return std::optional<StoredCase>();
    return std::optional<StoredCase>(std::move(rows.front()));
  }

  [[nodiscard]] auto existing(const CaseId& id) -> Result<StoredCase> {
    CONSILIUM_TRY(auto stored, find(id));
    if (!stored)
      return fail("case_missing", id.value,
                  "there is no such case in this case base; look at the list of cases");
    return std::move(*stored);
  }

  auto put(const StoredCase& stored) -> Result<void> {
    const auto row = encode_case(stored.content);
    CONSILIUM_ENSURE(decode_case(row).has_value());
    CONSILIUM_TRY(auto statement,
                  database.prepare("INSERT OR REPLACE INTO cases(id, status, shared, origin, row, "
                                   "digest) VALUES(?, ?, ?, ?, ?, ?)"));
    statement.bind(0, std::string_view(stored.content.id.value))
        .bind(1, status_number(stored.content.status))
        .bind(2, std::int64_t{stored.shared ? 1 : 0})
        .bind(3, stored.origin.view())
        .bind(4, BytesView(row))
        .bind(5, row_digest(stored.shared, stored.origin, row).view());
    return statement.run();
  }

  /// Gives 1 for a case that was new and 0 for one that was known.
  auto keep_one(const Case& c) -> Result<std::size_t> {
    CONSILIUM_CHECK(check_case(c, schema));
    // Lengths beyond the codec's limits are refused here, not when the case is read again.
    if (!decode_case(encode_case(c)))
      return fail("bad_case", c.id.value,
                  "a text in the case is longer than 64 KiB, or a number was not read as a "
                  "decimal; correct it");
    const auto origin = origin_of(c);
    CONSILIUM_TRY(const auto known, find(c.id));
    if (known && known->origin == origin) return std::size_t{0};
    if (known)
      return fail("conflicting_case", c.id.value,
                  "another case has this id; import the file under another prefix");
    CONSILIUM_CHECK(put({c, false, origin}));
    return std::size_t{1};
  }

  Database database;
  Schema schema;
};

Casebase::Casebase(std::unique_ptr<State> state) : state_(std::move(state)) {}
Casebase::Casebase(Casebase&&) noexcept = default;
auto Casebase::operator=(Casebase&&) noexcept -> Casebase& = default;
Casebase::~Casebase() = default;

auto Casebase::open(const std::filesystem::path& file, const Schema& schema) -> Result<Casebase> {
  CONSILIUM_TRY(auto database, Database::open(file, database_kind, database_version));
  auto state = std::make_unique<State>(std::move(database), schema);
  const auto prepare = [&]() -> Result<void> {
    CONSILIUM_CHECK(state->database.execute(tables_sql));
    return state->check_schema();
  };
  CONSILIUM_CHECK(state->database.in_transaction(prepare));
  return Casebase(std::move(state));
}

auto Casebase::close() -> Result<void> {
  return state_->database.close();
}

auto Casebase::keep(std::span<const Case> cases) -> Result<std::size_t> {
  std::size_t fresh = 0;
  const auto keep_each = [&]() -> Result<void> {
    for (const auto& c : cases) {
      CONSILIUM_TRY(const auto added, state_->keep_one(c));
      fresh += added;
    }
    return {};
  };
  CONSILIUM_CHECK(state_->database.in_transaction(keep_each));
  return fresh;
}

namespace {

auto contents(std::vector<StoredCase> rows) -> std::vector<Case> {
  std::vector<Case> out;
  out.reserve(rows.size());
  for (auto& row : rows) out.push_back(std::move(row.content));
  return out;
}

}  // namespace

auto Casebase::find(const CaseId& id) const -> Result<Case> {
  CONSILIUM_TRY(auto stored, state_->existing(id));
  return std::move(stored.content);
}

auto Casebase::all() const -> Result<std::vector<Case>> {
  return state_->query("SELECT id, status, shared, origin, row, digest FROM cases ORDER BY id")
      .map(contents);
}

auto Casebase::with_status(Status status) const -> Result<std::vector<Case>> {
  return state_
      ->query(
          "SELECT id, status, shared, origin, row, digest FROM cases WHERE status = ? ORDER BY id",
          status_number(status))
      .map(contents);
}

auto Casebase::samples() const -> Result<std::vector<Case>> {
  return with_status(Status::sample);
}

auto Casebase::count(Status status) const -> Result<std::size_t> {
  CONSILIUM_TRY(auto statement,
                state_->database.prepare("SELECT COUNT(*) FROM cases WHERE status = ?"));
  statement.bind(0, status_number(status));
  CONSILIUM_TRY(const bool found, statement.step());
  CONSILIUM_ENSURE(found);
  return static_cast<std::size_t>(statement.integer(0));
}

auto Casebase::revise(const CaseId& id, Status status, const Outcome& outcome,
                      std::string_view reason) -> Result<void> {
  return state_->database.in_transaction([&]() -> Result<void> {
    CONSILIUM_TRY(auto stored, state_->existing(id));
    const auto from = stored.content.status;
    if (!may_become(from, status))
      return fail("bad_transition", id.value,
                  "a case that is " + std::string(status_name(from)) + " cannot become " +
                      std::string(status_name(status)) +
                      "; a doctor's verdict comes first, then the result of the plan");
    const auto before = encode_case(stored.content);
    CONSILIUM_TRY(auto statement,
                  state_->database.prepare(
                      "INSERT INTO history(id, reason, row, digest) VALUES(?, ?, ?, ?)"));
    statement.bind(0, std::string_view(id.value))
        .bind(1, reason)
        .bind(2, BytesView(before))
        .bind(3, history_digest(id.value, reason, before).view());
    CONSILIUM_CHECK(statement.run());
    stored.content.status = status;
    stored.content.outcome = outcome;
    CONSILIUM_CHECK(check_case(stored.content, state_->schema));
    if (!decode_case(encode_case(stored.content)))
      return fail("bad_case", id.value,
                  "a text in the outcome is longer than 64 KiB, or a number was not read as a "
                  "decimal; correct it");
    return state_->put(stored);
  });
}

auto Casebase::in_version(const CaseId& id, const Digest& version) const -> Result<Case> {
  CONSILIUM_TRY(auto present, find(id));
  if (version_of(present) == version) return present;
  CONSILIUM_TRY(auto earlier, history(id));
  for (auto& revision : earlier) {
    if (version_of(revision.before) == version) return std::move(revision.before);
  }
  return fail("case_missing", "case base",
              "a case is not there any more in the version that was sealed before");
}

auto Casebase::history(const CaseId& id) const -> Result<std::vector<Revision>> {
  CONSILIUM_TRY(auto statement,
                state_->database.prepare(
                    "SELECT reason, row, digest FROM history WHERE id = ? ORDER BY sequence"));
  statement.bind(0, std::string_view(id.value));
  std::vector<Revision> out;
  while (true) {
    CONSILIUM_TRY(const bool found, statement.step());
    if (!found) return out;
    auto reason = statement.text(0);
    const auto row = statement.blob(1);
    if (!equal(statement.blob(2), history_digest(id.value, reason, row))) return state_->damaged();
    auto before = decode_case(row);
    if (!before) return state_->damaged();
    out.push_back({std::move(*before), std::move(reason)});
  }
}

auto Casebase::mark_shared(std::span<const CaseId> ids, BytesView session,
                           std::size_t shared_patterns) -> Result<void> {
  std::vector<CaseId> wanted(ids.begin(), ids.end());
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return state_->database.in_transaction([&]() -> Result<void> {
    CONSILIUM_TRY(auto rows,
                  state_->query("SELECT id, status, shared, origin, row, digest FROM cases"));
    std::size_t marked = 0;
    for (auto& row : rows) {
      const bool shared = row.content.status == Status::sample &&
                          std::ranges::binary_search(wanted, row.content.id);
      marked += shared ? 1 : 0;
      if (shared == row.shared) continue;
      row.shared = shared;
      CONSILIUM_CHECK(state_->put(row));
    }
    if (marked != wanted.size())
      return fail("case_missing", state_->database.path().string(),
                  "alignment names a case that is not a sample of this case base; align again");
    Writer summary;
    summary.bytes(session).u64(shared_patterns).u64(marked);
    return state_->set_meta(shared_key, summary.view());
  });
}

auto Casebase::shared_summary() const -> Result<std::optional<SharedSummary>> {
  CONSILIUM_TRY(const auto value, state_->meta(shared_key));
  if (!value) return std::optional<SharedSummary>();
  Reader in(*value, "shared");
  SharedSummary out;
  out.session = in.bytes(1U << 16U);
  out.patterns = in.u64();
  out.cases = in.u64();
  if (!in.finish()) return state_->damaged();
  return std::optional<SharedSummary>(std::move(out));
}

auto Casebase::shared_samples() const -> Result<std::vector<Case>> {
  CONSILIUM_TRY(const auto summary, shared_summary());
  CONSILIUM_TRY(auto rows,
                state_->query("SELECT id, status, shared, origin, row, digest FROM cases "
                              "WHERE shared <> 0 ORDER BY id"));
  if (rows.size() != (summary ? summary->cases : 0)) return state_->damaged();
  return contents(std::move(rows));
}

}  // namespace consilium::casebase
