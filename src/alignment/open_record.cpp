#include <algorithm>

#include "consilium/alignment/alignment.hpp"

#include "commitments.hpp"

namespace consilium::alignment {
namespace {

constexpr std::size_t hospitals_min = 3;
/// §3.2: a chunk holds 2^20 cells, 2^18 when a cell costs more than 64 ANDs, to bound memory.
constexpr std::uint8_t chunk_log2_usual = 20, chunk_log2_heavy = 18;
constexpr std::size_t conjunctions_heavy = 64;
/// The specification's limit is 3 for attempts that end in a quarrel; this ledger counts restarts
/// and attempts that find a hospital over its cap as well, and those must not use a session up.
constexpr std::uint8_t attempts_max = 8;

}  // namespace

auto open_record(const ledger::State& state, const casebase::Schema& schema,
                 ledger::AlignmentSubject subject, std::uint16_t threshold, std::uint64_t epoch,
                 Random& random) -> Result<ledger::AlignmentRecord> {
  const auto& policy = state.policy();
  ledger::AlignmentRecord record;
  record.epoch = epoch;
  random.fill(record.session);
  record.subject = subject;
  record.schema = schema.digest();
  if (record.schema != state.schema())
    return fail("stale_schema", "alignment", "the schema is not the one the consortium agreed on");
  CONSILIUM_TRY(const auto dictionary, Dictionary::make(schema, subject));
  record.dictionary = dictionary.digest();
  record.cells = dictionary.cells();
  record.members = state.hospitals();
  if (record.members.size() < hospitals_min)
    return fail("bad_members", "alignment", "an alignment needs at least three hospitals");
  if (threshold == 2 && !policy.allow_k2)
    return fail("k2_not_allowed", "alignment", "k = 2 needs allow_k2 in the policy");
  record.threshold = threshold;
  record.cap = std::min(policy.align_cap, record.cells);
  if (subject == ledger::AlignmentSubject::attribute)
    record.support = std::max(policy.small_cell, std::uint32_t{1});
  CONSILIUM_TRY(const auto circuit, make_circuit(static_cast<std::uint32_t>(record.members.size()),
                                                 threshold, Output::individual, record.cap));
  record.circuit = circuit.digest();
  // The cap costs about one more AND a cell and hospital.
  const auto conjunctions = circuit.conjunctions() + record.members.size();
  record.chunk_log2 = conjunctions > conjunctions_heavy ? chunk_log2_heavy : chunk_log2_usual;
  for (std::size_t i = 0; i < slot_count; ++i)
    record.slots.push_back(record.members[(epoch + i) % record.members.size()]);
  record.attempts_max = attempts_max;
  const auto& sessions = state.alignments();
  const auto last = std::find_if(sessions.rbegin(), sessions.rend(), [&](const auto& session) {
    return session.record.subject == subject;
  });
  if (last != sessions.rend()) record.previous = last->record.digest();
  return record;
}

}  // namespace consilium::alignment
