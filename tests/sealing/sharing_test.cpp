// Shares, boxes and the degree test: what a dishonest hospital can try, and what t−1 miners can
// learn.

#include <cmath>
#include <functional>

#include "body_layout.hpp"
#include "key_sharing.hpp"
#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

auto key_bytes(std::uint8_t salt) -> Bytes {
  Bytes bytes(96);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = static_cast<std::uint8_t>(at * 7 + salt);
  }
  return bytes;
}

/// ŝ as `seal` draws it from k_s.
auto key_words(const BodyLayout& layout, BytesView k_s) -> KeyWords {
  KeyWords key(layout.fields().size() * layout.degree());
  WordStream stream(k_s);
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    stream.residues(layout.fields()[prime],
                    key.expose().subspan(prime * layout.degree(), layout.degree()));
  }
  return key;
}

/// A hospital that follows the protocol but for what it shares: `tamper` may change any miner's
/// share after it was made from `shared_key`. Digests, boxes, challenge and response are then made
/// as an honest hospital would.
auto reshare(const TestRound& round, Sealed& sealed, const KeyWords& shared_key,
             const std::function<void(std::uint16_t, ShareOpening&)>& tamper) {
  const BodyLayout layout = must(BodyLayout::of(round.parameters));
  WordStream stream(BytesView(key_bytes(200)).first(32));
  const SharingPolynomials sharing(layout, round.parameters.committee.threshold, shared_key,
                                   stream);
  ManifestLists lists;
  sealed.boxes.clear();
  sealed.openings.clear();
  for (std::uint16_t miner = 1; miner <= round.parameters.committee.miners; ++miner) {
    ShareOpening opening = sharing.share_at(miner);
    tamper(miner, opening);
    const auto context = box_context(round.parameters, sealed.manifest.hospital, MinerId{miner});
    lists.share_digests.push_back(share_digest(context, opening));
    Bytes plaintext(context.begin(), context.end());
    for (const SecretBytes* part : {&opening.share, &opening.masks, &opening.salt}) {
      plaintext.insert(plaintext.end(), part->expose().begin(), part->expose().end());
    }
    sealed.boxes.push_back(close_box(round.parameters.box_keys[miner - 1U], plaintext));
    lists.box_digests.push_back(blob_name(sealed.boxes.back()));
    sealed.openings.push_back(std::move(opening));
  }
  lists.response = sharing.response(degree_key(round.parameters.seed, sealed.manifest.hospital,
                                               sealed.manifest.body_root, sealed.manifest.witness,
                                               lists.share_digests));
  sealed.lists = lists.encode();
  sealed.manifest.lists = blob_name(sealed.lists);
}

/// Adds one to the first residue of the share.
void move_share(ShareOpening& opening) {
  const PrimeField& field = fields_of(Suite::s30)[0];
  std::vector<std::uint32_t> words(field.degree);
  must(unpack(field, opening.share.expose(), words));
  words[0] = field.add(words[0], 1);
  pack(field, words, opening.share.expose());
}

auto open_of(const TestRound& round, const Sealed& sealed, std::uint16_t miner)
    -> Result<ShareOpening> {
  CONSILIUM_TRY(const auto lists, check_manifest(round.parameters, sealed.manifest, sealed.lists));
  return open_share(round.parameters, sealed.manifest, lists, MinerId{miner},
                    sealed.boxes[miner - 1U], round.keys[miner - 1U]);
}

struct KnownSeal {
  Bytes keys = key_bytes(1);
  Sealed sealed;
  KeyWords key;
};
auto known_seal(const TestRound& round, const std::vector<std::int64_t>& values) -> KnownSeal {
  KnownSeal known;
  FixedRandom secrets(known.keys);
  known.sealed = must(seal(round.parameters, HospitalId{1}, values, secrets));
  known.key = key_words(must(BodyLayout::of(round.parameters)), BytesView(known.keys).first(32));
  return known;
}

TEST(DegreeTest, honest_shares_pass_for_every_miner) {
  for (const Suite suite : {Suite::s30, Suite::l48}) {
    for (std::uint16_t miners = 1; miners <= 7; ++miners) {
      const TestRound round = make_round(suite, 4, miners, 5, miners);
      auto known = known_seal(round, {1, 2, 3, 4, 5});
      for (std::uint16_t miner = 1; miner <= miners; ++miner) {
        EXPECT_EQ(code_of(open_of(round, known.sealed, miner)), "");
      }
      reshare(round, known.sealed, known.key, [](std::uint16_t, ShareOpening&) {});
      EXPECT_EQ(code_of(open_of(round, known.sealed, 1)), "") << "the attackers' tool is sound";
    }
  }
}

