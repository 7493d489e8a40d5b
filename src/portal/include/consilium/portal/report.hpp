#pragma once
/// The report of a run: one self-contained HTML page, written to a file by the demo and served by
/// the portal.
///
/// Plain texts and numbers come in, so that any room's figures can be told without this room
/// knowing the room. Every figure on the page comes from here; one that is not known is a dash, and
/// its reason stands below the table.
///
/// Always true of the page: no script, no request to anywhere, all given text escaped, colours only
/// by token, readable in light and dark, at 390 px and on paper, every chart also in words or in a
/// table.

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace consilium::portal {

/// A number, or the reason why there is none ("only one healthy case was held back").
struct Figure {
  Figure() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a number is a figure.
  Figure(double known) {
    if (std::isfinite(known)) {
      value = known;
    } else {
      why_unknown = "the figure is not a number";
    }
  }
  [[nodiscard]] static auto unknown(std::string reason) -> Figure {
    Figure figure;
    figure.why_unknown = std::move(reason);
    return figure;
  }
  std::optional<double> value;
  std::string why_unknown;
};

/// The same measure for the three ways to train. Between 0 and 1.
struct ThreeWays {
  Figure local;
  Figure federated;
  Figure pooled;
};

struct HospitalReport {
  std::string name;
  std::int64_t cases = 0;
  std::int64_t training_cases = 0;
  std::int64_t held_back_cases = 0;
  /// Training cases whose pattern at least k hospitals hold.
  Figure shared_cases;
  /// The same for k + 1, from the next epoch's session; not trained on.
  Figure shared_cases_next_k;
  std::int64_t credits = 0;
  ThreeWays auc;
  ThreeWays accuracy;
  /// Accuracy of always giving the commoner answer, on the same held-back cases.
  Figure majority_guess;
  /// AUC of the model in force after each round, first to last; a refused round repeats the one
  /// before.
  std::vector<Figure> auc_by_round;
  /// AUC that each refused candidate would have had here.
  struct RefusedCandidate {
    std::int64_t round = 0;
    Figure auc;
  };
  std::vector<RefusedCandidate> refused_candidates;
};

struct LedgerReport {
  struct Span {
    std::int64_t from = 0;
    std::int64_t to = 0;
    /// Short, such as "1" for round 1 or "k = 2"; drawn where there is room, always in the table.
    std::string label;
  };
  struct Round : Span {
    /// No vote is taken on a sealed statistic: it is neither accepted nor refused, and pays
    /// nothing.
    enum class State { accepted, refused, statistic };
    State state = State::accepted;
  };
  struct Reward {
    std::int64_t height = 0;
    std::int64_t credits = 0;  ///< 0: nothing was paid, drawn as a cross
  };
  std::int64_t last_height = 0;
  std::int64_t blocks = 0;
  std::int64_t size_bytes = 0;
  std::string state_digest;  ///< hex
  std::vector<std::int64_t> member_heights;
  std::vector<Span> alignments;
  std::vector<Round> rounds;
  std::vector<std::int64_t> opened_sum_heights;
  std::vector<Reward> rewards;
};

/// One held-back patient, as the hospital's own workstation would show it.
struct PatientReport {
  struct Disease {
    std::string title;
    /// The network's chance, 0 to 1.
    Figure chance;
    /// In the conformal set; only read when set_percent is given.
    bool in_set = false;
    /// "Other or none" stands last whatever its chance.
    bool other_or_none = false;
    /// How many of the similar cases had it.
    std::int64_t similar_count = 0;
    /// 95 % interval of that share, 0 to 1; without it no mark is drawn.
    std::optional<std::pair<double, double>> similar_interval;
  };
  struct LookAlike {
    std::string case_id;
    double similarity = 0;
    std::string outcome;
  };
  enum class Likeness { match, near, contradicts, not_recorded };
  struct Cell {
    std::string text;
    Likeness likeness = Likeness::not_recorded;
  };
  struct Finding {
    std::string title;
    std::string value;        ///< empty: not recorded
    std::vector<Cell> cells;  ///< one for each look-alike
  };
  std::string hospital;
  std::string case_id;
  /// The model does not know patients like this one: chances are hidden, as on the workstation.
  bool unlike_learnt = false;
  std::vector<Disease> diseases;
  std::int64_t similar_total = 0;
  /// 90 for a set that holds the truth nine times in ten; nothing when no set was made.
  std::optional<int> set_percent;
  std::vector<LookAlike> look_alikes;
  std::vector<Finding> findings;
  /// A whole sentence: "this data set records none, so none is suggested."
  std::string treatment;
  /// What the hospital's record says, which the model did not see; empty: not shown.
  std::string recorded_outcome;
};

/// Mean and standard deviation over repeated runs; no deviation for a figure published without one.
struct MeanDeviation {
  Figure mean;
  std::optional<double> deviation;
};

/// A comparison with figures of others, such as FLamby's published rows.
struct StrategyTable {
  struct Row {
    std::string name;
    std::vector<MeanDeviation> centres;
    MeanDeviation mean;
    MeanDeviation pooled_test;
    std::string note;   ///< "published", "ours"
    bool ours = false;  ///< set in bold
  };
  std::string title;
  std::string sentence;
  std::vector<std::string> centres;
  std::vector<Row> rows;
};

struct ReportData {
  std::string cohort_title;  ///< "UCI heart disease"
  std::string time_text;     ///< "23 Nov 2026, 14:32"
  std::vector<HospitalReport> hospitals;

  ThreeWays mean_auc;
  ThreeWays mean_accuracy;
  /// All held-back cases as one test set.
  ThreeWays pooled_test_accuracy;
  /// Empty: not checked in this run.
  std::optional<bool> sealed_equals_clear;
  std::string model_digest;  ///< hex
  std::int64_t rounds = 0;
  std::int64_t rounds_accepted = 0;
  struct RefusedRound {
    std::int64_t round = 0;
    std::string by;  ///< "two hospitals"
  };
  std::vector<RefusedRound> refused;
  double seconds = 0;
  Figure peak_megabytes;
  std::string setting;  ///< "2 cores, solo driver, committee of 4"
  struct Phase {
    std::string name;
    double seconds = 0;
  };
  std::vector<Phase> phases;

  /// The k of alignment; 0 when all cases train (`--align attributes`).
  std::int64_t align_k = 0;
  LedgerReport ledger;
  std::vector<PatientReport> patients;
  std::optional<StrategyTable> strategies;

  struct Check {
    std::string text;
    std::string digest;  ///< hex, set in groups of four behind the text; may be empty
    bool ok = false;
  };
  std::vector<Check> checks;
  /// Whole sentences a reader must know before the figures ("The alignment is secure against
  /// curious nodes …").
  std::vector<std::string> warnings;
  std::vector<std::string> commands;

  std::string seed;
  std::string schema_version;
  std::string schema_digest;           ///< hex
  std::int64_t opening_threshold = 0;  ///< t of …
  std::int64_t committee_size = 0;     ///< … M
  std::string split;     ///< "a third of every hospital's cases held back, stratified"
  std::string citation;  ///< "Janosi, Steinbrunn, Pfisterer, Detrano, UCI Heart Disease, CC BY 4.0"
};

/// The page. The same data gives the same bytes.
[[nodiscard]] auto render_report(const ReportData& report) -> std::string;

}  // namespace consilium::portal
