#pragma once
// Blob stores in folders that end with their test.

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "consilium/courier/courier.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium::courier {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "consilium-courier-XXXXXX").string();
    CONSILIUM_ENSURE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] auto path() const -> const fs::path& { return path_; }

 private:
  fs::path path_;
};

inline auto open_store(const fs::path& folder) -> BlobStore {
  auto store = BlobStore::open(folder);
  CONSILIUM_ENSURE(store.has_value());
  return std::move(*store);
}

inline auto random_bytes(Random& random, std::size_t size) -> Bytes {
  Bytes bytes(size);
  random.fill(bytes);
  return bytes;
}

inline auto file_of(const BlobStore& store, const Digest& digest) -> fs::path {
  const std::string name = digest.hex();
  return store.folder() / name.substr(0, 2) / name;
}

inline void flip_a_byte(const fs::path& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char old = static_cast<char>(file.get());
  file.seekp(at);
  file.put(static_cast<char>(old ^ 1));
}

}  // namespace consilium::courier
