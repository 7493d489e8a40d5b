#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consilium/courier/courier.hpp"
#include "consilium/foundation/random.hpp"

#include "stores.hpp"

namespace consilium::courier {
namespace {

namespace fs = std::filesystem;

auto files_under(const fs::path& folder) -> std::size_t {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) ++count;
  }
  return count;
}

TEST(BlobStore, gives_back_what_it_was_given_under_its_name) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path() / "blobs");
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SeededRandom random(seed, "blob");
    const Bytes bytes = random_bytes(random, random.below(5000));
    const auto digest = store.put(bytes);
    ASSERT_TRUE(digest) << "seed " << seed << ": " << digest.error().message();
    EXPECT_EQ(*digest, blob_name(bytes)) << "seed " << seed;
    EXPECT_TRUE(store.has(*digest));
    EXPECT_EQ(store.size_of(*digest).value(), bytes.size());
    EXPECT_EQ(store.get(*digest).value(), bytes) << "seed " << seed;
  }
}

TEST(BlobStore, keeps_blobs_when_it_is_opened_again_and_lists_them_in_order) {
  const TemporaryFolder folder;
  std::vector<Digest> stored;
  {
    BlobStore store = open_store(folder.path() / "blobs");
    for (std::uint8_t i = 0; i < 25; ++i) stored.push_back(store.put(Bytes{i, 7}).value());
  }
  std::sort(stored.begin(), stored.end());
  const BlobStore again = BlobStore::open_existing(folder.path() / "blobs").value();
  EXPECT_EQ(again.list().value(), stored);
  EXPECT_EQ(files_under(again.folder()), stored.size()) << "an unfinished file was left behind";
}

TEST(BlobStore, writes_nothing_when_it_holds_the_bytes_already) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  const Bytes bytes{1, 2, 3};
  const Digest digest = store.put(bytes).value();
  struct stat before{};
  ASSERT_EQ(::stat(file_of(store, digest).c_str(), &before), 0);
  ASSERT_EQ(store.put(bytes).value(), digest);
  struct stat after{};
  ASSERT_EQ(::stat(file_of(store, digest).c_str(), &after), 0);
  // A second write would come by rename and bring another inode.
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST(BlobStore, refuses_a_blob_with_any_byte_flipped_and_names_the_file) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  SeededRandom random(4, "damage");
  const Bytes bytes = random_bytes(random, 300);
  const Digest digest = store.put(bytes).value();
  for (std::streamoff at = 0; at < 300; at += 23) {
    flip_a_byte(file_of(store, digest), at);
    const auto read = store.get(digest);
    ASSERT_FALSE(read) << "byte " << at;
    EXPECT_EQ(read.error().code, "blob_damaged");
    EXPECT_NE(read.error().place.find(digest.hex()), std::string::npos);
    flip_a_byte(file_of(store, digest), at);
  }
  EXPECT_TRUE(store.get(digest)) << "the test itself damaged the file";
}

TEST(BlobStore, replaces_a_damaged_blob_when_it_is_put_again) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  const Bytes bytes{9, 8, 7, 6};
  const Digest digest = store.put(bytes).value();
  flip_a_byte(file_of(store, digest), 2);
  ASSERT_FALSE(store.get(digest));
  ASSERT_TRUE(store.put(bytes));
  EXPECT_EQ(store.get(digest).value(), bytes);
}

TEST(BlobStore, says_what_is_missing) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  const Digest nothing = blob_name(Bytes{42});
  EXPECT_EQ(store.get(nothing).error().code, "blob_missing");
  EXPECT_EQ(store.size_of(nothing).error().code, "blob_missing");
  EXPECT_FALSE(store.has(nothing));
  EXPECT_TRUE(store.remove(nothing));
  EXPECT_EQ(BlobStore::open_existing(folder.path() / "no").error().code, "file_missing");
  EXPECT_FALSE(fs::exists(folder.path() / "no")) << "a reader made a folder";
}

TEST(BlobStore, forgets_a_removed_blob) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  const Digest digest = store.put(Bytes{5}).value();
  ASSERT_TRUE(store.remove(digest));
  EXPECT_FALSE(store.has(digest));
  EXPECT_TRUE(store.list().value().empty());
}