TEST(DegreeTest, catches_a_hospital_whose_shares_lie_on_no_polynomial) {
  // The hospital gives miner 3 a share that fits its digest but not the others: whichever t of the
  // miners answer decides what opens.
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  auto known = known_seal(round, {1, 2, 3, 4, 5});
  reshare(round, known.sealed, known.key, [](std::uint16_t miner, ShareOpening& opening) {
    if (miner == 3) move_share(opening);
  });
  const Sealed& sealed = known.sealed;

  // Without the test the attack works: every box opens, every digest fits …
  for (std::uint16_t miner = 1; miner <= 4; ++miner) {
    const auto lists = must(check_manifest(round.parameters, sealed.manifest, sealed.lists));
    const auto context = box_context(round.parameters, HospitalId{1}, MinerId{miner});
    EXPECT_EQ(share_digest(context, sealed.openings[miner - 1U]), lists.share_digests[miner - 1U]);
  }
  // … and the two sets of miners open two different things: one the sum, one nothing.
  const auto bodies = std::vector<BytesView>{sealed.body};
  const auto open_with = [&](const std::vector<std::uint16_t>& miners) {
    std::map<MinerId, Bytes> sums;
    for (const std::uint16_t miner : miners) {
      sums[MinerId{miner}] = must(
          sum_shares(round.parameters, std::span(&sealed.openings[miner - 1U], std::size_t{1})));
    }
    return open_sum(round.parameters, bodies, sums);
  };
  EXPECT_EQ(must(open_with({1, 2, 4})).values, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(code_of(open_with({1, 2, 3})), "residual_out_of_range");

  // With the test, the miner that was given the odd share refuses it, and only that one.
  EXPECT_EQ(code_of(open_of(round, sealed, 3)), "bad_sharing");
  for (const std::uint16_t miner : std::vector<std::uint16_t>{1, 2, 4}) {
    EXPECT_EQ(code_of(open_of(round, sealed, miner)), "");
  }
}

TEST(DegreeTest, catches_shares_of_too_high_a_degree) {
  // Consistent with each other, but on a polynomial of degree t: any t of them give something else.
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  auto known = known_seal(round, {1, 2, 3, 4, 5});
  const PrimeField& field = fields_of(Suite::s30)[0];
  reshare(round, known.sealed, known.key, [&](std::uint16_t miner, ShareOpening& opening) {
    std::vector<std::uint32_t> words(field.degree);
    must(unpack(field, opening.share.expose(), words));
    words[77] = field.add(words[77], field.power(miner, 3));
    pack(field, words, opening.share.expose());
  });
  for (std::uint16_t miner = 1; miner <= 4; ++miner) {
    EXPECT_EQ(code_of(open_of(round, known.sealed, miner)), "bad_sharing");
  }
}

TEST(DegreeTest, a_single_row_catches_with_the_odds_of_the_field) {
  // The test's arithmetic on one row: an error δ in one word goes unseen only where the row is
  // zero.
  const PrimeField& field = fields_of(Suite::l48)[0];
  SeededRandom random(51, "rows");
  std::vector<std::uint32_t> row(field.degree), words(field.degree);
  for (int trial = 0; trial < 50; ++trial) {
    std::uint64_t expected = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      row[k] = static_cast<std::uint32_t>(random.below(field.q));
      words[k] = static_cast<std::uint32_t>(random.below(field.q));
      expected = (expected + std::uint64_t{row[k]} * words[k]) % field.q;
    }
    ASSERT_EQ(inner_product(field, row, words), expected);
  }
  const PrimeField& large = fields_of(Suite::s30)[0];
  const std::vector<std::uint32_t> top(large.degree, large.q - 1);
  EXPECT_EQ(inner_product(large, top, top), large.degree) << "(−1)·(−1), N times";
}

TEST(Shares, of_another_key_than_the_sealing_one_show_in_the_residual) {
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  auto known = known_seal(round, {1, 2, 3, 4, 5});
  const KeyWords other =
      key_words(must(BodyLayout::of(round.parameters)), BytesView(key_bytes(99)).first(32));
  reshare(round, known.sealed, other, [](std::uint16_t, ShareOpening&) {});
  // Well shared, so every miner accepts …
  std::map<MinerId, Bytes> sums;
  for (std::uint16_t miner = 1; miner <= 4; ++miner) {
    const ShareOpening opening = must(open_of(round, known.sealed, miner));
    sums[MinerId{miner}] = must(sum_shares(round.parameters, std::span(&opening, std::size_t{1})));
  }
  // … and nothing opens.
  const std::vector<BytesView> bodies{known.sealed.body};
  EXPECT_EQ(code_of(open_sum(round.parameters, bodies, sums)), "residual_out_of_range");
}

