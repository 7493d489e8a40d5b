#pragma once
// A small consortium for the tests of sealing: a committee with box keys, hospitals that seal,
// miners that answer.

#include <stdexcept>

#include <gtest/gtest.h>

#include "consilium/sealing/sealed_sum.hpp"

namespace consilium::sealing {

/// The value of a Result that a test relies on; the error's own words when there is none.
template <typename T>
auto must(Result<T> result) -> T {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}
/// The error's code, or "" when there was none.
template <typename T>
auto code_of(const Result<T>& result) -> std::string {
  return result ? std::string() : result.error().code;
}

inline auto digest_of(std::uint8_t byte) -> Digest {
  Digest digest;
  digest.bytes.fill(byte);
  return digest;
}

/// Gives out the bytes it was made with, once: the way to known one-time keys.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(Bytes bytes) : bytes_(std::move(bytes)) {}
  void fill(std::span<std::uint8_t> out) override {
    if (at_ + out.size() > bytes_.size()) throw std::runtime_error("more chance than was given");
    for (std::uint8_t& byte : out) byte = bytes_[at_++];
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

struct TestRound {
  RoundParameters parameters;
  std::vector<BoxKey> keys;  ///< of miners 1..M
};

inline auto make_round(Suite suite, std::uint32_t hospitals_max, std::uint16_t miners,
                       std::uint64_t length, std::uint64_t number = 1) -> TestRound {
  TestRound round;
  RoundParameters& p = round.parameters;
  p.consortium = digest_of(0xc0);
  p.stream = stream_id(p.consortium, Purpose::update, 0);
  p.round = RoundId{number};
  p.base = digest_of(0xba);
  p.seed = round_seed(p.stream, p.round, p.base, digest_of(0x0b), suite);
  p.suite = suite;
  p.hospitals_max = hospitals_max;
  p.length = length;
  p.committee_epoch = 3;
  p.committee = committee_of(miners);
  SeededRandom random(number, "box keys of the tests");
  for (std::uint16_t miner = 1; miner <= miners; ++miner) {
    round.keys.push_back(BoxKey::make(random));
    p.box_keys.push_back(round.keys.back().public_key());
  }
  return round;
}

/// The sealed vectors of hospitals 1, 2, …
inline auto seal_all(const TestRound& round, const std::vector<std::vector<std::int64_t>>& values,
                     Random& secrets) -> std::vector<Sealed> {
  std::vector<Sealed> out;
  for (std::size_t at = 0; at < values.size(); ++at) {
    const HospitalId hospital{static_cast<std::uint16_t>(at + 1)};
    out.push_back(must(seal(round.parameters, hospital, values[at], secrets)));
  }
  return out;
}

inline auto bodies_of(const std::vector<Sealed>& sealed) -> std::vector<BytesView> {
  std::vector<BytesView> bodies;
  for (const Sealed& one : sealed) bodies.emplace_back(one.body);
  return bodies;
}

/// What every miner of `miners` would publish for this set, after all its checks.
inline auto publish(const TestRound& round, const std::vector<Sealed>& sealed,
                    const std::vector<std::uint16_t>& miners) -> std::map<MinerId, Bytes> {
  std::map<MinerId, Bytes> sums;
  for (const std::uint16_t miner : miners) {
    std::vector<ShareOpening> shares;
    for (const Sealed& one : sealed) {
      const auto lists = must(check_manifest(round.parameters, one.manifest, one.lists));
      shares.push_back(must(open_share(round.parameters, one.manifest, lists, MinerId{miner},
                                       one.boxes[miner - 1U], round.keys[miner - 1U])));
    }
    sums[MinerId{miner}] = must(sum_shares(round.parameters, shares));
  }
  return sums;
}

inline auto random_values(Random& random, std::size_t count, std::int64_t value_max)
    -> std::vector<std::int64_t> {
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) {
    value = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * value_max + 1))) -
            value_max;
  }
  return values;
}

inline auto sum_of(const std::vector<std::vector<std::int64_t>>& values)
    -> std::vector<std::int64_t> {
  std::vector<std::int64_t> sum(values.front().size(), 0);
  for (const auto& one : values) {
    for (std::size_t at = 0; at < sum.size(); ++at) sum[at] += one[at];
  }
  return sum;
}

}  // namespace consilium::sealing
