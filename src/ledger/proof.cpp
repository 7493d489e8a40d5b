#include "consilium/ledger/proof.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "consilium/foundation/codec.hpp"

#include "leaves.hpp"

namespace consilium::ledger {
namespace {

constexpr std::uint8_t proof_version = 1;
constexpr std::size_t key_bytes_max = 64;
constexpr std::size_t record_bytes_max = std::size_t{1} << 20U;
/// No tree of 2^64 leaves is higher.
constexpr std::size_t path_max = 64;

struct Named {
  std::string_view kind;
  LeafKind leaf;
};
constexpr std::array<Named, 6> numbered{{{"member", LeafKind::member},
                                         {"proposal", LeafKind::proposal},
                                         {"round", LeafKind::round},
                                         {"alignment", LeafKind::alignment},
                                         {"model", LeafKind::model},
                                         {"offence", LeafKind::offence}}};

}  // namespace

auto record_key(std::string_view name) -> Result<Bytes> {
  if (name == "head") return leaf_key(LeafKind::head, std::uint64_t{0});
  const auto slash = name.find('/');
  const std::string_view kind = name.substr(0, slash);
  const std::string_view which = slash == std::string_view::npos ? "" : name.substr(slash + 1);
  if (kind == "family") {
    if (const auto digest = Digest::from_hex(which)) return leaf_key(LeafKind::family, *digest);
  }
  if (kind == "former_key") {
    if (const auto digest = Digest::from_hex(which))
      return leaf_key(LeafKind::former_key, sealing::VerifyKey{digest->bytes});
  }
  const auto found = std::ranges::find(numbered, kind, &Named::kind);
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(which.data(), which.data() + which.size(), number);
  if (found != numbered.end() && problem == std::errc{} && end == which.data() + which.size() &&
      !which.empty())
    return leaf_key(found->leaf, number);
  return fail(
      "wrong_usage", "record " + std::string(name.substr(0, 100)),
      "A record is head, member/N, proposal/N, round/N, family/HEX, alignment/N, model/N, "
      "former_key/HEX or offence/N.");
}

auto RecordProof::encode() const -> Bytes {
  Writer out;
  out.u8(proof_version).bytes(key).bytes(record).u64(path.place).u64(path.count);
  out.list(path.beside, [](Writer& w, const Digest& digest) { w.digest(digest); });
  return out.take();
}

auto RecordProof::decode(BytesView bytes) -> Result<RecordProof> {
  Reader in(bytes, "record's proof");
  RecordProof proof;
  if (in.u8() != proof_version) in.reject();
  proof.key = in.bytes(key_bytes_max);
  proof.record = in.bytes(record_bytes_max);
  proof.path.place = in.u64();
  proof.path.count = in.u64();
  proof.path.beside = in.list(path_max, [](Reader& r) { return r.digest(); });
  CONSILIUM_CHECK(in.finish());
  return proof;
}

auto check_record(const RecordProof& proof, const Digest& state) -> Result<void> {
  const auto wrong = [] {
    return fail("wrong_proof", "record's proof",
                "It does not lead to the state digest: the record is not part of that state.");
  };
  std::uint64_t place = proof.path.place;
  if (place >= proof.path.count) return wrong();
  Digest node = leaf_digest(proof.key, proof.record);
  auto beside = proof.path.beside.begin();
  for (std::uint64_t count = proof.path.count; count > 1; count = count / 2 + count % 2) {
    const bool is_right = place % 2 == 1;
    // An odd last node has nothing beside it and is promoted.
    if (is_right || place + 1 < count) {
      if (beside == proof.path.beside.end()) return wrong();
      node = is_right ? node_digest(*beside, node) : node_digest(node, *beside);
      ++beside;
    }
    place /= 2;
  }
  if (beside != proof.path.beside.end() || node != state) return wrong();
  return {};
}

}  // namespace consilium::ledger
