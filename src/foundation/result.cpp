#include "consilium/foundation/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace consilium {

auto Error::message() const -> std::string {
  std::string line;
  if (!place.empty()) line = place + ": ";
  return line + sentence + " (" + code + ")";
}

void invariant_broken(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "consilium stops: an invariant does not hold: %s (%s:%d)\n", condition, file,
               line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace consilium