TEST(BlobStore, keeps_to_its_size_limits) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  const Digest digest = store.put(Bytes(100)).value();
  EXPECT_TRUE(store.get(digest, 100));
  EXPECT_EQ(store.get(digest, 99).error().code, "blob_too_large");
  // A view of that size without its memory: put must refuse before it reads a byte.
  const std::uint8_t byte = 0;
  const BytesView huge(&byte, blob_size_max + 1);
  EXPECT_EQ(store.put(huge).error().code, "blob_too_large");
  const Bytes good{1};
  const std::array<BytesView, 2> batch{BytesView(good), huge};
  EXPECT_EQ(store.put_batch(batch).error().code, "blob_too_large");
  EXPECT_FALSE(store.has(blob_name(good))) << "a refused batch was half stored";
}

TEST(BlobStore, stores_a_batch_whole_and_in_order) {
  const TemporaryFolder folder;
  BlobStore many = open_store(folder.path());
  SeededRandom random(3, "batch");
  std::vector<Bytes> blobs;
  // More than may be open at once, with repeats inside the batch.
  for (int i = 0; i < 300; ++i) {
    blobs.push_back(i % 10 == 9 ? blobs[static_cast<std::size_t>(i) - 5]
                                : random_bytes(random, random.below(200)));
  }
  std::vector<Digest> expected;
  std::vector<BytesView> views;
  for (const Bytes& blob : blobs) {
    expected.push_back(blob_name(blob));
    views.emplace_back(blob);
  }
  const auto digests = many.put_batch(views);
  ASSERT_TRUE(digests) << digests.error().message();
  EXPECT_EQ(*digests, expected);
  std::set<Digest> distinct(expected.begin(), expected.end());
  EXPECT_EQ(many.list().value(), std::vector<Digest>(distinct.begin(), distinct.end()));
  for (std::size_t i = 0; i < blobs.size(); ++i) EXPECT_EQ(many.get(expected[i]).value(), blobs[i]);
  EXPECT_EQ(many.put_batch(views).value(), expected) << "a second time";
  EXPECT_EQ(files_under(many.folder()), many.list().value().size());
  EXPECT_TRUE(many.put_batch({}).value().empty());
}

TEST(BlobWriter, stores_pieces_under_the_name_of_the_whole) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  Bytes whole;
  {
    auto writer = store.writer().value();
    for (const std::size_t size : {std::size_t{1}, std::size_t{0}, std::size_t{5} << 20U,
                                   std::size_t{123'456}, std::size_t{4} << 20U}) {
      Bytes piece(size, static_cast<std::uint8_t>(size % 251));
      ASSERT_TRUE(writer.write(piece));
      whole.insert(whole.end(), piece.begin(), piece.end());
    }
    EXPECT_TRUE(store.list().value().empty()) << "no name before its end";
    EXPECT_EQ(writer.finish().value(), blob_name(whole));
  }
  EXPECT_EQ(store.get(blob_name(whole)).value(), whole);
  EXPECT_EQ(store.put(whole).value(), blob_name(whole)) << "the same blob, held once";
  EXPECT_EQ(store.list().value().size(), 1U);
}

TEST(BlobWriter, leaves_nothing_behind_when_it_is_given_up) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  {
    auto writer = store.writer().value();
    ASSERT_TRUE(writer.write(Bytes(1000, 3)));
  }
  EXPECT_TRUE(store.list().value().empty());
  EXPECT_TRUE(fs::is_empty(folder.path() / "unfinished"));
}

TEST(BlobWriter, keeps_to_the_size_limit) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  auto writer = store.writer().value();
  ASSERT_TRUE(writer.write(Bytes(10, 1)));
  // A view of that size without its memory: it must be refused before a byte is read.
  const std::uint8_t byte = 0;
  EXPECT_EQ(writer.write(BytesView(&byte, blob_size_max - 9)).error().code, "blob_too_large");
}

