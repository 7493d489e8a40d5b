#include "consilium/ledger/transaction.hpp"

#include <algorithm>
#include <utility>

#include "consilium/foundation/hash.hpp"

#include "codec.hpp"

namespace consilium::ledger {

// Static rather than in an unnamed namespace: the variants find put and get by their arguments'
// namespace.

/// Of what is signed, and of what is carried (docs/decisions/0050).
constexpr std::uint8_t signed_version = 1;
constexpr std::uint8_t carried_version = 2;
constexpr std::size_t plan_bytes_max = 4096;
constexpr std::size_t lists_bytes_max = 32U << 10U;
constexpr std::size_t share_bytes_max = 32U << 10U;
constexpr std::size_t masks_bytes_max = 1024;
constexpr std::size_t salt_bytes_max = 64;
constexpr std::size_t manifest_bytes_max = 1024;
constexpr std::size_t code_bytes_max = 32;
/// A bit for every number a hospital can have.
constexpr std::size_t set_bytes_max = (std::size_t{1} << 16U) / 8;

template <std::size_t size>
static void put_array(Writer& out, const std::array<std::uint8_t, size>& bytes) {
  out.fixed(bytes);
}

template <std::size_t size>
static void get_array(Reader& in, std::array<std::uint8_t, size>& bytes) {
  const Bytes read = in.fixed(size);
  if (read.size() == size) std::copy(read.begin(), read.end(), bytes.begin());
}

/// An enumeration from 1 to `last`; anything else is no encoding.
template <typename Enumeration>
static auto get_enumeration(Reader& in, std::uint8_t last) -> Enumeration {
  const std::uint8_t value = in.u8();
  if (value < 1 || value > last) in.reject();
  return static_cast<Enumeration>(value);
}

void get(Reader& in, HospitalId& id) {
  id.value = in.u16();
}
void get(Reader& in, RoundId& id) {
  id.value = in.u64();
}
void get(Reader& in, Height& height) {
  height.value = in.u64();
}

static auto get_hospitals(Reader& in) -> std::vector<HospitalId> {
  return in.list(hospitals_max, [](Reader& r) { return HospitalId{r.u16()}; });
}

static auto is_ascending(const std::vector<HospitalId>& ids) -> bool {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>{}) == ids.end();
}

/// A set of hospitals. Carried, it is a bitmap: u16 count of bytes, the last of them not zero, and
/// hospital i is bit i. What is not ascending is no set, and gets bytes that no reader takes.
static void put_set(Writer& out, const std::vector<HospitalId>& ids) {
  if (out.form() == IntegerForm::fixed) return put(out, ids);
  Bytes bits(ids.empty() ? 0U : ids.back().value / 8U + 1U);
  if (is_ascending(ids)) {
    for (const HospitalId id : ids)
      bits.at(id.value / 8U) |= static_cast<std::uint8_t>(1U << (id.value % 8U));
  }
  out.u16(static_cast<std::uint16_t>(bits.size())).fixed(bits);
}

static void get_set(Reader& in, std::vector<HospitalId>& ids) {
  if (in.form() == IntegerForm::fixed) {
    ids = get_hospitals(in);
    if (!is_ascending(ids)) in.reject();
    return;
  }
  const std::size_t size = in.u16();
  if (size > set_bytes_max) in.reject();
  const Bytes bits = in.fixed(size);
  if (!bits.empty() && bits.back() == 0) in.reject();
  for (std::size_t bit = 0; bit < bits.size() * 8; ++bit) {
    if ((bits[bit / 8] >> (bit % 8) & 1U) != 0)
      ids.push_back(HospitalId{static_cast<std::uint16_t>(bit)});
  }
  if (ids.size() > hospitals_max) in.reject();
}

/// Set in a member's role when its box key is a hybrid one.
constexpr std::uint8_t lattice_follows = 0x80;
/// … and when it has a validator's key.
constexpr std::uint8_t validator_follows = 0x40;

