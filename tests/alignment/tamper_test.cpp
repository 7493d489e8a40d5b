// Frames that were changed on the way, hospitals that claim too much, nodes that send different
// copies.

#include "commitments.hpp"
#include "consortium.hpp"
#include "frames.hpp"

namespace consilium::alignment::test {
namespace {

using ledger::AlignmentState;

struct Trial {
  explicit Trial(std::size_t hospitals = 4, std::uint64_t cells = 300, std::uint64_t seed = 81)
      : consortium(hospitals, schema_of(cells), seed) {
    SeededRandom random(seed, "tamper");
    for (std::size_t h = 0; h < hospitals; ++h) {
      bitmaps.push_back(random_bitmap(random, cells, 30));
      consortium.join(h, cases_of(bitmaps.back(), cells));
    }
  }
  /// The first frame of this type from P0 to another member is changed by `change`.
  void spoil_first(FrameType type, std::function<void(Bytes&)> change) {
    consortium.on_letter = [this, type, change](Letter& letter) {
      const bool hit = letter.frame[5] == static_cast<std::uint8_t>(type) && !spoiled &&
                       letter.from == consortium.session().record.slots[0];
      if (hit) {
        change(letter.frame);
        spoiled = true;
        victim = letter.to;
      }
      return true;
    };
  }
  [[nodiscard]] auto nobody_has_an_outcome() const -> bool {
    return std::ranges::none_of(consortium.participants,
                                [](const auto& p) { return p.second->outcome().has_value(); });
  }
  Consortium consortium;
  std::vector<Bitmap> bitmaps;
  bool spoiled = false;
  HospitalId victim;
};

struct Damage {
  const char* what;
  std::size_t at;  ///< byte of the header
};

TEST(Tamper, with_the_header_of_any_frame_between_nodes_ends_the_session_without_output) {
  const std::vector<Damage> damages{{"magic", 0},    {"version", 4}, {"type", 5},
                                    {"reserved", 7}, {"session", 8}, {"chunk", 31},
                                    {"round", 35},   {"length", 39}, {"sequence", 47}};
  for (const auto type : {FrameType::hello, FrameType::level, FrameType::verdict, FrameType::open})
    for (const auto& damage : damages) {
      SCOPED_TRACE(std::string(damage.what) + " of type " + std::to_string(static_cast<int>(type)));
      Trial run;
      Consortium::expect_ok(run.consortium.open(2));
      run.spoil_first(type, [&](Bytes& frame) {
        frame[damage.at] = static_cast<std::uint8_t>(frame[damage.at] ^ 0x40U);
      });
      EXPECT_FALSE(run.consortium.run(80));
      EXPECT_TRUE(run.spoiled);
      EXPECT_TRUE(run.nobody_has_an_outcome());
      EXPECT_EQ(run.consortium.session().state, AlignmentState::failed);
      EXPECT_EQ(run.consortium.session().aborts, std::vector<std::string>{"bad_frame"});
    }
}

TEST(Tamper, with_the_attempt_number_is_a_bad_frame_unless_it_is_only_late) {
  Trial ahead;
  Consortium::expect_ok(ahead.consortium.open(2));
  ahead.spoil_first(FrameType::hello, [](Bytes& frame) { frame[27] = 2; });
  EXPECT_FALSE(ahead.consortium.run(80));
  EXPECT_EQ(ahead.consortium.session().aborts, std::vector<std::string>{"bad_frame"});
  // A frame of an earlier attempt that comes late is passed over.
  Trial late;
  Consortium::expect_ok(late.consortium.open(2));
  late.consortium.on_letter = [&](Letter& letter) {
    if (letter.frame[27] == 1) {
      Letter old = letter;
      old.frame[27] = 0;
      late.consortium.letters.push_back(old);
    }
    return true;
  };
  EXPECT_TRUE(late.consortium.run(80));
  EXPECT_TRUE(late.consortium.session().aborts.empty());
}

TEST(Tamper, by_losing_frames_between_two_nodes_only_costs_the_attempt) {
  Trial run;
  Consortium::expect_ok(run.consortium.open(2));
  const auto slots = run.consortium.session().record.slots;
  run.consortium.on_letter = [&](Letter& letter) {
    return !(letter.from == slots[0] && letter.frame[5] == 2 && letter.frame[27] == 1);
  };
  EXPECT_TRUE(run.consortium.run(200));
  EXPECT_EQ(run.consortium.session().aborts, std::vector<std::string>{"timeout"});
  EXPECT_EQ(run.consortium.session().attempt, 2U);
}

TEST(Tamper, with_the_content_of_a_frame_between_nodes_is_found_before_any_output) {
  const std::vector<std::pair<FrameType, std::string>> expected{
      {FrameType::hello, "not_fixed"},
      {FrameType::level, "transcript_mismatch"},
      {FrameType::verdict, "bad_frame"},
      {FrameType::open, "bad_frame"}};
  for (const auto& [type, code] : expected) {
    Trial run;
    Consortium::expect_ok(run.consortium.open(2));
    run.spoil_first(type, [](Bytes& frame) { frame.at(frame_header_bytes + 2) ^= 1U; });
    EXPECT_FALSE(run.consortium.run(80));
    EXPECT_TRUE(run.nobody_has_an_outcome());
    EXPECT_EQ(run.consortium.session().aborts, std::vector<std::string>{code});
  }
}

TEST(Tamper, names_the_receiver_and_the_sender_of_a_bad_frame) {
  Trial run;
  Consortium::expect_ok(run.consortium.open(2));
  run.spoil_first(FrameType::hello, [](Bytes& frame) { frame[47] = 9; });
  std::vector<ledger::AlignAborted> aborts;
  for (int i = 0; i < 20 && aborts.empty(); ++i) {
    for (auto& [id, participant] : run.consortium.participants)
      run.consortium.take(id, *participant->on_ledger(run.consortium.session()));
    run.consortium.carry();
    for (const auto& [from, body] : run.consortium.posts)
      if (const auto* aborted = std::get_if<ledger::AlignAborted>(&body.kind)) {
        EXPECT_EQ(from, aborted->first);
        aborts.push_back(*aborted);
      }
    run.consortium.publish();
    (void)run.consortium.book->end_block();
  }
  ASSERT_EQ(aborts.size(), 1U);
  EXPECT_EQ(aborts[0].code, "bad_frame");
  EXPECT_EQ(aborts[0].first, run.victim);
  EXPECT_EQ(aborts[0].second, run.consortium.session().record.slots[0]);
}

TEST(Tamper, with_an_upload_leaves_that_hospital_out_and_lets_the_others_go_on) {
  for (const std::size_t at : {std::size_t{3}, std::size_t{40}}) {  // a nonce, a share
    Trial run(5);
    Consortium::expect_ok(run.consortium.open(2));
    const auto& slots = run.consortium.session().record.slots;
    std::size_t hurt = 0;
    while (std::ranges::count(slots, Consortium::id(hurt)) > 0) ++hurt;
    run.consortium.on_letter = [&](Letter& letter) {
      if (letter.from == Consortium::id(hurt) && letter.to == slots[1] && letter.frame[5] == 9)
        letter.frame.at(frame_header_bytes + at) ^= 1U;
      return true;
    };
    ASSERT_TRUE(run.consortium.run(120));
    EXPECT_EQ(run.consortium.session().participants.size(), 4U);
    EXPECT_FALSE(run.consortium.outcome(hurt).took_part);
    EXPECT_TRUE(run.consortium.outcome(hurt).shared_cases.empty());
    const auto remarks = run.consortium.participants.at(Consortium::id(hurt))->take_remarks();
    ASSERT_FALSE(remarks.empty());
    EXPECT_NE(remarks.front().find("share_commitment_mismatch"), std::string::npos);
    auto counted = run.bitmaps;
    std::ranges::fill(counted[hurt], 0);
    const auto z = reference_shared(counted, 2);
    for (std::size_t h = 0; h < 5; ++h) {
      if (h == hurt) continue;
      std::size_t expected = 0;
      for (const auto word : z[h]) expected += static_cast<std::size_t>(std::popcount(word));
      EXPECT_EQ(run.consortium.outcome(h).shared_patterns, expected);
    }
  }
}

TEST(Tamper, with_an_upload_once_is_healed_by_sending_it_again) {
  Trial run;
  Consortium::expect_ok(run.consortium.open(2));
  bool once = false;
  run.consortium.on_letter = [&](Letter& letter) {
    if (letter.frame[5] == 9 && !once) {
      once = true;
      letter.frame.at(frame_header_bytes + 40) ^= 1U;
    }
    return true;
  };
  ASSERT_TRUE(run.consortium.run(120));
  EXPECT_EQ(run.consortium.session().participants.size(), 4U);
  EXPECT_EQ(run.consortium.session().attempt, 1U);
}

/// A hospital that commits, uploads and says nothing else, whatever its bitmap.
struct Liar {
  Liar(Consortium& house, std::size_t who, const Bitmap& claims)
      : consortium(house), index(who), bitmap(claims) {}
  void step() {
    const auto& session = consortium.session();
    if (!part || part->attempt() != session.attempt) {
      part.emplace(HospitalSession::begin(session.record, session.attempt, Consortium::id(index),
                                          bitmap, consortium.session_secrets[index],
                                          consortium.random));
      sent = false;
    }
    const bool committed = session.commits.contains(Consortium::id(index));
    if (!committed && session.state == AlignmentState::opened)
      Consortium::expect_ok(consortium.post(
          index,
          ledger::PublishAlignment{session.record.session, session.attempt, *part->commitments()}));
    if (committed && !sent && session.state == AlignmentState::committed) {
      sent = true;
      for (std::size_t slot = 0; slot < 3; ++slot)
        consortium.letters.push_back(
            {Consortium::id(index), session.record.slots[slot], *part->upload_to(slot)});
    }
  }
  Consortium& consortium;
  std::size_t index;
  Bitmap bitmap;
  std::optional<HospitalSession> part;
  bool sent = false;
};

TEST(Cap, throws_out_who_claims_too_much_and_the_next_attempt_goes_on_without_it) {
  static constexpr std::uint64_t cells = 1200, cap = 40;
  Consortium consortium(5, schema_of(cells), 91);
  Consortium::expect_ok(consortium.open(2, [](auto& record) {
    record.cap = cap;
    record.chunk_log2 = 9;  // three chunks, so that counts of chunks are added up
    record.circuit = make_circuit(5, 2, Output::individual, cap)->digest();
  }));
  std::size_t liar_index = 0;
  const auto slots = consortium.session().record.slots;
  while (std::ranges::count(slots, Consortium::id(liar_index)) > 0) ++liar_index;
  SeededRandom random(92, "cap");
  std::vector<Bitmap> bitmaps;
  for (std::size_t h = 0; h < 5; ++h) {
    // Exactly the cap for the honest ones, one more for the liar, over all chunks.
    Bitmap bitmap(bitmap_words(cells), 0);
    for (std::uint64_t set = 0; set < (h == liar_index ? cap + 1 : cap);) {
      const auto cell = random.below(cells);
      if (bit(bitmap, cell)) continue;
      bitmap[cell / 64] |= std::uint64_t{1} << (cell % 64);
      ++set;
    }
    bitmaps.push_back(bitmap);
    if (h != liar_index) consortium.join(h, cases_of(bitmap, cells));
  }
  Liar liar(consortium, liar_index, bitmaps[liar_index]);
  for (int i = 0; i < 80 && !consortium.everybody_has_an_outcome(); ++i) {
    liar.step();
    consortium.tick();
  }
  ASSERT_TRUE(consortium.everybody_has_an_outcome());
  EXPECT_EQ(consortium.session().aborts, std::vector<std::string>{"over_cap"});
  EXPECT_EQ(consortium.session().attempt, 2U);
  EXPECT_EQ(consortium.session().participants.size(), 4U);
  auto counted = bitmaps;
  std::ranges::fill(counted[liar_index], 0);
  const auto z = reference_shared(counted, 2);
  for (std::size_t h = 0; h < 5; ++h) {
    if (h == liar_index) continue;
    std::size_t expected = 0;
    for (const auto word : z[h]) expected += static_cast<std::size_t>(std::popcount(word));
    EXPECT_EQ(consortium.outcome(h).shared_patterns, expected);
  }
}

TEST(Cap, is_kept_by_an_honest_hospital_by_itself) {
  Consortium consortium(4, schema_of(300), 95);
  Consortium::expect_ok(consortium.open(2, [](auto& record) {
    record.cap = 20;
    record.circuit = make_circuit(4, 2, Output::individual, 20)->digest();
  }));
  std::size_t rich = 0;
  while (std::ranges::count(consortium.session().record.slots, Consortium::id(rich)) > 0) ++rich;
  SeededRandom random(96, "rich");
  for (std::size_t h = 0; h < 4; ++h)
    consortium.join(h, cases_of(random_bitmap(random, 300, h == rich ? 50 : 1), 300));
  ASSERT_TRUE(consortium.run(120));
  EXPECT_TRUE(consortium.session().aborts.empty());
  EXPECT_FALSE(consortium.outcome(rich).took_part);
  EXPECT_FALSE(consortium.participants.at(Consortium::id(rich))->take_remarks().empty());
}

// --- outputs
// -----------------------------------------------------------------------------------------------------

struct Answer {
  ledger::AlignmentRecord record;
  Bytes secret = Bytes(32, 5);
  HospitalId self{2};
  Bitmap bitmap, z;
  std::array<Bitmap, 3> shares;
  SeededRandom random{101, "answers"};

