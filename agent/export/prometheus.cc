#include "agent/export/prometheus.h"

#include <algorithm>
#include <utility>

#include "agent/export/prometheus_labels.h"
#include "model/drop_metrics.h"
#include "model/edge_labels.h"
#include "model/host_metrics.h"
#include "model/latency_histogram.h"
#include "model/nat_metrics.h"
#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

using base::MetricType;

}  // namespace

std::string PrometheusSeries::OverflowLabels(base::MetricLabels labels) {
  for (auto& [name, value] : labels) {
    value = name.ends_with("workload_name") ? "(other)" : "";
  }
  return base::RenderLabels(labels);
}

template <typename Values>
void PrometheusSeries::Expire(Family<Values>& family, int64_t now_ns) {
  const size_t dropped = std::erase_if(family.entries, [&](const auto& entry) {
    return entry.second.changed_ns < now_ns - options_.expiry_ns;
  });
  lines_ -= dropped * family.lines_per_entry;
}

void PrometheusSeries::Add(const model::Batch& batch, int64_t now_ns) {
  absl::MutexLock lock(&mu_);
  Expire(entities_, now_ns);
  Expire(topology_, now_ns);
  Expire(server_latency_, now_ns);
  Expire(client_latency_, now_ns);
  Expire(connects_, now_ns);
  Expire(tcp_, now_ns);
  Expire(dns_, now_ns);
  Expire(dns_queries_, now_ns);
  Expire(dns_latency_, now_ns);
  Expire(nat_, now_ns);
  Expire(drops_, now_ns);
  Expire(udp_drops_, now_ns);
  Expire(network_, now_ns);
  for (const model::EdgeStats& row : batch.edges) {
    AddRow(row, now_ns);
    if (row.lost > 0) losses_[model::LossStage::kUnset].requests += row.lost;
  }
  for (const model::MetricPoint& point : batch.points) {
    AddTcp(batch.series[point.series], point, now_ns);
    AddDns(batch.series[point.series], point, now_ns);
    AddDrops(batch.series[point.series], point, now_ns);
    AddNetwork(batch.series[point.series], point, now_ns);
  }
  for (const model::Loss& loss : batch.losses) {
    Losses& sum = losses_[loss.stage];
    sum.requests += loss.requests;
    sum.events += loss.events;
    sum.bytes += loss.bytes;
  }
}

void PrometheusSeries::AddRow(const model::EdgeStats& row, int64_t now_ns) {
  const bool server = row.observer == model::Side::kServer;
  if (row.count > 0 || row.sent_bytes > 0 || row.received_bytes > 0) {
    Requests& requests = server ? Find(entities_, base::RenderLabels(EntityLabels(row)), now_ns)
                                : Find(topology_, base::RenderLabels(TopologyLabels(row)), now_ns);
    requests.fast += row.count - row.slow_count;
    requests.slow += row.slow_count;
    // Without requests the latency is that of whole connections.
    if (row.count > 0) requests.duration_ns += row.latency.sum_ns();
    requests.sent_bytes += row.sent_bytes;
    requests.received_bytes += row.received_bytes;
  }
  if (row.count > 0 && row.latency.count() > 0) {
    Latency& latency = server
                           ? Find(server_latency_, base::RenderLabels(ServerLabels(row)), now_ns)
                           : Find(client_latency_, base::RenderLabels(ClientLabels(row)), now_ns);
    AddTo(latency, row.latency);
  }
  if (server || row.transport != model::Transport::kTcp) return;
  if (row.connections > 0) {
    Connects& made = Find(connects_, base::RenderLabels(ConnectLabels(row, 0)), now_ns);
    made.count += row.connections;
    made.duration_ns += row.connect_sum_ns;
  }
  if (row.connect_failures > 0) {
    const int error = ErrorNumber(row.status_code);
    // A failure is one, even where its cause has no number.
    base::MetricLabels labels = ConnectLabels(row, error == 0 ? -1 : error);
    Connects& failed = Find(connects_, base::RenderLabels(labels), now_ns);
    failed.count += row.connect_failures;
    failed.duration_ns += row.connect_sum_ns;
  }
}

