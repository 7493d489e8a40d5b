#pragma once
// What goes over the port, apart from the library that carries it. Decisions/0036 lists the
// requests.

#include <cstdint>
#include <optional>
#include <string>

#include "consilium/foundation/blob_name.hpp"

namespace consilium::courier {

/// Headers of ours; both ends set and read them here only.
inline constexpr const char* size_header = "consilium-size";  ///< of the whole blob, decimal
inline constexpr const char* path_header = "consilium-path";  ///< of a run, hexadecimal
inline constexpr const char* error_header =
    "consilium-error";  ///< a code; the body is its sentence

enum class Method { get, put, post, remove };

struct Request {
  Method method = Method::get;
  std::string target;
  std::optional<std::uint64_t> blob_size;
  BlobPath path;
  Bytes body;
};

struct Answer {
  unsigned status = 204;
  std::string error;  ///< a code, and the sentence is the body; empty: none
  std::optional<std::uint64_t> blob_size;
  BlobPath path;
  Bytes body;
};

/// `peer_busy` says 429: the same may be asked again in a second.
[[nodiscard]] auto refusal(std::string_view code, std::string_view sentence) -> Answer;
[[nodiscard]] auto refusal(const Error& error) -> Answer;

[[nodiscard]] auto path_text(const BlobPath& path) -> std::string;
/// Nothing when it is not whole digests in hexadecimal, or more than any blob has.
[[nodiscard]] auto path_of_text(std::string_view text) -> std::optional<BlobPath>;
/// Decimal digits alone, without leading zeros.
[[nodiscard]] auto number_of_text(std::string_view text) -> std::optional<std::uint64_t>;

}  // namespace consilium::courier
