#pragma once
// The one-time keys of a seal, and a node's memory of having used them (sealing-spec §4, §8.1,
// §13).

#include <vector>

#include "consilium/foundation/hash.hpp"
#include "consilium/foundation/identity.hpp"
#include "consilium/foundation/random.hpp"
#include "consilium/foundation/secret.hpp"

namespace consilium::sealing {

/// Drawn for one seal and never kept: they die with this object.
struct OneTimeKeys {
  SecretBytes key{32};      ///< k_s
  SecretBytes errors{32};   ///< k_e
  SecretBytes sharing{32};  ///< k_f
};

/// What a seal is for, and what only this node knows of it.
struct SealAttempt {
  Digest seed;  ///< of the round
  HospitalId hospital;
  std::uint64_t attempt = 0;  ///< never the same twice at this node: KeyHistory::next_attempt
  BytesView node_secret;      ///< 32 secret bytes of this node, the same for all its seals
};

/// Keys from `secrets`, hedged: H("…one-time", 32 bytes of `secrets`, which key, round seed,
/// hospital, attempt, node secret). With good chance they are as good as chance. Where the machine
/// was put back to a snapshot and its chance repeats, another round or attempt still has other
/// keys; and while the node's secret is secret, chance that others know tells them no key. The keys
/// are never a function of round data alone.
[[nodiscard]] auto one_time_keys(Random& secrets, const SealAttempt& attempt) -> OneTimeKeys;

/// Keys straight from `secrets`, without the hedge: for tests, vectors and timing.
[[nodiscard]] auto unhedged_keys(Random& secrets) -> OneTimeKeys;

/// How often this node has sealed, and salted digests of the keys it used last.
class KeyHistory {
 public:
  /// So many keys are remembered; the oldest is forgotten first.
  static constexpr std::size_t keys_max = 1024;
  /// Of a node that has sealed nothing.
  [[nodiscard]] static auto begin(Random& secrets) -> KeyHistory;
  [[nodiscard]] auto encode() const -> Bytes;
  /// Error: `bad_encoding`.
  [[nodiscard]] static auto decode(BytesView bytes) -> Result<KeyHistory>;

  /// Counts up. The history must be durable before anything is sealed with keys of this attempt.
  [[nodiscard]] auto next_attempt() -> std::uint64_t { return ++attempts_; }
  /// Error: `key_reuse` (k_s, hence ŝ, was used before): nothing may be sealed with these keys.
  [[nodiscard]] auto remember(const OneTimeKeys& keys) -> Result<void>;

 private:
  std::uint64_t attempts_ = 0;
  Digest salt_;
  std::vector<Digest> used_;  ///< H("…used-key", salt, k_s), oldest first
};

}  // namespace consilium::sealing
