#include "consilium/alignment/patterns.hpp"

#include <algorithm>

#include "wire.hpp"

namespace consilium::alignment {
namespace {

using casebase::Attribute;
using casebase::Kind;

constexpr std::size_t pattern_bytes_max = 4096;
constexpr std::string_view pattern_magic = "CSLP";
constexpr std::uint8_t pattern_version = 1;
enum class ValueKind : std::uint8_t { missing = 0, code = 1, bucket = 2, findings = 3 };

auto refuse_bytes() -> tl::unexpected<Error> {
  return fail("bad_pattern_bytes", "pattern",
              "these are not a pattern's canonical bytes; encode it again from its case");
}

template <typename Items, typename Key>
auto ascends(const Items& items, Key key) -> bool {
  for (std::size_t i = 1; i < items.size(); ++i)
    if (!(key(items[i - 1]) < key(items[i]))) return false;
  return true;
}

auto is_canonical(const Pattern& pattern) -> bool {
  if (pattern.fields.size() > 0xffff) return false;
  if (!ascends(pattern.fields, [](const auto& f) { return f.attribute; })) return false;
  return std::ranges::all_of(pattern.fields, [](const PatternField& field) {
    const auto* findings = std::get_if<std::vector<PatternFinding>>(&field.value);
    // Big-endian fields in this order: ascending values are ascending bytes.
    return findings == nullptr ||
           (findings->size() <= 0xffff && ascends(*findings, [](const auto& f) { return f; }));
  });
}

void put(WireWriter& out, const PatternField& field) {
  out.u16(field.attribute).u8(static_cast<std::uint8_t>(field.value.index()));
  if (const auto* code = std::get_if<PatternCode>(&field.value)) out.u32(code->index);
  if (const auto* bucket = std::get_if<PatternBucket>(&field.value)) out.u16(bucket->index);
  if (const auto* findings = std::get_if<std::vector<PatternFinding>>(&field.value)) {
    out.u16(static_cast<std::uint16_t>(findings->size()));
    for (const auto& f : *findings)
      out.u32(f.symptom).u16(f.duration).u16(f.condition).u16(f.severity);
  }
}

auto get_field(WireReader& in) -> std::optional<PatternField> {
  PatternField field{in.u16(), {}};
  switch (static_cast<ValueKind>(in.u8())) {
    case ValueKind::missing:
      break;
    case ValueKind::code:
      field.value = PatternCode{in.u32()};
      break;
    case ValueKind::bucket:
      field.value = PatternBucket{in.u16()};
      break;
    case ValueKind::findings: {
      std::vector<PatternFinding> findings;
      const std::size_t count = in.u16();
      for (std::size_t i = 0; i < count && in.ok(); ++i) {
        PatternFinding f{in.u32(), 0, 0, 0};
        f.duration = in.u16();
        f.condition = in.u16();
        f.severity = in.u16();
        findings.push_back(f);
      }
      field.value = std::move(findings);
      break;
    }
    default:
      return std::nullopt;
  }
  return field;
}

auto is_measured(const Attribute& attribute) -> bool {
  return attribute.kind == Kind::number || attribute.kind == Kind::duration;
}

/// How many values an attribute of the key has, missing left out.
auto values_of(const Attribute& attribute) -> std::size_t {
  if (!is_measured(attribute)) return attribute.codes.size();
  return attribute.align_bounds.empty() ? 0 : attribute.align_bounds.size() - 1;
}

auto check_key(const Attribute& attribute) -> Result<void> {
  if (attribute.role != casebase::Role::v1)
    return fail("bad_dictionary", attribute.name,
                "an outcome cannot be part of the alignment key; set align = false in the schema");
  const auto values = values_of(attribute);
  if (values == 0 || values > 0xffff)
    return fail(
        "bad_dictionary", attribute.name,
        "an attribute of the alignment key needs 1 to 65535 codes or buckets (align_bounds)");
  return {};
}

/// Index of the half-open bucket a number is in.
auto bucket_of(const casebase::Decimal& number, const Attribute& attribute)
    -> Result<std::uint16_t> {
  const auto& bounds = attribute.align_bounds;
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    if (casebase::Decimal::compare(number, bounds[i]) >= 0 &&
        casebase::Decimal::compare(number, bounds[i + 1]) < 0)
      return static_cast<std::uint16_t>(i);
  }
  return fail("unalignable", attribute.name,
              "a value lies outside every alignment bucket; the case is left out of alignment");
}

auto field_of(const casebase::Case& c, const Attribute& attribute) -> Result<PatternField> {
  CONSILIUM_CHECK(check_key(attribute));
  PatternField field{attribute.id, {}};
  const auto value = casebase::value_of(c, attribute);
  if (!value) return field;
  if (is_measured(attribute)) {
    CONSILIUM_ENSURE(value->number.has_value());
    CONSILIUM_TRY(const auto bucket, bucket_of(*value->number, attribute));
    field.value = PatternBucket{bucket};
    return field;
  }
  const auto found = std::ranges::find(attribute.codes, value->code);
  CONSILIUM_ENSURE(found != attribute.codes.end());
  const auto index = static_cast<std::uint32_t>(found - attribute.codes.begin());
  if (attribute.kind == Kind::ordinal) {
    field.value = PatternBucket{static_cast<std::uint16_t>(index)};
  } else {
    field.value = PatternCode{index};
  }
  return field;
}

/// Position among an attribute's values, missing first.
auto position_of(const PatternField& field) -> std::uint64_t {
  if (const auto* code = std::get_if<PatternCode>(&field.value)) return code->index + 1ULL;
  if (const auto* bucket = std::get_if<PatternBucket>(&field.value)) return bucket->index + 1ULL;
  return 0;
}

}  // namespace

