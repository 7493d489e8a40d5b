#include <algorithm>
#include <array>

#include "consilium/alignment/patterns.hpp"
#include "consilium/alignment/session.hpp"

#include "commitments.hpp"
#include "frames.hpp"
#include "layout.hpp"
#include "streams.hpp"
#include "wire.hpp"

namespace consilium::alignment {
namespace {

auto random_bytes(Random& secrets, std::size_t size) -> SecretBytes {
  SecretBytes out(size);
  secrets.fill(out.expose());
  return out;
}

auto seed_of(const SecretBytes& seed) -> std::span<const std::uint8_t, stream_key_bytes> {
  return std::span<const std::uint8_t, stream_key_bytes>(seed.expose().data(), stream_key_bytes);
}

}  // namespace

struct HospitalSession::State {
  State(const ledger::AlignmentRecord& session_record, std::uint32_t session_attempt,
        HospitalId hospital, std::span<const std::uint64_t> own, BytesView session_secret)
      : record(session_record),
        attempt(session_attempt),
        self(hospital),
        bitmap(own.size()),
        box(output_key(session_record.session, session_secret)) {
    CONSILIUM_ENSURE(own.size() == bitmap_words(record.cells));
    std::ranges::copy(own, bitmap.expose().begin());
  }

  /// s_2 = x ⊕ PRG(a) ⊕ PRG(b)
  void split() {
    third = Secret<std::uint64_t>(bitmap.size());
    const auto words = third.expose();
    std::ranges::copy(bitmap.expose(), words.begin());
    Secret<std::uint64_t> mask(bitmap.size());
    const auto chunks = chunks_of(record);
    for (const auto* seed : {&seeds[0], &seeds[1]}) {
      WordStreams streams(seed_of(*seed));
      for (std::uint32_t c = 0; c < chunks.size(); ++c) {
        const auto piece = mask.expose().subspan(chunks[c].offset, chunks[c].words);
        streams.read(c, self.value, piece);
      }
      for (std::size_t w = 0; w < words.size(); ++w) words[w] ^= mask.expose()[w];
    }
  }

  [[nodiscard]] auto share_bytes(std::size_t j) const -> BytesView {
    return j == 2 ? bytes_of(third.expose()) : seeds[j].expose();
  }

  [[nodiscard]] auto frame(FrameType type, std::uint64_t sequence, Bytes payload) const -> Bytes {
    return encode_frame({type, record.session, attempt, 0, 0, sequence, std::move(payload)});
  }

  auto on_ack(std::size_t slot, const Frame& ack) -> Result<void> {
    WireReader in(ack.payload);
    const auto fault = in.u16();
    if (!in.done() || ack.sequence >= uploads[slot]) return refuse();
    if (fault == 0) {
      taken[slot] = true;
      return {};
    }
    return fail(fault_code(fault), "node P" + std::to_string(slot),
                "a compute node refuses this hospital's upload; it is left out of this attempt");
  }

  auto on_output(std::size_t slot, const Frame& arrived) -> Result<void> {
    const bool is_share = arrived.type == FrameType::output;
    if (arrived.sequence != (is_share ? 0U : 1U)) return refuse();
    auto opened = box.open(arrived.payload);
    const std::size_t size = is_share ? bitmap.size() * sizeof(std::uint64_t) : 32;
    if (!opened || opened->size() != size) return refuse();
    auto& place = is_share ? shares[slot] : hashes[slot];
    if (place) {
      if (equal_in_constant_time(place->expose(), opened->expose())) return {};
      return fail("conflicting_message", "node P" + std::to_string(slot),
                  "a compute node sent two different outputs; nothing of this session is used");
    }
    place = std::move(*opened);
    return combine();
  }

  auto combine() -> Result<void> {
    const auto arrived = [](const auto& place) { return place.has_value(); };
    if (!std::ranges::all_of(shares, arrived) || !std::ranges::all_of(hashes, arrived)) return {};
    const auto refused = fail("output_mismatch", "alignment output",
                              "the compute nodes' shares of the answer do not fit together; "
                              "nothing of this session is used");
    std::vector<std::uint64_t> z(bitmap.size(), 0);
    Secret<std::uint64_t> share(bitmap.size());
    for (std::size_t j = 0; j < slot_count; ++j) {
      std::ranges::copy(shares[j]->expose(), writable_bytes_of(share.expose()).begin());
      // Share j is also held by P_{j−1}, which sent its hash.
      const auto hash = output_hash(record.session, self, share.expose());
      if (!equal_in_constant_time(hash.view(), hashes[(j + 2) % slot_count]->expose()))
        return refused;
      for (std::size_t w = 0; w < z.size(); ++w) z[w] ^= share.expose()[w];
    }
    for (std::size_t w = 0; w < z.size(); ++w)
      if ((z[w] & ~bitmap.expose()[w]) != 0) return refused;
    result = std::move(z);
    return {};
  }

