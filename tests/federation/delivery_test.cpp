// Delivery C from end to end: a central server that can open the total and nothing else
// (sealing-spec §6.3).

#include <algorithm>

#include <gtest/gtest.h>

#include "consilium/sealing/masked_key.hpp"

#include "consortium.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;

auto masked() -> ledger::Policy {
  ledger::Policy policy;
  policy.topology = ledger::Topology::central;  // delivery C is for a centre
  policy.delivery = sealing::Delivery::masked_keys;
  return policy;
}
auto make(std::size_t hospitals) -> Consortium {
  return Consortium(hospitals, ledger::Topology::central, masked());
}

template <typename Condition>
void tick_until(Consortium& c, Condition condition) {
  for (int i = 0; i < 300 && !condition(); ++i) c.tick();
  ASSERT_TRUE(condition());
}

TEST(DeliveryC, ends_in_the_same_model_as_delivery_a) {
  Consortium plain(4, ledger::Topology::central);
  Consortium c = make(4);
  for (Consortium* one : {&plain, &c}) {
    ASSERT_TRUE(one->open_update(one->plan()));
    const auto& round = one->run_round(one->last_round().id);
    ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
    EXPECT_EQ(round.set.size(), 4U);
  }
  EXPECT_EQ(c.state().models().back().model, plain.state().models().back().model);
  EXPECT_EQ(c.last_round().masked_keys.size(), 4U);
  EXPECT_TRUE(c.last_round().share_sums.empty());
  EXPECT_FALSE(c.stopped) << c.stopped->message();
  EXPECT_TRUE(c.refusals.empty()) << c.refusals.front();
}

