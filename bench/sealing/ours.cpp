#include "ours.hpp"

#include <algorithm>
#include <optional>

#include "consilium/courier/courier.hpp"
#include "consilium/sealing/quantise.hpp"

#include "block_kernels.hpp"
#include "body_layout.hpp"
#include "body_sealer.hpp"
#include "inputs.hpp"
#include "key_sharing.hpp"
#include "opener.hpp"
#include "timing.hpp"
#include "word_stream.hpp"

namespace consilium::bench {
namespace {

using sealing::BodyLayout;
using sealing::BodySealer;
using sealing::BodySink;
using sealing::BoxKey;
using sealing::check_manifest;
using sealing::committee_of;
using sealing::interpolate;
using sealing::Isa;
using sealing::isa_name;
using sealing::kernels;
using sealing::kernels_of;
using sealing::KeyWords;
using sealing::ManifestLists;
using sealing::open_share;
using sealing::open_sum;
using sealing::OpenedBlock;
using sealing::Opener;
using sealing::PublishedPoint;
using sealing::Purpose;
using sealing::Quantisation;
using sealing::Quantiser;
using sealing::round_seed;
using sealing::RoundParameters;
using sealing::Scale;
using sealing::scale_of;
using sealing::seal_stream;
using sealing::Sealed;
using sealing::SealThreads;
using sealing::ShareOpening;
using sealing::stream_id;
using sealing::Suite;
using sealing::sum_shares;
using sealing::unpack_prime;
using sealing::update_header;
using sealing::witness_block;
using sealing::WordStream;

constexpr std::uint64_t seed = 1;
constexpr std::uint64_t samples_of_a_hospital = 800;

template <typename T>
auto must(Result<T> result) -> T {
  CONSILIUM_ENSURE(result.has_value());
  return std::move(*result);
}
void must(const Result<void>& result) {
  CONSILIUM_ENSURE(result.has_value());
}

auto quantisation_of(const RoundParameters& round) -> Quantisation {
  Quantisation q;
  q.clip = 0.1;
  q.value_max = must(scale_of(round.suite, round.hospitals_max)).value_max;
  q.weight_cap = 1000;
  return q;
}

/// A sealed body on its way into the blob store, as a hospital writes it.
class BlobSink final : public BodySink {
 public:
  explicit BlobSink(courier::BlobWriter& blob) : blob_(blob) {}
  [[nodiscard]] auto write(BytesView bytes) -> Result<void> override { return blob_.write(bytes); }
  [[nodiscard]] auto finish() -> Result<Digest> override { return blob_.finish(); }

 private:
  courier::BlobWriter& blob_;
};

}  // namespace

auto paths() -> std::vector<std::string> {
  std::vector<std::string> names;
  for (const Isa isa : {Isa::avx512, Isa::avx2, Isa::scalar}) {
    if (kernels_of(isa) != nullptr) names.emplace_back(isa_name(isa));
  }
  return names;
}
auto path_in_use() -> std::string {
  return std::string(isa_name(kernels().isa));
}

auto make_round(Suite suite, std::uint32_t hospitals, std::uint16_t miners, std::uint64_t length)
    -> Round {
  Round round;
  RoundParameters& p = round.parameters;
  p.consortium.bytes.fill(0xc0);
  p.stream = stream_id(p.consortium, Purpose::update, 0);
  p.round = RoundId{1};
  p.base.bytes.fill(0xba);
  p.seed = round_seed(p.stream, p.round, p.base, p.consortium, suite);
  p.suite = suite;
  p.hospitals_max = hospitals;
  p.length = length;
  p.committee_epoch = 1;
  p.committee = committee_of(miners);
  SeededRandom random(seed, "box keys of the bench");
  for (std::uint16_t miner = 1; miner <= miners; ++miner) {
    round.keys.push_back(BoxKey::make(random));
    p.box_keys.push_back(round.keys.back().public_key());
  }
  return round;
}

struct VectorWork::State {
  Round round;
  BodyLayout layout;
  Scale scale;
  std::vector<std::vector<float>> updates;
  std::vector<std::vector<std::int32_t>> integers;
  std::vector<Bytes> bodies;                     ///< a hospital each
  std::vector<std::vector<std::uint32_t>> keys;  ///< a hospital each: ŝ, so that the bench can open
  std::vector<BytesView> views;                  ///< of the bodies
  std::optional<Opener> opener;
  std::vector<std::int64_t> opened;

