// Delivery C: keys that only add up over one set (sealing-spec §6.3, attack 16).

#include "consilium/sealing/masked_key.hpp"

#include <algorithm>

#include "body_layout.hpp"
#include "sealing_round.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

/// n hospitals with box keys, and what they seal in a round.
struct Scene {
  TestRound round;
  std::vector<BoxKey> boxes;
  std::vector<std::vector<std::int64_t>> values;
  std::vector<Sealed> sealed;

  [[nodiscard]] auto set(const std::vector<std::size_t>& who) const -> Digest {
    std::vector<SetMember> members;
    for (const std::size_t h : who) members.push_back({name(h), sealed[h].manifest.digest()});
    return set_digest(round.parameters.seed, members);
  }
  static auto name(std::size_t h) -> HospitalId {
    return HospitalId{static_cast<std::uint16_t>(h + 1)};
  }
  /// What hospital `h` sends when it is shown that set.
  [[nodiscard]] auto sends(std::size_t h, const std::vector<std::size_t>& who) const -> Bytes {
    std::vector<MaskPeer> others;
    for (const std::size_t other : who) {
      if (other != h) others.push_back({name(other), boxes[other].public_key()});
    }
    return must(mask_key(round.parameters, set(who), name(h), boxes[h], others, sealed[h].key));
  }
  [[nodiscard]] auto opens(const std::vector<std::size_t>& who,
                           const std::vector<Bytes>& sent) const -> Result<OpenedSum> {
    std::vector<BytesView> bodies;
    for (const std::size_t h : who) bodies.emplace_back(sealed[h].body);
    const std::vector<BytesView> views(sent.begin(), sent.end());
    std::map<MinerId, Bytes> sums;
    sums[MinerId{1}] = must(sum_masked_keys(round.parameters, views));
    return open_sum(round.parameters, bodies, sums);
  }
};

auto make_scene(Suite suite, std::size_t hospitals, std::uint64_t length, std::uint64_t number = 1)
    -> Scene {
  Scene scene;
  scene.round = make_round(suite, static_cast<std::uint32_t>(hospitals), 1, length, number);
  scene.round.parameters.delivery = Delivery::masked_keys;
  SeededRandom identities(3, "box keys of hospitals");
  SeededRandom random(number, "delivery C");
  const auto scale = must(scale_of(suite, static_cast<std::uint32_t>(hospitals)));
  for (std::size_t h = 0; h < hospitals; ++h) {
    scene.boxes.push_back(BoxKey::make(identities));
    scene.values.push_back(random_values(random, length, scale.value_max));
  }
  scene.sealed = seal_all(scene.round, scene.values, random);
  return scene;
}

TEST(MaskedKeys, open_the_sum_of_exactly_their_set) {
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    const Scene scene = make_scene(suite, 5, 3000);
    for (const auto& who : std::vector<std::vector<std::size_t>>{{0, 1, 2, 3, 4}, {0, 2, 4}}) {
      std::vector<Bytes> sent;
      std::vector<std::vector<std::int64_t>> values;
      for (const std::size_t h : who) {
        sent.push_back(scene.sends(h, who));
        values.push_back(scene.values[h]);
      }
      EXPECT_EQ(must(scene.opens(who, sent)).values, sum_of(values));
    }
  }
}

TEST(MaskedKeys, seal_without_shares_and_with_the_same_bytes) {
  // Delivery decides what becomes of the key, not what is sealed.
  Scene scene = make_scene(Suite::s30, 3, 500);
  const Sealed& masked = scene.sealed[0];
  EXPECT_TRUE(masked.boxes.empty());
  EXPECT_TRUE(masked.openings.empty());
  EXPECT_EQ(masked.key.size(), 2048U);
  const auto lists = must(check_manifest(scene.round.parameters, masked.manifest, masked.lists));
  EXPECT_TRUE(lists.share_digests.empty() && lists.box_digests.empty() && lists.response.empty());
  must(check_body(scene.round.parameters, masked.manifest, masked.body));
  SeededRandom one(8, "same chance");
  SeededRandom other(8, "same chance");
  const auto c = must(seal(scene.round.parameters, HospitalId{1}, scene.values[0], one));
  scene.round.parameters.delivery = Delivery::shares;
  const auto a = must(seal(scene.round.parameters, HospitalId{1}, scene.values[0], other));
  EXPECT_EQ(a.body, c.body);
  EXPECT_EQ(a.manifest.witness, c.manifest.witness);
  EXPECT_EQ(a.key.size(), 0U) << "where there are shares, nobody keeps the key";
  EXPECT_EQ(code_of(check_manifest(scene.round.parameters, c.manifest, c.lists)),
            "length_mismatch");
}

TEST(MaskedKeys, of_an_equivocated_set_are_noise) {
  // The server shows hospital 4 another set than the others: what they send adds up to nothing.
  const Scene scene = make_scene(Suite::s30, 5, 3000);
  const std::vector<std::size_t> all{0, 1, 2, 3, 4};
  std::vector<Bytes> sent;
  for (const std::size_t h : all)
    sent.push_back(scene.sends(h, h == 3 ? std::vector<std::size_t>{0, 1, 2, 3} : all));
  EXPECT_EQ(code_of(scene.opens(all, sent)), "residual_out_of_range");
  EXPECT_EQ(code_of(scene.opens({0, 1, 2, 4}, {sent[0], sent[1], sent[2], sent[4]})),
            "residual_out_of_range");
  // One silent member of the true set: the rest are noise as well, and so is one alone.
  EXPECT_EQ(code_of(scene.opens({0}, {sent[0]})), "residual_out_of_range");
}

