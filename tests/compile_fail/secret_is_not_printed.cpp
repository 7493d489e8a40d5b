#include <iostream>

#include "consilium/foundation/secret.hpp"

auto main() -> int {
  const consilium::Secret<int> key(4);
#ifdef CONSILIUM_MUST_FAIL
  std::cout << key;
#else
  std::cout << key.size();
#endif
}