auto encode_pattern(const Pattern& pattern) -> Result<Bytes> {
  if (!is_canonical(pattern)) return refuse_bytes();
  WireWriter out;
  out.fixed(as_bytes(pattern_magic)).u8(pattern_version).fixed(pattern.schema.view());
  out.u16(static_cast<std::uint16_t>(pattern.fields.size()));
  for (const auto& field : pattern.fields) put(out, field);
  if (out.view().size() > pattern_bytes_max) return refuse_bytes();
  return out.take();
}

auto decode_pattern(BytesView bytes) -> Result<Pattern> {
  if (bytes.size() > pattern_bytes_max) return refuse_bytes();
  WireReader in(bytes);
  const auto magic = in.fixed(pattern_magic.size());
  if (!std::ranges::equal(magic, as_bytes(pattern_magic)) || in.u8() != pattern_version)
    return refuse_bytes();
  Pattern pattern;
  pattern.schema.bytes = in.array<32>();
  const std::size_t count = in.u16();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    auto field = get_field(in);
    if (!field) return refuse_bytes();
    pattern.fields.push_back(std::move(*field));
  }
  if (!in.done() || !is_canonical(pattern)) return refuse_bytes();
  return pattern;
}

auto pattern_digest(BytesView canonical) -> Digest {
  return WireHash("consilium.pattern.v1").fixed(canonical).finish();
}

auto pattern_of(const casebase::Case& c, const casebase::Schema& schema) -> Result<Pattern> {
  Pattern pattern{schema.digest(), {}};
  for (const auto& attribute : schema.attributes) {
    if (!attribute.align) continue;
    CONSILIUM_TRY(auto field, field_of(c, attribute));
    pattern.fields.push_back(std::move(field));
  }
  return pattern;
}

auto canonical_pattern(const casebase::Case& c, const casebase::Schema& schema) -> Result<Bytes> {
  CONSILIUM_TRY(const auto pattern, pattern_of(c, schema));
  return encode_pattern(pattern);
}

auto Dictionary::make(const casebase::Schema& schema, ledger::AlignmentSubject subject)
    -> Result<Dictionary> {
  if (subject == ledger::AlignmentSubject::code)
    return fail("mode_unsupported", "alignment",
                "codes cannot be aligned yet; align patterns or attributes");
  const bool patterns = subject == ledger::AlignmentSubject::pattern;
  Dictionary out;
  out.subject_ = subject;
  out.schema_ = {schema.name, schema.version, {}};
  WireHash digest("consilium.dictionary.v1");
  digest.fixed(schema.digest().view()).u8(static_cast<std::uint8_t>(subject));
  out.cells_ = patterns ? 1 : 0;
  for (const auto& attribute : schema.attributes) {
    if (patterns ? !attribute.align : attribute.role != casebase::Role::v1) continue;
    if (patterns) CONSILIUM_CHECK(check_key(attribute));
    const std::uint64_t size = patterns ? values_of(attribute) + 1 : 1;
    out.cells_ = patterns ? out.cells_ * size : out.cells_ + 1;
    if (out.cells_ > cells_max)
      return fail(
          "domain_too_large", "dictionary",
          "the alignment key has more than 2^26 combinations; use fewer or coarser buckets");
    digest.u16(attribute.id).u32(static_cast<std::uint32_t>(size));
    out.sizes_.push_back(size);
    out.schema_.attributes.push_back(attribute);
  }
  if (out.schema_.attributes.empty())
    return fail("bad_dictionary", "dictionary",
                patterns ? "the schema marks no attribute with align = true"
                         : "the schema has no attribute of V1");
  out.digest_ = digest.finish();
  return out;
}

auto Dictionary::cells_of(const casebase::Case& c) const -> Result<std::vector<std::uint64_t>> {
  std::vector<std::uint64_t> cells;
  if (subject_ == ledger::AlignmentSubject::attribute) {
    for (std::size_t i = 0; i < schema_.attributes.size(); ++i)
      if (casebase::value_of(c, schema_.attributes[i])) cells.push_back(i);
    return cells;
  }
  std::uint64_t cell = 0;
  for (std::size_t i = 0; i < schema_.attributes.size(); ++i) {
    CONSILIUM_TRY(const auto field, field_of(c, schema_.attributes[i]));
    cell = cell * sizes_[i] + position_of(field);
  }
  cells.push_back(cell);
  return cells;
}

auto holdings_of(std::span<const casebase::Case> cases, const Dictionary& dictionary) -> Holdings {
  Holdings out;
  for (const auto& c : cases) {
    const auto cells = dictionary.cells_of(c);
    if (!cells) {
      ++out.unalignable;
      continue;
    }
    for (const auto cell : *cells) out.cells[cell].push_back(c.id);
  }
  return out;
}

auto bitmap_words(std::uint64_t cells) -> std::size_t {
  return static_cast<std::size_t>((cells + 511) / 512 * 8);
}

auto bitmap_of(const Holdings& holdings, const Dictionary& dictionary, std::uint32_t support)
    -> Secret<std::uint64_t> {
  Secret<std::uint64_t> bitmap(bitmap_words(dictionary.cells()));
  const auto words = bitmap.expose();
  for (const auto& [cell, cases] : holdings.cells) {
    CONSILIUM_ENSURE(cell < dictionary.cells());
    if (cases.size() >= support) words[cell / 64] |= std::uint64_t{1} << (cell % 64);
  }
  return bitmap;
}

auto bucketed_count(std::uint64_t count) -> std::uint64_t {
  if (count == 0) return 0;
  std::uint64_t bucket = 64;
  while (bucket < count) bucket *= 2;
  return bucket;
}

}  // namespace consilium::alignment
