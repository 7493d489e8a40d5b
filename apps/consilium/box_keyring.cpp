#include "box_keyring.hpp"

#include <algorithm>

#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t seed_bytes = 32;
constexpr std::string_view current_file = "box.key";
constexpr std::string_view next_file = "box-next.key";

/// A seed of 32 bytes; behind that of a hybrid key one byte that says so.
auto save(const fs::path& file, const sealing::BoxKey& key) -> Result<void> {
  const SecretBytes seed = key.seed();
  const bool hybrid = key.public_key().kind() == sealing::BoxKind::hybrid;
  SecretBytes bytes(seed.size() + (hybrid ? 1U : 0U));
  std::copy(seed.expose().begin(), seed.expose().end(), bytes.expose().begin());
  if (hybrid) bytes.expose().back() = static_cast<std::uint8_t>(sealing::BoxKind::hybrid);
  return write_file_durably(file, bytes.expose(), Readers::owner);
}

/// Nothing where there is no file, or one that was overwritten.
auto read(const fs::path& file) -> Result<std::optional<sealing::BoxKey>> {
  std::optional<sealing::BoxKey> key;
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return key;
  CONSILIUM_TRY(auto bytes, read_file(file, seed_bytes + 1));
  SecretBytes kept(bytes.size());
  std::copy(bytes.begin(), bytes.end(), kept.expose().begin());
  wipe(bytes);
  const BytesView seed = kept.expose();
  if (!seed.empty() &&
      std::all_of(seed.begin(), seed.end(), [](std::uint8_t byte) { return byte == 0; })) {
    return key;
  }
  const bool hybrid = seed.size() == seed_bytes + 1 &&
                      seed.back() == static_cast<std::uint8_t>(sealing::BoxKind::hybrid);
  if (seed.size() != seed_bytes && !hybrid) {
    return fail("bad_key", file.string(),
                "a box key's file has 32 bytes, a hybrid one's 33; restore it from the backup of "
                "this node");
  }
  CONSILIUM_TRY(key, sealing::BoxKey::from_seed(
                         seed.first(seed_bytes),
                         hybrid ? sealing::BoxKind::hybrid : sealing::BoxKind::classical));
  return key;
}

/// The next key's file takes the current one's name; what was there was overwritten before.
auto rename_next(const fs::path& folder) -> Result<void> {
  std::error_code problem;
  fs::rename(folder / next_file, folder / current_file, problem);
  if (problem) {
    return fail("file_unwritable", (folder / current_file).string(),
                "the new box key cannot take its place; give this user the right to write here");
  }
  return sync_folder(folder);
}

}  // namespace

auto BoxKeyring::open(const fs::path& folder, sealing::BoxKind kind, Random& secrets)
    -> Result<BoxKeyring> {
  CONSILIUM_TRY(auto current, read(folder / current_file));
  CONSILIUM_TRY(auto next, read(folder / next_file));
  std::error_code ignored;
  if (!current && next) {
    // Killed between overwriting the old key and renaming the new one.
    CONSILIUM_CHECK(rename_next(folder));
    current = std::exchange(next, std::nullopt);
  } else if (!current && fs::exists(folder / current_file, ignored)) {
    return fail("bad_key", (folder / current_file).string(),
                "the box key was erased and there is no next one; remove the file, and this node "
                "makes a new key");
  }
  if (!current) {
    CONSILIUM_TRY(current, sealing::BoxKey::make(secrets, kind));
    CONSILIUM_CHECK(save(folder / current_file, *current));
  }
  BoxKeyring keyring(folder, std::move(*current));
  keyring.next_ = std::move(next);
  return keyring;
}

auto BoxKeyring::holds(const sealing::BoxPublicKey& key) const -> bool {
  return current_.public_key() == key || (next_ && next_->public_key() == key);
}

auto BoxKeyring::next(sealing::BoxKind kind, Random& secrets) -> Result<sealing::BoxPublicKey> {
  if (!next_ || next_->public_key().kind() != kind) {
    CONSILIUM_TRY(auto made, sealing::BoxKey::make(secrets, kind));
    CONSILIUM_CHECK(erase_file(folder_ / next_file));
    CONSILIUM_CHECK(save(folder_ / next_file, made));
    next_ = std::move(made);
  }
  return next_->public_key();
}

auto BoxKeyring::follow(const sealing::BoxPublicKey& on_ledger) -> Result<void> {
  if (!next_ || next_->public_key() != on_ledger) return {};
  CONSILIUM_CHECK(overwrite_file(folder_ / current_file));
  CONSILIUM_CHECK(rename_next(folder_));
  current_ = std::move(*next_);
  next_.reset();
  return {};
}

}  // namespace consilium::app
