#include "controller/query/dns_queries.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "controller/query/dns_sums.h"
#include "controller/query/edge_series.h"
#include "kindling/v1/query.pb.h"
#include "model/dns_metrics.h"
#include "model/edge_labels.h"
#include "model/filter_field.h"
#include "model/protocol.h"
#include "model/records.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxSums = 100'000;  // of edges and names, before they are selected

// The part of a row that its names make.
struct Row {
  const EdgeKey* key = nullptr;  // of the first address
  DnsSums sums;
};

}  // namespace

absl::Status ListDns(const QueryContext& context, const v1::ListDnsRequest& request,
                     v1::ListDnsResponse* response) {
  ASSIGN_OR_RETURN(EdgeSeries series, EdgeSeries::Open(context, request.time(), request.filter(),
                                                       model::RecordKind::kEnds));
  std::map<std::pair<size_t, std::string>, DnsSums> found;  // by key and name
  RETURN_IF_ERROR(series.Visit(
      {.names = "dns_.*", .transport = model::Transport::kUdp},
      [&](size_t key, const model::MetricSeries& metric, const storage::MetricWindow& window) {
        std::string_view name = model::LabelOf(metric.labels, model::dns::kName);
        if (name.empty()) name = model::kOtherName;  // beyond the store's cap for series
        if (!request.name().empty() && name != request.name()) return;
        if (!request.by_name()) name = {};
        if (found.size() > kMaxSums) return;
        found[{key, std::string(name)}].Add(metric, window);
      }));
  if (found.size() > kMaxSums) {
    return absl::ResourceExhaustedError("too many names: ask for less time");
  }

  std::map<std::tuple<std::string, std::string, model::Side, std::string>, Row> rows;
  std::optional<size_t> asked;
  bool is_selected = false;
  for (const auto& [key_and_name, sums] : found) {
    const EdgeKey& key = series.key(key_and_name.first);
    if (asked != key_and_name.first) {
      asked = key_and_name.first;
      is_selected = series.Selects(key);
    }
    if (!is_selected) continue;
    Row& row =
        rows[{key.ends.client.name, key.ends.server.name, key.observer, key_and_name.second}];
    if (row.key == nullptr || key < *row.key) row.key = &key;
    row.sums.Merge(sums);
  }
  RETURN_IF_ERROR(EdgeSeries::CheckRows(rows.size()));
  double queries = 0;
  for (const auto& [names, row] : rows) {
    v1::DnsEdge* out = response->add_edges();
    WriteEnds(*row.key, out);
    out->set_name(std::get<3>(names));
    row.sums.WriteTo(out);
    queries += row.sums.queries;
  }
  series.WriteRequestCompleteness(queries, model::Protocol::kDns, response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
