#include "agent/export/prometheus.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "agent/export/prometheus_labels.h"
#include "model/dns_metrics.h"
#include "model/drop_metrics.h"
#include "model/edge_labels.h"
#include "model/host_metrics.h"
#include "model/nat_metrics.h"
#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

model::EdgeStats MakeRow(model::Side observer) {
  model::EdgeStats row;
  row.observer = observer;
  row.client = {
      .workload = "shop:8080", .workload_kind = "process", .host = "host-a", .address = "10.0.0.1"};
  row.server = {.workload = "nginx:80",
                .workload_kind = "process",
                .host = "host-b",
                .address = "10.0.0.2",
                .port = 80};
  row.protocol = model::Protocol::kHttp;
  row.transport = model::Transport::kTcp;
  row.endpoint = "GET /a";
  row.outcome = model::Outcome::kOk;
  row.status_code = "200";
  row.count = 3;
  row.slow_count = 1;
  row.sent_bytes = 30;
  row.received_bytes = 3000;
  row.latency.Record(1'000'000, 2);
  row.latency.Record(600'000'000);
  return row;
}

std::string Text(const PrometheusSeries& series) {
  base::MetricsText text;
  series.WriteTo(text);
  return text.Take();
}

bool HasLine(const PrometheusSeries& series, const std::string& line) {
  const std::string text = Text(series);
  const bool has = text.find("\n" + line + "\n") != std::string::npos;
  if (!has) ADD_FAILURE() << "no line " << line << " in\n" << text;
  return has;
}

void Add(PrometheusSeries& series, const model::EdgeStats& row, int64_t now_ns = kSecond) {
  model::Batch batch;
  batch.edges.push_back(row);
  series.Add(batch, now_ns);
}

TEST(PrometheusSeriesTest, ServerRowsAreKindlingsEntities) {
  PrometheusSeries series({});
  Add(series, MakeRow(model::Side::kServer));
  Add(series, MakeRow(model::Side::kServer));
  const std::string labels =
      "{node=\"host-b\",namespace=\"\",workload_kind=\"process\",workload_name=\"nginx:80\","
      "service=\"\",pod=\"\",container=\"\",container_id=\"\",ip=\"10.0.0.2\",port=\"80\","
      "protocol=\"http\",request_content=\"GET /a\",response_content=\"200\"";
  HasLine(series, "kindling_entity_request_total" + labels + ",is_slow=\"false\"} 4");
  HasLine(series, "kindling_entity_request_total" + labels + ",is_slow=\"true\"} 2");
  HasLine(series, "kindling_entity_request_duration_nanoseconds_total" + labels + "} 1204000000");
  HasLine(series, "kindling_entity_request_receive_bytes_total" + labels + "} 60");
  HasLine(series, "kindling_entity_request_send_bytes_total" + labels + "} 6000");
  EXPECT_EQ(Text(series).find("kindling_topology_request_total{"), std::string::npos);
}

TEST(PrometheusSeriesTest, ClientRowsAreKindlingsTopology) {
  PrometheusSeries series({});
  Add(series, MakeRow(model::Side::kClient));
  const std::string labels =
      "{src_node=\"host-a\",src_namespace=\"\",src_workload_kind=\"process\","
      "src_workload_name=\"shop:8080\",src_service=\"\",src_pod=\"\",src_container=\"\","
      "src_container_id=\"\",src_ip=\"10.0.0.1\",dst_node=\"host-b\",dst_namespace=\"\","
      "dst_workload_kind=\"process\",dst_workload_name=\"nginx:80\",dst_service=\"\",dst_pod=\"\","
      "dst_container=\"\",dst_container_id=\"\",dst_ip=\"10.0.0.2\",dst_port=\"80\","
      "protocol=\"http\",status_code=\"200\"";
  HasLine(series, "kindling_topology_request_total" + labels + ",is_slow=\"false\"} 2");
  HasLine(series, "kindling_topology_request_total" + labels + ",is_slow=\"true\"} 1");
  HasLine(series, "kindling_topology_request_duration_nanoseconds_total" + labels + "} 602000000");
  HasLine(series, "kindling_topology_request_request_bytes_total" + labels + "} 30");
  HasLine(series, "kindling_topology_request_response_bytes_total" + labels + "} 3000");
}

