#include "box_keyring.hpp"

#include "consilium/foundation/files.hpp"

#include "app_folder.hpp"

namespace consilium::app {
namespace {

namespace fs = std::filesystem;
using sealing::BoxKind;

class BoxKeyrings : public AppFolder {
 protected:
  auto open(BoxKind kind = BoxKind::classical) -> BoxKeyring {
    return must(BoxKeyring::open(folder, kind, secrets));
  }
  /// The old key's bytes on the disk, by a second name that survives unlinking.
  void watch_the_old_key() { fs::create_hard_link(folder / "box.key", folder / "watched"); }
  [[nodiscard]] auto watched() const -> Bytes { return must(read_file(folder / "watched")); }
  static auto opens(const BoxKeyring& keyring, const Bytes& box) -> bool {
    return keyring.current().open(box).has_value();
  }
  SystemRandom secrets;
};

TEST_F(BoxKeyrings, keep_their_key) {
  const auto key = open().current().public_key();
  EXPECT_EQ(open().current().public_key(), key);
  EXPECT_EQ(fs::file_size(folder / "box.key"), 32U);
  EXPECT_EQ(fs::status(folder / "box.key").permissions() & fs::perms::mask, fs::perms(0600));
}

TEST_F(BoxKeyrings, have_the_next_key_on_disk_before_it_is_told) {
  auto keyring = open();
  const auto next = must(keyring.next(BoxKind::classical, secrets));
  // Killed here, posted or not: the key is not lost, and the same one is told again.
  auto again = open();
  EXPECT_TRUE(again.holds(next));
  EXPECT_EQ(must(again.next(BoxKind::classical, secrets)), next);
  EXPECT_EQ(again.current().public_key(), keyring.current().public_key());
}

TEST_F(BoxKeyrings, open_old_boxes_until_the_ledger_shows_the_next_key_and_none_afterwards) {
  auto keyring = open();
  const auto old = keyring.current().public_key();
  const Bytes box = sealing::close_box(old, Bytes(10, 7));
  watch_the_old_key();
  const auto next = must(keyring.next(BoxKind::classical, secrets));
  must(keyring.follow(old));
  EXPECT_TRUE(opens(keyring, box));
  EXPECT_NE(watched(), Bytes(32));
  must(keyring.follow(next));
  EXPECT_FALSE(opens(keyring, box));
  EXPECT_FALSE(keyring.holds(old));
  EXPECT_EQ(watched(), Bytes(32)) << "the old key's bytes are still on the disk";
  EXPECT_FALSE(fs::exists(folder / "box-next.key"));
  EXPECT_TRUE(opens(keyring, sealing::close_box(next, Bytes(10))));
  const auto again = open();
  EXPECT_EQ(again.current().public_key(), next);
  EXPECT_FALSE(opens(again, box));
}

TEST_F(BoxKeyrings, killed_before_the_erasure_they_erase_when_the_ledger_is_read_again) {
  auto keyring = open();
  const Bytes box = sealing::close_box(keyring.current().public_key(), Bytes(10, 7));
  const auto next = must(keyring.next(BoxKind::classical, secrets));
  auto again = open();
  EXPECT_TRUE(opens(again, box));
  watch_the_old_key();
  must(again.follow(next));
  EXPECT_FALSE(opens(again, box));
  EXPECT_EQ(watched(), Bytes(32));
}

TEST_F(BoxKeyrings, killed_in_the_middle_of_the_erasure_they_go_on_with_the_next_key) {
  auto keyring = open();
  const auto next = must(keyring.next(BoxKind::classical, secrets));
  must(overwrite_file(folder / "box.key"));
  auto again = open();
  EXPECT_EQ(again.current().public_key(), next);
  EXPECT_FALSE(fs::exists(folder / "box-next.key"));
  must(again.follow(next));
  EXPECT_EQ(open().current().public_key(), next);
}

TEST_F(BoxKeyrings, refuse_files_that_are_no_keys) {
  must(write_file_durably(folder / "box.key", Bytes(31, 1)));
  EXPECT_EQ(code_of(BoxKeyring::open(folder, BoxKind::classical, secrets)), "bad_key");
  must(write_file_durably(folder / "box.key", Bytes(33, 1)));
  EXPECT_EQ(code_of(BoxKeyring::open(folder, BoxKind::classical, secrets)), "bad_key");
  must(write_file_durably(folder / "box.key", Bytes(32)));
  EXPECT_EQ(code_of(BoxKeyring::open(folder, BoxKind::classical, secrets)), "bad_key")
      << "erased, and no next one";
}

TEST_F(BoxKeyrings, go_from_classical_to_hybrid) {
  auto keyring = open();
  const auto unused = must(keyring.next(BoxKind::classical, secrets));
  if (!sealing::hybrid_boxes_available()) {
    EXPECT_EQ(code_of(keyring.next(BoxKind::hybrid, secrets)), "suite_unavailable");
    GTEST_SKIP() << "THIS BUILD HAS NO ML-KEM-768: ./dev setup fetches the library.";
  }
  const auto next = must(keyring.next(BoxKind::hybrid, secrets));
  EXPECT_EQ(next.kind(), BoxKind::hybrid);
  EXPECT_FALSE(keyring.holds(unused));
  must(keyring.follow(next));
  EXPECT_EQ(fs::file_size(folder / "box.key"), 33U);
  const auto again = open();
  EXPECT_EQ(again.current().public_key(), next);
  EXPECT_TRUE(opens(again, sealing::close_box(next, Bytes(10))));
}

}  // namespace
}  // namespace consilium::app
