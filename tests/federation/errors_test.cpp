// The error table of sealing (specification §13), row by row: what goes wrong, which error names
// it, what is kept as evidence, and that no hospital's update is lost by it.

#include <functional>
#include <limits>

#include <gtest/gtest.h>
#include <unistd.h>

#include "consilium/foundation/codec.hpp"

#include "consortium.hpp"
#include "kept_update.hpp"

namespace consilium::federation::testing {
namespace {

using ledger::RoundState;

/// What a row shows.
struct Seen {
  std::string code;
  bool evidence = false;     ///< whoever asks later can be shown what happened
  bool update_kept = false;  ///< everybody who sealed still has the integers, or a model has them
};

/// Rows that are judged before anything was sealed: there is nothing to keep and nothing to lose.
auto before_sealing(std::string code) -> Seen {
  return {std::move(code), true, true};
}

template <typename T>
auto code_of(const Result<T>& result) -> std::string {
  return result ? "" : result.error().code;
}

auto remarked(const Consortium& c, std::string_view code) -> std::string {
  for (const std::string& remark : c.remarks) {
    if (remark.find(code) != std::string::npos) return std::string(code);
  }
  return "nothing of the kind was remarked";
}

auto updates_kept(const Consortium& c, RoundId id) -> bool {
  const auto& round = *c.state().find_round(id);
  const bool in_a_model = round.state == RoundState::accepted;
  for (const auto& member : c.members) {
    const bool sealed = member.cases && round.manifests.contains(member.id);
    const bool kept =
        member.storage->records.contains("rounds/" + std::to_string(id.value) + "/update");
    if (sealed && !kept && !in_a_model) return false;
  }
  return true;
}

/// A consortium with an open update round, in which the last member seals what `spoil` makes of an
/// honest update. Its own integers are kept first, as an honest node would.
struct Dishonest {
  Consortium c{4};
  RoundId id;
  HospitalId liar;

  explicit Dishonest(const std::function<void(sealing::Sealed&, sealing::ManifestLists&)>& spoil) {
    EXPECT_TRUE(c.open_update(c.plan()));
    id = c.last_round().id;
    auto& member = c.members.back();
    liar = member.id;
    const auto parameters = c.state().parameters_of(c.last_round());
    SystemRandom random;
    const std::vector<std::int64_t> values(parameters.length, 1);
    EXPECT_TRUE(keep_update(*member.storage, id, parameters.seed, values));
    auto sealed = *sealing::seal(parameters, member.id, values, random);
    auto lists = *sealing::check_manifest(parameters, sealed.manifest, sealed.lists);
    spoil(sealed, lists);
    sealed.lists = lists.encode();
    sealed.manifest.lists = blob_name(sealed.lists);
    sealed.manifest.body_blob = blob_name(sealed.body);
    std::vector<BytesView> blobs{sealed.body, sealed.lists};
    for (const auto& box : sealed.boxes) blobs.emplace_back(box);
    EXPECT_TRUE(member.storage->put_blobs(blobs));
    EXPECT_TRUE(c.post(c.members.size() - 1, ledger::SubmitManifest{id, sealed.manifest, 0}));
    (void)c.run_round(id);
  }

