#pragma once
// The masking floor: what any secure aggregation with pairwise masks must at least do, and nothing
// else. A hospital adds n − 1 streams of AES-128-CTR into its vector of 32-bit words. No key
// agreement, no shares, no quantisation, no packing.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace consilium::bench {

/// One AES-128-CTR stream.
class MaskStream {
 public:
  virtual ~MaskStream() = default;
  virtual void next(std::span<std::uint8_t> out) = 0;
};

enum class Library { libgcrypt, openssl };

using MaskKey = std::array<std::uint8_t, 16>;
[[nodiscard]] auto make_mask_stream(Library library, const MaskKey& key)
    -> std::unique_ptr<MaskStream>;
/// Name and version of the library as loaded.
[[nodiscard]] auto version_of(Library library) -> std::string;

/// words[p] ← words[p] + Σ ± mask_k[p] mod 2³², in place, with the key schedules of all masks.
/// Their number is a multiple of three.
void mask(Library library, std::span<const MaskKey> keys, std::span<std::uint32_t> words);

}  // namespace consilium::bench