void PrometheusSeries::AddTo(Latency& latency, const model::LatencyHistogram& histogram) {
  for (size_t i = 0; i < kBounds; ++i) {
    latency.cumulative[i] += histogram.CountAtMost(BoundNs(i));
  }
  latency.count += histogram.count();
  latency.sum_ns += histogram.sum_ns();
}

void PrometheusSeries::AddTcp(const model::MetricSeries& series, const model::MetricPoint& point,
                              int64_t now_ns) {
  namespace tcp = model::tcp;
  static constexpr std::pair<const char*, double Tcp::*> kCounters[] = {
      {tcp::kRetransmits, &Tcp::retransmits},  {tcp::kLostSegments, &Tcp::lost},
      {tcp::kResetsSent, &Tcp::resets_sent},   {tcp::kResetsReceived, &Tcp::resets_received},
      {tcp::kListenDrops, &Tcp::listen_drops},
  };
  double Tcp::*counter = nullptr;
  for (const auto& [name, member] : kCounters) {
    if (series.name == name) counter = member;
  }
  const bool is_srtt = series.name == tcp::kSrtt;
  if (counter == nullptr && !is_srtt) return;
  Tcp& values = Find(tcp_, base::RenderLabels(TcpLabels(model::EndsOf(series.labels))), now_ns);
  if (is_srtt) {
    values.srtt_us = point.histogram.QuantileNs(0.5) / 1e3;
  } else {
    values.*counter += point.value;
  }
}

void PrometheusSeries::AddDrops(const model::MetricSeries& series, const model::MetricPoint& point,
                                int64_t now_ns) {
  namespace drops = model::drops;
  if (series.name == drops::kUdpReceive) {
    Find(udp_drops_, base::RenderLabels(UdpReceiveLabels(series.labels)), now_ns).packets +=
        point.value;
    return;
  }
  const bool is_bytes = series.name == drops::kBytes;
  if (!is_bytes && series.name != drops::kPackets) return;
  Drops& values = Find(drops_, base::RenderLabels(DropLabels(series.labels)), now_ns);
  (is_bytes ? values.bytes : values.packets) += point.value;
}

void PrometheusSeries::WriteDrops(base::MetricsText& text) const {
  const auto counter = [&](const char* name, const char* help, const Family<Drops>& family,
                           const std::string& overflow, double Drops::*value) {
    text.Family(name, MetricType::kCounter, help);
    for (const auto& [labels, drops] : family.entries) text.Sample(labels, drops.*value);
    if (family.overflow.changed_ns != 0) text.Sample(overflow, family.overflow.*value);
  };
  const std::string beyond = OverflowLabels(DropLabels({}));
  counter("kindling_packet_drops_total", "Packets that the kernel threw away.", drops_, beyond,
          &Drops::packets);
  counter("kindling_packet_drop_bytes_total", "Bytes of packets that the kernel threw away.",
          drops_, beyond, &Drops::bytes);
  counter("kindling_udp_receive_drops_total",
          "Packets that a UDP socket received and did not queue, as it counts itself.", udp_drops_,
          OverflowLabels(UdpReceiveLabels({})), &Drops::packets);
}

void PrometheusSeries::AddNetwork(const model::MetricSeries& series,
                                  const model::MetricPoint& point, int64_t now_ns) {
  if (series.name == model::nat::kConnections) {
    Find(nat_, base::RenderLabels(NatLabels(series.labels)), now_ns).value += point.value;
    return;
  }
  const size_t metric = model::host::IndexOf(series.name);
  if (metric == model::host::kMetrics) return;
  // The metric first: those of one follow each other.
  std::string key(1, static_cast<char>(metric));
  Network& values =
      Find(network_, std::move(key) + base::RenderLabels(NetworkLabels(series.labels)), now_ns);
  const bool is_gauge = series.kind == model::MetricKind::kGauge;
  values.value = is_gauge ? point.value : values.value + point.value;
}

