// Real validators: CometBFT processes on this machine, each with an application of this process.
// Skipped, loudly, where the engine is not found.

#include "consilium/engine/cometbft.hpp"

#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "consilium/engine/abci_server.hpp"

#include "chain.hpp"
#include "wires.hpp"

namespace consilium::engine::test {
namespace {

using namespace std::chrono_literals;

/// One hospital's validator: application, server and process.
class Validator {
 public:
  Validator(std::filesystem::path folder, std::string name)
      : folder_(std::move(folder)),
        random_(3, name),
        validator_(sealing::SigningKey::make(random_)),
        transport_(sealing::SigningKey::make(random_)) {
    settings_.folder = folder_ / "chain";
    settings_.name = std::move(name);
    settings_.listen_port = consilium::test::free_port();
  }
  [[nodiscard]] auto key() const -> const sealing::VerifyKey& { return validator_.verify_key(); }
  [[nodiscard]] auto address() const -> std::string {
    return node_id_of(transport_.verify_key()) +
           "@127.0.0.1:" + std::to_string(settings_.listen_port);
  }
  void start(const ledger::Genesis& genesis, const std::vector<std::string>& everybody) {
    settings_.peers = everybody;
    std::erase(settings_.peers, address());
    settings_.program = must(find_cometbft());
    const auto file = folder_ / "ledger.db";
    auto store = must(ledger::LedgerStore::holds_ledger(file))
                     ? must(ledger::LedgerStore::open(file))
                     : must(ledger::LedgerStore::create(file, genesis));
    application = must(Application::open(std::move(store), {200}, clock_));
    must(prepare_cometbft(settings_, genesis, validator_, transport_));
    server = must(AbciServer::start(abci_socket(settings_.folder), *application));
    process = must(CometbftProcess::start(settings_));
    driver = std::make_unique<CometbftDriver>(settings_.folder, *application);
  }
  /// kill -9 of the engine, and everything in memory is gone.
  void kill() {
    ::kill(process->pid(), SIGKILL);
    driver.reset();
    process.reset();
    server.reset();
    application.reset();
  }
  [[nodiscard]] auto is_up() const -> bool { return application != nullptr; }

  std::unique_ptr<Application> application;
  std::unique_ptr<AbciServer> server;
  std::unique_ptr<CometbftProcess> process;
  std::unique_ptr<CometbftDriver> driver;

