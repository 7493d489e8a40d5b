#pragma once
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "consilium/foundation/bytes.hpp"

namespace consilium {

/// Overwrites memory in a way the compiler may not drop.
void wipe(std::span<std::uint8_t> memory);

/// Equal or not, in time that does not depend on the content. Sizes are public.
[[nodiscard]] auto equal_in_constant_time(BytesView a, BytesView b) -> bool;

/// A core dump holds what no one type can keep out of it: registers, stacks, what a library copied.
/// So the program asks the system for none at all, of itself and of what it starts; the memory of
/// Secret<T> stays out of one that is made all the same.
void forbid_core_dumps();

/// Allocates memory that is locked (as far as the system's RLIMIT_MEMLOCK allows), left out of core
/// dumps, fenced by guard pages, and wiped when freed (sodium_malloc). Returns zeroed memory; the
/// process stops when none is to be had.
[[nodiscard]] auto allocate_secret(std::size_t size) -> void*;
void free_secret(void* memory);

/// An array that cannot be copied, compared, printed or encoded by accident, and wipes itself.
/// `expose()` is the only way to the content: search for it to find every use of a secret.
template <typename T>
class Secret {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Secret() = default;
  explicit Secret(std::size_t count)
      : memory_(static_cast<T*>(allocate_secret(size_of(count)))), count_(count) {}
  Secret(const Secret&) = delete;
  auto operator=(const Secret&) -> Secret& = delete;
  Secret(Secret&& other) noexcept : memory_(other.memory_), count_(other.count_) {
    other.memory_ = nullptr;
    other.count_ = 0;
  }
  auto operator=(Secret&& other) noexcept -> Secret& {
    std::swap(memory_, other.memory_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Secret() {
    if (memory_ != nullptr) free_secret(memory_);
  }
  [[nodiscard]] auto expose() -> std::span<T> { return {memory_, count_}; }
  [[nodiscard]] auto expose() const -> std::span<const T> { return {memory_, count_}; }
  [[nodiscard]] auto size() const -> std::size_t { return count_; }
  void erase() {
    if (memory_ != nullptr) free_secret(memory_);
    memory_ = nullptr;
    count_ = 0;
  }

 private:
  static auto size_of(std::size_t count) -> std::size_t {
    CONSILIUM_ENSURE(count <= std::numeric_limits<std::size_t>::max() / sizeof(T));
    return count * sizeof(T);
  }
  T* memory_ = nullptr;
  std::size_t count_ = 0;
};

using SecretBytes = Secret<std::uint8_t>;

}  // namespace consilium
