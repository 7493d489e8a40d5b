#include <array>
#include <csignal>
#include <functional>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "stores.hpp"

namespace consilium::courier {
namespace {

/// Counts what is asked of a store, and can be cut off or turned into a liar.
class WatchedPeer final : public BlobPeer {
 public:
  explicit WatchedPeer(const BlobStore& store) : store_(store) {}
  [[nodiscard]] auto name() const -> std::string override { return "watched"; }
  [[nodiscard]] auto run(const Digest& digest, std::uint64_t index) -> Result<BlobRun> override {
    if (asked.size() == answers_max) return fail("peer_unreachable", "watched", "It is gone.");
    asked.push_back(index);
    auto run = store_.run(digest, index);
    if (run && spoil) spoil(*run);
    return run;
  }
  [[nodiscard]] auto has(const Digest& digest) -> Result<bool> override {
    return store_.has(digest);
  }
  std::vector<std::uint64_t> asked;
  std::size_t answers_max = ~std::size_t{0};
  std::function<void(BlobRun&)> spoil;

 private:
  const BlobStore& store_;
};

struct TwoNodes {
  TemporaryFolder folder;
  BlobStore theirs = open_store(folder.path() / "theirs");
  BlobStore ours = open_store(folder.path() / "ours");
  SeededRandom random{7, "parts"};
  Bytes bytes = random_bytes(random, 4 * blob_run_bytes + 100'000);
  Digest digest = theirs.put(bytes).value();
};

TEST(BlobRuns, of_a_store_are_its_bytes_with_their_proofs) {
  TwoNodes n;
  for (std::uint64_t index = 0; index < 5; ++index) {
    const BlobRun run = n.theirs.run(n.digest, index).value();
    EXPECT_EQ(run.blob_size, n.bytes.size());
    EXPECT_TRUE(check_blob_run(n.digest, run.blob_size, index, run.bytes, run.path));
  }
  EXPECT_EQ(n.theirs.run(n.digest, 5).error().code, "no_such_run");
  EXPECT_EQ(n.theirs.run(Digest{}, 0).error().code, "blob_missing");
  const Digest empty = n.theirs.put({}).value();
  EXPECT_EQ(n.theirs.run(empty, 0)->bytes, Bytes{});
}

TEST(BlobRuns, that_were_damaged_before_or_after_the_first_reading_are_not_handed_out) {
  TwoNodes n;
  ASSERT_TRUE(n.theirs.run(n.digest, 0));
  flip_a_byte(file_of(n.theirs, n.digest), 2 * blob_run_bytes + 5);
  EXPECT_TRUE(n.theirs.run(n.digest, 1));
  EXPECT_EQ(n.theirs.run(n.digest, 2).error().code, "blob_damaged");
  fs::resize_file(file_of(n.theirs, n.digest), n.bytes.size() - 1);
  EXPECT_EQ(n.theirs.run(n.digest, 4).error().code, "blob_damaged");
  const BlobStore fresh = BlobStore::open_existing(n.theirs.folder()).value();
  EXPECT_EQ(fresh.run(n.digest, 0).error().code, "blob_damaged");
}

TEST(BlobParts, come_in_any_order_and_become_the_blob) {
  TwoNodes n;
  auto part = n.ours.part(n.digest, n.bytes.size()).value();
  for (const std::uint64_t index : {3, 0, 4, 1, 2}) {
    EXPECT_FALSE(n.ours.has(n.digest));
    const BlobRun run = n.theirs.run(n.digest, index).value();
    ASSERT_TRUE(part.add(index, run.bytes, run.path));
    ASSERT_TRUE(part.add(index, run.bytes, run.path)) << "twice is no harm";
  }
  ASSERT_TRUE(part.missing().empty());
  ASSERT_TRUE(part.finish());
  EXPECT_EQ(n.ours.get(n.digest).value(), n.bytes);
  EXPECT_TRUE(fs::is_empty(n.ours.folder() / "unfinished"));
  EXPECT_TRUE(n.ours.verify_all().value().foreign.empty());
}

TEST(BlobParts, refuse_bytes_that_are_not_under_the_root) {
  TwoNodes n;
  auto part = n.ours.part(n.digest, n.bytes.size()).value();
  BlobRun run = n.theirs.run(n.digest, 1).value();
  EXPECT_EQ(part.add(2, run.bytes, run.path).error().code, "blob_mismatch");
  run.bytes[77] ^= 1U;
  EXPECT_EQ(part.add(1, run.bytes, run.path).error().code, "blob_mismatch");
  EXPECT_EQ(part.missing().size(), 5U);
}

TEST(BlobParts, are_taken_in_by_one_at_a_time) {
  TwoNodes n;
  {
    auto part = n.ours.part(n.digest, n.bytes.size()).value();
    EXPECT_EQ(n.ours.part(n.digest, n.bytes.size()).error().code, "fetch_underway");
    EXPECT_TRUE(n.ours.part(n.digest, n.bytes.size() - 1)) << "another size is another part";
  }
  EXPECT_TRUE(n.ours.part(n.digest, n.bytes.size()));
}

TEST(BlobParts, of_a_blob_that_is_forgotten_go_with_it) {
  TwoNodes n;
  const BlobRun run = n.theirs.run(n.digest, 1).value();
  ASSERT_TRUE(n.ours.part(n.digest, n.bytes.size())->add(1, run.bytes, run.path));
  EXPECT_EQ(n.ours.begun_size(n.digest), n.bytes.size());
  ASSERT_TRUE(n.ours.remove(n.digest));
  EXPECT_FALSE(n.ours.begun_size(n.digest));
  EXPECT_TRUE(fs::is_empty(n.ours.folder() / "unfinished"));
}

TEST(BlobParts, over_the_limit_are_refused_before_anything_is_written) {
  TwoNodes n;
  EXPECT_EQ(n.ours.part(n.digest, blob_size_max + 1).error().code, "blob_too_large");
  EXPECT_TRUE(fs::is_empty(n.ours.folder() / "unfinished"));
}

TEST(ResumedFetch, asks_only_for_what_did_not_come_before_the_connection_was_cut) {
  TwoNodes n;
  WatchedPeer peer(n.theirs);
  peer.answers_max = 3;
  EXPECT_EQ(fetch(n.digest, peer, n.ours).error().code, "peer_unreachable");
  peer.answers_max = 99;
  peer.asked.clear();
  EXPECT_EQ(fetch(n.digest, peer, n.ours).value(), n.bytes);
  EXPECT_EQ(peer.asked, (std::vector<std::uint64_t>{3, 4}));
  EXPECT_EQ(n.ours.get(n.digest).value(), n.bytes);
}

TEST(ResumedFetch, goes_on_after_the_process_was_killed) {
  TwoNodes n;
  const pid_t child = ::fork();
  if (child == 0) {
    WatchedPeer peer(n.theirs);
    peer.spoil = [&](BlobRun&) {
      if (peer.asked.size() == 3) ::raise(SIGKILL);
    };
    (void)fetch(n.digest, peer, n.ours);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  BlobStore again = open_store(n.ours.folder());
  WatchedPeer peer(n.theirs);
  EXPECT_EQ(fetch(n.digest, peer, again).value(), n.bytes);
  EXPECT_EQ(peer.asked, (std::vector<std::uint64_t>{2, 3, 4}));
}

TEST(ResumedFetch, asks_again_for_a_run_that_was_damaged_on_our_disk_meanwhile) {
  TwoNodes n;
  WatchedPeer peer(n.theirs);
  peer.answers_max = 4;
  ASSERT_FALSE(fetch(n.digest, peer, n.ours));
  const auto part = fs::directory_iterator(n.ours.folder() / "unfinished")->path();
  flip_a_byte(part, blob_run_bytes + 3);                               // a run
  flip_a_byte(part, static_cast<std::streamoff>(n.bytes.size()) + 1);  // the node of run 0
  peer.answers_max = 99;
  peer.asked.clear();
  EXPECT_EQ(fetch(n.digest, peer, n.ours).value(), n.bytes);
  EXPECT_EQ(peer.asked, (std::vector<std::uint64_t>{0, 1, 4}));
}

TEST(ResumedFetch, takes_from_one_peer_what_another_withholds) {
  TwoNodes n;
  WatchedPeer withholding(n.theirs);
  withholding.answers_max = 2;
  WatchedPeer lying(n.theirs);
  lying.spoil = [](BlobRun& run) { run.bytes[9] ^= 1U; };
  WatchedPeer good(n.theirs);
  const std::array<BlobPeer*, 3> peers{&withholding, &lying, &good};
  const Fetched fetched = fetch_from_any(n.digest, peers, n.ours);
  EXPECT_EQ(fetched.bytes.value(), n.bytes);
  ASSERT_EQ(fetched.faults.size(), 2U);
  EXPECT_EQ(fetched.faults[0].error.code, "peer_unreachable");
  EXPECT_EQ(fetched.faults[1].error.code, "blob_mismatch");
  EXPECT_EQ(good.asked, (std::vector<std::uint64_t>{2, 3, 4}));
}

TEST(ResumedFetch, is_not_led_astray_by_a_peer_that_states_another_size) {
  // A blob of three runs: its last run is the right half of the tree, as the second of two would
  // be.
  TwoNodes n;
  const Bytes three(n.bytes.begin(), n.bytes.begin() + 3 * blob_run_bytes);
  const Digest name = n.theirs.put(three).value();
  const BlobRun last = n.theirs.run(name, 2).value();
  ASSERT_TRUE(check_blob_run(name, 2 * blob_run_bytes, 1, last.bytes, last.path));
  auto astray = n.ours.part(name, 2 * blob_run_bytes).value();
  ASSERT_TRUE(astray.add(1, last.bytes, last.path));
  astray = n.ours.part(Digest{}, 1).value();  // lets go of the lock
  WatchedPeer honest(n.theirs);
  EXPECT_EQ(fetch(name, honest, n.ours).value(), three);
}

TEST(ResumedFetch, refuses_a_blob_over_the_size_expected) {
  TwoNodes n;
  WatchedPeer peer(n.theirs);
  EXPECT_EQ(fetch(n.digest, peer, n.ours, n.bytes.size() - 1).error().code, "blob_too_large");
  EXPECT_EQ(peer.asked.size(), 1U);
  EXPECT_TRUE(fs::is_empty(n.ours.folder() / "unfinished"));
}

TEST(ResumedFetch, stops_when_the_disk_is_full_and_goes_on_when_there_is_room) {
  TwoNodes n;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  WatchedPeer peer(n.theirs);
  {
    // The part's file is made whole first; only then the limit stands in the way of writing.
    ASSERT_TRUE(n.ours.part(n.digest, n.bytes.size()));
    rlimit narrow = before;
    narrow.rlim_cur = 2 * blob_run_bytes + 10;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &narrow), 0);
    const std::array<BlobPeer*, 2> peers{&peer, &peer};
    const Fetched fetched = fetch_from_any(n.digest, peers, n.ours);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(fetched.bytes);
    EXPECT_EQ(fetched.bytes.error().code, "disk_full");
    EXPECT_EQ(peer.asked.size(), 1U) << "another peer does not make room";
  }
  EXPECT_FALSE(n.ours.has(n.digest));
  EXPECT_EQ(fetch(n.digest, peer, n.ours).value(), n.bytes);
}

}  // namespace
}  // namespace consilium::courier
