#pragma once
// The disk under a simulated node's databases: SQLite's files in memory, with everything that can
// befall a real disk. What was written and not synced may be lost, kept or torn at a power cut; a
// cut may come in the middle of any write; the disk may be full. The real foundation::Database and
// the real LedgerStore run on it unchanged.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "consilium/foundation/bytes.hpp"
#include "consilium/foundation/random.hpp"

namespace consilium::simulator {

class VirtualDisk {
 public:
  /// All files of a folder of this name, while this object lives; until then SQLite's own way to
  /// the disk goes on working for every other folder. Not for several threads.
  VirtualDisk(std::filesystem::path folder, std::uint64_t seed);
  ~VirtualDisk();
  VirtualDisk(const VirtualDisk&) = delete;
  auto operator=(const VirtualDisk&) -> VirtualDisk& = delete;

  /// Everything on it, as a backup would have it: for nodes that begin with the same past.
  using Image = std::map<std::string, Bytes>;
  [[nodiscard]] auto image() const -> Image;
  void restore(const Image& image);

  /// From here on nothing more reaches the disk, and every call fails, until `power_on`.
  void power_off();
  void power_on();
  [[nodiscard]] auto has_power() const -> bool { return power_; }
  /// The power fails in the middle of the write after so many others.
  void cut_power_after(std::uint64_t others) { writes_left_ = others; }

  bool full = false;   ///< files do not grow
  bool lying = false;  ///< `sync` answers well and does nothing: a broken disk
  std::uint64_t syncs = 0;
  std::uint64_t writes_lost = 0, writes_torn = 0;  ///< at power cuts, of those not synced

  /// What SQLite's calls do; not for others.
  struct File;
  auto file(const std::string& name) -> File&;
  [[nodiscard]] auto exists(const std::string& name) const -> bool;
  void remove(const std::string& name);
  auto write(File& file, std::uint64_t offset, BytesView bytes) -> int;
  auto truncate(File& file, std::uint64_t size) -> int;
  auto sync(File& file) -> int;

  struct Change {
    std::uint64_t offset = 0;
    std::optional<Bytes> bytes;  ///< none: cut to `offset`
  };
  struct File {
    Bytes now, synced;
    std::vector<Change> unsynced;
    std::vector<std::vector<std::uint8_t>> shared;  ///< of the write-ahead log; dies with the power
  };

 private:
  std::filesystem::path folder_;
  SeededRandom chance_;
  std::map<std::string, File> files_;
  bool power_ = true;
  std::optional<std::uint64_t> writes_left_;
};

}  // namespace consilium::simulator