TEST(PrometheusSeriesTest, HistogramsAreTrueAndInSeconds) {
  PrometheusSeries series({});
  Add(series, MakeRow(model::Side::kServer));
  model::EdgeStats other = MakeRow(model::Side::kServer);
  other.endpoint = "GET /b";  // endpoints share the service's histogram
  Add(series, other);
  const std::string labels =
      "node=\"host-b\",workload_kind=\"process\",workload_name=\"nginx:80\",protocol=\"http\","
      "transport=\"tcp\"";
  const std::string name = "kindling_server_request_duration_seconds";
  HasLine(series, name + "_bucket{" + labels + ",le=\"0.000262144\"} 0");
  HasLine(series, name + "_bucket{" + labels + ",le=\"0.001048576\"} 4");
  HasLine(series, name + "_bucket{" + labels + ",le=\"0.536870912\"} 4");
  HasLine(series, name + "_bucket{" + labels + ",le=\"1.073741824\"} 6");
  HasLine(series, name + "_bucket{" + labels + ",le=\"+Inf\"} 6");
  HasLine(series, name + "_sum{" + labels + "} 1.204");
  HasLine(series, name + "_count{" + labels + "} 6");
}

TEST(PrometheusSeriesTest, ConnectionsAndTheirFailures) {
  PrometheusSeries series({});
  model::EdgeStats row = MakeRow(model::Side::kClient);
  row.count = row.slow_count = row.sent_bytes = row.received_bytes = 0;
  row.connections = 5;
  row.connect_count = 4;
  row.connect_sum_ns = 4000;
  row.endpoint = row.status_code = "";
  Add(series, row);
  row.connections = 0;
  row.connect_failures = 2;
  row.connect_count = 2;
  row.connect_sum_ns = 70;
  row.status_code = "ECONNREFUSED";
  Add(series, row);
  row.transport = model::Transport::kUnix;  // not TCP
  Add(series, row);
  const std::string text = Text(series);
  EXPECT_NE(text.find("errno=\"0\",success=\"true\"} 5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("errno=\"" + std::to_string(ECONNREFUSED) + "\",success=\"false\"} 2\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("errno=\"0\",success=\"true\"} 4000\n"), std::string::npos) << text;
  EXPECT_NE(text.find("errno=\"" + std::to_string(ECONNREFUSED) + "\",success=\"false\"} 70\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nkindling_tcp_connect_duration_nanoseconds_total{"), std::string::npos);
  EXPECT_EQ(text.find("kindling_topology_request_total{"), std::string::npos);
}

