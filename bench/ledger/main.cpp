// Times the chain of four validators: prints a table for people and, as the last line, one JSON
// object for programs.
//
//   bench_ledger             ours alone
//   bench_ledger --peers     with CometBFT's own kvstore between our repetitions
//   bench_ledger --quick     shorter and coarser: for tests
//   … --runs N               repetitions a median is taken of (default 5)
//   … --scratch FOLDER       where the nodes' folders are made (default: the current folder)
//
// Our load is what the ledger takes in numbers: 64 hospitals vote on 64 proposals, and four of them
// run the validators. The kvstore's transactions are as long as the votes.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include <curl/curl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "consilium/courier/port.hpp"
#include "consilium/foundation/hash.hpp"

#include "net.hpp"

namespace consilium::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t hospitals_count = 64;
constexpr std::size_t proposals_count = 64;
constexpr std::size_t batch_count = 500;
constexpr int again_s = 2;
constexpr std::size_t blob_bytes = 10'000'000;
/// Of 64 hospitals 42 may say yes and 21 no, and a proposal is still open.
constexpr std::size_t yes_count = 41, no_count = 21;

struct Options {
  bool peers = false, quick = false;
  int runs = 5;
  std::filesystem::path scratch = ".";
};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "error: %s\n", why.c_str());
  std::exit(1);
}
template <typename T>
auto must(Result<T> result) -> T {
  if (!result) give_up(result.error().message());
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) give_up(result.error().message());
}
auto seconds_since(Clock::time_point start) -> double {
  return std::chrono::duration<double>(Clock::now() - start).count();
}
void pause(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}
auto quantile(std::vector<double> values, double at) -> double {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values.at(static_cast<std::size_t>(last * at + 0.5));
}

/// What was measured, by name; the order of the table is the order of measuring.
class Figures {
 public:
  void add(const std::string& name, const std::vector<double>& samples) {
    values_[name] = quantile(samples, 0.5);
    const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
    spread_[name] = {*least, *most};
    std::printf("  %-34s %12.3f   (%.3f to %.3f)\n", name.c_str(), quantile(samples, 0.5), *least,
                *most);
    std::fflush(stdout);
  }
  void add(const std::string& name, double value) { add(name, std::vector<double>{value}); }
  [[nodiscard]] auto values() const -> const json& { return values_; }
  [[nodiscard]] auto spread() const -> const json& { return spread_; }

 private:
  json values_ = json::object(), spread_ = json::object();
};

