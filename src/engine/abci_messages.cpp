#include "abci_messages.hpp"

#include "consilium/engine/abci_server.hpp"

#ifdef CONSILIUM_ABCI
#include "tendermint/abci/types.pb.h"
#endif

namespace consilium::engine {

auto verdict_text(const Error& error) -> std::string {
  return error.code + "\n" + error.place + "\n" + error.sentence;
}

auto verdict_of(std::string_view text) -> Error {
  const auto first = text.find('\n');
  const auto second = first == std::string_view::npos ? first : text.find('\n', first + 1);
  if (second == std::string_view::npos)
    return {"engine_refused", "the engine", std::string(text.substr(0, 200))};
  return {std::string(text.substr(0, first)),
          std::string(text.substr(first + 1, second - first - 1)),
          std::string(text.substr(second + 1))};
}

#ifndef CONSILIUM_ABCI

auto abci_available() -> bool {
  return false;
}

auto answer_abci(Application& /*application*/, BytesView /*request*/) -> Result<AbciAnswer> {
  return fail("engine_unavailable", "the driver cometbft",
              "This program was built without it: ./dev setup --chain, then build again.");
}

#else

auto abci_available() -> bool {
  return true;
}

namespace {

namespace abci = tendermint::abci;

/// Refused transactions: the engine keeps the number, people read the log.
constexpr std::uint32_t refused = 1;

auto bytes_of(const std::string& text) -> Bytes {
  return Bytes(text.begin(), text.end());
}
template <typename Range>
auto text_of(const Range& bytes) -> std::string {
  return std::string(bytes.begin(), bytes.end());
}

template <typename Repeated>
auto transactions_of(const Repeated& messages) -> std::vector<Bytes> {
  std::vector<Bytes> out;
  out.reserve(static_cast<std::size_t>(messages.size()));
  for (const auto& message : messages) out.push_back(bytes_of(message));
  return out;
}

auto commit_of(const abci::CommitInfo& commit) -> std::vector<CommitVote> {
  std::vector<CommitVote> out;
  for (const auto& vote : commit.votes()) {
    CommitVote cast;
    const auto& address = vote.validator().address();
    if (address.size() != cast.validator.size()) continue;
    std::copy(address.begin(), address.end(), cast.validator.begin());
    // A vote for no block is a sign of life, too.
    cast.signed_block = vote.block_id_flag() != tendermint::types::BLOCK_ID_FLAG_ABSENT &&
                        vote.block_id_flag() != tendermint::types::BLOCK_ID_FLAG_UNKNOWN;
    out.push_back(cast);
  }
  return out;
}

template <typename Message>
auto block_of(const Message& message, const abci::CommitInfo& commit) -> ProposedBlock {
  return {static_cast<std::uint64_t>(message.height()), transactions_of(message.txs()),
          commit_of(commit), message.misbehavior_size() > 0};
}

template <typename Updates>
void put_validators(Updates& updates, const std::vector<ValidatorPower>& validators) {
  for (const auto& validator : validators) {
    auto* update = updates.Add();
    update->mutable_pub_key()->set_ed25519(text_of(validator.key.bytes));
    update->set_power(validator.power);
  }
}

void answer_finalize(Application& application, const abci::RequestFinalizeBlock& request,
                     abci::Response& response, std::optional<Error>& fault) {
  auto done = application.finalize_block(block_of(request, request.decided_last_commit()));
  if (!done) {
    fault = done.error();
    return;
  }
  auto* out = response.mutable_finalize_block();
  for (const auto& verdict : done->verdicts) {
    auto* result = out->add_tx_results();
    if (verdict) continue;
    result->set_code(refused);
    result->set_codespace("consilium");
    result->set_log(verdict.error().code);
  }
  put_validators(*out->mutable_validator_updates(), done->validator_updates);
  out->set_app_hash(text_of(done->app_hash.bytes));
  if (done->app_version)
    out->mutable_consensus_param_updates()->mutable_version()->set_app(*done->app_version);
}

void answer_consensus(Application& application, const abci::Request& request,
                      abci::Response& response, std::optional<Error>& fault) {
  switch (request.value_case()) {
    case abci::Request::kInitChain: {
      const auto validators = application.init_chain(request.init_chain().app_state_bytes());
      if (!validators) {
        fault = validators.error();
        return;
      }
      put_validators(*response.mutable_init_chain()->mutable_validators(), *validators);
      return;
    }
    case abci::Request::kPrepareProposal: {
      const auto& asked = request.prepare_proposal();
      const auto room = static_cast<std::size_t>(std::max<std::int64_t>(0, asked.max_tx_bytes()));
      auto* out = response.mutable_prepare_proposal();
      for (const auto& bytes : application.prepare_proposal(transactions_of(asked.txs()), room))
        out->add_txs(text_of(bytes));
      return;
    }
    case abci::Request::kProcessProposal: {
      const auto& asked = request.process_proposal();
      const bool honest =
          application.process_proposal(block_of(asked, asked.proposed_last_commit()));
      response.mutable_process_proposal()->set_status(
          honest ? abci::ResponseProcessProposal::ACCEPT : abci::ResponseProcessProposal::REJECT);
      return;
    }
    case abci::Request::kFinalizeBlock:
      answer_finalize(application, request.finalize_block(), response, fault);
      return;
    default: {
      response.mutable_commit();
      if (const auto kept = application.commit(); !kept) fault = kept.error();
    }
  }
}

void answer_check(Application& application, const abci::RequestCheckTx& request,
                  abci::Response& response) {
  auto* out = response.mutable_check_tx();
  const auto verdict = application.check(as_bytes(request.tx()), request.type() == abci::RECHECK);
  if (verdict) return;
  out->set_code(refused);
  out->set_codespace("consilium");
  out->set_log(verdict_text(verdict.error()));
}

}  // namespace

auto answer_abci(Application& application, BytesView bytes) -> Result<AbciAnswer> {
  abci::Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail("bad_encoding", "the engine's request", "It is no ABCI message.");
  abci::Response response;
  AbciAnswer answer;
  switch (request.value_case()) {
    case abci::Request::kEcho:
      response.mutable_echo()->set_message(request.echo().message());
      break;
    case abci::Request::kFlush:
      response.mutable_flush();
      answer.flush = true;
      break;
    case abci::Request::kInfo: {
      const auto info = application.info();
      auto* out = response.mutable_info();
      out->set_data("consilium");
      out->set_app_version(info.app_version);
      out->set_last_block_height(static_cast<std::int64_t>(info.height));
      if (info.height > 0) out->set_last_block_app_hash(text_of(info.app_hash.bytes));
      break;
    }
    case abci::Request::kCheckTx:
      answer_check(application, request.check_tx(), response);
      break;
    case abci::Request::kInitChain:
    case abci::Request::kPrepareProposal:
    case abci::Request::kProcessProposal:
    case abci::Request::kFinalizeBlock:
    case abci::Request::kCommit:
      answer_consensus(application, request, response, answer.fault);
      break;
    case abci::Request::kQuery:
      response.mutable_query()->set_code(refused);
      response.mutable_query()->set_log("ask the node, not its engine");
      break;
    case abci::Request::kListSnapshots:
      response.mutable_list_snapshots();
      break;
    case abci::Request::kOfferSnapshot:
      response.mutable_offer_snapshot()->set_result(abci::ResponseOfferSnapshot::REJECT);
      break;
    case abci::Request::kLoadSnapshotChunk:
      response.mutable_load_snapshot_chunk();
      break;
    case abci::Request::kApplySnapshotChunk:
      response.mutable_apply_snapshot_chunk()->set_result(abci::ResponseApplySnapshotChunk::ABORT);
      break;
    case abci::Request::kExtendVote:
      response.mutable_extend_vote();
      break;
    case abci::Request::kVerifyVoteExtension:
      // Nobody here extends votes: one that does is not honest.
      response.mutable_verify_vote_extension()->set_status(
          request.verify_vote_extension().vote_extension().empty()
              ? abci::ResponseVerifyVoteExtension::ACCEPT
              : abci::ResponseVerifyVoteExtension::REJECT);
      break;
    default:
      return fail("bad_encoding", "the engine's request", "It is of no kind that is known here.");
  }
  if (answer.fault) {
    response.Clear();
    response.mutable_exception()->set_error(answer.fault->message());
  }
  answer.response.resize(response.ByteSizeLong());
  CONSILIUM_ENSURE(
      response.SerializeToArray(answer.response.data(), static_cast<int>(answer.response.size())));
  return answer;
}

#endif

}  // namespace consilium::engine
