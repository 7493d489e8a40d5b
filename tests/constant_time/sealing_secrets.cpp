// Does anything branch on a secret, or use one as an index? Run under valgrind (memcheck), which
// follows every bit that was marked and reports each jump and each address that depends on one
// (the idea is Adam Langley's ctgrind). Keys, errors, values, shares and masks are marked;
// what comes out of sealing is public and is unmarked there.
//
// Some decisions about secrets are public: the rejection of key words (suppressed in
// secrets.supp, by function), and one yes or no a call, such as "a value is too large". Every call
// below states how many of those it may make; a loop that branched on each word would make
// thousands.
//
// The environment variable CONSILIUM_ISA chooses the path; memcheck knows no AVX-512.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <valgrind/memcheck.h>

#include "consilium/sealing/quantise.hpp"
#include "consilium/sealing/sealed_sum.hpp"

#include "block_kernels.hpp"
#include "key_sharing.hpp"

namespace consilium::sealing {
namespace {

template <typename T>
void mark_secret(std::span<T> data) {
  (void)VALGRIND_MAKE_MEM_UNDEFINED(data.data(), data.size_bytes());
}
template <typename T>
void mark_public(std::span<T> data) {
  (void)VALGRIND_MAKE_MEM_DEFINED(data.data(), data.size_bytes());
}
void mark_public(Digest& digest) {
  mark_public(std::span<std::uint8_t>(digest.bytes));
}

/// Gives out bytes that valgrind watches.
class WatchedRandom final : public Random {
 public:
  explicit WatchedRandom(std::string_view label) : source_(1, label) {}
  void fill(std::span<std::uint8_t> out) override {
    source_.fill(out);
    mark_secret(out);
  }

 private:
  SeededRandom source_;
};

int failures = 0;

/// Runs `call` and compares what valgrind saw with what it may see.
template <typename Call>
void watch(std::string_view what, unsigned decisions, Call&& call) {
  const auto before = VALGRIND_COUNT_ERRORS;
  call();
  const auto seen = VALGRIND_COUNT_ERRORS - before;
  const bool good = seen <= decisions;
  std::printf("%-28.*s %3u of at most %u decisions%s\n", static_cast<int>(what.size()), what.data(),
              static_cast<unsigned>(seen), decisions, good ? "" : "   LEAKS");
  if (!good) ++failures;
}

/// The other way round: valgrind must see something, or it sees nothing at all.
template <typename Call>
void expect_seen(std::string_view what, Call&& call) {
  const auto before = VALGRIND_COUNT_ERRORS;
  call();
  const auto seen = VALGRIND_COUNT_ERRORS - before;
  std::printf("%-28.*s %3u seen%s\n", static_cast<int>(what.size()), what.data(),
              static_cast<unsigned>(seen), seen > 0 ? "" : "   NOT SEEN");
  if (seen == 0) ++failures;
}

auto make_round(Suite suite, std::vector<BoxKey>& keys) -> RoundParameters {
  RoundParameters p;
  p.stream = stream_id(p.consortium, Purpose::update, 0);
  p.round = RoundId{1};
  p.seed = round_seed(p.stream, p.round, p.base, Digest{{7}}, suite);
  p.suite = suite;
  p.hospitals_max = 4;
  // A whole block and a short one: both ways through every kernel.
  p.length = std::uint64_t{parameters_of(suite).ring_degree} * (lanes_max + 2);
  p.committee_epoch = 1;
  p.committee = committee_of(4);
  WatchedRandom random("box keys");
  for (int miner = 0; miner < 4; ++miner) {
    keys.push_back(BoxKey::make(random));
    BoxPublicKey shown = keys.back().public_key();
    mark_public(std::span<std::uint8_t>(shown.bytes));
    p.box_keys.push_back(shown);
  }
  return p;
}

/// Everything of a sealed vector but the openings goes to others.
void mark_public(Sealed& sealed) {
  mark_public(std::span(sealed.body));
  mark_public(std::span(sealed.lists));
  for (Bytes& box : sealed.boxes) mark_public(std::span(box));
  for (Digest* digest : {&sealed.manifest.body_root, &sealed.manifest.witness,
                         &sealed.manifest.body_blob, &sealed.manifest.lists}) {
    mark_public(*digest);
  }
}

void watch_round(Suite suite) {
  std::printf("-- %.*s, %.*s\n", static_cast<int>(parameters_of(suite).name.size()),
              parameters_of(suite).name.data(), static_cast<int>(isa_name(kernels().isa).size()),
              isa_name(kernels().isa).data());
  std::vector<BoxKey> keys;
  const RoundParameters round = make_round(suite, keys);
  const std::int64_t value_max = scale_of(suite, 4)->value_max;
  SeededRandom random(3, "values");
  std::vector<std::int64_t> values(round.length);
  for (std::int64_t& value : values) {
    value = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * value_max + 1))) -
            value_max;
  }
  mark_secret(std::span(values));
  WatchedRandom secrets("one-time keys");

  std::optional<Sealed> sealed;
  // Too large a value: asked once for the whole vector and once a block.
  watch("seal", 3, [&] { sealed = std::move(*seal(round, HospitalId{1}, values, secrets)); });
  mark_public(*sealed);
  const auto lists = *check_manifest(round, sealed->manifest, sealed->lists);

  // The openings are as secret as the key. D_m, compared byte by byte with what was published; the
  // degree test, once; a residue out of range, once a prime.
  for (ShareOpening& opening : sealed->openings) {
    for (SecretBytes* part : {&opening.share, &opening.masks, &opening.salt}) {
      mark_secret(part->expose());
    }
  }
  const auto primes = static_cast<unsigned>(parameters_of(suite).moduli.size());
  watch("check_published_share", 64 + primes, [&] {
    if (!check_published_share(round, sealed->manifest, lists, MinerId{2}, sealed->openings[1])) {
      std::puts("an honest share is refused");
      ++failures;
    }
  });
  // The same with the box before it: is this the miner's key, does it open, is the context right?
  watch("open_share", 160 + primes, [&] {
    if (!open_share(round, sealed->manifest, lists, MinerId{2}, sealed->boxes[1], keys[1])) {
      std::puts("an honest box is refused");
      ++failures;
    }
  });
  watch("sum_shares", primes * 2, [&] {
    const auto sum = sum_shares(round, std::span(sealed->openings).first(2));
    if (!sum) ++failures;
  });

  const BodyLayout layout = *BodyLayout::of(round);
  KeyWords key(layout.fields().size() * layout.degree());
  WordStream words(Digest{{9}});
  for (std::size_t prime = 0; prime < layout.fields().size(); ++prime) {
    words.residues(layout.fields()[prime],
                   key.expose().subspan(prime * layout.degree(), layout.degree()));
  }
  mark_secret(key.expose());
  WordStream coefficients(Digest{{10}});
  std::optional<SharingPolynomials> sharing;
  watch("sharing polynomials", 0,
        [&] { sharing.emplace(layout, round.committee.threshold, key, coefficients); });
  watch("share_at", 0, [&] { (void)sharing->share_at(3); });
  watch("response", 0, [&] { (void)sharing->response(Digest{{11}}); });
}

