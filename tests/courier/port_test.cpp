// Real sockets on 127.0.0.1. A peer that is slow, cuts the line or lies is a thread of the test
// with OpenSSL in its hand.

#include "consilium/courier/port.hpp"

#include <atomic>
#include <condition_variable>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "nodes.hpp"

namespace consilium::courier {
namespace {

/// A listener of the test's own: runs `talk` with each connection, one after the other.
class Impostor {
 public:
  using Talk = std::function<void(SSL*, int connection)>;
  Impostor(TransportIdentity identity, Talk talk)
      : identity_(std::move(identity)), talk_(std::move(talk)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(where);
    CONSILIUM_ENSURE(::bind(socket_, reinterpret_cast<sockaddr*>(&where), size) == 0 &&
                     ::listen(socket_, 8) == 0);
    CONSILIUM_ENSURE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&where), &size) == 0);
    port = ntohs(where.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Impostor() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  Impostor(const Impostor&) = delete;
  auto operator=(const Impostor&) -> Impostor& = delete;
  std::uint16_t port = 0;

  /// Reads one request's head; the test's requests to it have no body.
  static auto read_head(SSL* tls) -> std::string {
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && SSL_read(tls, &byte, 1) == 1) head += byte;
    return head;
  }
  static void write(SSL* tls, std::string_view text) {
    if (!text.empty()) SSL_write(tls, text.data(), static_cast<int>(text.size()));
  }

 private:
  void run() {
    Judge judge{identity_.consortium(), [](const IdentityKey&) { return true; }};
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    CONSILIUM_ENSURE(configure(context, identity_, judge));
    for (int number = 0;; ++number) {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) break;
      SSL* tls = SSL_new(context);
      SSL_set_fd(tls, connection);
      if (SSL_accept(tls) == 1) talk_(tls, number);
      SSL_free(tls);
      ::close(connection);
    }
    SSL_CTX_free(context);
  }
  TransportIdentity identity_;
  Talk talk_;
  int socket_ = -1;
  std::thread thread_;
};

auto answer_of(const BlobRun& run) -> std::string {
  std::string path;
  for (const Digest& digest : run.path) path += digest.hex();
  std::string head = "HTTP/1.1 200 OK\r\nconsilium-size: " + std::to_string(run.blob_size) + "\r\n";
  if (!path.empty()) head += "consilium-path: " + path + "\r\n";
  return head + "Content-Length: " + std::to_string(run.bytes.size()) + "\r\n\r\n" +
         std::string(run.bytes.begin(), run.bytes.end());
}

// --- who may come in

TEST(Certificates, carry_the_identity_that_vouches_for_them_in_this_consortium) {
  const Member member(1);
  const auto transport = member.transport(consortium);
  EXPECT_EQ(identity_in(transport.state().certificate.get(), consortium).value(), member.identity);
  EXPECT_EQ(identity_in(transport.state().certificate.get(), another_consortium).error().code,
            "bad_certificate");
  EXPECT_EQ(identity_in(nullptr, consortium).error().code, "bad_certificate");
}

TEST(Certificates, do_not_pass_a_proof_on_to_another_transport_key) {
  // A member's proof is public: everybody it connects to has it. Put into a certificate of one's
  // own, it must not open the door.
  const Member member(1);
  const auto seen = member.transport(consortium);
  X509* stolen = X509_dup(seen.state().certificate.get());
  ASSERT_TRUE(identity_in(stolen, consortium));
  EVP_PKEY* own = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  X509_set_pubkey(stolen, own);
  X509_sign(stolen, own, nullptr);
  EXPECT_EQ(identity_in(stolen, consortium).error().code, "bad_certificate");
  X509_free(stolen);
  EVP_PKEY_free(own);
}

TEST(Certificates, are_not_made_with_a_signature_of_somebody_else) {
  const Member member(1);
  const Member other(2);
  const auto made = TransportIdentity::make(consortium, member.identity,
                                            [&](BytesView m) { return other.sign(m); });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "bad_key");
}

