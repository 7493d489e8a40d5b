// What hospitals say on a simulated chain: honest ones post one transaction after the other and
// wait for each; dishonest ones say anything that an enemy with their keys could.

#include <algorithm>

#include "chain_past.hpp"

namespace consilium::simulator {
namespace {
/// Proposals that nobody decides end so soon.
constexpr std::uint64_t expiry_heights = 12;
}  // namespace

auto ChainWorld::make(std::size_t signer, HospitalId sender, std::uint64_t sequence,
                      ledger::Body body) -> Bytes {
  return ledger::sign_transaction({truth_.consortium(),
                                   sender,
                                   sequence,
                                   Height{truth_.height().value + expiry_heights},
                                   std::move(body),
                                   {}},
                                  past_.keys[signer])
      .encode();
}

/// As the node itself knows it: its own ledger may be behind.
auto ChainWorld::sequence_of(const Node& node) const -> std::uint64_t {
  const std::uint64_t height =
      node.application ? node.application->progress().ledger_height.value : truth_.height().value;
  const auto known = std::prev(sequences_.upper_bound(height));
  const std::size_t at = node.id.value - 1U;
  return at < known->second.size() ? known->second[at] : 0;
}

auto ChainWorld::next_body(const Node& node) -> std::optional<ledger::Body> {
  for (const auto& [id, proposal] : truth_.proposals()) {
    const auto* remove = std::get_if<ledger::ProposeRemove>(&proposal.proposal.what);
    const bool about_me = remove != nullptr && remove->member == node.id;
    if (!about_me && !proposal.votes.contains(node.id))
      return ledger::Vote{id, chance_.below(5) != 0 || setup_.from_genesis};
  }
  for (std::size_t at = 0; at < setup_.hospitals; ++at) {
    if (truth_.member_by_name(past_.members[at].name) != nullptr) continue;
    return ledger::Propose{ledger::ProposeAdmit{past_.members[at]}};
  }
  // One leaves now and then, as far as those who lie stay few enough.
  const auto hospitals = truth_.hospitals();
  const std::size_t left = hospitals.size() - 1;
  if (left >= 4 && (left - 1) / 3 >= setup_.liars.size() && chance_.below(20) == 0)
    return ledger::Propose{ledger::ProposeRemove{hospitals[chance_.below(hospitals.size())]}};
  Digest schema;
  chance_.fill(schema.bytes);
  return ledger::Propose{ledger::ProposeSchema{schema}};
}

void ChainWorld::client(Node& node) {
  if (!node.quorum) return;
  std::erase_if(node.handed_in, [&](const Bytes& transaction) {
    const auto verdict = node.quorum->post(transaction);
    return !verdict && verdict.error().code != "queue_full";
  });
  const auto member = truth_.members().find(node.id);
  if (member == truth_.members().end() || !member->second.active) {
    node.client = {};
    node.last_word = false;
    return;
  }
  if (node.liar) {
    if (chance(setup_.climate.busy)) lie_as_hospital(node);
    return;
  }
  if (!node.client.transaction.empty()) {
    // It may have been lost with the mempool of a process that was killed; or it was too late.
    const auto verdict = node.quorum->post(node.client.transaction);
    if (verdict || verdict.error().code == "queue_full") return;
    if (included_.contains(node.client.name)) {
      // On the chain, while this node was down and could not say so.
      node.last_word = false;
    }
    node.client = {};
    return;
  }
  if (!node.last_word && !chance(stormy_ ? setup_.climate.busy : 0)) return;
  auto body = next_body(node);
  if (!body) return;
  Client next;
  next.transaction = make(node.number, node.id, sequence_of(node) + 1, std::move(*body));
  next.name = sha256(next.transaction);
  node.client = std::move(next);
  const auto verdict = node.quorum->post(node.client.transaction);
  note(verdict ? "posts" : "posts in vain", node.number, sequence_of(node) + 1);
  if (!verdict) {
    node.client = {};
  } else if (setup_.mutants.acknowledges_early && !node.client.transaction.empty()) {
    told_.push_back(node.client.name);
  }
}

void ChainWorld::lie_as_hospital(Node& node) {
  const std::uint64_t next = sequence_of(node) + 1;
  const auto propose = [&] {
    Digest schema;
    chance_.fill(schema.bytes);
    return ledger::Body{ledger::Propose{ledger::ProposeSchema{schema}}};
  };
  const auto to_all = [&](Bytes bytes) {
    const auto shared = std::make_shared<const Message>(Posted{std::move(bytes)});
    for (std::size_t to = 0; to < nodes_.size(); ++to) {
      if (to != node.number) deliver(node.number, to, shared);
    }
  };
  switch (chance_.below(7)) {
    case 0: {
      Bytes bytes = make(node.number, node.id, next, propose());
      if (chance_.below(3) == 0) {
        bytes.resize(chance_.below(bytes.size()));
      } else {
        bytes[chance_.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << chance_.below(8));
      }
      count(Fault::transaction_malformed, node.number);
      return to_all(std::move(bytes));
    }
    case 1:
      if (recent_.empty()) return;
      count(Fault::transaction_replayed, node.number);
      return to_all(recent_[chance_.below(recent_.size())]);
    case 2:
      count(Fault::transaction_out_of_sequence, node.number);
      return to_all(make(node.number, node.id, next + 2 + chance_.below(5), propose()));
    case 3: {
      const HospitalId victim{static_cast<std::uint16_t>(1 + chance_.below(nodes_.size()))};
      if (victim == node.id) return;
      count(Fault::transaction_wrongly_signed, node.number);
      const std::uint64_t sequence = sequence_of(nodes_[victim.value - 1U]) + 1;
      return to_all(make(node.number, victim, sequence, propose()));
    }
    case 4: {
      count(Fault::transaction_submitted_twice, node.number);
      const std::array<MessagePointer, 2> both{
          std::make_shared<const Message>(Posted{make(node.number, node.id, next, propose())}),
          std::make_shared<const Message>(Posted{make(node.number, node.id, next, propose())})};
      for (std::size_t to = 0; to < nodes_.size(); ++to) {
        if (to != node.number) deliver(node.number, to, both.at(to % 2));
      }
      return;
    }
    case 5:
      count(Fault::tick_forged, node.number);
      return to_all(engine::encode_tick(Height{truth_.height().value + chance_.below(3)}));
    default:
      // Even a liar's vote counts, and keeps proposals from expiring.
      if (auto body = next_body(node))
        (void)node.quorum->post(make(node.number, node.id, next, std::move(*body)));
  }
}

/// The chain promises nothing while more than f lie, and with fewer than four validators f is none.
auto ChainWorld::may_lie_in_consensus(const Node& node) const -> bool {
  if (!node.liar || !node.quorum) return false;
  std::size_t liars = 0;
  for (std::uint64_t height = node.quorum->height(); height <= node.quorum->height() + 2;
       ++height) {
    const Powers& powers = node.quorum->powers_at(height);
    const auto validators = static_cast<std::size_t>(
        std::count_if(powers.begin(), powers.end(), [](auto power) { return power > 0; }));
    liars = 0;
    for (const std::size_t liar : setup_.liars) liars += powers[liar] > 0 ? 1U : 0U;
    if (validators < 3 * liars + 1) return false;
  }
  return true;
}

void ChainWorld::propose_falsely(Node& node, const EngineProposal& honest) {
  const auto everybody = [&](const std::shared_ptr<EngineBlock>& block) {
    block->give_name();
    const auto shared =
        std::make_shared<const Message>(EngineProposal{honest.round, -1, BlockPointer(block)});
    for (std::size_t to = 0; to < nodes_.size(); ++to) {
      if (to != node.number) deliver(node.number, to, shared);
    }
  };
  const auto own = [&](std::uint64_t ahead) {
    Digest schema;
    chance_.fill(schema.bytes);
    return make(node.number, node.id, sequence_of(node) + 1 + ahead,
                ledger::Propose{ledger::ProposeSchema{schema}});
  };
  std::vector<Bytes> transactions = honest.block->transactions;
  switch (chance_.below(8)) {
    case 0:
      return count(Fault::proposal_withheld, node.number);
    case 1: {
      count(Fault::proposal_two_faced, node.number);
      transactions.assign({own(0)});
      const auto other = node.quorum->block_of(std::move(transactions));
      for (std::size_t to = 0; to < nodes_.size(); ++to) {
        if (to == node.number) continue;
        EngineProposal said = honest;
        if (chance_.below(2) == 0) said = {honest.round, -1, other};
        deliver(node.number, to, std::make_shared<const Message>(std::move(said)));
      }
      return;
    }
    case 2: {
      count(Fault::proposal_with_refused, node.number);
      Bytes bad = own(0);
      bad.back() ^= 1U;
      transactions.push_back(std::move(bad));
      return everybody(node.quorum->block_of(std::move(transactions)));
    }
    case 3:
      count(Fault::proposal_reordered, node.number);
      transactions.assign({own(1), own(0)});
      return everybody(node.quorum->block_of(std::move(transactions)));
    case 4:
      count(Fault::proposal_repeating, node.number);
      transactions.assign(2, recent_.empty() ? own(0) : recent_.back());
      return everybody(node.quorum->block_of(std::move(transactions)));
    case 5: {
      count(Fault::proposal_with_forged_tick, node.number);
      const Height next{truth_.height().value + 1};
      const Bytes tick = engine::encode_tick(next);
      transactions.assign({tick, chance_.below(2) == 0 ? tick : engine::encode_tick(Height{1})});
      return everybody(node.quorum->block_of(std::move(transactions)));
    }
    case 6: {
      count(Fault::proposal_with_wrong_app_hash, node.number);
      const auto block = node.quorum->block_of(std::move(transactions));
      block->app_hash.bytes[0] ^= 1U;
      return everybody(block);
    }
    default: {
      count(Fault::proposal_with_short_commit, node.number);
      const auto block = node.quorum->block_of(std::move(transactions));
      const std::size_t third = block->last_commit.size() / 3;
      block->last_commit.resize(third);
      return everybody(block);
    }
  }
}

void ChainWorld::vote_falsely(Node& node, const EngineVote& honest) {
  if (chance_.below(4) == 0) return count(Fault::vote_withheld, node.number);
  count(Fault::vote_two_faced, node.number);
  const auto known = node.quorum->names_known();
  for (std::size_t to = 0; to < nodes_.size(); ++to) {
    if (to == node.number) continue;
    EngineVote said = honest;
    const std::uint64_t which = chance_.below(known.size() + 2);
    if (which == 0) said.block = Digest{};
    if (which >= 2) said.block = known[which - 2];
    deliver(node.number, to, std::make_shared<const Message>(said));
  }
}

}  // namespace consilium::simulator