TEST(Shares, with_a_residue_above_the_modulus_are_refused) {
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  auto known = known_seal(round, {1, 2, 3, 4, 5});
  reshare(round, known.sealed, known.key, [](std::uint16_t miner, ShareOpening& opening) {
    if (miner == 2) std::fill_n(opening.share.expose().begin(), 15, std::uint8_t{0xff});
    if (miner == 3) std::fill_n(opening.masks.expose().begin(), 4, std::uint8_t{0xff});
  });
  EXPECT_EQ(code_of(open_of(round, known.sealed, 1)), "");
  EXPECT_EQ(code_of(open_of(round, known.sealed, 2)), "bad_sharing");
  EXPECT_EQ(code_of(open_of(round, known.sealed, 3)), "bad_sharing");
  // The right mask, written in another way: q more is the same residue.
  reshare(round, known.sealed, known.key, [](std::uint16_t miner, ShareOpening& opening) {
    if (miner != 4) return;
    std::uint64_t mask = 0;
    for (std::size_t byte = 4; byte-- > 0;) mask = mask << 8U | opening.masks.expose()[byte];
    mask += parameters_of(Suite::s30).moduli[0];
    for (std::size_t byte = 0; byte < 4; ++byte) {
      opening.masks.expose()[byte] = static_cast<std::uint8_t>(mask >> (8 * byte));
    }
  });
  EXPECT_EQ(code_of(open_of(round, known.sealed, 3)), "");
  EXPECT_EQ(code_of(open_of(round, known.sealed, 4)), "bad_sharing");
}

/// χ² of the pair (top four bits of one share, top four bits of another) over all words and many
/// sharings of one fixed key: 256 cells.
auto chi_square_of_two_shares(std::uint16_t threshold) -> double {
  TestRound round = make_round(Suite::s30, 4, 4, 5);
  const BodyLayout layout = must(BodyLayout::of(round.parameters));
  const PrimeField& field = layout.fields()[0];
  KeyWords key(field.degree);
  std::fill(key.expose().begin(), key.expose().end(), 123456789U);
  std::array<double, 256> counts{};
  constexpr int sharings = 20;
  for (std::uint8_t run = 0; run < sharings; ++run) {
    WordStream stream(BytesView(key_bytes(run)).first(32));
    const SharingPolynomials sharing(layout, threshold, key, stream);
    std::vector<std::uint32_t> first(field.degree), second(field.degree);
    must(unpack(field, sharing.share_at(1).share.expose(), first));
    must(unpack(field, sharing.share_at(4).share.expose(), second));
    for (std::size_t k = 0; k < first.size(); ++k) {
      counts[(first[k] >> 26U) * 16 + (second[k] >> 26U)] += 1;
    }
  }
  const double expected = sharings * 2048.0 / 256;
  double chi = 0;
  for (const double count : counts) chi += (count - expected) * (count - expected) / expected;
  return chi;
}

