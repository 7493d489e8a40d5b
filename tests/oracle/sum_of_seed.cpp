// Ours for the oracle: seals the inputs of a seed, opens their sum through the front door as a
// committee of four would, and prints it, a number a line.
//
//   sum_of_seed SEED HOSPITALS LENGTH TOP SUITE      SUITE is S30, L48 or L60

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "consilium/sealing/sealed_sum.hpp"

#include "inputs.hpp"

namespace consilium {
namespace {

template <typename T>
auto must(Result<T> result) -> T {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message().c_str());
    std::exit(1);
  }
  return std::move(*result);
}

auto run(std::uint64_t seed, std::uint16_t hospitals, std::uint64_t length, std::int64_t top,
         sealing::Suite suite) -> std::vector<std::int64_t> {
  constexpr std::uint16_t miners = 4;
  sealing::RoundParameters round;
  round.consortium.bytes.fill(0x0a);
  round.stream = sealing::stream_id(round.consortium, sealing::Purpose::update, 0);
  round.round = RoundId{seed};
  round.base.bytes.fill(0x0b);
  round.seed = sealing::round_seed(round.stream, round.round, round.base, round.consortium, suite);
  round.suite = suite;
  round.hospitals_max = hospitals;
  round.length = length;
  round.committee_epoch = 1;
  round.committee = sealing::committee_of(miners);
  SystemRandom chance;
  std::vector<sealing::BoxKey> keys;
  for (std::uint16_t miner = 1; miner <= miners; ++miner) {
    keys.push_back(sealing::BoxKey::make(chance));
    round.box_keys.push_back(keys.back().public_key());
  }
  std::vector<sealing::Sealed> sealed;
  for (std::uint16_t hospital = 1; hospital <= hospitals; ++hospital) {
    sealed.push_back(must(sealing::seal(round, HospitalId{hospital},
                                        bench::values_of(seed, hospital, length, top), chance)));
  }
  std::vector<BytesView> bodies;
  for (const sealing::Sealed& one : sealed) bodies.emplace_back(one.body);
  std::map<MinerId, Bytes> share_sums;
  for (std::uint16_t miner = 2; miner <= miners; ++miner) {  // three of four

    std::vector<sealing::ShareOpening> shares;
    for (const sealing::Sealed& one : sealed) {
      const auto lists = must(sealing::check_manifest(round, one.manifest, one.lists));
      shares.push_back(must(sealing::open_share(round, one.manifest, lists, MinerId{miner},
                                                one.boxes[miner - 1U], keys[miner - 1U])));
    }
    share_sums[MinerId{miner}] = must(sealing::sum_shares(round, shares));
  }
  return must(sealing::open_sum(round, bodies, share_sums)).values;
}

}  // namespace
}  // namespace consilium

auto main(int count, char** arguments) -> int {
  using consilium::sealing::Suite;
  if (count != 6) {
    std::fputs("usage: sum_of_seed SEED HOSPITALS LENGTH TOP SUITE\n", stderr);
    return 2;
  }
  const std::string_view suite = arguments[5];
  const auto values = consilium::run(
      std::strtoull(arguments[1], nullptr, 10),
      static_cast<std::uint16_t>(std::strtoul(arguments[2], nullptr, 10)),
      std::strtoull(arguments[3], nullptr, 10), std::strtoll(arguments[4], nullptr, 10),
      suite == "S30"   ? Suite::s30
      : suite == "L48" ? Suite::l48
                       : Suite::l60);
  for (const std::int64_t value : values) std::printf("%lld\n", static_cast<long long>(value));
  return 0;
}
