#include "demo.hpp"

#include <chrono>
#include <cmath>
#include <csignal>
#include <thread>

#include <sys/resource.h>

#include "consilium/engine/abci_server.hpp"
#include "consilium/engine/cometbft.hpp"
#include "consilium/foundation/clock.hpp"
#include "consilium/foundation/codec.hpp"
#include "consilium/foundation/files.hpp"
#include "consilium/portal/portal.hpp"

#include "cohort.hpp"
#include "demo_figures.hpp"
#include "run_marker.hpp"
#include "serving.hpp"

namespace consilium::app {

namespace {

constexpr std::uint64_t flamby_first_seed = 42;
constexpr std::size_t flamby_seeds = 5;

auto peak_rss_mb() -> double {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;  // Linux counts in KiB
}

/// What makes two runs the same run: its options and the cases it works on.
auto run_kind(const DemoOptions& options, const Cohort& cohort) -> Digest {
  Writer w;
  w.text(options.topology).text(options.align).u16(options.align_k).text(options.split);
  w.u64(options.seed).u64(options.rounds).digest(cohort.schema.digest());
  w.text(options.boxes).u32(options.box_epoch_rounds);
  if (options.delivery != "a") w.text(options.delivery);
  if (options.driver != "solo") w.text(options.driver);
  for (const auto& hospital : cohort.hospitals) {
    w.text(hospital.name).u64(hospital.cases.size());
    for (const auto& c : hospital.cases) w.text(c.source);
  }
  return tagged_hash("consilium/demo/1/run", {w.view()});
}

auto heart_spec(const DemoOptions& options) -> RunSpec {
  RunSpec spec;
  spec.directory = options.out;
  spec.seed = options.seed;
  spec.topology =
      options.topology == "central" ? ledger::Topology::central : ledger::Topology::committee;
  spec.delivery =
      options.delivery == "c" ? sealing::Delivery::masked_keys : sealing::Delivery::shares;
  spec.align_attributes = options.align == "attributes";
  spec.align_k = options.align_k;
  spec.rounds = options.rounds;
  spec.hybrid_boxes = options.boxes == "hybrid";
  spec.box_epoch_rounds = options.box_epoch_rounds;
  spec.on_chain = options.driver == "cometbft";
  spec.power_cut_round = spec.on_chain ? (options.rounds + 1) / 2 : 0;
  // Chosen by 5-fold cross-validation inside the training rows (docs/results.md): the network with
  // one hidden layer ties with logistic regression in AUC, and it is the network the product is
  // about.
  spec.hidden = {16};
  spec.training.local_steps = 20;
  spec.training.batch_rows = 16;
  spec.training.learning_rate_micro = 10'000;
  spec.training.momentum_micro = 900'000;
  spec.training.weight_decay_micro = 50'000;
  return spec;
}

/// FLamby's rule: one logistic unit, 100 local updates of batch 4 a round, all cases.
auto flamby_spec(const DemoOptions& options, TrainingRule::Norm norm, std::uint64_t seed)
    -> RunSpec {
  RunSpec spec = heart_spec(options);
  spec.seed = seed;
  spec.align_attributes = true;
  spec.next_epoch = false;
  spec.norm = norm;
  spec.hidden = {};
  spec.outputs = 1;
  spec.training = {};
  spec.training.local_steps = 100;
  spec.training.batch_rows = 4;
  // The best constant rate of each norm by log loss in cross-validation inside the training rows.
  spec.training.learning_rate_micro = norm == TrainingRule::Norm::own ? 3'000 : 10'000;
  const std::string name =
      (norm == TrainingRule::Norm::own ? "own-norm-" : "shared-norm-") + std::to_string(seed);
  spec.directory = options.out / "seeds" / name;
  spec.power_cut_round = 0;
  return spec;
}

auto warnings_of(const RunSpec& spec, const ConsortiumRun& run) -> std::vector<std::string> {
  std::vector<std::string> out = run.power_cut();
  const auto& policy = run.state().policy();
  if (spec.delivery == sealing::Delivery::masked_keys) {
    out.emplace_back(
        "The central server receives masked keys (delivery C): it can open the total of exactly "
        "the "
        "set that every hospital confirmed, and no single update. It can stop a round, and so can "
        "any hospital that stays silent; a bad key is detected and not attributed.");
  } else if (spec.topology == ledger::Topology::central) {
    out.emplace_back(
        "The central server holds the opening key: it could open a single hospital's "
        "update. The committee topology takes that power away.");
  }
  if (policy.colluders == 0) {
    out.emplace_back("With " + std::to_string(run.state().hospitals().size()) +
                     " hospitals no collusion is tolerated (c = 0): a hospital that subtracts its "
                     "own update from a sum sees the sum of the others.");
  }
  out.emplace_back(
      "The alignment is secure against curious nodes: a node that departs from the "
      "protocol is not yet caught by a proof.");
  for (const auto& session : run.state().alignments()) {
    for (const auto& warning : session.warnings) {
      if (warning == "probe_budget" && session.record.epoch == 1) {
        out.emplace_back(
            "probe_budget: the dictionary has only " + std::to_string(session.record.cells) +
            (session.record.subject == ledger::AlignmentSubject::pattern ? " patterns"
                                                                         : " attributes") +
            ", so a hospital that lies about what it holds could ask for all "
            "of them within a year of sessions.");
      }
      if (warning == "threshold_changed") {
        out.emplace_back(
            "threshold_changed: a second session over the same cases with another k "
            "shows which patterns exactly k hospitals hold; a policy would allow it "
            "once a year.");
      }
    }
  }
  return out;
}

/// The same training without sealing, kept beside the run: the next epoch's alignment changes which
/// cases are shared, so it is done before and only once.
auto clear_model(const RunSpec& spec, ConsortiumRun& run) -> Result<Digest> {
  const auto file = spec.directory / "clear-model";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    CONSILIUM_TRY(const auto text, read_text_file(file, 256));
    return Digest::from_hex(text);
  }
  std::vector<federation::ClearHospital> hospitals;
  for (auto* node : run.hospitals()) {
    hospitals.push_back({&node->cases(), node->keys().training_seed.expose()});
  }
  CONSILIUM_TRY(const auto plan, run.update_plan(0));
  CONSILIUM_TRY(const auto scale, sealing::scale_of(sealing::Suite::s30,
                                                    static_cast<std::uint32_t>(hospitals.size())));
  const auto& policy = run.state().policy();
  const sealing::Quantisation quantisation{static_cast<double>(policy.clip_micro) / 1e6,
                                           scale.value_max, policy.weight_cap};
  CONSILIUM_TRY(const auto rounds,
                federation::clear_rounds(hospitals, plan, quantisation, spec.rounds, policy));
  const Digest digest = rounds.back().model.digest();
  CONSILIUM_CHECK(write_file_durably(file, as_bytes(digest.hex())));
  return digest;
}

/// One consortium from its first block to its figures.
struct FinishedRun {
  RunSpec spec;
  std::unique_ptr<ConsortiumRun> run;
  RunFigures figures;
  std::optional<bool> sealed_equals_clear;
};

auto carry_out(RunSpec spec, const Cohort& cohort, Terminal& terminal) -> Result<FinishedRun> {
  const bool next_epoch = spec.next_epoch;
  spec.next_epoch = false;
  CONSILIUM_TRY(auto run, ConsortiumRun::open(spec, cohort));
  CONSILIUM_CHECK(run->run(terminal));
  CONSILIUM_TRY(const auto clear, clear_model(spec, *run));
  if (next_epoch) {
    run->allow_next_epoch();
    CONSILIUM_CHECK(run->run(terminal));
  }
  spec.next_epoch = next_epoch;
  FinishedRun out{spec, std::move(run), {}, std::nullopt};
  CONSILIUM_TRY(out.figures, measure(*out.run, spec));
  out.sealed_equals_clear =
      !out.run->state().models().empty() && out.run->state().models().back().model == clear;
  return out;
}

auto mean_and_deviation(const std::vector<double>& values) -> std::pair<double, double> {
  double mean = 0;
  for (const double v : values) mean += v;
  mean /= static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double n = static_cast<double>(values.size());
  return {mean, n > 1 ? std::sqrt(squares / (n - 1)) : 0.0};
}

/// A row over seeds, from one of the three ways to train.
auto row_over_seeds(std::string name, const std::vector<RunFigures>& runs,
                    learning::Evaluation ThreeWays<learning::Evaluation>::* way) -> PublishedRow {
  PublishedRow row;
  row.name = std::move(name);
  row.ours = true;
  std::vector<double> means;
  std::vector<double> pooled;
  for (std::size_t h = 0; h < runs.front().hospitals.size(); ++h) {
    std::vector<double> values;
    for (const auto& run : runs) values.push_back((run.hospitals[h].on_held_back.*way).accuracy);
    const auto [mean, deviation] = mean_and_deviation(values);
    row.centres.emplace_back(mean, deviation);
  }
  for (const auto& run : runs) {
    double sum = 0;
    for (const auto& h : run.hospitals) sum += (h.on_held_back.*way).accuracy;
    means.push_back(sum / static_cast<double>(run.hospitals.size()));
    pooled.push_back((run.pooled_test.*way).accuracy);
  }
  row.mean = mean_and_deviation(means);
  row.pooled_test = mean_and_deviation(pooled);
  return row;
}

/// FLamby's table for Fed-Heart-Disease, averaged over its seeds 42–46 from its published result
/// files.
auto published_rows() -> std::vector<PublishedRow> {
  return {
      {"pooled training",
       {{.783, .010}, {.764, {}}, {.750, {}}, {.644, {}}},
       {.735, {}},
       {.795, .002},
       false},
      {"FedAdagrad / FedYogi",
       {{.760, .016}, {.753, .016}, {.738, .025}, {.676, .036}},
       {.731, {}},
       {.779, .013},
       false},
      {"FedAdam",
       {{.752, .015}, {.746, .017}, {.738, .025}, {.667, .040}},
       {.726, {}},
       {.779, .013},
       false},
      {"FedAvg = FedProx",
       {{.731, .019}, {.719, .029}, {.650, .102}, {.640, .045}},
       {.685, {}},
       {.748, .024},
       false},
      {"SCAFFOLD", {{.727, {}}, {.719, {}}, {.650, {}}, {.640, {}}}, {.684, {}}, {.748, {}}, false},
      {"each its own local model",
       {{.746, {}}, {.746, {}}, {.725, {}}, {.702, {}}},
       {.730, {}},
       {{}, {}},
       false},
  };
}

/// The hospital's own most frequent answer: no model at all.
auto majority_row(const RunFigures& run) -> PublishedRow {
  PublishedRow row;
  row.name = "each hospital's majority class (no model)";
  row.ours = true;
  double sum = 0;
  double right = 0;
  double rows = 0;
  for (const auto& h : run.hospitals) {
    const auto& e = h.on_held_back.federated;
    row.centres.emplace_back(e.majority_accuracy, std::nullopt);
    sum += e.majority_accuracy;
    right += e.majority_accuracy * static_cast<double>(e.rows);
    rows += static_cast<double>(e.rows);
  }
  row.mean = {sum / static_cast<double>(run.hospitals.size()), std::nullopt};
  row.pooled_test = {right / rows, std::nullopt};
  return row;
}

struct DemoRun {
  FinishedRun main;
  DemoFigures figures;
};

auto run_heart(const DemoOptions& options, const Cohort& cohort, Terminal& terminal)
    -> Result<DemoRun> {
  CONSILIUM_TRY(auto finished, carry_out(heart_spec(options), cohort, terminal));
  DemoRun out{std::move(finished), {}};
  out.figures.run = out.main.figures;
  out.figures.sealed_equals_clear = out.main.sealed_equals_clear;
  for (auto* node : out.main.run->hospitals()) {
    CONSILIUM_CHECK(keep_for_diagnosis(*node));
    CONSILIUM_TRY(auto answer, answer_for_held_back(*node, options.seed));
    out.figures.answers.push_back(std::move(answer));
  }
  return out;
}

auto run_flamby(const DemoOptions& options, const Cohort& cohort, Terminal& terminal)
    -> Result<DemoRun> {
  std::vector<RunFigures> own;
  std::vector<RunFigures> shared;
  std::optional<FinishedRun> last;
  bool equal = true;
  for (const auto norm : {TrainingRule::Norm::federation, TrainingRule::Norm::own}) {
    for (std::size_t i = 0; i < flamby_seeds; ++i) {
      const auto seed = flamby_first_seed + i;
      terminal.line(std::string(norm == TrainingRule::Norm::own ? "own norm" : "shared norm") +
                    ", seed " + std::to_string(seed));
      CONSILIUM_TRY(auto finished, carry_out(flamby_spec(options, norm, seed), cohort, terminal));
      equal = equal && finished.sealed_equals_clear.value_or(false);
      (norm == TrainingRule::Norm::own ? own : shared).push_back(finished.figures);
      if (last) CONSILIUM_CHECK(last->run->close());
      last = std::move(finished);
    }
  }
  DemoRun out{std::move(*last), {}};
  out.figures.run = out.main.figures;
  out.figures.sealed_equals_clear = equal;
  using Ways = ThreeWays<learning::Evaluation>;
  out.figures.rows = published_rows();
  out.figures.rows.push_back(majority_row(own.front()));
  out.figures.rows.push_back(
      row_over_seeds("FedAvg, sealed, FLamby's norm", own, &Ways::federated));
  out.figures.rows.push_back(row_over_seeds("pooled training, FLamby's norm", own, &Ways::pooled));
  out.figures.rows.push_back(row_over_seeds("local training, FLamby's norm", own, &Ways::local));
  out.figures.rows.push_back(
      row_over_seeds("FedAvg, sealed, shared norm", shared, &Ways::federated));
  return out;
}

}  // namespace

