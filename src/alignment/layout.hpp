#pragma once
// How a session's bitmap is cut into chunks.

#include <algorithm>
#include <vector>

#include "consilium/alignment/patterns.hpp"

namespace consilium::alignment {

struct Chunk {
  std::size_t offset = 0;  ///< in words
  std::size_t words = 0;
  [[nodiscard]] auto bits() const -> std::uint32_t {
    return static_cast<std::uint32_t>(words * 64);
  }
};

/// Chunks of 2^chunk_log2 cells; the last one is shorter. All are multiples of 512 cells.
[[nodiscard]] inline auto chunks_of(const ledger::AlignmentRecord& record) -> std::vector<Chunk> {
  const std::size_t words = bitmap_words(record.cells);
  const std::size_t step = (std::size_t{1} << record.chunk_log2) / 64;
  std::vector<Chunk> chunks;
  for (std::size_t at = 0; at < words; at += step)
    chunks.push_back({at, std::min(step, words - at)});
  return chunks;
}

}  // namespace consilium::alignment
