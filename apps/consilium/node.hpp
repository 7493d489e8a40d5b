#pragma once
// One member's node: its own directory, keys, case base, ledger, blobs – and nothing of anybody
// else's.

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>

#include "consilium/alignment/alignment.hpp"
#include "consilium/casebase/casebase.hpp"
#include "consilium/courier/courier.hpp"
#include "consilium/federation/participant.hpp"
#include "consilium/ledger/store.hpp"

#include "case_access.hpp"
#include "node_keys.hpp"

namespace consilium::app {

class Node final : public federation::NodeStorage, public alignment::OutputShelf {
 public:
  struct Setup {
    std::string name, title;
    ledger::MemberRole role = ledger::MemberRole::hospital;
    std::filesystem::path directory;
    casebase::Schema schema;
    TrainingRule rule;
    Bytes training_seed;                                      ///< empty: from the operating system
    sealing::BoxKind box_kind = sealing::BoxKind::classical;  ///< of a box key made now
  };
  /// Opens or makes the node's directory, keys, case base and blobs. The ledger comes with `join`.
  [[nodiscard]] static auto open(Setup setup) -> Result<std::unique_ptr<Node>>;

  [[nodiscard]] auto name() const -> const std::string& { return setup_.name; }
  [[nodiscard]] auto title() const -> const std::string& { return setup_.title; }
  [[nodiscard]] auto is_hospital() const -> bool {
    return setup_.role == ledger::MemberRole::hospital;
  }
  [[nodiscard]] auto member_info() const -> ledger::MemberInfo;
  [[nodiscard]] auto directory() const -> const std::filesystem::path& { return setup_.directory; }
  [[nodiscard]] auto keys() const -> const NodeKeys& { return keys_; }
  [[nodiscard]] auto casebase() -> casebase::Casebase& { return *casebase_; }
  [[nodiscard]] auto cases() -> CaseAccess& { return *cases_; }
  [[nodiscard]] auto blobs() -> courier::BlobStore& { return blobs_; }

  /// Opens this node's copy of the ledger, or makes it from the genesis.
  [[nodiscard]] auto join(const ledger::Genesis& genesis) -> Result<void>;
  [[nodiscard]] auto state() const -> const ledger::Ledger& { return ledger_->ledger(); }
  /// This node as a member; nothing before it was admitted.
  [[nodiscard]] auto member() const -> const ledger::Member*;
  /// Takes the blocks that are missing here, re-plays and keeps them.
  [[nodiscard]] auto follow(ledger::Driver& driver) -> Result<void>;
  /// Other nodes that may be asked for blobs.
  void set_peers(std::vector<std::unique_ptr<courier::BlobPeer>> peers);

  /// Something the node's operator decided to post.
  void order(ledger::Body body) { orders_.push_back(std::move(body)); }
  [[nodiscard]] auto has_orders() const -> bool { return !orders_.empty(); }
  /// The next transaction to post, if any: votes on proposals that its operator agreed to
  /// beforehand, alignment, rounds, then orders. At most one until the next block.
  [[nodiscard]] auto next() -> Result<std::optional<ledger::Transaction>>;
  /// Alignment's frames to other members, taken away by the caller.
  [[nodiscard]] auto take_frames() -> std::vector<std::pair<HospitalId, Bytes>>;
  [[nodiscard]] auto receive_frame(HospitalId from, BytesView frame) -> Result<void>;

  /// Training cases and patterns that an epoch's session found shared; nothing before.
  struct Shared {
    std::uint64_t cases = 0, patterns = 0;
  };
  [[nodiscard]] auto shared_in(std::uint64_t epoch) -> Result<std::optional<Shared>>;
  [[nodiscard]] auto has_alignment_outcome() const -> bool { return alignment_done_; }
  [[nodiscard]] auto model() const -> const learning::Model*;
  /// What this node refused or missed since the last call, also kept in logs/node.log: ids and
  /// codes only.
  [[nodiscard]] auto take_remarks() -> std::vector<std::string>;
  [[nodiscard]] auto close() -> Result<void>;

  auto put_blobs(std::span<const BytesView> blobs) -> Result<std::vector<Digest>> override;
  auto get_blob(const Digest& digest) -> Result<Bytes> override;
  auto save(std::string_view name, BytesView bytes) -> Result<void> override;
  auto load(std::string_view name) -> Result<std::optional<Bytes>> override;
  auto erase(std::string_view name) -> Result<void> override;

 private:
  Node(Setup setup, NodeKeys keys, courier::BlobStore blobs)
      : setup_(std::move(setup)), keys_(std::move(keys)), blobs_(std::move(blobs)) {}
  auto begin_participation() -> Result<void>;
  auto next_of_alignment() -> Result<std::optional<ledger::Body>>;
  auto keep_alignment_outcome(const ledger::AlignmentSession& session) -> Result<void>;
  auto next_vote() const -> std::optional<ledger::Body>;
  auto next_box_key() -> Result<std::optional<ledger::Body>>;
  /// The end of a box key's epoch: the old key and the boxes of the rounds before are erased.
  auto end_box_epoch() -> Result<void>;

  Setup setup_;
  NodeKeys keys_;
  courier::BlobStore blobs_;
  SystemRandom secrets_;
  std::optional<casebase::Casebase> casebase_;
  std::unique_ptr<CaseAccess> cases_;
  std::optional<ledger::LedgerStore> ledger_;
  std::vector<std::unique_ptr<courier::BlobPeer>> peers_;
  std::optional<sealing::SetLog> set_log_;
  std::optional<federation::Participant> participant_;
  std::unique_ptr<alignment::Participant> aligner_;
  std::array<std::uint8_t, 16> aligned_session_{};
  bool alignment_done_ = false;
  std::optional<Height> boxes_erased_;  ///< of the rounds closed until then
  bool told_of_box_key_ = false;
  std::optional<Height> dropped_at_;  ///< when released blobs were last looked for
  std::deque<ledger::Body> orders_;
  std::deque<ledger::Body> alignment_posts_;
  std::vector<std::pair<HospitalId, Bytes>> frames_;
  std::vector<std::string> remarks_;
};

}  // namespace consilium::app