  State(Suite suite, std::uint32_t hospitals, std::uint64_t length)
      : round(make_round(suite, hospitals, 1, length)),
        layout(must(BodyLayout::of(round.parameters))),
        scale(must(scale_of(suite, hospitals))),
        integers(hospitals, std::vector<std::int32_t>(length)),
        bodies(hospitals, Bytes(layout.body_size())),
        keys(hospitals),
        opened(layout.polynomials() * layout.degree()) {
    for (std::uint32_t hospital = 0; hospital < hospitals; ++hospital) {
      updates.push_back(update_of(seed, hospital + 1U, length - update_header));
    }
    for (const Bytes& body : bodies) views.emplace_back(body);
  }
  [[nodiscard]] auto words_of(std::uint32_t block) const -> std::size_t {
    return std::size_t{layout.lanes(block)} * layout.degree();
  }
};

VectorWork::VectorWork(Suite suite, std::uint32_t hospitals, std::uint64_t length)
    : state_(std::make_unique<State>(suite, hospitals, length)) {
  for (std::uint32_t hospital = 0; hospital < hospitals; ++hospital) {
    quantise(hospital);
    seal(hospital);
  }
  state_->opener.emplace(must(Opener::make(state_->round.parameters, state_->views)));
}
VectorWork::~VectorWork() = default;

void VectorWork::quantise(std::size_t hospital) {
  State& s = *state_;
  SeededRandom rounding(hospital, "rounding of the bench");
  Quantiser quantiser = must(Quantiser::make(s.updates[hospital], samples_of_a_hospital,
                                             quantisation_of(s.round.parameters), rounding));
  std::span<std::int32_t> rest(s.integers[hospital]);
  while (!rest.empty()) {  // a block at a time, as sealing asks for them
    const auto piece = rest.first(std::min(rest.size(), s.words_of(0)));
    must(quantiser.next(piece));
    rest = rest.subspan(piece.size());
  }
}

void VectorWork::seal(std::size_t hospital) {
  State& s = *state_;
  const std::size_t degree = s.layout.degree();
  const auto fields = s.layout.fields();
  SystemRandom chance;
  SecretBytes key_seed(32), error_seed(32);
  chance.fill(key_seed.expose());
  chance.fill(error_seed.expose());
  KeyWords key(fields.size() * degree);
  WordStream key_stream(key_seed.expose());
  for (std::size_t prime = 0; prime < fields.size(); ++prime) {
    key_stream.residues(fields[prime], key.expose().subspan(prime * degree, degree));
  }
  s.keys[hospital].assign(key.expose().begin(), key.expose().end());

  const HospitalId id{static_cast<std::uint16_t>(hospital + 1)};
  BodySealer sealer(s.round.parameters, s.layout, id, s.scale.delta, key, error_seed);
  std::span<const std::int32_t> values(s.integers[hospital]);
  std::span<std::uint8_t> out(s.bodies[hospital]);
  for (std::uint32_t block = 0; block < s.layout.blocks(); ++block) {
    const auto piece = values.first(s.layout.used_slots(block));
    std::copy(piece.begin(), piece.end(), sealer.values(block).begin());
    values = values.subspan(piece.size());
    const auto chunk = out.first(sealer.chunk_size(block));
    sealer.seal_block(block, chunk);
    out = out.subspan(chunk.size());
  }
  sealer.seal_block(witness_block, out);
}

auto VectorWork::add_and_open() -> AddedAndOpened {
  State& s = *state_;
  AddedAndOpened taken;
  taken.open_ms += milliseconds([&] {
    std::vector<std::uint32_t> total = s.keys.front();
    const std::size_t degree = s.layout.degree();
    for (std::size_t at = 1; at < s.keys.size(); ++at) {
      for (std::size_t k = 0; k < total.size(); ++k) {
        total[k] = s.layout.fields()[k / degree].add(total[k], s.keys[at][k]);
      }
    }
    s.opener->use_key(total);
  });
  std::span<std::int64_t> out(s.opened);
  for (std::uint32_t block = 0; block < s.layout.blocks(); ++block) {
    taken.add_ms += milliseconds([&] { must(s.opener->add_block(block)); });
    taken.open_ms += milliseconds([&] {
      const auto values = out.first(s.words_of(block));
      const OpenedBlock seen = s.opener->open_block(block, values);
      out = out.subspan(values.size());
      CONSILIUM_ENSURE(*std::max_element(seen.largest.begin(), seen.largest.end()) <=
                       s.scale.error_bound);
    });
  }
  return taken;
}

auto VectorWork::opened_the_sum() const -> bool {
  const State& s = *state_;
  for (std::size_t at = 0; at < s.layout.length(); ++at) {
    std::int64_t total = 0;
    for (const auto& one : s.integers) total += one[at];
    if (total != s.opened[at]) return false;
  }
  return true;
}

auto VectorWork::body_bytes() const -> std::size_t {
  return state_->layout.body_size();
}

struct StoredSeal::State {
  Round round;
  courier::BlobStore store;
  Digest last;
};
StoredSeal::StoredSeal(std::uint64_t length, const std::filesystem::path& folder)
    : state_(std::make_unique<State>(State{.round = make_round(Suite::s30, 10, 7, length),
                                           .store = must(courier::BlobStore::open(folder)),
                                           .last = {}})) {}
StoredSeal::~StoredSeal() = default;
void StoredSeal::run(std::span<const float> update) {
  State& s = *state_;
  SystemRandom chance;
  SecretBytes rounding_seed(32);
  chance.fill(rounding_seed.expose());
  SeededRandom rounding(rounding_seed.expose(), "rounding of the bench");
  Quantiser quantiser = must(Quantiser::make(update, samples_of_a_hospital,
                                             quantisation_of(s.round.parameters), rounding));
  courier::BlobWriter blob = must(s.store.writer());
  BlobSink body(blob);
  s.last = must(seal_stream(s.round.parameters, HospitalId{1}, quantiser, body, chance,
                            SealThreads::two))
               .manifest.body_blob;
}
auto StoredSeal::take_back() -> Bytes {
  Bytes body = must(state_->store.get(state_->last));
  must(state_->store.remove(state_->last));
  return body;
}

struct WholeCalls::State {
  Round round;
  std::vector<std::vector<std::int64_t>> integers;
  std::vector<Sealed> sealed;
  std::vector<BytesView> bodies;
  std::map<MinerId, Bytes> share_sums;
  Sealed again;
  std::vector<std::int64_t> opened;
};

WholeCalls::WholeCalls(Suite suite, std::uint32_t hospitals, std::uint16_t miners,
                       std::uint64_t length)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.round = make_round(suite, hospitals, miners, length);
  const RoundParameters& p = s.round.parameters;
  const std::int64_t top = must(scale_of(suite, hospitals)).value_max;
  SystemRandom chance;
  for (std::uint32_t hospital = 1; hospital <= hospitals; ++hospital) {
    const HospitalId id{static_cast<std::uint16_t>(hospital)};
    s.integers.push_back(values_of(seed, hospital, length, top));
    s.sealed.push_back(must(consilium::sealing::seal(p, id, s.integers.back(), chance)));
  }
  for (const Sealed& one : s.sealed) s.bodies.emplace_back(one.body);
  for (std::uint16_t miner = 1; miner <= p.committee.threshold; ++miner) {
    std::vector<ShareOpening> openings;
    for (const Sealed& one : s.sealed) {
      const auto lists = must(check_manifest(p, one.manifest, one.lists));
      openings.push_back(must(open_share(p, one.manifest, lists, MinerId{miner},
                                         one.boxes[miner - 1U], s.round.keys[miner - 1U])));
    }
    s.share_sums[MinerId{miner}] = must(sum_shares(p, openings));
  }
}
WholeCalls::~WholeCalls() = default;
void WholeCalls::seal() {
  SystemRandom chance;
  state_->again = must(consilium::sealing::seal(state_->round.parameters, HospitalId{1},
                                                state_->integers.front(), chance));
}
void WholeCalls::check_body() {
  must(consilium::sealing::check_body(state_->round.parameters, state_->sealed.front().manifest,
                                      state_->bodies.front()));
}
void WholeCalls::open() {
  state_->opened =
      must(open_sum(state_->round.parameters, state_->bodies, state_->share_sums)).values;
}
auto WholeCalls::opened_the_sum() const -> bool {
  const State& s = *state_;
  for (std::size_t at = 0; at < s.opened.size(); ++at) {
    std::int64_t total = 0;
    for (const auto& one : s.integers) total += one[at];
    if (total != s.opened[at]) return false;
  }
  return !s.opened.empty();
}

