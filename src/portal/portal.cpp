#include "consilium/portal/portal.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "answers.hpp"

namespace consilium::portal {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int requests_per_connection_max = 100;
/// After a refusal the rest of what the client sends is read and thrown away, up to here, so that
/// the refusal reaches it before the connection ends.
constexpr std::size_t unread_bytes_max = std::size_t{256} << 10U;

/// `use_awaitable`, with the error put into `error` instead of thrown.
auto into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

void set_strict_headers(http::fields& fields) {
  fields.set("Content-Security-Policy",
             "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
             "form-action 'none'; frame-ancestors 'none'");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("X-Frame-Options", "DENY");
  fields.set("Referrer-Policy", "no-referrer");
  fields.set("Cross-Origin-Opener-Policy", "same-origin");
  fields.set("Cross-Origin-Resource-Policy", "same-origin");
  fields.set("Permissions-Policy", "camera=(), geolocation=(), microphone=()");
  fields.set(http::field::cache_control, "no-store");
}

template <typename Body>
void set_head(http::response<Body>& response, const Answer& answer, unsigned version,
              bool keep_alive) {
  response.version(version);
  response.result(answer.status);
  response.set(http::field::content_type, answer.content_type);
  if (!answer.location.empty()) response.set(http::field::location, answer.location);
  if (answer.status == 405) response.set(http::field::allow, "GET, HEAD");
  set_strict_headers(response);
  response.keep_alive(keep_alive);
}

struct Reply {
  Answer answer;
  bool head_only = false;
  bool keep_alive = false;
  unsigned version = 11;
};

using Parser = http::request_parser<http::empty_body>;

auto reply_to(const PortalOptions& options, const Parser& parser) -> Reply {
  const auto& request = parser.get();
  Reply reply;
  reply.version = request.version();
  reply.head_only = request.method() == http::verb::head;
  if (request.method() != http::verb::get && !reply.head_only) {
    reply.answer = answer_refused(405, "This page can only be read. Use GET or HEAD.");
    return reply;
  }
  if (parser.chunked() || parser.content_length().value_or(0) > 0) {
    reply.answer = answer_refused(413, "This request may not carry content. Send it without.");
    return reply;
  }
  const auto target = request.target();
  const auto hosts = request.equal_range(http::field::host);
  const auto host_count = std::distance(hosts.first, hosts.second);
  if (target.empty() || target.front() != '/' || host_count > 1 ||
      (host_count == 0 && request.version() > 10)) {
    reply.answer = answer_refused(400, "This request is not one a browser would send.");
    return reply;
  }
  if (options.reach == Reach::this_machine && host_count == 1) {
    const auto host = hosts.first->value();
    if (!names_this_machine({host.data(), host.size()})) {
      reply.answer = answer_refused(
          421, "This portal answers to 127.0.0.1 and localhost only. Use one of these names.");
      return reply;
    }
  }
  reply.answer = answer_get(options, {target.data(), target.size()});
  reply.keep_alive = request.keep_alive();
  return reply;
}

/// Ends a connection so that what was sent arrives, even when not all that came was read.
auto end_connection(beast::tcp_stream& stream) -> asio::awaitable<void> {
  error_code error;
  stream.socket().shutdown(tcp::socket::shutdown_send, error);
  stream.expires_after(std::chrono::seconds(1));
  std::array<char, 4096> thrown_away{};
  for (std::size_t read = 0; !error && read < unread_bytes_max;) {
    read += co_await stream.async_read_some(asio::buffer(thrown_away), into(error));
  }
  stream.close();
}

auto send(beast::tcp_stream& stream, Reply reply) -> asio::awaitable<error_code> {
  error_code error;
  if (reply.head_only) {
    http::response<http::empty_body> response;
    set_head(response, reply.answer, reply.version, reply.keep_alive);
    response.content_length(reply.answer.content.size());
    co_await http::async_write(stream, response, into(error));
  } else {
    http::response<http::string_body> response;
    set_head(response, reply.answer, reply.version, reply.keep_alive);
    response.body() = std::move(reply.answer.content);
    response.prepare_payload();
    co_await http::async_write(stream, response, into(error));
  }
  co_return error;
}

/// The bytes that came are not HTTP; as against a connection that ended or stood still.
auto is_malformed(const error_code& error) -> bool {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

auto serve(const PortalOptions& options, tcp::socket socket) -> asio::awaitable<void> {
  beast::tcp_stream stream(std::move(socket));
  // Never more than one header and what a client may send ahead of its turn.
  beast::flat_buffer buffer(options.header_bytes_max + 4096);
  for (int requests = 0; requests < requests_per_connection_max; ++requests) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(options.header_bytes_max));
    stream.expires_after(std::chrono::milliseconds(options.timeout_ms));
    error_code error;
    co_await http::async_read_header(stream, buffer, parser, into(error));
    Reply reply;
    if (!error) {
      reply = reply_to(options, parser);
    } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      reply.answer = answer_refused(431, "The request’s header is too long. Send a shorter one.");
    } else if (is_malformed(error)) {
      reply.answer = answer_refused(400, "This request is not one a browser would send.");
    } else {
      // Gone, or too slow to be owed an answer.
      stream.close();
      co_return;
    }
    if (requests + 1 == requests_per_connection_max) reply.keep_alive = false;
    const bool keep_alive = reply.keep_alive;
    stream.expires_after(std::chrono::milliseconds(options.timeout_ms));
    const error_code sent = co_await send(stream, std::move(reply));
    if (sent) co_return;
    if (!keep_alive) break;
  }
  co_await end_connection(stream);
}