TEST(Port, lets_no_unknown_member_in) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const Digest digest = c.theirs.put(Bytes(10, 1)).value();
  RemotePeer peer(c.stranger.transport(consortium),
                  Consortium::address(c.cleveland, "cleveland", port.number()));
  EXPECT_EQ(peer.run(digest, 0).error().code, "not_admitted");
  RemotePeer abroad(c.hungary.transport(another_consortium),
                    Consortium::address(c.cleveland, "cleveland", port.number()));
  // Each finds the other's certificate wrong; ours comes first.
  EXPECT_EQ(abroad.run(digest, 0).error().code, "wrong_peer");
  EXPECT_EQ(port.counts().connections, 0U);
  EXPECT_EQ(port.counts().runs_sent, 0U);
}

TEST(Port, turns_a_removed_member_away_at_its_next_request) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const Digest digest = c.theirs.put(Bytes(10, 1)).value();
  RemotePeer peer = c.ask(port);
  ASSERT_TRUE(peer.run(digest, 0));
  c.members.strike(c.hungary.identity);
  EXPECT_EQ(peer.run(digest, 0).error().code, "not_admitted");
  EXPECT_EQ(port.counts().runs_sent, 1U);
}

TEST(RemotePeer, notices_that_somebody_else_answers) {
  Consortium c;
  Port port = c.open(c.hungary, c.theirs);  // a good member, but not the one that is expected
  RemotePeer peer = c.ask(port);
  EXPECT_EQ(peer.has(Digest{}).error().code, "wrong_peer");
}

TEST(RemotePeer, says_when_nobody_answers) {
  Consortium c;
  std::uint16_t number = 0;
  {
    const Port port = c.open(c.cleveland, c.theirs);
    number = port.number();
  }
  RemotePeer peer(c.hungary.transport(consortium),
                  Consortium::address(c.cleveland, "cleveland", number));
  EXPECT_EQ(peer.has(Digest{}).error().code, "peer_unreachable");
}

TEST(Port, says_when_another_has_its_number_or_the_address_is_none) {
  Consortium c;
  const Port first = c.open(c.cleveland, c.theirs);
  PortOptions options;
  options.port = first.number();
  const auto open = [&] {
    return Port::open(c.hungary.transport(consortium), c.ours, c.members.admit(), options);
  };
  EXPECT_EQ(open().error().code, "port_taken");
  options.address = "the cellar";
  EXPECT_EQ(open().error().code, "bad_address");
}

// --- blobs that are fetched

TEST(RemoteFetch, brings_blobs_of_every_size) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  RemotePeer peer = c.ask(port);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, blob_run_bytes, blob_run_bytes + 1,
                                 5 * blob_run_bytes + 4321}) {
    const Bytes bytes = random_bytes(c.random, size);
    const Digest digest = c.theirs.put(bytes).value();
    EXPECT_TRUE(peer.has(digest).value());
    EXPECT_EQ(fetch(digest, peer, c.ours).value(), bytes) << size;
    EXPECT_EQ(c.ours.get(digest).value(), bytes) << size;
  }
  EXPECT_EQ(port.counts().connections, 1U) << "the connection is kept";
  EXPECT_FALSE(peer.has(Digest{}).value());
  EXPECT_EQ(fetch(Digest{}, peer, c.ours).error().code, "blob_missing");
}

TEST(RemoteFetch, of_a_blob_that_is_damaged_there_says_so_and_keeps_nothing_of_it) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const Digest digest = c.theirs.put(random_bytes(c.random, 2 * blob_run_bytes)).value();
  flip_a_byte(file_of(c.theirs, digest), 77);
  RemotePeer peer = c.ask(port);
  EXPECT_EQ(fetch(digest, peer, c.ours).error().code, "blob_damaged");
  EXPECT_TRUE(fs::is_empty(c.ours.folder() / "unfinished"));
}

