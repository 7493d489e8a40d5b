#pragma once
// One node's side of a chain, fed by the test instead of an engine.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "consilium/engine/application.hpp"

#include "ledger/walk.hpp"

namespace consilium::engine::test {

using ledger::test::code;
using ledger::test::Consortium;
using ledger::test::id;
using ledger::test::short_policy;
using ledger::test::Walk;

template <typename T>
auto must(Result<T> result) -> T {
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  ASSERT_TRUE(result) << (result ? "" : result.error().message());
}

/// An empty folder, gone with this object.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "consilium-engine-XXXXXX") {
    std::string name = path_.string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  auto operator=(const Folder&) -> Folder& = delete;
  [[nodiscard]] auto path() const -> const std::filesystem::path& { return path_; }

 private:
  std::filesystem::path path_;
};

class Chain {
 public:
  explicit Chain(const ledger::Genesis& genesis, const std::filesystem::path& folder)
      : file_(folder / "ledger.db") {
    auto store = must(ledger::LedgerStore::create(file_, genesis));
    application = must(Application::open(std::move(store), {1000}, clock));
  }
  /// As if the process had been killed and started again.
  void restart() {
    application.reset();
    auto store = must(ledger::LedgerStore::open(file_));
    application = must(Application::open(std::move(store), {1000}, clock));
  }

  /// The engine's next block, finalized.
  auto finalize(std::vector<Bytes> transactions, std::vector<CommitVote> commit = {})
      -> FinalizedBlock {
    return must(application->finalize_block(
        {application->info().height + 1, std::move(transactions), std::move(commit)}));
  }
  auto block(std::vector<Bytes> transactions, std::vector<CommitVote> commit = {})
      -> FinalizedBlock {
    auto out = finalize(std::move(transactions), std::move(commit));
    must(application->commit());
    return out;
  }
  /// The last block of the ledger and the state digest after it.
  [[nodiscard]] auto blocks() -> std::vector<ledger::Block> {
    return must(application->blocks_after(Height{0}, 100'000));
  }

  ManualClock clock;
  std::unique_ptr<Application> application;

 private:
  std::filesystem::path file_;
};

}  // namespace consilium::engine::test
