#pragma once
// One request in, one response out, as bytes: what the socket carries without the lengths.

#include <functional>
#include <optional>

#include "consilium/engine/application.hpp"

namespace consilium::engine {

struct AbciAnswer {
  Bytes response;
  bool flush = false;          ///< the engine waits for all answers so far
  std::optional<Error> fault;  ///< this node must stop
};

/// Errors: `bad_encoding` (no request; the connection is closed), `engine_unavailable`.
[[nodiscard]] auto answer_abci(Application& application, BytesView request) -> Result<AbciAnswer>;

/// A verdict in the engine's log and back: code, place and sentence.
[[nodiscard]] auto verdict_text(const Error& error) -> std::string;
[[nodiscard]] auto verdict_of(std::string_view text) -> Error;

}  // namespace consilium::engine