  Answer() {
    record.cells = 500;
    record.chunk_log2 = 20;
    bitmap = random_bitmap(random, 500, 50);
    z = bitmap;
    for (auto& word : z) word &= random.u64();
    for (auto& share : shares) share = random_bitmap(random, 512, 50);
    for (std::size_t w = 0; w < z.size(); ++w) shares[2][w] = z[w] ^ shares[0][w] ^ shares[1][w];
  }
  auto hospital() -> HospitalSession {
    return HospitalSession::begin(record, 1, self, bitmap, secret, random);
  }
  auto frame(FrameType type, BytesView content) -> Bytes {
    Frame out{type, record.session, 1, 0, 0, type == FrameType::output ? 0U : 1U, {}};
    out.payload = sealing::close_box(output_key(record.session, secret).public_key(), content);
    return encode_frame(out);
  }
  static auto as_bytes(const Bitmap& words) -> Bytes {
    Bytes out;
    for (const auto word : words)
      for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<std::uint8_t>(word >> (8 * i)));
    return out;
  }
  /// P_slot's two frames; `own` and `next` are the shares it says it holds.
  auto deliver(HospitalSession& hospital, std::size_t slot, const Bitmap& own, const Bitmap& next)
      -> std::string {
    const auto hash = output_hash(record.session, self, next);
    for (const auto& bytes :
         {frame(FrameType::output, as_bytes(own)), frame(FrameType::output_hash, hash.view())}) {
      const auto done = hospital.on_frame(slot, bytes);
      if (!done) return done.error().code;
    }
    return "ok";
  }
};

TEST(Output, is_used_when_every_share_has_the_other_holders_hash) {
  Answer answer;
  auto hospital = answer.hospital();
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_FALSE(hospital.output());
    EXPECT_EQ(answer.deliver(hospital, s, answer.shares[s], answer.shares[(s + 1) % 3]), "ok");
  }
  ASSERT_TRUE(hospital.output());
  EXPECT_EQ(*hospital.output(), answer.z);
}

