// The hospital's side: one vector in; a body, boxes and a manifest out.

#include <type_traits>

#include "body_pipeline.hpp"
#include "body_sealer.hpp"

namespace consilium::sealing {
namespace {

/// A vector that lies in memory, as a source.
class SpanSource final : public ValueSource {
 public:
  explicit SpanSource(std::span<const std::int64_t> values) : values_(values) {}
  [[nodiscard]] auto next(std::span<std::int32_t> out) -> Result<void> override {
    for (std::size_t at = 0; at < out.size(); ++at)
      out[at] = static_cast<std::int32_t>(values_[at]);
    values_ = values_.subspan(out.size());
    return {};
  }

 private:
  std::span<const std::int64_t> values_;
};

/// Any |x| > X_max? Every value is looked at before one decision is made, so that none shows where
/// it stands.
template <typename Value>
auto check_values(const RoundParameters& round, std::span<const Value> values,
                  std::int64_t value_max) -> Result<void> {
  // Signs of x_max − x and x_max + x; unsigned, since a bad value may be as large as it likes.
  using Word = std::make_unsigned_t<Value>;
  const auto limit = static_cast<Word>(value_max);
  Word outside = 0;
  for (const Value value : values) {
    const Word shifted = static_cast<Word>(value) + limit;
    outside |= (2 * limit - shifted) | shifted;
  }
  if ((outside >> (8 * sizeof(Word) - 1)) != 0) {
    return fail("bad_value", round_place(round),
                "A value is larger than the round allows; nothing was sealed.");
  }
  return {};
}

auto box_plaintext(BytesView context, const ShareOpening& opening) -> SecretBytes {
  SecretBytes plaintext(context.size() + opening.share.size() + opening.masks.size() +
                        opening.salt.size());
  auto out = plaintext.expose().begin();
  for (const BytesView part :
       {context, BytesView(opening.share.expose()), BytesView(opening.masks.expose()),
        BytesView(opening.salt.expose())}) {
    out = std::copy(part.begin(), part.end(), out);
  }
  return plaintext;
}

}  // namespace

auto seal(const RoundParameters& round, HospitalId hospital, std::span<const std::int64_t> values,
          Random& secrets) -> Result<Sealed> {
  return seal(round, hospital, values, unhedged_keys(secrets));
}

auto seal(const RoundParameters& round, HospitalId hospital, std::span<const std::int64_t> values,
          const OneTimeKeys& keys) -> Result<Sealed> {
  CONSILIUM_CHECK(check_round(round, true));
  CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
  if (values.size() != round.length) {
    return fail("length_mismatch", round_place(round),
                "The vector has " + std::to_string(values.size()) + " values, the round asks for " +
                    std::to_string(round.length) + "; nothing was sealed.");
  }
  CONSILIUM_CHECK(check_values(round, values, scale.value_max));
  SpanSource source(values);
  MemorySink body;
  Sealed sealed;
  CONSILIUM_TRY(static_cast<SealedKeys&>(sealed),
                seal_stream(round, hospital, source, body, keys, SealThreads::one));
  sealed.body = body.take();
  return sealed;
}

auto seal_stream(const RoundParameters& round, HospitalId hospital, ValueSource& values,
                 BodySink& body, Random& secrets, SealThreads threads) -> Result<SealedKeys> {
  return seal_stream(round, hospital, values, body, unhedged_keys(secrets), threads);
}

auto seal_stream(const RoundParameters& round, HospitalId hospital, ValueSource& values,
                 BodySink& body, const OneTimeKeys& keys, SealThreads threads)
    -> Result<SealedKeys> {
  CONSILIUM_ENSURE(hospital.value != 0);
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, true));
  CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
  for (const BoxPublicKey& key : round.box_keys) {
    CONSILIUM_CHECK(check_box_key(key));
    CONSILIUM_CHECK(check_available(key.kind()));
  }

  const std::size_t degree = layout.degree();
  KeyWords key(layout.fields().size() * degree);
  WordStream key_stream(keys.key.expose());
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    key_stream.residues(layout.fields()[prime], key.expose().subspan(prime * degree, degree));
  }

  SealedKeys sealed;
  Manifest& manifest = sealed.manifest;
  manifest.consortium = round.consortium;
  manifest.stream = round.stream;
  manifest.seed = round.seed;
  manifest.base = round.base;
  manifest.round = round.round;
  manifest.suite = static_cast<std::uint8_t>(round.suite);
  manifest.hospital = hospital;
  manifest.length = round.length;
  manifest.committee_epoch = round.committee_epoch;

  BodySealer sealer(round, layout, hospital, scale.delta, key, keys.errors);
  BodyPipeline pipeline(body, std::size_t{layout.blocks()} + 1, threads == SealThreads::two);
  const auto seal_block = [&](std::uint32_t block) -> Result<void> {
    CONSILIUM_TRY(const auto chunk, pipeline.room(sealer.chunk_size(block)));
    sealer.seal_block(block, chunk);
    return pipeline.put();
  };
  for (std::uint32_t block = 0; block < layout.blocks(); ++block) {
    const auto room = sealer.values(block);
    CONSILIUM_CHECK(values.next(room));
    CONSILIUM_CHECK(check_values<std::int32_t>(round, room, scale.value_max));
    CONSILIUM_CHECK(seal_block(block));
  }
  CONSILIUM_CHECK(seal_block(witness_block));
  CONSILIUM_TRY(manifest.body_blob, pipeline.finish());
  std::vector<Digest> leaves = pipeline.leaves();
  manifest.witness = leaves.back();
  leaves.pop_back();
  manifest.body_root = body_root(layout, std::move(leaves));

  if (round.delivery == Delivery::masked_keys) {
    sealed.lists = ManifestLists{}.encode();
    manifest.lists = blob_name(sealed.lists);
    sealed.key = std::move(key);
    return sealed;
  }
  WordStream sharing_stream(keys.sharing.expose());
  const SharingPolynomials sharing(layout, round.committee.threshold, key, sharing_stream);
  ManifestLists lists;
  for (std::uint16_t miner = 1; miner <= round.committee.miners; ++miner) {
    ShareOpening opening = sharing.share_at(miner);
    sharing_stream.bytes(opening.salt.expose());
    const auto context = box_context(round, hospital, MinerId{miner});
    lists.share_digests.push_back(share_digest(context, opening));
    const SecretBytes plaintext = box_plaintext(context, opening);
    sealed.boxes.push_back(close_box(round.box_keys[miner - 1U], plaintext.expose(), context));
    lists.box_digests.push_back(blob_name(sealed.boxes.back()));
    sealed.openings.push_back(std::move(opening));
  }
  lists.response = sharing.response(
      degree_key(round.seed, hospital, manifest.body_root, manifest.witness, lists.share_digests));
  sealed.lists = lists.encode();
  manifest.lists = blob_name(sealed.lists);
  return sealed;
}

}  // namespace consilium::sealing
