// The way of packets in the kernel, against topologies made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/kernel/kernel_facts.h"
#include "tests/kernel/path_fixture.h"

namespace kindling::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(PathTest, BridgeAndVeth) {
  MakeBridged();
  Open(Options("10.88.0.1", "10.88.0.2", kPort));
  ASSERT_TRUE(SayHello(topology_, "client", "10.88.0.2", kPort, {"server", "10.88.0.2", kPort}));
  Collect();
  const auto sent = Sent(kHello);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
  std::vector<std::string> way = Way(*sent[0]);
  // Where its last piece was read in whole, the kernel says that it is done with it, or not.
  if (way.back() == "server/eth0 done") way.pop_back();
  EXPECT_THAT(way,
              ElementsAre("client/eth0 queued", "client/eth0 transmit", "router/p-client backlog",
                          "router/p-client received", "router/p-server queued",
                          "router/p-server transmit", "server/eth0 backlog", "server/eth0 received",
                          "server/eth0 socket", "server/eth0 read"));
  const PathHop& read = sent[0]->hops[9];
  EXPECT_THAT(read.detail, HasSubstr(absl::StrFormat("(pid %d)", getpid())));
  for (const PathJourney& journey : journeys_) {
    EXPECT_NE(journey.outcome, PathOutcome::kDropped) << testing::PrintToString(Way(journey));
    EXPECT_NE(journey.outcome, PathOutcome::kUnfinished) << testing::PrintToString(Way(journey));
    EXPECT_FALSE(journey.is_partial);
    for (size_t i = 1; i < journey.hops.size(); ++i) EXPECT_GE(journey.SinceLastNs(i), 0);
  }
  // There and back: SYN, SYN ACK, ACK, data, ACK, two FINs.
  EXPECT_GE(journeys_.size(), 7);
}

TEST_F(PathTest, Ipv6) {
  MakeBridged();
  Open(Options("fd00:88::1", "fd00:88::2", kPort));
  ASSERT_TRUE(SayHello(topology_, "client", "fd00:88::2", kPort, {"server", "fd00:88::2", kPort}));
  Collect();
  const auto sent = Sent(kHello);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
  EXPECT_EQ(sent[0]->hops[0].tuple.source, "fd00:88::1");
  EXPECT_THAT(Way(*sent[0]),
              AllOf(Contains("router/p-client received"), Contains("router/p-server queued"),
                    Contains("server/eth0 read")));
}

TEST_F(PathTest, NftablesNatShowsWhatAddressesBecome) {
  MakeRouted();
  topology_.Nft("router",
                "table ip t { chain pre { type nat hook prerouting priority dstnat; ip daddr "
                "10.96.0.1 tcp dport 80 dnat to 10.89.0.2:8080; }; chain post { type nat hook "
                "postrouting priority srcnat; oifname r-server masquerade; }; }");
  CheckNat();
}

TEST_F(PathTest, IptablesNatShowsWhatAddressesBecome) {
  MakeRouted();
  topology_.Run("router",
                "iptables -t nat -A PREROUTING -d 10.96.0.1 -p tcp --dport 80 -j DNAT "
                "--to-destination 10.89.0.2:8080");
  topology_.Run("router", "iptables -t nat -A POSTROUTING -o r-server -j MASQUERADE");
  CheckNat();
}

// Nobody ever sees a packet with both true ends; conntrack knows them.
TEST_F(PathTest, TrueEndsAreFoundWhereBothAreTranslated) {
  MakeRouted();
  topology_.Nft("router",
                "table ip t { chain pre { type nat hook prerouting priority dstnat; ip daddr "
                "10.96.0.1 tcp dport 80 dnat to 10.89.0.2:8080; }; chain post { type nat hook "
                "postrouting priority srcnat; oifname r-server masquerade; }; }");
  Open(Options("10.88.0.2", "10.89.0.2", kPort));
  const PathServer server{"server", "10.89.0.2", kPort};
  ASSERT_TRUE(SayHello(topology_, "client", "10.96.0.1", 80, server));
  Collect();
  const auto sent = Sent(kHello);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(Way(*sent[0])[0], "client/eth0 queued");
  EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
  // The first of all is known only where conntrack has met it.
  EXPECT_THAT(Way(journeys_[0])[0], HasSubstr("router/r-server"));
}

