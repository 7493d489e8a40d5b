#include "consilium/engine/validator_rule.hpp"

#include <algorithm>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::engine {

namespace {
constexpr std::size_t validators_max = 64;
/// The engine puts a change of its set into force two blocks after it was told.
constexpr std::uint64_t change_delay = 2;
}  // namespace

auto lowered_max(std::size_t validators) -> std::size_t {
  if (validators < 4) return 0;
  const std::size_t faulty = (validators - 1) / 3;
  std::size_t lowered = 0;
  while (lowered < faulty) {
    const std::size_t next = lowered + 1;
    const std::size_t total = static_cast<std::size_t>(full_power) * (validators - next) +
                              static_cast<std::size_t>(lowered_power) * next;
    if (3 * faulty * static_cast<std::size_t>(full_power) >= total) break;
    lowered = next;
  }
  return lowered;
}

auto address_of(const sealing::VerifyKey& key) -> ValidatorAddress {
  const Digest digest = sha256(key.bytes);
  ValidatorAddress address{};
  std::copy_n(digest.bytes.begin(), address.size(), address.begin());
  return address;
}

ValidatorRule::ValidatorRule(const std::map<HospitalId, sealing::VerifyKey>& first) {
  for (const auto& [id, key] : first) seats_[id] = Seat{key};
}

auto ValidatorRule::update(const std::map<HospitalId, sealing::VerifyKey>& wanted,
                           const std::vector<CommitVote>& last_commit, std::uint64_t engine_height,
                           bool counts) -> std::vector<ValidatorPower> {
  const auto before = powers();
  if (counts) {
    for (auto& [id, seat] : seats_) {
      const ValidatorAddress address = address_of(seat.key);
      const auto vote =
          std::find_if(last_commit.begin(), last_commit.end(),
                       [&](const CommitVote& cast) { return cast.validator == address; });
      if (vote == last_commit.end()) continue;  // it was no validator yet
      seat.misses = vote->signed_block ? 0 : std::min(seat.misses + 1, misses_max);
      if (seat.misses == 0) seat.lowered = false;
    }
  }
  if (changed_at_ == 0 || engine_height >= changed_at_ + change_delay) {
    if (step_towards(wanted)) changed_at_ = engine_height;
  }
  const std::size_t most = lowered_max(seats_.size());
  std::size_t lowered = 0;
  for (auto& [id, seat] : seats_) {
    seat.lowered = seat.lowered && lowered < most;
    lowered += seat.lowered ? 1U : 0U;
  }
  for (auto& [id, seat] : seats_) {
    if (seat.lowered || seat.misses < misses_max || lowered >= most) continue;
    seat.lowered = true;
    ++lowered;
  }
  const auto after = powers();
  std::vector<ValidatorPower> updates;
  for (const auto& now : after) {
    if (std::find(before.begin(), before.end(), now) == before.end()) updates.push_back(now);
  }
  for (const auto& old : before) {
    const bool stays = std::any_of(after.begin(), after.end(),
                                   [&](const ValidatorPower& now) { return now.key == old.key; });
    if (!stays) updates.push_back({old.key, 0});
  }
  return updates;
}

auto ValidatorRule::powers() const -> std::vector<ValidatorPower> {
  std::vector<ValidatorPower> out;
  for (const auto& [id, seat] : seats_) {
    out.push_back({seat.key, seat.lowered ? lowered_power : full_power});
  }
  return out;
}

auto ValidatorRule::absent() const -> std::vector<HospitalId> {
  std::vector<HospitalId> out;
  for (const auto& [id, seat] : seats_) {
    if (seat.misses == misses_max) out.push_back(id);
  }
  return out;
}

auto ValidatorRule::step_towards(const std::map<HospitalId, sealing::VerifyKey>& wanted) -> bool {
  const auto leaver = std::find_if(seats_.begin(), seats_.end(), [&](const auto& seat) {
    const auto still = wanted.find(seat.first);
    return still == wanted.end() || still->second != seat.second.key;
  });
  const auto joiner = std::find_if(wanted.begin(), wanted.end(),
                                   [&](const auto& wish) { return !seats_.contains(wish.first); });
  if (leaver != seats_.end()) {
    if (seats_.size() > 1) {
      seats_.erase(leaver);
      return true;
    }
    // The last seat is never taken away: without a validator no block would ever give it back. It
    // may change hands, or wait for another to join first.
    if (const auto renewed = wanted.find(leaver->first); renewed != wanted.end()) {
      leaver->second = Seat{renewed->second};
      return true;
    }
  }
  if (joiner == wanted.end() || seats_.size() >= validators_max) return false;
  seats_[joiner->first] = Seat{joiner->second};
  return true;
}

auto ValidatorRule::would_change(const std::map<HospitalId, sealing::VerifyKey>& wanted) const
    -> bool {
  ValidatorRule next = *this;
  return next.step_towards(wanted);
}

auto ValidatorRule::encode() const -> Bytes {
  Writer out;
  out.u64(changed_at_);
  out.list(seats_, [](Writer& w, const auto& seat) {
    w.u16(seat.first.value).fixed(seat.second.key.bytes);
    w.u32(seat.second.misses).boolean(seat.second.lowered);
  });
  return out.take();
}

auto ValidatorRule::decode(BytesView bytes) -> Result<ValidatorRule> {
  Reader in(bytes, "validators");
  ValidatorRule rule;
  rule.changed_at_ = in.u64();
  HospitalId last;
  const auto seats = in.list(validators_max, [&](Reader& r) {
    const HospitalId id{r.u16()};
    Seat seat;
    const Bytes key = r.fixed(seat.key.bytes.size());
    if (key.size() == seat.key.bytes.size())
      std::copy(key.begin(), key.end(), seat.key.bytes.begin());
    seat.misses = r.u32();
    seat.lowered = r.boolean();
    if (id.value <= last.value || seat.misses > misses_max) r.reject();
    last = id;
    return std::pair{id, seat};
  });
  CONSILIUM_CHECK(in.finish());
  rule.seats_.insert(seats.begin(), seats.end());
  return rule;
}

}  // namespace consilium::engine
