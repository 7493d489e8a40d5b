// Every node of a world checks every signature, some of them ten times: two thirds of a story's
// time went there. Whether a signature is good depends on its bytes alone, so in a simulated world
// it is worked out once; libsodium itself still does it.

#include <cstring>
#include <map>

#include <sodium.h>

#include "chain_past.hpp"

namespace consilium::simulator {
namespace {

constexpr std::size_t kept_max = 20'000;

auto kept() -> std::map<Digest, int>& {
  static std::map<Digest, int> all;
  return all;
}

}  // namespace

auto signatures_kept() -> std::size_t {
  return kept().size();
}

}  // namespace consilium::simulator

/// Stands before libsodium's own, which is the same as crypto_sign_ed25519_verify_detached.
extern "C" auto crypto_sign_verify_detached(const unsigned char* signature,
                                            const unsigned char* message,
                                            unsigned long long message_size,
                                            const unsigned char* key) -> int {
  using consilium::BytesView;
  auto& kept = consilium::simulator::kept();
  const auto name = consilium::Hasher()
                        .add(BytesView(signature, crypto_sign_BYTES))
                        .add(BytesView(key, crypto_sign_PUBLICKEYBYTES))
                        .add(BytesView(message, static_cast<std::size_t>(message_size)))
                        .finish();
  const auto known = kept.find(name);
  if (known != kept.end()) return known->second;
  if (kept.size() >= consilium::simulator::kept_max) kept.clear();
  const int verdict = crypto_sign_ed25519_verify_detached(signature, message, message_size, key);
  kept.emplace(name, verdict);
  return verdict;
}
