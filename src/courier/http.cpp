#include "http.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace consilium::courier {
namespace {

struct Status {
  std::string_view code;
  unsigned number;
};
constexpr std::array statuses{
    Status{"bad_request", 400},       Status{"not_admitted", 403},   Status{"blob_missing", 404},
    Status{"no_such_run", 404},       Status{"channel_closed", 409}, Status{"blob_too_large", 413},
    Status{"message_too_large", 413}, Status{"blob_mismatch", 422},  Status{"peer_busy", 429},
    Status{"blob_damaged", 500},      Status{"disk_full", 507}};

}  // namespace

auto refusal(std::string_view code, std::string_view sentence) -> Answer {
  const auto* const found =
      std::find_if(statuses.begin(), statuses.end(), [&](auto& s) { return s.code == code; });
  const BytesView words = as_bytes(sentence);
  return {.status = found == statuses.end() ? 500 : found->number,
          .error = std::string(code),
          .blob_size = {},
          .path = {},
          .body = Bytes(words.begin(), words.end())};
}

auto refusal(const Error& error) -> Answer {
  // Places are paths of ours; the other side gets the sentence only.
  return refusal(error.code == "fetch_underway" ? "peer_busy" : error.code, error.sentence);
}

auto path_text(const BlobPath& path) -> std::string {
  std::string text;
  for (const Digest& digest : path) text += digest.hex();
  return text;
}

auto path_of_text(std::string_view text) -> std::optional<BlobPath> {
  constexpr std::size_t digits = 2 * sizeof(Digest::bytes);
  if (text.size() % digits != 0 || text.size() / digits > blob_path_max) return std::nullopt;
  BlobPath path;
  for (; !text.empty(); text.remove_prefix(digits)) {
    const auto digest = Digest::from_hex(text.substr(0, digits));
    if (!digest) return std::nullopt;
    path.push_back(*digest);
  }
  return path;
}

auto number_of_text(std::string_view text) -> std::optional<std::uint64_t> {
  std::uint64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc{} || end != last || (text.size() > 1 && text.front() == '0'))
    return std::nullopt;
  return number;
}

}  // namespace consilium::courier
