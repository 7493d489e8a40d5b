#include "consortium.hpp"

namespace consilium::alignment::test {
namespace {

using ledger::AlignmentState;

auto cells_of(const Participant::Outcome& outcome) -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> cells;
  for (const auto& c : outcome.shared_cases)
    cells.push_back(std::stoull(c.value.substr(2)) - 100000);
  return cells;
}

auto cells_of(const Bitmap& z) -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> cells;
  for (std::uint64_t c = 0; c < z.size() * 64; ++c)
    if (bit(z, c)) cells.push_back(c);
  return cells;
}

struct Setting {
  std::size_t hospitals;
  std::uint16_t k;
  std::uint64_t cells;
  std::vector<Bitmap> bitmaps;
};

void expect_reference(const Consortium& consortium, const Setting& setting) {
  const auto z = reference_shared(setting.bitmaps, setting.k);
  for (std::size_t h = 0; h < setting.hospitals; ++h) {
    const auto& outcome = consortium.outcome(h);
    EXPECT_TRUE(outcome.took_part);
    EXPECT_EQ(cells_of(outcome), cells_of(z[h])) << "hospital " << h;
    EXPECT_EQ(outcome.shared_patterns, cells_of(z[h]).size());
  }
}

void join_all(Consortium& consortium, const Setting& setting) {
  for (std::size_t h = 0; h < setting.hospitals; ++h)
    consortium.join(h, cases_of(setting.bitmaps[h], setting.cells));
}

auto random_setting(SeededRandom& random) -> Setting {
  Setting s;
  s.hospitals = 3 + random.below(4);
  s.k = static_cast<std::uint16_t>(2 + random.below(s.hospitals - 1));
  const std::vector<std::uint64_t> sizes{2, 3, 63, 65, 315, 511, 512, 513, 1500};
  s.cells = sizes[random.below(sizes.size())];
  const std::vector<unsigned> densities{0, 3, 40, 100};
  for (std::size_t h = 0; h < s.hospitals; ++h)
    s.bitmaps.push_back(random_bitmap(random, s.cells, densities[random.below(densities.size())]));
  return s;
}

TEST(Session, gives_every_hospital_what_the_plain_count_gives) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed, "settings");
    const auto setting = random_setting(random);
    Consortium consortium(setting.hospitals, schema_of(setting.cells), seed);
    join_all(consortium, setting);
    // Chunks of 512 cells: several of them even here.
    Consortium::expect_ok(consortium.open(setting.k, [](auto& record) { record.chunk_log2 = 9; }));
    ASSERT_TRUE(consortium.run()) << state_name(consortium.session().state);
    EXPECT_TRUE(consortium.errors.empty());
    EXPECT_TRUE(consortium.refused.empty()) << consortium.refused.front();
    EXPECT_EQ(consortium.session().attempt, 1U);
    expect_reference(consortium, setting);
  }
}

auto setting_of(std::size_t hospitals, std::uint16_t k, std::uint64_t cells, std::uint64_t seed,
                unsigned percent = 30) -> Setting {
  SeededRandom random(seed, "one setting");
  Setting s{hospitals, k, cells, {}};
  for (std::size_t h = 0; h < hospitals; ++h)
    s.bitmaps.push_back(random_bitmap(random, cells, percent));
  return s;
}

TEST(Session, does_not_care_in_which_order_the_hospitals_stand) {
  auto setting = setting_of(4, 2, 315, 7);
  std::map<Bitmap, std::vector<std::uint64_t>> found;
  for (int order = 0; order < 4; ++order) {
    std::ranges::rotate(setting.bitmaps, setting.bitmaps.begin() + 1);
    Consortium consortium(4, schema_of(315), 70 + static_cast<std::uint64_t>(order));
    join_all(consortium, setting);
    Consortium::expect_ok(consortium.open(2));
    ASSERT_TRUE(consortium.run());
    for (std::size_t h = 0; h < 4; ++h) {
      const auto cells = cells_of(consortium.outcome(h));
      const auto [at, fresh] = found.try_emplace(setting.bitmaps[h], cells);
      EXPECT_EQ(at->second, cells);
    }
  }
  EXPECT_EQ(found.size(), 4U);
}

TEST(Session, tells_who_has_nothing_everything_or_the_same_as_all) {
  Setting setting{4, 3, 515, {}};
  SeededRandom random(9, "edges");
  const auto empty = random_bitmap(random, 515, 0);
  const auto full = random_bitmap(random, 515, 100);
  for (const auto& bitmaps : {std::vector{empty, empty, empty, empty},
                              {full, full, full, full},
                              {full, full, full, empty},
                              {full, full, empty, empty}}) {
    setting.bitmaps = bitmaps;
    Consortium consortium(4, schema_of(515), 90);
    join_all(consortium, setting);
    Consortium::expect_ok(consortium.open(3));
    ASSERT_TRUE(consortium.run());
    expect_reference(consortium, setting);
  }
}

TEST(Session, goes_on_without_a_hospital_that_stays_silent) {
  const auto setting = setting_of(5, 3, 200, 13);
  Consortium consortium(5, schema_of(200), 14);
  Consortium::expect_ok(consortium.open(3));
  // Not the owner of a slot, and neither commits nor uploads.
  std::size_t silent = 0;
  while (std::ranges::count(consortium.session().record.slots, Consortium::id(silent)) > 0)
    ++silent;
  auto counted = setting.bitmaps;
  for (std::size_t h = 0; h < 5; ++h)
    if (h != silent) consortium.join(h, cases_of(setting.bitmaps[h], setting.cells));
  std::ranges::fill(counted[silent], 0);
  ASSERT_TRUE(consortium.run(100));
  const auto z = reference_shared(counted, 3);
  for (std::size_t h = 0; h < 5; ++h) {
    if (h == silent) continue;
    EXPECT_EQ(cells_of(consortium.outcome(h)), cells_of(z[h]));
  }
  EXPECT_EQ(consortium.session().participants.size(), 4U);
}

TEST(Session, aligns_attributes_that_every_hospital_fills_often_enough) {
  auto schema = schema_of(4);
  auto second = schema.attributes[0];
  second.id = 5;
  second.name = "condition";
  second.source = "occurrence_condition";
  second.align = false;
  schema.attributes.push_back(second);
  auto third = second;
  third.id = 8;
  third.name = "severity";
  third.source = "severity";
  schema.attributes.push_back(third);
  ledger::Policy policy;
  policy.small_cell = 3;
  Consortium consortium(4, schema, 21, policy);
  for (std::size_t h = 0; h < 4; ++h) {
    std::vector<casebase::Case> cases(6);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      cases[i].id = CaseId{"T-" + std::to_string(i)};
      cases[i].findings.emplace_back();
      cases[i].findings[0].symptom = "s1";
      if (i < (h == 2 ? 2U : 3U)) cases[i].findings[0].occurrence_condition = "s2";
      if (i < 3) cases[i].findings[0].severity = "s3";
    }
    consortium.join(h, cases);
  }
  Consortium::expect_ok(consortium.open(4, {}, ledger::AlignmentSubject::attribute));
  ASSERT_TRUE(consortium.run());
  for (std::size_t h = 0; h < 4; ++h) {
    EXPECT_EQ(consortium.outcome(h).shared_attributes, (std::vector<std::uint16_t>{1, 8}));
    EXPECT_TRUE(consortium.outcome(h).shared_cases.empty());
  }
}

TEST(Session, opens_with_slots_that_move_on_and_warns_when_the_dictionary_is_small) {
  const auto setting = setting_of(4, 2, 100, 3);
  Consortium consortium(4, schema_of(100), 31);
  Consortium::expect_ok(consortium.open(2));
  const auto first = consortium.session().record;
  EXPECT_EQ(first.cap, 100U);
  EXPECT_EQ(first.previous, Digest{});
  EXPECT_EQ(std::ranges::count(consortium.session().warnings, "probe_budget"), 1);
  join_all(consortium, setting);
  ASSERT_TRUE(consortium.run());
  Consortium::expect_ok(consortium.post(0, ledger::CloseAlignment{first.session}));
  (void)consortium.book->end_block();
  Consortium::expect_ok(consortium.open(3));
  const auto second = consortium.session().record;
  EXPECT_EQ(second.previous, first.digest());
  EXPECT_NE(second.slots, first.slots);
  EXPECT_NE(second.session, first.session);
  // The same participants take up the next session by themselves.
  for (int i = 0; i < 30; ++i) consortium.tick();
  auto next = setting;
  next.k = 3;
  expect_reference(consortium, next);
}

TEST(Session, is_not_opened_against_policy_or_schema) {
  ledger::Policy policy;
  policy.align_threshold = 3;
  policy.allow_k2 = false;
  Consortium consortium(4, schema_of(100), 41, policy);
  const auto code = [](const auto& result) {
    return result ? std::string("ok") : result.error().code;
  };
  EXPECT_EQ(code(consortium.open(2)), "k2_not_allowed");
  EXPECT_EQ(code(consortium.open(5)), "bad_threshold");
  const auto other = open_record(*consortium.book, schema_of(99), ledger::AlignmentSubject::pattern,
                                 3, 1, consortium.random);
  EXPECT_EQ(code(other), "stale_schema");
  EXPECT_EQ(code(consortium.open(3)), "ok");
}

TEST(Session, of_a_record_that_another_schema_made_is_refused_by_a_participant) {
  Consortium consortium(3, schema_of(100), 43);
  Consortium::expect_ok(consortium.open(2));
  Participant stranger(Consortium::id(0), consortium.keys[0], {}, schema_of(101),
                       consortium.session_secrets[0], consortium.random);
  EXPECT_EQ(stranger.on_ledger(consortium.session()).error().code, "stale_schema");
  auto forged = consortium.session();
  forged.record.threshold = 3;  // the circuit in the record is for k = 2
  Participant member(Consortium::id(0), consortium.keys[0], {}, schema_of(100),
                     consortium.session_secrets[0], consortium.random);
  EXPECT_EQ(member.on_ledger(forged).error().code, "bad_record");
}

TEST(Session, lets_no_output_leave_a_node_before_the_ledger_shows_released) {
  const auto setting = setting_of(4, 2, 300, 45);
  Consortium consortium(4, schema_of(300), 46);
  join_all(consortium, setting);
  Consortium::expect_ok(consortium.open(2));
  bool early = false;
  std::size_t requests = 0;
  consortium.on_letter = [&](Letter& letter) {
    const auto& session = consortium.session();
    const bool output = letter.frame[5] == 11 || letter.frame[5] == 12;
    early = early || (output && session.state != AlignmentState::released);
    if (letter.frame[5] != 8) return true;
    // An impatient hospital asks while the nodes are making their receipts.
    const auto impatient =
        HospitalSession::resume(session.record, session.attempt, Consortium::id(3),
                                setting.bitmaps[3], consortium.session_secrets[3]);
    for (std::size_t slot = 0; slot < 3; ++slot) {
      if (session.record.slots[slot] == Consortium::id(3)) continue;
      consortium.letters.push_back(
          {Consortium::id(3), session.record.slots[slot], impatient.request_to(slot)});
      ++requests;
    }
    return true;
  };
  ASSERT_TRUE(consortium.run());
  EXPECT_GT(requests, 0U);
  EXPECT_FALSE(early);
  expect_reference(consortium, setting);
}

// --- crashes
// -----------------------------------------------------------------------------------------------------

TEST(Crash, of_any_one_member_at_any_height_ends_in_the_same_answer) {
  const auto setting = setting_of(4, 2, 300, 51);
  for (std::size_t victim = 0; victim < 4; ++victim)
    for (int at = 1; at <= 12; ++at) {
      SCOPED_TRACE(std::to_string(victim) + " at " + std::to_string(at));
      Consortium consortium(4, schema_of(300), 52);
      join_all(consortium, setting);
      Consortium::expect_ok(consortium.open(2));
      const auto& slots = consortium.session().record.slots;
      const bool owns_slot = std::ranges::count(slots, Consortium::id(victim)) > 0;
      for (int i = 0; i < at; ++i) consortium.tick();
      consortium.join(victim, cases_of(setting.bitmaps[victim], setting.cells));
      ASSERT_TRUE(consortium.run(120)) << state_name(consortium.session().state);
      EXPECT_TRUE(consortium.errors.empty());
      // A hospital without a slot that lost its seeds between commitment and upload is left out.
      if (owns_slot || consortium.outcome(victim).took_part) expect_reference(consortium, setting);
    }
}

