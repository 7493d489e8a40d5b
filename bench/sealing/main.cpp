// Times the sealed sum alone: prints a table for people and, as the last line, one JSON object for
// programs.
//
//   bench_sealing            everything
//   bench_sealing --core     only what is compared with the peers (bench/run.py calls this between
//   their runs) bench_sealing --quick    everything, shorter and coarser: for tests … --runs N
//   repetitions a median is taken of (default 9) … --scratch FOLDER       where the end-to-end row
//   stores its file (default: the current folder)

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "consilium/foundation/files.hpp"
#include "consilium/foundation/random.hpp"

#include "floor.hpp"
#include "inputs.hpp"
#include "ours.hpp"
#include "timing.hpp"

namespace consilium::bench {
namespace {

using sealing::Suite;

struct Options {
  bool core = false;
  bool quick = false;
  int runs = 9;
  std::filesystem::path scratch = ".";
};

/// What was measured, by name; the order of the table is the order of measuring.
class Figures {
 public:
  void add(const std::string& name, const Samples& samples) {
    values_[name] = samples.median();
    spread_[name] = {samples.least(), samples.most()};
    std::printf("  %-34s %12.4f   (%.4f to %.4f)\n", name.c_str(), samples.median(),
                samples.least(), samples.most());
  }
  void add(const std::string& name, double value) {
    values_[name] = value;
    std::printf("  %-34s %12.4f\n", name.c_str(), value);
  }
  [[nodiscard]] auto at(const std::string& name) const -> double { return values_.at(name); }
  [[nodiscard]] auto values() const -> const nlohmann::json& { return values_; }
  [[nodiscard]] auto spread() const -> const nlohmann::json& { return spread_; }

 private:
  nlohmann::json values_ = nlohmann::json::object();
  nlohmann::json spread_ = nlohmann::json::object();
};

void title(const std::string& text) {
  std::printf("%s\n", text.c_str());
}

auto keys_of(std::size_t count) -> std::vector<MaskKey> {
  SystemRandom chance;
  std::vector<MaskKey> keys(count);
  for (MaskKey& key : keys) chance.fill(key);
  return keys;
}

/// One suite at a million parameters of ten hospitals; S30 beside the masking floor, in the same
/// repetitions.
void measure_million(Figures& figures, Suite suite, const std::string& mark, int runs,
                     bool with_floor) {
  constexpr std::uint64_t length = 1'000'000;
  constexpr std::uint32_t hospitals = 10;
  VectorWork work(suite, hospitals, length);
  Samples quantise, seal, seal_cpu, add, open, floor10, floor10_cpu, floor64, openssl10, openssl64;
  std::vector<std::uint32_t> words(length, 1);
  const auto keys10 = keys_of(9), keys64 = keys_of(63);
  for (int run = -1; run < runs; ++run) {
    const std::size_t hospital = static_cast<std::size_t>(run + 1) % hospitals;
    const auto time = [&](Samples& samples, auto&& step) {
      const double taken = milliseconds(step);
      if (run >= 0) samples.add(taken);  // the first round only warms
    };
    time(quantise, [&] { work.quantise(hospital); });
    work.seal(hospital);  // its buffers are warm, as the floor's and the peers' few ciphertexts are
    const double before = cpu_milliseconds(CLOCK_THREAD_CPUTIME_ID);
    time(seal, [&] { work.seal(hospital); });
    if (run >= 0) seal_cpu.add(cpu_milliseconds(CLOCK_THREAD_CPUTIME_ID) - before);
    if (with_floor) {
      mask(Library::libgcrypt, keys10, words);  // its buffers are warm, as ours are
      const double start = cpu_milliseconds(CLOCK_THREAD_CPUTIME_ID);
      time(floor10, [&] { mask(Library::libgcrypt, keys10, words); });
      if (run >= 0) floor10_cpu.add(cpu_milliseconds(CLOCK_THREAD_CPUTIME_ID) - start);
    }
    const AddedAndOpened taken = work.add_and_open();
    CONSILIUM_ENSURE(work.opened_the_sum());
    if (run >= 0) {
      add.add(taken.add_ms);
      open.add(taken.open_ms);
    }
    if (with_floor) {
      time(openssl10, [&] { mask(Library::openssl, keys10, words); });
      time(floor64, [&] { mask(Library::libgcrypt, keys64, words); });
      time(openssl64, [&] { mask(Library::openssl, keys64, words); });
    }
  }
  figures.add("quantise" + mark + "_1m_ms", quantise);
  figures.add("seal" + mark + "_1m_ms", seal);
  figures.add("seal" + mark + "_1m_cpu_ms", seal_cpu);
  figures.add("add10" + mark + "_1m_ms", add);
  figures.add("open" + mark + "_1m_ms", open);
  const auto& parameters = sealing::parameters_of(suite);
  figures.add("bytes_per_param" + mark, static_cast<double>(parameters.residue_bits) *
                                            static_cast<double>(parameters.moduli.size()) / 8);
  figures.add("body_bytes_per_param" + mark + "_1m",
              static_cast<double>(work.body_bytes()) / static_cast<double>(length));
  if (with_floor) {
    figures.add("masking_floor_n10_1m_ms", floor10);
    figures.add("masking_floor_n10_1m_cpu_ms", floor10_cpu);
    figures.add("masking_floor_n64_1m_ms", floor64);
    figures.add("masking_floor_openssl_n10_1m_ms", openssl10);
    figures.add("masking_floor_openssl_n64_1m_ms", openssl64);
  }
}

/// Every path of this processor, each in a process of its own, as a path is chosen when a process
/// starts.
void measure_paths(Figures& figures, int runs) {
  for (const std::string& path : paths()) {
    const std::string command = "CONSILIUM_ISA=" + path + " /proc/" + std::to_string(getpid()) +
                                "/exe --core --runs " + std::to_string(runs);
    FILE* const output = popen(command.c_str(), "r");
    CONSILIUM_ENSURE(output != nullptr);
    std::string text;
    std::array<char, 4096> piece{};
    while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), output)) {
      text.append(piece.data(), got);
    }
    CONSILIUM_ENSURE(pclose(output) == 0 && text.size() > 1);
    const std::size_t last = text.find_last_of('\n', text.size() - 2);
    const auto result = nlohmann::json::parse(text.substr(last + 1));
    CONSILIUM_ENSURE(result["path"] == path);
    for (const char* const step : {"quantise", "seal", "add10", "open"}) {
      const auto value = result["figures"][std::string(step) + "_1m_ms"].get<double>();
      figures.add(std::string(step) + "_" + path + "_1m_ms", value);
    }
  }
}

