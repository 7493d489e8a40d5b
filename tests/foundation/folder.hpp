#pragma once
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace consilium {

/// An empty folder for one test, gone with it.
class FolderTest : public ::testing::Test {
 protected:
  FolderTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("consilium-foundation-" + std::to_string(::getpid()) + "-" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~FolderTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path folder_;
};

}  // namespace consilium