void get(Reader& in, MemberInfo& member) {
  member.name = in.text(name_bytes_max);
  member.title = in.text(title_bytes_max);
  const std::uint8_t first = in.u8();
  const bool hybrid = (first & lattice_follows) != 0;
  const bool validates = (first & validator_follows) != 0;
  const auto role = static_cast<std::uint8_t>(first & ~(lattice_follows | validator_follows));
  if (role < 1 || role > 2) in.reject();
  member.role = static_cast<MemberRole>(role);
  get_array(in, member.key.bytes);
  get_array(in, member.box_key.bytes);
  if (hybrid) member.box_key.lattice = in.fixed(sealing::lattice_key_size);
  if (validates) get_array(in, member.validator_key.emplace().bytes);
}

/// Set in a number before them when fields follow that are usually zero: what has none of them is
/// written as if there were none, and one value still has one encoding.
constexpr std::uint32_t noise_follows = std::uint32_t{1} << 31U;
constexpr std::uint32_t clips_follow = std::uint32_t{1} << 28U;

// --- one variant, one number: its place in the list, from 1
// -------------------------------------------------

template <typename... Kinds>
static void put_variant(Writer& out, const std::variant<Kinds...>& value) {
  out.u8(static_cast<std::uint8_t>(value.index() + 1));
  std::visit([&out](const auto& kind) { put(out, kind); }, value);
}

template <std::size_t index = 0, typename... Kinds>
static void get_variant_kind(Reader& in, std::uint8_t number, std::variant<Kinds...>& value) {
  if constexpr (index < sizeof...(Kinds)) {
    if (number != index + 1) return get_variant_kind<index + 1>(in, number, value);
    get(in, value.template emplace<index>());
  } else {
    in.reject();
  }
}

template <typename... Kinds>
static void get_variant(Reader& in, std::variant<Kinds...>& value) {
  get_variant_kind(in, in.u8(), value);
}

// --- consortium
// -------------------------------------------------------------------------------------------

static void put(Writer& out, const ProposeAdmit& body) {
  put(out, body.member);
}
static void get(Reader& in, ProposeAdmit& body) {
  get(in, body.member);
}
static void put(Writer& out, const ProposeRemove& body) {
  put(out, body.member);
}
static void get(Reader& in, ProposeRemove& body) {
  get(in, body.member);
}
static void put(Writer& out, const ProposePolicy& body) {
  put(out, body.policy);
}
static void get(Reader& in, ProposePolicy& body) {
  get(in, body.policy);
}
static void put(Writer& out, const ProposeSchema& body) {
  out.digest(body.schema);
}
static void get(Reader& in, ProposeSchema& body) {
  body.schema = in.digest();
}
static void put(Writer& out, const ProposeAudit& body) {
  put(out, body.round);
}
static void get(Reader& in, ProposeAudit& body) {
  get(in, body.round);
}
static void put(Writer& out, const ProposeClaimRefusal& body) {
  put(out, body.round);
  put(out, body.hospital);
}
static void get(Reader& in, ProposeClaimRefusal& body) {
  get(in, body.round);
  get(in, body.hospital);
}
void get(Reader& in, Propose& body) {
  get_variant(in, body.what);
}
static void put(Writer& out, const Vote& body) {
  out.u64(body.proposal).boolean(body.yes);
}
static void get(Reader& in, Vote& body) {
  body.proposal = in.u64();
  body.yes = in.boolean();
}

// --- round
// ------------------------------------------------------------------------------------------------