/// The front door's calls, with all that the steps above leave out.
void measure_whole(Figures& figures, int runs) {
  WholeCalls calls(Suite::s30, 10, 7, 1'000'000);
  Samples seal, check, open;
  for (int run = -1; run < runs; ++run) {
    const double sealing = milliseconds([&] { calls.seal(); });
    const double checking = milliseconds([&] { calls.check_body(); });
    const double opening = milliseconds([&] { calls.open(); });
    CONSILIUM_ENSURE(calls.opened_the_sum());
    if (run < 0) continue;
    seal.add(sealing);
    check.add(checking);
    open.add(opening);
  }
  figures.add("seal_call_1m_ms", seal);
  figures.add("check_body_call_1m_ms", check);
  figures.add("open_sum_call_n10_1m_ms", open);
}

/// Cost a parameter from a thousand to ten million: linear when these figures stay level.
void measure_lengths(Figures& figures, int runs, bool quick) {
  for (int exponent = 3; exponent <= (quick ? 5 : 7); ++exponent) {
    const auto length = static_cast<std::uint64_t>(std::llround(std::pow(10.0, exponent)));
    VectorWork work(Suite::s30, 10, length);
    // Short vectors are repeated inside one sample, so that the clock's grain does not show.
    const int inner = exponent < 6 ? static_cast<int>(1'000'000 / length) : 1;
    Samples seal, add, open;
    const double to_ns = 1e6 / (static_cast<double>(length) * inner);
    for (int run = 0; run < (exponent == 7 ? std::min(runs, 5) : runs); ++run) {
      seal.add(to_ns * milliseconds([&] {
                 for (int at = 0; at < inner; ++at) work.seal(0);
               }));
      AddedAndOpened all;
      for (int at = 0; at < inner; ++at) {
        const AddedAndOpened one = work.add_and_open();
        all.add_ms += one.add_ms;
        all.open_ms += one.open_ms;
      }
      add.add(to_ns * all.add_ms);
      open.add(to_ns * all.open_ms);
      CONSILIUM_ENSURE(work.opened_the_sum());
    }
    const std::string mark = "_1e" + std::to_string(exponent) + "_ns_per_param";
    figures.add("seal" + mark, seal);
    figures.add("add10" + mark, add);
    figures.add("open" + mark, open);
  }
}

