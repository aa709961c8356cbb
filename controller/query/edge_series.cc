#include "controller/query/edge_series.h"

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/query/label_matchers.h"
#include "controller/query/metric_queries.h"
#include "controller/topology/address_table.h"
#include "kindling/v1/query.pb.h"
#include "model/filter_field.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr int64_t kWindowNs = int64_t{10} * 1'000'000'000;  // as agents send them, usually

LabelMatchers Named(const char* names) {
  v1::ListSeriesRequest request;
  v1::LabelMatcher* matcher = request.add_matchers();
  matcher->set_name(kNameLabel);
  matcher->set_operator_(v1::LabelMatcher::OPERATOR_MATCHES);
  matcher->set_value(names);
  return *LabelMatchers::Parse(request.matchers());
}

std::optional<model::Transport> TransportOf(const model::Labels& labels) {
  const std::string_view name = model::LabelOf(labels, model::kTransportLabel);
  for (const model::Transport transport :
       {model::Transport::kTcp, model::Transport::kUdp, model::Transport::kUnix}) {
    if (name == model::Name(transport)) return transport;
  }
  return std::nullopt;
}

}  // namespace

std::string EdgeKey::ServerAddressText() const {
  if (server_address.empty()) return "";
  return AddressText(PlainAddress(server_address), server_port);
}

absl::StatusOr<EdgeSeries> EdgeSeries::Open(const QueryContext& context, const v1::TimeRange& time,
                                            const std::string& filter, model::RecordKind kind) {
  absl::StatusOr<model::Filter> parsed = model::Filter::Parse(filter, kind);
  if (!parsed.ok()) return FilterFault(parsed.status());
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, time));
  // Who called from where is told by the requests.
  ASSIGN_OR_RETURN(std::shared_ptr<const NamedFlows> flows,
                   context.sources.flows.Get(context, range));
  return EdgeSeries(context, *std::move(parsed), range, std::move(flows));
}

EdgeSeries::EdgeSeries(const QueryContext& context, model::Filter filter, const Range& range,
                       std::shared_ptr<const NamedFlows> flows)
    : context_(&context),
      filter_(std::move(filter)),
      asks_ends_(filter_.Needs().asks_ends),
      range_(range),
      flows_(std::move(flows)),
      step_ns_(WindowsFor(range)) {}

absl::Status EdgeSeries::Visit(const Metrics& metrics, const Visitor& visit) {
  const auto add = [&](const storage::MetricRun& run) -> absl::Status {
    const model::EdgeEnds ends = model::EndsOf(run.series.labels);
    const model::Transport transport = TransportOf(run.series.labels).value_or(metrics.transport);
    // What the observer knew by name is called so at any time.
    const bool is_named = !ends.client.workload.empty() && !ends.server.workload.empty();
    std::optional<size_t> key;
    for (const storage::MetricWindow& window : run.windows) {
      if (!key.has_value() || !is_named) {
        ASSIGN_OR_RETURN(key, IndexOf(KeyOf(ends, transport, window.time_ns)));
      }
      visit(*key, run.series, window);
    }
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const storage::ScanReport report,
                   VisitSeries(*context_, range_, Named(metrics.names), step_ns_, add));
  reports_.push_back(report);
  return absl::OkStatus();
}

EdgeKey EdgeSeries::KeyOf(const model::EdgeEnds& ends, model::Transport transport,
                          int64_t time_ns) const {
  EdgeKey key{.observer = ends.observer,
              .client_address = ends.client.address,
              .server_address = ends.server.address,
              .server_port = ends.server.port};
  if (ends == model::EdgeEnds()) {  // beyond the store's cap for series
    key.ends.client.name = key.ends.server.name = model::kOtherName;
    return key;
  }
  const int64_t window_ns = step_ns_ == 0 ? kWindowNs : step_ns_;
  key.ends = flows_->loaded().groups->NameEnds(ends.observer, ends.client, ends.server,
                                               std::nullopt, transport, time_ns + window_ns);
  if (ends.client == model::Party()) key.ends.client = {};  // the server's own
  return key;
}

absl::StatusOr<size_t> EdgeSeries::IndexOf(EdgeKey key) {
  const auto [found, is_new] = index_.try_emplace(std::move(key), keys_.size());
  if (is_new) {
    if (keys_.size() == kMaxKeys) {
      return absl::ResourceExhaustedError("too many edges: ask for less time");
    }
    keys_.push_back(&found->first);
  }
  return found->second;
}

bool EdgeSeries::Selects(const EdgeKey& key, double sent_bytes, double received_bytes) {
  model::EdgeStats row;  // as filters see it
  row.observer = key.observer;
  row.client.address = key.client_address;
  row.server.address = key.server_address;
  row.sent_bytes = static_cast<uint64_t>(sent_bytes);
  row.received_bytes = static_cast<uint64_t>(received_bytes);
  const model::EdgeFields fields(row, NamesOf(key.ends));
  // Of those that it asks for by their ends, whatever else it asks.
  if (asks_ends_ && filter_.MayMatch(fields, IsOfEnds)) {
    concerned_.Add(key.ends.client);
    concerned_.Add(key.ends.server);
  }
  return filter_.Matches(fields);
}

void EdgeSeries::WriteCompleteness(double captured, v1::Completeness* out) const {
  CompletenessSum sum;
  Complete(captured, &CompletenessSum::AddProcessLoss, sum, out);
}

void EdgeSeries::WriteRequestCompleteness(double captured, model::Protocol protocol,
                                          v1::Completeness* out) const {
  CompletenessSum sum;
  for (const EdgeGroup& group : flows_->loaded().groups->groups()) {
    if (group.sum.protocol != protocol || group.is_mixed) continue;
    const model::EdgeFields fields(group.sum, NamesOf(group));
    if (filter_.MayMatch(fields, IsOfEnds)) sum.AddLost(group.sum.lost);
  }
  Complete(captured, &CompletenessSum::AddLoss, sum, out);
}

void EdgeSeries::Complete(double captured, LossAdder add, CompletenessSum& sum,
                          v1::Completeness* out) const {
  sum.AddCaptured(static_cast<uint64_t>(std::llround(captured)));
  for (const storage::ScanReport& report : reports_) sum.AddReport(report);
  AddAround(*context_, flows_->loaded(), range_, concerned_, add, sum);
  sum.WriteTo(out);
}

absl::Status EdgeSeries::CheckRows(size_t rows) {
  if (rows <= kMaxRows) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "the answer has %d rows, more than %d: ask for less time, or with a filter", rows, kMaxRows));
}

}  // namespace kindling::controller
