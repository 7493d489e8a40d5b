// ABCI as bytes, and over the socket: an engine of our own that shares no code with protobuf asks
// on four connections, as CometBFT does.

#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

#include "consilium/engine/abci_server.hpp"
#include "consilium/foundation/hash.hpp"

#include "abci_messages.hpp"
#include "chain.hpp"
#include "frames.hpp"

namespace consilium::engine::test {
namespace {

// --- protobuf's wire format, written down from its documentation (developers.google.com,
// "Encoding"): a key is (field << 3 | kind), kind 0 a varint, kind 2 bytes after their length

void put_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U)
    out.push_back(static_cast<std::uint8_t>((value & 0x7fU) | 0x80U));
  out.push_back(static_cast<std::uint8_t>(value));
}
class Wire {
 public:
  auto number(std::uint32_t field, std::uint64_t value) -> Wire& {
    put_varint(bytes, std::uint64_t{field} << 3U);
    put_varint(bytes, value);
    return *this;
  }
  auto part(std::uint32_t field, BytesView value) -> Wire& {
    put_varint(bytes, std::uint64_t{field} << 3U | 2U);
    put_varint(bytes, value.size());
    bytes.insert(bytes.end(), value.begin(), value.end());
    return *this;
  }
  auto part(std::uint32_t field, const Wire& inner) -> Wire& { return part(field, inner.bytes); }
  Bytes bytes;
};

/// What stands in a message, in its order: field, and its number or bytes.
struct Field {
  std::uint32_t field = 0;
  std::uint64_t number = 0;
  Bytes bytes;
};
auto fields_of(BytesView bytes) -> std::vector<Field> {
  std::vector<Field> out;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (unsigned shift = 0; !bytes.empty(); shift += 7) {
      const std::uint8_t byte = bytes.front();
      bytes = bytes.subspan(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80U) break;
    }
    return value;
  };
  while (!bytes.empty()) {
    const std::uint64_t key = varint();
    Field& field = out.emplace_back();
    field.field = static_cast<std::uint32_t>(key >> 3U);
    if ((key & 7U) == 0) {
      field.number = varint();
    } else {
      const auto size = static_cast<std::size_t>(varint());
      EXPECT_LE(size, bytes.size());
      field.bytes = Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      bytes = bytes.subspan(size);
    }
  }
  return out;
}
auto find(const std::vector<Field>& fields, std::uint32_t which) -> std::vector<Field> {
  std::vector<Field> out;
  std::copy_if(fields.begin(), fields.end(), std::back_inserter(out),
               [&](const Field& field) { return field.field == which; });
  return out;
}

/// Numbers of the requests and of their responses in ABCI 2.0's oneofs.
enum Request : std::uint32_t {
  echo = 1,
  flush = 2,
  info = 3,
  init_chain = 5,
  check_tx = 8,
  commit = 11,
  prepare_proposal = 16,
  process_proposal = 17,
  finalize_block = 20
};
constexpr std::uint32_t exception = 1;

auto block_request(Request kind, std::uint64_t height, const std::vector<Bytes>& transactions,
                   std::optional<sealing::VerifyKey> absent = {}) -> Bytes {
  Wire block;
  for (const auto& transaction : transactions) block.part(1, transaction);
  if (absent) {
    const auto address = address_of(*absent);
    Wire vote;
    vote.part(1, Wire().part(1, address).number(3, 100)).number(3, 1);
    block.part(2, Wire().part(2, vote));
  }
  block.number(5, height);
  return Wire().part(kind, block).bytes;
}

class Abci : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!abci_available()) GTEST_SKIP() << "built without the engine's wire format";
  }
  auto answer(const Bytes& request) -> AbciAnswer {
    return must(answer_abci(*chain.application, request));
  }
  Consortium c{{4, short_policy(), true}};
  Folder folder;
  Chain chain{c.ledger.genesis(), folder.path()};
};

TEST_F(Abci, speaks_these_bytes) {
  const auto says = [&](std::string_view request, std::string_view response) {
    EXPECT_EQ(to_hex(answer(must(from_hex(request))).response), response) << request;
  };
  says("0a040a026869", "12040a026869");            // echo "hi"
  says("1200", "1a00");                            // flush
  says("1a00", "220d0a09636f6e73696c69756d1801");  // info: "consilium", rules 1, no block yet
  says("6200", "6a00");                            // list_snapshots: none
  const auto refused = fields_of(answer(must(from_hex("42020a00"))).response);  // check_tx: nothing
  ASSERT_EQ(refused.at(0).field, 9U);
  const auto verdict = fields_of(refused.at(0).bytes);
  EXPECT_EQ(find(verdict, 1).at(0).number, 1U);
  EXPECT_EQ(verdict_of(as_text(find(verdict, 3).at(0).bytes)).code, "bad_encoding");
  EXPECT_EQ(as_text(find(verdict, 8).at(0).bytes), "consilium");
  EXPECT_TRUE(answer(must(from_hex("1200"))).flush);
}

