#include "word_stream.hpp"

#include <cstring>

#include "consilium/foundation/codec.hpp"

#include "block_kernels.hpp"

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
    : cipher_(key_of(key)), secret_(buffer_size), buffer_(secret_.expose()), at_(buffer_size) {}

WordStream::WordStream(const Digest& key)
    : cipher_(key_of(key.view())), open_(buffer_size), buffer_(open_), at_(buffer_size) {}

void WordStream::refill() {
  cipher_.next(buffer_);
  at_ = 0;
}

void WordStream::residues(const PrimeField& field, std::span<std::uint32_t> out) {
  while (!out.empty()) {
    if (at_ == buffer_size) refill();
    const Accepted some = kernels().accept(field, buffer_.data() + at_, (buffer_size - at_) / 4,
                                           out.data(), out.size());
    at_ += 4 * some.read;
    out = out.subspan(some.written);
  }
}

void WordStream::bytes(std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(out.size() % 4 == 0);
  while (!out.empty()) {
    if (at_ == buffer_size) refill();
    const std::size_t size = std::min(out.size(), buffer_size - at_);
    std::memcpy(out.data(), buffer_.data() + at_, size);
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
