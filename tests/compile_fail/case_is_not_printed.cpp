#include <iostream>

#include "consilium/casebase/case.hpp"

auto main() -> int {
  const consilium::casebase::Case patient;
#ifdef CONSILIUM_MUST_FAIL
  std::cout << patient;
#else
  std::cout << patient.findings.size();
#endif
}
