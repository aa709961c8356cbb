#include "controller/query/tcp_queries.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
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
constexpr size_t kMaxKeys = 200'000;
constexpr int64_t kWindowNs = int64_t{10} * 1'000'000'000;  // as agents send them, usually
constexpr char kOverflow[] = "(other)";
// Names that depend on what was said are not wanted: a connection may be of any protocol.
constexpr auto kOfNoRow = static_cast<model::Protocol>(UINT8_MAX);

// The enumeration grows; its names end where they become "unknown" again.
std::vector<model::Protocol> AllProtocols() {
  std::vector<model::Protocol> all = {model::Protocol::kUnknown};
  for (int i = 1;; ++i) {
    const auto protocol = static_cast<model::Protocol>(i);
    if (model::ProtocolFromName(model::Name(protocol)) != protocol) return all;
    all.push_back(protocol);
  }
}

// Windows short enough to tell apart whose an address was when.
int64_t StepFor(const Range& range) {
  constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
  const int64_t length_ns = range.end_ns - range.start_ns;
  return length_ns >= 48 * kHourNs ? kHourNs : length_ns >= kHourNs / 2 ? kHourNs / 60 : 0;
}

// One edge and observer at one pair of addresses: what a filter can tell apart.
struct Key {
  EndName client;
  EndName server;
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
      key.client.name = key.server.name = kOverflow;
      return key;
    }
    const int64_t end_ns = time_ns + window_ns_;
    EdgeGroups::Ends names = groups_.NameEnds(ends.observer, ends.client, ends.server, kOfNoRow,
                                              model::Transport::kTcp, end_ns);
    key.server = std::move(names.server);
    if (ends.client == model::Party()) return key;  // the listener's own
    key.client = std::move(names.client);
    if (ends.observer == model::Side::kServer && ends.client.workload.empty()) {
      FindCaller(ends.client.address, key);
    }
    return key;
  }

  // The client of which the server knows the address only: the watched workload whose requests from
  // there these are, in whatever protocol, if it is one.
  void FindCaller(const std::string& address, Key& key) const {
    const EndName* owner = nullptr;
    for (const model::Protocol protocol : protocols_) {
      const Flows::Origin* origin =
          groups_.flows().OriginOf(std::string(PlainAddress(address)), key.server.host,
                                   key.server.name, protocol, model::Transport::kTcp);
      if (origin == nullptr) continue;
      if (origin->owner() == nullptr || (owner != nullptr && *owner != *origin->owner())) return;
      owner = origin->owner();
    }
    if (owner != nullptr) key.client = *owner;
  }

  const EdgeGroups& groups_;
  const int64_t window_ns_;
  const std::vector<model::Protocol> protocols_ = AllProtocols();
  std::map<Key, TcpSums> rows_;
};

bool Matches(const model::Filter& filter, const Key& key, const TcpSums& sums) {
  if (filter.matches_all()) return true;
  const bool is_client = key.observer == model::Side::kClient;
  model::EdgeStats row;
  row.observer = key.observer;
  row.client.address = key.client_address;
  row.server.address = key.server_address;
  row.sent_bytes = static_cast<uint64_t>(is_client ? sums.sent_bytes : sums.received_bytes);
  row.received_bytes = static_cast<uint64_t>(is_client ? sums.received_bytes : sums.sent_bytes);
  return filter.Matches(model::EdgeFields(row, {.client = key.client.name,
                                                .server = key.server.name,
                                                .client_host = key.client.host,
                                                .server_host = key.server.host}));
}

// The part of a row that its names make.
struct Row {
  const Key* key = nullptr;  // of the first address
  TcpSums sums;
};

LabelMatchers TcpSeries() {
  v1::ListSeriesRequest request;
  v1::LabelMatcher* matcher = request.add_matchers();
  matcher->set_name("__name__");
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
  ASSIGN_OR_RETURN(const LoadedEdges loaded, LoadEdges(context, range, EdgeDetail::kAll));
  const int64_t step_ns = StepFor(range);
  Rows found(*loaded.groups, step_ns == 0 ? kWindowNs : step_ns);
  ASSIGN_OR_RETURN(const storage::ScanReport report,
                   VisitSeries(context, range, TcpSeries(), step_ns,
                               [&](const storage::MetricRun& run) { return found.Add(run); }));

  std::map<std::tuple<std::string, std::string, model::Side>, Row> rows;
  std::set<std::string> hosts;
  std::set<std::string> names;
  double connections = 0;
  for (const auto& [key, sums] : found.rows()) {
    if (!Matches(*filter, key, sums)) continue;
    Row& row = rows[{key.client.name, key.server.name, key.observer}];
    if (row.key == nullptr) row.key = &key;
    row.sums.Merge(sums);
    hosts.insert({key.client.host, key.server.host});
    names.insert({key.client.name, key.server.name});
  }
  if (rows.size() > kMaxRows) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the answer has %d rows, more than %d: ask for less time, or with a filter",
                        rows.size(), kMaxRows));
  }
  for (const auto& [name, row] : rows) {
    const Key& key = *row.key;
    v1::TcpEdge* out = response->add_edges();
    out->set_client(key.client.name);
    out->set_server(key.server.name);
    out->set_observer(std::string(model::Name(key.observer)));
    out->set_client_kind(key.client.kind);
    out->set_server_kind(key.server.kind);
    if (!key.server_address.empty()) {
      out->set_server_address(AddressText(PlainAddress(key.server_address), key.server_port));
    }
    row.sums.WriteTo(key.observer, out);
    connections += row.sums.connections();
  }

  CompletenessSum completeness;
  completeness.AddCaptured(static_cast<uint64_t>(std::llround(connections)));
  hosts.erase("");
  // Where nothing was seen of what is asked for, it may have been anywhere.
  const bool is_anywhere = hosts.empty() || !filter->Needs().asks_ends;
  for (const model::Loss& loss : loaded.losses) {
    const bool concerns =
        loss.workload.empty() ? hosts.contains(loss.host) : names.contains(loss.workload);
    if (is_anywhere || concerns) completeness.AddProcessLoss(loss);
  }
  completeness.AddReport(loaded.report);
  completeness.AddReport(report);
  completeness.AddAgents(context.sources.registry.List(), range, [&](const std::string& host) {
    return is_anywhere || hosts.contains(host);
  });
  completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
