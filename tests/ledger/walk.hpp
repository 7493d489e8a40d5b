#pragma once
// A seeded walk: members say likely and unlikely things in any order.

#include <map>
#include <string>
#include <vector>

#include "consortium.hpp"

namespace consilium::ledger::test {

class Walk {
 public:
  Walk(std::uint64_t seed, Topology topology, bool validators = false)
      : c({4, short_policy(topology), validators}), random_(seed, "walk") {
    for (const auto& [member, record] : c.ledger.members()) everybody_.push_back(member);
  }

  void step() {
    const HospitalId who = everybody_[random_.below(everybody_.size())];
    if (random_.below(12) == 0) c.block(1 + random_.below(3));
    if (c.ledger.rounds().empty() || is_closed(c.round().state)) {
      if (random_.below(3) == 0) {
        say(who, c.open_body(random_.below(5) == 0 ? sealing::Purpose::statistics
                                                   : sealing::Purpose::update));
      }
      if (c.ledger.rounds().empty()) return;
    }
    say(who, word(who));
  }

  Consortium c;
  std::map<std::string, int> verdicts;

 private:
  void say(HospitalId who, Body body) { ++verdicts[c.send_as(who, std::move(body))]; }

  auto likely(std::uint64_t out_of) -> bool { return random_.below(out_of) != 0; }

  /// What would help in the round's state, or sometimes anything.
  auto word(HospitalId who) -> Body {
    const RoundRecord& round = c.round();
    const bool sane = likely(8);
    const auto state = sane ? round.state : static_cast<RoundState>(1 + random_.below(9));
    switch (state) {
      case RoundState::sealing:
        return c.manifest(who, random_.below(2) * 64);
      case RoundState::attesting:
        return attesting();
      case RoundState::frozen:
        return likely(10) ? Body{c.ready_body()} : Body{Abort{round.id}};
      case RoundState::opening:
        if (random_.below(2) == 0) return c.share_body(who);
        return c.result_body(likely(6) ? "values" : "a lie");
      case RoundState::opened:
        return Decide{round.id};
      case RoundState::judging:
        return judging(who);
      case RoundState::accepted:
        return ModelDigest{
            round.id, digest_of(likely(12) ? "m" + std::to_string(round.id.value) : "another")};
      default:
        return Abort{round.id};
    }
  }

  auto attesting() -> Body {
    const RoundRecord& round = c.round();
    if (const auto rule = c.ledger.freeze_rule(round); rule && random_.below(2) == 0) return *rule;
    if (random_.below(10) == 0) return Abort{round.id};
    std::vector<HospitalId> valid;
    for (const auto& [hospital, manifest] : round.manifests) {
      if (likely(12)) valid.push_back(hospital);
    }
    return Attest{round.id, valid};
  }

  auto judging(HospitalId who) -> Body {
    const RoundRecord& round = c.round();
    const bool accept = (round.id.value + who.value) % 5 != 0;
    if (random_.below(6) == 0) return Decide{round.id};
    if (random_.below(2) == 0) return c.commit_body(who, accept);
    return c.reveal_body(who, accept);
  }

  SeededRandom random_;
  std::vector<HospitalId> everybody_;
};

}  // namespace consilium::ledger::test
