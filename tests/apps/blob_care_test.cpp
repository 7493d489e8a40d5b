// What a node does by itself about bodies that miners miss, and about blobs that the ledger has
// released.

#include "blob_care.hpp"

#include "consilium/foundation/blob_name.hpp"

#include "app_folder.hpp"
#include "ledger/consortium.hpp"

namespace consilium::app {
namespace {

using ledger::test::Consortium;
using ledger::test::id;

class BlobCare : public AppFolder {
 protected:
  static auto policy() -> ledger::Policy {
    ledger::Policy out = ledger::test::short_policy();
    out.challenge_heights = 4;
    out.retention_heights = 10;
    return out;
  }
  void SetUp() override {
    for (int i = 1; i <= 4; ++i)
      stores.push_back(must(courier::BlobStore::open(folder / std::to_string(i))));
    ledger::OpenRound open = c.open_body();
    open.length = 20'000;
    ASSERT_EQ(c.send_as(id(1), open), "ok");
    c.block();
    const auto parameters = c.ledger.parameters_of(c.round());
    for (const HospitalId hospital : c.hospitals) {
      SeededRandom chance(hospital.value, "bytes");
      Bytes body(must(sealing::body_bytes(parameters)));
      chance.fill(body);
      sealing::ManifestLists lists;
      for (int i = 0; i < 4; ++i) {
        Bytes box(100);
        chance.fill(box);
        boxes[hospital].push_back(must(store(hospital).put(box)));
        lists.box_digests.push_back(boxes[hospital].back());
        lists.share_digests.push_back(boxes[hospital].back());
      }
      const auto suite = sealing::parameters_of(parameters.suite);
      lists.response.assign(responses(parameters, suite), 0);
      ledger::SubmitManifest submit = c.manifest(hospital);
      submit.manifest.body_blob = must(store(hospital).put(body));
      submit.manifest.lists = must(store(hospital).put(lists.encode()));
      ASSERT_EQ(c.send_as(hospital, submit), "ok");
    }
    c.block();
  }
  /// So many numbers as ManifestLists asks for; decode says whether it is right.
  static auto responses(const sealing::RoundParameters& round, const sealing::SuiteParameters& of)
      -> std::size_t {
    return of.moduli.size() * static_cast<std::size_t>(of.degree_rows) * round.committee.threshold;
  }
  auto store(HospitalId who) -> courier::BlobStore& { return stores.at(who.value - 1U); }
  auto word(HospitalId who) -> std::optional<ledger::Body> {
    return next_blob_word(c.ledger, who, store(who), random);
  }

  Consortium c{{4, policy()}};
  std::vector<courier::BlobStore> stores;
  std::map<HospitalId, std::vector<Digest>> boxes;
  SeededRandom random{3, "node"};
};

TEST_F(BlobCare, asks_for_a_body_that_never_came_and_its_hospital_shows_the_leaf) {
  EXPECT_EQ(word(id(1)), std::nullopt);  // there is time yet
  while (c.ledger.height().value + 3 < c.round().deadline.value) c.block();
  const auto asked = word(id(1));
  ASSERT_TRUE(asked.has_value());
  const auto& challenge = std::get<ledger::Challenge>(*asked);
  EXPECT_EQ(challenge.hospital, id(2));
  ASSERT_EQ(c.send_as(id(1), *asked), "ok");
  // The next one it misses, not the same again; the one who has everything asks nothing.
  const auto second = word(id(1));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(std::get<ledger::Challenge>(*second).hospital, id(3));
  for (const HospitalId hospital : c.hospitals) {
    const auto body = store(hospital).get(c.round().manifests.at(hospital).manifest.body_blob);
    (void)must(store(id(4)).put(must(body)));
  }
  EXPECT_EQ(word(id(4)), std::nullopt);

  const auto shown = word(id(2));
  ASSERT_TRUE(shown.has_value());
  ASSERT_EQ(c.send_as(id(2), *shown), "ok");
  EXPECT_TRUE(c.round().challenges.at({id(2), id(1)}).answered);
}

TEST_F(BlobCare, shows_nothing_that_it_has_not_got) {
  const auto name = c.round().manifests.at(id(2)).manifest.body_blob;
  ASSERT_EQ(c.send_as(id(1), ledger::Challenge{c.round().id, id(2), 1}), "ok");
  ASSERT_TRUE(word(id(2)).has_value());
  must(store(id(2)).remove(name));
  EXPECT_EQ(word(id(2)), std::nullopt);
  c.block(5);
  EXPECT_EQ(c.round().not_shown, (std::vector<HospitalId>{id(2)}));
}

TEST_F(BlobCare, drops_what_the_ledger_released_with_its_boxes_and_nothing_else) {
  const Digest other = must(store(id(2)).put(Bytes{1, 2, 3}));
  EXPECT_EQ(must(drop_released(c.ledger, store(id(2)))), 0U);
  while (c.round().state != ledger::RoundState::attesting) c.block();
  c.pass_deadline();
  ASSERT_EQ(c.send_as(id(1), ledger::Abort{c.round().id}), "ok");
  c.block();
  EXPECT_EQ(must(drop_released(c.ledger, store(id(2)))), 0U);
  ASSERT_EQ(c.send_as(id(2), ledger::Tombstone{c.round().id}), "ok");
  c.block();
  const auto& manifest = c.round().manifests.at(id(2)).manifest;
  for (const Digest& box : boxes.at(id(2))) EXPECT_TRUE(store(id(2)).has(box));
  EXPECT_EQ(must(drop_released(c.ledger, store(id(2)))), 2U);
  EXPECT_FALSE(store(id(2)).has(manifest.body_blob));
  EXPECT_FALSE(store(id(2)).has(manifest.lists));
  for (const Digest& box : boxes.at(id(2))) EXPECT_FALSE(store(id(2)).has(box));
  EXPECT_TRUE(store(id(2)).has(other));
  // Everybody else's go with their age.
  EXPECT_EQ(must(drop_released(c.ledger, store(id(3)))), 0U);
  c.block(10);
  EXPECT_EQ(must(drop_released(c.ledger, store(id(3)))), 2U);
  EXPECT_EQ(must(drop_released(c.ledger, store(id(3)))), 0U);
}

}  // namespace
}  // namespace consilium::app
