#include "agent/network/host/host_reader.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kindling::agent {
namespace {

using model::host::Metric;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

// One netlink message.
class Message {
 public:
  template <typename Body>
  Message(uint16_t type, const Body& body) : bytes_(8192) {
    header_ = mnl_nlmsg_put_header(bytes_.data());
    header_->nlmsg_type = type;
    std::memcpy(mnl_nlmsg_put_extra_header(header_, sizeof(body)), &body, sizeof(body));
  }
  nlmsghdr& header() { return *header_; }

 private:
  std::vector<char> bytes_;
  nlmsghdr* header_;
};
using MessagePtr = std::shared_ptr<Message>;

MessagePtr Link(int index, const char* name, uint8_t state, const rtnl_link_stats64& stats) {
  auto message =
      std::make_shared<Message>(RTM_NEWLINK, ifinfomsg{.ifi_index = index, .ifi_flags = IFF_UP});
  mnl_attr_put_strz(&message->header(), IFLA_IFNAME, name);
  mnl_attr_put_u8(&message->header(), IFLA_OPERSTATE, state);
  mnl_attr_put(&message->header(), IFLA_STATS64, sizeof(stats), &stats);
  return message;
}

MessagePtr Qdisc(int index, const char* kind, uint32_t handle, uint32_t parent,
                 const gnet_stats_queue& queue) {
  auto message = std::make_shared<Message>(
      RTM_NEWQDISC, tcmsg{.tcm_ifindex = index, .tcm_handle = handle, .tcm_parent = parent});
  mnl_attr_put_strz(&message->header(), TCA_KIND, kind);
  nlattr* nest = mnl_attr_nest_start(&message->header(), TCA_STATS2);
  mnl_attr_put(&message->header(), TCA_STATS_QUEUE, sizeof(queue), &queue);
  mnl_attr_nest_end(&message->header(), nest);
  return message;
}

MessagePtr Socket(const char* local, uint16_t port) {
  inet_diag_msg socket{.idiag_family = AF_INET};
  socket.id.idiag_sport = htons(port);
  inet_pton(AF_INET, local, socket.id.idiag_src);
  return std::make_shared<Message>(SOCK_DIAG_BY_FAMILY, socket);
}

class FakeKernel final : public KernelAnswers {
 public:
  std::string File(const std::string& path) override { return files[path]; }
  bool Dump(int family, std::span<const std::byte> request,
            const std::function<void(const nlmsghdr&)>& visit) override {
    nlmsghdr header;
    std::memcpy(&header, request.data(), sizeof(header));
    EXPECT_EQ(header.nlmsg_len, request.size());
    for (const MessagePtr& message : dumps[{family, header.nlmsg_type}]) visit(message->header());
    return !breaks;
  }

  std::map<std::string, std::string> files;
  std::map<std::pair<int, int>, std::vector<MessagePtr>> dumps;  // by family and type asked
  bool breaks = false;
};

class HostReaderTest : public ::testing::Test {
 protected:
  HostReaderTest() {
    kernel_.dumps[{NETLINK_ROUTE, RTM_GETLINK}] = {
        Link(1, "lo", IF_OPER_UNKNOWN, {.rx_packets = 1}), Link(7, "eth0", IF_OPER_DOWN,
                                                                {.rx_packets = 1,
                                                                 .tx_packets = 2,
                                                                 .rx_bytes = 3,
                                                                 .tx_bytes = 4,
                                                                 .rx_errors = 5,
                                                                 .tx_errors = 6,
                                                                 .rx_dropped = 7,
                                                                 .tx_dropped = 8,
                                                                 .rx_missed_errors = 10})};
    kernel_.dumps[{NETLINK_ROUTE, RTM_GETQDISC}] = {
        Qdisc(1, "noqueue", 0, TC_H_ROOT, {}),
        Qdisc(7, "tbf", 0x80010000, TC_H_ROOT,
              {.qlen = 1, .backlog = 2, .drops = 3, .requeues = 4, .overlimits = 5}),
        Qdisc(7, "fq_codel", 0, 0x80010001, {.drops = 6}), Qdisc(99, "tbf", 0, TC_H_ROOT, {})};
    kernel_.dumps[{NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY}] = {
        Socket("10.0.0.1", 40000), Socket("10.0.0.1", 40001), Socket("10.0.0.1", 40000),
        Socket("10.0.0.2", 40000), Socket("10.0.0.1", 80)};
    kernel_.files["/proc/sys/net/ipv4/ip_local_port_range"] = "40000\t40009\n";
    kernel_.files["/proc/sys/net/netfilter/nf_conntrack_count"] = "12\n";
    kernel_.files["/proc/sys/net/netfilter/nf_conntrack_max"] = "262144\n";
  }

