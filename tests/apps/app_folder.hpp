#pragma once
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "consilium/foundation/result.hpp"

namespace consilium::app {

/// The value of a Result that a test relies on; the error's own words when there is none.
template <typename T>
auto must(Result<T> result) -> T {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}
template <typename T>
auto code_of(const Result<T>& result) -> std::string {
  return result ? std::string() : result.error().code;
}

/// An empty folder for one test, gone with it.
class AppFolder : public testing::Test {
 protected:
  AppFolder()
      : folder(std::filesystem::temp_directory_path() /
               ("consilium-apps-" + std::to_string(::getpid()) + "-" +
                testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  ~AppFolder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::filesystem::path folder;
};

}  // namespace consilium::app
