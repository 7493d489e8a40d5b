#include "node_keys.hpp"

#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {

constexpr std::size_t key_bytes = 32;

auto read_or_make(const std::filesystem::path& file, BytesView wanted, Random& secrets)
    -> Result<SecretBytes> {
  SecretBytes key(key_bytes);
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    CONSILIUM_TRY(auto bytes, read_file(file, key_bytes));
    if (bytes.size() != key_bytes) {
      wipe(bytes);
      return fail("bad_key", file.string(),
                  "a key file has 32 bytes; restore it from the backup of this node");
    }
    std::copy(bytes.begin(), bytes.end(), key.expose().begin());
    wipe(bytes);
    return key;
  }
  if (wanted.size() == key_bytes) {
    std::copy(wanted.begin(), wanted.end(), key.expose().begin());
  } else {
    secrets.fill(key.expose());
  }
  CONSILIUM_CHECK(write_file_durably(file, key.expose(), Readers::owner));
  return key;
}

}  // namespace

auto open_node_keys(const std::filesystem::path& folder, BytesView training_seed,
                    sealing::BoxKind box_kind, Random& secrets) -> Result<NodeKeys> {
  CONSILIUM_TRY(const auto identity_seed, read_or_make(folder / "identity.key", {}, secrets));
  CONSILIUM_TRY(auto boxes, BoxKeyring::open(folder, box_kind, secrets));
  CONSILIUM_TRY(auto training, read_or_make(folder / "training.key", training_seed, secrets));
  CONSILIUM_TRY(auto alignment, read_or_make(folder / "alignment.key", {}, secrets));
  CONSILIUM_TRY(auto identity, sealing::SigningKey::from_seed(identity_seed.expose()));
  CONSILIUM_TRY(auto hedge, read_or_make(folder / "hedge.key", {}, secrets));
  CONSILIUM_TRY(const auto validator_seed, read_or_make(folder / "validator.key", {}, secrets));
  CONSILIUM_TRY(const auto transport_seed, read_or_make(folder / "transport.key", {}, secrets));
  CONSILIUM_TRY(auto validator, sealing::SigningKey::from_seed(validator_seed.expose()));
  CONSILIUM_TRY(auto transport, sealing::SigningKey::from_seed(transport_seed.expose()));
  return NodeKeys{std::move(identity),  std::move(boxes), std::move(training),
                  std::move(alignment), std::move(hedge), std::move(validator),
                  std::move(transport)};
}

}  // namespace consilium::app
