// The program's verbs and flags (design §10). Exit status: 0 done, 1 refused or failed with a named
// error, 2 wrong usage.

#include <CLI/CLI.hpp>
#include <sys/stat.h>

#include "consilium/foundation/secret.hpp"

#include "case_verbs.hpp"
#include "demo.hpp"
#include "diagnose_verb.hpp"
#include "ledger_verbs.hpp"
#include "terminal.hpp"

namespace {

using consilium::Result;
namespace app = consilium::app;

constexpr int exit_failed = 1;
constexpr int exit_wrong_usage = 2;

}  // namespace

auto main(int argc, char** argv) -> int {
  // Keys and case bases are made below: nobody but their owner reads them.
  ::umask(0077);
  consilium::forbid_core_dumps();

  CLI::App program{"consilium: hospitals hold a council over one patient without moving a record"};
  program.require_subcommand(1);
  program.set_version_flag("--version", "consilium 0.1.0");
  std::function<Result<void>()> verb;
  bool json = false;

  app::DemoOptions demo;
  auto* demo_verb = program.add_subcommand("demo", "four real hospitals train and diagnose");
  std::string cohort = "heart";
  std::string driver = "solo";
  demo_verb->add_option("--cohort", cohort, "the hospitals")->check(CLI::IsMember({"heart"}));
  demo_verb->add_option("--driver", driver, "what orders transactions")
      ->check(CLI::IsMember({"solo"}));
  demo_verb->add_option("--topology", demo.topology, "who holds the opening keys")
      ->check(CLI::IsMember({"committee", "central"}));
  demo_verb
      ->add_option("--delivery", demo.delivery,
                   "how keys reach who opens: a shares, c (with central) masked keys")
      ->check(CLI::IsMember({"a", "c"}));
  demo_verb->add_option("--align", demo.align, "what decides which cases train")
      ->check(CLI::IsMember({"patterns", "attributes"}));
  demo_verb
      ->add_option("--align-k", demo.align_k, "a pattern is shared when so many hospitals hold it")
      ->check(CLI::Range(2, 4));
  demo_verb->add_option("--split", demo.split, "which cases are held back")
      ->check(CLI::IsMember({"held-third", "flamby"}));
  demo_verb->add_option("--data", demo.data, "folder of the original UCI files")
      ->check(CLI::ExistingDirectory);
  demo_verb->add_option("--package", demo.package, "the table of the data package")
      ->check(CLI::ExistingFile);
  demo_verb->add_option("--out", demo.out, "where the run lives");
  demo_verb->add_option("--seed", demo.seed, "split, start and training");
  demo_verb->add_option("--rounds", demo.rounds, "update rounds")->check(CLI::Range(1, 1000));
  demo_verb->add_option("--boxes", demo.boxes, "what closes the miners' shares")
      ->check(CLI::IsMember({"classical", "hybrid"}));
  demo_verb
      ->add_option("--box-epoch", demo.box_epoch_rounds,
                   "updates that a box key serves before it is erased; 0: for ever")
      ->check(CLI::Range(0, 1'000'000));
  demo_verb->add_flag("--serve", demo.serve, "serve the report on 127.0.0.1 afterwards");
  demo_verb->add_option("--port", demo.port, "of --serve");
  demo_verb->add_flag("--json", json, "one JSON object on stdout");
  demo_verb->callback([&] {
    verb = [&] {
      demo.json = json;
      return app::demo(demo);
    };
  });

  auto* ledger = program.add_subcommand("ledger", "read or re-play a ledger");
  ledger->require_subcommand(1);
  std::filesystem::path ledger_directory;
  auto* show = ledger->add_subcommand("show", "members, sessions, rounds, models and credits");
  show->add_option("DIR", ledger_directory, "a node's directory or a run's")->required();
  show->add_flag("--json", json, "one JSON object on stdout");
  show->callback([&] { verb = [&] { return app::ledger_show(ledger_directory, json); }; });
  auto* verify =
      ledger->add_subcommand("verify", "re-play it and recompute every credit and digest");
  verify->add_option("DIR", ledger_directory, "a node's directory or a run's")->required();
  verify->add_flag("--json", json, "one JSON object on stdout");
  verify->callback([&] { verb = [&] { return app::ledger_verify(ledger_directory, json); }; });

  auto* credits = program.add_subcommand("credits", "what hospitals were credited with");
  credits->require_subcommand(1);
  app::StatementOptions statement;
  auto* statement_verb =
      credits->add_subcommand("statement", "one hospital's account as HTML and CSV");
  statement_verb->add_option("DIR", statement.directory, "a node's directory or a run's")
      ->required();
  statement_verb->add_option("--hospital", statement.hospital, "its name on the ledger")
      ->required();
  statement_verb->add_option("--out", statement.out, "folder of the two files");
  statement_verb->add_flag("--json", json, "one JSON object on stdout");
  statement_verb->callback([&] {
    verb = [&] {
      statement.json = json;
      return app::credits_statement(statement);
    };
  });

  app::DiagnoseOptions diagnose;
  auto* diagnose_verb = program.add_subcommand("diagnose", "answer about one case of a hospital");
  diagnose_verb->add_option("--home", diagnose.home, "the hospital's directory")->required();
  diagnose_verb->add_option("--case", diagnose.case_id, "the case, such as H-0241")->required();
  diagnose_verb->add_option("--top", diagnose.top_k, "look-alike cases shown")
      ->check(CLI::Range(1, 1000));
  diagnose_verb->add_option("--threshold", diagnose.threshold, "least similarity that counts")
      ->check(CLI::Range(0.0, 1.0));
  auto* confirm = diagnose_verb->add_flag("--confirm", diagnose.confirm,
                                          "the doctor confirms DISEASE of the answer");
  auto* adjust =
      diagnose_verb->add_option("--adjust", diagnose.adjust, "the doctor's own diagnosis (a code)");
  auto* reject =
      diagnose_verb->add_option("--reject", diagnose.reject, "the doctor's reason for refusing");
  confirm->excludes(adjust)->excludes(reject);
  adjust->excludes(reject);
  diagnose_verb->add_option("--result", diagnose.result, "how the applied plan turned out")
      ->check(CLI::IsMember({"reasonable", "unreasonable"}));
  diagnose_verb->add_flag("--json", json, "one JSON object on stdout");
  diagnose_verb->callback([&] {
    verb = [&] {
      diagnose.json = json;
      return app::diagnose(diagnose);
    };
  });

  app::CasesOptions cases;
  auto* cases_verb = program.add_subcommand("cases", "count or list a hospital's own cases");
  cases_verb->add_option("--home", cases.home, "the hospital's directory")->required();
  cases_verb->add_option("--status", cases.status, "only cases of this status");
  cases_verb->add_flag("--json", json, "one JSON object on stdout");
  cases_verb->callback([&] {
    verb = [&] {
      cases.json = json;
      return app::cases(cases);
    };
  });

  app::SchemaOptions schema;
  auto* schema_verb = program.add_subcommand("schema", "the agreed attributes");
  schema_verb->require_subcommand(1);
  auto* schema_show = schema_verb->add_subcommand("show", "print a node's schema");
  schema_show->add_option("--home", schema.home, "the hospital's directory")->required();
  schema_show->callback([&] { verb = [&] { return app::schema_show(schema); }; });

  app::ServeOptions serve;
  auto* serve_verb =
      program.add_subcommand("serve", "serve a finished run's report and health on this machine");
  serve_verb->add_option("--home", serve.home, "the run's directory")->required();
  serve_verb->add_option("--port", serve.port, "0 takes any free one");
  serve_verb->callback([&] { verb = [&] { return app::serve(serve); }; });

  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return program.exit(success);
  } catch (const CLI::ParseError& error) {
    program.exit(error);
    return exit_wrong_usage;
  }
  if (auto done = verb(); !done) {
    app::print_error(done.error().message());
    return done.error().code == "wrong_usage" ? exit_wrong_usage : exit_failed;
  }
  return 0;
}