void PrometheusSeries::WriteNetwork(const Family<Network>& family, base::MetricsText& text) {
  // What is beyond the cap is of several metrics and has no sum.
  char metric = -1;
  for (const auto& [key, values] : family.entries) {
    if (key[0] != metric) {
      metric = key[0];
      const model::host::MetricInfo& info = model::host::kInfo[static_cast<size_t>(metric)];
      const bool is_gauge = info.kind == model::MetricKind::kGauge;
      text.Family(std::string("kindling_") + info.name + (is_gauge ? "" : "_total"),
                  is_gauge ? MetricType::kGauge : MetricType::kCounter, info.help);
    }
    text.Sample(std::string_view(key).substr(1), values.value);
  }
}

void PrometheusSeries::WriteNat(const Family<Network>& family, base::MetricsText& text) {
  text.Family("kindling_nat_connections_total", MetricType::kCounter,
              "Connections whose addresses NAT changes, by their true ends.");
  for (const auto& [labels, values] : family.entries) text.Sample(labels, values.value);
  if (family.overflow.changed_ns != 0) {
    text.Sample(OverflowLabels(NatLabels({})), family.overflow.value);
  }
}

void PrometheusSeries::WriteTo(base::MetricsText& text) const {
  const model::EdgeStats none;
  absl::MutexLock lock(&mu_);
  WriteRequests(entities_, "kindling_entity_request", OverflowLabels(EntityLabels(none)), true,
                text);
  WriteRequests(topology_, "kindling_topology_request", OverflowLabels(TopologyLabels(none)), false,
                text);
  WriteConnects(connects_, text);
  WriteTcp(tcp_, text);
  WriteDns(text);
  WriteNat(nat_, text);
  WriteDrops(text);
  WriteNetwork(network_, text);
  WriteLatency(server_latency_, "server", OverflowLabels(ServerLabels(none)), text);
  WriteLatency(client_latency_, "client", OverflowLabels(ClientLabels(none)), text);
  WriteLosses(losses_, text);
}

void PrometheusSeries::WriteRequests(const Family<Requests>& family, std::string_view prefix,
                                     std::string_view overflow_labels, bool entity,
                                     base::MetricsText& text) const {
  const auto each = [&](auto write) {
    for (const auto& [labels, values] : family.entries) write(labels, values);
    if (family.overflow.changed_ns != 0) write(std::string(overflow_labels), family.overflow);
  };
  const auto counter = [&](std::string_view name, std::string_view help,
                           uint64_t Requests::*value) {
    text.Family(std::string(prefix) + std::string(name), MetricType::kCounter, help);
    each([&](const std::string& labels, const Requests& r) { text.Sample(labels, r.*value); });
  };
  text.Family(std::string(prefix) + "_total", MetricType::kCounter, "Requests.");
  each([&](const std::string& labels, const Requests& r) {
    text.Sample(labels + ",is_slow=\"false\"", r.fast);
    if (r.slow > 0) text.Sample(labels + ",is_slow=\"true\"", r.slow);
  });
  counter("_duration_nanoseconds_total", "Sum of the durations of requests that were answered.",
          &Requests::duration_ns);
  counter(entity ? "_receive_bytes_total" : "_request_bytes_total",
          "Bytes that clients sent to servers.", &Requests::sent_bytes);
  counter(entity ? "_send_bytes_total" : "_response_bytes_total",
          "Bytes that servers sent to clients.", &Requests::received_bytes);
}

void PrometheusSeries::WriteLatency(const Family<Latency>& family, std::string_view side,
                                    std::string_view overflow_labels,
                                    base::MetricsText& text) const {
  text.Family("kindling_" + std::string(side) + "_request_duration_seconds", MetricType::kHistogram,
              "Time from the first byte of a request to the last of its response, as the " +
                  std::string(side) + "'s side saw it.");
  WriteHistograms(family, overflow_labels, text);
}

