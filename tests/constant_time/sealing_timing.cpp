// Does time tell a fixed secret from random ones? Two classes of input are timed in random order,
// and Welch's t-test says whether their means differ (Reparaz, Balasch and Verbauwhede, "dude, is
// my code constant time?", 2017). A statistic, hence no proof; what valgrind cannot see – a
// division, a multiplication that ends early – may show here.
//
// Robust to a noisy machine: the slow tail is cropped at several places before comparing, and only
// a difference that shows in every one of several attempts counts.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>

#include <x86intrin.h>

#include "consilium/foundation/random.hpp"
#include "consilium/sealing/quantise.hpp"

#include "block_kernels.hpp"
#include "key_sharing.hpp"

namespace consilium::sealing {
namespace {

constexpr double t_limit = 10;
constexpr int attempts = 4;
constexpr std::size_t measurements = 12'000;

struct Moments {
  double count = 0, mean = 0, squares = 0;
  void add(double x) {
    ++count;
    const double off = x - mean;
    mean += off / count;
    squares += off * (x - mean);
  }
  [[nodiscard]] auto variance() const -> double { return squares / (count - 1); }
};

struct Sample {
  double cycles;
  bool random;
};

/// The largest |t| over several crops of the slow tail.
auto largest_t(std::vector<Sample> samples) -> double {
  std::vector<double> sorted;
  for (const Sample& sample : samples) sorted.push_back(sample.cycles);
  std::sort(sorted.begin(), sorted.end());
  double worst = 0;
  for (const double part : {0.5, 0.75, 0.9, 0.97}) {
    const double limit =
        sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
    std::array<Moments, 2> classes;
    for (const Sample& sample : samples) {
      if (sample.cycles <= limit) classes[sample.random ? 1 : 0].add(sample.cycles);
    }
    const double noise =
        classes[0].variance() / classes[0].count + classes[1].variance() / classes[1].count;
    if (noise <= 0 || classes[0].count < 100 || classes[1].count < 100) continue;
    worst = std::max(worst, std::abs(classes[0].mean - classes[1].mean) / std::sqrt(noise));
  }
  return worst;
}

/// `prepare(random)` fills the one work space that `run` then works on: both classes are read from
/// the same addresses.
struct Candidate {
  const char* name;
  std::function<void(bool random)> prepare;
  std::function<void()> run;
  bool must_show = false;
};

/// True when the difference showed in every attempt.
auto time_tells(const Candidate& candidate, SeededRandom& order) -> bool {
  double least = 0;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    std::vector<Sample> samples;
    samples.reserve(measurements);
    for (std::size_t i = 0; i < measurements + 200; ++i) {
      const bool random = order.below(2) == 1;
      candidate.prepare(random);
      unsigned core = 0;
      _mm_lfence();
      const auto start = __rdtsc();
      candidate.run();
      const auto end = __rdtscp(&core);
      _mm_lfence();
      if (i >= 200) samples.push_back({static_cast<double>(end - start), random});
    }
    const double t = largest_t(std::move(samples));
    least = attempt == 0 ? t : std::min(least, t);
    if (t < t_limit) {
      std::printf("%-32s |t| = %.1f in attempt %d\n", candidate.name, t, attempt + 1);
      return false;
    }
  }
  std::printf("%-32s |t| ≥ %.1f in every attempt\n", candidate.name, least);
  return true;
}

/// The careless comparison: stops at the first word that differs.
[[gnu::noinline]] auto equal_so_far(const std::vector<std::uint32_t>& a,
                                    const std::vector<std::uint32_t>& b) -> bool {
  for (std::size_t at = 0; at < a.size(); ++at) {
    if (a[at] != b[at]) return false;
  }
  return true;
}

auto all() -> int {
  SeededRandom chance(1, "classes");
  SeededRandom order(2, "order");
  const PrimeField& field = fields_of(Suite::s30)[0];
  const std::size_t degree = field.degree;
  volatile std::uint32_t sink = 0;

  // Sealing one polynomial: key, values and errors are the secret.
  std::vector<std::uint32_t> expanded(degree), block(degree), key(degree);
  for (std::uint32_t& word : expanded) word = static_cast<std::uint32_t>(chance.below(field.q));
  std::vector<Factor> prepared(degree);
  std::vector<std::int32_t> values(degree);
  Bytes errors(error_bytes(8, degree)), packed(packed_size(field, degree));
  const auto prepare_seal = [&](bool random) {
    chance.fill(errors);
    for (std::size_t k = 0; k < degree; ++k) {
      const auto word = static_cast<std::uint32_t>(chance.below(field.q));
      const auto value = static_cast<std::int32_t>(chance.below(65535)) - 32767;
      key[k] = random ? word : 0;
      values[k] = random ? value : 0;
    }
    if (!random) std::fill(errors.begin(), errors.end(), std::uint8_t{0});
    block = expanded;
  };
  const auto run_seal = [&] {
    prepare_key(field, key, prepared);
    multiply_by_key(field, block, 1, prepared);
    kernels().add_and_pack(field, block.data(), degree, {values.data(), errors.data(), 8, 1638},
                           packed.data());
  };

  // Testing a share against a challenge row.
  std::vector<std::uint32_t> share(degree);
  const auto prepare_share = [&](bool random) {
    for (std::uint32_t& word : share) {
      const auto drawn = static_cast<std::uint32_t>(chance.below(field.q));
      word = random ? drawn : field.q - 1;
    }
  };

  // Quantising an update: zeros, or values on both sides of the clip.
  std::vector<float> update(4096);
  const auto prepare_update = [&](bool random) {
    for (float& value : update) {
      const auto drawn = static_cast<float>(chance.unit() * 4 - 2);
      value = random ? drawn : 0.0F;
    }
  };
  const Quantisation rule{.clip = 1, .value_max = 32767, .weight_cap = 1024, .groups = {}};
  SeededRandom rounding(3, "rounding");

  // The control: comparing a share word by word, until one differs.
  const std::vector<std::uint32_t> wanted(degree, field.q - 1);

  const std::vector<Candidate> candidates{
      {"control: compare until different", prepare_share,
       [&] { sink = equal_so_far(wanted, share) ? 1U : 0U; }, true},
      {"seal one polynomial", prepare_seal, run_seal},
      {"inner_product", prepare_share, [&] { sink = inner_product(field, expanded, share); }},
      {"quantise", prepare_update,
       [&] { sink = static_cast<std::uint32_t>(quantise(update, 100, rule, rounding)->back()); }},
  };
  int failures = 0;
  std::printf("path %.*s, %zu measurements, up to %d attempts\n",
              static_cast<int>(isa_name(kernels().isa).size()), isa_name(kernels().isa).data(),
              measurements, attempts);
  for (const Candidate& candidate : candidates) {
    const bool tells = time_tells(candidate, order);
    if (tells == candidate.must_show) continue;
    std::printf("%s: %s\n", candidate.name,
                tells ? "time tells the classes apart" : "the control was not seen");
    ++failures;
  }
  return failures;
}

}  // namespace
}  // namespace consilium::sealing

auto main() -> int {
  return consilium::sealing::all() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