void get(Reader& in, OpenRound& body) {
  // A purpose outside the closed list is read as it stands: the rule refuses it by its own name,
  // `bad_purpose`.
  body.purpose = static_cast<sealing::Purpose>(in.u8());
  body.data_epoch = in.u64();
  body.base = in.digest();
  body.suite = in.u8();
  body.length = in.u64();
  body.hospitals_max = in.u32();
  body.clip_micro = in.u32();
  body.weight_cap = in.u64();
  body.plan = in.bytes(plan_bytes_max);
  const bool noise = (body.hospitals_max & noise_follows) != 0;
  const bool clips = (body.hospitals_max & clips_follow) != 0;
  body.hospitals_max &= ~(noise_follows | clips_follow);
  if (noise) {
    body.noise_sigma2 = in.u64();
    body.clip_l2 = in.u64();
    body.unit = get_enumeration<PrivacyUnit>(in, 2);
    if (body.noise_sigma2 == 0 && body.clip_l2 == 0) in.reject();
  }
  if (clips) {
    body.clips_micro = in.list(clip_groups_max, [](Reader& r) { return r.u32(); });
    if (body.clips_micro.empty()) in.reject();
  }
}

/// What only its hospital knows of a manifest; the rest is its round's.
template <typename Manifest>
static auto own_digests(Manifest& manifest) {
  return std::array{&manifest.body_root, &manifest.witness, &manifest.body_blob, &manifest.lists};
}

void get(Reader& in, SubmitManifest& body) {
  get(in, body.round);
  if (in.form() == IntegerForm::compact) {
    for (Digest* own : own_digests(body.manifest)) *own = in.digest();
    body.claimed_patterns = in.u64();
    return;
  }
  auto manifest = sealing::Manifest::decode(in.bytes(manifest_bytes_max));
  if (manifest) {
    body.manifest = std::move(*manifest);
  } else {
    in.reject();
  }
  body.claimed_patterns = in.u64();
}

static void put(Writer& out, const Attest& body) {
  put(out, body.round);
  put_set(out, body.valid);
}
static void get(Reader& in, Attest& body) {
  get(in, body.round);
  get_set(in, body.valid);
}
static void put(Writer& out, const Complaint& body) {
  put(out, body.round);
  put(out, body.hospital);
  out.bytes(body.lists);
}
static void get(Reader& in, Complaint& body) {
  get(in, body.round);
  get(in, body.hospital);
  body.lists = in.bytes(lists_bytes_max);
}
void get(Reader& in, Answer& body) {
  get(in, body.round);
  body.miner.value = in.u16();
  body.share = in.bytes(share_bytes_max);
  body.masks = in.bytes(masks_bytes_max);
  body.salt = in.bytes(salt_bytes_max);
}

void get(Reader& in, std::vector<sealing::SetMember>& set) {
  if (in.form() == IntegerForm::compact) {
    std::vector<HospitalId> ids;
    get_set(in, ids);
    for (const HospitalId id : ids) set.push_back({id, {}});
    return;
  }
  set = in.list(hospitals_max, [](Reader& r) {
    sealing::SetMember member;
    member.hospital.value = r.u16();
    member.manifest = r.digest();
    return member;
  });
  const auto not_before = [](const sealing::SetMember& a, const sealing::SetMember& b) {
    return a.hospital >= b.hospital;
  };
  if (std::adjacent_find(set.begin(), set.end(), not_before) != set.end()) in.reject();
}

