#include "consilium/engine/evidence.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <nlohmann/json.hpp>

#include "consilium/engine/validator_rule.hpp"
#include "consilium/ledger/engine_vote.hpp"

namespace consilium::engine {
namespace {

using Json = nlohmann::json;
using ledger::EngineVote;

auto text_at(const Json& object, const char* name) -> std::string {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The engine writes digests in capitals.
auto hex_at(const Json& object, const char* name) -> std::string {
  std::string text = text_at(object, name);
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  return text;
}

auto number_at(const Json& object, const char* name) -> std::uint64_t {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) return 0;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  std::uint64_t value = 0;
  const std::string text = text_at(object, name);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() ? value : 0;
}

auto object_at(const Json& object, const char* name) -> const Json& {
  static const Json nothing = Json::object();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_object() ? *found : nothing;
}

/// RFC 4648; nothing when it is none.
auto from_base64(std::string_view text) -> std::optional<Bytes> {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  Bytes out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto letter = letters.find(c);
    if (letter == std::string_view::npos) return std::nullopt;
    held = (held << 6U) | static_cast<std::uint32_t>(letter);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::uint8_t>((held >> bits) & 0xffU));
  }
  return out;
}

/// "2026-11-25T13:00:00.123456789Z" as Go writes it; false when it is none after 1970.
auto read_time(std::string_view text, EngineVote& vote) -> bool {
  const auto number = [&text](std::size_t at, std::size_t digits) -> std::int64_t {
    std::int64_t value = -1;
    if (at + digits > text.size()) return -1;
    const char* end = text.data() + at + digits;
    const auto read = std::from_chars(text.data() + at, end, value);
    return read.ec == std::errc{} && read.ptr == end ? value : -1;
  };
  std::int64_t year = number(0, 4);
  const std::int64_t month = number(5, 2);
  const std::int64_t day = number(8, 2);
  const std::int64_t hour = number(11, 2);
  const std::int64_t minute = number(14, 2);
  const std::int64_t second = number(17, 2);
  if (year < 1970 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0 ||
      !text.ends_with('Z'))
    return false;
  // Days since 1970 of the proleptic Gregorian calendar, years counted from March.
  if (month <= 2) --year;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719'468;
  vote.seconds = static_cast<std::uint64_t>(((days * 24 + hour) * 60 + minute) * 60 + second);
  if (text.size() == 20) return true;
  const std::string_view fraction = text.substr(20, text.size() - 21);
  if (text.at(19) != '.' || fraction.empty() || fraction.size() > 9) return false;
  std::int64_t nanoseconds = number(20, fraction.size());
  if (nanoseconds < 0) return false;
  for (std::size_t i = fraction.size(); i < 9; ++i) nanoseconds *= 10;
  vote.nanoseconds = static_cast<std::uint32_t>(nanoseconds);
  return true;
}

auto read_vote(const Json& json, std::string_view chain) -> std::optional<ledger::SignedVote> {
  EngineVote vote;
  vote.chain = chain;
  vote.kind = static_cast<EngineVote::Kind>(number_at(json, "type"));
  vote.height = number_at(json, "height");
  vote.round = static_cast<std::uint32_t>(number_at(json, "round"));
  const Json& id = object_at(json, "block_id");
  if (const std::string hash = hex_at(id, "hash"); !hash.empty()) {
    const Json& parts = object_at(id, "parts");
    const auto block = Digest::from_hex(hash);
    const auto parts_hash = Digest::from_hex(hex_at(parts, "hash"));
    if (!block || !parts_hash) return std::nullopt;
    vote.block = ledger::EngineBlockId{
        *block, static_cast<std::uint32_t>(number_at(parts, "total")), *parts_hash};
  }
  const auto signature = from_base64(text_at(json, "signature"));
  ledger::SignedVote out;
  if (!read_time(text_at(json, "timestamp"), vote) || !signature ||
      signature->size() != out.signature.bytes.size())
    return std::nullopt;
  std::copy(signature->begin(), signature->end(), out.signature.bytes.begin());
  out.sign_bytes = vote.encode();
  if (!EngineVote::decode(out.sign_bytes)) return std::nullopt;
  return out;
}

}  // namespace

auto evidence_in_block(std::string_view block, std::string_view chain,
                       std::span<const sealing::VerifyKey> keys)
    -> Result<std::vector<ledger::Evidence>> {
  const auto parsed = Json::parse(block, nullptr, false);
  const Json& carried = object_at(object_at(parsed, "block"), "evidence");
  const auto list = carried.find("evidence");
  if (list == carried.end() || !(list->is_array() || list->is_null()))
    return fail("engine_answer", "cometbft", "Its block cannot be read: is it of another version?");
  std::vector<ledger::Evidence> out;
  for (const Json& one : *list) {
    if (text_at(one, "type") != "tendermint/DuplicateVoteEvidence") continue;
    const Json& value = object_at(one, "value");
    const Json& first = object_at(value, "vote_a");
    auto a = read_vote(first, chain);
    auto b = read_vote(object_at(value, "vote_b"), chain);
    const std::string address = hex_at(first, "validator_address");
    const auto signer = std::find_if(keys.begin(), keys.end(), [&](const sealing::VerifyKey& key) {
      const auto bytes = from_hex(address);
      const ValidatorAddress known = address_of(key);
      return bytes && std::equal(bytes->begin(), bytes->end(), known.begin(), known.end());
    });
    if (!a || !b || signer == keys.end() || a->sign_bytes == b->sign_bytes) continue;
    if (b->sign_bytes < a->sign_bytes) std::swap(a, b);
    out.push_back({*signer, {std::move(*a), std::move(*b)}});
  }
  return out;
}

auto validator_keys(const ledger::State& state) -> std::vector<sealing::VerifyKey> {
  std::vector<sealing::VerifyKey> out;
  for (const auto& [id, key] : state.validators()) out.push_back(key);
  for (const auto& [key, former] : state.former_keys()) {
    if (former.use == ledger::KeyUse::validator) out.push_back(key);
  }
  return out;
}

}  // namespace consilium::engine
