#pragma once
/// The case base: a hospital's own cases, and nothing of them leaves this room but vectors and
/// patterns.
///
/// Always true:
///   - a case in the store has passed admission: no direct identifier, known codes, possible
///   numbers;
///   - the same record admitted twice is one case;
///   - a held-back case is never returned by samples();
///   - every stored row carries a digest that is checked when it is read.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "consilium/casebase/case.hpp"
#include "consilium/casebase/schema.hpp"
#include "consilium/casebase/vectors.hpp"
#include "consilium/foundation/bytes.hpp"

namespace consilium::casebase {

/// Names the content of a case, where it stands in its life left out: two rows with one version
/// give the same numbers.
[[nodiscard]] auto version_of(const Case& c) -> Digest;

class Casebase {
 public:
  /// Opens or makes `casebase.db`. `schema` must be the one the file was made with.
  /// Errors: `database_damaged`, `database_foreign`, `stale_schema`.
  [[nodiscard]] static auto open(const std::filesystem::path& file, const Schema& schema)
      -> Result<Casebase>;
  Casebase(Casebase&&) noexcept;
  auto operator=(Casebase&&) noexcept -> Casebase&;
  ~Casebase();
  [[nodiscard]] auto close() -> Result<void>;

  /// Keeps admitted cases, all or none, durable when it returns. A case whose id is known and whose
  /// content is equal is not kept again, also when a doctor has revised it since. Gives the number
  /// of new cases. Errors: `conflicting_case`, and those of check_case (admission.hpp).
  [[nodiscard]] auto keep(std::span<const Case> cases) -> Result<std::size_t>;
  /// Error: `case_missing`.
  [[nodiscard]] auto find(const CaseId& id) const -> Result<Case>;
  [[nodiscard]] auto all() const -> Result<std::vector<Case>>;  ///< ascending by id
  [[nodiscard]] auto with_status(Status status) const -> Result<std::vector<Case>>;
  /// Cases that may train, align and be searched: status `sample`, ascending by id.
  [[nodiscard]] auto samples() const -> Result<std::vector<Case>>;
  [[nodiscard]] auto count(Status status) const -> Result<std::size_t>;
  /// Changes a case's status and outcome (the doctor's verdict, the result). Keeps the old row in
  /// the history table with `reason`. The life cycle: recorded or held_back → confirmed, adjusted
  /// or rejected; confirmed or adjusted → sample or unreasonable. Errors: `case_missing`,
  /// `bad_transition` (the life cycle does not go there), and those of check_case.
  [[nodiscard]] auto revise(const CaseId& id, Status status, const Outcome& outcome,
                            std::string_view reason) -> Result<void>;
  /// What revise() replaced.
  struct Revision {
    Case before;
    std::string reason;
  };
  /// A case's earlier rows, oldest first; empty for one that was never revised.
  [[nodiscard]] auto history(const CaseId& id) const -> Result<std::vector<Revision>>;
  /// The case as it was in this version (version_of), now or before a revision. Error:
  /// `case_missing`.
  [[nodiscard]] auto in_version(const CaseId& id, const Digest& version) const -> Result<Case>;

  /// Alignment's answer: exactly these samples are shared (design §5). Replaces an earlier answer
  /// of the same subject; durable with the session's id and the number of shared patterns. Errors:
  /// `case_missing` (unknown, or not a sample); then nothing changes.
  [[nodiscard]] auto mark_shared(std::span<const CaseId> ids, BytesView session,
                                 std::size_t shared_patterns) -> Result<void>;
  struct SharedSummary {
    Bytes session;
    std::size_t patterns = 0, cases = 0;
  };
  /// Nothing when no session has been released to this hospital yet.
  [[nodiscard]] auto shared_summary() const -> Result<std::optional<SharedSummary>>;
  /// Samples the last alignment marked, ascending by id.
  [[nodiscard]] auto shared_samples() const -> Result<std::vector<Case>>;

 private:
  struct State;
  explicit Casebase(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace consilium::casebase
