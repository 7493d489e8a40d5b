#pragma once
// A consortium on a real ledger, small schemas, and the plain answer that sessions are compared
// with.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "consilium/alignment/alignment.hpp"
#include "consilium/casebase/admission.hpp"

namespace consilium::alignment::test {

using Bitmap = std::vector<std::uint64_t>;

inline auto bit(const Bitmap& words, std::uint64_t cell) -> bool {
  return (words[cell / 64] >> (cell % 64) & 1U) != 0;
}

/// z of every hospital, counted in the clear.
inline auto reference_shared(const std::vector<Bitmap>& bitmaps, std::size_t k)
    -> std::vector<Bitmap> {
  std::vector<Bitmap> out(bitmaps.size(), Bitmap(bitmaps.front().size(), 0));
  for (std::uint64_t cell = 0; cell < bitmaps.front().size() * 64; ++cell) {
    const auto holders = static_cast<std::size_t>(
        std::ranges::count_if(bitmaps, [&](const auto& b) { return bit(b, cell); }));
    if (holders < k) continue;
    for (std::size_t h = 0; h < bitmaps.size(); ++h)
      if (bit(bitmaps[h], cell)) out[h][cell / 64] |= std::uint64_t{1} << (cell % 64);
  }
  return out;
}

/// A schema whose pattern dictionary has exactly `cells` cells: one code attribute; cell 0 is "not
/// recorded".
inline auto schema_of(std::uint64_t cells) -> casebase::Schema {
  casebase::Attribute attribute;
  attribute.id = 1;
  attribute.name = "symptom";
  attribute.kind = casebase::Kind::code;
  attribute.source = "symptom";
  attribute.align = true;
  for (std::uint64_t i = 1; i < cells; ++i) attribute.codes.push_back("s" + std::to_string(i));
  attribute.labels = attribute.codes;
  return {"test", 1, {attribute}};
}

inline auto cases_of(const Bitmap& bitmap, std::uint64_t cells) -> std::vector<casebase::Case> {
  std::vector<casebase::Case> cases;
  for (std::uint64_t cell = 0; cell < cells; ++cell) {
    if (!bit(bitmap, cell)) continue;
    casebase::Case c;
    c.id = CaseId{"T-" + std::to_string(100000 + cell)};
    c.status = casebase::Status::sample;
    c.findings.emplace_back();
    if (cell > 0) c.findings[0].symptom = "s" + std::to_string(cell);
    cases.push_back(c);
  }
  return cases;
}

inline auto random_bitmap(Random& random, std::uint64_t cells, unsigned percent) -> Bitmap {
  Bitmap out(bitmap_words(cells), 0);
  for (std::uint64_t cell = 0; cell < cells; ++cell)
    if (random.below(100) < percent) out[cell / 64] |= std::uint64_t{1} << (cell % 64);
  return out;
}

/// Everything a node keeps on disk.
class MemoryShelf final : public OutputShelf {
 public:
  auto save(std::string_view name, BytesView bytes) -> Result<void> override {
    files[std::string(name)] = Bytes(bytes.begin(), bytes.end());
    return {};
  }
  auto load(std::string_view name) -> Result<std::optional<Bytes>> override {
    const auto found = files.find(std::string(name));
    if (found == files.end()) return std::optional<Bytes>{};
    return std::optional<Bytes>{found->second};
  }
  std::map<std::string, Bytes> files;
};

struct Letter {
  HospitalId from, to;
  Bytes frame;
};

class Consortium {
 public:
  Consortium(std::size_t hospitals, casebase::Schema agreed, std::uint64_t seed,
             ledger::Policy policy = {})
      : schema(std::move(agreed)), random(seed, "alignment test") {
    for (std::size_t i = 0; i < hospitals; ++i) {
      keys.push_back(sealing::SigningKey::make(random));
      boxes.push_back(sealing::BoxKey::make(random));
      Bytes secret(32);
      random.fill(secret);
      session_secrets.push_back(secret);
      shelves.push_back(std::make_unique<MemoryShelf>());
    }
    ledger::Genesis genesis;
    genesis.name = "test";
    genesis.founder = info(0);
    genesis.policy = policy;
    genesis.schema = schema.digest();
    book.emplace(genesis);
    for (std::size_t i = 1; i < hospitals; ++i) {
      expect_ok(post(0, ledger::Propose{ledger::ProposeAdmit{info(i)}}));
      for (std::size_t v = 1; v < i && !book->proposals().empty(); ++v)
        expect_ok(post(v, ledger::Vote{book->proposals().rbegin()->first, true}));
      (void)book->end_block();
    }
    EXPECT_EQ(book->hospitals().size(), hospitals);
    for (std::size_t i = 0; i < hospitals; ++i) member_keys[id(i)] = keys[i].verify_key();
  }

