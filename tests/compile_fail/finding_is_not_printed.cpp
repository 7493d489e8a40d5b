#include <iostream>

#include "consilium/casebase/case.hpp"

auto main() -> int {
  const consilium::casebase::Finding finding;
#ifdef CONSILIUM_MUST_FAIL
  std::cout << finding;
#else
  std::cout << finding.exams.size();
#endif
}