TEST(RemoteFetch, goes_on_at_the_next_run_after_the_line_was_cut_in_the_middle_of_one) {
  Consortium c;
  const Bytes bytes = random_bytes(c.random, 4 * blob_run_bytes);
  const Digest digest = c.theirs.put(bytes).value();
  std::vector<std::string> asked;
  Impostor cutter(c.cleveland.transport(consortium), [&](SSL* tls, int connection) {
    for (std::uint64_t run = 0; run < 4; ++run) {
      const std::string head = Impostor::read_head(tls);
      if (head.empty()) return;
      asked.push_back(head.substr(0, head.find(" HTTP")));
      const auto index = static_cast<std::uint64_t>(asked.back().back() - '0');
      const std::string answer = answer_of(c.theirs.run(digest, index).value());
      if (connection == 0 && index == 2) {
        Impostor::write(tls, std::string_view(answer).substr(0, blob_run_bytes / 2));
        return;
      }
      Impostor::write(tls, answer);
    }
  });
  RemotePeer peer(c.hungary.transport(consortium),
                  Consortium::address(c.cleveland, "cleveland", cutter.port));
  EXPECT_EQ(fetch(digest, peer, c.ours).error().code, "peer_unreachable");
  EXPECT_EQ(fetch(digest, peer, c.ours).value(), bytes);
  const std::string get = "GET /blob/" + digest.hex() + "/";
  EXPECT_EQ(asked,
            (std::vector<std::string>{get + "0", get + "1", get + "2", get + "2", get + "3"}));
}

TEST(RemoteFetch, throws_away_what_is_not_under_the_root_and_what_is_too_long) {
  Consortium c;
  const Digest digest = c.theirs.put(random_bytes(c.random, 2 * blob_run_bytes)).value();
  std::string answer;
  Impostor liar(c.cleveland.transport(consortium), [&](SSL* tls, int) {
    Impostor::read_head(tls);
    Impostor::write(tls, answer);
  });
  const auto ask = [&] {
    RemotePeer peer(c.hungary.transport(consortium),
                    Consortium::address(c.cleveland, "cleveland", liar.port));
    const auto fetched = fetch(digest, peer, c.ours);
    return fetched ? std::string("fetched") : fetched.error().code;
  };
  BlobRun run = c.theirs.run(digest, 0).value();
  run.bytes[5] ^= 1U;
  answer = answer_of(run);
  EXPECT_EQ(ask(), "blob_mismatch");
  run.bytes[5] ^= 1U;
  run.path.clear();
  answer = answer_of(run);
  EXPECT_EQ(ask(), "blob_mismatch");
  run.bytes.push_back(0);
  answer = answer_of(run);
  EXPECT_EQ(ask(), "bad_answer");
  answer = "HTTP/1.1 200 OK\r\nconsilium-size: -1\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(ask(), "bad_answer");
  answer = "HTTP/1.1 200 OK\r\nconsilium-path: zz\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(ask(), "bad_answer");
  answer = "HTTP/1.1 500 No\r\nconsilium-error: disk_on_fire\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(ask(), "bad_answer");
  answer = "HTTP/1.1 301 Away\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(ask(), "bad_answer");
  EXPECT_TRUE(c.ours.list().value().empty());
  EXPECT_TRUE(fs::is_empty(c.ours.folder() / "unfinished"));
}

TEST(RemoteFetch, gives_a_peer_up_that_withholds_the_rest) {
  Consortium c;
  const Digest digest = c.theirs.put(random_bytes(c.random, 2 * blob_run_bytes)).value();
  std::mutex mutex;
  std::condition_variable given_up;
  bool done = false;
  Impostor slow(c.cleveland.transport(consortium), [&](SSL* tls, int) {
    Impostor::read_head(tls);
    Impostor::write(tls, answer_of(c.theirs.run(digest, 0).value()).substr(0, 1000));
    std::unique_lock lock(mutex);
    given_up.wait(lock, [&] { return done; });
  });
  RemotePeer peer(c.hungary.transport(consortium),
                  Consortium::address(c.cleveland, "cleveland", slow.port), {.timeout_ms = 100});
  EXPECT_EQ(peer.run(digest, 0).error().code, "peer_unreachable");
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  given_up.notify_all();
}

// --- blobs that are pushed

