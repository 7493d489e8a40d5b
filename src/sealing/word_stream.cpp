#include "word_stream.hpp"

#include <cstring>

#include "consilium/foundation/codec.hpp"

namespace consilium::sealing {
namespace {

// Two pages: long enough for the cipher to run at speed, short enough for locked memory.
constexpr std::size_t buffer_size = 8192;

auto key_of(BytesView key) -> std::span<const std::uint8_t, 32> {
  CONSILIUM_ENSURE(key.size() == 32);
  return std::span<const std::uint8_t, 32>(key.data(), 32);
}

}  // namespace

WordStream::WordStream(BytesView key)
    : cipher_(key_of(key)), buffer_(buffer_size), at_(buffer_size) {}

void WordStream::refill() {
  cipher_.next(buffer_.expose());
  at_ = 0;
}

void WordStream::residues(const PrimeField& field, std::span<std::uint32_t> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    if (at_ == buffer_size) refill();
    const std::uint8_t* const from = buffer_.expose().data() + at_;
    const std::uint32_t word = (std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8U |
                                std::uint32_t{from[2]} << 16U | std::uint32_t{from[3]} << 24U) &
                               field.word_mask;
    at_ += 4;
    out[filled] = word;
    filled += word < field.q ? 1U : 0U;
  }
}

void WordStream::bytes(std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(out.size() % 4 == 0);
  while (!out.empty()) {
    if (at_ == buffer_size) refill();
    const std::size_t size = std::min(out.size(), buffer_size - at_);
    std::memcpy(out.data(), buffer_.expose().data() + at_, size);
    at_ += size;
    out = out.subspan(size);
  }
}

auto expansion_key(const Digest& round_seed, std::uint32_t block, std::uint8_t prime_index)
    -> Digest {
  Writer number;
  number.u32(block);
  Writer prime;
  prime.u8(prime_index);
  return tagged_hash("consilium/seal/1/expand", {round_seed.view(), number.view(), prime.view()});
}

void expand(const Digest& round_seed, std::uint32_t block, std::uint8_t prime_index,
            const PrimeField& field, std::span<std::uint32_t> out) {
  WordStream stream(expansion_key(round_seed, block, prime_index));
  stream.residues(field, out);
}

}  // namespace consilium::sealing
