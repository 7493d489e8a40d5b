#include "floor.hpp"

#include <algorithm>
#include <string>

#include <gcrypt.h>
#include <openssl/evp.h>

#include "consilium/foundation/result.hpp"

namespace consilium::bench {
namespace {

// Of 4, 8 and 16 KiB the fastest here: masks, zeros and words of a piece stay close to the
// processor. the L1 cache.
constexpr std::size_t piece_words = 2048;
constexpr std::array<std::uint8_t, 4 * piece_words> zeros{};

class GcryptStream final : public MaskStream {
 public:
  explicit GcryptStream(const MaskKey& key) {
    static const bool ready = [] {
      return gcry_check_version(nullptr) != nullptr &&
             gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0) == 0;
    }();
    CONSILIUM_ENSURE(ready);
    CONSILIUM_ENSURE(gcry_cipher_open(&cipher_, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CTR, 0) == 0);
    CONSILIUM_ENSURE(gcry_cipher_setkey(cipher_, key.data(), key.size()) == 0);
    const std::array<std::uint8_t, 16> counter{};
    CONSILIUM_ENSURE(gcry_cipher_setctr(cipher_, counter.data(), counter.size()) == 0);
  }
  GcryptStream(const GcryptStream&) = delete;
  auto operator=(const GcryptStream&) -> GcryptStream& = delete;
  ~GcryptStream() override { gcry_cipher_close(cipher_); }
  void next(std::span<std::uint8_t> out) override {
    CONSILIUM_ENSURE(
        gcry_cipher_encrypt(cipher_, out.data(), out.size(), zeros.data(), out.size()) == 0);
  }

 private:
  gcry_cipher_hd_t cipher_ = nullptr;
};

class OpensslStream final : public MaskStream {
 public:
  explicit OpensslStream(const MaskKey& key) : context_(EVP_CIPHER_CTX_new()) {
    const std::array<std::uint8_t, 16> counter{};
    CONSILIUM_ENSURE(context_ != nullptr && EVP_EncryptInit_ex(context_, EVP_aes_128_ctr(), nullptr,
                                                               key.data(), counter.data()) == 1);
  }
  OpensslStream(const OpensslStream&) = delete;
  auto operator=(const OpensslStream&) -> OpensslStream& = delete;
  ~OpensslStream() override { EVP_CIPHER_CTX_free(context_); }
  void next(std::span<std::uint8_t> out) override {
    int written = 0;
    CONSILIUM_ENSURE(EVP_EncryptUpdate(context_, out.data(), &written, zeros.data(),
                                       static_cast<int>(out.size())) == 1);
  }

 private:
  EVP_CIPHER_CTX* context_;
};

using Piece = std::array<std::uint32_t, piece_words>;
/// Three masks are added in one pass over the words: fewer loads and stores than one after the
/// other. The compiler writes it for the widest registers there are and chooses at start.
__attribute__((target_clones("avx512f", "avx2", "default"))) void add_three(
    std::uint32_t* __restrict to, const std::uint32_t* __restrict first,
    const std::uint32_t* __restrict second, const std::uint32_t* __restrict third,
    std::size_t count) {
  for (std::size_t at = 0; at < count; ++at) to[at] += first[at] - second[at] + third[at];
}

}  // namespace

auto make_mask_stream(Library library, const MaskKey& key) -> std::unique_ptr<MaskStream> {
  if (library == Library::libgcrypt) return std::make_unique<GcryptStream>(key);
  return std::make_unique<OpensslStream>(key);
}

auto version_of(Library library) -> std::string {
  return library == Library::libgcrypt ? "libgcrypt " + std::string(gcry_check_version(nullptr))
                                       : OpenSSL_version(OPENSSL_VERSION);
}

void mask(Library library, std::span<const MaskKey> keys, std::span<std::uint32_t> words) {
  CONSILIUM_ENSURE(keys.size() % 3 == 0);
  std::vector<std::unique_ptr<MaskStream>> streams;
  for (const MaskKey& key : keys) streams.push_back(make_mask_stream(library, key));
  alignas(64) std::array<Piece, 3> masks{};
  for (std::size_t start = 0; start < words.size(); start += piece_words) {
    const std::size_t count = std::min(piece_words, words.size() - start);
    const auto out = words.subspan(start, count);
    // Of each pair of hospitals one adds the mask and the other subtracts it.
    for (std::size_t peer = 0; peer < streams.size(); peer += masks.size()) {
      for (std::size_t at = 0; at < masks.size(); ++at) {
        streams[peer + at]->next(
            std::span(reinterpret_cast<std::uint8_t*>(masks[at].data()), 4 * count));
      }
      add_three(out.data(), masks[0].data(), masks[1].data(), masks[2].data(), count);
    }
  }
}

}  // namespace consilium::bench