  FakeKernel kernel_;
  HostReadFailures failures_;
};

NetworkFigure Of(const char* device, Metric metric, double value, std::string detail = "") {
  return {.metric = metric, .device = device, .detail = std::move(detail), .value = value};
}

TEST_F(HostReaderTest, ReadsDevicesQdiscsConntrackAndPorts) {
  const NetworkReading reading = ReadNamespace(kernel_, failures_);
  EXPECT_THAT(
      reading.figures,
      IsSupersetOf({Of("lo", Metric::kLinkUp, 1), Of("eth0", Metric::kLinkUp, 0),
                    Of("eth0", Metric::kReceivedPackets, 1), Of("eth0", Metric::kSentPackets, 2),
                    Of("eth0", Metric::kReceivedBytes, 3), Of("eth0", Metric::kSentBytes, 4),
                    Of("eth0", Metric::kReceiveErrors, 5), Of("eth0", Metric::kSendErrors, 6),
                    Of("eth0", Metric::kReceiveDrops, 17), Of("eth0", Metric::kSendDrops, 8),
                    Of("eth0", Metric::kQdiscDrops, 3, "tbf 8001: root"),
                    Of("eth0", Metric::kQdiscBacklogBytes, 2, "tbf 8001: root"),
                    Of("eth0", Metric::kQdiscBacklogPackets, 1, "tbf 8001: root"),
                    Of("eth0", Metric::kQdiscRequeues, 4, "tbf 8001: root"),
                    Of("eth0", Metric::kQdiscOverlimits, 5, "tbf 8001: root"),
                    Of("eth0", Metric::kQdiscDrops, 6, "fq_codel 0: parent 8001:1"),
                    Of("", Metric::kConntrackEntries, 12), Of("", Metric::kConntrackMax, 262144),
                    Of("", Metric::kLocalPorts, 10),
                    // IPv4 and IPv6 were given the same answer.
                    Of("", Metric::kLocalPortsUsed, 2, "10.0.0.1"),
                    Of("", Metric::kLocalPortsUsed, 1, "10.0.0.2")}));
  for (const NetworkFigure& figure : reading.figures) {
    EXPECT_NE(figure.detail.substr(0, 7), "noqueue");
  }
}

TEST_F(HostReaderTest, CountsWhatWasNotReadWhole) {
  kernel_.breaks = true;
  const NetworkReading reading = ReadNamespace(kernel_, failures_);
  EXPECT_EQ(failures_.links, 1u);
  EXPECT_EQ(failures_.qdiscs, 1u);
  EXPECT_EQ(failures_.sockets, 1u);
  EXPECT_THAT(reading.figures, Contains(Of("eth0", Metric::kSentPackets, 2)));
  for (const NetworkFigure& figure : reading.figures) {
    EXPECT_NE(figure.metric, Metric::kLocalPortsUsed);  // a part would be a number that is wrong
  }
}

TEST_F(HostReaderTest, TakesNoMoreThanItsLimit) {
  std::vector<MessagePtr>& links = kernel_.dumps[{NETLINK_ROUTE, RTM_GETLINK}];
  for (size_t i = 0; i < kMaxFigures; ++i) links.push_back(links.front());
  const NetworkReading reading = ReadNamespace(kernel_, failures_);
  EXPECT_LT(reading.figures.size(), kMaxFigures + 100);
  EXPECT_GT(failures_.too_many, 0u);
}

TEST_F(HostReaderTest, CutMessagesGiveNothingOfWhatWasCut) {
  for (auto& [asked, messages] : kernel_.dumps) {
    for (const MessagePtr& message : messages) {
      for (uint32_t size = message->header().nlmsg_len; size >= sizeof(nlmsghdr); --size) {
        message->header().nlmsg_len = size;
        ReadNamespace(kernel_, failures_);
      }
    }
  }
  const NetworkReading reading = ReadNamespace(kernel_, failures_);
  EXPECT_THAT(reading.figures,
              ElementsAre(Of("", Metric::kConntrackEntries, 12),
                          Of("", Metric::kConntrackMax, 262144), Of("", Metric::kLocalPorts, 10)));
}

TEST_F(HostReaderTest, ReadsTheHost) {
  kernel_.files["/proc/thread-self/net/softnet_stat"] = "1 2 3\n";
  kernel_.files["/proc/thread-self/net/sockstat"] = "TCP: inuse 1 mem 2\n";
  kernel_.files["/proc/sys/net/ipv4/tcp_mem"] = "1 2 3\n";
  EXPECT_THAT(ReadHost(kernel_).figures,
              IsSupersetOf({Of("", Metric::kSoftirqSqueezes, 3, "0"),
                            Of("", Metric::kTcpMemoryMaxBytes,
                               3 * static_cast<double>(sysconf(_SC_PAGESIZE)))}));
}

}  // namespace
}  // namespace kindling::agent
