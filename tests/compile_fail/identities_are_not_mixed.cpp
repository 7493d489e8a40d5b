#include "consilium/foundation/identity.hpp"

static auto place_of(consilium::MinerId miner) -> int {
  return miner.value;
}

auto main() -> int {
#ifdef CONSILIUM_MUST_FAIL
  return place_of(consilium::HospitalId{1});
#else
  return place_of(consilium::MinerId{1});
#endif
}
