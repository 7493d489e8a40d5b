#include "consilium/foundation/secret.hpp"

auto main() -> int {
  consilium::SecretBytes key(32);
  consilium::SecretBytes other;
#ifdef CONSILIUM_MUST_FAIL
  other = key;
#else
  other = std::move(key);
#endif
  return other.size() == 32 ? 0 : 1;
}
