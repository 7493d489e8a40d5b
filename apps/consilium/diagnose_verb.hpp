#pragma once
// The bedside: an answer about one case, and the doctor's verdict back into the case base.

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "consilium/diagnosis/diagnosis.hpp"

#include "node.hpp"

namespace consilium::app {

struct DiagnoseOptions {
  std::filesystem::path home;
  std::string case_id;
  std::size_t top_k = 5;
  double threshold = 0.7;
  bool confirm = false;
  std::string adjust, reject, result;
  bool json = false;
};

/// Answers, and records a verdict or a result when one is given. A case whose result is recorded as
/// reasonable is a sample from then on.
[[nodiscard]] auto diagnose(const DiagnoseOptions& options) -> Result<void>;

/// One patient's answer, for the report and result.json.
struct PatientAnswer {
  std::string hospital, hospital_title, case_id;
  std::string recorded;  ///< title of the disease the record has, which the model did not see
  struct Finding {
    std::uint16_t attribute_id;
    std::string title, text;  ///< text empty: not recorded
  };
  std::vector<Finding> findings;
  diagnosis::Answer answer;
};

/// Keeps the node's model in force where `diagnose` finds it.
[[nodiscard]] auto keep_for_diagnosis(Node& node) -> Result<void>;
/// The answer about one of the node's held-back patients, chosen by the seed.
[[nodiscard]] auto answer_for_held_back(Node& node, std::uint64_t seed) -> Result<PatientAnswer>;

[[nodiscard]] auto answer_json(const PatientAnswer& patient) -> nlohmann::json;

/// One sentence on the treatment: the recommended line, or why there is none.
[[nodiscard]] auto treatment_sentence(const diagnosis::Answer& answer) -> std::string;
[[nodiscard]] auto treatment_text(const casebase::Treatment& t) -> std::string;

}  // namespace consilium::app
