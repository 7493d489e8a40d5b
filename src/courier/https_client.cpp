#include "https_client.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <mutex>

#include <curl/curl.h>

#include "certificate.hpp"

namespace consilium::courier {
namespace {

/// Codes that a peer may give; anything else it says is `bad_answer`.
constexpr std::array<std::string_view, 11> codes_of_peers{
    "bad_request",    "blob_damaged",   "blob_mismatch", "blob_missing",
    "blob_too_large", "channel_closed", "disk_full",     "message_too_large",
    "no_such_run",    "not_admitted",   "peer_busy"};
constexpr std::size_t sentence_bytes_max = 1024;

/// What one call fills.
struct Incoming {
  Answer answer;
  std::size_t bytes_max = 0;
  bool malformed = false;
};

auto lower(std::string_view text) -> std::string {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return out;
}

auto take_header(char* data, std::size_t, std::size_t size, void* into) -> std::size_t {
  Incoming& incoming = *static_cast<Incoming*>(into);
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  const std::string name = lower(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (name == size_header) {
    incoming.answer.blob_size = number_of_text(value);
    if (!incoming.answer.blob_size) incoming.malformed = true;
  } else if (name == path_header) {
    auto path = path_of_text(value);
    if (!path) incoming.malformed = true;
    if (path) incoming.answer.path = std::move(*path);
  } else if (name == error_header) {
    incoming.answer.error = std::string(value);
  }
  return size;
}

auto take_body(char* data, std::size_t, std::size_t size, void* into) -> std::size_t {
  Incoming& incoming = *static_cast<Incoming*>(into);
  Bytes& body = incoming.answer.body;
  if (size > incoming.bytes_max - body.size()) {
    incoming.malformed = true;
    return 0;  // libcurl ends the call
  }
  body.insert(body.end(), data, data + size);
  return size;
}

/// A peer's sentence, without what could confuse a terminal or a log.
auto readable(BytesView words) -> std::string {
  std::string text = as_text(words.first(std::min(words.size(), sentence_bytes_max)));
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F; });
  return text;
}

auto verb(Method method) -> const char* {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::put:
      return "PUT";
    case Method::post:
      return "POST";
    case Method::remove:
      return "DELETE";
  }
  return "GET";
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeList>;

void add(Headers& headers, const std::string& line) {
  curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
  CONSILIUM_ENSURE(longer != nullptr);
  (void)headers.release();
  headers.reset(longer);
}

auto headers_of(const Request& request) -> Headers {
  Headers headers;
  // What libcurl would add by itself is left out; it waits a second for an answer to `Expect`.
  for (const char* line : {"Content-Type:", "Expect:", "Accept:"}) add(headers, line);
  if (request.blob_size)
    add(headers, std::string(size_header) + ": " + std::to_string(*request.blob_size));
  if (!request.path.empty())
    add(headers, std::string(path_header) + ": " + path_text(request.path));
  return headers;
}

/// libcurl's options are chosen by the type of their value.
template <typename Value>
void set(CURL* curl, CURLoption option, Value value) {
  CONSILIUM_ENSURE(curl_easy_setopt(curl, option, value) == CURLE_OK);
}

}  // namespace

struct HttpsClient::Handle {
  explicit Handle(const TransportIdentity& identity, const IdentityKey& expected)
      : ours(identity), judge{identity.consortium(), [expected](const IdentityKey& shown) {
                                return shown == expected;
                              }} {
    static std::once_flag once;
    std::call_once(once, [] { CONSILIUM_ENSURE(curl_global_init(CURL_GLOBAL_DEFAULT) == 0); });
    curl = curl_easy_init();
    many = curl_multi_init();
    CONSILIUM_ENSURE(curl != nullptr && many != nullptr);
  }
  ~Handle() {
    curl_easy_cleanup(curl);
    curl_multi_cleanup(many);
  }
  Handle(const Handle&) = delete;
  auto operator=(const Handle&) -> Handle& = delete;

  TransportIdentity ours;
  Judge judge;
  CURL* curl = nullptr;
  CURLM* many = nullptr;  ///< keeps the connection, and can be woken from another thread
  std::array<char, CURL_ERROR_SIZE> words{};

  static auto configure_context(CURL*, void* context, void* handle) -> CURLcode {
    const auto& self = *static_cast<const Handle*>(handle);
    return configure(static_cast<SSL_CTX*>(context), self.ours, self.judge) ? CURLE_OK
                                                                            : CURLE_SSL_CERTPROBLEM;
  }

