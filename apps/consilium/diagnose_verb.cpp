#include "diagnose_verb.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/hash.hpp"

#include "node_home.hpp"

namespace consilium::app {

namespace {

auto disease_title(const casebase::Schema& schema, const std::string& code) -> std::string {
  for (const auto& attribute : schema.attributes) {
    if (attribute.source != "disease") continue;
    const auto at = std::find(attribute.codes.begin(), attribute.codes.end(), code);
    if (at == attribute.codes.end()) break;
    const auto index = static_cast<std::size_t>(at - attribute.codes.begin());
    return index < attribute.labels.size() ? attribute.labels[index] : code;
  }
  return code;
}

auto findings_of(const casebase::Case& c, const casebase::Schema& schema)
    -> std::vector<PatientAnswer::Finding> {
  std::vector<PatientAnswer::Finding> out;
  for (const auto& attribute : schema.attributes) {
    if (attribute.role != casebase::Role::v1) continue;
    const auto value = casebase::value_of(c, attribute);
    out.push_back({attribute.id, attribute.title,
                   value ? diagnosis::display_text(*value, attribute) : std::string{}});
  }
  return out;
}

auto answer_about(const casebase::Case& target, const casebase::Casebase& casebase,
                  const casebase::Schema& schema, const std::optional<ModelInForce>& in_force,
                  const diagnosis::Options& options) -> Result<diagnosis::Answer> {
  CONSILIUM_TRY(auto samples, casebase.samples());
  // Look-alikes are compared on every attribute the hospital has; the network reads those it was
  // trained on.
  const diagnosis::Index index(std::move(samples), in_force ? in_force->schema : schema);
  return diagnosis::consult(target, index, in_force ? &in_force->model : nullptr,
                            in_force ? in_force->standardisation : casebase::Standardisation{},
                            options);
}

/// Text filled up to a number of columns; a character of several bytes takes one of them.
auto padded(const std::string& text, std::size_t columns) -> std::string {
  const auto characters =
      static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
      }));
  return text + std::string(characters < columns ? columns - characters : 0, ' ');
}

/// This patient's findings beside those of the most similar cases.
void print_side_by_side(const PatientAnswer& patient) {
  const auto& similar = patient.answer.similar;
  const auto shown = std::min<std::size_t>(similar.size(), 3);
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"", "this patient"});
  for (std::size_t i = 0; i < shown; ++i) {
    rows[0].push_back(similar[i].id.value + "  " +
                      std::to_string(similar[i].similarity).substr(0, 4));
  }
  for (const auto& finding : patient.findings) {
    if (finding.text.empty()) continue;
    auto& row = rows.emplace_back(std::vector<std::string>{finding.title, finding.text});
    for (std::size_t i = 0; i < shown; ++i) {
      for (const auto& c : similar[i].contributions) {
        if (c.attribute_id != finding.attribute_id) continue;
        const std::string mark = c.stance == diagnosis::Stance::supports      ? "✓ "
                                 : c.stance == diagnosis::Stance::contradicts ? "✗ "
                                                                              : "· ";
        row.push_back(mark + (c.other_text.empty() ? "not recorded" : c.other_text));
      }
    }
  }
  auto& last = rows.emplace_back(std::vector<std::string>{"Diagnosis", "?"});
  for (std::size_t i = 0; i < shown; ++i) last.push_back(similar[i].disease_title);

  std::vector<std::size_t> widths(2 + shown, 0);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::printf("\n");
  for (const auto& row : rows) {
    std::printf(" ");
    for (std::size_t c = 0; c < row.size(); ++c)
      std::printf(" %s", padded(row[c], widths[c]).c_str());
    std::printf("\n");
  }
}