struct RoundKeys::State {
  Round round;
  BodyLayout layout;
  std::vector<Sealed> sealed;
  Sealed again;
  ManifestLists lists;
  Digest degree_key;
  std::vector<ShareOpening> openings;  ///< of miner 1, a hospital each
  std::vector<PublishedPoint> points;  ///< t of them
  ShareOpening opened;

  State(std::uint16_t miners, std::uint32_t hospitals)
      : round(make_round(Suite::s30, hospitals, miners, 1)),
        layout(must(BodyLayout::of(round.parameters))) {}
};

RoundKeys::RoundKeys(std::uint16_t miners, std::uint32_t hospitals)
    : state_(std::make_unique<State>(miners, hospitals)) {
  State& s = *state_;
  const RoundParameters& p = s.round.parameters;
  SystemRandom chance;
  const std::vector<std::int64_t> value{7};
  for (std::uint32_t hospital = 1; hospital <= hospitals; ++hospital) {
    const HospitalId id{static_cast<std::uint16_t>(hospital)};
    s.sealed.push_back(must(consilium::sealing::seal(p, id, value, chance)));
  }
  const Sealed& first = s.sealed.front();
  s.lists = must(check_manifest(p, first.manifest, first.lists));
  s.degree_key = consilium::sealing::degree_key(p.seed, HospitalId{1}, first.manifest.body_root,
                                                first.manifest.witness, s.lists.share_digests);
  for (const Sealed& one : s.sealed) {
    const auto lists = must(check_manifest(p, one.manifest, one.lists));
    s.openings.push_back(must(
        open_share(p, one.manifest, lists, MinerId{1}, one.boxes.front(), s.round.keys.front())));
  }
  for (std::uint16_t miner = 1; miner <= p.committee.threshold; ++miner) {
    PublishedPoint point{.alpha = miner, .words = {}};
    point.words.resize(s.layout.degree());
    must(unpack_prime(s.layout, 0, first.openings[miner - 1U].share.expose(), point.words));
    s.points.push_back(std::move(point));
  }
}
RoundKeys::~RoundKeys() = default;

