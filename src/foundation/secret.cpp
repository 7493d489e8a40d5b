#include "consilium/foundation/secret.hpp"

#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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

void forbid_core_dumps() {
  const rlimit none{0, 0};
  CONSILIUM_ENSURE(::setrlimit(RLIMIT_CORE, &none) == 0);
  // A core handed to a program (core_pattern) ignores the limit; a process that is not dumpable
  // makes none, and no other one of this user may attach to it.
  CONSILIUM_ENSURE(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
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
