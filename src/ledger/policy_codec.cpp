// The encoding of a policy: rules that few consortia change come last, each group behind a bit of
// the first byte.

#include "codec.hpp"

namespace consilium::ledger {
namespace {

/// Set in a byte or number before them when fields follow that are usually zero: what has none of
/// them is written as if there were none, and one value still has one encoding.
constexpr std::uint8_t budgets_follow = 0x80;
constexpr std::uint8_t box_rules_follow = 0x40;
constexpr std::uint8_t opening_rules_follow = 0x20;
constexpr std::uint8_t data_rules_follow = 0x10;
constexpr std::uint8_t blob_rules_follow = 0x08;
constexpr std::uint8_t credit_rules_follow = 0x04;
constexpr std::uint8_t all_follow = budgets_follow | box_rules_follow | opening_rules_follow |
                                    data_rules_follow | blob_rules_follow | credit_rules_follow;

auto has_budgets(const Policy& policy) -> bool {
  return policy.rho_budget_micro != decltype(policy.rho_budget_micro){};
}

/// Snapshots, clips by group, menus and askers' budgets: written when one of them is not the usual.
auto has_data_rules(const Policy& policy) -> bool {
  const Policy usual;
  return policy.snapshot_cases != usual.snapshot_cases ||
         policy.clip_floor_micro != usual.clip_floor_micro || policy.menus != usual.menus ||
         policy.rho_asker_micro != usual.rho_asker_micro;
}

auto has_box_rules(const Policy& policy) -> bool {
  const Policy usual;
  return policy.box_epoch_rounds != usual.box_epoch_rounds ||
         policy.hybrid_boxes != usual.hybrid_boxes;
}

auto has_blob_rules(const Policy& policy) -> bool {
  const Policy usual;
  return policy.challenge_heights != usual.challenge_heights ||
         policy.retention_heights != usual.retention_heights;
}

auto has_credit_rules(const Policy& policy) -> bool {
  return policy.credit_scale != CreditScale::root || policy.credit_epoch_rounds != 0 ||
         policy.decay_percent != 0;
}

auto has_opening_rules(const Policy& policy) -> bool {
  return policy.audit != AuditPolicy::none || policy.delivery != sealing::Delivery::shares;
}

}  // namespace

void get(Reader& in, Policy& policy) {
  const std::uint8_t first = in.u8();
  const bool budgets = (first & budgets_follow) != 0;
  const bool box_rules = (first & box_rules_follow) != 0;
  const bool data_rules = (first & data_rules_follow) != 0;
  const bool opening_rules = (first & opening_rules_follow) != 0;
  const bool blob_rules = (first & blob_rules_follow) != 0;
  const bool credit_rules = (first & credit_rules_follow) != 0;
  const auto topology = static_cast<std::uint8_t>(first & ~all_follow);
  if (topology < 1 || topology > 2) in.reject();
  policy.topology = static_cast<Topology>(topology);
  policy.honest_min = in.u16();
  policy.colluders = in.u16();
  policy.seal_heights = in.u32();
  policy.attest_heights = in.u32();
  policy.ready_heights = in.u32();
  policy.publish_heights = in.u32();
  policy.judge_heights = in.u32();
  policy.weight_cap = in.u64();
  policy.clip_micro = in.u32();
  policy.small_cell = in.u32();
  policy.cases_max = in.u64();
  policy.align_threshold = in.u16();
  policy.allow_k2 = in.boolean();
  policy.align_cap = in.u64();
  policy.sessions_a_year = in.u32();
  policy.round_pool = in.u32();
  policy.data_percent = in.u16();
  policy.verify_percent = in.u16();
  policy.pack_percent = in.u16();
  if (budgets) {
    for (auto& budget : policy.rho_budget_micro) budget = in.u64();
    if (!has_budgets(policy)) in.reject();
  }
  if (box_rules) {
    policy.box_epoch_rounds = in.u32();
    policy.hybrid_boxes = in.boolean();
    if (!has_box_rules(policy)) in.reject();
  }
  if (data_rules) {
    policy.snapshot_cases = in.u32();
    policy.clip_floor_micro = in.u32();
    for (auto& menu : policy.menus) menu = in.digest();
    for (auto& budget : policy.rho_asker_micro) budget = in.u64();
    if (!has_data_rules(policy)) in.reject();
  }
  if (opening_rules) {
    const std::uint8_t audit = in.u8();
    const std::uint8_t delivery = in.u8();
    if (audit > 2 || delivery > 1) in.reject();
    policy.audit = static_cast<AuditPolicy>(audit);
    policy.delivery = static_cast<sealing::Delivery>(delivery);
    if (!has_opening_rules(policy)) in.reject();
  }
  if (blob_rules) {
    policy.challenge_heights = in.u32();
    policy.retention_heights = in.u32();
    if (!has_blob_rules(policy)) in.reject();
  }
  if (credit_rules) {
    const std::uint8_t scale = in.u8();
    if (scale > 1) in.reject();
    policy.credit_scale = static_cast<CreditScale>(scale);
    policy.credit_epoch_rounds = in.u32();
    policy.decay_percent = in.u16();
    if (!has_credit_rules(policy)) in.reject();
  }
}

void put(Writer& out, const Policy& policy) {
  const auto topology = static_cast<std::uint8_t>(policy.topology);
  const bool budgets = has_budgets(policy);
  const bool box_rules = has_box_rules(policy);
  const bool data_rules = has_data_rules(policy);
  const bool opening_rules = has_opening_rules(policy);
  const bool blob_rules = has_blob_rules(policy);
  const bool credit_rules = has_credit_rules(policy);
  out.u8(static_cast<std::uint8_t>(
      topology | (budgets ? budgets_follow : 0U) | (box_rules ? box_rules_follow : 0U) |
      (data_rules ? data_rules_follow : 0U) | (opening_rules ? opening_rules_follow : 0U) |
      (blob_rules ? blob_rules_follow : 0U) | (credit_rules ? credit_rules_follow : 0U)));
  out.u16(policy.honest_min).u16(policy.colluders);
  out.u32(policy.seal_heights).u32(policy.attest_heights).u32(policy.ready_heights);
  out.u32(policy.publish_heights).u32(policy.judge_heights);
  out.u64(policy.weight_cap).u32(policy.clip_micro).u32(policy.small_cell).u64(policy.cases_max);
  out.u16(policy.align_threshold).boolean(policy.allow_k2).u64(policy.align_cap);
  out.u32(policy.sessions_a_year).u32(policy.round_pool);
  out.u16(policy.data_percent).u16(policy.verify_percent).u16(policy.pack_percent);
  if (budgets) {
    for (const std::uint64_t budget : policy.rho_budget_micro) out.u64(budget);
  }
  if (box_rules) out.u32(policy.box_epoch_rounds).boolean(policy.hybrid_boxes);
  if (data_rules) {
    out.u32(policy.snapshot_cases).u32(policy.clip_floor_micro);
    for (const Digest& menu : policy.menus) out.digest(menu);
    for (const std::uint64_t budget : policy.rho_asker_micro) out.u64(budget);
  }
  if (opening_rules)
    out.u8(static_cast<std::uint8_t>(policy.audit)).u8(static_cast<std::uint8_t>(policy.delivery));
  if (blob_rules) out.u32(policy.challenge_heights).u32(policy.retention_heights);
  if (credit_rules) {
    out.u8(static_cast<std::uint8_t>(policy.credit_scale)).u32(policy.credit_epoch_rounds);
    out.u16(policy.decay_percent);
  }
}

}  // namespace consilium::ledger
