#pragma once
// The hospitals of a demonstration and their records, read and admitted before anything is written.

#include <filesystem>
#include <string>
#include <vector>

#include "consilium/casebase/admission.hpp"

namespace consilium::app {

struct CohortHospital {
  std::string name;                   ///< the node's folder: "va-long-beach"
  std::string title;                  ///< "VA Long Beach"
  std::vector<casebase::Case> cases;  ///< held-back ones marked
};

struct Cohort {
  std::string name;   ///< "heart"
  std::string title;  ///< "UCI heart disease"
  std::string citation;
  std::string split;  ///< what people read about the held-back cases
  casebase::Schema schema;
  std::vector<CohortHospital> hospitals;
  std::vector<std::string> warnings;  ///< of admission: counts only
};

enum class SplitRule { held_third, flamby };

struct CohortSource {
  std::filesystem::path package;    ///< the package's CSV; or
  std::filesystem::path directory;  ///< the folder of the original files
};

/// Reads the heart cohort. Errors: those of admission, and of reading files; nothing is written.
[[nodiscard]] auto load_heart(const CohortSource& source, SplitRule split, std::uint64_t seed)
    -> Result<Cohort>;

/// "VA Long Beach" → "va-long-beach"
[[nodiscard]] auto node_name(std::string_view title) -> std::string;

}  // namespace consilium::app
