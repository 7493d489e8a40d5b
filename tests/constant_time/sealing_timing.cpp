// Does time tell a fixed secret from random ones? Two classes of input are timed in random order,
// and Welch's t-test says whether their means differ (Reparaz, Balasch and Verbauwhede, "dude, is
// my code constant time?", 2017). A statistic, hence no proof; what valgrind cannot see – a
// division, a multiplication that ends early – may show here.
//
// Robust to a noisy machine: the slow tail is cropped at several places before comparing, and only
// a difference that shows in every one of several attempts counts.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <type_traits>
#include <vector>

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

/// One work space, filled with a fixed word or with drawn ones by masks alone: the branch predictor
/// and the cache would remember which it was, and show it in what is timed next.
template <typename T>
class Input {
 public:
  Input(std::size_t count, T fixed)
      : fixed_(std::bit_cast<Bits>(fixed)), drawn_(count), work_(count) {}
  auto drawn() -> std::vector<T>& { return drawn_; }
  void choose(bool random) {
    volatile Bits chosen = static_cast<Bits>(-static_cast<int>(random));
    const Bits mask = chosen;
    for (std::size_t at = 0; at < work_.size(); ++at) {
      const Bits other = std::bit_cast<Bits>(drawn_[at]) ^ fixed_;
      work_[at] = std::bit_cast<T>(static_cast<Bits>(fixed_ ^ (other & mask)));
    }
  }
  auto work() -> std::vector<T>& { return work_; }

 private:
  using Bits = std::conditional_t<sizeof(T) == 1, std::uint8_t, std::uint32_t>;
  Bits fixed_;
  std::vector<T> drawn_, work_;
};

/// `prepare(random)` fills the work space that `run` then works on: both classes are read from the
/// same addresses.
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
      _mm_mfence();
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
  std::vector<std::uint32_t> expanded(degree), block(degree);
  for (std::uint32_t& word : expanded) word = static_cast<std::uint32_t>(chance.below(field.q));
  std::vector<Factor> prepared(degree);
  Bytes packed(packed_size(field, degree));
  Input<std::uint32_t> key(degree, 0);
  Input<std::int32_t> values(degree, 0);
  Input<std::uint8_t> errors(error_bytes(8, degree), 0);
  const auto prepare_seal = [&](bool random) {
    chance.fill(errors.drawn());
    for (std::uint32_t& word : key.drawn()) word = chance.u32() % field.q;
    for (std::int32_t& value : values.drawn()) {
      value = static_cast<std::int32_t>(chance.u32() % 65535U) - 32767;
    }
    key.choose(random);
    values.choose(random);
    errors.choose(random);
    block = expanded;
  };
  const auto run_seal = [&] {
    prepare_key(field, key.work(), prepared);
    multiply_by_key(field, block, 1, prepared);
    kernels().add_and_pack(field, block.data(), degree,
                           {values.work().data(), errors.work().data(), 8, 1638}, packed.data());
  };

  // Testing a share against a challenge row.
  Input<std::uint32_t> share(degree, field.q - 1);
  const auto prepare_share = [&](bool random) {
    for (std::uint32_t& word : share.drawn()) word = chance.u32() % field.q;
    share.choose(random);
  };

  // Quantising an update: zeros, or values on both sides of the clip.
  Input<float> update(4096, 0.0F);
  const auto prepare_update = [&](bool random) {
    for (float& value : update.drawn()) {
      value = static_cast<float>(chance.u32()) * 0x1p-30F - 2.0F;
    }
    update.choose(random);
  };
  const Quantisation rule{.clip = 1, .value_max = 32767, .weight_cap = 1024, .groups = {}};
  SeededRandom rounding(3, "rounding");

  // The control: comparing a share word by word, until one differs.
  const std::vector<std::uint32_t> wanted(degree, field.q - 1);

  const std::vector<Candidate> candidates{
      {"control: compare until different", prepare_share,
       [&] { sink = equal_so_far(wanted, share.work()) ? 1U : 0U; }, true},
      {"seal one polynomial", prepare_seal, run_seal},
      {"inner_product", prepare_share,
       [&] { sink = inner_product(field, expanded, share.work()); }},
      {"quantise", prepare_update,
       [&] {
         sink = static_cast<std::uint32_t>(quantise(update.work(), 100, rule, rounding)->back());
       }},
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