TEST(Shares, fewer_than_the_threshold_are_uniform_whatever_the_key) {
  // 255 degrees of freedom: mean 255, deviation 22.6. Two shares of t = 3 know nothing …
  EXPECT_LT(chi_square_of_two_shares(3), 255 + 6 * 22.6);
  // … two shares of t = 2 determine the key: the same statistic would show it.
  EXPECT_GT(chi_square_of_two_shares(2), 10'000);
}

TEST(Boxes, of_another_round_hospital_or_miner_are_refused) {
  const TestRound round = make_round(Suite::s30, 4, 4, 5, 1);
  TestRound next = make_round(Suite::s30, 4, 4, 5, 2);
  next.keys = make_round(Suite::s30, 4, 4, 5, 1).keys;  // the same committee epoch
  next.parameters.box_keys = round.parameters.box_keys;
  const std::vector<std::int64_t> values{1, 2, 3, 4, 5};
  SystemRandom random;
  const Sealed old = must(seal(round.parameters, HospitalId{1}, values, random));
  Sealed fresh = must(seal(next.parameters, HospitalId{1}, values, random));

  EXPECT_EQ(code_of(check_manifest(next.parameters, old.manifest, old.lists)), "stale_context");
  EXPECT_EQ(code_of(check_body(next.parameters, old.manifest, old.body)), "stale_context");

  // A box of the old round under a manifest of the new one that names its bytes: opens, and is
  // refused.
  const auto with_box = [&](std::uint16_t miner, const Bytes& box) {
    auto lists = must(check_manifest(next.parameters, fresh.manifest, fresh.lists));
    lists.box_digests[miner - 1U] = blob_name(box);
    return code_of(open_share(next.parameters, fresh.manifest, lists, MinerId{miner}, box,
                              next.keys[miner - 1U]));
  };
  EXPECT_EQ(with_box(2, fresh.boxes[1]), "");
  EXPECT_EQ(with_box(2, old.boxes[1]), "bad_box");
  // Another miner's box does not open; another hospital's has another context.
  EXPECT_EQ(with_box(2, fresh.boxes[0]), "bad_box");
  const Sealed neighbour = must(seal(next.parameters, HospitalId{2}, values, random));
  EXPECT_EQ(with_box(2, neighbour.boxes[1]), "bad_box");
  // Too short, too long, nothing.
  EXPECT_EQ(with_box(2, {}), "bad_box");
  EXPECT_EQ(with_box(2, close_box(next.parameters.box_keys[1], Bytes(40))), "bad_box");
  EXPECT_EQ(with_box(2, close_box(next.parameters.box_keys[1], Bytes(7777))), "bad_box");
}

TEST(Boxes, that_were_spoiled_on_the_way_or_meet_a_lost_key_give_no_ground_to_complain) {
  // Attack 2: a complaint makes the hospital publish an honest miner's share. A miner complains
  // only over `bad_box` and `bad_sharing`; neither of these cases may look like one.
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  SystemRandom random;
  Sealed sealed =
      must(seal(round.parameters, HospitalId{1}, std::vector<std::int64_t>{1, 2, 3, 4, 5}, random));
  const auto lists = must(check_manifest(round.parameters, sealed.manifest, sealed.lists));
  Bytes spoiled = sealed.boxes[0];
  spoiled[50] ^= 4;
  EXPECT_EQ(code_of(open_share(round.parameters, sealed.manifest, lists, MinerId{1}, spoiled,
                               round.keys[0])),
            "unavailable");
  const BoxKey wiped = BoxKey::make(random);
  EXPECT_EQ(code_of(open_share(round.parameters, sealed.manifest, lists, MinerId{1},
                               sealed.boxes[0], wiped)),
            "bad_key");
}

TEST(Complaints, are_answered_by_a_share_that_everybody_can_check) {
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  SystemRandom random;
  const Sealed sealed =
      must(seal(round.parameters, HospitalId{1}, std::vector<std::int64_t>{1, 2, 3, 4, 5}, random));
  const auto lists = must(check_manifest(round.parameters, sealed.manifest, sealed.lists));
  const auto check = [&](std::uint16_t miner, const ShareOpening& opening) {
    return code_of(
        check_published_share(round.parameters, sealed.manifest, lists, MinerId{miner}, opening));
  };
  for (std::uint16_t miner = 1; miner <= 4; ++miner) {
    EXPECT_EQ(check(miner, sealed.openings[miner - 1U]), "");
  }
  EXPECT_EQ(check(1, sealed.openings[1]), "bad_sharing") << "another miner's share";
  EXPECT_EQ(check(0, sealed.openings[0]), "bad_sharing");
  EXPECT_EQ(check(5, sealed.openings[0]), "bad_sharing");
  EXPECT_EQ(check(1, ShareOpening{}), "bad_sharing");
  // The published share works in place of the box's.
  std::map<MinerId, Bytes> sums;
  for (const std::uint16_t miner : std::vector<std::uint16_t>{1, 2, 3}) {
    sums[MinerId{miner}] =
        must(sum_shares(round.parameters, std::span(&sealed.openings[miner - 1U], std::size_t{1})));
  }
  const std::vector<BytesView> bodies{sealed.body};
  EXPECT_EQ(must(open_sum(round.parameters, bodies, sums)).values,
            (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST(Shares, are_summed_only_when_there_are_some_and_they_fit) {
  const TestRound round = make_round(Suite::s30, 4, 4, 5);
  EXPECT_EQ(code_of(sum_shares(round.parameters, {})), "length_mismatch");
  const ShareOpening wrong{.share = SecretBytes(7679), .masks = {}, .salt = {}};
  EXPECT_EQ(code_of(sum_shares(round.parameters, std::span(&wrong, std::size_t{1}))),
            "length_mismatch");
}

}  // namespace
}  // namespace consilium::sealing
