// One seed, one story: how many hospitals, what weather, who misbehaves, who is killed when.

#include <algorithm>

#include "world.hpp"

namespace consilium::simulator {
namespace {

enum class Vice {
  none,
  wrong_share_sum,
  false_complaint,
  second_manifest,
  falls_silent,
  withholds
};

auto name_of(Vice vice) -> std::string {
  switch (vice) {
    case Vice::none:
      return "none";
    case Vice::wrong_share_sum:
      return "wrong_share_sum";
    case Vice::false_complaint:
      return "false_complaint";
    case Vice::second_manifest:
      return "second_manifest";
    case Vice::falls_silent:
      return "falls_silent";
    case Vice::withholds:
      return "withholds";
  }
  return "?";
}

/// Turns what an accomplice would have said into what its vice makes of it.
auto misbehave(World& world, std::size_t at, Vice vice, ledger::Body& body) -> bool {
  Node& node = world.nodes[at];
  if (vice == Vice::falls_silent) return !std::holds_alternative<ledger::Ready>(body);
  if (auto* share = std::get_if<ledger::PublishShare>(&body);
      share != nullptr && vice == Vice::wrong_share_sum) {
    Bytes wrong = node.disk->blobs.at(share->share_sum);
    wrong.front() ^= 1U;
    share->share_sum = blob_name(wrong);
    node.disk->blobs[share->share_sum] = std::move(wrong);
  }
  const auto* attest = std::get_if<ledger::Attest>(&body);
  if (attest == nullptr) return true;
  const auto& round = *node.ledger->find_round(attest->round);
  if (vice == Vice::false_complaint) {
    for (const auto& [hospital, submitted] : round.manifests) {
      if (hospital == node.id || round.complaints.contains({hospital, node.id})) continue;
      if (round.attests.contains(node.id)) break;
      if (auto lists = node.disk->get_blob(submitted.manifest.lists)) {
        body = ledger::Complaint{round.id, hospital, std::move(*lists)};
      }
      return true;
    }
  }
  if (vice == Vice::second_manifest && round.state == ledger::RoundState::sealing &&
      round.manifests.contains(node.id)) {
    auto second = round.manifests.at(node.id);
    second.manifest.body_blob = Digest{{1}};
    body = second;
  }
  return true;
}

}  // namespace

auto run_seed(std::uint64_t seed) -> Report {
  SeededRandom story(seed, "story");
  constexpr std::array<std::size_t, 8> sizes{4, 4, 4, 4, 4, 5, 6, 7};
  const std::size_t hospitals = sizes[story.below(sizes.size())];
  const auto up_to = [&](unsigned most) { return static_cast<unsigned>(story.below(most + 1U)); };
  const Weather weather{.lost = up_to(25),
                        .twice = up_to(25),
                        .late_max = up_to(3),
                        .blocks_held = up_to(25),
                        .peer_down = up_to(25)};
  World world(hospitals, seed, weather);
  Report report;
  report.summary = "seed " + std::to_string(seed) + ": " + std::to_string(hospitals) + " hospitals";

  // At most f members are dishonest; they keep their vice for the whole run.
  const std::size_t faulty =
      sealing::committee_of(static_cast<std::uint16_t>(hospitals)).faulty_max;
  std::map<std::size_t, Vice> vices;
  for (std::size_t i = 0; i < faulty; ++i) {
    if (story.below(2) == 0) continue;
    const std::size_t at = 1 + story.below(hospitals - 1);
    vices[at] = static_cast<Vice>(1 + story.below(5));
    world.nodes[at].accomplice = true;
    world.nodes[at].withholds = vices[at] == Vice::withholds;
    report.summary += ", " + world.nodes[at].name + " " + name_of(vices[at]);
  }
  world.meddle = [&](std::size_t at, ledger::Body& body) {
    const auto vice = vices.find(at);
    return vice == vices.end() || misbehave(world, at, vice->second, body);
  };

  const bool forks = story.below(4) == 0 && faulty > 0;
  const std::uint64_t rounds = 1 + story.below(3);
  unsigned kills = 0;
  std::optional<std::uint64_t> fork_at;
  if (forks) fork_at = story.below(30);
  if (story.below(3) == 0) world.open_statistics();
  for (std::uint64_t round = 0; round < rounds; ++round) {
    if (world.chain_state().rounds().empty() || ledger::is_closed(world.last_round().state)) {
      const auto& state = world.chain_state();
      const bool model_pending =
          !state.rounds().empty() && world.last_round().state == ledger::RoundState::accepted &&
          world.last_round().open.purpose == sealing::Purpose::update &&
          (state.models().empty() || state.models().back().round != world.last_round().id);
      if (model_pending || (round > 0 && forks)) break;
      if (round > 0 || state.rounds().empty()) world.open_update();
    }
    for (unsigned tick = 0; tick < 160 && !ledger::is_closed(world.last_round().state); ++tick) {
      if (story.below(100) < 6) {
        Node& victim = world.nodes[story.below(hospitals)];
        if (!victim.kill_at && victim.participant) {
          victim.kill_at = victim.steps + story.below(8);
          ++kills;
        }
      }
      if (story.below(100) < 3) {
        Node& node = world.nodes[story.below(hospitals)];
        node.away = !node.away;
      }
      if (fork_at && tick == *fork_at && round == 0) {
        // The sequencer turns: every accomplice gets a second mind, honest nodes are split, and one
        // hospital's manifests and attestations never arrive on the second chain.
        const std::size_t chain = world.fork();
        world.mirrors = story.below(2) == 0;
        const HospitalId censored{static_cast<std::uint16_t>(1 + story.below(hospitals))};
        world.takes = [censored, chain](std::size_t to, const ledger::Transaction& transaction) {
          return to != chain || transaction.sender != censored ||
                 !std::holds_alternative<ledger::SubmitManifest>(transaction.body);
        };
        for (std::size_t at = 0; at < hospitals; ++at) {
          if (vices.contains(at)) {
            vices[world.double_of(at, chain)] = vices.at(at);
          } else if (story.below(2) == 0) {
            world.move_to_chain(at, chain);
          }
        }
        report.summary += ", forked";
      }
      // Late in the game the sequencer also lets single nodes start over on the other chain.
      if (fork_at && round == 0 && tick > *fork_at && story.below(100) < 4) {
        const std::size_t at = story.below(hospitals);
        if (!world.nodes[at].accomplice) world.move_to_chain(at, 1 - world.nodes[at].chain);
      }
      world.tick();
    }
    for (Node& node : world.nodes) node.away = false;
    world.run(forks ? 40 : 200);
    report.summary += ", " + std::string(ledger::state_name(world.last_round().state));
    if (!world.last_round().reason.empty())
      report.summary += " (" + world.last_round().reason + ")";
    const auto state = world.last_round().state;
    if (!forks && !ledger::is_closed(state) && state != ledger::RoundState::opening) {
      world.broken.push_back("the round never ends");
    }
  }
  report.summary += ", " + std::to_string(kills) + " kills";
  report.broken = world.broken;
  report.remarks = world.remarks;
  if (world.stopped) report.broken.push_back("a node stopped: " + world.stopped->message());
  return report;
}

}  // namespace consilium::simulator