TEST(Push, is_acknowledged_when_the_peer_holds_the_blob_and_sends_nothing_twice) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  RemotePeer peer = c.ask(port);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, blob_run_bytes, 4 * blob_run_bytes + 7}) {
    const Bytes bytes = random_bytes(c.random, size);
    const Digest digest = c.ours.put(bytes).value();
    ASSERT_TRUE(peer.push(digest, c.ours)) << size;
    EXPECT_EQ(c.theirs.get(digest).value(), bytes) << size;
  }
  EXPECT_EQ(port.counts().runs_taken, 8U);
  const Digest large = c.ours.put(random_bytes(c.random, 2 * blob_run_bytes)).value();
  ASSERT_TRUE(peer.push(large, c.ours));
  ASSERT_TRUE(peer.push(large, c.ours));
  EXPECT_EQ(port.counts().runs_taken, 10U) << "what is held is not sent again";
  EXPECT_TRUE(fs::is_empty(c.theirs.folder() / "unfinished"));
  EXPECT_EQ(peer.push(Digest{}, c.ours).error().code, "blob_missing");
}

TEST(Push, goes_on_after_the_receiver_was_closed_in_the_middle) {
  Consortium c;
  const Bytes bytes = random_bytes(c.random, 4 * blob_run_bytes);
  const Digest digest = c.ours.put(bytes).value();
  {
    auto part = c.theirs.part(digest, bytes.size()).value();
    for (const std::uint64_t index : {0, 2}) {
      const BlobRun run = c.ours.run(digest, index).value();
      ASSERT_TRUE(part.add(index, run.bytes, run.path));
    }
  }
  BlobStore again = open_store(c.theirs.folder());
  Port port = c.open(c.cleveland, again);
  RemotePeer peer = c.ask(port);
  ASSERT_TRUE(peer.push(digest, c.ours));
  EXPECT_EQ(port.counts().runs_taken, 2U);
  EXPECT_EQ(again.get(digest).value(), bytes);
}

TEST(Push, replaces_a_damaged_copy) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const Bytes bytes = random_bytes(c.random, 2 * blob_run_bytes);
  const Digest digest = c.ours.put(bytes).value();
  ASSERT_TRUE(c.theirs.put(bytes));
  flip_a_byte(file_of(c.theirs, digest), 5);
  RemotePeer peer = c.ask(port);
  ASSERT_TRUE(peer.push(digest, c.ours));
  EXPECT_EQ(c.theirs.get(digest).value(), bytes);
}

TEST(Push, is_refused_when_the_disk_would_be_full_and_leaves_nothing) {
  Consortium c;
  PortOptions options;
  options.free_bytes_min = ~std::uint64_t{0};
  Port port = c.open(c.cleveland, c.theirs, options);
  const Digest digest = c.ours.put(random_bytes(c.random, 2 * blob_run_bytes)).value();
  RemotePeer peer = c.ask(port);
  EXPECT_EQ(peer.push(digest, c.ours).error().code, "disk_full");
  EXPECT_FALSE(c.theirs.has(digest));
  EXPECT_TRUE(fs::is_empty(c.theirs.folder() / "unfinished"));
}

TEST(Push, of_a_blob_that_is_being_fetched_here_waits_its_turn) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const Digest digest = c.ours.put(random_bytes(c.random, 2 * blob_run_bytes)).value();
  RemotePeer peer = c.ask(port);
  {
    const auto underway = c.theirs.part(digest, 2 * blob_run_bytes);
    EXPECT_EQ(peer.push(digest, c.ours).error().code, "peer_busy");
  }
  EXPECT_TRUE(peer.push(digest, c.ours));
}

// --- requests that our own client never makes

