// What a hospital says about its sealed vector, as bytes, and whether it fits a round.

#include "consilium/foundation/codec.hpp"

#include "body_layout.hpp"

namespace consilium::sealing {

auto Manifest::encode() const -> Bytes {
  Writer writer;
  writer.digest(consortium)
      .digest(stream)
      .digest(seed)
      .digest(base)
      .u64(round.value)
      .u8(suite)
      .u16(hospital.value)
      .u64(length)
      .digest(body_root)
      .digest(witness)
      .digest(body_blob)
      .u32(committee_epoch)
      .digest(lists);
  return writer.take();
}

auto Manifest::decode(BytesView bytes) -> Result<Manifest> {
  Reader reader(bytes, "manifest");
  Manifest manifest;
  manifest.consortium = reader.digest();
  manifest.stream = reader.digest();
  manifest.seed = reader.digest();
  manifest.base = reader.digest();
  manifest.round.value = reader.u64();
  manifest.suite = reader.u8();
  manifest.hospital.value = reader.u16();
  manifest.length = reader.u64();
  manifest.body_root = reader.digest();
  manifest.witness = reader.digest();
  manifest.body_blob = reader.digest();
  manifest.committee_epoch = reader.u32();
  manifest.lists = reader.digest();
  CONSILIUM_CHECK(reader.finish());
  return manifest;
}

auto Manifest::digest() const -> Digest {
  return tagged_hash("consilium/seal/1/manifest", {encode()});
}

auto ManifestLists::encode() const -> Bytes {
  const auto each_digest = [](Writer& writer, const Digest& digest) { writer.digest(digest); };
  Writer writer;
  writer.list(share_digests, each_digest)
      .list(box_digests, each_digest)
      .list(response, [](Writer& words, std::uint32_t word) { words.u32(word); });
  return writer.take();
}

auto ManifestLists::decode(BytesView bytes, const RoundParameters& round) -> Result<ManifestLists> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  const bool shared = round.delivery == Delivery::shares;
  const std::size_t miners = shared ? round.committee.miners : 0;
  const std::size_t per_prime = layout.rows() * round.committee.threshold;
  const std::size_t words = shared ? layout.fields().size() * per_prime : 0;
  // Any count a blob of this size can hold is read, so that a wrong one has its own name.
  const auto each_digest = [](Reader& reader) { return reader.digest(); };
  Reader reader(bytes, "manifest lists");
  ManifestLists lists;
  lists.share_digests = reader.list(bytes.size(), each_digest);
  lists.box_digests = reader.list(bytes.size(), each_digest);
  lists.response = reader.list(bytes.size(), [](Reader& from) { return from.u32(); });
  CONSILIUM_CHECK(reader.finish());
  if (lists.share_digests.size() != miners || lists.box_digests.size() != miners ||
      lists.response.size() != words) {
    return fail("length_mismatch", "manifest lists",
                "The lists do not fit the round's committee and suite; the manifest is refused.");
  }
  for (std::size_t at = 0; at < words; ++at) {
    if (lists.response[at] >= layout.fields()[at / per_prime].q) {
      return fail("bad_encoding", "manifest lists",
                  "A word of the degree response is not canonical; the manifest is refused.");
    }
  }
  return lists;
}

auto check_manifest(const RoundParameters& round, const Manifest& manifest, BytesView lists)
    -> Result<ManifestLists> {
  const std::string place = "manifest of hospital " + std::to_string(manifest.hospital.value);
  if (manifest.consortium != round.consortium || manifest.stream != round.stream ||
      manifest.seed != round.seed || manifest.base != round.base || manifest.round != round.round ||
      manifest.suite != static_cast<std::uint8_t>(round.suite) ||
      manifest.committee_epoch != round.committee_epoch) {
    return fail("stale_context", place,
                "It was made for another round, base or committee; seal again for this one.");
  }
  if (manifest.length != round.length) {
    return fail("length_mismatch", place, "Its vector has another length than the round asks for.");
  }
  if (manifest.hospital.value == 0) {
    return fail("bad_encoding", place, "Hospitals are numbered from 1.");
  }
  if (blob_name(lists) != manifest.lists) {
    return fail("bad_encoding", place,
                "The lists are not those the manifest names; fetch them again.");
  }
  return ManifestLists::decode(lists, round);
}

}  // namespace consilium::sealing
