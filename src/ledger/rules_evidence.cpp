// A validator that signs two blocks at once could help to fork the chain. Two signatures prove it
// to everybody, so no judgement of people is needed to withhold its owner's rewards; whether it
// leaves is for the others to vote on.

#include <algorithm>

#include "consilium/ledger/engine_vote.hpp"

#include "rules.hpp"

namespace consilium::ledger {
namespace {

constexpr std::string_view place = "evidence";

/// Whose key it is, or was until not too long ago.
auto owner_of(const Context& context, const sealing::VerifyKey& key) -> Result<HospitalId> {
  const Book& book = context.book;
  for (const auto& [id, member] : book.members()) {
    if (member.info.validator_key == key) return id;
  }
  const auto former = book.former_keys().find(key);
  if (former == book.former_keys().end() || former->second.use != KeyUse::validator)
    return fail("unknown_validator", place, "No validator has or had this key.");
  if (context.height.value - former->second.replaced_at.value > evidence_heights)
    return fail("evidence_too_old", place,
                "This key was replaced too long ago to be held against.");
  return former->second.member;
}

/// Two votes that an honest validator never signs both. Gives their height.
auto judge_votes(const Book& book, const Evidence& body) -> Result<std::uint64_t> {
  CONSILIUM_TRY(const EngineVote first, EngineVote::decode(body.votes[0].sign_bytes));
  CONSILIUM_TRY(const EngineVote second, EngineVote::decode(body.votes[1].sign_bytes));
  const std::string chain = chain_name(book.genesis());
  if (first.chain != chain || second.chain != chain)
    return fail("wrong_chain", place, "A vote on another chain is no evidence on this one.");
  if (first.kind != second.kind || first.height != second.height || first.round != second.round)
    return fail("no_conflict", place, "Votes of different kinds, heights or rounds may differ.");
  if (first.block == second.block)
    return fail("no_conflict", place, "Both votes are for the same block.");
  return first.height;
}

}  // namespace

auto is_withheld(const State& state, HospitalId member) -> bool {
  const auto offence = state.offences().find(member);
  return offence != state.offences().end() && offence->second.withholding;
}

void release(Book& book, HospitalId id) {
  Offence& offence = book.offence(id);
  Member& member = book.member(id);
  member.credits += offence.withheld();
  member.credits_data += offence.withheld_data;
  member.credits_verify += offence.withheld_verify;
  member.credits_pack += offence.withheld_pack;
  offence.withheld_data = offence.withheld_verify = offence.withheld_pack = 0;
  offence.withholding = false;
}

auto judge(const Context& context, const Evidence& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_CHECK(need_hospital(context));
  CONSILIUM_TRY(const std::uint64_t engine_height, judge_votes(book, body));
  CONSILIUM_TRY(const HospitalId culprit, owner_of(context, body.validator));
  if (!book.members().at(culprit).active)
    return fail("unknown_member", place, "Whoever it is about has left the consortium.");
  // One at a time: so a member's record grows by one height for each release that was voted. And
  // each height once: what the council has forgiven stays forgiven.
  const auto known = book.offences().find(culprit);
  if (known != book.offences().end()) {
    const auto& judged = known->second.engine_heights;
    if (known->second.withholding ||
        std::binary_search(judged.begin(), judged.end(), engine_height))
      return fail("duplicate", place, "This member's double signing was judged already.");
  }
  for (const SignedVote& vote : body.votes)
    CONSILIUM_CHECK(sealing::verify_as_engine(body.validator, vote.sign_bytes, vote.signature));
  return [by = context.sender.id, culprit, engine_height, at = context.height](Book& changed) {
    Offence& offence = changed.offence(culprit);
    offence.at = at;
    offence.withholding = true;
    auto& judged = offence.engine_heights;
    judged.insert(std::upper_bound(judged.begin(), judged.end(), engine_height), engine_height);
    // The last hospital cannot leave.
    if (changed.hospitals().size() < 2) return;
    open_proposal(changed, by, Propose{ProposeRemove{culprit}}, at,
                  Height{at.value + evidence_heights});
  };
}

}  // namespace consilium::ledger
