#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace consilium {

/// A number or text that names one kind of thing and cannot be passed for another kind.
template <typename Value, typename Tag>
struct Identity {
  Value value{};
  auto operator<=>(const Identity&) const = default;
};

/// A member's index in the consortium, 1..n, given at admission and never reused.
using HospitalId = Identity<std::uint16_t, struct HospitalTag>;
/// A miner's place in a committee, 1..M: the point α at which its shares are taken.
using MinerId = Identity<std::uint16_t, struct MinerTag>;
/// A round's number within its consortium, from 1.
using RoundId = Identity<std::uint64_t, struct RoundTag>;
/// A ledger height, from 1; 0 is genesis.
using Height = Identity<std::uint64_t, struct HeightTag>;
/// A case's pseudonym in its own hospital's case base, such as "H-0241". It never leaves that
/// hospital.
using CaseId = Identity<std::string, struct CaseTag>;

}  // namespace consilium

template <typename Value, typename Tag>
struct std::hash<consilium::Identity<Value, Tag>> {
  auto operator()(const consilium::Identity<Value, Tag>& id) const noexcept -> std::size_t {
    return std::hash<Value>{}(id.value);
  }
};
