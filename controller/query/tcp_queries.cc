#include "controller/query/tcp_queries.h"

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/status_macros.h"
#include "controller/query/edge_series.h"
#include "controller/query/tcp_sums.h"
#include "kindling/v1/query.pb.h"
#include "model/filter_field.h"
#include "model/records.h"

namespace kindling::controller {
namespace {

// The part of a row that its names make.
struct Row {
  const EdgeKey* key = nullptr;  // of the first address
  TcpSums sums;
};

bool Selects(EdgeSeries& series, const EdgeKey& key, const TcpSums& sums) {
  return key.observer == model::Side::kClient
             ? series.Selects(key, sums.sent_bytes, sums.received_bytes)
             : series.Selects(key, sums.received_bytes, sums.sent_bytes);
}

}  // namespace

absl::Status ListTcp(const QueryContext& context, const v1::ListTcpRequest& request,
                     v1::ListTcpResponse* response) {
  ASSIGN_OR_RETURN(EdgeSeries series, EdgeSeries::Open(context, request.time(), request.filter(),
                                                       model::RecordKind::kTcp));
  std::vector<TcpSums> sums;
  RETURN_IF_ERROR(series.Visit(
      {.names = "tcp_.*", .transport = model::Transport::kTcp},
      [&](size_t key, const model::MetricSeries& metric, const storage::MetricWindow& window) {
        if (key >= sums.size()) sums.resize(key + 1);
        sums[key].Add(metric, window);
      }));

  std::map<std::tuple<std::string, std::string, model::Side>, Row> rows;
  for (size_t i = 0; i < sums.size(); ++i) {
    const EdgeKey& key = series.key(i);
    if (!Selects(series, key, sums[i])) continue;
    Row& row = rows[{key.ends.client.name, key.ends.server.name, key.observer}];
    if (row.key == nullptr || key < *row.key) row.key = &key;
    row.sums.Merge(sums[i]);
  }
  RETURN_IF_ERROR(EdgeSeries::CheckRows(rows.size()));
  double connections = 0;
  for (const auto& [name, row] : rows) {
    v1::TcpEdge* out = response->add_edges();
    WriteEnds(*row.key, out);
    row.sums.WriteTo(row.key->observer, out);
    connections += row.sums.connections();
  }
  series.WriteCompleteness(connections, response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
