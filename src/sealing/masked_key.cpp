// Delivery C: keys that only add up.

#include "consilium/sealing/masked_key.hpp"

#include <algorithm>
#include <set>

#include "consilium/foundation/codec.hpp"

#include "body_layout.hpp"
#include "key_sharing.hpp"
#include "word_stream.hpp"

namespace consilium::sealing {
namespace {

auto place_of(HospitalId hospital) -> std::string {
  return "masked key of hospital " + std::to_string(hospital.value);
}

/// PRG(k_ij, H(U)): the words that i adds and j takes away. Names and keys of both, in the order of
/// their numbers, are inside, so that both make the same and no third pair does.
auto mask_words(const RoundParameters& round, const BodyLayout& layout, const Digest& set_digest,
                HospitalId self, const BoxKey& own, const MaskPeer& peer)
    -> Result<Secret<std::uint32_t>> {
  CONSILIUM_TRY(const SecretBytes shared, own.agree(peer.box_key));
  const bool first = self < peer.hospital;
  Writer pair;
  pair.digest(round.consortium).u32(round.committee_epoch);
  pair.u16(first ? self.value : peer.hospital.value);
  pair.u16(first ? peer.hospital.value : self.value);
  Digest pair_key = tagged_hash("consilium/seal/1/pair",
                                {pair.view(), (first ? own.public_key() : peer.box_key).bytes,
                                 (first ? peer.box_key : own.public_key()).bytes, shared.expose()});
  Digest mask_key = tagged_hash("consilium/seal/1/mask", {pair_key.view(), set_digest.view()});
  wipe(pair_key.bytes);
  WordStream stream(mask_key.view());
  wipe(mask_key.bytes);
  Secret<std::uint32_t> words(layout.fields().size() * layout.degree());
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    stream.residues(layout.fields()[prime],
                    words.expose().subspan(prime * layout.degree(), layout.degree()));
  }
  return words;
}

}  // namespace

auto mask_key(const RoundParameters& round, const Digest& set_digest, HospitalId self,
              const BoxKey& own, std::span<const MaskPeer> others, const Secret<std::uint32_t>& key)
    -> Result<Bytes> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  std::set<HospitalId> members{self};
  for (const MaskPeer& peer : others) members.insert(peer.hospital);
  if (others.size() < 2 || members.size() != others.size() + 1 ||
      key.size() != layout.fields().size() * layout.degree()) {
    return fail("length_mismatch", place_of(self),
                "A key is masked among at least two other members, each named once; nothing is "
                "sent.");
  }
  Secret<std::uint32_t> sum(key.size());
  std::copy(key.expose().begin(), key.expose().end(), sum.expose().begin());
  for (const MaskPeer& peer : others) {
    CONSILIUM_TRY(const auto mask, mask_words(round, layout, set_digest, self, own, peer));
    const bool adds = self < peer.hospital;
    for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
      const PrimeField& field = layout.fields()[prime];
      for (std::size_t k = prime * layout.degree(); k < (prime + 1) * layout.degree(); ++k) {
        std::uint32_t& word = sum.expose()[k];
        word = adds ? field.add(word, mask.expose()[k]) : field.subtract(word, mask.expose()[k]);
      }
    }
  }
  Bytes out(layout.polynomial_size());
  pack_words(layout, sum.expose(), out);
  return out;
}

auto sum_masked_keys(const RoundParameters& round, std::span<const BytesView> masked)
    -> Result<Bytes> {
  CONSILIUM_TRY(const BodyLayout layout, check_round(round, false));
  const auto mismatch = [] {
    return fail("length_mismatch", "masked keys",
                "Every member of the set sends one masked key of this round's suite.");
  };
  if (masked.empty()) return mismatch();
  std::vector<std::vector<std::uint32_t>> sum(layout.fields().size());
  for (std::size_t prime = 0; prime < sum.size(); ++prime) {
    sum[prime].assign(layout.degree(), 0);
    for (const BytesView one : masked) {
      if (one.size() != layout.polynomial_size()) return mismatch();
      CONSILIUM_CHECK(add_packed_prime(layout, prime, one, sum[prime]));
    }
  }
  Bytes out(layout.polynomial_size());
  pack_primes(layout, sum, out);
  return out;
}

}  // namespace consilium::sealing
