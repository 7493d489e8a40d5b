// A transaction from a stranger: refused, or exactly the bytes its own encoder makes.

#include <algorithm>

#include "consilium/foundation/random.hpp"
#include "consilium/ledger/transaction.hpp"

#include "fuzz.hpp"

namespace consilium::fuzz {

using namespace ledger;  // NOLINT(google-build-using-namespace): this file is about nothing else

auto try_input(BytesView input) -> bool {
  const auto transaction = Transaction::decode(input);
  if (!transaction) return false;
  const auto again = transaction->encode();
  CONSILIUM_ENSURE(std::ranges::equal(again, input));
  CONSILIUM_ENSURE(!name_of(transaction->body).empty());
  return true;
}

auto seeds() -> std::vector<Bytes> {
  SeededRandom random(1, "consilium/fuzz/transaction");
  const auto key = sealing::SigningKey::make(random);
  const MemberInfo member{"cleveland", "Cleveland", MemberRole::hospital, key.verify_key(), {}};
  const std::vector<sealing::SetMember> set{{HospitalId{1}, {}}, {HospitalId{3}, {}}};
  OpenRound open;
  open.plan = {1, 2, 3};
  AlignmentRecord record;
  record.members = {HospitalId{1}, HospitalId{2}, HospitalId{3}};
  record.slots = record.members;
  Policy audited;
  audited.audit = AuditPolicy::data;
  const std::vector<Body> bodies{
      Propose{ProposeAdmit{member}},
      Propose{ProposeRemove{HospitalId{2}}},
      Propose{ProposePolicy{}},
      Propose{ProposeSchema{}},
      Vote{7, true},
      open,
      SubmitManifest{RoundId{1}, {}, 64},
      Attest{RoundId{1}, {HospitalId{1}, HospitalId{2}}},
      Complaint{RoundId{1}, HospitalId{2}, {9, 9}},
      Answer{RoundId{1}, MinerId{1}, {1}, {2}, {3}},
      Freeze{RoundId{1}, set, {}, {}},
      Ready{},
      PublishShare{},
      ResultAttest{},
      VoteCommit{},
      VoteReveal{},
      Decide{},
      ModelDigest{},
      Abort{},
      OpenAlignment{record},
      PublishAlignment{{}, 1, AlignKeys{}},
      PublishAlignment{{}, 1, AlignCommit{}},
      PublishAlignment{{}, 1, AlignAck{{HospitalId{1}}}},
      PublishAlignment{{}, 1, AlignFix{}},
      PublishAlignment{{}, 1, AlignAborted{"timeout", HospitalId{1}, HospitalId{2}}},
      PublishAlignment{{}, 1, AlignReceipt{}},
      CloseAlignment{},
      Propose{ProposePolicy{audited}},
      Propose{ProposeAudit{RoundId{1}}},
      StandDown{},
      AuditCall{RoundId{1}, {{3, 9}, 1}},
      AuditAnswer{},
      AuditFinding{RoundId{1}, sealing::AuditStep::data, {HospitalId{2}}},
      AuditConsent{},
      PublishKey{},
      NotSent{},
      Propose{ProposeUpgrade{2, Height{50}}},
      RotateKey{},
      RotateValidatorKey{},
      Challenge{RoundId{1}, HospitalId{2}, 3},
      Respond{RoundId{1}, HospitalId{2}, 3, {1, 2}, {{}, {}}},
      Tombstone{RoundId{1}},
      Propose{ProposeRelease{HospitalId{2}}},
      Evidence{key.verify_key(), {{{{1}, {}}, {{2}, {}}}}}};
  std::vector<Bytes> out;
  for (const auto& body : bodies) {
    Transaction transaction;
    transaction.sender = HospitalId{1};
    transaction.sequence = out.size() + 1;
    transaction.expiry = Height{100};
    transaction.body = body;
    out.push_back(sign_transaction(transaction, key).encode());
  }
  return out;
}

}  // namespace consilium::fuzz
