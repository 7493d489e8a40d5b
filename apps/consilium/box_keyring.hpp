#pragma once
// A miner's box keys on disk: the one of the present epoch, and the one that it has posted or is
// about to post. An old one is overwritten, unlinked and wiped when the ledger shows its
// successor: until then a round may still open with it (sealing-spec §12).

#include <filesystem>
#include <optional>

#include "consilium/foundation/secret.hpp"
#include "consilium/sealing/keys.hpp"

namespace consilium::app {

class BoxKeyring {
 public:
  /// Reads `box.key` and `box-next.key`, or makes the first one, of this kind. Whatever a crash
  /// left of an erasure is brought to its end. Errors: `bad_key`, `suite_unavailable`, and those of
  /// files.
  [[nodiscard]] static auto open(const std::filesystem::path& folder, sealing::BoxKind kind,
                                 Random& secrets) -> Result<BoxKeyring>;

  /// The key that opens the present epoch's boxes. Its address stays while the keyring does.
  [[nodiscard]] auto current() const -> const sealing::BoxKey& { return current_; }
  /// Is this the current key or the next one?
  [[nodiscard]] auto holds(const sealing::BoxPublicKey& key) const -> bool;
  /// The key to post next. Made and on disk before it is told: a crash between posting and keeping
  /// cannot lose it. Asked again, the same one, unless it should be of another kind. Errors:
  /// `suite_unavailable`, and those of files.
  [[nodiscard]] auto next(sealing::BoxKind kind, Random& secrets) -> Result<sealing::BoxPublicKey>;
  /// The ledger says that this is our key. If it is the next one, it becomes the current one, and
  /// the old one is erased from disk and memory. Error: `file_unwritable`.
  [[nodiscard]] auto follow(const sealing::BoxPublicKey& on_ledger) -> Result<void>;

 private:
  BoxKeyring(std::filesystem::path folder, sealing::BoxKey current)
      : folder_(std::move(folder)), current_(std::move(current)) {}
  std::filesystem::path folder_;
  sealing::BoxKey current_;
  std::optional<sealing::BoxKey> next_;
};

}  // namespace consilium::app
