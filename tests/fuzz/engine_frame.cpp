// The engine's stream: the same messages however it is cut into pieces, each the bytes that its own
// encoder makes, and nothing taken for a length that no message may have.

#include <algorithm>
#include <optional>

#include "frames.hpp"
#include "fuzz.hpp"

namespace consilium::fuzz {
namespace {

constexpr std::size_t size_max = 1000;

struct Heard {
  std::vector<Bytes> messages;
  bool refused = false;
};

/// Reads the stream in pieces of this size.
auto hear(BytesView stream, std::size_t piece) -> Heard {
  engine::FrameReader reader(size_max);
  Heard out;
  while (!stream.empty() && !out.refused) {
    const std::size_t size = std::min(piece, stream.size());
    reader.add(stream.first(size));
    stream = stream.subspan(size);
    for (;;) {
      auto message = reader.next();
      if (!message) {
        out.refused = true;
        break;
      }
      if (!*message) break;
      out.messages.push_back(std::move(**message));
    }
  }
  return out;
}

}  // namespace

auto try_input(BytesView input) -> bool {
  const Heard whole = hear(input, input.size());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    const Heard cut = hear(input, piece);
    CONSILIUM_ENSURE(cut.messages == whole.messages && cut.refused == whole.refused);
  }
  Bytes again;
  for (const auto& message : whole.messages) {
    CONSILIUM_ENSURE(message.size() <= size_max);
    engine::put_frame(again, message);
  }
  CONSILIUM_ENSURE(again.size() <= input.size() &&
                   std::equal(again.begin(), again.end(), input.begin()));
  return !whole.refused && again.size() == input.size();
}

auto seeds() -> std::vector<Bytes> {
  std::vector<Bytes> out(3);
  engine::put_frame(out[0], Bytes{});
  for (const std::size_t size : {1U, 127U, 128U, 300U}) {
    engine::put_frame(out[1], Bytes(size, static_cast<std::uint8_t>(size)));
  }
  engine::put_frame(out[2], Bytes(size_max, 1));
  return out;
}

}  // namespace consilium::fuzz
