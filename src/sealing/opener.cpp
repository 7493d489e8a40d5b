#include "opener.hpp"

#include <algorithm>
#include <set>

#include "consilium/foundation/codec.hpp"

namespace consilium::sealing {
namespace {

/// H("…sum", X as i64le), without a second copy of X.
auto digest_of(std::span<const std::int64_t> values) -> Digest {
  constexpr std::string_view tag = "consilium/seal/1/sum";
  Hasher hasher;
  hasher.add_u16(static_cast<std::uint16_t>(tag.size())).add_text(tag).add_u64(8 * values.size());
  constexpr std::size_t at_once = 1024;
  std::array<std::uint8_t, 8 * at_once> bytes{};
  for (; !values.empty(); values = values.subspan(std::min(values.size(), at_once))) {
    const auto some = values.first(std::min(values.size(), at_once));
    std::uint8_t* to = bytes.data();
    for (const std::int64_t value : some) {
      for (unsigned shift = 0; shift < 64; shift += 8) {
        *to++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift);
      }
    }
    hasher.add(std::span(bytes).first(8 * some.size()));
  }
  return hasher.finish();
}

}  // namespace

Opener::Opener(const RoundParameters& round, const BodyLayout& layout, const Scale& scale,
               std::span<const BytesView> bodies)
    : round_(round),
      layout_(layout),
      scale_(scale),
      bodies_(bodies),
      eta_(parameters_of(round.suite).error_eta),
      pair_(pair_of(layout.fields())),
      sums_(layout.fields().size()) {}

auto Opener::make(const RoundParameters& round, std::span<const BytesView> bodies)
    -> Result<Opener> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  CONSILIUM_TRY(const Scale scale, scale_of(round.suite, round.hospitals_max));
  if (bodies.empty() || bodies.size() > round.hospitals_max) {
    return fail("length_mismatch", round_place(round),
                "The set must have 1 to " + std::to_string(round.hospitals_max) + " members.");
  }
  Opener opener(round, layout, scale, bodies);
  CONSILIUM_CHECK(opener.check_headers());
  return opener;
}

/// Each body is whole, of this round, and of another hospital than the others.
auto Opener::check_headers() const -> Result<void> {
  std::set<std::uint16_t> seen;
  for (const BytesView body : bodies_) {
    if (body.size() != layout_.body_size()) {
      return fail("length_mismatch", round_place(round_),
                  "A body of the set is not of the round's size; fetch it again.");
    }
    const HospitalId hospital = hospital_of(body);
    if (!seen.insert(hospital.value).second) {
      return fail("length_mismatch", round_place(round_),
                  "The set holds one hospital's body twice; it is a set of hospitals.");
    }
    for (std::uint32_t block = 0; block < layout_.blocks(); ++block) {
      const ChunkHeader header = chunk_header(round_, hospital, block);
      if (!std::equal(header.begin(), header.end(), layout_.chunk(body, block).begin())) {
        return fail("stale_context", round_place(round_),
                    "A body of the set belongs to another round; fetch the one the ledger names.");
      }
    }
  }
  return {};
}

void Opener::use_key(std::span<const std::uint32_t> key) {
  const std::size_t degree = layout_.degree();
  prepared_.resize(key.size());
  for (std::size_t prime = 0; prime < layout_.fields().size(); ++prime) {
    prepare_key(layout_.fields()[prime], key.subspan(prime * degree, degree),
                std::span(prepared_).subspan(prime * degree, degree));
  }
}

auto Opener::add_block(std::uint32_t block) -> Result<void> {
  const std::size_t words = std::size_t{layout_.lanes(block)} * layout_.degree();
  for (std::size_t prime = 0; prime < sums_.size(); ++prime) {
    sums_[prime].resize(words);
    bool first = true;
    for (const BytesView body : bodies_) {
      const BytesView payload = layout_.chunk(body, block).subspan(chunk_header_size);
      if (std::exchange(first, false)) {
        CONSILIUM_CHECK(unpack_prime(layout_, prime, payload, sums_[prime]));
      } else {
        CONSILIUM_CHECK(add_packed_prime(layout_, prime, payload, sums_[prime]));
      }
    }
  }
  return {};
}

auto Opener::packed_sum(std::uint32_t block) -> BytesView {
  packed_.resize(layout_.payload_size(block));
  pack_primes(layout_, sums_, packed_);
  return packed_;
}

auto Opener::open_block(std::uint32_t block, std::span<std::int64_t> values) -> OpenedBlock {
  const std::uint32_t lanes = layout_.lanes(block);
  expanded_.resize(std::size_t{layout_.degree()} * lanes);
  for (std::size_t prime = 0; prime < sums_.size(); ++prime) {
    expand(round_.seed, block, static_cast<std::uint8_t>(prime), layout_.fields()[prime],
           expanded_);
    open_prime(prime, expanded_, sums_[prime], lanes);
  }
  return round_values(sums_, lanes, values);
}

auto Opener::open_block(std::uint32_t block) -> OpenedBlock {
  rounded_.resize(std::size_t{layout_.degree()} * layout_.lanes(block));
  return open_block(block, rounded_);
}

