// Sealed rounds of real hospitals (world.hpp) whose ledger is a chain under faults
// (chain_world.hpp) in the place of a sequencer.

#include <algorithm>

#include "chain_past.hpp"
#include "world.hpp"

namespace consilium::simulator {
namespace {

constexpr std::int64_t slice_ms = 150;
/// With nothing to say a chain rests for its block interval.
constexpr int slices_max = 14;
constexpr unsigned ticks_max = 160;
/// Deadlines are heights: however long the storm keeps the chain, a round is not lost by it.
constexpr std::int64_t storm_ms = 8000;

}  // namespace

void run_rounds_on_chain(std::uint64_t seed, const Climate& climate,
                         const std::function<void(const std::string&)>& teller,
                         ChainReport& report) {
  World world(4, seed);
  std::vector<ledger::MemberInfo> members;
  for (const auto& [id, member] : world.chain_state().members()) members.push_back(member.info);
  ChainPast past = past_of(world.chain_state().genesis(), members, world.blocks());
  for (const Node& node : world.nodes)
    past.keys.push_back(must(sealing::SigningKey::from_seed(node.key.seed().expose())));
  ChainSetup setup;
  setup.climate = climate;
  setup.climate.busy = 0;  // what is posted comes from the rounds
  ChainWorld chain(seed, setup, past);
  chain.teller = teller;
  bool over = false;
  world.ordered_by = [&](const std::vector<std::pair<std::size_t, Bytes>>& transactions) {
    for (const auto& [from, bytes] : transactions) chain.hand_in(from, bytes);
    const Height known = world.chain_state().height();
    for (int i = 0; i < slices_max && !over && chain.broken.empty(); ++i) {
      chain.run_ms(slice_ms);
      if (chain.ledger().height() > known) break;
    }
    return chain.blocks_after(known);
  };
  const auto is_closed = [&] {
    return !world.chain_state().rounds().empty() && ledger::is_closed(world.last_round().state);
  };
  world.open_update();
  for (unsigned i = 0; i < ticks_max && chain.broken.empty() && !is_closed(); ++i) {
    if (chain.now_ms() > storm_ms) chain.calm();
    world.tick();
  }
  for (int i = 0; i < 4 && chain.broken.empty(); ++i) world.tick();
  if (chain.broken.empty() && !is_closed()) world.broken.emplace_back("the round never ends");
  if (chain.broken.empty() && chain.settle(60'000)) {
    chain.compare_files();
    over = true;
    world.tick();
  }
  if (chain.broken.empty() && world.chain_state().digest() != chain.ledger().digest())
    world.broken.emplace_back("hospitals follow another ledger than the chain's");
  report.broken = chain.broken;
  report.broken.insert(report.broken.end(), world.broken.begin(), world.broken.end());
  if (world.stopped) report.broken.push_back("a node stopped: " + world.stopped->message());
  report.summary +=
      ", a round " + (is_closed() ? std::string(ledger::state_name(world.last_round().state)) : "");
  chain.report(report);
}

}  // namespace consilium::simulator
