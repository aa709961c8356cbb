#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "agent/capture/events.h"
#include "agent/network/conntrack/conntrack_source.h"
#include "agent/network/conntrack/nat_feed.h"
#include "agent/network/host/host_network.h"
#include "agent/network/host/kernel_answers.h"
#include "agent/network/host/network_sampler.h"
#include "agent/network/host/scope_namespaces.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// What a live agent learns of the network beside its BPF programs: conntrack's NAT and the health
// of devices, namespaces and host. Each can be disabled, and is missing where the kernel has it
// not.
//
// Threads: the capture thread; each of the two has one of its own.
class NetworkWatch {
 public:
  // Prints one line on standard error for what is missing. Takes what is there before.
  NetworkWatch(const config::v1::AgentConfig& config, const std::function<ScopeNamespaces()>& find);

  // What the events of capture have to pass on their way to `next`, which must outlive this.
  EventSink& Through(EventSink& next);
  // Once before anything is captured.
  void Begin(EventSink& sink);
  // Once a window, a little before its end.
  void Sample();
  // Each cycle: gives what came since, without waiting.
  void Deliver(EventSink& sink);
  // Once at the end.
  void Finish(EventSink& sink);

 private:
  RunningKernel kernel_;
  std::optional<HostNetwork> network_;
  std::optional<NetworkSampler> sampler_;
  std::unique_ptr<ConntrackSource> conntrack_;
  std::optional<NatFeed> feed_;
};

}  // namespace kindling::agent