void print_answer(const PatientAnswer& patient, const std::optional<ModelInForce>& in_force) {
  const auto& answer = patient.answer;
  std::printf("%s, case %s\n\n", patient.hospital_title.c_str(), patient.case_id.c_str());
  for (const auto& disease : answer.posterior) {
    std::printf("  %-28s %3.0f %%\n", disease.title.c_str(), disease.probability * 100);
  }
  if (answer.nothing_similar) {
    std::printf("\nNo case is similar enough; the nearest reaches %.2f.\n", answer.nearest);
  } else {
    std::printf("\n%zu of %zu cases are similar:\n", answer.similar_count, answer.searched);
    for (const auto& count : answer.counts) {
      std::printf("  %-28s %4zu   %2.0f–%2.0f %% (95 %% interval)\n", count.title.c_str(),
                  count.cases, count.interval.low * 100, count.interval.high * 100);
    }
  }
  if (!answer.similar.empty()) print_side_by_side(patient);
  std::printf("\nProposed: %s. %s\n",
              answer.proposed_title.empty() ? "nothing" : answer.proposed_title.c_str(),
              treatment_sentence(answer).c_str());
  for (const auto& note : answer.notes) std::printf("  note: %s\n", note.c_str());
  if (in_force) {
    std::printf("Model %s of round %llu, ledger height %llu. A doctor decides.\n",
                in_force->model.digest().short_text().c_str(),
                static_cast<unsigned long long>(in_force->round),
                static_cast<unsigned long long>(in_force->ledger_height));
  }
}

/// The verdict and the result as steps of the case's life; each is recorded with its reason.
auto record_verdict(const DiagnoseOptions& options, casebase::Casebase& casebase,
                    const casebase::Schema& schema, const casebase::Case& target,
                    const diagnosis::Answer& answer) -> Result<std::string> {
  auto outcome = target.outcome;
  if (answer.recommended && outcome.treatments.empty()) {
    outcome.treatments.push_back(answer.recommended->treatment);
  }
  std::string said;
  if (options.confirm) {
    if (answer.proposed_disease.empty()) {
      return fail("nothing_proposed", options.case_id,
                  "there is no proposed diagnosis to confirm; use --adjust CODE");
    }
    outcome.disease = answer.proposed_disease;
    CONSILIUM_CHECK(casebase.revise(target.id, casebase::Status::confirmed, outcome, "confirmed"));
    said = "confirmed: " + answer.proposed_title;
  } else if (!options.adjust.empty()) {
    outcome.disease = options.adjust;
    if (disease_title(schema, options.adjust) == options.adjust) {
      const auto* attribute = schema.find("disease");
      if (attribute == nullptr || std::find(attribute->codes.begin(), attribute->codes.end(),
                                            options.adjust) == attribute->codes.end()) {
        return fail("unknown_code", "--adjust",
                    "this is no disease code of the schema; `consilium schema show` lists them");
      }
    }
    CONSILIUM_CHECK(casebase.revise(target.id, casebase::Status::adjusted, outcome, "adjusted"));
    said = "adjusted: " + disease_title(schema, options.adjust);
  } else if (!options.reject.empty()) {
    CONSILIUM_CHECK(
        casebase.revise(target.id, casebase::Status::rejected, target.outcome, options.reject));
    said = "rejected";
  }
  if (!options.result.empty()) {
    CONSILIUM_TRY(const auto now, casebase.find(target.id));
    const bool reasonable = options.result == "reasonable";
    CONSILIUM_CHECK(casebase.revise(
        target.id, reasonable ? casebase::Status::sample : casebase::Status::unreasonable,
        now.outcome, "result: " + options.result));
    said += (said.empty() ? "" : "; ") + std::string("result recorded as ") + options.result +
            (reasonable ? ": the case is a new sample" : ": the case never trains");
  }
  return said;
}

}  // namespace

auto treatment_text(const casebase::Treatment& t) -> std::string {
  std::string out = t.drug;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) out += (out.empty() ? "" : ", ") + part;
  };
  add(t.route);
  if (t.dose) add(t.dose->to_text() + (t.dose_unit.empty() ? "" : " " + t.dose_unit));
  add(t.frequency);
  add(t.time);
  return out;
}

auto treatment_sentence(const diagnosis::Answer& answer) -> std::string {
  if (!answer.recommended) {
    return "No similar case of this diagnosis records a treatment, so none is suggested.";
  }
  return treatment_text(answer.recommended->treatment) + " – as " +
         std::to_string(answer.recommended->cases.size()) + " of " +
         std::to_string(answer.recommended->treated) + " treated similar cases had it.";
}

auto keep_for_diagnosis(Node& node) -> Result<void> {
  const auto* model = node.model();
  const auto& standardisation = node.cases().standardisation();
  if (model == nullptr || !standardisation || node.state().models().empty()) return {};
  return save_model_in_force(
      node.directory(), {*model, node.cases().schema(), *standardisation,
                         node.state().height().value, node.state().models().back().round.value});
}

