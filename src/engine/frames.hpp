#pragma once
// Messages on a stream, each after its length as a varint (protobuf's, little-endian groups of
// seven bits).

#include <optional>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::engine {

void put_frame(Bytes& out, BytesView message);

/// Takes a stream apart. Holds at most one message that is not whole yet.
class FrameReader {
 public:
  explicit FrameReader(std::size_t size_max) : size_max_(size_max) {}
  void add(BytesView bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  /// The next whole message; nothing while it is not whole. Errors, for good: `frame_too_large`
  /// (said before any memory is taken for it), `bad_encoding` (a length of more than five bytes, or
  /// not in its shortest form).
  [[nodiscard]] auto next() -> Result<std::optional<Bytes>>;

 private:
  std::size_t size_max_;
  Bytes buffer_;
  std::size_t at_ = 0;
};

}  // namespace consilium::engine
