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

}  // namespace consilium::ledger
