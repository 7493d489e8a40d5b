#pragma once
/// A member's part in every round, as a state machine without I/O of its own: it looks at the
/// ledger and says what to post next. Bytes it needs or makes go through `NodeStorage`, which the
/// app implements.
///
/// Always true:
///   - one manifest per (stream, round), durable before it is posted, and the same bytes when
///   posted again;
///   - the integers a hospital sealed stay on its own disk until the round they were sealed for, or
///   a later one of the purpose, is accepted;
///   - a share sum is published only for the set this miner has logged, and the log is durable
///   first;
///   - killed at any point and started again, it goes on from the ledger and its storage.

#include <map>
#include <optional>
#include <string>

#include "consilium/federation/local_work.hpp"
#include "consilium/federation/node_storage.hpp"
#include "consilium/sealing/set_log.hpp"

namespace consilium::federation {

struct Identity {
  HospitalId self;
  const sealing::BoxKey* box_key = nullptr;
  BytesView training_seed;   ///< secret; empty for the server of `central`
  BytesView hedge_secret{};  ///< of this node, for its one-time keys (one_time_keys.hpp)
};

/// What still lies in this process's memory of a round, for whoever must know that it is gone.
struct SecretsHeld {
  std::size_t openings = 0;  ///< this hospital's, to answer complaints: until Opening or the end
  std::size_t shares = 0;  ///< this miner's: until the opened sum has passed its tests, or the end
  auto operator==(const SecretsHeld&) const -> bool = default;
};

class Participant {
 public:
  /// `cases` is null for the server of `central`. All referenced things outlive the participant.
  Participant(Identity identity, LocalCases* cases, NodeStorage& storage, sealing::SetLog& set_log,
              Random& secrets);
  ~Participant();
  Participant(Participant&&) noexcept;

  /// What to post now, at most one transaction body: the next is decided from the block that
  /// carries it. Calling it again with the same state gives the same answer. Errors end the node's
  /// part: a model that differs from the others' (`different_model`), a lost log (`log_lost`), a
  /// disk that fails.
  [[nodiscard]] auto step(const ledger::State& state) -> Result<std::optional<ledger::Body>>;

  /// The model of the last accepted round (the initial one before), once an update round has been
  /// seen.
  [[nodiscard]] auto model() const -> const learning::Model*;
  [[nodiscard]] auto secrets_held(RoundId round) const -> SecretsHeld;
  /// What this node refused and why, for its log: ids and codes only.
  [[nodiscard]] auto take_remarks() -> std::vector<std::string>;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace consilium::federation