static void put(Writer& out, const Freeze& body) {
  put(out, body.round);
  put(out, body.set);
  out.digest(body.set_digest).digest(body.partition_digest);
}
static void get(Reader& in, Freeze& body) {
  get(in, body.round);
  get(in, body.set);
  body.set_digest = in.digest();
  body.partition_digest = in.digest();
}
static void put(Writer& out, const Ready& body) {
  put(out, body.round);
  if (out.form() == IntegerForm::compact) return;
  out.digest(body.set_digest).digest(body.partition_digest);
}
static void get(Reader& in, Ready& body) {
  get(in, body.round);
  if (in.form() == IntegerForm::compact) return;
  body.set_digest = in.digest();
  body.partition_digest = in.digest();
}
static void put(Writer& out, const PublishShare& body) {
  put(out, body.round);
  if (out.form() == IntegerForm::fixed) out.digest(body.set_digest);
  out.digest(body.share_sum);
}
static void get(Reader& in, PublishShare& body) {
  get(in, body.round);
  if (in.form() == IntegerForm::fixed) body.set_digest = in.digest();
  body.share_sum = in.digest();
}
void get(Reader& in, ResultAttest& body) {
  get(in, body.round);
  body.result = in.digest();
}
static void put(Writer& out, const VoteCommit& body) {
  put(out, body.round);
  out.digest(body.commitment);
}
static void get(Reader& in, VoteCommit& body) {
  get(in, body.round);
  body.commitment = in.digest();
}
static void put(Writer& out, const VoteReveal& body) {
  put(out, body.round);
  out.boolean(body.accept).digest(body.salt);
}
static void get(Reader& in, VoteReveal& body) {
  get(in, body.round);
  body.accept = in.boolean();
  body.salt = in.digest();
}
static void put(Writer& out, const Decide& body) {
  put(out, body.round);
}
static void get(Reader& in, Decide& body) {
  get(in, body.round);
}
static void put(Writer& out, const ModelDigest& body) {
  put(out, body.round);
  out.digest(body.model);
}
static void get(Reader& in, ModelDigest& body) {
  get(in, body.round);
  body.model = in.digest();
}
static void put(Writer& out, const Abort& body) {
  put(out, body.round);
}
static void get(Reader& in, Abort& body) {
  get(in, body.round);
}

static void put(Writer& out, const StandDown& body) {
  put(out, body.round);
  out.digest(body.set_digest);
}
static void get(Reader& in, StandDown& body) {
  get(in, body.round);
  body.set_digest = in.digest();
}
void get(Reader& in, AuditCall& body) {
  get(in, body.round);
  body.failure.failing = in.list(sealing::audit_failing_max, [](Reader& r) { return r.u64(); });
  const auto& failing = body.failure.failing;
  if (std::adjacent_find(failing.begin(), failing.end(), std::greater_equal<>{}) != failing.end())
    in.reject();
  body.failure.worst_polynomial = in.u64();
}
static void put(Writer& out, const AuditAnswer& body) {
  put(out, body.round);
  out.u8(static_cast<std::uint8_t>(body.step)).digest(body.positions).digest(body.words);
}
static void get(Reader& in, AuditAnswer& body) {
  get(in, body.round);
  body.step = get_enumeration<sealing::AuditStep>(in, 2);
  body.positions = in.digest();
  body.words = in.digest();
}
static void put(Writer& out, const AuditFinding& body) {
  put(out, body.round);
  out.u8(static_cast<std::uint8_t>(body.step));
  put_set(out, body.blamed);
}
static void get(Reader& in, AuditFinding& body) {
  get(in, body.round);
  body.step = get_enumeration<sealing::AuditStep>(in, 2);
  get_set(in, body.blamed);
}
static void put(Writer& out, const AuditConsent& body) {
  put(out, body.round);
}
static void get(Reader& in, AuditConsent& body) {
  get(in, body.round);
}
static void put(Writer& out, const PublishKey& body) {
  put(out, body.round);
  if (out.form() == IntegerForm::fixed) out.digest(body.set_digest);
  out.digest(body.masked_key);
}
static void get(Reader& in, PublishKey& body) {
  get(in, body.round);
  if (in.form() == IntegerForm::fixed) body.set_digest = in.digest();
  body.masked_key = in.digest();
}
static void put(Writer& out, const NotSent& body) {
  put(out, body.round);
  out.digest(body.set_digest);
}
static void get(Reader& in, NotSent& body) {
  get(in, body.round);
  body.set_digest = in.digest();
}

// --- alignment
// --------------------------------------------------------------------------------------------