/// Speaks to a port as a member would, byte by byte.
class RawClient {
 public:
  RawClient(const Consortium& c, std::uint16_t port)
      : identity_(c.hungary.transport(consortium)),
        judge_{consortium, [](const IdentityKey&) { return true; }},
        context_(SSL_CTX_new(TLS_client_method())),
        socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    CONSILIUM_ENSURE(configure(context_, identity_, judge_));
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(port);
    CONSILIUM_ENSURE(::connect(socket_, reinterpret_cast<sockaddr*>(&where), sizeof(where)) == 0);
    tls_ = SSL_new(context_);
    SSL_set_fd(tls_, socket_);
    connected = SSL_connect(tls_) == 1;
  }
  ~RawClient() {
    SSL_free(tls_);
    SSL_CTX_free(context_);
    ::close(socket_);
  }
  RawClient(const RawClient&) = delete;
  auto operator=(const RawClient&) -> RawClient& = delete;
  bool connected = false;

  [[nodiscard]] auto socket() const -> int { return socket_; }
  void send(std::string_view text) { Impostor::write(tls_, text); }
  /// The head of the next answer; empty when the port ended the connection without one.
  auto head() -> std::string { return Impostor::read_head(tls_); }
  auto ask(std::string_view text) -> std::string {
    send(text);
    const std::string answer = head();
    const auto code = answer.find("consilium-error: ");
    if (code == std::string::npos) return answer.substr(0, answer.find("\r\n"));
    return answer.substr(code + 17, answer.find("\r\n", code) - code - 17);
  }

 private:
  TransportIdentity identity_;
  Judge judge_;
  SSL_CTX* context_;
  int socket_;
  SSL* tls_ = nullptr;
};

TEST(Port, refuses_requests_that_no_node_makes) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const std::string name = Digest{}.hex();
  const std::string put = "PUT /blob/" + name + "/0 HTTP/1.1\r\n";
  const std::string end = "Content-Length: 0\r\n\r\n";
  for (const std::string& request :
       std::vector<std::string>{"GET / HTTP/1.1\r\n\r\n", "GET /blob/xyz HTTP/1.1\r\n\r\n",
                                "GET /blob/" + name + "/01 HTTP/1.1\r\n\r\n",
                                "GET /blob/" + name + "/-1 HTTP/1.1\r\n\r\n",
                                "GET /blob/" + name + "/0/0 HTTP/1.1\r\n\r\n",
                                "GET /blob/" + name + "/missing/ HTTP/1.1\r\n\r\n",
                                "GET /blob/" + name + "/99999999999999999999999 HTTP/1.1\r\n\r\n",
                                "PATCH /blob/" + name + " HTTP/1.1\r\n" + end, put + end,
                                put + "consilium-size: 1x\r\n" + end,
                                put + "consilium-size: 1\r\nconsilium-size: 1\r\n" + end,
                                put + "consilium-size: 1\r\nconsilium-path: 00\r\n" + end,
                                put + "Transfer-Encoding: chunked\r\n\r\n",
                                "POST /message/UPPER/0000000000000001/0/0 HTTP/1.1\r\n" + end,
                                "POST /message/topic/1/0/0 HTTP/1.1\r\n" + end,
                                "GET /message/topic/0000000000000001/0/0 HTTP/1.1\r\n\r\n"}) {
    EXPECT_EQ(RawClient(c, port.number()).ask(request), "bad_request") << request;
  }
  EXPECT_EQ(RawClient(c, port.number()).ask("not HTTP at all\r\n\r\n"), "");
  EXPECT_EQ(RawClient(c, port.number())
                .ask("GET / HTTP/1.1\r\nx: " + std::string(20'000, 'x') + "\r\n\r\n"),
            "bad_request");
}

TEST(Port, refuses_content_over_the_limit_before_it_reads_it) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const std::string size = std::to_string(blob_run_bytes + 1);
  EXPECT_EQ(RawClient(c, port.number())
                .ask("PUT /blob/" + Digest{}.hex() +
                     "/0 HTTP/1.1\r\nconsilium-size: 1\r\nContent-Length: " + size + "\r\n\r\n"),
            "message_too_large");
  EXPECT_EQ(RawClient(c, port.number())
                .ask("GET /blob/" + Digest{}.hex() + " HTTP/1.1\r\nContent-Length: 1\r\n\r\n"),
            "message_too_large");
}