TEST_F(PathTest, Macvlan) {
  for (const char* host : {"client", "host", "container"}) topology_.AddHost(host);
  topology_.Veth("client", "eth0", "host", "uplink");
  topology_.Ip("host",
               "link add link uplink name mv0 type macvlan mode bridge\nlink set mv0 netns " +
                   topology_.Name("container"));
  topology_.Ip("client", "addr add 10.88.0.1/24 dev eth0");
  topology_.Ip("container", "link set mv0 up\naddr add 10.88.0.2/24 dev mv0");
  Open(Options("10.88.0.1", "10.88.0.2", kPort));
  ASSERT_TRUE(SayHello(topology_, "client", "10.88.0.2", kPort, {"container", "10.88.0.2", kPort}));
  Collect();
  const auto sent = Sent(kHello);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
  std::vector<std::string> way = Way(*sent[0]);
  if (way.back() == "container/mv0 done") way.pop_back();
  EXPECT_THAT(way,
              ElementsAre("client/eth0 queued", "client/eth0 transmit", "host/uplink backlog",
                          "host/uplink received", "container/mv0 socket", "container/mv0 read"));
  // Back through the macvlan device and the one below it.
  bool has_reply = false;
  for (const PathJourney& journey : journeys_) {
    if (!journey.hops[0].is_reply || journey.outcome != PathOutcome::kDelivered) continue;
    has_reply = true;
    EXPECT_THAT(Way(journey),
                ElementsAre("container/mv0 queued", "container/mv0 transmit", "host/uplink queued",
                            "host/uplink transmit", "client/eth0 backlog", "client/eth0 received",
                            "client/eth0 socket"));
  }
  EXPECT_TRUE(has_reply);
}

TEST_F(PathTest, VxlanBetweenTwoHosts) {
  for (const char* host : {"pod-a", "host-a", "host-b", "pod-b"}) topology_.AddHost(host);
  topology_.Veth("host-a", "eth0", "host-b", "eth0");
  topology_.Veth("pod-a", "eth0", "host-a", "p-a");
  topology_.Veth("pod-b", "eth0", "host-b", "p-b");
  for (const char side : {'a', 'b'}) {
    const std::string host = std::string("host-") + side;
    const char self = side == 'a' ? '1' : '2';
    const char other = side == 'a' ? '2' : '1';
    topology_.Ip(host,
                 absl::StrFormat("addr add 192.168.88.%c/24 dev eth0\n"
                                 "link add vx0 type vxlan id 42 remote 192.168.88.%c dstport 4789\n"
                                 "link add br0 type bridge\nlink set vx0 master br0\n"
                                 "link set p-%c master br0\nlink set vx0 up\nlink set br0 up",
                                 self, other, side));
    topology_.Ip(std::string("pod-") + side,
                 absl::StrFormat("addr add 10.88.0.%c/24 dev eth0", self));
  }
  Open(Options("10.88.0.1", "10.88.0.2", kPort));
  ASSERT_TRUE(SayHello(topology_, "pod-a", "10.88.0.2", kPort, {"pod-b", "10.88.0.2", kPort}));
  Collect();
  const auto sent = Sent(kHello);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
  std::vector<std::string> way = Way(*sent[0]);
  if (way.back() == "pod-b/eth0 done") way.pop_back();
  EXPECT_THAT(way, ElementsAre("pod-a/eth0 queued", "pod-a/eth0 transmit", "host-a/p-a backlog",
                               "host-a/p-a received", "host-a/vx0 queued", "host-a/vx0 transmit",
                               "host-a/eth0 queued", "host-a/eth0 transmit", "host-b/eth0 backlog",
                               "host-b/eth0 received", "host-b/vx0 backlog", "host-b/vx0 received",
                               "host-b/p-b queued", "host-b/p-b transmit", "pod-b/eth0 backlog",
                               "pod-b/eth0 received", "pod-b/eth0 socket", "pod-b/eth0 read"));
  for (const PathHop& hop : sent[0]->hops) {
    EXPECT_EQ(hop.tuple.source, "10.88.0.1");
    const bool is_carried = hop.device == "eth0" && Host(hop).starts_with("host-");
    EXPECT_EQ(hop.carrier.destination, is_carried ? "192.168.88.2" : "") << Host(hop);
    EXPECT_EQ(hop.vni, is_carried ? 42 : 0);
  }
}

