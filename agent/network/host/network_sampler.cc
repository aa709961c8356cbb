#include "agent/network/host/network_sampler.h"

#include <utility>

namespace kindling::agent {

NetworkSampler::NetworkSampler(Read read) : read_(std::move(read)), thread_([this] { Run(); }) {}

NetworkSampler::~NetworkSampler() {
  {
    absl::MutexLock lock(&mu_);
    is_done_ = true;
  }
  thread_.join();
}

void NetworkSampler::Request() {
  absl::MutexLock lock(&mu_);
  ++asked_;
}

void NetworkSampler::Deliver(EventSink& sink, absl::Duration patience) {
  std::vector<NetworkReading> readings;
  {
    absl::MutexLock lock(&mu_);
    const auto is_read = [this]()
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return answered_ == asked_; };
    if (patience > absl::ZeroDuration()) mu_.AwaitWithTimeout(absl::Condition(&is_read), patience);
    readings.swap(readings_);
  }
  for (const NetworkReading& reading : readings) sink.OnNetwork(reading);
}

void NetworkSampler::Run() {
  const auto is_wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return answered_ != asked_ || is_done_;
  };
  while (true) {
    uint64_t asked = 0;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&is_wanted));
      if (is_done_) return;
      asked = asked_;
    }
    std::vector<NetworkReading> readings = read_();
    absl::MutexLock lock(&mu_);
    readings_ = std::move(readings);  // counters only grow: a later reading has what nobody took
    answered_ = asked;
  }
}

}  // namespace kindling::agent