  static auto id(std::size_t index) -> HospitalId {
    return HospitalId{static_cast<std::uint16_t>(index + 1)};
  }
  static auto index(HospitalId id) -> std::size_t { return id.value - std::size_t{1}; }
  static void expect_ok(const Result<void>& done) {
    EXPECT_TRUE(done) << (done ? "" : done.error().message());
  }

  auto info(std::size_t i) const -> ledger::MemberInfo {
    return {"hospital-" + std::to_string(i), "Hospital", ledger::MemberRole::hospital,
            keys[i].verify_key(), boxes[i].public_key()};
  }

  auto post(std::size_t by, ledger::Body body) -> Result<void> {
    ledger::Transaction t;
    t.consortium = book->consortium();
    t.sender = id(by);
    t.sequence = book->members().at(id(by)).sequence + 1;
    t.expiry = Height{book->height().value + 50};
    t.body = std::move(body);
    return book->apply(ledger::sign_transaction(std::move(t), keys[by]));
  }

  /// Opens a session; `change` may alter the record first.
  auto open(std::uint16_t k, std::function<void(ledger::AlignmentRecord&)> change = {},
            ledger::AlignmentSubject subject = ledger::AlignmentSubject::pattern) -> Result<void> {
    const auto epoch = book->alignments().size() + 1;
    CONSILIUM_TRY(auto record, open_record(*book, schema, subject, k, epoch, random));
    if (change) change(record);
    CONSILIUM_CHECK(post(0, ledger::OpenAlignment{record}));
    (void)book->end_block();
    return {};
  }
  [[nodiscard]] auto session() const -> const ledger::AlignmentSession& {
    return book->alignments().back();
  }

  void join(std::size_t i, std::span<const casebase::Case> cases) {
    participants[id(i)] = std::make_unique<Participant>(
        id(i), keys[i], cases, schema, session_secrets[i], random, shelves[i].get(), member_keys);
  }

  /// One height: everybody looks at the ledger, frames run until nobody has one, a block is made.
  void tick() {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto who = participants.find(id(i));
      if (who == participants.end() || !who->second) continue;
      auto actions = who->second->on_ledger(session());
      if (!actions) {
        errors.push_back(actions.error().code);
        continue;
      }
      take(id(i), std::move(*actions));
    }
    carry();
    publish();
    (void)book->end_block();
  }

  void take(HospitalId from, Actions actions) {
    for (auto& [to, frame] : actions.send) letters.push_back({from, to, std::move(frame)});
    for (auto& body : actions.post) posts.emplace_back(from, std::move(body));
  }
  void publish() {
    for (auto& [from, body] : std::exchange(posts, {})) {
      const auto done = post(index(from), std::move(body));
      if (!done) refused.push_back(done.error().code);
    }
  }
  void carry() {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      Letter letter = letters[i];
      if (on_letter && !on_letter(letter)) continue;
      seen.push_back(letter);
      const auto to = participants.find(letter.to);
      if (to == participants.end() || !to->second) continue;
      auto actions = to->second->on_frame(letter.from, letter.frame);
      if (!actions) {
        errors.push_back(actions.error().code);
        continue;
      }
      take(letter.to, std::move(*actions));
    }
    letters.clear();
  }

  [[nodiscard]] auto everybody_has_an_outcome() const -> bool {
    return std::ranges::all_of(participants, [](const auto& entry) {
      return entry.second && entry.second->outcome().has_value();
    });
  }
  auto run(int ticks_max = 60) -> bool {
    for (int i = 0; i < ticks_max; ++i) {
      if (everybody_has_an_outcome()) return true;
      if (session().state == ledger::AlignmentState::failed) return false;
      tick();
    }
    return everybody_has_an_outcome();
  }
  [[nodiscard]] auto outcome(std::size_t i) const -> const Participant::Outcome& {
    return *participants.at(id(i))->outcome();
  }

  casebase::Schema schema;
  SeededRandom random;
  std::vector<sealing::SigningKey> keys;
  std::vector<sealing::BoxKey> boxes;
  std::vector<Bytes> session_secrets;
  std::vector<std::unique_ptr<MemoryShelf>> shelves;
  MemberKeys member_keys;
  std::optional<ledger::Ledger> book;
  std::map<HospitalId, std::unique_ptr<Participant>> participants;
  std::vector<Letter> letters, seen;
  std::vector<std::pair<HospitalId, ledger::PublishAlignment>> posts;
  std::vector<std::string> errors, refused;
  /// May change a letter, or lose it by saying false.
  std::function<bool(Letter&)> on_letter;
};

}  // namespace consilium::alignment::test
