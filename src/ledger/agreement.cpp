// What a consortium may agree on: who a member can be, which policy and which first page hold
// water.

#include <algorithm>

#include "codec.hpp"

namespace consilium::ledger {
namespace {

/// UTF-8 as RFC 3629 has it, without control characters: titles are shown to people.
auto is_plain_text(std::string_view text) -> bool {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<std::uint8_t>(text[at]);
    if (first < 0x20 || first == 0x7f) return false;
    std::size_t more = 0;
    std::uint32_t point = first;
    if (first >= 0x80) {
      if (first >= 0xc2 && first <= 0xdf) more = 1;
      if (first >= 0xe0 && first <= 0xef) more = 2;
      if (first >= 0xf0 && first <= 0xf4) more = 3;
      if (more == 0 || at + more >= text.size()) return false;
      point = first & (0x3fU >> more);
    }
    for (std::size_t i = 1; i <= more; ++i) {
      const auto next = static_cast<std::uint8_t>(text[at + i]);
      if ((next & 0xc0U) != 0x80U) return false;
      point = (point << 6U) | (next & 0x3fU);
    }
    const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    const bool control = point >= 0x80 && point < 0xa0;
    if (overlong || surrogate || control || point > 0x10ffff) return false;
    at += more + 1;
  }
  return true;
}

auto is_member_name(std::string_view name) -> bool {
  return !name.empty() && name.size() <= name_bytes_max &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

}  // namespace

auto check_member_info(const MemberInfo& member) -> Result<void> {
  if (!is_member_name(member.name))
    return fail("bad_name", "member", "A member's name is 1 to 32 of a-z, 0-9 and '-'.");
  if (member.title.size() > title_bytes_max || !is_plain_text(member.title))
    return fail("bad_name", "member " + member.name,
                "A title is at most 64 bytes of plain UTF-8 text.");
  if (member.role != MemberRole::hospital && member.role != MemberRole::server)
    return fail("bad_name", "member " + member.name, "A member is a hospital or a server.");
  if (member.validator_key &&
      (member.role != MemberRole::hospital || *member.validator_key == member.key))
    return fail("bad_key", "member " + member.name,
                "A validator's key is a hospital's, and is not the key it signs with.");
  // A box to a point of small order could be opened by anybody.
  return sealing::check_box_key(member.box_key);
}

auto box_kind_of(const Policy& policy) -> sealing::BoxKind {
  return policy.hybrid_boxes ? sealing::BoxKind::hybrid : sealing::BoxKind::classical;
}

auto check_policy(const Policy& policy) -> Result<void> {
  constexpr std::uint64_t rho_budget_most_micro = 1'000'000'000;
  constexpr std::uint32_t cases_changed_max = 1'000'000;
  constexpr std::uint32_t heights_max = 1'000'000;
  const auto bad = [](std::string_view sentence) { return fail("bad_policy", "policy", sentence); };
  if (policy.topology != Topology::central && policy.topology != Topology::committee)
    return bad("The topology is central or committee.");
  if (policy.honest_min < 3 || policy.honest_min > hospitals_max)
    return bad("honest_min is at least 3: nothing smaller is ever opened.");
  if (policy.colluders > hospitals_max) return bad("colluders is at most 64.");
  for (const std::uint32_t heights :
       {policy.seal_heights, policy.attest_heights, policy.ready_heights, policy.publish_heights,
        policy.judge_heights}) {
    if (heights < 1 || heights > heights_max)
      return bad("Every deadline is 1 to 1 000 000 heights.");
  }
  if (policy.weight_cap < 1 || policy.weight_cap > (1U << 30U))
    return bad("weight_cap is 1 to 2^30 samples.");
  if (policy.clip_micro < 1) return bad("clip_micro is at least 1.");
  if (policy.align_threshold < 2 || policy.align_threshold > hospitals_max)
    return bad("align_threshold is 2 to 64 hospitals.");
  if (policy.align_threshold == 2 && !policy.allow_k2)
    return bad("align_threshold 2 needs allow_k2.");
  if (policy.align_cap < 1 || policy.align_cap > (1U << 28U))
    return bad("align_cap is 1 to 2^28 cells.");
  if (policy.sessions_a_year < 1 || policy.sessions_a_year > 10'000)
    return bad("sessions_a_year is 1 to 10 000.");
  if (policy.box_epoch_rounds > heights_max)
    return bad("box_epoch_rounds is at most 1 000 000 rounds.");
  if (policy.data_percent > 100 || policy.verify_percent > 100 || policy.pack_percent > 100 ||
      policy.data_percent + policy.verify_percent + policy.pack_percent != 100)
    return bad("The percents of data, verification and packing add up to 100.");
  if (policy.audit > AuditPolicy::data || policy.delivery > sealing::Delivery::masked_keys)
    return bad("Audit is none, witness or data; delivery is shares or masked keys.");
  if (policy.delivery == sealing::Delivery::masked_keys &&
      (policy.topology != Topology::central || policy.audit != AuditPolicy::none))
    return bad("Masked keys are delivered in central only, where nothing can be audited.");
  if (policy.delivery == sealing::Delivery::masked_keys && policy.hybrid_boxes)
    return bad("Masks are agreed under classical box keys: no hybrid ones with masked keys.");
  if (policy.credit_scale > CreditScale::digits)
    return bad("Credits for data grow with the root or the digits of what is claimed.");
  if (policy.decay_percent > 100 || policy.credit_epoch_rounds > heights_max ||
      (policy.decay_percent == 0) != (policy.credit_epoch_rounds == 0))
    return bad(
        "Credits decay by 1 to 100 percent after 1 to 1 000 000 rounds, or both numbers are 0.");
  for (const std::uint64_t budget : policy.rho_budget_micro) {
    if (budget > rho_budget_most_micro) return bad("A budget is at most 10^9 micro-rho.");
  }
  for (const std::uint64_t budget : policy.rho_asker_micro) {
    if (budget > rho_budget_most_micro) return bad("An asker's budget is at most 10^9 micro-rho.");
  }
  if (policy.snapshot_cases < 1 || policy.snapshot_cases > cases_changed_max)
    return bad("snapshot_cases is 1 to 1 000 000 cases.");
  if (policy.clip_floor_micro > policy.clip_micro)
    return bad("clip_floor_micro is at most clip_micro.");
  if (policy.challenge_heights > heights_max)
    return bad("challenge_heights is at most 1 000 000 heights.");
  if (policy.retention_heights != 0 && policy.retention_heights < policy.challenge_heights)
    return bad("retention_heights is 0, or at least challenge_heights.");
  return {};
}

auto check_genesis(const Genesis& genesis) -> Result<void> {
  if (!is_member_name(genesis.name))
    return fail("bad_name", "genesis", "A consortium's name is 1 to 32 of a-z, 0-9 and '-'.");
  CONSILIUM_CHECK(check_policy(genesis.policy));
  CONSILIUM_CHECK(check_member_info(genesis.founder));
  for (const auto& server : genesis.servers) CONSILIUM_CHECK(check_member_info(server));
  if (genesis.founder.role != MemberRole::hospital)
    return fail("bad_members", "genesis", "The founder is a hospital.");
  const auto has_other_box = [&genesis](const MemberInfo& member) {
    return member.box_key.kind() != box_kind_of(genesis.policy);
  };
  if (has_other_box(genesis.founder) ||
      std::any_of(genesis.servers.begin(), genesis.servers.end(), has_other_box))
    return fail("wrong_box_kind", "genesis", "Box keys are of the kind that the policy asks for.");
  const std::size_t servers = genesis.policy.topology == Topology::central ? 1 : 0;
  if (genesis.servers.size() != servers)
    return fail("bad_members", "genesis", "Central needs exactly one server, committee has none.");
  for (const auto& server : genesis.servers) {
    if (server.role != MemberRole::server || server.name == genesis.founder.name ||
        server.key == genesis.founder.key || server.box_key == genesis.founder.box_key)
      return fail("bad_members", "genesis", "The server has the role server and keys of its own.");
  }
  return {};
}

}  // namespace consilium::ledger
