// What a carried transaction leaves out because every ledger that can judge it knows it: filled in
// again before its signature is tried.

#include <type_traits>

#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger {
namespace {

auto place_of(RoundId id) -> std::string {
  return "round " + std::to_string(id.value);
}

auto fill(SubmitManifest& body, HospitalId sender, const RoundRecord& round, const State& state)
    -> Result<void> {
  if (round.seed == Digest{})
    return fail("too_early", place_of(round.id),
                "Its seed is known when the block that opened it has ended.");
  const sealing::RoundParameters parameters = state.parameters_of(round);
  sealing::Manifest& manifest = body.manifest;
  manifest.consortium = parameters.consortium;
  manifest.stream = parameters.stream;
  manifest.seed = parameters.seed;
  manifest.base = parameters.base;
  manifest.round = parameters.round;
  manifest.suite = round.open.suite;
  manifest.hospital = sender;
  manifest.length = parameters.length;
  manifest.committee_epoch = parameters.committee_epoch;
  return {};
}

/// A hospital that has submitted nothing stays without a manifest, which no rule takes.
void fill(Freeze& body, const RoundRecord& round) {
  for (auto& member : body.set) {
    const auto submitted = round.manifests.find(member.hospital);
    if (submitted != round.manifests.end()) member.manifest = submitted->second.manifest.digest();
  }
}

auto fill_set(Digest& set_digest, const RoundRecord& round) -> Result<void> {
  if (round.set.empty())
    return fail("stale_context", place_of(round.id),
                "It is about a frozen set, and this ledger has none: catch up and sign again.");
  set_digest = round.set_digest;
  return {};
}

}  // namespace

auto Transaction::decode(BytesView bytes, const State& state) -> Result<Transaction> {
  CONSILIUM_TRY(Transaction transaction, decode(bytes));
  transaction.consortium = state.consortium();
  const auto fill_body = [&](auto& body) -> Result<void> {
    using Kind = std::remove_reference_t<decltype(body)>;
    constexpr bool is_manifest = std::is_same_v<Kind, SubmitManifest>;
    constexpr bool is_freeze = std::is_same_v<Kind, Freeze>;
    constexpr bool is_ready = std::is_same_v<Kind, Ready>;
    constexpr bool publishes =
        std::is_same_v<Kind, PublishShare> || std::is_same_v<Kind, PublishKey>;
    if constexpr (is_manifest || is_freeze || is_ready || publishes) {
      const RoundRecord* round = state.find_round(body.round);
      if (round == nullptr)
        return fail("unknown_round", place_of(body.round), "No such round was opened.");
      if constexpr (is_manifest) CONSILIUM_CHECK(fill(body, transaction.sender, *round, state));
      if constexpr (is_freeze) fill(body, *round);
      if constexpr (is_ready || publishes) CONSILIUM_CHECK(fill_set(body.set_digest, *round));
      if constexpr (is_ready) body.partition_digest = round->partition_digest;
    }
    return {};
  };
  CONSILIUM_CHECK(std::visit(fill_body, transaction.body));
  return transaction;
}

}  // namespace consilium::ledger
