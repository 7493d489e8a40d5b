// The hospital's side: one vector in; a body, boxes and a manifest out.

#include "body_layout.hpp"
#include "key_sharing.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

/// One-time keys, drawn for one seal and never kept: they die with this object.
struct OneTimeKeys {
  SecretBytes key{32};      ///< k_s
  SecretBytes errors{32};   ///< k_e
  SecretBytes sharing{32};  ///< k_f
  explicit OneTimeKeys(Random& secrets) {
    secrets.fill(key.expose());
    secrets.fill(errors.expose());
    secrets.fill(sharing.expose());
  }
};

/// Any |x| > X_max? Every value is looked at before one decision is made, so that none shows where
/// it stands.
auto check_values(const RoundParameters& round, std::span<const std::int64_t> values,
                  std::int64_t value_max) -> Result<void> {
  if (values.size() != round.length) {
    return fail("length_mismatch", "round " + std::to_string(round.round.value),
                "The vector has " + std::to_string(values.size()) + " values, the round asks for " +
                    std::to_string(round.length) + "; nothing was sealed.");
  }
  // Signs of x_max − x and x_max + x; unsigned, since a bad value may be as large as it likes.
  const auto limit = static_cast<std::uint64_t>(value_max);
  std::uint64_t outside = 0;
  for (const std::int64_t value : values) {
    const auto shifted = static_cast<std::uint64_t>(value) + limit;
    outside |= (2 * limit - shifted) | shifted;
  }
  if ((outside >> 63U) != 0) {
    return fail("bad_value", "round " + std::to_string(round.round.value),
                "A value is larger than the round allows; nothing was sealed.");
  }
  return {};
}

/// Seals blocks one after the other; owns the secret work space.
class BodySealer {
 public:
  BodySealer(const RoundParameters& round, const BodyLayout& layout, HospitalId hospital,
             std::int64_t delta, const KeyWords& key, const SecretBytes& error_key)
      : round_(round),
        layout_(layout),
        hospital_(hospital),
        delta_(delta),
        eta_(parameters_of(round.suite).error_eta),
        prepared_key_(key.size()),
        errors_(error_key.expose()),
        error_bytes_(block_words() * static_cast<std::size_t>(eta_) / 4),
        addend_(block_words()),
        block_(block_words()) {
    const std::size_t degree = layout.degree();
    for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
      prepare_key(layout.fields()[prime], key.expose().subspan(prime * degree, degree),
                  prepared_key_.expose().subspan(prime * degree, degree));
    }
  }

  /// Writes the chunk of `block` into its place in the body; returns its leaf. Blocks must come in
  /// order, the witness last: the errors are one stream. `values` is what the block holds, without
  /// padding.
  auto seal_block(std::uint32_t block, std::span<const std::int64_t> values,
                  std::span<std::uint8_t> body) -> Digest {
    const std::size_t degree = layout_.degree();
    const std::uint32_t lanes = layout_.lanes(block);
    const std::size_t words = degree * lanes;
    const auto addend = addend_.expose().first(words);
    const auto bytes = error_bytes_.expose().first(words * static_cast<std::size_t>(eta_) / 4);
    errors_.bytes(bytes);
    errors_from_bytes(eta_, bytes, addend);
    for (std::size_t at = 0; at < values.size(); ++at) addend[at] += delta_ * values[at];

    const auto chunk =
        body.subspan(layout_.chunk_offset(block), chunk_header_size + layout_.payload_size(block));
    const ChunkHeader header = chunk_header(round_, hospital_, block);
    std::copy(header.begin(), header.end(), chunk.begin());
    auto payload = chunk.subspan(chunk_header_size);
    const auto work = block_.expose().first(words);
    for (std::size_t prime = 0; prime < layout_.fields().size(); ++prime) {
      const PrimeField& field = layout_.fields()[prime];
      expand(round_.seed, block, static_cast<std::uint8_t>(prime), field, work);
      multiply_by_key(field, work, lanes, prepared_key_.expose().subspan(prime * degree, degree));
      add_signed(field, work, addend);
      const std::size_t size = packed_size(field, words);
      pack(field, work, payload.first(size));
      payload = payload.subspan(size);
    }
    return chunk_leaf(header, chunk.subspan(chunk_header_size));
  }

 private:
  [[nodiscard]] auto block_words() const -> std::size_t {
    return layout_.degree() * std::min<std::size_t>(lanes_max, layout_.polynomials());
  }
  const RoundParameters& round_;
  const BodyLayout& layout_;
  HospitalId hospital_;
  std::int64_t delta_;
  int eta_;
  KeyWords prepared_key_;
  WordStream errors_;
  SecretBytes error_bytes_;
  Secret<std::int64_t> addend_;
  Secret<std::uint32_t> block_;
};

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
  CONSILIUM_ENSURE(hospital.value != 0);
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, true));
  CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
  CONSILIUM_CHECK(check_values(round, values, scale.value_max));
  for (const BoxPublicKey& key : round.box_keys) CONSILIUM_CHECK(check_box_key(key));

  const OneTimeKeys keys(secrets);
  const std::size_t degree = layout.degree();
  KeyWords key(layout.fields().size() * degree);
  WordStream key_stream(keys.key.expose());
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    key_stream.residues(layout.fields()[prime], key.expose().subspan(prime * degree, degree));
  }

  Sealed sealed;
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

  sealed.body.resize(layout.body_size());
  BodySealer sealer(round, layout, hospital, scale.delta, key, keys.errors);
  std::vector<Digest> leaves;
  for (std::uint32_t block = 0; block < layout.blocks(); ++block) {
    const std::size_t used = layout.used_slots(block);
    leaves.push_back(sealer.seal_block(block, values.first(used), sealed.body));
    values = values.subspan(used);
  }
  manifest.witness = sealer.seal_block(witness_block, {}, sealed.body);
  manifest.body_root = body_root(layout, std::move(leaves));
  manifest.body_blob = sha256(sealed.body);

  if (round.delivery == Delivery::masked_keys) {
    sealed.lists = ManifestLists{}.encode();
    manifest.lists = sha256(sealed.lists);
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
    sealed.boxes.push_back(close_box(round.box_keys[miner - 1U], plaintext.expose()));
    lists.box_digests.push_back(sha256(sealed.boxes.back()));
    sealed.openings.push_back(std::move(opening));
  }
  lists.response = sharing.response(
      degree_key(round.seed, hospital, manifest.body_root, manifest.witness, lists.share_digests));
  sealed.lists = lists.encode();
  manifest.lists = sha256(sealed.lists);
  return sealed;
}

}  // namespace consilium::sealing