/// Counts a connection for as long as it lives.
class Seat {
 public:
  explicit Seat(std::size_t& taken) : taken_(&taken) { ++*taken_; }
  Seat(Seat&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  auto operator=(Seat&&) -> Seat& = delete;
  ~Seat() {
    if (taken_ != nullptr) --*taken_;
  }

 private:
  std::size_t* taken_;
};

auto serve_seated(const PortalOptions& options, tcp::socket socket, Seat seat)
    -> asio::awaitable<void> {
  co_await serve(options, std::move(socket));
  (void)seat;
}

/// Tells a client that comes when all seats are taken, without waiting for it.
void turn_away(tcp::socket socket) {
  const std::string sentence = "Too many connections at once. Try again in 5 seconds.\n";
  const std::string busy =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Retry-After: 5\r\nConnection: close\r\nContent-Length: " +
      std::to_string(sentence.size()) + "\r\n\r\n" + sentence;
  error_code ignored;
  socket.non_blocking(true, ignored);
  // The send buffer of a new connection is empty, so this is written whole or the client is gone.
  socket.write_some(asio::buffer(busy), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

auto accept_all(tcp::acceptor& acceptor, const PortalOptions& options, std::size_t& taken)
    -> asio::awaitable<void> {
  while (acceptor.is_open()) {
    error_code error;
    tcp::socket socket = co_await acceptor.async_accept(into(error));
    if (error) {
      // Out of file descriptors, most likely: a pause lets connections end instead of spinning.
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(into(error));
      continue;
    }
    if (taken >= options.connections_max) {
      turn_away(std::move(socket));
      continue;
    }
    asio::co_spawn(
        acceptor.get_executor(), serve_seated(options, std::move(socket), Seat(taken)),
        // An exception here is one connection's bad luck (no memory), not the portal's end.
        [](const std::exception_ptr&) {});
  }
}

}  // namespace

struct Portal::State {
  PortalOptions options;
  std::uint16_t port = 0;
  std::string url;
  std::size_t connections = 0;
  struct Loop {
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
  };
  // Its coroutines refer to all of the above, and end with it.
  std::unique_ptr<Loop> loop = std::make_unique<Loop>();
  std::thread thread;
};

Portal::Portal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Portal::Portal(Portal&&) noexcept = default;
auto Portal::operator=(Portal&& other) noexcept -> Portal& {
  stop();
  state_ = std::move(other.state_);
  return *this;
}
Portal::~Portal() {
  stop();
}

auto Portal::port() const -> std::uint16_t {
  return state_->port;
}
auto Portal::url() const -> std::string {
  return state_->url;
}

auto Portal::start(PortalOptions options) -> Result<Portal> {
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    return fail("bad_address", options.address,
                "This is not an address. Give one such as 127.0.0.1 or ::1.");
  }
  if (!address.is_loopback() && options.reach == Reach::this_machine) {
    return fail("address_not_local", options.address,
                "Other machines could reach the portal at this address. Use 127.0.0.1, or allow "
                "the network on purpose.");
  }
  const std::string place = options.address + ":" + std::to_string(options.port);
  try {
    auto state = std::make_unique<State>();
    state->options = std::move(options);
    const tcp::endpoint endpoint(address, state->options.port);
    tcp::acceptor& acceptor = state->loop->acceptor;
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use || error == asio::error::access_denied) {
      return fail("port_taken", place,
                  "Another program uses this port, or it is reserved. Give another one, or 0 for "
                  "any free one.");
    }
    if (error) {
      return fail("portal_failed", place, "Cannot listen here: " + error.message() + ".");
    }
    state->port = acceptor.local_endpoint().port();
    const std::string name =
        address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    state->url = "http://" + name + ":" + std::to_string(state->port) + "/";
    asio::co_spawn(state->loop->io, accept_all(acceptor, state->options, state->connections),
                   [](const std::exception_ptr&) {});
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
    return Portal(std::move(state));
  } catch (const std::exception& failure) {
    return fail("portal_failed", place,
                std::string("Cannot start the portal: ") + failure.what() + ".");
  }
}

void Portal::stop() {
  if (!state_ || !state_->thread.joinable()) return;
  state_->loop->io.stop();
  state_->thread.join();
  state_->loop.reset();
}

}  // namespace consilium::portal
