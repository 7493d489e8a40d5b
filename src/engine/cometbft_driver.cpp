// Transactions into the engine over its JSON-RPC, on a socket in its folder.

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include "consilium/engine/cometbft.hpp"
#include "consilium/engine/evidence.hpp"
#include "consilium/ledger/engine_vote.hpp"

#include "abci_messages.hpp"

namespace consilium::engine {

namespace {

constexpr long timeout_ms = 5000;
constexpr std::size_t answer_bytes_max = 4U << 20U;

auto unreachable(std::string_view sentence) -> tl::unexpected<Error> {
  return fail("engine_unreachable", "cometbft", sentence);
}

auto collect(char* data, std::size_t one, std::size_t count, void* to) -> std::size_t {
  auto& answer = *static_cast<std::string*>(to);
  const std::size_t size = one * count;
  if (answer.size() + size > answer_bytes_max) return 0;
  answer.append(data, size);
  return size;
}

}  // namespace

struct CometbftDriver::State {
  State(std::filesystem::path folder, Application& beside)
      : socket(rpc_socket(folder).string()), application(beside) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    CONSILIUM_ENSURE(ready == CURLE_OK);
    curl = curl_easy_init();
    CONSILIUM_ENSURE(curl != nullptr);
  }
  ~State() { curl_easy_cleanup(curl); }
  State(const State&) = delete;
  auto operator=(const State&) -> State& = delete;

  std::string socket;
  Application& application;
  CURL* curl = nullptr;

  auto call(std::string_view method, nlohmann::json parameters) -> Result<nlohmann::json> {
    const nlohmann::json request{
        {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", std::move(parameters)}};
    const std::string body = request.dump();
    std::string answer;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, "http://engine/");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (const auto done = curl_easy_perform(curl); done != CURLE_OK)
      return unreachable(std::string("It does not answer (") + curl_easy_strerror(done) +
                         "): it is starting, or its log says why not.");
    auto parsed = nlohmann::json::parse(answer, nullptr, false);
    if (!parsed.is_object()) return unreachable("Its answer cannot be read.");
    if (const auto error = parsed.find("error"); error != parsed.end() && error->is_object()) {
      const std::string text = error->value("message", "") + " " + error->value("data", "");
      if (text.find("already exists in cache") != std::string::npos)
        return fail("waits_already", "cometbft", "The mempool has it.");
      if (text.find("mempool is full") != std::string::npos)
        return fail("queue_full", "cometbft", "The mempool is full: submit again later.");
      return unreachable("It refused the call: " + text.substr(0, 200));
    }
    if (!parsed.contains("result") || !parsed.at("result").is_object())
      return unreachable("Its answer has no result.");
    return parsed.at("result");
  }

  auto broadcast(BytesView transaction) -> ledger::Verdict {
    // JSON-RPC of the engine carries bytes in base64 (RFC 4648).
    const auto answer = call("broadcast_tx_sync", {{"tx", to_base64(transaction)}});
    if (!answer) {
      if (answer.error().code == "waits_already") return {};
      return tl::unexpected(answer.error());
    }
    if (answer->value("code", 1) == 0) return {};
    return tl::unexpected(verdict_of(answer->value("log", "")));
  }
};

CometbftDriver::CometbftDriver(std::filesystem::path folder, Application& application)
    : state_(std::make_unique<State>(std::move(folder), application)) {}
CometbftDriver::~CometbftDriver() = default;

auto CometbftDriver::submit(const ledger::Transaction& transaction) -> ledger::Verdict {
  return state_->broadcast(transaction.encode());
}

auto CometbftDriver::blocks_after(Height height, std::size_t count_max)
    -> Result<std::vector<ledger::Block>> {
  return state_->application.blocks_after(height, count_max);
}

auto CometbftDriver::evidence_at(std::uint64_t engine_height, const ledger::State& ledger)
    -> Result<std::vector<ledger::Evidence>> {
  CONSILIUM_TRY(const auto answer,
                state_->call("block", {{"height", std::to_string(engine_height)}}));
  const auto keys = validator_keys(ledger);
  return evidence_in_block(answer.dump(), ledger::chain_name(ledger.genesis()), keys);
}

auto CometbftDriver::tick() -> ledger::Verdict {
  const auto due = state_->application.due_tick();
  if (!due) return {};
  return state_->broadcast(*due);
}

auto CometbftDriver::peers_connected() -> Result<std::size_t> {
  CONSILIUM_TRY(const auto answer, state_->call("net_info", nlohmann::json::object()));
  const std::string count = answer.value("n_peers", "0");
  return static_cast<std::size_t>(std::strtoull(count.c_str(), nullptr, 10));
}

}  // namespace consilium::engine
