// Whole nodes whose box keys serve one update each: what the end of an epoch leaves on their disks.

#include <algorithm>

#include "consilium/foundation/files.hpp"

#include "app_folder.hpp"
#include "consortium_run.hpp"

namespace consilium::app {
namespace {

namespace fs = std::filesystem;

class BoxEpochs : public AppFolder {
 protected:
  void SetUp() override {
    const fs::path data = fs::path(CONSILIUM_SOURCE_DIR) / "../shared/data/uci-heart";
    if (!fs::exists(data)) {
      GTEST_SKIP() << "no UCI heart data beside the source tree (../shared/data/uci-heart)";
    }
    cohort.emplace(must(load_heart({{}, data}, SplitRule::held_third, 7)));
  }
  /// Two updates, each of which ends an epoch; a third one is under its own keys.
  auto spec(bool hybrid = false) const -> RunSpec {
    RunSpec spec;
    spec.directory = folder;
    spec.rounds = 3;
    spec.next_epoch = false;
    spec.align_attributes = true;  // the quickest way to rounds
    spec.box_epoch_rounds = 1;
    spec.hybrid_boxes = hybrid;
    spec.training.local_steps = 1;
    spec.training.batch_rows = 16;
    spec.training.learning_rate_micro = 10'000;
    return spec;
  }
  static auto holds_bytes(const fs::path& directory, BytesView wanted) -> bool {
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      const Bytes bytes = must(read_file(entry.path()));
      if (std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end()) {
        return true;
      }
    }
    return false;
  }
  std::optional<Cohort> cohort;
};

TEST_F(BoxEpochs, end_with_the_old_keys_and_the_old_boxes_gone_from_every_node) {
  auto run = must(ConsortiumRun::open(spec(), *cohort));
  std::map<std::string, Bytes> first_seeds;
  std::map<std::string, sealing::BoxPublicKey> first_keys;
  for (const Node* node : run->hospitals()) {
    first_seeds[node->name()] = must(read_file(node->directory() / "keys" / "box.key"));
    first_keys[node->name()] = node->member_info().box_key;
    ASSERT_TRUE(holds_bytes(node->directory(), first_seeds[node->name()]));
  }
  Terminal terminal(true);
  must(run->run(terminal));

  std::size_t gone = 0;
  std::size_t kept = 0;
  for (Node* node : run->hospitals()) {
    SCOPED_TRACE(node->name());
    const ledger::Member& member = *node->member();
    EXPECT_GT(member.box_since.value, 0U);
    EXPECT_EQ(member.info.box_key, node->keys().boxes.current().public_key());
    EXPECT_NE(member.info.box_key, first_keys[node->name()]);
    EXPECT_FALSE(holds_bytes(node->directory(), first_seeds[node->name()]));
    const Bytes old_box = sealing::close_box(first_keys[node->name()], Bytes(5));
    EXPECT_EQ(code_of(node->keys().boxes.current().open(old_box)), "bad_box");
    for (const auto& [id, round] : run->state().rounds()) {
      const bool ended = round.closed_at <= member.box_since;
      for (const auto& [hospital, submission] : round.manifests) {
        const auto lists = must(sealing::ManifestLists::decode(
            must(node->blobs().get(submission.manifest.lists)), run->state().parameters_of(round)));
        EXPECT_TRUE(node->blobs().has(submission.manifest.body_blob));
        for (const Digest& box : lists.box_digests) {
          if (ended) {
            EXPECT_FALSE(node->blobs().has(box)) << "round " << id.value;
            ++gone;
          } else {
            kept += static_cast<std::size_t>(node->blobs().has(box));
          }
        }
      }
    }
  }
  EXPECT_GE(gone, 4U * 2U * 16U);
  EXPECT_GE(kept, 4U) << "the epoch that runs still has its boxes";
  EXPECT_GT(run->state().committee_epoch(), 3U + 4U);
  must(run->close());
}

TEST_F(BoxEpochs, go_on_after_a_restart_in_the_same_epoch) {
  RunSpec first = spec();
  first.rounds = 2;
  std::map<std::string, sealing::BoxPublicKey> keys;
  {
    auto run = must(ConsortiumRun::open(first, *cohort));
    Terminal terminal(true);
    must(run->run(terminal));
    for (const Node* node : run->hospitals()) keys[node->name()] = node->member()->info.box_key;
    must(run->close());
  }
  auto run = must(ConsortiumRun::open(spec(), *cohort));
  for (const Node* node : run->hospitals()) {
    EXPECT_EQ(node->keys().boxes.current().public_key(), keys[node->name()]);
  }
  Terminal terminal(true);
  must(run->run(terminal));
  EXPECT_EQ(run->state().models().size(), 3U);
  must(run->close());
}

TEST_F(BoxEpochs, are_the_same_with_hybrid_boxes) {
  if (!sealing::hybrid_boxes_available()) {
    EXPECT_EQ(code_of(ConsortiumRun::open(spec(true), *cohort)), "suite_unavailable");
    GTEST_SKIP() << "THIS BUILD HAS NO ML-KEM-768: ./dev setup fetches the library.";
  }
  auto run = must(ConsortiumRun::open(spec(true), *cohort));
  Terminal terminal(true);
  must(run->run(terminal));
  EXPECT_EQ(run->state().models().size(), 3U);
  for (const auto& [id, round] : run->state().rounds()) EXPECT_EQ(round.open.suite & 0x40, 0x40);
  for (const Node* node : run->hospitals()) {
    EXPECT_GT(node->member()->box_since.value, 0U);
    EXPECT_EQ(node->member()->info.box_key.kind(), sealing::BoxKind::hybrid);
  }
  must(run->close());
}

}  // namespace
}  // namespace consilium::app
