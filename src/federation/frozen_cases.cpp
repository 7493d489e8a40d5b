#include "consilium/federation/frozen_cases.hpp"

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::federation {
namespace {

constexpr std::size_t cases_most = 10'000'000;
constexpr std::size_t values_most = std::size_t{1} << 24U;
constexpr std::size_t id_bytes_max = 1U << 16U;
constexpr std::string_view record_tag = "consilium/federation/1/frozen-cases";

auto record_name(sealing::Purpose purpose) -> std::string {
  return "frozen/" + std::string(sealing::purpose_name(purpose));
}

}  // namespace

auto changed_cases(std::span<const CaseMark> before, std::span<const CaseMark> now) -> std::size_t {
  std::size_t changed = 0;
  auto old = before.begin();
  auto present = now.begin();
  while (old != before.end() || present != now.end()) {
    const bool gone = present == now.end() || (old != before.end() && old->id < present->id);
    const bool came = old == before.end() || (present != now.end() && present->id < old->id);
    if (gone || came || old->version != present->version) ++changed;
    if (!came) ++old;
    if (!gone) ++present;
  }
  return changed;
}

auto FrozenCases::encode() const -> Bytes {
  Writer w;
  w.digest(context);
  w.list(cases,
         [](Writer& out, const CaseMark& mark) { out.text(mark.id.value).digest(mark.version); });
  w.list(values, [](Writer& out, std::int64_t value) { out.i64(value); });
  w.digest(tagged_hash(record_tag, {w.view()}));
  return w.take();
}

auto FrozenCases::decode(BytesView bytes) -> Result<FrozenCases> {
  Reader r(bytes, "frozen cases");
  FrozenCases frozen;
  frozen.context = r.digest();
  frozen.cases = r.list(cases_most, [](Reader& in) {
    CaseMark mark;
    mark.id.value = in.text(id_bytes_max);
    mark.version = in.digest();
    return mark;
  });
  frozen.values = r.list(values_most, [](Reader& in) { return in.i64(); });
  const auto checked = bytes.first(bytes.size() - r.rest());
  const Digest digest = r.digest();
  if (!r.finish() || digest != tagged_hash(record_tag, {checked})) {
    return fail("database_damaged", "frozen cases",
                "the record of what was sealed last was changed; restore it from a backup: sealing "
                "from other cases could show a single patient");
  }
  return frozen;
}

auto freeze_cases(NodeStorage& storage, sealing::Purpose purpose, const Digest& context,
                  std::vector<CaseMark> now, std::uint32_t cases_min) -> Result<FrozenCases> {
  FrozenCases frozen{context, std::move(now), {}};
  CONSILIUM_TRY(const auto saved, storage.load(record_name(purpose)));
  if (saved) {
    CONSILIUM_TRY(auto last, FrozenCases::decode(*saved));
    const bool holds = purpose != sealing::Purpose::update || last.context == context;
    if (holds && changed_cases(last.cases, frozen.cases) < cases_min) {
      if (last.context == context) return last;
      frozen.cases = std::move(last.cases);
    }
  }
  CONSILIUM_CHECK(keep_frozen(storage, purpose, frozen));
  return frozen;
}

auto keep_frozen(NodeStorage& storage, sealing::Purpose purpose, const FrozenCases& frozen)
    -> Result<void> {
  return storage.save(record_name(purpose), frozen.encode());
}

}  // namespace consilium::federation