TEST(Output, of_a_node_that_changes_its_share_or_its_hash_is_never_used) {
  for (std::size_t bad = 0; bad < 3; ++bad)
    for (const bool in_share : {true, false}) {
      Answer answer;
      auto hospital = answer.hospital();
      std::string last;
      for (std::size_t s = 0; s < 3; ++s) {
        auto own = answer.shares[s];
        auto next = answer.shares[(s + 1) % 3];
        if (s == bad) (in_share ? own : next)[1] ^= 4U;
        last = answer.deliver(hospital, s, own, next);
      }
      EXPECT_EQ(last, "output_mismatch");
      EXPECT_FALSE(hospital.output());
    }
}

TEST(Output, that_names_a_pattern_the_hospital_does_not_have_is_refused) {
  Answer answer;
  for (std::size_t w = 0; w < answer.z.size(); ++w) answer.shares[2][w] ^= ~answer.bitmap[w];
  auto hospital = answer.hospital();
  std::string last;
  for (std::size_t s = 0; s < 3; ++s)
    last = answer.deliver(hospital, s, answer.shares[s], answer.shares[(s + 1) % 3]);
  EXPECT_EQ(last, "output_mismatch");
  EXPECT_FALSE(hospital.output());
}

TEST(Output, sent_twice_is_fine_and_sent_differently_is_not) {
  Answer answer;
  auto hospital = answer.hospital();
  EXPECT_EQ(answer.deliver(hospital, 0, answer.shares[0], answer.shares[1]), "ok");
  EXPECT_EQ(answer.deliver(hospital, 0, answer.shares[0], answer.shares[1]), "ok");
  EXPECT_EQ(answer.deliver(hospital, 0, answer.shares[1], answer.shares[1]), "conflicting_message");
}

