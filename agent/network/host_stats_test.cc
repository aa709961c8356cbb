#include "agent/network/host_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "model/edge_labels.h"

namespace kindling::agent {
namespace {

using model::host::Metric;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class HostStatsTest : public ::testing::Test {
 protected:
  void Read(Metric metric, double value, const char* device = "eth0", const char* detail = "") {
    stats_.OnReading(
        {.netns = 7,
         .name_space = "shop",
         .figures = {{.metric = metric, .device = device, .detail = detail, .value = value}}});
  }
  // "name{label=value,...} value" of what the window has.
  std::vector<std::string> Emit() {
    model::Batch batch;
    stats_.EmitWindow(1000, batch);
    std::vector<std::string> lines;
    for (const model::MetricPoint& point : batch.points) {
      EXPECT_EQ(point.time_ns, 1000);
      const model::MetricSeries& series = batch.series[point.series];
      std::string line = series.name + "{";
      for (const auto& [name, value] : series.labels) {
        line.append(name).append("=").append(value).append(" ");
      }
      lines.push_back(line + "} " + std::to_string(static_cast<int64_t>(point.value)));
    }
    return lines;
  }

  HostStats stats_{{.host = "node-1", .max_series = 10}};
};

TEST_F(HostStatsTest, CountersAreGrowthFromTheFirstReadingOn) {
  Read(Metric::kSentBytes, 1000);
  EXPECT_THAT(Emit(), IsEmpty());
  Read(Metric::kSentBytes, 1100);
  Read(Metric::kSentBytes, 1150);
  EXPECT_THAT(Emit(), ElementsAre("net_sent_bytes{device=eth0 host=node-1 netns=shop } 150"));
  Read(Metric::kSentBytes, 1150);
  EXPECT_THAT(Emit(), IsEmpty());
  Read(Metric::kSentBytes, 30);  // began anew
  EXPECT_THAT(Emit(), ElementsAre("net_sent_bytes{device=eth0 host=node-1 netns=shop } 30"));
}

TEST_F(HostStatsTest, GaugesAreAsLastRead) {
  Read(Metric::kQdiscBacklogBytes, 5, "eth0", "tbf 8001: root");
  Read(Metric::kQdiscBacklogBytes, 0, "eth0", "tbf 8001: root");
  EXPECT_THAT(Emit(), ElementsAre("net_qdisc_backlog_bytes{device=eth0 host=node-1 netns=shop "
                                  "qdisc=tbf 8001: root } 0"));
  EXPECT_THAT(Emit(), IsEmpty());  // nothing was read
}

TEST_F(HostStatsTest, WhatIsBeyondTheCapIsCounted) {
  for (int i = 0; i < 13; ++i) Read(Metric::kLinkUp, 1, ("veth" + std::to_string(i)).c_str());
  EXPECT_EQ(stats_.series(), 10u);
  const std::vector<std::string> lines = Emit();
  EXPECT_EQ(lines.size(), 11u);
  EXPECT_EQ(lines.back(), "net_unread{host=node-1 reason=too_many_series } 3");
  EXPECT_EQ(Emit().size(), 0u);
}

TEST_F(HostStatsTest, ForgetsDevicesThatAreGone) {
  Read(Metric::kSentBytes, 1000);
  for (int window = 0; window < 40; ++window) Emit();
  EXPECT_EQ(stats_.series(), 0u);
  Read(Metric::kSentBytes, 1100);  // another of the same name
  EXPECT_THAT(Emit(), IsEmpty());
}

TEST(HostMetricsTest, EveryNameIsFoundAndTakenOnce) {
  for (size_t i = 0; i < model::host::kMetrics; ++i) {
    EXPECT_EQ(model::host::IndexOf(model::host::kInfo[i].name), i);
  }
  EXPECT_EQ(model::host::IndexOf("net_nothing"), model::host::kMetrics);
}

}  // namespace
}  // namespace kindling::agent
