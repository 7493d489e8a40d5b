#include "consilium/foundation/files.hpp"

auto main() -> int {
#ifdef CONSILIUM_MUST_FAIL
  consilium::write_file_durably("answer", {});
#else
  return consilium::write_file_durably("answer", {}) ? 0 : 1;
#endif
}
