#pragma once
// Where a node's own bytes live, as the federation needs them.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/result.hpp"

namespace consilium::federation {

/// Where a participant's bytes live. Every put and save is durable when it returns.
class NodeStorage {
 public:
  virtual ~NodeStorage() = default;
  [[nodiscard]] virtual auto put_blobs(std::span<const BytesView> blobs)
      -> Result<std::vector<Digest>> = 0;
  /// From this node's store, else from a peer's; checked against the digest. Error:
  /// `blob_unavailable`.
  [[nodiscard]] virtual auto get_blob(const Digest& digest) -> Result<Bytes> = 0;
  /// A small named record of this node. `name` is [a-z0-9/.-].
  [[nodiscard]] virtual auto save(std::string_view name, BytesView bytes) -> Result<void> = 0;
  [[nodiscard]] virtual auto load(std::string_view name) -> Result<std::optional<Bytes>> = 0;
  /// Takes a record away for good; fine when there is none.
  [[nodiscard]] virtual auto erase(std::string_view name) -> Result<void> = 0;
};

}  // namespace consilium::federation