void get(Reader& in, AlignmentRecord& record) {
  record.epoch = in.u64();
  get_array(in, record.session);
  record.subject = get_enumeration<AlignmentSubject>(in, 3);
  record.schema = in.digest();
  record.dictionary = in.digest();
  record.cells = in.u64();
  record.threshold = in.u16();
  record.cap = in.u64();
  record.support = in.u32();
  get_set(in, record.members);
  record.slots = get_hospitals(in);
  record.chunk_log2 = in.u8();
  record.circuit = in.digest();
  record.commit_heights = in.u32();
  record.deliver_heights = in.u32();
  record.compute_heights = in.u32();
  record.attempts_max = in.u8();
  record.previous = in.digest();
}
static void put(Writer& out, const OpenAlignment& body) {
  put(out, body.record);
}
static void get(Reader& in, OpenAlignment& body) {
  get(in, body.record);
}
static void put(Writer& out, const AlignKeys& body) {
  put_array(out, body.key);
}
static void get(Reader& in, AlignKeys& body) {
  get_array(in, body.key);
}
void get(Reader& in, AlignCommit& body) {
  for (auto& share : body.shares) share = in.digest();
  body.input = in.digest();
}
static void put(Writer& out, const AlignAck& body) {
  put_set(out, body.matched);
}
static void get(Reader& in, AlignAck& body) {
  get_set(in, body.matched);
}
static void put(Writer&, const AlignFix&) {}
static void get(Reader&, AlignFix&) {}
static void put(Writer& out, const AlignAborted& body) {
  out.text(body.code);
  put(out, body.first);
  put(out, body.second);
}
static void get(Reader& in, AlignAborted& body) {
  body.code = in.text(code_bytes_max);
  get(in, body.first);
  get(in, body.second);
}
void get(Reader& in, AlignReceipt& body) {
  body.commitments_root = in.digest();
  body.circuit = in.digest();
  body.verdict = in.digest();
  body.chunks = in.u64();
  body.bytes = in.u64();
}
static void put(Writer& out, const PublishAlignment& body) {
  put_array(out, body.session);
  out.u32(body.attempt);
  put_variant(out, body.kind);
}
static void get(Reader& in, PublishAlignment& body) {
  get_array(in, body.session);
  body.attempt = in.u32();
  get_variant(in, body.kind);
}
static void put(Writer& out, const CloseAlignment& body) {
  put_array(out, body.session);
}
static void get(Reader& in, CloseAlignment& body) {
  get_array(in, body.session);
}

static void put(Writer& out, const RotateBoxKey& body) {
  out.bytes(body.key.encode());
}
static void get(Reader& in, RotateBoxKey& body) {
  auto key = sealing::BoxPublicKey::decode(in.bytes(sealing::hybrid_box_key_size));
  if (key) {
    body.key = std::move(*key);
  } else {
    in.reject();
  }
}

/// All but the signature.
static void put_transaction(Writer& out, const Transaction& transaction) {
  if (out.form() == IntegerForm::compact) {
    out.u8(carried_version);
  } else {
    out.u8(signed_version).digest(transaction.consortium);
  }
  put(out, transaction.sender);
  out.u64(transaction.sequence);
  put(out, transaction.expiry);
  put_variant(out, transaction.body);
}

void put(Writer& out, HospitalId id) {
  out.u16(id.value);
}
void put(Writer& out, RoundId id) {
  out.u64(id.value);
}
void put(Writer& out, Height height) {
  out.u64(height.value);
}

void put(Writer& out, const std::vector<HospitalId>& ids) {
  out.list(ids, [](Writer& w, HospitalId id) { put(w, id); });
}

void put(Writer& out, const std::vector<sealing::SetMember>& set) {
  if (out.form() == IntegerForm::compact) {
    std::vector<HospitalId> ids;
    for (const auto& member : set) ids.push_back(member.hospital);
    return put_set(out, ids);
  }
  out.list(set, [](Writer& w, const sealing::SetMember& member) {
    put(w, member.hospital);
    w.digest(member.manifest);
  });
}

