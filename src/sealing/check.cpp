// The miner's side: is what arrived whole, and is the share in the box a share of one key?

#include "body_layout.hpp"
#include "key_sharing.hpp"

namespace consilium::sealing {
namespace {

auto hospital_place(const Manifest& manifest) -> std::string {
  return "hospital " + std::to_string(manifest.hospital.value);
}

}  // namespace

auto body_bytes(const RoundParameters& round) -> Result<std::uint64_t> {
  CONSILIUM_TRY(const BodyLayout layout, BodyLayout::of(round));
  return layout.body_size();
}

auto check_body(const RoundParameters& round, const Manifest& manifest, BytesView body)
    -> Result<void> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  if (manifest.seed != round.seed || manifest.length != round.length) {
    return fail("stale_context", hospital_place(manifest),
                "The manifest belongs to another round; ask for this round's.");
  }
  if (body.size() != layout.body_size()) {
    return fail("length_mismatch", hospital_place(manifest),
                "The body has " + std::to_string(body.size()) + " bytes instead of " +
                    std::to_string(layout.body_size()) + "; fetch it again.");
  }
  std::vector<std::uint32_t> residues;
  std::vector<Digest> leaves;
  const auto check_chunk = [&](std::uint32_t block) -> Result<Digest> {
    const BytesView chunk = layout.chunk(body, block);
    const BytesView payload = chunk.subspan(chunk_header_size);
    const ChunkHeader header = chunk_header(round, manifest.hospital, block);
    if (!std::equal(header.begin(), header.end(), chunk.begin())) {
      return fail("stale_context", hospital_place(manifest),
                  "A chunk belongs to another round, hospital or place; fetch it again.");
    }
    residues.resize(std::size_t{layout.lanes(block)} * layout.degree());
    for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
      CONSILIUM_CHECK(unpack_prime(layout, prime, payload, residues));
    }
    return chunk_leaf(header, payload);
  };
  for (std::uint32_t block = 0; block < layout.blocks(); ++block) {
    CONSILIUM_TRY(Digest leaf, check_chunk(block));
    leaves.push_back(leaf);
  }
  CONSILIUM_TRY(const Digest witness, check_chunk(witness_block));
  if (witness != manifest.witness || body_root(layout, std::move(leaves)) != manifest.body_root ||
      blob_name(body) != manifest.body_blob) {
    return fail("bad_chunk", hospital_place(manifest),
                "The bytes are not those the manifest names; fetch them from another miner.");
  }
  return {};
}

auto check_published_share(const RoundParameters& round, const Manifest& manifest,
                           const ManifestLists& lists, MinerId miner, const ShareOpening& opening)
    -> Result<void> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  const bool fits = miner.value >= 1 && miner.value <= round.committee.miners &&
                    lists.share_digests.size() == round.committee.miners;
  // One sentence for every way to be wrong: which test failed is nobody's business.
  const auto refuse = [&] {
    return fail("bad_sharing", hospital_place(manifest),
                "The share does not fit what the hospital published; complain, or leave it out.");
  };
  if (!fits) return refuse();
  const auto context = box_context(round, manifest.hospital, miner);
  if (share_digest(context, opening) != lists.share_digests[miner.value - 1U]) return refuse();
  const Digest key = degree_key(round.seed, manifest.hospital, manifest.body_root, manifest.witness,
                                lists.share_digests);
  if (!degree_test(layout, round.committee.threshold, miner.value, key, opening, lists.response)) {
    return refuse();
  }
  return {};
}

auto open_share(const RoundParameters& round, const Manifest& manifest, const ManifestLists& lists,
                MinerId miner, BytesView box, const BoxKey& key) -> Result<ShareOpening> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, true));
  if (miner.value < 1 || miner.value > round.committee.miners ||
      lists.box_digests.size() != round.committee.miners ||
      key.public_key() != round.box_keys[miner.value - 1U]) {
    return fail("bad_key", "miner " + std::to_string(miner.value),
                "This is not the miner's box key of the round's committee; neither attest nor "
                "complain, and ask for a new committee.");
  }
  if (blob_name(box) != lists.box_digests[miner.value - 1U]) {
    return fail(
        "unavailable", hospital_place(manifest),
        "These bytes are not the box the manifest names; fetch them again, do not complain.");
  }
  const auto context = box_context(round, manifest.hospital, miner);
  CONSILIUM_TRY(const SecretBytes plaintext, key.open(box, context));
  ShareOpening opening{.share = SecretBytes(layout.polynomial_size()),
                       .masks = SecretBytes(layout.masks_size()),
                       .salt = SecretBytes(salt_size)};
  const std::size_t expected =
      context.size() + opening.share.size() + opening.masks.size() + opening.salt.size();
  BytesView rest = plaintext.expose();
  if (rest.size() != expected || !std::equal(context.begin(), context.end(), rest.begin())) {
    return fail("bad_box", hospital_place(manifest),
                "The box was closed for another round, hospital or miner.");
  }
  rest = rest.subspan(context.size());
  for (SecretBytes* part : {&opening.share, &opening.masks, &opening.salt}) {
    std::copy_n(rest.begin(), part->size(), part->expose().begin());
    rest = rest.subspan(part->size());
  }
  CONSILIUM_CHECK(check_published_share(round, manifest, lists, miner, opening));
  return opening;
}

auto sum_shares(const RoundParameters& round, std::span<const ShareOpening> shares)
    -> Result<Bytes> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  const auto mismatch = [] {
    return fail("length_mismatch", "share sum",
                "Every member of the set needs one checked share of this round's suite.");
  };
  if (shares.empty()) return mismatch();
  const std::size_t degree = layout.degree();
  KeyWords sum(layout.fields().size() * degree);
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    const auto total = sum.expose().subspan(prime * degree, degree);
    for (const ShareOpening& share : shares) {
      if (share.share.size() != layout.polynomial_size()) return mismatch();
      CONSILIUM_CHECK(add_packed_prime(layout, prime, share.share.expose(), total));
    }
  }
  Bytes out(layout.polynomial_size());
  pack_words(layout, sum.expose(), out);
  return out;
}

}  // namespace consilium::sealing
