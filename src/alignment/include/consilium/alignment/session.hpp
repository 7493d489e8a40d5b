#pragma once
// The two parts of a session in mode `oblivious` (alignment-spec §3): a hospital that gives shares
// of its bitmap away and gets shares of its answer back, and a node that computes on shares. State
// machines without I/O: frames and the ledger's session go in, frames and transactions come out.
//
// Secure against curious nodes: a node that follows the protocol learns nothing. A node that
// deviates can falsify results in this version; the proof of §3.4 is not here yet.

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "consilium/foundation/random.hpp"
#include "consilium/foundation/secret.hpp"
#include "consilium/ledger/ledger.hpp"
#include "consilium/sealing/keys.hpp"

namespace consilium::alignment {

/// What a part wants done: transactions for the ledger, frames for other members.
struct Actions {
  std::vector<ledger::PublishAlignment> post;
  std::vector<std::pair<HospitalId, Bytes>> send;
};

/// Keys that members sign with. A node whose peers' keys are known accepts only signed verdicts and
/// openings.
using MemberKeys = std::map<HospitalId, sealing::VerifyKey>;

/// The hospital's part of one attempt: commitments, shares, and the shares of its output.
///
/// Seeds and nonces are fresh for every attempt; nonce_x and the key that outputs are boxed to come
/// from `session_secret` and the session's id, so that com_x is the same in every attempt and a
/// hospital that was restarted can still read the answer it is owed.
class HospitalSession {
 public:
  /// `bitmap` has bitmap_words(record.cells) words.
  [[nodiscard]] static auto begin(const ledger::AlignmentRecord& record, std::uint32_t attempt,
                                  HospitalId self, std::span<const std::uint64_t> bitmap,
                                  BytesView session_secret, Random& secrets) -> HospitalSession;
  /// After a restart: seeds and nonces are gone, outputs can still be received.
  [[nodiscard]] static auto resume(const ledger::AlignmentRecord& record, std::uint32_t attempt,
                                   HospitalId self, std::span<const std::uint64_t> bitmap,
                                   BytesView session_secret) -> HospitalSession;
  HospitalSession(HospitalSession&&) noexcept;
  auto operator=(HospitalSession&&) noexcept -> HospitalSession&;
  ~HospitalSession();

  [[nodiscard]] auto attempt() const -> std::uint32_t;
  /// Nothing after resume().
  [[nodiscard]] auto commitments() const -> const std::optional<ledger::AlignCommit>&;
  /// The frame for P_slot; the commitments must be on the ledger before it is sent. May be sent
  /// again. Nothing after resume() or forget_inputs().
  [[nodiscard]] auto upload_to(std::size_t slot) -> std::optional<Bytes>;
  /// Has P_slot said that the upload matches?
  [[nodiscard]] auto is_taken_by(std::size_t slot) const -> bool;
  /// Asks P_slot for its outputs (again).
  [[nodiscard]] auto request_to(std::size_t slot) const -> Bytes;
  /// Wipes seeds, nonces and the third share.
  void forget_inputs();
  /// A frame from the owner of P_slot. Frames of earlier attempts are passed over.
  /// Errors: `bad_frame`, `share_commitment_mismatch` (the node refuses the upload),
  /// `output_mismatch`, `conflicting_message`.
  [[nodiscard]] auto on_frame(std::size_t slot, BytesView frame) -> Result<void>;
  /// z_h, once all three shares arrived and each equals the other holder's hash.
  [[nodiscard]] auto output() const -> const std::optional<std::vector<std::uint64_t>>&;

 private:
  struct State;
  explicit HospitalSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A compute node's part of one attempt. Everything secret is in locked memory and goes with the
/// object.
class NodeSession {
 public:
  /// `barred`: hospitals found over their cap in an earlier attempt; their uploads are not taken.
  NodeSession(const ledger::AlignmentRecord& record, std::uint32_t attempt, std::size_t slot,
              const sealing::SigningKey& key, MemberKeys member_keys,
              std::vector<HospitalId> barred, Random& secrets);
  NodeSession(NodeSession&&) noexcept;
  auto operator=(NodeSession&&) noexcept -> NodeSession&;
  ~NodeSession();

  [[nodiscard]] auto attempt() const -> std::uint32_t;
  [[nodiscard]] auto keys() const -> const ledger::AlignKeys&;
  /// What the ledger says now, of this session and attempt. Judges uploads, starts computing once
  /// there is a fix.
  [[nodiscard]] auto on_ledger(const ledger::AlignmentSession& session) -> Actions;
  /// A frame from a member. A bad one from another node ends the attempt with the pair (self,
  /// sender).
  [[nodiscard]] auto on_frame(HospitalId from, BytesView frame) -> Actions;
  /// Hospitals whose upload matched, ascending.
  [[nodiscard]] auto matched() const -> std::vector<HospitalId>;
  /// This node's receipt; set when all verdicts agree and nobody is over the cap. To be posted by
  /// the caller once outputs() are where a restart cannot lose them.
  [[nodiscard]] auto receipt() const -> const std::optional<ledger::AlignReceipt>&;
  /// Output frames per participant, boxed to it; there with the receipt. They may leave the node
  /// only when the ledger shows `released`.
  [[nodiscard]] auto outputs() const -> const std::map<HospitalId, std::vector<Bytes>>&;
  /// Hospitals that the opened bits say are over the cap.
  [[nodiscard]] auto over_cap() const -> const std::vector<HospitalId>&;
  /// This attempt is over for the node: nothing more comes, and its secrets are wiped.
  [[nodiscard]] auto ended() const -> bool;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace consilium::alignment
