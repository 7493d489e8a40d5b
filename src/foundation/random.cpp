#include "consilium/foundation/random.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <numbers>

#include <gcrypt.h>
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

namespace {

/// libgcrypt wants to be told once that the program is ready; its keys then lie in memory that is
/// locked and wiped (GCRY_CIPHER_SECURE).
auto cipher_library_ready() -> bool {
  static const bool ready = [] {
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) != 0) return true;
    if (gcry_check_version("1.10.0") == nullptr) return false;
    constexpr int locked_bytes = 1 << 16;
    gcry_control(GCRYCTL_SUSPEND_SECMEM_WARN);
    gcry_control(GCRYCTL_INIT_SECMEM, locked_bytes, 0);
    gcry_control(GCRYCTL_AUTO_EXPAND_SECMEM, locked_bytes, 0);
    gcry_control(GCRYCTL_RESUME_SECMEM_WARN);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    return true;
  }();
  return ready;
}

/// What is encrypted to get the stream itself: one page pair, which stays in the first cache.
constexpr std::array<std::uint8_t, 8192> zeros{};

}  // namespace

struct AesCtr::State {
  explicit State(std::span<const std::uint8_t, 32> key) {
    CONSILIUM_ENSURE(cipher_library_ready());
    CONSILIUM_ENSURE(gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CTR,
                                      GCRY_CIPHER_SECURE) == 0);
    CONSILIUM_ENSURE(gcry_cipher_setkey(cipher, key.data(), key.size()) == 0);
    const std::array<std::uint8_t, 16> counter{};
    CONSILIUM_ENSURE(gcry_cipher_setctr(cipher, counter.data(), counter.size()) == 0);
  }
  ~State() { gcry_cipher_close(cipher); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  gcry_cipher_hd_t cipher = nullptr;
};

AesCtr::AesCtr(std::span<const std::uint8_t, 32> key) : state_(std::make_unique<State>(key)) {}
AesCtr::~AesCtr() = default;
AesCtr::AesCtr(AesCtr&&) noexcept = default;

void AesCtr::next(std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(state_ != nullptr);
  while (!out.empty()) {
    const std::size_t piece = std::min(out.size(), zeros.size());
    CONSILIUM_ENSURE(gcry_cipher_encrypt(state_->cipher, out.data(), piece, zeros.data(), piece) ==
                     0);
    out = out.subspan(piece);
  }
}

struct SeededRandom::State {
  explicit State(const Digest& key) : stream(std::span<const std::uint8_t, 32>(key.bytes)) {}
  ~State() { wipe(buffer); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  AesCtr stream;
  // One call to the cipher costs as much as hundreds of bytes of stream; small draws share it.
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
