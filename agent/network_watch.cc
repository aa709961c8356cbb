#include "agent/network_watch.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace kindling::agent {
namespace {

// At the start and at the end of a run, for a reading of the network.
constexpr absl::Duration kPatience = absl::Seconds(2);

}  // namespace

NetworkWatch::NetworkWatch(const config::v1::AgentConfig& config,
                           const std::function<ScopeNamespaces()>& find) {
  const auto is_disabled = [&](std::string_view word) {
    return std::ranges::find(config.network().disable(), word) != config.network().disable().end();
  };
  if (!is_disabled("interfaces")) {
    network_.emplace(
        HostNetwork::Environment{.find = find, .enter = EnterNamespace, .kernel = kernel_});
    sampler_.emplace([this] { return network_->Read(); });
    sampler_->Request();
  }
  if (is_disabled("conntrack")) return;
  absl::StatusOr<std::unique_ptr<ConntrackSource>> source = ConntrackSource::Start(find);
  if (source.ok()) {
    conntrack_ = *std::move(source);
  } else {
    std::fprintf(stderr, "without conntrack (%s): addresses are those before NAT\n",
                 std::string(source.status().message()).c_str());
  }
}

EventSink& NetworkWatch::Through(EventSink& next) {
  if (conntrack_ == nullptr) return next;
  feed_.emplace(*conntrack_, next);
  return *feed_;
}

void NetworkWatch::Begin(EventSink& sink) {
  if (sampler_) sampler_->Deliver(sink, kPatience);
  if (conntrack_ != nullptr) conntrack_->Deliver(sink);
}

void NetworkWatch::Sample() {
  if (sampler_) sampler_->Request();
}

void NetworkWatch::Deliver(EventSink& sink) {
  if (sampler_) sampler_->Deliver(sink, absl::ZeroDuration());
}

void NetworkWatch::Finish(EventSink& sink) {
  if (sampler_) sampler_->Deliver(sink, kPatience);
  if (conntrack_ != nullptr) conntrack_->Deliver(sink);
}

}  // namespace kindling::agent
