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
      out.push_back(sha256(blob));
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
  std::map<std::string, Bytes> records;

 private:
  SharedBlobs& shared_;
};

/// Two clouds of points, a little different at every hospital.
class CloudCases final : public LocalCases {
 public:
  CloudCases(std::uint64_t seed, std::size_t rows) {
    SeededRandom random(seed, "cloud");
    const auto fill = [&](learning::Examples& out, std::size_t n) {
      out.rows = n;
      out.columns = 3;
      for (std::size_t i = 0; i < n; ++i) {
        const bool ill = random.below(2) == 1;
        for (std::size_t c = 0; c < 3; ++c) {
          out.values.push_back(static_cast<float>(random.normal() + (ill ? 1.0 : -1.0)));
          out.mask.push_back(1);
        }
        out.disease.push_back(ill ? 1 : 0);
      }
    };
    fill(train_, rows);
    fill(held_back_, 40);
  }
  auto statistics(const StatisticsPlan&, std::int64_t)
      -> Result<std::vector<std::int64_t>> override {
    return std::vector<std::int64_t>{static_cast<std::int64_t>(train_.rows), 7, -3};
  }
  auto standardise(std::span<const std::int64_t> sum, const StatisticsPlan&, std::int64_t)
      -> Result<void> override {
    statistics_sum.assign(sum.begin(), sum.end());
    return {};
  }
  auto training(const UpdatePlan&) -> Result<const learning::Examples*> override {
    if (fails) return fail("no_samples", "test", "this hospital cannot train");
    return &train_;
  }
  auto held_back(const UpdatePlan&) -> Result<const learning::Examples*> override {
    return &held_back_;
  }
  auto claimed_patterns() -> std::uint64_t override { return 0; }

  /// Makes every label its opposite: a hospital whose update hurts the others.
  void poison() {
    for (auto& d : train_.disease) d = 1 - d;
  }
  std::vector<std::int64_t> statistics_sum;
  bool fails = false;

 private:
  learning::Examples train_, held_back_;
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
  auto open_update(const UpdatePlan& plan, const UpdateNoise& noise = {}) -> ledger::Verdict;
  auto open_statistics() -> ledger::Verdict;
  [[nodiscard]] auto plan(std::uint32_t run = 0) const -> UpdatePlan;
  [[nodiscard]] auto state() const -> const ledger::Ledger& { return *ledger_; }
  [[nodiscard]] auto last_round() const -> const ledger::RoundRecord& {
    return ledger_->rounds().rbegin()->second;
  }

  /// May change what a member posts, or return false to have it lost.
  std::function<bool(std::size_t, ledger::Body&)> meddle;
  std::vector<Member> members;
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
