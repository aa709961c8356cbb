#include "controller/query/query_context.h"

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"

namespace kindling::controller {

absl::StatusOr<Range> ResolveRange(const QueryContext& context, const v1::TimeRange& time) {
  if (time.start_ns() < 0 || time.end_ns() < 0) {
    return absl::InvalidArgumentError("time: ns since the epoch cannot be negative");
  }
  Range range{time.start_ns(), time.end_ns()};
  if (range.end_ns == 0) range.end_ns = context.sources.clock.WallNs();
  if (range.start_ns == 0) {
    const int64_t oldest_ns = context.sources.store.OldestNs();
    // An empty store has nothing before now.
    range.start_ns = oldest_ns == 0 || oldest_ns > range.end_ns ? range.end_ns : oldest_ns;
    return range;
  }
  if (range.start_ns >= range.end_ns) {
    return absl::InvalidArgumentError("time: the range ends before it begins");
  }
  return range;
}

absl::StatusOr<storage::ScanReport> ScanFor(
    const QueryContext& context, storage::ScanPlan plan,
    const std::function<absl::Status(const model::Batch&)>& visit) {
  plan.tenant = context.caller.tenant;
  plan.cluster = context.caller.cluster;
  plan.cancelled = context.cancelled;
  absl::Status status;
  ASSIGN_OR_RETURN(storage::ScanReport report,
                   context.sources.store.Scan(plan, [&](const model::Batch& block) {
                     if (context.cancelled()) {
                       status = NoLongerWanted();
                     } else {
                       status = visit(block);
                     }
                     return status.ok();
                   }));
  RETURN_IF_ERROR(status);
  return report;
}

absl::Status NoLongerWanted() {
  return absl::DeadlineExceededError(
      "the answer took longer than the client waits: ask for less time");
}

absl::Status FilterFault(const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrFormat("filter: %s", std::string(status.message())));
}

}  // namespace kindling::controller
