#include "consilium/sealing/suite.hpp"

#include <algorithm>
#include <array>

namespace consilium::sealing {
namespace {

constexpr std::array<std::uint32_t, 1> s30_moduli{1073692673};
constexpr std::array<std::uint32_t, 1> s30_roots{42341};
constexpr std::array<std::uint32_t, 2> l48_moduli{16760833, 16736257};
constexpr std::array<std::uint32_t, 2> l48_roots{583, 13366};

constexpr std::array<std::uint32_t, 2> l60_moduli{1073692673, 1073668097};
constexpr std::array<std::uint32_t, 2> l60_roots{236231, 106172};

// Security with two honest hospitals and the best rows of 10⁷ (sealing-spec §3.1, lattice-estimator
// 27a581bb): S30 226 bits by gate count (MATZOV), core-SVP 202 classical; L48 143 and 117; L60
// about 244 and 220 (usvp only, without perfect hints).
const SuiteParameters s30{.suite = Suite::s30,
                          .name = "S30",
                          .ring_degree = 2048,
                          .moduli = s30_moduli,
                          .roots = s30_roots,
                          .error_eta = 8,
                          .residue_bits = 30,
                          .degree_rows = 6,
                          .value_cap = (1 << 15) - 1};
const SuiteParameters l48{.suite = Suite::l48,
                          .name = "L48",
                          .ring_degree = 2048,
                          .moduli = l48_moduli,
                          .roots = l48_roots,
                          .error_eta = 16,
                          .residue_bits = 24,
                          .degree_rows = 8,
                          .value_cap = (1 << 23) - 1};

const SuiteParameters l60{.suite = Suite::l60,
                          .name = "L60",
                          .ring_degree = 4096,
                          .moduli = l60_moduli,
                          .roots = l60_roots,
                          .error_eta = 16,
                          .residue_bits = 30,
                          .degree_rows = 6,
                          .value_cap = (1 << 23) - 1};

/// The sizes for which the formulas below were checked, one by one (§3.2).
auto hospitals_cap(Suite suite) -> std::uint32_t {
  return suite == Suite::s30 ? 64 : 1024;
}

/// ⌈√(n·η·(λ+1)·ln 2)⌉ with λ = 64, in integers so that every machine has the same bound.
auto error_bound(std::uint64_t hospitals, std::uint64_t eta) -> std::int64_t {
  constexpr std::uint64_t ln2_scaled = 2977044472;  // ⌈ln 2 · 2³²⌉
  const std::uint64_t square_scaled = hospitals * eta * 65 * ln2_scaled;
  std::uint64_t bound = 0;
  while ((bound * bound << 32U) < square_scaled) ++bound;
  return static_cast<std::int64_t>(bound);
}

}  // namespace

auto parameters_of(Suite suite) -> const SuiteParameters& {
  switch (suite) {
    case Suite::s30:
      return s30;
    case Suite::l48:
      return l48;
    case Suite::l60:
      return l60;
  }
  CONSILIUM_ENSURE(false && "a suite outside the list");
}

auto suite_from_id(std::uint8_t id) -> Result<Suite> {
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) {
    if (id == static_cast<std::uint8_t>(suite)) return suite;
  }
  return fail(
      "bad_suite", "suite " + std::to_string(id),
      "This program knows the suites 1 (S30) and 17 (L48); update it or correct the round.");
}

auto scale_of(Suite suite, std::uint32_t hospitals_max) -> Result<Scale> {
  const SuiteParameters& parameters = parameters_of(suite);
  if (hospitals_max == 0 || hospitals_max > hospitals_cap(suite)) {
    return fail("too_many_hospitals", parameters.name,
                "A round of this suite takes 1 to " + std::to_string(hospitals_cap(suite)) +
                    " hospitals; choose a larger suite.");
  }
  std::int64_t q = 1;
  for (const std::uint32_t prime : parameters.moduli) q *= prime;
  const std::int64_t twice = 2 * std::int64_t{hospitals_max};

  Scale scale;
  scale.error_bound = error_bound(hospitals_max, static_cast<std::uint64_t>(parameters.error_eta));
  scale.value_max = std::min(parameters.value_cap, (q / (2 * scale.error_bound + 1) - 1) / twice);
  if (scale.value_max < 1) {
    return fail(
        "too_many_hospitals", parameters.name,
        "The suite has no room for a value of 1 with so many hospitals; choose a larger one.");
  }
  scale.delta = q / (twice * scale.value_max + 1);
  // Opening is exact only so: neighbours are further apart than twice the error, and nothing wraps.
  CONSILIUM_ENSURE(2 * scale.error_bound + 1 <= scale.delta);
  CONSILIUM_ENSURE(2 * (hospitals_max * scale.value_max * scale.delta + scale.error_bound) < q);
  return scale;
}

auto committee_of(std::uint16_t miners) -> Committee {
  CONSILIUM_ENSURE(miners >= 1);
  const int faulty = (miners - 1) / 3;
  return {.miners = miners,
          .faulty_max = static_cast<std::uint16_t>(faulty),
          .threshold = static_cast<std::uint16_t>((miners + faulty) / 2 + 1)};
}

}  // namespace consilium::sealing
