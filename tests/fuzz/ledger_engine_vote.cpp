// A vote of the consensus engine from a stranger: refused, or exactly the bytes its own encoder
// makes.

#include <algorithm>

#include "consilium/ledger/engine_vote.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {

auto try_input(BytesView input) -> bool {
  const auto vote = ledger::EngineVote::decode(input);
  if (!vote) return false;
  CONSILIUM_ENSURE(std::ranges::equal(vote->encode(), input));
  return true;
}

auto seeds() -> std::vector<Bytes> {
  using ledger::EngineVote;
  std::vector<Bytes> out;
  for (const auto kind : {EngineVote::Kind::prevote, EngineVote::Kind::precommit}) {
    EngineVote vote{kind, 300, 0, ledger::EngineBlockId{{}, 200, {}}, 1'700'000'000, 5, "four-0"};
    out.push_back(vote.encode());
    vote.round = 7;
    vote.block.reset();
    out.push_back(vote.encode());
  }
  return out;
}

}  // namespace consilium::fuzz
