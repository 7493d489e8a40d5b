#include "streams.hpp"

#include <algorithm>
#include <set>

#include <openssl/evp.h>

#include "consilium/foundation/secret.hpp"

#include "wire.hpp"

namespace consilium::alignment {

struct WordStreams::State {
  explicit State(std::span<const std::uint8_t, stream_key_bytes> key)
      : context(EVP_CIPHER_CTX_new()) {
    CONSILIUM_ENSURE(context != nullptr);
    CONSILIUM_ENSURE(EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), nullptr, key.data(), nullptr) ==
                     1);
    CONSILIUM_ENSURE(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
  }
  ~State() { EVP_CIPHER_CTX_free(context); }  // wipes the key schedule
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  EVP_CIPHER_CTX* context;
  std::set<std::pair<std::uint32_t, std::uint32_t>> used;
};

WordStreams::WordStreams(std::span<const std::uint8_t, stream_key_bytes> key)
    : state_(std::make_unique<State>(key)) {}
WordStreams::~WordStreams() = default;
WordStreams::WordStreams(WordStreams&&) noexcept = default;
auto WordStreams::operator=(WordStreams&&) noexcept -> WordStreams& = default;

void WordStreams::read(std::uint32_t chunk, std::uint32_t stream, std::span<std::uint64_t> out) {
  CONSILIUM_ENSURE(state_ != nullptr);
  CONSILIUM_ENSURE(state_->used.insert({chunk, stream}).second);
  // 64 blocks a call: a kilobyte, after which the cost of the call does not show any more.
  constexpr std::size_t blocks_a_call = 64;
  std::array<std::uint64_t, 2 * blocks_a_call> piece{};
  std::uint32_t block = 0;
  while (!out.empty()) {
    for (std::size_t i = 0; i < blocks_a_call; ++i) {
      piece[2 * i] = std::uint64_t{block++} | std::uint64_t{chunk} << 32U;
      piece[2 * i + 1] = stream;
    }
    const auto bytes = writable_bytes_of(piece);
    int written = 0;
    CONSILIUM_ENSURE(EVP_EncryptUpdate(state_->context, bytes.data(), &written, bytes.data(),
                                       static_cast<int>(bytes.size())) == 1);
    CONSILIUM_ENSURE(static_cast<std::size_t>(written) == bytes.size());
    const auto take = std::min(out.size(), piece.size());
    std::copy_n(piece.begin(), take, out.begin());
    out = out.subspan(take);
  }
  wipe(writable_bytes_of(piece));
}

}  // namespace consilium::alignment