/// The hospitals, what they say, and what the chain has made of it.
class Members {
 public:
  Members() {
    for (std::size_t i = 0; i < hospitals_count; ++i) {
      SeededRandom random(3, "hospital " + std::to_string(i));
      keys_.push_back(sealing::SigningKey::make(random));
      boxes_.push_back(sealing::BoxKey::make(random));
      validators_.push_back(sealing::SigningKey::make(random));
    }
    genesis_.name = "bench";
    genesis_.created_unix_s = 1'700'000'000;
    genesis_.founder = info(0);
    replica_.emplace(genesis_);
  }
  [[nodiscard]] auto genesis() const -> const ledger::Genesis& { return genesis_; }
  [[nodiscard]] auto validators() const -> const std::vector<sealing::SigningKey>& {
    return validators_;
  }
  [[nodiscard]] auto key(std::size_t hospital) const -> const sealing::SigningKey& {
    return keys_.at(hospital);
  }
  [[nodiscard]] auto state() const -> const ledger::Ledger& { return *replica_; }
  void follow(Net& net) {
    for (const auto& block : must(net.application(0).blocks_after(replica_->height(), 10'000)))
      must(replica_->apply_block(block));
  }
  auto say(std::size_t hospital, ledger::Body body) -> Bytes {
    const auto& member = *replica_->member_by_name(name(hospital));
    auto& sequence = sequences_[hospital];
    sequence = std::max(sequence, member.sequence) + 1;
    ledger::Transaction transaction{
        replica_->consortium(), member.id, sequence, Height{replica_->height().value + 5000},
        std::move(body),        {}};
    return ledger::sign_transaction(std::move(transaction), keys_[hospital]).encode();
  }
  /// Sends all of it to the first node and waits until it is in blocks.
  void carry(Net& net, const std::vector<Bytes>& transactions) {
    Rpc rpc(net.rpc_folder(0));
    const auto started = Clock::now();
    auto sent = started - std::chrono::seconds(again_s);
    while (std::any_of(sequences_.begin(), sequences_.end(), [this](const auto& entry) {
      return replica_->member_by_name(name(entry.first))->sequence < entry.second;
    })) {
      if (seconds_since(sent) >= again_s) {  // as a node offers again what no block has taken
        (void)rpc.send(transactions);
        sent = Clock::now();
      }
      pause(2);
      follow(net);
      if (seconds_since(started) > 60) give_up("a transaction is in no block after a minute");
    }
  }
  /// Everybody in, the first four with their validators.
  void admit_all(Net& net) {
    for (std::size_t i = 1; i < hospitals_count; ++i) {
      carry(net, {say(0, ledger::Propose{ledger::ProposeAdmit{info(i)}})});
      if (replica_->proposals().empty()) continue;  // the founder alone decides
      const auto number = replica_->proposals().rbegin()->first;
      std::vector<Bytes> votes;
      for (std::size_t voter = 1; voter <= i * 2 / 3 && voter < i; ++voter)
        votes.push_back(say(voter, ledger::Vote{number, true}));
      if (!votes.empty()) carry(net, votes);
    }
    if (replica_->hospitals().size() != hospitals_count) give_up("not everybody was admitted");
  }
  void propose(Net& net) {
    std::vector<Bytes> proposals;
    for (std::size_t i = 0; i < proposals_count; ++i) {
      const auto text = "schema " + std::to_string(++schemas_);
      proposals.push_back(say(0, ledger::Propose{ledger::ProposeSchema{sha256(as_bytes(text))}}));
    }
    carry(net, proposals);
  }
  /// One vote of each hospital but the founder and the last one on every proposal: undecided by all
  /// of them. By the validator they are sent to.
  auto votes() -> std::vector<std::vector<Bytes>> {
    std::vector<std::vector<Bytes>> out(validators_count);
    std::size_t p = 0;
    for (const auto& [number, open] : replica_->proposals()) {
      for (std::size_t voter = 1; voter <= yes_count + no_count; ++voter) {
        const bool yes = (voter + p) % (yes_count + no_count) < yes_count;
        out[voter % validators_count].push_back(say(voter, ledger::Vote{number, yes}));
      }
      ++p;
    }
    return out;
  }
  /// A chain of so many blocks, each with a proposal that the founder decides alone.
  auto alone(std::size_t blocks) -> std::vector<ledger::Block> {
    std::vector<ledger::Block> out;
    while (out.size() < blocks) {
      const auto text = "schema " + std::to_string(++schemas_);
      const auto bytes = say(0, ledger::Propose{ledger::ProposeSchema{sha256(as_bytes(text))}});
      must(replica_->apply(must(ledger::Transaction::decode(bytes, *replica_))));
      out.push_back(replica_->end_block());
    }
    return out;
  }
  /// Those who have not voted say no, as many as it takes: a refused vote would leave a gap in its
  /// sender's sequence.
  void refuse(Net& net) {
    follow(net);
    sequences_.clear();
    std::vector<Bytes> votes;
    for (const auto& [number, open] : replica_->proposals()) {
      auto missing = no_count + 1;
      for (const auto& [voter, yes] : open.votes) missing -= yes ? 0U : 1U;
      for (std::size_t voter = hospitals_count - 1; voter > 0 && missing > 0; --voter) {
        if (open.votes.contains(replica_->member_by_name(name(voter))->id)) continue;
        votes.push_back(say(voter, ledger::Vote{number, false}));
        --missing;
      }
    }
    carry(net, votes);
    if (!replica_->proposals().empty()) give_up("proposals stayed open");
  }

 private:
  static auto name(std::size_t hospital) -> std::string {
    return "hospital-" + std::to_string(hospital);
  }
  auto info(std::size_t hospital) const -> ledger::MemberInfo {
    ledger::MemberInfo out;
    out.name = name(hospital);
    out.title = "Hospital " + std::to_string(hospital);
    out.key = keys_[hospital].verify_key();
    out.box_key = boxes_[hospital].public_key();
    if (hospital < validators_count) out.validator_key = validators_[hospital].verify_key();
    return out;
  }
  std::vector<sealing::SigningKey> keys_, validators_;
  std::vector<sealing::BoxKey> boxes_;
  ledger::Genesis genesis_;
  std::optional<ledger::Ledger> replica_;
  std::map<std::size_t, std::uint64_t> sequences_;
  std::size_t schemas_ = 0;
};

/// As many key=value pairs of the same length, none twice.
class Pairs {
 public:
  auto make(std::size_t count, std::size_t size) -> std::vector<std::vector<Bytes>> {
    std::vector<std::vector<Bytes>> out(validators_count);
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = "key" + std::to_string(++made_) + "=";
      text.resize(size, 'x');
      out[i % validators_count].emplace_back(text.begin(), text.end());
    }
    return out;
  }

 private:
  std::size_t made_ = 0;
};

auto transactions_since(Rpc& rpc, std::uint64_t& height) -> std::size_t {
  const auto answer =
      rpc.call("blockchain", {{"minHeight", std::to_string(height + 1)}, {"maxHeight", "0"}});
  std::size_t count = 0;
  if (!answer.is_object()) return 0;
  const std::uint64_t last =
      std::strtoull(answer.at("last_height").get<std::string>().c_str(), nullptr, 10);
  if (last <= height) return 0;
  // At most twenty come at a time, the newest first.
  for (std::uint64_t from = height + 1; from <= last; from += 20) {
    const auto page = rpc.call(
        "blockchain", {{"minHeight", std::to_string(from)},
                       {"maxHeight", std::to_string(std::min<std::uint64_t>(last, from + 19))}});
    for (const auto& meta : page.at("block_metas"))
      count += std::strtoull(meta.at("num_txs").get<std::string>().c_str(), nullptr, 10);
  }
  height = last;
  return count;
}

/// Transactions a second, from the first batch to the block with the last one.
auto burst(Net& net, const std::vector<std::vector<Bytes>>& load) -> double {
  Rpc counter(net.rpc_folder(0));
  std::uint64_t height = Net::height(counter);
  std::size_t all = 0;
  for (const auto& lane : load) all += lane.size();
  const auto started = Clock::now();
  std::vector<std::thread> senders;
  for (std::size_t node = 0; node < load.size(); ++node) {
    senders.emplace_back([&, node] {
      Rpc rpc(net.rpc_folder(node));
      const auto& lane = load[node];
      for (std::size_t at = 0; at < lane.size(); at += batch_count) {
        const auto from = lane.begin() + static_cast<std::ptrdiff_t>(at);
        const auto to =
            lane.begin() + static_cast<std::ptrdiff_t>(std::min(lane.size(), at + batch_count));
        if (!rpc.send({from, to})) give_up("the engine refused a batch");
      }
    });
  }
  std::size_t done = 0;
  while (done < all) {
    pause(5);
    done += transactions_since(counter, height);
    if (seconds_since(started) > 60)
      give_up("of " + std::to_string(all) + " transactions only " + std::to_string(done) +
              " are in blocks after a minute");
  }
  const double taken = seconds_since(started);
  for (auto& sender : senders) sender.join();
  return static_cast<double>(all) / taken;
}

/// One at a time, each waited for, from the first node.
auto latencies(Net& net, const std::vector<Bytes>& transactions) -> std::vector<double> {
  Rpc rpc(net.rpc_folder(0));
  std::vector<double> out;
  for (const auto& transaction : transactions) {
    const double ms = rpc.commit(transaction);
    if (ms < 0) give_up("a transaction of the latency row was refused");
    out.push_back(ms);
  }
  return out;
}

/// A client at each of the first three validators, each with one transaction on its way, while
/// `during` runs.
template <typename During>
void under_load(Net& net, const std::vector<std::vector<Bytes>>& load, During&& during) {
  std::atomic<bool> ends = false;
  std::vector<std::thread> clients;
  for (std::size_t node = 0; node + 1 < validators_count; ++node) {
    clients.emplace_back([&, node] {
      Rpc rpc(net.rpc_folder(node));
      for (const auto& transaction : load[node]) {
        if (ends) return;
        (void)rpc.commit(transaction);
      }
    });
  }
  pause(300);
  during();
  ends = true;
  for (auto& client : clients) client.join();
}

auto blocks_per_s(Net& net, int ms) -> double {
  Rpc rpc(net.rpc_folder(0));
  const auto before = Net::height(rpc);
  const auto started = Clock::now();
  pause(ms);
  return static_cast<double>(Net::height(rpc) - before) / seconds_since(started);
}

/// Seconds from the start of a killed node to its first vote for the height that the others work
/// at, and to the first block that carries a vote of it: a block is closed by the first three, so
/// that the fourth is often left out.
struct Return {
  double vote_s = 0, block_s = 0;
};
auto bring_back(Net& net, std::size_t node) -> Return {
  Rpc rpc(net.rpc_folder(0));
  std::uint64_t seen = Net::height(rpc) + 1;
  Return out;
  const auto started = Clock::now();
  net.start(node);
  for (int looks = 0; seconds_since(started) < 60; ++looks) {
    if (looks % 20 == 0) net.connect(node);  // as often as a node itself does
    const auto last = Net::height(rpc);
    if (out.vote_s == 0 && net.voted_at(node) >= std::max(last, seen))
      out.vote_s = seconds_since(started);
    for (; seen + 1 < last && out.block_s == 0; ++seen) {
      if (Net::signers(rpc, seen).contains(net.address(node))) out.block_s = seconds_since(started);
    }
    if (out.vote_s != 0 && out.block_s != 0) return out;
    pause(5);
  }
  give_up("a restarted node did not vote within a minute");
}

/// 10 MB at one hospital until four miners have it durably, have hashed it, and said so in a block.
class Blobs {
 public:
  Blobs(const std::filesystem::path& folder, const Members& members) {
    const Digest consortium = members.genesis().consortium();
    for (std::size_t i = 0; i < validators_count; ++i) {
      stores_.push_back(must(courier::BlobStore::open(folder / ("blobs-" + std::to_string(i)))));
      const auto& key = members.key(i);
      identities_.push_back(must(courier::TransportIdentity::make(
          consortium, {key.verify_key().bytes},
          [&key](BytesView message) { return key.sign(message).bytes; })));
    }
    for (std::size_t i = 0; i < validators_count; ++i) {
      ports_.push_back(must(courier::Port::open(
          identities_[i], stores_[i],
          [](const auto&) -> Result<std::string> { return std::string("member"); })));
    }
    for (std::size_t i = 1; i < validators_count; ++i) {
      peers_.emplace_back(identities_[0], courier::PeerAddress{"member", identities_[i].identity(),
                                                               "127.0.0.1", ports_[i].number()});
    }
  }
  auto update_ms(Net& net, const std::vector<std::vector<Bytes>>& words) -> double {
    Bytes blob(blob_bytes);
    SeededRandom random(9, "blob " + std::to_string(++made_));
    random.fill(blob);
    const auto started = Clock::now();
    const Digest name = must(stores_[0].put(blob));
    std::vector<std::thread> miners;
    for (std::size_t i = 1; i < validators_count; ++i) {
      miners.emplace_back([&, i] { must(peers_[i - 1].push(name, stores_[0])); });
    }
    for (auto& miner : miners) miner.join();
    miners.clear();
    const auto say = [&](std::size_t node) {
      Rpc rpc(net.rpc_folder(node));
      if (rpc.commit(words[node].at(used_)) < 0) give_up("a word about the update was refused");
    };
    say(0);
    for (std::size_t i = 1; i < validators_count; ++i) {
      miners.emplace_back([&, i] {
        if (must(stores_[i].get(name)).size() != blob_bytes) give_up("the blob was cut");
        say(i);
      });
    }
    for (auto& miner : miners) miner.join();
    ++used_;
    return seconds_since(started) * 1000;
  }

 private:
  std::deque<courier::BlobStore> stores_;
  std::vector<courier::TransportIdentity> identities_;
  std::deque<courier::Port> ports_;
  std::deque<courier::RemotePeer> peers_;
  std::size_t made_ = 0, used_ = 0;
};

auto machine() -> json {
  std::string cpu = "unknown", flags;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name") && cpu == "unknown") cpu = line.substr(line.find(':') + 2);
    if (line.starts_with("flags") && flags.empty()) {
      for (const auto* flag : {"avx2", "avx512f", "sha_ni"}) {
        if (line.find(std::string(" ") + flag) != std::string::npos)
          flags += (flags.empty() ? "" : " ") + std::string(flag);
      }
    }
  }
  return {{"cpu", cpu}, {"cores", std::thread::hardware_concurrency()}, {"flags", flags}};
}

void run(const Options& options) {
  const auto folder = options.scratch / ("bench-ledger-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const int window_ms = options.quick ? 1500 : 6000;
  const std::size_t samples = options.quick ? 10 : 60;
  Figures figures;
  json ratios = json::object();

  Members members;
  std::printf("four validators, 64 hospitals; CometBFT on loopback, gossip %lld ms\n",
              static_cast<long long>(engine::CometbftTimes{}.gossip_ms));
  Net ours(folder / "ours", App::ours, members.genesis(), members.validators(), 0);
  ours.start();
  members.admit_all(ours);
  std::optional<Net> kvstore;
  Pairs pairs;
  if (options.peers) {
    kvstore.emplace(folder / "kvstore", App::kvstore, members.genesis(), members.validators(), 0);
    kvstore->start();
  }

  // Throughput and latency, ours and theirs in turn.
  std::vector<double> rate, their_rate, rate_ratio, latency, their_latency;
  std::size_t vote_bytes = 0;
  for (int r = 0; r < options.runs; ++r) {
    members.propose(ours);
    const auto votes = members.votes();
    std::size_t count = 0;
    for (const auto& lane : votes) count += lane.size();
    vote_bytes = votes[0].front().size();
    rate.push_back(burst(ours, votes));
    members.refuse(ours);
    members.propose(ours);
    const auto each = members.votes();
    for (const double ms : latencies(
             ours, {each[0].begin(), each[0].begin() + static_cast<std::ptrdiff_t>(samples / 2)}))
      latency.push_back(ms);
    members.follow(ours);
    members.refuse(ours);
    if (!kvstore) continue;
    their_rate.push_back(burst(*kvstore, pairs.make(count, vote_bytes)));
    rate_ratio.push_back(rate.back() / their_rate.back());
    const auto single = pairs.make(samples * 2, vote_bytes);
    for (const double ms : latencies(
             *kvstore,
             {single[0].begin(), single[0].begin() + static_cast<std::ptrdiff_t>(samples / 2)}))
      their_latency.push_back(ms);
  }
  figures.add("tx_per_s", rate);
  figures.add("commit_p50_ms", latency);
  figures.add("commit_p95_ms", quantile(latency, 0.95));
  figures.add("tx_bytes", static_cast<double>(vote_bytes));
  if (kvstore) {
    figures.add("kvstore_tx_per_s", their_rate);
    figures.add("kvstore_commit_p50_ms", their_latency);
    figures.add("kvstore_commit_p95_ms", quantile(their_latency, 0.95));
    ratios["tx_vs_kvstore"] = quantile(rate_ratio, 0.5);
    kvstore.reset();
  }

  // A large update, to four miners.
  {
    Blobs blobs(folder, members);
    members.propose(ours);
    const auto words = members.votes();
    std::vector<double> update;
    for (int r = 0; r < options.runs; ++r) update.push_back(blobs.update_ms(ours, words));
    figures.add("update10mb_verified_ms", update);
    members.follow(ours);
    members.refuse(ours);
  }

  // A wiped node's work: each block judged again, with every signature.
  {
    Members founder;
    const auto blocks = founder.alone(options.quick ? 1000 : 10'000);
    std::vector<double> replay;
    for (int r = 0; r < options.runs; ++r) {
      ledger::Ledger fresh(founder.genesis());
      const auto started = Clock::now();
      for (const auto& block : blocks) must(fresh.apply_block(block));
      replay.push_back(static_cast<double>(blocks.size()) / seconds_since(started));
      if (fresh.digest() != founder.state().digest()) give_up("the re-play ended elsewhere");
    }
    figures.add("replay_blocks_per_s", replay);
  }

  // One of four killed and started at once; then one that stays dead.
  members.propose(ours);
  auto load = members.votes();
  std::vector<double> votes_again, blocks_again;
  double healthy = 0;
  double dead = 0;
  under_load(ours, load, [&] {
    healthy = blocks_per_s(ours, window_ms);
    for (int r = 0; r < options.runs; ++r) {
      ours.kill(3);
      const auto back = bring_back(ours, 3);
      votes_again.push_back(back.vote_s);
      blocks_again.push_back(back.block_s);
      pause(1000);
    }
    ours.kill(3);
    const auto started = Clock::now();
    while (ours.application(0).progress().absent.empty() && seconds_since(started) < 60) pause(20);
    figures.add("lowered_after_s", seconds_since(started));
    dead = blocks_per_s(ours, window_ms);
    const auto returned = Clock::now();
    (void)bring_back(ours, 3);
    while (!ours.application(0).progress().absent.empty() && seconds_since(returned) < 60) pause(5);
    figures.add("full_power_after_s", seconds_since(returned));
  });
  figures.add("blocks_per_s", healthy);
  figures.add("blocks_per_s_one_dead", dead);
  ratios["blocks_one_dead_vs_all_up"] = dead / healthy;
  figures.add("restart_s", votes_again);
  figures.add("restart_in_block_s", blocks_again);

  // The same four at 50 ms from each other and back.
  {
    Members far_members;
    Net far(folder / "far", App::ours, far_members.genesis(), far_members.validators(), 25);
    far.start();
    far_members.admit_all(far);
    far_members.propose(far);
    const auto votes = far_members.votes();
    const auto ms = latencies(
        far, {votes[0].begin(), votes[0].begin() + static_cast<std::ptrdiff_t>(samples / 2)});
    figures.add("commit_p50_rtt50_ms", ms);
    figures.add("commit_p95_rtt50_ms", quantile(ms, 0.95));
  }

  std::filesystem::remove_all(folder);
  const json result = {
      {"bench", "ledger"},
      {"machine", machine()},
      {"runs", options.runs},
      {"peers", options.peers ? json{{"kvstore", "CometBFT 0.39.4"}} : json::object()},
      {"figures", figures.values()},
      {"spread", figures.spread()},
      {"ratios", ratios},
      {"missing", json::array()}};
  std::printf("%s\n", result.dump().c_str());
}

}  // namespace
}  // namespace consilium::bench

auto main(int argc, char** argv) -> int {
  consilium::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--peers") {
      options.peers = true;
    } else if (word == "--quick") {
      options.quick = true;
      options.runs = 2;
    } else if (word == "--runs" && i + 1 < argc) {
      options.runs = std::max(1, std::atoi(argv[++i]));
    } else if (word == "--scratch" && i + 1 < argc) {
      options.scratch = argv[++i];
    } else {
      std::fprintf(stderr, "bench_ledger [--peers] [--quick] [--runs N] [--scratch FOLDER]\n");
      return 2;
    }
  }
  if (!consilium::engine::abci_available() || !consilium::engine::find_cometbft()) {
    std::fprintf(stderr, "error: the engine is not here; ./dev setup --chain fetches it\n");
    return 1;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  consilium::bench::run(options);
  return 0;
}
