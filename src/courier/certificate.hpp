#pragma once
// The certificate a node makes for itself, and how another's is read. All of OpenSSL's TLS settings
// are here, for both ends.

#include <atomic>

#include <openssl/ssl.h>

#include "consilium/courier/port.hpp"

namespace consilium::courier {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct TransportIdentity::State {
  Digest consortium;
  IdentityKey identity;
  std::unique_ptr<EVP_PKEY, FreeKey> key;
  std::unique_ptr<X509, FreeCertificate> certificate;
};

/// The member that vouches for a certificate. Errors: `bad_certificate` (no such proof in it, or a
/// wrong one, for example of another consortium).
[[nodiscard]] auto identity_in(const X509* certificate, const Digest& consortium)
    -> Result<IdentityKey>;

/// Decides about the other end during the handshake. Must outlive the context.
struct Judge {
  Digest consortium;
  std::function<bool(const IdentityKey&)> admits;
  mutable std::atomic<bool> seen_other = false;  ///< it has turned somebody away
};

/// TLS 1.3, our certificate, the other's asked for and judged, no resumption: every connection
/// shows its certificate. False when OpenSSL refuses.
[[nodiscard]] auto configure(SSL_CTX* context, const TransportIdentity& ours, const Judge& judge)
    -> bool;

}  // namespace consilium::courier
