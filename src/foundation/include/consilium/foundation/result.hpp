#pragma once
// Two kinds of wrong that never mix (house style §4): the world is wrong → Result<T>; we are wrong
// → CONSILIUM_ENSURE, which stays on in release builds.

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace consilium {

/// What went wrong in the world, for a caller who may react and an operator who must read it.
///
/// `code` is a snake_case name that some caller reacts to (the specifications' error tables name
/// them); `place` says where ("processed.va.data, line 12", "round 3"); `sentence` says what to do,
/// in plain words. None of the three may ever carry patient data or say which check of a secret
/// failed.
struct Error {
  std::string code;
  std::string place;
  std::string sentence;

  /// "place: sentence (code)", one line, for a terminal or a log.
  [[nodiscard]] auto message() const -> std::string;
};

template <typename T>
using Result = tl::expected<T, Error>;

/// Builds the failing side of a Result: `return fail("stale_context", place, "…");`
[[nodiscard]] inline auto fail(std::string_view code, std::string_view place,
                               std::string_view sentence) -> tl::unexpected<Error> {
  return tl::unexpected<Error>(Error{std::string(code), std::string(place), std::string(sentence)});
}

/// Stops the process: an invariant of ours does not hold. Never used for input.
[[noreturn]] void invariant_broken(const char* condition, const char* file, int line);

}  // namespace consilium

#define CONSILIUM_ENSURE(condition)                                  \
  do {                                                               \
    if (!(condition)) {                                              \
      ::consilium::invariant_broken(#condition, __FILE__, __LINE__); \
    }                                                                \
  } while (false)

#define CONSILIUM_CONCAT_INNER(a, b) a##b
#define CONSILIUM_CONCAT(a, b) CONSILIUM_CONCAT_INNER(a, b)

/// `CONSILIUM_TRY(auto bytes, read_file(path));` – takes the value or returns the error to our
/// caller.
#define CONSILIUM_TRY(declaration, ...) \
  CONSILIUM_TRY_INNER(CONSILIUM_CONCAT(consilium_result_, __LINE__), declaration, __VA_ARGS__)
#define CONSILIUM_TRY_INNER(name, declaration, ...)          \
  auto name = (__VA_ARGS__);                                 \
  if (!name) return tl::unexpected(std::move(name).error()); \
  declaration = std::move(*name)

/// `CONSILIUM_CHECK(store.keep(case));` – the same for a Result without a value.
#define CONSILIUM_CHECK(...)                                        \
  do {                                                              \
    if (auto consilium_checked = (__VA_ARGS__); !consilium_checked) \
      return tl::unexpected(std::move(consilium_checked).error());  \
  } while (false)