void measure_keys(Figures& figures, int runs, bool quick) {
  for (const std::uint16_t miners : std::to_array<std::uint16_t>({1, 4, 7, 13, 64})) {
    if (quick && miners > 7) break;
    RoundKeys work(miners, 10);
    Samples hospital, miner, degree_test, share_sums, reconstruct;
    for (int run = 0; run < runs; ++run) {
      hospital.time([&] { work.hospital(); });
      miner.time([&] { work.miner(); });
      degree_test.time([&] { work.degree_test(); });
      share_sums.time([&] { work.share_sums(); });
      reconstruct.time([&] { work.reconstruct(); });
    }
    const std::string mark = "_m" + std::to_string(miners);
    figures.add("keys_hospital" + mark + "_ms", hospital);
    figures.add("keys_miner_per_hospital" + mark + "_ms", miner);
    figures.add("keys_degree_test" + mark + "_ms", degree_test);
    figures.add("keys_share_sum10" + mark + "_ms", share_sums);
    figures.add("keys_reconstruct" + mark + "_ms", reconstruct);
    figures.add("boxes" + mark + "_bytes", static_cast<double>(work.box_bytes()));
  }
}

/// A field of /proc/self/status, in MiB.
auto memory_mib(const char* field) -> double {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stod(line.substr(std::strlen(field) + 1)) / 1024;
  }
  CONSILIUM_ENSURE(false);
}

struct EndToEnd {
  std::array<double, 16> taken_ms{};
  std::array<double, 16> cpu_ms{};
  std::array<double, 16> store_only_ms{};
  double rss_growth_mib = 0;
};

/// In a process of its own, so that nothing measured before has memory to lend. The update lies in
/// memory beforehand.
auto end_to_end(int runs, const std::filesystem::path& scratch) -> EndToEnd {
  constexpr std::uint64_t length = 10'000'000;
  const auto folder = scratch / ("bench-sealed-" + std::to_string(getpid()));
  EndToEnd result;
  StoredSeal seal(length, folder);
  const auto update = update_of(1, 1, length - 2);
  const double before = memory_mib("VmRSS:");
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins again from here
  for (int run = 0; run < runs; ++run) {
    const auto at = static_cast<std::size_t>(run);
    const double cpu = cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    result.taken_ms.at(at) = milliseconds([&] { seal.run(update); });
    result.cpu_ms.at(at) = cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (run == 0) result.rss_growth_mib = memory_mib("VmHWM:") - before;
    const Bytes body = seal.take_back();
    // What the disk alone asks for as many bytes.
    result.store_only_ms.at(at) = milliseconds(
        [&] { CONSILIUM_ENSURE(write_file_durably(folder / "copy", body).has_value()); });
  }
  std::filesystem::remove_all(folder);
  return result;
}

void measure_end_to_end(Figures& figures, int runs, const std::filesystem::path& scratch) {
  std::array<int, 2> pipe_ends{};
  CONSILIUM_ENSURE(pipe(pipe_ends.data()) == 0);
  std::fflush(stdout);
  const pid_t child = fork();
  CONSILIUM_ENSURE(child >= 0);
  if (child == 0) {
    const EndToEnd result = end_to_end(runs, scratch);
    const auto written = write(pipe_ends[1], &result, sizeof result);
    _exit(written == static_cast<ssize_t>(sizeof result) ? 0 : 1);
  }
  close(pipe_ends[1]);
  EndToEnd result;
  const auto got = read(pipe_ends[0], &result, sizeof result);
  close(pipe_ends[0]);
  int status = 0;
  CONSILIUM_ENSURE(waitpid(child, &status, 0) == child && status == 0);
  CONSILIUM_ENSURE(got == static_cast<ssize_t>(sizeof result));
  Samples taken, cpu, store;
  for (int run = 0; run < runs; ++run) {
    taken.add(result.taken_ms.at(static_cast<std::size_t>(run)));
    cpu.add(result.cpu_ms.at(static_cast<std::size_t>(run)));
    store.add(result.store_only_ms.at(static_cast<std::size_t>(run)));
  }
  figures.add("seal10m_end_to_end_ms", taken);
  figures.add("seal10m_end_to_end_cpu_ms", cpu);
  figures.add("store10m_only_ms", store);
  figures.add("rss_growth_mib", result.rss_growth_mib);
}