TEST(PrometheusSeriesTest, UnparsedBytesCountWithoutRequestsOrDurations) {
  PrometheusSeries series({});
  model::EdgeStats row = MakeRow(model::Side::kClient);
  row.count = row.slow_count = 0;
  row.protocol = model::Protocol::kTls;
  Add(series, row);
  const std::string text = Text(series);
  EXPECT_NE(text.find("protocol=\"tls\",status_code=\"200\"} 3000\n"), std::string::npos) << text;
  EXPECT_NE(text.find("protocol=\"tls\",status_code=\"200\"} 0\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("kindling_client_request_duration_seconds_bucket"), std::string::npos);
}

TEST(PrometheusSeriesTest, AnOutsidePeerIsNamedByItsDnsName) {
  PrometheusSeries series({});
  model::EdgeStats row = MakeRow(model::Side::kClient);
  row.server = {.address = "93.184.216.34", .port = 80, .dns_name = "example.com"};
  Add(series, row);
  EXPECT_NE(Text(series).find("dst_workload_name=\"example.com\""), std::string::npos);
}

TEST(PrometheusSeriesTest, WhatIsBeyondTheCapIsSummedInTheOpen) {
  PrometheusSeries series({.max_series = 50});
  for (int i = 0; i < 100; ++i) {
    model::EdgeStats row = MakeRow(model::Side::kServer);
    row.endpoint = "GET /" + std::to_string(i);
    Add(series, row);
  }
  EXPECT_LE(series.series(), 50u);
  EXPECT_GT(series.overflowed_rows(), 80u);
  const std::string text = Text(series);
  // Nothing is missing from the sum.
  uint64_t total = 0;
  for (size_t at = 0; (at = text.find("\nkindling_entity_request_total{", at)) != std::string::npos;
       ++at) {
    total += std::stoull(text.substr(text.find("} ", at) + 2));
  }
  EXPECT_EQ(total, 300u);
  EXPECT_NE(text.find("workload_name=\"(other)\""), std::string::npos);
  // Of what is said of families only the number of lines that are no samples grows.
  int samples = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) samples += text[at] != '#';
  EXPECT_LE(samples, 50 + 20);  // some of each family that is beyond
}

TEST(PrometheusSeriesTest, SeriesWithoutChangeExpire) {
  PrometheusSeries series({.expiry_ns = 60 * kSecond});
  Add(series, MakeRow(model::Side::kServer), 1 * kSecond);
  EXPECT_GT(series.series(), 0u);
  series.Add({}, 61 * kSecond);
  EXPECT_GT(series.series(), 0u);
  series.Add({}, 62 * kSecond);
  EXPECT_EQ(series.series(), 0u);
  EXPECT_EQ(Text(series).find("nginx"), std::string::npos);
}

TEST(PrometheusSeriesTest, LossesByStage) {
  PrometheusSeries series({});
  model::Batch batch;
  batch.losses.push_back(
      {.stage = model::LossStage::kKernelRing, .requests = 1, .events = 2, .bytes = 3});
  batch.losses.push_back({.stage = model::LossStage::kKernelRing, .requests = 10});
  batch.edges.push_back({.observer = model::Side::kServer, .lost = 4});
  series.Add(batch, kSecond);
  HasLine(series, "kindling_agent_lost_requests_total{stage=\"kernel_ring\"} 11");
  HasLine(series, "kindling_agent_lost_requests_total{stage=\"edge\"} 4");
  HasLine(series, "kindling_agent_lost_events_total{stage=\"kernel_ring\"} 2");
  HasLine(series, "kindling_agent_lost_bytes_total{stage=\"kernel_ring\"} 3");
}

TEST(PrometheusSeriesTest, TheHostsNetworkHasTheStoresNames) {
  PrometheusSeries series({.max_series = 3});
  const auto add = [&](model::host::Metric metric, double value, std::string device) {
    const model::host::MetricInfo& info = model::host::InfoOf(metric);
    model::Batch batch;
    batch.series = {{.name = info.name,
                     .kind = info.kind,
                     .labels = {{"device", std::move(device)}, {"host", "n1"}, {"netns", "shop"}}}};
    batch.points = {{.value = value}};
    series.Add(batch, kSecond);
  };
  add(model::host::Metric::kSendDrops, 2, "eth0");
  add(model::host::Metric::kLinkUp, 1, "eth0");
  add(model::host::Metric::kSendDrops, 3, "eth0");
  add(model::host::Metric::kLinkUp, 0, "eth0");
  add(model::host::Metric::kSendDrops, 7, "eth1");
  add(model::host::Metric::kSendDrops, 9, "eth2");  // beyond the cap
  const std::string labels = "{device=\"eth0\",node=\"n1\",netns=\"shop\"} ";
  HasLine(series, "kindling_net_send_drops_total" + labels + "5");
  HasLine(series, "kindling_net_link_up" + labels + "0");
  HasLine(series, "kindling_net_send_drops_total{device=\"eth1\",node=\"n1\",netns=\"shop\"} 7");
  const std::string text = Text(series);
  EXPECT_EQ(text.find("eth2"), std::string::npos);
  EXPECT_EQ(series.overflowed_rows(), 1u);
  // A family is written once.
  const std::string family = "# TYPE kindling_net_send_drops_total counter\n";
  EXPECT_EQ(text.find(family), text.rfind(family));
  EXPECT_NE(text.find(family), std::string::npos);
}

TEST(PrometheusSeriesTest, NatHasBothAddresses) {
  PrometheusSeries series({.max_series = 1});
  const auto add = [&](uint16_t port, double value) {
    model::EdgeEnds ends{.observer = model::Side::kClient, .client = {.workload = "curl"}};
    ends.server = {.address = "10.2.0.7", .port = port};
    model::Batch batch;
    model::Labels labels = model::LabelsOf(ends);
    model::AddLabel(model::nat::kKind, "dnat", labels);
    model::AddLabel(model::nat::kAsked, "10.96.0.1:80", labels);
    batch.series = {{.name = model::nat::kConnections,
                     .kind = model::MetricKind::kDelta,
                     .labels = std::move(labels)}};
    batch.points = {{.value = value}};
    series.Add(batch, kSecond);
  };
  add(8080, 2);
  add(8080, 3);
  add(8081, 4);  // beyond the cap
  const std::string text = Text(series);
  const size_t line = text.find("kindling_nat_connections_total{");
  ASSERT_NE(line, std::string::npos);
  const std::string first = text.substr(line, text.find('\n', line) - line);
  for (const char* part :
       {"src_workload_name=\"curl\"", "dst_ip=\"10.2.0.7\"",
        "dst_port=\"8080\",kind=\"dnat\",asked=\"10.96.0.1:80\",seen_as=\"\"} 5"}) {
    EXPECT_NE(first.find(part), std::string::npos) << part << " in " << first;
  }
  EXPECT_NE(text.find("dst_port=\"\",kind=\"\",asked=\"\",seen_as=\"\"} 4"), std::string::npos)
      << text;
}

TEST(PrometheusSeriesTest, DropsByEdgeAndReason) {
  PrometheusSeries series({.max_series = 4});
  const auto add = [&](const char* name, const std::string& server, double value) {
    model::EdgeEnds ends{.observer = model::Side::kServer,
                         .client = {.address = "10.0.0.1"},
                         .server = {.workload = server, .address = "10.0.0.2", .port = 80}};
    const bool is_socket = std::string(name) == model::drops::kUdpReceive;
    if (is_socket) ends.client = {};
    model::Labels labels = model::LabelsOf(ends);
    model::AddLabel(model::drops::kHost, "node-1", labels);
    if (!is_socket) {
      model::AddLabel(model::drops::kDirection, model::drops::kIn, labels);
      model::AddLabel(model::drops::kPlace, "netfilter", labels);
      model::AddLabel(model::drops::kReason, "netfilter_drop", labels);
      model::AddLabel(model::kTransportLabel, "tcp", labels);
    }
    model::Batch batch;
    batch.series = {{.name = name, .kind = model::MetricKind::kDelta, .labels = std::move(labels)}};
    batch.points = {{.value = value}};
    series.Add(batch, kSecond);
  };
  add(model::drops::kPackets, "shop", 3);
  add(model::drops::kPackets, "shop", 4);
  add(model::drops::kBytes, "shop", 700);
  add(model::drops::kUdpReceive, "dns", 5);
  add(model::drops::kPackets, "beyond", 9);
  const std::string edge =
      "{node=\"node-1\",src_workload_name=\"\",src_ip=\"10.0.0.1\",dst_workload_name=\"shop\","
      "dst_ip=\"10.0.0.2\",dst_port=\"80\",transport=\"tcp\",direction=\"in\",place=\"netfilter\","
      "reason=\"netfilter_drop\"}";
  HasLine(series, "kindling_packet_drops_total" + edge + " 7");
  HasLine(series, "kindling_packet_drop_bytes_total" + edge + " 700");
  HasLine(
      series,
      "kindling_udp_receive_drops_total{node=\"node-1\",workload_kind=\"\",workload_name=\"dns\","
      "ip=\"10.0.0.2\",port=\"80\"} 5");
  EXPECT_EQ(series.overflowed_rows(), 1);
}

TEST(PrometheusSeriesTest, TcpGoesFromWhoSends) {
  PrometheusSeries series({});
  const model::EdgeStats row = MakeRow(model::Side::kServer);
  const auto add = [&](const model::EdgeEnds& ends, const char* name, double value,
                       const char* kind) {
    model::Batch batch;
    model::Labels labels = model::LabelsOf(ends);
    if (kind != nullptr) model::AddLabel("kind", kind, labels);
    batch.series = {{.name = name, .kind = model::MetricKind::kDelta, .labels = std::move(labels)}};
    batch.points = {{.value = value}};
    if (batch.series[0].name == model::tcp::kSrtt) batch.points[0].histogram.Record(2'000'000);
    series.Add(batch, kSecond);
  };
  const model::EdgeEnds by_client{model::Side::kClient, row.client, row.server};
  const model::EdgeEnds by_server{model::Side::kServer, row.client, row.server};
  add(by_client, model::tcp::kRetransmits, 3, "fast");
  add(by_client, model::tcp::kRetransmits, 2, "timeout");
  add(by_client, model::tcp::kSrtt, 0, nullptr);
  add(by_server, model::tcp::kResetsSent, 4, nullptr);
  add(by_server, model::tcp::kConnectTime, 0, nullptr);  // not one of these
  add({model::Side::kServer, {}, row.server}, model::tcp::kListenDrops, 9, nullptr);
  const auto end = [](const std::string& prefix, const std::string& node, const std::string& kind,
                      const std::string& name, const std::string& ip, const std::string& port) {
    base::MetricLabels labels = {
        {"node", node},  {"namespace", ""}, {"workload_kind", kind}, {"workload_name", name},
        {"service", ""}, {"pod", ""},       {"container", ""},       {"container_id", ""},
        {"ip", ip},      {"port", port}};
    for (auto& [label, value] : labels) label.insert(0, prefix);
    return base::RenderLabels(labels);
  };
  const auto shop = [&](const char* side) {
    return end(side, "host-a", "process", "shop:8080", "10.0.0.1", "");
  };
  const auto nginx = [&](const char* side) {
    return end(side, "host-b", "process", "nginx:80", "10.0.0.2", "80");
  };
  const std::string from_client = "{" + shop("src_") + "," + nginx("dst_") + "} ";
  const std::string from_server = "{" + nginx("src_") + "," + shop("dst_") + "} ";
  HasLine(series, "kindling_tcp_retransmit_total" + from_client + "5");
  HasLine(series, "kindling_tcp_reset_sent_total" + from_server + "4");
  HasLine(series, "kindling_tcp_retransmit_total" + from_server + "0");
  HasLine(series, "kindling_tcp_listen_drop_total{" + nginx("src_") + "," +
                      end("dst_", "", "", "", "", "") + "} 9");
  const std::string text = Text(series);
  const size_t at = text.find("kindling_tcp_srtt_microseconds{" + shop("src_"));
  ASSERT_NE(at, std::string::npos) << text;
  const double srtt_us = std::stod(text.substr(text.find("} ", at) + 2));
  EXPECT_NEAR(srtt_us, 2000, 50);
  EXPECT_EQ(series.series(), 3 * 6);
}

TEST(PrometheusSeriesTest, DnsGoesFromClientToServerWithoutNames) {
  PrometheusSeries series({.max_series = 60});
  const model::EdgeStats row = MakeRow(model::Side::kServer);
  const auto add = [&](model::Side observer, const char* name, double value, const char* result,
                       const std::string& question) {
    model::Batch batch;
    model::Labels labels = model::LabelsOf({observer, row.client, row.server});
    model::AddLabel("name", question, labels);
    if (result != nullptr) model::AddLabel("result", result, labels);
    batch.series = {{.name = name, .kind = model::MetricKind::kDelta, .labels = std::move(labels)}};
    batch.points = {{.value = value}};
    if (batch.series[0].name == model::dns::kLatency) batch.points[0].histogram.Record(3'000'000);
    series.Add(batch, kSecond);
  };
  add(model::Side::kClient, model::dns::kQueries, 3, "NOERROR", "a.test");
  add(model::Side::kClient, model::dns::kQueries, 2, "NOERROR", "b.test");
  add(model::Side::kClient, model::dns::kQueries, 1, "timeout", "b.test");
  add(model::Side::kServer, model::dns::kQueries, 7, "NOERROR", "a.test");
  add(model::Side::kClient, model::dns::kLatency, 0, nullptr, "a.test");
  add(model::Side::kClient, model::dns::kLatency, 0, nullptr, "b.test");
  add(model::Side::kClient, model::dns::kRetries, 4, nullptr, "b.test");
  add(model::Side::kClient, model::dns::kSearchWaste, 5, nullptr, "b.test");
  add(model::Side::kClient, "dns_of_tomorrow", 5, nullptr, "b.test");
  const auto labels_of = [&](model::Side observer) {
    return base::RenderLabels(DnsLabels({observer, row.client, row.server}));
  };
  const std::string by_client = "{" + labels_of(model::Side::kClient);
  const std::string by_server = "{" + labels_of(model::Side::kServer);
  EXPECT_NE(by_client.find("src_workload_name=\"shop:8080\""), std::string::npos) << by_client;
  EXPECT_NE(by_client.find("dst_port=\"80\",observer=\"client\""), std::string::npos);
  HasLine(series, "kindling_dns_query_total" + by_client + ",result=\"NOERROR\"} 5");
  HasLine(series, "kindling_dns_query_total" + by_client + ",result=\"timeout\"} 1");
  HasLine(series, "kindling_dns_query_total" + by_server + ",result=\"NOERROR\"} 7");
  HasLine(series, "kindling_dns_latency_seconds_count" + by_client + "} 2");
  HasLine(series, "kindling_dns_retry_total" + by_client + "} 4");
  HasLine(series, "kindling_dns_search_waste_total" + by_client + "} 5");
  HasLine(series, "kindling_dns_truncated_total" + by_client + "} 0");
  EXPECT_EQ(series.series(), 3 + 19 + 5);
  // Beyond the cap their sum is kept.
  for (int i = 0; i < 100; ++i) {
    add(model::Side::kServer, model::dns::kQueries, 1, ("R" + std::to_string(i)).c_str(), "a.test");
  }
  EXPECT_EQ(series.series(), 60);
  const std::string text = Text(series);
  const size_t at = text.find("dst_workload_name=\"(other)\"");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_EQ(std::stod(text.substr(text.find("} ", at) + 2)), 100 - (60 - 27));
}

}  // namespace
}  // namespace kindling::agent
