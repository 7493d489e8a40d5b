#include "consilium/portal/portal.hpp"

#include <chrono>
#include <fstream>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace consilium::portal {
namespace {

namespace fs = std::filesystem;

/// A client that sends exactly the bytes it is given: no library between the test and the server.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Client(const Client&) = delete;
  auto operator=(const Client&) -> Client& = delete;
  ~Client() { ::close(socket_); }

  [[nodiscard]] auto connected() const -> bool { return connected_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// All that comes until the server closes or nothing comes for `quiet_ms`.
  [[nodiscard]] auto read_all(int quiet_ms = 5000) -> std::string {
    std::string out;
    while (wait(quiet_ms)) {
      std::array<char, 4096> part{};
      const ssize_t got = ::recv(socket_, part.data(), part.size(), 0);
      if (got <= 0) {
        closed_ = true;
        break;
      }
      out.append(part.data(), static_cast<std::size_t>(got));
    }
    return out;
  }
  /// The server has ended the connection; known after read_all.
  [[nodiscard]] auto closed() const -> bool { return closed_; }

 private:
  [[nodiscard]] auto wait(int quiet_ms) const -> bool {
    pollfd waited{socket_, POLLIN, 0};
    return ::poll(&waited, 1, quiet_ms) == 1;
  }
  int socket_;
  bool connected_ = false;
  bool closed_ = false;
};

struct Response {
  int status = 0;
  std::string head;
  std::string body;
};

auto parse(const std::string& raw) -> Response {
  Response response;
  const std::size_t end = raw.find("\r\n\r\n");
  if (end == std::string::npos || !raw.starts_with("HTTP/1.")) return response;
  response.head = raw.substr(0, end + 2);
  response.body = raw.substr(end + 4);
  response.status = std::stoi(raw.substr(9, 3));
  return response;
}

auto has_header(const Response& response, std::string_view line) -> bool {
  return response.head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
}

auto ask(const Portal& portal, const std::string& method, const std::string& target,
         const std::string& more = "") -> Response {
  Client client(portal.port());
  client.send(method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" +
              more + "\r\n");
  return parse(client.read_all());
}

auto start(PortalOptions options) -> Portal {
  auto portal = Portal::start(std::move(options));
  CONSILIUM_ENSURE(portal.has_value());
  return std::move(*portal);
}

auto with_report() -> PortalOptions {
  PortalOptions options;
  options.files["/report.html"] = {"text/html; charset=utf-8", "<!doctype html><title>r</title>"};
  options.files["/result.json"] = {"application/json", "{\"cohort\":\"heart\"}"};
  options.timeout_ms = 2000;
  return options;
}

TEST(Portal, serves_the_report_byte_for_byte) {
  const Portal portal = start(with_report());
  EXPECT_EQ(portal.url(), "http://127.0.0.1:" + std::to_string(portal.port()) + "/");
  const Response report = ask(portal, "GET", "/report.html");
  EXPECT_EQ(report.status, 200);
  EXPECT_EQ(report.body, "<!doctype html><title>r</title>");
  EXPECT_TRUE(has_header(report, "Content-Type: text/html; charset=utf-8"));
  const Response result = ask(portal, "GET", "/result.json?again=1");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, "{\"cohort\":\"heart\"}");
}

TEST(Portal, leads_from_the_front_door_to_the_report) {
  const Portal portal = start(with_report());
  const Response answer = ask(portal, "GET", "/");
  EXPECT_EQ(answer.status, 302);
  EXPECT_TRUE(has_header(answer, "Location: /report.html"));
}

TEST(Portal, says_how_the_node_is) {
  PortalOptions options = with_report();
  auto ok = std::make_shared<std::atomic<bool>>(true);
  options.health = [ok] { return Health{*ok, R"({"height": 214, "status": "forged"})"}; };
  const Portal portal = start(std::move(options));
  const Response well = ask(portal, "GET", "/health");
  EXPECT_EQ(well.status, 200);
  EXPECT_TRUE(has_header(well, "Content-Type: application/json"));
  const auto body = nlohmann::json::parse(well.body);
  EXPECT_EQ(body.at("status"), "ok");
  EXPECT_EQ(body.at("height"), 214);
  *ok = false;
  const Response ill = ask(portal, "GET", "/health");
  EXPECT_EQ(ill.status, 503);
  EXPECT_EQ(nlohmann::json::parse(ill.body).at("status"), "failing");
}

TEST(Portal, is_not_well_when_the_node_cannot_say_how_it_is) {
  PortalOptions options = with_report();
  options.health = []() -> Health { throw std::runtime_error("no"); };
  const Portal throwing = start(std::move(options));
  EXPECT_EQ(ask(throwing, "GET", "/health").status, 503);
  EXPECT_EQ(ask(throwing, "GET", "/report.html").status, 200) << "the portal did not live on";

  options = with_report();
  options.health = [] { return Health{true, "not json"}; };
  const Portal babbling = start(std::move(options));
  const Response answer = ask(babbling, "GET", "/health");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(nlohmann::json::parse(answer.body).at("status"), "failing");

  const Portal plain = start(with_report());
  EXPECT_EQ(ask(plain, "GET", "/health").status, 200);
}

