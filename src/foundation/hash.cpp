#include "consilium/foundation/hash.hpp"

#include <algorithm>
#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "consilium/foundation/secret.hpp"

namespace consilium {
namespace {

/// Fetched once: a fetch for every hash would cost more than hashing a short message.
auto sha256_method() -> const EVP_MD* {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CONSILIUM_ENSURE(method != nullptr);
  return method;
}

}  // namespace

struct Hasher::State {
  State() : context(EVP_MD_CTX_new()) {
    CONSILIUM_ENSURE(context != nullptr);
    start();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  void start() const {
    CONSILIUM_ENSURE(EVP_DigestInit_ex(context, sha256_method(), nullptr) == 1);
  }

  EVP_MD_CTX* context;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
auto Hasher::operator=(Hasher&&) noexcept -> Hasher& = default;

auto Hasher::add(BytesView bytes) -> Hasher& {
  CONSILIUM_ENSURE(state_ != nullptr);
  CONSILIUM_ENSURE(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
  return *this;
}

auto Hasher::add_text(std::string_view text) -> Hasher& {
  return add(as_bytes(text));
}

auto Hasher::add_u8(std::uint8_t value) -> Hasher& {
  return add({&value, 1});
}

auto Hasher::add_u16(std::uint16_t value) -> Hasher& {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(value & 0xFFU),
                                          static_cast<std::uint8_t>(value >> 8U)};
  return add(bytes);
}

auto Hasher::add_u32(std::uint32_t value) -> Hasher& {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  return add(bytes);
}

auto Hasher::add_u64(std::uint64_t value) -> Hasher& {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  return add(bytes);
}

auto Hasher::finish() -> Digest {
  CONSILIUM_ENSURE(state_ != nullptr);
  Digest digest;
  unsigned int size = 0;
  CONSILIUM_ENSURE(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), &size) == 1);
  CONSILIUM_ENSURE(size == digest.bytes.size());
  state_->start();
  return digest;
}

auto sha256(BytesView bytes) -> Digest {
  Digest digest;
  unsigned int size = 0;
  CONSILIUM_ENSURE(EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), &size,
                              sha256_method(), nullptr) == 1);
  CONSILIUM_ENSURE(size == digest.bytes.size());
  return digest;
}

auto tagged_hash(std::string_view tag, std::initializer_list<BytesView> parts) -> Digest {
  CONSILIUM_ENSURE(tag.size() <= 0xFFFFU);
  Hasher hasher;
  hasher.add_u16(static_cast<std::uint16_t>(tag.size())).add_text(tag);
  for (const BytesView part : parts) hasher.add_u64(part.size()).add(part);
  return hasher.finish();
}

auto hmac_sha256(BytesView key, BytesView message) -> Digest {
  CONSILIUM_ENSURE(key.size() <= 0x7FFFFFFFU);
  // OpenSSL takes no null key or message, not even an empty one.
  const std::uint8_t nothing = 0;
  Digest digest;
  unsigned int size = 0;
  const auto* made =
      HMAC(sha256_method(), key.empty() ? &nothing : key.data(), static_cast<int>(key.size()),
           message.empty() ? &nothing : message.data(), message.size(), digest.bytes.data(), &size);
  CONSILIUM_ENSURE(made != nullptr && size == digest.bytes.size());
  return digest;
}

auto hkdf_sha256(BytesView input_key, BytesView salt, BytesView info, std::size_t size) -> Bytes {
  CONSILIUM_ENSURE(size <= 255 * sizeof(Digest::bytes));
  // An absent salt stands for 32 zero bytes (RFC 5869 §2.2), which HMAC's padding makes of an empty
  // key.
  Digest extracted = hmac_sha256(salt, input_key);
  Bytes out;
  out.reserve(size);
  Digest block;
  Bytes message;
  message.reserve(sizeof(block.bytes) + info.size() + 1);
  for (std::uint8_t counter = 1; out.size() < size; ++counter) {
    message.clear();
    if (counter > 1) message.insert(message.end(), block.bytes.begin(), block.bytes.end());
    message.insert(message.end(), info.begin(), info.end());
    message.push_back(counter);
    block = hmac_sha256(extracted.bytes, message);
    const std::size_t taken = std::min(size - out.size(), block.bytes.size());
    out.insert(out.end(), block.bytes.begin(),
               block.bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    wipe(message);
  }
  wipe(block.bytes);
  wipe(extracted.bytes);
  return out;
}

}  // namespace consilium
