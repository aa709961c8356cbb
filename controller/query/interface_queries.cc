#include "controller/query/interface_queries.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/query/interface_sums.h"
#include "controller/query/label_matchers.h"
#include "controller/query/loaded_edges.h"
#include "controller/query/metric_queries.h"
#include "kindling/v1/query.pb.h"
#include "model/edge_labels.h"
#include "model/filter.h"
#include "model/host_metrics.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

using model::host::Metric;

constexpr size_t kMaxPlaces = 20'000;

struct Place {
  std::string host;
  std::string netns;   // empty: the host itself
  std::string device;  // empty: the namespace itself
  auto operator<=>(const Place&) const = default;
};

Place PlaceOf(const model::MetricSeries& series) {
  if (series.labels.empty()) {  // beyond the store's cap for series
    const std::string other(model::kOtherName);
    return {.host = other, .netns = other, .device = other};
  }
  return {.host = LabelOf(series, model::host::kHost),
          .netns = LabelOf(series, model::host::kNetns),
          .device = LabelOf(series, model::host::kDevice)};
}

LabelMatchers NetworkSeries() {
  v1::ListSeriesRequest request;
  v1::LabelMatcher* matcher = request.add_matchers();
  matcher->set_name(kNameLabel);
  matcher->set_operator_(v1::LabelMatcher::OPERATOR_MATCHES);
  matcher->set_value("net_.*");
  return *LabelMatchers::Parse(request.matchers());
}

template <typename Out>
void Write(const Place& place, const InterfaceSums& sums, Out* out) {
  out->set_host(place.host);
  if constexpr (requires { out->set_netns(""); }) out->set_netns(place.netns);
  if constexpr (requires { out->set_device(""); }) out->set_device(place.device);
  sums.WriteTo(out);
}

void WriteCompleteness(const QueryContext& context, const Range& range,
                       const std::map<Place, InterfaceSums>& places,
                       const std::map<std::string, double>& unread,
                       const storage::ScanReport& report, v1::Completeness* out) {
  CompletenessSum completeness;
  double readings = 0;
  for (const auto& [place, sums] : places) {
    readings += sums.Points(place.device.empty() ? Metric::kSoftirqPackets : Metric::kLinkUp);
  }
  const auto concerns = [&](const std::string& host) {
    return places.empty() ||
           std::ranges::any_of(places, [&](const auto& place) { return place.first.host == host; });
  };
  for (const auto& [host, count] : unread) {
    if (!concerns(host)) continue;
    completeness.AddProcessLoss({.stage = model::LossStage::kCap,
                                 .host = host,
                                 .events = static_cast<uint64_t>(std::llround(count))});
  }
  completeness.AddCaptured(static_cast<uint64_t>(std::llround(readings)));
  completeness.AddReport(report);
  completeness.AddAgents(context.sources.registry.List(), range, concerns);
  completeness.WriteTo(out);
}

}  // namespace

absl::Status ListInterfaces(const QueryContext& context, const v1::ListInterfacesRequest& request,
                            v1::ListInterfacesResponse* response) {
  const absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(request.filter(), model::RecordKind::kInterface);
  if (!filter.ok()) return FilterFault(filter.status());
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  std::map<Place, InterfaceSums> places;
  std::map<std::string, double> unread;  // by host, whatever the filter
  const auto add = [&](const storage::MetricRun& run) -> absl::Status {
    const size_t metric = model::host::IndexOf(run.series.name);
    if (metric == model::host::kMetrics) return absl::OkStatus();
    Place place = PlaceOf(run.series);
    const std::string& detail = LabelOf(run.series, model::host::kInfo[metric].detail);
    if (static_cast<Metric>(metric) == Metric::kUnread && detail != model::host::kGone) {
      for (const storage::MetricWindow& window : run.windows) unread[place.host] += window.sum;
    }
    if (!filter->Matches(model::InterfaceFields(place.host, place.netns, place.device))) {
      return absl::OkStatus();
    }
    InterfaceSums& sums = places[std::move(place)];
    for (const storage::MetricWindow& window : run.windows) {
      sums.Add(static_cast<Metric>(metric), detail, window);
    }
    if (places.size() <= kMaxPlaces) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrFormat(
        "more than %d devices and namespaces: ask for less time, or with a filter", kMaxPlaces));
  };
  ASSIGN_OR_RETURN(const storage::ScanReport report,
                   VisitSeries(context, range, NetworkSeries(), WindowsFor(range), add));
  for (const auto& [place, sums] : places) {
    if (!place.device.empty()) {
      Write(place, sums, response->add_interfaces());
    } else if (!place.netns.empty()) {
      Write(place, sums, response->add_namespaces());
    } else {
      Write(place, sums, response->add_hosts());
    }
  }
  WriteCompleteness(context, range, places, unread, report, response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
