#include "controller/query/drop_queries.h"

#include <algorithm>
#include <compare>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "controller/query/edge_series.h"
#include "kindling/v1/query.pb.h"
#include "model/drop_metrics.h"
#include "model/drop_place.h"
#include "model/edge_labels.h"
#include "model/tcp_metrics.h"

namespace kindling::controller {
namespace {

namespace drops = model::drops;

constexpr char kMetrics[] = "packet_drops|packet_drop_bytes|udp_receive_drops|tcp_listen_drops";
// What sockets counted and no packet tells of.
constexpr char kListenQueue[] = "listen_queue";
constexpr char kReceiveQueue[] = "receive_queue";
constexpr char kListenOverflow[] = "tcp_listen_overflow";

// What packets have in common beside their ends.
struct Cause {
  std::string host;
  std::string place;
  std::string reason;
  std::string transport;
  std::string direction;
  auto operator<=>(const Cause&) const = default;
};

struct Sum {
  double packets = 0;
  double bytes = 0;
  int64_t last_ns = 0;

  void Merge(const Sum& other) {
    packets += other.packets;
    bytes += other.bytes;
    last_ns = std::max(last_ns, other.last_ns);
  }
};

using Sums = std::map<std::pair<size_t, Cause>, Sum>;  // by key of the series

Cause CauseOf(const model::MetricSeries& series) {
  const auto label = [&](const char* name) {
    const std::string_view text = model::LabelOf(series.labels, name);
    // Beyond the store's cap for series a metric's labels are not kept.
    return std::string(series.labels.empty() ? model::kOtherName : text);
  };
  if (series.name == model::tcp::kListenDrops) {
    return {.host = label("server_host"),
            .place = kListenQueue,
            .reason = kListenQueue,
            .transport = "tcp"};
  }
  if (series.name == drops::kUdpReceive) {
    return {.host = label(drops::kHost),
            .place = "receive_buffer",
            .reason = kReceiveQueue,
            .transport = "udp"};
  }
  return {.host = label(drops::kHost),
          .place = label(drops::kPlace),
          .reason = label(drops::kReason),
          .transport = label(model::kTransportLabel),
          .direction = label(drops::kDirection)};
}

// Whose socket it is: the end that is on the host. Its count, with how many of these packets have
// rows of their own.
using Socket = std::tuple<std::string, std::string, std::string>;  // reason, host, end

Socket SocketOf(const EdgeKey& key, const Cause& cause, const char* reason) {
  const bool is_client = key.observer == model::Side::kClient;
  return {reason, cause.host, is_client ? key.ends.client.name : key.ends.server.name};
}

// Takes from what sockets counted the packets that are told of as such, so that none is in two
// rows.
void TakeToldPackets(const EdgeSeries& series, Sums& sums) {
  std::map<Socket, double> told;
  for (const auto& [place, sum] : sums) {
    const auto& [index, cause] = place;
    if (cause.direction.empty()) continue;
    const EdgeKey& key = series.key(index);
    if (cause.transport == "udp" && model::IsCountedByUdpSocket(cause.reason)) {
      told[SocketOf(key, cause, kReceiveQueue)] += sum.packets;
    } else if (cause.reason == kListenOverflow) {
      told[SocketOf(key, cause, kListenQueue)] += sum.packets;
    }
  }
  for (auto& [place, sum] : sums) {
    const auto& [index, cause] = place;
    if (!cause.direction.empty()) continue;
    double& left = told[SocketOf(series.key(index), cause, cause.reason.c_str())];
    const double taken = std::min(left, sum.packets);
    left -= taken;
    sum.packets -= taken;
  }
}

}  // namespace

absl::Status ListDrops(const QueryContext& context, const v1::ListDropsRequest& request,
                       v1::ListDropsResponse* response) {
  ASSIGN_OR_RETURN(EdgeSeries series, EdgeSeries::Open(context, request.time(), request.filter(),
                                                       model::RecordKind::kEnds));
  Sums sums;
  RETURN_IF_ERROR(series.Visit(
      {.names = kMetrics, .transport = model::Transport::kTcp},
      [&](size_t key, const model::MetricSeries& metric, const storage::MetricWindow& window) {
        Sum& sum = sums[{key, CauseOf(metric)}];
        (metric.name == drops::kBytes ? sum.bytes : sum.packets) += window.sum;
        sum.last_ns = std::max(sum.last_ns, window.time_ns);
      }));
  TakeToldPackets(series, sums);

  std::map<std::tuple<std::string, std::string, model::Side, Cause>, std::pair<const EdgeKey*, Sum>>
      rows;
  const EdgeKey* asked = nullptr;
  bool is_selected = false;
  for (const auto& [place, sum] : sums) {  // those of one key follow each other
    const EdgeKey& key = series.key(place.first);
    if (&key != asked) is_selected = series.Selects(key);
    asked = &key;
    if (!is_selected || sum.packets == 0) continue;
    auto& [first, row] =
        rows[{key.ends.client.name, key.ends.server.name, key.observer, place.second}];
    if (first == nullptr || key < *first) first = &key;
    row.Merge(sum);
  }
  RETURN_IF_ERROR(EdgeSeries::CheckRows(rows.size()));
  double packets = 0;
  for (const auto& [name, row] : rows) {
    const Cause& cause = std::get<Cause>(name);
    v1::DroppedPackets* out = response->add_drops();
    WriteEnds(*row.first, out);
    out->set_host(cause.host);
    out->set_place(cause.place);
    out->set_reason(cause.reason);
    out->set_transport(cause.transport);
    out->set_direction(cause.direction);
    out->set_packets(row.second.packets);
    out->set_bytes(row.second.bytes);
    out->set_last_ns(row.second.last_ns);
    packets += row.second.packets;
  }
  series.WriteCompleteness(packets, response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
