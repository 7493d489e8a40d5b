#pragma once
// What the store's files have in common.

#include <filesystem>
#include <utility>

#include <unistd.h>

#include "consilium/foundation/bytes.hpp"

namespace consilium::courier {

/// Half-written files wait here, on the same disk as the blobs: `<process id>-<number>` of blobs
/// that this process writes, `<64 hex digits>-<size>` of those that others send.
inline constexpr std::string_view unfinished_folder = "unfinished";

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  auto operator=(Descriptor&& other) noexcept -> Descriptor& {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] auto valid() const -> bool { return value_ >= 0; }
  [[nodiscard]] auto value() const -> int { return value_; }

 private:
  int value_;
};

/// `disk_full`, or `file_unwritable` with the system's own words.
[[nodiscard]] auto unwritable(const std::filesystem::path& path, int error)
    -> tl::unexpected<Error>;
[[nodiscard]] auto too_large(std::string_view place, std::uint64_t size_max)
    -> tl::unexpected<Error>;
[[nodiscard]] auto missing_blob(const std::filesystem::path& path) -> tl::unexpected<Error>;
[[nodiscard]] auto damaged_blob(const std::filesystem::path& path) -> tl::unexpected<Error>;
/// Reads or writes all of it; false leaves errno. At the file's end `read_all_at` leaves 0.
[[nodiscard]] auto read_all_at(int descriptor, std::span<std::uint8_t> into, std::uint64_t at)
    -> bool;
[[nodiscard]] auto write_all_at(int descriptor, BytesView bytes, std::uint64_t at) -> bool;

}  // namespace consilium::courier
