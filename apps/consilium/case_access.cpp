#include "case_access.hpp"

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"

namespace consilium::app {

namespace {
constexpr std::size_t attributes_max = 4096;
}

auto encode_standardisation(const casebase::Standardisation& s) -> Bytes {
  Writer w;
  const auto each = [](Writer& out, double v) { out.f64(v); };
  w.list(s.mean, each).list(s.deviation, each).list(s.count, each);
  return w.take();
}

auto decode_standardisation(BytesView bytes) -> Result<casebase::Standardisation> {
  Reader r(bytes, "standardisation");
  const auto each = [](Reader& in) { return in.f64(); };
  casebase::Standardisation s;
  s.mean = r.list(attributes_max, each);
  s.deviation = r.list(attributes_max, each);
  s.count = r.list(attributes_max, each);
  CONSILIUM_CHECK(r.finish());
  if (s.mean.size() != s.deviation.size() || s.mean.size() != s.count.size()) {
    return fail("bad_statistics", "standardisation", "its three lists have different lengths");
  }
  return s;
}

auto vectors_under_own_norm(std::span<const casebase::Case> cases,
                            std::span<const casebase::Case> norm_cases,
                            const casebase::Schema& schema) -> learning::Examples {
  const auto numbers = casebase::own_standardisation(norm_cases, schema, 1);
  const auto scale = casebase::column_scale_of(casebase::vectorise(norm_cases, schema, numbers), 1);
  auto out = casebase::vectorise(cases, schema, numbers);
  casebase::rescale(out, scale);
  return out;
}

auto bucketed(std::uint64_t patterns) -> std::uint64_t {
  if (patterns == 0) return 0;
  std::uint64_t bucket = 64;
  while (bucket < patterns) bucket *= 2;
  return bucket;
}

CaseAccess::CaseAccess(casebase::Casebase& casebase, casebase::Schema schema, TrainingRule rule,
                       std::filesystem::path file)
    : casebase_(casebase), schema_(std::move(schema)), rule_(rule), file_(std::move(file)) {}

void CaseAccess::use_schema(casebase::Schema schema) {
  if (schema.digest() == schema_.digest()) return;
  schema_ = std::move(schema);
  standardisation_.reset();
  refresh();
}

void CaseAccess::refresh() {
  training_.reset();
  held_back_.reset();
}

auto CaseAccess::restore() -> Result<void> {
  std::error_code ignored;
  if (!std::filesystem::exists(file_, ignored)) return {};
  CONSILIUM_TRY(const auto bytes, read_file(file_, 1U << 20U));
  CONSILIUM_TRY(auto saved, decode_standardisation(bytes));
  if (saved.mean.size() == casebase::layout_of(schema_).number_ids.size()) {
    standardisation_ = std::move(saved);
  }
  return {};
}

auto CaseAccess::training_cases() const -> Result<std::vector<casebase::Case>> {
  return rule_.rows == TrainingRule::Rows::all ? casebase_.samples() : casebase_.shared_samples();
}

auto CaseAccess::standardisation_digest() const -> Digest {
  if (rule_.norm == TrainingRule::Norm::own || !standardisation_) return {};
  return standardisation_->digest();
}

auto CaseAccess::statistics(const federation::StatisticsPlan& plan, std::int64_t value_max)
    -> Result<std::vector<std::int64_t>> {
  if (plan.schema != schema_.digest()) {
    return fail("stale_context", "statistics round",
                "the round names another schema than this node works with");
  }
  CONSILIUM_TRY(const auto cases, training_cases());
  return casebase::statistics_vector(cases, schema_, value_max,
                                     static_cast<std::int64_t>(plan.cases_max), plan.small_cell);
}

auto CaseAccess::standardise(std::span<const std::int64_t> sum,
                             const federation::StatisticsPlan& plan, std::int64_t value_max)
    -> Result<void> {
  if (plan.schema != schema_.digest()) return {};
  CONSILIUM_TRY(auto opened,
                casebase::standardisation_of(sum, schema_, value_max,
                                             static_cast<std::int64_t>(plan.cases_max)));
  if (standardisation_ && *standardisation_ == opened) return {};
  CONSILIUM_CHECK(write_file_durably(file_, encode_standardisation(opened)));
  standardisation_ = std::move(opened);
  refresh();
  return {};
}

auto CaseAccess::check_plan(const federation::UpdatePlan& plan) const -> Result<void> {
  if (plan.schema != schema_.digest() || plan.standardisation != standardisation_digest()) {
    return fail("stale_context", "update round",
                "the round names another schema or standardisation than this node has");
  }
  return {};
}

auto CaseAccess::vectors(std::span<const casebase::Case> cases) -> Result<learning::Examples> {
  if (rule_.norm == TrainingRule::Norm::own) {
    CONSILIUM_TRY(const auto own, training_cases());
    return vectors_under_own_norm(cases, own, schema_);
  }
  if (!standardisation_) {
    return fail("stale_context", "update round", "no statistics have been opened yet");
  }
  return casebase::vectorise(cases, schema_, *standardisation_);
}

auto CaseAccess::training(const federation::UpdatePlan& plan) -> Result<const learning::Examples*> {
  CONSILIUM_CHECK(check_plan(plan));
  if (!training_) {
    CONSILIUM_TRY(const auto cases, training_cases());
    CONSILIUM_TRY(training_, vectors(cases));
  }
  return &*training_;
}

auto CaseAccess::held_back(const federation::UpdatePlan& plan)
    -> Result<const learning::Examples*> {
  CONSILIUM_CHECK(check_plan(plan));
  if (!held_back_) {
    CONSILIUM_TRY(const auto cases, casebase_.with_status(casebase::Status::held_back));
    CONSILIUM_TRY(held_back_, vectors(cases));
  }
  return &*held_back_;
}

auto CaseAccess::claimed_patterns() -> std::uint64_t {
  const auto summary = casebase_.shared_summary();
  if (!summary || !*summary) return 0;
  return bucketed((*summary)->patterns);
}

}  // namespace consilium::app
