#pragma once
#include <memory>

#include "consilium/foundation/bytes.hpp"

namespace consilium {

/// Where chance comes from. Handed in, never taken: a protocol that gets a seeded one can be
/// replayed.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  [[nodiscard]] auto u32() -> std::uint32_t;
  [[nodiscard]] auto u64() -> std::uint64_t;
  /// Uniform in [0, bound), bound ≥ 1, without bias (rejection).
  [[nodiscard]] auto below(std::uint64_t bound) -> std::uint64_t;
  /// Uniform in [0, 1) with 53 bits.
  [[nodiscard]] auto unit() -> double;
  /// Standard normal by Box–Muller (two uniforms a call): the same bytes give the same value.
  [[nodiscard]] auto normal() -> double;
  template <typename T>
  void shuffle(std::span<T> items) {  ///< Fisher–Yates
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
};

/// The operating system's generator (getrandom). The only source for secrets.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// A stream that is a pure function of (seed, label): AES-256-CTR under H("consilium/random/1",
/// seed, label). For training, splits and tests. Never for keys.
class SeededRandom final : public Random {
 public:
  SeededRandom(BytesView seed, std::string_view label);
  SeededRandom(std::uint64_t seed, std::string_view label);
  ~SeededRandom() override;
  void fill(std::span<std::uint8_t> out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// AES-256 in counter mode, counter from 0, 128-bit big-endian (NIST SP 800-38A): the public key
/// stream of sealing-spec §4. On libgcrypt: 14 GB/s with vector AES instructions, 8 with the old
/// ones.
class AesCtr {
 public:
  explicit AesCtr(std::span<const std::uint8_t, 32> key);
  ~AesCtr();
  AesCtr(AesCtr&&) noexcept;
  /// The next out.size() bytes of the stream.
  void next(std::span<std::uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium
