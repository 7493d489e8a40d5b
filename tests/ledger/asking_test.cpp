// What a round may ask and what that costs the asker: menus, own questions, the unit of privacy,
// clips by tensor group (sealing-spec §5, §10, §11).

#include "consilium/sealing/privacy_account.hpp"

#include "consortium.hpp"

namespace consilium::ledger::test {
namespace {

using sealing::Purpose;

constexpr std::uint64_t sigma2 = 400 * 400;
constexpr std::uint64_t norm = 300;

auto cost_of_a_question() -> std::uint64_t {
  return sealing::noisy_round(sigma2, norm, 40, 8388607, 3, sealing::Contents::counts)->rho_micro;
}

auto policy_for_askers(std::uint64_t metrics_micro, std::uint64_t council_micro) -> Policy {
  Policy policy = short_policy();
  policy.rho_asker_micro = {metrics_micro, council_micro};
  return policy;
}

/// A question of the asker's own, with noise.
auto question(Consortium& c, Purpose purpose, std::uint8_t about) -> OpenRound {
  OpenRound open = c.open_body(purpose);
  open.suite = static_cast<std::uint8_t>(sealing::Suite::l48);
  open.plan = {about};
  open.noise_sigma2 = sigma2;
  open.clip_l2 = norm;
  return open;
}

void let_end(Consortium& c) {
  while (!is_closed(c.round().state)) {
    c.pass_deadline();
    c.block();
    if (!c.ledger.check(c.make(id(2), Abort{c.round().id}))) continue;
    ASSERT_EQ(c.send_as(id(2), Abort{c.round().id}), "ok");
  }
  c.block();
}

TEST(Menu, is_all_that_may_be_asked_without_noise) {
  Consortium none;
  EXPECT_EQ(none.send_as(id(1), none.open_body(Purpose::metrics)), "not_the_menu");
  EXPECT_EQ(none.send_as(id(1), none.open_body(Purpose::council)), "not_the_menu");

  Policy policy = short_policy();
  policy.menus = {menu_digest(Purpose::metrics, Bytes{1, 2, 3}),
                  menu_digest(Purpose::council, Bytes{4})};
  Consortium c({4, policy});
  // Attack 18: a question that is almost the menu's.
  OpenRound open = c.open_body(Purpose::metrics);
  open.plan = {1, 2, 4};
  EXPECT_EQ(c.send_as(id(1), open), "not_the_menu");
  // Each purpose has a menu of its own.
  open = c.open_body(Purpose::council);
  EXPECT_EQ(c.send_as(id(1), open), "not_the_menu");
  open.plan = {4};
  EXPECT_EQ(c.send_as(id(1), open), "ok");
  EXPECT_EQ(c.send_as(id(2), c.open_body(Purpose::metrics)), "ok");
  EXPECT_NE(menu_digest(Purpose::metrics, Bytes{4}), menu_digest(Purpose::council, Bytes{4}));
}

TEST(OwnQuestion, is_paid_for_by_its_asker_and_stops_hard) {
  const std::uint64_t cost = cost_of_a_question();
  Consortium c({4, policy_for_askers(0, 2 * cost + cost / 2)});
  EXPECT_EQ(c.send_as(id(2), question(c, Purpose::metrics, 1)), "budget_spent");
  for (std::uint64_t times = 1; times <= 2; ++times) {
    ASSERT_EQ(c.send_as(id(2), question(c, Purpose::council, static_cast<std::uint8_t>(times))),
              "ok");
    c.block();
    EXPECT_EQ(c.ledger.members().at(id(2)).rho_asked_micro,
              (std::array<std::uint64_t, 2>{0, times * cost}));
    EXPECT_EQ(c.ledger.members().at(id(3)).rho_asked_micro, (std::array<std::uint64_t, 2>{}));
    // The hospitals whose cases are counted keep their own account.
    EXPECT_EQ(c.ledger.members().at(id(3)).rho_spent_micro[3], times * cost);
    let_end(c);
  }
  EXPECT_EQ(c.send_as(id(2), question(c, Purpose::council, 3)), "budget_spent");
  EXPECT_EQ(c.send_as(id(3), question(c, Purpose::council, 3)), "ok");
}

TEST(OwnQuestion, also_ends_where_a_hospital_has_given_enough) {
  const std::uint64_t cost = cost_of_a_question();
  Policy policy = policy_for_askers(0, 100 * cost);
  policy.rho_budget_micro[3] = cost;
  Consortium c({4, policy});
  OpenRound exact = c.open_body(Purpose::council);
  EXPECT_EQ(c.send_as(id(2), exact), "not_the_menu");
  ASSERT_EQ(c.send_as(id(2), question(c, Purpose::council, 1)), "ok");
  c.block();
  let_end(c);
  EXPECT_EQ(c.send_as(id(3), question(c, Purpose::council, 2)), "budget_spent");
}

TEST(OwnQuestion, may_be_asked_many_times_an_epoch_beside_the_menu) {
  Policy policy = policy_for_askers(0, 1'000'000'000);
  policy.menus[1] = menu_digest(Purpose::council, Bytes{1, 2, 3});
  Consortium c({4, policy});
  const auto run = [&c](const OpenRound& open) {
    ASSERT_EQ(c.send_as(id(2), open), "ok");
    c.block();
    c.submit(c.hospitals);
    c.attest(c.miners, c.hospitals);
    c.freeze();
    c.ready(c.miners);
    c.open_sum(c.miners);
    ASSERT_EQ(c.send_as(id(2), Decide{c.round().id}), "ok");
    c.block();
  };
  run(question(c, Purpose::council, 1));
  // Another length and noise than the first question's: neither is kept from it.
  OpenRound second = question(c, Purpose::council, 2);
  second.length = 12;
  second.noise_sigma2 = 2 * sigma2;
  run(second);
  run(c.open_body(Purpose::council));
  EXPECT_EQ(c.send_as(id(2), c.open_body(Purpose::council)), "epoch_used");
  run(question(c, Purpose::council, 3));
  // All of them were cut along one partition.
  for (const auto& [round, record] : c.ledger.rounds())
    EXPECT_EQ(record.partition_digest, c.round().partition_digest);
}

TEST(OwnQuestion, of_counts_needs_no_room_for_a_weight) {
  Consortium c({4, policy_for_askers(0, 1'000'000'000)});
  OpenRound update = c.open_body();
  update.suite = static_cast<std::uint8_t>(sealing::Suite::l48);
  update.noise_sigma2 = sigma2;
  update.clip_l2 = norm;
  EXPECT_EQ(c.send_as(id(2), update), "bad_noise");
  EXPECT_EQ(c.send_as(id(2), question(c, Purpose::council, 1)), "ok");
}

TEST(Unit, of_privacy_is_the_hospital_and_that_of_the_patient_is_reserved) {
  Consortium c({4, policy_for_askers(0, 1'000'000'000)});
  OpenRound open = question(c, Purpose::council, 1);
  open.unit = PrivacyUnit::patient;
  const auto back = Transaction::decode(c.make(id(1), open).encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<OpenRound>(back->body).unit, PrivacyUnit::patient);
  EXPECT_EQ(c.send_as(id(1), open), "unit_reserved");
  open = c.open_body();
  open.noise_sigma2 = 16;
  open.clip_l2 = 40'000;
  open.unit = PrivacyUnit::patient;
  EXPECT_EQ(c.send_as(id(1), open), "unit_reserved");
  open.unit = static_cast<PrivacyUnit>(3);
  EXPECT_EQ(c.send_as(id(1), open), "bad_encoding");
  open.unit = PrivacyUnit::hospital;
  EXPECT_EQ(c.send_as(id(1), open), "ok");
}

TEST(Clips, by_group_only_where_the_policy_has_a_floor) {
  Consortium fixed;
  OpenRound open = fixed.open_body();
  open.clips_micro = {open.clip_micro};
  EXPECT_EQ(fixed.send_as(id(1), open), "stale_context");

  Policy policy = short_policy();
  policy.clip_floor_micro = 1000;
  Consortium c({4, policy});
  const std::uint32_t most = policy.clip_micro;
  open = c.open_body();
  EXPECT_EQ(c.send_as(id(1), open), "stale_context");
  // Before the first model there is no opened sum to work a smaller clip out from.
  open.clips_micro = {most, most / 2};
  EXPECT_EQ(c.send_as(id(1), open), "stale_context");
  open.clips_micro = {most, most};
  const auto run = [&] {
    ASSERT_EQ(c.send_as(id(1), open), "ok");
    c.block();
    c.submit(c.hospitals);
    c.attest(c.miners, c.hospitals);
    c.freeze();
    c.ready(c.miners);
    c.open_sum(c.miners);
  };
  run();
  c.vote();
  c.post_models(digest_of("model 1"));

  open = c.open_body();
  for (const std::vector<std::uint32_t>& bad :
       {std::vector<std::uint32_t>{}, {most + 1, most}, {most, 999}}) {
    open.clips_micro = bad;
    EXPECT_EQ(c.send_as(id(1), open), "stale_context");
  }
  open.clips_micro = {most, 1000};
  run();
  c.vote(4);
  ASSERT_EQ(c.state(), "rolled_back");
  // Attack 8: the same base under other clips.
  open = c.open_body();
  open.clips_micro = {most, 2000};
  EXPECT_EQ(c.send_as(id(1), open), "set_forbidden");
  open.clips_micro = {most, 1000};
  EXPECT_EQ(c.send_as(id(1), open), "ok");
  OpenRound statistics = c.open_body(Purpose::statistics);
  statistics.clips_micro = {most};
  EXPECT_EQ(c.send_as(id(1), statistics), "stale_context");
}

TEST(DataRules, travel_only_when_they_are_not_the_usual_ones) {
  Consortium c;
  Genesis genesis = c.ledger.genesis();
  const std::size_t plain = genesis.encode().size();
  const auto with = [&genesis](auto change) {
    Genesis changed = genesis;
    change(changed.policy);
    const auto back = Genesis::decode(changed.encode());
    EXPECT_TRUE(back);
    EXPECT_EQ(back->policy, changed.policy);
    EXPECT_EQ(back->encode(), changed.encode());
    EXPECT_NE(changed.consortium(), genesis.consortium());
    return changed.encode().size();
  };
  EXPECT_EQ(with([](Policy& p) { p.snapshot_cases = 25; }), plain + 88);
  EXPECT_EQ(with([](Policy& p) { p.clip_floor_micro = 10; }), plain + 88);
  EXPECT_EQ(with([](Policy& p) { p.menus[1] = digest_of("menu"); }), plain + 88);
  EXPECT_EQ(with([](Policy& p) { p.rho_asker_micro[0] = 1; }), plain + 88);
  EXPECT_EQ(with([](Policy& p) {
              p.rho_asker_micro[0] = 1;
              p.rho_budget_micro[2] = 1;
            }),
            plain + 88 + 32);
  // Marked as following, and then all as usual: a second spelling of the same value.
  Genesis changed = genesis;
  changed.policy.snapshot_cases = 0x0a0b0c0d;
  Bytes spelled = changed.encode();
  const Bytes figure{0x0d, 0x0c, 0x0b, 0x0a};
  const auto at = std::search(spelled.begin(), spelled.end(), figure.begin(), figure.end());
  ASSERT_NE(at, spelled.end());
  std::copy_n(Bytes{10, 0, 0, 0}.begin(), 4, at);
  EXPECT_EQ(code(Genesis::decode(spelled)), "bad_encoding");

  const auto bad = [&genesis](auto change) {
    Genesis wrong = genesis;
    change(wrong.policy);
    return code(check_genesis(wrong));
  };
  EXPECT_EQ(bad([](Policy& p) { p.snapshot_cases = 0; }), "bad_policy");
  EXPECT_EQ(bad([](Policy& p) { p.snapshot_cases = 1'000'001; }), "bad_policy");
  EXPECT_EQ(bad([](Policy& p) { p.clip_floor_micro = p.clip_micro + 1; }), "bad_policy");
  EXPECT_EQ(bad([](Policy& p) { p.rho_asker_micro[1] = 1'000'000'001; }), "bad_policy");
}

TEST(Clips, travel_only_when_there_are_some) {
  Consortium c;
  OpenRound open = c.open_body();
  const std::size_t plain = c.make(id(1), open).encode().size();
  open.clips_micro = {7, 8, 9};
  const Bytes bytes = c.make(id(1), open).encode();
  // The marker makes hospitals_max five bytes; then a count and three clips, a byte each.
  EXPECT_EQ(bytes.size(), plain + 4 + 4);
  const auto back = Transaction::decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<OpenRound>(back->body).clips_micro, open.clips_micro);
  EXPECT_EQ(std::get<OpenRound>(back->body).hospitals_max, open.hospitals_max);
  open.noise_sigma2 = 16;
  open.clip_l2 = 40'000;
  const auto both = Transaction::decode(c.make(id(1), open).encode());
  ASSERT_TRUE(both);
  EXPECT_EQ(std::get<OpenRound>(both->body).clips_micro, open.clips_micro);
  EXPECT_EQ(std::get<OpenRound>(both->body).clip_l2, open.clip_l2);
  open.clips_micro.assign(clip_groups_max + 1, 7);
  EXPECT_EQ(code(Transaction::decode(c.make(id(1), open).encode())), "bad_encoding");
}

}  // namespace
}  // namespace consilium::ledger::test
