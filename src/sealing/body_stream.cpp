#include "consilium/sealing/body_stream.hpp"

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace consilium::sealing {

auto MemorySink::write(BytesView bytes) -> Result<void> {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return {};
}

auto MemorySink::finish() -> Result<Digest> {
  return sha256(bytes_);
}

/// A ring of buffers between the two threads. Buffers are reused: a chunk costs no allocation.
struct BackgroundSink::Queue {
  explicit Queue(BodySink& sink) : behind(sink), worker([this] { work(); }) {}

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return waiting > 0 || closed; });
      if (waiting == 0) return;
      const Bytes& chunk = chunks.at(first);
      if (!error) {
        lock.unlock();
        auto written = behind.write(chunk);
        lock.lock();
        if (!written) error = std::move(written.error());
      }
      first = (first + 1) % chunks.size();
      --waiting;
      changed.notify_all();
    }
  }
  void close() {
    {
      const std::lock_guard lock(mutex);
      closed = true;
    }
    changed.notify_all();
    if (worker.joinable()) worker.join();
  }

  BodySink& behind;
  std::mutex mutex;  ///< guards all below but `worker`
  std::condition_variable changed;
  std::array<Bytes, 3> chunks;
  std::size_t first = 0, waiting = 0;
  bool closed = false;
  std::optional<Error> error;
  std::thread worker;
};

BackgroundSink::BackgroundSink(BodySink& behind) : queue_(std::make_unique<Queue>(behind)) {}

BackgroundSink::~BackgroundSink() {
  queue_->close();
}

auto BackgroundSink::write(BytesView bytes) -> Result<void> {
  Queue& queue = *queue_;
  std::unique_lock lock(queue.mutex);
  queue.changed.wait(lock, [&] { return queue.waiting < queue.chunks.size() || queue.error; });
  if (queue.error) return tl::unexpected(*queue.error);
  // The worker touches only chunks that are waiting; this one is not yet.
  Bytes& chunk = queue.chunks.at((queue.first + queue.waiting) % queue.chunks.size());
  lock.unlock();
  chunk.assign(bytes.begin(), bytes.end());
  lock.lock();
  ++queue.waiting;
  queue.changed.notify_all();
  return {};
}

auto BackgroundSink::finish() -> Result<Digest> {
  queue_->close();
  if (queue_->error) return tl::unexpected(*queue_->error);
  return queue_->behind.finish();
}

}  // namespace consilium::sealing
