#include "consilium/courier/port.hpp"

#include <algorithm>

#include "consilium/foundation/random.hpp"

#include "listener.hpp"

namespace consilium::courier {

struct Port::State {
  State(const TransportIdentity& ours, BlobStore& store, PortOptions given)
      : options(std::move(given)),
        messages(ours, options.channels, SystemRandom().u64()),
        shared{store, messages, options} {}
  const PortOptions options;
  Messages messages;
  PortShared shared;
  std::unique_ptr<Listener> listener;
};

Port::Port(std::unique_ptr<State> state) : state_(std::move(state)) {}
Port::Port(Port&&) noexcept = default;
auto Port::operator=(Port&& other) noexcept -> Port& {
  if (state_) close();
  state_ = std::move(other.state_);
  return *this;
}
Port::~Port() {
  if (state_) close();
}

auto Port::open(const TransportIdentity& ours, BlobStore& store, Admit admit, PortOptions options)
    -> Result<Port> {
  // Otherwise the largest message, or one run, could never come in, and its sender would try for
  // ever.
  CONSILIUM_ENSURE(options.bytes_in_flight_max >=
                       std::max(options.channels.message_bytes_max, blob_run_bytes) &&
                   options.channels.queued_bytes_max >= options.channels.message_bytes_max + 64);
  auto state = std::make_unique<State>(ours, store, std::move(options));
  CONSILIUM_TRY(state->listener, Listener::open(ours, state->shared, std::move(admit)));
  return Port(std::move(state));
}

auto Port::number() const -> std::uint16_t {
  return state_->listener->number();
}

auto Port::counts() const -> PortCounts {
  const PortShared& shared = state_->shared;
  return {.connections = shared.connections,
          .refused = shared.refused,
          .busy = shared.busy,
          .runs_sent = shared.runs_sent,
          .runs_taken = shared.runs_taken,
          .messages_taken = shared.messages_taken};
}

auto Port::connect(const PeerAddress& peer, std::string_view topic, const RemoteOptions& options)
    -> Result<std::unique_ptr<Channel>> {
  return state_->messages.connect(peer, topic, options);
}

void Port::close() {
  state_->messages.close();
  state_->listener->close();
}

}  // namespace consilium::courier
