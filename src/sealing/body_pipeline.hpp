#pragma once
// From sealed chunks to their leaves and the sink, on a thread of its own if asked: hashing and the
// disk cost twice what sealing does, and overlap it.

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "body_layout.hpp"

namespace consilium::sealing {

/// At most three chunks wait for the second thread. Who hashes a chunk's leaf is decided when it is
/// put: the second thread when it has nothing else to do, the first otherwise. So both are busy to
/// the end, whatever the disk costs.
class BodyPipeline {
 public:
  BodyPipeline(BodySink& sink, std::size_t chunks, bool on_two_threads);
  ~BodyPipeline();
  BodyPipeline(const BodyPipeline&) = delete;
  auto operator=(const BodyPipeline&) -> BodyPipeline& = delete;

  /// Where the next chunk, header and payload, is to be written. Error: the sink's.
  [[nodiscard]] auto room(std::size_t size) -> Result<std::span<std::uint8_t>>;
  /// It is written. The sink's error comes with a later call at the latest.
  [[nodiscard]] auto put() -> Result<void>;
  /// The sink's digest of all. `leaves` are complete then.
  [[nodiscard]] auto finish() -> Result<Digest>;
  [[nodiscard]] auto leaves() const -> const std::vector<Digest>& { return leaves_; }

 private:
  struct Chunk {
    Bytes bytes;
    std::size_t number = 0;
    bool wants_leaf = false;
    [[nodiscard]] auto make_leaf() -> Digest;
  };
  void work();
  void close();

  BodySink& sink_;
  std::vector<Digest> leaves_;  ///< each written once, by one of the threads
  std::size_t next_ = 0;
  std::mutex mutex_;  ///< guards all below but `worker_`
  std::condition_variable changed_;
  std::array<Chunk, 3> ring_;
  std::size_t first_ = 0, waiting_ = 0;
  bool closed_ = false;
  std::optional<Error> error_;
  std::thread worker_;
};

}  // namespace consilium::sealing
