#pragma once
// Members with keys, and nodes with ports on this machine.

#include <map>
#include <mutex>

#include <openssl/evp.h>

#include "consilium/courier/port.hpp"
#include "consilium/foundation/hash.hpp"

#include "certificate.hpp"
#include "stores.hpp"

namespace consilium::courier {

/// A member's identity key, made from a seed.
struct Member {
  explicit Member(std::uint8_t number) {
    const Bytes seed(32, number);
    key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
    std::size_t size = identity.bytes.size();
    EVP_PKEY_get_raw_public_key(key.get(), identity.bytes.data(), &size);
  }
  [[nodiscard]] auto sign(BytesView message) const -> std::array<std::uint8_t, 64> {
    std::array<std::uint8_t, 64> signature{};
    std::size_t size = signature.size();
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key.get());
    EVP_DigestSign(context, signature.data(), &size, message.data(), message.size());
    EVP_MD_CTX_free(context);
    return signature;
  }
  [[nodiscard]] auto transport(const Digest& consortium) const -> TransportIdentity {
    return TransportIdentity::make(consortium, identity, [this](BytesView m) { return sign(m); })
        .value();
  }
  std::unique_ptr<EVP_PKEY, FreeKey> key;
  IdentityKey identity;
};

inline const Digest consortium = sha256(as_bytes("four hospitals"));
inline const Digest another_consortium = sha256(as_bytes("four others"));

/// The names of those who may come in; may change while ports are open.
class Register {
 public:
  void set(const IdentityKey& key, const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_[key] = name;
  }
  void strike(const IdentityKey& key) {
    const std::lock_guard lock(mutex_);
    names_.erase(key);
  }
  [[nodiscard]] auto admit() -> Admit {
    return [this](const IdentityKey& key) -> Result<std::string> {
      const std::lock_guard lock(mutex_);
      const auto found = names_.find(key);
      if (found == names_.end()) return fail("not_admitted", "port", "This key is no member's.");
      return found->second;
    };
  }

 private:
  std::mutex mutex_;
  std::map<IdentityKey, std::string> names_;
};

struct Consortium {
  TemporaryFolder folder;
  Register members;
  Member cleveland{1}, hungary{2}, stranger{9};
  BlobStore theirs = open_store(folder.path() / "theirs");
  BlobStore ours = open_store(folder.path() / "ours");
  SeededRandom random{11, "port"};

  Consortium() {
    members.set(cleveland.identity, "cleveland");
    members.set(hungary.identity, "hungary");
  }
  [[nodiscard]] auto open(const Member& member, BlobStore& store, PortOptions options = {})
      -> Port {
    if (options.free_bytes_min == PortOptions{}.free_bytes_min) options.free_bytes_min = 0;
    return Port::open(member.transport(consortium), store, members.admit(), options).value();
  }
  [[nodiscard]] static auto address(const Member& member, const std::string& name,
                                    std::uint16_t port) -> PeerAddress {
    return {.name = name, .identity = member.identity, .host = "127.0.0.1", .port = port};
  }
  /// Hungary asks Cleveland.
  [[nodiscard]] auto ask(const Port& port, const RemoteOptions& options = {}) const -> RemotePeer {
    return {hungary.transport(consortium), address(cleveland, "cleveland", port.number()), options};
  }
};

}  // namespace consilium::courier
