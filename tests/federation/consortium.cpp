#include "consortium.hpp"

#include <atomic>

#include <gtest/gtest.h>
#include <unistd.h>

#include "consilium/federation/clips.hpp"

namespace consilium::federation::testing {

Consortium::Consortium(std::size_t hospitals, ledger::Topology topology,
                       const ledger::Policy& policy) {
  static std::atomic<int> counter{0};
  folder_ =
      std::filesystem::temp_directory_path() /
      ("consilium-federation-" + std::to_string(::getpid()) + "-" + std::to_string(++counter));
  std::filesystem::create_directories(folder_);
  const auto add = [&](const std::string& name, bool hospital) {
    Member m{name,
             HospitalId{static_cast<std::uint16_t>(members.size() + 1)},
             sealing::SigningKey::make(random_),
             sealing::BoxKey::make(random_),
             Bytes(32, static_cast<std::uint8_t>(members.size() + 1)),
             hospital ? std::make_unique<CloudCases>(members.size() + 1, 60 + 20 * members.size())
                      : nullptr,
             std::make_unique<MemoryStorage>(blobs),
             std::nullopt,
             std::nullopt,
             false,
             Bytes(32, static_cast<std::uint8_t>(0x80 + members.size()))};
    members.push_back(std::move(m));
  };
  const auto info = [&](const Member& m) {
    return ledger::MemberInfo{m.name, m.name,
                              m.cases ? ledger::MemberRole::hospital : ledger::MemberRole::server,
                              m.key.verify_key(), m.box.public_key()};
  };
  add("hospital-1", true);
  ledger::Genesis genesis;
  genesis.name = "test";
  genesis.created_unix_s = 1;
  genesis.founder = info(members[0]);
  genesis.policy = policy;
  genesis.policy.topology = topology;
  genesis.schema = Digest{{9}};
  if (topology == ledger::Topology::central) {
    add("server", false);
    genesis.servers.push_back(info(members[1]));
  }
  ledger_ = std::make_unique<ledger::Ledger>(genesis);
  while (members.size() < hospitals + genesis.servers.size()) {
    add("hospital-" + std::to_string(members.size() + 1), true);
    auto& joining = members.back();
    EXPECT_TRUE(post(0, ledger::Propose{ledger::ProposeAdmit{info(joining)}}));
    end_block();
    for (std::size_t i = 1; i + 1 < members.size(); ++i) {
      if (state().proposals().empty() || !members[i].cases) continue;
      EXPECT_TRUE(post(i, ledger::Vote{state().proposals().begin()->first, true}));
      end_block();
    }
    const auto* admitted = state().member_by_name(joining.name);
    if (admitted == nullptr) {
      ADD_FAILURE() << joining.name << " was not admitted";
      break;
    }
    joining.id = admitted->id;
  }
  for (std::size_t i = 0; i < members.size(); ++i) restart(i);
}

Consortium::~Consortium() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Consortium::restart(std::size_t member) {
  auto& m = members[member];
  m.participant.reset();
  m.set_log.reset();
  std::size_t answered = 0;
  for (const auto& [id, round] : state().rounds()) {
    answered += static_cast<std::size_t>(std::count(round.ready.begin(), round.ready.end(), m.id));
  }
  auto log = sealing::SetLog::open(folder_ / (m.name + ".log"), answered);
  ASSERT_TRUE(log) << log.error().message();
  m.set_log.emplace(std::move(*log));
  m.participant.emplace(Identity{m.id, &m.box, m.training_seed, m.hedge_secret}, m.cases.get(),
                        *m.storage, *m.set_log, chance != nullptr ? *chance : random_);
}

auto Consortium::post(std::size_t member, ledger::Body body) -> ledger::Verdict {
  auto& m = members[member];
  const auto& known = state().members().at(m.id);
  auto transaction = ledger::sign_transaction({state().consortium(),
                                               m.id,
                                               known.sequence + 1,
                                               Height{state().height().value + 50},
                                               std::move(body),
                                               {}},
                                              m.key);
  return ledger_->apply(transaction);
}

void Consortium::tick() {
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto& m = members[i];
    if (m.away) continue;
    auto body = m.participant->step(state());
    for (auto& remark : m.participant->take_remarks()) remarks.push_back(m.name + " " + remark);
    if (!body) {
      if (!stopped) stopped = body.error();
      continue;
    }
    if (!*body) continue;
    if (auto verdict = post(i, std::move(**body)); !verdict) {
      refusals.push_back(m.name + ": " + verdict.error().message());
    }
  }
  end_block();
}

auto Consortium::run_round(RoundId id, int ticks_max) -> const ledger::RoundRecord& {
  using ledger::RoundState;
  for (int i = 0; i < ticks_max; ++i) {
    const auto& round = *state().find_round(id);
    const bool model_known = round.open.purpose != sealing::Purpose::update ||
                             (!state().models().empty() && state().models().back().round == id);
    if ((round.state == RoundState::accepted && model_known) ||
        round.state == RoundState::rolled_back || round.state == RoundState::aborted) {
      break;
    }
    tick();
  }
  tick();  // what is done after acceptance
  return *state().find_round(id);
}

auto Consortium::plan(std::uint32_t run) const -> UpdatePlan {
  UpdatePlan plan;
  plan.shape = {3, {4}, 2};
  plan.training.local_steps = 10;
  plan.training.batch_rows = 8;
  plan.model_seed = 5;
  plan.run = run;
  return plan;
}

auto Consortium::open(const ledger::OpenRound& body) -> ledger::Verdict {
  auto verdict = post(0, body);
  end_block();
  return verdict;
}

auto Consortium::open_update(const UpdatePlan& plan, const RoundNoise& noise) -> ledger::Verdict {
  auto clips =
      clips_for(state(), state().policy(), plan,
                state().models().empty() ? initial_model(plan.shape, plan.model_seed).digest()
                                         : state().models().back().model,
                *members[0].storage);
  if (!clips) return tl::unexpected(clips.error());
  return open(update_round(state(), plan, noise, std::move(*clips)));
}

auto Consortium::open_statistics() -> ledger::Verdict {
  return open(statistics_round(state(), state().schema(), 1));
}

}  // namespace consilium::federation::testing
