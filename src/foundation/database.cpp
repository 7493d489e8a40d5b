#include "consilium/foundation/database.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <thread>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include "consilium/foundation/files.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr int patience_ms = 5000;

auto beside(const fs::path& file, const char* ending) -> fs::path {
  fs::path path = file;
  path += ending;
  return path;
}

auto seal_path(const fs::path& file) -> fs::path {
  return beside(file, ".seal");
}

auto folder_of(const fs::path& file) -> fs::path {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

auto stands(const fs::path& path) -> bool {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

auto holds_bytes(const fs::path& path) -> bool {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return !error && size > 0;
}

auto damaged(const fs::path& file) -> tl::unexpected<Error> {
  return fail("database_damaged", file.string(),
              "it is not as it was written: put a backup of it in its place, or get the data again "
              "from where it came");
}

auto failed(const fs::path& file, std::string_view sentence) -> tl::unexpected<Error> {
  return fail("database_failed", file.string(), sentence);
}

/// SQLite's answer as one of our named errors. Its texts name tables and columns, never values.
auto error_of(const fs::path& file, sqlite3* handle, int code) -> tl::unexpected<Error> {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(file);
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return fail("disk_full", file.string(),
                  "the disk is full or fails: make room, check the disk, and try again");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return failed(file, "another program is writing to it: wait for it or stop it");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return failed(file, "it cannot be opened for this use: check the folder and its owner");
    default:
      return failed(file, std::string("the database refused the work: ") +
                              (handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code)));
  }
}

/// The database file held open beside SQLite, for its lock and for reading what the seal covers.
///
/// Whoever works on an unsealed file, or reads a sealed one, holds the lock shared. Checking and
/// removing a seal, and making one, need it alone; so a seal never stands beside a file that is
/// being changed. The kernel lets go of the lock when a process dies. (flock, because SQLite's own
/// locks are of the other kind.)
class Guard {
 public:
  explicit Guard(int descriptor) : descriptor_(descriptor) {}
  ~Guard() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Guard(const Guard&) = delete;
  auto operator=(const Guard&) -> Guard& = delete;

