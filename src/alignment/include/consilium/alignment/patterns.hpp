#pragma once
// From case to cell (alignment-spec §2): a case's alignment key as canonical bytes, the dictionary
// that numbers every possible key, and the bitmap of those a hospital holds.

#include <map>
#include <span>
#include <variant>
#include <vector>

#include "consilium/casebase/case.hpp"
#include "consilium/casebase/schema.hpp"
#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/secret.hpp"
#include "consilium/ledger/transaction.hpp"

namespace consilium::alignment {

/// Index in the schema's list of codes.
struct PatternCode {
  std::uint32_t index = 0;
  auto operator<=>(const PatternCode&) const = default;
};
/// Index of a coarse bucket; of an ordinal, the index of its code.
struct PatternBucket {
  std::uint16_t index = 0;
  auto operator<=>(const PatternBucket&) const = default;
};
struct PatternFinding {
  std::uint32_t symptom = 0;
  std::uint16_t duration = 0, condition = 0, severity = 0;
  auto operator<=>(const PatternFinding&) const = default;
};
struct PatternField {
  std::uint16_t attribute = 0;
  /// Missing is a value of its own. Findings ascend, without repeats.
  std::variant<std::monostate, PatternCode, PatternBucket, std::vector<PatternFinding>> value;
  auto operator==(const PatternField&) const -> bool = default;
};
/// A case's alignment key. Patient data: never printed, and neither it nor its digest leaves the
/// hospital.
struct Pattern {
  Digest schema;
  std::vector<PatternField> fields;  ///< ascending by attribute
  auto operator==(const Pattern&) const -> bool = default;
};

/// Canonical bytes, ≤ 4096. Error: `bad_pattern_bytes` (order, repeats, size).
[[nodiscard]] auto encode_pattern(const Pattern& pattern) -> Result<Bytes>;
/// Accepts exactly what encode_pattern produces. Error: `bad_pattern_bytes`.
[[nodiscard]] auto decode_pattern(BytesView bytes) -> Result<Pattern>;
[[nodiscard]] auto pattern_digest(BytesView canonical) -> Digest;

/// The case's alignment key under the schema's `align` attributes.
/// Errors: `unalignable` (a number outside every bucket), `bad_dictionary` (the schema's key is
/// unusable).
[[nodiscard]] auto pattern_of(const casebase::Case& c, const casebase::Schema& schema)
    -> Result<Pattern>;
[[nodiscard]] auto canonical_pattern(const casebase::Case& c, const casebase::Schema& schema)
    -> Result<Bytes>;

/// 2^26 cells: the policy's limit for one bitmap.
inline constexpr std::uint64_t cells_max = std::uint64_t{1} << 26U;

/// Numbers what can be shared: every combination of the alignment key's values (subject `pattern`,
/// a mixed radix number with missing = 0 first), or every attribute of V1 in schema order (subject
/// `attribute`). Everybody makes it from the schema; its digest is in the session's record.
class Dictionary {
 public:
  /// Errors: `bad_dictionary` (no alignment key, a number without buckets, an outcome in the key),
  /// `domain_too_large`, `mode_unsupported` (subject `code`).
  [[nodiscard]] static auto make(const casebase::Schema& schema, ledger::AlignmentSubject subject)
      -> Result<Dictionary>;
  [[nodiscard]] auto subject() const -> ledger::AlignmentSubject { return subject_; }
  [[nodiscard]] auto cells() const -> std::uint64_t { return cells_; }  ///< D
  [[nodiscard]] auto digest() const -> const Digest& { return digest_; }
  /// The attributes the cells are made of, in order.
  [[nodiscard]] auto attributes() const -> const std::vector<casebase::Attribute>& {
    return schema_.attributes;
  }
  /// How many values each of them has, missing included.
  [[nodiscard]] auto sizes() const -> const std::vector<std::uint64_t>& { return sizes_; }
  /// The cells a case fills: one for a pattern, one per recorded attribute. Error: `unalignable`.
  [[nodiscard]] auto cells_of(const casebase::Case& c) const -> Result<std::vector<std::uint64_t>>;

 private:
  Dictionary() = default;
  ledger::AlignmentSubject subject_ = ledger::AlignmentSubject::pattern;
  casebase::Schema schema_;  ///< only the attributes the cells are made of
  std::vector<std::uint64_t> sizes_;
  std::uint64_t cells_ = 0;
  Digest digest_;
};

/// Which of a hospital's cases fill which cell. Patient data: it stays in the hospital.
struct Holdings {
  std::map<std::uint64_t, std::vector<CaseId>> cells;
  std::size_t unalignable = 0;  ///< cases left out; they are never put in a neighbouring bucket
};
[[nodiscard]] auto holdings_of(std::span<const casebase::Case> cases, const Dictionary& dictionary)
    -> Holdings;

/// 64-bit words of a bitmap over `cells` cells, padded to a multiple of 512 bits.
[[nodiscard]] auto bitmap_words(std::uint64_t cells) -> std::size_t;
/// Bit c is set when at least `support` of the hospital's cases fill cell c.
[[nodiscard]] auto bitmap_of(const Holdings& holdings, const Dictionary& dictionary,
                             std::uint32_t support) -> Secret<std::uint64_t>;

/// A count as the ledger may know it: 0, or rounded up to the next 64·2^j (alignment-spec §3.5).
[[nodiscard]] auto bucketed_count(std::uint64_t count) -> std::uint64_t;

}  // namespace consilium::alignment
