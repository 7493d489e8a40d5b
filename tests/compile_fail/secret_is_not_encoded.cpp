#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/secret.hpp"

auto main() -> int {
  const consilium::SecretBytes key(32);
  consilium::Writer out;
#ifdef CONSILIUM_MUST_FAIL
  out.bytes(key);
#else
  out.bytes(key.expose());
#endif
}