TEST(BlobStore, verifies_everything_and_lists_every_damage) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  std::vector<Digest> stored;
  for (std::uint8_t i = 0; i < 10; ++i) stored.push_back(store.put(Bytes(50, i)).value());
  flip_a_byte(file_of(store, stored[3]), 10);
  fs::resize_file(file_of(store, stored[7]), 49);
  std::ofstream(folder.path() / "notes.txt") << "x";
  std::ofstream(file_of(store, stored[0]).parent_path() / "notes.txt") << "x";
  const BlobCheck check = store.verify_all().value();
  EXPECT_EQ(check.blobs, 8U);
  EXPECT_EQ(check.size_bytes, 400U);
  std::vector<fs::path> damaged{file_of(store, stored[3]), file_of(store, stored[7])};
  std::sort(damaged.begin(), damaged.end());
  auto found = check.damaged;
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, damaged);
  EXPECT_EQ(check.foreign.size(), 2U);
}

TEST(BlobStore, does_not_follow_a_link_out_of_its_folder) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path() / "blobs");
  std::ofstream(folder.path() / "outside") << "secret";
  const Digest digest = blob_name(as_bytes("secret"));
  fs::create_directories(file_of(store, digest).parent_path());
  fs::create_symlink(folder.path() / "outside", file_of(store, digest));
  EXPECT_FALSE(store.has(digest));
  EXPECT_EQ(store.verify_all().value().foreign.size(), 1U);
}

TEST(BlobStore, clears_away_what_a_dead_process_left_unfinished) {
  const TemporaryFolder folder;
  {
    const BlobStore store = open_store(folder.path());
  }
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const fs::path dead = folder.path() / "unfinished" / (std::to_string(child) + "-0");
  const fs::path alive = folder.path() / "unfinished" / (std::to_string(::getpid()) + "-999");
  std::ofstream(dead) << "half";
  std::ofstream(alive) << "half";
  const BlobStore store = open_store(folder.path());
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(alive)) << "a file that somebody is writing was removed";
  EXPECT_TRUE(store.verify_all().value().foreign.empty());
}

TEST(BlobStore, says_so_when_it_cannot_write) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  EXPECT_EQ(BlobStore::open(folder.path() / "file").error().code, "file_unwritable");
}

TEST(BlobStore, leaves_nothing_behind_when_a_write_fails) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  const Bytes bytes{1, 2, 3};
  // A folder in the place of the file: the last step fails, for every user.
  fs::create_directories(file_of(store, blob_name(bytes)) / "in the way");
  const auto stored = store.put(bytes);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, "file_unwritable");
  EXPECT_TRUE(fs::is_empty(folder.path() / "unfinished"));
}