auto answer_for_held_back(Node& node, std::uint64_t seed) -> Result<PatientAnswer> {
  CONSILIUM_TRY(const auto kept, node.casebase().with_status(casebase::Status::held_back));
  if (kept.empty()) {
    return fail("case_missing", node.name(), "this hospital holds no case back");
  }
  SeededRandom random(seed, "consilium/demo/1/patient/" + node.name());
  const auto& target = kept[random.below(kept.size())];
  CONSILIUM_TRY(const auto in_force, load_model_in_force(node.directory()));
  PatientAnswer out;
  out.hospital = node.name();
  out.hospital_title = node.title();
  out.case_id = target.id.value;
  const auto& schema = in_force ? in_force->schema : node.cases().schema();
  out.recorded = disease_title(schema, target.outcome.disease);
  out.findings = findings_of(target, schema);
  CONSILIUM_TRY(out.answer, answer_about(target, node.casebase(), schema, in_force, {}));
  return out;
}

auto answer_json(const PatientAnswer& patient) -> nlohmann::json {
  nlohmann::json out = {{"hospital", patient.hospital}, {"case", patient.case_id}};
  for (const auto& disease : patient.answer.posterior) {
    out["posterior"][disease.code] = disease.probability;
  }
  out["similar"] = nlohmann::json::array();
  for (const auto& s : patient.answer.similar) {
    nlohmann::json similar = {{"case", s.id.value},
                              {"similarity", s.similarity},
                              {"coverage", s.coverage},
                              {"outcome", s.disease}};
    for (const auto& c : s.contributions) {
      similar["contributions"].push_back({{"attribute", c.name},
                                          {"target", c.target_text},
                                          {"other", c.other_text},
                                          {"similarity", c.similarity},
                                          {"weight", c.weight},
                                          {"share", c.share}});
    }
    out["similar"].push_back(std::move(similar));
  }
  for (const auto& count : patient.answer.counts) {
    out["counts"].push_back({{"outcome", count.code},
                             {"cases", count.cases},
                             {"low", count.interval.low},
                             {"high", count.interval.high}});
  }
  out["similar_count"] = patient.answer.similar_count;
  out["proposed"] = patient.answer.proposed_disease;
  out["nothing_similar"] = patient.answer.nothing_similar;
  if (patient.answer.recommended) {
    const auto& t = patient.answer.recommended->treatment;
    nlohmann::json cases = nlohmann::json::array();
    for (const auto& id : patient.answer.recommended->cases) cases.push_back(id.value);
    out["recommended"] = {{"drug", t.drug},
                          {"route", t.route},
                          {"dose", t.dose ? t.dose->to_text() : ""},
                          {"dose_unit", t.dose_unit},
                          {"frequency", t.frequency},
                          {"time", t.time},
                          {"cases", cases}};
  } else {
    out["recommended"] = nullptr;
  }
  out["notes"] = patient.answer.notes;
  return out;
}

auto diagnose(const DiagnoseOptions& options) -> Result<void> {
  CONSILIUM_TRY(auto home, open_home(options.home));
  CONSILIUM_TRY(const auto target, home.casebase.find(CaseId{options.case_id}));
  CONSILIUM_TRY(const auto in_force, load_model_in_force(options.home));
  PatientAnswer patient;
  patient.hospital = home.name;
  patient.hospital_title = home.title;
  patient.case_id = options.case_id;
  patient.findings = findings_of(target, home.schema);
  diagnosis::Options how;
  how.top_k = options.top_k;
  how.threshold = options.threshold;
  CONSILIUM_TRY(patient.answer, answer_about(target, home.casebase, home.schema, in_force, how));
  CONSILIUM_TRY(const auto said,
                record_verdict(options, home.casebase, home.schema, target, patient.answer));
  CONSILIUM_CHECK(home.casebase.close());
  if (options.json) {
    auto out = answer_json(patient);
    out["verdict"] = said;
    if (in_force) {
      out["model"] = in_force->model.digest().hex();
      out["round"] = in_force->round;
      out["ledger_height"] = in_force->ledger_height;
    }
    std::printf("%s\n", out.dump().c_str());
    return {};
  }
  print_answer(patient, in_force);
  if (!said.empty()) std::printf("%s\n", said.c_str());
  return {};
}

}  // namespace consilium::app
