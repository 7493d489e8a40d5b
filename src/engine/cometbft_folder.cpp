// What CometBFT reads: config.toml, genesis.json and its keys (docs.cometbft.com, "Configuration").

#include <cstdlib>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "consilium/engine/cometbft.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/files.hpp"
#include "consilium/ledger/engine_vote.hpp"

namespace consilium::engine {

namespace {

/// A block of the ledger has at most 4 MiB of transactions; the engine counts headers and votes,
/// too.
constexpr std::size_t block_bytes_max = std::size_t{6} << 20U;

auto address_text(const sealing::VerifyKey& key, bool upper) -> std::string {
  std::string text = to_hex(address_of(key));
  if (upper) {
    for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
  }
  return text;
}

/// Ed25519 as Go keeps it: the seed and then the public key. The text is a secret.
auto private_key_json(const sealing::SigningKey& key) -> nlohmann::json {
  const SecretBytes seed = key.seed();
  Bytes both(seed.expose().begin(), seed.expose().end());
  both.insert(both.end(), key.verify_key().bytes.begin(), key.verify_key().bytes.end());
  nlohmann::json out{{"type", "tendermint/PrivKeyEd25519"}, {"value", to_base64(both)}};
  wipe(both);
  return out;
}
auto public_key_json(const sealing::VerifyKey& key) -> nlohmann::json {
  return {{"type", "tendermint/PubKeyEd25519"}, {"value", to_base64(key.bytes)}};
}

auto config_text(const CometbftSettings& settings) -> std::string {
  const auto ms = [](std::int64_t value) { return "\"" + std::to_string(value) + "ms\"\n"; };
  std::string peers;
  for (const auto& peer : settings.peers) peers += (peers.empty() ? "" : ",") + peer;
  const auto& times = settings.times;
  return "# Written anew at every start.\n"
         "proxy_app = \"unix://abci.sock\"\n"
         "abci = \"socket\"\n"
         "moniker = \"" +
         settings.name +
         "\"\n"
         "db_backend = \"goleveldb\"\n"
         "log_level = \"error\"\n"
         "[rpc]\n"
         "laddr = \"unix://rpc.sock\"\n"
         "max_body_bytes = 4000000\n"
         "[p2p]\n"
         "laddr = \"tcp://" +
         settings.listen_host + ":" + std::to_string(settings.listen_port) +
         "\"\n"
         "persistent_peers = \"" +
         peers +
         "\"\n"
         "addr_book_strict = false\n"
         "allow_duplicate_ip = true\n"
         "pex = false\n"
         "send_rate = 200000000\n"
         "recv_rate = 200000000\n"
         "flush_throttle_timeout = " +
         ms(std::min<std::int64_t>(times.gossip_ms, 10)) +
         "persistent_peers_max_dial_period = \"1s\"\n"
         "[mempool]\n"
         "recheck = true\n"
         "size = 20000\n"
         "cache_size = 40000\n"
         "max_tx_bytes = 66000\n"
         "keep-invalid-txs-in-cache = false\n"
         "[consensus]\n"
         "timeout_propose = " +
         ms(times.propose_ms) + "timeout_propose_delta = " + ms(times.propose_ms) +
         "timeout_prevote = " + ms(times.vote_ms) + "timeout_prevote_delta = " + ms(times.vote_ms) +
         "timeout_precommit = " + ms(times.vote_ms) +
         "timeout_precommit_delta = " + ms(times.vote_ms) +
         "timeout_commit = \"0s\"\n"
         "create_empty_blocks = false\n"
         "create_empty_blocks_interval = \"0s\"\n"
         "peer_gossip_sleep_duration = " +
         ms(times.gossip_ms) +
         "[tx_index]\n"
         "indexer = \"null\"\n";
}

auto chain_page(const ledger::Genesis& genesis) -> std::string {
  const auto consortium = genesis.consortium();
  const nlohmann::json page{
      {"genesis_time", iso_time(static_cast<std::int64_t>(genesis.created_unix_s) * 1000)},
      {"chain_id", ledger::chain_name(genesis)},
      {"initial_height", "1"},
      {"consensus_params",
       {{"block", {{"max_bytes", std::to_string(block_bytes_max)}, {"max_gas", "-1"}}},
        {"evidence",
         {{"max_age_num_blocks", "100000"},
          {"max_age_duration", "172800000000000"},
          {"max_bytes", "1048576"}}},
        {"validator", {{"pub_key_types", {"ed25519"}}}},
        {"version", {{"app", "1"}}},
        {"abci", {{"vote_extensions_enable_height", "0"}}}}},
      {"validators",
       {{{"address", address_text(*genesis.founder.validator_key, true)},
         {"pub_key", public_key_json(*genesis.founder.validator_key)},
         {"power", std::to_string(full_power)},
         {"name", genesis.founder.name}}}},
      {"app_hash", ""},
      {"app_state", consortium.hex()}};
  return page.dump(2) + "\n";
}

auto write_once(const std::filesystem::path& file, const nlohmann::json& content) -> Result<void> {
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) return {};
  std::string text = content.dump(2) + "\n";
  auto done = write_file_durably(file, as_bytes(text), Readers::owner);
  std::fill(text.begin(), text.end(), '\0');
  return done;
}

}  // namespace

