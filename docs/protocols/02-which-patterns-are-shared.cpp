// Chapter 2: which patterns are shared.
//
// Three hospitals want to train on cases whose pattern (here: the kind of chest pain and whether it
// comes on exertion) at least two of them have seen. None may learn which patterns another one has,
// so nobody sends patterns, not even hashed: there are so few that anybody could hash them all.
// They count on shares instead.

#include <cstdio>
#include <map>
#include <memory>

#include "consilium/alignment/alignment.hpp"

using consilium::CaseId;
using consilium::HospitalId;
namespace alignment = consilium::alignment;
namespace casebase = consilium::casebase;
namespace ledger = consilium::ledger;
namespace sealing = consilium::sealing;

namespace {

constexpr std::uint16_t hospitals = 3;

auto code_attribute(std::uint16_t id, const char* name, const char* source,
                    std::vector<std::string> codes) -> casebase::Attribute {
  casebase::Attribute attribute;
  attribute.id = id;
  attribute.name = name;
  attribute.kind = casebase::Kind::code;
  attribute.source = source;
  attribute.labels = attribute.codes = std::move(codes);
  attribute.align = true;  // part of the alignment key
  return attribute;
}

auto sample(const char* id, const char* pain, const char* condition) -> casebase::Case {
  casebase::Case c;
  c.id = CaseId{id};
  c.status = casebase::Status::sample;
  c.findings.emplace_back();
  c.findings[0].symptom = pain;
  c.findings[0].occurrence_condition = condition;
  return c;
}

}  // namespace

