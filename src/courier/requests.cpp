#include "requests.hpp"

namespace consilium::courier {
namespace {

constexpr std::string_view blob_prefix = "/blob/";
constexpr std::string_view message_prefix = "/message/";

/// Takes the part before the next slash off.
auto next_part(std::string_view& rest) -> std::string_view {
  const auto slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  return part;
}

auto bad_request() -> Answer {
  return refusal("bad_request", "This node does not understand the request.");
}

auto life_of_text(std::string_view text) -> std::optional<std::uint64_t> {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 8) return std::nullopt;
  std::uint64_t life = 0;
  for (const std::uint8_t byte : *bytes) life = (life << 8U) | byte;
  return life;
}

}  // namespace

auto request_bytes_max(const PortOptions& options, Method method, std::string_view target)
    -> std::size_t {
  if (method == Method::put && target.starts_with(blob_prefix)) return blob_run_bytes;
  if (method == Method::post && target.starts_with(message_prefix))
    return options.channels.message_bytes_max;
  return 0;
}

auto Visit::answer(const std::string& peer, Request request) -> Answer {
  const std::string target = request.target;
  std::string_view rest = target;
  if (rest.starts_with(blob_prefix))
    return answer_blob(std::move(request), rest.substr(blob_prefix.size()));
  if (rest.starts_with(message_prefix))
    return answer_message(peer, std::move(request), rest.substr(message_prefix.size()));
  return bad_request();
}

auto Visit::answer_blob(Request request, std::string_view rest) -> Answer {
  const auto digest = Digest::from_hex(next_part(rest));
  if (!digest) return bad_request();
  if (rest.empty()) {
    if (request.method != Method::get) return bad_request();
    const auto size = shared_.store.size_of(*digest);
    if (!size) return refusal(size.error());
    return {.status = 200, .error = {}, .blob_size = *size, .path = {}, .body = {}};
  }
  const std::string_view what = next_part(rest);
  if (what == "missing" && request.method == Method::get) {
    const auto size = number_of_text(next_part(rest));
    if (!size || !rest.empty()) return bad_request();
    return answer_missing(*digest, *size);
  }
  const auto index = number_of_text(what);
  if (!index || !rest.empty()) return bad_request();
  if (request.method == Method::put) return take_run(*digest, *index, request);
  if (request.method != Method::get) return bad_request();
  auto run = shared_.store.run(*digest, *index);
  if (!run) return refusal(run.error());
  ++shared_.runs_sent;
  return {.status = 200,
          .error = {},
          .blob_size = run->blob_size,
          .path = std::move(run->path),
          .body = std::move(run->bytes)};
}

auto Visit::part_of(const Digest& digest, std::uint64_t size) -> Result<BlobPart*> {
  const auto begun = pushes_.find(digest);
  if (begun != pushes_.end() && begun->second.size == size) return &begun->second.part;
  if (begun != pushes_.end()) pushes_.erase(begun);
  if (pushes_.size() >= shared_.options.pushes_per_connection_max) {
    return fail("peer_busy", "push",
                "Too many blobs are begun on this connection. Finish one of them first.");
  }
  // Only now: what comes must fit, and leave the disk some room.
  std::error_code error;
  const auto space = std::filesystem::space(shared_.store.folder(), error);
  if (error || space.available < size || space.available - size < shared_.options.free_bytes_min) {
    return fail("disk_full", "push", "This node's disk is full. Its operator must make room.");
  }
  CONSILIUM_TRY(BlobPart part, shared_.store.part(digest, size));
  return &pushes_.emplace(digest, Push{size, std::move(part)}).first->second.part;
}

auto Visit::answer_missing(const Digest& digest, std::uint64_t size) -> Answer {
  Answer answer{.status = 200, .error = {}, .blob_size = {}, .path = {}, .body = {}};
  const auto held = shared_.store.hold(digest);
  if (held) return answer;
  if (held.error().code != "blob_missing" && held.error().code != "blob_damaged")
    return refusal(held.error());
  const auto part = part_of(digest, size);
  if (!part) return refusal(part.error());
  std::string lines;
  for (const std::uint64_t run : (*part)->missing()) lines += std::to_string(run) + "\n";
  if (lines.empty()) {
    // Nothing was missing but the end.
    const auto finished = (*part)->finish();
    pushes_.erase(digest);
    return finished ? answer : refusal(finished.error());
  }
  const BytesView bytes = as_bytes(lines);
  answer.body.assign(bytes.begin(), bytes.end());
  return answer;
}

auto Visit::take_run(const Digest& digest, std::uint64_t index, const Request& request) -> Answer {
  if (!request.blob_size) return bad_request();
  const std::uint64_t size = *request.blob_size;
  if (size > blob_size_max) return refusal("blob_too_large", "The blob is over this node's limit.");
  // Before anything is begun for it on the disk.
  if (const auto good = check_blob_run(digest, size, index, request.body, request.path); !good)
    return refusal(good.error());
  const auto part = part_of(digest, size);
  if (!part) return refusal(part.error());
  if (const auto added = (*part)->add(index, request.body, request.path); !added)
    return refusal(added.error());
  ++shared_.runs_taken;
  if (!(*part)->missing().empty())
    return {.status = 202, .error = {}, .blob_size = {}, .path = {}, .body = {}};
  const auto finished = (*part)->finish();
  pushes_.erase(digest);
  if (!finished) return refusal(finished.error());
  return {.status = 201, .error = {}, .blob_size = {}, .path = {}, .body = {}};
}

auto Visit::answer_message(const std::string& peer, Request request, std::string_view rest)
    -> Answer {
  const std::string topic(next_part(rest));
  const auto life = life_of_text(next_part(rest));
  const auto number = number_of_text(next_part(rest));
  const auto sequence = number_of_text(next_part(rest));
  if (!rest.empty() || !is_topic(topic) || !life || !number || !sequence) return bad_request();
  const ChannelName name{topic, *life, *number};
  if (request.method == Method::remove) return shared_.messages.take_close(peer, name, *sequence);
  if (request.method != Method::post || (*sequence == 0 && !request.body.empty()))
    return bad_request();
  Answer answer = shared_.messages.take(peer, name, *sequence, std::move(request.body));
  if (answer.error.empty() && *sequence > 0) ++shared_.messages_taken;
  return answer;
}

}  // namespace consilium::courier