  /// The error that a miner remarks; the signed manifest stays on the ledger, its bytes are blobs,
  /// and the others' round goes on.
  [[nodiscard]] auto seen(std::string_view code) -> Seen {
    const auto& round = c.last_round();
    const auto& manifest = round.manifests.at(liar).manifest;
    const bool out = round.set.size() == 3 && round.state == RoundState::accepted;
    return {out ? remarked(c, code) : "the liar is in the set",
            c.blobs.blobs.contains(manifest.body_blob) && c.blobs.blobs.contains(manifest.lists),
            updates_kept(c, id)};
  }
};

constexpr std::size_t chunk_header = 16;

// --- the rows

auto bad_value() -> Seen {
  SeededRandom rounding(1, "rounding");
  const std::vector<float> update{1.0F, std::numeric_limits<float>::quiet_NaN()};
  sealing::Quantisation rule;
  rule.value_max = 100;
  return before_sealing(code_of(sealing::quantise(update, 1, rule, rounding)));
}

auto length_mismatch() -> Seen {
  Consortium c(3);
  EXPECT_TRUE(c.open_update(c.plan()));
  const auto parameters = c.state().parameters_of(c.last_round());
  SystemRandom random;
  const std::vector<std::int64_t> values(parameters.length + 1, 0);
  return before_sealing(code_of(sealing::seal(parameters, c.members[0].id, values, random)));
}

auto stale_context() -> Seen {
  Dishonest run([](sealing::Sealed& sealed, sealing::ManifestLists&) { sealed.body[2] ^= 1U; });
  return run.seen("stale_context");
}

auto non_canonical() -> Seen {
  Dishonest run([](sealing::Sealed& sealed, sealing::ManifestLists&) {
    std::fill_n(sealed.body.begin() + chunk_header, 8, std::uint8_t{0xff});
  });
  return run.seen("non_canonical");
}

auto bad_chunk() -> Seen {
  Dishonest run([](sealing::Sealed& sealed, sealing::ManifestLists&) {
    sealed.body[chunk_header] ^= 1U;  // still a residue, and another leaf
  });
  return run.seen("bad_chunk");
}

auto unavailable() -> Seen {
  Consortium c(4);
  EXPECT_TRUE(c.open_update(c.plan()));
  c.tick();
  c.blobs.lose(c.last_round().manifests.at(c.members[3].id).manifest.body_blob);
  const auto& round = c.run_round(c.last_round().id);
  const bool left_out = round.set.size() == 3 && round.manifests.contains(c.members[3].id);
  return {remarked(c, "unavailable"), left_out, updates_kept(c, round.id)};
}

auto equivocation() -> Seen {
  Consortium c(4);
  EXPECT_TRUE(c.open_update(c.plan()));
  c.tick();
  auto second = c.last_round().manifests.at(c.members[3].id);
  const auto first = second.manifest;
  second.manifest.witness = Digest{{1}};
  EXPECT_TRUE(c.post(3, second)) << "taken as evidence";
  c.end_block();
  const auto& round = c.last_round();
  const bool both = round.equivocations.contains(c.members[3].id) &&
                    round.manifests.at(c.members[3].id).manifest == first;
  auto third = second;
  third.manifest.witness = Digest{{2}};
  return {code_of(c.post(3, third)), both, updates_kept(c, round.id)};
}

auto bad_box() -> Seen {
  Dishonest run([](sealing::Sealed& sealed, sealing::ManifestLists& lists) {
    for (std::size_t miner = 0; miner < 3; ++miner) {
      sealed.boxes[miner].back() ^= 1U;
      lists.box_digests[miner] = blob_name(sealed.boxes[miner]);
    }
  });
  Seen seen = run.seen("bad_box");
  seen.evidence = seen.evidence && !run.c.last_round().complaints.empty();
  return seen;
}

auto bad_sharing() -> Seen {
  Dishonest run(
      [](sealing::Sealed&, sealing::ManifestLists& lists) { lists.response.front() ^= 1U; });
  Seen seen = run.seen("bad_sharing");
  seen.evidence = seen.evidence && !run.c.last_round().complaints.empty();
  return seen;
}

auto set_too_small() -> Seen {
  Consortium c(4);
  c.members[2].away = c.members[3].away = true;
  EXPECT_TRUE(c.open_update(c.plan()));
  const auto& round = c.run_round(c.last_round().id);
  return {round.reason, round.state == RoundState::aborted && round.share_sums.empty(),
          updates_kept(c, round.id)};
}

/// A first round that is rolled back, so that the second starts from the same base.
void roll_back_once(Consortium& c) {
  for (std::size_t i = 1; i < 4; ++i) c.members[i].cases->poison();
  auto plan = c.plan();
  plan.training.local_steps = 400;
  EXPECT_TRUE(c.open_update(plan));
  EXPECT_EQ(c.run_round(c.last_round().id).state, RoundState::rolled_back);
}

auto rolled_back() -> Seen {
  Consortium c(4);
  roll_back_once(c);
  const auto& round = c.last_round();
  return {round.reason, round.opened_sum.has_value(), updates_kept(c, round.id)};
}

auto set_forbidden() -> Seen {
  Consortium c(4);
  roll_back_once(c);
  c.members[3].away = true;  // U without one member, on the same base
  auto plan = c.plan(1);
  plan.training.local_steps = 400;
  EXPECT_TRUE(c.open_update(plan));
  const auto& round = c.run_round(c.last_round().id);
  return {round.reason, round.state == RoundState::aborted && round.share_sums.empty(),
          updates_kept(c, round.id)};
}

auto bad_purpose() -> Seen {
  Consortium c(3);
  auto body = statistics_round(c.state(), c.state().schema(), 1);
  body.purpose = static_cast<sealing::Purpose>(9);
  EXPECT_EQ(code_of(sealing::purpose_from_id(9)), "bad_purpose");
  const std::string code = code_of(c.post(0, body));
  EXPECT_TRUE(c.state().rounds().empty());
  return before_sealing(code);
}

auto second_set() -> Seen {
  const auto file = std::filesystem::temp_directory_path() /
                    ("consilium-errors-" + std::to_string(::getpid()) + ".log");
  std::filesystem::remove(file);
  auto log = *sealing::SetLog::open(file, 0);
  sealing::SetLogEntry entry;
  entry.round = RoundId{1};
  entry.members = {HospitalId{1}, HospitalId{2}, HospitalId{3}};
  EXPECT_TRUE(log.record(entry));
  auto other = entry;
  other.set = Digest{{2}};
  const std::string code = code_of(log.record(other));
  const bool first_stays = log.find(entry.stream, entry.round) == entry;
  std::filesystem::remove(file);
  return {code, first_stays, true};
}

auto log_lost() -> Seen {
  const auto file = std::filesystem::temp_directory_path() /
                    ("consilium-errors-" + std::to_string(::getpid()) + ".lost");
  std::filesystem::remove(file);
  // The ledger knows that this miner has answered once, and there is no log.
  return {code_of(sealing::SetLog::open(file, 1)), !std::filesystem::exists(file), true};
}

auto committee_short() -> Seen {
  Consortium c(4);
  EXPECT_TRUE(c.open_update(c.plan()));
  // Everybody attests, two are left to freeze, and two are not enough to say that they are ready.
  for (int i = 0; i < 100 && c.last_round().attests.size() < 4; ++i) c.tick();
  c.members[2].away = c.members[3].away = true;
  const auto& round = c.run_round(c.last_round().id);
  return {round.reason, round.state == RoundState::aborted && round.share_sums.empty(),
          updates_kept(c, round.id)};
}

auto opening_stalled() -> Seen {
  Consortium c(4);
  EXPECT_TRUE(c.open_update(c.plan()));
  for (int i = 0; i < 100 && c.last_round().state != RoundState::opening; ++i) c.tick();
  // Two publish, whoever they are; the others have said that they are ready, and vanish.
  std::size_t publishing = c.last_round().share_sums.size();
  for (auto& member : c.members) {
    if (c.last_round().share_sums.contains(member.id)) continue;
    member.away = ++publishing > 2;
  }
  const auto& round = c.run_round(c.last_round().id, 150);
  std::vector<Bytes> bodies;
  for (const auto& member : round.set) {
    bodies.push_back(c.blobs.blobs.at(round.manifests.at(member.hospital).manifest.body_blob));
  }
  const std::vector<BytesView> views(bodies.begin(), bodies.end());
  std::map<MinerId, Bytes> sums;
  for (const auto& [owner, digest] : round.share_sums) {
    sums[MinerId{owner.value}] = c.blobs.blobs.at(digest);
  }
  return {code_of(sealing::open_sum(c.state().parameters_of(round), views, sums)),
          round.state == RoundState::opening, updates_kept(c, round.id)};
}

auto bad_share_sum() -> Seen {
  Consortium c(4);
  EXPECT_TRUE(c.open_update(c.plan()));
  for (int i = 0; i < 100 && c.last_round().share_sums.size() < 4; ++i) c.tick();
  const auto& before = c.last_round();
  auto& wrong = c.blobs.blobs.at(before.share_sums.at(c.members[1].id));
  wrong.front() ^= 1U;
  for (std::size_t m = 0; m < 4; ++m) c.restart(m);  // nobody remembers a sum it opened before
  const auto& round = c.run_round(before.id);
  EXPECT_EQ(round.state, RoundState::accepted) << round.reason;
  return {remarked(c, "bad_share_sum"), round.share_sums.contains(c.members[1].id),
          updates_kept(c, round.id)};
}

/// Two vectors sealed with two keys: bodies of the one, shares of the other.
auto residual_out_of_range() -> Seen {
  Consortium c(3);
  EXPECT_TRUE(c.open_update(c.plan()));
  const auto parameters = c.state().parameters_of(c.last_round());
  SystemRandom random;
  const std::vector<std::int64_t> values(parameters.length, 5);
  const auto body = *sealing::seal(parameters, HospitalId{1}, values, random);
  const auto other = *sealing::seal(parameters, HospitalId{1}, values, random);
  std::map<MinerId, Bytes> sums;
  for (std::uint16_t miner = 1; miner <= parameters.committee.threshold; ++miner) {
    sums[MinerId{miner}] =
        *sealing::sum_shares(parameters, std::span(&other.openings[miner - 1U], 1));
  }
  const BytesView view = body.body;
  return before_sealing(code_of(sealing::open_sum(parameters, std::span(&view, 1), sums)));
}

auto mean_code(std::vector<std::int64_t> sum) -> std::string {
  sealing::Quantisation rule;
  rule.value_max = 100;
  return code_of(sealing::mean_of(sum, 3, rule));
}
auto sum_out_of_range() -> Seen {
  return before_sealing(mean_code({10, 0, 17}));
}
auto empty_weight() -> Seen {
  return before_sealing(mean_code({0, 0, 0}));
}

auto no_headroom() -> Seen {
  Consortium c(4);
  // Nine deviations of this noise fill the whole range.
  return before_sealing(
      code_of(c.open_update(c.plan(), {.sigma2 = 3641ULL * 3641, .clip_l2 = 40'000})));
}

auto budget_spent() -> Seen {
  Consortium c(4);
  auto policy = c.state().policy();
  policy.rho_budget_micro[0] = 1;
  EXPECT_TRUE(c.post(0, ledger::Propose{ledger::ProposePolicy{policy}}));
  c.end_block();
  for (std::size_t i = 1; i < 4 && !c.state().proposals().empty(); ++i) {
    EXPECT_TRUE(c.post(i, ledger::Vote{c.state().proposals().begin()->first, true}));
    c.end_block();
  }
  return before_sealing(code_of(c.open_update(c.plan(), {.sigma2 = 3400 * 3400, .clip_l2 = 3000})));
}

struct Row {
  std::string_view error;  ///< as the specification's table names it, in snake case
  Seen (*happens)();
};

/// Chance that a restored snapshot gives out again.
class SnapshotChance final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), 0x5c); }
};

auto key_reuse() -> Seen {
  Consortium c(4);
  SnapshotChance chance;
  c.chance = &chance;
  c.restart(1);
  auto& member = c.members[1];
  EXPECT_TRUE(c.open_update(c.plan()));
  c.end_block();
  // The counter was put back, the digests were not: the key of attempt 1 is known.
  auto history = sealing::KeyHistory::begin(chance);
  EXPECT_TRUE(history.remember(
      sealing::one_time_keys(chance, {c.last_round().seed, member.id, 1, member.hedge_secret})));
  member.storage->records["rounds/one-time-keys"] = history.encode();
  const auto& round = c.run_round(c.last_round().id);
  const bool refused_locally = !round.manifests.contains(member.id);
  const bool goes_on = round.state == RoundState::accepted;
  return {remarked(c, "key_reuse"), refused_locally && goes_on, updates_kept(c, round.id)};
}

/// Every error of the table has its row.
const std::vector<Row> rows{{"bad_value", bad_value},
                            {"length_mismatch", length_mismatch},
                            {"stale_context", stale_context},
                            {"non_canonical", non_canonical},
                            {"bad_chunk", bad_chunk},
                            {"unavailable", unavailable},
                            {"equivocation", equivocation},
                            {"bad_box", bad_box},
                            {"bad_sharing", bad_sharing},
                            {"set_too_small", set_too_small},
                            {"set_forbidden", set_forbidden},
                            {"bad_purpose", bad_purpose},
                            {"second_set", second_set},
                            {"committee_short", committee_short},
                            {"opening_stalled", opening_stalled},
                            {"bad_share_sum", bad_share_sum},
                            {"residual_out_of_range", residual_out_of_range},
                            {"sum_out_of_range", sum_out_of_range},
                            {"empty_weight", empty_weight},
                            {"rolled_back", rolled_back},
                            {"no_headroom", no_headroom},
                            {"budget_spent", budget_spent},
                            {"log_lost", log_lost},
                            {"key_reuse", key_reuse}};

class ErrorTable : public ::testing::TestWithParam<Row> {};

TEST_P(ErrorTable, names_the_error_keeps_the_evidence_and_loses_no_update) {
  const Seen seen = GetParam().happens();
  EXPECT_EQ(seen.code, GetParam().error);
  EXPECT_TRUE(seen.evidence);
  EXPECT_TRUE(seen.update_kept);
}

INSTANTIATE_TEST_SUITE_P(OfTheSpecification, ErrorTable, ::testing::ValuesIn(rows),
                         [](const auto& row) { return std::string(row.param.error); });

}  // namespace
}  // namespace consilium::federation::testing