TEST(Portal, sends_strict_headers_with_every_answer) {
  const Portal portal = start(with_report());
  for (const std::string target : {"/report.html", "/health", "/nothing", "/"}) {
    const Response answer = ask(portal, "GET", target);
    EXPECT_NE(answer.head.find("Content-Security-Policy: default-src 'none';"), std::string::npos)
        << target;
    EXPECT_EQ(answer.head.find("script-src"), std::string::npos) << target;
    EXPECT_TRUE(has_header(answer, "X-Content-Type-Options: nosniff")) << target;
    EXPECT_TRUE(has_header(answer, "Referrer-Policy: no-referrer")) << target;
    EXPECT_TRUE(has_header(answer, "X-Frame-Options: DENY")) << target;
    EXPECT_TRUE(has_header(answer, "Cache-Control: no-store")) << target;
  }
}

TEST(Portal, answers_an_unknown_path_with_one_plain_sentence) {
  const Portal portal = start(with_report());
  const Response answer = ask(portal, "GET", "/nothing<script>");
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(has_header(answer, "Content-Type: text/plain; charset=utf-8"));
  EXPECT_EQ(answer.body, "There is no such page here. The report is at /report.html.\n");
}

TEST(Portal, can_only_be_read) {
  const Portal portal = start(with_report());
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const Response answer = ask(portal, method, "/report.html");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_TRUE(has_header(answer, "Allow: GET, HEAD")) << method;
  }
  const Response filled = ask(portal, "POST", "/report.html", "Content-Length: 5\r\n\r\nhello");
  EXPECT_EQ(filled.status, 405);
  EXPECT_EQ(ask(portal, "GET", "/report.html", "Content-Length: 5\r\n").status, 413);
  EXPECT_EQ(ask(portal, "GET", "/report.html", "Transfer-Encoding: chunked\r\n").status, 413);
}

TEST(Portal, answers_head_with_the_length_and_no_content) {
  const Portal portal = start(with_report());
  const Response answer = ask(portal, "HEAD", "/report.html");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(has_header(answer, "Content-Length: 31"));
  EXPECT_EQ(answer.body, "");
}

