// What a round may ask, and what that costs: menus, askers' own questions, noise, clips by tensor
// group (sealing-spec §5, §10, §11).

#include <algorithm>

#include "consilium/sealing/privacy_account.hpp"

#include "rules.hpp"

namespace consilium::ledger {
namespace {

auto is_asked(sealing::Purpose purpose) -> bool {
  return purpose == sealing::Purpose::metrics || purpose == sealing::Purpose::council;
}

}  // namespace

auto purpose_index(const OpenRound& open) -> std::size_t {
  return static_cast<std::size_t>(open.purpose) - 1;
}

auto asked_index(const OpenRound& open) -> std::size_t {
  CONSILIUM_ENSURE(is_asked(open.purpose));
  return purpose_index(open) - 2;
}

auto is_own_question(const OpenRound& open) -> bool {
  return is_asked(open.purpose) && open.noise_sigma2 != 0;
}

auto judge_menu(const Book& book, const OpenRound& body) -> Result<void> {
  if (!is_asked(body.purpose) || is_own_question(body)) return {};
  // Two exact answers to questions that differ a little differ by single patients (attack 18). A
  // menu that everybody voted on, asked once an epoch with one set, leaves nothing to subtract.
  const Digest& menu = book.policy().menus.at(asked_index(body));
  if (menu == Digest{} || menu_digest(body.purpose, body.plan) != menu)
    return fail("not_the_menu", "open_round",
                "Without noise only the policy's menu of this purpose may be asked: vote on one, "
                "or ask with noise.");
  return {};
}

auto judge_clips(const Book& book, const OpenRound& body) -> Result<void> {
  const Policy& policy = book.policy();
  const bool by_group = body.purpose == sealing::Purpose::update && policy.clip_floor_micro != 0;
  const auto& clips = body.clips_micro;
  const auto stale = [] {
    return fail(
        "stale_context", "open_round",
        "Updates name a clip for each tensor group where the policy has a clip_floor_micro, "
        "between that and clip_micro, and clip_micro itself before the first model.");
  };
  if (clips.empty() == by_group) return stale();
  const std::uint32_t low = book.models().empty() ? policy.clip_micro : policy.clip_floor_micro;
  const bool fits = std::all_of(clips.begin(), clips.end(), [&](std::uint32_t clip) {
    return clip >= low && clip <= policy.clip_micro;
  });
  if (!fits) return stale();
  return {};
}

auto judge_noise(const Context& context, const OpenRound& body, sealing::Suite suite)
    -> Result<std::uint64_t> {
  const Policy& policy = context.book.policy();
  const std::uint64_t budget = policy.rho_budget_micro.at(purpose_index(body));
  if (body.noise_sigma2 == 0) {
    if (body.clip_l2 != 0)
      return fail("bad_noise", "open_round", "An L2 clip belongs to a round with noise.");
    if (budget != 0)
      return fail("noise_missing", "open_round",
                  "The policy sets a privacy budget: rounds of this purpose carry noise.");
    return 0;
  }
  if (body.unit != PrivacyUnit::hospital)
    return fail("unit_reserved", "open_round",
                "The unit of privacy is the hospital: that of the patient needs clipping per "
                "example, which no node does.");
  CONSILIUM_TRY(const auto scale, sealing::scale_of(suite, body.hospitals_max));
  const auto contents = body.purpose == sealing::Purpose::update
                            ? sealing::Contents::weighted_update
                            : sealing::Contents::counts;
  CONSILIUM_TRY(const auto noisy,
                sealing::noisy_round(body.noise_sigma2, body.clip_l2, body.length, scale.value_max,
                                     policy.honest_min, contents));
  const std::uint64_t limit = budget == 0 ? ~std::uint64_t{0} : budget;
  for (const HospitalId id : context.book.hospitals()) {
    const std::uint64_t spent =
        context.book.members().at(id).rho_spent_micro.at(purpose_index(body));
    CONSILIUM_CHECK(sealing::spend(spent, noisy.rho_micro, limit));
  }
  // The answers to one asker's questions add up at the asker, whoever's data they are about; a
  // policy without a budget for askers lets nobody ask.
  if (is_own_question(body)) {
    const std::size_t at = asked_index(body);
    CONSILIUM_CHECK(sealing::spend(context.sender.rho_asked_micro.at(at), noisy.rho_micro,
                                   policy.rho_asker_micro.at(at)));
  }
  return noisy.rho_micro;
}

}  // namespace consilium::ledger
