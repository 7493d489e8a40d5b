// A block from another node: refused, or exactly the bytes its own encoder makes.

#include <algorithm>

#include "consilium/ledger/ledger.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {

auto try_input(BytesView input) -> bool {
  const auto block = ledger::Block::decode(input);
  if (!block) return false;
  CONSILIUM_ENSURE(std::ranges::equal(block->encode(), input));
  return true;
}

auto seeds() -> std::vector<Bytes> {
  return {ledger::Block{Height{1}, {}, {}}.encode(),
          ledger::Block{Height{2}, {}, {{1, 2, 3}, {4}}}.encode()};
}

}  // namespace consilium::fuzz
