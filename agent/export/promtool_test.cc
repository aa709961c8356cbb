// What the agent exposes passes `promtool check metrics`, but for the base units in Kindling's
// names.

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "agent/aggregate/aggregator.h"
#include "agent/export/exporter.h"
#include "agent/export/prometheus.h"
#include "agent/export/self_metrics.h"
#include "agent/export/sender.h"
#include "agent/export/spool.h"
#include "base/metrics.h"
#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "model/dns_metrics.h"
#include "model/host_metrics.h"
#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Kindling's own metrics whose unit is no base unit.
const std::set<std::string> kKindlingUnits = {
    "kindling_entity_request_duration_nanoseconds_total",
    "kindling_tcp_connect_duration_nanoseconds_total",
    "kindling_tcp_srtt_microseconds",
    "kindling_topology_request_duration_nanoseconds_total",
};

struct Verdict {
  int exit_code = 0;
  std::string output;
};

Verdict RunPromtool(const std::string& metrics) {
  const base::TempDir dir;
  std::ofstream(dir.File("metrics")) << metrics;
  const std::string command = "/usr/bin/promtool check metrics < " + dir.File("metrics") + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  Verdict verdict;
  char buffer[4096];
  size_t got = 0;
  while ((got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0)
    verdict.output.append(buffer, got);
  verdict.exit_code = WEXITSTATUS(pclose(pipe));
  return verdict;
}

// Lines of `output` that complain about anything but the base units above.
std::vector<std::string> Complaints(const std::string& output) {
  std::vector<std::string> complaints;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    const bool unit = line.find("use base unit \"seconds\"") != std::string::npos;
    if (!(unit && kKindlingUnits.contains(name))) complaints.push_back(line);
  }
  return complaints;
}

TEST(PromtoolTest, SeesFaultsWhereThereAreSome) {
  EXPECT_EQ(RunPromtool("not metrics at all\n").exit_code, 1);
  const Verdict verdict = RunPromtool("# TYPE bad_total gauge\nbad_total 1\n");
  EXPECT_FALSE(Complaints(verdict.output).empty()) << verdict.output;
}

TEST(PromtoolTest, FindsNothingButTheUnitsOfKindlingsNames) {
  const base::TempDir dir;
  const base::FakeClock clock;
  const auto spool = Spool::Open({.directory = dir.path()}, clock.WallNs());
  ASSERT_OK(spool);
  const auto sender = Sender::Create({}, spool->get(), &clock, nullptr);
  ASSERT_OK(sender);
  PrometheusSeries series({.max_series = 600});
  Exporter exporter({.boot_epoch = 1}, spool->get(), &clock,
                    {[&](const model::Batch& batch) { series.Add(batch, clock.BootNs()); }}, [] {});
  model::Batch of_tcp;
  of_tcp.series = {
      {.name = model::tcp::kSrtt, .kind = model::MetricKind::kHistogram, .labels = {}},
      {.name = model::tcp::kRetransmits, .kind = model::MetricKind::kDelta, .labels = {}}};
  of_tcp.points = {{.series = 0}, {.series = 1, .value = 2}};
  of_tcp.points[0].histogram.Record(kSecond);
  series.Add(of_tcp, clock.BootNs());
  model::Batch of_dns;
  of_dns.series = {
      {.name = model::dns::kLatency, .kind = model::MetricKind::kHistogram, .labels = {}},
      {.name = model::dns::kQueries, .kind = model::MetricKind::kDelta, .labels = {}},
      {.name = model::dns::kRetries, .kind = model::MetricKind::kDelta, .labels = {}}};
  of_dns.points = {{.series = 0}, {.series = 1, .value = 2}, {.series = 2, .value = 1}};
  of_dns.points[0].histogram.Record(kSecond);
  series.Add(of_dns, clock.BootNs());
  model::Batch of_network;
  for (const model::host::MetricInfo& info : model::host::kInfo) {
    of_network.points.push_back({.series = static_cast<uint32_t>(of_network.series.size())});
    of_network.series.push_back({.name = info.name, .kind = info.kind, .labels = {}});
  }
  of_network.points.push_back({.series = static_cast<uint32_t>(of_network.series.size())});
  of_network.series.push_back({.name = "nat_connections", .kind = model::MetricKind::kDelta});
  series.Add(of_network, clock.BootNs());
  Aggregator aggregator({.host = "host-a"}, &exporter);
  aggregator.OnTick(clock.BootNs(), clock.WallNs());
  for (const model::Side side : {model::Side::kClient, model::Side::kServer}) {
    for (int i = 0; i < 40; ++i) {  // more than max_series
      Edge edge;
      edge.observer = side;
      edge.protocol = static_cast<model::Protocol>(i % 9);
      edge.transport = static_cast<model::Transport>(i % 4);
      edge.client.workload = "client \"" + std::to_string(i) + "\"\n\\\xff";
      edge.server.workload = "server";
      edge.server.port = 80;
      const EdgeContext context = {.edge = aggregator.Intern(edge)};
      Record record;
      record.request_start_ns = clock.BootNs();
      record.response_end_ns = clock.BootNs() + i * kSecond / 20;
      record.outcome = model::Outcome::kOk;
      record.endpoint = "GET /" + std::to_string(i);
      aggregator.OnRequest(context, record);
      aggregator.OnConnection(context);
      aggregator.OnConnectFailure(context, i, 5);
      aggregator.OnLost(context, 1);
    }
  }
  aggregator.OnLoss({.stage = model::LossStage::kKernelRing, .events = 1});
  aggregator.Flush();
  exporter.Start();
  exporter.Stop();
  base::Metrics metrics;
  AddSelfMetrics({.aggregator = &aggregator.counters(),
                  .series = &series,
                  .exporter = &exporter,
                  .spool = spool->get(),
                  .sender = sender->get()},
                 metrics);
  const std::string text = metrics.Text();
  for (const char* name : {"kindling_entity_request_total{",
                           "kindling_topology_request_total{",
                           "kindling_tcp_connect_total{",
                           "kindling_tcp_connect_duration_nanoseconds_total{",
                           "kindling_tcp_srtt_microseconds{",
                           "kindling_tcp_retransmit_total{",
                           "kindling_tcp_packet_loss_total{",
                           "kindling_tcp_reset_sent_total{",
                           "kindling_tcp_reset_received_total{",
                           "kindling_tcp_listen_drop_total{",
                           "kindling_dns_query_total{",
                           "kindling_dns_latency_seconds_bucket{",
                           "kindling_dns_retry_total{",
                           "kindling_dns_search_waste_total{",
                           "kindling_net_link_up",
                           "kindling_net_qdisc_drops_total",
                           "kindling_server_request_duration_seconds_bucket{",
                           "kindling_agent_requests_total 80\n",
                           "kindling_agent_spool_bytes ",
                           "kindling_agent_lost_events_total{stage=\"kernel_ring\"} 1\n",
                           "(other)"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
  const Verdict verdict = RunPromtool(text);
  // 3: it can be read and there are complaints; 0: there are none.
  EXPECT_TRUE(verdict.exit_code == 0 || verdict.exit_code == 3) << verdict.output;
  EXPECT_EQ(Complaints(verdict.output), std::vector<std::string>{}) << verdict.output;
}

}  // namespace
}  // namespace kindling::agent
