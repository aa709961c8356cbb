#include "controller/query/metric_queries.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "kindling/v1/query.pb.h"
#include "storage/blocks/metric_block.h"

namespace kindling::controller {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMinuteNs = 60 * kSecondNs;
constexpr int64_t kHourNs = 60 * kMinuteNs;
constexpr int64_t kUsualWindows = 300;
constexpr int64_t kMaxWindows = 11'000;
constexpr size_t kDefaultSeries = 1000;
constexpr size_t kMaxSeries = 10'000;
constexpr size_t kMaxDistinctSeries = 1'000'000;
// What one question may hold in memory.
constexpr size_t kMaxAnswerBytes = 256 << 20;

std::string KindName(model::MetricKind kind) {
  switch (kind) {
    case model::MetricKind::kGauge:
      return "gauge";
    case model::MetricKind::kDelta:
      return "delta";
    case model::MetricKind::kHistogram:
      return "histogram";
    case model::MetricKind::kUnset:
      break;
  }
  return "";
}

void WriteSeries(const model::MetricSeries& series, v1::Series* out) {
  out->set_name(series.name);
  out->set_kind(KindName(series.kind));
  for (const auto& [name, value] : series.labels) (*out->mutable_labels())[name] = value;
}

void WriteWindow(const storage::MetricWindow& window, model::MetricKind kind,
                 v1::RangeWindow* out) {
  out->set_time_ns(window.time_ns);
  if (kind != model::MetricKind::kHistogram) {
    out->set_count(static_cast<double>(window.count));
    out->set_sum(window.sum);
    out->set_least(window.least);
    out->set_most(window.most);
    out->set_last(window.last);
    return;
  }
  const model::LatencyHistogram& histogram = window.histogram;
  out->set_count(static_cast<double>(histogram.count()));
  out->set_sum(static_cast<double>(histogram.sum_ns()) / 1e9);
  out->set_p50_ms(histogram.QuantileNs(0.50) / 1e6);
  out->set_p95_ms(histogram.QuantileNs(0.95) / 1e6);
  out->set_p99_ms(histogram.QuantileNs(0.99) / 1e6);
}

size_t BytesOf(const model::MetricSeries& series) {
  size_t bytes = 128 + series.name.size();
  for (const auto& [name, value] : series.labels) bytes += 64 + name.size() + value.size();
  return bytes;
}

size_t BytesOf(const storage::MetricWindow& window) {
  return sizeof(window) + 48 + window.histogram.counts().size() * sizeof(uint64_t);
}

// The step asked for, or one that gives about kUsualWindows windows.
absl::StatusOr<int64_t> StepFor(const Range& range, int64_t asked_ns) {
  const int64_t length_ns = range.end_ns - range.start_ns;
  if (asked_ns == 0) {
    const int64_t about_ns = length_ns / kUsualWindows;
    const int64_t unit_ns = about_ns >= kHourNs     ? kHourNs
                            : about_ns >= kMinuteNs ? kMinuteNs
                                                    : 10 * kSecondNs;
    return (about_ns + unit_ns) / unit_ns * unit_ns;
  }
  if (asked_ns < kSecondNs) {
    return absl::InvalidArgumentError("step_ns: must be at least one second");
  }
  if (length_ns / asked_ns > kMaxWindows) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "step_ns: gives more than %d windows: take a longer step or less time", kMaxWindows));
  }
  return asked_ns;
}

using Windows = std::map<int64_t, storage::MetricWindow>;  // by start

}  // namespace

absl::StatusOr<storage::ScanReport> VisitSeries(
    const QueryContext& context, const Range& range, const LabelMatchers& matchers, int64_t step_ns,
    const std::function<absl::Status(const storage::MetricRun&)>& visit) {
  const storage::Store::SeriesQuery query{
      .tenant = context.caller.tenant,
      .cluster = context.caller.cluster,
      .start_ns = range.start_ns,
      .end_ns = range.end_ns,
      .step_ns = step_ns,
      .name = matchers.name(),
      .labels = matchers.labels(),
      .want = [&](const model::MetricSeries& series) { return matchers.Matches(series); },
      .cancelled = context.cancelled};
  absl::Status status;
  ASSIGN_OR_RETURN(storage::ScanReport report,
                   context.sources.store.QuerySeries(query, [&](const storage::MetricRun& run) {
                     status = context.cancelled() ? NoLongerWanted() : visit(run);
                     return status.ok();
                   }));
  RETURN_IF_ERROR(status);
  return report;
}

