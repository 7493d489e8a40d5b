#include "case_access.hpp"

#include <algorithm>
#include <iterator>

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
  shelves_.clear();
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

auto CaseAccess::cases_now(federation::CaseUse use) const -> Result<std::vector<casebase::Case>> {
  using federation::CaseUse;
  if (use == CaseUse::held_back) return casebase_.with_status(casebase::Status::held_back);
  if (use == CaseUse::training && rule_.rows == TrainingRule::Rows::shared_patterns)
    return casebase_.shared_samples();
  CONSILIUM_TRY(auto cases, casebase_.samples());
  if (use == CaseUse::council) {
    CONSILIUM_TRY(auto others, casebase_.with_status(casebase::Status::unreasonable));
    std::move(others.begin(), others.end(), std::back_inserter(cases));
    std::ranges::sort(cases, {}, &casebase::Case::id);
  }
  return cases;
}

auto CaseAccess::marks(federation::CaseUse use) -> Result<std::vector<federation::CaseMark>> {
  auto& shelf = shelves_[use];
  if (!shelf.marks) {
    CONSILIUM_TRY(const auto cases, cases_now(use));
    shelf.marks.emplace();
    for (const auto& c : cases) shelf.marks->push_back({c.id, casebase::version_of(c)});
  }
  return *shelf.marks;
}

auto CaseAccess::marked_cases(federation::CaseUse use,
                              std::span<const federation::CaseMark> marks) const
    -> Result<std::vector<casebase::Case>> {
  CONSILIUM_TRY(auto now, cases_now(use));
  std::vector<casebase::Case> out;
  out.reserve(marks.size());
  auto present = now.begin();
  for (const auto& mark : marks) {
    while (present != now.end() && present->id < mark.id) ++present;
    if (present != now.end() && present->id == mark.id &&
        casebase::version_of(*present) == mark.version) {
      out.push_back(std::move(*present++));
      continue;
    }
    CONSILIUM_TRY(auto earlier, casebase_.in_version(mark.id, mark.version));
    out.push_back(std::move(earlier));
  }
  return out;
}

auto CaseAccess::standardisation_digest() const -> Digest {
  if (rule_.norm == TrainingRule::Norm::own || !standardisation_) return {};
  return standardisation_->digest();
}

auto CaseAccess::statistics(const federation::StatisticsPlan& plan,
                            std::span<const federation::CaseMark> cases, std::int64_t value_max)
    -> Result<std::vector<std::int64_t>> {
  if (plan.schema != schema_.digest()) {
    return fail("stale_context", "statistics round",
                "the round names another schema than this node works with");
  }
  CONSILIUM_TRY(const auto marked, marked_cases(federation::CaseUse::training, cases));
  return casebase::statistics_vector(marked, schema_, value_max,
                                     static_cast<std::int64_t>(plan.cases_max), plan.small_cell);
}

auto CaseAccess::standardise(const federation::OpenedStatistics& opened,
                             const federation::StatisticsPlan& plan) -> Result<void> {
  if (plan.schema != schema_.digest()) return {};
  const auto cases_max = static_cast<std::int64_t>(plan.cases_max);
  std::vector<std::int64_t> sum(opened.sum.begin(), opened.sum.end());
  if (opened.noisy) sum = casebase::nearest_statistics(sum, opened.value_max, cases_max);
  CONSILIUM_TRY(auto statistics,
                casebase::standardisation_of(sum, schema_, opened.value_max, cases_max));
  if (standardisation_ && *standardisation_ == statistics) return {};
  CONSILIUM_CHECK(write_file_durably(file_, encode_standardisation(statistics)));
  standardisation_ = std::move(statistics);
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

auto CaseAccess::examples_of(federation::CaseUse use, const federation::UpdatePlan& plan,
                             std::span<const federation::CaseMark> marks)
    -> Result<const learning::Examples*> {
  CONSILIUM_CHECK(check_plan(plan));
  auto& shelf = shelves_[use];
  if (shelf.examples && std::ranges::equal(shelf.of, marks)) return &*shelf.examples;
  CONSILIUM_TRY(const auto cases, marked_cases(use, marks));
  if (rule_.norm == TrainingRule::Norm::own) {
    // The hospital's own norm is that of the cases that train.
    if (use == federation::CaseUse::training) {
      shelf.examples = vectors_under_own_norm(cases, cases, schema_);
    } else {
      CONSILIUM_TRY(const auto training, cases_now(federation::CaseUse::training));
      shelf.examples = vectors_under_own_norm(cases, training, schema_);
    }
  } else if (standardisation_) {
    shelf.examples = casebase::vectorise(cases, schema_, *standardisation_);
  } else {
    return fail("stale_context", "update round", "no statistics have been opened yet");
  }
  shelf.of.assign(marks.begin(), marks.end());
  return &*shelf.examples;
}

auto CaseAccess::training(const federation::UpdatePlan& plan,
                          std::span<const federation::CaseMark> cases)
    -> Result<const learning::Examples*> {
  return examples_of(federation::CaseUse::training, plan, cases);
}

auto CaseAccess::held_back(const federation::UpdatePlan& plan,
                           std::span<const federation::CaseMark> cases)
    -> Result<const learning::Examples*> {
  return examples_of(federation::CaseUse::held_back, plan, cases);
}

auto CaseAccess::council(const federation::CouncilPlan& plan,
                         std::span<const federation::CaseMark> cases)
    -> Result<std::vector<std::int64_t>> {
  const auto disease = std::ranges::find_if(
      schema_.attributes, [](const casebase::Attribute& a) { return a.source == "disease"; });
  const bool fits = plan.schema == schema_.digest() && disease != schema_.attributes.end() &&
                    plan.diagnoses == disease->codes.size() && plan.results == council_results;
  if (!fits) {
    return fail("stale_context", "council round",
                "the round names another schema, or other diagnoses and results than it has");
  }
  if (!plan.question.empty() && !question_reader_) {
    return fail("unknown_question", "council round",
                "this node has nobody who reads such a question; it answers the menu only");
  }
  CONSILIUM_TRY(const auto marked, marked_cases(federation::CaseUse::council, cases));
  std::vector<std::int64_t> counts(plan.length(), 0);
  for (const auto& c : marked) {
    if (!plan.question.empty()) {
      CONSILIUM_TRY(const bool meant, question_reader_(plan.question, c));
      if (!meant) continue;
    }
    const auto code = std::ranges::find(disease->codes, c.outcome.disease);
    if (code == disease->codes.end()) continue;  // the record names no diagnosis of the schema
    const auto row = static_cast<std::size_t>(code - disease->codes.begin());
    const std::size_t result = c.status == casebase::Status::unreasonable ? 1 : 0;
    ++counts[row * council_results + result];
  }
  return counts;
}

auto CaseAccess::claimed_patterns() -> std::uint64_t {
  const auto summary = casebase_.shared_summary();
  if (!summary || !*summary) return 0;
  return bucketed((*summary)->patterns);
}

}  // namespace consilium::app
