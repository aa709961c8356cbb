#include "controller/query/tcp_queries.h"

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/query/flow_cache.h"
#include "controller/query/label_matchers.h"
#include "controller/query/loaded_edges.h"
#include "controller/query/metric_queries.h"
#include "controller/query/tcp_sums.h"
#include "controller/topology/address_table.h"
#include "controller/topology/edge_groups.h"
#include "kindling/v1/query.pb.h"
#include "model/edge_labels.h"
#include "model/filter.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxRows = 20'000;
// Of who talked to whom from which addresses, before the filter.
constexpr size_t kMaxKeys = 50'000;
constexpr int64_t kWindowNs = int64_t{10} * 1'000'000'000;  // as agents send them, usually

// One edge and observer at one pair of addresses: what a filter can tell apart.
struct Key {
  EdgeGroups::Ends ends;
  model::Side observer = model::Side::kUnknown;
  std::string client_address;
  std::string server_address;
  uint16_t server_port = 0;
  auto operator<=>(const Key&) const = default;
};

class Rows {
 public:
  Rows(const EdgeGroups& groups, int64_t window_ns) : groups_(groups), window_ns_(window_ns) {}

  absl::Status Add(const storage::MetricRun& run) {
    const model::EdgeEnds ends = model::EndsOf(run.series.labels);
    // What the observer knew by name is called so at any time.
    const bool is_named = !ends.client.workload.empty() && !ends.server.workload.empty();
    TcpSums* sums = nullptr;
    for (const storage::MetricWindow& window : run.windows) {
      if (sums == nullptr || !is_named) sums = &rows_[KeyOf(ends, window.time_ns)];
      sums->Add(run.series, window);
    }
    if (rows_.size() <= kMaxKeys) return absl::OkStatus();
    return absl::ResourceExhaustedError("too many edges: ask for less time");
  }

  const std::map<Key, TcpSums>& rows() const { return rows_; }

 private:
  Key KeyOf(const model::EdgeEnds& ends, int64_t time_ns) const {
    Key key{.observer = ends.observer,
            .client_address = ends.client.address,
            .server_address = ends.server.address,
            .server_port = ends.server.port};
    if (ends == model::EdgeEnds()) {  // beyond the store's cap for series
      key.ends.client.name = key.ends.server.name = model::kOtherName;
      return key;
    }
    key.ends = groups_.NameEnds(ends.observer, ends.client, ends.server, std::nullopt,
                                model::Transport::kTcp, time_ns + window_ns_);
    if (ends.client == model::Party()) key.ends.client = {};  // the listener's own
    return key;
  }

  const EdgeGroups& groups_;
  const int64_t window_ns_;
  std::map<Key, TcpSums> rows_;
};

// As filters see it.
model::EdgeStats RowOf(const Key& key, const TcpSums& sums) {
  const bool is_client = key.observer == model::Side::kClient;
  model::EdgeStats row;
  row.observer = key.observer;
  row.client.address = key.client_address;
  row.server.address = key.server_address;
  row.sent_bytes = static_cast<uint64_t>(is_client ? sums.sent_bytes : sums.received_bytes);
  row.received_bytes = static_cast<uint64_t>(is_client ? sums.received_bytes : sums.sent_bytes);
  return row;
}

// The part of a row that its names make.
struct Row {
  const Key* key = nullptr;  // of the first address
  TcpSums sums;
};

LabelMatchers TcpSeries() {
  v1::ListSeriesRequest request;
  v1::LabelMatcher* matcher = request.add_matchers();
  matcher->set_name(kNameLabel);
  matcher->set_operator_(v1::LabelMatcher::OPERATOR_MATCHES);
  matcher->set_value("tcp_.*");
  return *LabelMatchers::Parse(request.matchers());
}

}  // namespace

absl::Status ListTcp(const QueryContext& context, const v1::ListTcpRequest& request,
                     v1::ListTcpResponse* response) {
  const absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(request.filter(), model::RecordKind::kTcp);
  if (!filter.ok()) return FilterFault(filter.status());
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  // Who called from where is told by the requests.
  ASSIGN_OR_RETURN(const std::shared_ptr<const NamedFlows> flows,
                   context.sources.flows.Get(context, range));
  const LoadedEdges& loaded = flows->loaded();
  const int64_t step_ns = WindowsFor(range);
  Rows found(*loaded.groups, step_ns == 0 ? kWindowNs : step_ns);
  ASSIGN_OR_RETURN(const storage::ScanReport report,
                   VisitSeries(context, range, TcpSeries(), step_ns,
                               [&](const storage::MetricRun& run) { return found.Add(run); }));

  std::map<std::tuple<std::string, std::string, model::Side>, Row> rows;
  // Of those that it asks for by their ends, whatever else it asks.
  Concerned concerned;
  const bool asks_ends = filter->Needs().asks_ends;
  double connections = 0;
  for (const auto& [key, sums] : found.rows()) {
    const model::EdgeStats fields = RowOf(key, sums);
    const auto of_row = model::EdgeFields(fields, NamesOf(key.ends));
    if (asks_ends && filter->MayMatch(of_row, IsOfEnds)) {
      concerned.Add(key.ends.client);
      concerned.Add(key.ends.server);
    }
    if (!filter->Matches(of_row)) continue;
    Row& row = rows[{key.ends.client.name, key.ends.server.name, key.observer}];
    if (row.key == nullptr) row.key = &key;
    row.sums.Merge(sums);
  }
  if (rows.size() > kMaxRows) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the answer has %d rows, more than %d: ask for less time, or with a filter",
                        rows.size(), kMaxRows));
  }
  for (const auto& [name, row] : rows) {
    const Key& key = *row.key;
    v1::TcpEdge* out = response->add_edges();
    out->set_client(key.ends.client.name);
    out->set_server(key.ends.server.name);
    out->set_observer(std::string(model::Name(key.observer)));
    out->set_client_kind(key.ends.client.kind);
    out->set_server_kind(key.ends.server.kind);
    if (!key.server_address.empty()) {
      out->set_server_address(AddressText(PlainAddress(key.server_address), key.server_port));
    }
    row.sums.WriteTo(key.observer, out);
    connections += row.sums.connections();
  }

  CompletenessSum completeness;
  completeness.AddCaptured(static_cast<uint64_t>(std::llround(connections)));
  completeness.AddReport(report);
  AddAround(context, loaded, range, concerned, &CompletenessSum::AddProcessLoss, completeness);
  completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
