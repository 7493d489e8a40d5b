#include "consilium/foundation/secret.hpp"

#include <map>
#include <mutex>
#include <vector>

#include <sodium.h>

namespace consilium {
namespace {

/// Getting locked and fenced memory from the system takes nine calls and 30 µs, and every round
/// asks for the same sizes. Pieces that were given back are wiped, closed to any access, and kept
/// for the next who asks for just that size: their fences stay where they are.
class SecretShelf {
 public:
  auto take(std::size_t size) -> void* {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(size);
    if (found == kept_.end() || found->second.empty()) return nullptr;
    void* const memory = found->second.back();
    found->second.pop_back();
    kept_bytes_ -= size;
    sizes_[memory] = size;
    CONSILIUM_ENSURE(sodium_mprotect_readwrite(memory) == 0);
    return memory;
  }
  void lend(void* memory, std::size_t size) {
    const std::lock_guard lock(mutex_);
    sizes_[memory] = size;
  }
  void give_back(void* memory) {
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(memory);
    CONSILIUM_ENSURE(found != sizes_.end());
    const std::size_t size = found->second;
    sizes_.erase(found);
    sodium_memzero(memory, size);
    if (kept_bytes_ + size > kept_bytes_max || sodium_mprotect_noaccess(memory) != 0) {
      sodium_free(memory);
      return;
    }
    kept_[size].push_back(memory);
    kept_bytes_ += size;
  }

 private:
  static constexpr std::size_t kept_bytes_max = std::size_t{4} << 20U;
  std::mutex mutex_;  ///< guards all below
  std::map<std::size_t, std::vector<void*>> kept_;
  std::map<void*, std::size_t> sizes_;  ///< of what is lent
  std::size_t kept_bytes_ = 0;
};

/// Never destroyed: secrets in other static objects may be given back after it.
auto shelf() -> SecretShelf& {
  static SecretShelf& one = *new SecretShelf;
  return one;
}

void start_sodium() {
  static const int started = sodium_init();
  CONSILIUM_ENSURE(started >= 0);
}

}  // namespace

void wipe(std::span<std::uint8_t> memory) {
  sodium_memzero(memory.data(), memory.size());
}

auto equal_in_constant_time(BytesView a, BytesView b) -> bool {
  if (a.size() != b.size()) return false;
  if (a.empty()) return true;
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

auto allocate_secret(std::size_t size) -> void* {
  start_sodium();
  if (void* const kept = shelf().take(size); kept != nullptr) return kept;
  void* memory = sodium_malloc(size);
  CONSILIUM_ENSURE(memory != nullptr);
  sodium_memzero(memory, size);
  shelf().lend(memory, size);
  return memory;
}

void free_secret(void* memory) {
  shelf().give_back(memory);
}

}  // namespace consilium
