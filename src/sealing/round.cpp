// What is public and fixed before anybody seals: names of streams, rounds, sets and partitions.

#include <algorithm>
#include <set>

#include "consilium/foundation/codec.hpp"
#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::sealing {

auto purpose_name(Purpose purpose) -> std::string_view {
  switch (purpose) {
    case Purpose::update:
      return "update";
    case Purpose::statistics:
      return "statistics";
    case Purpose::metrics:
      return "metrics";
    case Purpose::council:
      return "council";
  }
  CONSILIUM_ENSURE(false && "a purpose outside the closed list");
}

auto purpose_from_id(std::uint8_t id) -> Result<Purpose> {
  if (id >= 1 && id <= 4) return static_cast<Purpose>(id);
  return fail("bad_purpose", "purpose " + std::to_string(id),
              "Sums are opened for updates, statistics, metrics and the council only.");
}

auto stream_id(const Digest& consortium, Purpose purpose, std::uint64_t data_epoch) -> Digest {
  Writer epoch;
  epoch.u64(data_epoch);
  return tagged_hash("consilium/seal/1/stream",
                     {consortium.view(), as_bytes(purpose_name(purpose)), epoch.view()});
}

auto no_model_base(const Digest& stream) -> Digest {
  return tagged_hash("consilium/seal/1/no-model", {stream.view()});
}

auto round_seed(const Digest& stream, RoundId round, const Digest& base,
                const Digest& opening_block_hash, Suite suite) -> Digest {
  Writer number;
  number.u64(round.value);
  Writer id;
  id.u8(static_cast<std::uint8_t>(suite));
  return tagged_hash("consilium/seal/1/round-seed", {stream.view(), number.view(), base.view(),
                                                     opening_block_hash.view(), id.view()});
}

auto set_digest(const Digest& seed, std::span<const SetMember> set) -> Digest {
  std::vector<SetMember> ascending(set.begin(), set.end());
  std::sort(ascending.begin(), ascending.end());
  Writer members;
  for (const SetMember& member : ascending) {
    members.u16(member.hospital.value).digest(member.manifest);
  }
  return tagged_hash("consilium/seal/1/set", {seed.view(), members.view()});
}

auto make_partition(const Digest& seed, std::span<const HospitalId> members, std::size_t cell_min)
    -> Partition {
  std::vector<std::pair<Digest, HospitalId>> drawn;
  for (const HospitalId hospital : std::set<HospitalId>(members.begin(), members.end())) {
    Writer number;
    number.u16(hospital.value);
    drawn.emplace_back(tagged_hash("consilium/seal/1/cell", {seed.view(), number.view()}),
                       hospital);
  }
  if (drawn.empty()) return {};
  std::sort(drawn.begin(), drawn.end());
  const std::size_t cells =
      std::max<std::size_t>(1, drawn.size() / std::max<std::size_t>(1, cell_min));
  Partition partition(cells);
  for (std::size_t at = 0; at < drawn.size(); ++at) {
    partition[at % cells].push_back(drawn[at].second);
  }
  for (auto& cell : partition) std::sort(cell.begin(), cell.end());
  std::sort(partition.begin(), partition.end());
  return partition;
}

auto partition_digest(const Partition& partition) -> Digest {
  Writer writer;
  writer.list(partition, [](Writer& cells, const std::vector<HospitalId>& cell) {
    cells.list(cell, [](Writer& members, HospitalId hospital) { members.u16(hospital.value); });
  });
  return tagged_hash("consilium/seal/1/partition", {writer.view()});
}

auto is_union_of_cells(const Partition& partition, std::span<const HospitalId> set) -> bool {
  const std::set<HospitalId> wanted(set.begin(), set.end());
  std::size_t covered = 0;
  for (const auto& cell : partition) {
    const auto inside = static_cast<std::size_t>(std::count_if(
        cell.begin(), cell.end(), [&](HospitalId hospital) { return wanted.contains(hospital); }));
    if (inside != 0 && inside != cell.size()) return false;
    covered += inside;
  }
  return covered == wanted.size() && covered != 0;
}

}  // namespace consilium::sealing
