#include "blob_care.hpp"

#include <algorithm>

#include "consilium/foundation/blob_name.hpp"

namespace consilium::app {
namespace {

auto shown_leaf(const ledger::RoundRecord& round, HospitalId self, Height next,
                const courier::BlobStore& blobs) -> std::optional<ledger::Body> {
  for (const auto& [who, challenge] : round.challenges) {
    if (who.first != self || challenge.answered || next > challenge.deadline) continue;
    const auto body = blobs.get(round.manifests.at(self).manifest.body_blob);
    if (!body || challenge.leaf >= blob_leaf_count(body->size())) continue;
    const BytesView rest = BytesView(*body).subspan(challenge.leaf * blob_leaf_bytes);
    const BytesView leaf = rest.first(std::min(rest.size(), blob_leaf_bytes));
    return ledger::Respond{round.id, self, challenge.leaf, Bytes(leaf.begin(), leaf.end()),
                           blob_leaf_path(*body, challenge.leaf)};
  }
  return std::nullopt;
}

auto missed_body(const ledger::State& state, const ledger::RoundRecord& round, HospitalId self,
                 const courier::BlobStore& blobs, Random& random) -> std::optional<ledger::Body> {
  const auto holds = [](const std::vector<HospitalId>& ids, HospitalId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  const bool late = round.state == ledger::RoundState::attesting &&
                    state.height().value + round.policy.attest_heights / 2 >= round.deadline.value;
  if (!late || round.policy.challenge_heights == 0 || !holds(round.miners, self))
    return std::nullopt;
  const auto size = sealing::body_bytes(state.parameters_of(round));
  if (!size) return std::nullopt;
  for (const auto& [hospital, submission] : round.manifests) {
    if (hospital == self || holds(round.excluded, hospital) ||
        round.challenges.contains({hospital, self}) || blobs.has(submission.manifest.body_blob))
      continue;
    return ledger::Challenge{round.id, hospital, random.below(blob_leaf_count(*size))};
  }
  return std::nullopt;
}

}  // namespace

auto next_blob_word(const ledger::State& state, HospitalId self, const courier::BlobStore& blobs,
                    Random& random) -> std::optional<ledger::Body> {
  const Height next{state.height().value + 1};
  for (const auto& [id, round] : state.rounds()) {
    if (is_closed(round.state)) continue;
    if (auto leaf = shown_leaf(round, self, next, blobs)) return leaf;
    if (auto challenge = missed_body(state, round, self, blobs, random)) return challenge;
  }
  return std::nullopt;
}

auto erase_boxes(const sealing::RoundParameters& round, const sealing::Manifest& manifest,
                 courier::BlobStore& blobs) -> Result<void> {
  const auto lists = blobs.get(manifest.lists);
  if (!lists) return {};
  const auto decoded = sealing::ManifestLists::decode(*lists, round);
  if (!decoded) return {};
  for (const Digest& box : decoded->box_digests) CONSILIUM_CHECK(blobs.remove(box));
  return {};
}

auto drop_released(const ledger::State& state, courier::BlobStore& blobs) -> Result<std::size_t> {
  const auto released = state.released_blobs();
  if (released.empty()) return 0;
  for (const auto& [id, round] : state.rounds()) {
    if (!is_closed(round.state)) continue;
    for (const auto& [hospital, submission] : round.manifests) {
      const Digest& lists = submission.manifest.lists;
      if (std::binary_search(released.begin(), released.end(), lists) && blobs.has(lists))
        CONSILIUM_CHECK(erase_boxes(state.parameters_of(round), submission.manifest, blobs));
    }
  }
  std::size_t gone = 0;
  for (const Digest& name : released) {
    if (!blobs.has(name)) continue;
    CONSILIUM_CHECK(blobs.remove(name));
    ++gone;
  }
  return gone;
}

}  // namespace consilium::app