auto main() -> int {
  // The schema gives the dictionary: 4 kinds of pain and 2 conditions, each also "not recorded",
  // make 5 · 3 = 15 cells.
  const casebase::Schema schema{
      "chapter 2",
      1,
      {code_attribute(1, "chest_pain", "symptom", {"typical", "atypical", "non_anginal", "none"}),
       code_attribute(2, "exertion", "occurrence_condition", {"no", "yes"})}};

  // A real program takes consilium::SystemRandom, and the keys come from the nodes' key files.
  consilium::SeededRandom chance(2, "chapter 2");
  std::vector<sealing::SigningKey> keys;
  std::vector<sealing::BoxKey> boxes;
  for (std::uint16_t h = 0; h < hospitals; ++h) {
    keys.push_back(sealing::SigningKey::make(chance));
    boxes.push_back(sealing::BoxKey::make(chance));
  }
  const auto member = [&](std::size_t h) {
    return ledger::MemberInfo{"hospital-" + std::to_string(h + 1), "Hospital",
                              ledger::MemberRole::hospital, keys[h].verify_key(),
                              boxes[h].public_key()};
  };

  // A ledger with three members. Everything the session agrees on goes through it; no share, bitmap
  // or pattern does.
  ledger::Genesis genesis;
  genesis.name = "chapter-2";
  genesis.founder = member(0);
  genesis.schema = schema.digest();
  ledger::Ledger book(genesis);
  const auto post = [&](HospitalId sender, ledger::Body body) {
    ledger::Transaction t;
    t.consortium = book.consortium();
    t.sender = sender;
    t.sequence = book.members().at(sender).sequence + 1;
    t.expiry = consilium::Height{book.height().value + 10};
    t.body = std::move(body);
    const auto verdict =
        book.apply(ledger::sign_transaction(std::move(t), keys[sender.value - std::size_t{1}]));
    if (!verdict) std::printf("  refused: %s\n", verdict.error().message().c_str());
    return verdict.has_value();
  };
  for (std::size_t h = 1; h < hospitals; ++h) {
    post(HospitalId{1}, ledger::Propose{ledger::ProposeAdmit{member(h)}});
    if (h == 2) post(HospitalId{2}, ledger::Vote{book.proposals().rbegin()->first, true});
    book.end_block();
  }

  // What each of them has seen. "Typical, on exertion" is known to all, "atypical, at rest" to one
  // and three.
  const std::vector<std::vector<casebase::Case>> samples{
      {sample("A-1", "typical", "yes"), sample("A-2", "typical", "yes"),
       sample("A-3", "atypical", "no")},
      {sample("B-1", "typical", "yes"), sample("B-2", "none", "no")},
      {sample("C-1", "atypical", "no"), sample("C-2", "non_anginal", ""),
       sample("C-3", "typical", "yes")}};
  std::map<HospitalId, std::unique_ptr<alignment::Participant>> participants;
  for (std::uint16_t h = 0; h < hospitals; ++h) {
    consilium::Bytes secret(32);
    chance.fill(secret);
    const HospitalId id{static_cast<std::uint16_t>(h + 1)};
    participants[id] =
        std::make_unique<alignment::Participant>(id, keys[h], samples[h], schema, secret, chance);
  }

  // Anybody opens the session: k = 2, the dictionary's digest, the circuit's digest, and who
  // computes. Here each of the three also owns one of the three compute nodes. One of them may look
  // at all it sees and learns nothing; two could.
  const auto record =
      alignment::open_record(book, schema, ledger::AlignmentSubject::pattern, 2, 1, chance);
  if (!record || !post(HospitalId{1}, ledger::OpenAlignment{*record})) return 1;
  book.end_block();
  for (const auto& warning : book.alignments().back().warnings)
    std::printf("warning of the ledger: %s\n", warning.c_str());

  // Heights pass. At each, everybody looks at the ledger, posts and sends; frames go straight from
  // member to member.
  std::map<std::uint8_t, std::size_t> bytes_by_type;
  std::vector<std::pair<HospitalId, ledger::PublishAlignment>> posts;
  ledger::AlignmentState shown{};
  for (int height = 0; height < 20; ++height) {
    const auto& session = book.alignments().back();
    if (session.state != shown) {
      shown = session.state;
      std::printf("height %llu: %s\n", static_cast<unsigned long long>(book.height().value),
                  std::string(state_name(shown)).c_str());
    }
    struct Letter {
      HospitalId from, to;
      consilium::Bytes frame;
    };
    std::vector<Letter> letters;
    const auto take = [&](HospitalId from, alignment::Actions actions) {
      for (auto& [to, frame] : actions.send) letters.push_back({from, to, std::move(frame)});
      for (auto& body : actions.post) posts.emplace_back(from, std::move(body));
    };
    for (auto& [id, participant] : participants) {
      auto actions = participant->on_ledger(session);
      if (!actions) return 1;
      take(id, std::move(*actions));
    }
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const Letter letter = std::move(letters[i]);
      bytes_by_type[letter.frame[5]] += letter.frame.size();
      auto actions = participants.at(letter.to)->on_frame(letter.from, letter.frame);
      if (!actions) return 1;
      take(letter.to, std::move(*actions));
    }
    for (auto& [from, body] : std::exchange(posts, {})) post(from, std::move(body));
    book.end_block();
  }

  const std::map<std::uint8_t, const char*> names{{1, "hello"},    {2, "levels"},
                                                  {7, "verdicts"}, {8, "openings"},
                                                  {9, "uploads"},  {10, "acknowledgements"},
                                                  {11, "outputs"}, {12, "output hashes"}};
  for (const auto& [type, bytes] : bytes_by_type)
    std::printf("  %-18s %6zu bytes\n", names.at(type), bytes);

  // Each hospital learns it of its own patterns only: two is not told that one and three share
  // "atypical, at rest".
  const std::vector<std::vector<std::string>> expected{
      {"A-1", "A-2", "A-3"}, {"B-1"}, {"C-1", "C-3"}};
  for (std::uint16_t h = 0; h < hospitals; ++h) {
    const auto& outcome = participants.at(HospitalId{static_cast<std::uint16_t>(h + 1)})->outcome();
    if (!outcome) return 1;
    std::printf("hospital %d: %zu shared patterns, cases", h + 1, outcome->shared_patterns);
    std::vector<std::string> cases;
    for (const auto& id : outcome->shared_cases) {
      cases.push_back(id.value);
      std::printf(" %s", id.value.c_str());
    }
    std::printf("; the ledger may know %llu\n",
                static_cast<unsigned long long>(outcome->claim_bucketed));
    if (cases != expected[h]) return 1;
  }
  return 0;
}
