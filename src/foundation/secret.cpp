#include "consilium/foundation/secret.hpp"

#include <sodium.h>

namespace consilium {
namespace {

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
  void* memory = sodium_malloc(size);
  CONSILIUM_ENSURE(memory != nullptr);
  sodium_memzero(memory, size);
  return memory;
}

void free_secret(void* memory) {
  sodium_free(memory);
}

}  // namespace consilium
