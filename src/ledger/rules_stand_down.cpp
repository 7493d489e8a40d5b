// After a frozen set was aborted: who promises that it is never opened (sealing-spec §6.3, §8.2).

#include <algorithm>

#include "rules.hpp"

namespace consilium::ledger {
namespace {

/// Nothing of the family was ever opened, nor can be: every set that froze in it is struck.
auto is_forgotten(const Book& book, const Digest& name) -> bool {
  if (!book.families().at(name).opened.empty()) return false;
  return std::all_of(book.rounds().begin(), book.rounds().end(), [&name](const auto& entry) {
    const RoundRecord& round = entry.second;
    return family_of(round) != name || round.set.empty() || is_struck(round);
  });
}

auto need_aborted_set(const RoundRecord& round, const Digest& set_digest) -> Result<void> {
  const std::string place = place_of(round);
  if (round.state != RoundState::aborted || round.set.empty())
    return fail("wrong_state", place, "Only a set that froze and was aborted is given up.");
  if (set_digest != round.set_digest)
    return fail("stale_context", place, "This is not the set that froze.");
  return {};
}

}  // namespace

auto judge(const Context& context, const StandDown& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  CONSILIUM_CHECK(need_aborted_set(*round, body.set_digest));
  if (round->policy.delivery != sealing::Delivery::shares)
    return fail("wrong_state", place, "Without a committee the set's members say not_sent.");
  if (contains(round->stood_down, context.sender.id))
    return fail("duplicate", place, "This miner has stood down.");
  return [id = round->id, sender = context.sender.id](Book& changed) {
    insert_sorted(changed.round(id).stood_down, sender);
    const RoundRecord& now = changed.rounds().at(id);
    const Digest name = family_of(now);
    // A cut that binds nothing any more is let go, so that others than the first U may go on. What
    // miners have in their own logs they strike out by themselves, from the same stand-downs.
    if (is_struck(now) && changed.families().contains(name) && is_forgotten(changed, name))
      changed.erase_family(name);
  };
}

auto judge(const Context& context, const NotSent& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_aborted_set(*round, body.set_digest));
  if (round->policy.delivery != sealing::Delivery::masked_keys)
    return fail("wrong_state", place, "Keys are sent in delivery C only; miners stand down.");
  const HospitalId sender = context.sender.id;
  if (!in_set(*round, sender))
    return fail("not_permitted", place, "Only a member of the set can have sent for it.");
  if (round->masked_keys.contains(sender))
    return fail("conflicting_message", place, "This hospital's key for the set is on the ledger.");
  if (contains(round->not_sent, sender))
    return fail("duplicate", place, "This hospital has said so.");
  return [id = round->id, sender](Book& changed) {
    insert_sorted(changed.round(id).not_sent, sender);
  };
}

}  // namespace consilium::ledger
