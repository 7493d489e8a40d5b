#pragma once
// SQLite behind a door of our own: values in, values out, Results instead of return codes, and one
// rule more than SQLite has – a file that was changed by anybody but us is refused by name.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "consilium/foundation/bytes.hpp"

namespace consilium {

class Database;

/// A prepared statement with its bound values. Columns and parameters count from 0.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  ~Statement();
  auto bind(int index, std::int64_t value) -> Statement&;
  auto bind(int index, double value) -> Statement&;
  auto bind(int index, std::string_view value) -> Statement&;
  auto bind(int index, BytesView value) -> Statement&;
  auto bind_null(int index) -> Statement&;
  /// true: a row stands ready; false: done, and ready to be bound and run again. Errors:
  /// `database_failed`, `database_damaged`, `disk_full`.
  [[nodiscard]] auto step() -> Result<bool>;
  /// Runs a statement that gives no rows.
  [[nodiscard]] auto run() -> Result<void>;
  /// Ready to be bound and run again; all parameters are null.
  void reset();
  // A column may be asked for only while a row stands ready.
  [[nodiscard]] auto integer(int column) const -> std::int64_t;
  [[nodiscard]] auto real(int column) const -> double;
  [[nodiscard]] auto text(int column) const -> std::string;
  [[nodiscard]] auto blob(int column) const -> Bytes;
  [[nodiscard]] auto is_null(int column) const -> bool;

 private:
  friend class Database;
  struct State;
  explicit Statement(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One database file, one writer, write-ahead log with full durability (synchronous=FULL).
///
/// Integrity: on a clean close the log is folded into the file and a seal `<file>.seal` (SHA-256 of
/// the whole file) is written; it is checked and removed at the next open. A flipped byte in a file
/// that was closed cleanly is therefore always found (`database_damaged`, naming the file). After a
/// crash there is no seal, and SQLite's own integrity check runs instead; rooms check the digests
/// of their own rows on top of it. A reader may stand beside the writer; whoever closes while
/// another still works leaves the sealing to the last writer.
class Database {
 public:
  enum class Mode { read_write, read_only };
  /// Opens or (read_write) makes the file. `kind` is written at creation and must match at every
  /// open. Missing folders are made; the file is readable by its owner alone. A file of another
  /// kind is left as it was. Errors: `file_missing`, `database_damaged`, `database_foreign`
  /// (another kind or version), `database_failed`, `disk_full`.
  [[nodiscard]] static auto open(const std::filesystem::path& path, std::string_view kind,
                                 std::int64_t version, Mode mode = Mode::read_write)
      -> Result<Database>;
  Database(Database&&) noexcept;
  auto operator=(Database&&) noexcept -> Database&;
  ~Database();  ///< closes cleanly if it can
  /// Folds the log, writes the seal. The database cannot be used afterwards. Every Statement must
  /// be gone: otherwise `database_failed`, and the database stays open.
  [[nodiscard]] auto close() -> Result<void>;
  [[nodiscard]] auto execute(std::string_view sql) -> Result<void>;
  [[nodiscard]] auto prepare(std::string_view sql) -> Result<Statement>;
  /// All or nothing: commits when `work` succeeds, rolls back when it fails.
  template <typename Work>
  [[nodiscard]] auto in_transaction(Work work) -> Result<void> {
    CONSILIUM_CHECK(execute("BEGIN IMMEDIATE"));
    if (Result<void> done = work(); !done) {
      (void)execute("ROLLBACK");
      return done;
    }
    Result<void> committed = execute("COMMIT");
    if (!committed) (void)execute("ROLLBACK");
    return committed;
  }
  [[nodiscard]] auto path() const -> const std::filesystem::path&;

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Compares a closed database file with its seal without opening it. Ok also when there is no seal
/// (a crash). Error: `database_damaged`.
[[nodiscard]] auto check_database_seal(const std::filesystem::path& path) -> Result<void>;

}  // namespace consilium
