#include "kept_update.hpp"

#include "consilium/foundation/codec.hpp"

namespace consilium::federation {
namespace {

auto name_of(RoundId round) -> std::string {
  return "rounds/" + std::to_string(round.value) + "/update";
}

}  // namespace

auto keep_update(NodeStorage& storage, RoundId round, const Digest& seed,
                 std::span<const std::int64_t> values) -> Result<void> {
  Writer w;
  w.digest(seed).u64(values.size());
  for (const std::int64_t value : values) w.i64(value);
  return storage.save(name_of(round), w.view());
}

auto kept_update(NodeStorage& storage, RoundId round, const Digest& seed)
    -> Result<std::optional<std::vector<std::int64_t>>> {
  CONSILIUM_TRY(const auto saved, storage.load(name_of(round)));
  std::optional<std::vector<std::int64_t>> out;
  if (!saved) return out;
  Reader r(*saved, "kept update");
  const Digest made_for = r.digest();
  const std::uint64_t count = r.u64();
  if (made_for != seed || count > saved->size() / sizeof(std::int64_t)) return out;
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) value = r.i64();
  if (r.finish()) out = std::move(values);
  return out;
}

auto drop_update(NodeStorage& storage, RoundId round) -> Result<void> {
  return storage.erase(name_of(round));
}

}  // namespace consilium::federation
