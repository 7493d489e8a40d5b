// An opening that failed: the miners' words, the one audit, and how the round ends (sealing-spec
// §9.4).

#include <algorithm>

#include "rules.hpp"

namespace consilium::ledger {
namespace {

using sealing::AuditStep;

auto threshold_of(const RoundRecord& round) -> std::size_t {
  return sealing::committee_of(static_cast<std::uint16_t>(round.miners.size())).threshold;
}

/// The set counts as opened and the base stays, as after a vote: nobody's update is lost.
void end_unopened(RoundRecord& round, Height height) {
  round.state = RoundState::rolled_back;
  round.reason = round.blamed.empty() ? "residual_out_of_range" : "blamed";
  round.closed_at = height;
}

auto step_of(RoundRecord& round) -> AuditRecord::Step& {
  return round.audit->steps.at(static_cast<std::size_t>(round.audit->step) - 1);
}

auto need_running_step(const RoundRecord& round, AuditStep step) -> Result<void> {
  const std::string place = place_of(round);
  if (round.state != RoundState::auditing)
    return fail("audit_refused", place,
                "No audit of this round is going on; there is one at most.");
  if (round.audit->waits_for_consent || round.audit->step != step)
    return fail("audit_refused", place, "This step of the audit is not going on.");
  return {};
}

/// The answers are all there, or the time for them is over: from here they are the same for all.
auto answers_stand(const Book& book, const RoundRecord& round) -> bool {
  return book.height() >= round.deadline ||
         round.audit->now().answers.size() == round.share_sums.size();
}

void begin_data_step(RoundRecord& round, Height height) {
  round.audit->waits_for_consent = false;
  round.audit->step = AuditStep::data;
  round.deadline = Height{height.value + round.policy.publish_heights};
}

}  // namespace

auto in_set(const RoundRecord& round, HospitalId hospital) -> bool {
  return std::any_of(round.set.begin(), round.set.end(),
                     [hospital](const auto& member) { return member.hospital == hospital; });
}

auto judge(const Context& context, const AuditCall& body) -> Judged {
  const Book& book = context.book;
  CONSILIUM_TRY(const RoundRecord* round, round_named(book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  if (round->audit)
    return fail("audit_refused", place, "This round was audited: once is all it may be.");
  if (round->state != RoundState::opening)
    return fail("wrong_state", place, "Only an opening can fail.");
  if (book.height() < round->deadline)
    return fail("too_early", place, "A share sum that opens the set may still be published.");
  if (round->policy.delivery == sealing::Delivery::shares &&
      round->share_sums.size() < threshold_of(*round))
    return fail("too_early", place, "Fewer share sums are published than an opening needs.");
  if (round->results.contains(context.sender.id))
    return fail("conflicting_message", place, "This miner has attested what the set opens to.");
  CONSILIUM_CHECK(sealing::check_failure(book.parameters_of(*round), body.failure));
  const auto share_sums = static_cast<std::uint16_t>(round->share_sums.size());
  const auto known = round->failure_words.find(context.sender.id);
  if (known != round->failure_words.end() && known->second.share_sums == share_sums) {
    if (known->second.failure == body.failure)
      return fail("duplicate", place, "This miner has said so.");
    return fail("equivocation", place, "Of the same share sums a miner says one thing.");
  }
  return [id = round->id, body, sender = context.sender.id, share_sums,
          height = context.height](Book& changed) {
    RoundRecord& now = changed.round(id);
    now.failure_words[sender] = FailureWord{body.failure, share_sums};
    // Words of fewer share sums than there are by now may have been overtaken.
    const auto equal =
        std::count_if(now.failure_words.begin(), now.failure_words.end(), [&](const auto& word) {
          return word.second.share_sums == share_sums && word.second.failure == body.failure;
        });
    if (static_cast<std::size_t>(equal) < threshold_of(now)) return;
    if (now.policy.audit == AuditPolicy::none) {
      end_unopened(now, height);
      return;
    }
    now.state = RoundState::auditing;
    now.deadline = Height{height.value + now.policy.publish_heights};
    now.audit.emplace();
    now.audit->failure = body.failure;
    now.audit->fixed_at = height;
  };
}

auto judge(const Context& context, const AuditAnswer& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  CONSILIUM_CHECK(need_running_step(*round, body.step));
  if (round->audit->fixed_at == context.height)
    return fail("too_early", place, "The positions are known when the block has ended.");
  if (context.book.height() >= round->deadline)
    return fail("late", place, "The time to answer is over.");
  if (!round->share_sums.contains(context.sender.id))
    return fail("not_permitted", place,
                "Answers are checked against the share sum: publish first.");
  if (body.positions != round->audit->positions.digest())
    return fail("audit_refused", place, "These are not the positions that the ledger picked.");
  const auto& answers = round->audit->now().answers;
  const auto known = answers.find(context.sender.id);
  if (known != answers.end()) {
    if (known->second == body.words) return fail("duplicate", place, "This answer is posted.");
    return fail("equivocation", place, "A miner answers a step once.");
  }
  return [id = round->id, sender = context.sender.id, words = body.words](Book& changed) {
    step_of(changed.round(id)).answers[sender] = words;
  };
}

auto judge(const Context& context, const AuditFinding& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_miner(context, *round));
  CONSILIUM_CHECK(need_running_step(*round, body.step));
  const AuditRecord::Step& step = round->audit->now();
  if (!answers_stand(context.book, *round) || step.answers.size() < threshold_of(*round))
    return fail("too_early", place, "Answers may still come, or are too few.");
  for (const HospitalId hospital : body.blamed) {
    if (!in_set(*round, hospital))
      return fail("not_permitted", place, "Only members of the set are audited.");
  }
  const auto known = step.findings.find(context.sender.id);
  if (known != step.findings.end()) {
    if (known->second == body.blamed) return fail("duplicate", place, "This finding is posted.");
    return fail("equivocation", place, "A miner finds once.");
  }
  return
      [id = round->id, body, sender = context.sender.id, height = context.height](Book& changed) {
        RoundRecord& now = changed.round(id);
        AuditRecord::Step& running = step_of(now);
        running.findings[sender] = body.blamed;
        const auto equal =
            std::count_if(running.findings.begin(), running.findings.end(),
                          [&](const auto& finding) { return finding.second == body.blamed; });
        if (static_cast<std::size_t>(equal) < threshold_of(now)) return;
        now.blamed = body.blamed;
        const bool may_go_on = now.audit->step == AuditStep::witness &&
                               now.policy.audit == AuditPolicy::data &&
                               now.open.purpose == sealing::Purpose::update;
        if (!now.blamed.empty() || !may_go_on) {
          end_unopened(now, height);
          return;
        }
        now.audit->waits_for_consent = true;
        now.deadline = Height{height.value + now.policy.judge_heights};
      };
}

auto need_audit_choice(const RoundRecord& round) -> Result<void> {
  if (round.state == RoundState::auditing && round.audit->waits_for_consent) return {};
  return fail("audit_refused", place_of(round),
              "Data is shown only of an update whose witnesses named nobody, under a policy that "
              "allows it, and once.");
}

void begin_voted_audit(Book& book, RoundId id, Height height) {
  begin_data_step(book.round(id), height);
}

auto judge(const Context& context, const AuditConsent& body) -> Judged {
  CONSILIUM_TRY(const RoundRecord* round, round_named(context.book, body.round));
  const std::string place = place_of(*round);
  CONSILIUM_CHECK(need_audit_choice(*round));
  if (!in_set(*round, context.sender.id))
    return fail("not_permitted", place, "Only members of the set have a choice.");
  if (contains(round->audit->consents, context.sender.id))
    return fail("duplicate", place, "This member has consented.");
  return [id = round->id, sender = context.sender.id, height = context.height](Book& changed) {
    RoundRecord& now = changed.round(id);
    insert_sorted(now.audit->consents, sender);
    if (now.audit->consents.size() == now.set.size()) begin_data_step(now, height);
  };
}

auto judge_end_of_audit(const Book& book, const RoundRecord& round) -> Judged {
  // Time for answers, then the same time again for findings; the choice has its own.
  const std::uint64_t more = round.audit->waits_for_consent ? 0 : round.policy.publish_heights;
  if (book.height().value < round.deadline.value + more)
    return fail("too_early", place_of(round), "The audit may still end by itself.");
  return [id = round.id, height = book.next_height()](Book& changed) {
    end_unopened(changed.round(id), height);
  };
}

void pick_audit_positions(Book& book, RoundId id, const Digest& block_hash) {
  RoundRecord& round = book.round(id);
  auto positions =
      sealing::audit_positions(book.parameters_of(round), block_hash, round.audit->failure);
  CONSILIUM_ENSURE(positions.has_value());  // the failure was checked when it was said
  round.audit->positions = std::move(*positions);
}

}  // namespace consilium::ledger