auto demo(const DemoOptions& options) -> Result<void> {
  const SystemClock clock;
  const auto began_ms = clock.monotonic_ms();
  Terminal terminal(options.json);
  const bool flamby = options.split == "flamby";
  if (options.data.empty() && options.package.empty()) {
    return fail("wrong_usage", "demo",
                "name the data: --data DIR with the four original files, or --package FILE; "
                "`./dev demo` fetches the package by itself");
  }
  if (options.boxes == "hybrid") {
    CONSILIUM_CHECK(sealing::check_available(sealing::BoxKind::hybrid));
  }
  if (options.driver == "cometbft") {
    CONSILIUM_CHECK(engine::find_cometbft());
    if (!engine::abci_available())
      return fail("engine_unavailable", "demo",
                  "this program was built without the engine's wire format; `./dev setup --chain` "
                  "fetches it, then build again");
  }
  if (options.delivery == "c" && options.topology != "central") {
    return fail("wrong_usage", "demo",
                "delivery C is for a centre: add --topology central, or leave --delivery away");
  }
  CONSILIUM_TRY(const auto cohort,
                load_heart({options.package, options.data},
                           flamby ? SplitRule::flamby : SplitRule::held_third, options.seed));
  CONSILIUM_TRY(auto marker, RunMarker::begin(options.out, run_kind(options, cohort)));
  terminal.line(marker.goes_on() ? "The run in " + options.out.string() + " was cut off; going on."
                                 : "A new run in " + options.out.string() + ".");

  CONSILIUM_TRY(auto done, flamby ? run_flamby(options, cohort, terminal)
                                  : run_heart(options, cohort, terminal));
  auto& figures = done.figures;
  figures.seconds = done.main.run->seconds();
  figures.seconds["total"] = static_cast<double>(clock.monotonic_ms() - began_ms) / 1000.0;
  figures.peak_rss_mb = peak_rss_mb();
  figures.warnings = warnings_of(done.main.spec, *done.main.run);

  const auto report =
      portal::render_report(report_data(options, done.main.spec, cohort, *done.main.run, figures));
  const auto result = result_json(options, cohort, *done.main.run, figures);
  CONSILIUM_CHECK(done.main.run->close());
  CONSILIUM_CHECK(write_file_durably(options.out / "report.html", as_bytes(report)));
  CONSILIUM_CHECK(write_file_durably(options.out / "result.json", as_bytes(result)));
  CONSILIUM_CHECK(marker.finish());

  print_table(terminal, figures);
  for (const auto& warning : figures.warnings) terminal.warning(warning);
  for (const auto& remark : done.main.run->remarks()) terminal.warning(remark);
  terminal.line("report  " + (options.out / "report.html").string());
  terminal.line("result  " + (options.out / "result.json").string());
  if (options.json) std::printf("%s\n", result.c_str());
  if (figures.sealed_equals_clear == false) {
    return fail("sealed_differs", options.out.string(),
                "the sealed run ended in another model than the clear one; keep the folder and "
                "report this");
  }
  return options.serve ? serve_folder(options.out, options.port) : Result<void>{};
}

}  // namespace consilium::app
