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
// Spans with a parent in the time of a trace: 16 bytes each.
constexpr size_t kMaxLinks = 4'000'000;
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
  found_.insert(span.id);
  asked_spans_.insert(span.id);
  AddSpan(span.parent_id);
  Want(span.trace_id, asked_traces_, wanted_.traces);
  Want(span.alias_trace_id, asked_aliases_, wanted_.aliases);
}

void SpanClosure::AddReport(const storage::ScanReport& report) {
  report_.damaged_blocks += report.damaged_blocks;
  for (const std::string& note : report.notes) Note(note);
}

void SpanClosure::Note(const std::string& note) {
  if (std::find(report_.notes.begin(), report_.notes.end(), note) == report_.notes.end()) {
    report_.notes.push_back(note);
  }
}

absl::Status SpanClosure::FollowIds() {
  for (int round = 0; round < kMaxRounds && !is_full(); ++round) {
    if (wanted_.spans.empty() && wanted_.traces.empty() && wanted_.aliases.empty()) break;
    if (context_.cancelled()) return NoLongerWanted();
    storage::Store::SpanIds ids = std::exchange(wanted_, {});
    ids.tenant = context_.caller.tenant;
    ids.cluster = context_.caller.cluster;
    ids.limit = 2 * kMaxSpans;  // some have been found already
    ids.cancelled = context_.cancelled;
    std::vector<model::Span> found;
    ASSIGN_OR_RETURN(const storage::ScanReport report,
                     context_.sources.store.FindSpans(ids, &found));
    AddReport(report);
    for (const model::Span& span : found) Take(span);
  }
  return absl::OkStatus();
}

// Parents are not indexed: the spans that begin while the trace runs are asked for theirs.
absl::Status SpanClosure::FindChildren() {
  if (spans_.empty()) return absl::OkStatus();
  int64_t end_ns = 0;
  for (const auto& [key, span] : spans_) {
    end_ns = std::max(end_ns, span.start_ns + span.duration_ns());
  }
  const int64_t start_ns = std::max<int64_t>(spans_.begin()->second.start_ns - kSlackNs, 0);
  if (end_ns - start_ns > kMaxChildSearchNs) {
    end_ns = start_ns + kMaxChildSearchNs;
    Note("The trace is long: children that began late in it were not looked for.");
  }
  std::multimap<model::SpanId, model::SpanId> children;  // by parent
  storage::SpanSearch search;
  search.tenant = context_.caller.tenant;
  search.cluster = context_.caller.cluster;
  search.cancelled = context_.cancelled;
  search.start_ns = start_ns;
  search.end_ns = end_ns + kSlackNs;
  bool is_cancelled = false;
  ASSIGN_OR_RETURN(const storage::ScanReport report,
                   context_.sources.store.SearchSpans(search, [&](const model::Span& span) {
                     is_cancelled = context_.cancelled();
                     if (is_cancelled || children.size() >= kMaxLinks) {
                       return std::numeric_limits<int64_t>::max();
                     }
                     if (span.parent_id != 0) children.insert({span.parent_id, span.id});
                     return std::numeric_limits<int64_t>::min();
                   }));
  if (is_cancelled) return NoLongerWanted();
  AddReport(report);
  if (children.size() >= kMaxLinks) {
    Note("Too much happened in the time of the trace: some children were not looked for.");
  }
  std::vector<model::SpanId> parents(found_.begin(), found_.end());
  while (!parents.empty() && wanted_.spans.size() < kMaxSpans) {
    const model::SpanId parent = parents.back();
    parents.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      if (asked_spans_.contains(child->second)) continue;
      AddSpan(child->second);
      parents.push_back(child->second);
    }
  }
  return absl::OkStatus();
}

absl::Status SpanClosure::Find() {
  RETURN_IF_ERROR(FollowIds());
  // What children lead to may have children of its own outside the time searched before.
  for (int round = 0; round < 4; ++round) {
    const size_t before = spans_.size();
    RETURN_IF_ERROR(FindChildren());
    RETURN_IF_ERROR(FollowIds());
    if (spans_.size() == before || is_full()) break;
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
