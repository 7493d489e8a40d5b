#include "consilium/foundation/database.hpp"

#include <algorithm>
#include <limits>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consilium/foundation/files.hpp"
#include "consilium/foundation/hash.hpp"

#include "folder.hpp"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kind = "consilium.test";

class DatabaseTest : public FolderTest {
 protected:
  [[nodiscard]] auto file() const -> fs::path { return folder_ / "cases.db"; }
  [[nodiscard]] auto seal() const -> fs::path { return folder_ / "cases.db.seal"; }

  [[nodiscard]] auto open(Database::Mode mode = Database::Mode::read_write) const
      -> Result<Database> {
    return Database::open(file(), kind, 1, mode);
  }
  [[nodiscard]] auto refusal(Database::Mode mode = Database::Mode::read_write) const -> Error {
    const auto opened = open(mode);
    return opened ? Error{"opened", "", ""} : opened.error();
  }
  /// A closed, sealed database with `rows` rows.
  void make(int rows = 100) const {
    auto database = open();
    ASSERT_TRUE(database) << database.error().message();
    ASSERT_TRUE(database->execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT)"));
    add(*database, 0, rows);
    ASSERT_TRUE(database->close());
  }
  static void add(Database& database, int first, int count) {
    const auto added = database.in_transaction([&]() -> Result<void> {
      CONSILIUM_TRY(Statement insert, database.prepare("INSERT INTO t VALUES (?, ?)"));
      for (int n = first; n < first + count; ++n) {
        insert.bind(0, std::int64_t{n}).bind(1, "row " + std::to_string(n));
        CONSILIUM_CHECK(insert.run());
      }
      return {};
    });
    ASSERT_TRUE(added) << added.error().message();
  }
  static auto rows(Database&& database) -> std::int64_t { return rows(database); }
  static auto rows(Database& database) -> std::int64_t {
    auto count = database.prepare("SELECT count(*) FROM t");
    if (!count || !count->step().value_or(false)) return -1;
    return count->integer(0);
  }
  /// Changes the file's bytes as a foreign hand would, beside SQLite and the seal.
  static void overwrite(const fs::path& path, const Bytes& bytes) {
    const int out = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CREAT, 0600);
    ASSERT_GE(out, 0);
    ASSERT_EQ(::write(out, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ASSERT_EQ(::close(out), 0);
  }
  [[nodiscard]] auto names() const -> std::vector<std::string> {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(DatabaseTest, gives_back_every_kind_of_value) {
  auto database = open();
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE v (a, b, c, d, e, f, g)"));
  const Bytes blob{0, 1, 0, 255};
  const std::string text("with \0 inside, and ü", 21);
  {
    auto insert = database->prepare("INSERT INTO v VALUES (?, ?, ?, ?, ?, ?, ?)");
    ASSERT_TRUE(insert);
    insert->bind(0, std::numeric_limits<std::int64_t>::min())
        .bind(1, 0.1)
        .bind(2, text)
        .bind(3, BytesView(blob))
        .bind_null(4)
        .bind(5, std::string_view{})
        .bind(6, BytesView{});
    ASSERT_TRUE(insert->run());
  }
  {
    auto select = database->prepare("SELECT * FROM v");
    ASSERT_TRUE(select->step().value());
    EXPECT_EQ(select->integer(0), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(select->real(1), 0.1);
    EXPECT_EQ(select->text(2), text);
    EXPECT_EQ(select->blob(3), blob);
    EXPECT_TRUE(select->is_null(4));
    EXPECT_FALSE(select->is_null(5));
    EXPECT_EQ(select->text(5), "");
    EXPECT_FALSE(select->is_null(6));
    EXPECT_EQ(select->blob(6), Bytes{});
    EXPECT_FALSE(select->step().value());
    EXPECT_DEATH((void)select->integer(0), "invariant");
  }
  EXPECT_TRUE(database->close());
}

TEST_F(DatabaseTest, runs_a_statement_again_with_other_values) {
  make(0);
  auto database = open();
  {
    auto insert = database->prepare("INSERT INTO t VALUES (?, ?)");
    ASSERT_TRUE(insert->bind(0, std::int64_t{1}).bind(1, "a").run());
    ASSERT_TRUE(insert->bind(0, std::int64_t{2}).bind(1, "b").run());
    insert->reset();
    ASSERT_TRUE(insert->bind(0, std::int64_t{3}).run());
    // The same key again: refused, and the statement is still good.
    EXPECT_EQ(insert->run().error().code, "database_failed");
    ASSERT_TRUE(insert->bind(0, std::int64_t{4}).run());
    auto select = database->prepare("SELECT x FROM t WHERE n = ?");
    ASSERT_TRUE(select->bind(0, std::int64_t{2}).step().value());
    EXPECT_EQ(select->text(0), "b");
    select->reset();
    ASSERT_TRUE(select->bind(0, std::int64_t{3}).step().value());
    EXPECT_TRUE(select->is_null(0));
  }
  EXPECT_EQ(rows(*database), 4);
}

TEST_F(DatabaseTest, rolls_back_what_failed_and_goes_on) {
  make(3);
  auto database = open();
  const auto failed = database->in_transaction([&]() -> Result<void> {
    CONSILIUM_CHECK(database->execute("DELETE FROM t"));
    return fail("stop", "test", "no further");
  });
  EXPECT_EQ(failed.error().code, "stop");
  EXPECT_EQ(rows(*database), 3);
  add(*database, 3, 1);
  EXPECT_EQ(rows(*database), 4);
}

TEST_F(DatabaseTest, rolls_back_when_the_commit_itself_fails) {
  auto database = open();
  ASSERT_TRUE(database->execute("CREATE TABLE p (n INTEGER PRIMARY KEY)"));
  ASSERT_TRUE(database->execute(
      "CREATE TABLE c (n INTEGER REFERENCES p(n) DEFERRABLE INITIALLY DEFERRED)"));
  const auto orphan = [&] { return database->execute("INSERT INTO c VALUES (7)"); };
  EXPECT_EQ(database->in_transaction(orphan).error().code, "database_failed");
  // No transaction is left open: another one can begin.
  EXPECT_TRUE(
      database->in_transaction([&] { return database->execute("INSERT INTO p VALUES (7)"); }));
  EXPECT_TRUE(database->in_transaction(orphan));
}

TEST_F(DatabaseTest, says_when_there_is_no_room_left) {
  make(10);
  auto database = open();
  ASSERT_TRUE(database->execute("PRAGMA max_page_count=4"));
  EXPECT_EQ(database->execute("INSERT INTO t VALUES (9999, zeroblob(100000))").error().code,
            "disk_full");
}

TEST_F(DatabaseTest, names_bad_sql_and_says_no_values) {
  auto database = open();
  const auto bad = database->prepare("SELECT * FROM nowhere");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, "database_failed");
  EXPECT_NE(bad.error().place.find("cases.db"), std::string::npos);
  EXPECT_DEATH((void)database->prepare("SELECT 1; SELECT 2"), "invariant");
}

TEST_F(DatabaseTest, seals_the_file_on_a_clean_close) {
  make();
  EXPECT_EQ(names(), (std::vector<std::string>{"cases.db", "cases.db.seal"}));
  EXPECT_EQ(read_text_file(seal()).value(), sha256(read_file(file()).value()).hex());
  EXPECT_TRUE(check_database_seal(file()));
  {
    auto database = open();
    ASSERT_TRUE(database);
    EXPECT_FALSE(fs::exists(seal())) << "a seal must not stand while the file may change";
    EXPECT_EQ(rows(*database), 100);
    add(*database, 100, 5);
  }
  EXPECT_TRUE(fs::exists(seal())) << "the destructor closes cleanly";
  EXPECT_EQ(rows(open().value()), 105);
}

TEST_F(DatabaseTest, is_for_its_owner_alone) {
  make();
  for (const auto& path : {file(), seal()}) {
    EXPECT_EQ(fs::status(path).permissions() & fs::perms::all,
              fs::perms::owner_read | fs::perms::owner_write);
  }
  auto database = open();
  add(*database, 100, 1);
  EXPECT_EQ(fs::status(folder_ / "cases.db-wal").permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(DatabaseTest, refuses_a_flipped_byte_anywhere_by_name) {
  make(400);
  const Bytes good = read_file(file()).value();
  ASSERT_GT(good.size(), 8192U);
  std::size_t tried = 0;
  for (std::size_t at = 0; at < good.size(); at += at < 128 || at + 16 > good.size() ? 1 : 61) {
    Bytes bad = good;
    bad[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    overwrite(file(), bad);
    const auto mode = at % 2 == 0 ? Database::Mode::read_write : Database::Mode::read_only;
    const Error error = refusal(mode);
    ASSERT_EQ(error.code, "database_damaged") << "byte " << at;
    ASSERT_NE(error.place.find("cases.db"), std::string::npos);
    ASSERT_EQ(check_database_seal(file()).error().code, "database_damaged");
    ++tried;
  }
  EXPECT_GT(tried, 300U);
  EXPECT_TRUE(fs::exists(seal())) << "a refused file keeps its seal";
  overwrite(file(), good);
  EXPECT_EQ(rows(open().value()), 400);
}

TEST_F(DatabaseTest, refuses_a_file_cut_short_or_made_longer) {
  make(400);
  const Bytes good = read_file(file()).value();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1}) {
    overwrite(file(), Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_EQ(refusal().code, "database_damaged") << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  overwrite(file(), longer);
  EXPECT_EQ(refusal().code, "database_damaged");
}

TEST_F(DatabaseTest, refuses_a_changed_seal_and_a_lost_file) {
  make();
  const Bytes good = read_file(seal()).value();
  Bytes bad = good;
  bad[10] = bad[10] == '0' ? '1' : '0';
  overwrite(seal(), bad);
  EXPECT_EQ(refusal().code, "database_damaged");
  overwrite(seal(), {});
  EXPECT_EQ(refusal().code, "database_damaged");
  overwrite(seal(), Bytes(10000, 'a'));
  EXPECT_EQ(refusal().code, "database_damaged");
  overwrite(seal(), good);
  fs::remove(file());
  EXPECT_EQ(refusal().code, "database_damaged");
  EXPECT_EQ(check_database_seal(file()).error().code, "database_damaged");
  EXPECT_FALSE(fs::exists(file())) << "no empty database may take the place of a lost one";
}

TEST_F(DatabaseTest, refuses_a_log_put_beside_a_sealed_file) {
  make(3);
  // A true log, written by SQLite over the very same file: replayed, it would change the content.
  const fs::path other = folder_ / "other";
  fs::create_directory(other);
  fs::copy_file(file(), other / "cases.db");
  {
    auto copy = Database::open(other / "cases.db", kind, 1);
    add(*copy, 3, 50);
    fs::copy_file(other / "cases.db-wal", folder_ / "cases.db-wal");
  }
  EXPECT_EQ(refusal().code, "database_damaged");
  EXPECT_EQ(refusal(Database::Mode::read_only).code, "database_damaged");
  EXPECT_EQ(check_database_seal(file()).error().code, "database_damaged");
  fs::remove(folder_ / "cases.db-wal");
  EXPECT_EQ(rows(open().value()), 3);
}

TEST_F(DatabaseTest, refuses_what_is_no_database_at_all) {
  overwrite(file(), Bytes(5000, 'x'));
  EXPECT_EQ(refusal().code, "database_damaged");
  EXPECT_EQ(read_file(file()).value(), Bytes(5000, 'x'));
}

TEST_F(DatabaseTest, refuses_another_kind_or_version_and_leaves_it_as_it_was) {
  make();
  const Bytes before = read_file(file()).value();
  for (const auto mode : {Database::Mode::read_write, Database::Mode::read_only}) {
    EXPECT_EQ(Database::open(file(), "consilium.other", 1, mode).error().code, "database_foreign");
    EXPECT_EQ(Database::open(file(), kind, 2, mode).error().code, "database_foreign");
  }
  EXPECT_EQ(read_file(file()).value(), before);
  EXPECT_TRUE(check_database_seal(file()));
  EXPECT_TRUE(fs::exists(seal()));
  fs::remove(seal());
  EXPECT_EQ(Database::open(file(), "consilium.other", 1).error().code, "database_foreign");
  EXPECT_EQ(read_file(file()).value(), before);
  EXPECT_TRUE(open());
}

TEST_F(DatabaseTest, reads_without_leaving_a_trace) {
  EXPECT_EQ(refusal(Database::Mode::read_only).code, "file_missing");
  make();
  const auto before = names();
  {
    auto database = open(Database::Mode::read_only);
    ASSERT_TRUE(database) << database.error().message();
    EXPECT_EQ(rows(*database), 100);
    EXPECT_EQ(database->execute("DELETE FROM t").error().code, "database_failed");
    EXPECT_EQ(names(), before);
    EXPECT_TRUE(database->close());
  }
  EXPECT_EQ(names(), before);
  EXPECT_TRUE(check_database_seal(file()));
}

TEST_F(DatabaseTest, opens_a_path_with_strange_letters) {
  const fs::path path = folder_ / "50% of #1? ü" / "a.db";
  ASSERT_TRUE(Database::open(path, kind, 1)->close());
  ASSERT_TRUE(fs::exists(path));
  EXPECT_TRUE(Database::open(path, kind, 1, Database::Mode::read_only));
}

TEST_F(DatabaseTest, lets_a_reader_stand_beside_the_writer) {
  make(2);
  auto writer = open();
  add(*writer, 2, 3);
  {
    auto reader = open(Database::Mode::read_only);
    ASSERT_TRUE(reader) << reader.error().message();
    EXPECT_EQ(rows(*reader), 5);
  }
  add(*writer, 5, 1);
  ASSERT_TRUE(writer->close());
  EXPECT_TRUE(fs::exists(seal()));
  EXPECT_EQ(rows(open().value()), 6);
}

TEST_F(DatabaseTest, is_sealed_by_the_last_of_two_writers) {
  make(2);
  auto first = open();
  auto second = open();
  ASSERT_TRUE(second) << second.error().message();
  add(*first, 2, 1);
  ASSERT_TRUE(first->close());
  EXPECT_FALSE(fs::exists(seal())) << "the other still writes";
  add(*second, 3, 1);
  ASSERT_TRUE(second->close());
  EXPECT_TRUE(fs::exists(seal()));
  EXPECT_EQ(rows(open().value()), 4);
}

TEST_F(DatabaseTest, comes_back_from_a_crash_with_all_that_was_committed) {
  const fs::path crashed = folder_ / "crashed";
  fs::create_directory(crashed);
  {
    make(10);
    auto database = open();
    add(*database, 10, 7);
    ASSERT_TRUE(database->execute("BEGIN IMMEDIATE; DELETE FROM t"));
    for (const char* name : {"cases.db", "cases.db-wal"}) {
      fs::copy_file(folder_ / name, crashed / name);
    }
  }
  auto again = Database::open(crashed / "cases.db", kind, 1);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(rows(*again), 17);
  ASSERT_TRUE(again->close());
  EXPECT_TRUE(fs::exists(crashed / "cases.db.seal"));
}

TEST_F(DatabaseTest, comes_back_after_its_process_was_killed) {
  make(10);
  const pid_t child = ::fork();
  if (child == 0) {
    auto database = open();
    add(*database, 10, 20);
    if (!database->execute("BEGIN IMMEDIATE; DELETE FROM t")) ::_exit(1);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_FALSE(fs::exists(seal()));
  EXPECT_EQ(rows(open(Database::Mode::read_only).value()), 30);
  EXPECT_EQ(rows(open().value()), 30);
  EXPECT_TRUE(fs::exists(seal()));
}

TEST_F(DatabaseTest, finishes_a_creation_that_a_crash_cut_short) {
  overwrite(file(), {});
  ASSERT_TRUE(open()->close());
  EXPECT_TRUE(open());
}

TEST_F(DatabaseTest, finds_broken_pages_without_a_seal) {
  make(400);
  fs::remove(seal());
  Bytes bytes = read_file(file()).value();
  for (std::size_t at = 4096; at < 4096 + 64; ++at) bytes[at] ^= 0x5AU;
  overwrite(file(), bytes);
  EXPECT_EQ(refusal().code, "database_damaged");
  EXPECT_EQ(refusal(Database::Mode::read_only).code, "database_damaged");
}

TEST_F(DatabaseTest, does_not_close_under_a_living_statement) {
  make(1);
  auto database = open();
  {
    auto select = database->prepare("SELECT x FROM t");
    const auto closed = database->close();
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().code, "database_failed");
    EXPECT_TRUE(select->step().value());
    EXPECT_EQ(select->text(0), "row 0");
  }
  EXPECT_TRUE(database->close());
  EXPECT_TRUE(database->close()) << "closed already";
  EXPECT_TRUE(fs::exists(seal()));
}

TEST_F(DatabaseTest, lets_a_statement_outlive_it) {
  make(1);
  {
    auto database = open();
    auto select = database->prepare("SELECT x FROM t");
    database = fail("gone", "test", "closed");
    EXPECT_TRUE(select->step().value());
    EXPECT_EQ(select->text(0), "row 0");
  }
  EXPECT_EQ(rows(open().value()), 1);
}

TEST_F(DatabaseTest, throws_away_an_unfinished_transaction_when_it_closes) {
  make(2);
  {
    auto database = open();
    ASSERT_TRUE(database->execute("BEGIN; DELETE FROM t"));
    ASSERT_TRUE(database->close());
  }
  EXPECT_TRUE(fs::exists(seal()));
  EXPECT_EQ(rows(open().value()), 2);
}

TEST_F(DatabaseTest, moves) {
  make(1);
  Database first = std::move(open().value());
  Database second(std::move(first));
  second = Database::open(folder_ / "second.db", kind, 1).value();
  EXPECT_TRUE(fs::exists(seal())) << "what is replaced is closed";
  EXPECT_EQ(second.path(), folder_ / "second.db");
}

}  // namespace
}  // namespace consilium
