// One record, shown to somebody who has the state digest and nothing else.

#include "consilium/ledger/proof.hpp"

#include "walk.hpp"

namespace consilium::ledger::test {
namespace {

/// The name of every record of the state.
auto names_of(const Ledger& ledger) -> std::vector<std::string> {
  std::vector<std::string> names{"head"};
  for (const auto& [id, member] : ledger.members())
    names.push_back("member/" + std::to_string(id.value));
  for (const auto& [id, open] : ledger.proposals())
    names.push_back("proposal/" + std::to_string(id));
  for (const auto& [id, round] : ledger.rounds())
    names.push_back("round/" + std::to_string(id.value));
  for (const auto& [name, family] : ledger.families()) names.push_back("family/" + name.hex());
  for (std::size_t i = 0; i < ledger.alignments().size(); ++i)
    names.push_back("alignment/" + std::to_string(i));
  for (std::size_t i = 0; i < ledger.models().size(); ++i)
    names.push_back("model/" + std::to_string(i));
  return names;
}

TEST(RecordProof, of_every_record_at_every_height_of_a_walk_leads_to_the_digest_and_to_no_other) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    Walk walk(seed, Topology::committee);
    Digest before;
    std::size_t shown = 0;
    for (int i = 0; i < 250; ++i) {
      walk.step();
      if (walk.c.ledger.pending_count() > 0) continue;
      const Ledger& ledger = walk.c.ledger;
      if (ledger.digest() == before) continue;
      for (const auto& name : names_of(ledger)) {
        const auto proof = ledger.prove(*record_key(name));
        ASSERT_TRUE(proof) << name;
        ASSERT_EQ(code(check_record(*proof, ledger.digest())), "ok") << name;
        ASSERT_EQ(code(check_record(*proof, before)), "wrong_proof") << name;
        ++shown;
      }
      before = ledger.digest();
    }
    EXPECT_GT(shown, 100U);
  }
}

TEST(RecordProof, is_small_and_holds_at_no_other_byte) {
  Consortium c;
  c.run_round(64);
  c.open();
  for (const auto& name : names_of(c.ledger)) {
    const Bytes bytes = c.ledger.prove(*record_key(name))->encode();
    EXPECT_LT(bytes.size(), 50'000U);
    const auto verdict = [&](BytesView shown) {
      const auto proof = RecordProof::decode(shown);
      return proof ? code(check_record(*proof, c.ledger.digest())) : code(proof);
    };
    ASSERT_EQ(verdict(bytes), "ok");
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      Bytes other = bytes;
      other[at] = static_cast<std::uint8_t>(other[at] ^ (1U << (at % 8)));
      const std::string refusal = verdict(other);
      // Where a leaf stands, and among how many, is not what is proved: the same way up may fit.
      if (refusal == "ok") {
        const auto proof = RecordProof::decode(other);
        ASSERT_EQ(proof->record, c.ledger.prove(*record_key(name))->record);
        ASSERT_EQ(proof->key, *record_key(name));
        continue;
      }
      ASSERT_TRUE(refusal == "wrong_proof" || refusal == "bad_encoding") << refusal;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size)
      ASSERT_EQ(verdict(BytesView(bytes).first(size)), "bad_encoding");
  }
}

TEST(RecordProof, is_refused_for_what_the_state_does_not_hold_and_for_names_that_name_nothing) {
  Consortium c;
  EXPECT_EQ(code(c.ledger.prove(*record_key("round/1"))), "unknown_record");
  EXPECT_EQ(code(c.ledger.prove(Bytes{})), "unknown_record");
  for (const char* name : {"", "round", "round/", "round/x", "round/1x", "round/-1", "family/12",
                           "head/1", "patient/1", "member/99999999999999999999"})
    EXPECT_EQ(code(record_key(name)), "wrong_usage") << name;
  // An inner node is no record: a leaf is hashed under another first byte.
  auto proof = *c.ledger.prove(*record_key("member/1"));
  ASSERT_FALSE(proof.path.beside.empty());
  proof.path.beside.pop_back();
  EXPECT_EQ(code(check_record(proof, c.ledger.digest())), "wrong_proof");
  proof.path = {0, 0, {}};
  EXPECT_EQ(code(check_record(proof, c.ledger.digest())), "wrong_proof");
}

}  // namespace
}  // namespace consilium::ledger::test
