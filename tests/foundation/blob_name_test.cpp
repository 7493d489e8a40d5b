#include "consilium/foundation/blob_name.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "consilium/foundation/random.hpp"

namespace consilium {
namespace {

/// The bytes of tests/vectors/make_blob_vectors.py.
auto content(std::size_t size) -> Bytes {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 131 + (i >> 15U) * 7);
  }
  return bytes;
}

auto leaf_of(BytesView bytes, std::uint64_t leaf) -> BytesView {
  const auto at = static_cast<std::size_t>(leaf) * blob_leaf_bytes;
  return bytes.subspan(at, std::min(blob_leaf_bytes, bytes.size() - at));
}

auto run_of(BytesView bytes, std::uint64_t run) -> BytesView {
  const auto at = static_cast<std::size_t>(run) * blob_run_bytes;
  return bytes.subspan(at, std::min(blob_run_bytes, bytes.size() - at));
}

/// Foundation has no JSON: the file's strings and numbers, in the order they stand there.
struct Vector {
  std::size_t size = 0;
  std::string name;
  BlobPath last, first;
};
auto vectors() -> std::vector<Vector> {
  std::ifstream file(std::string(CONSILIUM_SOURCE_DIR) + "/tests/vectors/blobs.json");
  std::vector<Vector> found;
  BlobPath* path = nullptr;
  for (std::string line; std::getline(file, line);) {
    const auto has = [&](const char* what) { return line.find(what) != std::string::npos; };
    if (has("\"size\"")) {
      found.emplace_back().size = std::stoul(line.substr(line.find(':') + 1));
    } else if (has("\"name\"")) {
      found.back().name = line.substr(line.find(": \"") + 3, 64);
    } else if (has("_path\"")) {
      path = has("last") ? &found.back().last : &found.back().first;
    } else if (path != nullptr && line.find('"') != std::string::npos) {
      path->push_back(Digest::from_hex(line.substr(line.find('"') + 1, 64)).value());
    }
  }
  return found;
}

TEST(BlobName, is_the_root_that_another_program_computes_from_the_text_of_rfc_6962) {
  const auto expected = vectors();
  ASSERT_EQ(expected.size(), 11U);
  for (const Vector& one : expected) {
    const Bytes bytes = content(one.size);
    EXPECT_EQ(blob_name(bytes).hex(), one.name) << one.size;
    EXPECT_EQ(BlobNamer().add(bytes).finish().hex(), one.name) << one.size;
    EXPECT_EQ(blob_leaf_path(bytes, 0), one.first) << one.size;
    const std::uint64_t last = blob_leaf_count(one.size) - 1;
    EXPECT_EQ(blob_leaf_path(bytes, last), one.last) << one.size;
    EXPECT_TRUE(check_blob_leaf(blob_name(bytes), one.size, last, leaf_of(bytes, last), one.last));
  }
}

TEST(BlobName, of_a_short_blob_is_no_plain_hash_of_it) {
  // A blob that is the two children of a node must not have that node's name.
  const Bytes bytes = content(2 * blob_leaf_bytes);
  const BlobPath second = blob_leaf_path(bytes, 0);
  const BlobPath first = blob_leaf_path(bytes, 1);
  Bytes children;
  for (const Digest& child : {first[0], second[0]})
    children.insert(children.end(), child.bytes.begin(), child.bytes.end());
  EXPECT_NE(blob_name(children), blob_name(bytes));
  EXPECT_NE(blob_name(children), sha256(children));
}