TEST(Output, can_be_read_after_a_restart_and_by_nobody_else) {
  Answer answer;
  auto back = HospitalSession::resume(answer.record, 1, answer.self, answer.bitmap, answer.secret);
  EXPECT_FALSE(back.commitments());
  EXPECT_FALSE(back.upload_to(0));
  for (std::size_t s = 0; s < 3; ++s)
    EXPECT_EQ(answer.deliver(back, s, answer.shares[s], answer.shares[(s + 1) % 3]), "ok");
  EXPECT_EQ(*back.output(), answer.z);
  const Bytes other_secret(32, 6);
  auto other = HospitalSession::resume(answer.record, 1, answer.self, answer.bitmap, other_secret);
  EXPECT_EQ(answer.deliver(other, 0, answer.shares[0], answer.shares[1]), "bad_frame");
}

TEST(Frames, are_read_only_as_they_were_written) {
  SeededRandom random(111, "frames");
  for (int i = 0; i < 200; ++i) {
    Frame frame{FrameType::level, {}, random.u32(), random.u32(), random.u32(), random.u64(), {}};
    random.fill(frame.session);
    frame.payload.resize(random.below(40));
    random.fill(frame.payload);
    const auto bytes = encode_frame(frame);
    EXPECT_EQ(bytes.size(), frame_header_bytes + frame.payload.size());
    const auto back = decode_frame(bytes);
    ASSERT_TRUE(back);
    EXPECT_EQ(encode_frame(*back), bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      EXPECT_FALSE(decode_frame(BytesView(bytes).first(cut)));
    auto longer = bytes;
    longer.push_back(0);
    EXPECT_EQ(decode_frame(longer).error().code, "bad_frame");
  }
}

}  // namespace
}  // namespace consilium::alignment::test