TEST_F(Abci, carries_a_block_as_the_application_made_it) {
  const std::string first_page = "\"" + c.ledger.consortium().hex() + "\"";
  const auto born = fields_of(
      answer(Wire().part(init_chain, Wire().part(5, as_bytes(first_page))).bytes).response);
  ASSERT_EQ(born.size(), 1U);
  const auto validators = find(fields_of(born[0].bytes), 2);
  ASSERT_EQ(validators.size(), 1U);
  const auto founder = fields_of(validators[0].bytes);
  EXPECT_EQ(find(founder, 2).at(0).number, 100U);
  const auto& key = *c.ledger.genesis().founder.validator_key;
  EXPECT_EQ(find(founder, 1).at(0).bytes, Wire().part(1, key.bytes).bytes);

  // The same block into a second application, past the wire.
  const Folder beside;
  Chain twin(c.ledger.genesis(), beside.path());
  std::uint64_t height = 0;
  for (const auto& made : c.blocks) {
    ++height;
    auto transactions = made.transactions;
    EXPECT_EQ(to_hex(answer(block_request(process_proposal, height, transactions)).response),
              "9201020801");
    transactions.push_back(Bytes{1, 2, 3});
    EXPECT_EQ(to_hex(answer(block_request(process_proposal, height, transactions)).response),
              "9201020802")
        << "a proposal that holds what is no transaction";
    const auto response =
        fields_of(answer(block_request(finalize_block, height, transactions)).response);
    ASSERT_EQ(response.size(), 1U);
    EXPECT_EQ(response[0].field, 21U);
    const auto fields = fields_of(response[0].bytes);
    const auto results = find(fields, 2);
    ASSERT_EQ(results.size(), transactions.size());
    EXPECT_TRUE(results.front().bytes.empty()) << "accepted";
    Wire refusal;
    refusal.number(1, 1).part(3, as_bytes("bad_encoding")).part(8, as_bytes("consilium"));
    EXPECT_EQ(results.back().bytes, refusal.bytes);
    const auto done = twin.block(transactions);
    EXPECT_EQ(find(fields, 5).at(0).bytes,
              Bytes(done.app_hash.bytes.begin(), done.app_hash.bytes.end()));
    EXPECT_EQ(find(fields, 3).size(), done.validator_updates.size());
    EXPECT_EQ(to_hex(answer(Wire().part(commit, Wire()).bytes).response), "6200");
  }
  EXPECT_EQ(chain.application->info().app_hash, twin.application->info().app_hash);
  const auto told = fields_of(fields_of(answer(must(from_hex("1a00"))).response).at(0).bytes);
  EXPECT_EQ(find(told, 4).at(0).number, height);
}

TEST_F(Abci, tells_the_application_who_did_not_sign) {
  std::uint64_t height = 0;
  for (const auto& made : c.blocks) {
    (void)answer(block_request(finalize_block, ++height, made.transactions));
    (void)answer(Wire().part(commit, Wire()).bytes);
  }
  while (chain.application->progress().validators < 4) {
    (void)answer(block_request(finalize_block, ++height, {}));
    (void)answer(Wire().part(commit, Wire()).bytes);
  }
  const auto absent = c.ledger.members().at(id(3)).info.validator_key;
  std::uint64_t lowered = 0;
  for (std::uint32_t missed = 1; missed <= misses_max; ++missed) {
    const auto body = ledger::Propose{
        ledger::ProposeSchema{ledger::test::digest_of("schema " + std::to_string(missed))}};
    auto transaction = c.make(id(1), body);
    transaction.sequence += missed - 1;
    const Bytes bytes =
        ledger::sign_transaction(std::move(transaction), c.identity(id(1)).key).encode();
    const auto response =
        fields_of(answer(block_request(finalize_block, ++height, {bytes}, absent)).response);
    (void)answer(Wire().part(commit, Wire()).bytes);
    lowered += find(fields_of(response.at(0).bytes), 3).size();
    EXPECT_EQ(lowered, missed < misses_max ? 0U : 1U) << missed;
  }
  EXPECT_EQ(chain.application->progress().absent, std::vector<HospitalId>{id(3)});
}

TEST_F(Abci, refuses_what_is_out_of_turn_and_says_that_this_node_must_stop) {
  for (const auto& request :
       {block_request(finalize_block, 7, {}), Wire().part(commit, Wire()).bytes,
        Wire().part(init_chain, Wire().part(5, as_bytes("\"another\""))).bytes}) {
    const auto refused = answer(request);
    ASSERT_TRUE(refused.fault);
    const auto response = fields_of(refused.response);
    ASSERT_EQ(response.size(), 1U);
    EXPECT_EQ(response[0].field, exception);
    EXPECT_NE(as_text(response[0].bytes).find(refused.fault->code), std::string::npos);
  }
  EXPECT_EQ(chain.application->info().height, 0U);
  for (const std::string_view bad : {"", "ff", "0a05", "f20300"}) {
    EXPECT_EQ(code(answer_abci(*chain.application, must(from_hex(bad)))), "bad_encoding") << bad;
  }
}

// --- over the socket

