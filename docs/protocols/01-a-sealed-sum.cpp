// Chapter 1: a sealed sum.
//
// Three hospitals hold three numbers each. They want the sums and nothing else: not even the four
// machines that help them may see one hospital's numbers. One of the machines will fail on the way.

#include <array>
#include <iostream>

#include "consilium/sealing/sealed_sum.hpp"

namespace {

using namespace consilium;  // NOLINT(google-build-using-namespace): a chapter reads better without
                            // prefixes
using namespace consilium::sealing;  // NOLINT(google-build-using-namespace)

auto tell() -> Result<void> {
  SystemRandom chance;

  // Before anybody seals, everything public is fixed: who the miners are, how long the vectors are,
  // and a seed that nobody could know earlier, because the hash of the ledger's newest block is in
  // it.
  const Committee committee = committee_of(4);
  std::cout << "Four miners; any " << committee.threshold
            << " can open a sum, fewer learn nothing.\n";

  std::vector<BoxKey> miners;
  RoundParameters round;
  round.consortium = sha256(as_bytes("the genesis block of this chapter"));
  round.stream = stream_id(round.consortium, Purpose::statistics, 0);
  round.round = RoundId{1};
  round.base = no_model_base(round.stream);
  round.suite = Suite::l48;  // exact statistics, up to 24 bits a value
  round.seed = round_seed(round.stream, round.round, round.base,
                          sha256(as_bytes("the block that opened the round")), round.suite);
  round.hospitals_max = 3;
  round.length = 3;
  round.committee = committee;
  for (std::uint16_t miner = 1; miner <= committee.miners; ++miner) {
    miners.push_back(BoxKey::make(chance));
    round.box_keys.push_back(miners.back().public_key());
  }

  // Each hospital seals with a key that lives for one call. What leaves it: the body, which looks
  // like noise; one box a miner, with that miner's share of the key; and a manifest, which binds
  // them together.
  const std::array<std::array<std::int64_t, 3>, 3> cases{
      {{303, 161, 54}, {294, 188, 106}, {123, 8, 115}}};
  std::vector<Sealed> sealed;
  for (std::size_t at = 0; at < cases.size(); ++at) {
    const HospitalId hospital{static_cast<std::uint16_t>(at + 1)};
    CONSILIUM_TRY(Sealed one, seal(round, hospital, cases[at], chance));
    std::cout << "Hospital " << hospital.value << " seals: " << one.body.size()
              << " bytes of body, " << one.boxes.size() << " boxes of " << one.boxes[0].size()
              << " bytes.\n";
    sealed.push_back(std::move(one));
  }

  // Every miner looks at what it can judge without reading it: the bytes are those of the manifest,
  // and its own share lies on the same polynomial as all others. Miner 3 fails here. Nobody has to
  // be asked again.
  std::map<MinerId, Bytes> share_sums;
  for (const std::uint16_t number : std::array<std::uint16_t, 3>{1, 2, 4}) {
    const MinerId miner{number};
    std::vector<ShareOpening> shares;
    for (std::size_t at = 0; at < sealed.size(); ++at) {
      const Sealed& one = sealed[at];
      CONSILIUM_TRY(const ManifestLists lists, check_manifest(round, one.manifest, one.lists));
      CONSILIUM_CHECK(check_body(round, one.manifest, one.body));
      CONSILIUM_TRY(ShareOpening share, open_share(round, one.manifest, lists, miner,
                                                   one.boxes[number - 1U], miners[number - 1U]));
      shares.push_back(std::move(share));
    }
    // The only thing a miner ever publishes is the sum of its shares over the whole set, once.
    CONSILIUM_TRY(share_sums[miner], sum_shares(round, shares));
  }

  // Two miners who pool what they have cannot open it …
  std::vector<BytesView> bodies;
  for (const Sealed& one : sealed) bodies.emplace_back(one.body);
  const std::map<MinerId, Bytes> two{*share_sums.begin(), *share_sums.rbegin()};
  const auto refused = open_sum(round, bodies, two);
  CONSILIUM_ENSURE(!refused && refused.error().code == "opening_stalled");
  std::cout << "With two share sums: " << refused.error().message() << "\n";

  // … and the three that are left open the sum, though not one of the vectors: their share sums fit
  // this set only.
  const auto alone = open_sum(round, std::span(bodies).first(1), share_sums);
  CONSILIUM_ENSURE(!alone && alone.error().code == "residual_out_of_range");
  CONSILIUM_TRY(const OpenedSum opened, open_sum(round, bodies, share_sums));
  std::cout << "With three, miner 3 missing, the sum opens:";
  for (const std::int64_t value : opened.values) std::cout << " " << value;
  std::cout << "\n";
  CONSILIUM_ENSURE((opened.values == std::vector<std::int64_t>{720, 357, 275}));
  return {};
}

}  // namespace

auto main() -> int {
  const auto told = tell();
  if (!told) std::cerr << told.error().message() << "\n";
  return told ? 0 : 1;
}