TEST(Portal, refuses_a_header_over_the_limit) {
  PortalOptions options = with_report();
  options.header_bytes_max = 2048;
  const Portal portal = start(std::move(options));
  EXPECT_EQ(ask(portal, "GET", "/report.html", "X-Long: " + std::string(3000, 'x') + "\r\n").status,
            431);
  EXPECT_EQ(ask(portal, "GET", "/" + std::string(100'000, 'x')).status, 431);
  EXPECT_EQ(ask(portal, "GET", "/report.html", "X-Long: " + std::string(1000, 'x') + "\r\n").status,
            200);
}

TEST(Portal, drops_a_request_that_comes_too_slowly) {
  PortalOptions options = with_report();
  options.timeout_ms = 150;
  const Portal portal = start(std::move(options));
  Client client(portal.port());
  const auto begin = std::chrono::steady_clock::now();
  std::string received;
  // A byte every 30 ms would keep a limit on silence happy for ever; the limit is on the whole
  // request.
  for (const char byte : std::string("GET /report.html HTTP/1.1\r\nHost: 127.0.0.1\r\n")) {
    client.send(std::string(1, byte));
    received += client.read_all(30);
    if (client.closed()) break;
  }
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(received, "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(ask(portal, "GET", "/report.html").status, 200);
}

TEST(Portal, never_leaves_its_folder) {
  const fs::path folder =
      fs::temp_directory_path() / ("consilium-portal-" + std::to_string(::getpid()));
  fs::create_directories(folder / "run");
  std::ofstream(folder / "secret.txt") << "secret";
  std::ofstream(folder / "run" / "secret.txt") << "secret";
  std::ofstream(folder / "run" / "report.html") << "page";
  PortalOptions options;
  options.folder = folder / "run";
  const Portal portal = start(std::move(options));
  EXPECT_EQ(ask(portal, "GET", "/report.html").body, "page");
  for (const std::string target :
       {"/../secret.txt", "/secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/./report.html",
        "//report.html", "/report.html/../../secret.txt", "/report.html/", "/report.html%00",
        "/..\\secret.txt", "/REPORT.HTML"}) {
    const Response answer = ask(portal, "GET", target);
    EXPECT_EQ(answer.status, 404) << target;
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << target;
  }
  EXPECT_EQ(ask(portal, "GET", "../secret.txt").status, 400);
  EXPECT_EQ(ask(portal, "GET", "http://127.0.0.1/report.html").status, 400);
  const Response missing = ask(portal, "GET", "/result.json");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "The run has not written this file yet. Try again when it is done.\n");
  std::ofstream(folder / "run" / "result.json") << "{}";
  EXPECT_EQ(ask(portal, "GET", "/result.json").body, "{}");
  fs::remove_all(folder);
}

TEST(Portal, refuses_what_is_not_http) {
  const Portal portal = start(with_report());
  for (const std::string raw :
       {"hello\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "GET / HTTP/1.1\r\nA\r\n\r\n"}) {
    Client client(portal.port());
    client.send(raw);
    EXPECT_EQ(parse(client.read_all()).status, 400) << raw;
    EXPECT_TRUE(client.closed());
  }
}

TEST(Portal, answers_to_this_machines_names_only) {
  const Portal portal = start(with_report());
  const auto with_host = [&](const std::string& host) {
    Client client(portal.port());
    client.send("GET /report.html HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
    return parse(client.read_all()).status;
  };
  EXPECT_EQ(with_host("Host: localhost:8080\r\n"), 200);
  EXPECT_EQ(with_host("Host: 127.0.0.1\r\n"), 200);
  EXPECT_EQ(with_host("Host: [::1]:80\r\n"), 200);
  EXPECT_EQ(with_host("Host: rebound.example\r\n"), 421);
  EXPECT_EQ(with_host("Host: 127.0.0.1.example\r\n"), 421);
  EXPECT_EQ(with_host(""), 400);
  EXPECT_EQ(with_host("Host: localhost\r\nHost: rebound.example\r\n"), 400);
}

TEST(Portal, takes_several_requests_on_one_connection) {
  const Portal portal = start(with_report());
  Client client(portal.port());
  client.send(
      "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "GET /result.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string both = client.read_all();
  EXPECT_NE(both.find("\"status\":\"ok\""), std::string::npos);
  EXPECT_NE(both.find("{\"cohort\":\"heart\"}"), std::string::npos);
  EXPECT_TRUE(client.closed());
}

TEST(Portal, turns_away_what_comes_over_the_limit_and_recovers) {
  PortalOptions options = with_report();
  options.connections_max = 3;
  options.timeout_ms = 500;
  const Portal portal = start(std::move(options));
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 3; ++i) {
    idle.push_back(std::make_unique<Client>(portal.port()));
    idle.back()->send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_EQ(parse(idle.back()->read_all(100)).status, 200);
  }
  Client late(portal.port());
  EXPECT_EQ(parse(late.read_all()).status, 503);
  EXPECT_TRUE(late.closed());
  idle.clear();
  Response answer;
  for (int attempt = 0; attempt < 50 && answer.status != 200; ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    answer = ask(portal, "GET", "/report.html");
  }
  EXPECT_EQ(answer.status, 200);
}

TEST(Portal, serves_many_clients_at_once) {
  PortalOptions options = with_report();
  options.files["/report.html"].content = std::string(200'000, 'x');
  const Portal portal = start(std::move(options));
  std::atomic<int> whole{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        if (ask(portal, "GET", "/report.html").body.size() == 200'000) ++whole;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(whole.load(), 80);
}

TEST(Portal, listens_on_this_machine_only_unless_it_is_told) {
  PortalOptions options = with_report();
  options.address = "0.0.0.0";
  EXPECT_EQ(Portal::start(options).error().code, "address_not_local");
  options.address = "::";
  EXPECT_EQ(Portal::start(options).error().code, "address_not_local");
  options.address = "localhost.example";
  EXPECT_EQ(Portal::start(options).error().code, "bad_address");
  options.address = "0.0.0.0";
  options.reach = Reach::network;
  const Portal open = start(options);
  EXPECT_EQ(ask(open, "GET", "/report.html").status, 200);
}

TEST(Portal, names_a_port_that_is_taken) {
  const Portal first = start(with_report());
  PortalOptions options = with_report();
  options.port = first.port();
  const auto second = Portal::start(std::move(options));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "port_taken");
  EXPECT_NE(second.error().place.find(std::to_string(first.port())), std::string::npos);
}

TEST(Portal, stops_when_told_and_ends_its_connections) {
  Portal portal = start(with_report());
  const std::uint16_t port = portal.port();
  Client open(port);
  open.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_EQ(parse(open.read_all(100)).status, 200);
  portal.stop();
  portal.stop();
  EXPECT_EQ(open.read_all(2000), "");
  EXPECT_TRUE(open.closed());
  EXPECT_FALSE(Client(port).connected());
  EXPECT_EQ(portal.port(), port);
}

TEST(Portal, can_be_moved_while_it_runs) {
  Portal first = start(with_report());
  Portal second = std::move(first);
  EXPECT_EQ(ask(second, "GET", "/report.html").status, 200);
  Portal third = start(with_report());
  const std::uint16_t gone = third.port();
  third = std::move(second);
  EXPECT_EQ(ask(third, "GET", "/report.html").status, 200);
  EXPECT_FALSE(Client(gone).connected());
}

}  // namespace
}  // namespace consilium::portal
