#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/capture/events.h"
#include "agent/kernel/path_source.h"
#include "agent/path/path_trace.h"
#include "base/clock.h"
#include "model/packet_path.h"
#include "model/path_journeys.h"
#include "tests/kernel/path_topology.h"
#include "tests/kernel/path_traffic.h"

namespace kindling::agent {

using model::PathHop;
using model::PathJourney;
using model::PathOutcome;
using model::PathPlace;

constexpr uint16_t kPort = 8080;
constexpr uint32_t kHello = 5;     // bytes
constexpr uint32_t kDatagram = 7;  // bytes

inline IpAddress Address(const std::string& text) {
  IpAddress address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) address.size = 4;
  if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) address.size = 16;
  return address;
}

// A topology, a trace of its packets, and what came of it.
class PathTest : public ::testing::Test {
 protected:
  PathSourceOptions Options(const std::string& from, const std::string& to, uint16_t port) const {
    PathSourceOptions options;
    options.scope.network_namespaces = topology_.NetnsPaths();
    options.from = {Address(from)};
    options.to = {Address(to)};
    options.port = port;
    return options;
  }

  void Open(const PathSourceOptions& options) {
    auto trace = PathTrace::Open(options, "node", base::SystemClock());
    ASSERT_TRUE(trace.ok()) << trace.status();
    trace_ = *std::move(trace);
  }

  // All that was seen, with the programs out of the kernel again.
  void Collect() {
    model::JourneyTable table;
    // Until nothing comes for a while: the last packets may still be on their way.
    for (bool has_hops = true; has_hops;) {
      usleep(50'000);
      has_hops = false;
      trace_->Poll([&](const PathHop& hop) {
        has_hops = true;
        table.Add(hop, 0);
      });
    }
    loss_ = trace_->loss();
    trace_.reset();
    journeys_ = table.Take(0, true);
    EXPECT_EQ(loss_.hops, 0);
  }

  std::string Host(const PathHop& hop) const {
    const std::string prefix = topology_.Name("");
    return hop.network_namespace.starts_with(prefix) ? hop.network_namespace.substr(prefix.size())
                                                     : hop.network_namespace;
  }

  // "client/eth0 queued"
  std::vector<std::string> Way(const PathJourney& journey) const {
    std::vector<std::string> way;
    for (const PathHop& hop : journey.hops) {
      way.push_back(
          absl::StrFormat("%s/%s %s", Host(hop), hop.device, std::string(Name(hop.place))));
      if (!hop.reason.empty()) way.back() += ": " + hop.reason + " in " + hop.location;
    }
    return way;
  }

  // Those on the way there with so much payload.
  std::vector<const PathJourney*> Sent(uint32_t payload_bytes) const {
    std::vector<const PathJourney*> sent;
    for (const PathJourney& journey : journeys_) {
      const PathHop& first = journey.hops.front();
      if (!first.is_reply && first.payload_bytes == payload_bytes) sent.push_back(&journey);
    }
    return sent;
  }

  // client - router - server, routed.
  void MakeRouted() {
    for (const char* host : {"client", "router", "server"}) topology_.AddHost(host);
    topology_.Veth("client", "eth0", "router", "r-client");
    topology_.Veth("server", "eth0", "router", "r-server");
    topology_.Ip("client", "addr add 10.88.0.2/24 dev eth0\nroute add default via 10.88.0.1");
    topology_.Ip("server", "addr add 10.89.0.2/24 dev eth0\nroute add default via 10.89.0.1");
    topology_.Ip("router",
                 "addr add 10.88.0.1/24 dev r-client\naddr add 10.89.0.1/24 dev r-server");
    topology_.Forward("router");
  }

  // client - bridge - server.
  void MakeBridged() {
    for (const char* host : {"client", "router", "server"}) topology_.AddHost(host);
    topology_.Veth("client", "eth0", "router", "p-client");
    topology_.Veth("server", "eth0", "router", "p-server");
    topology_.Ip("router",
                 "link add br0 type bridge\nlink set br0 up\n"
                 "link set p-client master br0\nlink set p-server master br0");
    for (const char* port : {"p-client", "p-server"}) {
      topology_.Await("router", port, " state forwarding ");
    }
    topology_.Ip("client", "addr add 10.88.0.1/24 dev eth0\naddr add fd00:88::1/64 dev eth0 nodad");
    topology_.Ip("server", "addr add 10.88.0.2/24 dev eth0\naddr add fd00:88::2/64 dev eth0 nodad");
  }

  // 10.96.0.1:80 is the server's 8080, and the server sees the router as its client.
  void CheckNat() {
    Open(Options("10.88.0.2", "10.96.0.1", 80));
    ASSERT_TRUE(SayHello(topology_, "client", "10.96.0.1", 80, {"server", "10.89.0.2", kPort}));
    Collect();
    const auto sent = Sent(kHello);
    ASSERT_THAT(sent, testing::SizeIs(1));
    EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
    for (const PathHop& hop : sent[0]->hops) {
      const bool is_before =
          Host(hop) == "client" || (Host(hop) == "router" && hop.device == "r-client");
      EXPECT_EQ(hop.tuple.source, is_before ? "10.88.0.2" : "10.89.0.1");
      EXPECT_EQ(hop.tuple.destination, is_before ? "10.96.0.1" : "10.89.0.2");
      EXPECT_EQ(hop.tuple.destination_port, is_before ? 80 : kPort);
    }
    EXPECT_THAT(Way(*sent[0]), testing::AllOf(testing::Contains("router/r-client received"),
                                              testing::Contains("router/r-server queued"),
                                              testing::Contains("server/eth0 read")));
    // The answers are known by addresses that were learnt on the way.
    bool has_answer = false;
    for (const PathJourney& journey : journeys_) {
      if (!journey.hops[0].is_reply) continue;
      has_answer = true;
      EXPECT_EQ(journey.hops.front().tuple.destination, "10.89.0.1");
      EXPECT_EQ(journey.hops.back().tuple.source, "10.96.0.1");
      EXPECT_EQ(journey.hops.back().tuple.destination, "10.88.0.2");
    }
    EXPECT_TRUE(has_answer);
  }

  // What a drop by this rule at `host` is seen as.
  void CheckNetfilterDrop(const std::string& host, const std::string& chain,
                          const std::string& device, const std::string& hook) {
    topology_.Nft(host, "table inet t { chain c { type filter hook " + chain +
                            " priority 0; udp dport 8080 drop; }; }");
    Open(Options("10.88.0.2", "10.89.0.2", kPort));
    EXPECT_FALSE(
        SayDatagram(topology_, "client", "10.89.0.2", kPort, {"server", "10.89.0.2", kPort}));
    Collect();
    topology_.Nft(host, "delete table inet t");
    const auto sent = Sent(kDatagram);
    ASSERT_THAT(sent, testing::SizeIs(1));
    const PathHop* drop = sent[0]->drop();
    ASSERT_NE(drop, nullptr) << testing::PrintToString(Way(*sent[0]));
    EXPECT_EQ(drop, &sent[0]->hops.back());
    EXPECT_EQ(Host(*drop), host);
    EXPECT_EQ(drop->device, device);
    EXPECT_EQ(drop->reason, "netfilter_drop");
    EXPECT_THAT(drop->location, testing::HasSubstr("netfilter " + hook));
  }

  PathTopology topology_;
  std::unique_ptr<PathTrace> trace_;
  PathLoss loss_;
  std::vector<PathJourney> journeys_;
};

}  // namespace kindling::agent
