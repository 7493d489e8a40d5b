#include "chain_config.hpp"

#include <toml++/toml.h>

#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {

constexpr std::size_t config_bytes_max = 1U << 20U;
constexpr std::size_t peers_max = 64;
constexpr std::string_view config_file = "chain.toml";
constexpr std::string_view genesis_file = "genesis.bin";

auto bad(const std::filesystem::path& file, std::string_view key, std::string_view sentence)
    -> tl::unexpected<Error> {
  return fail("bad_config", file.string() + ", " + std::string(key), sentence);
}

/// Reads one table; the first bad value is the error.
class Table {
 public:
  Table(const std::filesystem::path& file, const toml::table& table) : file_(file), table_(table) {}
  auto number(std::string_view key, std::int64_t least, std::int64_t most) -> std::int64_t {
    const auto value = table_[key].value<std::int64_t>();
    if (!value || *value < least || *value > most) {
      reject(key, "It is a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ".");
      return least;
    }
    return *value;
  }
  auto port(std::string_view key) -> std::uint16_t {
    return static_cast<std::uint16_t>(number(key, 1, 65535));
  }
  auto text(std::string_view key, std::size_t size_max) -> std::string {
    auto value = table_[key].value<std::string>();
    // What goes into other programs' settings has nothing that could end a value there.
    const auto plain = [](char c) {
      return c > ' ' && c < '\x7f' && c != '"' && c != ',' && c != '\\';
    };
    if (!value || value->empty() || value->size() > size_max ||
        !std::all_of(value->begin(), value->end(), plain)) {
      reject(key, "It is a text of letters, digits and plain signs.");
      return {};
    }
    return *value;
  }
  auto choice(std::string_view key, std::string_view first, std::string_view second) -> bool {
    const auto value = text(key, 32);
    if (value != first && value != second)
      reject(key, "It is \"" + std::string(first) + "\" or \"" + std::string(second) + "\".");
    return value == first;
  }
  [[nodiscard]] auto finish() const -> Result<void> {
    if (!error_) return {};
    return tl::unexpected(*error_);
  }

 private:
  void reject(std::string_view key, std::string_view sentence) {
    if (!error_) error_ = bad(file_, key, sentence).value();
  }
  const std::filesystem::path& file_;
  const toml::table& table_;
  std::optional<Error> error_;
};

}  // namespace

auto keeps_chain(const std::filesystem::path& directory) -> bool {
  std::error_code ignored;
  return std::filesystem::exists(directory / config_file, ignored);
}

auto save_chain(const std::filesystem::path& directory, const ChainConfig& config,
                const ledger::Genesis& genesis) -> Result<void> {
  const auto number = [](std::int64_t value) { return std::to_string(value) + "\n"; };
  std::string text =
      "# How this node keeps the chain with the others; read by `consilium serve`.\n"
      "host = \"" +
      config.host +
      "\"\n"
      "engine_port = " +
      number(config.engine_port) + "courier_port = " + number(config.courier_port) +
      "block_interval_ms = " + number(config.block_interval_ms) +
      "propose_ms = " + number(config.times.propose_ms) +
      "vote_ms = " + number(config.times.vote_ms) +
      "gossip_ms = " + number(config.times.gossip_ms) + "trains_on = \"" +
      (config.rule.rows == TrainingRule::Rows::all ? "all" : "shared") +
      "\"\n"
      "norm = \"" +
      (config.rule.norm == TrainingRule::Norm::own ? "own" : "federation") + "\"\n";
  for (const auto& peer : config.peers) {
    text +=
        "\n[[peer]]\n"
        "name = \"" +
        peer.name +
        "\"\n"
        "identity = \"" +
        to_hex(peer.identity.bytes) +
        "\"\n"
        "engine_id = \"" +
        peer.engine_id +
        "\"\n"
        "host = \"" +
        peer.host +
        "\"\n"
        "engine_port = " +
        number(peer.engine_port) + "courier_port = " + number(peer.courier_port);
  }
  CONSILIUM_CHECK(write_file_durably(directory / genesis_file, genesis.encode()));
  return write_file_durably(directory / config_file, as_bytes(text));
}

auto load_chain_config(const std::filesystem::path& directory) -> Result<ChainConfig> {
  const auto file = directory / config_file;
  CONSILIUM_TRY(const auto text, read_text_file(file, config_bytes_max));
  toml::table parsed;
  try {
    parsed = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return bad(file, "line " + std::to_string(error.source().begin.line),
               std::string(error.description()));
  }
  ChainConfig config;
  Table top(file, parsed);
  config.host = top.text("host", 255);
  config.engine_port = top.port("engine_port");
  config.courier_port = top.port("courier_port");
  config.block_interval_ms = top.number("block_interval_ms", 10, 3'600'000);
  config.times.propose_ms = top.number("propose_ms", 10, 600'000);
  config.times.vote_ms = top.number("vote_ms", 10, 600'000);
  config.times.gossip_ms = top.number("gossip_ms", 1, 10'000);
  config.rule.rows = top.choice("trains_on", "all", "shared") ? TrainingRule::Rows::all
                                                              : TrainingRule::Rows::shared_patterns;
  config.rule.norm = top.choice("norm", "own", "federation") ? TrainingRule::Norm::own
                                                             : TrainingRule::Norm::federation;
  CONSILIUM_CHECK(top.finish());
  const auto* peers = parsed["peer"].as_array();
  if (peers == nullptr) return config;
  if (peers->size() > peers_max) return bad(file, "peer", "There are at most 64 peers.");
  for (const auto& entry : *peers) {
    if (!entry.is_table()) return bad(file, "peer", "Each peer is a table: [[peer]].");
    Table table(file, *entry.as_table());
    ChainPeer peer;
    peer.name = table.text("name", 32);
    const auto identity = from_hex(table.text("identity", 64));
    peer.engine_id = table.text("engine_id", 40);
    peer.host = table.text("host", 255);
    peer.engine_port = table.port("engine_port");
    peer.courier_port = table.port("courier_port");
    CONSILIUM_CHECK(table.finish());
    if (!identity || identity->size() != peer.identity.bytes.size())
      return bad(file, "identity", "It is a key of 64 hexadecimal digits.");
    std::copy(identity->begin(), identity->end(), peer.identity.bytes.begin());
    config.peers.push_back(std::move(peer));
  }
  return config;
}

auto load_genesis(const std::filesystem::path& directory) -> Result<ledger::Genesis> {
  CONSILIUM_TRY(const auto bytes, read_file(directory / genesis_file, config_bytes_max));
  return ledger::Genesis::decode(bytes);
}

}  // namespace consilium::app