auto Opener::open(std::span<const std::uint32_t> key) -> Result<OpenedSum> {
  OpenedSum opened;
  // Room for whole polynomials: the padding is looked at and cut off at the end.
  opened.values.resize(layout_.polynomials() * layout_.degree());
  std::span<std::int64_t> rest = opened.values;
  use_key(key);
  ResidualTest test(layout_, bodies_.size(), eta_, scale_);
  std::vector<Digest> leaves;
  const std::int64_t value_limit = static_cast<std::int64_t>(bodies_.size()) * scale_.value_max;
  bool residuals_good = true;
  bool values_good = true;
  for (std::uint32_t block = 0; block < layout_.blocks() && residuals_good; ++block) {
    CONSILIUM_CHECK(add_block(block));
    leaves.push_back(chunk_leaf(chunk_header(round_, HospitalId{0}, block), packed_sum(block)));
    const auto values = rest.first(std::size_t{layout_.lanes(block)} * layout_.degree());
    rest = rest.subspan(values.size());
    const OpenedBlock seen = open_block(block, values);
    const auto padding = values.subspan(layout_.used_slots(block));
    values_good =
        values_good && seen.value_max <= value_limit &&
        std::all_of(padding.begin(), padding.end(), [](std::int64_t value) { return value == 0; });
    for (std::uint32_t lane = 0; lane < layout_.lanes(block); ++lane) {
      residuals_good =
          test.polynomial(seen.largest.at(lane), seen.squares.at(lane)) && residuals_good;
    }
  }
  if (!residuals_good || !test.all()) {
    return fail("residual_out_of_range", round_place(round_),
                "The opened sum is not the sum of what was sealed; wait for another share sum, "
                "then audit the set.");
  }
  if (!values_good) {
    return fail("sum_out_of_range", round_place(round_),
                "The opened sum is larger than honest values can make it; the candidate is "
                "refused.");
  }
  opened.values.resize(layout_.length());
  opened.residual_rms = test.rms(layout_.degree());
  opened.body_sum_root = body_root(layout_, std::move(leaves));
  opened.values_digest = digest_of(opened.values);
  opened.key_digest = key_digest(key);
  return opened;
}

auto Opener::fits_first_polynomial(std::span<const std::uint32_t> key) -> Result<bool> {
  CONSILIUM_CHECK(load_first_polynomial());
  use_key(key);
  auto values = first_sealed_;
  for (std::size_t prime = 0; prime < values.size(); ++prime) {
    auto expanded = first_public_[prime];
    open_prime(prime, expanded, values[prime], 1);
  }
  ResidualTest test(layout_, bodies_.size(), eta_, scale_);
  rounded_.resize(layout_.degree());
  const OpenedBlock seen = round_values(values, 1, rounded_);
  return test.polynomial(seen.largest[0], seen.squares[0]);
}

auto Opener::load_first_polynomial() -> Result<void> {
  if (!first_sealed_.empty()) return {};
  const std::uint32_t lanes = layout_.lanes(0);
  CONSILIUM_CHECK(add_block(0));
  std::vector<std::uint32_t> expanded(std::size_t{layout_.degree()} * lanes);
  for (std::size_t prime = 0; prime < sums_.size(); ++prime) {
    expand(round_.seed, 0, static_cast<std::uint8_t>(prime), layout_.fields()[prime], expanded);
    auto& kept_sealed = first_sealed_.emplace_back();
    auto& kept_public = first_public_.emplace_back();
    for (std::size_t at = 0; at < expanded.size(); at += lanes) {
      kept_sealed.push_back(sums_[prime][at]);
      kept_public.push_back(expanded[at]);
    }
  }
  return {};
}

/// sealed ← sealed − INTT(expanded ⊙ Ŝ), canonical. `expanded` is used up.
void Opener::open_prime(std::size_t prime, std::span<std::uint32_t> expanded,
                        std::span<std::uint32_t> sealed, std::uint32_t lanes) const {
  const PrimeField& field = layout_.fields()[prime];
  const std::size_t degree = layout_.degree();
  const auto key = std::span(prepared_).subspan(prime * degree, degree);
  CONSILIUM_ENSURE(expanded.size() == degree * lanes && sealed.size() == expanded.size());
  kernels().unmask(field, expanded.data(), lanes, key.data(), sealed.data());
}

auto Opener::round_values(std::span<const std::vector<std::uint32_t>> residues, std::uint32_t lanes,
                          std::span<std::int64_t> values) const -> OpenedBlock {
  CONSILIUM_ENSURE(values.size() == residues[0].size());
  OpenedBlock seen;
  if (residues.size() == 1) {
    kernels().open_centred(layout_.fields()[0], residues[0].data(), layout_.degree(), lanes,
                           static_cast<std::int32_t>(scale_.delta), values.data(), seen);
  } else {
    kernels().open_two_primes(pair_, residues[0].data(), residues[1].data(), layout_.degree(),
                              lanes, scale_.delta, values.data(), seen);
  }
  return seen;
}

auto Opener::residual_at(std::size_t at) const -> std::int64_t {
  const std::uint32_t second = sums_.size() == 2 ? sums_[1][at] : 0;
  return pair_.lift(sums_[0][at], second) - scale_.delta * rounded_[at];
}

auto Opener::key_digest(std::span<const std::uint32_t> key) const -> Digest {
  Bytes packed(layout_.polynomial_size());
  pack_words(layout_, key, packed);
  return tagged_hash("consilium/seal/1/key-sum", {packed});
}

}  // namespace consilium::sealing