TEST(BlobStore, takes_the_same_blobs_from_many_threads_at_once) {
  const TemporaryFolder folder;
  BlobStore store = open_store(folder.path());
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (std::uint8_t i = 0; i < 12; ++i) {
        const Bytes bytes(1000, i);
        const auto digest = store.put(bytes);
        if (!digest || store.get(*digest) != bytes) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(store.verify_all().value().blobs, 12U);
}

/// Answers every question with the bytes it was built with, whatever was asked for.
class LyingPeer final : public BlobPeer {
 public:
  explicit LyingPeer(Bytes answer) : answer_(std::move(answer)) {}
  [[nodiscard]] auto name() const -> std::string override { return "liar"; }
  [[nodiscard]] auto run(const Digest&, std::uint64_t) -> Result<BlobRun> override {
    ++asked;
    return BlobRun{.blob_size = answer_.size(), .bytes = answer_, .path = {}};
  }
  [[nodiscard]] auto has(const Digest&) -> Result<bool> override { return true; }
  int asked = 0;

 private:
  Bytes answer_;
};

TEST(Fetch, copies_a_blob_to_the_node_that_lacks_it) {
  const TemporaryFolder folder;
  BlobStore theirs = open_store(folder.path() / "a");
  BlobStore ours = open_store(folder.path() / "b");
  const Bytes bytes{1, 2, 3, 4};
  const Digest digest = theirs.put(bytes).value();
  LocalPeer peer("a", theirs);
  EXPECT_TRUE(peer.has(digest).value());
  EXPECT_EQ(fetch(digest, peer, ours).value(), bytes);
  EXPECT_EQ(ours.get(digest).value(), bytes);
  EXPECT_EQ(fetch(blob_name(Bytes{0}), peer, ours).error().code, "blob_missing");
}

TEST(Fetch, does_not_keep_other_bytes_than_it_asked_for) {
  const TemporaryFolder folder;
  BlobStore ours = open_store(folder.path());
  LyingPeer liar(Bytes{6, 6, 6});
  const Digest wanted = blob_name(Bytes{1});
  EXPECT_EQ(fetch(wanted, liar, ours).error().code, "blob_mismatch");
  EXPECT_TRUE(ours.list().value().empty());
}

TEST(Fetch, goes_on_to_the_next_peer_and_names_the_bad_ones) {
  const TemporaryFolder folder;
  BlobStore empty = open_store(folder.path() / "empty");
  BlobStore damaged = open_store(folder.path() / "damaged");
  BlobStore good = open_store(folder.path() / "good");
  BlobStore ours = open_store(folder.path() / "ours");
  const Bytes bytes(64, 3);
  const Digest digest = good.put(bytes).value();
  ASSERT_TRUE(damaged.put(bytes));
  flip_a_byte(file_of(damaged, digest), 5);
  LocalPeer first("empty", empty);
  LyingPeer second(Bytes{0});
  LocalPeer third("damaged", damaged);
  LocalPeer fourth("good", good);
  const std::array<BlobPeer*, 4> peers{&first, &second, &third, &fourth};
  const Fetched fetched = fetch_from_any(digest, peers, ours);
  ASSERT_TRUE(fetched.bytes) << fetched.bytes.error().message();
  EXPECT_EQ(*fetched.bytes, bytes);
  EXPECT_EQ(fetched.from, "good");
  ASSERT_EQ(fetched.faults.size(), 3U);
  EXPECT_EQ(fetched.faults[0].error.code, "blob_missing");
  EXPECT_EQ(fetched.faults[1].peer, "liar");
  EXPECT_EQ(fetched.faults[1].error.code, "blob_mismatch");
  EXPECT_EQ(fetched.faults[2].error.code, "blob_damaged");
  EXPECT_EQ(ours.get(digest).value(), bytes);

  const Fetched again = fetch_from_any(digest, peers, ours);
  EXPECT_TRUE(again.bytes);
  EXPECT_TRUE(again.from.empty());
  EXPECT_EQ(second.asked, 1) << "a blob we hold was asked for again";
}

TEST(Fetch, says_who_was_asked_when_nobody_has_it) {
  const TemporaryFolder folder;
  BlobStore empty = open_store(folder.path() / "empty");
  BlobStore ours = open_store(folder.path() / "ours");
  LocalPeer first("empty", empty);
  LyingPeer second(Bytes{0});
  const std::array<BlobPeer*, 2> peers{&first, &second};
  const Fetched fetched = fetch_from_any(blob_name(Bytes{1}), peers, ours);
  ASSERT_FALSE(fetched.bytes);
  EXPECT_EQ(fetched.bytes.error().code, "blob_unavailable");
  EXPECT_NE(fetched.bytes.error().sentence.find("liar (blob_mismatch)"), std::string::npos);
  EXPECT_EQ(fetched.faults.size(), 2U);
  EXPECT_EQ(fetch_from_any(blob_name(Bytes{1}), {}, ours).bytes.error().code, "blob_unavailable");
}

TEST(Fetch, repairs_a_damaged_copy_of_our_own) {
  const TemporaryFolder folder;
  BlobStore theirs = open_store(folder.path() / "a");
  BlobStore ours = open_store(folder.path() / "b");
  const Bytes bytes(10, 1);
  const Digest digest = theirs.put(bytes).value();
  ASSERT_TRUE(ours.put(bytes));
  flip_a_byte(file_of(ours, digest), 0);
  LocalPeer peer("a", theirs);
  const std::array<BlobPeer*, 1> peers{&peer};
  EXPECT_EQ(fetch_from_any(digest, peers, ours).from, "a");
  EXPECT_EQ(ours.get(digest).value(), bytes);
}

}  // namespace
}  // namespace consilium::courier
