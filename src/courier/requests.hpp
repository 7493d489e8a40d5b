#pragma once
// What the requests of one connection mean. Nothing here knows of sockets.

#include "messages.hpp"

namespace consilium::courier {

/// What all connections share. Counters are written from several threads.
struct PortShared {
  BlobStore& store;
  Messages& messages;
  const PortOptions& options;
  std::atomic<std::uint64_t> connections{0}, refused{0}, busy{0}, runs_sent{0}, runs_taken{0},
      messages_taken{0};
};

/// The largest body a request may have, before one byte of it is read; 0 for what has none.
[[nodiscard]] auto request_bytes_max(const PortOptions& options, Method method,
                                     std::string_view target) -> std::size_t;

/// One peer's connection: keeps the blobs that are coming in over it, and lets go of them when it
/// ends; what has come stays on the disk. Used by one thread at a time.
class Visit {
 public:
  explicit Visit(PortShared& shared) : shared_(shared) {}
  [[nodiscard]] auto answer(const std::string& peer, Request request) -> Answer;

 private:
  struct Push {
    std::uint64_t size;
    BlobPart part;
  };
  auto answer_blob(Request request, std::string_view rest) -> Answer;
  auto answer_message(const std::string& peer, Request request, std::string_view rest) -> Answer;
  auto answer_missing(const Digest& digest, std::uint64_t size) -> Answer;
  auto take_run(const Digest& digest, std::uint64_t index, const Request& request) -> Answer;
  /// The open part of a blob; begun when it is not.
  auto part_of(const Digest& digest, std::uint64_t size) -> Result<BlobPart*>;

  PortShared& shared_;
  std::map<Digest, Push> pushes_;
};

}  // namespace consilium::courier
