#include "controller/query/span_closure.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace kindling::controller {
namespace {

// A chain of links longer than this is not followed to its end.
constexpr int kMaxRounds = 64;
// Clocks of two hosts may differ by as much.
constexpr int64_t kSlackNs = int64_t{1} * 1'000'000'000;

}  // namespace

void SpanClosure::AddTrace(const model::TraceId& id) {
  Want(id, asked_traces_, wanted_.traces);
  Want(id, asked_aliases_, wanted_.aliases);
}

void SpanClosure::Take(const model::Span& span) {
  if (is_full()) return Note(absl::StrFormat("Only the first %d spans are shown.", kMaxSpans));
  if (!spans_.insert({{span.start_ns, span.id, span.side, span.pid}, span}).second) return;
  asked_spans_.insert(span.id);
  found_.insert(span.id);
  AddSpan(span.parent_id);
  Want(span.trace_id, asked_traces_, wanted_.traces);
  Want(span.alias_trace_id, asked_aliases_, wanted_.aliases);
}

void SpanClosure::AddReport(const storage::ScanReport& report) {
  report_.damaged_blocks += report.damaged_blocks;
  report_.damaged_rows += report.damaged_rows;
  for (const std::string& note : report.notes) Note(note);
}

void SpanClosure::Note(const std::string& note) {
  if (std::find(report_.notes.begin(), report_.notes.end(), note) == report_.notes.end()) {
    report_.notes.push_back(note);
  }
}

absl::Status SpanClosure::FollowIds() {
  for (int round = 0; round < kMaxRounds && !is_full(); ++round) {
    std::erase_if(wanted_.spans, [&](model::SpanId id) { return found_.contains(id); });
    if (wanted_.spans.empty() && wanted_.traces.empty() && wanted_.aliases.empty()) break;
    if (context_.cancelled()) return NoLongerWanted();
    RETURN_IF_ERROR(FindSpans(std::exchange(wanted_, {})));
  }
  return absl::OkStatus();
}

// A child begins while its parent runs, so children of all that was found are asked for at once, in
// the time of the trace.
absl::Status SpanClosure::FindChildren() {
  std::vector<model::SpanId> parents;
  int64_t start_ns = std::numeric_limits<int64_t>::max();
  int64_t end_ns = 0;
  for (const auto& [key, span] : spans_) {
    if (span.id == 0 || !asked_parents_.insert(span.id).second) continue;
    parents.push_back(span.id);
    start_ns = std::min(start_ns, span.start_ns);
    end_ns = std::max(end_ns, span.start_ns + span.duration_ns());
  }
  if (parents.empty()) return absl::OkStatus();
  if (context_.cancelled()) return NoLongerWanted();
  start_ns = std::max<int64_t>(start_ns - kSlackNs, 0);
  if (end_ns - start_ns > kMaxChildSearchNs) {
    end_ns = start_ns + kMaxChildSearchNs;
    Note("The trace is long: children that began late in it were not looked for.");
  }
  return FindSpans({.parents = std::move(parents),
                    .children_start_ns = start_ns,
                    .children_end_ns = end_ns + kSlackNs});
}

absl::Status SpanClosure::FindSpans(storage::Store::SpanIds ids) {
  ids.tenant = context_.caller.tenant;
  ids.cluster = context_.caller.cluster;
  ids.limit = 2 * kMaxSpans;  // some have been found already
  ids.cancelled = context_.cancelled;
  std::vector<model::Span> found;
  ASSIGN_OR_RETURN(const storage::ScanReport report, finder_->Find(ids, &found));
  AddReport(report);
  for (const model::Span& span : found) Take(span);
  return absl::OkStatus();
}

absl::Status SpanClosure::Find() {
  finder_ = context_.sources.store.NewSpanFinder();
  absl::Status status = FindAll();
  finder_.reset();
  return status;
}

absl::Status SpanClosure::FindAll() {
  RETURN_IF_ERROR(FollowIds());
  // What children lead to has children of its own.
  for (int round = 0; round < kMaxRounds && !is_full(); ++round) {
    const size_t before = spans_.size();
    RETURN_IF_ERROR(FindChildren());
    RETURN_IF_ERROR(FollowIds());
    if (spans_.size() == before) break;
  }
  return absl::OkStatus();
}

std::vector<model::Span> SpanClosure::spans() const {
  std::vector<model::Span> out;
  out.reserve(spans_.size());
  for (const auto& [key, span] : spans_) out.push_back(span);
  return out;
}

}  // namespace kindling::controller