class Connection {
 public:
  explicit Connection(const std::filesystem::path& socket)
      : number_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto* general = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    EXPECT_EQ(::connect(number_, general, sizeof(address)), 0);
  }
  ~Connection() { ::close(number_); }
  Connection(const Connection&) = delete;
  auto operator=(const Connection&) -> Connection& = delete;

  void send(BytesView bytes) {
    EXPECT_EQ(::send(number_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void ask(const Bytes& request) {
    Bytes frame;
    put_frame(frame, request);
    send(frame);
  }
  /// Everything asked so far, answered; the flush's own answer left out.
  auto answers(std::size_t count) -> std::vector<std::vector<Field>> {
    ask(Wire().part(flush, Wire()).bytes);
    std::vector<std::vector<Field>> out;
    while (out.size() < count + 1) {
      auto message = must(reader_.next());
      if (message) {
        out.push_back(fields_of(*message));
        continue;
      }
      Bytes buffer(4096);
      const auto got = ::recv(number_, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      reader_.add(BytesView(buffer).first(static_cast<std::size_t>(got)));
    }
    if (out.size() == count + 1) {
      EXPECT_EQ(out.back().at(0).field, 3U) << "the last answer is the flush's";
      out.pop_back();
    }
    return out;
  }
  auto answer(const Bytes& request) -> std::vector<Field> {
    ask(request);
    auto all = answers(1);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? std::vector<Field>(1) : all.front();
  }
  auto is_closed() -> bool {
    std::uint8_t byte = 0;
    return ::recv(number_, &byte, 1, 0) <= 0;
  }

 private:
  int number_;
  FrameReader reader_{frame_bytes_max};
};

class Socket : public Abci {
 protected:
  void SetUp() override {
    Abci::SetUp();
    if (IsSkipped()) return;
    path = folder.path() / "engine.sock";
    server = must(AbciServer::start(path, *chain.application));
  }
  void TearDown() override { server.reset(); }
  std::filesystem::path path;
  std::unique_ptr<AbciServer> server;
};

TEST_F(Socket, serves_an_engine_on_four_connections_at_once) {
  Connection consensus(path), mempool(path), query(path), snapshot(path);
  std::uint64_t height = 0;
  const Bytes info_request = must(from_hex("1a00"));
  const auto told_height = [&] {
    const auto fields = find(fields_of(query.answer(info_request).at(0).bytes), 4);
    return fields.empty() ? 0 : fields.front().number;
  };
  for (const auto& made : c.blocks) {
    ++height;
    // A later one of the same block may need the first.
    const auto taken =
        mempool.answer(Wire().part(check_tx, Wire().part(1, made.transactions.at(0))).bytes);
    EXPECT_EQ(taken.at(0).field, 9U);
    EXPECT_TRUE(taken.at(0).bytes.empty());
    Wire waiting;
    waiting.number(1, 1U << 20U);
    for (const auto& transaction : made.transactions) waiting.part(2, transaction);
    const auto proposal = consensus.answer(Wire().part(prepare_proposal, waiting).bytes);
    EXPECT_EQ(find(fields_of(proposal.at(0).bytes), 1).size(), made.transactions.size());
    (void)consensus.answer(block_request(finalize_block, height, made.transactions));
    // Between a block's end and its commit the others hear of the block before.
    EXPECT_EQ(told_height(), height - 1);
    EXPECT_EQ(snapshot.answer(must(from_hex("6200"))).at(0).field, 13U);
    (void)consensus.answer(Wire().part(commit, Wire()).bytes);
    EXPECT_EQ(told_height(), height);
  }
  EXPECT_EQ(chain.blocks().size(), c.blocks.size());
  EXPECT_EQ(server->fault(), std::nullopt);
}

TEST_F(Socket, answers_in_the_order_in_which_it_was_asked) {
  Connection one(path);
  for (std::uint64_t i = 0; i < 200; ++i) {
    one.ask(Wire().part(echo, Wire().part(1, as_bytes(std::to_string(i)))).bytes);
  }
  const auto all = one.answers(200);
  ASSERT_EQ(all.size(), 200U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(as_text(fields_of(all[i].at(0).bytes).at(0).bytes), std::to_string(i));
  }
}

TEST_F(Socket, closes_a_connection_that_speaks_nonsense_and_no_other) {
  Connection honest(path);
  Connection too_large(path), no_length(path), no_message(path);
  too_large.send(must(from_hex("8080808001")));  // 256 MiB
  no_length.send(must(from_hex("ffffffffff")));
  no_message.send(must(from_hex("03ffffff")));
  EXPECT_TRUE(too_large.is_closed());
  EXPECT_TRUE(no_length.is_closed());
  EXPECT_TRUE(no_message.is_closed());
  EXPECT_EQ(honest.answer(must(from_hex("0a040a026869"))).at(0).field, 2U);
}

TEST_F(Socket, says_why_this_node_must_stop_when_the_engine_is_elsewhere) {
  Connection consensus(path);
  const auto refused = consensus.answer(block_request(finalize_block, 5, {}));
  EXPECT_EQ(refused.at(0).field, exception);
  ASSERT_TRUE(server->fault());
  EXPECT_EQ(server->fault()->code, "wrong_height");
}

}  // namespace
}  // namespace consilium::engine::test
