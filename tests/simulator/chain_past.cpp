#include "chain_past.hpp"

#include <fstream>

#include <unistd.h>

namespace consilium::simulator {
namespace {

class Root {
 public:
  Root() {
    const std::filesystem::path memory("/dev/shm");
    path_ =
        (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
        ("consilium-chain-" + std::to_string(::getpid()));
  }
  ~Root() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Root(const Root&) = delete;
  auto operator=(const Root&) -> Root& = delete;
  [[nodiscard]] auto path() const -> const std::filesystem::path& { return path_; }

 private:
  std::filesystem::path path_;
};

auto make_past(std::size_t hospitals, bool from_genesis) -> ChainPast {
  SeededRandom random(hospitals, "keys of a chain");
  std::vector<sealing::SigningKey> keys;
  std::vector<ledger::MemberInfo> members;
  for (std::size_t at = 0; at < hospitals; ++at) {
    keys.push_back(sealing::SigningKey::make(random));
    const auto validator = sealing::SigningKey::make(random).verify_key();
    const std::string name = "hospital-" + std::to_string(at + 1);
    members.push_back({name, name, ledger::MemberRole::hospital, keys.back().verify_key(),
                       sealing::BoxKey::make(random).public_key(), validator});
  }
  ledger::Genesis genesis;
  genesis.name = "simulated";
  genesis.created_unix_s = 1;
  genesis.founder = members[0];
  genesis.schema = Digest{{9}};
  ledger::Ledger state(genesis);
  std::vector<ledger::Block> blocks;
  const auto says = [&](std::size_t who, ledger::Body body) {
    const HospitalId id{static_cast<std::uint16_t>(who + 1)};
    must(state.apply(ledger::sign_transaction({state.consortium(),
                                               id,
                                               state.members().at(id).sequence + 1,
                                               Height{state.height().value + 100},
                                               std::move(body),
                                               {}},
                                              keys[who])));
    blocks.push_back(state.end_block());
  };
  for (std::size_t at = 1; at < hospitals && !from_genesis; ++at) {
    says(0, ledger::Propose{ledger::ProposeAdmit{members[at]}});
    for (std::size_t voter = 1; voter < at && !state.proposals().empty(); ++voter) {
      says(voter, ledger::Vote{state.proposals().begin()->first, true});
    }
  }
  ChainPast past = past_of(genesis, members, blocks);
  past.keys = std::move(keys);
  return past;
}

}  // namespace

auto node_folder(std::size_t node) -> std::filesystem::path {
  static const Root root;
  auto folder = root.path() / ("node-" + std::to_string(node));
  if (!std::filesystem::exists(folder / "ledger.db")) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "ledger.db").flush();
  }
  return folder;
}

auto past_of(const ledger::Genesis& genesis, const std::vector<ledger::MemberInfo>& members,
             const std::vector<ledger::Block>& blocks) -> ChainPast {
  ChainPast past;
  past.genesis = genesis;
  past.members = members;
  past.blocks = blocks;
  for (const auto& member : members) {
    past.address_of.push_back(engine::address_of(member.validator_key.value()));
    past.addresses[past.address_of.back()] = past.address_of.size() - 1;
  }
  VirtualDisk disk(node_folder(0), 1);
  ManualClock clock;
  const auto app = must(engine::Application::open(
      must(ledger::LedgerStore::create(node_folder(0) / "ledger.db", genesis)), {1000}, clock));
  Powers powers(members.size(), 0);
  const auto keep = [&](const std::vector<engine::ValidatorPower>& updates) {
    for (const auto& update : updates) {
      powers[past.addresses.at(engine::address_of(update.key))] = update.power;
    }
  };
  keep(must(app->init_chain("\"" + genesis.consortium().hex() + "\"")));
  const auto block = [&](const std::vector<Bytes>& transactions) {
    const auto done = must(app->finalize_block({app->info().height + 1, transactions, {}}));
    must(app->commit());
    keep(done.validator_updates);
  };
  for (const auto& made : blocks) block(made.transactions);
  if (!blocks.empty()) {
    // Hospitals become validators one by one; then nothing changes any more.
    while (app->progress().validators < members.size()) block({});
    for (int i = 0; i < 4; ++i) block({});
  }
  past.memory.first_height = app->info().height + 1;
  past.memory.powers[0] = powers;
  CONSILIUM_ENSURE(blocks.empty() || signatures_kept() > 0);
  past.image = disk.image();
  disk.power_off();  // no clean close: the file on the real disk is a stand-in
  return past;
}

auto chain_past(std::size_t hospitals, bool from_genesis) -> const ChainPast& {
  static std::map<std::pair<std::size_t, bool>, ChainPast> made;
  const auto key = std::pair{hospitals, from_genesis};
  const auto found = made.find(key);
  return found != made.end() ? found->second
                             : made.emplace(key, make_past(hospitals, from_genesis)).first->second;
}

}  // namespace consilium::simulator
