#include "listener.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "certificate.hpp"

namespace consilium::courier {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Stream = beast::ssl_stream<beast::tcp_stream>;
using Body = http::vector_body<std::uint8_t>;
using Parser = http::request_parser<Body>;

constexpr std::uint32_t header_bytes_max = 16U << 10U;
/// After a refusal what the peer still sends is read and thrown away, up to here, so that the
/// refusal reaches it before the connection ends.
constexpr std::size_t unread_bytes_max = std::size_t{256} << 10U;
/// A body or an answer may take the time limit and as long as it needs at this pace.
constexpr std::int64_t bytes_per_ms_min = 64;
/// Somebody who is not known yet holds a seat for so long at most.
constexpr std::int64_t handshake_ms_max = 5'000;
/// Hashing and the disk happen here, so that the event loop never waits for them.
constexpr std::size_t workers = 2;

/// `use_awaitable`, with the error put into `error` instead of thrown.
auto into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

/// Counts something for as long as it lives.
class Share {
 public:
  Share(std::size_t& taken, std::size_t amount) : taken_(&taken), amount_(amount) {
    taken += amount;
  }
  Share(Share&& other) noexcept
      : taken_(std::exchange(other.taken_, nullptr)), amount_(other.amount_) {}
  auto operator=(Share&&) -> Share& = delete;
  ~Share() {
    if (taken_ != nullptr) *taken_ -= amount_;
  }

 private:
  std::size_t* taken_;
  std::size_t amount_;
};

auto text_of(beast::string_view text) -> std::string_view {
  return {text.data(), text.size()};
}

/// Our request out of HTTP's; nothing when it is none of ours.
auto request_of(const Parser& parser) -> std::optional<Request> {
  const auto& head = parser.get();
  Request request;
  switch (head.method()) {
    case http::verb::get:
      request.method = Method::get;
      break;
    case http::verb::put:
      request.method = Method::put;
      break;
    case http::verb::post:
      request.method = Method::post;
      break;
    case http::verb::delete_:
      request.method = Method::remove;
      break;
    default:
      return std::nullopt;
  }
  const bool has_body = request.method == Method::put || request.method == Method::post;
  if (parser.chunked() || (has_body && !parser.content_length()) || head.count(path_header) > 1 ||
      head.count(size_header) > 1) {
    return std::nullopt;
  }
  request.target = std::string(text_of(head.target()));
  if (head.count(size_header) == 1) {
    request.blob_size = number_of_text(text_of(head[size_header]));
    if (!request.blob_size) return std::nullopt;
  }
  auto path = path_of_text(text_of(head[path_header]));
  if (!path) return std::nullopt;
  request.path = std::move(*path);
  return request;
}

struct Reply {
  Answer answer;
  bool keep_alive = false;
};

}  // namespace

struct Listener::State {
  State(const TransportIdentity& identity, PortShared& all, Admit admits)
      : ours(identity),
        shared(all),
        admit(std::move(admits)),
        judge{ours.consortium(),
              [this](const IdentityKey& key) { return admit(key).has_value(); }} {}

  TransportIdentity ours;
  PortShared& shared;
  Admit admit;
  Judge judge;
  std::uint16_t number = 0;
  // Of the event loop's thread alone.
  std::size_t connections = 0;
  std::size_t bytes_in_flight = 0;
  std::map<IdentityKey, std::size_t> connections_of;

  struct Loop {
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
    asio::ssl::context tls{asio::ssl::context::tls_server};
  };
  asio::thread_pool pool{workers};
  // Its coroutines refer to all of the above, and end with it.
  std::unique_ptr<Loop> loop = std::make_unique<Loop>();
  std::thread thread;

  [[nodiscard]] auto patience(std::size_t bytes) const -> std::chrono::milliseconds {
    return std::chrono::milliseconds(shared.options.timeout_ms +
                                     static_cast<std::int64_t>(bytes) / bytes_per_ms_min);
  }

  auto accept_all() -> asio::awaitable<void>;
  auto serve(tcp::socket socket, Share seat) -> asio::awaitable<void>;
  auto converse(Stream& stream, const IdentityKey& identity, bool one_too_many)
      -> asio::awaitable<void>;
  auto end(Stream& stream) -> asio::awaitable<void>;
  auto look_at(const Parser& parser, const IdentityKey& identity, std::string& peer,
               std::optional<Request>& request, std::optional<Share>& in_flight) -> Answer;
  /// Takes the answer's body away.
  auto send(Stream& stream, Reply& reply) -> asio::awaitable<bool>;
  auto work(Visit& visit, const std::string& peer, Request& request) -> asio::awaitable<Answer>;
};

