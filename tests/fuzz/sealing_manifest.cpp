// What a hospital says about its sealed vector, and the lists beside it: both come from other
// nodes. The first byte of the input chooses which of the two is tried.

#include <algorithm>

#include "consilium/sealing/sealed_sum.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {
namespace {

auto round() -> sealing::RoundParameters {
  sealing::RoundParameters out;
  out.round = RoundId{1};
  out.hospitals_max = 4;
  out.length = 10;
  out.committee_epoch = 1;
  out.committee = sealing::committee_of(4);
  out.box_keys.resize(4);
  return out;
}

}  // namespace

auto try_input(BytesView input) -> bool {
  if (input.empty()) return false;
  const auto bytes = input.subspan(1);
  if (input.front() % 2 == 0) {
    const auto manifest = sealing::Manifest::decode(bytes);
    if (manifest) CONSILIUM_ENSURE(std::ranges::equal(manifest->encode(), bytes));
    return manifest.has_value();
  }
  static const auto parameters = round();
  const auto lists = sealing::ManifestLists::decode(bytes, parameters);
  if (lists) CONSILIUM_ENSURE(std::ranges::equal(lists->encode(), bytes));
  return lists.has_value();
}

auto seeds() -> std::vector<Bytes> {
  sealing::Manifest manifest;
  manifest.round = RoundId{1};
  manifest.suite = 1;
  manifest.hospital = HospitalId{2};
  manifest.length = 10;
  const auto parameters = sealing::parameters_of(sealing::Suite::s30);
  const auto miners = round().committee.miners;
  const sealing::ManifestLists lists{
      std::vector<Digest>(miners), std::vector<Digest>(miners),
      std::vector<std::uint32_t>(parameters.moduli.size() *
                                 static_cast<std::size_t>(parameters.degree_rows) *
                                 round().committee.threshold)};
  std::vector<Bytes> out;
  for (auto bytes : {manifest.encode(), lists.encode()}) {
    bytes.insert(bytes.begin(), static_cast<std::uint8_t>(out.size()));
    out.push_back(std::move(bytes));
  }
  return out;
}

}  // namespace consilium::fuzz
