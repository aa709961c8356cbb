#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/query/label_matchers.h"
#include "controller/query/query_context.h"
#include "model/records.h"
#include "storage/store.h"

namespace kindling::v1 {
class Completeness;
class ListSeriesRequest;
class ListSeriesResponse;
class QueryRangeRequest;
class QueryRangeResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status ListSeries(const QueryContext& context, const v1::ListSeriesRequest& request,
                        v1::ListSeriesResponse* response);

// `write` returns false when the client takes no more.
absl::Status QueryRange(const QueryContext& context, const v1::QueryRangeRequest& request,
                        const std::function<bool(const v1::QueryRangeResponse&)>& write);

// Calls `visit` for each series that matches and has a point in the range; several times for one
// that the store keeps in parts. DEADLINE_EXCEEDED once the question is no longer wanted.
absl::StatusOr<storage::ScanReport> VisitSeries(
    const QueryContext& context, const Range& range, const LabelMatchers& matchers, int64_t step_ns,
    const std::function<absl::Status(const storage::MetricRun&)>& visit);

// What is missing from an answer made of metric series: damage, and silent agents.
void WriteCompleteness(const QueryContext& context, const Range& range,
                       const storage::ScanReport& report, v1::Completeness* out);

}  // namespace kindling::controller
