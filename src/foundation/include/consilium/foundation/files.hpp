#pragma once
#include <filesystem>

#include "consilium/foundation/bytes.hpp"

namespace consilium {

/// The whole file. Errors: `file_missing`, `file_too_large`, `file_unreadable` (each names the
/// path).
[[nodiscard]] auto read_file(const std::filesystem::path& path, std::size_t size_max = 1U << 30U)
    -> Result<Bytes>;
[[nodiscard]] auto read_text_file(const std::filesystem::path& path,
                                  std::size_t size_max = 1U << 30U) -> Result<std::string>;

/// Who may read a new file: the owner alone (keys), or whom the user's umask allows.
enum class Readers { owner, by_umask };

/// Writes beside the target, syncs, renames over it and syncs the folder: after a crash there is
/// the old file or the new one, never half of one. Makes missing folders. Errors:
/// `file_unwritable`, `disk_full`.
[[nodiscard]] auto write_file_durably(const std::filesystem::path& path, BytesView bytes,
                                      Readers readers = Readers::by_umask) -> Result<void>;

/// Overwrites a file with zeros in place and syncs it: what comes before unlinking or replacing a
/// key. A disk may keep the old bytes elsewhere (wear levelling, snapshots, copy on write), and
/// nothing here reaches them. Errors: `file_missing`, `file_unwritable`.
[[nodiscard]] auto overwrite_file(const std::filesystem::path& path) -> Result<void>;
/// Overwrites, unlinks, and syncs the folder. Erasing what is not there is no error. Error:
/// `file_unwritable`.
[[nodiscard]] auto erase_file(const std::filesystem::path& path) -> Result<void>;

/// Makes what was renamed, made or removed in a folder survive a crash. Error: `file_unwritable`.
[[nodiscard]] auto sync_folder(const std::filesystem::path& folder) -> Result<void>;

}  // namespace consilium
