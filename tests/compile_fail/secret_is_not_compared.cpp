#include "consilium/foundation/secret.hpp"

auto main() -> int {
  const consilium::SecretBytes a(32);
  const consilium::SecretBytes b(32);
#ifdef CONSILIUM_MUST_FAIL
  return a == b ? 0 : 1;
#else
  return consilium::equal_in_constant_time(a.expose(), b.expose()) ? 0 : 1;
#endif
}