TEST(Crash, of_everybody_at_any_height_ends_in_the_same_answer) {
  const auto setting = setting_of(4, 3, 300, 61);
  for (int at = 1; at <= 12; ++at)
    for (const bool frames_lost : {false, true}) {
      SCOPED_TRACE(at);
      Consortium consortium(4, schema_of(300), 62);
      join_all(consortium, setting);
      Consortium::expect_ok(consortium.open(3));
      for (int i = 0; i < at; ++i) consortium.tick();
      if (frames_lost) {
        // The last thing before the crash: everybody looks, and nothing arrives.
        consortium.on_letter = [](Letter&) { return false; };
        consortium.tick();
        consortium.on_letter = {};
      }
      join_all(consortium, setting);
      ASSERT_TRUE(consortium.run(120)) << state_name(consortium.session().state);
      expect_reference(consortium, setting);
    }
}

TEST(Crash, starts_an_attempt_in_which_nothing_is_used_again_but_the_input_commitment) {
  const auto setting = setting_of(3, 2, 300, 65);
  Consortium consortium(3, schema_of(300), 66);
  join_all(consortium, setting);
  Consortium::expect_ok(consortium.open(2));
  while (consortium.session().commits.size() < 3) consortium.tick();
  const auto first = consortium.session();
  consortium.join(1, cases_of(setting.bitmaps[1], setting.cells));
  ASSERT_TRUE(consortium.run(120));
  const auto& second = consortium.session();
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(second.aborts, std::vector<std::string>{"node_restarted"});
  for (const auto& [id, commit] : first.commits) {
    EXPECT_EQ(second.commits.at(id).input, commit.input);
    for (std::size_t j = 0; j < 3; ++j)
      EXPECT_NE(second.commits.at(id).shares[j], commit.shares[j]);
    EXPECT_NE(second.keys.at(id).key, first.keys.at(id).key);
  }
  expect_reference(consortium, setting);
}

TEST(Crash, after_the_receipts_loses_no_output_that_was_on_the_shelf) {
  const auto setting = setting_of(4, 2, 300, 67);
  for (const bool with_shelf : {true, false}) {
    Consortium consortium(4, schema_of(300), 68);
    join_all(consortium, setting);
    Consortium::expect_ok(consortium.open(2));
    while (consortium.session().state != AlignmentState::released) consortium.tick();
    EXPECT_FALSE(consortium.everybody_has_an_outcome());
    if (!with_shelf)
      for (auto& shelf : consortium.shelves) shelf->files.clear();
    join_all(consortium, setting);
    EXPECT_EQ(consortium.run(60), with_shelf);
    if (with_shelf) expect_reference(consortium, setting);
  }
}

TEST(Crash, of_a_hospital_that_missed_its_output_is_helped_by_nodes_that_look_no_more) {
  const auto setting = setting_of(4, 2, 300, 69);
  Consortium consortium(4, schema_of(300), 70);
  join_all(consortium, setting);
  Consortium::expect_ok(consortium.open(2));
  const auto late = Consortium::id(3);
  consortium.on_letter = [&](Letter& letter) {
    return !(letter.to == late && (letter.frame[5] == 11 || letter.frame[5] == 12));
  };
  for (int i = 0; i < 15; ++i) consortium.tick();
  consortium.on_letter = {};
  EXPECT_FALSE(consortium.participants.at(late)->outcome());
  EXPECT_TRUE(consortium.participants.at(Consortium::id(0))->outcome());
  // Everybody starts again; those who have their answer only serve frames and never ask the ledger.
  join_all(consortium, setting);
  for (int i = 0; i < 20; ++i) {
    auto actions = consortium.participants.at(late)->on_ledger(consortium.session());
    ASSERT_TRUE(actions);
    const auto owns = std::ranges::count(consortium.session().record.slots, late) > 0;
    EXPECT_TRUE(owns || actions->post.empty());
    consortium.take(late, std::move(*actions));
    consortium.carry();
  }
  ASSERT_TRUE(consortium.participants.at(late)->outcome());
  EXPECT_EQ(cells_of(consortium.outcome(3)), cells_of(reference_shared(setting.bitmaps, 2)[3]));
}

}  // namespace
}  // namespace consilium::alignment::test
