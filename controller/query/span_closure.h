#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "controller/query/query_context.h"
#include "model/records.h"
#include "storage/store.h"

namespace kindling::controller {

// Gathers the spans that belong together: those of one trace, of a trace that another tracer named,
// parents and children, and whatever these lead to.
//
// Threads: one at a time.
// Limits:  kMaxSpans spans; children are looked for among spans that begin while a span that was
//          found runs, at most kMaxChildSearchNs of time. What is left out is noted.
class SpanClosure {
 public:
  static constexpr size_t kMaxSpans = 10'000;
  static constexpr int64_t kMaxChildSearchNs = int64_t{600} * 1'000'000'000;

  // `context` must outlive this.
  explicit SpanClosure(const QueryContext& context) : context_(context) {}

  void AddSpan(model::SpanId id) { Want(id, asked_spans_, wanted_.spans); }
  // One of ours, or another tracer's.
  void AddTrace(const model::TraceId& id);

  // Finds all of them.
  absl::Status Find();

  // By start.
  std::vector<model::Span> spans() const;
  const storage::ScanReport& report() const { return report_; }

 private:
  using Key = std::tuple<int64_t, model::SpanId, model::Side, uint32_t>;

  template <typename Id>
  static void Want(const Id& id, std::set<Id>& asked, std::vector<Id>& wanted) {
    if (id != Id{} && asked.insert(id).second) wanted.push_back(id);
  }
  bool is_full() const { return spans_.size() >= kMaxSpans; }
  void Take(const model::Span& span);
  absl::Status FindAll();
  absl::Status FollowIds();
  absl::Status FindChildren();
  absl::Status FindSpans(storage::Store::SpanIds ids);
  void AddReport(const storage::ScanReport& report);
  void Note(const std::string& note);

  const QueryContext& context_;
  std::unique_ptr<storage::Store::SpanFinder> finder_;  // while finding
  storage::Store::SpanIds wanted_;
  std::set<model::SpanId> asked_spans_;
  std::set<model::TraceId> asked_traces_;
  std::set<model::TraceId> asked_aliases_;
  std::map<Key, model::Span> spans_;
  std::set<model::SpanId> found_;
  std::set<model::SpanId> asked_parents_;
  storage::ScanReport report_;
};

}  // namespace kindling::controller
