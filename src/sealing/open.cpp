// Anyone's side: put the sum of the keys together, open with it, and trust nothing until it is
// tested.

#include <algorithm>

#include "key_sharing.hpp"
#include "opener.hpp"

namespace consilium::sealing {
namespace {

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
  do {
    std::vector<const PublishedPoint*> through;
    for (const std::size_t at : chosen) through.push_back(&published[at]);
    CONSILIUM_TRY(const bool fits,
                  opener.fits_first_polynomial(interpolate(opener.layout(), through, 0)));
    if (fits) return through;
  } while (next_subset(chosen, published.size()));
  return std::vector<const PublishedPoint*>{};
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
  const std::vector<PublishedPoint> published = points_of(round, layout, share_sums);
  for (const auto& [miner, bytes] : share_sums) {
    const bool good = std::any_of(published.begin(), published.end(),
                                  [&](const auto& point) { return point.alpha == miner.value; });
    if (!good) agreed.bad.push_back(miner);
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