void PrometheusSeries::WriteHistograms(const Family<Latency>& family,
                                       std::string_view overflow_labels, base::MetricsText& text) {
  std::array<double, kBounds> bounds{};
  for (size_t i = 0; i < kBounds; ++i) bounds[i] = BoundNs(i) / 1e9;
  const auto write = [&](std::string_view labels, const Latency& l) {
    text.Histogram(labels, bounds, l.cumulative, l.count, static_cast<double>(l.sum_ns) / 1e9);
  };
  for (const auto& [labels, latency] : family.entries) write(labels, latency);
  if (family.overflow.changed_ns != 0) write(overflow_labels, family.overflow);
}

void PrometheusSeries::WriteConnects(const Family<Connects>& family, base::MetricsText& text) {
  const auto counter = [&](const char* name, const char* help, uint64_t Connects::*value) {
    text.Family(name, MetricType::kCounter, help);
    for (const auto& [labels, connects] : family.entries) text.Sample(labels, connects.*value);
    if (family.overflow.changed_ns != 0) {
      text.Sample(OverflowLabels(ConnectLabels({}, 0)), family.overflow.*value);
    }
  };
  counter("kindling_tcp_connect_total", "TCP connections that were opened, or that failed to open.",
          &Connects::count);
  counter("kindling_tcp_connect_duration_nanoseconds_total",
          "Sum of the times that TCP connections took to open or to fail.", &Connects::duration_ns);
}

void PrometheusSeries::WriteTcp(const Family<Tcp>& family, base::MetricsText& text) {
  const std::string overflow = OverflowLabels(TcpLabels({}));
  text.Family("kindling_tcp_srtt_microseconds", MetricType::kGauge,
              "Smoothed round-trip time: the median of the connections, of the last window.");
  for (const auto& [labels, tcp] : family.entries) {
    if (tcp.srtt_us > 0) text.Sample(labels, tcp.srtt_us);
  }
  if (family.overflow.srtt_us > 0) text.Sample(overflow, family.overflow.srtt_us);
  const auto counter = [&](const char* name, const char* help, double Tcp::*value) {
    text.Family(name, MetricType::kCounter, help);
    for (const auto& [labels, tcp] : family.entries) text.Sample(labels, tcp.*value);
    if (family.overflow.changed_ns != 0) text.Sample(overflow, family.overflow.*value);
  };
  counter("kindling_tcp_retransmit_total", "Segments sent again.", &Tcp::retransmits);
  counter("kindling_tcp_packet_loss_total", "Segments that the sender judged to be lost.",
          &Tcp::lost);
  counter("kindling_tcp_reset_sent_total", "Resets sent.", &Tcp::resets_sent);
  counter("kindling_tcp_reset_received_total", "Resets received.", &Tcp::resets_received);
  counter("kindling_tcp_listen_drop_total",
          "Connections and SYNs that a listener threw away, for want of room above all.",
          &Tcp::listen_drops);
}

void PrometheusSeries::WriteLosses(const std::map<model::LossStage, Losses>& by_stage,
                                   base::MetricsText& text) {
  const auto counter = [&](const char* name, const char* help, uint64_t Losses::*value) {
    text.Family(name, MetricType::kCounter, help);
    for (const auto& [stage, losses] : by_stage) {
      const std::string_view where =
          stage == model::LossStage::kUnset ? std::string_view("edge") : model::Name(stage);
      text.Sample(base::RenderLabels({{"stage", std::string(where)}}), losses.*value);
    }
  };
  counter("kindling_agent_lost_requests_total",
          "Requests known or estimated to be lost, by where; stage edge: counted on their edge.",
          &Losses::requests);
  counter("kindling_agent_lost_events_total", "Kernel events or records that were lost, by where.",
          &Losses::events);
  counter("kindling_agent_lost_bytes_total", "Bytes that were lost, by where.", &Losses::bytes);
}

size_t PrometheusSeries::series() const {
  absl::MutexLock lock(&mu_);
  return lines_;
}

uint64_t PrometheusSeries::overflowed_rows() const {
  absl::MutexLock lock(&mu_);
  return overflowed_rows_;
}

}  // namespace kindling::agent
