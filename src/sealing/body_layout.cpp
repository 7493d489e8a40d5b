#include "body_layout.hpp"

#include <algorithm>

#include "consilium/foundation/codec.hpp"

namespace consilium::sealing {
namespace {

/// What one key may seal: the security figures of §3.1 count no more rows.
auto length_cap(Suite suite) -> std::uint64_t {
  return body_suite(suite) == Suite::l48 ? 10'000'000 : 200'000'000;
}

}  // namespace

auto BodyLayout::of(const RoundParameters& round) -> Result<BodyLayout> {
  CONSILIUM_TRY(const Suite suite, suite_from_id(static_cast<std::uint8_t>(round.suite)));
  if (round.length == 0 || round.length > length_cap(suite)) {
    return fail("length_mismatch", round_place(round),
                "One key of this suite seals 1 to " + std::to_string(length_cap(suite)) +
                    " values; split the vector over rounds.");
  }
  const SuiteParameters& parameters = parameters_of(suite);
  BodyLayout layout;
  layout.fields_ = fields_of(suite);
  layout.degree_ = parameters.ring_degree;
  layout.length_ = round.length;
  layout.polynomials_ = (round.length + layout.degree_ - 1) / layout.degree_;
  layout.blocks_ = static_cast<std::uint32_t>((layout.polynomials_ + lanes_max - 1) / lanes_max);
  for (const PrimeField& field : layout.fields_) {
    layout.polynomial_size_ += packed_size(field, layout.degree_);
  }
  layout.rows_ = static_cast<std::size_t>(parameters.degree_rows);
  return layout;
}

auto BodyLayout::lanes(std::uint32_t block) const -> std::uint32_t {
  if (block == witness_block) return 1;
  CONSILIUM_ENSURE(block < blocks_);
  const std::uint64_t before = std::uint64_t{block} * lanes_max;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(lanes_max, polynomials_ - before));
}

auto BodyLayout::used_slots(std::uint32_t block) const -> std::size_t {
  const std::uint64_t before = std::uint64_t{block} * lanes_max * degree_;
  return std::min<std::uint64_t>(std::uint64_t{lanes(block)} * degree_, length_ - before);
}

auto BodyLayout::chunk_offset(std::uint32_t block) const -> std::size_t {
  const std::size_t chunks = block == witness_block ? blocks_ : block;
  const std::uint64_t lanes_before =
      block == witness_block ? polynomials_ : std::uint64_t{block} * lanes_max;
  return chunks * chunk_header_size + lanes_before * polynomial_size_;
}

auto BodyLayout::body_size() const -> std::size_t {
  return chunk_offset(witness_block) + chunk_header_size + polynomial_size_;
}

auto round_place(const RoundParameters& round) -> std::string {
  return "round " + std::to_string(round.round.value);
}

auto check_round(const RoundParameters& round, bool needs_box_keys) -> Result<BodyLayout> {
  CONSILIUM_TRY(BodyLayout layout, BodyLayout::of(round));
  const Committee& committee = round.committee;
  const bool keys_fit = !needs_box_keys || round.box_keys.size() == committee.miners;
  if (committee.miners == 0 || committee.threshold == 0 || committee.threshold > committee.miners ||
      !keys_fit) {
    return fail("length_mismatch", round_place(round),
                "The committee's size, threshold and box keys do not fit together.");
  }
  const BoxKind kind = has_hybrid_boxes(round.suite) ? BoxKind::hybrid : BoxKind::classical;
  const bool one_kind = std::all_of(round.box_keys.begin(), round.box_keys.end(),
                                    [kind](const BoxPublicKey& key) { return key.kind() == kind; });
  if (needs_box_keys && !one_kind) {
    return fail("wrong_box_kind", round_place(round),
                "A miner's box key is not of the kind that the suite asks for; it must rotate it.");
  }
  return layout;
}

