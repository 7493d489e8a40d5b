#pragma once
// Ours, cut into the steps that are timed. The one file of this bench that knows how the room
// sealing is built inside.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::bench {

/// The code paths that this processor can run, the widest first. A process uses one, chosen when it
/// starts: the widest, or the one the environment variable CONSILIUM_ISA names.
[[nodiscard]] auto paths() -> std::vector<std::string>;
[[nodiscard]] auto path_in_use() -> std::string;

/// A round of `miners` with keys of its own, all from one seed.
struct Round {
  sealing::RoundParameters parameters;
  std::vector<sealing::BoxKey> keys;  ///< of miners 1..M
};
[[nodiscard]] auto make_round(sealing::Suite suite, std::uint32_t hospitals, std::uint16_t miners,
                              std::uint64_t length) -> Round;

struct AddedAndOpened {
  double add_ms = 0;
  double open_ms = 0;
};

/// The work on the vectors themselves, with all buffers in place: n hospitals, one thread. Vectors
/// come from the inputs of seed 1.
class VectorWork {
 public:
  VectorWork(sealing::Suite suite, std::uint32_t hospitals, std::uint64_t length);
  ~VectorWork();
  VectorWork(const VectorWork&) = delete;
  auto operator=(const VectorWork&) -> VectorWork& = delete;

  /// Floats of that hospital (from 0) to integers: clip, weigh, round stochastically.
  void quantise(std::size_t hospital);
  /// One-time keys from the system, expansion, product, errors, scaled values, packing, witness:
  /// the bytes of the body, without hashing.
  void seal(std::size_t hospital);
  /// Adds the packed vectors of all hospitals and opens with the sum of the keys (expand, invert,
  /// round, residual), block after block as the product does; each of the two on its own clock.
  [[nodiscard]] auto add_and_open() -> AddedAndOpened;
  /// Does what opened equal the sum of the integers?
  [[nodiscard]] auto opened_the_sum() const -> bool;
  [[nodiscard]] auto body_bytes() const -> std::size_t;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The whole hospital side of the product for one update, on two threads: quantise, seal, pack,
/// hash, share the keys with seven miners, and store the body durably as a blob.
class StoredSeal {
 public:
  /// `folder` becomes a blob store.
  StoredSeal(std::uint64_t length, const std::filesystem::path& folder);
  ~StoredSeal();
  StoredSeal(const StoredSeal&) = delete;
  auto operator=(const StoredSeal&) -> StoredSeal& = delete;

  /// `update` has length − 2 floats; weight and clip count come first.
  void run(std::span<const float> update);
  /// The body last stored, read again from the disk, where it then no longer is.
  [[nodiscard]] auto take_back() -> Bytes;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The front door's calls, whole: sealing with hashes, shares, boxes and manifest, and opening with
/// adding and digests.
class WholeCalls {
 public:
  WholeCalls(sealing::Suite suite, std::uint32_t hospitals, std::uint16_t miners,
             std::uint64_t length);
  ~WholeCalls();
  WholeCalls(const WholeCalls&) = delete;
  auto operator=(const WholeCalls&) -> WholeCalls& = delete;

  void seal();
  void check_body();
  void open();
  [[nodiscard]] auto opened_the_sum() const -> bool;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What keys cost in a round of `miners`, apart from the vector: everything that does not grow with
/// m.
class RoundKeys {
 public:
  RoundKeys(std::uint16_t miners, std::uint32_t hospitals);
  ~RoundKeys();
  RoundKeys(const RoundKeys&) = delete;
  auto operator=(const RoundKeys&) -> RoundKeys& = delete;

  /// A hospital: shares, digests, boxes, response to the degree test, manifest; with one polynomial
  /// and the witness.
  void hospital();
  /// A miner, for each hospital: opens the box, checks D, runs the degree test.
  void miner();
  void degree_test();
  /// A miner, once a round: adds its shares of all hospitals.
  void share_sums();
  /// Anyone, once a round: the sum of the keys from t share sums.
  void reconstruct();
  [[nodiscard]] auto box_bytes() const -> std::size_t;  ///< all boxes of one hospital

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium::bench
