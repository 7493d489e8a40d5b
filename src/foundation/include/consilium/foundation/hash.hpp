#pragma once
#include <memory>
#include <string_view>
#include <type_traits>

#include "consilium/foundation/bytes.hpp"

namespace consilium {

/// SHA-256 (FIPS 180-4) over pieces, on OpenSSL (about 1.6 GB/s where the processor has the
/// instructions).
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  auto operator=(Hasher&&) noexcept -> Hasher&;
  Hasher(const Hasher&) = delete;
  auto operator=(const Hasher&) -> Hasher& = delete;

  auto add(BytesView bytes) -> Hasher&;
  auto add_text(std::string_view text) -> Hasher&;
  auto add_u8(std::uint8_t value) -> Hasher&;
  auto add_u16(std::uint16_t value) -> Hasher&;  ///< little-endian, as all add_uN
  auto add_u32(std::uint32_t value) -> Hasher&;
  auto add_u64(std::uint64_t value) -> Hasher&;
  /// The digest of all that was added. The hasher is empty again afterwards.
  [[nodiscard]] auto finish() -> Digest;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] auto sha256(BytesView bytes) -> Digest;

/// H(tag, p₁, …) of sealing-spec §1: SHA-256(u16le len(tag) ‖ tag ‖ for each part: u64le len ‖
/// part). Two different lists of parts never give the same input bytes.
[[nodiscard]] auto tagged_hash(std::string_view tag, std::initializer_list<BytesView> parts)
    -> Digest;

/// HMAC-SHA-256 (RFC 2104). Time: linear.
[[nodiscard]] auto hmac_sha256(BytesView key, BytesView message) -> Digest;
/// HKDF-SHA-256 (RFC 5869), extract and expand; `size` ≤ 8160 bytes.
[[nodiscard]] auto hkdf_sha256(BytesView input_key, BytesView salt, BytesView info,
                               std::size_t size) -> Bytes;

}  // namespace consilium
