#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/testing/fake_store_admin.h"
#include "storage/store.h"

namespace kindling::controller {

// A store that keeps batches in memory as they are, for tests of what asks one.
//
// Threads: one at a time.
class MemoryStore : public storage::Store {
 public:
  using storage::Store::Append;

  absl::Status Append(const std::vector<BatchPtr>& batches) override {
    batches_.insert(batches_.end(), batches.begin(), batches.end());
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<Durable>> DurableSequences(std::string_view) override {
    return std::vector<Durable>();
  }
  absl::StatusOr<storage::ScanReport> Scan(
      const storage::ScanPlan& plan,
      const std::function<bool(const model::Batch&)>& visit) override {
    for (const BatchPtr& batch : batches_) {
      model::Batch part;
      if (plan.edges) part.edges = batch->edges;
      if (plan.addresses) part.addresses = batch->addresses;
      if (plan.losses) part.losses = batch->losses;
      if (!visit(part)) break;
    }
    return report;
  }
  absl::StatusOr<storage::ScanReport> QueryFlows(
      const FlowQuery&, const std::function<bool(const storage::FlowRun&)>& visit) override {
    std::map<storage::SpanEnds, uint32_t> numbers;
    for (const BatchPtr& batch : batches_) {
      for (const model::EdgeStats& row : batch->edges) {
        const storage::SpanEnds ends = storage::EndsOf(row);
        const auto flow = static_cast<uint32_t>(numbers.size());
        const storage::FlowRow flow_row = storage::FlowRowOf(row);
        if (!visit({numbers.try_emplace(ends, flow).first->second, ends, {&flow_row, 1}})) {
          return report;
        }
      }
    }
    return report;
  }
  uint64_t ChangesIn(int64_t, int64_t) const override { return batches_.size(); }
  absl::StatusOr<storage::ScanReport> SearchSpans(const storage::SpanSearch& search,
                                                  const storage::SpanVisitor& visit) override {
    ++searches;
    for (const BatchPtr& batch : batches_) {
      for (const model::Span& span : batch->spans) {
        if (span.start_ns < search.start_ns || span.start_ns >= search.end_ns) continue;
        if (visit(span) == INT64_MAX) return report;
      }
    }
    return report;
  }
  std::unique_ptr<SpanFinder> NewSpanFinder() override {
    return std::make_unique<MemoryFinder>(*this);
  }
  // Each point is a run of its own.
  absl::StatusOr<storage::ScanReport> QuerySeries(
      const SeriesQuery& query,
      const std::function<bool(const storage::MetricRun&)>& visit) override {
    last_series_query = query;
    for (const BatchPtr& batch : batches_) {
      for (const model::MetricPoint& point : batch->points) {
        const model::MetricSeries& series = batch->series[point.series];
        if (point.time_ns < query.start_ns || point.time_ns >= query.end_ns) continue;
        if (query.want != nullptr && !query.want(series)) continue;
        storage::MetricRun run{.series = series};
        run.windows.push_back({.time_ns = point.time_ns,
                               .count = 1,
                               .sum = point.value,
                               .least = point.value,
                               .most = point.value,
                               .last = point.value,
                               .last_ns = point.time_ns,
                               .histogram = point.histogram});
        if (!visit(run)) return report;
      }
    }
    return report;
  }
  absl::StatusOr<storage::ScanReport> QueryChunks(
      const ChunkQuery&, const std::function<bool(const model::Chunk&)>&) override {
    return report;
  }
  absl::StatusOr<std::string> GetContent(std::string_view, std::string_view,
                                         const model::ContentHash&) override {
    return absl::NotFoundError("no such content");
  }
  absl::Status Retain(int64_t) override { return absl::OkStatus(); }
  const std::string& id() const override { return id_; }
  uint64_t ApproximateBytes() const override { return 0; }
  int64_t OldestNs() const override { return oldest_ns; }
  storage::StoreAdmin& admin() override { return admin_; }

  storage::ScanReport report;  // of every question
  int64_t oldest_ns = 0;
  int searches = 0;
  int finds = 0;
  SeriesQuery last_series_query;

 private:
  class MemoryFinder final : public SpanFinder {
   public:
    explicit MemoryFinder(MemoryStore& store) : store_(store) {}
    absl::StatusOr<storage::ScanReport> Find(const SpanIds& ids,
                                             std::vector<model::Span>* spans) override {
      return store_.FindIn(ids, spans);
    }

   private:
    MemoryStore& store_;
  };

  absl::StatusOr<storage::ScanReport> FindIn(const SpanIds& ids, std::vector<model::Span>* spans) {
    ++finds;
    const auto has = [](const auto& list, const auto& id) {
      return std::find(list.begin(), list.end(), id) != list.end();
    };
    for (const BatchPtr& batch : batches_) {
      for (const model::Span& span : batch->spans) {
        if (has(ids.spans, span.id) || has(ids.traces, span.trace_id) ||
            has(ids.aliases, span.alias_trace_id) ||
            (has(ids.parents, span.parent_id) && span.start_ns >= ids.children_start_ns &&
             span.start_ns < ids.children_end_ns)) {
          spans->push_back(span);
        }
      }
    }
    return report;
  }

  std::vector<BatchPtr> batches_;
  const std::string id_ = "memory";
  FakeStoreAdmin admin_;
};

}  // namespace kindling::controller