TEST(DeliveryC, keeps_the_key_in_memory_until_the_set_opens_and_nowhere_else) {
  Consortium c = make(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& round = c.last_round();
  c.meddle = [](std::size_t member, const ledger::Body& body) {
    return member != 4 || !std::holds_alternative<ledger::PublishKey>(body);
  };
  tick_until(c, [&] { return round.masked_keys.size() == 3; });
  EXPECT_EQ(c.members[0].participant->secrets_held(round.id).key_words, 2048U);
  c.meddle = nullptr;
  tick_until(c, [&] { return ledger::is_closed(round.state); });
  for (const auto& m : c.members) EXPECT_EQ(m.participant->secrets_held(round.id).key_words, 0U);
}

TEST(DeliveryC, opens_statistics_too) {
  Consortium c = make(4);
  ASSERT_TRUE(c.open_statistics());
  ASSERT_EQ(c.run_round(c.last_round().id).state, RoundState::accepted);
  std::int64_t cases = 0;
  for (const auto& m : c.members) {
    if (m.cases) cases += static_cast<std::int64_t>(m.cases->train.size());
  }
  for (const auto& m : c.members) {
    if (!m.cases) continue;
    ASSERT_EQ(m.cases->statistics_sum.size(), 3U);
    EXPECT_EQ(m.cases->statistics_sum[0], cases) << "the cases of all four";
  }
}

TEST(DeliveryC, the_server_cannot_open_a_single_update_as_it_can_in_delivery_a) {
  for (const bool enforced : {false, true}) {
    Consortium c(4, ledger::Topology::central, enforced ? masked() : ledger::Policy{});
    ASSERT_TRUE(c.open_update(c.plan()));
    const auto& round = c.run_round(c.last_round().id);
    ASSERT_EQ(round.state, RoundState::accepted) << round.reason;
    const auto parameters = c.state().parameters_of(round);
    const auto& manifest = round.manifests.at(c.members[0].id).manifest;
    const Bytes body = c.blobs.blobs.at(manifest.body_blob);
    std::map<MinerId, Bytes> key;
    if (enforced) {
      // All the server has of hospital 1 is its masked key.
      key[MinerId{1}] = c.blobs.blobs.at(round.masked_keys.at(c.members[0].id));
    } else {
      const auto lists =
          sealing::check_manifest(parameters, manifest, c.blobs.blobs.at(manifest.lists));
      auto share = sealing::open_share(parameters, manifest, *lists, MinerId{1},
                                       c.blobs.blobs.at(lists->box_digests[0]), c.members[1].box);
      ASSERT_TRUE(share);
      key[MinerId{1}] = *sealing::sum_shares(parameters, std::span(&*share, 1));
    }
    const BytesView one = body;
    EXPECT_EQ(sealing::open_sum(parameters, std::span(&one, 1), key).has_value(), !enforced);
  }
}

TEST(DeliveryC, aborts_for_a_silent_member_and_all_seal_again) {
  Consortium c = make(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.meddle = [](std::size_t member, const ledger::Body& body) {
    return member != 4 || !std::holds_alternative<ledger::PublishKey>(body);
  };
  const auto& first = c.run_round(c.last_round().id);
  ASSERT_EQ(first.state, RoundState::aborted);
  EXPECT_EQ(first.reason, "member_silent");
  // It has published, whatever the ledger saw of it: it never says that it did not.
  c.meddle = nullptr;
  for (int i = 0; i < 5; ++i) c.tick();
  EXPECT_TRUE(first.not_sent.empty());
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& second = c.run_round(c.last_round().id);
  ASSERT_EQ(second.state, RoundState::accepted) << second.reason;
  EXPECT_EQ(second.set.size(), 4U);
  for (const auto& [hospital, digest] : second.masked_keys) {
    if (!first.masked_keys.contains(hospital)) continue;
    EXPECT_NE(first.masked_keys.at(hospital), digest) << "a new key under new masks";
  }
}

TEST(DeliveryC, a_killed_hospital_sends_nothing_and_says_so) {
  Consortium c = make(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  tick_until(c, [&] { return c.last_round().manifests.size() == 4; });
  c.restart(4);  // its key was in memory only
  const auto first = c.run_round(c.last_round().id).id;
  ASSERT_EQ(c.last_round().state, RoundState::aborted);
  for (int i = 0; i < 5; ++i) c.tick();
  EXPECT_EQ(c.state().find_round(first)->not_sent, std::vector<HospitalId>{c.members[4].id});
  for (std::size_t m = 0; m < c.members.size(); ++m) c.restart(m);
  // Now it is lost for good: the others go on without it, by its word.
  c.members[4].away = true;
  ASSERT_TRUE(c.open_update(c.plan()));
  const auto& second = c.run_round(c.last_round().id);
  ASSERT_EQ(second.state, RoundState::accepted) << second.reason;
  EXPECT_EQ(second.set.size(), 3U);
  EXPECT_FALSE(c.stopped) << c.stopped->message();
}

TEST(DeliveryC, a_set_without_a_silent_member_is_refused_by_every_hospital_itself) {
  // The server says that hospital 5 was silent, and holds its key. Guard off: masked keys for U and
  // for U∖{5} are had from empty logs, and two sums subtract to one update. Guard on: the log of
  // each hospital refuses, although the ledger (forked, or wrong) shows the set as frozen.
  Consortium c = make(4);
  ASSERT_TRUE(c.open_update(c.plan()));
  c.meddle = [](std::size_t member, const ledger::Body& body) {
    return member != 4 || !std::holds_alternative<ledger::PublishKey>(body);
  };
  const auto& first = c.run_round(c.last_round().id);
  ASSERT_EQ(first.reason, "member_silent");
  auto& log = *c.members[0].set_log;
  const auto sent = log.find(first.stream, first.id);
  ASSERT_TRUE(sent);
  EXPECT_TRUE(log.has_published(first.stream, first.id));
  sealing::SetLogEntry without = *sent;
  without.round = RoundId{first.id.value + 1};
  without.members.pop_back();
  without.seed = Digest{{1}};
  without.set = Digest{{2}};
  without.partition =
      sealing::partition_digest(sealing::make_partition(without.seed, without.members, 3));
  const auto nobody = [](RoundId, const Digest&, HospitalId) { return false; };
  const auto silent_one = [&](RoundId, const Digest&, HospitalId member) {
    return member == c.members[4].id;
  };
  auto refused = log.record_remainder(without, nobody);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "set_forbidden");
  // Somebody new beside the rest is no remainder either, whoever signed.
  auto larger = without;
  larger.members.push_back(HospitalId{9});
  EXPECT_FALSE(log.record_remainder(larger, silent_one));
  EXPECT_TRUE(log.record_remainder(without, silent_one));
}

}  // namespace
}  // namespace consilium::federation::testing