  [[nodiscard]] auto is_open() const -> bool { return descriptor_ >= 0; }
  [[nodiscard]] auto try_lock(int kind) const -> bool {
    return ::flock(descriptor_, kind | LOCK_NB) == 0;
  }
  [[nodiscard]] auto lock(const fs::path& file, int kind) const -> Result<void> {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    while (!try_lock(kind)) {
      if (std::chrono::steady_clock::now() >= end) {
        return failed(file, "another program has it open: wait for it or stop it");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {};
  }

  [[nodiscard]] auto digest(const fs::path& file) const -> Result<Digest> {
    Hasher hasher;
    Bytes piece(std::size_t{1} << 20U);
    off_t at = 0;
    while (true) {
      const ssize_t got = ::pread(descriptor_, piece.data(), piece.size(), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed(file, "it cannot be read: check the disk");
      if (got == 0) return hasher.finish();
      hasher.add(BytesView(piece).first(static_cast<std::size_t>(got)));
      at += got;
    }
  }

  /// A four-byte field of SQLite's file header, big-endian; zero when the file is too short.
  [[nodiscard]] auto header_field(off_t offset) const -> std::int32_t {
    std::array<std::uint8_t, 4> bytes{};
    if (::pread(descriptor_, bytes.data(), bytes.size(), offset) != 4) return 0;
    std::uint32_t value = 0;
    for (const std::uint8_t byte : bytes) value = (value << 8U) | byte;
    return static_cast<std::int32_t>(value);
  }

 private:
  int descriptor_;
};

/// The file is exactly as it was sealed. A log beside it would be replayed over it by SQLite, and a
/// clean close leaves none: so a log is a change too.
auto check_against_seal(const fs::path& file, const Guard& guard) -> Result<void> {
  if (holds_bytes(beside(file, "-wal")) || holds_bytes(beside(file, "-journal"))) {
    return damaged(file);
  }
  const Result<std::string> seal = read_text_file(seal_path(file), 4096);
  if (!seal) {
    return seal.error().code == "file_too_large" ? Result<void>(damaged(file))
                                                 : tl::unexpected(seal.error());
  }
  CONSILIUM_TRY(const Digest digest, guard.digest(file));
  if (*seal != digest.hex()) return damaged(file);
  return {};
}

/// What a file must say it is: SQLite keeps both numbers in its header.
struct Mark {
  std::int32_t application = 0;
  std::int32_t version = 0;
  auto operator==(const Mark&) const -> bool = default;
};

auto mark_of(std::string_view kind, std::int64_t version) -> Mark {
  CONSILIUM_ENSURE(version >= 0 && version <= std::numeric_limits<std::int32_t>::max());
  const Digest digest = sha256(as_bytes(kind));
  std::uint32_t application = 0;
  for (std::size_t i = 0; i < 4; ++i) application = (application << 8U) | digest.bytes[i];
  return {static_cast<std::int32_t>(application), static_cast<std::int32_t>(version)};
}

auto foreign(const fs::path& file, std::string_view kind, std::int64_t version)
    -> tl::unexpected<Error> {
  return fail("database_foreign", file.string(),
              "it is not a database of kind " + std::string(kind) + ", version " +
                  std::to_string(version) + ": name the right file");
}

/// A name that SQLite reads as a URI, whatever characters the path holds.
auto immutable_uri(const fs::path& file) -> std::string {
  std::string uri = "file:";
  for (const char c : fs::absolute(file).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += "%" + to_hex(as_bytes(std::string_view(&c, 1)));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

/// One connection, shared by a Database and its Statements; gone with the last of them.
struct Connection {
  Connection(fs::path path, int descriptor) : file(std::move(path)), guard(descriptor) {}
  ~Connection() { sqlite3_close_v2(handle); }
  Connection(const Connection&) = delete;
  auto operator=(const Connection&) -> Connection& = delete;

  [[nodiscard]] auto error(int code) const -> tl::unexpected<Error> {
    return error_of(file, handle, code);
  }
  [[nodiscard]] auto execute(std::string_view sql) const -> Result<void> {
    const int code = sqlite3_exec(handle, std::string(sql).c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code);
    return {};
  }
  /// The first value of a query's first row, as text.
  [[nodiscard]] auto ask(const std::string& sql) const -> Result<std::string> {
    sqlite3_stmt* statement = nullptr;
    if (const int code = sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr);
        code != SQLITE_OK) {
      return error(code);
    }
    const int code = sqlite3_step(statement);
    std::string answer;
    if (code == SQLITE_ROW) {
      const unsigned char* text = sqlite3_column_text(statement, 0);
      if (text != nullptr) answer = reinterpret_cast<const char*>(text);
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW) return error(code == SQLITE_DONE ? SQLITE_ERROR : code);
    return answer;
  }

  fs::path file;
  Guard guard;  // let go of only after the destructor has closed SQLite
  sqlite3* handle = nullptr;
};

/// Removes a valid seal, so that writing may begin, and holds the lock shared. Gives whether there
/// was one.
auto take_for_writing(const fs::path& file, const Guard& guard, const Mark& mark,
                      std::string_view kind) -> Result<bool> {
  bool was_sealed = false;
  do {
    // A seal may come back between two rounds: another writer closed meanwhile.
    if (stands(seal_path(file))) {
      CONSILIUM_CHECK(guard.lock(file, LOCK_EX));
      if (stands(seal_path(file))) {
        CONSILIUM_CHECK(check_against_seal(file, guard));
        if (Mark{guard.header_field(68), guard.header_field(60)} != mark) {
          return foreign(file, kind, mark.version);
        }
        std::error_code error;
        fs::remove(seal_path(file), error);
        if (error) return failed(file, "its seal cannot be removed: check the folder's owner");
        CONSILIUM_CHECK(sync_folder(folder_of(file)));
        was_sealed = true;
      }
    }
    CONSILIUM_CHECK(guard.lock(file, LOCK_SH));
  } while (stands(seal_path(file)));
  return was_sealed;
}

}  // namespace

auto check_database_seal(const fs::path& path) -> Result<void> {
  if (!stands(seal_path(path))) return {};
  const Guard guard(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!guard.is_open()) return damaged(path);
  CONSILIUM_CHECK(guard.lock(path, LOCK_SH));
  if (!stands(seal_path(path))) return {};
  return check_against_seal(path, guard);
}

struct Database::State {
  std::shared_ptr<Connection> connection;
  fs::path file;
  Mode mode = Mode::read_write;
};

auto Database::open(const fs::path& path, std::string_view kind, std::int64_t version, Mode mode)
    -> Result<Database> {
  const Mark mark = mark_of(kind, version);
  const bool writes = mode == Mode::read_write;
  if (!stands(path)) {
    if (stands(seal_path(path))) return damaged(path);
    if (!writes) {
      return fail("file_missing", path.string(), "there is no such database: check the path");
    }
    std::error_code error;
    fs::create_directories(folder_of(path), error);
    if (error) return failed(path, "its folder cannot be made: check the path and its owner");
  }
  // Cases and keys are nobody else's business: 0600. SQLite gives its log the same.
  const int descriptor =
      ::open(path.c_str(), (writes ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0600);
  auto connection = std::make_shared<Connection>(path, descriptor);
  if (descriptor < 0) return error_of(path, nullptr, errno == ENOSPC ? SQLITE_FULL : SQLITE_PERM);

  bool sealed = false;
  std::string name = fs::absolute(path).string();
  int flags = SQLITE_OPEN_NOMUTEX | (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
  if (writes) {
    CONSILIUM_TRY(sealed, take_for_writing(path, connection->guard, mark, kind));
  } else {
    CONSILIUM_CHECK(connection->guard.lock(path, LOCK_SH));
    sealed = stands(seal_path(path));
    if (sealed) {
      CONSILIUM_CHECK(check_against_seal(path, connection->guard));
      // No log beside a sealed file, and `immutable` keeps SQLite from making one.
      name = immutable_uri(path);
      flags |= SQLITE_OPEN_URI;
    } else if (!connection->guard.try_lock(LOCK_UN)) {
      return failed(path, "its lock cannot be let go: check the disk");
    }
  }
  if (const int code = sqlite3_open_v2(name.c_str(), &connection->handle, flags, nullptr);
      code != SQLITE_OK) {
    return connection->error(code);
  }
  sqlite3_busy_timeout(connection->handle, patience_ms);
  CONSILIUM_CHECK(connection->execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"));
  if (!sealed) {
    CONSILIUM_TRY(const std::string verdict, connection->ask("PRAGMA integrity_check(1)"));
    if (verdict != "ok") return damaged(path);
  }
  CONSILIUM_TRY(const std::string application, connection->ask("PRAGMA application_id"));
  CONSILIUM_TRY(const std::string user_version, connection->ask("PRAGMA user_version"));
  const bool ours = application == std::to_string(mark.application) &&
                    user_version == std::to_string(mark.version);
  if (!ours) {
    // New, or a crash struck before its first transaction: there is nothing in it yet.
    CONSILIUM_TRY(const std::string tables, connection->ask("SELECT count(*) FROM sqlite_master"));
    const bool empty = application == "0" && user_version == "0" && tables == "0";
    if (!writes || !empty) return foreign(path, kind, version);
  }
  if (writes) {
    CONSILIUM_CHECK(connection->execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"));
  }
  if (!ours) {
    CONSILIUM_CHECK(connection->execute(
        "BEGIN IMMEDIATE; PRAGMA application_id=" + std::to_string(mark.application) +
        "; PRAGMA user_version=" + std::to_string(mark.version) + "; COMMIT"));
  }
  return Database(std::make_unique<State>(State{std::move(connection), path, mode}));
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;

auto Database::operator=(Database&& other) noexcept -> Database& {
  if (this != &other) {
    (void)close();
    state_ = std::move(other.state_);
  }
  return *this;
}

Database::~Database() {
  (void)close();
}

auto Database::close() -> Result<void> {
  if (!state_ || !state_->connection) return {};
  Connection& connection = *state_->connection;
  if (sqlite3_next_stmt(connection.handle, nullptr) != nullptr) {
    return failed(state_->file,
                  "a statement is still in use, so it was not closed: this is a fault of the "
                  "program, please report it");
  }
  const std::shared_ptr<Connection> last = std::move(state_->connection);
  state_->connection = nullptr;
  if (state_->mode == Mode::read_only) return {};

  if (sqlite3_get_autocommit(connection.handle) == 0) {
    CONSILIUM_CHECK(connection.execute("ROLLBACK"));
  }
  const int folded = sqlite3_wal_checkpoint_v2(connection.handle, nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  // Busy: somebody still reads from the log. Everything is on the disk; only the seal has to wait.
  if (folded != SQLITE_OK && folded != SQLITE_BUSY) return connection.error(folded);
  if (const int code = sqlite3_close(connection.handle); code != SQLITE_OK) {
    return connection.error(code);
  }
  connection.handle = nullptr;
  if (folded == SQLITE_BUSY || holds_bytes(beside(state_->file, "-wal"))) return {};
  if (!connection.guard.try_lock(LOCK_EX)) return {};
  CONSILIUM_TRY(const Digest digest, connection.guard.digest(state_->file));
  return write_file_durably(seal_path(state_->file), as_bytes(digest.hex()), Readers::owner);
}

auto Database::execute(std::string_view sql) -> Result<void> {
  CONSILIUM_ENSURE(state_ && state_->connection);
  return state_->connection->execute(sql);
}

auto Database::path() const -> const fs::path& {
  CONSILIUM_ENSURE(state_ != nullptr);
  return state_->file;
}

struct Statement::State {
  explicit State(std::shared_ptr<Connection> shared) : connection(std::move(shared)) {}
  ~State() { sqlite3_finalize(statement); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  std::shared_ptr<Connection> connection;
  sqlite3_stmt* statement = nullptr;
};

auto Database::prepare(std::string_view sql) -> Result<Statement> {
  CONSILIUM_ENSURE(state_ && state_->connection);
  auto made = std::make_unique<Statement::State>(state_->connection);
  const std::string text(sql);
  const char* tail = nullptr;
  const int code =
      sqlite3_prepare_v2(state_->connection->handle, text.c_str(), -1, &made->statement, &tail);
  if (code != SQLITE_OK) return state_->connection->error(code);
  // What stands behind the first statement would never run.
  CONSILIUM_ENSURE(made->statement != nullptr);
  CONSILIUM_ENSURE(std::string_view(tail).find_first_not_of(" \t\r\n;") == std::string_view::npos);
  return Statement(std::move(made));
}

Statement::Statement(std::unique_ptr<State> state) : state_(std::move(state)) {}
Statement::Statement(Statement&&) noexcept = default;
Statement::~Statement() = default;

auto Statement::bind(int index, std::int64_t value) -> Statement& {
  CONSILIUM_ENSURE(sqlite3_bind_int64(state_->statement, index + 1, value) == SQLITE_OK);
  return *this;
}

auto Statement::bind(int index, double value) -> Statement& {
  CONSILIUM_ENSURE(sqlite3_bind_double(state_->statement, index + 1, value) == SQLITE_OK);
  return *this;
}

auto Statement::bind(int index, std::string_view value) -> Statement& {
  // SQLite reads a null pointer as NULL; an empty text is a text.
  CONSILIUM_ENSURE(sqlite3_bind_text64(state_->statement, index + 1,
                                       value.empty() ? "" : value.data(), value.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

auto Statement::bind(int index, BytesView value) -> Statement& {
  CONSILIUM_ENSURE((value.empty()
                        ? sqlite3_bind_zeroblob(state_->statement, index + 1, 0)
                        : sqlite3_bind_blob64(state_->statement, index + 1, value.data(),
                                              value.size(), SQLITE_TRANSIENT)) == SQLITE_OK);
  return *this;
}

auto Statement::bind_null(int index) -> Statement& {
  CONSILIUM_ENSURE(sqlite3_bind_null(state_->statement, index + 1) == SQLITE_OK);
  return *this;
}

auto Statement::step() -> Result<bool> {
  const int code = sqlite3_step(state_->statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    // A statement left standing at its end could not be bound again.
    sqlite3_reset(state_->statement);
    return false;
  }
  auto error = state_->connection->error(code);
  sqlite3_reset(state_->statement);
  return error;
}

auto Statement::run() -> Result<void> {
  CONSILIUM_TRY(const bool row, step());
  CONSILIUM_ENSURE(!row);
  return {};
}

void Statement::reset() {
  sqlite3_reset(state_->statement);
  sqlite3_clear_bindings(state_->statement);
}

auto Statement::integer(int column) const -> std::int64_t {
  CONSILIUM_ENSURE(column >= 0 && column < sqlite3_data_count(state_->statement));
  return sqlite3_column_int64(state_->statement, column);
}

auto Statement::real(int column) const -> double {
  CONSILIUM_ENSURE(column >= 0 && column < sqlite3_data_count(state_->statement));
  return sqlite3_column_double(state_->statement, column);
}

auto Statement::text(int column) const -> std::string {
  return as_text(blob(column));
}

auto Statement::blob(int column) const -> Bytes {
  CONSILIUM_ENSURE(column >= 0 && column < sqlite3_data_count(state_->statement));
  const auto* data =
      static_cast<const std::uint8_t*>(sqlite3_column_blob(state_->statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(state_->statement, column));
  return data == nullptr ? Bytes{} : Bytes(data, data + size);
}

auto Statement::is_null(int column) const -> bool {
  CONSILIUM_ENSURE(column >= 0 && column < sqlite3_data_count(state_->statement));
  return sqlite3_column_type(state_->statement, column) == SQLITE_NULL;
}

}  // namespace consilium
