// Every byte that three nodes of a small session send each other, from seeded chance
// (alignment-spec §7). A change of these digests is a change of the protocol: nodes of two releases
// could not compute together any more.

#include "commitments.hpp"
#include "consortium.hpp"
#include "frames.hpp"

namespace consilium::alignment::test {
namespace {

struct Vector {
  ledger::AlignmentSession session;
  std::vector<NodeSession> nodes;
  std::vector<HospitalSession> hospitals;
  std::array<Hasher, 3> sent;  ///< by slot, frames to other nodes in order
  std::vector<Letter> letters;
};

auto vector_run() -> Vector {
  constexpr std::uint64_t cells = 512, cap = 300;
  SeededRandom random(161, "vector");
  Vector v;
  auto& record = v.session.record;
  record.epoch = 1;
  random.fill(record.session);
  record.cells = cells;
  record.threshold = 2;
  record.cap = cap;
  for (std::uint16_t id = 1; id <= 4; ++id) record.members.push_back(HospitalId{id});
  record.slots = {HospitalId{2}, HospitalId{3}, HospitalId{4}};
  record.circuit = make_circuit(4, 2, Output::individual, cap)->digest();
  const Bytes secret(32, 9);
  for (const auto id : record.members)
    v.hospitals.push_back(
        HospitalSession::begin(record, 1, id, random_bitmap(random, cells, 40), secret, random));
  std::vector<sealing::SigningKey> keys;
  MemberKeys member_keys;
  for (const auto id : record.slots) {
    keys.push_back(sealing::SigningKey::make(random));
    member_keys[id] = keys.back().verify_key();
  }
  for (std::size_t slot = 0; slot < 3; ++slot) {
    v.nodes.emplace_back(record, 1, slot, keys[slot], member_keys, std::vector<HospitalId>{},
                         random);
    v.session.keys[record.slots[slot]] = v.nodes[slot].keys();
  }
  for (std::size_t h = 0; h < 4; ++h)
    v.session.commits[record.members[h]] = *v.hospitals[h].commitments();
  v.session.state = ledger::AlignmentState::committed;
  v.session.fix.bytes.fill(7);

  const auto take = [&](std::size_t slot, Actions actions) {
    for (auto& [to, frame] : actions.send) {
      if (frame[5] == static_cast<std::uint8_t>(FrameType::upload_ack)) continue;
      v.sent[slot].add(frame);
      v.letters.push_back({record.slots[slot], to, std::move(frame)});
    }
  };
  for (std::size_t slot = 0; slot < 3; ++slot) {
    take(slot, v.nodes[slot].on_ledger(v.session));
    for (std::size_t h = 0; h < 4; ++h)
      take(slot, v.nodes[slot].on_frame(record.members[h], *v.hospitals[h].upload_to(slot)));
    EXPECT_EQ(v.nodes[slot].matched().size(), 4U);
  }
  v.session.state = ledger::AlignmentState::fixed;
  v.session.participants = record.members;
  for (std::size_t slot = 0; slot < 3; ++slot) take(slot, v.nodes[slot].on_ledger(v.session));
  for (std::size_t i = 0; i < v.letters.size(); ++i) {
    const Letter letter = v.letters[i];
    const auto slot =
        static_cast<std::size_t>(std::ranges::find(record.slots, letter.to) - record.slots.begin());
    take(slot, v.nodes[slot].on_frame(letter.from, letter.frame));
  }
  return v;
}

TEST(Vector, of_a_whole_session_of_three_nodes_has_not_changed) {
  auto v = vector_run();
  for (const auto& node : v.nodes) ASSERT_TRUE(node.receipt());
  EXPECT_EQ(v.nodes[0].receipt()->verdict, v.nodes[1].receipt()->verdict);
  EXPECT_EQ(v.nodes[0].receipt()->verdict, v.nodes[2].receipt()->verdict);
  EXPECT_EQ(v.session.record.circuit.hex(),
            "e3ca1f3071dc81121cceff3410a0a899565775bf525b6a9e44c941553f67bf3a");
  EXPECT_EQ(v.sent[0].finish().hex(),
            "bda5e8fcbaa1e8f1e5c8a1f2a9be2f04d27a8e4c9c2945d49a856ab9acb4363a");
  EXPECT_EQ(v.sent[1].finish().hex(),
            "73778fba2694b5b0d521ec3a8c915514154eed045b346780a9317bb88e5cc4e3");
  EXPECT_EQ(v.sent[2].finish().hex(),
            "d2f903177b1a1f89062796dce5d43fd9d31a207ad659a8c467d61e36d72121f8");
  EXPECT_EQ(v.nodes[0].receipt()->verdict.hex(),
            "af5c2cf509bb33d4d7426b67ca66f1d5b68cbfdd4b8269b06a4762b8317d5722");
}

TEST(Vector, of_the_commitments_is_what_the_specification_spells_out) {
  // Computed apart from this code: SHA-256 over label ‖ 0 ‖ sid ‖ big-endian numbers ‖ content.
  SessionBytes session{};
  Bytes share;
  for (std::uint8_t i = 0; i < 16; ++i) {
    session[i] = i;
    share.push_back(i);
  }
  const Bytes nonce(nonce_bytes, 0xaa);
  const Bitmap words{1, 2, 3, 4, 5, 6, 7, 8};
  const HospitalId hospital{258};
  EXPECT_EQ(share_commitment(session, 3, hospital, 1, nonce, share).hex(),
            "01bb821d14cb3fa01aeff40b63b69d90a79d4171b5dac18a05b2cbcef7cb7a88");
  EXPECT_EQ(input_commitment(session, hospital, nonce, words).hex(),
            "9104ccbb04df3d40ec330e4e1b138a0df438aea41e0764a9e5c4e7fdb121941c");
  EXPECT_EQ(output_hash(session, hospital, words).hex(),
            "b286939c5456df6d83f5e9fc727ba8e0f9de1eeb3311cd5e4fcb5208e8ae1015");
}

TEST(Vector, gives_every_hospital_an_output_it_can_read) {
  auto v = vector_run();
  for (std::size_t h = 0; h < 4; ++h) {
    for (std::size_t slot = 0; slot < 3; ++slot)
      for (const auto& frame :
           v.nodes[slot].outputs().at(HospitalId{static_cast<std::uint16_t>(h + 1)}))
        EXPECT_TRUE(v.hospitals[h].on_frame(slot, frame));
    EXPECT_TRUE(v.hospitals[h].output());
  }
}

TEST(Vector, of_two_nodes_that_were_shown_different_fixes_ends_before_any_level) {
  // P0 sees another fix than the other two, with the same participants.
  SeededRandom random(171, "fixes");
  auto v = vector_run();
  auto shown = v.session;
  shown.attempt = 2;
  std::vector<NodeSession> nodes;
  std::vector<HospitalSession> hospitals;
  const auto& record = v.session.record;
  for (const auto id : record.members) {
    hospitals.push_back(HospitalSession::begin(record, 2, id, random_bitmap(random, 512, 40),
                                               Bytes(32, 9), random));
    shown.commits[id] = *hospitals.back().commitments();
  }
  for (std::size_t slot = 0; slot < 3; ++slot) {
    nodes.emplace_back(record, 2, slot, sealing::SigningKey::make(random), MemberKeys{},
                       std::vector<HospitalId>{}, random);
    shown.keys[record.slots[slot]] = nodes.back().keys();
  }
  std::vector<Letter> letters;
  std::vector<ledger::AlignAborted> aborts;
  std::size_t levels = 0;
  const auto take = [&](std::size_t slot, Actions actions) {
    for (auto& [to, frame] : actions.send) {
      if (frame[5] == static_cast<std::uint8_t>(FrameType::level)) ++levels;
      if (std::ranges::count(record.slots, to) > 0 &&
          frame[5] != static_cast<std::uint8_t>(FrameType::upload_ack))
        letters.push_back({record.slots[slot], to, frame});
    }
    for (const auto& body : actions.post)
      if (const auto* aborted = std::get_if<ledger::AlignAborted>(&body.kind))
        aborts.push_back(*aborted);
  };
  for (std::size_t slot = 0; slot < 3; ++slot) {
    shown.state = ledger::AlignmentState::committed;
    take(slot, nodes[slot].on_ledger(shown));
    for (std::size_t h = 0; h < 4; ++h)
      take(slot, nodes[slot].on_frame(record.members[h], *hospitals[h].upload_to(slot)));
  }
  for (std::size_t slot = 0; slot < 3; ++slot) {
    shown.state = ledger::AlignmentState::fixed;
    shown.fix.bytes.fill(slot == 0 ? 1 : 2);
    take(slot, nodes[slot].on_ledger(shown));
  }
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const Letter letter = letters[i];
    const auto slot =
        static_cast<std::size_t>(std::ranges::find(record.slots, letter.to) - record.slots.begin());
    take(slot, nodes[slot].on_frame(letter.from, letter.frame));
  }
  EXPECT_EQ(levels, 0U);
  ASSERT_FALSE(aborts.empty());
  for (const auto& aborted : aborts) {
    EXPECT_EQ(aborted.code, "not_fixed");
    // P0 is in every pair: it is the one that was shown another list.
    EXPECT_TRUE(aborted.first == record.slots[0] || aborted.second == record.slots[0]);
  }
}

}  // namespace
}  // namespace consilium::alignment::test
