// New signing keys of members. A key that was replaced is remembered for ever: a transaction of an
// old backup, or a thief's, must never be anybody's word again.

#include <algorithm>

#include "rules.hpp"

namespace consilium::ledger {
namespace {

/// Of one member: each is a leaf of the state for ever.
constexpr std::ptrdiff_t former_keys_max = 256;

auto judge_new_key(const Context& context, KeyUse use, const sealing::VerifyKey& key,
                   const sealing::Signature& possession) -> Result<void> {
  const Book& book = context.book;
  const HospitalId sender = context.sender.id;
  const std::string place = "key of " + context.sender.info.name;
  if (!is_new_key(book, key))
    return fail("key_reuse", place, "A member has or had this key: make a new one.");
  const auto& former = book.former_keys();
  const auto had = std::count_if(former.begin(), former.end(), [sender](const auto& entry) {
    return entry.second.member == sender;
  });
  if (had >= former_keys_max)
    return fail("too_many_keys", place,
                "A member changes its keys 256 times: be admitted again under a new identity.");
  const Digest message = new_key_digest(book.consortium(), sender, use, key);
  if (!sealing::verify(key, message.view(), possession))
    return fail("bad_possession", place,
                "The new key did not sign for this member and use: sign with the key's own file.");
  return {};
}

}  // namespace

auto is_new_key(const State& state, const sealing::VerifyKey& key) -> bool {
  if (state.former_keys().contains(key)) return false;
  return std::none_of(state.members().begin(), state.members().end(), [&key](const auto& entry) {
    const MemberInfo& info = entry.second.info;
    return info.key == key || info.validator_key == key;
  });
}

auto judge(const Context& context, const RotateKey& body) -> Judged {
  CONSILIUM_CHECK(judge_new_key(context, KeyUse::identity, body.key, body.possession));
  return [sender = context.sender.id, key = body.key, height = context.height](Book& changed) {
    Member& member = changed.member(sender);
    changed.add_former_key(member.info.key, {sender, KeyUse::identity, height});
    member.info.key = key;
  };
}

auto judge(const Context& context, const RotateValidatorKey& body) -> Judged {
  CONSILIUM_CHECK(need_hospital(context));
  CONSILIUM_CHECK(judge_new_key(context, KeyUse::validator, body.key, body.possession));
  return [sender = context.sender.id, key = body.key, height = context.height](Book& changed) {
    Member& member = changed.member(sender);
    if (member.info.validator_key)
      changed.add_former_key(*member.info.validator_key, {sender, KeyUse::validator, height});
    member.info.validator_key = key;
  };
}

}  // namespace consilium::ledger
