#include "consilium/foundation/secret.hpp"

auto main() -> int {
  consilium::SecretBytes key(32);
#ifdef CONSILIUM_MUST_FAIL
  const consilium::SecretBytes other(key);
#else
  const consilium::SecretBytes other(std::move(key));
#endif
  return other.size() == 32 ? 0 : 1;
}
