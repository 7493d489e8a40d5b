#include "net.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include "consilium/foundation/files.hpp"

namespace consilium::bench {

namespace {

using nlohmann::json;

template <typename T>
auto must(Result<T> result) -> T {
  if (!result) {
    std::fprintf(stderr, "error: %s\n", result.error().message().c_str());
    std::exit(1);
  }
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) {
    std::fprintf(stderr, "error: %s\n", result.error().message().c_str());
    std::exit(1);
  }
}

auto collect(char* data, std::size_t one, std::size_t count, void* to) -> std::size_t {
  static_cast<std::string*>(to)->append(data, one * count);
  return one * count;
}

auto number(const json& text) -> std::uint64_t {
  return text.is_string() ? std::strtoull(text.get<std::string>().c_str(), nullptr, 10) : 0;
}

auto replaced(std::string text, const std::string& old, const std::string& by) -> std::string {
  const auto at = text.find(old);
  if (at == std::string::npos) {
    std::fprintf(stderr, "error: the engine's settings have no %s\n", old.c_str());
    std::exit(1);
  }
  return text.replace(at, old.size(), by);
}

}  // namespace

Rpc::Rpc(const std::filesystem::path& folder)
    : socket_(engine::rpc_socket(folder).string()), curl_(curl_easy_init()) {}
Rpc::~Rpc() {
  curl_easy_cleanup(curl_);
}

auto Rpc::post(const std::string& body) -> std::string {
  std::string answer;
  curl_easy_reset(curl_);
  curl_easy_setopt(curl_, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(curl_, CURLOPT_URL, "http://engine/");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_PROXY, "");
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, 30'000L);
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer);
  if (curl_easy_perform(curl_) != CURLE_OK) return {};
  return answer;
}

auto Rpc::call(const std::string& method, const json& parameters) -> json {
  const json request{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", parameters}};
  const auto parsed = json::parse(post(request.dump()), nullptr, false);
  return parsed.is_object() && parsed.contains("result") ? parsed.at("result") : json();
}

auto Rpc::send(const std::vector<Bytes>& transactions) -> bool {
  std::string body = "[";
  for (const auto& transaction : transactions) {
    if (body.size() > 1) body += ',';
    body += R"({"jsonrpc":"2.0","id":1,"method":"broadcast_tx_async","params":{"tx":")" +
            to_base64(transaction) + "\"}}";
  }
  const auto answer = post(body + "]");
  return !answer.empty() && answer.find("\"error\"") == std::string::npos;
}

auto Rpc::commit(BytesView transaction) -> double {
  const auto started = std::chrono::steady_clock::now();
  const auto answer = call("broadcast_tx_commit", {{"tx", to_base64(transaction)}});
  const std::chrono::duration<double, std::milli> taken =
      std::chrono::steady_clock::now() - started;
  const bool good = answer.is_object() && answer.contains("tx_result") &&
                    answer.at("tx_result").value("code", 1) == 0 &&
                    answer.at("check_tx").value("code", 1) == 0 && number(answer.at("height")) > 0;
  return good ? taken.count() : -1;
}

Net::Net(const std::filesystem::path& folder, App app, const ledger::Genesis& genesis,
         const std::vector<sealing::SigningKey>& validators, std::int64_t late_ms)
    : app_(app), genesis_(genesis) {
  const auto program = must(engine::find_cometbft());
  std::vector<std::uint16_t> ports;
  for (std::size_t i = 0; i < validators_count; ++i) {
    auto& node = *nodes_.emplace_back(std::make_unique<Node>());
    SeededRandom random(5, "transport " + std::to_string(i));
    node.transport = std::make_unique<sealing::SigningKey>(sealing::SigningKey::make(random));
    const SecretBytes seed = validators.at(i).seed();
    node.validator =
        std::make_unique<sealing::SigningKey>(must(sealing::SigningKey::from_seed(seed.expose())));
    node.settings.folder = folder / ("node-" + std::to_string(i)) / "chain";
    node.settings.program = program;
    node.settings.name = "node-" + std::to_string(i);
    node.settings.listen_port = test::free_port();
    ports.push_back(node.settings.listen_port);
    std::filesystem::create_directories(node.settings.folder);
  }
  for (std::size_t i = 0; i < validators_count; ++i) {
    for (std::size_t j = 0; j < validators_count; ++j) {
      if (i == j) continue;
      std::uint16_t port = ports[j];
      if (late_ms > 0) {
        port = wires_.emplace_back(std::make_unique<test::Wire>(ports[j]))->port();
        wires_.back()->delay(late_ms);
      }
      nodes_[i]->settings.peers.push_back(engine::node_id_of(nodes_[j]->transport->verify_key()) +
                                          "@127.0.0.1:" + std::to_string(port));
    }
  }
}

