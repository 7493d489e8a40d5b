// Who belongs to the consortium, and by what policy and schema: more than two thirds of the
// hospitals decide, the target left out.

#include <algorithm>

#include "codec.hpp"
#include "rules.hpp"

namespace consilium::ledger {
namespace {

constexpr std::size_t open_proposals_max = 64;

template <typename... Kinds>
struct Overload : Kinds... {
  using Kinds::operator()...;
};
template <typename... Kinds>
Overload(Kinds...) -> Overload<Kinds...>;

auto place_of(std::uint64_t proposal) -> std::string {
  return "proposal " + std::to_string(proposal);
}

auto need_box_kind(const Book& book, const sealing::BoxPublicKey& key, std::string_view place)
    -> Result<void> {
  if (key.kind() == box_kind_of(book.policy())) return {};
  return fail("wrong_box_kind", place, "The policy asks for box keys of the other kind.");
}

auto need_new_member(const Book& book, const MemberInfo& info) -> Result<void> {
  CONSILIUM_CHECK(check_member_info(info));
  CONSILIUM_CHECK(need_box_kind(book, info.box_key, "member " + info.name));
  const std::string place = "member " + info.name;
  if (info.role != MemberRole::hospital)
    return fail("bad_members", place, "Only hospitals are admitted; a server stands in genesis.");
  for (const auto& [id, member] : book.members()) {
    if (member.active && member.info.name == info.name)
      return fail("name_taken", place, "Another member has this name: choose another one.");
    if (member.info.box_key == info.box_key)
      return fail("key_reuse", place, "A member had this key before: make a new identity.");
  }
  if (!is_new_key(book, info.key) || (info.validator_key && !is_new_key(book, *info.validator_key)))
    return fail("key_reuse", place, "A member had this key before: make a new identity.");
  if (book.hospitals().size() >= hospitals_max)
    return fail("too_many_hospitals", place, "A consortium has at most 64 hospitals.");
  return {};
}

auto electorate_without(const Book& book, const Propose& proposal) -> std::vector<HospitalId> {
  std::vector<HospitalId> out = book.hospitals();
  if (const auto* remove = std::get_if<ProposeRemove>(&proposal.what))
    std::erase(out, remove->member);
  if (const auto* release = std::get_if<ProposeRelease>(&proposal.what))
    std::erase(out, release->member);
  return out;
}

/// May the proposal take effect in the present state?
auto judge_effect(const Book& book, const Propose& proposal, std::string_view place)
    -> Result<void> {
  const bool audit = std::holds_alternative<ProposeAudit>(proposal.what);
  if (!audit) CONSILIUM_CHECK(need_no_running_round(book, place));
  return std::visit(Overload{
                        [&](const ProposeAdmit& admit) -> Result<void> {
                          CONSILIUM_CHECK(need_new_member(book, admit.member));
                          if (book.policy().topology == Topology::committee)
                            CONSILIUM_CHECK(need_fresh_base(book, place));
                          return {};
                        },
                        [&](const ProposeRemove&) -> Result<void> {
                          if (book.policy().topology == Topology::committee)
                            CONSILIUM_CHECK(need_fresh_base(book, place));
                          return {};
                        },
                        [&](const ProposePolicy& change) -> Result<void> {
                          // Other boxes need other keys, and these a fresh base.
                          if (change.policy.topology != book.policy().topology ||
                              change.policy.hybrid_boxes != book.policy().hybrid_boxes ||
                              change.policy.delivery != book.policy().delivery)
                            CONSILIUM_CHECK(need_fresh_base(book, place));
                          return {};
                        },
                        [](const ProposeSchema&) -> Result<void> { return {}; },
                        [](const ProposeAudit&) -> Result<void> { return {}; },
                        [](const ProposeUpgrade&) -> Result<void> { return {}; },
                        [](const ProposeRelease&) -> Result<void> { return {}; },
                    },
                    proposal.what);
}

auto judge_upgrade(const Context& context, const ProposeUpgrade& upgrade) -> Result<void> {
  constexpr std::uint64_t heights_ahead_max = 10'000'000;
  const auto bad = [](std::string_view sentence) {
    return fail("bad_upgrade", "propose", sentence);
  };
  const std::uint32_t present = context.book.app_version();
  if (upgrade.app_version == present && upgrade.height.value == 0) {
    if (context.book.pending_upgrade()) return {};
    return bad("No upgrade is pending that could be taken back.");
  }
  if (upgrade.app_version != present + 1)
    return bad("Versions follow one another: propose the one after the present.");
  if (upgrade.height <= context.height)
    return bad("Its height has come: propose a later one, for which everybody can be ready.");
  if (upgrade.height.value - context.height.value > heights_ahead_max)
    return bad("An upgrade is at most 10 000 000 heights ahead.");
  return {};
}

/// Is the proposal one that could ever take effect?
auto judge_content(const Context& context, const Propose& proposal) -> Result<void> {
  const Book& book = context.book;
  return std::visit(
      Overload{
          [&](const ProposeAdmit& admit) { return need_new_member(book, admit.member); },
          [&](const ProposeRemove& remove) -> Result<void> {
            const auto found = book.members().find(remove.member);
            if (found == book.members().end() || !found->second.active)
              return fail("unknown_member", "propose", "There is no such active member.");
            if (found->second.info.role != MemberRole::hospital)
              return fail("bad_members", "propose", "The server cannot be removed.");
            if (electorate_without(book, proposal).empty())
              return fail("bad_members", "propose", "The last hospital cannot be removed.");
            return {};
          },
          [&](const ProposePolicy& change) -> Result<void> {
            CONSILIUM_CHECK(check_policy(change.policy));
            const bool has_server =
                std::any_of(book.members().begin(), book.members().end(), [](const auto& member) {
                  return member.second.active && member.second.info.role == MemberRole::server;
                });
            if (change.policy.topology == Topology::central && !has_server)
              return fail("bad_policy", "propose", "Central needs a server, and there is none.");
            return {};
          },
          [](const ProposeSchema&) -> Result<void> { return {}; },
          [&](const ProposeAudit& audit) -> Result<void> {
            CONSILIUM_TRY(const RoundRecord* round, round_named(book, audit.round));
            return need_audit_choice(*round);
          },
          [&](const ProposeUpgrade& upgrade) { return judge_upgrade(context, upgrade); },
          [&](const ProposeRelease& release) -> Result<void> {
            if (is_withheld(book, release.member)) return {};
            return fail("not_withheld", "propose", "Nothing is withheld from this member.");
          },
      },
      proposal.what);
}

void take_effect(Book& book, const Propose& proposal, Height height) {
  const std::vector<HospitalId> before = book.committee();
  const sealing::Delivery delivery = book.policy().delivery;
  std::visit(Overload{
                 [&](const ProposeAdmit& admit) { book.add_member(admit.member, height); },
                 [&](const ProposeRemove& remove) { book.member(remove.member).active = false; },
                 [&](const ProposePolicy& change) { book.head().policy = change.policy; },
                 [&](const ProposeSchema& change) { book.head().schema = change.schema; },
                 [&](const ProposeAudit& audit) { begin_voted_audit(book, audit.round, height); },
                 [&](const ProposeUpgrade& upgrade) {
                   // The one that was pending is replaced, or taken back.
                   book.head().upgrade.reset();
                   if (upgrade.height.value != 0)
                     book.head().upgrade = Upgrade{upgrade.app_version, upgrade.height};
                 },
                 [&](const ProposeRelease& change) { release(book, change.member); },
             },
             proposal.what);
  // With another delivery others guard the sets, and their logs are empty, as a newcomer's would
  // be.
  if (book.committee() != before || book.policy().delivery != delivery)
    ++book.head().committee_epoch;
}

enum class Outcome : std::uint8_t { open, accepted, refused };

auto outcome_of(const Book& book, const Propose& proposal, const std::map<HospitalId, bool>& votes)
    -> Outcome {
  const std::vector<HospitalId> electorate = electorate_without(book, proposal);
  std::size_t yes = 0;
  std::size_t no = 0;
  for (const auto& [hospital, vote] : votes) {
    if (!contains(electorate, hospital)) continue;
    if (vote) {
      ++yes;
    } else {
      ++no;
    }
  }
  const std::size_t all = electorate.size();
  if (3 * yes > 2 * all) return Outcome::accepted;
  return 3 * (all - no) > 2 * all ? Outcome::open : Outcome::refused;
}

auto same_proposal(const Propose& a, const Propose& b) -> bool {
  Writer first;
  Writer second;
  put(first, a);
  put(second, b);
  return first.take() == second.take();
}

auto find_open(const Book& book, const Propose& body) -> const State::OpenProposal* {
  for (const auto& [id, open] : book.proposals()) {
    if (same_proposal(open.proposal, body)) return &open;
  }
  return nullptr;
}

}  // namespace

void open_proposal(Book& book, HospitalId by, const Propose& body, Height at, Height expiry) {
  if (find_open(book, body) != nullptr) return;
  State::OpenProposal proposal;
  proposal.id = ++book.head().last_proposal;
  proposal.by = by;
  proposal.proposal = body;
  proposal.at = at;
  proposal.expiry = expiry;
  book.add_proposal(std::move(proposal));
}

auto judge(const Context& context, const Propose& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_CHECK(need_hospital(context));
  CONSILIUM_CHECK(judge_content(context, body));
  if (book.proposals().size() >= open_proposals_max)
    return fail("too_many_proposals", "propose", "64 proposals are open: vote on them first.");
  if (const auto* open = find_open(book, body))
    return fail("duplicate", place_of(open->id), "The same proposal is open already: vote on it.");
  State::OpenProposal proposal;
  proposal.id = book.head().last_proposal + 1;
  proposal.by = context.sender.id;
  proposal.proposal = body;
  proposal.at = context.height;
  proposal.expiry = context.expiry;
  // Whoever is the target may ask for it, but has no vote.
  if (contains(electorate_without(book, body), context.sender.id))
    proposal.votes[context.sender.id] = true;
  const bool accepted = outcome_of(book, body, proposal.votes) == Outcome::accepted;
  if (accepted) CONSILIUM_CHECK(judge_effect(book, body, "propose"));
  return [proposal, accepted, height = context.height](Book& changed) {
    ++changed.head().last_proposal;
    if (accepted) {
      take_effect(changed, proposal.proposal, height);
    } else {
      changed.add_proposal(proposal);
    }
  };
}

auto judge(const Context& context, const Vote& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_CHECK(need_hospital(context));
  const auto found = book.proposals().find(body.proposal);
  const std::string place = place_of(body.proposal);
  if (found == book.proposals().end())
    return fail("unknown_proposal", place, "It is not open: decided, expired or never made.");
  const State::OpenProposal& proposal = found->second;
  if (!contains(electorate_without(book, proposal.proposal), context.sender.id))
    return fail("not_permitted", place, "Whoever a proposal is about has no vote on it.");
  if (proposal.votes.contains(context.sender.id))
    return fail("duplicate", place, "This hospital has voted on it.");
  std::map<HospitalId, bool> votes = proposal.votes;
  votes[context.sender.id] = body.yes;
  const Outcome outcome = outcome_of(book, proposal.proposal, votes);
  if (outcome == Outcome::accepted) {
    CONSILIUM_CHECK(judge_content(context, proposal.proposal));
    CONSILIUM_CHECK(judge_effect(book, proposal.proposal, place));
  }
  return [id = body.proposal, votes, outcome, height = context.height](Book& changed) {
    if (outcome == Outcome::open) {
      changed.proposal(id).votes = votes;
      return;
    }
    const Propose decided = changed.proposals().at(id).proposal;
    changed.erase_proposal(id);
    if (outcome == Outcome::accepted) take_effect(changed, decided, height);
  };
}

auto judge(const Context& context, const RotateBoxKey& body) -> Judged {
  const Book& book = context.book;
  const std::string place = "box key of " + context.sender.info.name;
  if (!contains(book.committee(), context.sender.id))
    return fail("not_permitted", place, "Only a member of the committee has boxes to open.");
  CONSILIUM_CHECK(sealing::check_box_key(body.key));
  CONSILIUM_CHECK(need_box_kind(book, body.key, place));
  for (const auto& [id, member] : book.members()) {
    if (member.info.box_key == body.key)
      return fail("key_reuse", place, "A member has this key: make a new one.");
  }
  CONSILIUM_CHECK(book.committee_may_change());
  return [sender = context.sender.id, key = body.key, height = context.height](Book& changed) {
    Member& member = changed.member(sender);
    member.info.box_key = key;
    member.box_since = height;
    ++changed.head().committee_epoch;
  };
}

void end_proposals(Book& book) {
  std::vector<std::uint64_t> expired;
  for (const auto& [id, proposal] : book.proposals()) {
    if (proposal.expiry <= book.height()) expired.push_back(id);
  }
  for (const std::uint64_t id : expired) book.erase_proposal(id);
}

}  // namespace consilium::ledger
