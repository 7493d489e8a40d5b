#include "consilium/sealing/body_stream.hpp"

#include "body_pipeline.hpp"

namespace consilium::sealing {

auto MemorySink::write(BytesView bytes) -> Result<void> {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return {};
}

auto MemorySink::finish() -> Result<Digest> {
  return sha256(bytes_);
}

auto BodyPipeline::Chunk::make_leaf() -> Digest {
  const BytesView all = bytes;
  return chunk_leaf(all.first(chunk_header_size), all.subspan(chunk_header_size));
}

BodyPipeline::BodyPipeline(BodySink& sink, std::size_t chunks, bool on_two_threads)
    : sink_(sink), leaves_(chunks) {
  if (on_two_threads) worker_ = std::thread([this] { work(); });
}

BodyPipeline::~BodyPipeline() {
  close();
}

void BodyPipeline::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return waiting_ > 0 || closed_; });
    if (waiting_ == 0) return;
    Chunk& chunk = ring_.at(first_);
    if (!error_) {
      lock.unlock();
      auto written = sink_.write(chunk.bytes);
      if (chunk.wants_leaf) leaves_.at(chunk.number) = chunk.make_leaf();
      lock.lock();
      if (!written) error_ = std::move(written.error());
    }
    first_ = (first_ + 1) % ring_.size();
    --waiting_;
    changed_.notify_all();
  }
}

void BodyPipeline::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

auto BodyPipeline::put(BytesView bytes) -> Result<void> {
  const std::size_t number = next_++;
  if (!worker_.joinable()) {
    leaves_.at(number) =
        chunk_leaf(bytes.first(chunk_header_size), bytes.subspan(chunk_header_size));
    return sink_.write(bytes);
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_ < ring_.size() || error_; });
  if (error_) return tl::unexpected(*error_);
  // The worker touches only chunks that are waiting; this one is not yet.
  Chunk& chunk = ring_.at((first_ + waiting_) % ring_.size());
  const bool worker_is_idle = waiting_ == 0;
  lock.unlock();
  chunk.bytes.assign(bytes.begin(), bytes.end());
  chunk.number = number;
  chunk.wants_leaf = worker_is_idle;
  if (!chunk.wants_leaf) leaves_.at(number) = chunk.make_leaf();
  lock.lock();
  ++waiting_;
  changed_.notify_all();
  return {};
}

auto BodyPipeline::finish() -> Result<Digest> {
  close();
  if (error_) return tl::unexpected(*error_);
  return sink_.finish();
}

}  // namespace consilium::sealing