TEST(BlobNamer, gives_the_same_name_in_any_pieces_and_begins_again) {
  SeededRandom random(1, "blob pieces");
  BlobNamer namer;
  for (const std::size_t size : {std::size_t{0}, blob_leaf_bytes, 2 * blob_run_bytes,
                                 2 * blob_run_bytes + 3 * blob_leaf_bytes + 1}) {
    const Bytes bytes = content(size);
    for (std::size_t at = 0; at < size;) {
      const std::size_t piece = 1 + random.below(std::min<std::size_t>(size - at, 50'000));
      namer.add(BytesView(bytes).subspan(at, piece));
      at += piece;
    }
    const auto runs = namer.finish_runs();
    EXPECT_EQ(runs.size(), blob_run_count(size));
    EXPECT_EQ(blob_name_of_runs(runs), blob_name(bytes)) << size;
    for (std::size_t run = 0; run < runs.size(); ++run)
      EXPECT_EQ(runs[run], blob_run_node(run_of(bytes, run)));
  }
}

TEST(BlobProof, of_every_leaf_and_run_fits_its_place_and_no_other) {
  for (const std::size_t size :
       {blob_run_bytes + 1, 3 * blob_run_bytes, 5 * blob_run_bytes + 7 * blob_leaf_bytes + 9}) {
    const Bytes bytes = content(size);
    const auto runs = BlobNamer().add(bytes).finish_runs();
    const Digest name = blob_name_of_runs(runs);
    for (std::size_t run = 0; run < runs.size(); ++run) {
      const BlobPath path = blob_run_path(runs, run);
      for (std::size_t place = 0; place < runs.size(); ++place) {
        const auto checked = check_blob_run(name, size, place, run_of(bytes, run), path);
        EXPECT_EQ(checked.has_value(), place == run) << size << ": " << run << " at " << place;
        if (checked) {
          EXPECT_EQ(*checked, runs[run]);
        }
      }
    }
    const std::uint64_t leaves = blob_leaf_count(size);
    for (const std::uint64_t leaf : {std::uint64_t{0}, leaves / 2, leaves - 1}) {
      const BlobPath path = blob_leaf_path(bytes, leaf);
      for (std::uint64_t place = 0; place < leaves; ++place) {
        EXPECT_EQ(check_blob_leaf(name, size, place, leaf_of(bytes, leaf), path).has_value(),
                  place == leaf);
      }
    }
  }
}

TEST(BlobProof, refuses_changed_bytes_paths_names_and_places_that_do_not_exist) {
  const std::size_t size = 3 * blob_run_bytes;
  Bytes bytes = content(size);
  const auto runs = BlobNamer().add(bytes).finish_runs();
  const Digest name = blob_name_of_runs(runs);
  const BlobPath path = blob_run_path(runs, 1);
  ASSERT_TRUE(check_blob_run(name, size, 1, run_of(bytes, 1), path));
  EXPECT_EQ(check_blob_run(name, size, 3, run_of(bytes, 1), path).error().code, "blob_mismatch");
  EXPECT_FALSE(check_blob_run(name, size, ~std::uint64_t{0}, run_of(bytes, 1), path));
  EXPECT_FALSE(check_blob_run(name, size, 1, run_of(bytes, 1).first(blob_run_bytes - 1), path));
  EXPECT_FALSE(check_blob_run(runs[1], size, 1, run_of(bytes, 1), path));
  BlobPath longer = path;
  longer.push_back(name);
  EXPECT_FALSE(check_blob_run(name, size, 1, run_of(bytes, 1), longer));
  EXPECT_FALSE(
      check_blob_run(name, size, 1, run_of(bytes, 1), BlobPath(path.begin(), path.end() - 1)));
  BlobPath changed = path;
  changed[1].bytes[31] ^= 1U;
  EXPECT_FALSE(check_blob_run(name, size, 1, run_of(bytes, 1), changed));
  for (const std::size_t at : {std::size_t{0}, blob_leaf_bytes, blob_run_bytes - 1}) {
    bytes[blob_run_bytes + at] ^= 0x40U;
    EXPECT_FALSE(check_blob_run(name, size, 1, run_of(bytes, 1), path)) << at;
    bytes[blob_run_bytes + at] ^= 0x40U;
  }
}

}  // namespace
}  // namespace consilium