/// Lets what was sent arrive, even when not all that came was read.
auto Listener::State::end(Stream& stream) -> asio::awaitable<void> {
  auto& tcp_stream = beast::get_lowest_layer(stream);
  error_code error;
  tcp_stream.socket().shutdown(tcp::socket::shutdown_send, error);
  tcp_stream.expires_after(std::chrono::seconds(1));
  std::array<char, 4096> thrown_away{};
  for (std::size_t read = 0; !error && read < unread_bytes_max;)
    read += co_await tcp_stream.async_read_some(asio::buffer(thrown_away), into(error));
  tcp_stream.close();
}

auto Listener::State::send(Stream& stream, Reply& reply) -> asio::awaitable<bool> {
  http::response<Body> response;
  response.version(11);
  response.result(reply.answer.status);
  if (reply.answer.blob_size) response.set(size_header, std::to_string(*reply.answer.blob_size));
  if (!reply.answer.path.empty()) response.set(path_header, path_text(reply.answer.path));
  if (!reply.answer.error.empty()) response.set(error_header, reply.answer.error);
  if (reply.answer.error == "peer_busy") {
    response.set(http::field::retry_after, "1");
    ++shared.busy;
  }
  response.keep_alive(reply.keep_alive);
  const std::size_t size = reply.answer.body.size();
  response.body() = std::move(reply.answer.body);
  response.prepare_payload();
  beast::get_lowest_layer(stream).expires_after(patience(size));
  error_code error;
  co_await http::async_write(stream, response, into(error));
  co_return !error;
}

auto Listener::State::work(Visit& visit, const std::string& peer, Request& request)
    -> asio::awaitable<Answer> {
  // The work is a coroutine only to run on the pool's threads.
  auto job = [&]() -> asio::awaitable<Answer> { co_return visit.answer(peer, std::move(request)); };
  co_return co_await asio::co_spawn(pool, std::move(job), asio::use_awaitable);
}

/// Of a request's header: whose it is, what it asks, and room for its bytes; or a refusal, and no
/// request.
auto Listener::State::look_at(const Parser& parser, const IdentityKey& identity, std::string& peer,
                              std::optional<Request>& request, std::optional<Share>& in_flight)
    -> Answer {
  const auto name = admit(identity);
  if (!name) return refusal("not_admitted", name.error().sentence);
  peer = *name;
  auto asked = request_of(parser);
  if (!asked) return refusal("bad_request", "This node does not understand the request.");
  const std::uint64_t length = parser.content_length().value_or(0);
  if (length > request_bytes_max(shared.options, asked->method, asked->target))
    return refusal("message_too_large", "The content is over the limit.");
  // Of a get, what will be sent.
  const std::size_t bytes =
      asked->method == Method::get ? blob_run_bytes : static_cast<std::size_t>(length);
  if (bytes > shared.options.bytes_in_flight_max - bytes_in_flight)
    return refusal("peer_busy", "This node has too much to do at once.");
  in_flight.emplace(bytes_in_flight, bytes);
  request = std::move(asked);
  return {};
}

auto Listener::State::converse(Stream& stream, const IdentityKey& identity, bool one_too_many)
    -> asio::awaitable<void> {
  Visit visit(shared);
  auto& tcp_stream = beast::get_lowest_layer(stream);
  // A header, and what a peer may send ahead of its turn.
  beast::flat_buffer buffer(std::size_t{header_bytes_max} + (std::size_t{256} << 10U));
  // Everything that is handed to a coroutine has a name here: g++ 12 destroys unnamed aggregates in
  // such calls twice (its bug 104031).
  Reply reply;
  for (reply.keep_alive = true; reply.keep_alive;) {
    Parser parser;
    parser.header_limit(header_bytes_max);
    parser.body_limit(boost::none);  // decided below, when it is known what the request is
    tcp_stream.expires_after(patience(0));
    error_code error;
    co_await http::async_read_header(stream, buffer, parser, into(error));
    if (error == http::error::end_of_stream) break;
    const bool too_long =
        error == http::error::header_limit || error == http::error::buffer_overflow;
    if (error && !too_long) co_return;  // gone, too slow, or not HTTP: not owed an answer
    std::string peer;
    std::optional<Request> request;
    std::optional<Share> in_flight;
    if (too_long) {
      reply.answer = refusal("bad_request", "The header is too long.");
    } else if (one_too_many) {
      reply.answer = refusal("peer_busy", "Too many connections of this peer at once.");
    } else {
      reply.answer = look_at(parser, identity, peer, request, in_flight);
    }
    reply.keep_alive = request.has_value() && parser.get().keep_alive();
    if (request) {
      const auto length = static_cast<std::size_t>(parser.content_length().value_or(0));
      if (length > 0) {
        tcp_stream.expires_after(patience(length));
        co_await http::async_read(stream, buffer, parser, into(error));
        if (error) co_return;
        request->body = std::move(parser.get().body());
      }
      tcp_stream.expires_never();
      reply.answer = co_await work(visit, peer, *request);
    }
    if (!co_await send(stream, reply)) co_return;
  }
  co_await end(stream);
}