void put(Writer& out, const MemberInfo& member) {
  const bool hybrid = member.box_key.kind() == sealing::BoxKind::hybrid;
  const auto role = static_cast<std::uint8_t>(member.role);
  out.text(member.name).text(member.title);
  out.u8(static_cast<std::uint8_t>(role | (hybrid ? lattice_follows : 0U) |
                                   (member.validator_key ? validator_follows : 0U)));
  put_array(out, member.key.bytes);
  put_array(out, member.box_key.bytes);
  if (hybrid) out.fixed(member.box_key.lattice);
  if (member.validator_key) put_array(out, member.validator_key->bytes);
}

void put(Writer& out, const Propose& body) {
  put_variant(out, body.what);
}

void put(Writer& out, const OpenRound& body) {
  out.u8(static_cast<std::uint8_t>(body.purpose)).u64(body.data_epoch).digest(body.base);
  const bool noise = body.noise_sigma2 != 0 || body.clip_l2 != 0;
  const bool clips = !body.clips_micro.empty();
  out.u8(body.suite).u64(body.length);
  out.u32(body.hospitals_max | (noise ? noise_follows : 0U) | (clips ? clips_follow : 0U));
  out.u32(body.clip_micro).u64(body.weight_cap).bytes(body.plan);
  if (noise) {
    out.u64(body.noise_sigma2).u64(body.clip_l2);
    out.u8(static_cast<std::uint8_t>(body.unit));
  }
  if (clips) out.list(body.clips_micro, [](Writer& w, std::uint32_t clip) { w.u32(clip); });
}

void put(Writer& out, const SubmitManifest& body) {
  put(out, body.round);
  if (out.form() == IntegerForm::compact) {
    for (const Digest* own : own_digests(body.manifest)) out.digest(*own);
  } else {
    out.bytes(body.manifest.encode());
  }
  out.u64(body.claimed_patterns);
}

void put(Writer& out, const Answer& body) {
  put(out, body.round);
  out.u16(body.miner.value).bytes(body.share).bytes(body.masks).bytes(body.salt);
}

void put(Writer& out, const ResultAttest& body) {
  put(out, body.round);
  out.digest(body.result);
}

void put(Writer& out, const AuditCall& body) {
  put(out, body.round);
  out.list(body.failure.failing, [](Writer& w, std::uint64_t position) { w.u64(position); });
  out.u64(body.failure.worst_polynomial);
}

void put(Writer& out, const AlignmentRecord& record) {
  out.u64(record.epoch);
  put_array(out, record.session);
  out.u8(static_cast<std::uint8_t>(record.subject)).digest(record.schema).digest(record.dictionary);
  out.u64(record.cells).u16(record.threshold).u64(record.cap).u32(record.support);
  put_set(out, record.members);
  put(out, record.slots);
  out.u8(record.chunk_log2).digest(record.circuit);
  out.u32(record.commit_heights).u32(record.deliver_heights).u32(record.compute_heights);
  out.u8(record.attempts_max).digest(record.previous);
}

void put(Writer& out, const AlignCommit& body) {
  for (const auto& share : body.shares) out.digest(share);
  out.digest(body.input);
}

void put(Writer& out, const AlignReceipt& body) {
  out.digest(body.commitments_root).digest(body.circuit).digest(body.verdict);
  out.u64(body.chunks).u64(body.bytes);
}

auto Genesis::encode() const -> Bytes {
  Writer out;
  out.u8(1).text(name).u64(created_unix_s);
  put(out, founder);
  out.list(servers, [](Writer& w, const MemberInfo& server) { put(w, server); });
  put(out, policy);
  out.digest(schema);
  return out.take();
}

auto Genesis::decode(BytesView bytes) -> Result<Genesis> {
  Reader in(bytes, "genesis");
  Genesis genesis;
  if (in.u8() != 1) in.reject();
  genesis.name = in.text(name_bytes_max);
  genesis.created_unix_s = in.u64();
  get(in, genesis.founder);
  genesis.servers = in.list(hospitals_max, [](Reader& r) {
    MemberInfo server;
    get(r, server);
    return server;
  });
  get(in, genesis.policy);
  genesis.schema = in.digest();
  CONSILIUM_CHECK(in.finish());
  CONSILIUM_CHECK(check_genesis(genesis));
  return genesis;
}

