// One-time keys after the machine was put back to a snapshot: attack and guard.

#include "consilium/sealing/one_time_keys.hpp"

#include "consilium/foundation/codec.hpp"

#include "sealing_round.hpp"

namespace consilium::sealing {
namespace {

/// Chance of a machine that is put back to the same snapshot again and again.
class SnapshotChance final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

const Bytes node_secret(32, 0x77);

auto keys_of(const RoundParameters& round, std::uint64_t attempt, BytesView secret = node_secret)
    -> OneTimeKeys {
  SnapshotChance chance;
  return one_time_keys(chance, {round.seed, HospitalId{1}, attempt, secret});
}

/// How many bytes of two bodies differ.
auto differing(const Bytes& a, const Bytes& b) -> std::size_t {
  EXPECT_EQ(a.size(), b.size());
  std::size_t count = 0;
  for (std::size_t at = 0; at < a.size(); ++at) count += a[at] != b[at] ? 1 : 0;
  return count;
}

TEST(OneTimeKeys, of_a_restored_snapshot_would_show_the_difference_of_two_vectors) {
  // Without the hedge: the same chance after the restore, one value changed, and the two sealed
  // bodies agree in every other coefficient – the attacker reads Δ(x − x').
  const TestRound round = make_round(Suite::s30, 3, 4, 2000);
  std::vector<std::int64_t> values(2000, 5);
  SnapshotChance before;
  const Bytes first = must(seal(round.parameters, HospitalId{1}, values, before)).body;
  values[77] = 6;
  SnapshotChance after;
  const Bytes second = must(seal(round.parameters, HospitalId{1}, values, after)).body;
  EXPECT_LE(differing(first, second), 5U);

  // With it: the counter went on, so nothing is the same.
  values[77] = 5;
  const Bytes third =
      must(seal(round.parameters, HospitalId{1}, values, keys_of(round.parameters, 1))).body;
  values[77] = 6;
  const Bytes fourth =
      must(seal(round.parameters, HospitalId{1}, values, keys_of(round.parameters, 2))).body;
  EXPECT_GT(differing(third, fourth), third.size() * 95 / 100);
}

TEST(OneTimeKeys, are_a_hash_of_chance_and_everything_they_are_for) {
  const TestRound round = make_round(Suite::s30, 3, 4, 5);
  const OneTimeKeys keys = keys_of(round.parameters, 3);
  SnapshotChance chance;
  std::uint8_t which = 0;
  for (const SecretBytes* key : {&keys.key, &keys.errors, &keys.sharing}) {
    Bytes drawn(32);
    chance.fill(drawn);
    const Bytes place{++which};
    EXPECT_EQ(to_hex(key->expose()),
              tagged_hash("consilium/seal/1/one-time",
                          {drawn, place, round.parameters.seed.view(), Writer().u16(1).view(),
                           Writer().u64(3).view(), node_secret})
                  .hex());
  }
}

TEST(OneTimeKeys, differ_with_the_round_the_hospital_the_attempt_the_node_and_chance) {
  const TestRound round = make_round(Suite::s30, 3, 4, 5, 1);
  const TestRound other = make_round(Suite::s30, 3, 4, 5, 2);
  const auto hex = [](const OneTimeKeys& keys) { return to_hex(keys.key.expose()); };
  const std::string base = hex(keys_of(round.parameters, 1));
  EXPECT_EQ(hex(keys_of(round.parameters, 1)), base);
  EXPECT_NE(hex(keys_of(other.parameters, 1)), base);
  EXPECT_NE(hex(keys_of(round.parameters, 2)), base);
  EXPECT_NE(hex(keys_of(round.parameters, 1, Bytes(32, 0x78))), base);
  SnapshotChance chance;
  EXPECT_NE(hex(one_time_keys(chance, {round.parameters.seed, HospitalId{2}, 1, node_secret})),
            base);
  SystemRandom system;
  const SealAttempt attempt{round.parameters.seed, HospitalId{1}, 1, node_secret};
  EXPECT_NE(hex(one_time_keys(system, attempt)), hex(one_time_keys(system, attempt)));
}

TEST(KeyHistories, refuse_a_key_that_was_used_before) {
  const TestRound round = make_round(Suite::s30, 3, 4, 5);
  SystemRandom random;
  KeyHistory history = KeyHistory::begin(random);
  EXPECT_EQ(history.next_attempt(), 1U);
  must(history.remember(keys_of(round.parameters, 1)));
  must(history.remember(keys_of(round.parameters, 2)));
  EXPECT_EQ(code_of(history.remember(keys_of(round.parameters, 1))), "key_reuse");
  KeyHistory again = must(KeyHistory::decode(history.encode()));
  EXPECT_EQ(again.encode(), history.encode());
  EXPECT_EQ(code_of(again.remember(keys_of(round.parameters, 2))), "key_reuse");
  EXPECT_EQ(again.next_attempt(), 2U);
}

TEST(KeyHistories, say_nothing_about_a_key_to_who_does_not_know_their_salt) {
  const TestRound round = make_round(Suite::s30, 3, 4, 5);
  SystemRandom random;
  KeyHistory one = KeyHistory::begin(random);
  KeyHistory two = KeyHistory::begin(random);
  must(one.remember(keys_of(round.parameters, 1)));
  must(two.remember(keys_of(round.parameters, 1)));
  EXPECT_NE(to_hex(one.encode()).substr(88), to_hex(two.encode()).substr(88));
}

TEST(KeyHistories, are_bounded) {
  const TestRound round = make_round(Suite::s30, 3, 4, 5);
  SystemRandom random;
  KeyHistory history = KeyHistory::begin(random);
  for (std::uint64_t attempt = 1; attempt <= KeyHistory::keys_max + 1; ++attempt) {
    must(history.remember(keys_of(round.parameters, attempt)));
  }
  EXPECT_EQ(history.encode().size(), 8 + 32 + 4 + 32 * KeyHistory::keys_max);
  EXPECT_EQ(code_of(history.remember(keys_of(round.parameters, KeyHistory::keys_max + 1))),
            "key_reuse");
  must(history.remember(keys_of(round.parameters, 1)));  // the oldest one is forgotten
  Bytes longer = history.encode();
  longer[40] = 1;  // a count above the bound
  longer[41] = 4;
  EXPECT_EQ(code_of(KeyHistory::decode(longer)), "bad_encoding");
  EXPECT_EQ(code_of(KeyHistory::decode({})), "bad_encoding");
}

}  // namespace
}  // namespace consilium::sealing
