#include "consilium/sealing/one_time_keys.hpp"

#include <algorithm>
#include <initializer_list>

#include <sodium.h>

#include "consilium/foundation/codec.hpp"

namespace consilium::sealing {
namespace {

constexpr std::string_view key_tag = "consilium/seal/1/one-time";
constexpr std::string_view used_tag = "consilium/seal/1/used-key";

/// H of §1 on secrets: neither its state nor its result is left in memory that is not wiped.
void secret_hash(std::string_view tag, std::initializer_list<BytesView> parts,
                 std::span<std::uint8_t> out) {
  CONSILIUM_ENSURE(out.size() == crypto_hash_sha256_BYTES);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  const auto add = [&state](BytesView bytes) {
    crypto_hash_sha256_update(&state, bytes.data(), bytes.size());
  };
  Writer tag_size;
  tag_size.u16(static_cast<std::uint16_t>(tag.size()));
  add(tag_size.view());
  add(as_bytes(tag));
  for (const BytesView part : parts) {
    Writer size;
    size.u64(part.size());
    add(size.view());
    add(part);
  }
  crypto_hash_sha256_final(&state, out.data());
  sodium_memzero(&state, sizeof(state));
}

}  // namespace

auto one_time_keys(Random& secrets, const SealAttempt& attempt) -> OneTimeKeys {
  OneTimeKeys keys;
  SecretBytes chance(32);
  Writer hospital;
  hospital.u16(attempt.hospital.value);
  Writer number;
  number.u64(attempt.attempt);
  std::uint8_t which = 0;
  for (SecretBytes* key : {&keys.key, &keys.errors, &keys.sharing}) {
    secrets.fill(chance.expose());
    const std::array<std::uint8_t, 1> place{++which};
    secret_hash(key_tag,
                {chance.expose(), place, attempt.seed.view(), hospital.view(), number.view(),
                 attempt.node_secret},
                key->expose());
  }
  return keys;
}

auto unhedged_keys(Random& secrets) -> OneTimeKeys {
  OneTimeKeys keys;
  for (SecretBytes* key : {&keys.key, &keys.errors, &keys.sharing}) secrets.fill(key->expose());
  return keys;
}

auto KeyHistory::begin(Random& secrets) -> KeyHistory {
  KeyHistory history;
  secrets.fill(history.salt_.bytes);
  return history;
}

auto KeyHistory::encode() const -> Bytes {
  Writer out;
  out.u64(attempts_).digest(salt_);
  out.list(used_, [](Writer& w, const Digest& digest) { w.digest(digest); });
  return out.take();
}

auto KeyHistory::decode(BytesView bytes) -> Result<KeyHistory> {
  Reader in(bytes, "one-time keys used");
  KeyHistory history;
  history.attempts_ = in.u64();
  history.salt_ = in.digest();
  history.used_ = in.list(keys_max, [](Reader& r) { return r.digest(); });
  CONSILIUM_CHECK(in.finish());
  return history;
}

auto KeyHistory::remember(const OneTimeKeys& keys) -> Result<void> {
  Digest digest;
  secret_hash(used_tag, {salt_.view(), keys.key.expose()}, digest.bytes);
  if (std::find(used_.begin(), used_.end(), digest) != used_.end()) {
    return fail("key_reuse", "one-time key",
                "The operating system gave a key that was used before: nothing is sealed. Was this "
                "machine put back to an earlier state?");
  }
  if (used_.size() == keys_max) used_.erase(used_.begin());
  used_.push_back(digest);
  return {};
}

}  // namespace consilium::sealing
