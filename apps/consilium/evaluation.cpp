#include "evaluation.hpp"

#include <algorithm>

namespace consilium::app {

namespace {

/// Training without a federation: as many steps in all as the rounds had, from the same start.
auto train_alone(const federation::UpdatePlan& plan, const learning::Examples& examples,
                 std::size_t rounds, std::uint64_t seed, std::string_view label)
    -> Result<learning::Model> {
  auto model = federation::initial_model(plan.shape, plan.model_seed);
  SeededRandom random(seed, label);
  for (std::size_t round = 0; round < rounds; ++round) {
    CONSILIUM_CHECK(learning::train(model, examples, plan.training, random));
  }
  return model;
}

/// Posteriors and outcomes gathered over hospitals, for the one big test set.
struct Gathered {
  std::vector<float> posterior;
  std::vector<std::int32_t> disease;
  void add(const learning::Model& model, const learning::Examples& examples) {
    const auto rows = model.predict(learning::batch_of(examples));
    posterior.insert(posterior.end(), rows.begin(), rows.end());
    disease.insert(disease.end(), examples.disease.begin(), examples.disease.end());
  }
  [[nodiscard]] auto evaluation(std::size_t classes) const -> learning::Evaluation {
    return learning::evaluate_posteriors(posterior, classes, disease);
  }
};

auto model_of(Node& node, const Digest& digest) -> Result<learning::Model> {
  CONSILIUM_TRY(const auto bytes, node.load("models/" + digest.hex()));
  if (!bytes) {
    return fail("file_missing", node.name() + "/models/" + digest.hex(),
                "the model of an accepted round is not kept; run the demo afresh");
  }
  return learning::Model::decode(*bytes);
}

}  // namespace

auto measure(ConsortiumRun& run, const RunSpec& spec) -> Result<RunFigures> {
  RunFigures out;
  const auto& state = run.state();
  CONSILIUM_TRY(const auto plan, run.update_plan(0));
  const auto nodes = run.hospitals();
  const std::size_t classes = learning::class_count(plan.shape);

  // Which model was in force after each update round.
  std::vector<std::optional<Digest>> in_force;
  std::optional<Digest> current;
  for (const auto& [id, round] : state.rounds()) {
    if (round.open.purpose != sealing::Purpose::update) continue;
    if (round.state == ledger::RoundState::accepted) {
      ++out.rounds_accepted;
      for (const auto& model : state.models()) {
        if (model.round == id) current = model.model;
      }
    } else if (round.state != ledger::RoundState::rolled_back) {
      continue;
    }
    ++out.rounds;
    in_force.push_back(current);
  }
  if (!current)
    return fail("no_model", "demo", "no round was accepted, so there is no model to measure");

  std::vector<casebase::Case> everybody;
  for (auto* node : nodes) {
    CONSILIUM_TRY(const auto samples, node->casebase().samples());
    everybody.insert(everybody.end(), samples.begin(), samples.end());
  }
  const auto& schema = nodes.front()->cases().schema();
  // Under FLamby's rule everybody is standardised by the cases that train it, codes included.
  const bool own_norm = spec.norm == TrainingRule::Norm::own;
  const auto view = [&](std::span<const casebase::Case> cases,
                        std::span<const casebase::Case> norm_cases) {
    return own_norm ? vectors_under_own_norm(cases, norm_cases, schema)
                    : casebase::vectorise(cases, schema,
                                          casebase::own_standardisation(norm_cases, schema));
  };
  CONSILIUM_TRY(const auto pooled, train_alone(plan, view(everybody, everybody),
                                               spec.rounds * nodes.size(), spec.seed, "pooled"));

  CONSILIUM_TRY(const auto asked, run.metrics());
  std::vector<std::int64_t> clear_sum(asked ? asked->plan.length() : 0, 0);
  ThreeWays<Gathered> gathered;
  std::size_t with_auc = 0;
  for (auto* node : nodes) {
    HospitalFigures h;
    h.name = node->name();
    h.title = node->title();
    CONSILIUM_TRY(const auto samples, node->casebase().samples());
    CONSILIUM_TRY(const auto kept, node->casebase().with_status(casebase::Status::held_back));
    h.training_cases = samples.size();
    h.held_back_cases = kept.size();
    h.cases = samples.size() + kept.size();
    CONSILIUM_TRY(const auto shared, node->shared_in(1));
    if (shared) {
      h.shared_cases = shared->cases;
    } else if (spec.align_attributes) {
      h.shared_cases = samples.size();
    }
    CONSILIUM_TRY(const auto shared_next, node->shared_in(2));
    if (shared_next) h.shared_cases_next = shared_next->cases;
    h.credits = node->member()->credits;

    CONSILIUM_TRY(const auto local, train_alone(plan, view(samples, samples), spec.rounds,
                                                spec.seed, "local/" + h.name));
    const auto own_view = view(kept, samples);
    const auto pooled_view = view(kept, everybody);
    // FLamby tests every model at a centre under the centre's own norm, and on the pooled rows
    // under the pooled one.
    const auto& centre_view_of_pooled = own_norm ? own_view : pooled_view;
    CONSILIUM_TRY(const auto* federation_view, federation::held_back_now(node->cases(), plan));
    CONSILIUM_TRY(const auto federated, model_of(*node, *current));

    if (asked) {
      const auto posterior = federated.predict(learning::batch_of(*federation_view));
      CONSILIUM_TRY(const auto part,
                    federation::metrics_vector(asked->plan, posterior, federation_view->disease,
                                               asked->value_max, asked->plan.small_cell));
      for (std::size_t i = 0; i < part.size(); ++i) clear_sum[i] += part[i];
    }
    h.on_held_back.local = learning::evaluate(local, own_view);
    h.on_held_back.federated = learning::evaluate(federated, *federation_view);
    h.on_held_back.pooled = learning::evaluate(pooled, centre_view_of_pooled);
    gathered.local.add(local, own_view);
    gathered.federated.add(federated, own_norm ? pooled_view : *federation_view);
    gathered.pooled.add(pooled, pooled_view);
    const auto& rows = h.on_held_back.federated.class_rows;
    h.one_class = std::count_if(rows.begin(), rows.end(), [](auto n) { return n > 0; }) < 2;
    for (const auto& digest : in_force) {
      if (!digest) {
        h.auc_by_round.push_back(0.5);
        continue;
      }
      CONSILIUM_TRY(const auto model, model_of(*node, *digest));
      h.auc_by_round.push_back(learning::evaluate(model, *federation_view).auc);
    }
    out.mean_accuracy.local += h.on_held_back.local.accuracy;
    out.mean_accuracy.federated += h.on_held_back.federated.accuracy;
    out.mean_accuracy.pooled += h.on_held_back.pooled.accuracy;
    if (!h.one_class) {
      ++with_auc;
      out.mean_auc.local += h.on_held_back.local.auc;
      out.mean_auc.federated += h.on_held_back.federated.auc;
      out.mean_auc.pooled += h.on_held_back.pooled.auc;
    }
    out.hospitals.push_back(std::move(h));
  }
  if (asked) {
    CONSILIUM_TRY(out.sealed_metrics,
                  federation::read_metrics(asked->plan, asked->sum, asked->hospitals,
                                           asked->value_max, false));
    out.metrics_round = asked->round.value;
    out.sealed_metrics_equal_clear = clear_sum == asked->sum;
  }
  const auto scale = [](ThreeWays<double>& ways, std::size_t count) {
    const double n = count == 0 ? 1.0 : static_cast<double>(count);
    ways.local /= n;
    ways.federated /= n;
    ways.pooled /= n;
  };
  scale(out.mean_accuracy, nodes.size());
  scale(out.mean_auc, with_auc);
  out.pooled_test = {gathered.local.evaluation(classes), gathered.federated.evaluation(classes),
                     gathered.pooled.evaluation(classes)};
  return out;
}

}  // namespace consilium::app