auto Genesis::consortium() const -> Digest {
  return tagged_hash("consilium/ledger/1/genesis", {encode()});
}

auto AlignmentRecord::encode() const -> Bytes {
  Writer out;
  out.u8(1);
  put(out, *this);
  return out.take();
}

auto AlignmentRecord::decode(BytesView bytes) -> Result<AlignmentRecord> {
  Reader in(bytes, "alignment record");
  AlignmentRecord record;
  if (in.u8() != 1) in.reject();
  get(in, record);
  CONSILIUM_CHECK(in.finish());
  return record;
}

auto AlignmentRecord::digest() const -> Digest {
  return tagged_hash("consilium/ledger/1/alignment-record", {encode()});
}

auto name_of(const Body& body) -> std::string_view {
  static constexpr std::array<std::string_view, std::variant_size_v<Body>> names{
      "propose",
      "vote",
      "open_round",
      "submit_manifest",
      "attest",
      "complaint",
      "answer",
      "freeze",
      "ready",
      "publish_share",
      "result_attest",
      "vote_commit",
      "vote_reveal",
      "decide",
      "model_digest",
      "abort",
      "open_alignment",
      "publish_alignment",
      "close_alignment",
      "rotate_box_key",
      "stand_down",
      "audit_call",
      "audit_answer",
      "audit_finding",
      "audit_consent",
      "publish_key",
      "not_sent",
      "rotate_key",
      "rotate_validator_key",
      "evidence",
      "challenge",
      "respond",
      "tombstone"};
  return names.at(body.index());
}

auto Transaction::signing_digest() const -> Digest {
  Writer out;
  put_transaction(out, *this);
  return tagged_hash("consilium/ledger/1/transaction", {out.view()});
}

auto Transaction::encode() const -> Bytes {
  Writer out(IntegerForm::compact);
  put_transaction(out, *this);
  out.fixed(signature.bytes);
  return out.take();
}

auto Transaction::decode(BytesView bytes) -> Result<Transaction> {
  if (bytes.size() > transaction_bytes_max)
    return fail("transaction_too_large", "transaction",
                "A transaction has at most 64 KiB; long parts travel as blobs.");
  Reader in(bytes, "transaction", IntegerForm::compact);
  Transaction transaction;
  if (in.u8() != carried_version) in.reject();
  get(in, transaction.sender);
  transaction.sequence = in.u64();
  get(in, transaction.expiry);
  get_variant(in, transaction.body);
  get_array(in, transaction.signature.bytes);
  CONSILIUM_CHECK(in.finish());
  return transaction;
}

auto sign_transaction(Transaction transaction, const sealing::SigningKey& key) -> Transaction {
  transaction.signature = key.sign(transaction.signing_digest().view());
  return transaction;
}

auto result_digest(const Digest& values, const Digest& body_sum_root, const Digest& key) -> Digest {
  return tagged_hash("consilium/ledger/1/result",
                     {values.view(), body_sum_root.view(), key.view()});
}

auto menu_digest(sealing::Purpose purpose, BytesView plan) -> Digest {
  const std::array<std::uint8_t, 1> id{static_cast<std::uint8_t>(purpose)};
  return tagged_hash("consilium/ledger/1/menu", {id, plan});
}

auto vote_commitment(const Digest& round_seed, HospitalId hospital, bool accept, const Digest& salt)
    -> Digest {
  const std::array<std::uint8_t, 2> id{static_cast<std::uint8_t>(hospital.value & 0xffU),
                                       static_cast<std::uint8_t>(hospital.value >> 8U)};
  const std::array<std::uint8_t, 1> vote{static_cast<std::uint8_t>(accept ? 1 : 0)};
  return tagged_hash("consilium/seal/1/vote", {round_seed.view(), id, vote, salt.view()});
}

}  // namespace consilium::ledger
