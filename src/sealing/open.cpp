// Anyone's side: put the sum of the keys together, open with it, and trust nothing until it is
// tested.

#include <algorithm>

#include "key_sharing.hpp"
#include "opener.hpp"

namespace consilium::sealing {
namespace {

/// Up to this committee size a mismatch is resolved by trying every t of the share sums (§7.2),
/// which always finds the right one; the largest case is 11 of 16, 4 368 trials.
constexpr std::uint16_t subsets_up_to_miners = 16;

auto round_place(const RoundParameters& round) -> std::string {
  return "round " + std::to_string(round.round.value);
}

struct AgreedKey {
  std::vector<std::uint32_t> words;  ///< S
  std::vector<MinerId> bad;
};

/// Everyone in `published` against the polynomial through `through`.
auto off_polynomial(const BodyLayout& layout, std::span<const PublishedPoint> published,
                    std::span<const PublishedPoint* const> through) -> std::vector<MinerId> {
  std::vector<MinerId> off;
  for (const PublishedPoint& point : published) {
    const bool used = std::find(through.begin(), through.end(), &point) != through.end();
    if (!used && interpolate(layout, through, point.alpha) != point.words) {
      off.push_back(MinerId{point.alpha});
    }
  }
  return off;
}

/// The first t of the published points, in lexicographic order of subsets, that pass the residual
/// test.
auto subset_that_opens(Opener& opener, std::span<const PublishedPoint> published,
                       std::size_t threshold) -> Result<std::vector<const PublishedPoint*>> {
  std::vector<std::size_t> chosen(threshold);
  for (std::size_t at = 0; at < threshold; ++at) chosen[at] = at;
  for (;;) {
    std::vector<const PublishedPoint*> through;
    for (const std::size_t at : chosen) through.push_back(&published[at]);
    CONSILIUM_TRY(const bool fits,
                  opener.fits_first_polynomial(interpolate(opener.layout(), through, 0)));
    if (fits) return through;
    // Next subset: the rightmost index that can still move, and all behind it close up.
    std::size_t moving = threshold;
    while (moving > 0 && chosen[moving - 1] == published.size() - threshold + moving - 1) --moving;
    if (moving == 0) return std::vector<const PublishedPoint*>{};
    ++chosen[moving - 1];
    for (std::size_t at = moving; at < threshold; ++at) chosen[at] = chosen[at - 1] + 1;
  }
}

/// S from the share sums (§7.2). A malformed share sum counts as a wrong one.
auto agree_on_key(Opener& opener, const RoundParameters& round,
                  const std::map<MinerId, Bytes>& share_sums) -> Result<AgreedKey> {
  const BodyLayout& layout = opener.layout();
  const std::size_t threshold = round.committee.threshold;
  const auto none_agree = [&] {
    return fail("bad_share_sum", round_place(round),
                "No t of the share sums open this set; wait for another miner's, and keep these as "
                "evidence.");
  };
  if (share_sums.size() < threshold) {
    return fail("opening_stalled", round_place(round),
                std::to_string(share_sums.size()) + " share sums are published and " +
                    std::to_string(threshold) + " are needed; wait for the other miners.");
  }
  AgreedKey agreed;
  std::vector<PublishedPoint> published;
  for (const auto& [miner, bytes] : share_sums) {
    PublishedPoint point{.alpha = miner.value, .words = {}};
    point.words.resize(layout.fields().size() * layout.degree());
    bool good = miner.value >= 1 && miner.value <= round.committee.miners &&
                bytes.size() == layout.polynomial_size();
    for (std::size_t prime = 0; good && prime < layout.fields().size(); ++prime) {
      const auto words = std::span(point.words).subspan(prime * layout.degree(), layout.degree());
      good = unpack_prime(layout, prime, bytes, words).has_value();
    }
    if (good) {
      published.push_back(std::move(point));
    } else {
      agreed.bad.push_back(miner);
    }
  }
  if (published.size() < threshold) return none_agree();

  std::vector<const PublishedPoint*> through;
  for (std::size_t at = 0; at < threshold; ++at) through.push_back(&published[at]);
  std::vector<MinerId> off = off_polynomial(layout, published, through);
  if (!off.empty()) {
    if (round.committee.miners <= subsets_up_to_miners) {
      CONSILIUM_TRY(through, subset_that_opens(opener, published, threshold));
    } else {
      through = agreeing_points(layout, published, threshold);
    }
    if (through.empty()) return none_agree();
    off = off_polynomial(layout, published, through);
  }
  agreed.words = interpolate(layout, through, 0);
  agreed.bad.insert(agreed.bad.end(), off.begin(), off.end());
  std::sort(agreed.bad.begin(), agreed.bad.end());
  return agreed;
}

}  // namespace

auto open_sum(const RoundParameters& round, std::span<const BytesView> bodies,
              const std::map<MinerId, Bytes>& share_sums) -> Result<OpenedSum> {
  CONSILIUM_TRY(Opener opener, Opener::make(round, bodies));
  CONSILIUM_TRY(AgreedKey key, agree_on_key(opener, round, share_sums));
  CONSILIUM_TRY(OpenedSum opened, opener.open(key.words));
  opened.bad_share_sums = std::move(key.bad);
  return opened;
}

}  // namespace consilium::sealing