TEST(Port, keeps_no_bytes_of_a_push_that_are_not_under_the_root) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  const std::string put = "PUT /blob/" + blob_name(Bytes{1}).hex() + "/0 HTTP/1.1\r\n";
  EXPECT_EQ(
      RawClient(c, port.number()).ask(put + "consilium-size: 1\r\nContent-Length: 1\r\n\r\n\x02"),
      "blob_mismatch");
  EXPECT_EQ(
      RawClient(c, port.number()).ask(put + "consilium-size: 2\r\nContent-Length: 1\r\n\r\n\x01"),
      "blob_mismatch");
  EXPECT_EQ(RawClient(c, port.number())
                .ask(put + "consilium-size: 99999999999\r\nContent-Length: 1\r\n\r\n\x01"),
            "blob_too_large");
  EXPECT_TRUE(fs::is_empty(c.theirs.folder() / "unfinished"));
  EXPECT_TRUE(c.theirs.list().value().empty());
}

TEST(Port, ends_a_connection_on_which_nothing_comes) {
  Consortium c;
  PortOptions options;
  options.timeout_ms = 50;
  Port port = c.open(c.cleveland, c.theirs, options);
  RawClient silent(c, port.number());
  EXPECT_EQ(silent.head(), "");
  RawClient halting(c, port.number());
  halting.send("PUT /blob/" + Digest{}.hex() +
               "/0 HTTP/1.1\r\nconsilium-size: 9\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(halting.head(), "");
}

TEST(Port, says_later_to_a_peer_with_too_many_connections_and_serves_it_when_one_is_closed) {
  Consortium c;
  PortOptions options;
  options.connections_per_peer_max = 1;
  Port port = c.open(c.cleveland, c.theirs, options);
  const Digest digest = c.theirs.put(Bytes(10, 1)).value();
  {
    RemotePeer first = c.ask(port);
    ASSERT_TRUE(first.has(digest));
    RemotePeer second = c.ask(port);
    EXPECT_EQ(second.has(digest).error().code, "peer_busy");
    EXPECT_TRUE(first.has(digest));
  }
  EXPECT_EQ(port.counts().busy, 1U);
  RemotePeer third = c.ask(port);
  while (!third.has(digest)) std::this_thread::yield();  // until the port has seen the others go
}

TEST(Port, says_later_when_more_bytes_would_be_in_flight_than_allowed) {
  Consortium c;
  PortOptions options;
  options.channels = {.message_bytes_max = 1000, .queued_bytes_max = 4000};
  options.bytes_in_flight_max = blob_run_bytes;
  Port port = c.open(c.cleveland, c.theirs, options);
  const Digest digest = c.theirs.put(Bytes(10, 1)).value();
  {
    // Each announces more than half of what is allowed, and does not send it.
    RawClient one(c, port.number());
    RawClient other(c, port.number());
    for (RawClient* client : {&one, &other}) {
      client->send("PUT /blob/" + Digest{}.hex() +
                   "/0 HTTP/1.1\r\nconsilium-size: 600000\r\nContent-Length: 600000\r\n\r\nabc");
    }
    std::array<pollfd, 2> answered{pollfd{one.socket(), POLLIN, 0},
                                   pollfd{other.socket(), POLLIN, 0}};
    ASSERT_EQ(::poll(answered.data(), answered.size(), 20'000), 1);
    RawClient& second = answered[0].revents != 0 ? one : other;
    const std::string answer = second.head();
    EXPECT_NE(answer.find("429"), std::string::npos) << answer;
    EXPECT_NE(answer.find("Retry-After: 1"), std::string::npos) << answer;
    EXPECT_NE(answer.find("consilium-error: peer_busy"), std::string::npos) << answer;
  }
  RemotePeer peer = c.ask(port);
  while (!peer.run(digest, 0)) std::this_thread::yield();  // until the port has seen them go
}

TEST(Port, closes_without_waiting_for_its_peers) {
  Consortium c;
  Port port = c.open(c.cleveland, c.theirs);
  RawClient waiting(c, port.number());
  ASSERT_TRUE(waiting.connected);
  port.close();
  EXPECT_EQ(waiting.head(), "");
  port.close();
}

}  // namespace
}  // namespace consilium::courier