  [[nodiscard]] static auto refuse() -> tl::unexpected<Error> {
    return fail("bad_frame", "alignment frame",
                "a compute node sent a frame that does not belong here; nothing of it is used");
  }

  ledger::AlignmentRecord record;
  std::uint32_t attempt;
  HospitalId self;
  Secret<std::uint64_t> bitmap;
  sealing::BoxKey box;
  std::optional<ledger::AlignCommit> commit;
  std::array<SecretBytes, 2> seeds;
  Secret<std::uint64_t> third;
  std::array<SecretBytes, slot_count> nonces;
  std::array<std::uint64_t, slot_count> uploads{};
  std::array<bool, slot_count> taken{};
  bool has_inputs = false;
  std::array<std::optional<SecretBytes>, slot_count> shares, hashes;
  std::optional<std::vector<std::uint64_t>> result;
};

HospitalSession::HospitalSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
HospitalSession::HospitalSession(HospitalSession&&) noexcept = default;
auto HospitalSession::operator=(HospitalSession&&) noexcept -> HospitalSession& = default;
HospitalSession::~HospitalSession() = default;

auto HospitalSession::begin(const ledger::AlignmentRecord& record, std::uint32_t attempt,
                            HospitalId self, std::span<const std::uint64_t> bitmap,
                            BytesView session_secret, Random& secrets) -> HospitalSession {
  auto state = std::make_unique<State>(record, attempt, self, bitmap, session_secret);
  for (auto& seed : state->seeds) seed = random_bytes(secrets, stream_key_bytes);
  for (auto& nonce : state->nonces) nonce = random_bytes(secrets, nonce_bytes);
  state->split();
  ledger::AlignCommit commit;
  for (std::size_t j = 0; j < slot_count; ++j)
    commit.shares[j] = share_commitment(record.session, attempt, self, j, state->nonces[j].expose(),
                                        state->share_bytes(j));
  const auto nonce = input_nonce(record.session, session_secret);
  commit.input = input_commitment(record.session, self, nonce.expose(), bitmap);
  state->commit = commit;
  state->has_inputs = true;
  return HospitalSession(std::move(state));
}

auto HospitalSession::resume(const ledger::AlignmentRecord& record, std::uint32_t attempt,
                             HospitalId self, std::span<const std::uint64_t> bitmap,
                             BytesView session_secret) -> HospitalSession {
  return HospitalSession(std::make_unique<State>(record, attempt, self, bitmap, session_secret));
}

auto HospitalSession::attempt() const -> std::uint32_t {
  return state_->attempt;
}

auto HospitalSession::commitments() const -> const std::optional<ledger::AlignCommit>& {
  return state_->commit;
}

auto HospitalSession::upload_to(std::size_t slot) -> std::optional<Bytes> {
  CONSILIUM_ENSURE(slot < slot_count);
  if (!state_->has_inputs) return std::nullopt;
  WireWriter payload;
  for (const std::size_t j : {slot, (slot + 1) % slot_count})
    payload.fixed(state_->nonces[j].expose()).fixed(state_->share_bytes(j));
  payload.fixed(state_->box.public_key().bytes);
  return state_->frame(FrameType::upload, state_->uploads[slot]++, payload.take());
}

auto HospitalSession::is_taken_by(std::size_t slot) const -> bool {
  return state_->taken[slot];
}

auto HospitalSession::request_to(std::size_t slot) const -> Bytes {
  CONSILIUM_ENSURE(slot < slot_count);
  return state_->frame(FrameType::output_request, 0, {});
}

void HospitalSession::forget_inputs() {
  for (auto& seed : state_->seeds) seed.erase();
  for (auto& nonce : state_->nonces) nonce.erase();
  state_->third.erase();
  state_->has_inputs = false;
}

auto HospitalSession::on_frame(std::size_t slot, BytesView bytes) -> Result<void> {
  CONSILIUM_ENSURE(slot < slot_count);
  CONSILIUM_TRY(const auto frame, decode_frame(bytes));
  if (frame.session != state_->record.session) return State::refuse();
  if (frame.attempt < state_->attempt) return {};
  if (frame.attempt > state_->attempt || frame.chunk != 0 || frame.round != 0)
    return State::refuse();
  switch (frame.type) {
    case FrameType::upload_ack:
      return state_->on_ack(slot, frame);
    case FrameType::output:
    case FrameType::output_hash:
      return state_->on_output(slot, frame);
    default:
      return State::refuse();
  }
}

auto HospitalSession::output() const -> const std::optional<std::vector<std::uint64_t>>& {
  return state_->result;
}

}  // namespace consilium::alignment