auto Listener::State::serve(tcp::socket socket, Share seat) -> asio::awaitable<void> {
  (void)seat;
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  Stream stream(std::move(socket), loop->tls);
  beast::get_lowest_layer(stream).expires_after(
      std::chrono::milliseconds(std::min(shared.options.timeout_ms, handshake_ms_max)));
  co_await stream.async_handshake(asio::ssl::stream_base::server, into(error));
  const auto identity =
      identity_in(SSL_get0_peer_certificate(stream.native_handle()), ours.consortium());
  if (error || !identity) {
    ++shared.refused;
    // The alert that says why is on its way.
    co_await end(stream);
    co_return;
  }
  ++shared.connections;
  std::size_t& of_peer = connections_of[*identity];
  const bool one_too_many = of_peer >= shared.options.connections_per_peer_max;
  const Share counted(of_peer, one_too_many ? 0 : 1);
  co_await converse(stream, *identity, one_too_many);
}

auto Listener::State::accept_all() -> asio::awaitable<void> {
  tcp::acceptor& acceptor = loop->acceptor;
  while (acceptor.is_open()) {
    error_code error;
    tcp::socket socket = co_await acceptor.async_accept(into(error));
    if (error) {
      // Out of file descriptors, most likely: a pause lets connections end instead of spinning.
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(into(error));
      continue;
    }
    // Before TLS there is no way to say why.
    if (connections >= shared.options.connections_max) {
      ++shared.refused;
      continue;
    }
    asio::co_spawn(
        acceptor.get_executor(), serve(std::move(socket), Share(connections, 1)),
        // An exception here is one connection's bad luck (no memory), not the port's end.
        [](const std::exception_ptr&) {});
  }
}

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Listener::~Listener() {
  close();
}

auto Listener::number() const -> std::uint16_t {
  return state_->number;
}

auto Listener::open(const TransportIdentity& ours, PortShared& shared, Admit admit)
    -> Result<std::unique_ptr<Listener>> {
  const PortOptions& options = shared.options;
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    return fail("bad_address", options.address,
                "This is not an address. Give one such as 127.0.0.1, 0.0.0.0 or ::.");
  }
  const std::string place = options.address + ":" + std::to_string(options.port);
  try {
    auto state = std::make_unique<State>(ours, shared, std::move(admit));
    if (!configure(state->loop->tls.native_handle(), ours, state->judge))
      return fail("port_failed", place, "OpenSSL refuses the settings for TLS 1.3.");
    const tcp::endpoint endpoint(address, options.port);
    tcp::acceptor& acceptor = state->loop->acceptor;
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use || error == asio::error::access_denied) {
      return fail("port_taken", place,
                  "Another program uses this port, or it is reserved. Give another one.");
    }
    if (error) return fail("port_failed", place, "Cannot listen here: " + error.message() + ".");
    state->number = acceptor.local_endpoint().port();
    asio::co_spawn(state->loop->io, state->accept_all(), [](const std::exception_ptr&) {});
    state->thread = std::thread([&io = state->loop->io] {
      while (true) {
        try {
          io.run();
          return;
        } catch (...) {
          // A handler ran out of something; the others go on.
        }
      }
    });
    return std::unique_ptr<Listener>(new Listener(std::move(state)));
  } catch (const std::exception& failure) {
    return fail("port_failed", place, std::string("Cannot open the port: ") + failure.what() + ".");
  }
}

void Listener::close() {
  if (!state_->thread.joinable()) return;
  state_->loop->io.stop();
  state_->thread.join();
  // What a worker still does refers to its connection, which lives as long as the loop.
  state_->pool.join();
  state_->loop.reset();
}

}  // namespace consilium::courier
