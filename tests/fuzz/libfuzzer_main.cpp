// What libFuzzer calls. The seeds are written into the first folder of the command line before it
// starts.

#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz.hpp"

extern "C" auto LLVMFuzzerInitialize(int* count, char*** arguments) -> int {
  for (int i = 1; i < *count; ++i) {
    const std::filesystem::path folder((*arguments)[i]);
    if (!std::filesystem::is_directory(folder)) continue;
    std::size_t number = 0;
    for (const auto& seed : consilium::fuzz::seeds()) {
      std::ofstream file(folder / ("seed-" + std::to_string(number++)), std::ios::binary);
      file << consilium::as_text(seed);
    }
    break;
  }
  return 0;
}

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  (void)consilium::fuzz::try_input({data, size});
  return 0;
}