  /// Runs the prepared call to its end. `stop` may end it from another thread.
  auto run(const std::atomic<bool>& stop, std::int64_t timeout_ms) -> CURLcode {
    if (curl_multi_add_handle(many, curl) != CURLM_OK) return CURLE_FAILED_INIT;
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    curl_off_t moved_before = 0;
    auto moved_at = std::chrono::steady_clock::now();
    const std::chrono::milliseconds patience(timeout_ms);
    for (int running = 1; !stop;) {
      if (curl_multi_perform(many, &running) != CURLM_OK) break;
      int left = 0;
      if (const CURLMsg* message = curl_multi_info_read(many, &left)) {
        result = message->data.result;
        break;
      }
      curl_off_t up = 0;
      curl_off_t down = 0;
      curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &up);
      curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &down);
      const auto now = std::chrono::steady_clock::now();
      if (up + down != moved_before) {
        moved_before = up + down;
        moved_at = now;
      }
      if (now - moved_at >= patience) {
        result = CURLE_OPERATION_TIMEDOUT;
        break;
      }
      const auto rest = std::chrono::ceil<std::chrono::milliseconds>(moved_at + patience - now);
      curl_multi_poll(many, nullptr, 0,
                      static_cast<int>(std::clamp<std::int64_t>(rest.count(), 1, 60'000)), nullptr);
    }
    curl_multi_remove_handle(many, curl);
    return result;
  }
};

HttpsClient::HttpsClient(TransportIdentity ours, PeerAddress peer, const RemoteOptions& options)
    : peer_(std::move(peer)),
      options_(options),
      handle_(std::make_unique<Handle>(ours, peer_.identity)) {}
HttpsClient::~HttpsClient() = default;

void HttpsClient::interrupt() {
  interrupted_ = true;
  curl_multi_wakeup(handle_->many);
}

auto HttpsClient::call(const Request& request, std::size_t answer_bytes_max) -> Result<Answer> {
  Handle& handle = *handle_;
  CURL* const curl = handle.curl;
  const bool numerical_v6 = peer_.host.find(':') != std::string::npos;
  const std::string host = numerical_v6 ? "[" + peer_.host + "]" : peer_.host;
  const std::string url = "https://" + host + ":" + std::to_string(peer_.port) + request.target;
  const Headers headers = headers_of(request);
  // A refusal's sentence must fit, too.
  Incoming incoming{.answer = {}, .bytes_max = std::max(answer_bytes_max, sentence_bytes_max)};
  handle.words.fill(0);
  handle.judge.seen_other = false;

  curl_easy_reset(curl);
  set(curl, CURLOPT_URL, url.c_str());
  set(curl, CURLOPT_PROTOCOLS_STR, "https");
  set(curl, CURLOPT_PROXY, "");  // the environment's proxies are for the web, not for members
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
  set(curl, CURLOPT_ERRORBUFFER, handle.words.data());
  set(curl, CURLOPT_HTTPHEADER, headers.get());
  set(curl, CURLOPT_BUFFERSIZE, 256L * 1024L);
  set(curl, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024L);
  // What these two would check is checked by our own judge, which takes no authority's word.
  set(curl, CURLOPT_SSL_VERIFYPEER, 0L);
  set(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  set(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  set(curl, CURLOPT_SSL_CTX_FUNCTION, &Handle::configure_context);
  set(curl, CURLOPT_SSL_CTX_DATA, &handle);
  set(curl, CURLOPT_HEADERFUNCTION, take_header);
  set(curl, CURLOPT_HEADERDATA, &incoming);
  set(curl, CURLOPT_WRITEFUNCTION, take_body);
  set(curl, CURLOPT_WRITEDATA, &incoming);
  if (request.method == Method::put || request.method == Method::post) {
    set(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(curl, CURLOPT_POSTFIELDS,
        request.body.empty() ? "" : static_cast<const void*>(request.body.data()));
  }
  set(curl, CURLOPT_CUSTOMREQUEST, verb(request.method));

  const CURLcode result = handle.run(interrupted_, options_.timeout_ms);
  if (incoming.malformed) return bad_answer();
  if (result != CURLE_OK) return not_answered(curl_easy_strerror(result));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  Answer& answer = incoming.answer;
  answer.status = static_cast<unsigned>(status);
  if (status >= 200 && status < 300 && answer.error.empty()) {
    if (answer.body.size() > answer_bytes_max) return bad_answer();
    return std::move(answer);
  }
  if (std::find(codes_of_peers.begin(), codes_of_peers.end(), answer.error) ==
      codes_of_peers.end()) {
    return bad_answer();
  }
  return fail(answer.error, peer_.name, readable(answer.body));
}

auto HttpsClient::bad_answer() const -> tl::unexpected<Error> {
  return fail("bad_answer", peer_.name,
              "This node does not answer as this version does. Run the same version on both.");
}

auto HttpsClient::not_answered(std::string_view why) const -> tl::unexpected<Error> {
  const std::string_view words(handle_->words.data());
  if (handle_->judge.seen_other) {
    return fail("wrong_peer", peer_.name,
                "Somebody else answers at this address. Check the address, and whether the member "
                "has changed its identity key.");
  }
  // The alerts of judge_certificate, as they reach us.
  if (words.find("unknown ca") != std::string_view::npos ||
      words.find("bad certificate") != std::string_view::npos) {
    return fail("not_admitted", peer_.name,
                "This node does not let us in. It must know our identity key as an active member's "
                "of the same consortium.");
  }
  return fail("peer_unreachable", peer_.name,
              "No answer came: " + std::string(words.empty() ? why : words) +
                  ". It is asked again later; check the address and the network.");
}

}  // namespace consilium::courier
