#include "consilium/foundation/files.hpp"

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>

#include "folder.hpp"

namespace consilium {
namespace {

namespace fs = std::filesystem;

class FilesTest : public FolderTest {
 protected:
  [[nodiscard]] auto names() const -> std::vector<std::string> {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
};

TEST_F(FilesTest, reads_back_what_it_wrote_and_leaves_nothing_beside) {
  const fs::path path = folder_ / "model.bin";
  for (const std::size_t size : {0U, 1U, 4096U, 1000000U}) {
    const Bytes bytes(size, 0xA7);
    ASSERT_TRUE(write_file_durably(path, bytes));
    EXPECT_EQ(read_file(path).value(), bytes);
  }
  ASSERT_TRUE(write_file_durably(path, as_bytes("text")));
  EXPECT_EQ(read_text_file(path).value(), "text");
  EXPECT_EQ(names(), std::vector<std::string>{"model.bin"});
}

TEST_F(FilesTest, makes_missing_folders) {
  const fs::path path = folder_ / "a" / "b" / "c.txt";
  ASSERT_TRUE(write_file_durably(path, as_bytes("x")));
  EXPECT_EQ(read_text_file(path).value(), "x");
}

TEST_F(FilesTest, gives_a_key_to_its_owner_alone) {
  const fs::path path = folder_ / "identity.key";
  ASSERT_TRUE(write_file_durably(path, as_bytes("shown"), Readers::by_umask));
  ASSERT_TRUE(write_file_durably(path, as_bytes("secret"), Readers::owner));
  EXPECT_EQ(fs::status(path).permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(FilesTest, names_the_file_in_every_error) {
  const fs::path missing = folder_ / "missing.csv";
  EXPECT_EQ(read_file(missing).error().code, "file_missing");
  EXPECT_NE(read_file(missing).error().place.find("missing.csv"), std::string::npos);
  EXPECT_EQ(read_file(folder_).error().code, "file_unreadable");
  const fs::path path = folder_ / "large.bin";
  ASSERT_TRUE(write_file_durably(path, Bytes(11, 1)));
  EXPECT_TRUE(read_file(path, 11));
  EXPECT_EQ(read_file(path, 10).error().code, "file_too_large");
  // A file stands where a folder would have to be.
  const auto blocked = write_file_durably(path / "below.txt", as_bytes("x"));
  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().code, "file_unwritable");
  EXPECT_EQ(read_file(path / "below.txt").error().code, "file_missing");
}

TEST_F(FilesTest, keeps_the_old_file_when_the_new_one_cannot_be_written) {
  const fs::path path = folder_ / "state.bin";
  ASSERT_TRUE(write_file_durably(path, as_bytes("old")));
  const pid_t child = ::fork();
  if (child == 0) {
    // A process that may not write more than 1000 bytes into a file.
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    ::_exit(write_file_durably(path, Bytes(5000, 'n')) ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text_file(path).value(), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"state.bin"});
}

TEST_F(FilesTest, erases_what_a_file_held_and_then_its_name) {
  const fs::path path = folder_ / "box.key";
  const fs::path other_name = folder_ / "still-open";
  for (const std::size_t size : {0U, 32U, 4096U, 10001U}) {
    ASSERT_TRUE(write_file_durably(path, Bytes(size, 0xA7)));
    fs::remove(other_name);
    fs::create_hard_link(path, other_name);  // the same bytes on the disk, by another name
    ASSERT_TRUE(erase_file(path));
    EXPECT_FALSE(fs::exists(path));
    EXPECT_EQ(read_file(other_name).value(), Bytes(size)) << "zeros, as many as there were bytes";
  }
  EXPECT_TRUE(erase_file(path)) << "nothing there is no error";
  EXPECT_EQ(overwrite_file(path).error().code, "file_missing");
  EXPECT_EQ(erase_file(folder_).error().code, "file_unwritable");
  fs::create_symlink(other_name, path);
  EXPECT_EQ(erase_file(path).error().code, "file_unwritable") << "a link is not followed";
}

TEST_F(FilesTest, never_shows_half_a_file_while_several_write_it) {
  const fs::path path = folder_ / "blob";
  ASSERT_TRUE(write_file_durably(path, Bytes(10, 0)));
  std::atomic<int> working{3};
  std::vector<std::thread> writers;
  for (unsigned writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      for (unsigned i = 0; i < 40; ++i) {
        // Content and size tell of each other.
        EXPECT_TRUE(write_file_durably(
            path, Bytes(std::size_t{10000} * (writer + 1), static_cast<std::uint8_t>(writer + 1))));
      }
      --working;
    });
  }
  while (working > 0) {
    const auto bytes = read_file(path);
    EXPECT_TRUE(bytes);
    if (!bytes) break;
    if (bytes->size() == 10) continue;
    EXPECT_EQ(bytes->size(), std::size_t{10000} * bytes->front());
    EXPECT_EQ(*bytes, Bytes(bytes->size(), bytes->front()));
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(names().size(), 1U);
}

}  // namespace
}  // namespace consilium
