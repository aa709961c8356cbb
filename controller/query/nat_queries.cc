#include "controller/query/nat_queries.h"

#include <compare>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "controller/query/edge_series.h"
#include "controller/topology/address_table.h"
#include "kindling/v1/query.pb.h"
#include "model/edge_labels.h"
#include "model/nat_metrics.h"

namespace kindling::controller {
namespace {

namespace nat = model::nat;

// What NAT did to connections of one edge, beside their ends.
struct Change {
  std::string transport;
  std::string kind;
  std::string asked;
  std::string seen_as;
  auto operator<=>(const Change&) const = default;
};

Change ChangeOf(const model::Labels& labels) {
  const auto label = [&](const char* name) { return std::string(model::LabelOf(labels, name)); };
  return {.transport = label(model::kTransportLabel),
          .kind = label(nat::kKind),
          .asked = label(nat::kAsked),
          .seen_as = label(nat::kSeenAs)};
}

struct Row {
  const EdgeKey* key = nullptr;
  Change change;
  double connections = 0;
};

}  // namespace

absl::Status ListNat(const QueryContext& context, const v1::ListNatRequest& request,
                     v1::ListNatResponse* response) {
  ASSIGN_OR_RETURN(EdgeSeries series, EdgeSeries::Open(context, request.time(), request.filter(),
                                                       model::RecordKind::kEnds));
  std::map<std::pair<size_t, Change>, double> sums;
  RETURN_IF_ERROR(series.Visit(
      {.names = nat::kConnections, .transport = model::Transport::kTcp},
      [&](size_t key, const model::MetricSeries& metric, const storage::MetricWindow& window) {
        sums[{key, ChangeOf(metric.labels)}] += window.sum;
      }));
  std::vector<bool> selected;
  for (size_t i = 0; i < series.keys(); ++i) selected.push_back(series.Selects(series.key(i)));
  // Those of one edge in a row, whatever address of several a client has.
  using Name = std::tuple<std::string, std::string, model::Side, std::string, Change>;
  std::map<Name, Row> rows;
  for (const auto& [of, count] : sums) {
    const auto& [index, change] = of;
    if (!selected[index]) continue;
    const EdgeKey& key = series.key(index);
    Row& row = rows[{key.ends.client.name, key.ends.server.name, key.observer,
                     key.ServerAddressText(), change}];
    if (row.key == nullptr || key < *row.key) row.key = &key;
    row.change = change;
    row.connections += count;
  }
  RETURN_IF_ERROR(EdgeSeries::CheckRows(rows.size()));
  double connections = 0;
  for (const auto& [name, row] : rows) {
    v1::NatEdge* out = response->add_edges();
    WriteEnds(*row.key, out);
    out->set_client_address(std::string(PlainAddress(row.key->client_address)));
    out->set_transport(row.change.transport);
    out->set_kind(row.change.kind);
    out->set_asked_address(row.change.asked);
    out->set_seen_as_address(row.change.seen_as);
    out->set_connections(row.connections);
    connections += row.connections;
  }
  series.WriteCompleteness(connections, response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
