// Frames from anybody to a compute node and to a hospital: refused or taken, never a crash.

#include "consilium/alignment/patterns.hpp"
#include "consilium/alignment/session.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {
namespace {

struct Session {
  ledger::AlignmentSession state;
  SeededRandom random{1, "fuzz"};
  sealing::SigningKey key = sealing::SigningKey::make(random);
  Bytes secret = Bytes(32, 3);
  std::vector<std::uint64_t> bitmap;

  Session() {
    auto& record = state.record;
    record.cells = 100;
    record.threshold = 2;
    record.cap = 100;
    record.members = {HospitalId{1}, HospitalId{2}, HospitalId{3}};
    record.slots = record.members;
    state.state = ledger::AlignmentState::committed;
    bitmap.resize(alignment::bitmap_words(record.cells), 5);
    const auto own = hospital();
    for (const auto id : record.members) state.commits[id] = *own.commitments();
  }
  /// The same seeds and nonces every time, so that its uploads match the commitments.
  auto hospital() -> alignment::HospitalSession {
    SeededRandom own(2, "fuzz");
    return alignment::HospitalSession::begin(state.record, 1, HospitalId{1}, bitmap, secret, own);
  }
};

}  // namespace

/// Taken: the node says something to it that is no complaint, or the hospital does not refuse it.
auto try_input(BytesView input) -> bool {
  Session session;
  alignment::NodeSession node(session.state.record, 1, 0, session.key, {}, {}, session.random);
  (void)node.on_ledger(session.state);
  bool taken = false;
  for (const auto from : session.state.record.members) {
    const auto actions = node.on_frame(from, input);
    taken = taken || (actions.post.empty() && !actions.send.empty());
  }
  auto hospital = session.hospital();
  for (std::size_t slot = 0; slot < 3; ++slot) {
    (void)hospital.upload_to(slot);
    taken = hospital.on_frame(slot, input).has_value() || taken;
  }
  return taken;
}

auto seeds() -> std::vector<Bytes> {
  Session session;
  auto hospital = session.hospital();
  std::vector<Bytes> out;
  for (std::size_t slot = 0; slot < 3; ++slot) out.push_back(*hospital.upload_to(slot));
  alignment::NodeSession node(session.state.record, 1, 0, session.key, {}, {}, session.random);
  (void)node.on_ledger(session.state);
  for (const auto& action : node.on_frame(HospitalId{1}, out[0]).send) out.push_back(action.second);
  return out;
}

}  // namespace consilium::fuzz
