#include "consilium/courier/courier.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::courier {

namespace {

auto get_checked(const Digest& digest, BlobPeer& from, std::size_t size_max) -> Result<Bytes> {
  auto bytes = from.get(digest, size_max);
  if (!bytes) return bytes;
  if (bytes->size() > size_max || sha256(*bytes) != digest) {
    return fail("blob_mismatch", from.name(),
                "This node sent other bytes than it was asked for. They were thrown away.");
  }
  return bytes;
}

}  // namespace

auto LocalPeer::get(const Digest& digest, std::size_t size_max) -> Result<Bytes> {
  return store_->get(digest, size_max);
}

auto LocalPeer::has(const Digest& digest) -> Result<bool> {
  return store_->has(digest);
}

auto fetch(const Digest& digest, BlobPeer& from, BlobStore& to, std::size_t size_max)
    -> Result<Bytes> {
  // A copy of ours that is damaged reads as an error here and is replaced by the peer's.
  if (auto held = to.get(digest, size_max)) return held;
  CONSILIUM_TRY(auto bytes, get_checked(digest, from, size_max));
  CONSILIUM_TRY(const Digest stored, to.put(bytes));
  CONSILIUM_ENSURE(stored == digest);
  return bytes;
}

auto fetch_from_any(const Digest& digest, std::span<BlobPeer* const> peers, BlobStore& to,
                    std::size_t size_max) -> Fetched {
  Fetched fetched;
  if (auto held = to.get(digest, size_max)) {
    fetched.bytes = std::move(held);
    return fetched;
  }
  std::string asked;
  for (BlobPeer* const peer : peers) {
    auto bytes = get_checked(digest, *peer, size_max);
    if (!bytes) {
      asked += (asked.empty() ? "" : ", ") + peer->name() + " (" + bytes.error().code + ")";
      fetched.faults.push_back({peer->name(), std::move(bytes).error()});
      continue;
    }
    fetched.from = peer->name();
    if (auto stored = to.put(*bytes); !stored) {
      fetched.bytes = tl::unexpected(std::move(stored).error());
    } else {
      fetched.bytes = std::move(bytes);
    }
    return fetched;
  }
  fetched.bytes =
      fail("blob_unavailable", "blob " + digest.short_text(),
           "No hospital gave it. Asked: " + (asked.empty() ? std::string("nobody") : asked) +
               ". It is asked for again when one of them is back.");
  return fetched;
}

}  // namespace consilium::courier
