#include <mutex>

#include "https_client.hpp"

namespace consilium::courier {

struct RemotePeer::State {
  State(TransportIdentity ours, PeerAddress peer, const RemoteOptions& options)
      : client(std::move(ours), std::move(peer), options) {}
  std::mutex mutex;  ///< one call at a time
  HttpsClient client;

  auto call(const Request& request, std::size_t answer_bytes_max) -> Result<Answer> {
    const std::lock_guard lock(mutex);
    return client.call(request, answer_bytes_max);
  }
  [[nodiscard]] auto bad_answer() const -> tl::unexpected<Error> {
    return fail("bad_answer", client.peer().name,
                "This node does not answer as this version does. Run the same version on both.");
  }
};

namespace {

auto blob_target(const Digest& digest) -> std::string {
  return "/blob/" + digest.hex();
}

auto put_of(const Digest& digest, std::uint64_t index, BlobRun run) -> Request {
  return {.method = Method::put,
          .target = blob_target(digest) + "/" + std::to_string(index),
          .blob_size = run.blob_size,
          .path = std::move(run.path),
          .body = std::move(run.bytes)};
}

auto get_of(std::string target) -> Request {
  return {
      .method = Method::get, .target = std::move(target), .blob_size = {}, .path = {}, .body = {}};
}

/// Numbers of runs, one a line, ascending.
auto runs_in(BytesView lines, std::uint64_t count) -> std::optional<std::vector<std::uint64_t>> {
  std::vector<std::uint64_t> runs;
  const std::string text = as_text(lines);
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = rest.find('\n');
    const auto run = number_of_text(rest.substr(0, end));
    if (end == std::string_view::npos || !run || *run >= count ||
        (!runs.empty() && *run <= runs.back())) {
      return std::nullopt;
    }
    runs.push_back(*run);
    rest.remove_prefix(end + 1);
  }
  return runs;
}

}  // namespace

RemotePeer::RemotePeer(TransportIdentity ours, PeerAddress peer, const RemoteOptions& options)
    : state_(std::make_unique<State>(std::move(ours), std::move(peer), options)) {}
RemotePeer::RemotePeer(RemotePeer&&) noexcept = default;
RemotePeer::~RemotePeer() = default;

auto RemotePeer::name() const -> std::string {
  return state_->client.peer().name;
}

auto RemotePeer::run(const Digest& digest, std::uint64_t index) -> Result<BlobRun> {
  CONSILIUM_TRY(
      Answer answer,
      state_->call(get_of(blob_target(digest) + "/" + std::to_string(index)), blob_run_bytes));
  if (answer.status != 200 || !answer.blob_size) return state_->bad_answer();
  return BlobRun{.blob_size = *answer.blob_size,
                 .bytes = std::move(answer.body),
                 .path = std::move(answer.path)};
}

auto RemotePeer::has(const Digest& digest) -> Result<bool> {
  const auto answer = state_->call(get_of(blob_target(digest)), 0);
  if (!answer && answer.error().code == "blob_missing") return false;
  if (!answer) return tl::unexpected(answer.error());
  return true;
}

auto RemotePeer::push(const Digest& digest, const BlobStore& from) -> Result<void> {
  CONSILIUM_TRY(BlobRun first, from.run(digest, 0));
  const std::uint64_t size = first.blob_size;
  const std::uint64_t count = blob_run_count(size);
  std::vector<std::uint64_t> missing{0};
  // One run is sent as quickly as asked about.
  if (count > 1) {
    CONSILIUM_TRY(const Answer lines,
                  state_->call(get_of(blob_target(digest) + "/missing/" + std::to_string(size)),
                               64 * static_cast<std::size_t>(count)));
    auto listed = runs_in(lines.body, count);
    if (!listed) return state_->bad_answer();
    missing = std::move(*listed);
    if (missing.empty()) return {};
  }
  unsigned status = 0;
  for (const std::uint64_t index : missing) {
    BlobRun run;
    if (index == 0) {
      run = std::move(first);
    } else {
      CONSILIUM_TRY(run, from.run(digest, index));
    }
    CONSILIUM_TRY(const Answer taken, state_->call(put_of(digest, index, std::move(run)), 0));
    status = taken.status;
  }
  // 201: the peer has the whole blob, durably.
  if (status != 201) return state_->bad_answer();
  return {};
}

}  // namespace consilium::courier