TEST(MaskedKeys, a_bad_key_is_detected) {
  const Scene scene = make_scene(Suite::s30, 4, 3000);
  const std::vector<std::size_t> all{0, 1, 2, 3};
  std::vector<Bytes> sent;
  for (const std::size_t h : all) sent.push_back(scene.sends(h, all));
  sent[2][77] ^= 1U;
  EXPECT_EQ(code_of(scene.opens(all, sent)), "residual_out_of_range");
  sent[2].pop_back();
  const std::vector<BytesView> views(sent.begin(), sent.end());
  EXPECT_EQ(code_of(sum_masked_keys(scene.round.parameters, views)), "length_mismatch");
  EXPECT_EQ(code_of(sum_masked_keys(scene.round.parameters, {})), "length_mismatch");
}

TEST(MaskedKeys, ask_for_a_crowd_and_usable_keys) {
  const Scene scene = make_scene(Suite::s30, 4, 100);
  const auto code = [&](const std::vector<MaskPeer>& others) {
    return code_of(mask_key(scene.round.parameters, digest_of(1), HospitalId{1}, scene.boxes[0],
                            others, scene.sealed[0].key));
  };
  const MaskPeer second{HospitalId{2}, scene.boxes[1].public_key()};
  const MaskPeer third{HospitalId{3}, scene.boxes[2].public_key()};
  EXPECT_EQ(code({second, third}), "");
  EXPECT_EQ(code({second}), "length_mismatch");
  EXPECT_EQ(code({second, second}), "length_mismatch");
  EXPECT_EQ(code({second, {HospitalId{1}, third.box_key}}), "length_mismatch");
  EXPECT_EQ(code({second, {HospitalId{3}, {}}}), "bad_key");
  EXPECT_EQ(code_of(mask_key(scene.round.parameters, digest_of(1), HospitalId{1}, scene.boxes[0],
                             std::vector<MaskPeer>{second, third}, Secret<std::uint32_t>(5))),
            "length_mismatch");
}

TEST(MaskedKeys, of_pairs_agree_from_both_sides_and_with_nobody_else) {
  SeededRandom random(1, "pairs");
  const BoxKey a = BoxKey::make(random);
  const BoxKey b = BoxKey::make(random);
  const BoxKey c = BoxKey::make(random);
  const auto bytes = [](const SecretBytes& s) {
    return Bytes(s.expose().begin(), s.expose().end());
  };
  EXPECT_EQ(bytes(must(a.agree(b.public_key()))), bytes(must(b.agree(a.public_key()))));
  EXPECT_NE(bytes(must(a.agree(b.public_key()))), bytes(must(a.agree(c.public_key()))));
}

// --- attack 16
// -----------------------------------------------------------------------------------------

auto words_of(const Scene& scene, BytesView packed) -> std::vector<std::uint32_t> {
  const BodyLayout layout = must(BodyLayout::of(scene.round.parameters));
  std::vector<std::uint32_t> words(layout.degree());
  must(unpack_prime(layout, 0, packed, words));
  return words;
}

/// Does what hospital 1 sent in two rounds of the same number and names differ by just its keys?
/// Then S₁ − S₂ of the two sums, which open, gives s₁ − s₁′, and one round's key known (a
/// hospital's own, say) gives the other's.
auto masks_cancel(const Scene& one, const Scene& two, const Digest& first, const Digest& second)
    -> bool {
  const auto send = [](const Scene& scene, const Digest& bound_to) {
    std::vector<MaskPeer> others;
    for (std::size_t h = 1; h < scene.boxes.size(); ++h)
      others.push_back({Scene::name(h), scene.boxes[h].public_key()});
    return must(mask_key(scene.round.parameters, bound_to, Scene::name(0), scene.boxes[0], others,
                         scene.sealed[0].key));
  };
  const auto sent_one = words_of(one, send(one, first));
  const auto sent_two = words_of(two, send(two, second));
  const PrimeField& field = fields_of(Suite::s30)[0];
  for (std::size_t k = 0; k < sent_one.size(); ++k) {
    const std::uint32_t keys =
        field.subtract(one.sealed[0].key.expose()[k], two.sealed[0].key.expose()[k]);
    if (field.subtract(sent_one[k], sent_two[k]) != keys) return false;
  }
  return true;
}

TEST(MaskedKeys, attack_16_masks_never_cancel_between_rounds) {
  // A forking server: two rounds of the same number and the same hospitals, another opening block.
  const Scene one = make_scene(Suite::s30, 4, 100, 5);
  Scene two = make_scene(Suite::s30, 4, 100, 5);
  two.round.parameters.seed = digest_of(0x99);
  SeededRandom again(77, "sealed again");
  two.sealed = seal_all(two.round, two.values, again);
  // Guard off: masks bound to the round's number and the names of the set only.
  const Digest names_only = digest_of(0x05);
  EXPECT_TRUE(masks_cancel(one, two, names_only, names_only));
  // Guard on: H(U) holds the round's seed and the manifests.
  const std::vector<std::size_t> all{0, 1, 2, 3};
  EXPECT_FALSE(masks_cancel(one, two, one.set(all), two.set(all)));
  // The same seed and other manifests are enough.
  Scene three = make_scene(Suite::s30, 4, 100, 5);
  three.sealed = seal_all(three.round, three.values, again);
  EXPECT_FALSE(masks_cancel(one, three, one.set(all), three.set(all)));
}

}  // namespace
}  // namespace consilium::sealing
