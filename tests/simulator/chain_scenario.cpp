// One seed, one story of a chain: how many hospitals, who lies, how bad it gets, and then whether
// everything that was said is still there.

#include <algorithm>

#include "chain_world.hpp"

namespace consilium::simulator {

auto run_chain_seed(std::uint64_t seed, const Mutants& mutants,
                    const std::function<void(const std::string&)>& teller) -> ChainReport {
  SeededRandom story(seed, "story of a chain");
  const auto up_to = [&](unsigned most) { return static_cast<unsigned>(story.below(most + 1U)); };
  constexpr std::array<std::size_t, 8> sizes{4, 4, 4, 4, 4, 5, 6, 7};
  ChainSetup setup;
  setup.hospitals = sizes[story.below(sizes.size())];
  setup.from_genesis = story.below(8) == 0;
  setup.mutants = mutants;
  // Where most messages arrive in time many blocks are decided, where few do many rounds fail.
  const unsigned worst = story.below(3) == 0 ? 5 : 20;
  setup.climate = {.lost = up_to(worst),
                   .late = up_to(worst),
                   .twice = up_to(worst),
                   .kills = up_to(5),
                   .splits = up_to(3),
                   .disks = up_to(3),
                   .clocks = up_to(2),
                   .aimed = up_to(20),
                   .busy = 20 + up_to(70),
                   .lies = 20 + up_to(80)};
  const std::size_t faulty = (setup.hospitals - 1) / 3;
  for (std::size_t i = 0; i < faulty; ++i) {
    if (story.below(3) == 0) continue;
    const std::size_t liar = story.below(setup.hospitals);
    // Without an honest founder nobody else is ever admitted.
    if (setup.from_genesis && liar == 0) continue;
    if (std::find(setup.liars.begin(), setup.liars.end(), liar) == setup.liars.end())
      setup.liars.push_back(liar);
  }
  // One is away for so long that the others take its power, and comes back.
  const bool absent = !setup.from_genesis && story.below(12) == 0;
  if (absent) {
    setup.climate.kills = setup.climate.splits = setup.climate.disks = setup.climate.aimed = 0;
    setup.climate.lost = setup.climate.late = 2;
    setup.climate.busy = 90;
    setup.liars.clear();
  }
  const std::size_t away = story.below(setup.hospitals);
  auto storm_ms =
      static_cast<std::int64_t>(2000 + story.below(4000) + (setup.from_genesis ? 4000 : 0));

  ChainReport report;
  if (!setup.from_genesis && !absent && story.below(16) == 0) {
    report.summary = "seed " + std::to_string(seed) + ": 4 hospitals";
    run_rounds_on_chain(seed, setup.climate, teller, report);
    return report;
  }
  report.summary = "seed " + std::to_string(seed) + ": " + std::to_string(setup.hospitals) +
                   " hospitals" + (setup.from_genesis ? " from the first page" : "") + ", " +
                   std::to_string(setup.liars.size()) + " lie";
  ChainWorld world(seed, setup);
  world.teller = teller;
  if (absent) {
    storm_ms += 12'000;
    world.kill(away, storm_ms - 2000);
    report.summary += ", " + std::to_string(away + 1) + " long away";
  }
  world.run_ms(storm_ms);
  if (world.broken.empty() && world.settle(120'000)) world.compare_files();
  report.broken = world.broken;
  world.report(report);
  return report;
}

}  // namespace consilium::simulator