TEST_F(PathTest, EveryNetfilterHookThatDropsIsNamed) {
  MakeRouted();
  CheckNetfilterDrop("router", "forward", "r-client", "forward");
  CheckNetfilterDrop("router", "prerouting", "r-client", "prerouting");
  CheckNetfilterDrop("router", "postrouting", "r-server", "postrouting");
  CheckNetfilterDrop("server", "input", "eth0", "input");
  CheckNetfilterDrop("client", "output", "", "output");
}

TEST_F(PathTest, ABridgeThatDropsIsNamed) {
  MakeBridged();
  topology_.Nft("router",
                "table bridge t { chain c { type filter hook forward priority 0; udp dport 8080 "
                "drop; }; }");
  Open(Options("10.88.0.1", "10.88.0.2", kPort));
  EXPECT_FALSE(
      SayDatagram(topology_, "client", "10.88.0.2", kPort, {"server", "10.88.0.2", kPort}));
  Collect();
  const auto sent = Sent(kDatagram);
  ASSERT_THAT(sent, SizeIs(1));
  ASSERT_NE(sent[0]->drop(), nullptr);
  EXPECT_EQ(Host(*sent[0]->drop()), "router");
  EXPECT_THAT(sent[0]->drop()->location, HasSubstr("netfilter bridge"));
}

TEST_F(PathTest, DatagramsAreReadOrFindNobody) {
  MakeRouted();
  Open(Options("10.88.0.2", "10.89.0.2", 0));
  EXPECT_TRUE(SayDatagram(topology_, "client", "10.89.0.2", kPort, {"server", "10.89.0.2", kPort}));
  SendDatagrams(topology_, "client", "10.89.0.2", 9999, 1, 20);
  Collect();
  const auto sent = Sent(kDatagram);
  ASSERT_THAT(sent, SizeIs(1));
  if (ParseKernelVersion(KernelRelease()) < KernelVersion{6, 3}) {
    EXPECT_EQ(sent[0]->outcome, PathOutcome::kDone);  // nothing says that a socket has it
  } else {
    EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered);
    EXPECT_THAT(Way(*sent[0]), Contains("server/eth0 socket"));
  }
  const auto lost = Sent(20);
  ASSERT_THAT(lost, SizeIs(1));
  ASSERT_NE(lost[0]->drop(), nullptr);
  EXPECT_EQ(Host(*lost[0]->drop()), "server");
  EXPECT_EQ(lost[0]->drop()->reason, "no_socket");
  EXPECT_THAT(lost[0]->hops, Contains(Field(&PathHop::detail, "destination unreachable: port")));
}

TEST_F(PathTest, AQueueDisciplineThatDropsAndWhatWaitsInIt) {
  MakeRouted();
  topology_.Run("router", "tc qdisc add dev r-server root tbf rate 1mbit burst 2000 limit 4000");
  Open(Options("10.88.0.2", "10.89.0.2", kPort));
  SendDatagrams(topology_, "client", "10.89.0.2", kPort, 20, 1000);
  usleep(100'000);  // a tbf of 1 Mbit/s has sent all it holds in 48 ms
  Collect();
  const auto sent = Sent(1000);
  ASSERT_THAT(sent, SizeIs(20));
  uint64_t dropped = 0, waited = 0;
  for (const PathJourney* journey : sent) {
    if (const PathHop* drop = journey->drop();
        drop != nullptr && drop->reason.starts_with("qdisc_")) {
      ++dropped;
      EXPECT_EQ(Host(*drop), "router");
      EXPECT_EQ(drop->device, "r-server");
    }
    for (size_t i = 0; i < journey->hops.size(); ++i) {
      if (journey->hops[i].place != PathPlace::kQdiscOut) continue;
      waited += journey->SinceLastNs(i) > 1'000'000;
      EXPECT_EQ(journey->hops[i].detail, "tbf");
    }
  }
  EXPECT_EQ(dropped, topology_.QdiscDrops("router", "r-server"));
  EXPECT_GT(dropped, 0);
  EXPECT_GT(waited, 0);
}

}  // namespace
}  // namespace kindling::agent
