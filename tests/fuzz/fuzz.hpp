#pragma once
// A fuzz target is one file: it says what is tried on arbitrary bytes, and which honest bytes to
// start from.
// ./dev fuzz ROOM drives it with libFuzzer; ctest replays the corpus and seeded mutations with the
// ordinary build.

#include <vector>

#include "consilium/foundation/bytes.hpp"

namespace consilium::fuzz {

/// Must end without a crash, a hang or a broken invariant, whatever the bytes. True when the input
/// was accepted.
auto try_input(BytesView input) -> bool;

/// Honest inputs, made by the encoders of today; all of them are accepted.
[[nodiscard]] auto seeds() -> std::vector<Bytes>;

}  // namespace consilium::fuzz
