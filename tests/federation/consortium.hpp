#pragma once
// A whole consortium in memory: real ledger, real sealing, real training, files only for the set
// logs.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "consilium/federation/participant.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/small_cell.hpp"
#include "consilium/ledger/ledger.hpp"

namespace consilium::federation::testing {

/// Blobs that every node can reach, and small records of each node; `lose` takes a blob away.
class SharedBlobs {
 public:
  std::map<Digest, Bytes> blobs;
  void lose(const Digest& digest) { blobs.erase(digest); }
};

class MemoryStorage final : public NodeStorage {
 public:
  explicit MemoryStorage(SharedBlobs& shared) : shared_(shared) {}
  auto put_blobs(std::span<const BytesView> blobs) -> Result<std::vector<Digest>> override {
    std::vector<Digest> out;
    for (const auto blob : blobs) {
      out.push_back(blob_name(blob));
      shared_.blobs[out.back()] = Bytes(blob.begin(), blob.end());
    }
    return out;
  }
  auto get_blob(const Digest& digest) -> Result<Bytes> override {
    const auto at = shared_.blobs.find(digest);
    if (at == shared_.blobs.end()) return fail("blob_unavailable", digest.hex(), "nobody has it");
    return at->second;
  }
  auto save(std::string_view name, BytesView bytes) -> Result<void> override {
    records[std::string(name)] = Bytes(bytes.begin(), bytes.end());
    return {};
  }
  auto load(std::string_view name) -> Result<std::optional<Bytes>> override {
    const auto at = records.find(std::string(name));
    if (at == records.end()) return std::optional<Bytes>{};
    return std::optional<Bytes>{at->second};
  }
  auto erase(std::string_view name) -> Result<void> override {
    records.erase(std::string(name));
    return {};
  }
  std::map<std::string, Bytes> records;

 private:
  SharedBlobs& shared_;
};

/// A case of the test's hospitals: where it lies in the cloud, and how old the patient is.
struct CloudCase {
  std::string id;
  std::array<float, 3> at{};
  std::int32_t disease = 0;
  std::int64_t age = 0;
  [[nodiscard]] auto mark() const -> CaseMark {
    Writer w;
    for (const float v : at) w.f32(v);
    w.i64(disease).i64(age);
    return {CaseId{id}, sha256(w.view())};
  }
};

/// Two clouds of points, a little different at every hospital. Cases change under their id; what
/// they were before is remembered, as in a case base.
class CloudCases final : public LocalCases {
 public:
  CloudCases(std::uint64_t seed, std::size_t rows) {
    SeededRandom random(seed, "cloud");
    const auto fill = [&](std::vector<CloudCase>& out, std::string_view name, std::size_t n) {
      for (std::size_t i = 0; i < n; ++i) {
        CloudCase c;
        const bool ill = random.below(2) == 1;
        for (float& v : c.at) v = static_cast<float>(random.normal() + (ill ? 1.0 : -1.0));
        c.disease = ill ? 1 : 0;
        c.age = 40 + static_cast<std::int64_t>(i % 40);
        c.id = std::string(name) + std::to_string(1000 + i);
        out.push_back(std::move(c));
      }
    };
    fill(train, "t-", rows);
    fill(kept, "h-", 40);
  }
  auto marks(CaseUse use) -> Result<std::vector<CaseMark>> override {
    std::vector<CaseMark> out;
    for (const auto& c : use == CaseUse::held_back ? kept : train) {
      out.push_back(c.mark());
      known_[out.back()] = c;
    }
    return out;
  }
  auto statistics(const StatisticsPlan& plan, std::span<const CaseMark> cases, std::int64_t)
      -> Result<std::vector<std::int64_t>> override {
    CONSILIUM_TRY(const auto rows, rows_of(cases));
    std::vector<std::int64_t> out{
        without_small_cell(static_cast<std::int64_t>(rows.size()), plan.small_cell), 0, 0};
    for (const auto& c : rows) {
      out[1] += c.age;
      out[2] += c.age * c.age;
    }
    return out;
  }
  auto standardise(const OpenedStatistics& opened, const StatisticsPlan&) -> Result<void> override {
    statistics_sum.assign(opened.sum.begin(), opened.sum.end());
    return {};
  }
  auto training(const UpdatePlan&, std::span<const CaseMark> cases)
      -> Result<const learning::Examples*> override {
    if (fails) return fail("no_samples", "test", "this hospital cannot train");
    return examples_of(cases, training_);
  }
  auto held_back(const UpdatePlan&, std::span<const CaseMark> cases)
      -> Result<const learning::Examples*> override {
    return examples_of(cases, held_back_);
  }
  /// A question is the age from which cases count; results: 0 younger than 60, 1 older.
  auto council(const CouncilPlan& plan, std::span<const CaseMark> cases)
      -> Result<std::vector<std::int64_t>> override {
    CONSILIUM_TRY(const auto rows, rows_of(cases));
    std::vector<std::int64_t> out(plan.length(), 0);
    for (const auto& c : rows) {
      if (!plan.question.empty() && c.age < plan.question[0]) continue;
      ++out[static_cast<std::size_t>(c.disease) * plan.results + (c.age >= 60 ? 1 : 0)];
    }
    return out;
  }
  auto claimed_patterns() -> std::uint64_t override { return 0; }

