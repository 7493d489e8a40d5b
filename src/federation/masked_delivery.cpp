// Delivery C: a hospital guards its own key, since nobody else does (sealing-spec §6.3).

#include <algorithm>

#include "consilium/sealing/masked_key.hpp"

#include "participant_steps.hpp"

namespace consilium::federation {

auto send_masked_key(const RoundContext& context, const Secret<std::uint32_t>& key) -> Next {
  const ledger::RoundRecord& round = context.round;
  const HospitalId self = context.identity.self;
  if (!context.is_in_set() || round.masked_keys.contains(self)) return std::nullopt;
  if (context.state.height().value > round.deadline.value) return std::nullopt;
  if (key.size() == 0) {
    context.remark(
        "the key of this hospital's seal was lost with its process; nothing is sent, and the round "
        "will be sealed again");
    return std::nullopt;
  }
  // The manifest in U must be this hospital's own: the ledger's copy is its word, signed by it.
  const auto own = std::find_if(round.set.begin(), round.set.end(),
                                [self](const auto& member) { return member.hospital == self; });
  if (own->manifest != round.manifests.at(self).manifest.digest()) {
    context.remark("not_the_rule: the set names another manifest than this hospital made");
    return std::nullopt;
  }
  if (auto logged = log_the_set(context); !logged) {
    if (ends_the_node(logged.error())) return tl::unexpected(logged.error());
    context.remark(logged.error().message());
    return std::nullopt;
  }
  std::vector<sealing::MaskPeer> others;
  for (const auto& member : round.set) {
    if (member.hospital == self) continue;
    others.push_back({member.hospital, context.state.members().at(member.hospital).info.box_key});
  }
  CONSILIUM_TRY(const Bytes masked,
                sealing::mask_key(context.state.parameters_of(round), round.set_digest, self,
                                  *context.identity.box_key, others, key));
  // In the log before the bytes can be fetched: it is never said afterwards that nothing was sent.
  CONSILIUM_CHECK(context.set_log.record(
      log_entry(context, sealing::SetLogKind::published, round.partition_digest)));
  const BytesView blob = masked;
  CONSILIUM_TRY(const auto digests, context.storage.put_blobs(std::span(&blob, 1)));
  return ledger::PublishKey{round.id, round.set_digest, digests.front()};
}

}  // namespace consilium::federation
