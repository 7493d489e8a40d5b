#include "case_codec.hpp"

#include "consilium/casebase/casebase.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

namespace consilium::casebase {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t text_max = 1U << 16U;
constexpr std::size_t list_max = 1U << 16U;
constexpr std::int64_t mantissa_end = std::int64_t{1} << 53U;

void write_decimal(Writer& out, const Decimal& value) {
  out.i64(value.mantissa).i64(value.exponent);
}

auto read_decimal(Reader& in) -> Decimal {
  const std::int64_t mantissa = in.i64();
  const std::int64_t exponent = in.i64();
  const bool canonical = mantissa == 0
                             ? exponent == 0
                             : mantissa % 10 != 0 && mantissa > -mantissa_end &&
                                   mantissa < mantissa_end && exponent >= -18 && exponent <= 18;
  if (canonical) return {mantissa, static_cast<std::int32_t>(exponent)};
  in.reject();
  return {};
}

void write_number(Writer& out, const std::optional<Decimal>& value) {
  out.boolean(value.has_value());
  if (value) write_decimal(out, *value);
}

auto read_number(Reader& in) -> std::optional<Decimal> {
  if (!in.boolean()) return std::nullopt;
  return read_decimal(in);
}

void write_value(Writer& out, const Value& value) {
  write_number(out, value.number);
  out.text(value.code).text(value.unit);
}

auto read_value(Reader& in) -> Value {
  Value value;
  value.number = read_number(in);
  value.code = in.text(text_max);
  value.unit = in.text(text_max);
  return value;
}

void write_exam(Writer& out, const Exam& exam) {
  out.text(exam.code);
  write_value(out, exam.value);
}

auto read_exam(Reader& in) -> Exam {
  Exam exam;
  exam.code = in.text(text_max);
  exam.value = read_value(in);
  return exam;
}

void write_finding(Writer& out, const Finding& finding) {
  out.text(finding.symptom);
  write_number(out, finding.duration_days);
  out.text(finding.occurrence_condition).text(finding.severity).list(finding.exams, write_exam);
}

auto read_finding(Reader& in) -> Finding {
  Finding finding;
  finding.symptom = in.text(text_max);
  finding.duration_days = read_number(in);
  finding.occurrence_condition = in.text(text_max);
  finding.severity = in.text(text_max);
  finding.exams = in.list(list_max, read_exam);
  return finding;
}

void write_treatment(Writer& out, const Treatment& treatment) {
  out.text(treatment.drug).text(treatment.route);
  write_number(out, treatment.dose);
  out.text(treatment.dose_unit).text(treatment.frequency).text(treatment.time);
}

auto read_treatment(Reader& in) -> Treatment {
  Treatment treatment;
  treatment.drug = in.text(text_max);
  treatment.route = in.text(text_max);
  treatment.dose = read_number(in);
  treatment.dose_unit = in.text(text_max);
  treatment.frequency = in.text(text_max);
  treatment.time = in.text(text_max);
  return treatment;
}

auto read_status(Reader& in) -> Status {
  const auto status = in.u8();
  if (status < static_cast<std::uint8_t>(Status::recorded) ||
      status > static_cast<std::uint8_t>(Status::held_back)) {
    in.reject();
    return Status::recorded;
  }
  return static_cast<Status>(status);
}

}  // namespace

auto encode_case(const Case& c) -> Bytes {
  Writer out;
  out.u8(format_version).text(c.id.value).u8(static_cast<std::uint8_t>(c.status)).text(c.source);
  write_value(out, c.age_years);
  out.text(c.sex).list(c.findings, write_finding);
  out.text(c.outcome.disease);
  out.list(c.outcome.complications, [](Writer& w, const std::string& code) { w.text(code); });
  out.list(c.outcome.treatments, write_treatment);
  return out.take();
}

auto version_of(const Case& c) -> Digest {
  Case content = c;
  content.status = Status::recorded;
  return tagged_hash("consilium/casebase/1/case-version", {encode_case(content)});
}

auto decode_case(BytesView bytes) -> Result<Case> {
  Reader in(bytes, "case");
  Case c;
  if (in.u8() != format_version) in.reject();
  c.id.value = in.text(text_max);
  c.status = read_status(in);
  c.source = in.text(text_max);
  c.age_years = read_value(in);
  c.sex = in.text(text_max);
  c.findings = in.list(list_max, read_finding);
  c.outcome.disease = in.text(text_max);
  c.outcome.complications = in.list(list_max, [](Reader& r) { return r.text(text_max); });
  c.outcome.treatments = in.list(list_max, read_treatment);
  CONSILIUM_CHECK(in.finish());
  return c;
}

}  // namespace consilium::casebase