  /// Makes every label its opposite: a hospital whose update hurts the others.
  void poison() {
    for (auto& c : train) c.disease = 1 - c.disease;
  }
  /// Forgets what cases were before they changed.
  void forget() { known_.clear(); }

  std::vector<CloudCase> train, kept;
  std::vector<std::int64_t> statistics_sum;
  bool fails = false;

 private:
  auto rows_of(std::span<const CaseMark> cases) const -> Result<std::vector<CloudCase>> {
    std::vector<CloudCase> out;
    for (const auto& mark : cases) {
      const auto at = known_.find(mark);
      if (at == known_.end()) return fail("case_missing", "test", "that version is gone");
      out.push_back(at->second);
    }
    return out;
  }
  auto examples_of(std::span<const CaseMark> cases, learning::Examples& out)
      -> Result<const learning::Examples*> {
    CONSILIUM_TRY(const auto rows, rows_of(cases));
    out = {};
    out.rows = rows.size();
    out.columns = 3;
    for (const auto& c : rows) {
      out.values.insert(out.values.end(), c.at.begin(), c.at.end());
      out.mask.insert(out.mask.end(), 3, 1);
      out.disease.push_back(c.disease);
    }
    return &out;
  }
  std::map<CaseMark, CloudCase> known_;
  learning::Examples training_, held_back_;
};

class Consortium {
 public:
  struct Member {
    std::string name;
    HospitalId id;
    sealing::SigningKey key;
    sealing::BoxKey box;
    Bytes training_seed;
    std::unique_ptr<CloudCases> cases;
    std::unique_ptr<MemoryStorage> storage;
    std::optional<sealing::SetLog> set_log;
    std::optional<Participant> participant;
    bool away = false;
    Bytes hedge_secret;
  };

  explicit Consortium(std::size_t hospitals,
                      ledger::Topology topology = ledger::Topology::committee,
                      const ledger::Policy& policy = {},
                      Finality finality = Finality::single_sequencer);
  ~Consortium();

  /// Posts a body signed by a member into the block under way. The verdict is the ledger's.
  auto post(std::size_t member, ledger::Body body) -> ledger::Verdict;
  void end_block() { ledger_->end_block(); }
  /// One step of everybody, then a block. Bodies that `meddle` returns false for are lost.
  void tick();
  /// Ticks until the round is closed, at most `ticks_max`; gives the round.
  auto run_round(RoundId id, int ticks_max = 300) -> const ledger::RoundRecord&;
  /// As if the process had been killed: nothing but storage, logs and the ledger remain.
  void restart(std::size_t member);
  auto open_update(const UpdatePlan& plan, const RoundNoise& noise = {}) -> ledger::Verdict;
  auto open_statistics() -> ledger::Verdict;
  /// A round as the founder opens it, and a block.
  auto open(const ledger::OpenRound& body) -> ledger::Verdict;
  [[nodiscard]] auto plan(std::uint32_t run = 0) const -> UpdatePlan;
  [[nodiscard]] auto state() const -> const ledger::Ledger& { return *ledger_; }
  [[nodiscard]] auto last_round() const -> const ledger::RoundRecord& {
    return ledger_->rounds().rbegin()->second;
  }

  /// May change what a member posts, or return false to have it lost.
  std::function<bool(std::size_t, ledger::Body&)> meddle;
  std::vector<Member> members;
  Random* chance = nullptr;  ///< of every participant from its next restart on
  SharedBlobs blobs;
  std::vector<std::string> remarks;
  std::vector<std::string> refusals;
  std::optional<Error> stopped;  ///< the first participant that ended its part

 private:
  std::filesystem::path folder_;
  Finality finality_;
  std::unique_ptr<ledger::Ledger> ledger_;
  SystemRandom random_;
};

}  // namespace consilium::federation::testing
