#pragma once
// One canonical encoding for every value of the protocol, shared by transactions and by the leaves
// of the state.

#include "consilium/foundation/codec.hpp"
#include "consilium/ledger/ledger.hpp"

namespace consilium::ledger {

inline constexpr std::size_t name_bytes_max = 32;
inline constexpr std::size_t title_bytes_max = 64;

inline constexpr std::size_t transaction_bytes_max = 64U << 10U;
inline constexpr std::size_t hospitals_max = 64;

void put(Writer& out, HospitalId id);
void put(Writer& out, RoundId id);
void put(Writer& out, Height height);
void put(Writer& out, const MemberInfo& member);
void put(Writer& out, const Policy& policy);
void put(Writer& out, const Propose& body);
void put(Writer& out, const ProposeUpgrade& body);
void get(Reader& in, ProposeUpgrade& body);
void put(Writer& out, const ProposeRelease& body);
void get(Reader& in, ProposeRelease& body);
void put(Writer& out, const Evidence& body);
void get(Reader& in, Evidence& body);
void put(Writer& out, const Challenge& body);
void get(Reader& in, Challenge& body);
void put(Writer& out, const Respond& body);
void get(Reader& in, Respond& body);
void put(Writer& out, const Tombstone& body);
void get(Reader& in, Tombstone& body);
void put(Writer& out, const RotateKey& body);
void get(Reader& in, RotateKey& body);
void put(Writer& out, const RotateValidatorKey& body);
void get(Reader& in, RotateValidatorKey& body);
void put(Writer& out, const OpenRound& body);
void put(Writer& out, const SubmitManifest& body);
void put(Writer& out, const Answer& body);
void put(Writer& out, const ResultAttest& body);
void put(Writer& out, const AuditCall& body);
void put(Writer& out, const AlignmentRecord& record);
void put(Writer& out, const AlignCommit& body);
void put(Writer& out, const AlignReceipt& body);
void put(Writer& out, const std::vector<HospitalId>& ids);
void put(Writer& out, const std::vector<sealing::SetMember>& set);

void get(Reader& in, HospitalId& id);
void get(Reader& in, RoundId& id);
void get(Reader& in, Height& height);
void get(Reader& in, MemberInfo& member);
void get(Reader& in, Policy& policy);
void get(Reader& in, Propose& body);
void get(Reader& in, OpenRound& body);
void get(Reader& in, SubmitManifest& body);
void get(Reader& in, Answer& body);
void get(Reader& in, ResultAttest& body);
void get(Reader& in, AuditCall& body);
void get(Reader& in, AlignmentRecord& record);
void get(Reader& in, AlignCommit& body);
void get(Reader& in, AlignReceipt& body);
void get(Reader& in, std::vector<sealing::SetMember>& set);

/// As a leaf has it: an audit call of no round.
inline void put(Writer& out, const sealing::OpeningFailure& failure) {
  put(out, AuditCall{{}, failure});
}
inline void get(Reader& in, sealing::OpeningFailure& failure) {
  AuditCall call;
  get(in, call);
  failure = std::move(call.failure);
}

}  // namespace consilium::ledger