void watch_quantise() {
  SeededRandom random(4, "update");
  std::vector<float> update(5000);
  for (float& value : update) value = static_cast<float>(random.normal());
  update[17] = 40;  // one that is clipped
  mark_secret(std::span(update));
  WatchedRandom rounding("rounding");
  const Quantisation rule{.clip = 2, .value_max = 32767, .weight_cap = 1024, .groups = {}};
  // "Not a number", and the count of clipped values against the most that is sealed of it.
  watch("quantise", 3, [&] { (void)quantise(update, 200, rule, rounding); });
}

/// What a careless hand might write: out of line, so that nothing is folded away.
[[gnu::noinline]] auto leaks_by_branch(std::span<const std::uint32_t> words) -> std::uint32_t {
  std::uint32_t sum = 0;
  for (const std::uint32_t word : words) {
    if ((word & 1U) != 0) {
      asm volatile("" : "+r"(sum));
      sum += 3;
    }
  }
  return sum;
}
[[gnu::noinline]] auto leaks_by_index(std::span<const std::uint32_t> words) -> std::uint32_t {
  static const std::array<std::uint32_t, 256> table{1, 2, 3};
  std::uint32_t sum = 0;
  for (const std::uint32_t word : words) sum += table[word & 255U];
  return sum;
}

void watch_the_watcher() {
  std::vector<std::uint32_t> words(64);
  SeededRandom random(5, "words");
  for (std::uint32_t& word : words) word = random.u32();
  mark_secret(std::span(words));
  volatile std::uint32_t sink = 0;
  expect_seen("a branch on a secret", [&] { sink = leaks_by_branch(words); });
  expect_seen("an index from a secret", [&] { sink = leaks_by_index(words); });
  (void)sink;
}

auto watch_all() -> int {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("not under valgrind: nothing was watched");
    return 77;
  }
  const char* const wish = std::getenv("CONSILIUM_ISA");
  if (wish != nullptr && isa_name(kernels().isa) != wish) {
    std::printf("this machine has no %s under valgrind: nothing was watched\n", wish);
    return 77;
  }
  watch_the_watcher();
  for (const Suite suite : {Suite::s30, Suite::l48, Suite::l60}) watch_round(suite);
  watch_quantise();
  std::printf("%d failures\n", failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace consilium::sealing

auto main() -> int {
  return consilium::sealing::watch_all();
}