void RoundKeys::hospital() {
  SystemRandom chance;
  const std::vector<std::int64_t> value{7};
  state_->again =
      must(consilium::sealing::seal(state_->round.parameters, HospitalId{1}, value, chance));
}
void RoundKeys::miner() {
  const Sealed& first = state_->sealed.front();
  state_->opened = must(open_share(state_->round.parameters, first.manifest, state_->lists,
                                   MinerId{1}, first.boxes.front(), state_->round.keys.front()));
}
void RoundKeys::degree_test() {
  const State& s = *state_;
  must(consilium::sealing::degree_test(s.layout, s.round.parameters.committee.threshold, 1,
                                       s.degree_key, s.openings.front(), s.lists.response));
}
void RoundKeys::share_sums() {
  CONSILIUM_ENSURE(!must(sum_shares(state_->round.parameters, state_->openings)).empty());
}
void RoundKeys::reconstruct() {
  std::vector<const PublishedPoint*> through;
  for (const PublishedPoint& point : state_->points) through.push_back(&point);
  CONSILIUM_ENSURE(interpolate(state_->layout, through, 0).size() == state_->layout.degree());
}
auto RoundKeys::box_bytes() const -> std::size_t {
  std::size_t size = 0;
  for (const Bytes& box : state_->sealed.front().boxes) size += box.size();
  return size;
}

}  // namespace consilium::bench
