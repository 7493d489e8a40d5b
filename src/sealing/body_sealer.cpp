#include "body_sealer.hpp"

#include <algorithm>

namespace consilium::sealing {
namespace {

auto words_of(const BodyLayout& layout) -> std::size_t {
  return layout.degree() * std::min<std::size_t>(lanes_max, layout.polynomials());
}

}  // namespace

BodySealer::BodySealer(const RoundParameters& round, const BodyLayout& layout, HospitalId hospital,
                       std::int64_t delta, const KeyWords& key, const SecretBytes& error_key)
    : round_(round),
      layout_(layout),
      hospital_(hospital),
      delta_(delta),
      eta_(parameters_of(round.suite).error_eta),
      prepared_key_(key.size()),
      errors_(error_key.expose()),
      error_bytes_(error_bytes(eta_, words_of(layout))),
      values_(words_of(layout)),
      block_(words_of(layout)) {
  const std::size_t degree = layout.degree();
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    prepare_key(layout.fields()[prime], key.expose().subspan(prime * degree, degree),
                prepared_key_.expose().subspan(prime * degree, degree));
  }
}

auto BodySealer::values(std::uint32_t block) -> std::span<std::int32_t> {
  return values_.expose().first(block == witness_block ? 0 : layout_.used_slots(block));
}

void BodySealer::seal_block(std::uint32_t block, std::span<std::uint8_t> chunk) {
  CONSILIUM_ENSURE(chunk.size() == chunk_size(block));
  const std::size_t degree = layout_.degree();
  const std::uint32_t lanes = layout_.lanes(block);
  const std::size_t words = degree * lanes;
  const auto filled = values_.expose().first(words);
  const auto padding = filled.subspan(values(block).size());
  std::fill(padding.begin(), padding.end(), 0);
  const auto errors = error_bytes_.expose().first(error_bytes(eta_, words));
  errors_.bytes(errors);
  const Addend addend{
      .values = filled.data(), .errors = errors.data(), .eta = eta_, .delta = delta_};

  const ChunkHeader header = chunk_header(round_, hospital_, block);
  std::copy(header.begin(), header.end(), chunk.begin());
  std::uint8_t* payload = chunk.data() + chunk_header_size;
  const auto work = block_.expose().first(words);
  for (std::size_t prime = 0; prime < layout_.fields().size(); ++prime) {
    const PrimeField& field = layout_.fields()[prime];
    expand(round_.seed, block, static_cast<std::uint8_t>(prime), field, work);
    multiply_by_key(field, work, lanes, prepared_key_.expose().subspan(prime * degree, degree));
    kernels().add_and_pack(field, work.data(), words, addend, payload);
    payload += packed_size(field, words);
  }
}

}  // namespace consilium::sealing