auto find_cometbft() -> Result<std::filesystem::path> {
  std::vector<std::filesystem::path> places;
  if (const char* named = std::getenv("CONSILIUM_COMETBFT")) places.emplace_back(named);
  std::error_code problem;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
  for (auto folder = self.parent_path();
       !problem && folder != folder.root_path() && places.size() < 6;
       folder = folder.parent_path()) {
    places.push_back(folder / "cometbft");
  }
  if (const char* path = std::getenv("PATH")) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(':'), rest.size());
      places.push_back(std::filesystem::path(rest.substr(0, end)) / "cometbft");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  for (const auto& place : places) {
    if (std::filesystem::is_regular_file(place, problem) && ::access(place.c_str(), X_OK) == 0)
      return std::filesystem::absolute(place);
  }
  return fail("engine_unavailable", "cometbft",
              "The engine is not here: ./dev setup --chain builds it, or name it in "
              "CONSILIUM_COMETBFT.");
}

auto node_id_of(const sealing::VerifyKey& transport) -> std::string {
  return address_text(transport, false);
}

auto abci_socket(const std::filesystem::path& folder) -> std::filesystem::path {
  return folder / "abci.sock";
}
auto rpc_socket(const std::filesystem::path& folder) -> std::filesystem::path {
  return folder / "rpc.sock";
}

auto prepare_cometbft(const CometbftSettings& settings, const ledger::Genesis& genesis,
                      const sealing::SigningKey& validator, const sealing::SigningKey& transport)
    -> Result<void> {
  if (!genesis.founder.validator_key)
    return fail("bad_genesis", "founder " + genesis.founder.name,
                "It names no validator: a chain begins with the founder's.");
  const auto config = settings.folder / "config";
  CONSILIUM_CHECK(write_file_durably(config / "config.toml", as_bytes(config_text(settings))));
  CONSILIUM_CHECK(write_file_durably(config / "genesis.json", as_bytes(chain_page(genesis))));
  CONSILIUM_CHECK(
      write_once(config / "node_key.json", {{"priv_key", private_key_json(transport)}}));
  CONSILIUM_CHECK(write_once(config / "priv_validator_key.json",
                             {{"address", address_text(validator.verify_key(), true)},
                              {"pub_key", public_key_json(validator.verify_key())},
                              {"priv_key", private_key_json(validator)}}));
  return write_once(settings.folder / "data" / "priv_validator_state.json",
                    {{"height", "0"}, {"round", 0}, {"step", 0}});
}

}  // namespace consilium::engine
