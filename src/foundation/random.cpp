#include "consilium/foundation/random.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <numbers>

#include <openssl/evp.h>
#include <sys/random.h>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/secret.hpp"

namespace consilium {

auto Random::u32() -> std::uint32_t {
  std::array<std::uint8_t, 4> bytes{};
  fill(bytes);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint32_t{bytes[i]} << (8 * i);
  return value;
}

auto Random::u64() -> std::uint64_t {
  std::array<std::uint8_t, 8> bytes{};
  fill(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
  return value;
}

auto Random::below(std::uint64_t bound) -> std::uint64_t {
  CONSILIUM_ENSURE(bound >= 1);
  // 2^64 mod bound values at the low end are refused; what is left is a whole multiple of bound.
  const std::uint64_t refused = (0 - bound) % bound;
  std::uint64_t value = u64();
  while (value < refused) value = u64();
  return value % bound;
}

auto Random::unit() -> double {
  return static_cast<double>(u64() >> 11U) * 0x1p-53;
}

auto Random::normal() -> double {
  // 1 − u lies in (0, 1], where the logarithm is finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit()));
  return radius * std::cos(2.0 * std::numbers::pi * unit());
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    // Going on without chance would make keys that can be guessed.
    CONSILIUM_ENSURE(got > 0);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

struct AesCtr::State {
  explicit State(std::span<const std::uint8_t, 32> key) : context(EVP_CIPHER_CTX_new()) {
    CONSILIUM_ENSURE(context != nullptr);
    const std::array<std::uint8_t, 16> counter{};
    CONSILIUM_ENSURE(
        EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), nullptr, key.data(), counter.data()) == 1);
  }
  ~State() { EVP_CIPHER_CTX_free(context); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  EVP_CIPHER_CTX* context;
};

AesCtr::AesCtr(std::span<const std::uint8_t, 32> key) : state_(std::make_unique<State>(key)) {}
AesCtr::~AesCtr() = default;
AesCtr::AesCtr(AesCtr&&) noexcept = default;

void AesCtr::next(std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(state_ != nullptr);
  // OpenSSL counts in int.
  constexpr std::size_t piece_max = 1U << 30U;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  while (!out.empty()) {
    const std::size_t piece = std::min(out.size(), piece_max);
    int written = 0;
    CONSILIUM_ENSURE(EVP_EncryptUpdate(state_->context, out.data(), &written, out.data(),
                                       static_cast<int>(piece)) == 1);
    CONSILIUM_ENSURE(static_cast<std::size_t>(written) == piece);
    out = out.subspan(piece);
  }
}

struct SeededRandom::State {
  explicit State(const Digest& key) : stream(std::span<const std::uint8_t, 32>(key.bytes)) {}
  ~State() { wipe(buffer); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  AesCtr stream;
  // One call to OpenSSL costs as much as hundreds of bytes of stream; small draws share it.
  std::array<std::uint8_t, 4096> buffer{};
  std::size_t at = buffer.size();
};

SeededRandom::SeededRandom(BytesView seed, std::string_view label) {
  Digest key = tagged_hash("consilium/random/1", {seed, as_bytes(label)});
  state_ = std::make_unique<State>(key);
  wipe(key.bytes);
}

SeededRandom::SeededRandom(std::uint64_t seed, std::string_view label)
    : SeededRandom(Writer().u64(seed).view(), label) {}

SeededRandom::~SeededRandom() = default;

void SeededRandom::fill(std::span<std::uint8_t> out) {
  State& state = *state_;
  while (!out.empty()) {
    const std::size_t ready = state.buffer.size() - state.at;
    if (ready == 0 && out.size() >= state.buffer.size()) {
      const std::size_t whole = out.size() - out.size() % state.buffer.size();
      state.stream.next(out.first(whole));
      out = out.subspan(whole);
      continue;
    }
    if (ready == 0) {
      state.stream.next(state.buffer);
      state.at = 0;
      continue;
    }
    const std::size_t taken = std::min(ready, out.size());
    std::copy_n(state.buffer.begin() + static_cast<std::ptrdiff_t>(state.at), taken, out.begin());
    state.at += taken;
    out = out.subspan(taken);
  }
}

}  // namespace consilium
