#include "consilium/courier/courier.hpp"

namespace consilium::courier {

namespace {

/// One run from a peer, checked against the blob's name for the size it states.
auto checked_run(const Digest& digest, std::uint64_t index, BlobPeer& from, std::size_t size_max)
    -> Result<BlobRun> {
  CONSILIUM_TRY(BlobRun run, from.run(digest, index));
  if (run.blob_size > size_max) {
    return fail("blob_too_large", from.name(),
                "The blob is larger than the " + std::to_string(size_max) +
                    " bytes expected. It was not fetched.");
  }
  if (!check_blob_run(digest, run.blob_size, index, run.bytes, run.path)) {
    return fail("blob_mismatch", from.name(),
                "This node sent other bytes than it was asked for. They were thrown away.");
  }
  return run;
}

/// Goes on with what is here of the blob, until it is whole. Peers may state different sizes, and
/// only one of these can be finished: each size has its own part.
auto gather(const Digest& digest, BlobPeer& from, BlobStore& to, std::size_t size_max)
    -> Result<Bytes> {
  std::optional<BlobPart> part;
  std::uint64_t size = 0;
  std::uint64_t next = 0;
  if (const auto begun = to.begun_size(digest); begun && *begun <= size_max) {
    size = *begun;
    CONSILIUM_TRY(part, to.part(digest, size));
    const auto missing = part->missing();
    if (missing.empty() && part->finish()) return to.get(digest, size_max);
    if (missing.empty()) part.reset();
    next = missing.empty() ? 0 : missing.front();
  }
  CONSILIUM_TRY(BlobRun first, checked_run(digest, next, from, size_max));
  if (first.blob_size <= blob_run_bytes) {
    CONSILIUM_TRY(const Digest stored, to.put(first.bytes));
    CONSILIUM_ENSURE(stored == digest);
    return std::move(first.bytes);
  }
  if (!part || first.blob_size != size) {
    size = first.blob_size;
    CONSILIUM_TRY(part, to.part(digest, size));
  }
  CONSILIUM_CHECK(part->add(next, first.bytes, first.path));
  for (const std::uint64_t run : part->missing()) {
    CONSILIUM_TRY(const BlobRun more, checked_run(digest, run, from, size_max));
    if (more.blob_size != size) {
      return fail("blob_mismatch", from.name(),
                  "This node says now that the blob has another size. Ask another hospital.");
    }
    CONSILIUM_CHECK(part->add(run, more.bytes, more.path));
  }
  CONSILIUM_CHECK(part->finish());
  return to.get(digest, size_max);
}

/// Errors of our own disk: no other peer can help.
auto is_ours(const Error& error) -> bool {
  return error.code == "disk_full" || error.code == "file_unwritable" ||
         error.code == "fetch_underway";
}

}  // namespace

auto LocalPeer::run(const Digest& digest, std::uint64_t index) -> Result<BlobRun> {
  return store_->run(digest, index);
}

auto LocalPeer::has(const Digest& digest) -> Result<bool> {
  return store_->has(digest);
}

auto fetch(const Digest& digest, BlobPeer& from, BlobStore& to, std::size_t size_max)
    -> Result<Bytes> {
  // A copy of ours that is damaged reads as an error here and is replaced by the peer's.
  if (auto held = to.get(digest, size_max)) return held;
  return gather(digest, from, to, size_max);
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
    auto bytes = gather(digest, *peer, to, size_max);
    if (!bytes && is_ours(bytes.error())) {
      fetched.bytes = std::move(bytes);
      return fetched;
    }
    if (!bytes) {
      asked += (asked.empty() ? "" : ", ") + peer->name() + " (" + bytes.error().code + ")";
      fetched.faults.push_back({peer->name(), std::move(bytes).error()});
      continue;
    }
    fetched.from = peer->name();
    fetched.bytes = std::move(bytes);
    return fetched;
  }
  fetched.bytes =
      fail("blob_unavailable", "blob " + digest.short_text(),
           "No hospital gave it. Asked: " + (asked.empty() ? std::string("nobody") : asked) +
               ". It is asked for again when one of them is back.");
  return fetched;
}

}  // namespace consilium::courier