 private:
  std::filesystem::path folder_;
  SeededRandom random_;
  sealing::SigningKey validator_, transport_;
  SystemClock clock_;
  CometbftSettings settings_;
};

/// The consortium of the ledger's tests, told block by block to a chain of real validators.
class RealChain : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!abci_available() || !find_cometbft()) {
      GTEST_SKIP() << "CometBFT is not here (./dev setup --chain): NO TEST OF THE REAL ENGINE RAN.";
    }
  }
  /// `members` walk through an admission each; their validators are these.
  void begin(std::size_t members) {
    for (std::size_t i = 0; i < members; ++i) {
      const std::string name = i == 0 ? "founder" : "hospital-" + std::to_string(i);
      validators_.push_back(std::make_unique<Validator>(folder_.path() / name, name));
      keys_[name] = validators_.back()->key();
    }
    ledger::test::Founding founding{static_cast<int>(members), short_policy(), true};
    founding.validator_keys = keys_;
    consortium_ = std::make_unique<Consortium>(founding);
    for (const auto& validator : validators_) addresses_.push_back(validator->address());
    for (const auto& validator : validators_) start(*validator);
    for (const auto& block : consortium_->blocks) carry(block);
    // The last admitted takes its seat after the one before it: ticks bring the blocks for that.
    ASSERT_TRUE(eventually([&] {
      tick();
      return validators_.front()->application->progress().validators == members;
    }));
    follower_ = std::make_unique<ledger::Ledger>(consortium_->ledger.genesis());
  }
  void start(Validator& validator) { validator.start(consortium_->ledger.genesis(), addresses_); }
  void tick() {
    for (auto& validator : validators_) {
      if (validator->is_up()) (void)validator->driver->tick();
    }
  }
  /// Submits a block's transactions one after the other, to whoever is up.
  void carry(const ledger::Block& block) {
    for (const auto& bytes : block.transactions) {
      const auto transaction = must(ledger::Transaction::decode(bytes, consortium_->ledger));
      submit(transaction);
    }
  }
  void submit(const ledger::Transaction& transaction) {
    std::string last;
    ASSERT_TRUE(eventually([&] {
      if (taken(transaction)) return true;
      for (auto& validator : validators_) {
        if (!validator->is_up()) continue;
        last = code(validator->driver->submit(transaction));
        if (last == "ok") break;
      }
      return eventually([&] { return taken(transaction); }, 2s);
    })) << last;
  }
  /// Is it in a block of everybody who is up?
  auto taken(const ledger::Transaction& transaction) -> bool {
    return std::all_of(validators_.begin(), validators_.end(), [&](const auto& validator) {
      return !validator->is_up() ||
             sequence(*validator, transaction.sender) >= transaction.sequence;
    });
  }
  static auto sequence(Validator& validator, HospitalId sender) -> std::uint64_t {
    const auto blocks = validator.application->blocks_after(Height{0}, 100'000);
    std::uint64_t last = 0;
    for (const auto& block : *blocks) {
      for (const auto& bytes : block.transactions) {
        const auto transaction = ledger::Transaction::decode(bytes);
        if (transaction && transaction->sender == sender) last = transaction->sequence;
      }
    }
    return last;
  }
  static auto eventually(const std::function<bool()>& holds,
                         std::chrono::milliseconds longest = 60s) -> bool {
    const auto until = std::chrono::steady_clock::now() + longest;
    while (std::chrono::steady_clock::now() < until) {
      if (holds()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return holds();
  }
  /// A transaction of a member that follows what everybody has.
  auto next(HospitalId who, ledger::Body body) -> ledger::Transaction {
    for (const auto& block : must(up().application->blocks_after(follower_->height(), 100'000))) {
      must(follower_->apply_block(block));
    }
    ledger::Transaction transaction;
    transaction.consortium = follower_->consortium();
    transaction.sender = who;
    transaction.sequence = follower_->members().at(who).sequence + 1;
    transaction.expiry = Height{follower_->height().value + 100};
    transaction.body = std::move(body);
    return ledger::sign_transaction(std::move(transaction), consortium_->identity(who).key);
  }
  auto up() -> Validator& {
    return **std::find_if(validators_.begin(), validators_.end(),
                          [](const auto& validator) { return validator->is_up(); });
  }
  /// Everybody who is up has the same blocks, and re-playing them gives the follower's digest.
  void expect_one_chain() {
    ASSERT_TRUE(eventually([&] {
      const auto height = up().application->progress().ledger_height;
      return std::all_of(validators_.begin(), validators_.end(), [&](const auto& validator) {
        return !validator->is_up() || validator->application->progress().ledger_height == height;
      });
    }));
    const auto blocks = must(up().application->blocks_after(Height{0}, 100'000));
    for (const auto& validator : validators_) {
      if (!validator->is_up()) continue;
      const auto others = must(validator->application->blocks_after(Height{0}, 100'000));
      ASSERT_EQ(others.size(), blocks.size());
      for (std::size_t i = 0; i < blocks.size(); ++i) ASSERT_EQ(others[i].hash(), blocks[i].hash());
    }
    ledger::Ledger replayed(consortium_->ledger.genesis());
    for (const auto& block : blocks) must(replayed.apply_block(block));
  }

  Folder folder_;
  std::vector<std::unique_ptr<Validator>> validators_;
  std::map<std::string, sealing::VerifyKey> keys_;
  std::vector<std::string> addresses_;
  std::unique_ptr<Consortium> consortium_;
  std::unique_ptr<ledger::Ledger> follower_;
};

TEST_F(RealChain, of_four_goes_on_without_one_and_has_it_back) {
  begin(4);
  expect_one_chain();
  const auto schema = [](int number) {
    return ledger::Propose{
        ledger::ProposeSchema{ledger::test::digest_of("schema " + std::to_string(number))}};
  };
  submit(next(id(1), schema(1)));
  validators_[2]->kill();
  for (int i = 2; i < 6; ++i) submit(next(id(1), schema(i)));
  EXPECT_TRUE(validators_[0]->application->progress().waiting);
  start(*validators_[2]);
  submit(next(id(2), schema(6)));
  expect_one_chain();
  // Everything that was acknowledged is there, once.
  EXPECT_EQ(sequence(*validators_[2], id(1)), follower_->members().at(id(1)).sequence);
}

TEST_F(RealChain, of_four_stops_without_two_and_resumes_when_one_is_back) {
  begin(4);
  const auto schema = ledger::Propose{ledger::ProposeSchema{ledger::test::digest_of("later")}};
  validators_[1]->kill();
  validators_[3]->kill();
  const auto height = up().application->progress().ledger_height;
  const auto transaction = next(id(1), schema);
  EXPECT_EQ(code(validators_[0]->driver->submit(transaction)), "ok");
  EXPECT_FALSE(eventually([&] { return taken(transaction); }, 2s));
  EXPECT_EQ(up().application->progress().ledger_height, height);
  start(*validators_[1]);
  ASSERT_TRUE(eventually([&] { return taken(transaction); }));
  expect_one_chain();
}

}  // namespace
}  // namespace consilium::engine::test
