#pragma once
// Vectors too large to hold twice: values come in and a body goes out block by block.

#include <span>

#include "consilium/foundation/blob_name.hpp"

namespace consilium::sealing {

/// Where the values of a vector come from, in order. Sealing asks for one block (32 768 values in
/// S30) at a time and forgets it.
class ValueSource {
 public:
  virtual ~ValueSource() = default;
  /// Fills `out` with the next values. An error ends the sealing; nothing was sent then.
  [[nodiscard]] virtual auto next(std::span<std::int32_t> out) -> Result<void> = 0;
};

/// Where a sealed body goes, in order: a blob that is being written.
class BodySink {
 public:
  virtual ~BodySink() = default;
  [[nodiscard]] virtual auto write(BytesView bytes) -> Result<void> = 0;
  /// The body is whole. Returns its name as a blob (blob_name), once it is durable
  /// (where the sink keeps anything). A sink that is destroyed before has kept nothing.
  [[nodiscard]] virtual auto finish() -> Result<Digest> = 0;
};

/// Keeps the body in memory.
class MemorySink final : public BodySink {
 public:
  [[nodiscard]] auto write(BytesView bytes) -> Result<void> override;
  [[nodiscard]] auto finish() -> Result<Digest> override;
  [[nodiscard]] auto take() -> Bytes { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace consilium::sealing