auto chunk_header(const RoundParameters& round, HospitalId hospital, std::uint32_t block)
    -> ChunkHeader {
  Writer writer;
  writer.u8(chunk_version)
      .u8(static_cast<std::uint8_t>(round.suite))
      .u64(round.round.value)
      .u16(hospital.value)
      .u32(block);
  ChunkHeader header;
  CONSILIUM_ENSURE(writer.view().size() == header.size());
  std::copy(writer.view().begin(), writer.view().end(), header.begin());
  return header;
}

auto hospital_of(BytesView body) -> HospitalId {
  // Behind version, suite and round number, as chunk_header writes it.
  return HospitalId{static_cast<std::uint16_t>(body[10] | body[11] << 8)};
}

auto chunk_leaf(BytesView header, BytesView payload) -> Digest {
  return tagged_hash("consilium/seal/1/leaf", {header, payload});
}

auto body_root(const BodyLayout& layout, std::vector<Digest> leaves) -> Digest {
  CONSILIUM_ENSURE(leaves.size() == layout.blocks());
  while (leaves.size() > 1) {
    std::vector<Digest> above;
    for (std::size_t at = 0; at + 1 < leaves.size(); at += 2) {
      above.push_back(
          tagged_hash("consilium/seal/1/node", {leaves[at].view(), leaves[at + 1].view()}));
    }
    if (leaves.size() % 2 == 1) above.push_back(leaves.back());
    leaves = std::move(above);
  }
  Writer length;
  length.u64(layout.length());
  Writer blocks;
  blocks.u32(layout.blocks());
  return tagged_hash("consilium/seal/1/root",
                     {length.view(), blocks.view(), leaves.front().view()});
}

void pack_primes(const BodyLayout& layout, std::span<const std::vector<std::uint32_t>> residues,
                 std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(residues.size() == layout.fields().size());
  for (std::size_t prime = 0; prime < residues.size(); ++prime) {
    const PrimeField& field = layout.fields()[prime];
    const std::size_t size = packed_size(field, residues[prime].size());
    pack(field, residues[prime], out.first(size));
    out = out.subspan(size);
  }
  CONSILIUM_ENSURE(out.empty());
}

void pack_words(const BodyLayout& layout, std::span<const std::uint32_t> words,
                std::span<std::uint8_t> out) {
  const std::size_t degree = layout.degree();
  CONSILIUM_ENSURE(words.size() == layout.fields().size() * degree);
  for (const PrimeField& field : layout.fields()) {
    const std::size_t size = packed_size(field, degree);
    pack(field, words.first(degree), out.first(size));
    words = words.subspan(degree);
    out = out.subspan(size);
  }
  CONSILIUM_ENSURE(out.empty());
}

namespace {
/// One prime's part of a payload of `count` residues a prime.
auto part_of(const BodyLayout& layout, std::size_t prime, BytesView payload, std::size_t count)
    -> BytesView {
  std::size_t before = 0;
  for (std::size_t other = 0; other < prime; ++other) {
    before += packed_size(layout.fields()[other], count);
  }
  return payload.subspan(before, packed_size(layout.fields()[prime], count));
}
}  // namespace

auto unpack_prime(const BodyLayout& layout, std::size_t prime, BytesView payload,
                  std::span<std::uint32_t> out) -> Result<void> {
  return unpack(layout.fields()[prime], part_of(layout, prime, payload, out.size()), out);
}

auto add_packed_prime(const BodyLayout& layout, std::size_t prime, BytesView payload,
                      std::span<std::uint32_t> sum) -> Result<void> {
  return add_packed(layout.fields()[prime], part_of(layout, prime, payload, sum.size()), sum);
}

auto box_context(const RoundParameters& round, HospitalId hospital, MinerId miner)
    -> std::array<std::uint8_t, context_size> {
  Writer writer;
  writer.digest(round.seed).u16(hospital.value).u16(miner.value).u32(round.committee_epoch);
  std::array<std::uint8_t, context_size> context{};
  CONSILIUM_ENSURE(writer.view().size() == context.size());
  std::copy(writer.view().begin(), writer.view().end(), context.begin());
  return context;
}

}  // namespace consilium::sealing
