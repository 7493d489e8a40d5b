#include "ours.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "consilium/foundation/files.hpp"
#include "consilium/sealing/quantise.hpp"

#include "block_kernels.hpp"
#include "body_layout.hpp"
#include "inputs.hpp"
#include "key_sharing.hpp"
#include "word_stream.hpp"

namespace consilium::bench {
namespace {

using namespace consilium::sealing;

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

}  // namespace

auto paths() -> std::vector<std::string> {
  return {"scalar"};
}
void use_path(std::string_view path) {
  CONSILIUM_ENSURE(path == "scalar");
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
  int eta;
  std::vector<std::vector<float>> updates;
  std::vector<std::vector<std::int64_t>> integers;
  std::vector<std::vector<std::uint32_t>> sealed;  ///< a block each: words of every prime
  std::vector<Bytes> packed;                       ///< a hospital each
  std::vector<std::vector<std::uint32_t>> keys;  ///< a hospital each: ŝ, so that the bench can open
  std::vector<std::vector<std::uint32_t>> sum;   ///< as sealed
  std::vector<std::int64_t> opened;

  State(Suite suite, std::uint32_t hospitals, std::uint64_t length)
      : round(make_round(suite, hospitals, 1, length)),
        layout(must(BodyLayout::of(round.parameters))),
        scale(must(scale_of(suite, hospitals))),
        eta(parameters_of(suite).error_eta),
        integers(hospitals),
        packed(hospitals),
        keys(hospitals),
        opened(length) {
    for (std::uint32_t hospital = 0; hospital < hospitals; ++hospital) {
      updates.push_back(update_of(seed, hospital + 1U, length - update_header));
      packed[hospital].resize(layout.body_size());
    }
    for (std::uint32_t block = 0; block <= layout.blocks(); ++block) {
      sealed.emplace_back(words_of(block) * layout.fields().size());
    }
    sum = sealed;
  }
  /// The witness stands behind the last block.
  [[nodiscard]] auto number_of(std::uint32_t block) const -> std::uint32_t {
    return block == layout.blocks() ? witness_block : block;
  }
  [[nodiscard]] auto words_of(std::uint32_t block) const -> std::size_t {
    return std::size_t{layout.lanes(number_of(block))} * layout.degree();
  }
};

VectorWork::VectorWork(Suite suite, std::uint32_t hospitals, std::uint64_t length)
    : state_(std::make_unique<State>(suite, hospitals, length)) {
  for (std::uint32_t hospital = 0; hospital < hospitals; ++hospital) {
    quantise(hospital);
    seal(hospital);
    pack(hospital);
  }
}
VectorWork::~VectorWork() = default;

void VectorWork::quantise(std::size_t hospital) {
  State& s = *state_;
  SeededRandom rounding(hospital, "rounding of the bench");
  s.integers[hospital] = must(consilium::sealing::quantise(
      s.updates[hospital], samples_of_a_hospital, quantisation_of(s.round.parameters), rounding));
}

void VectorWork::seal(std::size_t hospital) {
  State& s = *state_;
  const std::size_t degree = s.layout.degree();
  const auto fields = s.layout.fields();
  SystemRandom chance;
  SecretBytes one_time_keys(64);
  chance.fill(one_time_keys.expose());
  KeyWords key(fields.size() * degree);
  KeyWords prepared(fields.size() * degree);
  WordStream key_stream(one_time_keys.expose().first(32));
  for (std::size_t prime = 0; prime < fields.size(); ++prime) {
    const auto mine = key.expose().subspan(prime * degree, degree);
    key_stream.residues(fields[prime], mine);
    prepare_key(fields[prime], mine, prepared.expose().subspan(prime * degree, degree));
  }
  s.keys[hospital].assign(key.expose().begin(), key.expose().end());

  WordStream errors(one_time_keys.expose().last(32));
  const std::size_t words_max = s.words_of(0);
  Secret<std::int64_t> addends(words_max);
  SecretBytes error_bytes(words_max * static_cast<std::size_t>(s.eta) / 4);
  std::span<const std::int64_t> values(s.integers[hospital]);
  for (std::uint32_t block = 0; block <= s.layout.blocks(); ++block) {
    const std::uint32_t number = s.number_of(block);
    const std::size_t words = s.words_of(block);
    const auto addend = addends.expose().first(words);
    const auto bytes = error_bytes.expose().first(words * static_cast<std::size_t>(s.eta) / 4);
    errors.bytes(bytes);
    errors_from_bytes(s.eta, bytes, addend);
    const std::size_t used = number == witness_block ? 0 : s.layout.used_slots(number);
    for (std::size_t at = 0; at < used; ++at) addend[at] += s.scale.delta * values[at];
    values = values.subspan(used);
    for (std::size_t prime = 0; prime < fields.size(); ++prime) {
      const auto out = std::span(s.sealed[block]).subspan(prime * words, words);
      expand(s.round.parameters.seed, number, static_cast<std::uint8_t>(prime), fields[prime], out);
      multiply_by_key(fields[prime], out, s.layout.lanes(number),
                      prepared.expose().subspan(prime * degree, degree));
      add_signed(fields[prime], out, addend);
    }
  }
}

void VectorWork::pack(std::size_t hospital) {
  State& s = *state_;
  for (std::uint32_t block = 0; block <= s.layout.blocks(); ++block) {
    const std::uint32_t number = s.number_of(block);
    const std::size_t words = s.words_of(block);
    auto out = std::span(s.packed[hospital])
                   .subspan(s.layout.chunk_offset(number) + chunk_header_size,
                            s.layout.payload_size(number));
    for (std::size_t prime = 0; prime < s.layout.fields().size(); ++prime) {
      const PrimeField& field = s.layout.fields()[prime];
      const std::size_t size = packed_size(field, words);
      consilium::sealing::pack(field, std::span(s.sealed[block]).subspan(prime * words, words),
                               out.first(size));
      out = out.subspan(size);
    }
  }
}

void VectorWork::add() {
  State& s = *state_;
  std::vector<std::uint32_t> one(std::size_t{s.layout.degree()} * lanes_max);
  for (std::uint32_t block = 0; block < s.layout.blocks(); ++block) {
    const std::size_t words = s.words_of(block);
    for (std::size_t prime = 0; prime < s.layout.fields().size(); ++prime) {
      const auto total = std::span(s.sum[block]).subspan(prime * words, words);
      const auto part = std::span(one).first(words);
      for (std::size_t hospital = 0; hospital < s.packed.size(); ++hospital) {
        const BytesView payload =
            s.layout.chunk(s.packed[hospital], block).subspan(chunk_header_size);
        const auto target = hospital == 0 ? total : part;
        must(unpack_prime(s.layout, prime, payload, target));
        if (hospital != 0) accumulate(s.layout.fields()[prime], total, part);
      }
    }
  }
}

void VectorWork::open() {
  State& s = *state_;
  const std::size_t degree = s.layout.degree();
  const auto fields = s.layout.fields();
  std::vector<std::uint32_t> prepared(fields.size() * degree);
  for (std::size_t prime = 0; prime < fields.size(); ++prime) {
    std::vector<std::uint32_t> total(degree, 0);
    for (const auto& key : s.keys) {
      accumulate(fields[prime], total, std::span(key).subspan(prime * degree, degree));
    }
    prepare_key(fields[prime], total, std::span(prepared).subspan(prime * degree, degree));
  }
  const double reciprocal = 1.0 / (2.0 * static_cast<double>(s.scale.delta));
  std::int64_t modulus = 1;
  for (const PrimeField& field : fields) modulus *= field.q;
  std::vector<std::uint32_t> masked(fields.size() * degree * lanes_max);
  std::size_t done = 0;
  std::int64_t worst = 0;
  for (std::uint32_t block = 0; block < s.layout.blocks(); ++block) {
    const std::size_t words = s.words_of(block);
    for (std::size_t prime = 0; prime < fields.size(); ++prime) {
      const auto mine = std::span(masked).subspan(prime * words, words);
      expand(s.round.parameters.seed, block, static_cast<std::uint8_t>(prime), fields[prime], mine);
      multiply_by_key(fields[prime], mine, s.layout.lanes(block),
                      std::span(prepared).subspan(prime * degree, degree));
      for (std::size_t at = 0; at < words; ++at) {
        mine[at] = fields[prime].subtract(s.sum[block][prime * words + at],
                                          fields[prime].canonical(mine[at]));
      }
    }
    std::uint32_t first_inverse = 0;
    if (fields.size() == 2) {
      first_inverse = fields[1].to_montgomery(fields[1].inverse_of(fields[0].q % fields[1].q));
    }
    const std::size_t used = s.layout.used_slots(block);
    for (std::size_t at = 0; at < used; ++at) {
      std::int64_t value = masked[at];
      if (fields.size() == 2) {
        const auto difference = fields[1].subtract(masked[words + at], masked[at] % fields[1].q);
        value += std::int64_t{fields[0].q} * fields[1].times(difference, first_inverse);
      }
      if (2 * value > modulus) value -= modulus;
      const std::int64_t numerator = 2 * value + s.scale.delta;
      auto rounded =
          static_cast<std::int64_t>(std::floor(static_cast<double>(numerator) * reciprocal));
      rounded -= static_cast<std::int64_t>(rounded * 2 * s.scale.delta > numerator);
      worst = std::max(worst, std::abs(value - s.scale.delta * rounded));
      s.opened[done++] = rounded;
    }
  }
  CONSILIUM_ENSURE(worst <= s.scale.error_bound);
}

auto VectorWork::opened_the_sum() const -> bool {
  const State& s = *state_;
  for (std::size_t at = 0; at < s.opened.size(); ++at) {
    std::int64_t total = 0;
    for (const auto& one : s.integers) total += one[at];
    if (total != s.opened[at]) return false;
  }
  return true;
}

auto VectorWork::body_bytes() const -> std::size_t {
  return state_->layout.body_size();
}

void store_sealed(const Round& round, std::span<const float> update,
                  const std::filesystem::path& path) {
  SystemRandom chance;
  const auto integers = must(consilium::sealing::quantise(
      update, samples_of_a_hospital, quantisation_of(round.parameters), chance));
  const Sealed sealed =
      must(consilium::sealing::seal(round.parameters, HospitalId{1}, integers, chance));
  must(write_file_durably(path, sealed.body));
}

struct KeyWork::State {
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

KeyWork::KeyWork(std::uint16_t miners, std::uint32_t hospitals)
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
KeyWork::~KeyWork() = default;

void KeyWork::hospital() {
  SystemRandom chance;
  const std::vector<std::int64_t> value{7};
  state_->again =
      must(consilium::sealing::seal(state_->round.parameters, HospitalId{1}, value, chance));
}
void KeyWork::miner() {
  const Sealed& first = state_->sealed.front();
  state_->opened = must(open_share(state_->round.parameters, first.manifest, state_->lists,
                                   MinerId{1}, first.boxes.front(), state_->round.keys.front()));
}
void KeyWork::degree_test() {
  const State& s = *state_;
  must(consilium::sealing::degree_test(s.layout, s.round.parameters.committee.threshold, 1,
                                       s.degree_key, s.openings.front(), s.lists.response));
}
void KeyWork::share_sums() {
  CONSILIUM_ENSURE(!must(sum_shares(state_->round.parameters, state_->openings)).empty());
}
void KeyWork::reconstruct() {
  std::vector<const PublishedPoint*> through;
  for (const PublishedPoint& point : state_->points) through.push_back(&point);
  CONSILIUM_ENSURE(interpolate(state_->layout, through, 0).size() == state_->layout.degree());
}
auto KeyWork::box_bytes() const -> std::size_t {
  std::size_t size = 0;
  for (const Bytes& box : state_->sealed.front().boxes) size += box.size();
  return size;
}

}  // namespace consilium::bench