void WriteCompleteness(const QueryContext& context, const Range& range,
                       const storage::ScanReport& report, v1::Completeness* out) {
  CompletenessSum completeness;
  completeness.AddReport(report);
  completeness.AddAgents(context.sources.registry.List(), range,
                         [](const std::string&) { return true; });
  completeness.WriteTo(out);
}

absl::Status ListSeries(const QueryContext& context, const v1::ListSeriesRequest& request,
                        v1::ListSeriesResponse* response) {
  if (request.limit() > kMaxSeries) {
    return absl::InvalidArgumentError(absl::StrFormat("limit: is more than %d", kMaxSeries));
  }
  ASSIGN_OR_RETURN(const LabelMatchers matchers, LabelMatchers::Parse(request.matchers()));
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  std::set<model::MetricSeries> found;
  size_t bytes = 0;
  // The longest windows are the fewest.
  const int64_t step_ns = range.end_ns - range.start_ns;
  ASSIGN_OR_RETURN(
      const storage::ScanReport report,
      VisitSeries(context, range, matchers, step_ns, [&](const storage::MetricRun& run) {
        if (!found.insert(run.series).second) return absl::OkStatus();
        bytes += BytesOf(run.series);
        if (found.size() <= kMaxDistinctSeries && bytes <= kMaxAnswerBytes) return absl::OkStatus();
        return absl::ResourceExhaustedError("too many series: give more matchers, or less time");
      }));
  const size_t limit = request.limit() == 0 ? kDefaultSeries : request.limit();
  for (const model::MetricSeries& series : found) {
    if (response->series_size() == static_cast<int>(limit)) break;
    WriteSeries(series, response->add_series());
  }
  response->set_total(static_cast<double>(found.size()));
  WriteCompleteness(context, range, report, response->mutable_completeness());
  return absl::OkStatus();
}

absl::Status QueryRange(const QueryContext& context, const v1::QueryRangeRequest& request,
                        const std::function<bool(const v1::QueryRangeResponse&)>& write) {
  ASSIGN_OR_RETURN(const LabelMatchers matchers, LabelMatchers::Parse(request.matchers()));
  if (!matchers.selects()) {
    return absl::InvalidArgumentError(
        "matchers: at least one must not match the empty value, such as __name__=\"...\"");
  }
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  ASSIGN_OR_RETURN(const int64_t step_ns, StepFor(range, request.step_ns()));

  std::map<model::MetricSeries, Windows> found;
  size_t bytes = 0;
  ASSIGN_OR_RETURN(
      const storage::ScanReport report,
      VisitSeries(context, range, matchers, step_ns, [&](const storage::MetricRun& run) {
        const auto [entry, is_new] = found.try_emplace(run.series);
        if (is_new) bytes += BytesOf(run.series);
        for (const storage::MetricWindow& window : run.windows) {
          const int64_t start_ns = window.time_ns / step_ns * step_ns;
          const auto [slot, is_first] = entry->second.try_emplace(start_ns, window);
          if (is_first) {
            slot->second.time_ns = start_ns;
            bytes += BytesOf(window);
          } else {
            storage::MergeWindow(slot->second, window);
          }
        }
        if (bytes <= kMaxAnswerBytes) return absl::OkStatus();
        return absl::ResourceExhaustedError(
            "the answer takes too much memory: give more matchers, a longer step or less time");
      }));
  for (auto entry = found.begin(); entry != found.end(); entry = found.erase(entry)) {
    v1::QueryRangeResponse response;
    v1::RangeSeries* series = response.mutable_series();
    WriteSeries(entry->first, series->mutable_series());
    series->set_step_ns(step_ns);
    for (const auto& [start_ns, window] : entry->second) {
      WriteWindow(window, entry->first.kind, series->add_windows());
    }
    if (context.cancelled() || !write(response)) return NoLongerWanted();
  }
  v1::QueryRangeResponse end;
  WriteCompleteness(context, range, report, end.mutable_end()->mutable_completeness());
  return write(end) ? absl::OkStatus() : NoLongerWanted();
}

}  // namespace kindling::controller
