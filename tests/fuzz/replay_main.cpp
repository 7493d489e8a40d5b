// Replays a corpus (what once was trouble), the seeds, and mutations of both that depend on nothing
// but a number.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "consilium/foundation/files.hpp"
#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/random.hpp"

#include "fuzz.hpp"

namespace {

using consilium::Bytes;

constexpr std::size_t mutations_each = 2000;

/// Cuts, repeats, overwrites or flips a few places.
auto mutated(const Bytes& input, consilium::Random& random) -> Bytes {
  Bytes out = input;
  for (auto change = random.below(4) + 1; change > 0; --change) {
    const auto place = static_cast<std::ptrdiff_t>(random.below(out.size() + 1));
    const auto length = static_cast<std::ptrdiff_t>(random.below(9));
    const auto end = std::min(place + length, std::ssize(out));
    switch (random.below(5)) {
      case 0:
        out.erase(out.begin() + place, out.begin() + end);
        break;
      case 1: {
        const Bytes piece(out.begin() + place, out.begin() + end);
        out.insert(out.begin() + place, piece.begin(), piece.end());
        break;
      }
      case 2:
        std::fill(out.begin() + place, out.begin() + end, random.below(2) == 0 ? 0xff : 0x00);
        break;
      case 3:
        if (place < std::ssize(out))
          out[static_cast<std::size_t>(place)] = static_cast<std::uint8_t>(random.below(256));
        break;
      default:
        if (place < std::ssize(out))
          out[static_cast<std::size_t>(place)] ^= static_cast<std::uint8_t>(1U << random.below(8));
        break;
    }
  }
  return out;
}

}  // namespace

auto main(int count, char** arguments) -> int {
  auto inputs = consilium::fuzz::seeds();
  const auto own = inputs.size();
  for (std::size_t i = 0; i < own; ++i) {
    if (consilium::fuzz::try_input(inputs[i])) continue;
    std::fprintf(stderr, "seed %zu is refused, so that its mutations would test little\n", i);
    return EXIT_FAILURE;
  }
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(arguments[i])) continue;
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) {
      auto bytes = consilium::read_file(entry.path());
      if (!bytes) {
        std::fprintf(stderr, "%s\n", bytes.error().message().c_str());
        return EXIT_FAILURE;
      }
      inputs.push_back(std::move(*bytes));
    }
  }
  std::size_t accepted = 0;
  (void)consilium::fuzz::try_input({});
  for (const auto& input : inputs) {
    (void)consilium::fuzz::try_input(input);
    // One stream an input: adding a file to the corpus does not change what is tried on the others.
    consilium::SeededRandom random(consilium::sha256(input).view(), "consilium/fuzz");
    for (std::size_t i = 0; i < mutations_each; ++i)
      if (consilium::fuzz::try_input(mutated(input, random))) ++accepted;
  }
  std::printf("%zu seeds, %zu of the corpus, %zu mutations each, %zu accepted\n", own,
              inputs.size() - own, mutations_each, accepted);
  return inputs.empty() ? EXIT_FAILURE : EXIT_SUCCESS;
}
