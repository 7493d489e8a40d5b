#include "consilium/sealing/body_stream.hpp"

#include "body_pipeline.hpp"

namespace consilium::sealing {

auto MemorySink::write(BytesView bytes) -> Result<void> {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return {};
}

auto MemorySink::finish() -> Result<Digest> {
  return blob_name(bytes_);
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

auto BodyPipeline::room(std::size_t size) -> Result<std::span<std::uint8_t>> {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_ < ring_.size() || error_; });
  if (error_) return tl::unexpected(*error_);
  // The worker touches only chunks that are waiting; this one is not yet.
  Chunk& chunk = ring_.at((first_ + waiting_) % ring_.size());
  chunk.bytes.resize(size);
  return std::span(chunk.bytes);
}

auto BodyPipeline::put() -> Result<void> {
  std::unique_lock lock(mutex_);
  Chunk& chunk = ring_.at((first_ + waiting_) % ring_.size());
  chunk.number = next_++;
  if (!worker_.joinable()) {
    leaves_.at(chunk.number) = chunk.make_leaf();
    return sink_.write(chunk.bytes);
  }
  chunk.wants_leaf = waiting_ == 0;
  if (!chunk.wants_leaf) {
    lock.unlock();
    leaves_.at(chunk.number) = chunk.make_leaf();
    lock.lock();
  }
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