auto machine() -> nlohmann::json {
  std::ifstream file("/proc/cpuinfo");
  std::string cpu = "unknown", flags;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    if (line.starts_with("model name")) cpu = line.substr(colon + 2);
    if (line.starts_with("flags")) flags = line.substr(colon + 2);
  }
  // Only those that some path of ours or of a peer looks at.
  std::string known;
  std::istringstream words(flags);
  for (std::string word; words >> word;) {
    if (word.starts_with("avx") || word == "aes" || word == "vaes" || word == "sha_ni" ||
        word == "gfni" || word == "bmi2") {
      known += (known.empty() ? "" : " ") + word;
    }
  }
  return {{"cpu", cpu}, {"cores", std::thread::hardware_concurrency()}, {"flags", known}};
}

auto run(const Options& options) -> int {
  Figures figures;
  const nlohmann::json where = machine();
  std::printf("sealed sum, 1 thread, medians of %d (least to most); path %s; %s; %s\n",
              options.runs, path_in_use().c_str(), where["cpu"].get<std::string>().c_str(),
              version_of(Library::libgcrypt).c_str());
  title("1 M parameters, 10 hospitals, S30 (16 bits), beside the masking floor");
  measure_million(figures, Suite::s30, "", options.runs, true);
  title("the same, L48 (24 bits)");
  measure_million(figures, Suite::l48, "_l48", options.runs, false);
  if (!options.core) {
    title("the same, L60 (24 bits, long-lived secrets)");
    measure_million(figures, Suite::l60, "_l60", options.runs, false);
    title("S30, calls of the front door: with hashes, keys and boxes of 7 miners, digests");
    measure_whole(figures, options.runs);
    title("code paths, S30");
    measure_paths(figures, options.quick ? 1 : std::min(options.runs, 5));
    title("lengths, S30, nanoseconds a parameter");
    measure_lengths(figures, options.runs, options.quick);
    title("keys of a round, S30, committees of M");
    measure_keys(figures, options.runs, options.quick);
    title("10 M parameters: quantise, seal, pack, hash, store durably");
    measure_end_to_end(figures, options.quick ? 1 : std::min(options.runs, 15), options.scratch);
  }
  const double seal = figures.at("seal_1m_ms");
  const nlohmann::json ratios = {
      {"seal_vs_masking_floor", figures.at("masking_floor_n10_1m_ms") / seal},
      {"seal_vs_masking_floor_n64", figures.at("masking_floor_n64_1m_ms") / seal}};
  title("ratios, theirs ÷ ours: above 1 we are ahead");
  for (const auto& [name, value] : ratios.items()) {
    std::printf("  %-34s %12.4f\n", name.c_str(), value.get<double>());
  }
  const nlohmann::json result = {
      {"bench", "sealing"},
      {"machine", where},
      {"path", path_in_use()},
      {"runs", options.runs},
      {"peers",
       {{"libgcrypt", version_of(Library::libgcrypt)}, {"openssl", version_of(Library::openssl)}}},
      {"figures", figures.values()},
      {"ratios", ratios},
      {"missing", nlohmann::json::array()},
      {"spread", figures.spread()}};
  std::cout << std::flush;
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

auto options_of(std::span<char*> arguments) -> Options {
  Options options;
  const auto refuse = [](const std::string& what) {
    std::fprintf(stderr,
                 "bench_sealing: %s\nusage: bench_sealing [--core | --quick] [--runs N] [--scratch "
                 "FOLDER]\n",
                 what.c_str());
    std::exit(2);
  };
  for (std::size_t at = 1; at < arguments.size(); ++at) {
    const std::string word = arguments[at];
    const bool has_value = at + 1 < arguments.size();
    if (word == "--core") {
      options.core = true;
    } else if (word == "--quick") {
      options.quick = true;
      options.runs = 3;
    } else if (word == "--runs" && has_value) {
      options.runs = std::atoi(arguments[++at]);
      if (options.runs < 1 || options.runs > 1000) refuse("--runs takes 1 to 1000");
    } else if (word == "--scratch" && has_value) {
      options.scratch = arguments[++at];
    } else {
      refuse("there is no '" + word + "'");
    }
  }
  return options;
}

}  // namespace
}  // namespace consilium::bench

auto main(int count, char** arguments) -> int {
  return consilium::bench::run(
      consilium::bench::options_of(std::span(arguments, static_cast<std::size_t>(count))));
}
