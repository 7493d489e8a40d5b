#include "quorum.hpp"

#include <algorithm>

#include "consilium/foundation/hash.hpp"

namespace consilium::simulator {
namespace {

// A round's patience, growing by half each time: with clocks that differ by a fifth, it is soon
// longer than what the network needs.
constexpr std::int64_t propose_ms = 120, vote_ms = 60, gossip_ms = 100, tick_ms = 100;
constexpr std::size_t mempool_max = 64;
constexpr std::size_t block_bytes_max = 1U << 20U;
/// A validator that is away gets its turn as rarely as its power says.
constexpr std::uint64_t lowered_turns = 100;

/// A liar may say more; no node listens.
constexpr std::size_t words_of_one_max = 4;

auto holds(const std::vector<Digest>& said, const Digest& block) -> bool {
  return std::find(said.begin(), said.end(), block) != said.end();
}

auto patience(std::int64_t ms, std::uint32_t round) -> std::int64_t {
  return ms + ms * std::min<std::int64_t>(round, 40) / 2;
}

}  // namespace

void EngineBlock::give_name() {
  Hasher hasher;
  hasher.add_u64(height)
      .add_u64(static_cast<std::uint64_t>(time_ms))
      .add(previous.view())
      .add(app_hash.view())
      .add_u64(proposer);
  hasher.add_u64(last_commit.size());
  for (const auto& vote : last_commit) {
    hasher.add_u64(vote.validator).add_u64(vote.height).add_u32(vote.round);
    hasher.add_u8(vote.precommit ? 1 : 0).add(vote.block.view());
  }
  for (const auto& transaction : transactions) {
    hasher.add_u64(transaction.size()).add(transaction);
  }
  name = hasher.finish();
}

Quorum::Quorum(std::size_t node, Memory& memory, engine::Application& application,
               const std::map<engine::ValidatorAddress, std::size_t>& addresses,
               const std::vector<engine::ValidatorAddress>& address_of, const Mutants& mutants,
               Surroundings& around)
    : node_(node),
      memory_(memory),
      application_(application),
      addresses_(addresses),
      address_of_(address_of),
      mutants_(mutants),
      around_(around),
      next_peer_(node) {}

void Quorum::start() {
  const auto info = application_.info();
  app_hash_ = info.app_hash;
  const std::uint64_t begin = memory_.first_height;
  if (info.height + 1 < begin) around_.stop("the application is older than the first block");
  for (std::uint64_t height = info.height + 1; height - begin < memory_.chain.size(); ++height) {
    execute(memory_.chain[height - begin]);
  }
  if (info.height >= begin + memory_.chain.size())
    around_.stop("the application is ahead of its engine");
  if (memory_.height != begin + memory_.chain.size() || mutants_.forgets_votes) {
    begin_height();
  } else {
    // Back in the middle of a height: what was signed stays signed, what was locked stays locked.
    for (const auto& block : {memory_.locked, memory_.valid}) {
      if (block) blocks_[block->name] = block;
    }
    const std::uint32_t at = memory_.round;
    if (memory_.own_proposal) note(*memory_.own_proposal);
    for (const auto& vote : memory_.signed_votes) note(vote);
    if (memory_.signed_votes.empty() && !memory_.own_proposal) {
      begin_round(at);
    } else {
      memory_.round = at;
      step_ = Step::propose;
      for (const auto& vote : memory_.signed_votes) {
        if (vote.round == at)
          step_ = std::max(step_, vote.precommit ? Step::precommit : Step::prevote);
      }
      around_.wake_in(patience(propose_ms, at), {Wait::propose, memory_.height, at});
      around_.wake_in(patience(vote_ms, at) * 2, {Wait::prevote, memory_.height, at});
    }
  }
  around_.wake_in(gossip_ms, {Wait::gossip, 0, 0});
  around_.wake_in(tick_ms, {Wait::tick, 0, 0});
  advance();
}

// --- who may what

auto Quorum::powers_at(std::uint64_t height) const -> const Powers& {
  return std::prev(memory_.powers.upper_bound(height))->second;
}

auto Quorum::total() const -> std::int64_t {
  std::int64_t sum = 0;
  for (const auto power : powers_at(memory_.height)) sum += power;
  return sum;
}

auto Quorum::is_quorum(std::int64_t power) const -> bool {
  return mutants_.small_quorum ? power * 2 >= total() : power * 3 > total() * 2;
}

auto Quorum::power(const Votes& votes, const Digest* for_this) const -> std::int64_t {
  const Powers& powers = powers_at(memory_.height);
  std::int64_t sum = 0;
  for (std::size_t at = 0; at < votes.size(); ++at) {
    if (for_this == nullptr ? !votes[at].empty() : holds(votes[at], *for_this)) sum += powers[at];
  }
  return sum;
}

auto Quorum::proposer(std::uint32_t round) const -> std::size_t {
  const Powers& powers = powers_at(memory_.height);
  const std::uint64_t turn = memory_.height + round;
  std::vector<std::size_t> full, lowered;
  for (std::size_t at = 0; at < powers.size(); ++at) {
    if (powers[at] > engine::lowered_power) full.push_back(at);
    if (powers[at] == engine::lowered_power) lowered.push_back(at);
  }
  if (full.empty() || (!lowered.empty() && turn % lowered_turns == 0))
    return lowered[turn / lowered_turns % lowered.size()];
  return full[turn % full.size()];
}

auto Quorum::signed_by_quorum(const std::vector<EngineVote>& votes, const EngineBlock& block) const
    -> bool {
  const Powers& powers = powers_at(block.height);
  std::int64_t all = 0, sum = 0;
  for (const auto power : powers) all += power;
  std::set<std::size_t> who;
  for (const auto& vote : votes) {
    if (!vote.precommit || vote.height != block.height || vote.block != block.name ||
        vote.round != votes.front().round || !who.insert(vote.validator).second)
      return false;
    sum += powers[vote.validator];
  }
  return mutants_.small_quorum ? sum * 2 >= all : sum * 3 > all * 2;
}

auto Quorum::last_name() const -> Digest {
  return memory_.chain.empty() ? Digest{} : memory_.chain.back().block->name;
}

/// What the engine itself looks at before it asks the application.
auto Quorum::is_well_formed(const EngineBlock& block) const -> bool {
  if (block.height != memory_.height || block.previous != last_name() ||
      block.app_hash != app_hash_)
    return false;
  if (memory_.chain.empty()) return block.last_commit.empty();
  return signed_by_quorum(block.last_commit, *memory_.chain.back().block);
}

auto Quorum::is_good(const BlockPointer& block) -> bool {
  const auto known = good_.find(block->name);
  if (known != good_.end()) return known->second;
  const bool good = is_well_formed(*block) &&
                    (mutants_.trusts_proposals ||
                     application_.process_proposal({block->height, block->transactions, {}}));
  good_[block->name] = good;
  return good;
}

auto Quorum::names_known() const -> std::vector<Digest> {
  std::vector<Digest> out;
  for (const auto& [name, block] : blocks_) out.push_back(name);
  return out;
}

// --- a height, its rounds

auto Quorum::round(std::uint32_t number) -> Round& {
  Round& out = rounds_[number];
  if (out.prevotes.empty()) {
    const std::size_t nodes = powers_at(memory_.height).size();
    out.prevotes.resize(nodes);
    out.precommits.resize(nodes);
  }
  return out;
}

void Quorum::begin_height() {
  memory_.height = memory_.first_height + memory_.chain.size();
  memory_.round = 0;
  memory_.signed_votes.clear();
  memory_.own_proposal.reset();
  memory_.locked_round = memory_.valid_round = -1;
  memory_.locked = memory_.valid = nullptr;
  rounds_.clear();
  blocks_.clear();
  good_.clear();
  step_ = Step::resting;
  begin_round(0);
}

void Quorum::begin_round(std::uint32_t number) {
  memory_.round = number;
  step_ = Step::resting;
  if (number == 0) {
    // Nobody proposes while nothing waits, but for the block that proves the last one's effect.
    const bool proof = !memory_.chain.empty() && memory_.chain.back().block->app_hash != app_hash_;
    if (mempool_.empty() && !proof) return;
  }
  step_ = Step::propose;
  around_.wake_in(patience(propose_ms, number), {Wait::propose, memory_.height, number});
  if (proposer(number) == node_ && powers_at(memory_.height)[node_] > 0) propose();
}

auto Quorum::block_of(std::vector<Bytes> transactions) const -> std::shared_ptr<EngineBlock> {
  auto block = std::make_shared<EngineBlock>();
  block->height = memory_.height;
  block->time_ms = around_.now_ms();
  block->previous = last_name();
  block->app_hash = app_hash_;
  block->proposer = node_;
  if (!memory_.chain.empty()) block->last_commit = memory_.chain.back().commit;
  block->transactions = std::move(transactions);
  block->give_name();
  return block;
}

void Quorum::propose() {
  EngineProposal proposal{memory_.round, memory_.valid_round, memory_.valid};
  if (!proposal.block) {
    proposal.block = block_of(application_.prepare_proposal(mempool_, block_bytes_max));
    proposal.valid_round = -1;
  }
  memory_.own_proposal = proposal;
  note(proposal);
  around_.send_all(proposal);
}

void Quorum::vote(bool precommit, const Digest& block) {
  step_ = precommit ? Step::precommit : Step::prevote;
  const EngineVote vote{node_, memory_.height, memory_.round, precommit, block};
  if (powers_at(memory_.height)[node_] == 0) return;
  // As a validator's key file does: nothing earlier, nothing other than what was signed before.
  for (const auto& before : memory_.signed_votes) {
    const bool later =
        before.round > vote.round || (before.round == vote.round && before.precommit && !precommit);
    if (later || (before.round == vote.round && before.precommit == precommit)) return;
  }
  memory_.signed_votes.push_back(vote);
  note(vote);
  around_.send_all(vote);
}

void Quorum::note(const EngineVote& vote) {
  if (vote.height != memory_.height) return;
  Round& at = round(vote.round);
  auto& said = (vote.precommit ? at.precommits : at.prevotes)[vote.validator];
  if (said.size() < words_of_one_max && !holds(said, vote.block)) said.push_back(vote.block);
}

void Quorum::note(const EngineProposal& proposal) {
  if (proposal.block->height != memory_.height) return;
  Round& at = round(proposal.round);
  const bool known =
      std::any_of(at.proposals.begin(), at.proposals.end(), [&](const EngineProposal& other) {
        return other.block->name == proposal.block->name &&
               other.valid_round == proposal.valid_round;
      });
  if (known || at.proposals.size() >= 2) return;
  at.proposals.push_back(proposal);
  blocks_[proposal.block->name] = proposal.block;
}

void Quorum::advance() {
  while (advance_once()) {
  }
}

/// Algorithm 1, rule by rule; true when one of them did something.
auto Quorum::advance_once() -> bool {
  const std::uint64_t height = memory_.height;
  const Digest none{};
  // 49: a block, from any round, that a quorum precommitted.
  for (auto& [number, at] : rounds_) {
    for (const auto& [name, block] : blocks_) {
      if (!is_quorum(power(at.precommits, &name))) continue;
      std::vector<EngineVote> commit;
      for (std::size_t who = 0; who < at.precommits.size(); ++who) {
        if (holds(at.precommits[who], name)) commit.push_back({who, height, number, true, name});
      }
      decide(block, std::move(commit));
      return true;
    }
  }
  // 55: more than a third is in a later round.
  for (auto it = rounds_.rbegin(); it != rounds_.rend() && it->first > memory_.round; ++it) {
    std::int64_t there = 0;
    const Powers& powers = powers_at(height);
    for (std::size_t who = 0; who < powers.size(); ++who) {
      if (!it->second.prevotes[who].empty() || !it->second.precommits[who].empty())
        there += powers[who];
    }
    if (there * 3 <= total()) continue;
    begin_round(it->first);
    return true;
  }
  const std::uint32_t number = memory_.round;
  if (step_ == Step::resting) {
    // Others found something to propose.
    Round& at = round(number);
    if (at.proposals.empty() && power(at.prevotes, nullptr) == 0) {
      if (number == 0 && mempool_.empty()) return false;
      if (number == 0) {
        begin_round(0);
        return step_ != Step::resting;
      }
      return false;
    }
    step_ = Step::propose;
    around_.wake_in(patience(propose_ms, number), {Wait::propose, height, number});
    return true;
  }
  Round& at = round(number);
  // 22, 28: the proposal of this round, fresh or carried over from an earlier one.
  if (step_ == Step::propose) {
    for (const auto& proposal : at.proposals) {
      const Digest& name = proposal.block->name;
      if (proposal.valid_round >= static_cast<std::int64_t>(number)) continue;
      const bool same = memory_.locked && memory_.locked->name == name;
      if (proposal.valid_round < 0) {
        const bool free = memory_.locked_round < 0 || same || mutants_.forgets_locks;
        vote(false, free && is_good(proposal.block) ? name : none);
        return true;
      }
      const auto earlier = round(static_cast<std::uint32_t>(proposal.valid_round)).prevotes;
      if (!is_quorum(power(earlier, &name))) continue;
      const bool free =
          memory_.locked_round <= proposal.valid_round || same || mutants_.forgets_locks;
      vote(false, free && is_good(proposal.block) ? name : none);
      return true;
    }
  }
  // 34
  if (step_ == Step::prevote && !at.prevote_timer && is_quorum(power(at.prevotes, nullptr))) {
    at.prevote_timer = true;
    around_.wake_in(patience(vote_ms, number), {Wait::prevote, height, number});
  }
  // 36
  if (step_ >= Step::prevote && !at.taken) {
    for (const auto& proposal : at.proposals) {
      const Digest& name = proposal.block->name;
      if (!is_quorum(power(at.prevotes, &name)) || !is_good(proposal.block)) continue;
      at.taken = true;
      memory_.valid = proposal.block;
      memory_.valid_round = number;
      if (step_ == Step::prevote) {
        memory_.locked = proposal.block;
        memory_.locked_round = number;
        vote(true, name);
      }
      return true;
    }
  }
  // 44
  if (step_ == Step::prevote && is_quorum(power(at.prevotes, &none))) {
    vote(true, none);
    return true;
  }
  // 47
  if (!at.precommit_timer && is_quorum(power(at.precommits, nullptr))) {
    at.precommit_timer = true;
    around_.wake_in(patience(vote_ms, number), {Wait::precommit, height, number});
  }
  return false;
}

void Quorum::decide(const BlockPointer& block, std::vector<EngineVote> commit) {
  if (block->app_hash != app_hash_ || block->previous != last_name())
    around_.stop("a block was decided that does not follow this node's chain");
  memory_.chain.push_back({block, std::move(commit)});
  execute(memory_.chain.back());
  begin_height();
}

void Quorum::execute(const Decided& decided) {
  const EngineBlock& block = *decided.block;
  std::vector<engine::CommitVote> votes;
  const std::uint64_t before = block.height - 1;
  if (before >= memory_.first_height) {
    const auto& seen = mutants_.counts_own_commits
                           ? memory_.chain[before - memory_.first_height].commit
                           : block.last_commit;
    const Powers& powers = powers_at(before);
    for (std::size_t who = 0; who < powers.size(); ++who) {
      if (powers[who] == 0) continue;
      const bool there = std::any_of(seen.begin(), seen.end(),
                                     [&](const EngineVote& vote) { return vote.validator == who; });
      votes.push_back({address_of_[who], there});
    }
  }
  auto done = application_.finalize_block({block.height, block.transactions, votes});
  if (!done) around_.stop("finalize_block: " + done.error().message());
  Powers next = powers_at(block.height + 1);
  for (const auto& update : done->validator_updates) {
    const auto who = addresses_.find(engine::address_of(update.key));
    CONSILIUM_ENSURE(who != addresses_.end());
    next[who->second] = update.power;
  }
  if (mutants_.lowers_everybody) {
    for (const auto& vote : votes) {
      auto& power = next[addresses_.at(vote.validator)];
      if (power > 0 && !vote.signed_block) power = engine::lowered_power;
    }
  }
  around_.finalized(block, *done, next);
  if (auto kept = application_.commit(); !kept) around_.stop("commit: " + kept.error().message());
  app_hash_ = done->app_hash;
  if (next != powers_at(block.height + 2)) memory_.powers[block.height + 2] = std::move(next);
  around_.committed(block);
  std::erase_if(mempool_, [&](const Bytes& waiting) {
    const bool packed = std::find(block.transactions.begin(), block.transactions.end(), waiting) !=
                        block.transactions.end();
    if (!packed && application_.check(waiting, true)) return false;
    known_.erase(sha256(waiting));
    return true;
  });
}

// --- talk

void Quorum::take(const Bytes& transaction) {
  if (known_.size() >= mempool_max || !known_.insert(sha256(transaction)).second) return;
  if (!application_.check(transaction, false)) {
    known_.erase(sha256(transaction));
    return;
  }
  mempool_.push_back(transaction);
}

auto Quorum::post(const Bytes& transaction) -> ledger::Verdict {
  const Digest name = sha256(transaction);
  if (known_.contains(name)) return {};
  if (known_.size() >= mempool_max)
    return fail("queue_full", "mempool", "Too much waits: send it again later.");
  CONSILIUM_CHECK(application_.check(transaction, false));
  known_.insert(name);
  mempool_.push_back(transaction);
  around_.send_all(Posted{transaction});
  advance();
  return {};
}

void Quorum::receive(std::size_t from, const Message& message) {
  const std::size_t nodes = powers_at(memory_.height).size();
  const auto knows = [&](const EngineVote& vote) {
    return vote.validator < nodes && vote.height == memory_.height;
  };
  if (const auto* posted = std::get_if<Posted>(&message)) {
    take(posted->transaction);
  } else if (const auto* proposal = std::get_if<EngineProposal>(&message)) {
    if (proposal->block->height == memory_.height && proposer(proposal->round) == from)
      note(*proposal);
  } else if (const auto* vote = std::get_if<EngineVote>(&message)) {
    if (knows(*vote)) note(*vote);
  } else if (const auto* gossip = std::get_if<Gossip>(&message)) {
    if (gossip->height < memory_.height && gossip->height >= memory_.first_height) {
      around_.send_one(from, memory_.chain[gossip->height - memory_.first_height]);
      return;
    }
    if (gossip->height != memory_.height) return;
    for (const auto& relayed : gossip->proposals) note(relayed);
    for (const auto& relayed : gossip->votes) {
      if (knows(relayed)) note(relayed);
    }
  } else if (const auto* decided = std::get_if<Decided>(&message)) {
    if (mutants_.never_catches_up || decided->block->height != memory_.height ||
        !signed_by_quorum(decided->commit, *decided->block))
      return;
    decide(decided->block, decided->commit);
    // And the next one, if there is one.
    around_.send_one(from, Gossip{memory_.height, {}, {}});
  }
  advance();
}

void Quorum::gossip() {
  const std::size_t nodes = powers_at(memory_.height).size();
  next_peer_ = (next_peer_ + 1) % nodes;
  if (next_peer_ == node_) next_peer_ = (next_peer_ + 1) % nodes;
  if (next_peer_ == node_) return;
  Gossip all{memory_.height, {}, {}};
  for (const auto& [number, at] : rounds_) {
    // A round that is long over matters when a block had votes in it: whoever is locked on it since
    // needs all of them again if its process was killed meanwhile.
    const bool empty = std::all_of(at.prevotes.begin(), at.prevotes.end(), [](const auto& said) {
      return said.empty() || said == std::vector<Digest>{Digest{}};
    });
    if (number + 2 < memory_.round && empty) continue;
    all.proposals.insert(all.proposals.end(), at.proposals.begin(), at.proposals.end());
    for (std::size_t who = 0; who < nodes; ++who) {
      for (const Digest& block : at.prevotes[who])
        all.votes.push_back({who, memory_.height, number, false, block});
      for (const Digest& block : at.precommits[who])
        all.votes.push_back({who, memory_.height, number, true, block});
    }
  }
  around_.send_one(next_peer_, std::move(all));
  for (const auto& transaction : mempool_) around_.send_one(next_peer_, Posted{transaction});
}

void Quorum::poll_tick() {
  if (auto tick = application_.due_tick()) (void)post(*tick);
}

void Quorum::wake(const Timer& timer) {
  const Digest none{};
  const bool now = timer.height == memory_.height && timer.round == memory_.round;
  switch (timer.what) {
    case Wait::propose:
      if (now && step_ == Step::propose) vote(false, none);
      break;
    case Wait::prevote:
      if (now && step_ == Step::prevote) vote(true, none);
      break;
    case Wait::precommit:
      if (now) begin_round(timer.round + 1);
      break;
    case Wait::gossip:
      gossip();
      around_.wake_in(gossip_ms, timer);
      break;
    case Wait::tick:
      poll_tick();
      around_.wake_in(tick_ms, timer);
      break;
  }
  advance();
}

}  // namespace consilium::simulator
