#include "agent/network/drop_stats.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "model/drop_metrics.h"

namespace kindling::agent {
namespace {

namespace drops = model::drops;

class DropStatsTest : public ::testing::Test {
 protected:
  static model::EdgeEnds Ends(const std::string& client) {
    return {.observer = model::Side::kServer,
            .client = {.workload = client},
            .server = {.workload = "shop:80", .port = 80}};
  }
  static DropSample Sample(const std::string& reason, uint64_t packets) {
    return {.reason = reason,
            .ethertype = 0x0800,
            .protocol = 6,
            .packets = packets,
            .bytes = packets * 100};
  }
  // Of a window, by name, client and what else it is told by.
  std::map<std::string, double> Emit() {
    model::Batch batch;
    stats_.EmitWindow(1'000, batch);
    std::map<std::string, double> values;
    for (const model::MetricPoint& point : batch.points) {
      const model::MetricSeries& series = batch.series[point.series];
      EXPECT_EQ(series.kind, model::MetricKind::kDelta);
      EXPECT_EQ(point.time_ns, 1'000);
      std::string text = series.name;
      for (const char* label : {"client", drops::kDirection, drops::kHost, drops::kPlace,
                                model::kTransportLabel, drops::kReason}) {
        const std::string_view value = model::LabelOf(series.labels, label);
        if (!value.empty()) text += " " + std::string(value);
      }
      EXPECT_TRUE(values.emplace(text, point.value).second) << text;
    }
    return values;
  }

  DropStats stats_{{.host = "node", .max_rows = 3, .max_sockets = 2}};
};

TEST_F(DropStatsTest, SumsByEdgeAndReason) {
  stats_.OnDrop(Ends("a"), Sample("netfilter_drop", 2));
  stats_.OnDrop(Ends("a"), Sample("netfilter_drop", 3));
  stats_.OnDrop(Ends("a"), Sample("tcp_csum", 1));
  const std::map<std::string, double> expected = {
      {"packet_drops a in node netfilter tcp netfilter_drop", 5},
      {"packet_drop_bytes a in node netfilter tcp netfilter_drop", 500},
      {"packet_drops a in node checksum tcp tcp_csum", 1},
      {"packet_drop_bytes a in node checksum tcp tcp_csum", 100},
  };
  EXPECT_EQ(Emit(), expected);
  EXPECT_TRUE(Emit().empty());
}

TEST_F(DropStatsTest, BeyondTheCapTheReasonStays) {
  for (const char* client : {"a", "b", "c", "d", "e"}) {
    stats_.OnDrop(Ends(client), Sample("no_socket", 1));
  }
  stats_.OnDrop(Ends("a"), Sample("no_socket", 1));
  const std::map<std::string, double> values = Emit();
  EXPECT_EQ(values.at("packet_drops a in node no_socket tcp no_socket"), 2);
  EXPECT_EQ(values.at("packet_drops (other) in node no_socket tcp no_socket"), 2);
}

TEST_F(DropStatsTest, SocketsCountWhatGrew) {
  stats_.OnDatagrams(Ends(""), {.id = 1, .drops = 4});
  stats_.OnDatagrams(Ends(""), {.id = 1, .drops = 4});
  stats_.OnDatagrams(Ends(""), {.id = 2, .drops = 1});
  stats_.OnDatagrams(Ends(""), {.id = 3, .drops = 9});  // beyond max_sockets
  EXPECT_EQ(Emit(), (std::map<std::string, double>{{"udp_receive_drops node udp", 5}}));
  stats_.OnDatagrams(Ends(""), {.id = 1, .drops = 6});
  stats_.OnDatagrams(Ends(""), {.id = 2, .drops = 0});  // what is read is old
  EXPECT_EQ(Emit(), (std::map<std::string, double>{{"udp_receive_drops node udp", 2}}));
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(Emit().empty());
  EXPECT_EQ(stats_.sockets(), 0);
}

TEST(PacketProtocolTest, Names) {
  EXPECT_EQ(PacketProtocol(0x0800, 17), "udp");
  EXPECT_EQ(PacketProtocol(0x86dd, 58), "icmpv6");
  EXPECT_EQ(PacketProtocol(0x86dd, 44), "ip");
  EXPECT_EQ(PacketProtocol(0x0806, 0), "arp");
  EXPECT_EQ(PacketProtocol(0, 6), "tcp");  // it never got its headers
  EXPECT_EQ(PacketProtocol(0x88cc, 0), "other");
}

}  // namespace
}  // namespace kindling::agent
