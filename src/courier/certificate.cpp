#include "certificate.hpp"

#include <algorithm>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "consilium/foundation/hash.hpp"

namespace consilium::courier {
namespace {

constexpr std::size_t proof_bytes = 32 + 64;
/// An arc that anybody may make from a UUID (X.667); this one was made for this extension.
constexpr const char* proof_name = "2.25.205516463708646462552016342378572905221";
/// RFC 5280 §4.1.2.5: no well-defined end. The key lives no longer than the process, and who may
/// come in is asked for at every request.
constexpr const char* no_end = "99991231235959Z";

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using Object = std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>;

/// What the identity key signs.
auto proof_message(const Digest& consortium, X509_PUBKEY* transport) -> Digest {
  Bytes encoded(static_cast<std::size_t>(std::max(0, i2d_X509_PUBKEY(transport, nullptr))));
  std::uint8_t* end = encoded.data();
  i2d_X509_PUBKEY(transport, &end);
  return tagged_hash("consilium/courier/1/transport", {consortium.view(), encoded});
}

auto is_signed(const IdentityKey& identity, BytesView message, BytesView signature) -> bool {
  const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, identity.bytes.data(), identity.bytes.size()));
  const DigestContext context(EVP_MD_CTX_new());
  return key && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

auto bad_certificate() -> tl::unexpected<Error> {
  return fail("bad_certificate", "handshake",
              "The certificate is not one that a member of this consortium makes. Check that both "
              "nodes belong to the same consortium and run this version.");
}

auto add_proof(X509* certificate, BytesView proof) -> bool {
  const Object name(OBJ_txt2obj(proof_name, 1));
  const std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>> value(
      ASN1_OCTET_STRING_new());
  if (!name || !value ||
      ASN1_OCTET_STRING_set(value.get(), proof.data(), static_cast<int>(proof.size())) != 1)
    return false;
  // Critical: who does not know it must not take the certificate for an ordinary one.
  const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, name.get(), 1, value.get()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

auto make_certificate(EVP_PKEY* key) -> std::unique_ptr<X509, FreeCertificate> {
  std::unique_ptr<X509, FreeCertificate> made(X509_new());
  if (!made) return nullptr;
  X509* const certificate = made.get();
  X509_NAME* const name = X509_get_subject_name(certificate);
  const auto* title = reinterpret_cast<const unsigned char*>("consilium");
  const bool good =
      X509_set_version(certificate, X509_VERSION_3) == 1 &&
      ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
      ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20000101000000Z") == 1 &&
      ASN1_TIME_set_string(X509_getm_notAfter(certificate), no_end) == 1 &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, title, -1, -1, 0) == 1 &&
      X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1;
  if (!good) return nullptr;
  return made;
}

auto judge_certificate(X509_STORE_CTX* context, void* judge) -> int {
  const auto& judging = *static_cast<const Judge*>(judge);
  const auto identity = identity_in(X509_STORE_CTX_get0_cert(context), judging.consortium);
  if (!identity) {
    judging.seen_other = true;
    X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_UNTRUSTED);  // alert: bad certificate
    return 0;
  }
  if (!judging.admits(*identity)) {
    judging.seen_other = true;
    X509_STORE_CTX_set_error(context, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);  // alert: unknown ca
    return 0;
  }
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

}  // namespace

auto identity_in(const X509* certificate, const Digest& consortium) -> Result<IdentityKey> {
  const Object name(OBJ_txt2obj(proof_name, 1));
  CONSILIUM_ENSURE(name != nullptr);
  if (certificate == nullptr) return bad_certificate();
  const int at = X509_get_ext_by_OBJ(certificate, name.get(), -1);
  X509_EXTENSION* const extension = at < 0 ? nullptr : X509_get_ext(certificate, at);
  if (extension == nullptr || X509_get_ext_by_OBJ(certificate, name.get(), at) >= 0)
    return bad_certificate();
  const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(extension);
  if (ASN1_STRING_length(value) != static_cast<int>(proof_bytes)) return bad_certificate();
  const BytesView proof(ASN1_STRING_get0_data(value), proof_bytes);
  IdentityKey identity;
  std::copy_n(proof.begin(), identity.bytes.size(), identity.bytes.begin());
  const Digest message = proof_message(consortium, X509_get_X509_PUBKEY(certificate));
  if (!is_signed(identity, message.view(), proof.subspan(identity.bytes.size())))
    return bad_certificate();
  return identity;
}

auto TransportIdentity::consortium() const -> const Digest& {
  return state_->consortium;
}

auto TransportIdentity::identity() const -> const IdentityKey& {
  return state_->identity;
}

auto TransportIdentity::make(const Digest& consortium, const IdentityKey& identity,
                             const Sign& sign) -> Result<TransportIdentity> {
  std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CONSILIUM_ENSURE(key != nullptr);
  auto certificate = make_certificate(key.get());
  CONSILIUM_ENSURE(certificate != nullptr);
  const Digest message = proof_message(consortium, X509_get_X509_PUBKEY(certificate.get()));
  const auto signature = sign(message.view());
  if (!is_signed(identity, message.view(), signature)) {
    return fail("bad_key", "transport identity",
                "The signature is not the identity key's. Check the node's keys.");
  }
  Bytes proof(identity.bytes.begin(), identity.bytes.end());
  proof.insert(proof.end(), signature.begin(), signature.end());
  CONSILIUM_ENSURE(add_proof(certificate.get(), proof) &&
                   X509_sign(certificate.get(), key.get(), nullptr) > 0);
  return TransportIdentity(
      std::make_shared<State>(State{consortium, identity, std::move(key), std::move(certificate)}));
}

auto configure(SSL_CTX* context, const TransportIdentity& ours, const Judge& judge) -> bool {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // OpenSSL hands it back to judge_certificate, which only reads it.
  SSL_CTX_set_cert_verify_callback(context, judge_certificate, const_cast<Judge*>(&judge));
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 &&
         SSL_CTX_set_ciphersuites(
             context,
             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
         SSL_CTX_use_certificate(context, ours.state().certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(context, ours.state().key.get()) == 1;
}

}  // namespace consilium::courier