void Net::write_settings(const Node& node) const {
  const auto& folder = node.settings.folder;
  must(engine::prepare_cometbft(node.settings, genesis_, *node.validator, *node.transport));
  const auto file = folder / "config/config.toml";
  auto text = must(read_text_file(file));
  // The load comes in batches, over a call that the product has no use for.
  text = replaced(text, "[rpc]\n", "[rpc]\nmax_request_batch_size = 0\n");
  if (app_ == App::kvstore) {
    text = replaced(text, "proxy_app = \"unix://abci.sock\"", "proxy_app = \"kvstore\"");
    const auto page_file = folder / "config/genesis.json";
    auto page = json::parse(must(read_text_file(page_file)));
    const auto first = page.at("validators").at(0);
    page["validators"] = json::array();
    for (const auto& other : nodes_) {
      auto seat = first;
      seat["pub_key"]["value"] = to_base64(other->validator->verify_key().bytes);
      seat["name"] = other->settings.name;
      seat.erase("address");
      page["validators"].push_back(seat);
    }
    page.erase("app_state");
    page["consensus_params"]["version"]["app"] = "1";
    must(write_file_durably(page_file, as_bytes(page.dump())));
  }
  must(write_file_durably(file, as_bytes(text)));
}

void Net::start(std::size_t at) {
  auto& node = *nodes_.at(at);
  write_settings(node);
  if (app_ == App::ours) {
    const auto file = node.settings.folder.parent_path() / "ledger.db";
    auto store = must(ledger::LedgerStore::holds_ledger(file))
                     ? must(ledger::LedgerStore::open(file))
                     : must(ledger::LedgerStore::create(file, genesis_));
    node.application = must(engine::Application::open(std::move(store), {200}, clock_));
    node.server = must(
        engine::AbciServer::start(engine::abci_socket(node.settings.folder), *node.application));
    node.driver = std::make_unique<engine::CometbftDriver>(node.settings.folder, *node.application);
  }
  node.process = must(engine::CometbftProcess::start(node.settings));
}

void Net::start() {
  for (std::size_t i = 0; i < validators_count; ++i) start(i);
  for (std::size_t i = 0; i < validators_count; ++i) {
    Rpc rpc(rpc_folder(i));
    for (int waited = 0;; ++waited) {
      const auto info = rpc.call("net_info", json::object());
      if (info.is_object() && number(info.at("n_peers")) + 1 == validators_count) break;
      if (waited > 600) {
        std::fprintf(stderr, "error: the four did not find each other in a minute\n");
        std::exit(1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

void Net::kill(std::size_t at) {
  auto& node = *nodes_.at(at);
  ::kill(node.process->pid(), SIGKILL);
  node.driver.reset();
  node.process.reset();
  node.server.reset();
  node.application.reset();
}

void Net::connect(std::size_t at) {
  auto& node = *nodes_.at(at);
  if (node.driver) (void)node.driver->connect(node.settings.peers);
}

auto Net::rpc_folder(std::size_t node) const -> std::filesystem::path {
  return nodes_.at(node)->settings.folder;
}

auto Net::address(std::size_t node) const -> std::string {
  std::string text = to_hex(engine::address_of(nodes_.at(node)->validator->verify_key()));
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
  return text;
}

auto Net::height(Rpc& rpc) -> std::uint64_t {
  const auto status = rpc.call("status", json::object());
  return status.is_object() ? number(status.at("sync_info").at("latest_block_height")) : 0;
}

auto Net::voted_at(std::size_t node) const -> std::uint64_t {
  const auto text = read_text_file(rpc_folder(node) / "data/priv_validator_state.json");
  const auto state = text ? json::parse(*text, nullptr, false) : json();
  return state.is_object() && state.contains("height") ? number(state.at("height")) : 0;
}

auto Net::signers(Rpc& rpc, std::uint64_t height) -> std::set<std::string> {
  std::set<std::string> out;
  const auto commit = rpc.call("commit", {{"height", std::to_string(height)}});
  if (!commit.is_object()) return out;
  for (const auto& signature : commit.at("signed_header").at("commit").at("signatures")) {
    if (signature.value("block_id_flag", 0) == 2)
      out.insert(signature.at("validator_address").get<std::string>());
  }
  return out;
}

}  // namespace consilium::bench
